//! A QEMU's machine monitor: commands, answers, events, over a socket.
//!
//! [`Monitor`] hides the socket and the protocol. It knows no command but
//! `qmp_capabilities`, and nothing of the QEMU process behind the socket.

pub mod address;
pub mod events;
pub mod hmp;
mod link;
pub mod qmp;
mod socket;
pub mod telnet;

use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

pub use address::Address;
pub use events::{EventLog, News};

use crate::error::{Error, Result};
use crate::units::Seconds;
use link::{End, Inbound, Link};
use qmp::{Greeting, Message};
use socket::Socket;

/// How long [`Monitor::connect`] waits for QEMU. QEMU greets within a millisecond unless its main loop is busy.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to a QEMU's QMP monitor.
///
/// Cheap to clone; commands may be under way from many tasks. It keeps reading
/// in the background, so events are never missed and QEMU never has to wait for
/// its reader. The connection ends when the last clone is dropped.
///
/// Dropping the future of a command gives up its answer and nothing else: the
/// command was sent whole (or not at all, if it was still waiting for its turn).
#[derive(Clone)]
pub struct Monitor {
    inner: Arc<Inner>,
}

struct Inner {
    vm: String,
    address: Address,
    greeting: Greeting,
    link: Arc<Link>,
}

impl Monitor {
    /// Connect to the QMP monitor of `vm` and make it ready for commands, out-of-band ones too where it offers them.
    ///
    /// # Errors
    /// `Connect` if nobody answers within [`PATIENCE`], `Protocol` if it is no
    /// QMP monitor that answers (a human monitor: the cause has its banner).
    pub async fn connect(vm: &str, address: &Address) -> Result<Self> {
        Self::connect_within(vm, address, PATIENCE).await
    }

