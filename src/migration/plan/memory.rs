//! The memory: how much, in which blocks, at which addresses, on which nodes.
//!
//! Pure. QEMU sends memory by the names of its blocks (`pc.ram`, `0000:00:02.0/vga.vram`), each of which the target must
//! have in the same size.

use serde_json::Value;

use super::{Finding, list, size, text, written};
use crate::qemu::{backing, successor};

/// One line of `info ramblock`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// As the stream names it.
    pub name: String,
    /// Where it is among all blocks.
    pub offset: u64,
    /// The size of its pages, as QEMU writes it: `4 KiB`.
    pub page: String,
    /// What the guest sees, in bytes.
    pub used: u64,
    /// What there is room for; more than `used` for a block that can grow.
    pub total: u64,
}

/// `info ramblock`, which has gained columns over time; those that count here have stayed.
#[must_use]
pub fn blocks(text: &str) -> Vec<Block> {
    let block = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let unit =
            words.iter().position(|word| ["B", "KiB", "MiB", "GiB"].contains(word)).filter(|at| *at > 1)?;
        let number = |at: usize| u64::from_str_radix(words.get(at)?.strip_prefix("0x")?, 16).ok();
        Some(Block {
            name: words[..unit - 1].join(" "),
            page: format!("{} {}", words[unit - 1], words[unit]),
            offset: number(unit + 1)?,
            used: number(unit + 2)?,
            total: number(unit + 3)?,
        })
    };
    text.lines().filter_map(block).collect()
}

/// What differs in memory. With `devices`, devices differ, which have blocks of their own: those are not named again.
#[must_use]
pub fn memory(source: &Value, target: &Value, devices: bool) -> Vec<Finding> {
    let mut findings = layout(source, target);
    let resized = !findings.is_empty();
    let (ours, theirs) = (blocks(text(source, "ramblocks")), blocks(text(target, "ramblocks")));
    for block in &ours {
        let of_device = block.name.contains('/') && !block.name.starts_with("/rom@");
        match theirs.iter().find(|other| other.name == block.name) {
            None if theirs.is_empty() || (devices && of_device) => {}
            None => findings.push(Finding::blocks(
                "memory",
                format!("the target has no memory block `{}` ({})", block.name, size(block.total)),
                "the stream names each block, and the target refuses one that it does not have",
                "give the target the same devices, and memory backends with the same `id`s",
            )),
            Some(other) => findings.extend(resized_block(block, other).filter(|_| !resized || of_device)),
        }
    }
    findings.extend(sharing(source, target));
    findings
}

fn layout(source: &Value, target: &Value) -> Vec<Finding> {
    let number = |end: &Value, key: &str| {
        let memory = &end["machine_properties"]["memory"];
        let given = memory.is_object().then(|| memory[key].as_u64().unwrap_or_default());
        let base = || end["query-memory-size-summary"]["base-memory"].as_u64();
        if key == "size" { base().or(given) } else { given }
    };
    let option = || {
        let part = |name: &str, key: &str| {
            number(source, key)
                .filter(|n| *n > 0)
                .map(|n| format!(",{name}={}", if key == "slots" { n.to_string() } else { size(n) }))
        };
        let base = number(source, "size").map(size).unwrap_or_default();
        format!(
            "-m {base}{}{}",
            part("slots", "slots").unwrap_or_default(),
            part("maxmem", "max-size").unwrap_or_default()
        )
    };
    let maximum =
        |end: &Value| number(end, "max-size").zip(number(end, "size")).map(|(max, size)| max.max(size));
    let mut findings = Vec::new();
    let mut compare = |what: &str, ours: Option<u64>, theirs: Option<u64>, of_bytes: bool, cause: &str| {
        if let (Some(ours), Some(theirs)) = (ours, theirs)
            && ours != theirs
        {
            let [ours, theirs] = [ours, theirs].map(|n| if of_bytes { size(n) } else { n.to_string() });
            let message = format!("{what} {ours} at the source and {theirs} at the target");
            findings.push(Finding::blocks(
                "memory",
                message,
                cause,
                &format!("start the target with `{}`", option()),
            ));
        }
    };
    compare(
        "the guest has memory of",
        number(source, "size"),
        number(target, "size"),
        true,
        "a memory block must have one size at both ends",
    );
    compare(
        "memory slots:",
        number(source, "slots"),
        number(target, "slots"),
        false,
        "the state of the slots is sent, as many as there are",
    );
    // A difference in `-m` alone is one finding.
    if number(source, "size") == number(target, "size") {
        compare(
            "memory can grow to",
            maximum(source),
            maximum(target),
            true,
            "what is plugged in finds other addresses, and the firmware's tables say otherwise",
        );
    }
    findings
}

