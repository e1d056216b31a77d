//! The machine that qhop runs on, as scripts use it: its commands.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;

use crate::error::Result;
use crate::qemu::process::start_error;

/// What a host command left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code, or 128 + the signal that killed it.
    pub status: i32,
    /// What it printed; bytes that are no UTF-8 are replaced.
    pub stdout: String,
    /// What it printed to its standard error.
    pub stderr: String,
}

/// Run a program to its end, without standard input. When the future is dropped, the program and
/// whatever it started in its process group are killed.
pub async fn run(program: &str, args: &[String]) -> Result<Output> {
    let child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| start_error(program, &error))?;
    let mut group = Group(child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)));
    let output = child.wait_with_output().await.map_err(|error| start_error(program, &error))?;
    group.0 = None;
    let status = std::os::unix::process::ExitStatusExt::signal(&output.status)
        .map_or_else(|| output.status.code().unwrap_or_default(), |signal| 128 + signal);
    Ok(Output {
        status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Kills a process group on drop, unless it was let go.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
