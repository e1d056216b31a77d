//! Starting a QEMU: its command line completed, its process started, its monitor reached.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{Control, Inner, Vm, with_last_words};
use crate::error::{Error, Result};
use crate::monitor::Address;
use crate::qemu::attached::{is_taken, listener, started};
use crate::qemu::command_line;
use crate::qemu::directory::Directory;
use crate::qemu::guest::Heartbeat;
use crate::qemu::process::Process;

/// How long QEMU may take from its start to an answer on its monitor.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a starting QEMU's monitor is tried: a refused connection costs microseconds.
const CONNECT_INTERVAL: Duration = Duration::from_millis(1);

/// What to start: the options of a script's `launch`.
#[derive(Debug)]
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
    /// The address of a human monitor to open in place of a QMP one.
    pub monitor: Option<Address>,
    /// Its private directory, with files in it that `args` name; a new one if there is none.
    pub directory: Option<Directory>,
    /// Where its relative paths lead; where qhop's do if not given.
    pub cwd: Option<PathBuf>,
    /// Whether `args` are all that the guest is to have: no name, console or display is added.
    pub bare: bool,
}

/// A QEMU whose process runs, and whose monitor may not answer yet.
///
/// Dropping it kills the process.
#[derive(Debug)]
pub struct Starting {
    launch: Launch,
    args: Vec<String>,
    process: Process,
    directory: Directory,
    address: Address,
    console_seen: u64,
}

impl Vm {
    /// Start a QEMU and connect to it. When this returns, QEMU answers commands: its options were
    /// accepted and its devices exist.
    pub async fn launch(launch: Launch) -> Result<Self> {
        Starting::begin(launch)?.ready().await
    }
}

impl Starting {
    /// Start the process, and do not wait for its monitor: some targets have none before their source has begun.
    pub fn begin(mut launch: Launch) -> Result<Self> {
        let directory = match launch.directory.take() {
            Some(directory) => directory,
            None => Directory::create(&launch.name)?,
        };
        // A console that is continued: what is there was seen by others.
        let console_seen = directory.length("console");
        let (args, address) = arguments(&launch, &directory)?;
        let process = Process::start(&launch.qemu, &args, launch.cwd.as_deref(), &directory)?;
        Ok(Self { launch, args, process, directory, address, console_seen })
    }

    /// How QEMU ended, or nothing while it runs.
    #[must_use]
    pub fn ended(&self) -> Option<String> {
        self.process.ended()
    }

    /// What the record of a run is told of it: it is of no use to anybody but this run.
    #[must_use]
    pub fn description(&self) -> Value {
        let (pid, directory) = (self.process.pid(), self.directory.path().to_string_lossy());
        json!({
            "name": self.launch.name, "pid": pid, "started": started(pid), "monitor": self.address.to_string(),
            "qemu": self.launch.qemu, "version": "", "machine": "", "directory": directory, "kept": false, "launched": true, "throwaway": true,
        })
    }

    /// Connect to its monitor. When this returns, its options were accepted and its devices exist.
    pub async fn ready(self) -> Result<Vm> {
        let Self { launch, args, process, directory, address, console_seen } = self;
        let ready = async {
            let control = connect(&launch.name, &address, &process).await?;
            // A greeting is no proof of life: QEMU greets before its devices exist, and may still
            // give up. It answers commands only after everything was set up.
            let machine = machine_type(&launch.name, &control).await?;
            Ok((control, machine))
        };
        let result = timeout(START_TIMEOUT, ready).await.unwrap_or_else(|_| {
            Err(Error::Timeout {
                vm: Some(launch.name.clone()),
                operation: format!("the start of `{}`", launch.qemu),
                timeout: START_TIMEOUT,
                last: "its monitor did not answer".to_owned(),
                said: Vec::new(),
                outlook: String::new(),
            })
        });
        let (control, machine) = match result {
            Ok(ready) => ready,
            Err(error) => {
                return Err(with_last_words(error, &process, Some(&directory), Some("launch")).await);
            }
        };
        if launch.keep {
            process.keep();
        }
        let Launch { name, qemu, .. } = launch;
        let console_seen = std::sync::Mutex::new(console_seen);
        let (process, directory) = (Some(Arc::new(process)), Some(Arc::new(directory)));
        let became = OnceLock::new();
        Ok(Vm(Arc::new(Inner {
            name,
            qemu,
            args,
            machine,
            console_seen,
            process,
            control,
            directory,
            became,
        })))
    }
}

/// The arguments in full, and where its monitor is going to be.
fn arguments(launch: &Launch, directory: &Directory) -> Result<(Vec<String>, Address)> {
    let console = directory.join("console");
    let mut args = launch.args.clone();
    if let Some(guest) = &launch.guest {
        let rom = directory.write(Heartbeat::FILE, &guest.option_rom())?;
        args.extend(Heartbeat::arguments(&rom.to_string_lossy()));
    }
    if !launch.bare {
        args = command_line::complete(&args, &launch.name, &console.to_string_lossy());
    }
    match &launch.monitor {
        None => args.extend(command_line::machine_monitor(&directory.join("qmp").to_string_lossy())),
        Some(address) => args.extend(command_line::human_monitor(address)),
    }
    let monitor = launch.monitor.clone().map(|monitor| as_seen_from_here(monitor, launch.cwd.as_deref()));
    if let Some(monitor) = &monitor {
        must_be_free(monitor)?;
    }
    Ok((args, monitor.unwrap_or_else(|| Address::Unix(directory.join("qmp")))))
}

/// A relative path leads QEMU to where it is started.
fn as_seen_from_here(address: Address, cwd: Option<&Path>) -> Address {
    match (address, cwd) {
        (Address::Unix(path), Some(cwd)) if !path.as_os_str().as_bytes().starts_with(b"\0") => {
            Address::Unix(cwd.join(path))
        }
        (address, _) => address,
    }
}

/// Another QEMU that listens there would be taken for the one that is started; and QEMU takes over the path of a
/// unix socket without a word, so that nobody reaches the other any more.
fn must_be_free(address: &Address) -> Result<()> {
    if !is_taken(address) {
        return Ok(());
    }
    let who = listener(address)
        .map_or_else(|| "another process".to_owned(), |pid| format!("process {}", pid.as_raw_nonzero()));
    Err(Error::Argument {
        function: "launch".to_owned(),
        cause: format!("{who} listens at `{address}` already"),
        hint: "choose another address for `monitor`, or end that process first".to_owned(),
    })
}

async fn connect(vm: &str, address: &Address, process: &Process) -> Result<Control> {
    let started = Instant::now();
    loop {
        match Control::connect(vm, address).await {
            // Refused or not there: QEMU has not opened its socket yet, unless it is gone.
            Err(Error::Connect { .. }) if process.ended().is_none() && started.elapsed() < START_TIMEOUT => {
                sleep(CONNECT_INTERVAL).await;
            }
            result => return result,
        }
    }
}

/// The machine type, with aliases resolved.
pub(super) async fn machine_type(vm: &str, control: &Control) -> Result<String> {
    let reply = control.execute(vm, "qom-get", json!({ "path": "/machine", "property": "type" })).await?;
    let name = reply.as_str().unwrap_or_default();
    Ok(name.strip_suffix("-machine").unwrap_or(name).to_owned())
}
