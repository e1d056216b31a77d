//! The disks: the same images behind the same devices, and nobody else writing to them.
//!
//! Pure. A migration does not move images, and QEMU does not look whether the target has the same.

use serde_json::Value;

use super::{Finding, list, text, written};
use crate::qemu::arguments::Arguments;

/// What differs in the disks, and what the target cannot take over.
#[must_use]
pub fn images(source: &Value, target: &Value) -> Vec<Finding> {
    let mut findings = jobs(source);
    findings.extend(locking(source));
    for ours in list(&source["query-block"]) {
        let theirs = list(&target["query-block"]).iter().find(|other| same_slot(ours, other));
        if let Some(theirs) = theirs {
            findings.extend(compare(ours, theirs));
        }
    }
    findings
}

/// By the device that it is behind, or by the name of the drive.
fn same_slot(a: &Value, b: &Value) -> bool {
    let key = |end: &Value| match (text(end, "device"), text(end, "qdev")) {
        ("", qdev) => qdev.trim_end_matches("/virtio-backend").to_owned(),
        (device, _) => device.to_owned(),
    };
    key(a) == key(b) && !key(a).is_empty()
}

fn compare(ours: &Value, theirs: &Value) -> Vec<Finding> {
    let name = match text(ours, "device") {
        "" => text(ours, "qdev"),
        device => device,
    };
    let subject = format!(
        "disk {}",
        name.trim_start_matches("/machine/peripheral/").trim_end_matches("/virtio-backend")
    );
    let (was, is) = (&ours["inserted"], &theirs["inserted"]);
    let mut findings = Vec::new();
    if was.is_null() != is.is_null() {
        let (here, there) = if was.is_null() { ("no medium", "one") } else { ("a medium", "none") };
        findings.push(Finding::blocks(
            &subject,
            format!("there is {here} at the source and {there} at the target"),
            "the guest finds another disk than it had",
            "give the target the image that the source has now",
        ));
        return findings;
    }
    let (ours, theirs) = (image(was), image(is));
    if ours != theirs {
        let cause = if ours.contains("/vl.") || theirs.contains("/vl.") {
            "`-snapshot` gives each QEMU a temporary overlay of its own: what the guest has written stays behind"
        } else {
            "a migration does not move images: the guest finds another disk than it had"
        };
        findings.push(Finding::blocks(
            &subject,
            format!("it is `{ours}` at the source and `{theirs}` at the target"),
            cause,
            "give the target the image that the source has now",
        ));
        return findings;
    }
    let mut differs = |key: &str, what: &str, cause: &str, remedy: String| {
        if was[key] != is[key] && !was[key].is_null() && !is[key].is_null() {
            let message = format!(
                "{what} is `{}` at the source and `{}` at the target",
                written(&was[key]),
                written(&is[key])
            );
            findings.push(Finding::blocks(&subject, message, cause, &remedy));
        }
    };
    differs(
        "drv",
        "its format",
        "read in another format the image has another size and other contents",
        format!("give the target `format={}`", text(was, "drv")),
    );
    differs(
        "ro",
        "read-only",
        "the guest cannot write where it could, or can where it must not",
        format!("give the target `readonly={}`", written(&was["ro"])),
    );
    // Whether the cache is written back or through is the guest's own choice while it runs.
    if cache(&was["cache"]) != cache(&is["cache"]) {
        findings.push(Finding::note(
            &subject,
            format!(
                "its cache is {} at the source and {} at the target",
                cache(&was["cache"]),
                cache(&is["cache"])
            ),
            "only the host notices",
            "give the target the source's `cache=`",
        ));
    }
    findings
}

fn image(inserted: &Value) -> &str {
    match text(&inserted["image"], "filename") {
        "" => text(inserted, "file"),
        name => name,
    }
}

fn cache(cache: &Value) -> String {
    let on: Vec<&str> = ["direct", "no-flush"].into_iter().filter(|key| cache[*key] == true).collect();
    if on.is_empty() { "the host's".to_owned() } else { format!("`{}`", on.join(",")) }
}

fn jobs(source: &Value) -> Vec<Finding> {
    let job = |job: &Value| {
        let id =
            ["device", "id"].map(|key| text(job, key)).into_iter().find(|id| !id.is_empty()).unwrap_or("?");
        Finding::blocks(
            &format!("job {id}"),
            format!("a `{}` is at work on it", text(job, "type")),
            "QEMU cannot let go of an image while a job uses it, and the migration fails at its end",
            &format!("let it finish, or end it: `block-job-cancel` (`device={id}`)"),
        )
    };
    let export = |export: &Value| {
        Finding::risk(
            &format!("export {}", text(export, "id")),
            format!("node `{}` is exported by the source", text(export, "node-name")),
            "its users lose it when the source ends",
            "remove the export, and add it at the target",
        )
    };
    list(&source["query-block-jobs"])
        .iter()
        .map(job)
        .chain(list(&source["query-block-exports"]).iter().map(export))
        .collect()
}

fn locking(source: &Value) -> Vec<Finding> {
    let words: Vec<String> =
        list(&source["args"]).iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect();
    let arguments = Arguments::parse(&words);
    let unlocked = |argument: &&crate::qemu::arguments::Argument| {
        let value = argument.value();
        value.is_some_and(|value| {
            ["locking", "file.locking"].iter().any(|key| value.get(key).as_deref() == Some("off"))
        })
    };
    ["drive", "blockdev"]
        .iter()
        .flat_map(|name| arguments.all(name))
        .filter(unlocked)
        .map(|argument| {
            let id = argument
                .value()
                .and_then(|value| value.get("id").or_else(|| value.get("node-name")))
                .unwrap_or_default();
            Finding::risk(
                &format!("disk {id}"),
                format!("its image is opened without a lock: `{}`", argument.line()),
                "nothing keeps two QEMUs from writing to it",
                "leave `locking=off` out",
            )
        })
        .collect()
}
