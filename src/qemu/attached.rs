//! A QEMU that somebody else started, found by its process id: what the system knows of it.
//!
//! Reads `/proc` and changes nothing. It does not connect to a monitor; it says where they are.

mod entry;
mod holder;
mod listener;
mod program;
mod reach;
pub mod sockets;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::process::Pid;

use crate::error::{Error, Result};
use crate::qemu::arguments::Arguments;
use crate::qemu::arguments::descriptors::{Passed, passed};
use entry::{Entry, status_line};

pub use holder::Holder;
pub use listener::{is_taken, listener};
pub use program::Program;

/// A running QEMU.
///
/// What another user's process hides is `None`, and named in `unreadable`.
#[derive(Debug)]
pub struct Attached {
    /// Its file.
    pub program: Program,
    /// Every word of its command line, the program's own name included.
    pub words: Vec<String>,
    /// QEMU's arguments with every `-readconfig` file expanded that still can be read.
    pub args: Arguments,
    /// The effective user's id.
    pub uid: u32,
    /// The effective group's id.
    pub gid: u32,
    /// The user's name, if `/etc/passwd` has it.
    pub user: Option<String>,
    /// The control group (of version 2, else of the `memory` controller): `/machine.slice/…`.
    pub cgroup: Option<String>,
    /// Its working directory: where the relative paths of its command line lead, unless it went into the background.
    pub directory: Option<PathBuf>,
    /// Its environment, as `NAME=value`.
    pub environment: Option<Vec<String>>,
    /// Its open files by number: a path, or `socket:[123]`.
    pub descriptors: Option<BTreeMap<u32, PathBuf>>,
    /// The descriptors that its command line names.
    pub passed: Vec<Passed>,
    /// When it started, in clock ticks since the host's start: with the pid, an identity that is never used again.
    pub started: u64,
    /// The files of `/proc/PID` that could not be read: `exe`, `cwd`, `environ`, `fd`.
    pub unreadable: Vec<&'static str>,
    entry: Entry,
}

impl Attached {
    /// Take a look at a process.
    ///
    /// # Errors
    /// `Attach` if there is no such process, it is no QEMU, or it ends meanwhile.
    pub fn to(pid: i64) -> Result<Self> {
        let error = |cause: String, hint: String| Error::Attach { pid, cause, hint };
        let entry = open(pid).map_err(|(cause, hint)| error(cause, hint))?;
        let looked = look(entry).map_err(|(entry, cause, hint)| {
            // Whatever was missing, the reason is that it has gone.
            if entry.is_alive() {
                error(cause, hint)
            } else {
                error("it has ended".to_owned(), String::new())
            }
        })?;
        if looked.is_alive() { Ok(looked) } else { Err(error("it has ended".to_owned(), String::new())) }
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.entry.pid()
    }

    /// Whether it has not ended yet.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.entry.is_alive()
    }

    /// Keep nothing but the process's descriptor: signals go to it and to no other.
    #[must_use]
    pub fn into_pidfd(self) -> std::os::fd::OwnedFd {
        self.entry.into_pidfd()
    }

    /// A path of its command line as it can be opened from here.
    #[must_use]
    pub fn path(&self, path: &Path) -> PathBuf {
        path_of(&self.entry, &self.base(), path)
    }

    /// Where its relative paths lead. A QEMU that went into the background is in `/`, whatever it was started in.
    fn base(&self) -> PathBuf {
        base(&self.entry, &self.args, self.environment.as_deref())
    }
}

/// When a process started, in clock ticks since the host's start; `None` if it has ended.
#[must_use]
pub fn started(pid: u32) -> Option<u64> {
    let entry = Entry::open(i32::try_from(pid).ok().and_then(Pid::from_raw)?).ok()?;
    entry.started().filter(|_| entry.is_alive())
}

/// The process that has started this one and has not ended since.
#[must_use]
pub fn started_by(pid: u32) -> Option<u32> {
    Entry::open(i32::try_from(pid).ok().and_then(Pid::from_raw)?).ok()?.parent()
}

type Refusal = (String, String);

