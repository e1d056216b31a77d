//! QMP: bytes to messages and back.
//!
//! Pure: [`Decoder`] cuts a stream into JSON texts, [`Message::parse`] says what
//! a text means, [`Request::encode`] writes one. Knows nothing of sockets, and
//! of no single command or event.

use serde_json::{Map, Value};

/// The longest message that is read, in bytes. QEMU's own limit for what it reads is the same.
/// The longest that it sends is about 1 MiB (`query-qmp-schema`, `human-monitor-command`).
pub const LONGEST_MESSAGE: usize = 64 << 20;

/// How deep the arguments of a command may nest. QEMU's commands stay below 20, its parser stops at 1024.
pub const DEEPEST_ARGUMENTS: usize = 128;

/// How much of an offending text an error shows, in bytes.
const EXCERPT: usize = 64;

/// Cuts a stream of bytes into complete JSON objects, wherever its pieces begin and end.
///
/// A message ends with its closing brace, not with its line: QEMU spreads a
/// message over several lines where its monitor has `pretty=on`. Every byte is
/// looked at once, so that a long message in small pieces costs no more.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Where the current message starts; in front of it, all is consumed.
    start: usize,
    /// How far the current message was looked at.
    seen: usize,
    depth: usize,
    string: InString,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum InString {
    #[default]
    No,
    Yes,
    Escaped,
}

impl Decoder {
    /// Append what was received.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.seen -= self.start;
            self.start = 0;
        }
        // One long reply should not hold its memory for the rest of the session.
        if self.buffer.is_empty() && self.buffer.capacity() > 1 << 20 {
            self.buffer = Vec::new();
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete JSON object; none if more must be fed first.
    ///
    /// # Errors
    /// A clause about the peer that says what cannot be QMP, such as "it sent `SSH-2.0-OpenSSH`".
    /// There is no way to go on after it.
    pub fn next_text(&mut self) -> Result<Option<&str>, String> {
        while let Some(&byte) = self.buffer.get(self.seen) {
            if self.depth == 0 && byte != b'{' {
                if !byte.is_ascii_whitespace() {
                    return self.garbage();
                }
                self.seen += 1;
                self.start = self.seen;
                continue;
            }
            self.seen += 1;
            if self.seen - self.start > LONGEST_MESSAGE {
                return Err(format!("it sent a message of more than {} MiB", LONGEST_MESSAGE >> 20));
            }
            self.look_at(byte);
            if self.depth == 0 {
                let text = &self.buffer[self.start..self.seen];
                self.start = self.seen;
                return match std::str::from_utf8(text) {
                    Ok(text) => Ok(Some(text)),
                    Err(_) => Err(format!("it sent `{}`, which is no UTF-8", excerpt(text))),
                };
            }
        }
        Ok(None)
    }

    /// The start of what was received and is no complete message; empty if there is nothing.
    #[must_use]
    pub fn rest(&self) -> String {
        excerpt(&self.buffer[self.start..])
    }

    fn look_at(&mut self, byte: u8) {
        self.string = match (self.string, byte) {
            (InString::No, b'"') | (InString::Escaped, _) => InString::Yes,
            (InString::Yes, b'\\') => InString::Escaped,
            (InString::Yes, b'"') => InString::No,
            (InString::No, b'{' | b'[') => {
                self.depth += 1;
                InString::No
            }
            (InString::No, b'}' | b']') => {
                self.depth -= 1;
                InString::No
            }
            (string, _) => string,
        }
    }

    /// Waits for as much of the text as the error shows, so that the error does not depend on the pieces.
    fn garbage(&self) -> Result<Option<&str>, String> {
        let text = &self.buffer[self.start..];
        if text.len() <= EXCERPT && !text.contains(&b'\n') {
            return Ok(None);
        }
        Err(format!("it sent `{}`", excerpt(text)))
    }
}

/// What QEMU sends.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// The first message of a connection.
    Greeting(Greeting),
    /// The answer to a command.
    Reply {
        /// The `id` that the command had. An answer to something that QEMU could not read has none.
        id: Option<Value>,
        /// The value of `return`, or why there is none.
        result: Result<Value, Refusal>,
    },
    /// An event: the object as QEMU sent it.
    Event(Value),
}

/// Who answers, and what it offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// `10.0.2`.
    pub version: String,
    /// The distribution's name for it, such as `Debian 1:10.0.2+ds-2`; often empty.
    pub package: String,
    /// The protocol's optional parts. QEMU 3.0 and later have one, `oob`.
    pub capabilities: Vec<String>,
}

/// QEMU's answer to a command that it did not carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `GenericError`, `CommandNotFound`, `DeviceNotFound`, …
    pub class: String,
    /// QEMU's own words.
    pub description: String,
}

impl Message {
    /// Read one JSON object.
    ///
    /// An integer is exact: where it fits neither `i64` nor `u64`, it becomes
    /// the string of its digits (QEMU sends no such integers).
    ///
    /// # Errors
    /// A clause about the peer, as in [`Decoder::next_text`].
    pub fn parse(text: &str) -> Result<Self, String> {
        let sent = || format!("it sent `{}`", excerpt(text.as_bytes()));
        let value = parse_exact(text).map_err(|cause| format!("{}, which is no JSON ({cause})", sent()))?;
        let Value::Object(mut object) = value else { return Err(sent()) };
        if object.contains_key("event") {
            return Ok(Self::Event(Value::Object(object)));
        }
        let id = object.remove("id");
        if let Some(value) = object.remove("return") {
            return Ok(Self::Reply { id, result: Ok(value) });
        }
        if let Some(error) = object.get("error") {
            return Ok(Self::Reply { id, result: Err(Refusal::read(error)) });
        }
        match object.get("QMP") {
            Some(greeting) => Ok(Self::Greeting(Greeting::read(greeting))),
            None => Err(format!("{}, which is neither greeting, reply nor event", sent())),
        }
    }
}

