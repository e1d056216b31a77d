//! Sockets that listen: a port can have one listener, and a path's second listener would take it from the first
//! without a word. The target listens in its own directory until the source is gone.
//!
//! Pure.

use serde_json::json;

use super::draft::Draft;
use super::{Back, private_directory};
use crate::qemu::arguments::{Argument, Value};
use crate::qemu::command_line::escape;

pub(super) fn rewrite(draft: &mut Draft, list: Vec<Argument>) -> Vec<Argument> {
    let swappable = Swappable::of(&list);
    let mut serials = 0;
    list.into_iter()
        .map(|argument| {
            let changed = match argument.name() {
                "chardev" => chardev(draft, &argument, &swappable),
                "serial" => {
                    serials += 1;
                    compatible(draft, &argument, Some(format!("serial{}", serials - 1)))
                }
                "monitor" | "qmp" | "qmp-pretty" | "parallel" | "debugcon" | "virtioconsole" | "qtest" => {
                    compatible(draft, &argument, None)
                }
                _ => None,
            };
            changed.unwrap_or(argument)
        })
        .collect()
}

/// Something that listens, or is bound to a port.
enum Bound {
    Path(String),
    Port { host: String, port: String },
    Datagrams,
}

/// The character devices whose front end lets them be exchanged, if anything does: `chardev-change`.
struct Swappable(Vec<String>);

impl Swappable {
    fn of(list: &[Argument]) -> Self {
        let id = |argument: &Argument| match argument.name() {
            "serial" => argument.text()?.strip_prefix("chardev:").map(str::to_owned),
            "device" => {
                let value = argument.value()?;
                let driver = value.get("driver")?;
                let swaps = ["isa-serial", "pci-serial", "virtconsole"].contains(&driver.as_str());
                swaps.then(|| value.get("chardev"))?
            }
            _ => None,
        };
        Self(list.iter().filter_map(id).collect())
    }
}

fn chardev(draft: &mut Draft, argument: &Argument, swappable: &Swappable) -> Option<Argument> {
    let mut value = argument.value()?;
    let id = value.get("id").unwrap_or_default();
    let bound = match value.get("backend")?.as_str() {
        "socket" if is_server(&value) && value.get("fd").is_none() => match value.get("path") {
            Some(path) if value.is_on("abstract") == Some(true) => Bound::Path(format!("\0{path}")),
            Some(path) => Bound::Path(path),
            None => Bound::Port {
                host: value.get("host").unwrap_or_default(),
                port: value.get("port").unwrap_or_default(),
            },
        },
        "udp" if value.get("localport").is_some_and(|port| port != "0" && !port.is_empty()) => {
            Bound::Datagrams
        }
        "pipe" => {
            draft.refuse(&argument.line(), PIPE.0, PIPE.1);
            return None;
        }
        _ => return None,
    };
    if let Bound::Datagrams = bound {
        value.set("localport", "0");
        let new = argument.with(&value);
        draft.noted(
            argument,
            Some(&new),
            PORT,
            Some(Back::None),
            "datagrams come from another port than before",
        );
        return Some(new);
    }
    let swap = swappable.0.contains(&id) && value.is_on("mux") != Some(true);
    let flavour = FLAVOURS.into_iter().find(|key| value.is_on(key) == Some(true));
    let fresh = fresh(draft, &bound, &id);
    for key in INET_ONLY.iter().chain(&["host", "port", "abstract", "tight", "server", "wait"]) {
        value.remove(key);
    }
    value.set("path", &fresh);
    value.set("server", "on");
    value.set("wait", "off");
    let new = argument.with(&value);
    give_back(draft, argument, &new, &bound, fresh, &Front { id, swap, flavour });
    Some(new)
}

/// `-qmp unix:/path,server=on`: the spelling that takes a whole character device in one word.
fn compatible(draft: &mut Draft, argument: &Argument, label: Option<String>) -> Option<Argument> {
    let text = argument.text()?;
    let (mux, plain) = text.strip_prefix("mon:").map_or(("", text), |plain| ("mon:", plain));
    let (kind, rest) = plain.split_once(':')?;
    let value = match kind {
        "unix" => Value::parse(rest, "path"),
        "tcp" | "telnet" | "tn3270" | "websocket" => Value::parse(rest, "address"),
        "udp" if rest.contains('@') => {
            let new = argument.with(&format!("{mux}udp:{}", rest.split('@').next().unwrap_or_default()));
            let note = "datagrams come from another port than before";
            draft.noted(argument, Some(&new), PORT, Some(Back::None), note);
            return Some(new);
        }
        "pipe" => {
            draft.refuse(&argument.line(), PIPE.0, PIPE.1);
            return None;
        }
        _ => return None,
    };
    if !is_server(&value) {
        return None;
    }
    let bound = if let Some(path) = value.get("path") {
        Bound::Path(if value.is_on("abstract") == Some(true) { format!("\0{path}") } else { path })
    } else {
        let address = value.get("address")?;
        let (host, port) = address.rsplit_once(':').unwrap_or(("", &address));
        Bound::Port { host: host.to_owned(), port: port.to_owned() }
    };
    let flavour = FLAVOURS.into_iter().find(|flavour| *flavour == kind);
    let id = label.unwrap_or_default();
    let named = if id.is_empty() { argument.name().to_owned() } else { id.clone() };
    let fresh = fresh(draft, &bound, &named);
    let new = argument.with(&format!("{mux}unix:{},server=on,wait=off{}", escape(&fresh), others(&value)));
    let swap = !id.is_empty() && mux.is_empty();
    give_back(draft, argument, &new, &bound, fresh, &Front { id, swap, flavour });
    Some(new)
}

