//! The account of a succession while it is drawn up: what was changed, linked and refused, and which names in the
//! target's directory are taken.
//!
//! Pure.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{Back, Facts, Link, Refusal, Rewrite, Succession};
use crate::qemu::arguments::{Argument, Arguments};

/// The path of a unix socket has 107 bytes at most.
const SOCKET_PATH: usize = 107;

/// Files that a `launch` makes in the directory.
const RESERVED: &[&str] = &["qmp", "console", "migrate", "stderr", "heartbeat.rom"];

pub(super) struct Draft<'a> {
    pub facts: &'a Facts,
    done: Succession,
    names: BTreeSet<String>,
}

impl<'a> Draft<'a> {
    pub fn new(facts: &'a Facts) -> Self {
        Self { facts, done: Succession::default(), names: BTreeSet::new() }
    }

    pub fn finish(mut self, args: &Arguments) -> Succession {
        self.done.args = args.words();
        self.done
    }

    /// Account for a change of one option; `to` is what comes in its place.
    pub fn changed(&mut self, from: &Argument, to: Option<&Argument>, why: &str, back: Option<Back>) {
        self.noted(from, to, why, back, "");
    }

    /// The same with a note.
    pub fn noted(
        &mut self,
        from: &Argument,
        to: Option<&Argument>,
        why: &str,
        back: Option<Back>,
        note: &str,
    ) {
        self.account(&option(from), text(from), to.map_or("", text), why, back, note);
    }

    /// Account for an option that the source's command line lacks.
    pub fn added(&mut self, to: &Argument, why: &str) {
        self.account(&option(to), "", text(to), why, None, "");
    }

    fn account(&mut self, option: &str, from: &str, to: &str, why: &str, back: Option<Back>, note: &str) {
        let (option, from, to) = (option.to_owned(), from.to_owned(), to.to_owned());
        self.done.rewrites.push(Rewrite {
            option,
            from,
            to,
            why: why.to_owned(),
            back,
            note: note.to_owned(),
        });
    }

    pub fn refuse(&mut self, subject: &str, cause: &str, remedy: &str) {
        let refusal =
            Refusal { subject: subject.to_owned(), cause: cause.to_owned(), remedy: remedy.to_owned() };
        if !self.done.refused.contains(&refusal) {
            self.done.refused.push(refusal);
        }
    }

    pub fn link(&mut self, from: &str, to: &str) {
        let link = Link { from: from.to_owned(), to: to.to_owned() };
        if !self.done.links.contains(&link) {
            self.done.links.push(link);
        }
    }

    pub fn link_of(&self, from: &str) -> Option<String> {
        self.done.links.iter().find(|link| link.from == from).map(|link| link.to.clone())
    }

    /// A path in the target's directory that nothing else has, with the old path's name as far as it goes.
    pub fn fresh(&mut self, old: &str) -> String {
        let name = file_name(old);
        let name = if RESERVED.contains(&name.as_str()) { format!("{name}-2") } else { name };
        self.place(&name)
    }

    /// The same for a file that keeps its name.
    pub fn place(&mut self, name: &str) -> String {
        let room = SOCKET_PATH.saturating_sub(self.facts.directory.len() + 1 + "-99".len()).max(8);
        let kept: String = name.chars().take(room).collect();
        let mut name = kept.clone();
        for number in 2.. {
            if self.names.insert(name.clone()) {
                break;
            }
            name = format!("{kept}-{number}");
        }
        format!("{}/{name}", self.facts.directory)
    }

    /// The path by which clients know a file or socket; `None` if nobody can, because it goes away with the source.
    pub fn public(&self, path: &str) -> Option<String> {
        let absolute = self.absolute(path);
        let given_back = self.facts.addresses.get(path).or_else(|| self.facts.addresses.get(&absolute));
        match given_back {
            Some(public) => Some(public.clone()),
            None => (!self.in_source_directory(&absolute)).then_some(absolute),
        }
    }

    pub fn absolute(&self, path: &str) -> String {
        match &self.facts.cwd {
            Some(cwd) if !path.starts_with('/') => format!("{}/{path}", cwd.trim_end_matches('/')),
            _ => path.to_owned(),
        }
    }

    pub fn in_source_directory(&self, path: &str) -> bool {
        let inside = |directory: &String| {
            path.strip_prefix(directory.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        self.facts.source_directory.as_ref().is_some_and(inside)
    }

    /// A reply in the inventory: the items of an array.
    pub fn replies(&self, command: &str) -> &'a [Json] {
        let facts = self.facts;
        facts.inventory.get(command).and_then(Json::as_array).map_or(&[], Vec::as_slice)
    }

    pub fn text_of_inventory(&self, key: &str) -> Option<&'a str> {
        let facts = self.facts;
        facts.inventory.get(key).and_then(Json::as_str)
    }
}

/// As on a command line, without its value.
pub(super) fn option(argument: &Argument) -> String {
    match argument {
        Argument::Option { word, .. } => word.clone(),
        Argument::Image(_) => "-hda".to_owned(),
    }
}

fn text(argument: &Argument) -> &str {
    argument.text().unwrap_or_default()
}

/// Of what follows the last slash, only what needs no quoting anywhere.
fn file_name(path: &str) -> String {
    let last = path.rsplit('/').next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name: String = last.trim_matches('\0').chars().map(plain).collect();
    if name.trim_matches(['.', '-']).is_empty() { "socket".to_owned() } else { name }
}
