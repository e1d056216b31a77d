//! Network back ends that were added after the start, as far as QEMU says what they are.
//!
//! Pure.

use super::draft::Draft;
use super::{objects, unplugged};
use crate::qemu::arguments::Argument;
use crate::qemu::command_line::escape;

pub(super) fn rewrite(draft: &mut Draft, mut list: Vec<Argument>) -> Vec<Argument> {
    let Some(network) = draft.text_of_inventory("network") else { return list };
    for id in missing(&list) {
        let Some(said) = unplugged::netdev(network, &id) else { continue };
        match backend(said) {
            Ok(backend) => {
                let (kind, rest) = backend.split_once(',').unwrap_or((&backend, ""));
                let rest = if rest.is_empty() { String::new() } else { format!(",{rest}") };
                let argument = Argument::new("netdev", Some(&format!("{kind},id={}{rest}", escape(&id))));
                let note =
                    if kind == "user" { "options that QEMU does not show have their defaults" } else { "" };
                draft.noted(&Argument::new("netdev", Some("")), Some(&argument), objects::ADDED, None, note);
                list.push(argument);
            }
            Err(cause) => {
                draft.refuse(
                    &format!("network `{id}`"),
                    &cause,
                    "unplug its device first, and plug it in again afterwards",
                );
            }
        }
    }
    list
}

fn missing(list: &[Argument]) -> Vec<String> {
    let id = |argument: &Argument, key: &str| argument.value().and_then(|value| value.get(key));
    let has = |name: &String| {
        list.iter().any(|argument| {
            ["netdev", "nic", "net"].contains(&argument.name()) && id(argument, "id").as_ref() == Some(name)
        })
    };
    let devices = list.iter().filter(|argument| argument.name() == "device");
    devices.filter_map(|device| id(device, "netdev")).filter(|name| !has(name)).collect()
}

/// From what `info network` says: `index=0,type=user,net=10.0.2.0,restrict=off`.
fn backend(said: &str) -> Result<String, String> {
    let field =
        |key: &str| said.trim().split(',').find_map(|field| field.strip_prefix(key)?.strip_prefix('='));
    match field("type").unwrap_or_default() {
        // The mask is not shown: 24 bits are the default.
        "user" => {
            let net = field("net").map_or(String::new(), |net| format!(",net={net}/24"));
            let restrict = if field("restrict") == Some("on") { ",restrict=on" } else { "" };
            Ok(format!("user{net}{restrict}"))
        }
        "tap" => match field("ifname") {
            Some(name) if !said.contains("fd=") => Ok(format!("tap,ifname={name},script=no,downscript=no")),
            _ => Err("its descriptor was opened for the source alone".to_owned()),
        },
        "bridge" | "vhost-user" | "socket" | "stream" | "dgram" | "" => {
            Err(format!("QEMU does not say all of what it is (`{}`)", said.trim()))
        }
        kind => Err(format!("a `{kind}` that was added after the start cannot be read back")),
    }
}
