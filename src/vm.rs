//! `Vm`: a QEMU process and its monitor, as a script holds it.
//!
//! Commands go out in QEMU's own names and come back as JSON; no command is wrapped that
//! a script can send itself. It hides how QEMU was started and where its monitor is.

mod aftermath;
mod attach;
mod backing;
mod control;
mod description;
mod exec;
mod freeze;
mod guard;
mod memory;
mod pace;
mod pulse;
mod special;
mod start;
mod survey;
mod wait;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::error::{Error, Result};
use crate::migration::state::Seen;
use crate::qemu::directory::Directory;
use crate::qemu::process::Process;

pub use attach::Where;
pub use backing::Backend;
pub use control::Witness;
pub use exec::Exec;
pub use pulse::{Line, Pulse};
pub use start::{Launch, Starting};
pub use survey::survey;
pub use wait::Wait;

use control::Control;

/// How long QEMU may take to end after `quit`: it flushes its disks first.
const QUIT_TIMEOUT: Duration = Duration::from_secs(30);
/// QEMU closes its sockets a moment before it ends; how long to wait for the exit status to explain an error.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A QEMU and its monitor. Cheap to clone; every clone is the same QEMU.
#[derive(Debug, Clone)]
pub struct Vm(Arc<Inner>);

/// A `Vm` that is not held: whoever looks on must not keep it from ending.
#[derive(Debug, Clone)]
pub struct WeakVm(std::sync::Weak<Inner>);

impl WeakVm {
    /// The `Vm`, if somebody still holds it.
    #[must_use]
    pub fn upgrade(&self) -> Option<Vm> {
        self.0.upgrade().map(Vm)
    }
}

#[derive(Debug)]
struct Inner {
    name: String,
    qemu: String,
    args: Vec<String>,
    machine: String,
    console_seen: std::sync::Mutex<u64>,
    /// Unknown where only a monitor was found. Shared only with what it has become by `exec`.
    process: Option<Arc<Process>>,
    control: Control,
    /// None for a QEMU that qhop has not started.
    directory: Option<Arc<Directory>>,
    /// What it has become by `exec`: another `Vm` has its process then, and this one has ended.
    became: OnceLock<WeakVm>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let (Some(directory), Some(process)) = (&self.directory, &self.process) else { return };
        directory.set_kept(process.is_kept() && process.ended().is_none());
    }
}

