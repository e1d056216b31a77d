//! The record of a run: what is needed to say where every guest is, and to finish or undo a move, after qhop itself
//! has died at any moment.
//!
//! [`Record`] is what a run writes; [`Store`] is where the records are; [`Run`] is what one says. It knows no script
//! and no monitor: what it is given are lines. Each is one write(2), and none is synced: what survives qhop's death
//! is the page cache, and a host that goes down takes the guests with it, of which there is then nothing to recover.

mod exchange;
mod log;
pub mod run;
mod steps;
mod store;

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

pub use exchange::Exchange;
pub use run::Run;
pub use store::{Held, Store};

use crate::error::{Error, Result};
use log::Log;
use steps::Steps;

/// The steps after which the guest could be lost track of; they need to be on record. Nothing has been changed before them.
const FIRST_STEPS: [&str; 2] = ["plan", "agree"];
/// The record that a run keeps of itself. Cheap to clone; every clone is the same record.
#[derive(Debug, Clone)]
pub struct Record(Arc<Mutex<State>>);

#[derive(Debug)]
enum State {
    /// Its user does without.
    Off,
    /// Nothing has happened yet that is worth a file: a script that only computes leaves none.
    Ahead {
        title: String,
        lines: Vec<String>,
    },
    Open(Box<Files>),
    /// There is none, for this reason.
    Failed {
        cause: String,
        told: bool,
    },
    Over,
}

#[derive(Debug)]
struct Files {
    /// Holds the lock.
    _held: Held,
    steps: Steps,
    log: Log,
}

impl Record {
    /// None is kept.
    #[must_use]
    pub fn off() -> Self {
        State::Off.into()
    }

    /// One that begins with the first effect. `title` is the recipe, as its user named it.
    #[must_use]
    pub fn of(title: &str) -> Self {
        State::Ahead { title: title.to_owned(), lines: Vec::new() }.into()
    }

    /// Go on with the record of a run whose qhop has died.
    pub fn resume(held: Held) -> Result<Self> {
        let files = Files::open(held)?;
        let record = Self::from(State::Open(Box::new(files)));
        record.write(&json!({ "run": store::own_header("qhop recover") }));
        Ok(record)
    }

    /// Note what the script is about to do. Those that start or take hold of something begin the record.
    pub fn effect(&self, effect: &dyn Display, begins: bool) {
        let line = stamped(&json!({ "effect": effect.to_string() }));
        let mut state = self.state();
        if begins {
            state.begin();
        }
        match &mut *state {
            State::Ahead { lines, .. } => lines.push(line),
            State::Open(files) => files.log.write(&line),
            _ => {}
        }
    }

    /// Note a QEMU: what it is and where it can be reached.
    pub fn vm(&self, vm: &Value) {
        self.write(&json!({ "vm": vm }));
    }

    /// Note a step before it is taken.
    ///
    /// # Errors
    /// `Record` for a step that nothing was changed before, if it cannot be noted, or if there is not the space to
    /// note those that follow it.
    pub fn step(&self, name: &str, details: &Value) -> Result<()> {
        let line = stamped(&json!({ "step": name, "details": details }));
        let mut state = self.state();
        state.begin();
        let written = match &mut *state {
            State::Off | State::Over | State::Ahead { .. } => Ok(()),
            State::Open(files) if FIRST_STEPS.contains(&name) => files.steps.write_first(&line),
            State::Open(files) => files.steps.write(&line),
            State::Failed { cause, .. } => Err(cause.clone()),
        };
        match written {
            Err(cause) if FIRST_STEPS.contains(&name) => Err(Error::Record { cause }),
            _ => Ok(()),
        }
    }

    /// Note an exchange after it. Best effort: where there is no space, it is not noted.
    pub fn exchange(&self, vm: &str, exchange: Exchange) {
        if let State::Open(files) = &mut *self.state() {
            files.log.write(&exchange.line(vm));
        }
    }

    /// The run is over; `how` says how.
    pub fn end(&self, how: &str) {
        let mut state = self.state();
        if let State::Open(files) = &mut *state {
            // Without it, the next qhop would only look in vain.
            let _ = files.steps.write(&stamped(&json!({ "end": how })));
            files.steps.trim();
        }
        *state = State::Over;
    }

    /// Why there is none, the first time that this is asked.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        match &mut *self.state() {
            State::Failed { cause, told } if !*told => {
                *told = true;
                Some(format!("this run keeps no record: {cause}"))
            }
            _ => None,
        }
    }

    fn write(&self, line: &Value) {
        if let State::Open(files) = &mut *self.state() {
            // A step that needs it looks for the space first.
            let _ = files.steps.write(&stamped(line));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<State> for Record {
    fn from(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }
}

impl State {
    /// Make the files, if that is still to be done.
    fn begin(&mut self) {
        let Self::Ahead { title, lines } = self else { return };
        let made = Store::find().and_then(|store| store.create(title)).and_then(Files::open);
        *self = match made {
            Ok(mut files) => {
                for line in lines.iter() {
                    files.log.write(line);
                }
                Self::Open(Box::new(files))
            }
            Err(Error::Record { cause }) => Self::Failed { cause, told: false },
            Err(error) => Self::Failed { cause: error.to_string(), told: false },
        };
    }
}

impl Files {
    fn open(held: Held) -> Result<Self> {
        let steps = Steps::open(held.steps())?;
        let log = Log::open(held.log());
        Ok(Self { _held: held, steps, log })
    }
}

/// One line: what is noted, with the time, in milliseconds since 1970, in front.
fn stamped(noted: &Value) -> String {
    let text = noted.to_string();
    format!("{{\"at\":{},{}\n", milliseconds(), text.strip_prefix('{').unwrap_or_default())
}

fn milliseconds() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_effects_leaves_no_record() {
        let record = Record::of("test");
        record.effect(&"read a file", false);
        record.end("ok");
        assert_eq!(record.complaint(), None);
    }
}
