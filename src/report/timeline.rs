//! A migration, drawn.
//!
//! Pure. Places are in percent of the width, so that text keeps its size on a narrow page; curves, which hold no
//! text, are stretched.

use std::fmt::Write;

use super::course::{Course, Phase};
use super::figures::{bytes, short, time};
use super::markup::Text;
use crate::migration::sample::Sample;

/// The height of a bar, and of a label above it.
const BAR: f64 = 16.0;
const LABEL: f64 = 20.0;
/// The height of a curve.
const CURVE: f64 = 84.0;

/// A stretch of time, and the drawing that it becomes.
struct Canvas {
    from: f64,
    to: f64,
    height: f64,
    body: String,
    /// Above the lines that go through all of it.
    labels: String,
}

/// The whole migration: who does what, where the guest runs, how much is left, how fast it goes. `ends` are the labels of source and target.
pub fn whole(course: &Course, ends: [&str; 2]) -> String {
    let margin = (course.length() * 0.03).max(0.5);
    let mut canvas = Canvas::new(course.start - margin, course.end + margin);
    canvas.lanes(course, ends);
    let remaining: Vec<(f64, f64)> = known(&course.samples, |sample| sample.remaining.map(real));
    if remaining.len() > 2 {
        canvas.curves("RAM still to be sent", &[("remaining", &remaining)], &bytes, true);
        let sent = rates(&course.samples, course.length());
        let dirty = known(&course.samples, |sample| sample.dirty_rate);
        let rate = |value: f64| format!("{}/s", bytes(value));
        let title = if dirty.is_empty() { "rate" } else { "rate, and what the guest writes" };
        canvas.curves(title, &[("sent", &sent), ("dirty", &dirty)], &rate, false);
    }
    canvas.finish(course, "timeline of the migration")
}

/// The moments around the switch, enlarged; none if they are not known, or fill the whole already.
pub fn switch(course: &Course, ends: [&str; 2]) -> Option<String> {
    let (stop, resume) = (course.stop?, course.resume.or(course.back)?);
    let gap = course.gap.filter(|(from, to)| *from < resume && *to > stop);
    let (from, to) = gap.map_or((stop, resume), |(from, to)| (stop.min(from), resume.max(to)));
    let margin = ((to - from) * 0.25).max(0.25);
    if to - from + 2.0 * margin > course.length() * 0.6 {
        return None;
    }
    let mut canvas = Canvas::new(from - margin, to + margin);
    canvas.lanes(course, ends);
    Some(canvas.finish(course, "the switch, enlarged"))
}

impl Canvas {
    fn new(from: f64, to: f64) -> Self {
        Self { from, to, height: LABEL, body: String::new(), labels: String::new() }
    }

    /// A place, in percent of the width.
    fn x(&self, at: f64) -> f64 {
        ((at - self.from) / (self.to - self.from) * 100.0).clamp(0.0, 100.0)
    }

    fn lanes(&mut self, course: &Course, ends: [&str; 2]) {
        let over = course.resume.or(course.back);
        let runs = [
            vec![(self.from, course.stop.unwrap_or(self.to)), (course.back.unwrap_or(self.to), self.to)],
            vec![(course.resume.unwrap_or(self.to), self.to)],
        ];
        for (end, runs) in runs.iter().enumerate() {
            if end == 1 && course.target.is_none() {
                continue;
            }
            self.label(ends[end], "");
            self.phases(&course.phases[end]);
            let runs = if course.stop.is_none() && over.is_none() { &[] } else { &runs[..] };
            for (from, to) in runs {
                self.bar(*from, *to, 4.0, "runs", "the guest runs here");
            }
            self.height += 12.0;
        }
        let Some((from, to)) = course.gap else { return };
        self.label("heartbeat of the guest", &format!("none for {}", time(to - from)));
        for (from, to) in [(self.from, from), (to, self.to)] {
            self.bar(from, to, BAR / 2.0, "beats", "beats come");
        }
        self.bar(from, to, BAR / 2.0, "silent", &format!("no beat for {}", time(to - from)));
        self.height += BAR / 2.0 + 8.0;
    }

