//! The arguments of a QEMU that takes over a guest, derived from those of the one that has it.

use rhai::plugin::*;
use rhai::{Array, Map};

use crate::error::{Error, Result};
use crate::qemu::successor::{self, Facts};
use crate::script::session::ScriptResult;
use crate::script::value::{to_dynamic, to_json};

#[export_module]
pub mod api {

    /// The arguments of a QEMU on this host that can take over the guest of a QEMU with the arguments `args`:
    /// what clashes is rewritten, what was plugged in after the start is added, and the machine type is pinned.
    ///
    /// `facts`: `directory` (the target's private one), `machine` (the resolved type); optional: `source_directory`
    /// (the source's private one), `cwd` (the source's), `pid`, `addresses` (given back earlier: the path in `args` → the one that clients
    /// know), `inventory` (replies by command, with `devices`, `hotplugged`, `objects`, `network`, `usernet`), `forwards`
    /// (text of `info usernet`), `memory` (`"keep"`, `"shared"`, `"private"`), `memory_paths` (backend → file), `default_ram_id`,
    /// `backing` (backend → `/proc/PID/fd/N`), `readconfig` (file → its text).
    ///
    /// Returns `args`; `rewrites`, each `#{ option, from, to, why, back, note }`, where `back` is `()` or
    /// `#{ how: "rename", from, to }`, `#{ how: "hmp", line }`, `#{ how: "qmp", command, arguments }`,
    /// `#{ how: "log", from, path, line }` (what is at `path` is put aside first) or `#{ how: "none" }`; `links`, each `#{ from, to }`; `refused`, each `#{ subject, cause, remedy }`.
    ///
    /// ```rhai
    /// let derived = succession(["-M", "q35", "-qmp", "unix:/run/vm/qmp,server=on"], #{ directory: "/run/next", machine: "pc-q35-7.2" });
    /// assert_eq(derived.args, ["-M", "pc-q35-7.2", "-qmp", "unix:/run/next/qmp-2,server=on,wait=off", "-incoming", "defer"]);
    /// assert_eq(derived.rewrites[1].back, #{ how: "rename", from: "/run/next/qmp-2", to: "/run/vm/qmp" });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn succession(args: Array, facts: Map) -> ScriptResult<Dynamic> {
        Ok(super::succession(&args, facts)?)
    }

    /// The arguments of the throw-away target of a rehearsal, from those of a target (`succession(…).args`): its memory is a
    /// private view, and it writes no file that anybody reads. `facts` as for `succession`, with a `directory`
    /// of its own; `views` gives the file with each backend's memory (`""` for the machine's own, whose name is `default_ram_id`).
    ///
    /// ```rhai
    /// let facts = #{ directory: "/run/try", machine: "q35", default_ram_id: "pc.ram", views: #{ "": "/run/try/ram" } };
    /// let args = rehearsal_args(["-M", "q35", "-m", "64", "-incoming", "defer"], facts);
    /// assert("-S" in args, "it never starts the guest");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn rehearsal_args(args: Array, facts: Map) -> ScriptResult<Dynamic> {
        Ok(super::rehearsal(&args, facts)?)
    }
}

fn succession(args: &Array, facts: Map) -> Result<Dynamic> {
    let derived = successor::succession(&words("succession", args)?, &read("succession", facts)?);
    let json = serde_json::to_value(derived).map_err(|error| wrong("succession", error.to_string()))?;
    Ok(to_dynamic(&json))
}

fn rehearsal(args: &Array, facts: Map) -> Result<Dynamic> {
    let args = successor::rehearsal_args(&words("rehearsal_args", args)?, &read("rehearsal_args", facts)?);
    Ok(Dynamic::from_array(args.into_iter().map(Dynamic::from).collect()))
}

fn words(function: &str, args: &Array) -> Result<Vec<String>> {
    let word = |word: &Dynamic| {
        let found =
            || wrong(function, format!("the arguments are strings, not of type `{}`", word.type_name()));
        word.clone().into_string().map_err(|_| found())
    };
    args.iter().map(word).collect()
}

/// `()` stands for what is not given.
fn read(function: &str, mut facts: Map) -> Result<Facts> {
    facts.retain(|_, value| !value.is_unit());
    let json = to_json("facts", &facts.into()).map_err(|cause| wrong(function, cause))?;
    let facts: Facts =
        serde_json::from_value(json).map_err(|error| wrong(function, format!("`facts`: {error}")))?;
    for (name, path) in
        [("directory", &facts.directory), ("cwd", facts.cwd.as_ref().unwrap_or(&facts.directory))]
    {
        if !path.starts_with('/') {
            return Err(wrong(function, format!("`facts`: `{name}` must be an absolute path, not `{path}`")));
        }
    }
    Ok(facts)
}

fn wrong(function: &str, cause: String) -> Error {
    Error::Argument { function: function.to_owned(), cause, hint: String::new() }
}
