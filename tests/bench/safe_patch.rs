//! `live_patch` as an operator calls it, with plan and rehearsal, from the call to the retired source; its blackout
//! beside that of the least that any client needs, in turns. And the guest that starts with private memory: slow once,
//! fast ever after.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Result;
use crate::lab::{self, Lab};
use crate::live_patch::{by_minimal_client, number, recipe};
use crate::report::{Report, Series};

const RUNS: usize = 11;
const MIB: [u32; 2] = [512, 8192];
/// After the first.
const AGAIN: u32 = 10;

/// In milliseconds.
const WHOLE: f64 = 1500.0;
const FAST: f64 = 50.0;
/// How many times the minimal client's blackout, and how many times the smaller guest's.
const OF_MINIMAL: f64 = 1.2;
const FLAT: f64 = 1.2;

/// Guests of both sizes, and then the private one. Returns the most memory that qhop had resident, in bytes.
pub fn measure(lab: &Lab, report: &mut Report) -> Result<f64> {
    let mut peak = 0_f64;
    let mut figures: Vec<[Series; 5]> = MIB.map(|_| Default::default()).into();
    for run in 1..=RUNS {
        for (series, mib) in figures.iter_mut().zip(MIB) {
            eprintln!("run {run} of {RUNS}: the whole patch, {mib} MiB");
            let outcome = lab::outcome(&mut patches(lab, mib))?;
            let patch = &outcome["patches"][0];
            for (series, name) in
                series.iter_mut().zip(["whole_ms", "rehearsal_ms", "total_ms", "blackout_ms"])
            {
                series.push(number(&patch[name])?);
            }
            peak = peak.max(number(&outcome["peak_kib"])?);
            let pair = recipe(lab, [&lab.old, &lab.new].map(PathBuf::as_path), "shared", mib);
            series[4].push(by_minimal_client(pair, "shared")?.blackout_ms);
        }
    }
    let columns = [
        "`live_patch`, shared, 7.2 → 10.0",
        "all of it",
        "rehearsal",
        "migration",
        "blackout",
        "minimal client",
    ];
    report.table(&columns);
    let mut wholes = Vec::new();
    for (series, mib) in figures.iter().zip(MIB) {
        let medians = series.each_ref().map(Series::median);
        let [whole, _, _, blackout, least] = medians;
        report.row(&[&[format!("{mib} MiB")], &medians.map(|figure| format!("{figure:.1} ms"))[..]].concat());
        report.target(&format!("all of a live patch of {mib} MiB"), whole, WHOLE, " ms");
        report.target("its blackout beside the minimal client's", blackout / least, OF_MINIMAL, "×");
        wholes.push(whole);
    }
    report.target("all of a live patch of 8 GiB beside one of 512 MiB", wholes[1] / wholes[0], FLAT, "×");
    Ok(1024.0 * peak.max(slow_once(lab, report)?))
}

/// A private guest's first patch, and the slowest of those that follow.
fn slow_once(lab: &Lab, report: &mut Report) -> Result<f64> {
    eprintln!("private memory becomes shared");
    let mut command = patches(lab, MIB[0]);
    let outcome = lab::outcome(command.args(["--memory", "private", "--again", &AGAIN.to_string()]))?;
    let patches = outcome["patches"].as_array().map_or(&[][..], Vec::as_slice);
    let (Some(first), Some(later)) = (patches.first(), patches.get(1..)) else {
        return Err("no patches".into());
    };
    let modes: Vec<&Value> = patches.iter().map(|patch| &patch["mode"]).collect();
    if modes[0] != "postcopy" || modes[1..].iter().any(|mode| *mode != "shared") {
        return Err(format!("the modes were {modes:?}").into());
    }
    let totals = later.iter().map(|patch| number(&patch["total_ms"])).collect::<Result<Vec<f64>>>()?;
    let slowest = totals.iter().copied().fold(0.0, f64::max);
    let mut series = Series::default();
    series.extend(totals);
    report.table(&[
        "private, 512 MiB, 7.2 → 10.0 → 10.0 …",
        "first, by postcopy",
        "the next ten, by shared",
        "the slowest of them",
    ]);
    report.row(&[
        "migration".to_owned(),
        format!("{:.1} ms", number(&first["total_ms"])?),
        format!("{:.1} ms", series.median()),
        format!("{slowest:.1} ms"),
    ]);
    report.target("the slowest of ten shared migrations", slowest, FAST, " ms");
    number(&outcome["peak_kib"])
}

fn patches(lab: &Lab, mib: u32) -> Command {
    let path = |path: &Path| path.as_os_str().to_owned();
    let mut command = lab::recipe("safe_patch");
    command.args(["--from".into(), path(&lab.old), "--to".into(), path(&lab.new)]);
    command.args(["--mib", &mib.to_string()]);
    command
}
