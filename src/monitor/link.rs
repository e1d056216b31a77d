//! What is under way on a monitor's socket: commands sent and queued, answers awaited.
//!
//! It matches answers to commands and files events; what a command is about it does not know.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::events::EventLog;
use super::qmp::{Message, Refusal, Request};
use super::socket::Socket;

/// How many commands are in QEMU at a time, out-of-band ones aside; the others wait here.
/// With eight waiting, QEMU stops reading its monitor, and no out-of-band command could overtake (5.2 … 11.1).
const IN_BAND: usize = 7;

/// What came back for a command.
pub(super) type Answer = Result<Value, Refusal>;

/// The connection to one monitor.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) vm: String,
    pub(super) socket: Socket,
    traffic: Mutex<Traffic>,
    unsent: Notify,
    caught_up: Notify,
    wanted: Mutex<Vec<oneshot::Sender<()>>>,
    in_band: Arc<Semaphore>,
    passing: Arc<Semaphore>,
    pub(super) closed: CancellationToken,
    pub(super) events: EventLog,
}

#[derive(Debug, Default)]
struct Traffic {
    in_flight: VecDeque<InFlight>,
    /// Whole lines, so that a caller that gives up never leaves half a line behind.
    out: VecDeque<Outgoing>,
    last_id: u64,
    end: Option<End>,
}

#[derive(Debug)]
struct InFlight {
    id: Option<u64>,
    answer: oneshot::Sender<Answer>,
    /// Given back with the answer, even if nobody waits for that any more.
    _turn: Turn,
}

#[derive(Debug)]
struct Outgoing {
    line: Vec<u8>,
    sent: usize,
    /// Travels with the first byte of the line.
    fd: Option<OwnedFd>,
}

/// The right to have one command under way.
#[derive(Debug)]
pub(super) struct Turn {
    _passing: Option<OwnedSemaphorePermit>,
    _in_band: Option<OwnedSemaphorePermit>,
}

/// How a connection ended.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// The peer is gone.
    Closed,
    /// The peer sent this.
    Protocol(String),
}

impl Link {
    pub(super) fn new(vm: &str, socket: Socket) -> Arc<Self> {
        Arc::new(Self {
            vm: vm.to_owned(),
            socket,
            traffic: Mutex::default(),
            unsent: Notify::new(),
            caught_up: Notify::new(),
            wanted: Mutex::default(),
            in_band: Arc::new(Semaphore::new(IN_BAND)),
            passing: Arc::new(Semaphore::new(1)),
            closed: CancellationToken::new(),
            events: EventLog::default(),
        })
    }

    /// Wait for the turn of a command; none if the connection ended.
    ///
    /// Commands that pass a descriptor go one by one: QEMU keeps only the last
    /// descriptor that came, for whichever command asks first.
    pub(super) async fn turn(&self, out_of_band: bool, passes_fd: bool) -> Option<Turn> {
        let passing =
            if passes_fd { Some(Arc::clone(&self.passing).acquire_owned().await.ok()?) } else { None };
        let in_band =
            if out_of_band { None } else { Some(Arc::clone(&self.in_band).acquire_owned().await.ok()?) };
        Some(Turn { _passing: passing, _in_band: in_band })
    }

