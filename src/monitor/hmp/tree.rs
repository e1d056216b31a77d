//! `info qtree` as JSON: every device that sits on a bus, with its properties, in one reply.
//!
//! Pure. What QOM needs thousands of questions for, the human monitor prints in a millisecond or two. Devices without a
//! bus (processors, memory modules) are not in it.

use serde_json::{Map, Value, json};

/// Buses that a virtio device has to itself: the device behind one and the one in front of it are one to their user.
const TRANSPORTS: [&str; 2] = ["virtio-pci-bus", "virtio-ccw-bus"];

/// The devices, in the order of the tree: `type`, `id` (`""` if it has none), `bus` (its name), `on` (id or type of the
/// device that the bus belongs to, `""` for the main bus), `properties` (typed as QMP would), `pci` (vendor and device,
/// where it has them).
#[must_use]
pub fn tree(text: &str) -> Value {
    let mut devices: Vec<Value> = Vec::new();
    // What the lines so far are inside of, outermost first: depth, and a device or a bus.
    let mut around: Vec<(usize, Place)> = Vec::new();
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some(name) = line.strip_prefix("bus: ") {
            around.retain(|(outer, _)| *outer < depth);
            around.push((depth, Place::Bus { name: name.to_owned(), kind: String::new() }));
        } else if let Some((kind, id)) = line.strip_prefix("dev: ").and_then(|rest| rest.split_once(", id "))
        {
            around.retain(|(outer, _)| *outer < depth);
            let at = match around.as_slice() {
                [.., (_, Place::Device(owner)), (_, Place::Bus { kind, .. })]
                    if TRANSPORTS.contains(&kind.as_str()) =>
                {
                    *owner
                }
                _ => {
                    devices.push(device(kind, id.trim_matches('"'), &around, &devices));
                    devices.len() - 1
                }
            };
            around.push((depth, Place::Device(at)));
        } else if let Some((_, place)) = around.last_mut() {
            match place {
                Place::Bus { kind, .. } => {
                    if let Some(word) = line.strip_prefix("type ") {
                        word.clone_into(kind);
                    }
                }
                Place::Device(at) => detail(&mut devices[*at], line),
            }
        }
    }
    Value::Array(devices)
}

enum Place {
    Bus { name: String, kind: String },
    Device(usize),
}

fn device(kind: &str, id: &str, around: &[(usize, Place)], devices: &[Value]) -> Value {
    let bus = around.iter().rev().find_map(|(_, place)| match place {
        Place::Bus { name, .. } => Some(name.as_str()),
        Place::Device(_) => None,
    });
    let owner = around.iter().rev().find_map(|(_, place)| match place {
        Place::Device(at) => devices.get(*at),
        Place::Bus { .. } => None,
    });
    let named = |owner: &Value| {
        let id = owner["id"].as_str().unwrap_or_default();
        if id.is_empty() { owner["type"].clone() } else { id.into() }
    };
    json!({
        "type": kind,
        "id": id,
        "bus": bus.unwrap_or_default(),
        "on": owner.map_or_else(|| "".into(), named),
        "properties": Map::new(),
    })
}

/// A property, or one of the lines that a bus adds about its devices.
fn detail(device: &mut Value, line: &str) {
    if let Some((name, value)) = line.split_once(" = ")
        && !name.contains(' ')
    {
        device["properties"][name] = typed(value);
    } else if line.starts_with("class ")
        && let Some((_, pci)) = line.split_once("pci id ")
    {
        device["pci"] = pci.split(' ').next().unwrap_or_default().into();
    } else if line.starts_with("addr ")
        && let Some((_, port)) = line.split_once(", port ")
    {
        // The property is empty for a device that took the next free one.
        device["properties"]["port"] = port.split(',').next().unwrap_or_default().into();
    }
}

/// `"text"`, `true`, `5 (0x5)`, `34359738368 (32 GiB)`; `03.0` and `<null>` stay text.
fn typed(value: &str) -> Value {
    if let Some(text) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return text.into();
    }
    let number = value.split_once(" (").filter(|(_, rest)| rest.ends_with(')')).map(|(number, _)| number);
    match (value, number.unwrap_or(value)) {
        ("true", _) => true.into(),
        ("false", _) => false.into(),
        (_, number) => match (number.parse::<i64>(), number.parse::<u64>()) {
            (Ok(number), _) => number.into(),
            (_, Ok(number)) => number.into(),
            _ => value.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As QEMU 7.2 prints it, shortened.
    const TREE: &str = "bus: main-system-bus
  type System
  dev: hpet, id \"\"
    gpio-in \"\" 2
    timers = 3 (0x3)
    msi = false
    mmio 00000000fed00000/0000000000000400
  dev: q35-pcihost, id \"\"
    MCFG = -1 (0xffffffffffffffff)
    pci-hole64-size = 34359738368 (32 GiB)
    bus: pcie.0
      type PCIE
      dev: virtio-net-pci, id \"n0\"
        vectors = 4 (0x4)
        addr = 03.0
        romfile = \"efi-virtio.rom\"
        class Ethernet controller, addr 00:03.0, pci id 1af4:1000 (sub 1af4:0001)
        bar 0: i/o at 0xffffffffffffffff [0x1e]
        bus: virtio-bus
          type virtio-pci-bus
          dev: virtio-net-device, id \"\"
            mq = false
            mac = \"52:54:00:12:34:57\"
            duplex = <null>
      dev: pcie-root-port, id \"rp\"
        bus: rp
          type PCIE
          dev: e1000e, id \"\"
            addr = 00.0
        bus: xhci.0
          dev: usb-kbd, id \"\"
            port = \"\"
            addr 0.1, port 2.1, speed 480, name QEMU USB Keyboard, attached
";

    #[test]
    fn devices_have_their_bus_and_typed_properties() {
        let tree = tree(TREE);
        let names: Vec<_> = tree.as_array().unwrap().iter().map(|device| &device["type"]).collect();
        assert_eq!(names, ["hpet", "q35-pcihost", "virtio-net-pci", "pcie-root-port", "e1000e", "usb-kbd"]);
        assert_eq!(tree[0]["properties"], json!({ "timers": 3, "msi": false }));
        assert_eq!(tree[0]["bus"], "main-system-bus");
        assert_eq!(tree[1]["properties"], json!({ "MCFG": -1, "pci-hole64-size": 34_359_738_368_i64 }));
        assert_eq!(tree[2]["id"], "n0");
        assert_eq!(tree[2]["pci"], "1af4:1000");
        assert_eq!(tree[4]["on"], "rp");
        assert_eq!(tree[4]["properties"]["addr"], "00.0");
        assert_eq!(tree[5]["properties"]["port"], "2.1");
    }

    #[test]
    fn a_virtio_device_and_its_transport_are_one() {
        let net = &tree(TREE)[2]["properties"];
        assert_eq!(net["vectors"], 4);
        assert_eq!(net["mac"], "52:54:00:12:34:57");
        assert_eq!(net["duplex"], "<null>");
    }

    #[test]
    fn any_text_is_some_tree() {
        assert_eq!(tree("unknown command: 'info qtree'\n"), json!([]));
        assert_eq!(tree("dev: x\n  dev: a, id \"b\"\n = \n").as_array().map(Vec::len), Some(1));
    }
}
