//! The entries of a session as a recipe that runs.
//!
//! It replaces no file but one that it has written before.

use std::fs;
use std::io::{Error as IoError, ErrorKind};

use crate::error::{Error, Result};
use crate::qemu::process::cause;
use crate::script::tokens::{Kind, boundaries, tokens};

/// What was typed, and how far it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The text.
    pub text: String,
    /// How many bytes of it were evaluated to their end; all of it if it did not fail.
    pub done: usize,
}

impl Entry {
    /// An entry that went well, or that failed at a line and a column of its text; it is not known where if that is
    /// `(0, 0)`.
    #[must_use]
    pub fn new(text: &str, failed_at: Option<(usize, usize)>) -> Self {
        let done = match failed_at {
            None => text.len(),
            Some(at) => {
                let at = offset(text, at);
                boundaries(text).into_iter().take_while(|end| *end <= at).last().unwrap_or_default()
            }
        };
        Self { text: text.to_owned(), done }
    }
}

/// The byte of a position.
fn offset(text: &str, (line, column): (usize, usize)) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let line = text[before..].char_indices().nth(column.saturating_sub(1));
    before + line.map_or(0, |(at, _)| at)
}

/// What a saved recipe begins with.
const HEADER: &str = "//! Saved from a session of `qhop repl`.\n";

/// The recipe. What failed stays as a comment.
#[must_use]
pub fn recipe(entries: &[Entry]) -> String {
    let mut text = HEADER.to_owned();
    for entry in entries {
        let (done, failed) = entry.text.split_at(entry.done);
        text.push('\n');
        // A header is one only at the top of a file.
        for line in statement(done).lines() {
            text.push_str(&if line.trim_start().starts_with("//!") {
                line.replacen("//!", "//", 1)
            } else {
                line.to_owned()
            });
            text.push('\n');
        }
        let failed = failed.trim();
        if !failed.is_empty() {
            text.push_str("// failed:\n");
            for line in failed.lines() {
                text.push_str("// ");
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

/// Write a recipe to a file.
///
/// # Errors
/// `File` if it cannot be written, or holds something else.
pub fn write(path: &str, recipe: &str) -> Result<()> {
    let failed = |cause: String| Error::File { operation: "write", path: path.to_owned(), cause };
    let there = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => HEADER.into(),
        Err(error) => return Err(failed(cause(&error))),
        Ok(there) => there,
    };
    if !there.starts_with(HEADER.as_bytes()) {
        return Err(failed("it holds something that no session has saved".to_owned()));
    }
    fs::write(path, recipe).map_err(|error: IoError| failed(cause(&error)))
}

/// With the `;` that another statement can follow.
fn statement(text: &str) -> String {
    let text = text.trim();
    let tokens = tokens(text);
    let last = tokens.iter().rfind(|token| !matches!(token.kind, Kind::Comment { .. }));
    let Some(last) = last else { return text.to_owned() };
    let is_function = tokens
        .iter()
        .find(|it| it.kind == Kind::Name)
        .is_some_and(|it| ["fn", "private"].contains(&&text[it.range.clone()]));
    if &text[last.range.clone()] == ";" || (is_function && &text[last.range.clone()] == "}") {
        return text.to_owned();
    }
    let (before, after) = text.split_at(last.range.end);
    format!("{before};{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_become_a_recipe() {
        let entries = [
            Entry::new("let a = 1", None),
            Entry::new("fn f(x) {\n    x + 1\n}", None),
            Entry::new("f(a) // two", None),
            Entry::new("let b = 2; let c = f(); let d = 3;", Some((1, 20))),
            Entry::new("lunch()", Some((1, 1))),
            Entry::new("//! A header.\nlet m = #{ a: 1 };\n", None),
        ];
        let wanted = "//! Saved from a session of `qhop repl`.

let a = 1;

fn f(x) {
    x + 1
}

f(a); // two

let b = 2;
// failed:
// let c = f(); let d = 3;

// failed:
// lunch()

// A header.
let m = #{ a: 1 };
";
        assert_eq!(recipe(&entries), wanted);
    }

    #[test]
    fn it_is_known_how_far_an_entry_went() {
        for (text, at, done) in [
            ("a(); b(); c()", (1, 6), "a();"),
            ("a(); b();\nc()", (2, 2), "a(); b();"),
            ("if x { a(); } b()", (1, 15), "if x { a(); }"),
            ("a()", (0, 0), ""),
        ] {
            assert_eq!(&text[..Entry::new(text, Some(at)).done], done, "{text}");
        }
    }
}
