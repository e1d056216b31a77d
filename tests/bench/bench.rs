//! `make bench`: how fast qhop starts, talks and moves a guest, beside the least that any client needs.
//!
//! What is compared takes turns in one run, because the machine may be busy; what is printed are medians, as
//! Markdown for the README, and a verdict on every target. Nothing here is a test. `run.sh` sets it up.

mod human_line;
mod lab;
mod live_patch;
mod minimal;
mod monitor;
mod record;
mod rehearsal;
mod report;
mod round_trip;
mod safe_patch;
mod start_up;

use std::error::Error;

use lab::Lab;
use report::Report;

/// Whatever goes wrong ends the run.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// In MB.
const MEMORY: f64 = 20.0;

/// The names of parts restrict a run to them: `run.sh target/lab round_trip`.
fn main() -> Result<()> {
    let parts: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|word| word == part);
    let lab = Lab::open()?;
    let mut report = Report::new(lab.description()?);
    if wanted("start_up") {
        start_up::measure(&mut report)?;
    }
    let mut memory = Vec::new();
    if wanted("round_trip") {
        memory.push(("round trips", round_trip::measure(&lab, &mut report)?));
    }
    if wanted("human_line") {
        human_line::measure(&lab, &mut report)?;
    }
    if wanted("live_patch") {
        memory.push(("live patches", live_patch::measure(&lab, &mut report)?));
    }
    if wanted("safe_patch") {
        memory.push(("whole patches", safe_patch::measure(&lab, &mut report)?));
    }
    if wanted("rehearsal") {
        rehearsal::measure(&lab, &mut report)?;
    }
    if wanted("record") {
        record::measure(&lab, &mut report)?;
    }
    report.table(&["most resident memory", "qhop"]);
    for (during, bytes) in memory {
        let megabytes = bytes / 1e6;
        report.row(&[format!("during {during}"), format!("{megabytes:.1} MB")]);
        report.target(&format!("the most resident memory during {during}"), megabytes, MEMORY, " MB");
    }
    print!("{report}");
    Ok(())
}
