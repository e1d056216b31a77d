//! Real QEMUs, each started by its test.

mod process;
mod sockets;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use super::*;
use crate::qemu::lab::binary;

/// Ends with everything that it started when the test is over, however it ends.
struct Ended(Child);

impl Ended {
    fn start(command: &mut Command) -> Self {
        Self(command.process_group(0).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process_group(Pid::from_child(&self.0), rustix::process::Signal::KILL);
        let _ = self.0.wait();
    }
}

/// A QEMU with a monitor on its standard input and output, so that it can be seen to be ready.
struct Qemu {
    child: Ended,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    directory: TempDir,
}

/// The libraries of the lab's QEMU: a copy of it elsewhere has to be told of them.
fn libraries() -> String {
    let binary = binary().canonicalize().unwrap();
    let root = binary.ancestors().nth(3).unwrap();
    let parents = [root.join("lib"), root.join("usr/lib")];
    let entries = parents.iter().filter_map(|parent| parent.read_dir().ok()).flatten().flatten();
    let paths: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with("-linux-gnu"))
        .map(|path| path.display().to_string())
        .collect();
    paths.join(":")
}

/// QEMU 7.2 has TCG in a module.
fn modules() -> String {
    libraries()
        .split(':')
        .map(|path| format!("{path}/qemu"))
        .find(|path| Path::new(path).exists())
        .unwrap_or_default()
}

const BARE: &[&str] =
    &["-S", "-nodefaults", "-display", "none", "-machine", "none", "-accel", "tcg", "-qmp", "stdio"];

impl Qemu {
    fn start(args: &[&str]) -> Self {
        Self::spawn(Command::new(binary()).args(BARE).args(args))
    }

    fn spawn(command: &mut Command) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let command = command.current_dir(directory.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Ended::start(command);
        let input = child.0.stdin.take().unwrap();
        let output = BufReader::new(child.0.stdout.take().unwrap());
        let mut qemu = Self { child, input, output, directory };
        qemu.input.write_all(b"{\"execute\": \"qmp_capabilities\"}\n").unwrap();
        // It answers once all its sockets are open.
        assert!(qemu.line().contains("QMP"));
        assert!(qemu.line().contains("return"));
        qemu
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    fn pid(&self) -> i64 {
        self.child.0.id().into()
    }

    fn attach(&self) -> Attached {
        Attached::to(self.pid()).unwrap()
    }
}

fn refused(pid: i64) -> (String, String) {
    let Error::Attach { cause, hint, .. } = Attached::to(pid).unwrap_err() else { panic!("another error") };
    (cause, hint)
}
