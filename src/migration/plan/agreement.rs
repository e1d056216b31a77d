//! Capabilities and parameters: what both ends offer, and what one has set and the other has not.
//!
//! Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Finding, list, text, written};

/// Those that change the stream, or who listens: set on one side only, the migration fails or hangs.
const BOTH: [&str; 11] = [
    "dirty-bitmaps",
    "mapped-ram",
    "multifd",
    "postcopy-preempt",
    "postcopy-ram",
    "rdma-pin-all",
    "switchover-ack",
    "validate-uuid",
    "x-colo",
    "x-ignore-shared",
    "zero-blocks",
];

/// Those that a migration can do without.
const OWN: [&str; 2] = ["events", "return-path"];

/// Parameters that both ends must have alike.
const ALIKE: [&str; 5] = ["tls-creds", "multifd-channels", "multifd-compression", "mode", "direct-io"];

/// What the ends do not agree on.
#[must_use]
pub fn agreement(source: &Value, target: &Value) -> Vec<Finding> {
    let mut findings = capabilities(source, target);
    findings.extend(parameters(source, target));
    findings
}

/// Name → whether it is on.
#[must_use]
pub fn offered(end: &Value) -> BTreeMap<&str, bool> {
    list(&end["query-migrate-capabilities"])
        .iter()
        .map(|one| (text(one, "capability"), one["state"] == true))
        .collect()
}

fn capabilities(source: &Value, target: &Value) -> Vec<Finding> {
    let (ours, theirs) = (offered(source), offered(target));
    if ours.is_empty() || theirs.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (name, on, other, here, there) in ours
        .iter()
        .map(|(name, on)| (name, *on, theirs.get(name), "source", "target"))
        .chain(theirs.iter().map(|(name, on)| (name, *on, ours.get(name), "target", "source")))
    {
        let subject = format!("capability {name}");
        // What is on at the source, the migration would set at the target.
        let counts = BOTH.contains(name) || (here == "source" && other.is_none() && !OWN.contains(name));
        if on && here == "source" && *name == "background-snapshot" {
            findings.push(Finding::blocks(
                &subject,
                "`background-snapshot` is on at the source",
                "QEMU saves a guest with it, and migrates none",
                "turn it off at the source",
            ));
            continue;
        }
        if !on || !counts {
            continue;
        }
        match other {
            Some(true) => {}
            Some(false) => findings.push(Finding::risk(
                &subject,
                format!("`{name}` is on at the {here} and off at the {there}"),
                "set on one side only, the target refuses the stream or both wait for ever",
                "`migrate` sets both ends alike; by hand, set it on both before the target listens",
            )),
            None => findings.push(Finding::blocks(
                &subject,
                format!(
                    "`{name}` is on at the {here}, and the {there} (QEMU {}) does not know it",
                    version_of(source, target, there)
                ),
                "both ends must have it",
                &format!("turn it off at the {here}"),
            )),
        }
    }
    findings
}

fn version_of<'a>(source: &'a Value, target: &'a Value, end: &str) -> &'a str {
    text(if end == "source" { source } else { target }, "version")
}

fn parameters(source: &Value, target: &Value) -> Vec<Finding> {
    let (ours, theirs) = (&source["query-migrate-parameters"], &target["query-migrate-parameters"]);
    let multifd =
        offered(source).get("multifd") == Some(&true) || offered(target).get("multifd") == Some(&true);
    let differs = |name: &&str| {
        let (was, is) = (&ours[*name], &theirs[*name]);
        if was.is_null() || is.is_null() || was == is || (name.starts_with("multifd") && !multifd) {
            return None;
        }
        Some(Finding::risk(
            &format!("parameter {name}"),
            format!("`{name}` is `{}` at the source and `{}` at the target", written(was), written(is)),
            "the ends speak to each other in different ways",
            "set it alike at both ends: `parameters` of `migrate`",
        ))
    };
    ALIKE.iter().filter_map(differs).collect()
}
