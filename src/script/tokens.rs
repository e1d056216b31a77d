//! The words of a text that is still being typed: what is a string, a comment, a name, a bracket.
//!
//! Pure. It takes any text, whole or not; what does not parse has words all the same.

use std::ops::Range;

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name or a keyword.
    Name,
    /// A number.
    Number,
    /// A string, or a piece of one between `${…}`, with its quotes; `open` if its end is missing.
    Text {
        /// Whether its end is missing.
        open: bool,
    },
    /// A comment; `open` if its end is missing.
    Comment {
        /// Whether its end is missing.
        open: bool,
    },
    /// A bracket that opens: `(`, `[`, `{`, `#{`, `${`.
    Open,
    /// A bracket that closes.
    Close,
    /// Anything else: one sign, or `::`.
    Sign,
}

/// A word, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its bytes.
    pub range: Range<usize>,
}

/// The words of a text, without the space between them.
#[must_use]
pub fn tokens(text: &str) -> Vec<Token> {
    let mut scanner = Scanner { text, at: 0, brackets: Vec::new(), found: Vec::new() };
    while scanner.step() {}
    scanner.found
}

/// Whether the text ends inside a comment that has to be closed.
#[must_use]
pub fn ends_in_comment(text: &str) -> bool {
    tokens(text).last().is_some_and(|last| {
        last.kind == (Kind::Comment { open: true }) && text[last.range.clone()].starts_with("/*")
    })
}

/// Where a statement at the top of the text ends: after a `;`, or after the `}` of a block that is followed by a word.
#[must_use]
pub fn boundaries(text: &str) -> Vec<usize> {
    let tokens: Vec<Token> =
        tokens(text).into_iter().filter(|it| !matches!(it.kind, Kind::Comment { .. })).collect();
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let word = &text[token.range.clone()];
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        let next = tokens.get(index + 1);
        let begins = next.is_some_and(|next| {
            matches!(next.kind, Kind::Name)
                && !["else", "while", "until", "in", "as", "catch"].contains(&&text[next.range.clone()])
        });
        if depth == 0 && (word == ";" || (word == "}" && token.kind == Kind::Close && begins)) {
            found.push(token.range.end);
        }
    }
    found
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// The brackets that are open.
    brackets: Vec<&'a str>,
    found: Vec<Token>,
}

impl Scanner<'_> {
    fn step(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return false };
        let (kind, length) = match first {
            _ if first.is_whitespace() => {
                self.at += first.len_utf8();
                return true;
            }
            '/' if rest.starts_with("//") => {
                let end = rest.find('\n');
                (Kind::Comment { open: end.is_none() }, end.unwrap_or(rest.len()))
            }
            '/' if rest.starts_with("/*") => {
                let end = comment_end(rest);
                (Kind::Comment { open: end.is_none() }, end.unwrap_or(rest.len()))
            }
            '"' | '\'' => {
                let end = quoted_end(rest, first);
                (Kind::Text { open: end.is_none() }, end.unwrap_or(rest.len()))
            }
            '`' => self.template(1),
            'a'..='z' | 'A'..='Z' | '_' => {
                (Kind::Name, rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()))
            }
            '0'..='9' => (Kind::Number, number_end(rest)),
            '(' | '[' | '{' => self.opened(first.len_utf8()),
            '#' if rest.starts_with("#{") => self.opened(2),
            ')' | ']' | '}' => {
                let opener = self.brackets.pop();
                self.push(Kind::Close, 1);
                if opener == Some("${") {
                    let (kind, length) = self.template(0);
                    self.push(kind, length);
                }
                return true;
            }
            ':' if rest.starts_with("::") => (Kind::Sign, 2),
            _ => (Kind::Sign, first.len_utf8()),
        };
        self.push(kind, length);
        true
    }

    fn push(&mut self, kind: Kind, length: usize) {
        if length > 0 {
            self.found.push(Token { kind, range: self.at..self.at + length });
            self.at += length;
        }
        if self.text[self.at..].starts_with("${") && matches!(kind, Kind::Text { .. }) {
            self.brackets.push("${");
            self.found.push(Token { kind: Kind::Open, range: self.at..self.at + 2 });
            self.at += 2;
        }
    }

    fn opened(&mut self, length: usize) -> (Kind, usize) {
        let bracket = &self.text[self.at..self.at + length];
        self.brackets.push(bracket);
        (Kind::Open, length)
    }

    /// A string in backticks, from `from` bytes after here, up to its end or its next `${`.
    fn template(&self, from: usize) -> (Kind, usize) {
        let rest = &self.text[self.at..];
        let mut at = from;
        while let Some(found) = rest[at..].find(['`', '$']) {
            at += found;
            if rest[at..].starts_with("``") {
                at += 2;
            } else if rest[at..].starts_with('`') {
                return (Kind::Text { open: false }, at + 1);
            } else if rest[at..].starts_with("${") {
                return (Kind::Text { open: false }, at);
            } else {
                at += 1;
            }
        }
        (Kind::Text { open: true }, rest.len())
    }
}

