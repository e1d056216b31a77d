//! Devices that were plugged in after the start, processors and memory included: with id, bus, address and every property
//! that is not the default.
//!
//! Pure.

use serde_json::{Map, Value as Json};

use super::draft::Draft;
use super::objects::{ADDED, switch, word};
use super::usb;
use crate::qemu::arguments::Argument;
use crate::qemu::command_line::escape;

pub(super) fn rewrite(draft: &mut Draft, mut list: Vec<Argument>) -> Vec<Argument> {
    let facts = draft.facts;
    let array = |key: &str| facts.inventory.get(key).and_then(Json::as_array);
    let all = array("hotplugged").or_else(|| array("devices"));
    let mut pending: Vec<Device> = all
        .into_iter()
        .flatten()
        .map(|said| Device { said, port: usb::port(said, array("devices")) })
        .filter(|device| device.is_hotplugged() && !device.is_in(&list))
        .collect();
    let processors = draft.replies("query-hotpluggable-cpus");
    // A bus comes before what is plugged into it.
    while !pending.is_empty() {
        let next = pending.iter().position(|device| !pending.iter().any(|other| device.sits_on(other)));
        let device = pending.remove(next.unwrap_or(0));
        if let Some(cause) = device.cannot() {
            draft.refuse(&device.subject(), cause, "unplug it first, and plug it in again afterwards");
            continue;
        }
        let mut words = device.words(processors);
        if let Some(drive) = usb::drive(device.said, draft.replies("query-block")) {
            words.extend([",drive=", &escape(drive)]);
        }
        let argument = Argument::new("device", Some(&words));
        draft.added(&argument, ADDED);
        list.push(argument);
    }
    list
}

/// A device of the inventory: `path`, `type`, `properties`, and, where known, `bus`, `hotplugged` and `defaults` (the reply
/// to `device-list-properties`).
struct Device<'a> {
    said: &'a Json,
    /// The one of a USB bus that it is in.
    port: Option<&'a str>,
}

impl<'a> Device<'a> {
    fn text(&self, key: &str) -> &'a str {
        self.said.get(key).and_then(Json::as_str).unwrap_or_default()
    }

    fn property(&self, name: &str) -> Option<&'a Json> {
        self.said.get("properties")?.get(name)
    }

    fn id(&self) -> Option<&'a str> {
        self.text("path").strip_prefix("/machine/peripheral/").filter(|id| !id.contains('/'))
    }

    fn kind(&self) -> &'a str {
        self.text("type")
    }

    fn subject(&self) -> String {
        format!("device `{}`", self.id().unwrap_or_else(|| self.kind()))
    }

    fn is_hotplugged(&self) -> bool {
        let said = self.said.get("hotplugged").or_else(|| self.property("hotplugged"));
        said.and_then(switch).unwrap_or(false)
    }

    fn is_in(&self, list: &[Argument]) -> bool {
        let named = |argument: &Argument| argument.value().and_then(|value| value.get("id"));
        self.id().is_some_and(|id| {
            list.iter().any(|argument| argument.name() == "device" && named(argument).as_deref() == Some(id))
        })
    }

    fn sits_on(&self, other: &Device) -> bool {
        let bus = self.property("parent_bus").and_then(Json::as_str).unwrap_or_default();
        let path = other.text("path");
        let below = !path.is_empty() && bus.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        let by_name = bus.is_empty()
            && other.id().is_some_and(|id| {
                self.text("bus").strip_prefix(id).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            });
        let behind_hub = self.bus() == other.bus()
            && self.port.zip(other.port).is_some_and(|(port, hub)| usb::is_behind(port, hub));
        path != self.text("path") && (below || by_name || behind_hub)
    }

    fn bus(&self) -> Option<&'a str> {
        let path = self.property("parent_bus").and_then(Json::as_str).unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        [name, self.text("bus")].into_iter().find(|name| !name.is_empty())
    }

    fn cannot(&self) -> Option<&'static str> {
        let kind = self.kind();
        if ["vfio-pci", "vfio-ap", "vfio-ccw", "usb-host"].contains(&kind) {
            return Some("a device of the host has one owner");
        }
        if kind.starts_with("vhost-vsock") {
            return Some("the host gives a guest-cid to one QEMU");
        }
        let empty = |name: &str| self.property(name).is_some_and(|value| value.as_str() == Some(""));
        if kind == "scsi-generic" || kind == "scsi-block" {
            return Some("a SCSI device that is passed through has state of its own");
        }
        (kind.is_empty() || (kind.ends_with("-dimm") && empty("memdev")))
            .then_some("QEMU does not say what it is")
    }

    fn words(&self, processors: &[Json]) -> String {
        let mut words = vec![escape(self.kind())];
        let mut say = |key: &str, word: &str| words.push(format!("{key}={}", escape(word)));
        if let Some(id) = self.id() {
            say("id", id);
        }
        let path = self.text("path");
        let processor =
            processors.iter().find(|slot| slot.get("qom-path").and_then(Json::as_str) == Some(path));
        if let Some(place) = processor.and_then(|slot| slot.get("props")?.as_object()) {
            // What else a processor is, `-cpu` says for all of them.
            for (key, value) in place {
                if let Some(word) = word(value) {
                    say(key, &word);
                }
            }
            return words.join(",");
        }
        if let Some(bus) = self.bus() {
            say("bus", bus);
        }
        let properties = self.said.get("properties").and_then(Json::as_object);
        if let Some(addr) = properties.and_then(address) {
            say("addr", &addr);
        }
        if let Some(port) = self.port {
            say("port", port);
        }
        for (name, value) in properties.into_iter().flatten() {
            if self.counts(name, value) {
                // An empty `romfile` says that there is none.
                say(name, &word(value).unwrap_or_default());
            }
        }
        words.join(",")
    }

    /// Whether a property must be said: it is one that a user can set, and has not the value that it has by itself.
    fn counts(&self, name: &str, value: &Json) -> bool {
        if NEVER.contains(&name)
            || (name == "port" && self.port.is_some())
            || name.starts_with("x-")
            || name.starts_with("legacy-")
        {
            return false;
        }
        let text = value.as_str();
        if name == "romfile" {
            return text.is_some();
        }
        // A link to an object that the device has made for itself.
        if word(value).is_none() || text.is_some_and(|text| text.starts_with("/machine/")) {
            return false;
        }
        let Some(defaults) = self.said.get("defaults").and_then(Json::as_array) else {
            return ALWAYS.contains(&name);
        };
        let known = defaults.iter().find(|known| known.get("name").and_then(Json::as_str) == Some(name));
        match known.map(|known| known.get("default-value")) {
            None => false,
            Some(Some(default)) => default != value,
            // A switch that is an option has a default; `attached` of USB is a state.
            Some(None) => !value.is_boolean() && value != &Json::from(-1),
        }
    }
}

