//! The processors: model, features, and how many sit where.
//!
//! Pure. QEMU does not compare any of it: a guest that finds fewer features than it uses crashes on the target.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Finding, cpuid, list, text, version, written};

/// What the guest can read of its processor beside the feature bits.
const IDENTITY: [&str; 8] =
    ["vendor", "family", "model", "stepping", "model-id", "level", "xlevel", "phys-bits"];

/// Bits that follow from the topology; QEMU 10.0 sets them where 7.2 forgot to.
const OF_TOPOLOGY: [&str; 2] = ["cmp-legacy", "ht"];

const LEVELS: [&str; 9] =
    ["maxcpus", "drawers", "books", "sockets", "dies", "clusters", "modules", "cores", "threads"];

/// What differs between the processors.
#[must_use]
pub fn processor(source: &Value, target: &Value) -> Vec<Finding> {
    let mut findings = topology(source, target);
    let model = model(source, target);
    if model.is_none() {
        findings.extend(identity(source, target));
        findings.extend(features(source, target));
    }
    findings.extend(model);
    findings
}

/// `qemu64-x86_64-cpu` as `-cpu` takes it.
fn short(kind: &str) -> &str {
    let name = kind.strip_suffix("-cpu").unwrap_or(kind);
    ["x86_64", "i386", "powerpc64", "powerpc", "s390x", "arm", "riscv64"]
        .iter()
        .find_map(|arch| name.strip_suffix(arch)?.strip_suffix('-'))
        .unwrap_or(name)
}

fn model(source: &Value, target: &Value) -> Option<Finding> {
    let (ours, theirs) = (short(text(&source["cpu"], "type")), short(text(&target["cpu"], "type")));
    if ours.is_empty() || theirs.is_empty() || ours == theirs {
        return None;
    }
    Some(Finding::blocks(
        "cpu",
        format!("the processor is `{ours}` at the source and `{theirs}` at the target"),
        "QEMU may say that all is well, and the guest crash on the first instruction that it misses",
        &format!("start the target with `-cpu {ours}`"),
    ))
}

fn identity(source: &Value, target: &Value) -> Vec<Finding> {
    let differs = |name: &&str| {
        let (ours, theirs) = (&source["cpu"][*name], &target["cpu"][*name]);
        let compared = !ours.is_null() && !theirs.is_null() && ours != theirs;
        compared.then(|| {
            Finding::blocks(
                "cpu",
                format!("`{name}` of the processor is `{}` at the source and `{}` at the target", written(ours), written(theirs)),
                "the guest has read it and relies on it",
                "give the target the same `-cpu`, and on another host a named model in place of `host` or `max`",
            )
        })
    };
    IDENTITY.iter().filter_map(differs).collect()
}

/// Leaf, subleaf and register → bits.
fn words(end: &Value) -> BTreeMap<(u64, u64, String), u64> {
    list(&end["cpu"]["feature-words"])
        .iter()
        .map(|word| {
            let number = |key: &str| word[key].as_u64().unwrap_or_default();
            let register = text(word, "cpuid-register").to_owned();
            ((number("cpuid-input-eax"), number("cpuid-input-ecx"), register), number("features"))
        })
        .collect()
}

fn features(source: &Value, target: &Value) -> Vec<Finding> {
    let (ours, theirs) = (words(source), words(target));
    if ours.is_empty() || theirs.is_empty() {
        return Vec::new();
    }
    let without = |a: &BTreeMap<(u64, u64, String), u64>, b: &BTreeMap<(u64, u64, String), u64>| {
        let mut names = Vec::new();
        for ((leaf, subleaf, register), bits) in a {
            let other = b.get(&(*leaf, *subleaf, register.clone())).copied().unwrap_or_default();
            let differing = cpuid::names(*leaf, *subleaf, register, bits & !other);
            names.extend(differing.into_iter().filter(|name| !OF_TOPOLOGY.contains(&name.as_str())));
        }
        names
    };
    let (missing, added) = (without(&ours, &theirs), without(&theirs, &ours));
    let mut findings = Vec::new();
    if !missing.is_empty() {
        findings.push(Finding::blocks(
            "cpu",
            format!("the target's processor lacks {}", named(&missing)),
            "the guest uses the features that it found when it started, and crashes where they are gone",
            &format!("start the target with the same `-cpu`{}", switched(&missing, "on")),
        ));
    }
    if !added.is_empty() {
        let message = format!("the target's processor has {} besides", named(&added));
        // The newer version emulates more of the same model.
        let by_version = version(source) != version(target);
        findings.push(if by_version {
            Finding::note("cpu", message, "what is running has decided already; a program that starts later uses them, and misses them on the way back", "name the features that it is to have in `-cpu`")
        } else {
            Finding::risk("cpu", message, "QEMU does not compare features: the guest finds a processor that it has not started on", &format!("start the target with the same `-cpu`{}", switched(&added, "off")))
        });
    }
    findings
}