fn comment_end(rest: &str) -> Option<usize> {
    // Comments in Rhai can hold comments.
    let (mut at, mut depth) = (2, 1);
    while depth > 0 {
        let (close, open) = (rest[at..].find("*/")?, rest[at..].find("/*"));
        if let Some(open) = open.filter(|open| *open < close) {
            (at, depth) = (at + open + 2, depth + 1);
        } else {
            (at, depth) = (at + close + 2, depth - 1);
        }
    }
    Some(at)
}

fn quoted_end(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, char) in rest.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            // A string goes on on the next line only after a backslash.
            '\n' => return Some(at),
            _ if char == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// `30.s` is a number and a property, `2.5` a number.
fn number_end(rest: &str) -> usize {
    let digits =
        |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let whole = digits(rest);
    match rest[whole..].strip_prefix('.') {
        Some(fraction) if fraction.starts_with(|c: char| c.is_ascii_digit()) => whole + 1 + digits(fraction),
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        tokens(text).into_iter().map(|it| &text[it.range]).collect()
    }

    #[test]
    fn text_has_words() {
        for (text, wanted) in [
            (
                "let vm = launch(#{ name: \"a b\" });",
                vec!["let", "vm", "=", "launch", "(", "#{", "name", ":", "\"a b\"", "}", ")", ";"],
            ),
            ("x::f(30.s, 2.5)", vec!["x", "::", "f", "(", "30", ".", "s", ",", "2.5", ")"]),
            ("`a ${vm.name} b`", vec!["`a ", "${", "vm", ".", "name", "}", " b`"]),
            ("`${a}${#{b: 1}}`", vec!["`", "${", "a", "}", "${", "#{", "b", ":", "1", "}", "}", "`"]),
            ("a // b", vec!["a", "// b"]),
            ("a /* b /* c */ d */ e", vec!["a", "/* b /* c */ d */", "e"]),
            ("\"a\\\"b\" 'c'", vec!["\"a\\\"b\"", "'c'"]),
            ("vm.qmp(\"que", vec!["vm", ".", "qmp", "(", "\"que"]),
        ] {
            assert_eq!(words(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_open_is_known() {
        assert_eq!(tokens("\"a").last().unwrap().kind, Kind::Text { open: true });
        assert_eq!(tokens("`a ${b} c").last().unwrap().kind, Kind::Text { open: true });
        assert_eq!(tokens("\"a\"").last().unwrap().kind, Kind::Text { open: false });
        assert!(ends_in_comment("1 /* a") && !ends_in_comment("1 /* a */") && !ends_in_comment("1 // a"));
    }

    #[test]
    fn statements_end() {
        let text = "let a = 1; if a > 0 { f(); } else { g(); } let b = #{ c: 1 };\nb";
        let ends: Vec<&str> =
            boundaries(text).into_iter().map(|at| text[..at].rsplit(' ').next().unwrap()).collect();
        assert_eq!(ends, ["1;", "}", "};"]);
    }

    #[test]
    fn any_text_has_words() {
        for text in ["}}})", "`${", "${", "é\"ü", "#", "`a``b", "/*", "'", "1.", "\u{0}"] {
            let tokens = tokens(text);
            assert!(tokens.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start), "{text}");
        }
    }
}
