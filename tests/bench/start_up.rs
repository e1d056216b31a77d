//! What it costs to start qhop at all, beside a program that does nothing.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::report::{Report, Series};
use crate::{Result, lab};

const RUNS: usize = 100;

/// The limit in milliseconds.
const TARGET: f64 = 10.0;

/// `qhop eval 1`, from the start of the process to its end.
pub fn measure(report: &mut Report) -> Result<()> {
    let (mut qhop, mut nothing) = (Series::default(), Series::default());
    for _ in 0..RUNS {
        nothing.push(milliseconds(&mut Command::new("true"))?);
        qhop.push(milliseconds(lab::qhop().args(["eval", "1"]))?);
    }
    let (qhop, nothing) = (qhop.median(), nothing.median());
    report.table(&["start-up", "qhop", "`true`"]);
    report.row(&["`qhop eval 1`".to_owned(), format!("{qhop:.1} ms"), format!("{nothing:.1} ms")]);
    report.target("the start-up of `qhop eval 1`", qhop, TARGET, " ms");
    Ok(())
}

fn milliseconds(command: &mut Command) -> Result<f64> {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    let time = start.elapsed();
    if status.success() { Ok(time.as_secs_f64() * 1e3) } else { Err(format!("{command:?}: {status}").into()) }
}
