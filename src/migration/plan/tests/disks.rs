//! Disks: the same images behind the same devices.

use serde_json::{Value, json};

use super::{end, said, target};

/// Ends with one disk each: the drive's name, the device's id, the image.
fn with(ours: [&str; 3], theirs: [&str; 3]) -> (Value, Value) {
    let disk = |[drive, device, image]: [&str; 3]| {
        let inserted = if image.is_empty() { json!(null) } else { json!({ "file": image, "drv": "raw" }) };
        json!([{ "device": drive, "qdev": format!("/machine/{device}/virtio-backend"), "inserted": inserted }])
    };
    let (mut source, mut other) = (end(), target());
    (source["query-block"], other["query-block"]) = (disk(ours), disk(theirs));
    (source["cwd"], other["cwd"]) = ("/home/vm".into(), "/home/vm".into());
    (source, other)
}

#[test]
fn a_disk_is_found_by_its_device_then_by_its_drive() {
    for (ours, theirs, found) in [
        (["d0", "peripheral/b0", "a"], ["d0", "peripheral/b0", "a"], ""),
        (
            ["d0", "peripheral/b0", "a"],
            ["other", "peripheral/b0", "b"],
            "disk d0: it is `a` at the source and `b` at the target",
        ),
        (
            ["d0", "peripheral/b0", "a"],
            ["", "peripheral/b0", "b"],
            "disk d0: it is `a` at the source and `b` at the target",
        ),
        (
            ["", "peripheral-anon/device[1]", "a"],
            ["", "peripheral-anon/device[1]", ""],
            "disk /machine/peripheral-anon/device[1]: there is a medium at the source and none at the target",
        ),
        (["d0", "peripheral-anon/device[1]", "a"], ["d0", "peripheral-anon/device[0]", "a"], ""),
        (
            ["d0", "peripheral-anon/device[1]", "a"],
            ["d1", "peripheral-anon/device[0]", "a"],
            "disk d0: the target has no disk in the place of `a`",
        ),
    ] {
        let (source, other) = with(ours, theirs);
        let expected: Vec<String> =
            [found].iter().filter(|found| !found.is_empty()).map(|found| format!("blocks {found}")).collect();
        assert_eq!(said(&source, &other, &json!({})), expected);
    }
}

#[test]
fn an_image_may_be_named_in_more_than_one_way() {
    for (image, same) in
        [("./a", true), ("/home/vm/a", true), ("../vm//a", true), ("b/a", false), ("nbd://h/a", false)]
    {
        let disk = |image| ["d0", "peripheral/b0", image];
        let (source, mut other) = with(disk("a"), disk(image));
        assert_eq!(said(&source, &other, &json!({})).is_empty(), same, "{image}");
        other["cwd"] = "/elsewhere".into();
        assert_eq!(said(&source, &other, &json!({})).is_empty(), image == "/home/vm/a", "{image}");
    }
}
