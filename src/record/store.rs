//! Where the records are: a directory for each run below the user's state directory, which only its owner can enter.
//!
//! A qhop holds a lock on the record that it writes for as long as it lives, so that no two write one. A record that has
//! no end, and whose qhop does not live, is that of a qhop that died.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};

use super::Run;
use super::steps::Steps;
use crate::error::{Error, Result};
use crate::places;
use crate::qemu::attached::started;
use crate::qemu::process::cause;

/// How many records of runs that have ended are kept.
const KEPT: usize = 50;

/// The directory of all records.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
}

/// The record of one run, locked: nobody else writes it.
#[derive(Debug)]
pub struct Held {
    steps: PathBuf,
    log: PathBuf,
    /// The lock is the open file's.
    _lock: File,
}

impl Store {
    /// The user's: `$XDG_STATE_HOME/qhop/runs`, or `~/.local/state/qhop/runs`.
    ///
    /// # Errors
    /// `Record` if neither variable is set.
    pub fn find() -> Result<Self> {
        let unset = || Error::Record { cause: "neither `XDG_STATE_HOME` nor `HOME` is set".to_owned() };
        let state = places::state().ok_or_else(unset)?;
        Ok(Self { directory: state.join("qhop/runs") })
    }

    /// Begin the record of this run, and let go of the oldest ones.
    ///
    /// # Errors
    /// `Record` if it cannot be written.
    pub fn create(&self, title: &str) -> Result<Held> {
        make(&self.directory, true).map_err(|error| failed(&self.directory, &error))?;
        self.prune();
        let name = name();
        for attempt in 0_u32.. {
            let directory =
                self.directory.join(if attempt == 0 { name.clone() } else { format!("{name}-{attempt}") });
            match make(&directory, false) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(failed(&directory, &error)),
            }
            let begun = begin(&directory, title);
            if begun.is_err() {
                let _ = fs::remove_dir_all(&directory);
            }
            return begun;
        }
        Err(Error::Record { cause: "there are too many".to_owned() })
    }

    /// The runs that there are records of, the oldest first.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        self.names().into_iter().filter_map(|name| self.run(&name)).collect()
    }

    /// The runs of this host that did not come to their end, and do not go on, either.
    #[must_use]
    pub fn undone(&self) -> Vec<Run> {
        self.runs().into_iter().filter(|run| run.is_of_this_host() && !run.is_over() && !run.lives).collect()
    }

    /// What the record of that name says.
    #[must_use]
    pub fn run(&self, name: &str) -> Option<Run> {
        let bytes = fs::read(self.directory.join(name).join("steps")).ok()?;
        let mut run = Run::read(name, &String::from_utf8_lossy(&bytes))?;
        run.lives = run.end.is_none()
            && run.started.is_some()
            && run.is_of_this_boot()
            && run.started == started(run.pid);
        Some(run)
    }

    /// Take over the record of a qhop that has died. `None` if another one writes it.
    ///
    /// # Errors
    /// `Record` if it cannot be opened.
    pub fn hold(&self, name: &str) -> Result<Option<Held>> {
        let directory = self.directory.join(name);
        lock(&directory).map_err(|error| failed(&directory, &error))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        // Their names begin with the time.
        names.sort();
        names
    }

    /// Remove the oldest records of runs that have ended. What was left undone is needed until somebody has
    /// recovered it.
    fn prune(&self) {
        let names = self.names();
        let oldest = &names[..names.len().saturating_sub(KEPT)];
        for name in oldest {
            if self.run(name).is_some_and(|run| run.is_over()) {
                let _ = fs::remove_dir_all(self.directory.join(name));
            }
        }
    }
}

impl Held {
    /// The file of what must not fail.
    #[must_use]
    pub fn steps(&self) -> &Path {
        &self.steps
    }

    /// The file of what may have gaps.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }
}

/// What a record begins with, and goes on with when another qhop takes it over.
#[must_use]
pub fn own_header(title: &str) -> Value {
    let pid = std::process::id();
    json!({ "title": title, "pid": pid, "started": started(pid), "boot": kernel("random/boot_id"), "host": kernel("hostname") })
}

