//! A script from its text to its outcome: compiled, run on a thread of its own, its deferred closures run, and
//! what it launched ended.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rhai::{AST, Array, Dynamic, Engine, EvalAltResult, Map};
use serde_json::Value;

use super::diagnostic::{Failure, Palette};
use super::parameters::{Parameter, parameters};
use super::recipe::{Header, Source, header};
use super::resolver::Resolver;
use super::session::{Ending, Session};
use super::sources::Sources;
use super::{engine, failure, value};
use crate::error::Error;
use crate::units::Seconds;
use crate::vm::Vm;

/// Enough for the deepest script that the engine's limits allow.
pub(crate) const STACK_BYTES: usize = 64 << 20;
/// How long deferred closures may take once a signal or the deadline has ended the script.
const GRACE: Duration = Duration::from_secs(60);

/// How a script ended that did not fail.
#[derive(Debug)]
pub enum End {
    /// With the value of its last expression.
    Value(Outcome),
    /// `exit(code)`.
    Exit(u8),
    /// `skip(reason)`.
    Skipped(String),
}

/// A script's value.
#[derive(Debug)]
pub struct Outcome {
    /// For people; empty for `()`.
    pub text: String,
    /// For programs; null where the value has no JSON form.
    pub json: Value,
}

/// A compiled script and the session that it will run in.
pub struct Script {
    pub(super) engine: Engine,
    pub(super) ast: AST,
    pub(super) sources: Sources,
    pub(super) session: Session,
    pub(super) source: Source,
}

impl Script {
    /// Compile a script. Nothing of it runs.
    pub fn load(session: Session, source: Source) -> Result<Self, Failure> {
        let sources = Sources::default();
        sources.add(&source.name, &source.text);
        let reader = session.clone();
        let read = Box::new(move |path: &std::path::Path| reader.read(path));
        let resolver = Resolver::new(source.path.as_deref(), sources.clone(), read);
        let engine = engine::build(&session, &sources, resolver);
        match engine::compile(&engine, &source.name, &source.text) {
            Ok(ast) => Ok(Self { engine, ast, sources, session, source }),
            Err(error) => Err(explain(&error.into(), &engine, None, &source, &sources)),
        }
    }