    /// [`connect`](Self::connect) with another limit than [`PATIENCE`].
    ///
    /// # Errors
    /// As `connect`.
    pub async fn connect_within(vm: &str, address: &Address, patience: Duration) -> Result<Self> {
        let deadline = Instant::now() + patience;
        let failed =
            |cause: String| Error::Connect { vm: vm.to_owned(), address: address.to_string(), cause };
        let socket = match timeout_at(deadline, Socket::connect(address)).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) => return Err(failed(cause_of(&error))),
            Err(_) => return Err(failed(format!("no answer within {}", Seconds(patience)))),
        };
        let link = Link::new(vm, socket);
        let mut inbound = Inbound::new(&link, address);
        let greeting = match timeout_at(deadline, inbound.message()).await {
            Ok(Ok(Message::Greeting(greeting))) => greeting,
            Ok(Ok(_)) => return Err(protocol(vm, "it did not greet first".into())),
            Ok(Err(End::Protocol(cause))) => return Err(protocol(vm, cause)),
            Ok(Err(End::Closed)) => {
                return Err(failed("it closed the connection instead of a greeting".into()));
            }
            // QEMU serves one client at a time; the kernel accepts the others for it.
            Err(_) => {
                return Err(failed(match inbound.decoder.rest() {
                    rest if rest.is_empty() => {
                        format!("it is silent for {}: does another client hold it?", Seconds(patience))
                    }
                    rest => format!("it sent `{rest}` and no more for {}", Seconds(patience)),
                }));
            }
        };
        tokio::spawn(inbound.serve());
        let monitor =
            Self { inner: Arc::new(Inner { vm: vm.to_owned(), address: address.clone(), greeting, link }) };
        let enable = if monitor.offers_oob() { json!({ "enable": ["oob"] }) } else { Value::Null };
        match timeout_at(deadline, monitor.execute("qmp_capabilities", enable)).await {
            Ok(answer) => answer.map(|_| monitor),
            Err(_) => Err(failed(format!("it greets, and answers nothing for {}", Seconds(patience)))),
        }
    }

    /// Run a command and wait for its answer: what QEMU calls `return`.
    ///
    /// `arguments` is an object, or null for none. Commands take effect in the order in which they were called;
    /// seven of them wait in QEMU, the others here.
    ///
    /// # Errors
    /// `Qmp` if QEMU refuses, `Gone` or `Protocol` if the connection is lost, `Argument` if QEMU could not read it.
    pub async fn execute(&self, command: &str, arguments: Value) -> Result<Value> {
        self.exchange(command, &arguments, false, None).await
    }

    /// Run a command out of band: QEMU does it at once, whatever else it is doing. Few
    /// commands can be: `migrate-pause`, `migrate-recover`, `yank`, `query-yank`.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), and `Argument` if this monitor does not offer it.
    pub async fn execute_oob(&self, command: &str, arguments: Value) -> Result<Value> {
        if !self.offers_oob() {
            return Err(argument(
                command,
                format!("the monitor of vm `{}` offers no out-of-band execution", self.inner.vm),
                "",
            ));
        }
        self.exchange(command, &arguments, true, None).await
    }

    /// Run a command that takes a file descriptor along: `getfd`, `add-fd`. QEMU gets a duplicate.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), and `Argument` if the monitor is not on a unix socket or the
    /// descriptor cannot be duplicated.
    pub async fn execute_with_fd(
        &self,
        command: &str,
        arguments: Value,
        fd: BorrowedFd<'_>,
    ) -> Result<Value> {
        if !matches!(self.inner.address, Address::Unix(_)) {
            let cause = format!("`{}` cannot carry a file descriptor", self.inner.address);
            return Err(argument(command, cause, "only a monitor on a unix socket can"));
        }
        let fd = fd.try_clone_to_owned().map_err(|error| argument(command, cause_of(&error), ""))?;
        self.exchange(command, &arguments, false, Some(fd)).await
    }

    /// Wait for the next event of this name that nobody consumed yet, and consume it.
    ///
    /// # Errors
    /// `Gone` or `Protocol` once the connection is lost and no such event is left.
    pub async fn next_event(&self, name: &str) -> Result<Value> {
        let mut news = self.events().news();
        loop {
            // In this order: an event may come just before the end.
            let closed = self.is_closed();
            if let Some(event) = self.events().take(name) {
                return Ok(event);
            }
            if closed {
                return Err(self.lost(&format!("wait for {name}")));
            }
            news.changed().await;
        }
    }

    /// The events since the connection.
    #[must_use]
    pub fn events(&self) -> &EventLog {
        &self.inner.link.events
    }

    /// QEMU's version, such as `10.0.2`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.inner.greeting.version
    }

    /// The distribution's name for this build, such as `Debian 1:10.0.2+ds-2`; often empty.
    #[must_use]
    pub fn package(&self) -> &str {
        &self.inner.greeting.package
    }

    /// Whether commands can be run out of band.
    #[must_use]
    pub fn offers_oob(&self) -> bool {
        self.inner.greeting.capabilities.iter().any(|capability| capability == "oob")
    }

    /// The address it is connected to.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.inner.address
    }

    /// Whether the connection is lost. Events that came before can still be taken.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.link.closed.is_cancelled()
    }

    /// Wait until the connection is lost.
    pub async fn closed(&self) {
        self.inner.link.closed.cancelled().await;
    }

    async fn exchange(
        &self,
        command: &str,
        arguments: &Value,
        out_of_band: bool,
        fd: Option<OwnedFd>,
    ) -> Result<Value> {
        qmp::check_arguments(arguments).map_err(|cause| argument(command, cause, ""))?;
        let link = &self.inner.link;
        let answer = match link.turn(out_of_band, fd.is_some()).await {
            Some(turn) => link.send(command, arguments, out_of_band, fd, turn),
            None => None,
        };
        let Some(answer) = answer else { return Err(self.lost(command)) };
        match answer.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(refusal)) => Err(Error::Qmp {
                vm: self.inner.vm.clone(),
                command: command.to_owned(),
                class: refusal.class,
                description: refusal.description,
            }),
            Err(_) => Err(self.lost(command)),
        }
    }

    fn lost(&self, operation: &str) -> Error {
        match self.inner.link.end() {
            Some(End::Protocol(cause)) => protocol(&self.inner.vm, cause),
            Some(End::Closed) | None => Error::Gone {
                vm: self.inner.vm.clone(),
                operation: operation.to_owned(),
                ended: "closed its monitor".into(),
                stderr: String::new(),
            },
        }
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Monitor({} at {})", self.inner.vm, self.inner.address)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // QEMU serves the next client at once; the task that reads ends with the connection.
        self.link.hang_up();
    }
}

fn argument(command: &str, cause: String, hint: &str) -> Error {
    Error::Argument { function: command.to_owned(), cause, hint: hint.to_owned() }
}

fn protocol(vm: &str, cause: String) -> Error {
    Error::Protocol { vm: vm.to_owned(), cause }
}

/// The system's words without the number that Rust adds.
fn cause_of(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::WouldBlock {
        // A unix socket says so when too many clients wait already.
        return "too many clients wait for it: does another client hold it?".into();
    }
    let text = error.to_string();
    match text.rsplit_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests;
