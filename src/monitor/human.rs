//! A QEMU's human monitor: a line in, its text out, over a socket.
//!
//! [`Human`] is the one type that touches the socket of a human monitor. It knows no single command, and
//! nothing of the QEMU process behind the socket. It reads only while a line is under way: there are no events.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::attempt::Attempt;
use super::connect::PATIENCE;
use super::hmp::{self, Decoder, Line, Message};
use super::link::End;
use super::socket::Socket;
use super::telnet::Telnet;
use super::{Address, argument};
use crate::error::{Error, Result};

/// How long nothing comes before it is asked what that means, where the bytes leave it open. QEMU writes a
/// reply in one go.
const SILENCE: Duration = Duration::from_millis(250);
/// How much is read at once, in bytes.
const CHUNK: usize = 64 << 10;

/// A connection to a QEMU's human monitor.
///
/// Cheap to clone; lines may be called for from many tasks, and go out one after the other. The connection
/// ends when the last clone is dropped.
///
/// Dropping the future of a line gives up its reply and nothing else: QEMU carries the line out, if it was
/// sent, and the next line waits until it is done.
#[derive(Clone)]
pub struct Human {
    inner: Arc<Inner>,
}

struct Inner {
    vm: String,
    address: Address,
    banner: String,
    socket: Socket,
    talk: Mutex<Talk>,
}

/// What is under way on the socket.
pub(super) struct Talk {
    decoder: Decoder,
    telnet: Telnet,
    /// The rest of the line that QEMU had no room for.
    unsent: Vec<u8>,
    /// Whether a reply is still to come.
    is_awaiting: bool,
    chunk: Vec<u8>,
    end: Option<End>,
}

impl Human {
    /// Connect to the human monitor of `vm`. One that is still busy with the line of an earlier client (`migrate`
    /// without `-d`) greets, too, and answers when it is done with that.
    ///
    /// # Errors
    /// `Connect` if nobody answers within [`PATIENCE`], `Protocol` if it is no human monitor that answers.
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
        Self::meet(&attempt, socket, Talk::default()).await
    }

    /// Take the greeting, of which `talk` may have received a part.
    pub(super) async fn meet(attempt: &Attempt<'_>, socket: Socket, mut talk: Talk) -> Result<Self> {
        match attempt.in_time(talk.message(&socket)).await {
            Some(Ok(Message::Greeting(banner) | Message::Reply(banner))) => {
                let (vm, address) = (attempt.vm.to_owned(), attempt.address.clone());
                tracing::debug!(target: "qhop::monitor", vm, "← {banner}");
                Ok(Self { inner: Arc::new(Inner { vm, address, banner, socket, talk: Mutex::new(talk) }) })
            }
            Some(Err(End::Protocol(cause))) => Err(protocol(attempt.vm, cause)),
            Some(Err(End::Closed)) => Err(attempt.closed()),
            None => Err(attempt.silent(&talk.decoder.rest())),
        }
    }

    /// Send a line and wait for its text, the lines of which end with `\n`; often it is empty.
    ///
    /// A line that takes its time (`migrate` without `-d`) keeps the others waiting: QEMU reads none of them
    /// before it is done.
    ///
    /// # Errors
    /// `Hmp` if QEMU rejects the line, `Gone` or `Protocol` if the connection is lost, `Argument` if QEMU
    /// would read another line than this. `quit` is never answered: it ends with `Gone`.
    pub async fn line(&self, line: &str) -> Result<String> {
        let Inner { vm, socket, .. } = &*self.inner;
        let checked = Line::new(line).map_err(|cause| {
            // A line that cannot be sent may be too long to be shown, too.
            argument(line.split_whitespace().next().unwrap_or_default(), cause, "")
        })?;
        let mut talk = self.inner.talk.lock().await;
        // A caller that gave up left its reply behind, and perhaps a part of its line.
        if talk.is_awaiting {
            let late = talk.message(socket).await.map_err(|end| self.lost(line, end))?;
            tracing::debug!(target: "qhop::monitor", vm, "← {late:?}, for nobody");
        }
        tracing::debug!(target: "qhop::monitor", vm, "→ {line}");
        talk.say(&checked);
        match talk.message(socket).await {
            Ok(Message::Greeting(reply) | Message::Reply(reply)) => {
                tracing::debug!(target: "qhop::monitor", vm, "← {}", reply.trim_end());
                match hmp::rejection(line, &reply) {
                    Some(description) => {
                        let (vm, line) = (vm.clone(), line.to_owned());
                        Err(Error::Hmp { vm, line, description, hint: String::new() })
                    }
                    None => Ok(reply),
                }
            }
            Err(end) => Err(self.lost(line, end)),
        }
    }

    /// What it greeted with: `QEMU 10.0.2 monitor - type 'help' for more information`.
    #[must_use]
    pub fn banner(&self) -> &str {
        &self.inner.banner
    }

    /// QEMU's version, such as `10.0.2`; empty if the banner did not say it.
    #[must_use]
    pub fn version(&self) -> &str {
        hmp::info::banner_version(&self.inner.banner).unwrap_or_default()
    }

    /// The process that listens there, if it is a unix socket of this host.
    #[must_use]
    pub fn listener(&self) -> Option<i32> {
        self.inner.socket.listener()
    }

    /// The address it is connected to.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.inner.address
    }

    /// Whether the connection is lost.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.socket.is_at_end()
    }

    fn lost(&self, operation: &str, end: End) -> Error {
        let vm = self.inner.vm.clone();
        match end {
            End::Protocol(cause) => protocol(&vm, cause),
            End::Closed => Error::Gone {
                vm,
                operation: operation.to_owned(),
                ended: "closed its monitor".into(),
                stderr: String::new(),
            },
        }
    }
}

