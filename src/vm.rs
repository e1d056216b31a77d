//! `Vm`: a QEMU process and its monitor, as a script holds it.
//!
//! Commands go out in QEMU's own names and come back as JSON; no command is wrapped that
//! a script can send itself. It hides how QEMU was started and where its monitor is.

mod memory;
mod wait;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::error::{Error, Result};
use crate::migration::state::Seen;
use crate::monitor::{Address, Monitor, hmp};
use crate::qemu::command_line;
use crate::qemu::guest::Heartbeat;
use crate::qemu::process::{Directory, Process};

pub use wait::Wait;

/// How long QEMU may take from its start to an answer on its monitor.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// How long QEMU may take to end after `quit`: it flushes its disks first.
const QUIT_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a starting QEMU's monitor is tried: a refused connection costs microseconds.
const CONNECT_INTERVAL: Duration = Duration::from_millis(1);
/// QEMU closes its sockets a moment before it ends; how long to wait for the exit status to explain an error.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What to start: the options of a script's `launch`.
#[derive(Debug, Clone)]
pub struct Launch {
    /// What errors call it; also QEMU's `-name` if the arguments give none.
    pub name: String,
    /// The QEMU binary, looked up on `PATH` if it has no slash.
    pub qemu: String,
    /// QEMU's arguments, as the caller wrote them.
    pub args: Vec<String>,
    /// The built-in guest to put into it.
    pub guest: Option<Heartbeat>,
    /// Whether it outlives the script.
    pub keep: bool,
}

/// A QEMU and its monitor. Cheap to clone; every clone is the same QEMU.
#[derive(Debug, Clone)]
pub struct Vm(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    qemu: String,
    args: Vec<String>,
    machine: String,
    guest: Option<Heartbeat>,
    console_seen: std::sync::Mutex<u64>,
    process: Process,
    monitor: Monitor,
    directory: Directory,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.process.is_kept() && self.process.ended().is_none() {
            self.directory.keep();
        }
    }
}

impl Vm {
    /// Start a QEMU and connect to it. When this returns, QEMU answers commands: its options were
    /// accepted and its devices exist.
    pub async fn launch(launch: Launch) -> Result<Self> {
        let directory = Directory::create(&launch.name)?;
        let (args, process, monitor, machine) = Self::start(&launch, &directory).await?;
        if launch.keep {
            process.keep();
        }
        let Launch { name, qemu, guest, .. } = launch;
        Ok(Self(Arc::new(Inner {
            name,
            qemu,
            args,
            machine,
            guest,
            console_seen: std::sync::Mutex::new(0),
            process,
            monitor,
            directory,
        })))
    }

    async fn start(
        launch: &Launch,
        directory: &Directory,
    ) -> Result<(Vec<String>, Process, Monitor, String)> {
        let socket = directory.join("qmp");
        let console = directory.join("console");
        let mut args = launch.args.clone();
        if let Some(guest) = &launch.guest {
            let rom = directory.write("heartbeat.rom", &guest.option_rom())?;
            args.extend(Heartbeat::arguments(&rom.to_string_lossy()));
        }
        let args = command_line::complete(
            &args,
            &launch.name,
            &console.to_string_lossy(),
            &socket.to_string_lossy(),
        );
        let process = Process::start(&launch.qemu, &args, directory)?;
        let address = Address::Unix(socket);
        let ready = async {
            let monitor = connect(&launch.name, &address, &process).await?;
            // A greeting is no proof of life: QEMU greets before its devices exist, and may still
            // give up. It answers commands only after everything was set up.
            let machine = machine_type(&monitor).await?;
            Ok((monitor, machine))
        };
        let result = timeout(START_TIMEOUT, ready).await.unwrap_or_else(|_| {
            Err(Error::Timeout {
                vm: Some(launch.name.clone()),
                operation: format!("the start of `{}`", launch.qemu),
                timeout: START_TIMEOUT,
                last: "its monitor did not answer".to_owned(),
            })
        });
        match result {
            Ok((monitor, machine)) => Ok((args, process, monitor, machine)),
            Err(error) => Err(with_last_words(error, &process, directory, Some("launch")).await),
        }
    }

