//! Whether what was typed is a whole entry, or goes on on the next line.
//!
//! Pure: it only parses.

use std::sync::OnceLock;

use rhai::{Engine, LexError, ParseErrorType, Position};

/// Whether the text can be evaluated as it is, or never will: only what could still become right is incomplete.
#[must_use]
pub fn is_complete(text: &str) -> bool {
    static PARSER: OnceLock<Engine> = OnceLock::new();
    let parser = PARSER.get_or_init(|| {
        let mut parser = Engine::new_raw();
        parser.set_max_expr_depths(128, 128);
        parser
    });
    let Err(error) = parser.compile(text) else { return true };
    match &*error.0 {
        ParseErrorType::UnexpectedEOF | ParseErrorType::BadInput(LexError::UnterminatedString) => false,
        ParseErrorType::BadInput(_) => true,
        // Rhai misses something: if where the text ends, then it may come yet.
        _ => !is_at_end(text, error.1),
    }
}

fn is_at_end(text: &str, at: Position) -> bool {
    let text = text.trim_end();
    let line = text.split('\n').count();
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count();
    at.line().is_none_or(|it| it > line || (it == line && at.position().unwrap_or_default() > column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_knows_when_it_is_complete() {
        for text in [
            "1 + 1",
            "let a = 1;",
            "fn f(x) { x }",
            "#{ a: 1 }",
            "launch(#{\n  name: \"a\",\n})",
            "`a\nb`",
            "let x = ]",
            "1 )",
            "a ? b",
            "unknown.thing(1)",
            "",
            "// only a comment",
        ] {
            assert!(is_complete(text), "{text}");
        }
    }

    #[test]
    fn what_can_go_on_is_not() {
        for text in [
            "fn f(x) {",
            "launch(#{",
            "launch(#{ name: \"a\",",
            "let a = [1, 2",
            "1 +",
            "let a =",
            "vm.",
            "`two\nlines",
            "`a ${",
            "if true {\n  1",
            "for vm in [a, b]",
            "|x|",
        ] {
            assert!(!is_complete(text), "{text}");
        }
    }
}
