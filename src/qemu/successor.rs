//! The arguments of a QEMU that can take over a guest on the same host, derived from those of the QEMU that has it.
//!
//! Pure: words and facts in, words and an account of every change out. What must be asked of a monitor or of the
//! host is asked by the caller.

mod blocks;
mod displays;
mod draft;
mod files;
mod guid;
mod hotplug;
mod in_place;
mod media;
mod memory;
mod netdevs;
mod network;
mod nodes;
mod objects;
mod options;
mod private_directory;
mod rehearsal;
mod sockets;
mod terminal;
#[cfg(test)]
mod tests;
mod unplugged;
mod usb;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use memory::keeps_its_file;
pub use rehearsal::rehearsal_args;

use crate::qemu::arguments::{Argument, Arguments, descriptors};
use draft::Draft;

/// What is known of the source beside its command line, and what the target is to be like.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Facts {
    /// The target's private directory: its sockets and files go there.
    pub directory: String,
    /// The source's private directory, which goes away with it.
    pub source_directory: Option<String>,
    /// The source's working directory, from which its relative paths are taken.
    pub cwd: Option<String>,
    /// The source's process.
    pub pid: Option<i64>,
    /// The machine type with aliases resolved.
    pub machine: String,
    /// Addresses that were given back after an earlier move: the path in the arguments → the one that clients know.
    pub addresses: BTreeMap<String, String>,
    /// The text of `info usernet`; that of the inventory if not given.
    pub forwards: Option<String>,
    /// Replies of the source's monitor by command, with `devices`, `hotplugged`, `objects` and `network`.
    pub inventory: Json,
    /// How the target backs the guest's memory.
    pub memory: Memory,
    /// The files of `memory: "shared"`: backend → file.
    pub memory_paths: BTreeMap<String, String>,
    /// Backends that the target would empty when it starts: it must not have the source's memory there.
    pub emptied: Vec<String>,
    /// The machine's name for its RAM, from `query-machines`.
    pub default_ram_id: Option<String>,
    /// Where another process finds a shared backend's memory: backend → `/proc/PID/fd/N`, or what `vm.backing()`
    /// says of it.
    pub backing: BTreeMap<String, Json>,
    /// For a rehearsal, the private view of each backend; that of the default RAM may be called "".
    pub views: BTreeMap<String, String>,
    /// Whether the target runs in the source's own process (`cpr-exec`): the source gives its addresses up by that.
    pub in_place: bool,
    /// The texts of the files that `-readconfig` names.
    pub readconfig: BTreeMap<String, String>,
}

impl Facts {
    /// Where another process finds a shared backend's memory.
    fn shared_path(&self, id: &str) -> Option<String> {
        let backing = self.backing.get(id)?;
        let private = backing.get("share") == Some(&Json::Bool(false));
        let path = backing.as_str().or_else(|| backing.get("path")?.as_str())?;
        (!private).then(|| path.to_owned())
    }
}

/// How the target backs the guest's memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Memory {
    /// As the source does; a shared backend is the same memory.
    #[default]
    Keep,
    /// As the source does, and an anonymous backend comes from the source itself (`cpr-transfer`).
    Handed,
    /// In a file of its own that the next QEMU can map.
    Shared,
    /// In private memory of its own.
    Private,
}

/// The target's arguments, and how they differ from the source's.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Succession {
    /// Ready to be started.
    pub args: Vec<String>,
    /// Every change.
    pub rewrites: Vec<Rewrite>,
    /// Files that must be linked, or copied, before the start.
    pub links: Vec<Link>,
    /// What cannot be carried over.
    pub refused: Vec<Refusal>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rewrite {
    /// With its dash: `-qmp`.
    pub option: String,
    /// The source's value; empty for an option that is new.
    pub from: String,
    /// The target's value; empty for an option that is left out.
    pub to: String,
    /// In half a sentence.
    pub why: String,
    /// How clients get their address back once the source is gone; `None` where there is nothing to give back.
    pub back: Option<Back>,
    /// What a user should know of it; may be empty.
    pub note: String,
}

/// How an address is given back once the source is gone.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "how", rename_all = "lowercase")]
pub enum Back {
    /// Rename the file or socket `from` to `to`; across file systems, let `to` be a symbolic link.
    Rename {
        /// Where the target has it.
        from: String,
        /// Where clients look for it.
        to: String,
    },
    /// Put what is at `path` by now aside, and send the target this line of the human monitor: its log goes on there.
    Log {
        /// Where the target logs until then.
        from: String,
        /// Where people look for it.
        path: String,
        /// `logfile`, with the path.
        line: String,
    },
    /// Send the target this line.
    Hmp {
        /// Of the human monitor.
        line: String,
    },
    /// Send the target this command.
    Qmp {
        /// Its name.
        command: String,
        /// Its arguments.
        arguments: Json,
    },
    /// It cannot be given back; the note says what is left.
    None,
}

/// A file that the target must find in its own directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// In the source's directory.
    pub from: String,
    /// In the target's.
    pub to: String,
}

/// What cannot be carried over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The option or device, by name.
    pub subject: String,
    /// Why not.
    pub cause: String,
    /// What can be done about it.
    pub remedy: String,
}

type Pass = fn(&mut Draft, Vec<Argument>) -> Vec<Argument>;

/// What the guest is made of.
const PARTS: &[Pass] = &[
    options::rewrite,
    unplugged::rewrite,
    hotplug::rewrite,
    guid::rewrite,
    objects::rewrite,
    netdevs::rewrite,
    blocks::rewrite,
    media::rewrite,
    nodes::rewrite,
];

/// What cannot be there twice.
const BESIDE: &[Pass] = &[
    memory::rewrite,
    displays::rewrite,
    sockets::rewrite,
    terminal::rewrite,
    files::rewrite,
    network::rewrite,
    private_directory::rewrite,
];

/// What can be given up for a moment.
const HERE: &[Pass] = &[in_place::rewrite, displays::rewrite, files::rewrite, network::rewrite];

/// The arguments of the target that can take over the guest of the QEMU with the arguments `args`.
#[must_use]
pub fn succession(args: &[String], facts: &Facts) -> Succession {
    let mut draft = Draft::new(facts);
    let parsed = Arguments::parse(args);
    let expanded = parsed.expanded(|file| facts.readconfig.get(file).cloned());
    let parsed = expanded.unwrap_or_else(|cause| {
        draft.refuse("-readconfig", &cause, "start the source without it");
        parsed
    });
    let started_by =
        |passed: &descriptors::Passed| !passed.option.trim_start_matches('-').starts_with("incoming ");
    for passed in descriptors::passed(&parsed).into_iter().filter(started_by) {
        draft.refuse(
            &passed.option,
            &format!("the descriptor {} was opened for the source alone", passed.fd),
            "start the source with a path or a name in its place",
        );
    }
    let mut list: Vec<Argument> = parsed.as_slice().to_vec();
    for pass in PARTS.iter().chain(if facts.in_place { HERE } else { BESIDE }) {
        list = pass(&mut draft, list);
    }
    list.push(Argument::new("incoming", Some("defer")));
    draft.finish(&Arguments::from_iter(list))
}
