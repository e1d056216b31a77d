//! Images: the ones that the guest has now. A snapshot, a mirror or a change of the medium leaves the command line behind,
//! and a disk that was plugged in was never on it.
//!
//! Pure.

use serde_json::Value as Json;

use super::draft::Draft;
use super::objects::ADDED;
use crate::qemu::arguments::Argument;
use crate::qemu::command_line::escape;

pub(super) fn rewrite(draft: &mut Draft, list: Vec<Argument>) -> Vec<Argument> {
    let drives = draft.replies("query-block");
    let list = devices(draft, list);
    let list = drives_of(draft, list, drives);
    let mut list = superseded(draft, list);
    nodes(draft, &mut list);
    list
}

fn text<'a>(value: &'a Json, key: &str) -> &'a str {
    value.get(key).and_then(Json::as_str).unwrap_or_default()
}

/// A device whose node was replaced names another one now.
fn devices(draft: &mut Draft, list: Vec<Argument>) -> Vec<Argument> {
    let facts = draft.facts;
    let live = facts.inventory.get("devices").and_then(Json::as_array);
    list.into_iter()
        .map(|argument| {
            let value = argument.value().filter(|_| argument.name() == "device");
            let Some((mut value, id)) = value.and_then(|value| value.get("id").map(|id| (value, id))) else {
                return argument;
            };
            let path = format!("/machine/peripheral/{id}");
            let device = live.into_iter().flatten().find(|device| text(device, "path") == path);
            let (Some(old), Some(new)) = (
                value.get("drive"),
                device.and_then(|device| device.get("properties")?.get("drive")?.as_str()),
            ) else {
                return argument;
            };
            let new = new.trim_matches('"');
            if new == old || new.is_empty() || new.starts_with('#') {
                return argument;
            }
            value.set("drive", new);
            let replaced = argument.with(&value);
            draft.changed(&argument, Some(&replaced), "its image was replaced after the start", None);
            replaced
        })
        .collect()
}

/// `-drive` and its short forms: the image that is in the drive now.
fn drives_of(draft: &mut Draft, list: Vec<Argument>, live: &[Json]) -> Vec<Argument> {
    if live.is_empty() {
        return list;
    }
    let short = ["hda", "hdb", "hdc", "hdd", "cdrom", "fda", "fdb", "sd", "pflash", "mtdblock"];
    let is_short =
        |argument: &Argument| short.contains(&argument.name()) || matches!(argument, Argument::Image(_));
    let written = |argument: &Argument| match argument.name() {
        "drive" => argument.value()?.get("file"),
        _ if is_short(argument) => argument.text().map(str::to_owned),
        _ => None,
    };
    let files: Vec<String> = list.iter().filter_map(written).collect();
    let ids = list
        .iter()
        .filter(|argument| argument.name() == "drive")
        .filter_map(|drive| drive.value()?.get("id"));
    let named: Vec<String> = ids.chain(roots(&list)).collect();
    // Drives of the command line, without an id, whose image it does not know.
    let is_stranger = |drive: &&Json| {
        let name = text(drive, "device");
        !name.is_empty() && !named.iter().any(|known| known == name) && !files.contains(&file(drive))
    };
    let mut strangers: Vec<&Json> = live.iter().filter(is_stranger).collect();
    list.into_iter()
        .map(|argument| {
            let Some(old) = written(&argument) else { return argument };
            let id = argument.value().filter(|_| argument.name() == "drive").and_then(|value| value.get("id"));
            let drive = match &id {
                Some(id) => live.iter().find(|drive| text(drive, "device") == id),
                None if live.iter().any(|drive| file(drive) == old) => return argument,
                None if strangers.len() == 1 => strangers.pop(),
                None if strangers.is_empty() || is_protocol(&old) => return argument,
                None => {
                    draft.refuse(
                        &argument.line(),
                        "its image was replaced after the start, and without an id there is no telling by which",
                        "give the drive an id",
                    );
                    return argument;
                }
            };
            let Some(drive) = drive else { return argument };
            let Some(inserted) = drive.get("inserted") else { return emptied(draft, argument) };
            // What is not a plain file QEMU may spell in another way.
            if file(drive) == old || is_protocol(&old) {
                return argument;
            }
            if is_short(&argument) || is_protocol(&file(drive)) {
                draft.refuse(
                    &argument.line(),
                    &format!("its image is `{}` now", file(drive)),
                    "start the guest with `-drive` and an id",
                );
                return argument;
            }
            let Some(mut value) = argument.value() else { return argument };
            value.set("file", &file(drive));
            value.set("format", text(inserted, "drv"));
            let new = argument.with(&value);
            draft.changed(&argument, Some(&new), "its image was replaced after the start", None);
            new
        })
        .collect()
}

