//! The modes where both ends can have the same memory.

use serde_json::{Value, json};

use super::super::*;
use super::{end, said, target};

/// A pair that maps the same memory.
fn sharing(kind: &str) -> (Value, Value) {
    let (mut source, mut other) = (end(), target());
    for end in [&mut source, &mut other] {
        end["query-memdev"] = json!([{ "id": "ram", "share": true }]);
        end["objects"] = json!([{ "id": "ram", "type": kind, "properties": {} }]);
        end["ramblocks"] =
            (text(end, "ramblocks").to_owned() + "\nram    4 KiB  0x8000000 0x1000 0x1000").into();
        let offered = ["x-ignore-shared", "postcopy-ram", "postcopy-preempt"];
        end["query-migrate-capabilities"] =
            offered.iter().map(|name| json!({ "capability": name, "state": false })).collect();
    }
    (source, other)
}

#[test]
fn memory_that_both_map_is_neither_copied_nor_fetched() {
    let (source, other) = sharing("memory-backend-file");
    let same = json!({ "same_memory": { "ram": true } });
    let (_, modes) = examine(&source, &other, &same);
    assert_eq!(modes.chosen.as_deref(), Some("shared"));
    assert_eq!(
        modes.why,
        "both ends map the same memory, and nothing is copied; not `cpr-transfer`: the source was started without `-machine aux-ram-share=on`"
    );
    for mode in ["postcopy", "precopy"] {
        let mut facts = same.clone();
        facts["mode"] = mode.into();
        assert_eq!(said(&source, &other, &facts), [format!("blocks mode: `{mode}` is not possible")]);
    }
    let (_, modes) = examine(&source, &other, &json!({}));
    assert_eq!(modes.chosen.as_deref(), Some("postcopy"));
    assert!(
        modes.why.contains("not `shared`: memory backend `ram` of the target is not the source's memory"),
        "{}",
        modes.why
    );
}

#[test]
fn the_memory_of_a_virtio_pmem_is_its_files() {
    let (mut source, mut other) = sharing("memory-backend-file");
    for end in [&mut source, &mut other] {
        end["query-memdev"] = json!([{ "id": "pc.ram", "share": false }, { "id": "ram", "share": true }]);
        let pmem =
            json!({ "type": "virtio-pmem-pci", "id": "d", "properties": { "memdev": "/objects/ram" } });
        end["devices"] = json!([pmem]);
    }
    // No block has its name.
    for end in [&mut source, &mut other] {
        end["ramblocks"] = super::end()["ramblocks"].clone();
    }
    let same = json!({ "same_memory": { "ram": true } });
    assert_eq!(examine(&source, &other, &same).1.chosen.as_deref(), Some("postcopy"));
    let lost = "blocks memory: memory backend `ram` of the target is not the source's memory";
    assert_eq!(said(&source, &other, &json!({})), [lost]);
}

#[test]
fn memory_without_a_name_is_sent_since_8_1() {
    let (mut source, other) = sharing("memory-backend-memfd");
    let same = json!({ "same_memory": { "ram": true } });
    let (findings, modes) = examine(&source, &other, &same);
    assert_eq!(modes.chosen, None);
    assert!(
        findings[0].cause.contains(
            "`shared`: memory backend `ram` is no `memory-backend-file`, and QEMU 10.0.2 sends all others"
        ),
        "{}",
        findings[0].cause
    );
    source["version"] = "7.2.22".into();
    assert_eq!(examine(&source, &other, &same).1.chosen.as_deref(), Some("shared"));
}

#[test]
fn memory_is_handed_over_where_it_cannot_be_mapped() {
    let choice = |kind: &str, version: &str, facts: Value| {
        let (mut source, mut other) = sharing(kind);
        source["machine_properties"]["aux-ram-share"] = true.into();
        (source["version"], other["version"]) = (version.into(), version.into());
        let (_, modes) = examine(&source, &other, &facts);
        (modes.chosen.unwrap(), modes.why)
    };
    let facts = json!({ "same_memory": { "ram": true } });
    let (mode, why) = choice("memory-backend-memfd", "10.0.2", facts.clone());
    let memfd = "memory backend `ram` is no `memory-backend-file`, and QEMU 10.0.2 sends all others";
    assert_eq!(mode, "cpr-transfer");
    assert_eq!(why, format!("the memory is handed over, and nothing is copied; not `shared`: {memfd}"));
    let (mode, why) = choice("memory-backend-file", "10.0.2", facts.clone());
    assert_eq!(
        (mode, why.as_str()),
        ("shared".to_owned(), "both ends map the same memory, and nothing is copied")
    );
    // Never by itself: there is no way back.
    assert_eq!(choice("memory-backend-file", "11.1.0", facts.clone()).0, "shared");
    assert_eq!(choice("memory-backend-memfd", "11.1.0", facts.clone()).0, "cpr-transfer");
    let able = json!({ "same_memory": { "ram": true }, "able": ["shared", "postcopy"] });
    assert_eq!(choice("memory-backend-file", "11.1.0", able).0, "shared");
}

#[test]
fn the_process_is_kept_only_where_nothing_is_known_against_it() {
    let against = |change: &dyn Fn(&mut Value), exec: &str| {
        let (mut source, mut other) = sharing("memory-backend-memfd");
        source["machine_properties"]["aux-ram-share"] = true.into();
        (source["version"], other["version"]) = ("11.1.0".into(), "10.2.0".into());
        change(&mut source);
        let facts = json!({ "mode": "cpr-exec", "exec": exec });
        let (findings, _) = examine(&source, &other, &facts);
        findings.iter().find(|finding| finding.subject == "mode").unwrap().clone()
    };
    let found = against(&|_| {}, "");
    assert_eq!(
        (found.severity.word(), found.message.as_str()),
        ("risk", "past the `exec` there is no way back")
    );
    for (change, exec, cause) in [
        (&(|_: &mut Value| {}) as &dyn Fn(&mut Value), "it runs as another user", "it runs as another user"),
        (
            &|source| source["version"] = "10.1.0".into(),
            "",
            "the source is QEMU 10.1.0, and it begins with 10.2",
        ),
        (
            &|source| source["machine_properties"]["aux-ram-share"] = false.into(),
            "",
            "the source was started without `-machine aux-ram-share=on`",
        ),
        (
            &|source| source["query-memdev"][0]["share"] = false.into(),
            "",
            "memory backend `ram` is private at the source",
        ),
    ] {
        let found = against(change, exec);
        assert_eq!((found.severity.word(), found.cause.as_str()), ("blocks", cause));
    }
}

#[test]
fn a_file_that_a_device_is_there_for_must_stay_shared() {
    let (mut source, mut other) = sharing("memory-backend-file");
    other["query-memdev"][0]["share"] = false.into();
    let message = "memory backend `ram` is shared at the source and private at the target";
    assert_eq!(said(&source, &other, &json!({})), [format!("note memory: {message}")]);
    for end in [&mut source, &mut other] {
        let dimm = json!({ "type": "nvdimm", "id": "d", "properties": { "memdev": "/objects/ram" } });
        end["devices"] = json!([dimm]);
    }
    assert_eq!(said(&source, &other, &json!({})), [format!("blocks memory: {message}")]);
}