impl fmt::Debug for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Human({} at {})", self.inner.vm, self.inner.address)
    }
}

impl Default for Talk {
    fn default() -> Self {
        Self {
            decoder: Decoder::default(),
            telnet: Telnet::default(),
            unsent: Vec::new(),
            is_awaiting: true,
            chunk: vec![0; CHUNK],
            end: None,
        }
    }
}

impl Talk {
    fn say(&mut self, line: &Line) {
        self.unsent = line.bytes();
        self.decoder.expect(line);
        self.is_awaiting = true;
    }

    /// The message that is due. Dropping the wait loses nothing: it can be taken up again.
    async fn message(&mut self, socket: &Socket) -> Result<Message, End> {
        let result = self.try_message(socket).await;
        match &result {
            Ok(_) => self.is_awaiting = false,
            Err(end) => {
                self.end = Some(end.clone());
                // A peer that does not speak the protocol any more need not be kept.
                socket.shut_down();
            }
        }
        result
    }

    async fn try_message(&mut self, socket: &Socket) -> Result<Message, End> {
        if let Some(end) = &self.end {
            return Err(end.clone());
        }
        self.send(socket).await.map_err(|_| End::Closed)?;
        loop {
            if let Some(message) = self.decoder.next_message().map_err(End::Protocol)? {
                return Ok(message);
            }
            if !self.decoder.is_doubtful() {
                self.receive(socket).await?;
            } else if timeout(SILENCE, self.receive(socket)).await.is_err()
                && let Some(message) = self.decoder.settle().map_err(End::Protocol)?
            {
                return Ok(message);
            }
        }
    }

    async fn send(&mut self, socket: &Socket) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match socket.send(&self.unsent, None) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let Self { unsent, .. } = self;
                    socket
                        .when_writable(|| {
                            let sent = socket.send(unsent, None)?;
                            unsent.drain(..sent);
                            Ok(())
                        })
                        .await?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Wait for more, and hand it to the decoder. An error in the decoder's error means the end.
    pub(super) async fn receive(&mut self, socket: &Socket) -> Result<(), End> {
        loop {
            return match socket.receive(&mut self.chunk).await {
                Ok(length @ 1..) => {
                    self.decoder.feed(&self.telnet.text(&self.chunk[..length]));
                    Ok(())
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(_) | Err(_) => Err(End::Closed),
            };
        }
    }

    /// What has come and was not read yet.
    pub(super) fn received(&self) -> &[u8] {
        self.decoder.unread()
    }
}

fn protocol(vm: &str, cause: String) -> Error {
    Error::Protocol { vm: vm.to_owned(), protocol: "HMP", cause }
}

#[cfg(test)]
mod tests;
