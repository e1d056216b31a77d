//! A QEMU's machine monitor: commands, answers, events, over a socket.
//!
//! [`Monitor`] (QMP) and [`Human`] (the human monitor) hide the socket and the protocol; [`probe`] finds out
//! which it is. They know no command but `qmp_capabilities`, and nothing of the QEMU process behind the socket.

pub mod address;
mod attempt;
mod connect;
pub mod events;
pub mod hmp;
pub mod human;
mod inbound;
mod link;
mod probe;
pub mod qmp;
mod socket;
pub mod telnet;
pub mod translation;

use std::fmt;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use serde_json::Value;

pub use address::Address;
pub use connect::PATIENCE;
pub use events::{EventLog, News};
pub use human::Human;
pub use probe::{Probed, probe, probe_within};

use crate::error::{Error, Result};
use attempt::cause_of;
use link::{End, Link};
use qmp::Greeting;

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
                "`vm.qmp(…)` runs it in its turn",
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

    /// Wait until every event that QEMU has sent by now can be seen.
    pub async fn catch_up(&self) {
        self.inner.link.catch_up().await;
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

    /// The process that listens there, if it is a unix socket of this host.
    #[must_use]
    pub fn listener(&self) -> Option<i32> {
        self.inner.link.socket.listener()
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
                hint: String::new(),
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
    Error::Protocol { vm: vm.to_owned(), protocol: "QMP", cause }
}

#[cfg(test)]
mod tests;
