//! How a connection to a monitor comes about, and the ways in which it does not.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::address::Address;
use super::inbound::Inbound;
use super::link::{End, Link};
use super::qmp::Message;
use super::socket::Socket;
use super::{Inner, Monitor, protocol};
use crate::error::{Error, Result};
use crate::units::Seconds;

/// How long [`Monitor::connect`] waits for QEMU. QEMU greets within a millisecond unless its main loop is busy.
pub const PATIENCE: Duration = Duration::from_secs(5);

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
