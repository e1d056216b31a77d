//! The session that people sit in: entries come in, answers go out, guests live on from one to the next.
//!
//! It knows terminals and pipes; what an entry means is `script::dialogue`'s business.

mod commands;
mod complete;
mod context;
mod helper;
mod history;
mod input;
mod manual;
mod notices;
mod obey;
mod options;
mod save;
mod watch;

use std::io::{Write, stderr, stdout};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use serde_json::json;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::Error;
use crate::script::diagnostic::{Failure, Palette};
use crate::script::dialogue::{Answer, Dialogue};
use crate::script::recipe::{Source, shipped_names};
use crate::script::runner::End;
use crate::script::session::{Output, Session};
use complete::Knowledge;
use helper::Assistant;
use input::{Input, Said};
pub use notices::Notices;
use save::Entry;
use watch::Offers;

/// How a session is to be.
pub struct Settings {
    /// Whether there is somebody at a terminal.
    pub interactive: bool,
    /// Whether what is shown there has colours.
    pub coloured: bool,
    /// What tells of things as they happen.
    pub notices: Notices,
    /// The colours of errors.
    pub palette: Palette,
    /// Whether answers are JSON objects, a line each.
    pub json: bool,
    /// Finds the text of a recipe by its path or name.
    pub find: fn(&str) -> Result<Source, Failure>,
}

/// A session while it lasts.
pub struct Repl {
    settings: Settings,
    dialogue: Dialogue,
    input: Input,
    notices: Notices,
    known: Arc<Mutex<Knowledge>>,
    offers: Offers,
    runtime: Handle,
    entries: Vec<Entry>,
    /// The exit code of the first entry that failed.
    failed: u8,
    /// Whether a signal has ended it.
    signalled: bool,
}

/// What comes after an entry.
enum Next {
    Entry,
    End(u8),
}

impl Repl {
    /// A session that has just begun.
    pub fn new(dialogue: Dialogue, settings: Settings, runtime: Handle) -> Result<Self, Failure> {
        let functions = Arc::new(dialogue.functions());
        let known = Knowledge {
            api: Arc::new(dialogue.api()),
            functions,
            recipes: shipped_names().map(str::to_owned).collect(),
            ..Knowledge::default()
        };
        let (known, offers) = (Arc::new(Mutex::new(known)), Offers::default());
        let notices = settings.notices.clone();
        let input = if settings.interactive {
            let (known, offers) = (known.clone(), offers.clone());
            let assistant = Assistant { known, offers, coloured: settings.coloured, is_script: true };
            Input::terminal(assistant, history::file(), &notices).map_err(|error| failed("read", &error))?
        } else {
            Input::pipe()
        };
        let (entries, failed, signalled) = (Vec::new(), 0, false);
        let repl =
            Self { settings, dialogue, input, notices, known, offers, runtime, entries, failed, signalled };
        repl.wire()?;
        Ok(repl)
    }

    /// Lines of scripts, events of guests and signals go where they belong.
    fn wire(&self) -> Result<(), Failure> {
        let session = self.dialogue.session();
        let to_stderr = self.settings.json;
        let (printing, logging) = (self.notices.clone(), self.notices.clone());
        session.set_output(Output {
            print: Arc::new(move |text| match to_stderr {
                _ if printing.is_typing() && printing.print(text) => Ok(()),
                true => printing.above(|| writeln!(stderr(), "{text}")),
                false => printing.above(|| writeln!(stdout(), "{text}")),
            }),
            log: Arc::new(move |text| match () {
                () if logging.is_typing() && logging.print(text) => Ok(()),
                () => logging.above(|| writeln!(stderr(), "{text}")),
            }),
        });
        let (notices, runtime, start) = (self.notices.clone(), self.runtime.clone(), SystemTime::now());
        session.set_observer(Box::new(move |vm| {
            runtime.spawn(watch::follow(vm.clone(), notices.clone(), start));
        }));
        let _context = self.runtime.enter();
        for (kind, name, code) in [
            (SignalKind::interrupt(), "SIGINT", 130),
            (SignalKind::terminate(), "SIGTERM", 143),
            (SignalKind::hangup(), "SIGHUP", 129),
        ] {
            let mut signals = signal(kind).map_err(|error| failed("listen to", &error))?;
            let (interrupt, said) = (session.interrupt().clone(), self.input.signals());
            let is_end = code != 130 || !self.settings.interactive;
            self.runtime.spawn(async move {
                while signals.recv().await.is_some() {
                    interrupt.raise(Error::Interrupted { cause: format!("interrupted by {name}"), code });
                    if is_end {
                        let _ = said.send(Said::Signal(code));
                    }
                }
            });
        }
        Ok(())
    }

