//! What a run is made with: the QEMUs of the lab, a directory, qhop itself, the machine.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Result;

/// Where things are.
pub struct Lab {
    /// QEMU 7.2.
    pub old: PathBuf,
    /// QEMU 10.0.
    pub new: PathBuf,
    /// A Python that has `qemu.qmp`, if it could be had.
    pub python: Option<PathBuf>,
    /// For sockets and process ids; `run.sh` removes it and ends what is left.
    pub scratch: PathBuf,
}

impl Lab {
    /// What `run.sh` has prepared.
    pub fn open() -> Result<Self> {
        let variable =
            |name| std::env::var(name).map_err(|_| format!("{name} is not set: `make bench` does that"));
        let bin = PathBuf::from(variable("QHOP_BENCH_LAB")?).join("bin");
        let python = PathBuf::from(variable("QHOP_BENCH_PYTHON")?);
        Ok(Self {
            old: bin.join("qemu-7.2-system-x86_64"),
            new: bin.join("qemu-10.0-system-x86_64"),
            python: python.exists().then_some(python),
            scratch: variable("XDG_RUNTIME_DIR")?.into(),
        })
    }

    /// When and where, for the head of the table.
    pub fn description(&self) -> Result<String> {
        let date = output(Command::new("date").args(["--utc", "+%F"]))?;
        let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let cores = std::thread::available_parallelism()?;
        let qemu_qmp = match &self.python {
            Some(_) => format!("`qemu.qmp` {}", std::env::var("QHOP_BENCH_PYTHON_VERSION")?),
            None => "no `qemu.qmp`: it could not be installed".to_owned(),
        };
        Ok(format!(
            "{}, {} ({cores} cores), TCG; QEMU {} and {}; {qemu_qmp}. Medians; what is compared took turns in one run.",
            date.trim(),
            cpu.map_or("unknown CPU", |(_, model)| model),
            version(&self.old)?,
            version(&self.new)?,
        ))
    }
}

/// A recipe of this directory, to be run with parameters.
pub fn recipe(name: &str) -> Command {
    let mut command = qhop();
    command.arg("run").arg(format!("{}/tests/bench/{name}.rhai", env!("CARGO_MANIFEST_DIR")));
    command
}

/// qhop as this build made it.
pub fn qhop() -> Command {
    Command::new(env!("CARGO_BIN_EXE_qhop"))
}

/// What a recipe's last expression was.
pub fn outcome(command: &mut Command) -> Result<Value> {
    let reply: Value = serde_json::from_str(&output(command.arg("--json"))?)?;
    Ok(reply["outcome"].clone())
}

fn version(qemu: &PathBuf) -> Result<String> {
    let said = output(Command::new(qemu).arg("--version"))?;
    Ok(said.split_whitespace().nth(3).unwrap_or("of an unknown version").to_owned())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    let (stdout, stderr) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        Ok(stdout)
    } else {
        Err(format!("{command:?} failed:\n{stdout}{stderr}").into())
    }
}
