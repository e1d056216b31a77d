//! A line in colours, as it is typed.
//!
//! Pure.

use super::tokens::{Kind, tokens};

const PLAIN: &str = "\x1b[0m";
const KEYWORD: &str = "\x1b[35m";
const TEXT: &str = "\x1b[32m";
const NUMBER: &str = "\x1b[36m";
const COMMENT: &str = "\x1b[2m";
const CALL: &str = "\x1b[34m";
const COMMAND: &str = "\x1b[1m";

const KEYWORDS: [&str; 24] = [
    "let", "const", "if", "else", "for", "in", "while", "loop", "do", "until", "return", "throw", "try",
    "catch", "fn", "private", "import", "export", "as", "switch", "break", "continue", "true", "false",
];

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
    let mut at = 0;
    for token in tokens(script) {
        let word = &script[token.range.clone()];
        let is_call = script[token.range.end..].starts_with('(');
        let colour = match token.kind {
            Kind::Name if KEYWORDS.contains(&word) => KEYWORD,
            Kind::Name if is_call => CALL,
            Kind::Text { .. } => TEXT,
            Kind::Number => NUMBER,
            Kind::Comment { .. } => COMMENT,
            _ => "",
        };
        shown.push_str(&script[at..token.range.start]);
        if colour.is_empty() {
            shown.push_str(word);
        } else {
            shown.push_str(colour);
            shown.push_str(word);
            shown.push_str(PLAIN);
        }
        at = token.range.end;
    }
    shown + &script[at..]
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
