//! Options that concern the process or its start, and the machine type.
//!
//! Pure.

use super::draft::Draft;
use crate::qemu::arguments::{Argument, Value};

pub(super) fn rewrite(draft: &mut Draft, list: Vec<Argument>) -> Vec<Argument> {
    let mut machines = 0;
    let mut kept: Vec<Argument> = Vec::with_capacity(list.len());
    let last_machine = list.iter().rposition(|argument| argument.name() == "machine" && names_type(argument));
    for (at, argument) in list.into_iter().enumerate() {
        if is_ours(&argument) && !draft.facts.in_place {
            continue;
        }
        refuse(draft, &argument);
        if draft.facts.in_place && argument.name() == "daemonize" {
            draft.refuse(&argument.line(), BACKGROUND.0, BACKGROUND.1);
        }
        if let Some(why) = left_out(argument.name()) {
            draft.changed(&argument, None, why, None);
        } else if argument.name() == "machine" && !draft.facts.machine.is_empty() {
            machines += 1;
            let counts = Some(at) == last_machine || (last_machine.is_none() && machines == 1);
            kept.push(if counts { pinned(draft, &argument) } else { argument });
        } else {
            kept.push(argument);
        }
    }
    if machines == 0 && !draft.facts.machine.is_empty() {
        let machine = Argument::new("machine", Some(&draft.facts.machine));
        draft.added(&machine, PINNED);
        kept.push(machine);
    }
    kept
}

const PINNED: &str = "another QEMU may take an alias for another machine";

fn names_type(argument: &Argument) -> bool {
    argument.value().is_some_and(|value| value.get("type").is_some())
}

fn pinned(draft: &mut Draft, argument: &Argument) -> Argument {
    let Some(value) = argument.value() else { return argument.clone() };
    if value.get("type").as_deref() == Some(draft.facts.machine.as_str()) {
        return argument.clone();
    }
    let text = match value {
        // `-machine accel=tcg`: the type is the default.
        Value::List { items, .. } if items.first().is_none_or(|first| first.contains('=')) => {
            let mut rest = Value::List { items, implied: "type" };
            rest.remove("type");
            format!("{},{rest}", draft.facts.machine)
        }
        Value::List { items, .. } => {
            let rest = items.iter().skip(1).filter(|item| !item.starts_with("type=")).cloned();
            std::iter::once(draft.facts.machine.clone()).chain(rest).collect::<Vec<_>>().join(",")
        }
        Value::Json(_) => return argument.clone(),
    };
    let machine = argument.with(&text.trim_end_matches(','));
    draft.changed(argument, Some(&machine), PINNED, None);
    machine
}

/// The monitor that `launch` adds, and adds again.
pub(super) fn is_ours(argument: &Argument) -> bool {
    let says = |key: &str| argument.value().and_then(|value| value.get(key)).as_deref() == Some("qhop-qmp");
    match argument.name() {
        "chardev" => says("id"),
        "qmp" => argument.text() == Some("chardev:qhop-qmp"),
        // As older versions of qhop had it.
        "mon" => says("chardev"),
        _ => false,
    }
}

fn left_out(option: &str) -> Option<&'static str> {
    Some(match option {
        "daemonize" => "the target stays in sight of the one who starts it",
        "S" => "the guest was started long ago",
        "incoming" => "the target waits for this migration",
        "loadvm" => "the guest's state comes by migration",
        "writeconfig" => "it was for the source's start",
        _ => return None,
    })
}

fn refuse(draft: &mut Draft, argument: &Argument) {
    let value = argument.value();
    let says = |key: &str| value.as_ref().and_then(|value| value.get(key));
    let Some((cause, remedy)) = (match argument.name() {
        "readconfig" => Some(("what the file says is not known", "hand its text in `readconfig`")),
        "snapshot" => Some((
            "the guest's changes are in temporary files that only the source has",
            "`commit all` and start the guest without `-snapshot`",
        )),
        "drive" if says("snapshot").as_deref() == Some("on") => Some((
            "the guest's changes are in a temporary file that only the source has",
            "start the guest without `snapshot=on`",
        )),
        "chroot" => Some(CHROOT),
        "runas" => Some(RUNAS),
        "run-with" if says("chroot").is_some() => Some(CHROOT),
        "run-with" if says("user").is_some() => Some(RUNAS),
        "icount" if says("rr").is_some() => {
            Some(("a recorded or replayed guest cannot be migrated", "start the guest without `rr=`"))
        }
        "record" | "replay" => Some(("a recorded guest cannot be migrated", "start the guest without it")),
        "tpmdev" => Some(tpm(says("type").as_deref())),
        "device" => says("driver").and_then(|driver| one_owner(&driver, &says)),
        "fsdev" | "virtfs" if says("fsdriver").as_deref() == Some("proxy") => {
            Some(("its helper serves one QEMU", "unmount and unplug it first"))
        }
        _ => None,
    }) else {
        return;
    };
    draft.refuse(&argument.line(), cause, remedy);
}

const BACKGROUND: (&str, &str) = (
    "in the background its relative paths lead to another directory than at the start",
    "choose another `mode`, or start the guest without it",
);
const CHROOT: (&str, &str) = (
    "the sockets of a migration lie outside of its directory",
    "start the guest without it, in a mount namespace",
);
const RUNAS: (&str, &str) = (
    "the target could not make a socket in its directory once it has another user",
    "run qhop and the guest as that user",
);

fn tpm(kind: Option<&str>) -> (&'static str, &'static str) {
    match kind {
        Some("passthrough") => ("the host's TPM has one owner", "unplug the TPM first"),
        _ => ("swtpm serves one QEMU at a time", "migrate to another host, with a second swtpm"),
    }
}

/// Devices whose hardware or host address only one QEMU can have.
fn one_owner(driver: &str, says: &impl Fn(&str) -> Option<String>) -> Option<(&'static str, &'static str)> {
    Some(match driver {
        "vfio-pci" | "vfio-pci-nohotplug" | "vfio-ap" | "vfio-ccw" | "vfio-platform" | "usb-host" => {
            ("a device of the host has one owner", "unplug it first, and plug it in again afterwards")
        }
        "scsi-generic" | "scsi-block" => {
            ("a SCSI device that is passed through has state of its own", "use `scsi-hd` instead")
        }
        _ if driver.starts_with("vhost-vsock") && says("guest-cid").is_some() => {
            ("the host gives a guest-cid to one QEMU", "unplug it first, and plug it in again afterwards")
        }
        _ if driver.starts_with("vhost-scsi") => {
            ("the host gives a target to one QEMU", "use `virtio-scsi-pci` instead")
        }
        _ => return None,
    })
}
