//! The machine: its type, its properties, its identity, what runs it.
//!
//! Pure.

use serde_json::Value;

use super::{Finding, text, version, written};

/// Properties that are the host's business, are compared elsewhere, or change while the guest runs.
const NOT_COMPARED: [&str; 22] = [
    "acpi-device",
    "audiodev",
    "aux-ram-share",
    "boot",
    "confidential-guest-support",
    "device-memory-region-size",
    "dtb",
    "dump-guest-core",
    "graphics",
    "host-model",
    "host-serial",
    "kernel-addr",
    "mem-merge",
    "memory",
    "memory-backend",
    "pcspk-audiodev",
    "phandle-start",
    "rtc_state",
    "smp",
    "smram",
    "suppress-vmdesc",
    "usb",
];

/// Properties that count when the guest is reset.
const AT_RESET: [&str; 7] =
    ["kernel", "initrd", "append", "firmware", "shim", "fd-bootchk", "smbios-entry-point-type"];

/// What differs between the two machines.
#[must_use]
pub fn machine(source: &Value, target: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    match kind(source, target) {
        // What differs besides follows from it.
        Some(kind) => findings.push(kind),
        None => findings.extend(properties(source, target)),
    }
    findings.extend(identity(source, target));
    findings.extend(accelerator(source, target));
    findings.extend(age(source, target));
    findings
}

/// Whether both ends are known to be different machines.
#[must_use]
pub fn is_another(source: &Value, target: &Value) -> bool {
    let (ours, theirs) = (text(source, "machine"), text(target, "machine"));
    !ours.is_empty() && !theirs.is_empty() && ours != theirs
}

fn kind(source: &Value, target: &Value) -> Option<Finding> {
    let (ours, theirs) = (text(source, "machine"), text(target, "machine"));
    is_another(source, target).then(|| Finding::blocks(
        "machine",
        format!("the machine is `{ours}` at the source and `{theirs}` at the target"),
        "QEMU refuses the stream of another machine type; an alias such as `pc` or `q35` means another one in each version",
        &format!("start the target with `-machine {ours}`"),
    ))
}

fn properties(source: &Value, target: &Value) -> Vec<Finding> {
    let (Some(ours), Some(theirs)) =
        (source["machine_properties"].as_object(), target["machine_properties"].as_object())
    else {
        return Vec::new();
    };
    let compared = |name: &str, value: &Value| {
        !NOT_COMPARED.contains(&name)
            && !name.starts_with("x-oem")
            && value
                .as_str()
                .is_none_or(|text| !text.starts_with("/machine/") && !text.starts_with("/objects/"))
            && !value.is_object()
    };
    let differs = |(name, ours): (&String, &Value)| {
        let theirs = theirs.get(name).filter(|theirs| *theirs != ours)?;
        if !compared(name, ours) {
            return None;
        }
        let (ours, theirs) = (written(ours), written(theirs));
        let message = |ours: &str| {
            format!("`{name}` of the machine is `{ours}` at the source and `{theirs}` at the target")
        };
        if AT_RESET.contains(&name.as_str()) {
            let [ours, other] = [&ours, &theirs].map(|path| path.rsplit('/').next().unwrap_or(path));
            return (ours != other).then(|| {
                let cause = "the guest runs on, and meets it when it is reset";
                Finding::note("machine", message(ours), cause, "give the target the same")
            });
        }
        Some(Finding::blocks(
            "machine",
            message(&ours),
            "the guest started on another machine; the target refuses its state, or takes it and the guest finds other hardware",
            &format!("start the target with `-machine {}{name}={ours}`", prefix(source)),
        ))
    };
    ours.iter().filter_map(differs).collect()
}

fn prefix(source: &Value) -> String {
    let machine = text(source, "machine");
    if machine.is_empty() { String::new() } else { format!("{machine},") }
}

fn identity(source: &Value, target: &Value) -> Option<Finding> {
    let [ours, theirs] = [source, target].map(|end| text(&end["query-uuid"], "UUID"));
    if ours.is_empty() || theirs.is_empty() || ours == theirs {
        return None;
    }
    Some(Finding::blocks(
        "uuid",
        format!("the UUID is {ours} at the source and {theirs} at the target"),
        "the guest would become another machine at its next reset; with `validate-uuid` the target refuses it",
        &format!("start the target with `-uuid {ours}`"),
    ))
}

fn accelerator(source: &Value, target: &Value) -> Option<Finding> {
    let arch = |end: &Value| text(&end["query-target"], "arch").to_owned();
    if !arch(source).is_empty() && !arch(target).is_empty() && arch(source) != arch(target) {
        return Some(Finding::blocks(
            "machine",
            format!("the source is a QEMU for {}, the target one for {}", arch(source), arch(target)),
            "another architecture",
            &format!("start `qemu-system-{}`", arch(source)),
        ));
    }
    let name = |end: &Value| end["query-kvm"]["enabled"].as_bool().map(|kvm| if kvm { "kvm" } else { "tcg" });
    let (ours, theirs) = (name(source)?, name(target)?);
    (ours != theirs).then(|| {
        Finding::blocks(
            "accelerator",
            format!("the source runs under `{ours}`, the target under `{theirs}`"),
            "each keeps its own state of clocks and interrupt controllers, which the other does not know",
            &format!("start the target with `-accel {ours}`"),
        )
    })
}

fn age(source: &Value, target: &Value) -> Option<Finding> {
    (version(target) < version(source) && version(target) > (0, 0)).then(|| {
        Finding::note(
            "version",
            format!("the target ({}) is older than the source ({})", text(target, "version"), text(source, "version")),
            "QEMU promises that a newer version takes what an older one sent, not the reverse; it often goes well",
            "rehearse it, and keep the newer one for the way back",
        )
    })
}