/// What a socket may speak besides plain bytes, as its key and as the word that an address begins with.
const FLAVOURS: [&str; 3] = ["telnet", "websocket", "tn3270"];

pub(super) struct Front {
    pub id: String,
    pub swap: bool,
    pub flavour: Option<&'static str>,
}

fn give_back(draft: &mut Draft, from: &Argument, to: &Argument, bound: &Bound, fresh: String, front: &Front) {
    let live = live_port(draft, &front.id);
    match (bound, live) {
        (Bound::Path(path), None) if !path.starts_with('\0') => match draft.public(path) {
            Some(public) if public.starts_with('/') || draft.facts.cwd.is_none() => {
                draft.changed(from, Some(to), PATH, Some(Back::Rename { from: fresh, to: public }));
            }
            _ => {
                let note = format!("clients find it at `{fresh}`");
                draft.noted(from, Some(to), private_directory::WHY, Some(Back::None), &note);
            }
        },
        (Bound::Path(_), None) | (Bound::Datagrams, _) => {
            let note = format!("an abstract socket cannot be renamed: clients find it at `{fresh}`");
            draft.noted(from, Some(to), PATH, Some(Back::None), &note);
        }
        (bound, live) => {
            let (host, port, flavour) = match (live, bound) {
                (Some(live), _) => live,
                (None, Bound::Port { host, port }) => (host.clone(), port.clone(), None),
                (None, _) => (String::new(), String::new(), None),
            };
            // A monitor calls tn3270 `tcp`.
            let front = &Front { id: front.id.clone(), swap: front.swap, flavour: front.flavour.or(flavour) };
            if !front.swap || port == "0" || port.is_empty() {
                let note = format!("QEMU cannot be given a port later on: clients find it at `{fresh}`");
                draft.noted(from, Some(to), PORT, Some(Back::None), &note);
                return;
            }
            let note = format!("a serial device that cannot change its back end stays at `{fresh}`");
            draft.noted(from, Some(to), PORT, Some(change(front, &host, &port)), &note);
        }
    }
}

/// `chardev-change`: QEMU refuses it, and changes nothing, where the device cannot follow.
pub(super) fn change(front: &Front, host: &str, port: &str) -> Back {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut data = json!({
        "addr": { "type": "inet", "data": { "host": if host.is_empty() { "0.0.0.0" } else { host }, "port": port } },
        "server": true,
        "wait": false,
    });
    if let Some(flavour) = front.flavour {
        data[flavour] = true.into();
    }
    let arguments = json!({ "id": front.id, "backend": { "type": "socket", "data": data } });
    Back::Qmp { command: "chardev-change".to_owned(), arguments }
}

/// The host and port where a character device listens now, and its flavour: one that was given back after an earlier move is not in the arguments,
/// nor is one that the system has chosen. `disconnected:tcp:127.0.0.1:4444,server=on`, `tcp:… <-> …`.
pub(super) fn live_port(draft: &Draft, id: &str) -> Option<(String, String, Option<&'static str>)> {
    let label = |reply: &&serde_json::Value| reply.get("label").and_then(|label| label.as_str()) == Some(id);
    let reply = draft.replies("query-chardev").iter().find(label)?;
    let filename = reply.get("filename")?.as_str()?;
    let filename = filename.strip_prefix("disconnected:").unwrap_or(filename);
    let (kind, rest) = filename.split_once(':')?;
    if !(kind == "tcp" || FLAVOURS.contains(&kind)) || !rest.contains("server=on") {
        return None;
    }
    let address = rest.split([',', ' ']).next()?;
    let (host, port) = address.rsplit_once(':')?;
    Some((host.to_owned(), port.to_owned(), FLAVOURS.into_iter().find(|flavour| *flavour == kind)))
}

fn fresh(draft: &mut Draft, bound: &Bound, name: &str) -> String {
    match bound {
        Bound::Path(path) => {
            let public = draft.public(path.trim_start_matches('\0'));
            draft.fresh(public.as_deref().filter(|public| public.starts_with('/')).unwrap_or(path))
        }
        _ => draft.fresh(name),
    }
}

fn is_server(value: &Value) -> bool {
    value.is_on("server") == Some(true)
}

/// The items beside the address that a unix socket can have as well, each after a comma.
fn others(value: &Value) -> String {
    let Value::List { items, .. } = value else { return String::new() };
    let dropped = |item: &String| {
        let key = item.split('=').next().unwrap_or_default();
        let gone = |key: &str| {
            INET_ONLY.contains(&key)
                || ["server", "wait", "abstract", "tight", "path", "address"].contains(&key)
        };
        item.is_empty() || gone(key) || key.strip_prefix("no").is_some_and(gone)
    };
    let kept = items.iter().skip(1).filter(|item| !dropped(item)).map(String::as_str);
    std::iter::once("").chain(kept).collect::<Vec<_>>().join(",")
}

/// What only a port can have.
const INET_ONLY: &[&str] = &[
    "to",
    "ipv4",
    "ipv6",
    "delay",
    "nodelay",
    "keep-alive",
    "mptcp",
    "telnet",
    "tn3270",
    "websocket",
    "tls-creds",
    "tls-authz",
];

const PORT: &str = "a port has one listener";
const PATH: &str = "the target would take the path from the source";
const PIPE: (&str, &str) =
    ("what is written to a pipe would reach either QEMU", "use a socket, or a pseudo terminal");
