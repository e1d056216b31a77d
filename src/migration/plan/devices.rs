//! The devices of both ends, side by side: what is missing, extra, in another place or of another make.
//!
//! Pure. QEMU finds out about a missing device when its state arrives, and never about an extra one or a property that
//! the state does not tell.

mod properties;

use serde_json::Value;

use super::{Finding, list, machine, text, written};

/// What the devices of the two ends differ in.
#[must_use]
pub fn devices(source: &Value, target: &Value) -> Vec<Finding> {
    let (mut ours, mut theirs) = (all(source), all(target));
    // Another machine has other devices on board, with other properties; those of the user are still worth a look.
    let other_machine = machine::is_another(source, target);
    if other_machine {
        for devices in [&mut ours, &mut theirs] {
            devices.retain(|device| !text(device, "id").is_empty());
        }
    }
    if ours.is_empty() || theirs.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut free: Vec<&Value> = theirs.iter().collect();
    let mut unmatched = Vec::new();
    // The surest first: by its id, then by its place, then (moved) by its type.
    let steps: [fn(&Value, &Value) -> bool; 4] = [
        |a, b| !text(a, "id").is_empty() && a["id"] == b["id"],
        |a, b| same_place(a, b) && a["type"] == b["type"] && a["bus"] == b["bus"],
        |a, b| same_place(a, b) && a["bus"] == b["bus"] && a["properties"].get("addr").is_some(),
        |a, b| a["type"] == b["type"] && a["on"] != "",
    ];
    let mut waiting: Vec<&Value> = ours.iter().collect();
    for step in steps {
        unmatched.clear();
        for device in waiting {
            match free.iter().position(|other| step(device, other)) {
                Some(at) => {
                    let mut differences = compare(device, free.remove(at));
                    differences.retain(|_| !other_machine);
                    findings.extend(differences);
                }
                None => unmatched.push(device),
            }
        }
        waiting = std::mem::take(&mut unmatched);
    }
    findings.extend(waiting.into_iter().map(missing));
    findings.extend(free.into_iter().map(extra));
    findings
}

/// Those on a bus, and those of the user that are on none: memory modules, processors.
fn all(end: &Value) -> Vec<Value> {
    // Processors are compared as such.
    let off_bus = list(&end["devices"]).iter().filter(|device| {
        text(device, "bus").is_empty()
            && !text(device, "type").ends_with("-cpu")
            && !text(device, "type").ends_with("-cpu-core")
    });
    let plugged = |id: &str| {
        list(&end["devices"]).iter().any(|device| text(device, "id") == id && device["hotplugged"] == true)
    };
    list(&end["tree"])
        .iter()
        .cloned()
        .map(|mut device| {
            device["hotplugged"] = (!text(&device, "id").is_empty() && plugged(text(&device, "id"))).into();
            device
        })
        .chain(off_bus.cloned())
        .collect()
}

/// The properties that say where on its bus a device sits.
const PLACE: [&str; 12] =
    ["addr", "unit", "channel", "scsi-id", "lun", "port", "nr", "iobase", "address", "index", "reg", "slot"];

fn same_place(a: &Value, b: &Value) -> bool {
    PLACE.iter().all(|name| a["properties"].get(name) == b["properties"].get(name))
}

/// `device n0`, or its type and place where it has no id.
fn subject(device: &Value) -> String {
    match text(device, "id") {
        "" => format!("device {}", text(device, "type")),
        id => format!("device {id}"),
    }
}

/// As the user would write it: `virtio-net-pci,id=n0,bus=pcie.0,addr=03.0`.
fn option(device: &Value) -> String {
    let mut parts = vec![text(device, "type").to_owned()];
    let named = |name: &str, value: &str| format!("{name}={value}");
    for name in ["id", "bus"] {
        let value = text(device, name);
        if !value.is_empty() && value != "main-system-bus" {
            parts.push(named(name, value));
        }
    }
    for name in PLACE {
        let value = &device["properties"][name];
        if !value.is_null() && *value != "" {
            parts.push(named(name, &written(value)));
        }
    }
    parts.join(",")
}

fn missing(device: &Value) -> Finding {
    let cause = if device["hotplugged"] == true {
        "it was plugged in after the start, and its state finds no place at the target"
    } else {
        "its state finds no place at the target, which refuses it; a postcopy loses the guest by that"
    };
    Finding::blocks(
        &subject(device),
        format!("the target lacks `{}`", option(device)),
        cause,
        &format!("start the target with `-device {}` and the source's properties", option(device)),
    )
}

fn extra(device: &Value) -> Finding {
    Finding::blocks(
        &subject(device),
        format!("the target has `{}`, which the source has not", option(device)),
        "QEMU takes it without a word: the guest meets a device that it has never seen, or that was unplugged",
        "start the target without it, and plug it in after the move",
    )
}

fn compare(ours: &Value, theirs: &Value) -> Vec<Finding> {
    let subject = subject(ours);
    if ours["type"] != theirs["type"] {
        let (was, is) = (text(ours, "type"), text(theirs, "type"));
        return vec![Finding::blocks(
            &subject,
            format!("it is a `{was}` at the source and a `{is}` at the target"),
            "the state of one model means nothing to another",
            &format!("start the target with `-device {}`", option(ours)),
        )];
    }
    let moved = ours["bus"] != theirs["bus"] || !same_place(ours, theirs);
    if moved {
        return vec![Finding::blocks(
            &subject,
            format!("it is `{}` at the source and `{}` at the target", option(ours), option(theirs)),
            "state is sent by address: it finds no place, or that of another device",
            &format!("start the target with `-device {}`", option(ours)),
        )];
    }
    properties::compare(&subject, &ours["properties"], &theirs["properties"])
}
