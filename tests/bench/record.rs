//! What the record of a run costs each QMP command: the same recipe with it and with `--no-record`, in turns.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Result;
use crate::lab::{self, Lab};
use crate::report::{Report, Series};

const ROUNDS: usize = 40;
const SAMPLES: u32 = 20;
/// Round trips in a sample.
const FEW: u32 = 10;
/// How many times as long a round trip may take.
const OF_NONE: f64 = 1.1;

/// Let them take turns.
pub fn measure(lab: &Lab, report: &mut Report) -> Result<()> {
    let socket = lab.scratch.join("record");
    let mut qemu = Command::new(&lab.new)
        .args(["-S", "-nodefaults", "-display", "none", "-machine", "none"])
        .args(["-qmp", &format!("unix:{},server=on,wait=off", socket.display())])
        .arg("-pidfile")
        .arg(lab.scratch.join("record.pid"))
        .stdin(Stdio::null())
        .spawn()?;
    let started = std::time::Instant::now();
    while !socket.exists() && started.elapsed().as_secs() < 10 {
        std::thread::yield_now();
    }
    let (mut with, mut without) = (Series::default(), Series::default());
    for round in 0..ROUNDS {
        for turn in 0..2 {
            let mut command = lab::recipe("record");
            command.args([
                format!("--address=unix:{}", socket.display()),
                format!("--samples={SAMPLES}"),
                format!("--few={FEW}"),
            ]);
            let series = if (round + turn) % 2 == 0 {
                &mut with
            } else {
                command.arg("--no-record");
                &mut without
            };
            let figures = lab::outcome(&mut command)?;
            series.extend(figures.as_array().into_iter().flatten().filter_map(Value::as_f64));
        }
    }
    qemu.kill()?;
    qemu.wait()?;
    let (with, without) = (with.median(), without.median());
    report.table(&["record of the run", "with", "`--no-record`"]);
    report.row(&["`query-status`".to_owned(), format!("{with:.1} µs"), format!("{without:.1} µs")]);
    report.target("a round trip on record beside one that is not", with / without, OF_NONE, "×");
    Ok(())
}
