//! What stands between a guest and the QEMU that is to take it over: the inventories of both ends, compared.
//!
//! Pure: values in, findings out; what the inventories hold is said in `stdlib/inventory.rhai`. QEMU finds part of this out
//! itself when it is too late, and the rest never: an extra device or another processor it takes without a word.

pub mod agreement;
pub mod clashes;
pub mod cpuid;
pub mod devices;
pub mod forgotten;
pub mod images;
pub mod machine;
pub mod memory;
pub mod modes;
mod obstacles;
pub mod options;
pub mod places;
pub mod processor;
pub mod readiness;
pub mod table;
#[cfg(test)]
mod tests;
pub mod vmstate;

use serde_json::{Value, json};

pub use modes::Modes;

/// How much a finding matters, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The move fails, or damages the guest.
    Blocks,
    /// It may fail, or the guest may notice.
    Risk,
    /// Good to know.
    Note,
}

impl Severity {
    /// `blocks`, `risk`, `note`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Risk => "risk",
            Self::Note => "note",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What it is about: `machine`, `cpu`, `memory`, `device n0`, `disk d0`, `capability multifd`, …
    pub subject: String,
    /// What was seen.
    pub message: String,
    /// What would come of it.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    fn new(severity: Severity, subject: &str, message: impl Into<String>, cause: &str, remedy: &str) -> Self {
        let (subject, cause, remedy) = (subject.to_owned(), cause.to_owned(), remedy.to_owned());
        Self { severity, subject, message: message.into(), cause, remedy }
    }

    fn blocks(subject: &str, message: impl Into<String>, cause: &str, remedy: &str) -> Self {
        Self::new(Severity::Blocks, subject, message, cause, remedy)
    }

    fn risk(subject: &str, message: impl Into<String>, cause: &str, remedy: &str) -> Self {
        Self::new(Severity::Risk, subject, message, cause, remedy)
    }

    fn note(subject: &str, message: impl Into<String>, cause: &str, remedy: &str) -> Self {
        Self::new(Severity::Note, subject, message, cause, remedy)
    }

    /// As a script sees it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "severity": self.severity.word(),
            "subject": self.subject,
            "message": self.message,
            "cause": self.cause,
            "remedy": self.remedy,
        })
    }
}

/// The findings about two ends, the worst first, and the modes that they can do.
///
/// `facts` says what no monitor does: `mode` (asked for, or null), `able` (the modes that can be carried out at all),
/// `postcopy` (the target's complaint about postcopy, empty if it has none), `exec` (what stands against a new program in the
/// source's process, likewise), `available` and `resident` (bytes of the host's
/// free memory and of the source's used), `vmstate` (`source` and `target`: the texts of `-dump-vmstate`). All may be absent.
#[must_use]
pub fn examine(source: &Value, target: &Value, facts: &Value) -> (Vec<Finding>, Modes) {
    let modes = modes::modes(source, target, facts);
    let mut findings = readiness::readiness(source, target);
    findings.extend(machine::machine(source, target));
    findings.extend(processor::processor(source, target));
    let devices = devices::devices(source, target);
    let other_devices = devices.iter().any(|finding| finding.severity == Severity::Blocks);
    findings.extend(memory::memory(source, target, !devices.is_empty()));
    let other_nodes = findings.iter().any(|finding| ["cpu", "memory"].contains(&finding.subject.as_str()));
    findings.extend(obstacles::Pair { source, target, facts }.left_behind());
    findings.extend(places::places(source, target));
    findings.extend(memory::nodes(source, target).filter(|_| !other_nodes));
    findings.extend(devices);
    findings.extend(images::images(source, target, other_devices));
    findings.extend(options::options(source, target));
    findings.extend(forgotten::forgotten(source, target));
    findings.extend(agreement::agreement(source, target));
    findings.extend(clashes::clashes(source, target));
    findings.extend(vmstate::vmstate(source, &facts["vmstate"]));
    findings.extend(modes.findings(source, facts));
    findings.sort_by_key(|finding| finding.severity);
    (findings, modes)
}

/// A value as one would write it on QEMU's command line.
fn written(value: &Value) -> String {
    match value {
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A string inside a value; empty if there is none.
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The elements of an array; none if it is no array.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Whether it was asked by QMP, not by a human monitor.
fn speaks_qmp(inventory: &Value) -> bool {
    inventory["qmp"] == true
}

/// Major and minor version: `7.2.22` is (7, 2).
fn version(inventory: &Value) -> (u32, u32) {
    let mut parts = text(inventory, "version").split('.').map(|part| part.parse().unwrap_or_default());
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// Bytes as `-m` takes them.
fn size(bytes: u64) -> String {
    [(30, "G"), (20, "M"), (10, "K")]
        .into_iter()
        .find(|(shift, _)| bytes > 0 && bytes.trailing_zeros() >= *shift)
        .map_or_else(|| format!("{bytes} bytes"), |(shift, unit)| format!("{}{unit}", bytes >> shift))
}
