//! What only the command line says of an end, and the stream depends on: QEMU refuses it there.
//!
//! Pure.

use serde_json::Value;

use super::{Finding, list, text};
use crate::qemu::arguments::{Argument, Arguments};

/// What the options of the two ends differ in.
#[must_use]
pub fn options(source: &Value, target: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(user_networks(source, target));
    // Of a QEMU whose command line is not known, nothing can be said.
    let (Some(ours), Some(theirs)) = (arguments(source), arguments(target)) else { return findings };
    // What a file says, a successor says in words.
    if named(&ours, "readconfig").next().is_some() {
        return findings;
    }
    findings.extend(ports(&ours, &theirs));
    for (subject, said, cause) in QUESTIONS {
        let (was, is) = (said(&ours), said(&theirs));
        if was != is {
            findings.push(Finding::blocks(
                subject,
                format!("{} at the source and {} at the target", shown(&was), shown(&is)),
                cause,
                "give the target the same option",
            ));
        }
    }
    findings
}

type Question = (&'static str, fn(&Arguments) -> Vec<String>, &'static str);

const QUESTIONS: [Question; 3] = [
    (
        "icount",
        |args| named(args, "icount").map(|_| "-icount".to_owned()).collect(),
        "the state of the clocks has another form",
    ),
    ("migration", |args| named(args, "global").filter_map(switch).collect(), "the stream has another form"),
    (
        "cpu",
        |args| named(args, "cpu").filter_map(frequency).collect(),
        "the guest counts on the speed of its time stamps, and QEMU refuses another",
    ),
];

fn arguments(end: &Value) -> Option<Arguments> {
    let words: Vec<String> =
        list(&end["args"]).iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect();
    (!words.is_empty()).then(|| Arguments::parse(&words))
}

fn named<'a>(args: &'a Arguments, name: &'static str) -> impl Iterator<Item = &'a Argument> {
    args.all(name)
}

/// `send-section-footer` and the like.
fn switch(argument: &Argument) -> Option<String> {
    argument.text()?.strip_prefix("migration.").filter(|text| text.starts_with("send-")).map(str::to_owned)
}

/// How many ports an xHCI controller has is not in the tree of devices.
fn ports(ours: &Arguments, theirs: &Arguments) -> Vec<Finding> {
    let controllers = |args: &Arguments| -> Vec<(String, String)> {
        let controller = |argument: &Argument| {
            let value = argument.value()?;
            value.get("driver").filter(|driver| driver.ends_with("xhci"))?;
            let given = ["p2", "p3"].map(|key| format!("{key}={}", value.get(key).unwrap_or("4".to_owned())));
            Some((value.get("id").unwrap_or_default(), given.join(",")))
        };
        named(args, "device").filter_map(controller).collect()
    };
    let mut free = controllers(theirs);
    let differs = |(id, was): (String, String)| {
        let at = free.iter().position(|(other, _)| *other == id)?;
        let (_, is) = free.remove(at);
        (was != is).then(|| {
            Finding::blocks(
                &format!("device {}", if id.is_empty() { "xhci" } else { &id }),
                format!("its ports are `{was}` at the source and `{is}` at the target"),
                "its state has as many parts as it has ports",
                &format!("give the target's device `{was}`"),
            )
        })
    };
    controllers(ours).into_iter().filter_map(differs).collect()
}

fn frequency(argument: &Argument) -> Option<String> {
    Some(format!("tsc-frequency={}", argument.value()?.get("tsc-frequency")?))
}

fn shown(said: &[String]) -> String {
    if said.is_empty() { "not given".to_owned() } else { format!("`{}`", said.join("`, `")) }
}

/// Each has a section of its own in the stream.
fn user_networks(source: &Value, target: &Value) -> Option<Finding> {
    let count = |end: &Value| text(end, "network").matches("type=user").count();
    let (ours, theirs) = (count(source), count(target));
    (target["network"].is_string() && ours > theirs).then(|| {
        Finding::blocks(
            "network",
            format!("the source has {ours} networks of type `user`, the target {theirs}"),
            "their state is sent, and the target refuses a section `slirp` that it does not have",
            "give the target the same `-netdev user`",
        )
    })
}
