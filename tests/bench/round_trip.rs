//! One QMP command and its answer: from a script, over a bare socket, and through Python's `qemu.qmp`, on three
//! monitors of the same QEMU.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use serde_json::json;

use crate::Result;
use crate::lab::{self, Lab};
use crate::monitor::Monitor;
use crate::report::{Report, Series};

const ROUNDS: usize = 150;
const SAMPLES: u32 = 20;
/// Round trips in a sample: few, so that most samples are free of what else the machine does.
const FEW: u32 = 10;

/// How many times the bare socket's time it may take, and the part of `qemu.qmp`'s.
const OF_BARE: f64 = 1.2;
const OF_QEMU_QMP: f64 = 0.5;

/// Let them take turns. Returns the most memory that qhop had resident, in bytes.
pub fn measure(lab: &Lab, report: &mut Report) -> Result<f64> {
    let mut recipe = Peer::start(
        lab::recipe("round_trip")
            .args(["--qemu".as_ref(), lab.new.as_os_str(), "--scratch".as_ref(), lab.scratch.as_os_str()])
            .args([format!("--rounds={ROUNDS}"), format!("--samples={SAMPLES}"), format!("--few={FEW}")]),
    )?;
    if recipe.line()? != "ready" {
        return Err("the recipe is not ready".into());
    }
    let mut monitor = Monitor::connect(&lab.scratch.join("bare"))?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/round_trip.py");
    let python = lab.python.as_ref().map(|python| {
        let numbers = [SAMPLES.to_string(), FEW.to_string()];
        Peer::start(Command::new(python).arg(script).arg(lab.scratch.join("qemu.qmp")).args(numbers))
    });
    let mut python = python.transpose()?;

    let (mut qhop, mut bare, mut qemu_qmp) = (Series::default(), Series::default(), Series::default());
    for round in 0..ROUNDS {
        // Whoever is first is sometimes favoured by the machine, and sometimes the other way round.
        for turn in 0..3 {
            match (round + turn) % 3 {
                0 => {
                    for _ in 0..SAMPLES {
                        bare.push(sample(&mut monitor)?);
                    }
                }
                1 => {
                    wake(&mut monitor)?;
                    qhop.extend(recipe.figures()?);
                }
                _ => {
                    if let Some(python) = &mut python {
                        writeln!(python.stdin)?;
                        qemu_qmp.extend(python.figures()?);
                    }
                }
            }
        }
    }
    wake(&mut monitor)?;
    let peak = recipe.line()?.parse::<f64>()? * 1024.0;
    recipe.end()?;
    python.map_or(Ok(()), Peer::end)?;

    let (qhop, bare, qemu_qmp) = (qhop.median(), bare.median(), qemu_qmp.median());
    report.table(&["round trip", "script in qhop", "bare socket", "`qemu.qmp`"]);
    let mut row =
        ["`query-status`".to_owned(), format!("{qhop:.1} µs"), format!("{bare:.1} µs"), "–".to_owned()];
    report.target("a round trip beside the bare socket", qhop / bare, OF_BARE, "×");
    if !qemu_qmp.is_nan() {
        row[3] = format!("{qemu_qmp:.1} µs");
        report.target("a round trip beside `qemu.qmp`", qhop / qemu_qmp, OF_QEMU_QMP, "×");
    }
    report.row(&row);
    Ok(peak)
}

/// Let the recipe go on: it has no standard input, but all monitors of a QEMU see that the guest was reset.
fn wake(monitor: &mut Monitor) -> Result<()> {
    monitor.execute("system_reset", json!({})).map(drop)
}

/// The microseconds of one round trip.
fn sample(monitor: &mut Monitor) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..FEW {
        monitor.execute("query-status", json!({}))?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(FEW))
}

/// Another process that prints the figures of a round as a line.
struct Peer {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take().ok_or("no standard input")?;
        let lines = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
        Ok(Self { child, stdin, lines })
    }

    fn line(&mut self) -> Result<String> {
        Ok(self.lines.next().ok_or("it ended too early")??)
    }

    fn figures(&mut self) -> Result<Vec<f64>> {
        Ok(serde_json::from_str(&self.line()?)?)
    }

    fn end(mut self) -> Result<()> {
        drop(self.stdin);
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("a peer {status}").into()) }
    }
}
