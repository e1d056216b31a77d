//! What is told of a run while it goes on, to whoever writes a report of it or shows its progress.
//!
//! While a migration goes on, its source is asked for its figures, if the script does not ask anyway: what
//! the onlooker wants to know must not make the migration any slower.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use crate::migration::sample::Sample;
use crate::record::Exchange;
use crate::vm::{Vm, WeakVm};

/// How old the figures of a migration may get before somebody asks for newer ones. A script that waits for a migration
/// asks every 10 ms in its first five seconds, and every 100 ms from then on.
const INTERVAL: Duration = Duration::from_millis(50);
/// How long a QEMU may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Something that has happened in a run. A number says which `Vm` it is about: the first one is 0.
#[derive(Clone, Copy)]
pub enum Told<'a> {
    /// A `Vm` that the run has taken hold of; its number is the next one.
    Vm(&'a Vm),
    /// A `Vm` that the run lets go of: what it has written can be read now, and perhaps never again.
    Farewell(usize, &'a Vm),
    /// An exchange with its monitor, or an event.
    Exchange(usize, Exchange<'a>),
    /// The figures of its migration.
    Sample(usize, &'a Sample),
    /// Nobody asks for figures any more.
    Sampled(usize),
    /// A step of a move, and its details.
    Step(&'a str, &'a Value),
    /// An effect, in words.
    Effect(&'a str),
    /// The longest time without a heartbeat: from when, and how long.
    Gap(SystemTime, Duration),
}

/// Is told of it.
pub type Onlooker = Arc<dyn Fn(&Told) + Send + Sync>;

/// The onlooker of one `Vm`.
#[derive(Clone)]
pub struct Watch {
    id: usize,
    vm: WeakVm,
    runtime: Handle,
    onlooker: Onlooker,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Whether it has begun to send its guest.
    sends: bool,
    /// Whether it is asked for figures.
    samples: bool,
    over: bool,
    last: Option<Instant>,
}

impl Watch {
    /// Tell `onlooker` of `vm`, whose number is `id`.
    #[must_use]
    pub fn new(id: usize, vm: &Vm, runtime: Handle, onlooker: Onlooker) -> Self {
        onlooker(&Told::Vm(vm));
        Self { id, vm: vm.downgrade(), runtime, onlooker, state: Arc::default() }
    }

    /// An exchange has taken place.
    pub fn exchange(&self, exchange: Exchange) {
        (self.onlooker)(&Told::Exchange(self.id, exchange));
        match exchange {
            Exchange::Command("query-migrate", _, Ok(reply)) => self.sample(reply),
            _ if starts_migration(exchange) => self.start(),
            _ => {}
        }
    }

    fn sample(&self, reply: &Value) {
        let sample = Sample::read(reply, milliseconds(SystemTime::now()));
        let mut state = self.state();
        // Whoever asks a guest that nobody moves, or its target, learns nothing.
        if !state.sends || sample.status == "none" {
            return;
        }
        state.last = Some(Instant::now());
        state.over = sample.is_over();
        drop(state);
        (self.onlooker)(&Told::Sample(self.id, &sample));
    }

    fn start(&self) {
        let mut state = self.state();
        (state.sends, state.over) = (true, false);
        if !std::mem::replace(&mut state.samples, true) {
            let watch = self.clone();
            self.runtime.spawn(async move { watch.follow().await });
        }
    }

    async fn follow(self) {
        loop {
            sleep(INTERVAL).await;
            let Some(vm) = self.vm.upgrade().filter(|vm| vm.ended().is_none()) else { break };
            if self.is_over() {
                break;
            }
            let is_fresh = self.state().last.is_some_and(|last| last.elapsed() < INTERVAL);
            if !is_fresh && let Ok(Ok(reply)) = timeout(PATIENCE, vm.peek_migration()).await {
                self.sample(&reply);
            }
        }
        self.state().samples = false;
        (self.onlooker)(&Told::Sampled(self.id));
    }

    fn is_over(&self) -> bool {
        self.state().over
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether QEMU has begun to send a guest, by this exchange.
#[must_use]
pub fn starts_migration(exchange: Exchange) -> bool {
    match exchange {
        Exchange::Command("migrate", _, Ok(_)) => true,
        Exchange::Command("human-monitor-command", arguments, Ok(_)) => {
            arguments["command-line"].as_str().is_some_and(|line| line.starts_with("migrate "))
        }
        Exchange::Line(line, Ok(_)) => line.trim_start().starts_with("migrate "),
        _ => false,
    }
}

/// A time in milliseconds since 1970.
#[must_use]
pub fn milliseconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::Error;

    #[test]
    fn a_migration_is_seen_to_start() {
        let (none, done) = (json!({}), Ok(json!({})));
        let printed = Ok(String::new());
        assert!(starts_migration(Exchange::Command("migrate", &none, &done)));
        assert!(starts_migration(Exchange::Line("migrate -d tcp:127.0.0.1:4444", &printed)));
        let line = json!({ "command-line": "migrate -d unix:/x" });
        assert!(starts_migration(Exchange::Command("human-monitor-command", &line, &done)));
        for line in ["migrate_set_capability postcopy-ram on", "info migrate", "migrate_start_postcopy"] {
            assert!(!starts_migration(Exchange::Line(line, &printed)), "{line}");
        }
        let refused = Err(Error::Gone {
            vm: "a".into(),
            operation: "migrate".into(),
            ended: "ended".into(),
            stderr: String::new(),
        });
        assert!(!starts_migration(Exchange::Command("migrate", &none, &refused)));
        assert!(!starts_migration(Exchange::Command("migrate-incoming", &none, &done)));
    }
}
