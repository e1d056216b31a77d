//! Where in a script the cursor is: what could come next there.
//!
//! Pure: it reads words, and knows no names but those in the text.

use crate::qemu::offer::Step;
use crate::script::tokens::{Kind, Token, tokens};

/// What a completion at the cursor would complete. `start` is where its word starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Context {
    /// A name: a variable, a function, a keyword; in a call, its argument.
    Name { start: usize, call: Option<Call> },
    /// A property or a method of a value.
    Member { start: usize, of: Vec<Part> },
    /// A function of a module.
    Module { start: usize, name: String },
    /// The key of a map.
    Key { start: usize, call: Option<Call>, given: Vec<String> },
    /// The inside of a string; where that is a key of a map, the keys that are there already.
    Text { start: usize, call: Option<Call>, given: Option<Vec<String>> },
    /// Nothing: a comment, a number.
    Nothing,
}

/// A call whose arguments the cursor is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What it is called on, as a method; empty for a function.
    pub of: Vec<Part>,
    /// Its name.
    pub function: String,
    /// Which argument it is, from 0.
    pub argument: usize,
    /// The first argument, where that is a string.
    pub first: Option<String>,
    /// The way from the argument to the cursor.
    pub path: Vec<Step>,
}

/// A part of an expression such as `a.b[0].c()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A variable, or a property.
    Name(String),
    /// The result of a call.
    Call(String),
    /// An item.
    Item,
    /// A value that says itself what it is.
    Literal(&'static str),
}

/// Find out.
#[must_use]
pub fn context(text: &str) -> Context {
    let mut tokens = tokens(text);
    let end = text.len();
    match tokens.last() {
        Some(Token { kind: Kind::Comment { open: true }, .. }) => return Context::Nothing,
        Some(Token { kind: Kind::Text { open: true }, range }) => {
            let quoted = text[range.start..].starts_with(['"', '`', '\'']);
            let start = range.start + usize::from(quoted);
            tokens.pop();
            let tokens = without_comments(tokens);
            let (call, given) = Reader { text, tokens: &tokens }.call();
            return Context::Text { start, call, given };
        }
        _ => {}
    }
    let mut tokens = without_comments(tokens);
    let start = match tokens.last() {
        Some(Token { kind: Kind::Name, range }) if range.end == end => range.start,
        Some(Token { kind: Kind::Number, range }) if range.end == end => return Context::Nothing,
        _ => end,
    };
    if start < end {
        tokens.pop();
    }
    let reader = Reader { text, tokens: &tokens };
    match reader.word(tokens.len()) {
        "." => Context::Member { start, of: reader.parts(tokens.len() - 1) },
        "::" if tokens.len() > 1 => Context::Module { start, name: reader.word(tokens.len() - 1).to_owned() },
        _ => match reader.call() {
            (call, Some(given)) => Context::Key { start, call, given },
            (call, None) => Context::Name { start, call },
        },
    }
}

fn without_comments(mut tokens: Vec<Token>) -> Vec<Token> {
    tokens.retain(|token| !matches!(token.kind, Kind::Comment { .. }));
    tokens
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token],
}

