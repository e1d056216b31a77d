//! The script API: one file per subject. Each function is one line across the seam, under the doc
//! that is its help and the example that is its test.

// What the plugin macros generate has neither docs nor `#[must_use]`, and unwraps what the engine has checked.
#![allow(missing_docs, clippy::must_use_candidate, clippy::unwrap_used)]

pub mod command;
pub mod error;
pub mod exec;
pub mod files;
pub mod guest;
pub mod job;
pub mod launch;
pub mod memory;
pub mod migration;
pub mod options;
pub mod plan;
pub mod process;
pub mod pulse;
pub mod record;
pub mod run;
pub mod successor;
pub mod units;
pub mod vm;
pub mod wait;

use rhai::{Engine, Module, exported_module};

/// Register every function with `engine`.
pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<crate::error::Error>("Error");
    engine.register_type_with_name::<crate::vm::Vm>("Vm");
    engine.register_type_with_name::<crate::vm::Pulse>("Pulse");
    engine.register_type_with_name::<crate::qemu::memory_file::MemoryFile>("MemoryFile");
    engine.register_type_with_name::<crate::host::Job>("Job");
    engine.register_type_with_name::<launch::Unborn>("Unborn");
    engine.register_type_with_name::<std::time::Duration>("Duration");
    for (_, _, module) in subjects() {
        engine.register_global_module(module.into());
    }
}

/// The name of a file, its text, of which the header says what it is about, and its functions.
macro_rules! subject {
    ($file:ident) => {
        (stringify!($file), include_str!(concat!(stringify!($file), ".rs")), exported_module!($file::api))
    };
}

/// The files, each with its functions.
pub fn subjects() -> Vec<(&'static str, &'static str, Module)> {
    vec![
        subject!(command),
        subject!(error),
        subject!(exec),
        subject!(files),
        subject!(guest),
        subject!(job),
        subject!(launch),
        subject!(memory),
        subject!(migration),
        subject!(options),
        subject!(plan),
        subject!(process),
        subject!(pulse),
        subject!(record),
        subject!(run),
        subject!(successor),
        subject!(units),
        subject!(vm),
        subject!(wait),
    ]
}
