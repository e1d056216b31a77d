//! Where tests are performed: so many at the same time, each tried as often as is asked for, all of them ended together.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::case::{Case, Verdict};
use super::pages;
use crate::cli::{Common, Test};
use crate::commands::run;
use crate::error::Error;
use crate::script::diagnostic::Failure;
use crate::script::interrupt::Interrupt;
use crate::script::recipe::Source;
use crate::script::runner::{End, Script};
use crate::script::session::{Output, Session, Sink};

/// One test that is to be run.
pub struct Task {
    /// Its recipe.
    pub source: Source,
    /// Its function; empty for a recipe that has none because it does not compile.
    pub name: String,
    /// The line of the function.
    pub line: usize,
    /// Why it cannot be run.
    pub refused: Option<Failure>,
}

/// The tests that are under way, and how they are run.
pub struct Stage {
    jobs: usize,
    tries: usize,
    fail_fast: bool,
    parameters: BTreeMap<String, String>,
    timeout: Option<Duration>,
    common: Common,
    under_way: Arc<Mutex<UnderWay>>,
}

#[derive(Default)]
struct UnderWay {
    interrupts: BTreeMap<usize, Interrupt>,
    cause: Option<Error>,
}

impl Stage {
    /// As the command line has it.
    pub fn new(asked: &Test, common: &Common) -> Self {
        Self {
            jobs: asked.jobs.get(),
            tries: asked.retries + 1,
            fail_fast: asked.fail_fast,
            parameters: asked.parameters.iter().cloned().collect(),
            timeout: common.timeout,
            common: common.clone(),
            under_way: Arc::default(),
        }
    }

    /// Ends what is under way, and lets nothing else begin.
    pub fn ender(&self) -> impl Fn(Error) + Clone + Send + 'static {
        let under_way = self.under_way.clone();
        move |cause| {
            let mut under_way = lock(&under_way);
            under_way.cause.get_or_insert(cause.clone());
            for interrupt in under_way.interrupts.values() {
                interrupt.raise(cause.clone());
            }
        }
    }

    /// What ended them all, if something did.
    pub fn cause(&self) -> Option<Error> {
        lock(&self.under_way).cause.clone()
    }

    /// Run all tasks; `done` is told of each in their order, as soon as that is possible.
    pub fn run(&self, runtime: &Runtime, tasks: &[Task], mut done: impl FnMut(Case)) {
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (sender, receiver) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.min(tasks.len()) {
                let (sender, next, failed) = (sender.clone(), &next, &failed);
                scope.spawn(move || {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(task) = tasks.get(index) else { break };
                        let is_over =
                            self.cause().is_some() || (self.fail_fast && failed.load(Ordering::Relaxed));
                        let case = if is_over { Case::of(task) } else { self.perform(runtime, index, task) };
                        failed.fetch_or(matches!(case.verdict, Verdict::Failed(_)), Ordering::Relaxed);
                        // Who is to be told waits for all of them.
                        let _ = sender.send((index, case));
                    }
                });
            }
            drop(sender);
            let (mut early, mut told) = (BTreeMap::new(), 0);
            for (index, case) in receiver {
                early.insert(index, case);
                while let Some(case) = early.remove(&told) {
                    done(case);
                    told += 1;
                }
            }
        });
    }

    fn perform(&self, runtime: &Runtime, index: usize, task: &Task) -> Case {
        let start = Instant::now();
        let mut case = Case::of(task);
        if let Some(failure) = &task.refused {
            case.verdict = Verdict::Failed(Box::new(failure.clone()));
            return case;
        }
        while case.tries < self.tries {
            case.tries += 1;
            (case.verdict, case.output) = self.once(runtime, index, task);
            if !matches!(case.verdict, Verdict::Failed(_)) || self.cause().is_some() {
                break;
            }
        }
        case.time = start.elapsed();
        case
    }

    fn once(&self, runtime: &Runtime, index: usize, task: &Task) -> (Verdict, String) {
        let session = Session::new(runtime.handle().clone());
        session.let_all_end();
        let output = Arc::new(Mutex::new(String::new()));
        let page = self.common.report.as_deref().map(|directory| pages::page(directory, task));
        let page = match page.transpose() {
            Ok(page) => page,
            Err(error) => return (Verdict::Failed(Failure::from(&error).into()), String::new()),
        };
        let sink = |output: &Arc<Mutex<String>>| -> Arc<Sink> {
            let (output, page) = (output.clone(), page.clone());
            Arc::new(move |line| {
                if let Some(page) = &page {
                    page.said(line);
                }
                let mut output = lock(&output);
                output.push_str(line);
                output.push('\n');
                Ok(())
            })
        };
        session.set_output(Output { print: sink(&output), log: sink(&output) });
        if let Some(page) = page.clone() {
            session.set_onlooker(Arc::new(move |told| page.hear(told)));
        }
        session.set_parameters(self.parameters.clone());
        run::record(&session, &format!("{}: {}", task.source.name, task.name), &self.common);

        self.begin(index, session.interrupt());
        let end = Script::load(session.clone(), task.source.clone()).and_then(|script| {
            let limit = self.timeout;
            let timer = limit.map(|limit| run::end_after(runtime, session.interrupt(), limit, "the test"));
            let end = script.run_test(&task.name);
            if let Some(timer) = timer {
                timer.abort();
            }
            end
        });
        lock(&self.under_way).interrupts.remove(&index);

        let unwritten = page.and_then(|page| page.write(&run::ending(&end)).err());
        let verdict = match end {
            Ok(End::Value(_) | End::Exit(0)) => Verdict::Passed,
            Ok(End::Skipped(reason)) => Verdict::Skipped(reason),
            Ok(End::Exit(code)) => {
                let message = format!("the test ended by `exit({code})`");
                let kind = "exit".to_owned();
                Verdict::Failed(Failure { kind, message, code, ..Failure::default() }.into())
            }
            Err(failure) => Verdict::Failed(failure.into()),
        };
        let mut output = std::mem::take(&mut *lock(&output));
        if let Some(error) = unwritten {
            let _ = writeln!(output, "warning: there is no report: {error}");
        }
        (verdict, output)
    }

    fn begin(&self, index: usize, interrupt: &Interrupt) {
        let mut under_way = lock(&self.under_way);
        if let Some(cause) = under_way.cause.clone() {
            interrupt.raise(cause);
        }
        under_way.interrupts.insert(index, interrupt.clone());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
