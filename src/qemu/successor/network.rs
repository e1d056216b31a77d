//! Networks of the host: forwarded ports, taps, and sockets between guests.
//!
//! Pure.

use super::draft::Draft;
use super::{Back, unplugged};
use crate::qemu::arguments::{Argument, Value};

pub(super) fn rewrite(draft: &mut Draft, list: Vec<Argument>) -> Vec<Argument> {
    let users = list.iter().filter(|argument| is_user(argument)).count();
    let mut live = live(draft);
    let mut list: Vec<Argument> = list
        .into_iter()
        .map(|argument| match argument.name() {
            "netdev" | "nic" | "net" if is_user(&argument) => user(draft, argument, &mut live, users == 1),
            "netdev" | "nic" | "net" => other(draft, argument),
            _ => argument,
        })
        .collect();
    vhost_user(draft, &list);
    list.retain(|argument| {
        let gone = argument.name() == "redir";
        if gone {
            draft.refuse(
                &argument.line(),
                "QEMU has had no `-redir` since 3.1",
                "use `hostfwd=` of `-netdev user`",
            );
        }
        !gone
    });
    list
}

const TAKEN: &str = "the source has the port";

fn kind(argument: &Argument) -> Option<String> {
    argument.value()?.get("type")
}

fn is_user(argument: &Argument) -> bool {
    ["netdev", "nic", "net"].contains(&argument.name()) && kind(argument).as_deref() == Some("user")
}

/// One network of `info usernet` with its forwards, each as `hostfwd_add` takes it.
struct Stack {
    name: String,
    forwards: Vec<String>,
}

fn live(draft: &Draft) -> Option<Vec<Stack>> {
    let text = draft.facts.forwards.as_deref().or_else(|| draft.text_of_inventory("usernet"))?;
    let mut stacks: Vec<Stack> = Vec::new();
    for line in text.lines() {
        // `Hub -1 (n1):`, before 2.12 `VLAN -1 (n1):`
        if let Some((_, name)) = line.trim_end().strip_suffix("):").and_then(|line| line.split_once('(')) {
            stacks.push(Stack { name: name.to_owned(), forwards: Vec::new() });
        } else if let (Some(stack), Some(forward)) = (stacks.last_mut(), forward(line)) {
            stack.forwards.push(forward);
        }
    }
    Some(stacks)
}

/// `TCP[HOST_FORWARD]  11  127.0.0.1  5555  10.0.2.15  22  0  0`
fn forward(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [state, _, host, port, guest, guest_port, ..] = words.as_slice() else { return None };
    let protocol = state.strip_suffix("[HOST_FORWARD]")?.to_lowercase();
    let host = if *host == "*" { "" } else { host };
    Some(format!("{protocol}:{host}:{port}-{guest}:{guest_port}"))
}

/// The forwards as the arguments have them.
fn written(value: &Value) -> Vec<String> {
    match value {
        Value::List { items, .. } => items
            .iter()
            .filter_map(|item| item.strip_prefix("hostfwd="))
            .map(|word| word.replace(",,", ","))
            .collect(),
        Value::Json(json) => {
            let rules = json.get("hostfwd").and_then(|rules| rules.as_array()).into_iter().flatten();
            rules.filter_map(|rule| rule.get("str").unwrap_or(rule).as_str()).map(str::to_owned).collect()
        }
    }
}

fn user(draft: &mut Draft, argument: Argument, stacks: &mut Option<Vec<Stack>>, alone: bool) -> Argument {
    let Some(mut value) = argument.value() else { return argument };
    let written = written(&value);
    let id = value.get("id");
    let forwards = match stacks {
        // The live list wins: a monitor may have added and removed some.
        Some(stacks) => {
            let at = stacks.iter().position(|stack| Some(&stack.name) == id.as_ref());
            at.or_else(|| (alone && !stacks.is_empty()).then_some(0))
                .map_or(Vec::new(), |at| stacks.remove(at).forwards)
        }
        None => written.clone(),
    };
    value.remove("hostfwd");
    let new = argument.with(&value);
    if forwards.is_empty() && !written.is_empty() {
        draft.changed(&argument, Some(&new), "it was removed by a monitor", None);
    }
    for forward in forwards {
        match (&id, alone) {
            (Some(id), _) => {
                let line = format!("hostfwd_add {id} {forward}");
                draft.changed(&argument, Some(&new), TAKEN, Some(Back::Hmp { line }));
            }
            (None, true) => {
                let line = format!("hostfwd_add {forward}");
                draft.changed(&argument, Some(&new), TAKEN, Some(Back::Hmp { line }));
            }
            (None, false) => {
                let note = format!("`{forward}` is not forwarded any more: its network has no id");
                draft.noted(&argument, Some(&new), TAKEN, Some(Back::None), &note);
            }
        }
    }
    new
}

