//! One line of the human monitor and its text: from a script, and over a bare socket, on two monitors of the same
//! QEMU.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::lab::{self, Lab};
use crate::report::{Report, Series};

const ROUNDS: usize = 15;
const SAMPLES: u32 = 20;
/// Lines in a sample.
const FEW: u32 = 10;
/// How many times the bare socket's time it may take.
const OF_BARE: f64 = 1.5;
const PROMPT: &[u8] = b"(qemu) ";

/// Let them take turns.
pub fn measure(lab: &Lab, report: &mut Report) -> Result<()> {
    let socket = |name: &str| lab.scratch.join(name);
    let monitor = |name: &str| format!("unix:{},server=on,wait=off", socket(name).display());
    let mut qemu = Command::new(&lab.new)
        .args(["-S", "-nodefaults", "-display", "none", "-machine", "none"])
        .args(["-monitor", &monitor("human"), "-monitor", &monitor("human.bare")])
        .arg("-pidfile")
        .arg(socket("human.pid"))
        .stdin(Stdio::null())
        .spawn()?;
    let mut bare = connect(&socket("human.bare"))?;
    read_to_prompt(&mut bare)?;

    let (mut script, mut least) = (Series::default(), Series::default());
    for _ in 0..ROUNDS {
        for _ in 0..SAMPLES {
            let start = Instant::now();
            for _ in 0..FEW {
                bare.write_all(b"info status\n")?;
                read_to_prompt(&mut bare)?;
            }
            least.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(FEW));
        }
        let figures = lab::outcome(lab::recipe("human_line").args([
            format!("--address=unix:{}", socket("human").display()),
            format!("--samples={SAMPLES}"),
            format!("--few={FEW}"),
        ]))?;
        script.extend(figures.as_array().into_iter().flatten().filter_map(serde_json::Value::as_f64));
    }
    qemu.kill()?;
    qemu.wait()?;

    let (script, least) = (script.median(), least.median());
    report.table(&["human monitor", "script in qhop", "bare socket"]);
    report.row(&["`info status`".to_owned(), format!("{script:.1} µs"), format!("{least:.1} µs")]);
    report.target("a line of the human monitor beside the bare socket", script / least, OF_BARE, "×");
    Ok(())
}

/// QEMU opens its sockets a moment after its start.
fn connect(socket: &Path) -> Result<UnixStream> {
    let start = Instant::now();
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => return Ok(stream),
            Err(error) if start.elapsed() > Duration::from_secs(10) => return Err(error.into()),
            Err(_) => std::thread::yield_now(),
        }
    }
}

/// A reply ends with the prompt, at the start of a line; the echo does not contain it.
fn read_to_prompt(stream: &mut UnixStream) -> Result<()> {
    let mut text = Vec::new();
    let mut chunk = [0; 4096];
    while !text.ends_with(PROMPT) {
        match stream.read(&mut chunk)? {
            0 => return Err("QEMU has closed its monitor".into()),
            length => text.extend_from_slice(&chunk[..length]),
        }
    }
    Ok(())
}