/// On PCI a slot and function, of memory a number.
fn address(properties: &Map<String, Json>) -> Option<String> {
    let addr = properties.get("addr")?;
    if let Some(legacy) = properties.get("legacy-addr").and_then(Json::as_str) {
        return Some(legacy.to_owned());
    }
    match (addr.as_u64(), properties.get("multifunction")) {
        (Some(devfn), Some(_)) => Some(format!("{:02x}.{:x}", devfn >> 3, devfn & 7)),
        _ => word(addr),
    }
}

/// The place of a device on its bus, as far as QEMU has chosen it.
pub(super) fn places(properties: &Map<String, Json>) -> Vec<(&'static str, String)> {
    let others = ["nr", "scsi-id", "lun", "slot"].into_iter().filter_map(|key| {
        let place = word(properties.get(key)?)?;
        place.parse::<u32>().is_ok().then_some((key, place))
    });
    // A root port's slot is none of a bus.
    let others = others.filter(|(key, _)| *key != "slot" || properties.contains_key("memdev"));
    let port = properties.get("port").and_then(Json::as_str).filter(|port| !port.is_empty());
    let named = address(properties).map(|addr| ("addr", addr)).into_iter();
    named.chain(port.map(|port| ("port", port.to_owned()))).chain(others).collect()
}

/// What is said in another way, follows from something else, or cannot be set.
const NEVER: &[&str] = &[
    "addr",
    "bus",
    "busnr",
    "cyls",
    "driver",
    "guest-stats-polling-interval",
    "heads",
    "hotpluggable",
    "hotplugged",
    "id",
    "parent_bus",
    "realized",
    "romsize",
    "secs",
    "size",
    "type",
    "lcyls",
    "lheads",
    "lsecs",
];

/// Without the defaults to compare with: what the guest sees, and what the device is connected to.
const ALWAYS: &[&str] = &[
    "ats",
    "bootindex",
    "channel",
    "chardev",
    "chassis",
    "discard_granularity",
    "disable-legacy",
    "disable-modern",
    "drive",
    "event_idx",
    "host_mtu",
    "indirect_desc",
    "iommu_platform",
    "iothread",
    "label-size",
    "logical_block_size",
    "lun",
    "mac",
    "max-bytes",
    "max_ports",
    "memdev",
    "min_io_size",
    "mq",
    "mrg_rxbuf",
    "multifunction",
    "name",
    "netdev",
    "node",
    "nr",
    "num-queues",
    "num_queues",
    "opt_io_size",
    "packed",
    "page-per-vq",
    "period",
    "physical_block_size",
    "port",
    "product",
    "queue-size",
    "rng",
    "romfile",
    "rss",
    "rx_queue_size",
    "scsi-id",
    "serial",
    "share-rw",
    "slot",
    "tx_queue_size",
    "vectors",
    "ver",
    "write-cache",
    "wwn",
];
