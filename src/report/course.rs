//! One migration, put together from what was seen of it.
//!
//! Pure. A recipe that notes its steps says what it moves and where to; of one that sends the commands by
//! hand, the events of the two ends do.

use serde_json::Value;

use super::account::{Account, Moment, What};
use crate::migration::sample::{Sample, is_over};

/// How far apart the clocks of a command and of the events that it causes are, in milliseconds.
const SLACK: f64 = 1000.0;

/// One migration. Times are in milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Course {
    /// Whose guest it is.
    pub source: usize,
    /// Who was to have it, as far as that is known.
    pub target: Option<usize>,
    /// `precopy`, `postcopy`, `shared`, as far as that is known.
    pub mode: Option<String>,
    /// The last status of the source.
    pub status: String,
    pub start: f64,
    pub end: f64,
    /// What the source said that it is doing, and the target.
    pub phases: [Vec<Phase>; 2],
    /// The source's guest stands still.
    pub stop: Option<f64>,
    /// The target's guest runs.
    pub resume: Option<f64>,
    /// The source's guest runs on, after all.
    pub back: Option<f64>,
    /// The longest time without a heartbeat.
    pub gap: Option<(f64, f64)>,
    pub samples: Vec<Sample>,
}

/// A time in which the status of an end was the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    pub status: String,
    pub from: f64,
    pub to: f64,
}

impl Course {
    /// From the source's STOP to the target's RESUME, in milliseconds.
    pub fn blackout(&self) -> Option<f64> {
        Some(self.resume? - self.stop?)
    }

    /// How many milliseconds it took.
    pub fn length(&self) -> f64 {
        self.end - self.start
    }

    /// The last figures.
    pub fn last(&self) -> Option<&Sample> {
        self.samples.last()
    }
}

/// The migrations of a run, in order.
pub fn courses(account: &Account) -> Vec<Course> {
    (0..account.begun.len()).map(|number| course(account, number)).collect()
}

fn course(account: &Account, number: usize) -> Course {
    let (source, asked) = account.begun[number];
    let next = account.begun[number + 1..].iter().find(|(guest, _)| *guest == source);
    let until = next.map_or(f64::INFINITY, |(_, at)| *at);
    let of = |guest: usize, name: &'static str| {
        account.moments.iter().filter(move |moment| moment.guest == guest && moment.name == name)
    };

    let setup = of(source, "MIGRATION")
        .rfind(|moment| moment.status == "setup" && (asked - SLACK..=asked).contains(&moment.at));
    let start = setup.map_or(asked, |moment| moment.at);
    let until = if setup.is_some() && until.is_finite() { until - 1.0 } else { until };
    let samples: Vec<Sample> = account.guests[source]
        .samples
        .iter()
        .filter(|sample| (start..until).contains(&sample.at))
        .cloned()
        .collect();
    // Figures of the end are asked for again and again.
    let over = samples.iter().position(Sample::is_over).map_or(samples.len(), |at| at + 1);
    let (samples, after) = samples.split_at(over);
    let mut samples = samples.to_vec();
    if let (Some(last), Some(later)) = (samples.last_mut(), after.iter().rfind(|it| it.is_over())) {
        // Before QEMU 9.0 they are final only a moment later.
        *last = Sample { at: last.at, ..later.clone() };
    }

    let told = end_of_source(of(source, "MIGRATION"), start, until);
    let figures_end = samples.last().filter(|sample| sample.is_over()).map(|sample| sample.at);
    let target = target(account, source, start, told.or(figures_end).unwrap_or(f64::INFINITY).min(until));
    let after = |name, guest: usize, from: f64| {
        of(guest, name).map(|moment| moment.at).find(|at| (from..until).contains(at))
    };
    let stop = after("STOP", source, start).filter(|at| told.is_none_or(|end| *at <= end + SLACK));
    let resume = target.zip(stop).and_then(|(target, stop)| after("RESUME", target, stop));
    let back = stop.filter(|_| resume.is_none()).and_then(|stop| after("RESUME", source, stop));
    let ends = [told.or(figures_end), resume, back, samples.last().map(|sample| sample.at), Some(start)];
    let mut end = ends.into_iter().flatten().fold(start, f64::max);
    let gap = account
        .gaps
        .iter()
        .filter(|(from, to)| *from < end && *to > start)
        .copied()
        .reduce(|longest, gap| if gap.1 - gap.0 > longest.1 - longest.0 { gap } else { longest });
    if let Some((_, to)) = gap {
        end = end.max(to);
    }

    let mut ends = [phases(of(source, "MIGRATION"), start, end), Vec::new()];
    if ends[0].is_empty() {
        ends[0] = sampled_phases(&samples, end);
    }
    if let Some(target) = target {
        ends[1] = phases(of(target, "MIGRATION"), start - SLACK, end);
    }
    let status = ends[0].last().map(|phase| phase.status.clone());
    let status = figures_end.and(samples.last()).map(|sample| sample.status.clone()).or(status);
    let mode = step(account, &["agree", "cpr"], start)
        .and_then(|details| details["mode"].as_str())
        .map(str::to_owned);
    let switched = ends[0].iter().any(|phase| phase.status.starts_with("postcopy"));
    Course {
        source,
        target,
        mode: mode.or(switched.then(|| "postcopy".to_owned())),
        status: status.unwrap_or_else(|| "unknown".to_owned()),
        start,
        end,
        phases: ends,
        stop,
        resume,
        back,
        gap,
        samples,
    }
}

