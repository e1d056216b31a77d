//! One attempt to reach a monitor: where, for how long, and what is said when it fails.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::address::Address;
use super::socket::Socket;
use crate::error::{Error, Result};
use crate::units::Seconds;

/// What every step of a connection that comes about has to know.
pub(super) struct Attempt<'a> {
    pub(super) vm: &'a str,
    pub(super) address: &'a Address,
    pub(super) patience: Duration,
    deadline: Instant,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(vm: &'a str, address: &'a Address, patience: Duration) -> Self {
        Self { vm, address, patience, deadline: Instant::now() + patience }
    }

    pub(super) async fn socket(&self) -> Result<Socket> {
        match self.in_time(Socket::connect(self.address)).await {
            Some(Ok(socket)) => Ok(socket),
            Some(Err(error)) => Err(self.failed(cause_of(&error))),
            None => Err(self.failed(format!("no answer within {}", Seconds(self.patience)))),
        }
    }

    /// The value of a future, unless it comes too late.
    pub(super) async fn in_time<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.deadline, future).await.ok()
    }

    pub(super) fn failed(&self, cause: String) -> Error {
        Error::Connect { vm: self.vm.to_owned(), address: self.address.to_string(), cause }
    }

    pub(super) fn closed(&self) -> Error {
        self.failed("it closed the connection instead of a greeting".into())
    }

    /// It sent this, and then nothing for too long.
    pub(super) fn silent(&self, rest: &str) -> Error {
        let patience = Seconds(self.patience);
        self.failed(if rest.is_empty() {
            // QEMU serves one client at a time; the kernel accepts the others for it.
            format!("it is silent for {patience}: does another client hold it?")
        } else {
            format!("it sent `{rest}` and no more for {patience}")
        })
    }
}

/// The system's words without the number that Rust adds.
pub(super) fn cause_of(error: &io::Error) -> String {
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