fn emptied(draft: &mut Draft, argument: Argument) -> Argument {
    let Some(mut value) = argument.value().filter(|_| argument.name() == "drive") else {
        draft.refuse(&argument.line(), "its medium was taken out", "start the guest with `-drive` and an id");
        return argument;
    };
    for key in ["file", "format"] {
        value.remove(key);
    }
    let new = argument.with(&value);
    draft.changed(&argument, Some(&new), "its medium was taken out", None);
    new
}

fn file(drive: &Json) -> String {
    drive.get("inserted").map_or("", |inserted| text(inserted, "file")).to_owned()
}

/// `nbd://…`, `rbd:…`, `json:{…}`; a path with a colon has a slash before it.
fn is_protocol(name: &str) -> bool {
    name.split_once(':').is_some_and(|(kind, _)| !kind.is_empty() && !kind.contains('/'))
}

/// Nodes of the command line that are only the backing files of new ones: those open them by themselves, and an image
/// cannot be written to and be a backing file.
fn superseded(draft: &mut Draft, list: Vec<Argument>) -> Vec<Argument> {
    let wanted = roots(&list);
    let known: Vec<String> = list.iter().filter_map(node_name).collect();
    let nodes = draft.replies("query-named-block-nodes");
    let fresh = wanted.iter().filter(|name| !known.contains(name));
    let new: Vec<&Json> = fresh.filter_map(|name| find(nodes, name)).collect();
    let backing: Vec<&str> = new.iter().flat_map(|node| chain(node, nodes)).collect();
    if backing.is_empty() {
        return list;
    }
    let mut gone: Vec<String> = Vec::new();
    for name in &known {
        let node = find(nodes, name);
        if node.is_some_and(|node| backing.contains(&text(node, "file"))) && !wanted.contains(name) {
            gone.push(name.clone());
        }
    }
    list.into_iter()
        .filter(|argument| {
            let goes = node_name(argument).is_some_and(|name| gone.contains(&name));
            if goes {
                draft.changed(argument, None, "it is the backing file of the guest's image now", None);
            }
            !goes
        })
        .collect()
}

/// The files below a node.
fn chain<'a>(node: &'a Json, nodes: &'a [Json]) -> Vec<&'a str> {
    let mut files = Vec::new();
    let mut next = text(node, "backing_file");
    while !next.is_empty() && !files.contains(&next) {
        files.push(next);
        next = nodes
            .iter()
            .find(|node| text(node, "file") == next && !text(node, "backing_file").is_empty())
            .map_or("", |node| text(node, "backing_file"));
    }
    files
}

fn find<'a>(nodes: &'a [Json], name: &str) -> Option<&'a Json> {
    nodes.iter().find(|node| text(node, "node-name") == name)
}

fn node_name(argument: &Argument) -> Option<String> {
    (argument.name() == "blockdev").then(|| argument.value()?.get("node-name"))?
}

/// What devices name as their drive, and nodes as their children.
fn roots(list: &[Argument]) -> Vec<String> {
    let of = |argument: &Argument| match argument.name() {
        "device" => argument.value()?.get("drive"),
        _ => None,
    };
    list.iter().filter_map(of).collect()
}

