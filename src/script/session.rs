//! One run of a script: its parameters, where its lines go, who is told of it, and the way across to the runtime. Every
//! function of the script API reaches the world through here. What it launched and deferred is `held`.

mod held;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position};
use serde_json::Value;
use tokio::runtime::Handle;

use self::held::Holdings;
use super::gate::{Effect, Gate};
use super::interrupt::Interrupt;
use crate::error::{Error, Result};
use crate::onlooker::{Onlooker, Told};
use crate::qemu::process::cause;
use crate::record::Record;
use crate::vm::Vm;

/// What a function of the script API returns.
pub type ScriptResult<T> = std::result::Result<T, Box<EvalAltResult>>;

/// Why a script stopped before its last line, as the token of Rhai's `ErrorTerminated`, which a
/// script cannot catch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// `exit(code)`.
    Exit(u8),
    /// `skip(reason)`.
    Skip(String),
    /// A signal or the deadline; the cause is with the `Interrupt`.
    Interrupted,
}

impl From<Ending> for Box<EvalAltResult> {
    fn from(ending: Ending) -> Self {
        EvalAltResult::ErrorTerminated(Dynamic::from(ending), Position::NONE).into()
    }
}

/// Where a script's lines go.
#[derive(Clone)]
pub struct Output {
    /// `print`: results.
    pub print: Arc<Sink>,
    /// `log`: for people.
    pub log: Arc<Sink>,
}

/// Takes one line.
pub type Sink = dyn Fn(&str) -> io::Result<()> + Send + Sync;

/// Is told of each `Vm` of the run.
pub type Observer = dyn Fn(&Vm) + Send + Sync;

/// Cheap to clone; every clone is the same run.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    runtime: Handle,
    interrupt: Interrupt,
    output: OnceLock<Output>,
    parameters: Mutex<BTreeMap<String, String>>,
    gate: Gate,
    held: Holdings,
    onlooker: OnceLock<Onlooker>,
    observer: OnceLock<Box<Observer>>,
}

impl Session {
    /// A run whose I/O happens on `runtime`.
    #[must_use]
    pub fn new(runtime: Handle) -> Self {
        Self(Arc::new(Inner {
            runtime,
            interrupt: Interrupt::default(),
            output: OnceLock::new(),
            parameters: Mutex::default(),
            gate: Gate::default(),
            held: Holdings::default(),
            onlooker: OnceLock::new(),
            observer: OnceLock::new(),
        }))
    }

    /// The run that a script function was called in.
    ///
    /// # Panics
    /// Never for an engine of `engine::build`, which sets the tag.
    #[must_use]
    pub fn of(ctx: &NativeCallContext) -> Self {
        ctx.tag().and_then(|tag| tag.clone().try_cast()).expect("the engine carries its session as its tag")
    }

    /// The one seam between the script's thread and the runtime: wait for `future`, or for the signal
    /// or deadline that ends the script.
    pub fn block_on<T>(&self, future: impl Future<Output = Result<T>>) -> ScriptResult<T> {
        let token = self.0.interrupt.token();
        self.0.runtime.block_on(async {
            tokio::select! {
                biased;
                () = token.cancelled() => Err(Ending::Interrupted.into()),
                result = future => result.map_err(Into::into),
            }
        })
    }

    /// Perform an effect, if the gate lets it pass.
    pub fn perform<T>(&self, effect: Effect, future: impl Future<Output = Result<T>>) -> ScriptResult<T> {
        self.pass(effect)?;
        self.block_on(future)
    }

    /// Ask the gate.
    pub fn pass(&self, effect: Effect) -> ScriptResult<()> {
        self.let_go();
        if !effect.only_asks() {
            self.tell(&Told::Effect(&effect.to_string()));
        }
        let passed = self.0.gate.pass(effect);
        self.complain();
        Ok(passed?)
    }

    /// Say, once, that no record can be kept.
    pub fn complain(&self) {
        if let Some(complaint) = self.0.gate.record().and_then(Record::complaint) {
            self.log(&format!("warning: {complaint}"));
        }
    }

    /// Read a text file, if the gate lets it pass.
    pub fn read(&self, path: &Path) -> io::Result<String> {
        self.0.gate.pass(Effect::Read { path: path.display().to_string() }).map_err(io::Error::other)?;
        std::fs::read_to_string(path)
    }

    /// Print a line of results. Where nobody can take it, the script ends: as by `SIGPIPE`, or with the reason.
    pub fn print(&self, line: &str) {
        let Some(Err(error)) = self.0.output.get().map(|output| (output.print)(line)) else { return };
        let code = if error.kind() == io::ErrorKind::BrokenPipe { 128 + 13 } else { 1 };
        let cause = format!("cannot write to standard output: {}", cause(&error));
        self.0.interrupt.raise(Error::Interrupted { cause, code });
    }

    /// Print a line for people. Where nobody can take it, nobody misses it.
    pub fn log(&self, line: &str) {
        let _ = self.0.output.get().map(|output| (output.log)(line));
    }

    /// End what still runs after so long.
    pub fn raise_after(&self, time: Duration) {
        let interrupt = self.0.interrupt.clone();
        self.0.runtime.spawn(async move {
            tokio::time::sleep(time).await;
            interrupt.raise(Error::Interrupted {
                cause: "the end of the script took too long".to_owned(),
                code: 1,
            });
        });
    }

    /// The gate, with its record.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.0.gate
    }

    /// What may end this run from outside.
    #[must_use]
    pub fn interrupt(&self) -> &Interrupt {
        &self.0.interrupt
    }

    /// Set where its lines go; only the first call counts. Without it, they go nowhere.
    pub fn set_output(&self, output: Output) {
        let _ = self.0.output.set(output);
    }

    /// Set what the recipe is called with, beside what was set before.
    pub fn set_parameters(&self, parameters: BTreeMap<String, String>) {
        self.0.parameters.lock().unwrap_or_else(PoisonError::into_inner).extend(parameters);
    }

    /// The value of `--name` on the command line.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.0.parameters.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Set who is told of what happens; only the first call counts.
    pub fn set_onlooker(&self, onlooker: Onlooker) {
        let _ = self.0.onlooker.set(onlooker);
    }

    /// Tell the onlooker, if there is one.
    pub fn tell(&self, told: &Told) {
        if let Some(onlooker) = self.0.onlooker.get() {
            onlooker(told);
        }
    }

    /// Set who is told of each `Vm` that this run takes hold of; only the first call counts.
    pub fn set_observer(&self, observer: Box<Observer>) {
        let _ = self.0.observer.set(observer);
    }

    /// Note a step of a move, before it is taken.
    pub fn step(&self, name: &str, details: &Value) -> Result<()> {
        tracing::info!(target: "qhop::step", "step `{name}`{}", between(details));
        self.tell(&Told::Step(name, details));
        self.0.gate.record().map_or(Ok(()), |record| record.step(name, details))
    }

    /// Note in the record what is to be known of a `Vm`.
    pub fn note(&self, vm: &Vm) {
        if let Some(record) = self.0.gate.record() {
            record.vm(&vm.description());
        }
    }
}

/// Between which QEMUs a step is taken, as far as its details say so.
fn between(details: &Value) -> String {
    let name = |end: &str| details[end]["name"].as_str();
    match (name("source"), name("target"), details["path"].as_str()) {
        (Some(source), Some(target), _) => format!(": `{source}` to `{target}`"),
        (Some(vm), None, _) | (None, Some(vm), _) => format!(": `{vm}`"),
        (None, None, Some(path)) => format!(": {path}"),
        (None, None, None) => String::new(),
    }
}
