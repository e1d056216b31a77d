//! The guest's RAM: which object of the target backs it, under the name that the stream calls it by.
//!
//! Pure.

use super::draft::Draft;
use super::{Facts, Memory};
use crate::qemu::arguments::{Argument, Arguments, Value};
use crate::qemu::command_line;

pub(super) fn rewrite(draft: &mut Draft, list: Vec<Argument>) -> Vec<Argument> {
    let is_default = !list.iter().any(decides);
    let kept = kept(&list);
    let mut list: Vec<Argument> = list
        .into_iter()
        .map(|argument| if is_backend(&argument) { backend(draft, argument, &kept) } else { argument })
        .collect();
    if draft.facts.memory == Memory::Shared && is_default {
        list = default_ram(draft, list);
    }
    list
}

pub(super) fn is_backend(argument: &Argument) -> bool {
    argument.name() == "object" && kind(argument).is_some_and(|kind| kind.starts_with("memory-backend-"))
}

fn kind(argument: &Argument) -> Option<String> {
    argument.value()?.get("qom-type")
}

/// Whether an option says which object is the guest's RAM.
pub(super) fn decides(argument: &Argument) -> bool {
    let says = |key| argument.value().is_some_and(|value| value.get(key).is_some());
    (argument.name() == "machine" && says("memory-backend")) || (argument.name() == "numa" && says("memdev"))
}

/// Backends whose file is what they are there for: it outlives the guest, or others have it too.
fn kept(list: &[Argument]) -> Vec<String> {
    let of = |argument: &Argument| {
        let value = argument.value().filter(|_| argument.name() == "device")?;
        keeps_its_file(&value.get("driver")?).then(|| value.get("memdev"))?
    };
    list.iter().filter_map(of).collect()
}

/// Whether what is written to the memory of such a device must reach its file.
#[must_use]
pub fn keeps_its_file(driver: &str) -> bool {
    ["nvdimm", "virtio-pmem", "ivshmem-plain"].iter().any(|kind| driver.starts_with(kind))
}

fn backend(draft: &mut Draft, argument: Argument, kept: &[String]) -> Argument {
    let Some(value) = argument.value() else { return argument };
    let Some(id) = value.get("id") else { return argument };
    let kind = value.get("qom-type").unwrap_or_default();
    // A file is not shared unless it says so; a memfd is unless it says not.
    let shared = value.is_on("share").unwrap_or(kind == "memory-backend-memfd");
    let persistent = value.is_on("pmem") == Some(true);
    let memory = match draft.facts.memory {
        _ if kept.contains(&id) => Memory::Keep,
        _ if draft.facts.emptied.contains(&id) => Memory::Private,
        memory => memory,
    };
    let (path, why) = match (memory, kind.as_str()) {
        (Memory::Handed, "memory-backend-memfd") => return argument,
        (Memory::Keep | Memory::Shared | Memory::Handed, "memory-backend-memfd" | "memory-backend-file")
            if shared =>
        {
            match draft.facts.shared_path(&id) {
                Some(path) => (path, "it is the source's memory"),
                None => return argument,
            }
        }
        (Memory::Shared, "memory-backend-ram" | "memory-backend-memfd" | "memory-backend-file")
            if !persistent =>
        {
            match draft.facts.memory_paths.get(&id).cloned() {
                Some(path) => (path, SHARED),
                None => return argument,
            }
        }
        (Memory::Private, "memory-backend-memfd" | "memory-backend-file") if shared && !persistent => {
            return private(draft, &argument, value, &id);
        }
        _ => return argument,
    };
    let new = argument.with(&mapped(value, &path, true, canonical(draft.facts, &id, &kind)));
    draft.changed(&argument, Some(&new), why, None);
    new
}

const SHARED: &str = "the next QEMU can map it";

/// The same object as a file that is mapped. `canonical` is what its RAM block is called by, where that may change
/// with the kind of object: machines up to 4.0 call a file's block by its path.
pub(super) fn mapped(mut value: Value, path: &str, share: bool, canonical: Option<&str>) -> Value {
    for key in ["hugetlb", "hugetlbsize", "seal", "align", "readonly", "rom", "discard-data"] {
        value.remove(key);
    }
    let share = if share { "on" } else { "off" };
    if let Value::Json(json) = &mut value {
        json["qom-type"] = "memory-backend-file".into();
        json["mem-path"] = path.into();
        json["share"] = (share == "on").into();
        if let Some(canonical) = canonical {
            json["x-use-canonical-path-for-ramblock-id"] = (canonical == "on").into();
        }
        return value;
    }
    set_kind(&mut value, "memory-backend-file");
    value.set("mem-path", path);
    value.set("share", share);
    if let Some(canonical) = canonical {
        value.set("x-use-canonical-path-for-ramblock-id", canonical);
    }
    value
}

