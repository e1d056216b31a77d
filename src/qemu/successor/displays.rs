//! VNC, SPICE and gdb: where somebody looks in from outside.
//!
//! Pure.

use serde_json::{Value as Json, json};

use super::Back;
use super::draft::Draft;
use crate::qemu::arguments::{Argument, Value};
use crate::qemu::command_line::escape;

pub(super) fn rewrite(draft: &mut Draft, list: Vec<Argument>) -> Vec<Argument> {
    let mut displays = 0;
    let mut gdb = false;
    let mut list: Vec<Argument> = list
        .into_iter()
        .flat_map(|argument| match argument.name() {
            "vnc" => {
                displays += 1;
                vec![vnc(draft, argument, "", displays == 1)]
            }
            "display" if argument.text().is_some_and(|text| text.starts_with("vnc=")) => {
                displays += 1;
                vec![vnc(draft, argument, "vnc=", displays == 1)]
            }
            "spice" if !draft.facts.in_place => vec![spice(draft, argument)],
            "s" | "gdb" => {
                gdb = true;
                debugger(draft, argument).into_iter().collect()
            }
            _ => vec![argument],
        })
        .collect();
    if !gdb {
        live_debugger(draft);
    }
    list.retain(|argument| argument.name() != "display" || argument.text() != Some(""));
    list
}

const PORT: &str = "a port has one listener";

fn vnc(draft: &mut Draft, argument: Argument, prefix: &str, first: bool) -> Argument {
    let text = argument.text().unwrap_or_default();
    let value = Value::parse(text.strip_prefix(prefix).unwrap_or(text), "vnc");
    let Value::List { items, .. } = &value else { return argument };
    let display = value.get("vnc").unwrap_or_default();
    let with = |display: &str, dropped: &[&str]| {
        let key = |item: &String| item.split('=').next().unwrap_or_default().to_owned();
        let rest = items.iter().skip(1).filter(|item| !dropped.contains(&key(item).as_str()));
        let items: Vec<String> = std::iter::once(escape(display)).chain(rest.cloned()).collect();
        argument.with(&format!("{prefix}{}", items.join(",")))
    };
    if let Some(path) = display.strip_prefix("unix:") {
        // An address that was given back after an earlier move.
        if let Some((host, port)) = live_vnc(draft).filter(|_| first) {
            let new = with("none", &["to", "websocket"]);
            return given_back_later(draft, &argument, new, &host, &port);
        }
        let fresh = draft.fresh(&draft.public(path).unwrap_or_else(|| path.to_owned()));
        let new = with(&format!("unix:{fresh}"), &[]);
        let why = "the target would take the path from the source";
        match draft.public(path) {
            Some(to) => draft.changed(&argument, Some(&new), why, Some(Back::Rename { from: fresh, to })),
            None => {
                draft.noted(
                    &argument,
                    Some(&new),
                    why,
                    Some(Back::None),
                    &format!("viewers find it at `{fresh}`"),
                );
            }
        }
        return new;
    }
    let live = live_vnc(draft).filter(|_| first);
    if display == "none" {
        return match live {
            Some((host, port)) => given_back_later(draft, &argument, argument.clone(), &host, &port),
            None => argument,
        };
    }
    let new = with("none", &["to", "websocket", "reverse"]);
    if value.is_on("reverse") == Some(true) {
        draft.noted(
            &argument,
            Some(&new),
            "its viewer has one guest",
            Some(Back::None),
            "the viewer is not called again",
        );
        return new;
    }
    let written = display.rsplit_once(':').and_then(|(host, number)| {
        let port = number.parse::<u32>().ok()?.checked_add(5900)?;
        Some((host.to_owned(), port.to_string()))
    });
    match live.or(written) {
        Some((host, port)) if first => given_back_later(draft, &argument, new, &host, &port),
        _ => {
            let note = "QEMU can move its first VNC server only: the others stay without an address";
            draft.noted(&argument, Some(&new), PORT, Some(Back::None), note);
            new
        }
    }
}

