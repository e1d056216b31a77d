use serde_json::{Value, json};

use super::*;

mod agreement;
mod devices;
mod disks;
mod forgotten;
mod modes;
mod options;
mod places;

/// Two ends that differ in nothing.
fn end() -> Value {
    json!({
        "version": "10.0.2",
        "machine": "pc-q35-7.2",
        "machine_properties": { "hpet": true, "memory": { "size": 134_217_728 }, "smp": { "cpus": 1, "maxcpus": 1 } },
        "query-status": { "status": "running" },
        "query-kvm": { "enabled": true },
        "query-memdev": [{ "id": "pc.ram", "share": false }],
        "query-migrate-capabilities": [{ "capability": "postcopy-ram", "state": false }],
        "qmp": true,
        "query-migrate-parameters": {},
        "tree": [{ "type": "virtio-net-pci", "id": "n0", "bus": "pcie.0", "on": "q35-pcihost", "properties": { "addr": "03.0", "mq": false } }],
        "ramblocks": "pc.ram    4 KiB  0x0000000000000000 0x0000000008000000 0x0000000008000000",
    })
}

fn target() -> Value {
    let mut target = end();
    target["query-status"]["status"] = "inmigrate".into();
    target
}

fn said(source: &Value, target: &Value, facts: &Value) -> Vec<String> {
    let (findings, _) = examine(source, target, facts);
    findings.iter().map(|f| format!("{} {}: {}", f.severity.word(), f.subject, f.message)).collect()
}

#[test]
fn two_ends_that_are_alike_have_no_findings() {
    assert_eq!(said(&end(), &target(), &json!({})), [""; 0]);
}

#[test]
fn what_an_end_does_not_say_is_no_finding() {
    let monitor = ["note monitor: the target has only a human monitor"];
    assert_eq!(said(&end(), &json!({}), &json!({ "mode": "precopy" })), monitor);
    assert_eq!(said(&json!({}), &end(), &json!({ "mode": "precopy" })).len(), 2);
}

#[test]
fn a_moved_device_is_one_finding() {
    let mut other = target();
    other["tree"][0]["properties"]["addr"] = "04.0".into();
    assert_eq!(
        said(&end(), &other, &json!({})),
        [
            "blocks device n0: it is `virtio-net-pci,id=n0,bus=pcie.0,addr=03.0` at the source and `virtio-net-pci,id=n0,bus=pcie.0,addr=04.0` at the target"
        ]
    );
}

#[test]
fn the_memory_of_a_missing_device_is_not_named_again() {
    let mut source = end();
    let nic = json!({ "type": "e1000", "id": "", "bus": "pcie.0", "on": "q35-pcihost", "properties": { "addr": "05.0" } });
    source["tree"].as_array_mut().unwrap().push(nic);
    let blocks =
        "\n0000:00:05.0/e1000.rom    4 KiB  0x0000000009140000 0x0000000000040000 0x0000000000040000\n";
    source["ramblocks"] = (text(&source, "ramblocks").to_owned() + blocks).into();
    assert_eq!(
        said(&source, &target(), &json!({})),
        ["blocks device e1000: the target lacks `e1000,bus=pcie.0,addr=05.0`"]
    );
}

#[test]
fn a_block_that_can_grow_may_have_room_for_more() {
    let blocks = |used: &str, total: &str| {
        memory::blocks(&format!("/rom@etc/acpi/tables  4 KiB  0x0 {used} {total}  0x00007ff33a800000  ro"))
    };
    assert_eq!(blocks("0x20000", "0x200000")[0].total, 0x20_0000);
    let (mut source, mut other) = (end(), target());
    source["ramblocks"] = "/rom@etc/acpi/tables  4 KiB  0x0 0x20000 0x200000".into();
    other["ramblocks"] = "/rom@etc/acpi/tables  4 KiB  0x0 0x10000 0x40000".into();
    assert_eq!(said(&source, &other, &json!({})), [""; 0]);
    other["ramblocks"] = "/rom@etc/acpi/tables  4 KiB  0x0 0x10000 0x18000".into();
    assert_eq!(said(&source, &other, &json!({})).len(), 1);
}