    /// The name that errors use.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.process.pid()
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
        self.0.monitor.version()
    }

    /// The machine type, with aliases resolved: `pc-q35-10.0` for `-machine q35`.
    #[must_use]
    pub fn machine(&self) -> &str {
        &self.0.machine
    }

    /// The tail of what QEMU wrote to its standard error.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.0.directory.tail("stderr")
    }

    /// The tail of the guest's console.
    #[must_use]
    pub fn console(&self) -> String {
        self.0.directory.tail("console")
    }

    /// A private directory of this `Vm`, removed with it: the place for its sockets.
    #[must_use]
    pub fn directory(&self) -> String {
        self.0.directory.join("").to_string_lossy().trim_end_matches('/').to_owned()
    }

    /// How QEMU ended, or nothing while it runs.
    #[must_use]
    pub fn ended(&self) -> Option<String> {
        self.0.process.ended()
    }

    /// One QMP command; `arguments` is an object.
    pub async fn qmp(&self, command: &str, arguments: Value) -> Result<Value> {
        match self.0.monitor.execute(command, arguments).await {
            Err(error) => Err(self.last_words(error).await),
            reply => reply,
        }
    }

    /// One line of the human monitor. A line that QEMU rejects is an error.
    pub async fn hmp(&self, line: &str) -> Result<String> {
        let reply = self.qmp("human-monitor-command", json!({ "command-line": line })).await?;
        let reply = reply.as_str().unwrap_or_default().replace("\r\n", "\n");
        match hmp::rejection(line, &reply) {
            Some(description) => {
                Err(Error::Hmp { vm: self.0.name.clone(), line: line.to_owned(), description })
            }
            None => Ok(reply),
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
            sleep(CONNECT_INTERVAL).await;
            reply = self.qmp("query-migrate", json!({})).await?;
        }
        Ok(reply)
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
            match self.0.monitor.execute("quit", json!({})).await {
                // QEMU may end before its reply is on the wire.
                Ok(_) | Err(Error::Gone { .. }) => {}
                Err(error) => return Err(error),
            }
            self.wait_for_end(QUIT_TIMEOUT).await?;
        }
        Ok(())
    }

    /// End QEMU at once (`SIGKILL`), and wait until it has ended.
    pub async fn kill(&self) {
        self.0.process.kill();
        self.0.process.wait().await;
    }

    /// Ask QEMU to end, insist after a while: for a script that is over.
    pub async fn retire(&self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        self.0.process.terminate();
        if timeout(PATIENCE, self.0.process.wait()).await.is_err() {
            self.kill().await;
        }
    }

    /// Let QEMU outlive the script.
    pub fn keep(&self) {
        self.0.process.keep();
    }

    /// Whether QEMU outlives the script.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.0.process.is_kept()
    }

    /// The events that no wait has taken yet, oldest first; they count as taken now.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        self.0.monitor.events().drain()
    }

    /// The last event of that name, whether a wait has taken it or not.
    #[must_use]
    pub fn last_event(&self, name: &str) -> Option<Value> {
        self.0.monitor.events().last(name)
    }

    /// Whether somebody else holds this `Vm` too.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    async fn last_words(&self, error: Error) -> Error {
        with_last_words(error, &self.0.process, &self.0.directory, None).await
    }
}

async fn connect(vm: &str, address: &Address, process: &Process) -> Result<Monitor> {
    let started = Instant::now();
    loop {
        match Monitor::connect(vm, address).await {
            // Refused or not there: QEMU has not opened its socket yet, unless it is gone.
            Err(Error::Connect { .. }) if process.ended().is_none() && started.elapsed() < START_TIMEOUT => {
                sleep(CONNECT_INTERVAL).await;
            }
            result => return result,
        }
    }
}

async fn machine_type(monitor: &Monitor) -> Result<String> {
    let reply = monitor.execute("qom-get", json!({ "path": "/machine", "property": "type" })).await?;
    let name = reply.as_str().unwrap_or_default();
    Ok(name.strip_suffix("-machine").unwrap_or(name).to_owned())
}

/// An error because QEMU closed its monitor becomes one that says how QEMU ended, and what it wrote.
async fn with_last_words(
    error: Error,
    process: &Process,
    directory: &Directory,
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
    Error::Gone { vm, operation, ended, stderr: directory.tail("stderr") }
}
