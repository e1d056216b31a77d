//! What the line editor asks while a line is typed: completions, hints, colours, whether the entry is complete.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::complete::{Completion, Knowledge, complete};
use super::watch::Offers;
use crate::script::entry::is_complete;
use crate::script::highlight::highlight;
use crate::script::tokens::ends_in_comment;

/// Answers from what the session has told it last.
pub struct Assistant {
    /// What there is to complete.
    pub known: Arc<Mutex<Knowledge>>,
    /// What the QEMUs offer, as far as they have answered.
    pub offers: Offers,
    /// Whether lines are coloured.
    pub coloured: bool,
    /// Whether what is typed is a script: not while a question is answered.
    pub is_script: bool,
}

impl Helper for Assistant {}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        if !self.is_script {
            return Ok((at, Vec::new()));
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
        known.offers =
            offers.iter().filter_map(|(qemu, offer)| Some((qemu.clone(), offer.clone()?))).collect();
        drop(offers);
        let text = &line[..at];
        let Completion { start, mut candidates, files: with_files } = complete(text, &known);
        drop(known);
        if with_files {
            candidates.extend(files(&text[start..]));
        }
        // What is there already is not typed twice.
        let rest = &line[at..];
        let pair = |candidate: String| {
            let replacement = match candidate.strip_suffix('(') {
                Some(name) if rest.starts_with('(') => name.to_owned(),
                _ => candidate.clone(),
            };
            Pair { display: candidate, replacement }
        };
        Ok((start, candidates.into_iter().map(pair).collect()))
    }
}

/// The files whose paths start so; directories end in `/`.
fn files(start: &str) -> Vec<String> {
    let (directory, name) =
        start.rsplit_once('/').map_or(("", start), |(directory, name)| (&start[..=directory.len()], name));
    let place = if directory.is_empty() { Path::new(".") } else { Path::new(directory) };
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let mut found: Vec<String> = entries
        .filter_map(|entry| {
            let found = entry.file_name().into_string().ok()?;
            let is_wanted = found.starts_with(name) && (name.starts_with('.') || !found.starts_with('.'));
            let slash = if entry.path().is_dir() { "/" } else { "" };
            is_wanted.then(|| format!("{directory}{found}{slash}"))
        })
        .collect();
    found.sort_unstable();
    found
}

impl Hinter for Assistant {
    type Hint = String;

    fn hint(&self, line: &str, at: usize, context: &Context<'_>) -> Option<String> {
        let hint = self.is_script.then(|| HistoryHinter {}.hint(line, at, context)).flatten()?;
        // The rest of a long entry would push the prompt about.
        (!hint.contains('\n')).then_some(hint)
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if self.coloured && self.is_script { highlight(line).into() } else { line.into() }
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        if self.coloured { format!("\x1b[1;36m{prompt}\x1b[0m").into() } else { prompt.into() }
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.coloured { format!("\x1b[2m{hint}\x1b[0m").into() } else { hint.into() }
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.coloured && kind != CmdKind::MoveCursor
    }
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let complete = !self.is_script || is_entry(text);
        Ok(if complete { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

/// Whether a text is a whole entry, a command or a script.
#[must_use]
pub fn is_entry(text: &str) -> bool {
    let script = match text.trim_start().strip_prefix(':') {
        Some(command) => command.strip_prefix("time ").unwrap_or_default(),
        None => text,
    };
    is_complete(script) && !ends_in_comment(script)
}