#[test]
fn a_newer_version_may_know_more_properties_and_emulate_more() {
    let word = |bits: u32| json!([{ "cpuid-input-eax": 1, "cpuid-register": "ECX", "features": bits }]);
    let (mut source, mut other) = (end(), target());
    source["version"] = "7.2.22".into();
    source["cpu"] = json!({ "type": "qemu64-x86_64-cpu", "feature-words": word(0b01) });
    other["cpu"] = json!({ "type": "qemu64-x86_64-cpu", "feature-words": word(0b11) });
    other["tree"][0]["properties"]["busnr"] = 0.into();
    assert_eq!(
        said(&source, &other, &json!({})),
        ["note cpu: the target's processor has `pclmulqdq` besides"]
    );
    assert_eq!(
        said(&other, &source, &json!({ "mode": "precopy" }))[..2],
        [
            "blocks guest: the guest is `inmigrate` at the source",
            "blocks target: the target is `running`, it does not wait for a guest"
        ]
    );
    source["version"] = other["version"].clone();
    assert_eq!(
        said(&source, &other, &json!({})),
        ["risk cpu: the target's processor has `pclmulqdq` besides"]
    );
    other["cpu"]["feature-words"] = word(0);
    assert_eq!(said(&source, &other, &json!({})), ["blocks cpu: the target's processor lacks `pni`"]);
}

#[test]
fn tcg_loses_pages_in_some_modes_of_some_versions() {
    let mut source = end();
    source["version"] = "7.2.22".into();
    source["query-kvm"]["enabled"] = false.into();
    let mut other = target();
    other["query-kvm"]["enabled"] = false.into();
    assert_eq!(said(&source, &other, &json!({})), [""; 0]);
    assert_eq!(
        said(&source, &other, &json!({ "mode": "precopy" })),
        ["risk mode: a precopy from QEMU 7.2.22 under TCG"]
    );
    for end in [&mut source, &mut other] {
        end["version"] = "11.1.3".into();
    }
    assert_eq!(
        said(&source, &other, &json!({ "mode": "postcopy" })),
        ["risk mode: a postcopy from QEMU 11.1.3 under TCG"]
    );
    for end in [&mut source, &mut other] {
        end["query-kvm"]["enabled"] = true.into();
    }
    assert_eq!(said(&source, &other, &json!({ "mode": "postcopy" })), [""; 0]);
}

#[test]
fn tcg_must_not_copy_a_block_that_is_larger_than_the_first() {
    let (mut source, other) = (end(), target());
    let mode = |source: &Value| examine(source, &other, &json!({})).1.chosen;
    source["query-kvm"]["enabled"] = false.into();
    source["ramblocks"] =
        "d   4 KiB  0x0 0x4000000 0x4000000\npc.ram   4 KiB  0x4000000 0x8000000 0x8000000".into();
    assert_eq!(mode(&source), None);
    for (path, value) in [("/query-kvm/enabled", json!(true)), ("/version", json!("7.2.22"))] {
        let mut other = source.clone();
        *other.pointer_mut(path).unwrap() = value;
        assert_eq!(mode(&other).as_deref(), Some("postcopy"), "{path}");
    }
    source["query-status"]["status"] = "paused".into();
    assert_eq!(mode(&source).as_deref(), Some("precopy"));
    source["query-status"]["status"] = "running".into();
    source["ramblocks"] =
        "pc.ram   4 KiB  0x0 0x8000000 0x8000000\nd   4 KiB  0x8000000 0x4000000 0x4000000".into();
    assert_eq!(mode(&source).as_deref(), Some("postcopy"));
}

#[test]
fn a_host_without_room_for_two() {
    let mut source = end();
    source["query-memory-size-summary"] = json!({ "base-memory": 4_u64 << 30, "plugged-memory": 0 });
    let mut other = target();
    other["query-memory-size-summary"] = source["query-memory-size-summary"].clone();
    let facts = |available: u64| json!({ "available": available, "resident": 1_u64 << 30 });
    assert_eq!(said(&source, &other, &facts(8 << 30)), [""; 0]);
    assert_eq!(
        said(&source, &other, &facts(2 << 30)),
        ["risk host memory: the host has 2G free, and the copy of the guest needs 4G"]
    );
    assert_eq!(
        said(&source, &other, &facts(512 << 20)),
        ["blocks host memory: the host has 512M free, and the copy of the guest needs 1G"]
    );
}

