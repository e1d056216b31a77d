//! The session that people sit in: entries come in, answers go out, guests live on from one to the next.
//!
//! It knows terminals and pipes; what an entry means is `script::dialogue`'s business.

mod commands;
mod complete;
mod context;
mod helper;
mod highlight;
mod history;
mod input;
mod manual;
mod notices;
mod offer;
mod save;
mod tokens;
mod watch;

use std::io::{Write, stderr, stdout};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use serde_json::json;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::Error;
use crate::script::diagnostic::{Failure, Palette};
use crate::script::dialogue::{Answer, Dialogue};
use crate::script::gate::Effect;
use crate::script::recipe::{Source, shipped_names};
use crate::script::runner::End;
use crate::script::session::{Output, Session};
use crate::units::Seconds;
use commands::Command;
use complete::Knowledge;
use helper::Assistant;
use input::{Input, Said};
use notices::Notices;
use save::{Entry, recipe};
use watch::Offers;

/// How a session is to be.
pub struct Settings {
    /// Whether there is somebody at a terminal.
    pub interactive: bool,
    /// Whether what is shown there has colours.
    pub coloured: bool,
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
        let notices = Notices::new(settings.coloured);
        let input = if settings.interactive {
            let (known, offers) = (known.clone(), offers.clone());
            let assistant = Assistant { known, offers, coloured: settings.coloured, is_script: true };
            Input::terminal(assistant, history::file(), &notices).map_err(|error| failed("read", &error))?
        } else {
            Input::pipe()
        };
        let (entries, failed) = (Vec::new(), 0);
        let repl = Self { settings, dialogue, input, notices, known, offers, runtime, entries, failed };
        repl.wire()?;
        Ok(repl)
    }

    /// Lines of scripts, events of guests and signals go where they belong.
    fn wire(&self) -> Result<(), Failure> {
        let session = self.dialogue.session();
        let to_stderr = self.settings.json;
        session.set_output(Output {
            print: Arc::new(move |text| {
                if to_stderr { writeln!(stderr(), "{text}") } else { writeln!(stdout(), "{text}") }
            }),
            log: Arc::new(|text| writeln!(stderr(), "{text}")),
        });
        let (notices, runtime, start) = (self.notices.clone(), self.runtime.clone(), SystemTime::now());
        session.set_observer(Box::new(move |vm| {
            runtime.spawn(watch::follow(vm.clone(), notices.clone(), start));
        }));
        let _context = self.runtime.enter();
        let kinds =
            [(SignalKind::interrupt(), 130), (SignalKind::terminate(), 143), (SignalKind::hangup(), 129)];
        for (kind, code) in kinds {
            let mut signals = signal(kind).map_err(|error| failed("listen to", &error))?;
            let (interrupt, said) = (session.interrupt().clone(), self.input.signals());
            let is_end = code != 130 || !self.settings.interactive;
            self.runtime.spawn(async move {
                while signals.recv().await.is_some() {
                    interrupt.raise(Error::Interrupted { cause: "interrupted".to_owned(), code });
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
            println!("qhop {}. `:help` helps, Tab completes, Ctrl-D leaves.", env!("CARGO_PKG_VERSION"));
        }
        let mut next = recipe.map_or(Next::Entry, |recipe| self.load(recipe));
        loop {
            if let Next::End(code) = next {
                if let Some(code) = self.leave(code) {
                    let ended = self.dialogue.finish();
                    return ended.map(|()| code);
                }
            }
            next = self.step();
        }
    }

    fn step(&mut self) -> Next {
        self.learn();
        match self.input.entry() {
            Said::Text(text) if text.trim().is_empty() => Next::Entry,
            Said::Text(text) => match commands::parse(&text) {
                None => self.evaluate(&text),
                Some(Ok(command)) => self.obey(command),
                Some(Err(error)) => self.complain(&Failure::from(&error)),
            },
            Said::Nothing => Next::Entry,
            Said::End => Next::End(self.failed),
            Said::Signal(code) => {
                self.input.restore();
                self.settings.interactive = false;
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
        let answer = self.dialogue.evaluate(text, width());
        self.answer(text, &answer)
    }

    fn load(&mut self, source: &Source) -> Next {
        let answer = self.dialogue.load(source, width());
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
        if self.settings.json {
            say(&json!({ "error": failure.to_json() }).to_string());
        } else {
            let _ = write!(stderr(), "{}", failure.render(&self.settings.palette));
        }
        Next::Entry
    }

    fn obey(&mut self, command: Command) -> Next {
        match command {
            Command::Help(None) => say(&manual::overview()),
            Command::Help(Some(name)) => {
                let functions = self.known.lock().unwrap_or_else(PoisonError::into_inner).api.clone();
                match manual::of(&name, &functions, &self.dialogue.own_functions()) {
                    Ok(text) => say(&text),
                    Err(error) => return self.complain(&Failure::from(&error)),
                }
            }
            Command::Vms => say(&self.guests()),
            Command::Vars => {
                let variables = self.dialogue.variables(width());
                let lines =
                    variables.iter().map(|it| format!("{}: {} = {}", it.name, it.type_name, it.value));
                say(&lines.collect::<Vec<_>>().join("\n"));
            }
            Command::Events(None) => say(&self.notices.latest().join("\n")),
            Command::Events(Some(shown)) => self.notices.set_shown(shown),
            Command::Time(text) => {
                let start = Instant::now();
                let answer = self.dialogue.evaluate(&text, width());
                let took = start.elapsed();
                let next = self.answer(&text, &answer);
                say(&format!("took {}", Seconds(took)));
                return next;
            }
            Command::Load(name) => {
                return match (self.settings.find)(&name) {
                    Ok(source) => self.load(&source),
                    Err(failure) => self.complain(&failure),
                };
            }
            Command::Save(path) => match std::fs::write(&path, recipe(&self.entries)) {
                Ok(()) => say(&format!("{} entries saved", self.entries.len())),
                Err(error) => {
                    let cause = crate::qemu::process::cause(&error);
                    return self.complain(&Failure::from(&Error::File { operation: "write", path, cause }));
                }
            },
            Command::Quit => return Next::End(0),
        }
        Next::Entry
    }

    /// The guests, a line each.
    fn guests(&self) -> String {
        let fate = |vm: &crate::vm::Vm| match (vm.ended(), vm.directory(), vm.is_kept()) {
            (Some(_), ..) => "",
            (_, None, _) => "attached",
            (_, _, true) => "kept",
            _ => "ends with the session",
        };
        let row = |guest: crate::script::dialogue::Guest| {
            let vm = &guest.vm;
            let pid = vm.pid().map(|pid| format!("process {pid}")).unwrap_or_default();
            let version = format!("QEMU {}", vm.version());
            [vm.name().to_owned(), guest.state, version, vm.machine().to_owned(), pid, fate(vm).to_owned()]
        };
        table(self.dialogue.guests().into_iter().map(row).collect())
    }

    /// Whether the session may end, and with which code: not at a keystroke if guests would end with it.
    fn leave(&self, code: u8) -> Option<u8> {
        let guests = self.dialogue.at_stake();
        if guests.is_empty() || !self.settings.interactive {
            return Some(code);
        }
        let names: Vec<String> = guests.iter().map(|vm| format!("`{}`", vm.name())).collect();
        let (verb, them) = if guests.len() == 1 { ("runs", "it") } else { ("run", "them") };
        println!("{} still {verb} and would end with the session.", names.join(", "));
        match self.input.answer(&format!("keep {them}, end {them}, or stay? [k/e/S] ")) {
            Said::Text(text) if text.trim().eq_ignore_ascii_case("k") || text.trim() == "keep" => {
                for vm in guests {
                    let effect = Effect::Process { vm: vm.name().to_owned(), verb: "keep" };
                    if self.dialogue.session().pass(effect).is_err() {
                        return None;
                    }
                    vm.keep();
                    let pid = vm.pid().map(|pid| pid.to_string()).unwrap_or_default();
                    println!("`{}` lives on: attach({pid}) takes hold of it again", vm.name());
                }
                Some(code)
            }
            Said::Text(text) if text.trim().eq_ignore_ascii_case("e") || text.trim() == "end" => Some(code),
            Said::Signal(code) => {
                self.input.restore();
                Some(code)
            }
            Said::Failed(_) => Some(code),
            _ => None,
        }
    }
}

/// Rows as lines, their cells below one another.
fn table<const N: usize>(rows: Vec<[String; N]>) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
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
