//! A QEMU process on this machine: started, watched, signalled, and the private directory that is its own.
//!
//! This module and `monitor` are the only ones that assume that the process is here.
//! It does not know what a monitor is, nor which options QEMU has.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::process::Command;
use tokio::sync::watch;

use crate::error::{Error, Result};

/// How much of a log file is read back at most: the tail explains a failure, the rest is in the file.
const TAIL_BYTES: u64 = 64 * 1024;

/// The path of a unix socket has 107 bytes at most; the rest is for `/qhop-…/migrate`.
const BASE_BYTES: usize = 107 - "/qhop-0123456789abcdef-tmptmp/migrate".len();

/// A directory of one `Vm`: sockets, logs, boot sector. Only its owner can enter it (mode 0700).
///
/// Dropping it removes it with everything in it, unless it was told to `keep`.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    kept: AtomicBool,
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !self.kept.load(Ordering::Relaxed) {
            // What cannot be removed stays.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

impl Directory {
    /// Make a new one under `$XDG_RUNTIME_DIR`, or the system's temporary directory if a socket's path would
    /// be too long there.
    pub fn create(name: &str) -> Result<Self> {
        let base = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let base = base.filter(|base| base.is_absolute() && base.as_os_str().len() <= BASE_BYTES);
        let base = base.unwrap_or_else(std::env::temp_dir);
        let short: String = name.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        tempfile::Builder::new()
            .prefix(&format!("qhop-{short}-"))
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&base)
            .map(|directory| Self { path: directory.keep(), kept: AtomicBool::new(false) })
            .map_err(|error| file_error("create a directory in", &base, &error))
    }

    /// The path of a file in it.
    #[must_use]
    pub fn join(&self, file: &str) -> PathBuf {
        self.path.join(file)
    }

    /// Write a file in it, whole.
    pub fn write(&self, file: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.join(file);
        fs::write(&path, bytes).map_err(|error| file_error("write", &path, &error))?;
        Ok(path)
    }

    /// Open a file in it for reading.
    pub fn open(&self, file: &str) -> Result<File> {
        let path = self.join(file);
        File::open(&path).map_err(|error| file_error("read", &path, &error))
    }

    /// Remove one file; one that is not there is fine.
    pub fn remove_file(&self, file: &str) {
        let _ = fs::remove_file(self.join(file));
    }

    /// Let it outlive this value.
    pub fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }

    /// What a file holds from byte `from` on; nothing if it is not there (yet).
    #[must_use]
    pub fn read_from(&self, file: &str, from: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Ok(mut file) = File::open(self.join(file)) {
            // What could be read before an error is still what the file holds.
            let _ = file.seek(SeekFrom::Start(from)).and_then(|_| file.read_to_end(&mut bytes));
        }
        bytes
    }

    /// The tail of a text file (64 KiB at most).
    #[must_use]
    pub fn tail(&self, file: &str) -> String {
        let length = fs::metadata(self.join(file)).map_or(0, |data| data.len());
        String::from_utf8_lossy(&self.read_from(file, length.saturating_sub(TAIL_BYTES))).into_owned()
    }
}

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
}

impl Process {
    /// Start `program` with its standard output and error appended to two files of `directory`.
    ///
    /// It gets a process group of its own, so that a terminal's Ctrl-C does not reach the guest, and
    /// no standard input. Must be called within the tokio runtime.
    pub fn start(program: &str, args: &[String], directory: &Directory) -> Result<Self> {
        let stdout = log_file(&directory.join("console"))?;
        let stderr = log_file(&directory.join("stderr"))?;
        let failed = |error| start_error(program, &error);
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .spawn()
            .map_err(failed)?;
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
        Ok(Self { pid, pidfd, ended, kept: AtomicBool::new(false) })
    }

    /// Hold a process that somebody else started. It is never killed on drop.
    #[must_use]
    pub fn attach(pid: Pid, pidfd: OwnedFd, watched: OwnedFd) -> Self {
        let (report, ended) = watch::channel(None);
        // A thread, since nothing tells the runtime of the end of a process that is no child. It goes with qhop.
        std::thread::spawn(move || {
            let mut end = [PollFd::new(&watched, PollFlags::IN)];
            while poll(&mut end, None) == Err(rustix::io::Errno::INTR) {}
            report.send_replace(Some("ended".to_owned()));
        });
        Self { pid, pidfd, ended, kept: AtomicBool::new(true) }
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
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// End it at once (`SIGKILL`).
    pub fn kill(&self) {
        self.signal(Signal::KILL);
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

    fn signal(&self, signal: Signal) {
        // A process that has ended already is what the caller wants.
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.is_kept() {
            self.kill();
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

fn file_error(operation: &'static str, path: &Path, error: &std::io::Error) -> Error {
    Error::File { operation, path: path.display().to_string(), cause: cause(error) }
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
