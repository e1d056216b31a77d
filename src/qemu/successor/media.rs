//! Media that were changed after the start, in a device that has no `-drive` of its own.
//!
//! Pure.

use serde_json::Value as Json;

use super::blocks::{is_protocol, text};
use super::draft::Draft;
use super::nodes::legacy;
use crate::qemu::arguments::{Argument, Value};

pub(super) fn rewrite(draft: &mut Draft, list: Vec<Argument>) -> Vec<Argument> {
    let devices = list.clone();
    let mut found = Vec::new();
    for argument in list {
        let changed = argument.value().filter(|_| argument.name() == "device").and_then(|value| {
            let drive = drive_of(draft, &devices, &value)?;
            changed(draft, &argument, value, drive)
        });
        found.extend(changed.unwrap_or_else(|| vec![argument]));
    }
    found
}

/// What is in a device for media that no `-drive` gives a name.
fn drive_of<'a>(draft: &Draft<'a>, list: &[Argument], device: &Value) -> Option<&'a Json> {
    let paths = if let Some(id) = device.get("id") {
        vec![format!("/machine/peripheral/{id}"), id]
    } else {
        let driver = device.get("driver")?;
        let is_like_it =
            |other: &Value| other.get("id").is_none() && other.get("driver").as_ref() == Some(&driver);
        let options = list.iter().filter(|argument| argument.name() == "device");
        if options.filter_map(Argument::value).filter(is_like_it).count() > 1 {
            return None;
        }
        let live = draft.facts.inventory.get("devices").and_then(Json::as_array)?;
        let of_type = live.iter().filter(|device| text(device, "type") == driver);
        of_type.map(|device| text(device, "path").to_owned()).filter(|path| path.contains("-anon/")).collect()
    };
    let is_its = |drive: &&Json| paths.iter().any(|path| path == text(drive, "qdev"));
    let drive = draft.replies("query-block").iter().find(is_its)?;
    (text(drive, "device").is_empty() && drive.get("removable") == Some(&Json::Bool(true))).then_some(drive)
}

fn changed(draft: &mut Draft, from: &Argument, mut device: Value, drive: &Json) -> Option<Vec<Argument>> {
    let Some(medium) = drive.get("inserted") else {
        device.get("drive")?;
        device.remove("drive");
        let new = from.with(&device);
        draft.changed(from, Some(&new), "its medium was taken out", None);
        return Some(vec![new]);
    };
    let node = text(medium, "node-name");
    if device.get("drive").as_deref() == Some(node) {
        return None;
    }
    let is_named = !node.starts_with('#');
    if !is_named && is_protocol(text(medium, "file")) {
        draft.refuse(&from.line(), &format!("its medium is `{}` now", text(medium, "file")), TAKE_OUT);
        return None;
    }
    let name = device.get("id").or_else(|| device.get("driver"))?;
    let name = if is_named { node.to_owned() } else { format!("qhop-{name}") };
    device.set("drive", &name);
    let new = from.with(&device);
    draft.changed(from, Some(&new), "its medium was changed after the start", None);
    let image = (!is_named).then(|| Argument::new("drive", Some(&legacy(medium, &name))));
    if let Some(image) = &image {
        draft.added(image, "its medium was changed after the start");
    }
    Some(image.into_iter().chain([new]).collect())
}

pub(super) const TAKE_OUT: &str = "take the medium out first (`eject`), and put it in again afterwards";