impl Greeting {
    fn read(greeting: &Value) -> Self {
        let version = &greeting["version"]["qemu"];
        let part = |name: &str| version[name].as_u64().unwrap_or_default();
        Self {
            version: format!("{}.{}.{}", part("major"), part("minor"), part("micro")),
            package: greeting["version"]["package"].as_str().unwrap_or_default().trim().to_owned(),
            capabilities: greeting["capabilities"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|capability| capability.as_str().map(str::to_owned))
                .collect(),
        }
    }
}

impl Refusal {
    fn read(error: &Value) -> Self {
        Self {
            class: error["class"].as_str().unwrap_or("GenericError").to_owned(),
            description: error["desc"].as_str().map_or_else(|| error.to_string(), str::to_owned),
        }
    }
}

/// What QEMU is asked to do.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The command's name.
    pub command: &'a str,
    /// An object. `null` and the empty object are not sent.
    pub arguments: &'a Value,
    /// How its answer is told from others; needed only where several are awaited.
    pub id: Option<u64>,
    /// Whether it overtakes the commands before it (`exec-oob`).
    pub out_of_band: bool,
}

impl Request<'_> {
    /// One line, its line feed included.
    ///
    /// It is as short as can be: QEMU reads a monitor byte by byte, at 3 µs each
    /// (7.2 … 11.1), which is most of the time that a short command takes.
    #[must_use]
    pub fn encode(&self) -> String {
        let verb = if self.out_of_band { "exec-oob" } else { "execute" };
        let command = Value::from(self.command);
        let arguments = match self.arguments {
            arguments if is_empty(arguments) => String::new(),
            arguments => format!(",\"arguments\":{arguments}"),
        };
        let id = self.id.map_or_else(String::new, |id| format!(",\"id\":{id}"));
        format!("{{\"{verb}\":{command}{arguments}{id}}}\n")
    }
}

/// Whether QEMU's parser reads these arguments. A text that it gives up on it answers
/// more than once, so that every later answer would go astray.
///
/// # Errors
/// A sentence: they nest deeper than [`DEEPEST_ARGUMENTS`].
pub fn check_arguments(arguments: &Value) -> Result<(), String> {
    if nests_deeper(arguments, DEEPEST_ARGUMENTS) {
        return Err(format!("the arguments nest deeper than {DEEPEST_ARGUMENTS} levels"));
    }
    Ok(())
}

fn is_empty(arguments: &Value) -> bool {
    arguments.is_null() || arguments.as_object().is_some_and(Map::is_empty)
}

fn nests_deeper(value: &Value, levels: usize) -> bool {
    let deeper = |inner: &Value| levels == 0 || nests_deeper(inner, levels - 1);
    match value {
        Value::Array(values) => values.iter().any(deeper),
        Value::Object(members) => members.values().any(deeper),
        _ => false,
    }
}

/// JSON whose integers are exact, see [`Message::parse`].
fn parse_exact(text: &str) -> serde_json::Result<Value> {
    match serde_json::from_str(text) {
        Ok(value) if !may_be_rounded(&value) => Ok(value),
        // Either a number is too large, or the text is wrong in another way, which the second reading tells.
        _ => serde_json::from_str(&quote_long_integers(text)),
    }
}

/// An integer that fits neither `i64` nor `u64` was read as a float of at least this size.
fn may_be_rounded(value: &Value) -> bool {
    const TWO_TO_THE_63: f64 = 9_223_372_036_854_775_808.0;
    match value {
        Value::Number(number) => number.is_f64() && number.as_f64().is_some_and(|n| n.abs() >= TWO_TO_THE_63),
        Value::Array(values) => values.iter().any(may_be_rounded),
        Value::Object(members) => members.values().any(may_be_rounded),
        _ => false,
    }
}

fn quote_long_integers(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            '-' | '0'..='9' => rest
                .find(|c: char| !matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9'))
                .unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        if is_long_integer(token) {
            quoted.extend(["\"", token, "\""]);
        } else {
            quoted.push_str(token);
        }
        rest = after;
    }
    quoted
}

/// The length of the JSON string that `text` starts with, quotes included.
fn string_length(text: &str) -> usize {
    let mut string = InString::No;
    for (at, byte) in text.bytes().enumerate() {
        string = match (string, byte) {
            (InString::Yes, b'"') => return at + 1,
            (InString::Yes, b'\\') => InString::Escaped,
            _ => InString::Yes,
        };
    }
    text.len()
}

fn is_long_integer(token: &str) -> bool {
    let digits = token.strip_prefix('-').unwrap_or(token);
    matches!(digits.as_bytes(), [b'1'..=b'9', more @ ..] if more.iter().all(u8::is_ascii_digit))
        && token.parse::<i64>().is_err()
        && token.parse::<u64>().is_err()
}

/// The first line of `bytes`, shortened and without control characters.
fn excerpt(bytes: &[u8]) -> String {
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let shown = line.get(..EXCERPT).unwrap_or(line);
    let mut text: String = String::from_utf8_lossy(shown.trim_ascii_end())
        .chars()
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if line.len() > EXCERPT {
        text.push('…');
    }
    text
}

#[cfg(test)]
#[path = "qmp_tests.rs"]
mod tests;
