//! A QEMU process on this machine: started, watched, signalled.
//!
//! This module and `monitor` are the only ones that assume that the process is here.
//! It does not know what a monitor is, nor which options QEMU has.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use process_wrap::tokio::{CommandWrap, CommandWrapper, ProcessSession};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use tokio::process::Command;
use tokio::sync::watch;

use super::directory::{Directory, file_error};
use crate::error::{Error, Result};

/// A running, or ended, QEMU.
///
/// Dropping it kills the process, unless it was told to `keep`: a script that dies of anything
/// but `SIGKILL` leaves no QEMU behind.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    /// Signals go to this process and to no other that may have its number later.
    pidfd: OwnedFd,
    ended: watch::Receiver<Option<String>>,
    kept: AtomicBool,
    /// Whether it leads a process group of its own: that of a script has QEMU in it, too.
    leads: bool,
    /// Whether it was stopped here, and not by somebody else.
    frozen: AtomicBool,
}

impl Process {
    /// Start `program` with its standard output and error appended to two files of `directory`.
    ///
    /// Its relative paths lead to `cwd`, where the caller's do if there is none. It gets a session of its own, and no standard input: a terminal's Ctrl-C does not
    /// reach the guest, nor does the kernel end it (`SIGHUP`) because it happens to be stopped when its parent ends. Must be called within the tokio runtime.
    pub fn start(program: &str, args: &[String], cwd: Option<&Path>, directory: &Directory) -> Result<Self> {
        let stdout = log_file(&directory.join("console"))?;
        let stderr = log_file(&directory.join("stderr"))?;
        let failed = |error| start_error(program, &error);
        let mut command = Command::new(program);
        if let Some(cwd) = cwd {
            command.current_dir(cwd);
        }
        command.args(args).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let core = CommandWrap::with_new(program, |_| {});
        let mut child =
            ProcessSession.pre_spawn(&mut command, &core).and_then(|()| command.spawn()).map_err(failed)?;
        let number = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let pid = number.ok_or_else(|| failed(ErrorKind::NotFound.into()))?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| {
            // Nobody would hold it.
            let _ = child.start_kill();
            failed(error.into())
        })?;
        let (report, ended) = watch::channel(None);
        tokio::spawn(async move {
            let status = child.wait().await;
            report.send_replace(Some(status.map_or_else(|_| "ended".to_owned(), describe)));
        });
        Ok(Self {
            pid,
            pidfd,
            ended,
            kept: AtomicBool::new(false),
            leads: true,
            frozen: AtomicBool::default(),
        })
    }

    /// Hold a process that somebody else started. It is never killed on drop.
    #[must_use]
    pub fn attach(pid: Pid, pidfd: OwnedFd, watched: OwnedFd) -> Self {
        let (report, ended) = watch::channel(None);
        // A thread, since nothing tells the runtime of the end of a process that is no child. It goes with qhop.
        std::thread::spawn(move || {
            let mut end = [PollFd::new(&watched, PollFlags::IN)];
            while poll(&mut end, None) == Err(Errno::INTR) {}
            report.send_replace(Some("ended".to_owned()));
        });
        Self { pid, pidfd, ended, kept: AtomicBool::new(true), leads: false, frozen: AtomicBool::default() }
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// How it ended (`ended with exit status 1`, `was killed by signal 9`), or nothing while it runs.
    #[must_use]
    pub fn ended(&self) -> Option<String> {
        self.ended.borrow().clone()
    }

    /// Wait until it has ended, and say how.
    pub async fn wait(&self) -> String {
        let mut ended = self.ended.clone();
        let how = ended.wait_for(Option::is_some).await.ok().and_then(|how| how.clone());
        how.unwrap_or_else(|| "ended".to_owned())
    }

    /// Ask it to end (`SIGTERM`: QEMU flushes its disks and quits).
    ///
    /// # Errors
    /// `Environment` if it is another user's.
    pub fn terminate(&self) -> Result<()> {
        self.end_by(Signal::TERM)
    }

    /// End it at once (`SIGKILL`).
    ///
    /// # Errors
    /// `Environment` if it is another user's.
    pub fn kill(&self) -> Result<()> {
        self.end_by(Signal::KILL)
    }

    /// Stop it (`SIGSTOP`), and wait until none of its threads runs any more.
    ///
    /// # Errors
    /// `Environment` if it is another user's.
    pub async fn freeze(&self) -> Result<()> {
        if self.threads_at_rest() {
            return Ok(());
        }
        self.frozen.store(true, Ordering::Relaxed);
        self.signal(Signal::STOP)?;
        while self.ended().is_none() && !self.threads_at_rest() {
            tokio::time::sleep(std::time::Duration::from_micros(100)).await;
        }
        Ok(())
    }

    /// Let it go on, unless somebody else had stopped it.
    ///
    /// # Errors
    /// `Environment` if it is another user's.
    pub fn thaw(&self) -> Result<()> {
        if self.frozen.swap(false, Ordering::Relaxed) { self.signal(Signal::CONT) } else { Ok(()) }
    }

    /// Whether each of its threads is stopped, or will be before it runs again.
    fn threads_at_rest(&self) -> bool {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", self.pid())) else { return false };
        threads.flatten().all(|thread| {
            let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            // The state stands behind the name, which may have anything in it.
            let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
            state.is_none_or(|state| "TtDZX".contains(state))
        })
    }

    /// Let it live on when this value is dropped.
    pub fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }

    /// Whether it outlives this value.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.kept.load(Ordering::Relaxed)
    }

    fn end_by(&self, signal: Signal) -> Result<()> {
        // As long as it is not known to have ended, nobody else can have its number.
        if self.leads && self.ended().is_none() {
            let _ = kill_process_group(self.pid, signal);
        }
        self.signal(signal)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        match pidfd_send_signal(&self.pidfd, signal) {
            // It has ended already: that is what the caller wants.
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(Error::Environment {
                message: format!("cannot end process {}: {}", self.pid(), cause(&error.into())),
                hint: "become its user, or tell it to `quit`".to_owned(),
            }),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_kept() {
            let _ = self.thaw();
        } else {
            // A child of ours, unless it has become another user (`-run-with user=…`): nobody is left to be told.
            let _ = self.kill();
        }
    }
}

