//! Properties that differ, and whether it matters.

use serde_json::{Value, json};

use super::{end, said, target};

/// What is said of one property of a device.
fn property(name: &str, ours: Value, theirs: Value) -> Vec<String> {
    let (mut source, mut other) = (end(), target());
    source["tree"][0]["properties"][name] = ours;
    other["tree"][0]["properties"][name] = theirs;
    said(&source, &other, &json!({}))
}

#[test]
fn what_only_the_host_or_the_version_decides_is_no_difference() {
    for name in ["max-bytes", "period", "request-merging", "debug"] {
        assert_eq!(property(name, 1.into(), 2.into()), [""; 0], "{name}");
    }
    for name in ["logical_block_size", "physical_block_size"] {
        assert_eq!(property(name, 512.into(), 0.into()), [""; 0], "{name}");
        assert_eq!(property(name, 4096.into(), 0.into()).len(), 1, "{name}");
    }
    for name in ["cyls", "heads", "secs"] {
        let message = format!("note device n0: `{name}` is `1` at the source and `2` at the target");
        assert_eq!(property(name, 1.into(), 2.into()), [message]);
    }
    let (mut source, mut other) = (end(), target());
    for (name, ours, theirs) in
        [("smbios-entry-point-type", json!("32"), json!("auto")), ("fd-bootchk", json!(true), json!(false))]
    {
        source["machine_properties"][name] = ours;
        other["machine_properties"][name] = theirs;
    }
    let found = said(&source, &other, &json!({}));
    assert!(found.len() == 2 && found.iter().all(|line| line.starts_with("note machine")), "{found:?}");
}
