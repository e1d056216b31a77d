//! The entries of a session as one text, so that a line's number tells which entry it is of.
//!
//! Pure. Rhai knows a function by the name of the entry that calls it and by its line in the entry that defines it;
//! line numbers that no two entries share say which that is.

use super::diagnostic::Failure;

/// What positions in entries are reported under before they are told apart.
pub const NAME: &str = "repl";
/// Rhai counts no further than 65535.
const MAX_LINES: usize = 60_000;

/// All entries so far.
#[derive(Debug, Default)]
pub struct Transcript {
    text: String,
    lines: usize,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    /// What its positions are reported under.
    shown: String,
    /// What Rhai is told that it is from.
    source: String,
    /// The line before its first.
    offset: usize,
    lines: usize,
}

impl Transcript {
    /// Add an entry, and return its text with as many empty lines before it as all entries before it have.
    pub fn add(&mut self, source: &str, shown: &str, text: &str) -> String {
        if self.lines > MAX_LINES {
            *self = Self::default();
        }
        let offset = self.lines;
        let lines = text.split('\n').count();
        self.parts.push(Part { shown: shown.to_owned(), source: source.to_owned(), offset, lines });
        self.text.push_str(text);
        self.text.push('\n');
        self.lines += lines;
        "\n".repeat(offset) + text
    }

    /// The text that the line numbers count in.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line of the last entry that a line of the whole is, if it is of that entry.
    #[must_use]
    pub fn line_of_last(&self, line: usize) -> Option<usize> {
        let part = self.parts.last()?;
        line.checked_sub(part.offset).filter(|line| (1..=part.lines).contains(line))
    }

    /// Report positions under the entries that they are in.
    pub fn relocate(&self, failure: &mut Failure) {
        let find = |file: &mut String, line: &mut usize| {
            let is_here = |part: &&Part| (part.offset + 1..=part.offset + part.lines).contains(line);
            let part = self.parts.iter().find(is_here);
            if let Some(part) = part.filter(|part| file == NAME || *file == part.source) {
                file.clone_from(&part.shown);
                *line -= part.offset;
            }
        };
        if let Some(place) = &mut failure.place {
            find(&mut place.file, &mut place.line);
        }
        for frame in failure.callers.iter_mut().chain(&mut failure.calls) {
            find(&mut frame.file, &mut frame.line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::diagnostic::{Frame, Place};
    use super::*;

    fn at(file: &str, line: usize) -> Failure {
        let place = Place { file: file.into(), line, column: 1, text_of_line: None };
        Failure { place: Some(place), ..Failure::default() }
    }

    #[test]
    fn a_line_tells_its_entry() {
        let mut transcript = Transcript::default();
        assert_eq!(transcript.add(NAME, "entry 1", "fn f() {\n  1\n}"), "fn f() {\n  1\n}");
        assert_eq!(transcript.add("x.rhai", "x.rhai", "let a = 1;\n"), "\n\n\nlet a = 1;\n");
        assert_eq!(transcript.add(NAME, "entry 3", "f()"), "\n\n\n\n\nf()");
        assert_eq!(transcript.text().lines().nth(5), Some("f()"));
        for (file, line, wanted) in [
            (NAME, 2, ("entry 1", 2)),
            (NAME, 4, ("x.rhai", 1)),
            ("x.rhai", 4, ("x.rhai", 1)),
            (NAME, 6, ("entry 3", 1)),
            ("other.rhai", 2, ("other.rhai", 2)),
            (NAME, 99, (NAME, 99)),
        ] {
            let mut failure = at(file, line);
            failure.callers.push(Frame { file: file.into(), line, ..Frame::default() });
            transcript.relocate(&mut failure);
            let place = failure.place.unwrap();
            assert_eq!((place.file.as_str(), place.line), wanted);
            assert_eq!(failure.callers[0].file, wanted.0);
        }
        assert_eq!((transcript.line_of_last(6), transcript.line_of_last(5)), (Some(1), None));
    }
}
