//! A script's text by what its words are to a reader, and a line in colours, as it is typed.
//!
//! Pure.

use super::tokens::{Kind, tokens};

const PLAIN: &str = "\x1b[0m";
const COMMAND: &str = "\x1b[1m";

const KEYWORDS: [&str; 24] = [
    "let", "const", "if", "else", "for", "in", "while", "loop", "do", "until", "return", "throw", "try",
    "catch", "fn", "private", "import", "export", "as", "switch", "break", "continue", "true", "false",
];

/// What a piece of a script is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A word of the language.
    Keyword,
    /// The name of what is called.
    Call,
    /// A string.
    Text,
    /// A number.
    Number,
    /// A comment.
    Comment,
    /// Anything else, and the space between.
    Other,
}

/// The pieces of a script, which together are all of it.
#[must_use]
pub fn parts(script: &str) -> Vec<(Part, &str)> {
    let (mut parts, mut at) = (Vec::new(), 0);
    for token in tokens(script) {
        let word = &script[token.range.clone()];
        let is_call = script[token.range.end..].starts_with('(');
        let part = match token.kind {
            Kind::Name if KEYWORDS.contains(&word) => Part::Keyword,
            Kind::Name if is_call => Part::Call,
            Kind::Text { .. } => Part::Text,
            Kind::Number => Part::Number,
            Kind::Comment { .. } => Part::Comment,
            _ => Part::Other,
        };
        parts.push((Part::Other, &script[at..token.range.start]));
        parts.push((part, word));
        at = token.range.end;
    }
    parts.push((Part::Other, &script[at..]));
    parts.retain(|(_, text)| !text.is_empty());
    parts
}

/// The text with colours; its width stays the same.
#[must_use]
pub fn highlight(text: &str) -> String {
    let body = text.trim_start();
    let (command, script) = if body.starts_with(':') {
        let end = text.len() - body.len() + body.find(' ').unwrap_or(body.len());
        text.split_at(end)
    } else {
        ("", text)
    };
    let mut shown = if command.is_empty() { String::new() } else { format!("{COMMAND}{command}{PLAIN}") };
    for (part, word) in parts(script) {
        let colour = match part {
            Part::Keyword => "\x1b[35m",
            Part::Text => "\x1b[32m",
            Part::Number => "\x1b[36m",
            Part::Comment => "\x1b[2m",
            Part::Call => "\x1b[34m",
            Part::Other => "",
        };
        shown.push_str(colour);
        shown.push_str(word);
        shown.push_str(if colour.is_empty() { "" } else { PLAIN });
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_colours() {
        assert_eq!(
            highlight("let a = f(1, \"x\"); // c"),
            "\x1b[35mlet\x1b[0m a = \x1b[34mf\x1b[0m(\x1b[36m1\x1b[0m, \x1b[32m\"x\"\x1b[0m); \x1b[2m// c\x1b[0m"
        );
        assert_eq!(highlight(":time 1"), "\x1b[1m:time\x1b[0m \x1b[36m1\x1b[0m");
        assert_eq!(highlight("a  b\n c "), "a  b\n c ");
    }
}
