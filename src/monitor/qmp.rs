//! QMP: bytes to messages and back.
//!
//! Pure: [`Decoder`] cuts a stream into JSON texts, [`Message::parse`] says what
//! a text means, [`Request::encode`] writes one. Knows nothing of sockets, and
//! of no single command or event.

mod decoder;
mod integers;

use serde_json::{Map, Value};

pub use decoder::{Decoder, LONGEST_MESSAGE};
pub(super) use decoder::{EXCERPT, excerpt};

use integers::parse_exact;

/// How deep the arguments of a command may nest. QEMU's commands stay below 20, its parser stops at 1024.
pub const DEEPEST_ARGUMENTS: usize = 128;

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
    /// It is as short as can be: QEMU reads a monitor byte by byte, at 3 to 5 µs each
    /// (5.2 … 11.1), which is most of the time that a short command takes.
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

#[cfg(test)]
mod tests;
