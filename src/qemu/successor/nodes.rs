//! Images that were opened after the start: the nodes that the guest's devices need and no option opens.
//!
//! Pure.

use serde_json::Value as Json;

use super::blocks::{find, is_protocol, node_name, roots, text};
use super::draft::Draft;
use super::objects::ADDED;
use crate::qemu::arguments::Argument;
use crate::qemu::command_line::escape;

/// Nodes that the guest's devices need and no option opens.
pub(super) fn rewrite(draft: &mut Draft, mut list: Vec<Argument>) -> Vec<Argument> {
    exports(draft);
    let has = |list: &[Argument], name: &str| {
        list.iter().any(|argument| {
            node_name(argument).as_deref() == Some(name)
                || (argument.name() == "drive"
                    && argument.value().and_then(|value| value.get("id")).as_deref() == Some(name))
        })
    };
    for name in roots(&list) {
        if has(&list, &name) {
            continue;
        }
        let nodes = draft.replies("query-named-block-nodes");
        let drive = draft.replies("query-block").iter().find(|drive| text(drive, "device") == name);
        let node = find(nodes, &name).or_else(|| find(nodes, text(drive?.get("inserted")?, "node-name")));
        let Some(node) = node else { continue };
        match blockdev(node, nodes, &list) {
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
    list
}

/// A server of images has its clients, which nobody else can take over.
fn exports(draft: &mut Draft) {
    for export in draft.replies("query-block-exports") {
        draft.refuse(
            &format!("block export `{}`", text(export, "id")),
            "it was added after the start, and ends with the source",
            "remove it first (`block-export-del`), and add it again afterwards",
        );
    }
}

fn read_only(node: &Json) -> &'static str {
    if node.get("ro") == Some(&Json::Bool(true)) { "on" } else { "off" }
}

/// `-drive` of a node, or of what is inserted in a drive.
pub(super) fn legacy(node: &Json, id: &str) -> String {
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
    let said =
        ["direct", "no-flush"].into_iter().filter(|key| on(key)).map(|key| format!("{prefix}{key}=on"));
    std::iter::once(String::new()).chain(said).collect::<Vec<_>>().join(",")
}
