//! A guest moved into another QEMU while it runs: by qhop's `migrate`, and by a client that does no more than it
//! has to. Same pair, same guest, in turns.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::lab::{self, Lab};
use crate::minimal::Times;
use crate::monitor::Monitor;
use crate::report::{Report, Series};
use crate::{Result, minimal};

/// Times 2: with qhop, and without.
const RUNS: usize = 15;

const MIB: [u32; 3] = [512, 2048, 8192];

/// How many milliseconds a shared move may take beyond the minimal client's, and how many times that of the
/// smallest guest the one of the biggest may take.
const BEYOND: f64 = 15.0;
const FLAT: f64 = 1.3;

/// What is moved, and how.
struct Case<'a> {
    mode: &'static str,
    mib: u32,
    from: &'a Path,
    to: &'a Path,
    versions: &'static str,
    by_qhop: Figures,
    by_minimal: Figures,
}

#[derive(Default)]
struct Figures {
    total: Series,
    blackout: Series,
}

impl Figures {
    fn push(&mut self, total_ms: f64, blackout_ms: f64) {
        self.total.push(total_ms);
        self.blackout.push(blackout_ms);
    }
}

/// Every mode with every size. Returns the most memory that qhop had resident, in bytes.
pub fn measure(lab: &Lab, report: &mut Report) -> Result<f64> {
    let (old, new) = (lab.old.as_path(), lab.new.as_path());
    // TCG precopy out of a QEMU before 8 can corrupt a busy guest.
    let modes =
        [("shared", old, "7.2 → 10.0"), ("postcopy", old, "7.2 → 10.0"), ("precopy", new, "10.0 → 10.0")];
    let mut cases: Vec<Case> = modes
        .into_iter()
        .flat_map(|(mode, from, versions)| MIB.map(|mib| (mode, from, versions, mib)))
        .map(|(mode, from, versions, mib)| {
            let (by_qhop, by_minimal) = Default::default();
            Case { mode, mib, from, to: new, versions, by_qhop, by_minimal }
        })
        .collect();
    let mut peak = 0_f64;
    for run in 1..=RUNS {
        for case in &mut cases {
            eprintln!("run {run} of {RUNS}: {}, {} MiB", case.mode, case.mib);
            peak = peak.max(case.with_qhop(lab)?);
            case.without_qhop(lab)?;
        }
    }
    show(&cases, report);
    Ok(peak * 1024.0)
}

fn show(cases: &[Case], report: &mut Report) {
    report.table(&["live patch", "RAM", "total, qhop", "minimal client", "blackout, qhop", "minimal client"]);
    for Case { mode, mib, versions, by_qhop, by_minimal, .. } in cases {
        let [total, least, blackout, least_blackout] =
            [&by_qhop.total, &by_minimal.total, &by_qhop.blackout, &by_minimal.blackout].map(Series::median);
        let ms = [total, least, blackout, least_blackout].map(|figure| format!("{figure:.1} ms"));
        report.row(&[&[format!("{mode}, {versions}"), format!("{mib} MiB")], &ms[..]].concat());
        if *mode == "shared" {
            let what = format!("a shared live patch of {mib} MiB beyond the minimal client");
            report.target(&what, total - least, BEYOND, " ms");
        }
    }
    let shared: Vec<f64> =
        cases.iter().filter(|case| case.mode == "shared").map(|case| case.by_qhop.total.median()).collect();
    if let [smallest, .., biggest] = shared[..] {
        report.target("a shared live patch of 8 GiB beside one of 512 MiB", biggest / smallest, FLAT, "×");
    }
}

impl Case<'_> {
    /// Returns the most memory that qhop had resident, in KiB.
    fn with_qhop(&mut self, lab: &Lab) -> Result<f64> {
        let outcome = lab::outcome(&mut self.recipe(lab))?;
        self.by_qhop.push(number(&outcome["total_ms"])?, number(&outcome["blackout_ms"])?);
        number(&outcome["peak_kib"])
    }

    fn without_qhop(&mut self, lab: &Lab) -> Result<()> {
        let times = by_minimal_client(self.recipe(lab), self.mode)?;
        self.by_minimal.push(times.total.as_secs_f64() * 1e3, times.blackout_ms);
        Ok(())
    }

    fn recipe(&self, lab: &Lab) -> Command {
        recipe(lab, [self.from, self.to], self.mode, self.mib)
    }
}

/// The recipe that starts the pair.
pub fn recipe(lab: &Lab, [from, to]: [&Path; 2], mode: &str, mib: u32) -> Command {
    let mut command = lab::recipe("live_patch");
    command
        .arg("--from")
        .arg(from)
        .arg("--to")
        .arg(to)
        .args(["--mode", mode])
        .args(["--mib", &mib.to_string()])
        .arg("--scratch")
        .arg(&lab.scratch);
    command
}

/// Let `recipe` start the pair, and move the guest without qhop.
pub fn by_minimal_client(mut recipe: Command, mode: &str) -> Result<Times> {
    let pair = lab::outcome(recipe.arg("--leave"))?;
    let connect =
        |end: &str| Monitor::connect(&Path::new(pair[end].as_str().unwrap_or_default()).join("qmp"));
    let (mut source, mut target) = (connect("source")?, connect("target")?);
    let uri = format!("unix:{}/migrate", pair["target"].as_str().unwrap_or_default());
    let times = minimal::migrate(&mut source, &mut target, mode, &uri)?;
    source.quit()?;
    target.quit()?;
    Ok(times)
}

/// A number of an outcome.
pub fn number(value: &Value) -> Result<f64> {
    value.as_f64().ok_or_else(|| format!("{value} is no number").into())
}
