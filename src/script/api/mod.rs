//! The script API: one file per subject. Each function is one line across the seam, under the doc
//! that is its help and the example that is its test.

// What the plugin macros generate has neither docs nor `#[must_use]`, and unwraps what the engine has checked.
#![allow(missing_docs, clippy::must_use_candidate, clippy::unwrap_used)]

pub mod command;
pub mod error;
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

use rhai::{Engine, exported_module};

/// Register every function with `engine`.
pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<crate::error::Error>("Error");
    engine.register_type_with_name::<crate::vm::Vm>("Vm");
    engine.register_type_with_name::<crate::vm::Pulse>("Pulse");
    engine.register_type_with_name::<crate::qemu::memory_file::MemoryFile>("MemoryFile");
    engine.register_type_with_name::<crate::host::Job>("Job");
    engine.register_type_with_name::<std::time::Duration>("Duration");
    for module in [
        exported_module!(command::api),
        exported_module!(error::api),
        exported_module!(files::api),
        exported_module!(guest::api),
        exported_module!(job::api),
        exported_module!(launch::api),
        exported_module!(memory::api),
        exported_module!(migration::api),
        exported_module!(options::api),
        exported_module!(pulse::api),
        exported_module!(plan::api),
        exported_module!(process::api),
        exported_module!(record::api),
        exported_module!(run::api),
        exported_module!(successor::api),
        exported_module!(units::api),
        exported_module!(vm::api),
        exported_module!(wait::api),
    ] {
        engine.register_global_module(module.into());
    }
}