fn end_of_source<'a>(mut moments: impl Iterator<Item = &'a Moment>, start: f64, until: f64) -> Option<f64> {
    moments.find(|moment| (start..until).contains(&moment.at) && is_over(&moment.status)).map(|end| end.at)
}

/// Who was to have the guest.
fn target(account: &Account, source: usize, start: f64, end: f64) -> Option<usize> {
    let noted = step(account, &["migrate"], start).and_then(|details| {
        let is = |reference: &Value, guest: usize| {
            let guest = &account.guests[guest];
            reference["name"] == guest.name && reference["pid"] == guest.pid.map_or(Value::Null, Value::from)
        };
        let is_ours = is(&details["source"], source);
        (0..account.guests.len()).rev().find(|guest| is_ours && is(&details["target"], *guest))
    });
    let came = |moment: &&Moment| {
        let arrives = moment.name == "RESUME" || (moment.name == "MIGRATION" && moment.status != "setup");
        moment.guest != source && arrives && (start - SLACK / 10.0..=end + SLACK).contains(&moment.at)
    };
    noted.or_else(|| account.moments.iter().find(came).map(|moment| moment.guest))
}

/// The details of the last step of one of these names before the migration began.
fn step<'a>(account: &'a Account, names: &[&str], start: f64) -> Option<&'a Value> {
    account
        .lines
        .all()
        .filter(|line| (start - 10.0 * SLACK..=start + 10.0).contains(&line.at))
        .filter_map(|line| match &line.what {
            What::Step(step, details) if names.contains(&step.as_str()) => Some(details),
            _ => None,
        })
        .last()
}

fn phases<'a>(moments: impl Iterator<Item = &'a Moment>, from: f64, end: f64) -> Vec<Phase> {
    let mut phases: Vec<Phase> = Vec::new();
    for moment in moments.filter(|moment| (from..=end).contains(&moment.at)) {
        push(&mut phases, &moment.status, moment.at, end);
    }
    phases
}

fn sampled_phases(samples: &[Sample], end: f64) -> Vec<Phase> {
    let mut phases = Vec::new();
    for sample in samples {
        push(&mut phases, &sample.status, sample.at, end);
    }
    phases
}

fn push(phases: &mut Vec<Phase>, status: &str, at: f64, end: f64) {
    match phases.last_mut() {
        Some(last) if last.status == status => return,
        Some(last) => last.to = at,
        None => {}
    }
    phases.push(Phase { status: status.to_owned(), from: at, to: end });
}

#[cfg(test)]
pub(super) mod tests;
