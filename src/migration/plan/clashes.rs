//! What both ends would have on one host: sockets and files that QEMU takes from the other without a word.
//!
//! Pure. What it complains about keeps the target from starting, and is found there.

use serde_json::Value;

use super::{Finding, list, text};
use crate::qemu::arguments::Arguments;

/// Sockets that the target has taken from the source, and files that it has emptied.
#[must_use]
pub fn clashes(source: &Value, target: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    let theirs = sockets(target);
    for path in sockets(source).into_iter().filter(|path| theirs.contains(path)) {
        findings.push(Finding::risk(
            &format!("socket {path}"),
            "both ends listen at it".to_owned(),
            "the path is the target's now, new clients no longer reach the source, and when that quits it removes the path",
            "give the target a path of its own; `successor` does, and hands the old one back",
        ));
    }
    let theirs = files(target);
    for path in files(source).into_iter().filter(|path| theirs.contains(path)) {
        findings.push(Finding::risk(
            &format!("file {path}"),
            "both ends write to it".to_owned(),
            "the target has emptied it when it started, and both write over each other",
            "give the target `-chardev file,…,append=on`; `successor` does",
        ));
    }
    findings
}

/// Where an end listens.
fn sockets(end: &Value) -> Vec<&str> {
    list(&end["query-chardev"])
        .iter()
        .filter_map(|chardev| {
            let (before, _) = text(chardev, "filename").split_once(",server")?;
            Some(before.rsplit_once("unix:")?.1)
        })
        .collect()
}

/// What an end writes from the beginning.
fn files(end: &Value) -> Vec<String> {
    let words: Vec<String> =
        list(&end["args"]).iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect();
    let arguments = Arguments::parse(&words);
    let device = |name: &'static str| {
        arguments.all(name).filter_map(|argument| argument.text()?.strip_prefix("file:").map(str::to_owned))
    };
    let log = arguments.all("D").filter_map(|argument| argument.text().map(str::to_owned));
    ["serial", "parallel", "monitor"].into_iter().flat_map(device).chain(log).collect()
}
