//! The least that a QMP client can be: one blocking socket, one line of JSON at a time.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Result;

/// Longer than anything here takes: a benchmark that hangs must end.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection to a QMP monitor.
pub struct Monitor {
    input: BufReader<UnixStream>,
    line: String,
    events: VecDeque<Value>,
}

impl Monitor {
    /// Connect, and leave QMP's negotiation behind. It takes up QEMU's offer of out-of-band commands, as qhop and
    /// `qemu.qmp` do: QEMU then has less to do between two commands.
    pub fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut monitor =
            Self { input: BufReader::new(stream), line: String::new(), events: VecDeque::new() };
        monitor.message()?;
        monitor.execute("qmp_capabilities", json!({ "enable": ["oob"] }))?;
        Ok(monitor)
    }

    /// One command, and its answer.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let mut request = json!({ "execute": command });
        if arguments != json!({}) {
            request["arguments"] = arguments;
        }
        self.input.get_mut().write_all(format!("{request}\n").as_bytes())?;
        loop {
            let mut message = self.message()?;
            if message.get("event").is_some() {
                self.events.push_back(message);
            } else if let Some(value) = message.get_mut("return") {
                return Ok(value.take());
            } else {
                return Err(format!("{command}: {message}").into());
            }
        }
    }

    /// The next event that is wanted; those before it are dropped.
    pub fn event(&mut self, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        loop {
            let event = match self.events.pop_front() {
                Some(event) => event,
                None => self.message()?,
            };
            if wanted(&event) {
                return Ok(event);
            }
        }
    }

    /// Tell QEMU to end, and wait until it has closed its monitor.
    pub fn quit(mut self) -> Result<()> {
        self.execute("quit", json!({}))?;
        while self.message().is_ok() {}
        Ok(())
    }

    fn message(&mut self) -> Result<Value> {
        self.line.clear();
        self.input.read_line(&mut self.line)?;
        Ok(serde_json::from_str(&self.line)?)
    }
}
