//! How a connection to a monitor comes about, and the ways in which it does not.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::address::Address;
use super::attempt::Attempt;
use super::inbound::Inbound;
use super::link::{End, Link};
use super::qmp::Message;
use super::socket::Socket;
use super::{Inner, Monitor, protocol};
use crate::error::Result;
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
        let attempt = Attempt::new(vm, address, patience);
        let socket = attempt.socket().await?;
        Self::meet(&attempt, socket, &[]).await
    }

    /// Take the greeting, of which `received` has come already, and make the monitor ready for commands.
    pub(super) async fn meet(attempt: &Attempt<'_>, socket: Socket, received: &[u8]) -> Result<Self> {
        let Attempt { vm, address, .. } = *attempt;
        let link = Link::new(vm, socket);
        let mut inbound = Inbound::new(&link, address);
        inbound.decoder.feed(received);
        let greeting = match attempt.in_time(inbound.message()).await {
            Some(Ok(Message::Greeting(greeting))) => greeting,
            Some(Ok(_)) => return Err(protocol(vm, "it did not greet first".into())),
            Some(Err(End::Protocol(cause))) => return Err(protocol(vm, cause)),
            Some(Err(End::Closed)) => return Err(attempt.closed()),
            None => return Err(attempt.silent(&inbound.decoder.rest())),
        };
        tokio::spawn(inbound.serve());
        let monitor =
            Self { inner: Arc::new(Inner { vm: vm.to_owned(), address: address.clone(), greeting, link }) };
        let enable = if monitor.offers_oob() { json!({ "enable": ["oob"] }) } else { Value::Null };
        match attempt.in_time(monitor.execute("qmp_capabilities", enable)).await {
            Some(answer) => answer.map(|_| monitor),
            None => {
                Err(attempt
                    .failed(format!("it greets, and answers nothing for {}", Seconds(attempt.patience))))
            }
        }
    }
}