impl Run {
    /// Whether it was on this host.
    #[must_use]
    pub fn is_of_this_host(&self) -> bool {
        self.host == kernel("hostname")
    }

    /// Whether the host was not started anew since: process ids and start times say nothing beyond that.
    #[must_use]
    pub fn is_of_this_boot(&self) -> bool {
        self.is_of_this_host() && self.boot == kernel("random/boot_id")
    }
}

fn kernel(file: &str) -> String {
    fs::read_to_string(format!("/proc/sys/kernel/{file}")).unwrap_or_default().trim().to_owned()
}

fn begin(directory: &Path, title: &str) -> Result<Held> {
    let steps = directory.join("steps");
    let made = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&steps);
    made.map_err(|error| failed(directory, &error))?;
    let Some(held) = lock(directory).map_err(|error| failed(directory, &error))? else {
        return Err(Error::Record { cause: format!("another qhop holds `{}`", directory.display()) });
    };
    let mut file = Steps::open(&held.steps)?;
    let header = super::stamped(&json!({ "run": own_header(title) }));
    file.write(&header).map_err(|cause| Error::Record { cause })?;
    Ok(held)
}

fn lock(directory: &Path) -> io::Result<Option<Held>> {
    let steps = directory.join("steps");
    let file = OpenOptions::new().append(true).open(&steps)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    Ok(Some(Held { steps, log: directory.join("log"), _lock: file }))
}

fn make(directory: &Path, parents: bool) -> io::Result<()> {
    DirBuilder::new().recursive(parents).mode(0o700).create(directory)
}

fn failed(directory: &Path, error: &io::Error) -> Error {
    Error::Record { cause: format!("cannot write to `{}`: {}", directory.display(), cause(error)) }
}

/// A name that sorts by time: `20261123-043012-4711`, in UTC, with the process id.
fn name() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}-{}", std::process::id())
}

/// The date so many days after 1 January 1970, by the Gregorian calendar of 400 years of 146,097 days.
fn date(days: u64) -> (u64, u64, u64) {
    // Counted from 1 March of the year 0, the day that may be added is the last of a year.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store { directory: directory.path().join("qhop/runs") };
        (directory, store)
    }

    fn end(held: &Held) {
        let mut steps = Steps::open(held.steps()).unwrap();
        steps.write("{\"end\":\"done\"}\n").unwrap();
        steps.trim();
    }

    #[test]
    fn days_are_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_780), (2026, 11, 23));
        assert_eq!(date(20_818), (2026, 12, 31));
    }

    #[test]
    fn a_record_is_its_owners_and_locked_while_it_is_written() {
        use std::os::unix::fs::PermissionsExt;
        let (_guard, store) = store();
        let held = store.create("test.rhai").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(held.steps().parent().unwrap()), mode(held.steps())), (0o700, 0o600));
        let [run] = &store.runs()[..] else { panic!("one run") };
        assert_eq!((run.title.as_str(), run.lives, run.pid), ("test.rhai", true, std::process::id()));
        assert!(store.hold(&run.name).unwrap().is_none());
        drop(held);
        assert!(store.hold(&run.name).unwrap().is_some());
    }

    #[test]
    fn the_oldest_that_have_ended_go() {
        let (_guard, store) = store();
        let first = store.create("never ended").unwrap();
        drop(first);
        for _ in 0..KEPT + 5 {
            end(&store.create("ended").unwrap());
        }
        let runs = store.runs();
        assert!(runs.len() <= KEPT + 2, "{} are left", runs.len());
        assert!(runs.iter().any(|run| run.title == "never ended"), "one that did not end stays");
    }

    #[test]
    fn space_is_set_aside_and_given_back() {
        use std::os::unix::fs::MetadataExt;
        let (_guard, store) = store();
        let held = store.create("test.rhai").unwrap();
        let blocks = || fs::metadata(held.steps()).unwrap().blocks() * 512;
        let before = blocks();
        end(&held);
        assert!(before >= 32 << 10 && blocks() <= 8 << 10, "{before} bytes before, {} after", blocks());
    }
}