    fn label(&mut self, left: &str, right: &str) {
        let y = self.height + 13.0;
        let _ = write!(self.labels, "<text x=\"0\" y=\"{y}\">{}</text>", Text(left));
        let _ = write!(self.labels, "<text class=\"right\" x=\"100%\" y=\"{y}\">{}</text>", Text(right));
        self.height += LABEL;
    }

    fn phases(&mut self, phases: &[Phase]) {
        let _ = write!(
            self.body,
            "<rect class=\"track\" x=\"0\" y=\"{}\" width=\"100%\" height=\"{BAR}\"/>",
            short(self.height)
        );
        for phase in phases {
            let title = format!("{}: {}", phase.status, time(phase.to - phase.from));
            // What it was at the end, it is from then on.
            let to = if crate::migration::sample::is_over(&phase.status) { self.to } else { phase.to };
            self.bar(phase.from, to, BAR, class(&phase.status), &title);
        }
        self.height += BAR + 2.0;
    }

    fn bar(&mut self, from: f64, to: f64, height: f64, class: &str, title: &str) {
        let (from, to) = (from.max(self.from), to.min(self.to));
        if to <= from {
            return;
        }
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{:.3}%\" y=\"{}\" width=\"{:.3}%\" height=\"{height}\"><title>{}</title></rect>",
            self.x(from),
            short(self.height),
            self.x(to) - self.x(from),
            Text(title)
        );
    }

    fn curves(
        &mut self,
        title: &str,
        curves: &[(&str, &[(f64, f64)])],
        unit: &dyn Fn(f64) -> String,
        is_filled: bool,
    ) {
        let top =
            curves.iter().flat_map(|(_, curve)| *curve).fold(0.0_f64, |top, (_, value)| top.max(*value));
        if top <= 0.0 {
            return;
        }
        self.label(title, &format!("up to {}", unit(top)));
        let y = short(self.height);
        let _ = write!(
            self.body,
            "<rect class=\"track\" x=\"0\" y=\"{y}\" width=\"100%\" height=\"{CURVE}\"/>\
             <svg x=\"0\" y=\"{y}\" width=\"100%\" height=\"{CURVE}\" viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\">"
        );
        for (class, curve) in curves.iter().filter(|(_, curve)| curve.len() > 1) {
            let place = |(at, value): &(f64, f64)| {
                format!("{:.1},{:.1}", self.x(*at) * 10.0, 98.0 - value / top * 94.0)
            };
            let points: Vec<String> = curve.iter().map(place).collect();
            let points = points.join(" ");
            if is_filled {
                let (first, last) = (self.x(curve[0].0) * 10.0, self.x(curve[curve.len() - 1].0) * 10.0);
                let _ = write!(
                    self.body,
                    "<polygon class=\"{class}-area\" points=\"{first:.1},100 {points} {last:.1},100\"/>"
                );
            }
            let _ = write!(self.body, "<polyline class=\"{class}\" points=\"{points}\"/>");
        }
        self.body.push_str("</svg>");
        self.height += CURVE + 6.0;
    }

    /// The lines of STOP and RESUME through all of it, the axis, and the frame.
    fn finish(mut self, course: &Course, title: &str) -> String {
        let bottom = self.height;
        let mut marks = String::new();
        let over = course.resume.or(course.back);
        if let (Some(stop), Some(over)) = (course.stop, over) {
            let _ = write!(
                marks,
                "<rect class=\"blackout\" x=\"{:.3}%\" y=\"{LABEL}\" width=\"{:.3}%\" height=\"{}\"/>",
                self.x(stop),
                self.x(over) - self.x(stop),
                short(bottom - LABEL)
            );
        }
        for (at, class) in [(course.stop, "stop"), (over, "resume")] {
            let Some(at) = at else { continue };
            let x = self.x(at);
            let _ = write!(
                marks,
                "<line class=\"{class}\" x1=\"{x:.3}%\" x2=\"{x:.3}%\" y1=\"{LABEL}\" y2=\"{}\"/>",
                short(bottom)
            );
        }
        if let Some(stop) = course.stop {
            let middle = over.map_or(stop, |over| f64::midpoint(stop, over));
            let text = match (course.blackout(), course.back) {
                (Some(blackout), _) => format!("STOP → RESUME {}", time(blackout)),
                (None, Some(back)) => format!("STOP → back after {}", time(back - stop)),
                (None, None) => "STOP".to_owned(),
            };
            let x = self.x(middle);
            let anchor = match x {
                ..20.0 => "start",
                ..80.0 => "middle",
                _ => "end",
            };
            let _ = write!(
                marks,
                "<text class=\"mark\" x=\"{x:.3}%\" y=\"13\" text-anchor=\"{anchor}\">{}</text>",
                Text(&text)
            );
        }
        self.axis(course.start);
        format!(
            "<svg class=\"timeline\" role=\"img\" width=\"100%\" height=\"{}\" xmlns=\"http://www.w3.org/2000/svg\">\
             <title>{title}</title>{}{marks}{}</svg>\n",
            short(self.height),
            self.body,
            self.labels
        )
    }

    /// Times are from the start of the migration.
    fn axis(&mut self, zero: f64) {
        let step = step(self.to - self.from);
        let mut at = ((self.from - zero) / step).ceil() * step;
        let (tick, text) = (self.height, self.height + 18.0);
        while at <= self.to - zero {
            let x = self.x(zero + at);
            let anchor = match x {
                ..4.0 => "start",
                ..96.0 => "middle",
                _ => "end",
            };
            let _ = write!(
                self.body,
                "<line class=\"tick\" x1=\"{x:.3}%\" x2=\"{x:.3}%\" y1=\"{tick}\" y2=\"{}\"/>\
                 <text class=\"axis\" x=\"{x:.3}%\" y=\"{text}\" text-anchor=\"{anchor}\">{}</text>",
                tick + 4.0,
                time(at)
            );
            at += step;
        }
        self.height += 24.0;
    }
}

