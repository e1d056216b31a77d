//! What was told to the source while it ran, and stands in no command line: a successor does not know of it.
//!
//! Pure.

use serde_json::Value;

use super::agreement::offered;
use super::{Finding, list, text};
use crate::qemu::arguments::{Argument, Arguments};

/// What the source has been told since it was started, and the target lacks.
#[must_use]
pub fn forgotten(source: &Value, target: &Value) -> Vec<Finding> {
    let words: Vec<String> =
        list(&source["args"]).iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect();
    let arguments = Arguments::parse(&words);
    let mut findings = bitmaps(source);
    findings.extend(arguments.all("vnc").find(|argument| has_password(argument)).map(|_| {
        Finding::risk(
            "display vnc",
            "its password was set by the monitor",
            "QEMU does not tell it: until the target has one, nobody gets in",
            "`set_password` at the target after the move, or `password-secret=` from the start",
        )
    }));
    findings.extend(objects(source, target));
    findings.extend(chardevs(source, target, &arguments));
    findings
}

/// Those that are in an image are written to it when the source lets go of it.
fn bitmaps(source: &Value) -> Vec<Finding> {
    if offered(source).get("dirty-bitmaps") == Some(&true) {
        return Vec::new();
    }
    let of_node = |node: &Value| {
        let lost = |bitmap: &&Value| bitmap["persistent"] == false && !text(bitmap, "name").is_empty();
        let finding = |bitmap: &Value| {
            Finding::risk(
                &format!("bitmap {}", text(bitmap, "name")),
                format!("it is in the memory of the source, on node `{}`", text(node, "node-name")),
                "it does not move with the guest: the next backup cannot go on from it",
                "`capabilities: #{ \"dirty-bitmaps\": true }`, or a new full backup after the move",
            )
        };
        list(&node["dirty-bitmaps"]).iter().filter(lost).map(finding).collect::<Vec<_>>()
    };
    list(&source["query-named-block-nodes"]).iter().flat_map(of_node).collect()
}

fn has_password(argument: &Argument) -> bool {
    argument
        .value()
        .is_some_and(|value| value.is_on("password") == Some(true) && value.get("password-secret").is_none())
}

/// Memory is compared as such.
fn objects(source: &Value, target: &Value) -> Vec<Finding> {
    let theirs = list(&target["objects"]);
    if target["objects"].is_null() {
        return Vec::new();
    }
    list(&source["objects"])
        .iter()
        .filter(|object| !text(object, "type").starts_with("memory-backend"))
        .filter(|object| !theirs.iter().any(|other| other["id"] == object["id"]))
        .map(|object| {
            Finding::risk(
                &format!("object {}", text(object, "id")),
                format!("the target has no such `{}`", text(object, "type")),
                "it was added after the start, and no device uses it",
                "`object-add` it at the target after the move, or remove it first",
            )
        })
        .collect()
}

fn chardevs(source: &Value, target: &Value, arguments: &Arguments) -> Vec<Finding> {
    let theirs = list(&target["query-chardev"]);
    if theirs.is_empty() {
        return Vec::new();
    }
    let by_option = |label: &str| {
        arguments.all("chardev").any(|argument| argument.value().is_some_and(|value| value.get("id").as_deref() == Some(label)))
            // QEMU's own names for what other options open.
            || ["serial", "parallel", "compat_monitor", "gdb", "debugcon", "vc"].iter().any(|own| label.starts_with(own))
    };
    list(&source["query-chardev"])
        .iter()
        .map(|chardev| text(chardev, "label"))
        .filter(|label| !by_option(label) && !theirs.iter().any(|other| text(other, "label") == *label))
        .map(|label| {
            Finding::risk(
                &format!("chardev {label}"),
                "the target has no such character device",
                "it was added after the start, and no device uses it",
                "`chardev-add` it at the target after the move, or remove it first",
            )
        })
        .collect()
}