impl Vm {
    /// The name that errors use.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The process id; unknown where only a monitor was found, on another host perhaps.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.0.process.as_ref().map(|process| process.pid())
    }

    /// The QEMU binary, as it was given.
    #[must_use]
    pub fn qemu(&self) -> &str {
        &self.0.qemu
    }

    /// QEMU's arguments, with what `launch` added.
    #[must_use]
    pub fn args(&self) -> &[String] {
        &self.0.args
    }

    /// The version that QEMU gives in its greeting: `10.0.2`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.0.control.version()
    }

    /// The machine type, with aliases resolved: `pc-q35-10.0` for `-machine q35`.
    #[must_use]
    pub fn machine(&self) -> &str {
        &self.0.machine
    }

    /// The tail of what QEMU wrote to its standard error.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.0.directory.as_ref().map(|directory| directory.tail("stderr")).unwrap_or_default()
    }

    /// The tail of the guest's console.
    #[must_use]
    pub fn console(&self) -> String {
        self.0.directory.as_ref().map(|directory| directory.tail("console")).unwrap_or_default()
    }

    /// A private directory of this `Vm`, removed with it: the place for its sockets. None if qhop has not started it.
    #[must_use]
    pub fn directory(&self) -> Option<String> {
        let directory = self.0.directory.as_ref()?;
        Some(directory.path().to_string_lossy().into_owned())
    }

    /// How QEMU ended, or nothing while it runs.
    #[must_use]
    pub fn ended(&self) -> Option<String> {
        match &self.0.process {
            _ if self.0.became.get().is_some() => Some("has become another program".to_owned()),
            Some(process) => process.ended(),
            None => self.0.control.is_closed().then(|| "closed its monitor".to_owned()),
        }
    }

    /// One QMP command; `arguments` is an object.
    pub async fn qmp(&self, command: &str, arguments: Value) -> Result<Value> {
        match self.0.control.execute(self.name(), command, arguments).await {
            Err(error) => Err(self.last_words(error).await),
            reply => reply,
        }
    }

    /// One line of the human monitor. A line that QEMU rejects is an error.
    pub async fn hmp(&self, line: &str) -> Result<String> {
        match self.0.control.line(self.name(), line).await {
            Err(error) => Err(self.last_words(error).await),
            reply => reply,
        }
    }

    /// The guest's run state: `running`, `paused`, `inmigrate`, `postmigrate`, …
    pub async fn status(&self) -> Result<String> {
        let reply = self.qmp("query-status", json!({})).await?;
        Ok(reply["status"].as_str().unwrap_or_default().to_owned())
    }

    /// The reply of `query-migrate`.
    pub async fn migration(&self) -> Result<Value> {
        let mut reply = self.qmp("query-migrate", json!({})).await?;
        // Before 9.0 the status is `completed` a moment before the figures are final.
        for _ in 0..20 {
            if reply["status"] != "completed" || reply["total-time"] != 0 {
                break;
            }
            sleep(Duration::from_millis(1)).await;
            reply = self.qmp("query-migrate", json!({})).await?;
        }
        Ok(reply)
    }

    /// The reply of `query-migrate`, for an onlooker: no witness is told.
    pub async fn peek_migration(&self) -> Result<Value> {
        self.0.control.peek(self.name(), "query-migrate").await
    }

    /// The same `Vm`, without holding it.
    #[must_use]
    pub fn downgrade(&self) -> WeakVm {
        WeakVm(Arc::downgrade(&self.0))
    }

    /// What it is in a migration, as far as it answers within `PATIENCE`.
    pub async fn seen(&self) -> Seen {
        const PATIENCE: Duration = Duration::from_secs(2);
        if self.ended().is_some() {
            return Seen::Gone;
        }
        let asked = timeout(PATIENCE, async { tokio::try_join!(self.status(), self.migration()) }).await;
        match asked {
            Ok(Ok((run, migration))) => Seen::alive(&run, migration["status"].as_str().unwrap_or_default()),
            // It may have ended over the question.
            _ if self.ended().is_some() => Seen::Gone,
            _ => Seen::Silent,
        }
    }

    /// Tell QEMU to `quit`, and wait until it has ended. One that has ended already is fine.
    pub async fn quit(&self) -> Result<()> {
        if self.ended().is_none() {
            match self.0.control.execute(self.name(), "quit", json!({})).await {
                // QEMU may end before its reply is on the wire.
                Ok(_) | Err(Error::Gone { .. }) => {}
                Err(error) => return Err(error),
            }
            self.wait_for_end(QUIT_TIMEOUT).await?;
        }
        Ok(())
    }

    /// End QEMU at once (`SIGKILL`), and wait until it has ended.
    ///
    /// # Errors
    /// `Argument` if its process is not known, `Environment` if it may not be ended.
    pub async fn kill(&self) -> Result<()> {
        if self.ended().is_some() {
            return Ok(());
        }
        let Some(process) = &self.0.process else {
            return Err(self.no_process("kill", "attach to its pid, or `quit` it"));
        };
        process.kill()?;
        process.wait().await;
        Ok(())
    }

    /// Ask QEMU to end, insist after a while: for a script that is over.
    pub async fn retire(&self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        // What it has become is retired by itself.
        let Some(process) = self.0.process.as_ref().filter(|_| self.0.became.get().is_none()) else { return };
        let _ = process.terminate();
        if timeout(PATIENCE, process.wait()).await.is_err() && process.kill().is_ok() {
            process.wait().await;
        }
    }

    /// Let QEMU outlive the script.
    pub fn keep(&self) {
        if let Some(process) = &self.0.process {
            process.keep();
        }
    }

    /// Whether QEMU outlives the script.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.0.process.as_ref().is_none_or(|process| process.is_kept())
    }

    /// The events that no wait has taken yet, oldest first; they count as taken now.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        self.0.control.events().drain()
    }

    /// The events that no wait has taken yet and every one from here on, for somebody who takes none.
    #[must_use]
    pub fn follow_events(&self) -> (Vec<Value>, tokio::sync::broadcast::Receiver<Value>) {
        self.0.control.events().follow()
    }

    /// The last event of that name, whether a wait has taken it or not.
    #[must_use]
    pub fn last_event(&self, name: &str) -> Option<Value> {
        self.0.control.events().last(name)
    }

    /// Whether it is the same QEMU.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.pid().is_some() && self.pid() == other.pid())
    }

    /// Whether somebody else holds this `Vm` too.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Whether its monitor tells of events; a human one does not.
    #[must_use]
    pub fn tells_events(&self) -> bool {
        self.0.control.tells_events()
    }

    async fn last_words(&self, error: Error) -> Error {
        match (&self.0.process, &self.0.directory) {
            (Some(process), directory) => with_last_words(error, process, directory.as_deref(), None).await,
            (None, _) => error,
        }
    }
}

/// An error because QEMU closed its monitor becomes one that says how QEMU ended, and what it wrote.
async fn with_last_words(
    error: Error,
    process: &Process,
    directory: Option<&Directory>,
    during: Option<&str>,
) -> Error {
    let (vm, operation) = match error {
        Error::Gone { vm, operation, .. } => (vm, operation),
        Error::Connect { vm, .. } if process.ended().is_some() => (vm, String::new()),
        other => return other,
    };
    let ended = timeout(LAST_WORDS, process.wait()).await;
    let ended = ended.unwrap_or_else(|_| "closed its monitor".to_owned());
    let operation = during.map_or(operation, str::to_owned);
    Error::Gone {
        vm,
        operation,
        ended,
        stderr: directory.map(|directory| directory.tail("stderr")).unwrap_or_default(),
    }
}