#[test]
fn a_newer_layout_of_a_devices_state_is_found() {
    let dump = |version: u32, part: u32| {
        json!({ "virtio-net-pci": { "Description": {
            "name": "virtio-net-pci", "version_id": version, "minimum_version_id": 3,
            "Fields": [{ "field": "dev", "size": 2608, "Description": { "name": "part", "version_id": part, "minimum_version_id": 1 } }],
            "Subsections": [{ "name": "virtio-net-pci/more", "version_id": 1, "minimum_version_id": 1 }],
        } } })
    };
    let facts = |source: &Value, target: &Value| {
        let excerpt = |dump: &Value| {
            let mut dump = dump.clone();
            dump["e1000"] = json!({ "Name": "e1000" });
            let excerpt = vmstate::excerpt(&dump.to_string(), &["virtio-net-pci"].into());
            assert!(!excerpt.contains("e1000"), "{excerpt}");
            excerpt
        };
        json!({ "vmstate": { "source": excerpt(source), "target": excerpt(target) } })
    };
    assert_eq!(said(&end(), &target(), &facts(&dump(4, 1), &dump(5, 2))), [""; 0]);
    assert_eq!(
        said(&end(), &target(), &facts(&dump(6, 1), &dump(5, 1))),
        ["blocks device type virtio-net-pci: its state is sent in version 6, and the target reads 3 to 5"]
    );
    assert_eq!(
        said(&end(), &target(), &facts(&dump(2, 1), &dump(5, 1))),
        ["blocks device type virtio-net-pci: its state is sent in version 2, and the target reads 3 to 5"]
    );
    assert_eq!(
        said(&end(), &target(), &facts(&dump(4, 2), &dump(4, 1))),
        [
            "risk device type virtio-net-pci: `part`, a part of its state, is in version 2, and the target knows 1"
        ]
    );
    let mut without = dump(4, 1);
    without["virtio-net-pci"]["Description"]["Subsections"] = json!([]);
    assert_eq!(said(&end(), &target(), &facts(&dump(4, 1), &without)).len(), 1);
    assert_eq!(said(&end(), &target(), &facts(&dump(4, 1), &json!({}))), [""; 0]);
}

#[test]
fn a_table_is_for_people() {
    let mut other = target();
    other["machine"] = "pc-q35-10.0".into();
    let (findings, modes) = examine(&end(), &other, &json!({}));
    let plan = json!({
        "findings": findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
        "modes": modes.to_json(), "mode": modes.chosen, "why": modes.why,
        "rewrites": [
            { "option": "-qmp", "from": "unix:q", "to": "unix:DIRECTORY/q", "why": "one path, one listener",
              "back": { "how": "rename", "from": "DIRECTORY/q", "to": "/home/q" }, "note": "" },
            { "option": "-monitor", "from": "tcp::1", "to": "unix:DIRECTORY/monitor", "why": "a port has one listener",
              "back": { "how": "none" }, "note": "clients find it at `DIRECTORY/monitor`" },
            { "option": "-gdb", "from": "tcp::2", "to": "", "why": "a port has one listener",
              "back": { "how": "hmp", "line": "gdbserver tcp::2" }, "note": "" },
            { "option": "-device", "from": "", "to": "virtio-rng-pci,id=rng0", "why": "it was plugged in", "back": null, "note": "" },
        ],
    });
    assert_eq!(
        table::table(&plan),
        "\
blocks  machine       the machine is `pc-q35-7.2` at the source and `pc-q35-10.0` at the target
                      cause: QEMU refuses the stream of another machine type; an alias such as `pc` or `q35`
                        means another one in each version
                      hint: start the target with `-machine pc-q35-7.2`
mode    postcopy      it ends however busy the guest is; not `shared`: the source (QEMU 10.0.2) has no
                      capability `x-ignore-shared`
not     cpr-exec      the source is QEMU 10.0.2, and it begins with 10.2
not     cpr-transfer  memory backend `pc.ram` is private at the source
not     shared        the source (QEMU 10.0.2) has no capability `x-ignore-shared`
change  -qmp          `unix:q` becomes `unix:DIRECTORY/q`: one path, one listener
                      given back: `/home/q` leads to it again
change  -monitor      `tcp::1` becomes `unix:DIRECTORY/monitor`: a port has one listener
                      not given back: clients find it at `DIRECTORY/monitor`
change  -gdb          `tcp::2` is left out: a port has one listener
                      given back: by `gdbserver tcp::2`
change  -device       `virtio-rng-pci,id=rng0` is added: it was plugged in
"
    );
}