/// The distance of the ticks: 1, 2 or 5 times a power of ten, three to six of them.
fn step(length: f64) -> f64 {
    let least = length / 6.0;
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(|step| *step >= least).unwrap_or(power)
}

/// How a status is coloured.
pub fn class(status: &str) -> &'static str {
    match status {
        "setup" => "setup",
        "active" | "wait-unplug" => "active",
        "device" | "pre-switchover" => "device",
        "postcopy-paused" | "postcopy-recover" | "postcopy-recover-setup" => "paused",
        "postcopy-active" | "postcopy-device" => "postcopy",
        "completed" => "completed",
        "failed" | "cancelling" | "cancelled" => "failed",
        _ => "other",
    }
}

fn known(samples: &[Sample], figure: impl Fn(&Sample) -> Option<f64>) -> Vec<(f64, f64)> {
    samples.iter().filter_map(|sample| Some((sample.at, figure(sample)?))).collect()
}

/// What was sent between samples that are far enough apart for it to mean something, in bytes per second.
fn rates(samples: &[Sample], length: f64) -> Vec<(f64, f64)> {
    let apart = (length / 40.0).max(15.0);
    let sent = known(samples, |sample| sample.transferred.map(real));
    let mut rates = Vec::new();
    let Some(mut last) = sent.first().copied() else { return rates };
    for (at, bytes) in sent {
        if at - last.0 >= apart {
            rates.push((f64::midpoint(at, last.0), ((bytes - last.1) / (at - last.0) * 1e3).max(0.0)));
            last = (at, bytes);
        }
    }
    rates
}

#[allow(clippy::cast_precision_loss)] // no memory has 2^53 bytes
fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
