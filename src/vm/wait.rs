//! The waits of a `Vm`: each asks, then sleeps until the monitor has news or a short interval is over,
//! and says on failure what it last saw.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::time::{Instant, sleep, timeout};

use super::Vm;
use super::pace::{FASTEST, SLOWEST, longer};
use crate::error::{Error, Result};
use crate::migration::state::MigrationStatus;

/// What one look saw.
pub enum Wait<T> {
    /// What was waited for.
    Over(T),
    /// Not yet: `current …, wanted …`.
    Seen(String),
}

impl Vm {
    /// Wait until the guest's run state is `wanted`.
    pub async fn wait_for_status(&self, wanted: &str, limit: Duration) -> Result<()> {
        self.poll(format!("waiting for status `{wanted}` of vm `{}`", self.name()), limit, async || {
            let status = self.status().await?;
            Ok(if status == wanted {
                Wait::Over(())
            } else {
                Wait::Seen(format!("current `{status}`, wanted `{wanted}`"))
            })
        })
        .await
    }

    /// Wait until the migration's state is `wanted`. An end state that is not `wanted` is an error at once.
    pub async fn wait_for_migration(&self, wanted: &str, limit: Duration) -> Result<()> {
        self.poll(format!("waiting for migration `{wanted}` of vm `{}`", self.name()), limit, async || {
            let migration = self.migration().await?;
            let status = migration["status"].as_str().unwrap_or("none");
            if status == wanted {
                return Ok(Wait::Over(()));
            }
            if is_over(status) {
                return Err(Error::Migration {
                    vm: self.name().to_owned(),
                    wanted: wanted.to_owned(),
                    status: status.to_owned(),
                    cause: migration["error-desc"].as_str().unwrap_or_default().to_owned(),
                    said: Vec::new(),
                    outlook: String::new(),
                });
            }
            Ok(Wait::Seen(format!("current `{status}`, wanted `{wanted}`")))
        })
        .await
    }

    /// The reply of `query-migrate`, from a QEMU that may hang.
    pub async fn migration_within(&self, limit: Duration) -> Result<Value> {
        timeout(limit, self.migration()).await.unwrap_or_else(|_| {
            Err(Error::Timeout {
                vm: Some(self.name().to_owned()),
                operation: format!("asking vm `{}` for its migration", self.name()),
                timeout: limit,
                last: "no answer".to_owned(),
                said: self.said(&mut self.0.control.events().feed()),
                outlook: String::new(),
            })
        })
    }

    /// From now on, an answer of its monitor that takes longer is an error; `None` waits for ever.
    pub fn set_patience(&self, patience: Option<Duration>) {
        self.0.control.set_patience(patience);
    }

    /// Wait for the next event of that name that no wait has taken yet, and take it.
    pub async fn wait_for_event(&self, name: &str, limit: Duration) -> Result<Value> {
        self.poll(format!("waiting for event `{name}` of vm `{}`", self.name()), limit, async || {
            if let Some(event) = self.0.control.events().take(name) {
                return Ok(Wait::Over(event));
            }
            if self.ended().is_some() || self.0.control.is_closed() {
                return Err(self.gone(&format!("wait_for_event(\"{name}\")")).await);
            }
            let last = if self.tells_events() {
                "no such event so far"
            } else {
                "a human monitor tells of no events"
            };
            Ok(Wait::Seen(last.to_owned()))
        })
        .await
    }

