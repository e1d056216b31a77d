//! The ways to move a guest: which of them this pair can do, and which one is best.
//!
//! Pure. The versions are those in which QEMU's own behaviour changed; what can be asked of a QEMU is asked.

use serde_json::{Map, Value, json};

use super::agreement::offered;
use super::{Finding, list, memory, size, speaks_qmp, text, version, written};

/// All modes, the one that the guest notices least first.
pub const MODES: [&str; 5] = ["cpr-exec", "cpr-transfer", "shared", "postcopy", "precopy"];

/// What each mode needs of both ends, and the choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modes {
    /// Each mode with what stands against it; empty if nothing does.
    pub against: Vec<(&'static str, String)>,
    /// The mode to take; `None` if there is none.
    pub chosen: Option<String>,
    /// Why it was chosen, or why none.
    pub why: String,
    /// Whether a postcopy can have its requests overtake the rest (`postcopy-preempt`).
    pub preempt: bool,
}

/// Judge the modes. `facts` is that of [`super::examine`].
#[must_use]
pub fn modes(source: &Value, target: &Value, facts: &Value) -> Modes {
    let pair = Pair { source, target, facts };
    let able = |mode: &str| facts["able"].as_array().is_none_or(|able| able.iter().any(|one| one == mode));
    let against: Vec<(&'static str, String)> = MODES
        .into_iter()
        .map(|mode| {
            let reason = pair.against(mode).unwrap_or_default();
            let unable = reason.is_empty() && !able(mode);
            (mode, if unable { "this qhop does not do it".to_owned() } else { reason })
        })
        .collect();
    let both = |name: &str| offered(source).contains_key(name) && offered(target).contains_key(name);
    let preempt = both("postcopy-preempt");
    let best = best(&against);
    let (chosen, why) = match (facts["mode"].as_str(), best) {
        (Some(asked), _) => (Some(asked.to_owned()), "asked for".to_owned()),
        (None, Some(at)) => (Some(against[at].0.to_owned()), why(&against, at, preempt)),
        (None, None) => (None, "no mode can move this guest to that QEMU".to_owned()),
    };
    Modes { against, chosen, why, preempt }
}

/// The first mode that nothing stands against; of two that copy no memory the one that takes half as long, and whose
/// target is seen to be ready before the source is told anything.
fn best(against: &[(&str, String)]) -> Option<usize> {
    let possible = |mode: &str| against.iter().position(|(one, reason)| *one == mode && reason.is_empty());
    let first = against.iter().position(|(_, reason)| reason.is_empty())?;
    let swap = against[first].0 == "cpr-transfer";
    Some(if swap { possible("shared").unwrap_or(first) } else { first })
}

/// A sentence: what the choice is good for, and what stood against what would have been better.
fn why(against: &[(&'static str, String)], at: usize, preempt: bool) -> String {
    let good = match against[at].0 {
        "cpr-exec" => "the process stays, and only its program changes",
        "cpr-transfer" => "the memory is handed over, and nothing is copied",
        "shared" => "both ends map the same memory, and nothing is copied",
        "postcopy" if preempt => {
            "it ends however busy the guest is, and what the guest waits for overtakes the rest"
        }
        "postcopy" => "it ends however busy the guest is",
        _ => "all else is ruled out",
    };
    let other = if against[at].0 == "cpr-transfer" { at + 1 } else { at.wrapping_sub(1) };
    match against.get(other) {
        Some((mode, reason)) if !reason.is_empty() => format!("{good}; not `{mode}`: {reason}"),
        _ => good.to_owned(),
    }
}

impl Modes {
    /// What the choice means for this guest.
    #[must_use]
    pub fn findings(&self, source: &Value, facts: &Value) -> Vec<Finding> {
        let Some(chosen) = &self.chosen else {
            let reasons: Vec<String> =
                self.against.iter().map(|(mode, reason)| format!("`{mode}`: {reason}")).collect();
            return vec![Finding::blocks(
                "mode",
                self.why.clone(),
                &reasons.join("; "),
                "shut the guest down, and start it in the new QEMU",
            )];
        };
        let mut findings = Vec::new();
        match self.against.iter().find(|(mode, _)| mode == chosen) {
            Some((_, reason)) if reason.is_empty() => {}
            Some((_, reason)) => findings.push(Finding::blocks(
                "mode",
                format!("`{chosen}` is not possible"),
                reason,
                &self.other(chosen),
            )),
            None => findings.push(Finding::blocks(
                "mode",
                format!("there is no mode `{chosen}`"),
                "it is not known",
                &format!("the modes are {}", MODES.map(|mode| format!("`{mode}`")).join(", ")),
            )),
        }
        let copied = ["postcopy", "precopy"].contains(&chosen.as_str());
        if copied {
            findings.extend(room(source, facts));
        }
        if chosen == "precopy" && source["query-kvm"]["enabled"] == false && version(source).0 < 8 {
            findings.push(Finding::risk(
                "mode",
                format!("a precopy from QEMU {} under TCG", text(source, "version")),
                "before QEMU 8 it loses pages that the guest writes meanwhile, and the guest is corrupted",
                "`mode: \"postcopy\"`, switched at once, or pause the guest first",
            ));
        }
        findings
    }

    fn other(&self, chosen: &str) -> String {
        match self.against.iter().find(|(mode, reason)| reason.is_empty() && mode != &chosen) {
            Some((mode, _)) => format!("`mode: \"{mode}\"` is possible"),
            None => "no other mode is possible either".to_owned(),
        }
    }

    /// As a script sees it: mode → `possible` and `why`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let entry = |(mode, reason): &(&str, String)| {
            ((*mode).to_owned(), json!({ "possible": reason.is_empty(), "why": reason }))
        };
        Value::Object(self.against.iter().map(entry).collect::<Map<_, _>>())
    }
}

/// Room for a second copy of the guest's memory.
fn room(source: &Value, facts: &Value) -> Option<Finding> {
    let available = facts["available"].as_u64()?;
    let summary = &source["query-memory-size-summary"];
    let all = summary["base-memory"].as_u64().unwrap_or_default()
        + summary["plugged-memory"].as_u64().unwrap_or_default();
    let resident = facts["resident"].as_u64().unwrap_or_default();
    let message = |needed: u64| {
        format!(
            "the host has {} free, and the copy of the guest needs {}",
            rounded(available),
            rounded(needed)
        )
    };
    let remedy = "free memory on the host, or move the guest in mode `shared`";
    if available < resident {
        return Some(Finding::blocks(
            "host memory",
            message(resident),
            "both copies are there until the move is over: the host would kill one of them",
            remedy,
        ));
    }
    (available < all).then(|| {
        Finding::risk(
            "host memory",
            message(all),
            "the guest has not touched all of its memory yet; both copies may grow until the host kills one",
            remedy,
        )
    })
}

fn rounded(bytes: u64) -> String {
    size(bytes >> 20 << 20)
}

struct Pair<'a> {
    source: &'a Value,
    target: &'a Value,
    facts: &'a Value,
}

