use std::path::Path;

use serde_json::{Map, Value, json};

use super::super::info::{capabilities, version};
use super::migration;

/// What QEMU's two monitors said at the same time: for each situation, the human one's text, and QMP's
/// answers right before and right after it.
fn recorded() -> Vec<(String, Map<String, Value>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hmp/info");
    std::fs::read_dir(directory)
        .unwrap()
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            let version = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let file: Map<String, Value> =
                serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            file.into_iter()
                .map(move |(state, said)| (format!("{version} {state}"), said.as_object().unwrap().clone()))
        })
        .collect()
}

/// Whether a figure in text can stand for QMP's.
fn stands_for(read: &Value, exact: &Value) -> bool {
    match (read.as_f64(), exact.as_f64()) {
        // A rate has two decimals, a size three digits, or it is in whole KiB.
        (Some(read), Some(exact)) => {
            (read - exact).abs() <= (exact * 0.005).max(0.005)
                || (exact - read >= 0.0 && exact - read < 1024.0)
        }
        _ => read == exact,
    }
}

fn check(about: &str, read: &Map<String, Value>, before: &Map<String, Value>, after: &Map<String, Value>) {
    for (name, value) in read {
        let about = format!("{about}: {name}");
        let (before, after) = (before.get(name), after.get(name));
        let before = before.or(after).unwrap_or_else(|| panic!("{about} {value}: QMP has none"));
        let after = after.unwrap_or(before);
        if let (Value::Object(read), Some(before), Some(after)) =
            (value, before.as_object(), after.as_object())
        {
            check(&about, read, before, after);
        } else if name == "socket-address" {
            let named = |address: &Value| {
                address["path"]
                    .as_str()
                    .map(str::to_owned)
                    .unwrap_or(format!("{}:{}", address["host"], address["port"]))
            };
            assert_eq!(named(&value[0]), named(&before[0]), "{about}");
        } else {
            let between = before.as_u64() <= value.as_u64() && value.as_u64() <= after.as_u64();
            assert!(
                stands_for(value, before) || stands_for(value, after) || between,
                "{about} {value}: QMP has {before} and {after}"
            );
        }
    }
    for (name, value) in before {
        // What the text leaves out, by version.
        let left_out =
            value == 0 || name == "normal-bytes" || name == "error-desc" && about.starts_with("10.0");
        assert!(
            read.contains_key(name) || left_out || !after.contains_key(name),
            "{about}: no {name}, QMP has {value}"
        );
    }
}

#[test]
fn the_text_says_what_qmp_says() {
    let mut seen = 0;
    for (about, said) in recorded() {
        let Some(text) = said.get("info migrate") else { continue };
        let qmp: Vec<_> =
            said["query-migrate"].as_array().unwrap().iter().map(|one| one.as_object().unwrap()).collect();
        let read = migration(text.as_str().unwrap()).unwrap();
        assert_eq!(read["status"], qmp[0].get("status").cloned().unwrap_or_default(), "{about}");
        check(&about, read.as_object().unwrap(), qmp[0], qmp[1]);
        // A monitor that turned its line ends already.
        assert_eq!(migration(&text.as_str().unwrap().replace("\r\n", "\n")), Ok(read), "{about}");
        seen += 1;
    }
    assert!(seen > 60, "{seen} situations");
}

#[test]
fn capabilities_and_version_are_those_of_qmp() {
    let mut seen = 0;
    for (about, said) in recorded() {
        if let Some(text) = said.get("info migrate_capabilities") {
            let read = capabilities(text.as_str().unwrap()).unwrap();
            assert_eq!(read, said["query-migrate-capabilities"][0], "{about}");
            seen += 1;
        }
        if let Some(text) = said.get("info version") {
            let qmp = &said["query-version"][0];
            let number = |part: &str| qmp["qemu"][part].to_string();
            let wanted = [number("major"), number("minor"), number("micro")].join(".");
            assert_eq!(
                version(text.as_str().unwrap()),
                Ok((&*wanted, qmp["package"].as_str().unwrap())),
                "{about}"
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 8);
}

#[test]
fn what_the_recordings_do_not_show() {
    let read = |text: &str| migration(text).unwrap();
    assert_eq!(read(""), json!({}));
    assert_eq!(
        read(
            "Status: \t\tpostcopy-active\nTime (ms): \t\ttotal=47317, setup=5, down=8\nRAM info:\n  Sizes: \t\tpagesize=4 KiB, total=4.02 GiB\n    Channels: \t\tprecopy=15.2 MiB, multifd=0 B, postcopy=1.39 GiB, vfio=1e+03 KiB\n  Page Rates (pps): \ttransfer=40900, dirty=4\n  Others: \t\tdirty_syncs=2, postcopy_req=57503, zerocopy_fallbacks=3\n"
        ),
        json!({
            "status": "postcopy-active", "total-time": 47317, "setup-time": 5, "downtime": 8,
            "ram": {
                "page-size": 4096, "total": 4_316_442_132_u64, "precopy-bytes": 15_938_355, "multifd-bytes": 0,
                "postcopy-bytes": 1_492_501_135, "pages-per-second": 40900, "dirty-pages-rate": 4,
                "dirty-sync-count": 2, "postcopy-requests": 57503, "dirty-sync-missed-zero-copy": 3,
            },
            "vfio": { "transferred": 1_024_000 },
        })
    );
    assert_eq!(
        read(
            "Outgoing migration blocked:\n  a: b\n  c\nMigration status: failed (one (1) of\ntwo)\ntotal time: 0 ms\npostcopy request count: 7\n"
        ),
        json!({
            "blocked-reasons": ["a: b", "c"], "status": "failed", "error-desc": "one (1) of\ntwo",
            "ram": { "postcopy-requests": 7 },
        })
    );
    assert_eq!(
        read("Sockets: [\n\ttcp:[::1]:4444\n\tunix:/run/a:b\n]\nStatus: setup\n"),
        json!({
            "socket-address": [
                { "type": "inet", "host": "::1", "port": "4444" },
                { "type": "unix", "path": "/run/a:b" },
            ],
            "status": "setup",
        })
    );
}

#[test]
fn a_figure_that_is_none_is_explained() {
    assert_eq!(
        migration("Status: active\nTime (ms): \ttotal=x, setup=1\n").unwrap_err(),
        "it sent `Time (ms): total=x, setup=1` for `info migrate`"
    );
    assert_eq!(
        migration("total time: 12 fortnights\n").unwrap_err(),
        "it sent `total time: 12 fortnights` for `info migrate`"
    );
    assert_eq!(
        migration("transferred ram: 18446744073709551615 kbytes\n").unwrap_err(),
        "it sent `transferred ram: 18446744073709551615 kbytes` for `info migrate`"
    );
}

proptest::proptest! {
    #[test]
    fn no_text_is_too_strange(text in "(?s).{0,200}", line in "(Status|Time \\(ms\\)|total time|Sockets|Sizes|cache size): .{0,20}") {
        let _ = migration(&text);
        let _ = migration(&line);
        let _ = (super::super::info::status(&text), version(&text), capabilities(&text));
    }
}
