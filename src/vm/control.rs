//! How a `Vm` is controlled: by a machine monitor, or, where there is none, by a human one that is spoken to in
//! translation. Callers need not know which.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

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
    /// How long an answer may take, if there is a limit.
    patience: Mutex<Option<Duration>>,
}

#[derive(Debug)]
enum Line {
    /// A machine monitor (QMP).
    Machine(Monitor),
    /// A human monitor. It tells of no events: the log is one that stays empty.
    Human(Human, EventLog),
    /// None: the process has ended.
    Ended(EventLog),
}

impl Control {
    /// Connect to the monitor at an address, whatever it speaks.
    pub async fn connect(vm: &str, address: &Address) -> Result<Self> {
        let to = match probe(vm, address).await? {
            Probed::Qmp(monitor) => Line::Machine(monitor),
            Probed::Human(human) => Line::Human(human, EventLog::default()),
        };
        Ok(Self { to, witness: OnceLock::new(), patience: Mutex::default() })
    }

    /// To nobody: to a QEMU that is known to have ended.
    pub fn ended() -> Self {
        Self { to: Line::Ended(EventLog::default()), witness: OnceLock::new(), patience: Mutex::default() }
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
        let noted = self.noted(&arguments);
        let reply = self.in_time(vm, command, self.to.execute(vm, command, arguments)).await;
        self.report(command, noted.as_ref(), &reply);
        reply
    }

    /// Run one QMP command that only asks, without telling the witness.
    pub async fn peek(&self, vm: &str, command: &str) -> Result<Value> {
        self.to.execute(vm, command, json!({})).await
    }

    /// Run one QMP command out of band; over a human monitor there is nothing better than a line of its own.
    pub async fn execute_oob(&self, vm: &str, command: &str, arguments: Value) -> Result<Value> {
        let noted = self.noted(&arguments);
        let reply = self.in_time(vm, command, self.to.execute_oob(vm, command, arguments)).await;
        self.report(command, noted.as_ref(), &reply);
        reply
    }

    /// Run one QMP command that takes a descriptor along.
    pub async fn execute_with_fd(
        &self,
        vm: &str,
        command: &str,
        arguments: Value,
        fd: BorrowedFd<'_>,
    ) -> Result<Value> {
        let noted = self.noted(&arguments);
        let reply = self.to.execute_with_fd(vm, command, arguments, fd).await;
        self.report(command, noted.as_ref(), &reply);
        reply
    }

    /// Send one line of the human monitor. A line that QEMU rejects is an error.
    pub async fn line(&self, vm: &str, line: &str) -> Result<String> {
        let printed = self.in_time(vm, line, self.to.line(vm, line)).await;
        if let Some(witness) = self.witness.get() {
            witness(Exchange::Line(line, &printed));
        }
        printed
    }

    /// From now on, an answer that takes longer is an error; `None` waits for ever.
    pub fn set_patience(&self, patience: Option<Duration>) {
        *self.patience.lock().unwrap_or_else(PoisonError::into_inner) = patience;
    }

    async fn in_time<T>(&self, vm: &str, asked: &str, reply: impl Future<Output = Result<T>>) -> Result<T> {
        let limit = *self.patience.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(limit) = limit else { return reply.await };
        timeout(limit, reply).await.unwrap_or_else(|_| {
            Err(Error::Timeout {
                vm: Some(vm.to_owned()),
                operation: format!("asking vm `{vm}` for `{asked}`"),
                timeout: limit,
                last: "no answer".to_owned(),
                said: Vec::new(),
                outlook: String::new(),
            })
        })
    }

    /// The arguments, if anybody is going to ask for them.
    fn noted(&self, arguments: &Value) -> Option<Value> {
        self.witness.get().map(|_| arguments.clone())
    }

    fn report(&self, command: &str, arguments: Option<&Value>, reply: &Result<Value>) {
        if let (Some(witness), Some(arguments)) = (self.witness.get(), arguments) {
            witness(Exchange::Command(command, arguments, reply));
        }
    }