impl Pair<'_> {
    /// Why a mode is not possible; `None` if it is.
    fn against(&self, mode: &str) -> Option<String> {
        match mode {
            "cpr-exec" => self.against_cpr((10, 2)),
            "cpr-transfer" => self.against_cpr((10, 0)),
            "shared" => self.against_shared(),
            "postcopy" => self.against_postcopy(),
            _ => self.against_precopy(),
        }
    }

    fn against_cpr(&self, since: (u32, u32)) -> Option<String> {
        for (end, name) in [(self.source, "source"), (self.target, "target")] {
            if version(end) < since {
                return Some(format!(
                    "the {name} is QEMU {}, and it begins with {}.{}",
                    text(end, "version"),
                    since.0,
                    since.1
                ));
            }
        }
        if !speaks_qmp(self.source) {
            return Some("it needs QMP, and the source has only a human monitor".to_owned());
        }
        if let Some(private) = private(self.source) {
            return Some(format!("memory backend `{private}` is private at the source"));
        }
        let aux = &self.source["machine_properties"]["aux-ram-share"];
        (*aux != true).then(|| "the source was started without `-machine aux-ram-share=on`".to_owned())
    }

    /// Whether the target has mapped the very memory of a backend of the source.
    fn same_memory(&self, id: &str) -> bool {
        if let Some(same) = self.facts["same_memory"][id].as_bool() {
            return same;
        }
        let path = |end: &Value| {
            list(&end["objects"])
                .iter()
                .find(|object| text(object, "id") == id)
                .and_then(|object| object["properties"]["mem-path"].as_str().map(str::to_owned))
        };
        let shared = |end: &Value| {
            list(&end["query-memdev"])
                .iter()
                .any(|backend| text(backend, "id") == id && backend["share"] == true)
        };
        shared(self.source)
            && shared(self.target)
            && path(self.source).is_some()
            && path(self.source) == path(self.target)
    }

    fn common(&self) -> Option<String> {
        list(&self.source["query-memdev"])
            .iter()
            .map(|backend| text(backend, "id"))
            .find(|id| self.same_memory(id))
            .map(str::to_owned)
    }

    fn lacks(&self, capability: &str) -> Option<String> {
        [(self.source, "source"), (self.target, "target")].into_iter().find_map(|(end, name)| {
            let lacks = !offered(end).contains_key(capability);
            lacks.then(|| {
                format!("the {name} (QEMU {}) has no capability `{capability}`", text(end, "version"))
            })
        })
    }

    fn against_shared(&self) -> Option<String> {
        if let Some(lacks) = self.lacks("x-ignore-shared") {
            return Some(lacks);
        }
        for (end, name) in [(self.source, "source"), (self.target, "target")] {
            if let Some(private) = private(end) {
                return Some(format!("memory backend `{private}` is private at the {name}"));
            }
        }
        let kind = |id: &str| {
            list(&self.source["objects"])
                .iter()
                .find(|object| text(object, "id") == id)
                .map(|object| text(object, "type"))
        };
        for backend in list(&self.source["query-memdev"]) {
            let id = text(backend, "id");
            // Since 8.1 only memory with a file's name is left out of the stream.
            if version(self.source) >= (8, 1) && kind(id).is_some_and(|kind| kind != "memory-backend-file") {
                return Some(format!(
                    "memory backend `{id}` is no `memory-backend-file`, and QEMU {} sends all others",
                    text(self.source, "version")
                ));
            }
            if !self.same_memory(id) {
                return Some(format!("memory backend `{id}` of the target is not the source's memory"));
            }
        }
        None
    }

    fn against_postcopy(&self) -> Option<String> {
        if let Some(lacks) = self.lacks("postcopy-ram") {
            return Some(lacks);
        }
        if text(&self.source["query-status"], "status") == "paused" {
            return Some("the guest is paused, and a postcopy would start it".to_owned());
        }
        if let Some(complaint) = self.facts["postcopy"].as_str().filter(|complaint| !complaint.is_empty()) {
            return Some(format!("the target's host cannot do it: {complaint}"));
        }
        if let Some(id) = self.common() {
            return Some(format!(
                "both ends map the same memory (`{id}`), and a postcopy of that loses the guest"
            ));
        }
        let (ours, theirs) =
            (memory::blocks(text(self.source, "ramblocks")), memory::blocks(text(self.target, "ramblocks")));
        let other_pages = |block: &memory::Block| {
            theirs.iter().find(|other| other.name == block.name && other.page != block.page)
        };
        ours.iter().find_map(|block| {
            let other = other_pages(block)?;
            Some(format!(
                "the pages of `{}` have {} at the source and {} at the target",
                block.name, block.page, other.page
            ))
        })
    }

    fn against_precopy(&self) -> Option<String> {
        let id = self.common()?;
        Some(format!(
            "both ends map the same memory (`{id}`), and what arrives would overwrite what the guest has written since"
        ))
    }
}

/// The first memory backend that is not shared, or of which it is not known.
fn private(end: &Value) -> Option<String> {
    let backends = list(&end["query-memdev"]);
    if backends.is_empty() {
        return Some("?".to_owned());
    }
    backends.iter().find(|backend| backend["share"] != true).map(|backend| written(&backend["id"]))
}
