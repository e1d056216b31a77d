use serde_json::json;

use super::*;

fn function(name: &str, shown: &str, on: &str, arguments: usize, returns: &str, doc: &str) -> Function {
    Function {
        name: name.into(),
        signature: String::new(),
        shown: shown.into(),
        on: on.into(),
        arguments,
        returns: returns.into(),
        doc: doc.into(),
        examples: vec![],
    }
}

fn known() -> Knowledge {
    let api = vec![
        function(
            "launch",
            "launch(options: map)",
            "map",
            1,
            "Vm",
            "Start. Options: `qemu` (the binary), `args` (a\nstring, or `name`), `keep`.",
        ),
        function(
            "migrate",
            "migrate(source, target, given)",
            "",
            3,
            "map",
            "Move.\n\nOptions: `mode`: `\"precopy\"`, `\"shared\"`\n(memory in a file); `capabilities` and `parameters`: maps;\n`stall`: long.\n\nReturns `why`.",
        ),
        function("now", "now()", "", 0, "Duration", ""),
        function("qmp", "vm.qmp(name: string)", "Vm", 2, "", ""),
        function("hmp", "vm.hmp(line: string)", "Vm", 2, "string", ""),
        function("stop", "vm.stop()", "Vm", 1, "", ""),
        function("command_line", "command_line(text: string)", "string", 1, "map", ""),
        function("status", "vm.status()", "Vm", 1, "string", ""),
        function("get$name", "vm.get$name()", "Vm", 1, "string", ""),
        function("get$s", "_.get$s()", "i64", 1, "Duration", ""),
    ];
    let mut functions = api.clone();
    functions.push(function("push", "array.push(item)", "array", 2, "", ""));
    functions.push(function("keys", "map.keys()", "map", 1, "array", ""));
    functions.push(function("contains", "contains(string: string, find: string)", "string", 2, "bool", ""));
    let schema = json!([
        { "name": "query-status", "meta-type": "command", "arg-type": "0", "ret-type": "9" },
        { "name": "9", "meta-type": "object", "members": [{ "name": "status", "type": "10" }] },
        { "name": "10", "meta-type": "enum", "values": ["running", "paused"] },
        { "name": "query-version", "meta-type": "command", "arg-type": "0", "ret-type": "0" },
        { "name": "0", "meta-type": "object", "members": [] },
        { "name": "migrate-set-parameters", "meta-type": "command", "arg-type": "1", "ret-type": "0" },
        { "name": "1", "meta-type": "object", "members": [{ "name": "max-bandwidth", "type": "n", "default": null },
            { "name": "mode", "type": "2", "default": null }] },
        { "name": "2", "meta-type": "enum", "values": ["normal", "cpr-reboot"] },
        { "name": "STOP", "meta-type": "event", "arg-type": "0" },
    ]);
    let other = json!([{ "name": "query-other", "meta-type": "command", "arg-type": "0", "ret-type": "0" }]);
    let vm = Shape::Vm("new".into());
    Knowledge {
        api: Arc::new(api),
        functions: Arc::new(functions),
        own: vec![("mine".into(), vec!["x".into()])],
        variables: BTreeMap::from([
            ("vm".into(), vm.clone()),
            ("old".into(), Shape::Vm("old".into())),
            ("human".into(), Shape::Vm("human".into())),
            ("vms".into(), Shape::Array(Some(Box::new(vm)))),
            ("m".into(), Shape::Map(BTreeMap::from([("total".into(), Shape::Other("i64".into()))]))),
        ]),
        modules: BTreeMap::from([("lib".into(), vec!["helper".into()])]),
        offers: HashMap::from([
            (
                "new".into(),
                Arc::new(Offer::new(
                    &schema,
                    "stop|s  -- stop\ninfo [x]  -- show\n",
                    "info status  -- s\ninfo stats  -- t\n",
                    "",
                    "",
                )),
            ),
            ("old".into(), Arc::new(Offer::new(&other, "", "", "", ""))),
            ("human".into(), Arc::new(human())),
        ]),
        recipes: vec!["demo".into()],
    }
}

/// A QEMU with nothing but a human monitor.
fn human() -> Offer {
    Offer::new(
        &serde_json::Value::Null,
        "change device [-f] filename -- c\nmigrate [-d] [-r] uri -- m\nset_link name on|off -- s\n",
        "info block [-n] [-v] [device] -- b\n",
        "postcopy-ram: off\nxbzrle: on\n",
        "direct-io: off\nmode: normal\n",
    )
}