fn named(features: &[String]) -> String {
    let shown: Vec<String> = features.iter().take(8).map(|name| format!("`{name}`")).collect();
    let more = features.len().saturating_sub(shown.len());
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

fn switched(features: &[String], to: &str) -> String {
    match features {
        [one] if !one.contains(' ') => format!(" (`{one}={to}`)"),
        _ => String::new(),
    }
}

fn topology(source: &Value, target: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    let smp = |end: &Value, level: &str| {
        let smp = &end["machine_properties"]["smp"];
        smp.is_object().then(|| smp[level].as_u64().unwrap_or(1))
    };
    let differing: Vec<String> = LEVELS
        .iter()
        .filter_map(|level| {
            let (ours, theirs) = (smp(source, level)?, smp(target, level)?);
            (ours != theirs).then(|| format!("`{level}` is {ours} at the source and {theirs} at the target"))
        })
        .collect();
    if !differing.is_empty() {
        findings.push(Finding::blocks(
            "cpu",
            differing.join(", "),
            "the processors have other numbers and their state finds no place; or QEMU takes it, and the guest knows another topology",
            &format!("start the target with `-smp {}`", as_option(source)),
        ));
    }
    let (ours, theirs) = (present(source), present(target));
    if let (Some(ours), Some(theirs)) = (ours, theirs)
        && differing.is_empty()
        && ours != theirs
    {
        let lacking: Vec<&String> = ours.iter().filter(|cpu| !theirs.contains(cpu)).collect();
        let extra: Vec<&String> = theirs.iter().filter(|cpu| !ours.contains(cpu)).collect();
        let (message, remedy) = match (lacking.first(), extra.first()) {
            (Some(first), _) => (
                format!("the target lacks {} of the source's processors, such as {first}", lacking.len()),
                format!("plug it in at the target: `-device …,{first}`"),
            ),
            (None, Some(first)) => (
                format!("the target has {} processors that the source has not, such as {first}", extra.len()),
                "start the target with the `-smp` of the source".to_owned(),
            ),
            _ => return findings,
        };
        findings.push(Finding::blocks(
            "cpu",
            message,
            "each processor of the source needs one in the same place, and no more",
            &remedy,
        ));
    }
    findings
}

fn as_option(source: &Value) -> String {
    let smp = &source["machine_properties"]["smp"];
    let level = |level: &&str| Some(format!("{level}={}", smp[*level].as_u64().filter(|n| *n > 1)?));
    let cpus = smp["cpus"].as_u64().unwrap_or(1).to_string();
    std::iter::once(cpus).chain(LEVELS.iter().filter_map(level)).collect::<Vec<_>>().join(",")
}

/// The places that have a processor, as `-device` names them; without hot-plugging, just their number.
fn present(end: &Value) -> Option<Vec<String>> {
    let places = list(&end["query-hotpluggable-cpus"]);
    if places.is_empty() {
        return end["query-cpus-fast"].as_array().map(|cpus| {
            cpus.iter().map(|cpu| format!("cpu-index={}", written(&cpu["cpu-index"]))).collect()
        });
    }
    let place = |entry: &Value| {
        let props = entry["props"].as_object()?;
        let named: Vec<String> = props
            .iter()
            .filter(|(name, _)| *name != "node-id")
            .map(|(name, value)| format!("{name}={}", written(value)))
            .collect();
        Some(named.join(","))
    };
    let mut present: Vec<String> =
        places.iter().filter(|entry| !entry["qom-path"].is_null()).filter_map(place).collect();
    present.sort();
    Some(present)
}