    /// Send a command. It is on its way, or queued as a whole, when this returns; nothing here waits.
    /// None if the connection ended; the answer's sender is dropped when it ends later.
    pub(super) fn send(
        &self,
        command: &str,
        arguments: &Value,
        out_of_band: bool,
        fd: Option<OwnedFd>,
        turn: Turn,
    ) -> Option<oneshot::Receiver<Answer>> {
        let mut traffic = self.traffic();
        if traffic.end.is_some() {
            return None;
        }
        // A command that is alone needs no id, see `answered`. It would be a fifth of the time
        // that a short command takes, see `Request::encode`.
        let id = (out_of_band || !traffic.in_flight.is_empty()).then(|| {
            traffic.last_id += 1;
            traffic.last_id
        });
        let line = Request { command, arguments, id, out_of_band }.encode();
        tracing::debug!(target: "qhop::monitor", vm = self.vm, "→ {}", line.trim_end());
        let (answer, receiver) = oneshot::channel();
        traffic.in_flight.push_back(InFlight { id, answer, _turn: turn });
        let first = traffic.out.is_empty();
        traffic.out.push_back(Outgoing { line: line.into_bytes(), sent: 0, fd });
        if first {
            match self.write_out(&mut traffic.out) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.unsent.notify_one(),
                Err(_) => self.hang_up(),
            }
        }
        Some(receiver)
    }

    /// How it ended, if it did.
    pub(super) fn end(&self) -> Option<End> {
        self.traffic().end.clone()
    }

    /// End the connection from this side. What already arrived is still read.
    pub(super) fn hang_up(&self) {
        self.socket.shut_down();
    }

    fn write_out(&self, out: &mut VecDeque<Outgoing>) -> io::Result<()> {
        while let Some(next) = out.front_mut() {
            match self.socket.send(&next.line[next.sent..], next.fd.as_ref()) {
                Ok(sent) => {
                    next.sent += sent;
                    next.fd = None;
                    if next.sent == next.line.len() {
                        out.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Write what QEMU had no room for; comes back when all is written.
    pub(super) async fn flush(&self) {
        if self.traffic().out.is_empty() {
            self.unsent.notified().await;
        }
        if self.socket.when_writable(|| self.write_out(&mut self.traffic().out)).await.is_err() {
            self.traffic().out.clear();
            self.hang_up();
        }
    }

    /// Wait until what has arrived by now is read and dispatched, or the connection has ended.
    pub(super) async fn catch_up(&self) {
        let (done, is_done) = oneshot::channel();
        self.wanted().push(done);
        self.caught_up.notify_one();
        tokio::select! {
            _ = is_done => {}
            () = self.closed.cancelled() => {}
        }
    }

    /// Wait until somebody wants that; comes back, for the reader to go on, until nothing is left to be read.
    pub(super) async fn answer_once_caught_up(&self) {
        if self.wanted().is_empty() {
            self.caught_up.notified().await;
        }
        if self.socket.has_unread() {
            tokio::task::yield_now().await;
        } else {
            self.wanted().drain(..).for_each(|done| _ = done.send(()));
        }
    }

    pub(super) fn dispatch(&self, message: Message) {
        match message {
            Message::Event(event) => self.events.push(event),
            Message::Reply { id, result } => {
                let Some(in_flight) = self.traffic().answered(id.as_ref()) else {
                    tracing::warn!(target: "qhop::monitor", vm = self.vm, "an answer to nothing: {result:?}");
                    return;
                };
                // Nobody listens where the caller gave up; the answer is not needed then.
                let _ = in_flight.answer.send(result);
            }
            Message::Greeting(_) => {
                tracing::warn!(target: "qhop::monitor", vm = self.vm, "a second greeting");
            }
        }
    }

    pub(super) fn finish(&self, end: End) {
        let mut traffic = self.traffic();
        traffic.end = Some(end);
        traffic.in_flight.clear();
        traffic.out.clear();
        drop(traffic);
        // A peer that does not speak the protocol any more need not be kept.
        self.hang_up();
        self.in_band.close();
        self.passing.close();
        self.closed.cancel();
        self.events.wake();
    }

    fn wanted(&self) -> MutexGuard<'_, Vec<oneshot::Sender<()>>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Traffic {
    /// The command that an answer belongs to.
    ///
    /// Without an id it is the oldest. QEMU answers so where the command had none, which was then
    /// alone and is still the oldest; and where it could not read the command, in the order of commands.
    fn answered(&mut self, id: Option<&Value>) -> Option<InFlight> {
        let Some(id) = id else { return self.in_flight.pop_front() };
        let id = id.as_u64()?;
        let at = self.in_flight.iter().position(|in_flight| in_flight.id == Some(id))?;
        self.in_flight.remove(at)
    }
}
