//! What stands against a mode: whatever makes it impossible for this pair, by what both ends say of themselves.
//!
//! Pure. The versions are those in which QEMU's own behaviour changed; what can be asked of a QEMU is asked.

use serde_json::Value;

use super::agreement::offered;
use super::{Finding, list, memory, speaks_qmp, text, version, written};
use crate::qemu::backing;

/// The two ends, and what no monitor says (see [`super::examine`]).
pub(super) struct Pair<'a> {
    pub source: &'a Value,
    pub target: &'a Value,
    pub facts: &'a Value,
}

impl Pair<'_> {
    /// Why a mode is not possible; `None` if it is.
    pub fn against(&self, mode: &str) -> Option<String> {
        self.possible(mode).or_else(|| self.crashes(mode))
    }

    fn possible(&self, mode: &str) -> Option<String> {
        match mode {
            "cpr-exec" => self.against_cpr((10, 2)).or_else(|| self.against_exec()),
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

    /// What the caller has found out about the source's process, in which the new program would run.
    fn against_exec(&self) -> Option<String> {
        self.facts["exec"].as_str().filter(|complaint| !complaint.is_empty()).map(str::to_owned)
    }

    /// The memory of a `virtio-pmem` that the target has not: QEMU leaves it to its file, and sends none of it.
    pub fn left_behind(&self) -> Vec<Finding> {
        list(&self.source["query-memdev"])
            .iter()
            .map(|backend| text(backend, "id"))
            .filter(|id| memory::is_of(self.source, id, |kind| kind.starts_with("virtio-pmem")))
            .filter(|id| !memory::is_sent(self.source, id) && !self.same_memory(id))
            .map(|id| {
                Finding::blocks(
                    "memory",
                    format!("memory backend `{id}` of the target is not the source's memory"),
                    "QEMU does not send the memory of a `virtio-pmem`: the guest finds another content there",
                    "give both ends the same `memory-backend-file` with `share=on`",
                )
            })
            .collect()
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
            .find(|id| memory::is_sent(self.source, id) && self.same_memory(id))
            .map(str::to_owned)
    }

    /// QEMU's mistake: having seen that a running guest has written to a block, its TCG looks for the beginning of that block
    /// at offset 0, and aborts if it does not lie within the block there. (Seen in 10.0 and 11.1, not in 7.2.)
    fn crashes(&self, mode: &str) -> Option<String> {
        let is_tcg = self.source["query-kvm"]["enabled"] == false;
        let is_running = text(&self.source["query-status"], "status") == "running";
        if !is_tcg || !is_running || version(self.source) < (8, 2) || mode.starts_with("cpr") {
            return None;
        }
        let blocks = memory::blocks(text(self.source, "ramblocks"));
        let first = blocks.iter().find(|block| block.offset == 0).map_or(0, |block| block.total);
        // Memory that both ends map is not watched.
        let is_backend = |block: &&memory::Block| {
            list(&self.source["query-memdev"])
                .iter()
                .any(|backend| backing::is_of(&block.name, text(backend, "id")))
        };
        let watched = |block: &&memory::Block| mode != "shared" || !is_backend(block);
        let larger = blocks.iter().filter(watched).find(|block| block.used > first)?;
        Some(format!(
            "QEMU {} aborts in it under TCG while a guest runs whose memory `{}` is larger than its first block: pause the guest, and it can be moved by `precopy`",
            text(self.source, "version"),
            larger.name
        ))
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
