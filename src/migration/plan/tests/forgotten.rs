//! What was set while the source ran.

use serde_json::{Value, json};

use super::{end, said, target};

#[test]
fn what_was_told_while_it_ran_is_named() {
    let found = |change: &dyn Fn(&mut Value)| {
        let (mut source, mut other) = (end(), target());
        for end in [&mut source, &mut other] {
            end["objects"] = json!([]);
            end["query-chardev"] = json!([{ "label": "serial0" }]);
            end["query-block"] =
                json!([{ "device": "d0", "qdev": "b0", "inserted": { "file": "a", "iops": 0 } }]);
        }
        change(&mut source);
        said(&source, &other, &json!({}))
    };
    assert_eq!(found(&|_| {}), [""; 0]);
    let node = |bitmap: Value| json!([{ "node-name": "n", "dirty-bitmaps": [bitmap] }]);
    let lost = |source: &mut Value| {
        source["query-named-block-nodes"] = node(json!({ "name": "m", "persistent": false }));
    };
    assert_eq!(found(&lost), ["risk bitmap m: it is in the memory of the source, on node `n`"]);
    for kept in [json!({ "name": "m", "persistent": true }), json!({ "persistent": false })] {
        assert_eq!(found(&|source| source["query-named-block-nodes"] = node(kept.clone())), [""; 0]);
    }
    let sent = json!({ "capability": "dirty-bitmaps", "state": true });
    assert!(
        !found(&|source| {
            lost(source);
            source["query-migrate-capabilities"].as_array_mut().unwrap().push(sent.clone());
        })
        .iter()
        .any(|line| line.contains("bitmap m"))
    );
    let vnc = |option: &'static str| move |source: &mut Value| source["args"] = json!(["-vnc", option]);
    assert_eq!(found(&vnc(":1,password=on")), ["risk display vnc: its password was set by the monitor"]);
    assert_eq!(found(&vnc(":1,password-secret=s")), [""; 0]);
    assert_eq!(
        found(&|source| source["objects"] =
            json!([{ "id": "f", "type": "filter-dump" }, { "id": "m", "type": "memory-backend-ram" }])),
        ["risk object f: the target has no such `filter-dump`"]
    );
    assert_eq!(
        found(
            &|source| source["query-chardev"] = json!([{ "label": "added" }, { "label": "compat_monitor0" }])
        ),
        ["risk chardev added: the target has no such character device"]
    );
    assert_eq!(
        found(&|source| source["query-block"][0]["inserted"]["iops"] = 100.into()),
        ["risk disk d0: its limit `iops` is 100 at the source and 0 at the target"]
    );
}
