//! The manual as a terminal shows it.
//!
//! Pure.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::prose::{Block, blocks, spans, wrap};
use super::{Found, Manual};
use crate::script::help::Function;
use crate::script::highlight::highlight;
use crate::script::subjects::{Recipe, Subject};

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// How many characters fit on a line.
    pub width: usize,
    /// Whether it has colours.
    pub coloured: bool,
}

/// Longer lines are hard to read.
const MAX_WIDTH: usize = 100;

impl Look {
    fn bold(self, text: &str) -> String {
        self.styled(Style::new().bold(), text)
    }

    fn styled(self, style: Style, text: &str) -> String {
        if self.coloured { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Code between the words stands out, by its colour or by its backticks.
    fn prose(self, line: &str) -> String {
        if !self.coloured {
            return line.to_owned();
        }
        let code = AnsiColor::Cyan.on_default();
        let shown = |(is_code, text)| if is_code { self.styled(code, text) } else { String::from(text) };
        spans(line).into_iter().map(shown).collect()
    }

    fn width(self) -> usize {
        self.width.min(MAX_WIDTH)
    }
}

/// Everything in short: a line for each function and for each recipe.
#[must_use]
pub fn overview(manual: &Manual, look: Look) -> String {
    let mut text = String::new();
    for (title, subjects) in manual.groups() {
        let _ = writeln!(text, "{}\n", look.bold(&title.to_uppercase()));
        for subject in subjects {
            let _ = writeln!(text, "{}", look.bold(&subject.name));
            let mut told = Vec::new();
            for function in &subject.functions {
                let path = if function.is_operator() { "operators".to_owned() } else { function.path() };
                if !told.contains(&path) {
                    text += &row(function, &path, look);
                    told.push(path);
                }
            }
            text.push('\n');
        }
    }
    let _ = writeln!(text, "{}\n", look.bold("SHIPPED RECIPES"));
    for recipe in &manual.recipes {
        text += &line(recipe.name, &recipe.header.summary, look);
    }
    text + "\n`qhop doc NAME` explains a function, a subject or a recipe, with examples."
}

const COLUMN: usize = 34;

fn row(function: &Function, path: &str, look: Look) -> String {
    if function.is_operator() {
        return line(path, &format!("as in `{}`", function.call()), look);
    }
    let call = if function.name.starts_with("get$") { path } else { &function.shown };
    let fits = call.chars().count() < COLUMN;
    line(if fits { call } else { path }, &function.summary(), look)
}

/// A name and what it is, cut at the end of the line.
fn line(name: &str, what: &str, look: Look) -> String {
    let room = look.width.saturating_sub(COLUMN + 3).max(20);
    let lines = wrap(what, room);
    let more = if lines.len() > 1 { " …" } else { "" };
    format!("  {name:COLUMN$} {}{more}\n", look.prose(&lines[0]))
}

/// What was found, whole.
#[must_use]
pub fn found(found: &Found, look: Look) -> String {
    let mut parts = Vec::new();
    parts.extend(found.subject.map(|it| subject(it, look)));
    parts.extend(found.functions.iter().map(|it| function(it, look)));
    parts.extend(found.recipe.map(|it| recipe(it, look)));
    parts.join("\n\n")
}

/// A function: how it is called, what it does, its examples.
#[must_use]
pub fn function(function: &Function, look: Look) -> String {
    let mut text = look.bold(&function.call());
    text += &indented(&function.doc, look);
    for example in &function.examples {
        text += "\n";
        for line in example.lines() {
            let shown = if look.coloured { highlight(line) } else { line.to_owned() };
            text += &margined(&shown);
        }
    }
    text
}

fn subject(subject: &Subject, look: Look) -> String {
    let mut parts = vec![[look.bold(&subject.name), indented(&subject.about, look)].concat()];
    parts.extend(subject.functions.iter().map(|it| function(it, look)));
    parts.join("\n\n")
}

fn recipe(recipe: &Recipe, look: Look) -> String {
    let about = format!("{}\n\n{}", recipe.header.summary, recipe.header.help);
    let mut text = look.bold(&format!("qhop run {}", recipe.name));
    text += &indented(&about, look);
    text.push('\n');
    for line in recipe.usage.lines() {
        text += &margined(line);
    }
    text
}

/// Pieces of a text, each after an empty line, two characters in.
fn indented(text: &str, look: Look) -> String {
    let room = look.width().saturating_sub(2).max(20);
    let mut shown = String::new();
    for block in blocks(text) {
        let lines = match block {
            Block::Paragraph(line) => wrap(&line, room),
            Block::Quoted(lines) => lines.lines().map(str::to_owned).collect(),
            Block::List(items) => {
                let item = |item: &String| wrap(item, room.saturating_sub(2)).join("\n  ");
                items.iter().flat_map(|it| lines_of(&format!("- {}", item(it)))).collect()
            }
        };
        shown.push('\n');
        for line in lines {
            shown += &margined(&look.prose(&line));
        }
    }
    shown
}

fn lines_of(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// The next line, two characters in.
fn margined(line: &str) -> String {
    format!("\n{}", format!("  {line}").trim_end())
}
