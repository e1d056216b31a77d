//! The progress of migrations on a terminal: a line for each at the bottom, which makes way for every other line and is
//! gone without a trace at the end. In a session, it is there only while an entry runs.
//!
//! It is drawn on a thread of its own: a terminal that somebody has stopped must not stop the run.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write, stderr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::termios::tcgetwinsize;

use crate::migration::sample::Sample;
use crate::onlooker::Told;
use crate::report::progress::line;
use crate::script::diagnostic::visible;

/// How often it is drawn; a migration that is over sooner is not shown at all.
const INTERVAL: Duration = Duration::from_millis(200);

/// Cheap to clone; every clone is the same lines.
#[derive(Clone)]
pub struct Progress(Option<Arc<Inner>>);

#[derive(Default)]
struct Inner {
    known: Mutex<Known>,
    terminal: Mutex<Terminal>,
}

#[derive(Default)]
struct Known {
    names: Vec<String>,
    /// The migrations that go on, by the number of their source.
    courses: BTreeMap<usize, Course>,
}

struct Course {
    since: Instant,
    first: Sample,
    line: String,
}

#[derive(Default)]
struct Terminal {
    /// How many lines are on it.
    drawn: usize,
    /// Whether it is somebody else's for the time being.
    paused: bool,
    over: bool,
}

impl Progress {
    /// Shown where people look on; nowhere else.
    #[must_use]
    pub fn new(for_people: bool) -> Self {
        let capable = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        if !for_people || !stderr().is_terminal() || !capable {
            return Self(None);
        }
        let inner = Arc::<Inner>::default();
        let drawn = inner.clone();
        std::thread::spawn(move || {
            while drawn.draw() {
                std::thread::sleep(INTERVAL);
            }
        });
        Self(Some(inner))
    }

    /// Shown nowhere.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Whether there is anybody to see it.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The sources of the migrations that go on.
    #[must_use]
    pub fn on_their_way(&self) -> Vec<String> {
        let Some(inner) = &self.0 else { return Vec::new() };
        let known = lock(&inner.known);
        known.courses.keys().filter_map(|id| known.names.get(*id).cloned()).collect()
    }

    /// Something has happened.
    pub fn hear(&self, told: &Told) {
        let Some(inner) = &self.0 else { return };
        let mut known = lock(&inner.known);
        match told {
            Told::Vm(vm) => known.names.push(visible(vm.name()).replace('\n', " ")),
            Told::Sample(id, sample) if !sample.is_over() => known.sample(*id, sample),
            Told::Sample(id, _) | Told::Sampled(id) | Told::Farewell(id, _) => {
                known.courses.remove(id);
            }
            Told::Exchange(..) | Told::Step(..) | Told::Effect(_) | Told::Gap(..) => {}
        }
    }

    /// Write something else to the terminal, above it.
    pub fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        let Some(inner) = &self.0 else { return write() };
        let mut terminal = lock(&inner.terminal);
        terminal.clear();
        write()
    }

    /// Write something else, unless the terminal is somebody else's, who may not take it at once.
    pub fn above_if_shown<T>(&self, write: impl FnOnce() -> T) -> Option<T> {
        let mut terminal = lock(&self.0.as_ref()?.terminal);
        if terminal.paused {
            return None;
        }
        terminal.clear();
        Some(write())
    }

    /// Leave the terminal to somebody else, or take it again.
    pub fn pause(&self, paused: bool) {
        let Some(inner) = &self.0 else { return };
        let mut terminal = lock(&inner.terminal);
        terminal.clear();
        terminal.paused = paused;
    }

    /// It is over.
    pub fn end(&self) {
        let Some(inner) = &self.0 else { return };
        let mut terminal = lock(&inner.terminal);
        terminal.clear();
        terminal.over = true;
    }
}

impl Known {
    fn sample(&mut self, id: usize, sample: &Sample) {
        let name = self.names.get(id).map_or("", String::as_str);
        let course = self.courses.entry(id).or_insert_with(|| Course {
            since: Instant::now(),
            first: sample.clone(),
            line: String::new(),
        });
        course.line = line(name, sample, Some(&course.first));
    }
}

impl Inner {
    /// Draw what is known by now; `false` once it is over.
    fn draw(&self) -> bool {
        let mut terminal = lock(&self.terminal);
        let known = lock(&self.known);
        let lines = known.courses.values().filter(|course| course.since.elapsed() >= INTERVAL);
        let lines: Vec<String> = lines.map(|course| course.line.clone()).collect();
        drop(known);
        terminal.draw(&lines);
        !terminal.over
    }
}

impl Terminal {
    fn draw(&mut self, lines: &[String]) {
        if self.over || self.paused || (lines.is_empty() && self.drawn == 0) {
            return;
        }
        self.clear();
        let columns = tcgetwinsize(stderr()).map_or(0, |size| usize::from(size.ws_col));
        let columns = if columns == 0 { 80 } else { columns };
        // One that is wider than the terminal could not be taken back.
        let lines: Vec<String> = lines.iter().map(|line| line.chars().take(columns - 1).collect()).collect();
        let _ = write!(stderr(), "{}", lines.join("\n"));
        self.drawn = lines.len();
    }

    fn clear(&mut self) {
        if self.drawn > 0 {
            let _ = write!(stderr(), "\r\x1b[2K{}", "\x1b[1A\x1b[2K".repeat(self.drawn - 1));
            self.drawn = 0;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `-v` tells, above the progress.
pub struct Above(Progress);

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.above(|| stderr().write_all(bytes)).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Progress {
    type Writer = Above;

    fn make_writer(&'a self) -> Above {
        Above(self.clone())
    }
}
