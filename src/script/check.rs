//! What is wrong in a recipe, found in its text and that of what it imports. Nothing of it runs.
//!
//! What depends on a value that only a run has is never complained of: the type of most values is not known, and a
//! map may have any member.

mod calls;
mod known;
mod options;
mod program;
mod qmp;
mod unused;
mod verify;
mod walk;

use rhai::Position;

use self::known::Known;
use self::options::Takes;
use self::program::{Program, Unit};
use self::walk::Walk;
use super::diagnostic::{Failure, Place};
use super::library;
use super::runner::Script;
use crate::qemu::offer::Offer;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, and where.
    pub failure: Failure,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A run that gets there fails.
    Error,
    /// It can hardly be meant.
    Warning,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// What a check found so far.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, severity: Severity, kind: &str, unit: &Unit, at: Position, what: (String, String)) {
        let (message, hint) = what;
        let place = place(unit, at);
        let failure = Failure { kind: kind.to_owned(), message, hint, place, code: 3, ..Failure::default() };
        self.0.push(Finding { severity, failure });
    }
}

fn place(unit: &Unit, at: Position) -> Option<Place> {
    let (line, column) = (at.line()?, at.position().unwrap_or(1));
    let text_of_line = unit.text.lines().nth(line - 1).map(str::to_owned);
    Some(Place { file: unit.name.clone(), line, column, text_of_line })
}

impl Script {
    /// Everything that is wrong, in the order of the text, file by file; commands of the machine monitor are held against
    /// the `offer` of a QEMU if there is one.
    #[must_use]
    pub fn check(&self, offer: Option<&Offer>) -> Vec<Finding> {
        let mut findings = Findings::default();
        let program = Program::of(&self.engine, &self.ast, &self.sources, &mut findings);
        let known = Known::of(&self.engine, &program);
        let takes = Takes::of(library::syntax(&self.engine), &program);
        for unit in &program.units {
            Walk::new(unit, &program, &known, &takes, offer, &mut findings).walk();
            unused::find(unit, &mut findings);
        }
        let file = |place: &Place| program.units.iter().position(|unit| unit.name == place.file);
        let mut findings = findings.0;
        findings.sort_by_key(|finding| {
            finding.failure.place.as_ref().map(|place| (file(place), place.line, place.column))
        });
        findings.dedup();
        findings
    }
}

#[cfg(test)]
mod tests;
