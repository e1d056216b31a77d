//! A guest's heartbeat as its console shows it: the gap that a migration tears into it is the blackout that the guest
//! itself has seen.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::Vm;
use crate::error::{Error, Result};

/// How often the consoles are looked at: the gap's precision.
const INTERVAL: Duration = Duration::from_millis(1);

/// Watches consoles for a text for as long as somebody holds it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pulse(Arc<Watch>);

#[derive(Debug)]
struct Watch {
    felt: Arc<Mutex<Felt>>,
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What was seen so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Felt {
    /// How often the text came.
    pub beats: u64,
    /// The longest time between two of them, the one after the last included.
    pub longest: Duration,
    /// When that began.
    pub since: Option<Instant>,
    last: Option<Instant>,
}

impl Felt {
    fn beat(&mut self, now: Instant) {
        (self.longest, self.since) = self.longest_until(now);
        self.beats += 1;
        self.last = Some(now);
    }

    fn longest_until(&self, now: Instant) -> (Duration, Option<Instant>) {
        match self.last {
            Some(last) if now - last > self.longest => (now - last, Some(last)),
            _ => (self.longest, self.since),
        }
    }
}

/// Where a guest says that it lives.
#[derive(Debug, Clone)]
pub enum Line {
    /// The console of a QEMU that `launch` has started.
    Console(Vm),
    /// The file that QEMU writes a serial or virtio-serial line of the guest into.
    File(PathBuf),
}

impl Line {
    fn open(&self) -> Result<Console> {
        match self {
            Self::Console(vm) => {
                let stream = vm.0.directory.as_ref().and_then(|directory| directory.open("console").ok());
                let console = stream.and_then(|stream| Console::open(stream).ok());
                console.ok_or_else(|| argument(format!("the console of vm `{}` is not known", vm.name())))
            }
            Self::File(path) => {
                let cannot =
                    |cause: String| argument(format!("`{}` cannot be watched: {cause}", path.display()));
                // Opened, a pipe would wait for its writer, and a terminal's line would be taken from its reader.
                let data = std::fs::metadata(path).map_err(|error| cannot(error.to_string()))?;
                if !data.is_file() {
                    return Err(cannot("it is not a regular file".to_owned()));
                }
                File::open(path).and_then(Console::open).map_err(|error| cannot(error.to_string()))
            }
        }
    }
}

fn argument(cause: String) -> Error {
    let hint = "a serial line into a file is watched by its path".to_owned();
    Error::Argument { function: "pulse".to_owned(), cause, hint }
}

impl Pulse {
    /// Watch these lines for `text`, from now on. Must be called within the runtime.
    ///
    /// # Errors
    /// `Argument` if one of them is not kept in a file, or `text` is empty.
    pub fn of(lines: &[Line], text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(argument("the text that is a beat is empty".to_owned()));
        }
        let mut consoles = Vec::new();
        for line in lines {
            let console = line.open()?;
            // A target continues the console of its source.
            if !consoles.iter().any(|other: &Console| other.file == console.file) {
                consoles.push(console);
            }
        }
        let felt = Arc::new(Mutex::new(Felt::default()));
        let (seen, text) = (felt.clone(), text.to_owned());
        let task = tokio::spawn(async move {
            let mut ticks = interval(INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let beats: usize = consoles.iter_mut().map(|console| console.count(text.as_bytes())).sum();
                if beats > 0 {
                    let mut felt = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    let now = Instant::now();
                    (0..beats).for_each(|_| felt.beat(now));
                }
            }
        });
        Ok(Self(Arc::new(Watch { felt, task })))
    }

    /// What was seen so far.
    #[must_use]
    pub fn felt(&self) -> Felt {
        let felt = *self.0.felt.lock().unwrap_or_else(PoisonError::into_inner);
        let (longest, since) = felt.longest_until(Instant::now());
        Felt { longest, since, ..felt }
    }
}

#[derive(Debug)]
struct Console {
    stream: File,
    /// Device and inode.
    file: (u64, u64),
    /// What may be the beginning of a beat.
    rest: Vec<u8>,
}

impl Console {
    fn open(mut stream: File) -> std::io::Result<Self> {
        let data = stream.metadata()?;
        stream.seek(SeekFrom::End(0))?;
        Ok(Self { stream, file: (data.dev(), data.ino()), rest: Vec::new() })
    }

    /// How many beats are new.
    fn count(&mut self, text: &[u8]) -> usize {
        // What could be read before an error counts.
        if !matches!(self.stream.read_to_end(&mut self.rest), Ok(read) if read > 0) {
            return 0;
        }
        let mut beats = 0;
        while let Some(at) = self.rest.windows(text.len()).position(|window| window == text) {
            self.rest.drain(..at + text.len());
            beats += 1;
        }
        let keep = self.rest.len().min(text.len() - 1);
        self.rest.drain(..self.rest.len() - keep);
        beats
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn beats_are_counted_wherever_they_are_cut() {
        let mut writer = tempfile::NamedTempFile::new().unwrap();
        writer.write_all(b"beat before").unwrap();
        let mut console = Console::open(writer.reopen().unwrap()).unwrap();
        for (said, beats) in [("be", 0), ("at 1\nbeat", 2), ("", 0), (" 2\nbea", 0), ("beat", 1)] {
            writer.write_all(said.as_bytes()).unwrap();
            assert_eq!(console.count(b"beat"), beats, "{said}");
        }
    }

    #[test]
    fn the_longest_gap_is_kept() {
        let start = Instant::now();
        let mut felt = Felt::default();
        assert_eq!(felt.longest_until(start), (Duration::ZERO, None));
        for at in [0, 10, 40, 50] {
            felt.beat(start + Duration::from_millis(at));
        }
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!((felt.beats, felt.longest, felt.since), (4, Duration::from_millis(30), Some(at(10))));
        assert_eq!(felt.longest_until(at(90)), (Duration::from_millis(40), Some(at(50))));
    }
}
