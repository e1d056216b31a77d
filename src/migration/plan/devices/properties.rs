//! The properties of one device at both ends.
//!
//! Pure. A machine type pins what the guest can see, so that the same options give the same values in each version of
//! QEMU; properties that only one of the two versions knows are pinned, too, and say nothing.

use serde_json::Value;

use crate::migration::plan::{Finding, written};

/// What ties a device to the host; the guest does not see it.
const HOST: [&str; 50] = [
    "account-failed",
    "account-invalid",
    "audiodev",
    "backend_defaults",
    "canokey",
    "chardev",
    "chassis",
    "cryptodev",
    "debug",
    "display",
    "drive",
    "ebpf-rss-fds",
    "fd",
    "file",
    "head",
    "host",
    "hostaddr",
    "hostbus",
    "hostdevice",
    "hostport",
    "ioeventfd",
    "iothread",
    "iothread-vq-mapping",
    "max-bytes",
    "memdev",
    "monitor",
    "netdev",
    "pcap",
    "period",
    "prealloc",
    "request-merging",
    "rerror",
    "rng",
    "rootdir",
    "share-rw",
    "sysfsdev",
    "tpmdev",
    "tx",
    "vhostfd",
    "vhostfds",
    "vhostforce",
    "werror",
    "wwpn",
    "x-balloon-allowed",
    "x-bounce-buffer-size",
    "x-max-bounce-buffer-size",
    "x-request-discard",
    "x-txburst",
    "x-txtimer",
    "zone",
];

/// What is compared as memory, or what the firmware or the guest sets while it runs.
const ELSEWHERE: [&str; 5] = ["MCFG", "above-4g-mem-size", "below-4g-mem-size", "busnr", "smb_io_base"];

/// What counts when the guest is reset, or is only looked at then.
const AT_RESET: [&str; 5] = ["acpi-index", "bootindex", "events", "loadparm", "romfile"];

/// The geometry of a disk, which follows the size of its image unless it is given.
const GUESSED: [&str; 3] = ["cyls", "heads", "secs"];

/// What differs in the properties of one device.
#[must_use]
pub fn compare(subject: &str, ours: &Value, theirs: &Value) -> Vec<Finding> {
    let (Some(ours), Some(others)) = (ours.as_object(), theirs.as_object()) else { return Vec::new() };
    let differs = |(name, ours): (&String, &Value)| {
        let theirs = others.get(name)?;
        let not_compared = HOST.contains(&name.as_str()) || ELSEWHERE.contains(&name.as_str());
        if same(name, ours, theirs) || not_compared || is_link(ours) {
            return None;
        }
        let message =
            format!("`{name}` is `{}` at the source and `{}` at the target", shown(ours), shown(theirs));
        let remedy = format!("give the target's device `{name}={}`", shown(ours));
        if AT_RESET.contains(&name.as_str()) {
            let cause = "the guest meets it when it is reset";
            return Some(Finding::note(subject, message, cause, &remedy));
        }
        if name.starts_with("x-") {
            let cause = "it is one of QEMU's own switches, by which a machine type keeps a device as it was";
            return Some(Finding::risk(subject, message, cause, &remedy));
        }
        if GUESSED.contains(&name.as_str()) {
            let cause = "QEMU guesses it from the size that the image has when the device is made; the guest has the old one until it is reset";
            return Some(Finding::note(subject, message, cause, &remedy));
        }
        let cause = "the guest has found the device so; the target refuses its state, or takes it without a word and the guest finds another device";
        Some(Finding::blocks(subject, message, cause, &remedy))
    };
    ours.iter().filter_map(differs).collect()
}

/// Whether two values mean the same to the guest.
fn same(name: &str, ours: &Value, theirs: &Value) -> bool {
    if ours == theirs {
        return true;
    }
    match name {
        // It is on by default, which QEMU writes as -1 since 10.0.
        "rombar" => ours.as_i64() != Some(0) && theirs.as_i64() != Some(0),
        "romfile" => [ours, theirs]
            .map(|file| file.as_str().map(|path| path.rsplit('/').next()))
            .windows(2)
            .all(|two| two[0] == two[1]),
        // 0 stands for the default, which QEMU fills in or not, by its version.
        "logical_block_size" | "physical_block_size" => {
            let said = [ours, theirs].map(|size| size.as_u64().filter(|size| *size > 0).unwrap_or(512));
            said[0] == said[1]
        }
        _ => false,
    }
}

/// A path in QEMU's tree of objects: where something is, not what.
fn is_link(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| ["/machine/", "/objects/", "#block"].iter().any(|start| text.starts_with(start)))
}

fn shown(value: &Value) -> String {
    let text = written(value);
    if text == "4294967295" { "-1".to_owned() } else { text }
}
