//! The generation of a guest: by itself every QEMU makes up a new one, and this guest is still the same.
//!
//! Pure.

use serde_json::Value as Json;

use super::blocks::text;
use super::draft::Draft;
use crate::qemu::arguments::Argument;

pub(super) fn rewrite(draft: &mut Draft, list: Vec<Argument>) -> Vec<Argument> {
    let devices = draft.facts.inventory.get("devices").and_then(Json::as_array);
    // A machine has no more than one.
    let device = devices.into_iter().flatten().find(|device| text(device, "type") == "vmgenid");
    let guid = device.and_then(|device| device.get("properties")?.get("guid")?.as_str());
    let Some(guid) = guid else { return list };
    list.into_iter().map(|argument| said(draft, &argument, guid).unwrap_or(argument)).collect()
}

fn said(draft: &mut Draft, argument: &Argument, guid: &str) -> Option<Argument> {
    let mut value = argument.value().filter(|_| argument.name() == "device")?;
    let is_made_up = value.get("guid").is_none_or(|guid| guid == "auto");
    if value.get("driver").as_deref() != Some("vmgenid") || !is_made_up {
        return None;
    }
    value.set("guid", guid);
    let new = argument.with(&value);
    draft.changed(argument, Some(&new), "QEMU has made up the guest's generation", None);
    Some(new)
}
