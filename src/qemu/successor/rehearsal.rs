//! The arguments of the throw-away target of a rehearsal: it loads the guest's state over a private view of its memory,
//! and leaves no trace.
//!
//! Pure.

use super::draft::Draft;
use super::{Facts, displays, memory, network, sockets};
use crate::qemu::arguments::{Argument, Arguments, Value};

/// From the arguments of a target, those of one that only shows that it could be the target.
///
/// Shared memory without a view is mapped privately from its own file: nothing is ever written back.
#[must_use]
pub fn rehearsal_args(args: &[String], facts: &Facts) -> Vec<String> {
    // What is said of it was said of the target; nothing is given back to it, and live addresses are not its own.
    let facts = Facts { inventory: serde_json::Value::Null, forwards: Some(String::new()), ..facts.clone() };
    let mut draft = Draft::new(&facts);
    let args = Arguments::parse(args);
    let needed = needed(&args);
    let mut list: Vec<Argument> =
        args.as_slice().iter().filter_map(|argument| silenced(argument, &needed)).collect();
    for pass in [displays::rewrite, sockets::rewrite, network::rewrite] {
        list = pass(&mut draft, list);
    }
    let is_default = !list.iter().any(memory::decides);
    for argument in &mut list {
        if memory::is_backend(argument)
            && let Some(view) = view(&facts, argument)
        {
            *argument = view;
        }
    }
    if is_default
        && let Some(id) = &facts.default_ram_id
        && let Some(path) = facts.views.get(id).or_else(|| facts.views.get(""))
        && let Some(object) = memory::default_object(&facts, &list, id, path, false)
    {
        list.retain(|argument| argument.name() != "mem-path" && argument.name() != "mem-prealloc");
        list.push(object);
        let machine = format!("memory-backend={}", crate::qemu::command_line::escape(id));
        list.push(Argument::new("machine", Some(&machine)));
    }
    list.push(Argument::new("S", None));
    list.push(Argument::new("global", Some("migration.send-configuration=off")));
    list.push(Argument::new("incoming", Some("defer")));
    Arguments::from_iter(list).words()
}

/// Without what writes a file, what reaches others who serve the guest, and what is said again below; nor in a sandbox, which
/// may forbid the `exec:` that the state comes by.
fn silenced(argument: &Argument, needed: &[String]) -> Option<Argument> {
    match argument.name() {
        "S" | "incoming" | "D" | "d" | "pidfile" | "trace" | "daemonize" | "plugin" | "sandbox" => None,
        "chardev" => Some(silent(argument, needed)),
        "serial" | "parallel" | "debugcon" | "monitor" | "virtioconsole" => {
            let text = argument.text().unwrap_or_default();
            let plain = text.strip_prefix("mon:").unwrap_or(text);
            let kind = plain.split(':').next().unwrap_or_default();
            let is_server = Value::parse(plain, "").is_on("server") == Some(true);
            let stays = is_server || matches!(kind, "chardev" | "none" | "null" | "vc");
            Some(if stays { argument.clone() } else { argument.with(&"null") })
        }
        _ => Some(argument.clone()),
    }
}

/// Character devices of vhost-user back ends: no device comes up without its own.
fn needed(args: &Arguments) -> Vec<String> {
    let of = |argument: &Argument| {
        let value = argument.value()?;
        let driver = value.get(if argument.name() == "netdev" { "type" } else { "driver" })?;
        driver.starts_with("vhost-user").then(|| value.get("chardev"))?
    };
    args.as_slice()
        .iter()
        .filter(|argument| ["netdev", "device"].contains(&argument.name()))
        .filter_map(of)
        .collect()
}

fn silent(argument: &Argument, needed: &[String]) -> Argument {
    let Some(mut value) = argument.value() else { return argument.clone() };
    let id = value.get("id").unwrap_or_default();
    let listens = value.is_on("server") == Some(true);
    match value.get("backend").as_deref() {
        Some("socket") if listens || needed.contains(&id) => {
            value.remove("logfile");
            value.remove("logappend");
            argument.with(&value)
        }
        Some(
            "socket" | "file" | "pipe" | "pty" | "serial" | "tty" | "parallel" | "parport" | "stdio" | "udp",
        ) => {
            let mux = if value.is_on("mux") == Some(true) { ",mux=on" } else { "" };
            argument.with(&format!("null,id={}{mux}", crate::qemu::command_line::escape(&id)))
        }
        _ => argument.clone(),
    }
}

fn view(facts: &Facts, argument: &Argument) -> Option<Argument> {
    let value = argument.value()?;
    let id = value.get("id")?;
    let kind = value.get("qom-type")?;
    let default = facts.default_ram_id.as_ref() == Some(&id);
    let given = facts.views.get(&id).or_else(|| default.then(|| facts.views.get(""))?);
    match given {
        Some(path) => {
            let canonical = (kind == "memory-backend-ram").then_some("off");
            Some(argument.with(&private_view(value, path, canonical)))
        }
        None if kind == "memory-backend-file" && value.is_on("share") == Some(true) => {
            let path = value.get("mem-path")?;
            Some(argument.with(&private_view(value, &path, None)))
        }
        None => None,
    }
}

/// A populated copy would be read from the file first, and may not fit: nothing is reserved for it.
fn private_view(mut value: Value, path: &str, canonical: Option<&str>) -> Value {
    for key in ["prealloc", "pmem"] {
        value.remove(key);
    }
    memory::mapped(value, path, false, canonical)
}
