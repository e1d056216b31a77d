//! Memory that lies where it lay.

use serde_json::{Value, json};

use super::{end, said, target};

#[test]
fn backends_must_not_change_places() {
    let numa = |first: &str, second: &str| {
        json!([
            "-numa",
            format!("node,memdev={first}"),
            "-numa",
            format!("node,nodeid=1,memdev={second}"),
            "-numa",
            "cpu,node-id=0"
        ])
    };
    let (mut source, mut other) = (end(), target());
    (source["args"], other["args"]) = (numa("m0", "m1"), numa("m0", "m1"));
    assert_eq!(said(&source, &other, &json!({})), [""; 0]);
    other["args"] = numa("m1", "m0");
    assert_eq!(
        said(&source, &other, &json!({})),
        [
            "blocks memory: node 0 is backed by `m0` at the source and by `m1` at the target",
            "blocks memory: node 1 is backed by `m1` at the source and by `m0` at the target"
        ]
    );
    let (mut source, mut other) = (end(), target());
    let plugged = |key: &str, names: [&str; 2]| {
        let at = |(slot, name): (u64, &str)| json!({ "data": { key: 0x1_0000_0000 + slot * 0x1000_0000, "memdev": format!("/objects/{name}") } });
        (0..).zip(names).map(at).collect::<Value>()
    };
    for key in ["addr", "memaddr"] {
        source["query-memory-devices"] = plugged(key, ["a", "b"]);
        other["query-memory-devices"] = plugged(key, ["b", "a"]);
        let found = said(&source, &other, &json!({}));
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0],
            "blocks memory: the memory at 0x100000000 is backed by `a` at the source and by `b` at the target"
        );
    }
}
