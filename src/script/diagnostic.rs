//! How a failure looks: to people, as text in a fixed order, and to programs, as JSON.
//!
//! Pure, and the only place that knows the order: `error:`, the line of the script, the calls, what
//! the programs said, `cause:`, `hint:`, and in whose hands the guest is.

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value, json};

/// Why a run failed, with everything there is to say about it. An empty text is one that nobody has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// What a script compares, as in `e.kind == "timeout"`.
    pub kind: String,
    /// The operation, its subject and what went wrong.
    pub message: String,
    /// The `Vm` that it is about.
    pub vm: Option<String>,
    /// What to do about it.
    pub hint: String,
    /// Who said what: the tails of standard errors, in any number of lines.
    pub said: Vec<(String, String)>,
    /// Why it went wrong, where that is known.
    pub cause: String,
    /// In whose hands the guest is now.
    pub outlook: String,
    /// The line of the user's script that it comes down to.
    pub place: Option<Place>,
    /// How that line was reached, the nearest first: the function that it is in and where that was
    /// called, or no function and where the file was imported.
    pub callers: Vec<Frame>,
    /// What that line called in the standard library, the innermost last: each function and the place
    /// in it.
    pub calls: Vec<Frame>,
    /// The exit code that goes with it.
    pub code: u8,
}

/// A line of the user's script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The name of the file, or what stands for it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The whole line, where it is known.
    pub text_of_line: Option<String>,
}

/// One step in a chain of calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// The name of the function; empty for the top of a file.
    pub function: String,
    /// The name of the file, or what stands for it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// The colours of a diagnostic. The default has none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Palette {
    error: Style,
    hint: Style,
    gutter: Style,
}

impl Palette {
    /// For a terminal.
    #[must_use]
    pub const fn coloured() -> Self {
        Self {
            error: AnsiColor::Red.on_default().bold(),
            hint: AnsiColor::Cyan.on_default(),
            gutter: AnsiColor::Blue.on_default(),
        }
    }

    /// A line that is bad news.
    #[must_use]
    pub fn alarm(&self, line: &str) -> String {
        let error = self.error;
        format!("{error}{line}{error:#}")
    }
}

/// The exit code for a kind of failure.
#[must_use]
pub fn exit_code(kind: &str) -> u8 {
    match kind {
        "usage" => 2,
        "compile" => 3,
        "assertion" => 4,
        "start" | "connect" | "attach" | "environment" => 5,
        "timeout" => 6,
        "library" => 7,
        _ => 1,
    }
}

/// The longest chain of calls that is shown whole.
const MAX_CALLS: usize = 8;

impl Failure {
    /// The text for people; every line ends with a line feed. Wherever its parts come from, they cannot
    /// send commands to the terminal.
    #[must_use]
    pub fn render(&self, palette: &Palette) -> String {
        self.render_as("error", palette)
    }

    /// The same for what is not quite an error, but a `warning`.
    #[must_use]
    pub fn render_as(&self, label: &str, palette: &Palette) -> String {
        let Palette { error, hint, .. } = palette;
        let said = self.said.iter().map(|(who, words)| said(who, words.trim_end()));
        [
            format!("{error}{label}:{error:#} {}\n", indented(&self.message, label.len() + 2)),
            self.place.as_ref().map(|place| excerpt(place, palette)).unwrap_or_default(),
            chain(self.callers.iter().map(caller).collect()),
            chain(self.calls.iter().map(call).collect()),
            said.collect(),
            if self.cause.is_empty() {
                String::new()
            } else {
                format!("cause: {}\n", indented(&self.cause, 7))
            },
            if self.hint.is_empty() {
                String::new()
            } else {
                format!("{hint}hint:{hint:#} {}\n", indented(&self.hint, 6))
            },
            if self.outlook.is_empty() { String::new() } else { indented(&self.outlook, 0) + "\n" },
        ]
        .concat()
    }

