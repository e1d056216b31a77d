//! What is kept of a run for its report: who was there, what was said, the moments and figures of migrations.
//!
//! Bounded: of what is too much, the first and the last is kept, and how much was left out.

use std::collections::VecDeque;
use std::time::SystemTime;

use serde_json::Value;

use crate::migration::sample::Sample;
use crate::onlooker::{Told, milliseconds, starts_migration};
use crate::record::Exchange;
use crate::vm::Vm;

/// How many lines are kept from the start of a run, and how many from its end.
const FIRST: usize = 400;
const LAST: usize = 800;
/// How many moments are kept: a migration has about ten.
const MOMENTS: usize = 4000;
/// How many figures of one `Vm` are kept; of more, every second one.
const SAMPLES: usize = 2000;
/// How many bytes of what a QEMU and its guest have written are kept, from the end.
const WRITTEN: usize = 8 << 10;

/// How a run ended.
#[derive(Debug, Clone)]
pub enum Ending {
    /// Well; its value, if it has one.
    Well(String),
    /// By `exit(code)` or `skip(reason)`, in words.
    Early(String),
    /// Badly: the error as it is shown to people, and the exit code.
    Badly(String, u8),
}

/// What is kept.
#[derive(Debug)]
pub struct Account {
    pub title: String,
    pub recipe: String,
    /// Milliseconds since 1970, as all times here.
    pub start: f64,
    pub guests: Vec<Guest>,
    pub lines: Lines,
    pub moments: Vec<Moment>,
    /// The migrations that were begun: by which `Vm`, and when.
    pub begun: Vec<(usize, f64)>,
    pub gaps: Vec<(f64, f64)>,
}

/// A QEMU of the run.
#[derive(Debug, Default, Clone)]
pub struct Guest {
    pub name: String,
    pub pid: Option<u32>,
    pub qemu: String,
    pub version: String,
    pub machine: String,
    pub args: Vec<String>,
    pub stderr: String,
    pub console: String,
    /// How it ended, once it is known.
    pub ended: Option<String>,
    pub samples: Vec<Sample>,
}

/// Something that a QEMU reported and a timeline shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    pub guest: usize,
    pub at: f64,
    /// The event's name.
    pub name: String,
    /// The status of a `MIGRATION`.
    pub status: String,
}

/// A line of what has happened.
#[derive(Debug, Clone)]
pub struct Line {
    pub at: f64,
    pub what: What,
}

/// What has happened.
#[derive(Debug, Clone)]
pub enum What {
    Effect(String),
    Step(String, Value),
    Printed(String),
    /// With a `Vm`: as a line of the record, secrets left out and long replies cut.
    Exchange(usize, String),
}

/// The first and the last lines.
#[derive(Debug, Default)]
pub struct Lines {
    first: Vec<Line>,
    last: VecDeque<Line>,
    pub left_out: usize,
}

impl Lines {
    pub(super) fn push(&mut self, line: Line) {
        if self.first.len() < FIRST {
            self.first.push(line);
            return;
        }
        if self.last.len() == LAST {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(line);
    }

    /// The first ones.
    pub fn first(&self) -> &[Line] {
        &self.first
    }

    /// Those after which nothing was left out.
    pub fn last(&self) -> impl Iterator<Item = &Line> {
        self.last.iter()
    }

    pub fn all(&self) -> impl Iterator<Item = &Line> {
        self.first.iter().chain(&self.last)
    }
}

impl Account {
    pub fn new(title: &str, recipe: &str) -> Self {
        Self {
            title: title.to_owned(),
            recipe: recipe.to_owned(),
            start: now(),
            guests: Vec::new(),
            lines: Lines::default(),
            moments: Vec::new(),
            begun: Vec::new(),
            gaps: Vec::new(),
        }
    }

