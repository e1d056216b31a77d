//! What the record of a run is told of a `Vm`: enough to find that QEMU again, and no other.

use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value, json};

use super::control::{Control, Witness};
use super::{Inner, Vm};
use crate::qemu::attached::{started, started_by};

impl Vm {
    /// Everything that another qhop needs to know of it.
    #[must_use]
    pub fn description(&self) -> Value {
        let mut description = self.reference();
        description["qemu"] = self.qemu().into();
        description["version"] = self.version().into();
        description["machine"] = self.machine().into();
        description["directory"] = self.directory().into();
        description["kept"] = self.is_kept().into();
        description["launched"] = (self.pid().and_then(started_by) == Some(std::process::id())).into();
        description
    }

    /// Which one it is: its process, with the time of its start, and its monitor.
    #[must_use]
    pub fn reference(&self) -> Value {
        let monitor = self.0.control.address().map(ToString::to_string);
        json!({ "name": self.name(), "pid": self.pid(), "started": self.pid().and_then(started), "monitor": monitor })
    }

    /// One that is known to have ended, for what has still to be said of it.
    #[must_use]
    pub fn departed(name: &str, qemu: &str) -> Self {
        Self(Arc::new(Inner {
            name: name.to_owned(),
            qemu: qemu.to_owned(),
            args: Vec::new(),
            machine: String::new(),
            console_seen: Mutex::new(0),
            process: None,
            control: Control::ended(),
            directory: None,
            became: OnceLock::new(),
        }))
    }

    /// Tell `witness` of every exchange with its monitor from now on; only the first call counts.
    pub fn report_to(&self, witness: Witness) {
        self.0.control.report_to(witness);
    }
}