/// A descriptor of a process, for a signal or for waiting.
///
/// # Errors
/// `Attach` if there is no such process any more.
pub fn pidfd(pid: Pid) -> Result<OwnedFd> {
    pidfd_open(pid, PidfdFlags::empty()).map_err(|error| Error::Attach {
        pid: pid.as_raw_nonzero().get().into(),
        cause: cause(&error.into()),
        hint: String::new(),
    })
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (_, Some(signal)) => format!("was killed by signal {signal}"),
        _ => "ended".to_owned(),
    }
}

fn log_file(path: &Path) -> Result<File> {
    File::options().create(true).append(true).open(path).map_err(|error| file_error("create", path, &error))
}

/// What the system says of a program that it cannot start.
#[must_use]
pub fn start_error(program: &str, error: &std::io::Error) -> Error {
    let on_path = !program.contains('/');
    let (cause, hint) = match error.kind() {
        ErrorKind::NotFound if on_path => (
            "not found on PATH".to_owned(),
            "install it, or name its path: `launch(#{ qemu: \"/path/to/qemu\" })`; `qhop doctor` lists what is here",
        ),
        ErrorKind::NotFound => {
            ("no such file".to_owned(), "check the path; `qhop doctor` lists the QEMUs on PATH")
        }
        ErrorKind::PermissionDenied => {
            ("permission denied".to_owned(), "the file must be executable for you")
        }
        _ => (cause(error), ""),
    };
    Error::Start { program: program.to_owned(), cause, hint: hint.to_owned() }
}

/// The system's words without Rust's `(os error 2)`.
#[must_use]
pub fn cause(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