    /// The object for programs. All its members are always there; null stands for what nobody has.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let text = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
        let frame = |Frame { function, file, line, column }: &Frame| json!({ "function": text(function), "file": file, "line": line, "column": column });
        let place = |Place { file, line, column, .. }: &Place| json!({ "file": file, "line": line, "column": column });
        let mut said = Map::new();
        for (who, words) in &self.said {
            match said.get_mut(who) {
                Some(Value::String(known)) => *known = format!("{known}\n{words}"),
                _ => drop(said.insert(who.clone(), words.as_str().into())),
            }
        }
        json!({
            "kind": self.kind,
            "message": self.message,
            "vm": self.vm,
            "hint": text(&self.hint),
            "cause": text(&self.cause),
            "outlook": text(&self.outlook),
            "said": said,
            "place": self.place.as_ref().map(place),
            "callers": self.callers.iter().map(frame).collect::<Vec<_>>(),
            "calls": self.calls.iter().map(frame).collect::<Vec<_>>(),
            "code": self.code,
        })
    }
}

fn caller(Frame { function, file, line, column }: &Frame) -> String {
    if function.is_empty() {
        format!("imported at {file}:{line}:{column}")
    } else {
        format!("in `{function}`, called at {file}:{line}:{column}")
    }
}

fn call(Frame { function, file, line, column }: &Frame) -> String {
    if function.is_empty() {
        format!("in {file}:{line}:{column}")
    } else {
        format!("in `{function}` at {file}:{line}:{column}")
    }
}

/// The steps, a line each, with the middle of a long chain left out.
fn chain(mut steps: Vec<String>) -> String {
    if steps.len() > MAX_CALLS {
        let (first, last) = (MAX_CALLS / 2, steps.len() - MAX_CALLS / 2 + 1);
        let left_out = format!("… {} more …", last - first);
        steps.splice(first..last, [left_out]);
    }
    steps.iter().map(|step| visible(step) + "\n").collect()
}

fn said(who: &str, words: &str) -> String {
    let (who, words) = (visible(who), visible(words));
    match words.as_str() {
        "" => String::new(),
        line if !line.contains('\n') => format!("{who} said: {line}\n"),
        lines => format!("{who} said:\n  {}\n", lines.replace('\n', "\n  ")),
    }
}

fn indented(text: &str, by: usize) -> String {
    visible(text.trim_end()).replace('\n', &format!("\n{:by$}", ""))
}

fn excerpt(place: &Place, Palette { error, gutter, .. }: &Palette) -> String {
    let Place { file, line, column, text_of_line } = place;
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let arrow = format!("{margin}{gutter}——▶{gutter:#} {}:{line}:{column}\n", visible(file));
    let Some(source) = text_of_line else { return arrow };
    let (shown, indent) = line_and_indent(source, *column);
    [
        arrow,
        format!("{margin} {gutter}│{gutter:#}\n"),
        format!("{gutter}{number} │{gutter:#} {shown}\n"),
        format!("{margin} {gutter}│{gutter:#} {:indent$}{error}^{error:#}\n", ""),
    ]
    .concat()
}

/// The most characters of a line that are shown.
const MAX_LINE: usize = 120;

/// The line as it is shown, and how many cells of it are left of `column`.
fn line_and_indent(line: &str, column: usize) -> (String, usize) {
    let line: Vec<char> = line.trim_end().chars().collect();
    let start = if line.len() > MAX_LINE {
        column.saturating_sub(MAX_LINE / 2).min(line.len() - MAX_LINE)
    } else {
        0
    };
    let end = line.len().min(start + MAX_LINE);
    let mut shown = String::from(if start > 0 { "…" } else { "" });
    let mut indent = shown.chars().count();
    for (number, char) in (start + 1..).zip(&line[start..end]) {
        let cells = if *char == '\t' { "    ".into() } else { visible(&char.to_string()) };
        if number < column {
            indent += cells.chars().map(cell_width).sum::<usize>();
        }
        shown += &cells;
    }
    if end < line.len() {
        shown.push('…');
    }
    (shown, indent)
}

/// How many cells of a terminal a character takes: none for what combines with the one before, two
/// for the scripts and pictures of East Asia.
fn cell_width(char: char) -> usize {
    match u32::from(char) {
        0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// The text with a picture for each character that would command the terminal, except the line feed,
/// and with an escape for each that turns the direction of writing.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.replace("\r\n", "\n").chars() {
        match char {
            '\n' => shown.push(char),
            '\t' => shown.push_str("    "),
            '\u{0}'..='\u{1f}' => shown.push(char::from_u32(0x2400 + u32::from(char)).unwrap_or('�')),
            '\u{7f}' => shown.push('␡'),
            '\u{80}'..='\u{9f}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                shown.extend(char.escape_unicode());
            }
            _ => shown.push(char),
        }
    }
    shown
}

#[cfg(test)]
mod tests;