    /// The engine that it runs on.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What it is called: its path, or the name that it is shipped under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.source.name
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.source.text
    }

    /// What the script says of itself.
    #[must_use]
    pub fn header(&self) -> Header {
        header(&self.source.text)
    }

    /// What it can be called with.
    pub fn parameters(&self) -> Result<Vec<Parameter>, Failure> {
        parameters([&self.ast]).map_err(|error| Failure::from(&error))
    }

    /// Set what it is called with.
    pub fn set_parameters(&self, values: BTreeMap<String, String>) {
        self.session.set_parameters(values);
    }

    /// Run it to its end, however it ends: then the deferred closures have run, and what it launched
    /// and did not keep is gone.
    pub fn run(self) -> Result<End, Failure> {
        self.on_a_thread(Self::evaluate)
    }

    pub(super) fn on_a_thread(
        self,
        body: impl FnOnce(Self) -> Result<End, Failure> + Send + 'static,
    ) -> Result<End, Failure> {
        let name = "script".to_owned();
        let thread = std::thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(move || body(self));
        thread.map_err(|error| internal(&error)).and_then(|thread| {
            thread.join().unwrap_or_else(|_| Err(internal(&"the script's thread panicked")))
        })
    }

    pub(super) fn evaluate(self) -> Result<End, Failure> {
        self.evaluate_by(|this| this.engine.eval_ast::<Dynamic>(&this.ast))
    }

    /// Do `body`, and all that the end of a script asks for.
    pub(super) fn evaluate_by(
        self,
        body: impl FnOnce(&Self) -> Result<Dynamic, Box<EvalAltResult>>,
    ) -> Result<End, Failure> {
        let result = self.guarded(body);
        let mut end = match result {
            // Something ended it at its very last step, such as a line that could not be printed.
            Ok(_) if let Some(cause) = self.session.interrupt().cause() => Err(Failure::from(&cause)),
            Ok(value) => Ok(Self::outcome(&value)),
            Err(error) => self.ended(&error),
        };
        if let Err(failure) = self.run_deferred() {
            // The first failure is the one that explains; the others are told as they happen.
            if end.is_ok() {
                end = Err(failure);
            } else {
                self.session.log(&failure.render(&Palette::default()));
            }
        }
        self.session.retire();
        if let Some(record) = self.session.gate().record() {
            record.end(&match &end {
                Ok(End::Value(_)) => "ok".to_owned(),
                Ok(End::Exit(code)) => format!("exit {code}"),
                Ok(End::Skipped(reason)) => format!("skipped: {reason}"),
                Err(failure) => failure.message.clone(),
            });
        }
        end
    }

    fn run_deferred(&self) -> Result<(), Failure> {
        if self.session.interrupt().cause().is_some() {
            self.session.raise_after(GRACE);
        }
        let mut first = Ok(());
        while let Some(closure) = self.session.next_deferred() {
            // What ended the script, or the closure before this one, does not end this one.
            self.session.interrupt().rearm();
            let result = self.guarded(|this| closure.call::<Dynamic>(&this.engine, &this.ast, ()));
            if let Err(error) = result.or_else(|error| self.ended(&error).map(|_| Dynamic::UNIT)) {
                if first.is_ok() {
                    first = Err(error);
                } else {
                    self.session.log(&error.render(&Palette::default()));
                }
            }
        }
        first
    }

    /// A panic in a native function must not cost the guests: what was deferred still runs.
    pub(super) fn guarded<T>(
        &self,
        call: impl FnOnce(&Self) -> Result<T, Box<EvalAltResult>>,
    ) -> Result<T, Box<EvalAltResult>> {
        catch_unwind(AssertUnwindSafe(|| call(self))).unwrap_or_else(|_| {
            Err(Box::new("a bug in qhop: it panicked; please report the text above".into()))
        })
    }

    pub(super) fn outcome(value: &Dynamic) -> End {
        let json = value::to_json("outcome", &described(value)).unwrap_or(Value::Null);
        let text = match &json {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => format!("{other:#}"),
        };
        End::Value(Outcome { text, json })
    }

    /// What an error that left the script means: an early end, or a failure.
    pub(super) fn ended(&self, error: &EvalAltResult) -> Result<End, Failure> {
        let token = match error.unwrap_inner() {
            EvalAltResult::ErrorTerminated(token, _) => token.clone().try_cast::<Ending>(),
            _ => None,
        };
        match token {
            Some(Ending::Exit(code)) => Ok(End::Exit(code)),
            Some(Ending::Skip(reason)) => Ok(End::Skipped(reason)),
            Some(Ending::Interrupted) => {
                let cause = self.session.interrupt().cause();
                Err(cause
                    .map_or_else(|| internal(&"interrupted without a cause"), |cause| Failure::from(&cause)))
            }
            None => Err(explain(error, &self.engine, Some(&self.ast), &self.source, &self.sources)),
        }
    }
}

/// What has no JSON form of its own, as what a reader would want to know of it.
fn described(value: &Dynamic) -> Dynamic {
    let value = value.flatten_clone();
    if let Some(vm) = value.read_lock::<Vm>() {
        return Map::from([
            ("name".into(), vm.name().to_owned().into()),
            ("pid".into(), vm.pid().map_or(Dynamic::UNIT, |pid| i64::from(pid).into())),
            ("version".into(), vm.version().to_owned().into()),
            ("machine".into(), vm.machine().to_owned().into()),
        ])
        .into();
    }
    if let Some(duration) = value.read_lock::<Duration>() {
        return Seconds(*duration).to_string().into();
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().map(described).collect::<Array>().into();
    }
    if let Some(members) = value.read_lock::<Map>() {
        return members.iter().map(|(key, value)| (key.clone(), described(value))).collect::<Map>().into();
    }
    value.clone()
}

fn explain(
    error: &EvalAltResult,
    engine: &Engine,
    ast: Option<&AST>,
    source: &Source,
    sources: &Sources,
) -> Failure {
    let text = |name: &str| sources.text(name);
    failure::explain(error, &failure::Script { engine, ast, file: &source.name, text: &text })
}

fn internal(what: &dyn std::fmt::Display) -> Failure {
    Failure::from(&Error::Start {
        program: "the script".to_owned(),
        cause: what.to_string(),
        hint: String::new(),
    })
}
