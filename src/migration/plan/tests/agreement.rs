//! Capabilities that only one end has.

use serde_json::json;

use super::{end, said, target};

#[test]
fn a_capability_that_the_target_lacks_cannot_stay_on() {
    let (mut source, other) = (end(), target());
    let on = |name: &str| json!([{ "capability": "postcopy-ram", "state": false }, { "capability": name, "state": true }]);
    source["query-migrate-capabilities"] = on("compress");
    let message = "blocks capability compress: `compress` is on at the source, and the target (QEMU 10.0.2) does not know it";
    assert_eq!(said(&source, &other, &json!({})), [message]);
    source["query-migrate-capabilities"] = on("return-path");
    assert_eq!(said(&source, &other, &json!({})), [""; 0]);
    source["query-migrate-capabilities"] = on("background-snapshot");
    assert_eq!(
        said(&source, &source, &json!({}))
            .iter()
            .filter(|line| line.starts_with("blocks capability"))
            .count(),
        1
    );
}
