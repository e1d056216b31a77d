//! What was said on a monitor, as a line of the log.
//!
//! Pure. Long replies are cut, and secrets left out.

use serde_json::Value;

use crate::error::{Error, Result};

/// The longest arguments or reply that is kept whole, in bytes of JSON; of a longer one, it is the start.
const LONGEST_VALUE: usize = 1024;
/// Commands whose arguments are secrets.
const SECRET: [&str; 4] = ["set_password", "object-add", "change-vnc-password", "block_passwd"];

/// What was asked of a monitor, and what came of it.
#[derive(Debug, Clone, Copy)]
pub enum Exchange<'a> {
    /// A command, its arguments, its reply.
    Command(&'a str, &'a Value, &'a Result<Value>),
    /// A line of the human monitor and what it printed.
    Line(&'a str, &'a Result<String>),
    /// What QEMU reported by itself.
    Event(&'a Value),
}

impl Exchange<'_> {
    /// The line of the log.
    #[must_use]
    pub fn line(self, vm: &str) -> String {
        let vm = Value::from(vm);
        let outcome = |word: &str, reply: Result<String, &Error>| match reply {
            Ok(reply) => format!("\"{word}\":{reply}"),
            Err(error) => format!("\"error\":{}", Value::from(error.to_string())),
        };
        let noted = match self {
            Self::Command(command, arguments, reply) => {
                let arguments = if SECRET.contains(&command) { "\"…\"".to_owned() } else { cut(arguments) };
                let reply = outcome("reply", reply.as_ref().map(cut));
                format!("\"command\":{},\"arguments\":{arguments},{reply}", Value::from(command))
            }
            Self::Line(line, printed) => {
                let printed = outcome("printed", printed.as_ref().map(|text| cut(&text.as_str())));
                format!("\"line\":{},{printed}", Value::from(line))
            }
            Self::Event(event) => format!("\"event\":{}", cut(event)),
        };
        format!("{{\"at\":{},\"vm\":{vm},{noted}}}\n", super::milliseconds())
    }
}

/// The JSON of a value; if that is long, the start of it as a string.
fn cut(value: &impl serde::Serialize) -> String {
    let mut text = Bounded(Vec::new());
    match serde_json::to_writer(&mut text, value) {
        Ok(()) => String::from_utf8_lossy(&text.0).into_owned(),
        Err(_) => Value::from(format!("{}…", String::from_utf8_lossy(&text.0))).to_string(),
    }
}

/// Takes so many bytes and no more: a long reply is not written out to be cut off.
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = LONGEST_VALUE - self.0.len();
        if room == 0 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        let taken = room.min(bytes.len());
        self.0.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_exchange_is_one_line_of_json() {
        let read = |exchange: Exchange| -> Value {
            let line = exchange.line("a\"b");
            assert_eq!(line.matches('\n').count(), 1);
            serde_json::from_str(&line).unwrap()
        };
        let reply = read(Exchange::Command("query-status", &json!({}), &Ok(json!({ "status": "running" }))));
        assert_eq!((&reply["vm"], &reply["reply"]["status"]), (&json!("a\"b"), &json!("running")));
        let refused = Error::Qmp {
            vm: "a".into(),
            command: "fly".into(),
            class: "CommandNotFound".into(),
            description: "no\n\"fly\"".into(),
            hint: String::new(),
        };
        assert_eq!(read(Exchange::Command("fly", &json!({}), &Err(refused)))["error"], "`fly`: no\n\"fly\"");
        assert_eq!(read(Exchange::Line("info \"x\"", &Ok("a\nb".into())))["printed"], "a\nb");
        assert_eq!(read(Exchange::Event(&json!({ "event": "STOP" })))["event"]["event"], "STOP");
    }

    #[test]
    fn what_is_long_is_cut_and_what_is_secret_left_out() {
        let long = "ä".repeat(10_000);
        let line = Exchange::Command("x", &json!({ "a": long }), &Ok(json!([long]))).line("vm");
        assert!(line.len() < 4 * LONGEST_VALUE, "{} bytes", line.len());
        serde_json::from_str::<Value>(&line).unwrap();
        let line =
            Exchange::Command("set_password", &json!({ "password": "abc" }), &Ok(json!({}))).line("vm");
        assert!(!line.contains("abc"), "{line}");
    }
}
