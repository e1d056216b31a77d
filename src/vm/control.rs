//! How a `Vm` is controlled: by a machine monitor, or, where there is none, by a human one that is spoken to in
//! translation. Callers need not know which.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::monitor::translation::Translation;
use crate::monitor::{Address, EventLog, Human, Monitor, Probed, hmp, probe};
use crate::record::Exchange;

/// Is told of every exchange after it, and of every event as it comes.
pub type Witness = Box<dyn Fn(Exchange) + Send + Sync>;

/// A connection to a QEMU.
pub struct Control {
    to: Line,
    witness: OnceLock<Arc<Witness>>,
}

#[derive(Debug)]
enum Line {
    /// A machine monitor (QMP).
    Machine(Monitor),
    /// A human monitor. It tells of no events: the log is one that stays empty.
    Human(Human, EventLog),
}

impl Control {
    /// Connect to the monitor at an address, whatever it speaks.
    pub async fn connect(vm: &str, address: &Address) -> Result<Self> {
        let to = match probe(vm, address).await? {
            Probed::Qmp(monitor) => Line::Machine(monitor),
            Probed::Human(human) => Line::Human(human, EventLog::default()),
        };
        Ok(Self { to, witness: OnceLock::new() })
    }

    /// Tell `witness` from now on, and of the events that came already; only the first call counts.
    pub fn report_to(&self, witness: Witness) {
        let witness = Arc::new(witness);
        if self.witness.set(Arc::clone(&witness)).is_ok() {
            self.events().report_to(Box::new(move |event| witness(Exchange::Event(event))));
        }
    }

    /// Run one QMP command, in translation if need be.
    pub async fn execute(&self, vm: &str, command: &str, arguments: Value) -> Result<Value> {
        let Some(witness) = self.witness.get() else { return self.to.execute(vm, command, arguments).await };
        let reply = self.to.execute(vm, command, arguments.clone()).await;
        witness(Exchange::Command(command, &arguments, &reply));
        reply
    }

    /// Send one line of the human monitor. A line that QEMU rejects is an error.
    pub async fn line(&self, vm: &str, line: &str) -> Result<String> {
        let printed = self.to.line(vm, line).await;
        if let Some(witness) = self.witness.get() {
            witness(Exchange::Line(line, &printed));
        }
        printed
    }

    /// The events since the connection.
    pub fn events(&self) -> &EventLog {
        match &self.to {
            Line::Machine(monitor) => monitor.events(),
            Line::Human(_, silence) => silence,
        }
    }

    /// Whether events are told at all.
    pub fn tells_events(&self) -> bool {
        matches!(self.to, Line::Machine(_))
    }

    /// The address it is connected to.
    pub fn address(&self) -> &Address {
        match &self.to {
            Line::Machine(monitor) => monitor.address(),
            Line::Human(human, _) => human.address(),
        }
    }

    /// QEMU's version, such as `10.0.2`.
    pub fn version(&self) -> &str {
        match &self.to {
            Line::Machine(monitor) => monitor.version(),
            Line::Human(human, _) => human.version(),
        }
    }

    /// Whether the connection is lost.
    pub fn is_closed(&self) -> bool {
        match &self.to {
            Line::Machine(monitor) => monitor.is_closed(),
            Line::Human(human, _) => human.is_closed(),
        }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to.fmt(f)
    }
}

impl Line {
    async fn execute(&self, vm: &str, command: &str, arguments: Value) -> Result<Value> {
        match self {
            Self::Machine(monitor) => monitor.execute(command, arguments).await,
            Self::Human(human, _) => {
                let refused = |cause| Error::Argument {
                    function: command.to_owned(),
                    cause,
                    hint: "`vm.hmp(…)` sends a line as it is".to_owned(),
                };
                let translation = Translation::new(command, &arguments).map_err(refused)?;
                let mut printed = Vec::new();
                for line in &translation.lines {
                    printed.push(human.line(line).await?);
                }
                translation.reply(&printed).map_err(|cause| Error::Protocol {
                    vm: vm.to_owned(),
                    protocol: "HMP",
                    cause,
                })
            }
        }
    }

    async fn line(&self, vm: &str, line: &str) -> Result<String> {
        let monitor = match self {
            Self::Human(human, _) => return human.line(line).await,
            Self::Machine(monitor) => monitor,
        };
        let reply = monitor.execute("human-monitor-command", json!({ "command-line": line })).await?;
        let reply = reply.as_str().unwrap_or_default().replace("\r\n", "\n");
        match hmp::rejection(line, &reply) {
            Some(description) => Err(Error::Hmp { vm: vm.to_owned(), line: line.to_owned(), description }),
            None => Ok(reply),
        }
    }
}
