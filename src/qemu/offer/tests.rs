use serde_json::json;

use super::*;

/// As QEMU writes it: types have numbers.
fn schema() -> Value {
    json!([
        { "name": "migrate-set-capabilities", "meta-type": "command", "arg-type": "1", "ret-type": "0" },
        { "name": "1", "meta-type": "object", "members": [{ "name": "capabilities", "type": "[2]" }] },
        { "name": "[2]", "meta-type": "array", "element-type": "2" },
        { "name": "2", "meta-type": "object", "members": [{ "name": "capability", "type": "3" }, { "name": "state", "type": "bool" }] },
        { "name": "3", "meta-type": "enum", "values": ["xbzrle", "postcopy-ram"] },
        { "name": "bool", "meta-type": "builtin", "json-type": "boolean" },
        { "name": "blockdev-add", "meta-type": "command", "arg-type": "4", "ret-type": "0" },
        { "name": "4", "meta-type": "object", "tag": "driver",
          "members": [{ "name": "driver", "type": "5" }, { "name": "read-only", "type": "bool", "default": null }],
          "variants": [{ "case": "file", "type": "6" }, { "case": "raw", "type": "7" }] },
        { "name": "5", "meta-type": "enum", "values": ["file", "raw"] },
        { "name": "6", "meta-type": "object", "members": [{ "name": "filename", "type": "str" }] },
        { "name": "7", "meta-type": "object", "members": [{ "name": "file", "type": "8" }] },
        { "name": "8", "meta-type": "alternate", "members": [{ "type": "4" }, { "type": "str" }] },
        { "name": "str", "meta-type": "builtin", "json-type": "string" },
        { "name": "query-status", "meta-type": "command", "arg-type": "0", "ret-type": "9" },
        { "name": "9", "meta-type": "object", "members": [{ "name": "status", "type": "10" }] },
        { "name": "10", "meta-type": "enum", "values": ["running", "paused"] },
        { "name": "0", "meta-type": "object", "members": [] },
        { "name": "STOP", "meta-type": "event", "arg-type": "0" },
    ])
}

fn key(name: &str) -> Step {
    Step::Key(name.to_owned())
}

#[test]
fn a_schema_tells_commands_arguments_and_values() {
    let offer = Offer::new(&schema(), "", "", "", "");
    assert_eq!(offer.commands(), ["blockdev-add", "migrate-set-capabilities", "query-status"]);
    assert_eq!(offer.events(), ["STOP"]);
    let names = |command: &str, path: &[Step]| -> Vec<String> {
        offer.members(command, path).into_iter().map(|it| it.name).collect()
    };
    let capability = [key("capabilities"), Step::Item];
    assert_eq!(names("migrate-set-capabilities", &capability), ["capability", "state"]);
    assert_eq!(
        offer.values("migrate-set-capabilities", &[&capability[..], &[key("capability")]].concat()),
        ["xbzrle", "postcopy-ram"]
    );
    assert_eq!(names("blockdev-add", &[]), ["driver", "read-only", "filename", "file"]);
    assert_eq!(names("blockdev-add", &[key("file")]), ["driver", "read-only", "filename", "file"]);
    assert_eq!(offer.values("blockdev-add", &[key("file"), key("driver")]), ["file", "raw"]);
    assert_eq!(offer.values("blockdev-add", &[key("read-only")]), ["true", "false"]);
    assert!(offer.members("blockdev-add", &[]).iter().any(|it| it.name == "read-only" && it.optional));
    assert_eq!(offer.reply_values("query-status", "status"), ["running", "paused"]);
    assert!(
        names("no-such-command", &[]).is_empty() && names("blockdev-add", &[Step::Item, key("x")]).is_empty()
    );
}

#[test]
fn help_tells_the_lines() {
    let help = "announce_self [interfaces] [id] -- Trigger GARP\n\t\t\t more of it\nquit|q  -- quit the emulator\n?  -- help\n";
    let offer = Offer::new(
        &Value::Null,
        help,
        "info migrate [-a] -- show it\ninfo mice  -- show\n",
        "xbzrle: off\npostcopy-ram: off\n",
        "announce-initial: 50 ms\ndirect-io: off\nmax-bandwidth: 134217728 bytes/second\n",
    );
    let sorted = |words: &[&str]| {
        let mut next = offer.next_words(words);
        next.sort_unstable();
        next
    };
    assert_eq!(sorted(&[]), ["announce_self", "q", "quit"]);
    assert_eq!(sorted(&["info"]), ["mice", "migrate"]);
    assert_eq!(offer.next_words(&["migrate_set_capability"]), ["xbzrle", "postcopy-ram"]);
    assert_eq!(offer.next_words(&["migrate_set_capability", "xbzrle"]), ["on", "off"]);
    let parameters = ["announce-initial", "direct-io", "max-bandwidth"];
    assert_eq!(offer.next_words(&["migrate_set_parameter"]), parameters);
    assert_eq!(offer.next_words(&["migrate_set_parameter", "direct-io"]), ["on", "off"]);
    assert!(offer.next_words(&["migrate_set_parameter", "max-bandwidth"]).is_empty());
    assert_eq!(offer.next_words(&["info", "migrate"]), ["-a"]);
    assert!(offer.next_words(&["stop"]).is_empty());
}
