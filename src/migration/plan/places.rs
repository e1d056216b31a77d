//! Which memory backend lies where in the guest: on which node, at which address.
//!
//! Pure. Memory is sent by the names of its blocks: two that have changed places arrive without a word, and what the guest
//! had in one is in the other.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Finding, list, text};
use crate::qemu::arguments::{Argument, Arguments, Value as Parsed};

/// Backends that have changed places.
#[must_use]
pub fn places(source: &Value, target: &Value) -> Vec<Finding> {
    let theirs = backends(target);
    let moved = |(place, ours): (String, String)| {
        // One that the target has not at all is found as a missing block.
        let known = theirs.values().any(|other| *other == ours);
        let other = theirs.get(&place).filter(|other| known && **other != ours)?;
        Some(Finding::blocks(
            "memory",
            format!("{place} is backed by `{ours}` at the source and by `{other}` at the target"),
            "memory is sent by the names of its backends: the guest finds there what it had elsewhere",
            "give the target the source's `memdev=`",
        ))
    };
    backends(source).into_iter().filter_map(moved).collect()
}

/// Place → backend.
fn backends(end: &Value) -> BTreeMap<String, String> {
    let plugged = list(&end["query-memory-devices"]).iter().filter_map(|device| {
        let data = &device["data"];
        let addr = data["addr"].as_u64().or_else(|| data["memaddr"].as_u64())?;
        Some((
            format!("the memory at {addr:#x}"),
            text(data, "memdev").trim_start_matches("/objects/").to_owned(),
        ))
    });
    nodes(end).into_iter().chain(plugged).collect()
}

/// What no monitor says: the nodes as the command line has them, numbered as they come if they are not.
fn nodes(end: &Value) -> Vec<(String, String)> {
    let words: Vec<String> =
        list(&end["args"]).iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect();
    let arguments = Arguments::parse(&words);
    let values = arguments.all("numa").filter_map(Argument::value);
    let nodes = values.filter(|value| value.get("type").as_deref().unwrap_or("node") == "node");
    let node = |(at, value): (usize, Parsed)| {
        let number = value.get("nodeid").unwrap_or_else(|| at.to_string());
        Some((format!("node {number}"), value.get("memdev")?))
    };
    nodes.enumerate().filter_map(node).collect()
}