/// As the first word, where it stood.
fn set_kind(value: &mut Value, kind: &str) {
    match value {
        Value::List { items, .. } if items.first().is_some_and(|first| !first.contains('=')) => {
            kind.clone_into(&mut items[0]);
        }
        _ => value.set("qom-type", kind),
    }
}

fn canonical(facts: &Facts, id: &str, kind: &str) -> Option<&'static str> {
    let objects = facts.inventory.get("objects").and_then(|objects| objects.as_array());
    let live = objects.into_iter().flatten().find(|object| {
        object.get("path").and_then(|path| path.as_str()).is_some_and(|path| path == format!("/objects/{id}"))
    });
    let said = live.and_then(|object| object.get("properties")?.get("x-use-canonical-path-for-ramblock-id"));
    match said.and_then(super::objects::switch) {
        Some(true) => Some("on"),
        Some(false) => Some("off"),
        None => (kind == "memory-backend-ram").then_some("off"),
    }
}

fn private(draft: &mut Draft, argument: &Argument, mut value: Value, id: &str) -> Argument {
    let canonical = canonical(draft.facts, id, "");
    for key in [
        "mem-path",
        "hugetlb",
        "hugetlbsize",
        "seal",
        "align",
        "readonly",
        "rom",
        "discard-data",
        "pmem",
        "offset",
    ] {
        value.remove(key);
    }
    if let Value::Json(json) = &mut value {
        json["qom-type"] = "memory-backend-ram".into();
        json["share"] = false.into();
    } else {
        set_kind(&mut value, "memory-backend-ram");
        value.set("share", "off");
        if let Some(canonical) = canonical {
            value.set("x-use-canonical-path-for-ramblock-id", canonical);
        }
    }
    let new = argument.with(&value);
    draft.changed(argument, Some(&new), "a copy must not be written over the source's memory", None);
    new
}

fn default_ram(draft: &mut Draft, mut list: Vec<Argument>) -> Vec<Argument> {
    let id = draft.facts.default_ram_id.clone();
    let path = id.as_ref().and_then(|id| draft.facts.memory_paths.get(id).cloned());
    let (Some(id), Some(path)) = (id, path) else {
        draft.refuse(
            "memory: \"shared\"",
            "the machine's name for its RAM, or the file for it, is not known",
            "give `default_ram_id` (from `query-machines`) and `memory_paths`",
        );
        return list;
    };
    let Some(object) = default_object(draft.facts, &list, &id, &path, true) else {
        draft.refuse(
            "memory: \"shared\"",
            "the size of the guest's memory cannot be read from `-m`",
            "name it in full: `-m size=4G`",
        );
        return list;
    };
    // It names a directory for what is no object, and QEMU takes only one of the two.
    list.retain(|argument| {
        let gone = argument.name() == "mem-path" || argument.name() == "mem-prealloc";
        if gone {
            draft.changed(argument, None, "the memory is in a file that is named", None);
        }
        !gone
    });
    draft.added(&object, SHARED);
    list.push(object);
    backed_by(draft, &mut list, &id);
    list
}

/// The object that stands in for the machine's own RAM, with the name that its block has in the stream.
pub(super) fn default_object(
    facts: &Facts,
    list: &[Argument],
    id: &str,
    path: &str,
    share: bool,
) -> Option<Argument> {
    let size = size(facts, list, id)?;
    let share = if share { "on" } else { "off" };
    let text = format!(
        "memory-backend-file,id={},size={size},mem-path={},share={share},x-use-canonical-path-for-ramblock-id=off",
        command_line::escape(id),
        command_line::escape(path)
    );
    Some(Argument::new("object", Some(&text)))
}

/// What QEMU says is exact: it rounds what `-m` says.
fn size(facts: &Facts, list: &[Argument], id: &str) -> Option<u64> {
    let backends = facts.inventory.get("query-memdev").and_then(|backends| backends.as_array());
    let live = backends
        .into_iter()
        .flatten()
        .find(|backend| backend.get("id").and_then(|id| id.as_str()) == Some(id));
    live.and_then(|backend| backend.get("size")?.as_u64())
        .or_else(|| command_line::memory(&list.iter().cloned().collect::<Arguments>().words()).ok())
}

/// Let the machine take the object: in the option that names the machine's type.
fn backed_by(draft: &mut Draft, list: &mut Vec<Argument>, id: &str) {
    let machine = list.iter_mut().rfind(|argument| argument.name() == "machine");
    let Some(machine) = machine else {
        let machine = Argument::new("machine", Some(&format!("memory-backend={}", command_line::escape(id))));
        draft.added(&machine, SHARED);
        list.push(machine);
        return;
    };
    let Some(mut value) = machine.value() else { return };
    value.set("memory-backend", id);
    let new = machine.with(&value);
    draft.changed(machine, Some(&new), SHARED, None);
    *machine = new;
}
