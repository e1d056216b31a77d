//! What both binaries write of a device, as they say themselves: `-dump-vmstate`.
//!
//! Pure: two texts in, findings out. Sizes in them are those of structures in memory, and names are QEMU's own business:
//! only versions and missing parts say something about the stream.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::{Finding, list, text};

/// What the target's binary does not understand of the device types that the guest has.
#[must_use]
pub fn vmstate(source: &Value, dumps: &Value) -> Vec<Finding> {
    let kinds: BTreeSet<&str> = list(&source["tree"])
        .iter()
        .chain(list(&source["devices"]))
        .map(|device| text(device, "type"))
        .collect();
    let read =
        |end: &str| Only(&kinds).deserialize(&mut serde_json::Deserializer::from_str(text(dumps, end))).ok();
    let (Some(ours), Some(theirs)) = (read("source"), read("target")) else { return Vec::new() };
    let mut findings = Vec::new();
    for kind in kinds {
        // A type that is not in a dump may register its state in another way.
        let (ours, theirs) = (&ours[kind], &theirs[kind]);
        if ours.is_object() && theirs.is_object() {
            compare(kind, &ours["Description"], &theirs["Description"], true, &mut findings);
        }
    }
    findings
}

/// The part of a dump that is about these types, as a dump: a hundredth of it. Empty if it cannot be read.
#[must_use]
pub fn excerpt(dump: &str, kinds: &BTreeSet<&str>) -> String {
    let found = Only(kinds).deserialize(&mut serde_json::Deserializer::from_str(dump));
    found.map(|found| found.to_string()).unwrap_or_default()
}

/// Of a dump, what it says of these types: a guest has a few of its thousand.
struct Only<'a>(&'a BTreeSet<&'a str>);

impl<'de> DeserializeSeed<'de> for Only<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, dump: D) -> Result<Value, D::Error> {
        dump.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Only<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the output of `-dump-vmstate`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut types: A) -> Result<Value, A::Error> {
        let mut found = Map::new();
        while let Some(name) = types.next_key::<String>()? {
            if self.0.contains(name.as_str()) {
                found.insert(name, types.next_value()?);
            } else {
                types.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found.into())
    }
}

fn compare(kind: &str, ours: &Value, theirs: &Value, outermost: bool, findings: &mut Vec<Finding>) {
    let subject = format!("device type {kind}");
    let name = text(ours, "name");
    let number = |of: &Value, key: &str| of[key].as_i64().unwrap_or_default();
    let (sent, known, least) =
        (number(ours, "version_id"), number(theirs, "version_id"), number(theirs, "minimum_version_id"));
    // What is inside of another is read by the version that the reader has; only the outermost is sent.
    if outermost && (sent > known || sent < least) {
        findings.push(Finding::blocks(
            &subject,
            format!("its state is sent in version {sent}, and the target reads {least} to {known}"),
            if sent > known {
                "the target is older, and does not know the newer layout"
            } else {
                "the target no longer reads so old a layout"
            },
            if sent > known {
                "go to a version that is not older, or use an older machine type from the start"
            } else {
                "move over a version in between"
            },
        ));
        return;
    }
    if !outermost && sent > known {
        findings.push(Finding::risk(
            &subject,
            format!("`{name}`, a part of its state, is in version {sent}, and the target knows {known}"),
            "the target is older, and may not read the newer layout",
            "rehearse it",
        ));
    }
    for part in list(&ours["Subsections"]) {
        match list(&theirs["Subsections"]).iter().find(|other| other["name"] == part["name"]) {
            Some(other) => compare(kind, part, other, false, findings),
            None => findings.push(Finding::note(
                &subject,
                format!(
                    "`{}`, a part of its state that is sent if it is needed, is not known to the target",
                    text(part, "name")
                ),
                "if the guest's device needs it, the target refuses the stream",
                "rehearse it",
            )),
        }
    }
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for field in list(&ours["Fields"]) {
        let inner = &field["Description"];
        // A name stands for alternatives where it is there twice; their order is not the same in all versions.
        if inner.is_null() || !seen.insert(text(inner, "name")) {
            continue;
        }
        let other =
            list(&theirs["Fields"]).iter().find(|other| other["Description"]["name"] == inner["name"]);
        if let Some(other) = other {
            compare(kind, inner, &other["Description"], false, findings);
        }
    }
}