#[test]
fn what_could_follow() {
    let known = known();
    for (text, wanted) in [
        ("la", vec!["launch("]),
        ("no", vec!["now()"]),
        ("mi", vec!["migrate(", "mine("]),
        ("let x = vm", vec!["vm", "vms"]),
        ("let local = 1; loc", vec!["local"]),
        ("li", vec!["lib::"]),
        ("lib::h", vec!["helper("]),
        ("vm.st", vec!["status()", "stop()"]),
        ("vm.na", vec!["name"]),
        ("vms[0].q", vec!["qmp("]),
        ("launch(#{}).q", vec!["qmp("]),
        ("vm.status().con", vec!["contains("]),
        ("m.", vec!["keys()", "total"]),
        ("30.", vec!["s"]),
        ("vms.p", vec!["push("]),
        ("vm.qmp(\"query-", vec!["query-status", "query-version"]),
        ("old.qmp(\"query-", vec!["query-other"]),
        ("vm.qmp(\"migrate-set-parameters\", #{ ", vec!["\"max-bandwidth\": ", "mode: "]),
        ("vm.qmp(\"migrate-set-parameters\", #{ max", vec!["\"max-bandwidth\": "]),
        ("vm.qmp(\"migrate-set-parameters\", #{ \"max", vec!["max-bandwidth\": "]),
        ("vm.qmp(\"migrate-set-parameters\", #{ \"max-bandwidth\": 1, ", vec!["mode: "]),
        ("vm.qmp(\"migrate-set-parameters\", #{ mode: \"n", vec!["normal"]),
        ("vm.qmp(\"migrate-set-parameters\", #{ mode: ", vec!["\"cpr-reboot\"", "\"normal\""]),
        ("vm.hmp(\"st", vec!["stop"]),
        ("vm.hmp(\"info sta", vec!["stats", "status"]),
        ("vm.hmp(\"migrate_set_parameter mo", vec!["mode"]),
        ("vm.hmp(\"migrate_set_parameter mode ", vec!["cpr-reboot", "normal"]),
        ("vm.wait_for_status(\"r", vec!["running"]),
        ("vm.wait_for_event(\"", vec!["STOP"]),
        ("human.hmp(\"mi", vec!["migrate"]),
        ("human.hmp(\"migrate ", vec!["-d", "-r"]),
        ("human.hmp(\"migrate -d -", vec!["-r"]),
        ("human.hmp(\"set_link net0 ", vec!["off", "on"]),
        ("human.hmp(\"info block -v ", vec!["-n"]),
        ("human.hmp(\"migrate_set_capability p", vec!["postcopy-ram"]),
        ("human.hmp(\"migrate_set_parameter ", vec!["direct-io", "mode"]),
        ("human.hmp(\"migrate_set_parameter direct-io ", vec!["off", "on"]),
        ("human.qmp(\"query-migrate-", vec!["query-migrate-capabilities", "query-migrate-parameters"]),
        ("human.wait_for_status(\"pa", vec!["paused"]),
        ("human.wait_for_migration(\"comp", vec!["completed"]),
        ("vm.status().co", vec!["contains("]),
        ("launch(#{ ", vec!["args: ", "keep: ", "qemu: "]),
        ("migrate(vm, old, #{ ", vec!["capabilities: ", "mode: ", "parameters: ", "stall: "]),
        ("migrate(vm, old, #{ mode: \"", vec!["precopy", "shared"]),
        ("migrate(vm, old, #{ parameters: #{ m", vec!["\"max-bandwidth\": ", "mode: "]),
        (":vm", vec![":vms"]),
        (":load de", vec!["demo"]),
        (":time vm.na", vec!["name"]),
        ("// la", vec![]),
        ("print(\"la", vec![]),
    ] {
        assert_eq!(complete(text, &known).candidates, wanted, "{text}");
    }
}

#[test]
fn files_are_asked_for_where_they_can_be() {
    for (text, start) in [
        ("import \"./li", Some(8)),
        ("launch(#{ args: \"-drive file=di", Some(29)),
        (":load scr", Some(6)),
        (":save out", Some(6)),
        ("vm.qmp(\"x", None),
        ("vm.wait_for_event(\"x", None),
        ("human.wait_for_status(\"x", None),
        ("human.hmp(\"x", None),
        ("human.hmp(\"set_link x", None),
        ("human.hmp(\"set_link net0 x", None),
        ("human.hmp(\"change ide0 -f di", Some(26)),
        ("human.hmp(\"migrate -d unix:/tm", Some(27)),
        ("let a = 1", None),
    ] {
        let completion = complete(text, &known());
        assert_eq!(completion.files.then_some(completion.start), start, "{text}");
    }
}

#[test]
fn ten_guests_cost_no_time() {
    let mut known = known();
    let offer = known.offers["new"].clone();
    for n in 0..10 {
        known.variables.insert(format!("guest{n}"), Shape::Vm(format!("qemu{n}")));
        known.offers.insert(format!("qemu{n}"), offer.clone());
    }
    assert_eq!(complete("guest7.qmp(\"query-v", &known).candidates, ["query-version"]);
}

#[test]
fn a_qemu_that_has_not_told_yet_offers_nothing() {
    let mut known = known();
    known.offers.clear();
    assert_eq!(complete("vm.qmp(\"query-stat", &known).candidates, [""; 0]);
}