fn resized_block(block: &Block, other: &Block) -> Option<Finding> {
    let grows = block.used < block.total && other.used < other.total;
    let fits = if grows { block.used <= other.total } else { block.total == other.total };
    if fits {
        return None;
    }
    let (cause, remedy) =
        if block.name.split('.').next_back().is_some_and(|last| ["rom", "bios"].contains(&last)) {
            (
                "firmware is sent like memory, and must have one size at both ends",
                "give the target the source's `-bios`, `-L` or `romfile=`, or set `romsize=`",
            )
        } else {
            (
                "a memory block must have one size at both ends",
                "give the target's device or backend the size that it has at the source",
            )
        };
    let message = format!(
        "memory block `{}` has {} at the source and {} at the target",
        block.name,
        size(block.total),
        size(other.total)
    );
    Some(Finding::blocks("memory", message, cause, remedy))
}

/// The NUMA nodes. Other memory and other processors make other nodes, which is no finding of its own.
#[must_use]
pub fn nodes(source: &Value, target: &Value) -> Option<Finding> {
    let (ours, theirs) = (text(source, "numa"), text(target, "numa"));
    if ours.is_empty() || theirs.is_empty() || ours == theirs {
        return None;
    }
    let differing =
        ours.lines().find(|line| !theirs.lines().any(|other| other == *line)).unwrap_or("one node fewer");
    Some(Finding::risk(
        "memory",
        format!("the NUMA nodes differ: `{}` at the source, not so at the target", differing.trim()),
        "QEMU does not compare them: the guest keeps to the nodes that it has found, and finds others at its next reset",
        "start the target with the source's `-numa` options",
    ))
}

/// Whether a memory backend is that of such a device.
pub(super) fn is_of(end: &Value, id: &str, such: impl Fn(&str) -> bool) -> bool {
    list(&end["devices"]).iter().any(|device| {
        let backend = text(&device["properties"], "memdev");
        backend.trim_start_matches("/objects/") == id && such(text(device, "type"))
    })
}

/// Whether a migration sends a memory backend: it does if it is a block with a name, which is so for all where no block
/// is known.
pub(super) fn is_sent(end: &Value, id: &str) -> bool {
    let blocks = blocks(text(end, "ramblocks"));
    blocks.is_empty() || blocks.iter().any(|block| backing::is_of(&block.name, id))
}

fn sharing(source: &Value, target: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ours in list(&source["query-memdev"]) {
        let Some(theirs) = list(&target["query-memdev"]).iter().find(|other| other["id"] == ours["id"])
        else {
            continue;
        };
        let (Some(was), Some(is)) = (ours["share"].as_bool(), theirs["share"].as_bool()) else { continue };
        let id = written(&ours["id"]);
        if was && !is && is_of(source, &id, successor::keeps_its_file) {
            findings.push(Finding::blocks(
                "memory",
                format!("memory backend `{id}` is shared at the source and private at the target"),
                "the device keeps its data in that file, or shares it with others: what the guest writes would no longer get there",
                "give the target the same shared backend",
            ));
        } else if was && !is {
            findings.push(Finding::note(
                "memory",
                format!("memory backend `{id}` is shared at the source and private at the target"),
                "it has to be copied now, and at every later move",
                "give the target the same shared backend",
            ));
        } else if !was && is {
            findings.push(Finding::note(
                "memory",
                format!("memory backend `{id}` is private at the source and shared at the target"),
                "it is copied once; later moves on this host leave it in place. It counts as shared memory, and has huge pages only if `shmem_enabled` says so",
                "nothing, if that is meant",
            ));
        }
    }
    findings
}
