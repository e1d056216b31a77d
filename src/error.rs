//! What can go wrong, as data: each variant names the operation, its subject and the cause.
//!
//! Nothing here prints. A script sees `kind`, `message`, `vm` and `hint`; the
//! command line adds the recipe's line and turns the kind into an exit code.

mod telling;

use std::time::Duration;

/// The result of everything below the script engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure, with what is needed to explain it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The system could not start a program.
    #[error("cannot start `{program}`: {cause}")]
    Start {
        /// The program as the script named it.
        program: String,
        /// Why, in the system's words.
        cause: String,
        /// What to do about it; empty if there is nothing general to say.
        hint: String,
    },
    /// Nobody answers at a monitor's address, or it is no monitor that answers.
    #[error("cannot connect to the monitor of vm `{vm}` at `{address}`: {cause}")]
    Connect {
        /// The name of the `Vm`.
        vm: String,
        /// The monitor's address, as in `attach`.
        address: String,
        /// Why, in the system's words.
        cause: String,
    },
    /// A running program cannot be taken hold of.
    #[error("cannot attach to process {pid}: {cause}")]
    Attach {
        /// The process id as the script named it.
        pid: i64,
        /// Why.
        cause: String,
        /// What to do about it; empty if there is nothing general to say.
        hint: String,
    },
    /// QEMU ended, or closed its monitor, while something was asked of it.
    #[error("vm `{vm}` {ended} during `{operation}`")]
    Gone {
        /// The name of the `Vm`.
        vm: String,
        /// What was being asked: a command or a wait.
        operation: String,
        /// How it ended: `ended with exit status 1`, `was killed by signal 9`, `closed its monitor`.
        ended: String,
        /// The tail of what QEMU wrote to its standard error.
        stderr: String,
    },
    /// QEMU answered a QMP command with an error.
    #[error("`{command}`: {description}")]
    Qmp {
        /// The name of the `Vm`.
        vm: String,
        /// The command that was sent.
        command: String,
        /// QEMU's error class, such as `GenericError` or `CommandNotFound`.
        class: String,
        /// QEMU's own words.
        description: String,
        /// Which command may have been meant; empty if nobody looked.
        hint: String,
    },
    /// The human monitor rejected a line.
    #[error("`{line}`: {description}")]
    Hmp {
        /// The name of the `Vm`.
        vm: String,
        /// The line that was sent.
        line: String,
        /// QEMU's own words.
        description: String,
        /// Which command may have been meant; empty if nobody looked.
        hint: String,
    },
    /// A monitor sent something that is not its protocol.
    #[error("the monitor of vm `{vm}` does not speak {protocol}: {cause}")]
    Protocol {
        /// The name of the `Vm`.
        vm: String,
        /// What was expected: `QMP`, `HMP`, `QMP or HMP`.
        protocol: &'static str,
        /// What was wrong, with the start of the offending text.
        cause: String,
    },
    /// A wait ran out of time.
    #[error("{operation} took longer than {}: {last}", crate::units::Seconds(*.timeout))]
    Timeout {
        /// The name of the `Vm`, where there is one.
        vm: Option<String>,
        /// What was waited for.
        operation: String,
        /// How long.
        timeout: Duration,
        /// What was last seen: `current …, wanted …`.
        last: String,
        /// Who said what meanwhile: the monitor's events, the tails of the standard error and the console.
        said: Vec<(String, String)>,
        /// In whose hands the guest is, if it was a migration that was waited for.
        outlook: String,
    },
    /// A migration came to an end state that was not the one waited for.
    #[error("the migration of vm `{vm}` is `{status}`, wanted `{wanted}`{}{cause}", if .cause.is_empty() { "" } else { ": " })]
    Migration {
        /// The name of the `Vm`.
        vm: String,
        /// The state waited for.
        wanted: String,
        /// The state it came to.
        status: String,
        /// QEMU's `error-desc`; empty where QEMU gives no reason.
        cause: String,
        /// Who said what: the tails of both ends' standard error.
        said: Vec<(String, String)>,
        /// In whose hands the guest is; empty where that cannot be told.
        outlook: String,
    },
    /// A function of the script API was called with something that it cannot use.
    #[error("`{function}`: {cause}")]
    Argument {
        /// The function as the script called it.
        function: String,
        /// What is wrong with which argument.
        cause: String,
        /// What to write instead; empty if the cause says it.
        hint: String,
    },
    /// What was asked for could lose the guest, or make two of it.
    #[error("`{operation}` of vm `{vm}` is refused: {reason}")]
    Refused {
        /// The name of the `Vm`.
        vm: String,
        /// What was asked for: `cont`, `quit`.
        operation: &'static str,
        /// Why it is dangerous now.
        reason: String,
        /// What is safe instead.
        hint: String,
    },
    /// The command line is wrong: a missing, unknown or unreadable parameter.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to write instead.
        hint: String,
    },
    /// A file or a directory could not be read or written.
    #[error("cannot {operation} `{path}`: {cause}")]
    File {
        /// `read`, `create`, …
        operation: &'static str,
        /// The path as given.
        path: String,
        /// Why, in the system's words.
        cause: String,
    },
    /// The machine is not in a state for it.
    #[error("{message}")]
    Environment {
        /// What cannot be done, and why.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// The record of a run cannot be kept.
    #[error("this run keeps no record: {cause}")]
    Record {
        /// Why.
        cause: String,
    },
    /// The guest's memory is not what a guest that was moved correctly has.
    #[error("the memory of vm `{vm}` is damaged: {damage}")]
    Memory {
        /// The name of the `Vm`.
        vm: String,
        /// Which pages, and how.
        damage: String,
    },
    /// A signal or the run's deadline ended the script.
    #[error("{cause}")]
    Interrupted {
        /// `interrupted by SIGINT`, `the run took longer than 5 s`.
        cause: String,
        /// The exit code that goes with it: 128 + the signal's number, or 6.
        code: u8,
    },
}

impl Error {
    /// The short name that a script compares: `e.kind == "timeout"`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start",
            Self::Connect { .. } => "connect",
            Self::Attach { .. } => "attach",
            Self::Gone { .. } => "gone",
            Self::Qmp { .. } => "qmp",
            Self::Hmp { .. } => "hmp",
            Self::Protocol { .. } => "protocol",
            Self::Timeout { .. } => "timeout",
            Self::Migration { .. } => "migration",
            Self::Argument { .. } => "argument",
            Self::Refused { .. } => "refused",
            Self::Usage { .. } => "usage",
            Self::File { .. } => "file",
            Self::Environment { .. } | Self::Record { .. } => "environment",
            Self::Memory { .. } => "memory",
            Self::Interrupted { .. } => "interrupted",
        }
    }

    /// The `Vm` that it is about, where it is about one.
    #[must_use]
    pub fn vm(&self) -> Option<&str> {
        match self {
            Self::Connect { vm, .. }
            | Self::Gone { vm, .. }
            | Self::Qmp { vm, .. }
            | Self::Hmp { vm, .. }
            | Self::Protocol { vm, .. }
            | Self::Migration { vm, .. }
            | Self::Refused { vm, .. }
            | Self::Memory { vm, .. } => Some(vm),
            Self::Timeout { vm, .. } => vm.as_deref(),
            _ => None,
        }
    }
}
