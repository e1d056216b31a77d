//! What the recipe verbs need to compare two QEMUs before a guest moves from one to the other.

use rhai::plugin::*;
use rhai::{Array, Map};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::migration::plan;
use crate::monitor::hmp::tree;
use crate::script::session::ScriptResult;
use crate::script::value::{to_dynamic, to_json};

#[export_module]
pub mod api {
    /// What `info qtree` prints, as an array of devices: `type`, `id` (`""` if it has none), `bus`, `on` (the id or type
    /// of the device whose bus that is), `properties`, and `pci` (vendor and device) where it has them.
    ///
    /// ```rhai
    /// let vm = launch(#{ args: "-S -device virtio-rng-pci,id=rng0,addr=0x9" });
    /// let rng = device_tree(vm.hmp("info qtree")).find(|device| device.id == "rng0");
    /// assert_eq(rng.properties.addr, "09.0");
    /// ```
    pub fn device_tree(text: &str) -> Dynamic {
        to_dynamic(&tree::tree(text))
    }

    /// Compare the inventories of a guest's QEMU and of the one that is to take it over: `findings` (the worst first, each
    /// with `severity`, `subject`, `message`, `cause`, `remedy`), `modes` (each with `possible` and `why`), `mode`, `why` and `preempt`.
    ///
    /// `facts`, of which each may be absent: `mode` (asked for), `able` (the modes that can be carried out),
    /// `postcopy` (the target's complaint, `""` for none), `exec` (what stands against a new program in the source's process), `same_memory` (by memory backend), `available` and `resident` (bytes of the
    /// host), `vmstate` (`source` and `target`, the texts of `-dump-vmstate`).
    ///
    /// ```rhai
    /// let one = inventory(launch(#{ args: "-S -machine pc -m 64" }));
    /// let other = inventory(launch(#{ args: "-machine pc -m 128 -incoming defer" }));
    /// let memory = compare_inventories(one, other, #{}).findings.find(|finding| finding.subject == "memory");
    /// assert_eq([memory.severity, memory.remedy], ["blocks", "start the target with `-m 64M`"]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn compare_inventories(source: Map, target: Map, facts: Map) -> ScriptResult<Dynamic> {
        Ok(to_dynamic(&super::compare(source, target, facts)?))
    }

    /// The part of `-dump-vmstate` that is about the devices of an inventory: the whole of it need not be kept.
    #[rhai_fn(name = "_vmstate_of")]
    pub fn vmstate_of(kinds: Array, dump: &str) -> String {
        let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
        plan::vmstate::excerpt(dump, &kinds.iter().map(String::as_str).collect())
    }

    /// A plan as a table for people: findings, the mode, and what the successor has in another way.
    ///
    /// ```rhai
    /// let source = launch(#{ guest: "heartbeat", args: "-m 64" });
    /// let target = launch(#{ guest: "heartbeat", args: "-m 128 -incoming defer" });
    /// let plan = examine(source, target);
    /// assert(findings_table(plan).starts_with("blocks  memory"), findings_table(plan));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn findings_table(plan: Map) -> ScriptResult<String> {
        Ok(super::table(plan)?)
    }
}

fn value(function: &str, name: &str, map: Map) -> Result<Value> {
    to_json(name, &map.into()).map_err(|cause| Error::Argument {
        function: function.to_owned(),
        cause,
        hint: "it takes what `inventory` and `plan` return".to_owned(),
    })
}

fn compare(source: Map, target: Map, facts: Map) -> Result<Value> {
    let read = |name, map| value("compare_inventories", name, map);
    let (source, target, facts) = (read("source", source)?, read("target", target)?, read("facts", facts)?);
    let (findings, modes) = plan::examine(&source, &target, &facts);
    Ok(json!({
        "findings": findings.iter().map(plan::Finding::to_json).collect::<Vec<_>>(),
        "modes": modes.to_json(),
        "mode": modes.chosen,
        "why": modes.why,
        "preempt": modes.preempt,
    }))
}

fn table(mut plan: Map) -> Result<String> {
    // A plan may hold a `Vm`, which is no JSON.
    plan.retain(|key, _| ["findings", "modes", "mode", "why", "rewrites"].contains(&key.as_str()));
    Ok(plan::table::table(&value("findings_table", "plan", plan)?))
}
