//! A QEMU that has become another one: `cpr-exec` starts a new program in the source's own process.
//!
//! From then on the source has ended, for whoever holds it, and the new `Vm` has its process. What the new program's
//! command line is, and whether it has the guest, others know.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::start::machine_type;
use super::{Control, Inner, Vm};
use crate::error::{Error, Result};
use crate::migration::state::MigrationStatus;
use crate::monitor::Address;
use crate::qemu::directory::Directory;

/// How often either program is asked: the guest stands still meanwhile.
const INTERVAL: Duration = Duration::from_millis(1);
/// A monitor that closes goes with the rest of the process, or with its program.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// What a QEMU becomes.
#[derive(Debug)]
pub struct Exec {
    /// What errors call it.
    pub name: String,
    /// The program, as it was given.
    pub qemu: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its private directory, with its monitor; the source's if there is none.
    pub directory: Option<PathBuf>,
    /// How long it may take until it answers.
    pub limit: Duration,
}

impl Vm {
    /// Wait until the source has given way to the new program; `false` if it goes on: what went wrong then, its
    /// migration tells.
    ///
    /// # Errors
    /// `Gone` if the process ends; `Timeout` if nothing of it happens.
    pub async fn gives_way(&self, limit: Duration) -> Result<bool> {
        let start = Instant::now();
        let control = &self.0.control;
        while start.elapsed() < limit {
            if control.is_closed() {
                // With the process, or without.
                return match timeout(LAST_WORDS, self.end()).await {
                    Ok(_) => Err(self.gone("cpr-exec").await),
                    Err(_) => Ok(true),
                };
            }
            let left = limit.saturating_sub(start.elapsed());
            match timeout(left, control.peek(self.name(), "query-migrate")).await {
                Ok(Ok(reply)) => {
                    let status = MigrationStatus::from(reply["status"].as_str().unwrap_or_default());
                    if matches!(status, MigrationStatus::Failed | MigrationStatus::Cancelled) {
                        return Ok(false);
                    }
                }
                Ok(Err(Error::Gone { .. })) | Err(_) => {}
                Ok(Err(error)) => return Err(error),
            }
            sleep(INTERVAL).await;
        }
        Err(self.slow("the `exec`", limit, "its old program is still there"))
    }

    /// Connect to the program that the source has become. From here on, the source counts as ended.
    ///
    /// # Errors
    /// `Gone`, with its last words, if the process ends before it answers; `Timeout` if it does not answer.
    pub async fn become_next(&self, exec: Exec) -> Result<Self> {
        let Some(process) = self.0.process.clone() else {
            return Err(self.no_process("cpr-exec", "attach to its pid"));
        };
        let adopted = exec.directory.as_deref().and_then(Directory::adopt).map(Arc::new);
        let Some(directory) = adopted.or_else(|| self.0.directory.clone()) else {
            return Err(self.no_process("cpr-exec", "it has no directory"));
        };
        let answer = async {
            let control = self.found_again(&exec, &Address::Unix(directory.join("qmp"))).await?;
            let machine = machine_type(&exec.name, &control).await?;
            Ok((control, machine))
        };
        let (control, machine) = match timeout(exec.limit, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(Error::Gone { .. })) => return Err(self.gone("cpr-exec").await),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(self.slow("the new program", exec.limit, "it does not answer")),
        };
        let Exec { name, qemu, args, .. } = exec;
        let console_seen = Mutex::new(directory.length("console"));
        let (process, directory, became) = (Some(process), Some(directory), OnceLock::new());
        let next = Self(Arc::new(Inner {
            name,
            qemu,
            args,
            machine,
            console_seen,
            process,
            control,
            directory,
            became,
        }));
        let _ = self.0.became.set(next.downgrade());
        Ok(next)
    }

    /// What it has become, if it has and somebody holds that.
    #[must_use]
    pub fn became(&self) -> Option<Self> {
        self.0.became.get()?.upgrade()
    }

    /// The old program's socket, which is being closed, may be the one that is found at first.
    async fn found_again(&self, exec: &Exec, address: &Address) -> Result<Control> {
        loop {
            match Control::connect(&exec.name, address).await {
                Ok(control) => return Ok(control),
                Err(_) if self.ended().is_some() => return Err(self.gone("cpr-exec").await),
                Err(Error::Connect { .. } | Error::Protocol { .. } | Error::Gone { .. }) => {}
                Err(error) => return Err(error),
            }
            sleep(INTERVAL).await;
        }
    }

    fn slow(&self, what: &str, limit: Duration, last: &str) -> Error {
        Error::Timeout {
            vm: Some(self.name().to_owned()),
            operation: format!("waiting for {what} of vm `{}`", self.name()),
            timeout: limit,
            last: last.to_owned(),
            said: vec![(self.name().to_owned(), self.stderr())],
            outlook: String::new(),
        }
    }
}
