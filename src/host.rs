//! The machine that qhop runs on, as scripts use it: its commands.

use std::io;
use std::process::Stdio;
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;
use tokio::sync::{Mutex, OnceCell};
use tokio::task::JoinHandle;

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

/// A program that runs beside what else is done. Cheap to clone; with the last clone it ends, if it has not done so before.
#[derive(Debug, Clone)]
pub struct Job(Arc<Task>);

#[derive(Debug)]
struct Task {
    program: String,
    handle: Mutex<JoinHandle<Result<Output>>>,
    output: OnceCell<Result<Output>>,
}

impl Job {
    /// [`run`] a program, and do not wait for it. Must be called within the runtime.
    #[must_use]
    pub fn begin(program: String, args: Vec<String>) -> Self {
        let name = program.clone();
        let handle = tokio::spawn(async move { run(&name, &args).await });
        Self(Arc::new(Task { program, handle: Mutex::new(handle), output: OnceCell::new() }))
    }

    /// Wait for its end. May be called again.
    pub async fn wait(&self) -> Result<Output> {
        let Task { program, handle, output } = &*self.0;
        let end = async || match (&mut *handle.lock().await).await {
            Ok(output) => output,
            Err(error) => Err(start_error(program, &io::Error::other(error))),
        };
        output.get_or_init(end).await.clone()
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.get_mut().abort();
    }
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
