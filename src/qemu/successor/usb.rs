//! What a USB device that was plugged in after the start does not say of itself.
//!
//! Pure.

use serde_json::Value as Json;

use super::blocks::text;

/// The port where a device is: the tree of devices knows it, and QOM only what the user has said of it.
pub(super) fn port<'a>(device: &Json, tree: Option<&'a Vec<Json>>) -> Option<&'a str> {
    let path = device.get("path")?;
    let node = tree?.iter().find(|node| node.get("path") == Some(path))?;
    node.get("properties")?.get("port")?.as_str().filter(|port| !port.is_empty())
}

/// Whether a port is one of the hub's that is in another port: `1.2` of `1`.
pub(super) fn is_behind(port: &str, hub: &str) -> bool {
    port.strip_prefix(hub).is_some_and(|rest| rest.starts_with('.'))
}

/// The drive of a `usb-storage`, which gives it to a disk that it makes for itself.
pub(super) fn drive<'a>(device: &Json, drives: &'a [Json]) -> Option<&'a str> {
    let disk = format!("{}/", text(device, "path"));
    let its = |drive: &&Json| text(drive, "qdev").starts_with(&disk);
    let drive = drives.iter().find(its).filter(|_| text(device, "type") == "usb-storage")?;
    let node = drive.get("inserted").map_or("", |inserted| text(inserted, "node-name"));
    [text(drive, "device"), node].into_iter().find(|name| !name.is_empty())
}