impl<'a> Reader<'a> {
    /// The word before the token of that index.
    fn word(&self, end: usize) -> &'a str {
        end.checked_sub(1)
            .and_then(|at| self.tokens.get(at))
            .map_or("", |token| &self.text[token.range.clone()])
    }

    fn kind(&self, end: usize) -> Option<Kind> {
        end.checked_sub(1).and_then(|at| self.tokens.get(at)).map(|token| token.kind)
    }

    /// The index of the bracket that the closing one before `end` closes.
    fn opener(&self, end: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for at in (0..end).rev() {
            match self.tokens[at].kind {
                Kind::Close => depth += 1,
                Kind::Open => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(at);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// The expression that ends before the token `end`; empty if it is none that can be followed.
    fn parts(&self, mut end: usize) -> Vec<Part> {
        let mut parts = Vec::new();
        loop {
            let word = self.word(end);
            match self.kind(end) {
                Some(Kind::Name) => {
                    parts.push(Part::Name(word.to_owned()));
                    end -= 1;
                }
                Some(Kind::Number) => {
                    parts.push(Part::Literal(if word.contains('.') { "f64" } else { "i64" }));
                    end -= 1;
                }
                Some(Kind::Text { .. }) => {
                    parts.push(Part::Literal("string"));
                    end -= 1;
                }
                Some(Kind::Close) => {
                    let Some(open) = self.opener(end) else { return Vec::new() };
                    let opened = self.word(open + 1);
                    match (opened, self.kind(open)) {
                        ("(", Some(Kind::Name)) => {
                            parts.push(Part::Call(self.word(open).to_owned()));
                            end = open - 1;
                        }
                        ("[", Some(Kind::Name | Kind::Close)) => {
                            parts.push(Part::Item);
                            end = open;
                            // What is indexed follows without a dot.
                            continue;
                        }
                        ("[", _) => {
                            parts.push(Part::Literal("array"));
                            end = open;
                        }
                        ("#{", _) => {
                            parts.push(Part::Literal("map"));
                            end = open;
                        }
                        _ => return Vec::new(),
                    }
                }
                _ => return Vec::new(),
            }
            if self.word(end) != "." {
                parts.reverse();
                return parts;
            }
            end -= 1;
        }
    }

    /// The call that the end is in the arguments of; and, where a key is wanted, the keys that are there already.
    fn call(&self) -> (Option<Call>, Option<Vec<String>>) {
        let (mut path, mut given, mut end) = (Vec::new(), None, self.tokens.len());
        loop {
            let Some((open, commas, colon)) = self.enclosing(end) else { return (None, given) };
            match self.word(open + 1) {
                "#{" => match colon {
                    Some(colon) => path.push(Step::Key(self.key(colon))),
                    None if given.is_none() && path.is_empty() && end == self.tokens.len() => {
                        given = Some(self.keys(open, end));
                    }
                    None => return (None, given),
                },
                "[" if !matches!(self.kind(open), Some(Kind::Name | Kind::Close)) => path.push(Step::Item),
                "(" if self.kind(open) == Some(Kind::Name) => {
                    path.reverse();
                    let of = if self.word(open - 1) == "." { self.parts(open - 2) } else { Vec::new() };
                    let first = self.tokens.get(open + 1).filter(|it| it.kind == Kind::Text { open: false });
                    let first = first.filter(|_| self.word(open + 3) == ",");
                    let first =
                        first.map(|it| self.text[it.range.clone()].trim_matches(['"', '`']).to_owned());
                    let function = self.word(open).to_owned();
                    return (Some(Call { of, function, argument: commas, first, path }), given);
                }
                _ => return (None, given),
            }
            end = open;
        }
    }

    /// The innermost bracket that is open at `end`, how many commas follow it, and the `:` of the last key.
    fn enclosing(&self, end: usize) -> Option<(usize, usize, Option<usize>)> {
        let (mut depth, mut commas, mut colon) = (0_usize, 0, None);
        for at in (0..end).rev() {
            match (self.tokens[at].kind, self.word(at + 1)) {
                (Kind::Close, _) => depth += 1,
                (Kind::Open, _) if depth == 0 => return Some((at, commas, colon)),
                (Kind::Open, _) => depth -= 1,
                (_, ",") if depth == 0 => commas += 1,
                (_, ":") if depth == 0 && commas == 0 && colon.is_none() => colon = Some(at),
                _ => {}
            }
        }
        None
    }

    fn key(&self, colon: usize) -> String {
        self.word(colon).trim_matches('"').to_owned()
    }

    fn keys(&self, open: usize, end: usize) -> Vec<String> {
        let mut depth = 0_usize;
        let mut keys = Vec::new();
        for at in open + 1..end {
            match (self.tokens[at].kind, self.word(at + 1)) {
                (Kind::Open, _) => depth += 1,
                (Kind::Close, _) => depth = depth.saturating_sub(1),
                (_, ":") if depth == 0 => keys.push(self.key(at)),
                _ => {}
            }
        }
        keys
    }
}

#[cfg(test)]
mod tests;