/// Nodes that the guest's devices need and no option opens.
fn nodes(draft: &mut Draft, list: &mut Vec<Argument>) {
    let has = |list: &[Argument], name: &str| {
        list.iter().any(|argument| {
            node_name(argument).as_deref() == Some(name)
                || (argument.name() == "drive"
                    && argument.value().and_then(|value| value.get("id")).as_deref() == Some(name))
        })
    };
    for name in roots(list) {
        if has(list, &name) {
            continue;
        }
        let nodes = draft.replies("query-named-block-nodes");
        let drive = draft.replies("query-block").iter().find(|drive| text(drive, "device") == name);
        let node = find(nodes, &name).or_else(|| find(nodes, text(drive?.get("inserted")?, "node-name")));
        let Some(node) = node else { continue };
        match blockdev(node, nodes, list) {
            Ok(options) => {
                let argument = match drive {
                    // Plugged in by `drive_add`: its name is a drive's.
                    Some(_) => Argument::new("drive", Some(&legacy(node, &name))),
                    None => Argument::new("blockdev", Some(&options)),
                };
                draft.added(&argument, ADDED);
                list.push(argument);
            }
            Err(cause) => draft.refuse(
                &format!("image `{name}`"),
                &cause,
                "unplug its device first, and plug it in again afterwards",
            ),
        }
    }
}

fn read_only(node: &Json) -> &'static str {
    if node.get("ro") == Some(&Json::Bool(true)) { "on" } else { "off" }
}

fn legacy(node: &Json, id: &str) -> String {
    format!(
        "if=none,id={},file={},format={},readonly={}{}",
        escape(id),
        escape(text(node, "file")),
        text(node, "drv"),
        read_only(node),
        cache(node, "cache.")
    )
}

/// `-blockdev` of a node that lies on a file of this host.
fn blockdev(node: &Json, nodes: &[Json], list: &[Argument]) -> Result<String, String> {
    let (driver, path) = (text(node, "drv"), text(node, "file"));
    if node.get("encrypted") == Some(&Json::Bool(true)) {
        return Err("it is encrypted, and the key cannot be read back".to_owned());
    }
    let common = format!(
        "node-name={},read-only={}{}",
        escape(text(node, "node-name")),
        read_only(node),
        cache(node, "cache.")
    );
    let is_protocol_driver = ["file", "host_device", "host_cdrom"].contains(&driver);
    if is_protocol_driver {
        return Ok(format!("driver={driver},{common},filename={}", escape(path)));
    }
    let formats = ["raw", "qcow2", "qcow", "qed", "vmdk", "vdi", "vhdx", "vpc", "luks", "copy-on-read"];
    if !formats.contains(&driver) {
        return Err(format!("QEMU does not say all of what it is (`{driver}` on `{path}`)"));
    }
    let below = nodes.iter().find(|child| {
        text(child, "file") == path && ["file", "host_device", "host_cdrom"].contains(&text(child, "drv"))
    });
    let Some(below) = below.filter(|_| !is_protocol(path)) else {
        return Err(format!("it does not lie in a file of this host (`{path}`)"));
    };
    let name = text(below, "node-name");
    let listed = list.iter().any(|argument| node_name(argument).as_deref() == Some(name));
    let file = if listed {
        format!("file={}", escape(name))
    } else {
        let named =
            if name.starts_with('#') { String::new() } else { format!("file.node-name={},", escape(name)) };
        format!(
            "{named}file.driver={},file.filename={}{}",
            text(below, "drv"),
            escape(path),
            cache(below, "file.cache.")
        )
    };
    Ok(format!("driver={driver},{common},{file}"))
}

fn cache(node: &Json, prefix: &str) -> String {
    let on = |key: &str| node.get("cache").and_then(|cache| cache.get(key)) == Some(&Json::Bool(true));
    ["direct", "no-flush"].iter().filter(|key| on(key)).map(|key| format!(",{prefix}{key}=on")).collect()
}
