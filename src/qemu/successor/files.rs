//! Files that QEMU writes: opened a second time they would be truncated under the source.
//!
//! Pure.

use super::draft::Draft;
use super::{Back, private_directory};
use crate::monitor::hmp::line::quoted;
use crate::qemu::arguments::{Argument, Value};
use crate::qemu::command_line::escape;

pub(super) fn rewrite(draft: &mut Draft, list: Vec<Argument>) -> Vec<Argument> {
    let mut taken: Vec<String> = list
        .iter()
        .filter(|argument| argument.name() == "chardev")
        .filter_map(|argument| argument.value()?.get("id"))
        .collect();
    list.into_iter()
        .flat_map(|argument| match argument.name() {
            "pidfile" if draft.facts.in_place => vec![argument],
            "pidfile" => pidfile(draft, argument),
            "D" => log(draft, argument),
            "trace" => trace(draft, argument),
            "chardev" => vec![chardev(draft, argument)],
            "serial" | "parallel" | "debugcon" | "monitor" | "qmp" | "qmp-pretty" | "virtioconsole" => {
                compatible(draft, argument, &mut taken)
            }
            _ => vec![argument],
        })
        .collect()
}

const TRUNCATED: &str = "a second QEMU would truncate the file: it is continued";

fn pidfile(draft: &mut Draft, argument: Argument) -> Vec<Argument> {
    let Some(path) = argument.text().map(str::to_owned) else { return vec![argument] };
    let fresh = draft.fresh(&path);
    let new = argument.with(&fresh);
    // The lock and the number in it are those of the file, whatever it is called.
    match draft.public(&path) {
        Some(to) => draft.changed(&argument, Some(&new), LOCKED, Some(Back::Rename { from: fresh, to })),
        None => {
            draft.noted(&argument, Some(&new), private_directory::WHY, Some(Back::None), &found_at(&fresh));
        }
    }
    vec![new]
}

const LOCKED: &str = "the source has the file locked";

fn found_at(path: &str) -> String {
    format!("it is `{path}` now")
}

const TRUNCATED_LOG: &str = "QEMU begins a log anew, whatever is in the file";

fn log(draft: &mut Draft, argument: Argument) -> Vec<Argument> {
    match argument.text().map(str::to_owned) {
        // QEMU puts its own process id in the place of `%d`.
        Some(path) if !path.starts_with("/dev/") && !path.contains("%d") => {
            let fresh = other(draft, &path);
            let new = argument.with(&fresh);
            match draft.public(&path) {
                Some(public) => {
                    let line = format!("logfile {}", quoted(&public));
                    let back = Back::Log { from: fresh, path: public, line };
                    draft.changed(&argument, Some(&new), TRUNCATED_LOG, Some(back));
                }
                None => {
                    draft.noted(&argument, Some(&new), TRUNCATED_LOG, Some(Back::None), &found_at(&fresh));
                }
            }
            vec![new]
        }
        _ => vec![argument],
    }
}

fn trace(draft: &mut Draft, argument: Argument) -> Vec<Argument> {
    let Some(mut value) = argument.value() else { return vec![argument] };
    let Some(path) = value.get("file") else { return vec![argument] };
    let fresh = other(draft, &path);
    value.set("file", &fresh);
    let new = argument.with(&value);
    let note = format!("`{path}` ends with the move: the trace goes on in `{fresh}`");
    draft.noted(&argument, Some(&new), "QEMU never continues a trace", Some(Back::None), &note);
    vec![new]
}

/// A path that is not the old one, which may be in the same directory: a new program in the process of the source has its own.
fn other(draft: &mut Draft, old: &str) -> String {
    let fresh = draft.fresh(old);
    if fresh == old { draft.fresh(old) } else { fresh }
}

fn chardev(draft: &mut Draft, argument: Argument) -> Argument {
    let Some(mut value) = argument.value() else { return argument };
    let is_file = value.get("backend").as_deref() == Some("file");
    let mut changed = false;
    for (path, append) in [("path", "append"), ("logfile", "logappend")] {
        let counts = path == "logfile" || is_file;
        let written = value.get(path).is_some_and(|path| !path.starts_with("/dev/"));
        if counts && written && value.is_on(append) != Some(true) {
            value.set(append, "on");
            changed = true;
        }
    }
    if !changed {
        return argument;
    }
    let new = argument.with(&value);
    draft.changed(&argument, Some(&new), TRUNCATED, None);
    new
}

/// `-serial file:PATH` has no way to say `append`.
fn compatible(draft: &mut Draft, argument: Argument, taken: &mut Vec<String>) -> Vec<Argument> {
    let Some(text) = argument.text() else { return vec![argument] };
    let (mux, plain) = text.strip_prefix("mon:").map_or(("", text), |plain| (",mux=on", plain));
    let Some(path) = plain.strip_prefix("file:").filter(|path| !path.starts_with("/dev/")) else {
        return vec![argument];
    };
    // With `mon:` the monitor would have to be multiplexed by hand, and nobody can type into a file.
    let mut number = 0;
    let id = loop {
        let id = format!("qhop-{}{number}", argument.name());
        if !taken.contains(&id) {
            break id;
        }
        number += 1;
    };
    taken.push(id.clone());
    let list = format!("file,id={id},path={},append=on{mux}", escape(path));
    let chardev = Argument::new("chardev", Some(&Value::parse(&list, "backend").to_string()));
    let new = argument.with(&format!("chardev:{id}"));
    draft.changed(&argument, Some(&chardev), TRUNCATED, None);
    vec![chardev, new]
}
