//! Images: the ones that the guest has now. A snapshot, a mirror or a change of the medium leaves the command line behind.
//!
//! Pure.

use serde_json::Value as Json;

use super::draft::Draft;
use super::media;
use crate::qemu::arguments::Argument;

pub(super) fn rewrite(draft: &mut Draft, list: Vec<Argument>) -> Vec<Argument> {
    let drives = draft.replies("query-block");
    let list = devices(draft, list);
    let list = drives_of(draft, list, drives);
    superseded(draft, list)
}

pub(super) fn text<'a>(value: &'a Json, key: &str) -> &'a str {
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
        "drive" => {
            let value = argument.value()?;
            // One with an id may be empty at the start.
            let is_empty = value.get("id").is_some() && !FILE.iter().any(|key| value.get(key).is_some());
            value.get("file").or_else(|| is_empty.then(String::new))
        }
        _ if is_short(argument) => argument.text().map(str::to_owned),
        _ => None,
    };
    let elsewhere = |argument: &Argument| argument.value()?.get("file.filename");
    let files: Vec<String> = list
        .iter()
        .flat_map(|argument| [written(argument), elsewhere(argument)])
        .flatten()
        .filter(|file| !file.is_empty())
        .collect();
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
    let list = list
        .into_iter()
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
            let Some(inserted) = drive.get("inserted") else {
                return if old.is_empty() { argument } else { emptied(draft, argument) };
            };
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
        .collect();
    put_in(draft, &strangers);
    list
}

/// Where `-drive` has its image.
const FILE: [&str; 3] = ["file", "file.driver", "file.filename"];

/// Media in drives that have no option, or one without an id and a file.
fn put_in(draft: &mut Draft, strangers: &[&Json]) {
    for drive in strangers {
        let file = file(drive);
        if drive.get("removable") == Some(&Json::Bool(true)) && !file.is_empty() && !is_protocol(&file) {
            let subject = format!("drive `{}`", text(drive, "device"));
            draft.refuse(&subject, &format!("`{file}` was put in after the start"), media::TAKE_OUT);
        }
    }
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
pub(super) fn is_protocol(name: &str) -> bool {
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
    let backing: Vec<String> =
        new.iter().flat_map(|node| chain(node, nodes)).map(|file| draft.absolute(file)).collect();
    if backing.is_empty() {
        return list;
    }
    let mut gone: Vec<String> = Vec::new();
    for name in &known {
        let node = find(nodes, name);
        if node.is_some_and(|node| backing.contains(&draft.absolute(text(node, "file"))))
            && !wanted.contains(name)
        {
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

pub(super) fn find<'a>(nodes: &'a [Json], name: &str) -> Option<&'a Json> {
    nodes.iter().find(|node| text(node, "node-name") == name)
}

pub(super) fn node_name(argument: &Argument) -> Option<String> {
    (argument.name() == "blockdev").then(|| argument.value()?.get("node-name"))?
}

/// What devices name as their drive, and nodes as their children.
pub(super) fn roots(list: &[Argument]) -> Vec<String> {
    let of = |argument: &Argument| match argument.name() {
        "device" => argument.value()?.get("drive"),
        _ => None,
    };
    list.iter().filter_map(of).collect()
}
