//! A recipe as text: where it comes from, its shebang line and its header; and the recipes that are shipped.
//!
//! Pure.

use std::path::PathBuf;

use include_dir::{Dir, include_dir};

static SHIPPED: Dir = include_dir!("$CARGO_MANIFEST_DIR/scripts");

/// The names of the shipped recipes, in alphabetical order.
pub fn shipped_names() -> impl Iterator<Item = &'static str> {
    SHIPPED.files().filter_map(|file| file.path().file_stem()?.to_str())
}

/// The text of a shipped recipe.
#[must_use]
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED.get_file(format!("{name}.rhai"))?.contents_utf8()
}

/// A script's text, and where it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What positions in it are reported under.
    pub name: String,
    /// The text.
    pub text: String,
    /// Its file, whose directory imports are relative to.
    pub path: Option<PathBuf>,
}

impl Source {
    /// A file of the user's.
    #[must_use]
    pub fn file(path: &str, text: String) -> Self {
        Self { name: path.to_owned(), text, path: Some(PathBuf::from(path)) }
    }

    /// Standard input.
    #[must_use]
    pub fn standard_input(text: String) -> Self {
        Self { name: "-".to_owned(), text, path: None }
    }

    /// An expression from the command line.
    #[must_use]
    pub fn expression(text: &str) -> Self {
        Self { name: "eval".to_owned(), text: text.to_owned(), path: None }
    }

    /// A recipe that qhop brings along.
    #[must_use]
    pub fn shipped(name: &str, text: &str) -> Self {
        Self { name: format!("scripts/{name}.rhai"), text: text.to_owned(), path: None }
    }
}

/// What a recipe says about itself in the `//!` lines that it starts with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// The first paragraph, on one line.
    pub summary: String,
    /// The paragraphs after the first one, line by line as they are written.
    pub help: String,
}

/// The text without the `#!` line that a shell needs and Rhai does not understand. The line stays as
/// an empty one, so that positions keep their line numbers. A byte order mark goes too.
#[must_use]
pub fn without_shebang(text: &str) -> &str {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.starts_with("#!") { text.find('\n').map_or("", |end| &text[end..]) } else { text }
}

/// Read the header of a recipe.
#[must_use]
pub fn header(text: &str) -> Header {
    let lines = without_shebang(text).lines().map(str::trim).skip_while(|line| line.is_empty());
    let header: Vec<&str> = lines.map_while(|line| line.strip_prefix("//!")).map(uncomment).collect();
    let mut paragraphs = header.splitn(2, |line| line.is_empty());
    let summary = paragraphs.next().unwrap_or_default().join(" ");
    let help = paragraphs.next().unwrap_or_default().join("\n");
    Header { summary, help: help.trim_matches('\n').to_owned() }
}

/// One space after the comment sign separates; any more is the author's indentation.
fn uncomment(line: &str) -> &str {
    line.strip_prefix(' ').unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shebang_leaves_an_empty_line() {
        assert_eq!(without_shebang("#!/usr/bin/env qhop\nlaunch();\n"), "\nlaunch();\n");
        assert_eq!(without_shebang("#!/usr/bin/env qhop\r\nlaunch();"), "\nlaunch();");
        assert_eq!(without_shebang("#!/usr/bin/env qhop"), "");
        assert_eq!(without_shebang("\u{feff}#!qhop\n1"), "\n1");
        assert_eq!(without_shebang("#{ a: 1 }"), "#{ a: 1 }");
        assert_eq!(without_shebang(""), "");
    }

    #[test]
    fn a_header_has_a_summary_and_help() {
        let text = "#!/usr/bin/env qhop\n\n//! Move a running guest\n//! into another QEMU.\n//!\n//! Steps:\n//!   one\n//!\n//! End.\nlet a = 1;\n//! not this";
        let expected = Header {
            summary: "Move a running guest into another QEMU.".into(),
            help: "Steps:\n  one\n\nEnd.".into(),
        };
        assert_eq!(header(text), expected);
    }

    #[test]
    fn a_header_may_be_short_or_missing() {
        assert_eq!(header("//!One line\r\n"), Header { summary: "One line".into(), help: String::new() });
        assert_eq!(header("//!\n//! Late."), Header { summary: String::new(), help: "Late.".into() });
        assert_eq!(header("let a = 1;\n//! no header"), Header::default());
        assert_eq!(header("// a comment\n//! no header"), Header::default());
        assert_eq!(header(""), Header::default());
    }
}