fn open(pid: i64) -> std::result::Result<Entry, Refusal> {
    let refuse = |cause: String| Err((cause, String::new()));
    let Some(id) = i32::try_from(pid).ok().filter(|id| *id > 0).and_then(Pid::from_raw) else {
        return refuse("that is no process id".to_owned());
    };
    // As in a new pid namespace without a `/proc` of its own: signals would go to other processes than those shown.
    if fs::read_link("/proc/self").is_ok_and(|own| own.as_os_str() != std::process::id().to_string().as_str())
    {
        return Err((
            "`/proc` shows the processes of another pid namespace".to_owned(),
            "attach to its monitor, or mount `/proc` anew".to_owned(),
        ));
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status"));
    let line = |key: &str| status_line(status.as_deref().unwrap_or_default(), key);
    if line("State").is_some_and(|state| state.starts_with(['Z', 'X'])) {
        return refuse("it has ended, and waits for its parent to notice (a zombie)".to_owned());
    }
    if let Some(process) = line("Tgid")
        && process != pid.to_string()
    {
        return Err((
            format!("that is a thread of process {process}"),
            format!("attach to the process: `attach({process})`"),
        ));
    }
    match (Entry::open(id), status) {
        (Ok(entry), Ok(_)) => Ok(entry),
        // `hidepid`: the process is there, and its directory is not.
        (Ok(entry), Err(_)) if entry.is_alive() => Err((
            "the system hides the processes of other users".to_owned(),
            "attach to its monitor, or become its user".to_owned(),
        )),
        (Err(error), _)
            if !matches!(error.kind(), ErrorKind::NotFound) && error.raw_os_error() != Some(3) =>
        {
            refuse(crate::qemu::process::cause(&error))
        }
        _ => refuse("there is no such process".to_owned()),
    }
}

fn look(entry: Entry) -> std::result::Result<Attached, (Entry, String, String)> {
    let words = entry.words("cmdline").unwrap_or_default();
    let program = match program::identify(&entry, &words) {
        Ok(program) => program,
        Err(cause) => {
            let hint = child(&entry)
                .map_or_else(String::new, |pid| format!("it has started a QEMU: `attach({pid})`"));
            return Err((entry, cause, hint));
        }
    };
    let args = Arguments::parse(words.get(program.words..).unwrap_or_default());
    let environment = entry.words("environ");
    let base = base(&entry, &args, environment.as_deref());
    let read = |file: &str| configuration(&path_of(&entry, &base, Path::new(file)));
    let args = match args.expanded(read) {
        Ok(args) => args,
        // The file is another one by now: QEMU has read what it needed.
        Err(_) => args,
    };
    let id = |key: &str| entry.status(key).and_then(|ids| ids.split_whitespace().nth(1)?.parse().ok());
    let (Some(uid), Some(gid), Some(started)) = (id("Uid"), id("Gid"), entry.started()) else {
        return Err((entry, "its state cannot be read".to_owned(), String::new()));
    };
    let directory = entry.link("cwd");
    let descriptors = entry.descriptors();
    let seen = [
        ("exe", program.image.is_some()),
        ("cwd", directory.is_some()),
        ("environ", environment.is_some()),
        ("fd", descriptors.is_some()),
    ];
    Ok(Attached {
        passed: passed(&args),
        program,
        words,
        args,
        uid,
        gid,
        user: user(uid),
        cgroup: entry.text("cgroup").and_then(|text| cgroup(&text)),
        directory,
        environment,
        descriptors,
        started,
        unreadable: seen.iter().filter(|(_, seen)| !seen).map(|(name, _)| *name).collect(),
        entry,
    })
}

/// The text of a `-readconfig` file. What is no file is not read: a pipe would be emptied, and a descriptor
/// (`/dev/fd/63`) is QEMU's, not ours.
fn configuration(path: &Path) -> Option<String> {
    const LONGEST: u64 = 1 << 20;
    let is_ours = path.starts_with("/dev/fd") || path.starts_with("/proc/self");
    let data = fs::metadata(path).ok().filter(|data| !is_ours && data.is_file() && data.len() <= LONGEST)?;
    fs::read_to_string(path).ok().filter(|text| text.len() as u64 <= data.len())
}

/// The QEMU that a shell or a `sudo` has started, a few generations down.
fn child(entry: &Entry) -> Option<Pid> {
    const GENERATIONS: usize = 4;
    let mut parents = entry.children();
    for _ in 0..GENERATIONS {
        let entries: Vec<Entry> = parents.iter().filter_map(|pid| Entry::open(*pid).ok()).collect();
        let is_qemu = |entry: &&Entry| {
            entry.words("cmdline").is_some_and(|words| program::identify(entry, &words).is_ok())
        };
        if let Some(qemu) = entries.iter().find(is_qemu) {
            return Some(qemu.pid());
        }
        parents = entries.iter().flat_map(Entry::children).collect();
    }
    None
}

fn base(entry: &Entry, args: &Arguments, environment: Option<&[String]>) -> PathBuf {
    let link = entry.path("cwd");
    if !args.has("daemonize") {
        return entry.link("cwd").unwrap_or(link);
    }
    let started_in = || environment?.iter().find_map(|line| line.strip_prefix("PWD=")).map(PathBuf::from);
    // It keeps its pid file open. `PWD` is what its parent has said, if that was a shell.
    pid_file_directory(entry, args).or_else(started_in).unwrap_or(link)
}

/// The directory that a relative `-pidfile` was found in.
fn pid_file_directory(entry: &Entry, args: &Arguments) -> Option<PathBuf> {
    let relative = Path::new(args.text("pidfile")?);
    let depth = relative.components().count();
    let open =
        entry.descriptors()?.into_values().find(|open| relative.is_relative() && open.ends_with(relative))?;
    open.ancestors().nth(depth).map(Path::to_owned)
}

fn path_of(entry: &Entry, base: &Path, path: &Path) -> PathBuf {
    let whole = base.join(path);
    match whole.strip_prefix("/") {
        // Another container's files are reached through its root.
        Ok(inner) if !entry.shares("mnt") && !whole.starts_with(entry.path("")) => {
            entry.path("root").join(inner)
        }
        _ => whole,
    }
}

/// The path of the line `0::/path`, or of the `memory` line where version 1 is in charge.
fn cgroup(text: &str) -> Option<String> {
    let path = |wanted: &dyn Fn(&str) -> bool| {
        text.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            (wanted(controllers)).then(|| path.to_owned())
        })
    };
    let unified = path(&str::is_empty);
    let memory = path(&|controllers| controllers.split(',').any(|name| name == "memory"));
    memory.or(unified)
}

fn user(uid: u32) -> Option<String> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id.parse() == Ok(uid)).then(|| name.to_owned())
    })
}
