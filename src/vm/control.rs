//! How a `Vm` is controlled: by a machine monitor, or, where there is none, by a human one that is spoken to in
//! translation. Callers need not know which.

use std::os::fd::BorrowedFd;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::monitor::translation::Translation;
use crate::monitor::{Address, EventLog, Human, Monitor, Probed, hmp, probe};

/// A connection to a QEMU.
#[derive(Debug)]
pub enum Control {
    /// A machine monitor (QMP).
    Machine(Monitor),
    /// A human monitor. It tells of no events: the log is one that stays empty.
    Human(Human, EventLog),
}

impl Control {
    /// Connect to the monitor at an address, whatever it speaks.
    pub async fn connect(vm: &str, address: &Address) -> Result<Self> {
        Ok(match probe(vm, address).await? {
            Probed::Qmp(monitor) => Self::Machine(monitor),
            Probed::Human(human) => Self::Human(human, EventLog::default()),
        })
    }

    /// Run one QMP command, in translation if need be.
    pub async fn execute(&self, vm: &str, command: &str, arguments: Value) -> Result<Value> {
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

    /// Run one QMP command out of band; over a human monitor there is nothing better than a line of its own.
    pub async fn execute_oob(&self, vm: &str, command: &str, arguments: Value) -> Result<Value> {
        match self {
            Self::Machine(monitor) => monitor.execute_oob(command, arguments).await,
            Self::Human(..) => self.execute(vm, command, arguments).await,
        }
    }

    /// Run one QMP command that takes a descriptor along.
    pub async fn execute_with_fd(
        &self,
        vm: &str,
        command: &str,
        arguments: Value,
        fd: BorrowedFd<'_>,
    ) -> Result<Value> {
        match self {
            Self::Machine(monitor) => monitor.execute_with_fd(command, arguments, fd).await,
            Self::Human(..) => Err(Error::Argument {
                function: command.to_owned(),
                cause: format!(
                    "vm `{vm}` has only a human monitor, and qhop passes descriptors to a QMP one"
                ),
                hint: "start it with a QMP monitor: `-qmp unix:/path,server=on,wait=off`".to_owned(),
            }),
        }
    }

    /// Send one line of the human monitor. A line that QEMU rejects is an error.
    pub async fn line(&self, vm: &str, line: &str) -> Result<String> {
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

    /// The events since the connection.
    pub fn events(&self) -> &EventLog {
        match self {
            Self::Machine(monitor) => monitor.events(),
            Self::Human(_, silence) => silence,
        }
    }

    /// Whether events are told at all.
    pub fn tells_events(&self) -> bool {
        matches!(self, Self::Machine(_))
    }

    /// QEMU's version, such as `10.0.2`.
    pub fn version(&self) -> &str {
        match self {
            Self::Machine(monitor) => monitor.version(),
            Self::Human(human, _) => human.version(),
        }
    }

    /// Whether the connection is lost.
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Machine(monitor) => monitor.is_closed(),
            Self::Human(human, _) => human.is_closed(),
        }
    }
}