fn other(draft: &mut Draft, argument: Argument) -> Argument {
    let Some(value) = argument.value() else { return argument };
    match value.get("type").unwrap_or_default().as_str() {
        "tap" => tap(draft, argument),
        "socket" if value.get("listen").is_some() => {
            refuse_bound(draft, &argument);
            argument
        }
        "stream" if value.is_on("server") == Some(true) => stream(draft, argument, "addr"),
        "dgram" if value.get("local.type").is_some() => stream(draft, argument, "local"),
        "l2tpv3" | "vde" | "netmap" | "af-xdp" | "vmnet-host" | "vmnet-shared" | "vmnet-bridged" => {
            draft.refuse(&argument.line(), "two QEMUs cannot share it", "use a tap or user networking");
            argument
        }
        _ => argument,
    }
}

/// A tap has one reader; with `queues=2` it is a multi-queue one, and takes more.
fn tap(draft: &mut Draft, argument: Argument) -> Argument {
    let Some(mut value) = argument.value() else { return argument };
    let queues = value.get("queues").and_then(|queues| queues.parse::<u32>().ok()).unwrap_or(1);
    let written = value.get("ifname").filter(|name| !name.contains('%'));
    // The target would get an interface of its own, which nothing connects.
    let Some(name) = written.clone().or_else(|| made_up(draft, &value)) else { return argument };
    if queues < 2 || (written.is_none() && value.get("id").is_none()) {
        draft.refuse(
            &argument.line(),
            &format!("the interface `{name}` has one owner"),
            "use a tap with `multi_queue` and `queues=2`, a bridge helper, or another interface for the target",
        );
        return argument;
    }
    if written.is_some() {
        return argument;
    }
    value.set("ifname", &name);
    let new = argument.with(&value);
    draft.changed(&argument, Some(&new), "the source has the interface by this name", None);
    new
}

/// The name of an interface that the command line does not know. A helper gives every QEMU its own, in the same bridge.
fn made_up(draft: &Draft, value: &Value) -> Option<String> {
    if ["helper", "fd", "fds"].iter().any(|key| value.get(key).is_some()) {
        return None;
    }
    let network = draft.text_of_inventory("network")?;
    let said = match value.get("id") {
        Some(id) => unplugged::netdev(network, &id),
        // QEMU has made up its id, too.
        None => network.lines().find(|line| line.contains(": index=0,type=tap,ifname=")),
    };
    said?.trim().split(',').find_map(|field| field.strip_prefix("ifname=")).map(str::to_owned)
}

fn refuse_bound(draft: &mut Draft, argument: &Argument) {
    let remedy =
        "let the other guest listen and this one connect, or use `-netdev stream` with a unix socket";
    draft.refuse(
        &argument.line(),
        "a port has one listener, and its peers would have to connect again",
        remedy,
    );
}

/// `-netdev stream,server=on,addr.type=unix,addr.path=…` and the local end of `dgram`.
fn stream(draft: &mut Draft, argument: Argument, key: &str) -> Argument {
    let Some(mut value) = argument.value() else { return argument };
    let path_key = format!("{key}.path");
    let Some(path) = value.get(&path_key) else {
        if value.get(&format!("{key}.type")).as_deref() != Some("fd") {
            refuse_bound(draft, &argument);
        }
        return argument;
    };
    let fresh = draft.fresh(&draft.public(&path).unwrap_or_else(|| path.clone()));
    value.set(&path_key, &fresh);
    let new = argument.with(&value);
    let why = "the target would take the path from the source";
    match draft.public(&path) {
        Some(to) => {
            let note = "its peer must connect again";
            draft.noted(&argument, Some(&new), why, Some(Back::Rename { from: fresh, to }), note);
        }
        None => draft.noted(
            &argument,
            Some(&new),
            why,
            Some(Back::None),
            &format!("its peer finds it at `{fresh}`"),
        ),
    }
    new
}

/// A vhost-user back end that connects to QEMU would have to connect to both.
fn vhost_user(draft: &mut Draft, list: &[Argument]) {
    let uses = |argument: &&Argument| {
        let driver = argument
            .value()
            .and_then(|value| value.get(if argument.name() == "netdev" { "type" } else { "driver" }));
        ["netdev", "device"].contains(&argument.name())
            && driver.is_some_and(|driver| driver.starts_with("vhost-user"))
    };
    for user in list.iter().filter(uses) {
        let Some(id) = user.value().and_then(|value| value.get("chardev")) else { continue };
        let server =
            list.iter().filter(|argument| argument.name() == "chardev").filter_map(Argument::value).any(
                |chardev| chardev.get("id").as_ref() == Some(&id) && chardev.is_on("server") == Some(true),
            );
        if server {
            draft.refuse(
                &user.line(),
                "its back end connects to QEMU, and would have to serve two at once",
                "let QEMU connect to the back end (no `server=on`)",
            );
        }
    }
}