    /// Wait until `text` appears on the guest's console, behind what the last such wait has found.
    pub async fn wait_for_output(&self, text: &str, limit: Duration) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let Some(directory) = &self.0.directory else {
            return Err(Error::Argument {
                function: "wait_for_output".to_owned(),
                cause: format!("the console of vm `{}` is not known", self.name()),
                hint: "it is for a QEMU that `launch` has started".to_owned(),
            });
        };
        // Everything from here on is looked at again: the text may arrive in pieces.
        let mut from = *self.console_seen();
        let mut look = || {
            let new = directory.read_from("console", from);
            if let Some(at) = new.windows(text.len().max(1)).position(|window| window == text.as_bytes()) {
                *self.console_seen() = from + (at + text.len()) as u64;
                return true;
            }
            from += new.len().saturating_sub(text.len()) as u64;
            false
        };
        let wanted = format!("waiting for `{text}` on the console of vm `{}`", self.name());
        self.poll(wanted, limit, async || {
            let ended = self.ended().is_some();
            if look() {
                Ok(Wait::Over(()))
            } else if ended {
                Err(self.gone(&format!("wait_for_output(\"{text}\")")).await)
            } else {
                let console = self.console();
                let last = console.trim_end().lines().next_back().unwrap_or_default().to_owned();
                Ok(Wait::Seen(if last.is_empty() {
                    "the console is empty".to_owned()
                } else {
                    format!("the console's last line is `{last}`")
                }))
            }
        })
        .await
    }

    /// Wait, for as long as it takes, until the process has ended, and tell how.
    pub async fn end(&self) -> String {
        if let Some(ended) = self.ended() {
            return ended;
        }
        if let Some(process) = &self.0.process {
            return process.wait().await;
        }
        loop {
            match self.ended() {
                Some(ended) => return ended,
                None => sleep(SLOWEST).await,
            }
        }
    }

    /// Wait until the process has ended.
    pub async fn wait_for_end(&self, limit: Duration) -> Result<String> {
        if let Some(ended) = self.ended() {
            return Ok(ended);
        }
        let operation = format!("waiting for the end of vm `{}`", self.name());
        let Some(process) = &self.0.process else {
            let look = async || {
                Ok(self.ended().map_or_else(|| Wait::Seen("its monitor is open".to_owned()), Wait::Over))
            };
            return self.poll(operation, limit, look).await;
        };
        let mut feed = self.0.control.events().feed();
        timeout(limit, process.wait()).await.map_err(|_| Error::Timeout {
            vm: Some(self.name().to_owned()),
            operation,
            timeout: limit,
            last: format!("process {} still runs", process.pid()),
            said: self.said(&mut feed),
            outlook: String::new(),
        })
    }

    /// Look again and again until something is seen, or the time is over. Whatever the monitor reports
    /// in between ends the pause at once: the pause is for what has no event.
    async fn poll<T>(
        &self,
        operation: String,
        limit: Duration,
        mut look: impl AsyncFnMut() -> Result<Wait<T>>,
    ) -> Result<T> {
        let start = Instant::now();
        let deadline = start + limit;
        let mut feed = self.0.control.events().feed();
        let mut interval = FASTEST;
        let mut last = "no answer".to_owned();
        loop {
            let mut news = self.0.control.events().news();
            match tokio::time::timeout_at(deadline, look()).await {
                Ok(Ok(Wait::Over(value))) => return Ok(value),
                Ok(Ok(Wait::Seen(seen))) => last = seen,
                Ok(Err(error)) => return Err(error),
                Err(_) => {}
            }
            let remaining = deadline.saturating_duration_since(Instant::now());
            if remaining.is_zero() {
                return Err(Error::Timeout {
                    vm: Some(self.name().to_owned()),
                    operation,
                    timeout: limit,
                    last,
                    said: self.said(&mut feed),
                    outlook: String::new(),
                });
            }
            tokio::select! {
                () = news.changed() => {}
                () = sleep(interval.min(remaining)) => {}
            }
            interval = longer(interval, start.elapsed());
        }
    }

    /// What came meanwhile, and how QEMU and the guest sounded at the end.
    fn said(&self, feed: &mut Receiver<Value>) -> Vec<(String, String)> {
        const LINES: usize = 3;
        const EVENTS: usize = 20;
        let end = |text: String| {
            let lines: Vec<&str> = text.trim_end().lines().collect();
            lines[lines.len().saturating_sub(LINES)..].join("\n")
        };
        let mut events = Vec::new();
        loop {
            match feed.try_recv() {
                Ok(event) => events.push(in_brief(&event)),
                // Some were too many.
                Err(TryRecvError::Lagged(_)) => {}
                Err(_) => break,
            }
        }
        if events.len() > EVENTS {
            events.drain(..events.len() - EVENTS);
            events.insert(0, "…".to_owned());
        }
        let name = self.name();
        let said = [
            (format!("{name}'s monitor"), events.join(", ")),
            (name.to_owned(), end(self.stderr())),
            (format!("{name}'s console"), end(self.console())),
        ];
        said.into_iter().filter(|(_, words)| !words.is_empty()).collect()
    }

    fn console_seen(&self) -> MutexGuard<'_, u64> {
        self.0.console_seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn gone(&self, operation: &str) -> Error {
        let operation = operation.to_owned();
        let error = Error::Gone {
            vm: self.name().to_owned(),
            operation,
            ended: String::new(),
            stderr: String::new(),
        };
        self.last_words(error).await
    }
}

/// `STOP`, `MIGRATION active`.
fn in_brief(event: &Value) -> String {
    let name = event["event"].as_str().unwrap_or_default();
    event["data"]["status"].as_str().map_or_else(|| name.to_owned(), |status| format!("{name} {status}"))
}

/// Whether a migration in this state comes to no other by itself: nobody else can be waiting for it here.
fn is_over(status: &str) -> bool {
    let status = MigrationStatus::from(status);
    status.is_end_state() || status.is_standstill()
}