    pub fn hear(&mut self, told: &Told) {
        match told {
            Told::Vm(vm) => self.guests.push(Guest {
                name: vm.name().to_owned(),
                pid: vm.pid(),
                qemu: vm.qemu().to_owned(),
                version: vm.version().to_owned(),
                machine: vm.machine().to_owned(),
                args: vm.args().to_vec(),
                ..Guest::default()
            }),
            Told::Farewell(id, vm) => self.farewell(*id, vm),
            Told::Exchange(id, exchange) => self.exchange(*id, *exchange),
            Told::Sample(id, sample) => self.sample(*id, (*sample).clone()),
            Told::Sampled(_) => {}
            Told::Step(name, details) => self.note(What::Step((*name).to_owned(), (*details).clone())),
            Told::Effect(effect) => self.note(What::Effect((*effect).to_owned())),
            Told::Gap(since, length) => {
                let since = milliseconds(*since);
                let gap = (since, since + length.as_secs_f64() * 1e3);
                // A pulse can be asked often.
                if self.gaps.last() != Some(&gap) && self.gaps.len() < MOMENTS {
                    self.gaps.push(gap);
                }
            }
        }
    }

    pub fn said(&mut self, line: &str) {
        self.note(What::Printed(cut(line, WRITTEN).to_owned()));
    }

    fn farewell(&mut self, id: usize, vm: &Vm) {
        let Some(guest) = self.guests.get_mut(id) else { return };
        guest.stderr = tail(vm.stderr());
        guest.console = tail(vm.console());
        guest.ended = vm.ended();
    }

    fn exchange(&mut self, id: usize, exchange: Exchange) {
        let at = now();
        if let Exchange::Event(event) = exchange {
            self.moment(id, event);
        }
        if starts_migration(exchange) && !resumes(exchange) && self.begun.len() < MOMENTS {
            self.begun.push((id, at));
        }
        let line = exchange.line(&self.guests.get(id).map_or_else(String::new, |guest| guest.name.clone()));
        self.lines.push(Line { at, what: What::Exchange(id, line) });
    }

    fn moment(&mut self, guest: usize, event: &Value) {
        let name = event["event"].as_str().unwrap_or_default();
        if !["STOP", "RESUME", "MIGRATION", "MIGRATION_PASS"].contains(&name) || self.moments.len() == MOMENTS
        {
            return;
        }
        let stamp = &event["timestamp"];
        let at = match (stamp["seconds"].as_f64(), stamp["microseconds"].as_f64()) {
            (Some(seconds), Some(microseconds)) => seconds * 1e3 + microseconds / 1e3,
            _ => now(),
        };
        let status = event["data"]["status"].as_str().unwrap_or_default().to_owned();
        self.moments.push(Moment { guest, at, name: name.to_owned(), status });
    }

    fn sample(&mut self, id: usize, sample: Sample) {
        let Some(guest) = self.guests.get_mut(id) else { return };
        if guest.samples.len() == SAMPLES {
            let mut keep = false;
            guest.samples.retain(|_| {
                keep = !keep;
                keep
            });
        }
        guest.samples.push(sample);
    }

    fn note(&mut self, what: What) {
        self.lines.push(Line { at: now(), what });
    }
}

/// Whether it is an interrupted postcopy that goes on.
fn resumes(exchange: Exchange) -> bool {
    match exchange {
        Exchange::Command(_, arguments, _) => arguments["resume"] == true,
        Exchange::Line(line, _) => line.split_whitespace().any(|word| word == "-r"),
        Exchange::Event(_) => false,
    }
}

fn now() -> f64 {
    milliseconds(SystemTime::now())
}

/// The end of a text.
fn tail(text: String) -> String {
    if text.len() <= WRITTEN {
        return text;
    }
    let mut from = text.len() - WRITTEN;
    while !text.is_char_boundary(from) {
        from += 1;
    }
    format!("…{}", &text[from..])
}

/// The start of a text.
fn cut(text: &str, longest: usize) -> &str {
    let mut to = text.len().min(longest);
    while !text.is_char_boundary(to) {
        to -= 1;
    }
    &text[..to]
}

#[cfg(test)]
mod tests;
