//! What stands on the terminal of the source, or in the file that it was sent to: the target writes to a file of its own,
//! and nobody can type there.
//!
//! Pure.

use super::Back;
use super::draft::Draft;
use crate::qemu::arguments::Argument;

pub(super) fn rewrite(draft: &mut Draft, list: Vec<Argument>) -> Vec<Argument> {
    let has = |names: &[&str]| list.iter().any(|argument| names.contains(&argument.name()));
    // QEMU's own words for it.
    let by_default =
        has(&["nographic"]) && !has(&["nodefaults"]) && !(has(&["serial"]) && has(&["monitor", "mon"]));
    let default = by_default.then(|| Argument::new("serial", Some("mon:stdio")));
    for argument in list.iter().filter(|argument| is_on_it(argument)).chain(&default) {
        let note = format!("it writes to `{}/console`, and nobody can type there", draft.facts.directory);
        draft.noted(argument, Some(argument), "the terminal is the source's", Some(Back::None), &note);
    }
    list
}

fn is_on_it(argument: &Argument) -> bool {
    match argument.name() {
        "chardev" => argument.value().and_then(|value| value.get("backend")).as_deref() == Some("stdio"),
        "serial" | "parallel" | "debugcon" | "monitor" | "qmp" | "qmp-pretty" | "virtioconsole" => {
            ["stdio", "mon:stdio"].contains(&argument.text().unwrap_or_default())
        }
        _ => false,
    }
}
