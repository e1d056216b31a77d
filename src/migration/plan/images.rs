//! The disks: the same images behind the same devices, and nobody else writing to them.
//!
//! Pure. A migration does not move images, and QEMU does not look whether the target has the same.

use serde_json::Value;

use super::{Finding, list, speaks_qmp, text, written};
use crate::qemu::arguments::Arguments;

/// What differs in the disks, and what the target cannot take over. With `devices`, devices differ, which have disks of
/// their own: those are not named again.
#[must_use]
pub fn images(source: &Value, target: &Value, devices: bool) -> Vec<Finding> {
    let mut findings = jobs(source);
    findings.extend(locking(source));
    let mut free: Vec<&Value> = list(&target["query-block"]).iter().collect();
    let mut waiting: Vec<&Value> = list(&source["query-block"]).iter().collect();
    // The surest first: by the id of the device that it is behind, then by the name of the drive, then by that device's
    // place among those without an id.
    let steps: [fn(&Value) -> &str; 3] = [named_device, |disk| text(disk, "device"), device];
    for step in steps {
        waiting.retain(|ours| {
            let key = step(ours);
            let at = free.iter().position(|other| !key.is_empty() && step(other) == key);
            if let Some(at) = at {
                let (here, there) = (&source["cwd"], &target["cwd"]);
                findings.extend(compare((ours, here), (free.remove(at), there)));
            }
            at.is_none()
        });
    }
    let looked_at = !devices && speaks_qmp(source) && speaks_qmp(target);
    let lost = |ours: &&&Value| looked_at && !device(ours).is_empty() && !ours["inserted"].is_null();
    findings.extend(waiting.iter().filter(lost).map(|ours| {
        Finding::blocks(
            &subject(ours),
            format!("the target has no disk in the place of `{}`", image(&ours["inserted"])),
            "a migration does not move images: the guest finds another disk than it had",
            "give the target the image that the source has now, behind the same device",
        )
    }));
    findings
}

/// The device that a disk is behind.
fn device(disk: &Value) -> &str {
    text(disk, "qdev").trim_end_matches("/virtio-backend")
}

fn named_device(disk: &Value) -> &str {
    let device = device(disk);
    if device.starts_with("/machine/") && !device.starts_with("/machine/peripheral/") { "" } else { device }
}

fn subject(disk: &Value) -> String {
    let name = match text(disk, "device") {
        "" => device(disk),
        drive => drive,
    };
    format!("disk {}", name.trim_start_matches("/machine/peripheral/"))
}

/// Two disks, each with the directory from which its end takes relative paths.
fn compare((ours, here): (&Value, &Value), (theirs, there): (&Value, &Value)) -> Vec<Finding> {
    let subject = subject(ours);
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
    let both_known = here.is_string() && there.is_string();
    let place = |path: &str, cwd: &Value| plain(path, cwd.as_str().filter(|_| both_known));
    if place(ours, here) != place(theirs, there) {
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
    findings.extend(limits(&subject, was, is));
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

/// I/O throttling, as `block_set_io_throttle` sets it.
fn limits(subject: &str, was: &Value, is: &Value) -> Option<Finding> {
    let differs = |name: &&&str| !was[**name].is_null() && !is[**name].is_null() && was[**name] != is[**name];
    let name = ["iops", "iops_rd", "iops_wr", "bps", "bps_rd", "bps_wr"].iter().find(differs)?;
    Some(Finding::risk(
        subject,
        format!("its limit `{name}` is {} at the source and {} at the target", was[*name], is[*name]),
        "it was set while the source ran; the guest gets more or less of the host's disks than it had",
        "`block_set_io_throttle` at the target, after the move",
    ))
}

fn image(inserted: &Value) -> &str {
    match text(&inserted["image"], "filename") {
        "" => text(inserted, "file"),
        name => name,
    }
}

/// A path by its plain name: from the root where `cwd` is known, without `.` and `..`. What is no path stays as it is.
fn plain(path: &str, cwd: Option<&str>) -> String {
    if path.split('/').next().is_some_and(|first| first.contains(':')) {
        return path.to_owned();
    }
    let start = cwd.filter(|_| !path.starts_with('/')).unwrap_or_default();
    let whole = if start.is_empty() { path.to_owned() } else { format!("{start}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/').filter(|part| !["", "."].contains(part)) {
        if part == ".." && parts.last().is_some_and(|last| *last != "..") {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    let root = if whole.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
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
