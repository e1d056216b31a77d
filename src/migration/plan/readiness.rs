//! Whether the two ends are in a state to begin at all.
//!
//! Pure.

use serde_json::Value;

use super::{Finding, list, speaks_qmp, text};
use crate::migration::explain;

/// Migrations that are not over.
const ACTIVE: [&str; 11] = [
    "active",
    "cancelling",
    "colo",
    "device",
    "postcopy-active",
    "postcopy-paused",
    "postcopy-recover",
    "postcopy-recover-setup",
    "pre-switchover",
    "setup",
    "wait-unplug",
];

/// What keeps a migration from being started.
#[must_use]
pub fn readiness(source: &Value, target: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    let status = text(&source["query-status"], "status");
    if !["running", "paused", ""].contains(&status) {
        let (cause, remedy) = guest(status);
        findings.push(Finding::blocks(
            "guest",
            format!("the guest is `{status}` at the source"),
            cause,
            remedy,
        ));
    }
    let status = text(&target["query-status"], "status");
    if !["inmigrate", ""].contains(&status) {
        findings.push(Finding::blocks(
            "target",
            format!("the target is `{status}`, it does not wait for a guest"),
            "it was started without `-incoming`, or has taken a guest already",
            "start it with `-incoming defer`",
        ));
    }
    let migration = &source["query-migrate"];
    if ACTIVE.contains(&text(migration, "status")) {
        findings.push(Finding::blocks(
            "migration",
            format!("a migration is on its way at the source: `{}`", text(migration, "status")),
            "QEMU does one at a time",
            "wait for its end, or `migrate_cancel` it while it is no postcopy",
        ));
    }
    findings.extend(list(&migration["blocked-reasons"]).iter().filter_map(Value::as_str).map(blocked));
    findings.extend(human(source, target));
    findings
}

fn guest(status: &str) -> (&'static str, &'static str) {
    match status {
        "inmigrate" => ("it has not arrived yet", "wait until it runs"),
        "postmigrate" => (
            "it has moved away: what is left here is a copy that must not run",
            "plan from the QEMU that has it now",
        ),
        "finish-migrate" => ("it is in the switch of another migration", "wait until that is over"),
        "io-error" => ("a disk refuses what it wrote", "see to the disk, then `cont`"),
        "internal-error" | "guest-panicked" | "shutdown" => (
            "it is at its end; QEMU would move it, and it would not run there",
            "reset it with `system_reset`, or start it anew",
        ),
        "prelaunch" => ("it has not been started", "`cont` it, or start the new QEMU in its place"),
        "suspended" => ("it sleeps; QEMU before 9.0 wakes it in a migration", "wake it with `system_wakeup`"),
        _ => ("a guest is moved while it is `running` or `paused`", "wait until it is"),
    }
}

fn blocked(reason: &str) -> Finding {
    let known = explain::explain(reason);
    let (cause, remedy) = known.map_or_else(
        || {
            (
                "QEMU cannot move what the guest has".to_owned(),
                "unplug it, or shut the guest down and start it anew".to_owned(),
            )
        },
        |known| (known.cause, known.remedy),
    );
    Finding::blocks("migration", format!("QEMU says: {reason}"), &cause, &remedy)
}

fn human(source: &Value, target: &Value) -> Option<Finding> {
    if speaks_qmp(source) && speaks_qmp(target) {
        return None;
    }
    let end = if speaks_qmp(source) { "target" } else { "source" };
    Some(Finding::note(
        "monitor",
        format!("the {end} has only a human monitor"),
        "processors, disks and what was plugged in cannot be compared in full; what follows may lack something",
        "give it a QMP monitor where that is possible: `chardev-add` and `-qmp`",
    ))
}