    /// The events since the connection.
    pub fn events(&self) -> &EventLog {
        match &self.to {
            Line::Machine(monitor) => monitor.events(),
            Line::Human(_, silence) | Line::Ended(silence) => silence,
        }
    }

    /// Whether events are told at all.
    pub fn tells_events(&self) -> bool {
        matches!(self.to, Line::Machine(_))
    }

    /// Wait until every event that was sent by now can be seen.
    pub async fn catch_up(&self) {
        if let Line::Machine(monitor) = &self.to {
            monitor.catch_up().await;
        }
    }

    /// The address it is connected to.
    pub fn address(&self) -> Option<&Address> {
        match &self.to {
            Line::Machine(monitor) => Some(monitor.address()),
            Line::Human(human, _) => Some(human.address()),
            Line::Ended(_) => None,
        }
    }

    /// The process at the other end, if it is a unix socket of this host.
    pub fn listener(&self) -> Option<i32> {
        match &self.to {
            Line::Machine(monitor) => monitor.listener(),
            Line::Human(human, _) => human.listener(),
            Line::Ended(_) => None,
        }
    }

    /// QEMU's version, such as `10.0.2`.
    pub fn version(&self) -> &str {
        match &self.to {
            Line::Machine(monitor) => monitor.version(),
            Line::Human(human, _) => human.version(),
            Line::Ended(_) => "",
        }
    }

    /// Whether the connection is lost.
    pub fn is_closed(&self) -> bool {
        match &self.to {
            Line::Machine(monitor) => monitor.is_closed(),
            Line::Human(human, _) => human.is_closed(),
            Line::Ended(_) => true,
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
            Self::Ended(_) => Err(gone(vm, command)),
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

    async fn execute_oob(&self, vm: &str, command: &str, arguments: Value) -> Result<Value> {
        match self {
            Self::Machine(monitor) => monitor.execute_oob(command, arguments).await,
            Self::Human(..) | Self::Ended(_) => self.execute(vm, command, arguments).await,
        }
    }

    async fn execute_with_fd(
        &self,
        vm: &str,
        command: &str,
        arguments: Value,
        fd: BorrowedFd<'_>,
    ) -> Result<Value> {
        match self {
            Self::Machine(monitor) => monitor.execute_with_fd(command, arguments, fd).await,
            Self::Ended(_) => Err(gone(vm, command)),
            Self::Human(..) => Err(Error::Argument {
                function: command.to_owned(),
                cause: format!(
                    "vm `{vm}` has only a human monitor, and qhop passes descriptors to a QMP one"
                ),
                hint: "start it with a QMP monitor: `-qmp unix:/path,server=on,wait=off`".to_owned(),
            }),
        }
    }

    async fn line(&self, vm: &str, line: &str) -> Result<String> {
        let monitor = match self {
            Self::Human(human, _) => return human.line(line).await,
            Self::Ended(_) => return Err(gone(vm, line)),
            Self::Machine(monitor) => monitor,
        };
        hmp::line::check_words(line).map_err(|cause| Error::Argument {
            function: line.split_whitespace().next().unwrap_or_default().to_owned(),
            cause,
            hint: "send the command by `vm.qmp(…)`".to_owned(),
        })?;
        let reply = monitor.execute("human-monitor-command", json!({ "command-line": line })).await?;
        let reply = reply.as_str().unwrap_or_default().replace("\r\n", "\n");
        match hmp::rejection(line, &reply) {
            Some(description) => {
                let (vm, line) = (vm.to_owned(), line.to_owned());
                Err(Error::Hmp { vm, line, description, hint: String::new() })
            }
            None => Ok(reply),
        }
    }
}

fn gone(vm: &str, operation: &str) -> Error {
    Error::Gone {
        vm: vm.to_owned(),
        operation: operation.to_owned(),
        ended: "has ended".to_owned(),
        stderr: String::new(),
    }
}