/// `display-update` exists since 7.1.
fn given_back_later(draft: &mut Draft, from: &Argument, to: Argument, host: &str, port: &str) -> Argument {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    let address = json!({ "type": "inet", "host": host, "port": port });
    let arguments = json!({ "type": "vnc", "addresses": [address] });
    let mut notes = Vec::new();
    let text = from.text().unwrap_or_default();
    if text.contains("websocket") {
        notes.push("its websocket cannot be given back");
    }
    if text.contains("password") && !text.contains("password-secret") {
        notes.push("its password must be set again");
    }
    let back = Some(Back::Qmp { command: "display-update".to_owned(), arguments });
    draft.noted(from, Some(&to), PORT, back, &notes.join(", and "));
    to
}

/// Where the first server listens now; a reply to `query-vnc` has it without a list around it.
fn live_vnc(draft: &Draft) -> Option<(String, String)> {
    let text = |value: &Json, key: &str| value.get(key).and_then(Json::as_str).map(str::to_owned);
    let is_inet = |server: &&Json| {
        matches!(text(server, "family").as_deref(), Some("ipv4" | "ipv6"))
            && server.get("websocket") != Some(&Json::Bool(true))
    };
    let first = draft.replies("query-vnc-servers").first();
    let servers = first.and_then(|display| display.get("server")?.as_array());
    let single = draft.facts.inventory.get("query-vnc");
    let server = servers.into_iter().flatten().chain(single).find(is_inet)?;
    Some((text(server, "host")?, text(server, "service")?))
}

fn spice(draft: &mut Draft, argument: Argument) -> Argument {
    let Some(mut value) = argument.value() else { return argument };
    let unix = value.is_on("unix") == Some(true);
    let old = value.get("addr").filter(|_| unix).unwrap_or_else(|| "spice".to_owned());
    let fresh = draft.fresh(&old);
    for key in ["port", "tls-port", "ipv4", "ipv6"] {
        value.remove(key);
    }
    value.set("unix", "on");
    value.set("addr", &fresh);
    let new = argument.with(&value);
    if let Some(to) = draft.public(&old).filter(|_| unix) {
        let why = "the target would take the path from the source";
        draft.changed(&argument, Some(&new), why, Some(Back::Rename { from: fresh, to }));
    } else {
        let note = format!("SPICE cannot be given a port later on: clients find it at `unix:{fresh}`");
        draft.noted(&argument, Some(&new), PORT, Some(Back::None), &note);
    }
    new
}

/// `gdbserver` opens it again at any time.
fn debugger(draft: &mut Draft, argument: Argument) -> Option<Argument> {
    let text = if argument.name() == "s" { "tcp::1234" } else { argument.text().unwrap_or_default() };
    if ["none", "stdio", "pty", "null"].contains(&text) || text.starts_with("chardev:") {
        return Some(argument);
    }
    let back = Some(Back::Hmp { line: format!("gdbserver {text}") });
    draft.changed(&argument, None, PORT, back);
    None
}

/// A debugger's port that a monitor opened.
fn live_debugger(draft: &mut Draft) {
    let is_gdb = |reply: &&Json| reply.get("label").and_then(Json::as_str) == Some("gdb");
    let filename = draft.replies("query-chardev").iter().find(is_gdb).and_then(|reply| reply.get("filename"));
    let Some(filename) = filename.and_then(Json::as_str) else { return };
    let filename = filename.strip_prefix("disconnected:").unwrap_or(filename);
    let Some(address) = filename.strip_prefix("tcp:").and_then(|rest| rest.split([',', ' ']).next()) else {
        return;
    };
    let back = Back::Hmp { line: format!("gdbserver tcp:{address}") };
    let opened = Argument::new("gdb", Some(&format!("tcp:{address}")));
    draft.changed(&opened, None, "a monitor opened it", Some(back));
}
