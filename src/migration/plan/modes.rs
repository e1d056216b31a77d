//! The ways to move a guest: which of them this pair can do, and which one is best.
//!
//! Pure.

use serde_json::{Map, Value, json};

use super::agreement::offered;
use super::obstacles::Pair;
use super::{Finding, size, text, version};

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
/// target is seen to be ready before the source is told anything. Never `cpr-exec`: past it, there is no way back.
fn best(against: &[(&str, String)]) -> Option<usize> {
    let possible = |mode: &str| against.iter().position(|(one, reason)| *one == mode && reason.is_empty());
    let first = against.iter().position(|(mode, reason)| reason.is_empty() && *mode != "cpr-exec")?;
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
        if chosen == "cpr-exec" {
            findings.push(Finding::risk(
                "mode",
                "past the `exec` there is no way back".to_owned(),
                "the old program is gone before the new one has loaded the guest",
                "rehearse it, as `live_patch` does; `mode: \"cpr-transfer\"` keeps the source until the target has the guest",
            ));
        }
        findings.extend(lost_pages(chosen, source));
        findings
    }

    fn other(&self, chosen: &str) -> String {
        let others = [chosen, "cpr-exec"];
        match self.against.iter().find(|(mode, reason)| reason.is_empty() && !others.contains(mode)) {
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

/// What QEMU is known to lose under TCG of a guest that is busy writing its memory: a precopy from 7.2 in 13 of 42 moves, a
/// postcopy from 11.1 in 6 of 20, neither from 10.0.
fn lost_pages(chosen: &str, source: &Value) -> Option<Finding> {
    if source["query-kvm"]["enabled"] != false {
        return None;
    }
    let (since, remedy) = match (chosen, version(source).0) {
        ("precopy", ..8) => {
            ("before QEMU 8", "`mode: \"postcopy\"`, switched at once, or pause the guest first")
        }
        ("postcopy", 11..) => ("with QEMU 11.1", "`mode: \"precopy\"`, or pause the guest first"),
        _ => return None,
    };
    Some(Finding::risk(
        "mode",
        format!("a {chosen} from QEMU {} under TCG", text(source, "version")),
        &format!("{since} it loses pages that the guest writes meanwhile, and the guest is corrupted"),
        remedy,
    ))
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
