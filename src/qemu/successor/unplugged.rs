//! What the command line has and the guest has no more: devices that were unplugged, and their back ends.
//!
//! Pure.

use serde_json::Value as Json;

use super::draft::Draft;
use super::hotplug;
use crate::qemu::arguments::Argument;

const WHY: &str = "it was unplugged after the start";

pub(super) fn rewrite(draft: &mut Draft, list: Vec<Argument>) -> Vec<Argument> {
    let list = devices(draft, list);
    let objects = draft.facts.inventory.get("objects").and_then(Json::as_array).map(Vec::as_slice);
    let network = draft.text_of_inventory("network");
    let nodes = draft.replies("query-named-block-nodes");
    let chardevs = draft.replies("query-chardev");
    let used = references(&list);
    list.into_iter()
        .filter(|argument| {
            let Some(value) = argument.value() else { return true };
            let gone = match argument.name() {
                "object" => value.get("id").is_some_and(|id| {
                    objects.is_some_and(|live| !named(live, "path", &format!("/objects/{id}")))
                }),
                "netdev" => {
                    value.get("id").is_some_and(|id| network.is_some_and(|text| !has_netdev(text, &id)))
                }
                "blockdev" => value
                    .get("node-name")
                    .is_some_and(|name| !nodes.is_empty() && !named(nodes, "node-name", &name)),
                "chardev" => {
                    value.get("id").is_some_and(|id| !chardevs.is_empty() && !named(chardevs, "label", &id))
                }
                _ => false,
            };
            // What a device still names is not gone, whatever the monitor says of it.
            let id = value.get("id").or_else(|| value.get("node-name")).unwrap_or_default();
            let gone = gone && (argument.name() == "blockdev" || !used.contains(&id));
            if gone {
                draft.changed(argument, None, "it was removed after the start", None);
            }
            !gone
        })
        .collect()
}

fn named(live: &[Json], key: &str, name: &str) -> bool {
    live.iter().any(|one| one.get(key).and_then(Json::as_str) == Some(name))
}

/// ` \ net0: index=0,type=user,…`, or at the first column for one that no device uses.
pub(super) fn has_netdev(text: &str, id: &str) -> bool {
    netdev(text, id).is_some()
}

/// What `info network` says of a back end, behind its name.
pub(super) fn netdev<'a>(text: &'a str, id: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let line = line.trim_start().trim_start_matches("\\ ");
        line.strip_prefix(id)?.strip_prefix(": ").filter(|rest| !rest.contains("type=nic"))
    })
}

/// The names that other options refer to.
fn references(list: &[Argument]) -> Vec<String> {
    let of = |argument: &Argument| {
        let Some(value) = argument.value() else { return Vec::new() };
        let keys = [
            "netdev",
            "chardev",
            "memdev",
            "rng",
            "iothread",
            "memory-backend",
            "backend",
            "tls-creds",
            "secret",
            "audiodev",
        ];
        keys.iter().filter_map(|key| value.get(key)).collect()
    };
    let mut names: Vec<String> =
        list.iter().filter(|argument| argument.name() != "drive").flat_map(of).collect();
    let serial = |argument: &Argument| argument.text()?.strip_prefix("chardev:").map(str::to_owned);
    names.extend(list.iter().filter_map(serial));
    names
}

fn devices(draft: &mut Draft, list: Vec<Argument>) -> Vec<Argument> {
    let facts = draft.facts;
    let Some(live) = facts.inventory.get("devices").and_then(Json::as_array) else { return list };
    let driver =
        |argument: &Argument| argument.value().and_then(|value| value.get("driver")).unwrap_or_default();
    let unnamed = |list: &[Argument], wanted: &str| {
        let is = |argument: &&Argument| {
            argument.name() == "device" && id(argument).is_none() && driver(argument) == wanted
        };
        list.iter().filter(is).count()
    };
    let all = list.clone();
    let list: Vec<Argument> = list
        .into_iter()
        .filter(|argument| {
            if argument.name() != "device" {
                return true;
            }
            let gone = if let Some(id) = id(argument) {
                !named(live, "path", &format!("/machine/peripheral/{id}"))
            } else {
                let driver = driver(argument);
                let left = live.iter().filter(|device| is_of_start(device, &driver)).count();
                let before = unnamed(&all, &driver);
                if left > 0 && left < before {
                    draft.refuse(
                        &format!("-device {driver}"),
                        &format!(
                            "{} of {before} were unplugged, and none has an id to tell which",
                            before - left
                        ),
                        "give such devices an id",
                    );
                }
                left == 0
            };
            if gone {
                draft.changed(argument, None, WHY, None);
            }
            !gone
        })
        .collect();
    if list.len() == all.len() { list } else { pinned(draft, list, live) }
}

/// Where something is missing, what comes after it would move up: every device gets the place that it has.
fn pinned(draft: &mut Draft, list: Vec<Argument>, live: &[Json]) -> Vec<Argument> {
    list.into_iter()
        .map(|argument| {
            let Some(id) = id(&argument).filter(|_| argument.name() == "device") else { return argument };
            let path = format!("/machine/peripheral/{id}");
            let device =
                live.iter().find(|device| device.get("path").and_then(Json::as_str) == Some(path.as_str()));
            let Some((mut value, properties)) =
                argument.value().zip(device.and_then(|device| device.get("properties")?.as_object()))
            else {
                return argument;
            };
            let mut moved = false;
            for (key, place) in hotplug::places(properties) {
                if value.get(key).is_none() {
                    value.set(key, &place);
                    moved = true;
                }
            }
            if !moved {
                return argument;
            }
            let new = argument.with(&value);
            draft.changed(&argument, Some(&new), "a device before it was unplugged", None);
            new
        })
        .collect()
}

fn id(argument: &Argument) -> Option<String> {
    argument.value()?.get("id")
}

/// Whether a live device may be one of the command line's without an id.
fn is_of_start(device: &Json, driver: &str) -> bool {
    let text = |key: &str| device.get(key).and_then(Json::as_str).unwrap_or_default();
    let hotplugged = device.get("hotplugged").or_else(|| device.get("properties")?.get("hotplugged"));
    text("path").starts_with("/machine/peripheral-anon/")
        && !hotplugged.and_then(super::objects::switch).unwrap_or(false)
        && is_type(text("type"), driver)
}

/// QEMU takes some drivers by another name.
fn is_type(kind: &str, driver: &str) -> bool {
    const ALIASES: &[(&str, &str)] = &[
        ("AC97", "ac97"),
        ("ES1370", "es1370"),
        ("e1000", "e1000-82540em"),
        ("ich9-ahci", "ahci"),
        ("lsi53c895a", "lsi"),
        ("virtio-input-host-pci", "virtio-input-host"),
    ];
    let on_bus = |bus: &&str| kind.strip_suffix(*bus) == Some(driver);
    kind == driver || ["-pci", "-ccw", "-device"].iter().any(on_bus) || ALIASES.contains(&(kind, driver))
}