    /// Go on until the session ends; return its exit code.
    pub fn run(mut self, recipe: Option<&Source>) -> Result<u8, Failure> {
        if self.settings.interactive {
            say(&format!("qhop {}. `:help` helps, Tab completes, Ctrl-D leaves.", env!("CARGO_PKG_VERSION")));
        }
        let mut next = recipe.map_or(Next::Entry, |recipe| self.load(recipe));
        loop {
            if let Next::End(code) = next
                && let Some(code) = self.leave(code)
            {
                // What interrupted an entry does not interrupt the end.
                if !self.signalled {
                    self.dialogue.session().interrupt().reset();
                }
                let Self { dialogue, input, .. } = self;
                drop(input);
                return dialogue.finish().map(|()| code);
            }
            next = self.step();
        }
    }

    fn step(&mut self) -> Next {
        self.learn();
        self.notices.set_typing(self.settings.interactive);
        let said = self.input.entry();
        self.notices.set_typing(false);
        match said {
            Said::Text(text) if text.trim().is_empty() => Next::Entry,
            Said::Text(text) => match commands::parse(&text) {
                None => self.evaluate(&text),
                Some(Ok(command)) => self.obey(command),
                Some(Err(error)) => self.complain(&Failure::from(&error)),
            },
            Said::Nothing => Next::Entry,
            Said::End => Next::End(self.failed),
            Said::Signal(code) => {
                self.signalled = true;
                if std::mem::take(&mut self.settings.interactive) {
                    // The editor still has the line, and nobody is to answer at it any more.
                    self.notices.set_shown(false);
                    let _ = writeln!(stdout());
                }
                Next::End(code)
            }
            Said::Failed(cause) => {
                self.settings.interactive = false;
                let _ = self.complain(&failed("read", &std::io::Error::other(cause)));
                Next::End(self.failed)
            }
        }
    }

    /// What completion needs to know of the entries so far.
    fn learn(&self) {
        if !self.settings.interactive {
            return;
        }
        watch::inquire(self.dialogue.session(), &self.runtime, &self.offers);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.variables = self.dialogue.shapes();
        known.own = self.dialogue.own_functions();
        known.modules = self.dialogue.modules().clone();
    }

    fn evaluate(&mut self, text: &str) -> Next {
        let answer = self.notices.at_work(|| self.dialogue.evaluate(text, width()));
        self.answer(text, &answer)
    }

    fn load(&mut self, source: &Source) -> Next {
        let answer = self.notices.at_work(|| self.dialogue.load(source, width()));
        self.answer(&source.text, &answer)
    }

    fn answer(&mut self, text: &str, answer: &Answer) -> Next {
        let failed_at = answer.end.is_err().then(|| answer.failed_at.unwrap_or_default());
        match &answer.end {
            Ok(End::Exit(code)) => return Next::End(*code),
            Ok(End::Value(value)) if self.settings.json => say(&json!({ "outcome": value.json }).to_string()),
            Ok(End::Value(_)) if self.settings.interactive => say(&answer.shown),
            Ok(End::Value(value)) => say(&value.text),
            Ok(End::Skipped(reason)) => say(&format!("skipped: {reason}")),
            Err(failure) => drop(self.complain(failure)),
        }
        self.entries.push(Entry::new(text, failed_at));
        Next::Entry
    }

    /// Tell of a failure; the session goes on.
    fn complain(&mut self, failure: &Failure) -> Next {
        if self.failed == 0 && !self.settings.interactive {
            self.failed = failure.code;
        }
        let is_ctrl_c = failure.kind == "interrupted" && self.settings.interactive;
        if is_ctrl_c {
            let moving: Vec<String> =
                self.notices.on_their_way().iter().map(|name| format!("`{name}`")).collect();
            match &moving[..] {
                [] => say("interrupted"),
                _ => say(&format!("interrupted; the migration of {} goes on", moving.join(" and "))),
            }
        } else if self.settings.json {
            say(&json!({ "error": failure.to_json() }).to_string());
        } else {
            let _ = write!(stderr(), "{}", failure.render(&self.settings.palette));
        }
        Next::Entry
    }
}

/// Print what is not empty.
fn say(text: &str) {
    if !text.is_empty() {
        let _ = writeln!(stdout(), "{text}");
    }
}

/// The width of the terminal.
fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(stdout()).map(|size| usize::from(size.ws_col));
    size.ok().filter(|columns| *columns >= 20).unwrap_or(80)
}

fn failed(operation: &'static str, error: &dyn std::fmt::Display) -> Failure {
    let path = "the terminal".to_owned();
    Failure::from(&Error::File { operation, path, cause: error.to_string() })
}

/// Begin a session and go on until it ends.
pub fn run(
    session: Session,
    settings: Settings,
    runtime: Handle,
    recipe: Option<&Source>,
) -> Result<u8, Failure> {
    let path = recipe.and_then(|recipe| recipe.path.as_deref());
    Repl::new(Dialogue::new(session, path)?, settings, runtime)?.run(recipe)
}
