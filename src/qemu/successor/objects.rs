//! Objects and character devices that were added after the start, as far as a device that is carried over uses them.
//!
//! Pure.

use serde_json::Value as Json;

use super::draft::Draft;
use crate::qemu::arguments::{Argument, Value};
use crate::qemu::command_line::escape;

pub(super) fn rewrite(draft: &mut Draft, mut list: Vec<Argument>) -> Vec<Argument> {
    let facts = draft.facts;
    let live = facts.inventory.get("objects").and_then(Json::as_array);
    for id in missing(&list, &["memdev", "rng", "iothread"], "object") {
        let path = format!("/objects/{id}");
        let named = |object: &&Json| object.get("path").and_then(Json::as_str) == Some(path.as_str());
        match live.into_iter().flatten().find(named).map(object) {
            Some(Ok(words)) => {
                let argument = Argument::new("object", Some(&words));
                draft.added(&argument, ADDED);
                list.push(argument);
            }
            Some(Err(kind)) => draft.refuse(
                &format!("object `{id}`"),
                &format!("a `{kind}` that was added after the start cannot be read back"),
                "remove it first, with the device that uses it",
            ),
            None => {}
        }
    }
    for id in missing(&list, &["chardev"], "chardev") {
        let named = |reply: &&Json| reply.get("label").and_then(Json::as_str) == Some(id.as_str());
        let Some(reply) = draft.replies("query-chardev").iter().find(named) else { continue };
        let filename = reply.get("filename").and_then(Json::as_str).unwrap_or_default();
        match backend(filename) {
            Some(backend) => {
                let argument = Argument::new(
                    "chardev",
                    Some(&backend.replacen(',', &format!(",id={},", escape(&id)), 1)),
                );
                draft.added(&argument, ADDED);
                list.push(argument);
            }
            None => draft.refuse(
                &format!("character device `{id}`"),
                &format!("QEMU does not say all of what it is (`{filename}`)"),
                "remove it first, with the device that uses it",
            ),
        }
    }
    list
}

pub(super) const ADDED: &str = "it was added after the start";

/// Names that devices and objects refer to and no option has.
fn missing(list: &[Argument], keys: &[&str], option: &str) -> Vec<String> {
    let values: Vec<Value> = list
        .iter()
        .filter(|argument| ["device", "object"].contains(&argument.name()))
        .filter_map(Argument::value)
        .collect();
    let has = |id: &String| {
        list.iter().any(|argument| {
            argument.name() == option
                && argument.value().and_then(|value| value.get("id")).as_ref() == Some(id)
        })
    };
    let mut names: Vec<String> = values
        .iter()
        .flat_map(|value| keys.iter().filter_map(|key| value.get(key)))
        .filter(|id| !has(id))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// An object as `-object` takes it, or its type if it cannot be said again.
fn object(object: &Json) -> Result<String, String> {
    let text = |key: &str| object.get(key).and_then(Json::as_str).unwrap_or_default();
    let kind = text("type");
    let kind = kind.strip_prefix("child<").and_then(|kind| kind.strip_suffix('>')).unwrap_or(kind);
    let id = text("path").rsplit('/').next().unwrap_or_default();
    let keys: &[&str] = match kind {
        "memory-backend-ram" => BACKEND,
        "memory-backend-file" => &FILE,
        "memory-backend-memfd" => &MEMFD,
        "rng-random" => &["filename"],
        "rng-egd" => &["chardev"],
        "rng-builtin" => &[],
        "iothread" => &["poll-max-ns", "poll-grow", "poll-shrink", "aio-max-batch"],
        _ => return Err(kind.to_owned()),
    };
    let empty = serde_json::Map::new();
    let properties = object.get("properties").and_then(Json::as_object).unwrap_or(&empty);
    let said =
        keys.iter().filter_map(|key| Some(format!(",{key}={}", escape(&word(properties.get(*key)?)?))));
    Ok(format!("{kind},id={}{}", escape(id), said.collect::<String>()))
}

const BACKEND: &[&str] =
    &["size", "share", "merge", "dump", "prealloc", "reserve", "x-use-canonical-path-for-ramblock-id"];
const FILE: [&str; 10] = [
    "size",
    "share",
    "merge",
    "dump",
    "prealloc",
    "mem-path",
    "align",
    "pmem",
    "readonly",
    "x-use-canonical-path-for-ramblock-id",
];
const MEMFD: [&str; 9] = [
    "size",
    "share",
    "merge",
    "dump",
    "prealloc",
    "hugetlb",
    "hugetlbsize",
    "seal",
    "x-use-canonical-path-for-ramblock-id",
];

/// A property as a word of a list: nothing for one that is empty or has parts.
pub(super) fn word(value: &Json) -> Option<String> {
    match value {
        Json::Bool(on) => Some(if *on { "on" } else { "off" }.to_owned()),
        Json::Number(number) => Some(number.to_string()),
        Json::String(text) if text.is_empty() => None,
        // A link is the path of what it leads to.
        Json::String(text) => Some(text.strip_prefix("/objects/").unwrap_or(text).to_owned()),
        _ => None,
    }
}

/// A switch in JSON, or as the human monitor shows it.
pub(super) fn switch(value: &Json) -> Option<bool> {
    match value {
        Json::Bool(on) => Some(*on),
        Json::String(text) if text == "on" || text == "true" => Some(true),
        Json::String(text) if text == "off" || text == "false" => Some(false),
        _ => None,
    }
}

/// A character device from what `query-chardev` calls it: `disconnected:unix:/path,server=on`, `null`.
fn backend(filename: &str) -> Option<String> {
    let filename = filename.strip_prefix("disconnected:").unwrap_or(filename);
    let filename = filename.split(" <-> ").next().unwrap_or(filename);
    let (kind, rest) = filename.split_once(':').unwrap_or((filename, ""));
    let (address, options) =
        rest.rsplit_once(",server=").map_or((rest, None), |(address, on)| (address, Some(on)));
    let server = if options == Some("on") { "server=on,wait=off" } else { "server=off" };
    match kind {
        "null" => Some("null,mux=off".to_owned()),
        "pty" => Some("pty,mux=off".to_owned()),
        "unix" => Some(format!("socket,path={},{server}", escape(address))),
        "tcp" | "telnet" | "websocket" => {
            let (host, port) = address.rsplit_once(':')?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let flavour = if kind == "tcp" { String::new() } else { format!(",{kind}=on") };
            Some(format!("socket,host={},port={port},{server}{flavour}", escape(host)))
        }
        _ => None,
    }
}
