//! What the commands of the prompt do, and the question at the end of a session.

use std::sync::PoisonError;
use std::time::Instant;

use super::commands::Command;
use super::input::Said;
use super::save::{self, recipe};
use super::{Next, Repl, manual, say, width};
use crate::error::Error;
use crate::manual::terminal::Look;
use crate::script::diagnostic::Failure;
use crate::script::dialogue::Guest;
use crate::script::gate::Effect;
use crate::script::recipe::Source;
use crate::script::runner::Script;
use crate::script::usage;
use crate::units::Seconds;
use crate::vm::Vm;

impl Repl {
    /// Do what a command says.
    pub(super) fn obey(&mut self, command: Command) -> Next {
        match command {
            Command::Help(None) => say(&manual::overview()),
            Command::Help(Some(name)) => {
                let functions = self.known.lock().unwrap_or_else(PoisonError::into_inner).api.clone();
                let look = Look { width: width(), coloured: self.settings.coloured };
                match manual::of(&name, &functions, &self.dialogue.own_functions(), look) {
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
                let answer = self.notices.at_work(|| self.dialogue.evaluate(&text, width()));
                let took = start.elapsed();
                let next = self.answer(&text, &answer);
                say(&format!("took {}", Seconds(took)));
                return next;
            }
            Command::Load(words) => {
                let (name, words) = words.split_first().map_or(("", &[][..]), |(name, words)| (name, words));
                let found = (self.settings.find)(name);
                let known = found.and_then(|source| self.set_parameters(&source, words).map(|()| source));
                return match known {
                    Ok(source) => self.load(&source),
                    Err(failure) => self.complain(&failure),
                };
            }
            Command::Save(path) => match save::write(&path, &recipe(&self.entries)) {
                Ok(()) => say(&format!("{} entries saved", self.entries.len())),
                Err(error) => return self.complain(&Failure::from(&error)),
            },
            Command::Quit => return Next::End(0),
        }
        Next::Entry
    }

    /// Read what a recipe is to be loaded with.
    fn set_parameters(&self, source: &Source, words: &[String]) -> Result<(), Failure> {
        let session = self.dialogue.session();
        // One that is for this session alone, and compiles only in it, can take none.
        let script = match Script::load(session.clone(), source.clone()) {
            Ok(script) => script,
            Err(_) if words.is_empty() => return Ok(()),
            Err(failure) => return Err(failure),
        };
        let mut parameters = script.parameters()?;
        for parameter in &mut parameters {
            parameter.required &= session.parameter(&parameter.name).is_none();
        }
        let first = parameters.iter().find(|it| it.required).map(|it| it.name.clone()).unwrap_or_default();
        let values = usage::read(&parameters, words).map_err(|error| match error {
            Error::Usage { message, hint } if hint == usage::SEE_HELP => {
                let hint = format!("`:load {} --{first} VALUE` gives it", source.name);
                Failure::from(&Error::Usage { message, hint })
            }
            other => Failure::from(&other),
        })?;
        session.set_parameters(values);
        Ok(())
    }

    /// The guests, a line each.
    fn guests(&self) -> String {
        let fate = |vm: &Vm| match (vm.ended(), vm.directory(), vm.is_kept()) {
            (Some(_), ..) => "",
            (_, None, _) => "attached",
            (_, _, true) => "kept",
            _ => "ends with the session",
        };
        let row = |guest: Guest| {
            let vm = &guest.vm;
            let pid = vm.pid().map(|pid| format!("process {pid}")).unwrap_or_default();
            let version = format!("QEMU {}", vm.version());
            [vm.name().to_owned(), guest.state, version, vm.machine().to_owned(), pid, fate(vm).to_owned()]
        };
        table(&self.dialogue.guests().into_iter().map(row).collect::<Vec<_>>())
    }

    /// Whether the session may end, and with which code: not at a keystroke if guests would end with it.
    pub(super) fn leave(&mut self, code: u8) -> Option<u8> {
        let guests = self.dialogue.at_stake();
        if guests.is_empty() || !self.settings.interactive {
            return Some(code);
        }
        let names: Vec<String> = guests.iter().map(|vm| format!("`{}`", vm.name())).collect();
        let (verb, them) = if guests.len() == 1 { ("runs", "it") } else { ("run", "them") };
        say(&format!("{} still {verb} and would end with the session.", names.join(", ")));
        match self.input.answer(&format!("keep {them}, end {them}, or stay? [k/e/S] ")) {
            Said::Text(text) if text.trim().eq_ignore_ascii_case("k") || text.trim() == "keep" => {
                for vm in guests {
                    let effect = Effect::Process { vm: vm.name().to_owned(), verb: "keep" };
                    if self.dialogue.session().pass(effect).is_err() {
                        return None;
                    }
                    vm.keep();
                    let pid = vm.pid().map(|pid| pid.to_string()).unwrap_or_default();
                    say(&format!("`{}` lives on: attach({pid}) takes hold of it again", vm.name()));
                }
                Some(code)
            }
            Said::Text(text) if text.trim().eq_ignore_ascii_case("e") || text.trim() == "end" => Some(code),
            Said::Signal(code) => {
                self.signalled = true;
                Some(code)
            }
            Said::Failed(_) => Some(code),
            _ => None,
        }
    }
}

/// Rows as lines, their cells below one another.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
