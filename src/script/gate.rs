//! The gate that every effect of a script passes before it happens.
//!
//! Today it lets everything through, and notes it in the run's record before it happens; permissions and a dry run
//! belong here and nowhere else. It never performs an effect itself.

use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::error::Result;
use crate::record::Record;

/// Something that a script is about to do to the world outside of its own variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Start a program: a QEMU or a host command.
    Start {
        /// The program, as the script named it.
        program: String,
        /// Its arguments.
        args: Vec<String>,
    },
    /// Take hold of a running QEMU.
    Attach {
        /// Its process id or monitor address.
        to: String,
    },
    /// Send a command to a monitor.
    Command {
        /// The name of the `Vm`.
        vm: String,
        /// The command, in QEMU's words.
        command: String,
    },
    /// End a QEMU, or let it outlive the script.
    Process {
        /// The name of the `Vm`.
        vm: String,
        /// `kill` or `keep`.
        verb: &'static str,
    },
    /// Make something that outlives the call.
    Create {
        /// What: `a private directory for target`.
        what: String,
    },
    /// Read a file.
    Read {
        /// Its path.
        path: String,
    },
    /// Open a file for a QEMU, which gets its descriptor.
    Open {
        /// Its path.
        path: String,
        /// The name of the `Vm`.
        vm: String,
    },
    /// Write, replace or move a file.
    Write {
        /// Its path afterwards.
        path: String,
    },
    /// Read an environment variable.
    Environment {
        /// Its name.
        name: String,
    },
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { program, args } => {
                write!(f, "start {}", shell_words::join(std::iter::once(program).chain(args)))
            }
            Self::Attach { to } => write!(f, "attach to {to}"),
            Self::Command { vm, command } => write!(f, "ask `{vm}`: {command}"),
            Self::Process { vm, verb } => write!(f, "{verb} `{vm}`"),
            Self::Create { what } => write!(f, "make {what}"),
            Self::Read { path } => write!(f, "read {path}"),
            Self::Open { path, vm } => write!(f, "open {path} for `{vm}`"),
            Self::Write { path } => write!(f, "write {path}"),
            Self::Environment { name } => write!(f, "read ${name}"),
        }
    }
}

impl Effect {
    /// Whether it starts or takes hold of something: from then on there is something to recover.
    fn begins(&self) -> bool {
        matches!(self, Self::Start { .. } | Self::Attach { .. } | Self::Create { .. })
    }

    /// Whether it only asks. What a monitor answered is noted after it, and that is enough.
    #[must_use]
    pub fn only_asks(&self) -> bool {
        let Self::Command { command, .. } = self else { return false };
        ["query-", "qom-get", "qom-list", "info "].iter().any(|start| command.starts_with(start))
    }
}

/// The one way out of a script.
#[derive(Debug, Default)]
pub struct Gate {
    passed: Mutex<Vec<Effect>>,
    record: OnceLock<Record>,
}

impl Gate {
    /// Ask to perform an effect. `Ok` means: go ahead, it is on record.
    pub fn pass(&self, effect: Effect) -> Result<()> {
        tracing::info!(target: "qhop::effect", "{effect}");
        if let Some(record) = self.record.get().filter(|_| !effect.only_asks()) {
            record.effect(&effect, effect.begins());
        }
        // A script may send millions of commands; what they were is the monitor's log to keep.
        if !matches!(effect, Effect::Command { .. }) {
            self.passed.lock().unwrap_or_else(PoisonError::into_inner).push(effect);
        }
        Ok(())
    }

    /// Set where it is noted; only the first call counts. Without it, it is noted nowhere.
    pub fn set_record(&self, record: Record) {
        let _ = self.record.set(record);
    }

    /// Where it is noted.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        self.record.get()
    }

    /// What has passed so far, in order, without the commands to monitors.
    #[must_use]
    pub fn passed(&self) -> Vec<Effect> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
