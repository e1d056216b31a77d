//! Who holds the guest: QEMU's run states and migration states of both ends, and what may be done in them.
//!
//! Pure: states in, verdicts and refusals out; it never asks QEMU. The guards are the rules that no recipe
//! may break: never two running copies of a guest, and never none while one could be kept.

mod ends;
mod guards;
mod names;
#[cfg(test)]
mod tests;
mod verdict;

use std::fmt;

pub use guards::Refusal;
pub use names::named;
pub use verdict::{Holder, Verdict};

/// An enum of QEMU's words, with `From<&str>` that keeps a word it does not know, and `Display`.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $($(#[$about])* $variant,)*
            /// A word that is not known here, as QEMU said it.
            Other(String),
        }

        impl $name {
            /// All of QEMU's words for it that are known here.
            pub const WORDS: &[&str] = &[$($word),*];

            fn known(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word,)*
                    Self::Other(other) => other,
                })
            }
        }
    };
}

words! {
    /// The run state of a QEMU (`query-status`), 5.2 … 11.1.
    RunStatus {
        /// Stopped by a debugger.
        Debug = "debug",
        /// A target that has no guest yet, whatever it was sent already.
        Inmigrate = "inmigrate",
        /// KVM gave up.
        InternalError = "internal-error",
        /// A disk failed (`werror=stop`).
        IoError = "io-error",
        /// Stopped by `stop`, or a target that was started with `-S`.
        Paused = "paused",
        /// A source after the switch; with 5.2 and 7.2 also one whose stopped guest was *not* moved.
        Postmigrate = "postmigrate",
        /// Started with `-S` and never continued. It migrates as it is.
        Prelaunch = "prelaunch",
        /// A source in the switch, or past it (postcopy).
        FinishMigrate = "finish-migrate",
        /// Loading a snapshot.
        RestoreVm = "restore-vm",
        /// The guest runs.
        Running = "running",
        /// Saving a snapshot.
        SaveVm = "save-vm",
        /// The guest has shut down (`-no-shutdown`).
        Shutdown = "shutdown",
        /// The guest sleeps (ACPI S3).
        Suspended = "suspended",
        /// Stopped by the watchdog.
        Watchdog = "watchdog",
        /// Stopped by the guest's panic.
        GuestPanicked = "guest-panicked",
        /// At a checkpoint of COLO.
        Colo = "colo",
        /// `--preconfig` (before 6.0).
        Preconfig = "preconfig",
    }
}

words! {
    /// The state of a migration (`query-migrate`) at either end, 5.2 … 11.1.
    MigrationStatus {
        /// No migration yet.
        None = "none",
        /// Connecting; from 10.0 on also a target that listens.
        Setup = "setup",
        /// Being cancelled.
        Cancelling = "cancelling",
        /// Over: cancelled.
        Cancelled = "cancelled",
        /// Under way; before 10.0 the switch, too.
        Active = "active",
        /// The target loads the devices' state (10.2); a failure still gives the guest back to the source.
        PostcopyDevice = "postcopy-device",
        /// The guest is on the target, part of its memory on the source.
        PostcopyActive = "postcopy-active",
        /// The same, and the link is down.
        PostcopyPaused = "postcopy-paused",
        /// The same, and the source is connecting again (9.1).
        PostcopyRecoverSetup = "postcopy-recover-setup",
        /// The same, and the two ends agree on what is missing.
        PostcopyRecover = "postcopy-recover",
        /// Over. On the source alone it proves nothing: without `return-path` the target may be dead.
        Completed = "completed",
        /// About to be `failed` (11.0).
        Failing = "failing",
        /// Over: failed.
        Failed = "failed",
        /// Fault tolerance: never over.
        Colo = "colo",
        /// Stopped before the switch, waiting for `migrate-continue`.
        PreSwitchover = "pre-switchover",
        /// The switch; before 10.0 only with `pause-before-switchover`.
        Device = "device",
        /// The guest is asked to let go of a failover device.
        WaitUnplug = "wait-unplug",
    }
}

impl From<&str> for RunStatus {
    /// From QMP's word, or from what `info status` says: `VM status: paused (postmigrate)`.
    fn from(text: &str) -> Self {
        let text = text.trim().trim_start_matches("VM status:").trim();
        let inner = text.strip_prefix("paused (").and_then(|rest| rest.strip_suffix(')'));
        // What else is in brackets, such as `running (single step mode)`, is no state of its own.
        Self::known(inner.unwrap_or_else(|| text.split_once(" (").map_or(text, |(word, _)| word)))
    }
}

impl RunStatus {
    /// Whether the guest runs, or sleeps and may wake by itself.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Running | Self::Suspended)
    }

    /// Whether the guest is known to stand still where it is, whole: neither live, nor being moved, nor gone.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        use RunStatus as R;
        let elsewhere = matches!(self, R::Inmigrate | R::FinishMigrate | R::Postmigrate | R::Other(_));
        !elsewhere && !self.is_live()
    }
}

impl From<&str> for MigrationStatus {
    /// From QEMU's word; an empty one is `none`, as `query-migrate` says nothing before the first migration.
    fn from(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() { Self::None } else { Self::known(text) }
    }
}

impl MigrationStatus {
    /// Whether this migration is over, one way or the other.
    #[must_use]
    pub fn is_end_state(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Whether nothing goes on until somebody does something: `migrate-continue`, or a recovery.
    #[must_use]
    pub fn is_standstill(&self) -> bool {
        matches!(self, Self::PreSwitchover | Self::PostcopyPaused)
    }

    /// Whether it is past the switch to postcopy: from here on it cannot be cancelled.
    #[must_use]
    pub fn is_postcopy(&self) -> bool {
        match self {
            Self::PostcopyDevice
            | Self::PostcopyActive
            | Self::PostcopyPaused
            | Self::PostcopyRecoverSetup
            | Self::PostcopyRecover => true,
            Self::Other(other) => other.starts_with("postcopy"),
            _ => false,
        }
    }
}

/// What was seen of a QEMU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Its process has ended: the only proof of death.
    Gone,
    /// It does not answer: hung, stopped, or cut off. It may still run the guest, or begin to.
    Silent,
    /// It answered.
    Alive(RunStatus, MigrationStatus),
}

impl Seen {
    /// From QEMU's words of `query-status` and `query-migrate`.
    #[must_use]
    pub fn alive(run: &str, migration: &str) -> Self {
        Self::Alive(run.into(), migration.into())
    }
}

/// How the guest's memory gets to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As a copy, before the switch; the source keeps its own.
    Precopy,
    /// Part of it after the switch: until the end, each side has memory that the other lacks.
    Postcopy {
        /// Whether `migrate-start-postcopy` was accepted; `true` where nobody knows.
        switched: bool,
    },
    /// Not at all, both sides map the same (`x-ignore-shared`, `cpr-transfer`): once the target has run, the
    /// source's devices and CPUs do not fit it any more.
    Shared,
}

/// The two ends of a migration as last seen, and what is known of its course.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Where the guest comes from.
    pub source: Seen,
    /// Where it goes.
    pub target: Seen,
    /// How its memory gets there.
    pub mode: Mode,
    /// The guest's run state before the migration, and to be its state after.
    pub before: RunStatus,
    /// Whether the target was ever seen `running` (a `RESUME` event). Where nobody knows, `true` rather gives
    /// up what is left of a guest than let it loose on disks that have gone on.
    pub target_ran: bool,
}

impl Migration {
    /// Whether it succeeded: the guest was seen on the target in the state that it had, and the source is
    /// done with it.
    ///
    /// `postmigrate` alone does not do: a source whose stopped guest failed to move is `postmigrate`, too (5.2
    /// and 7.2, not 10.0).
    #[must_use]
    pub fn succeeded(&self) -> bool {
        use RunStatus as R;
        let done = self.source == Seen::Alive(R::Postmigrate, MigrationStatus::Completed);
        done && matches!(&self.target, Seen::Alive(run, _) if self.as_before(run))
    }

    /// Whether a run state is the one before the migration. A guest wakes and sleeps by itself, and one that
    /// stands still may do so under another name.
    fn as_before(&self, run: &RunStatus) -> bool {
        (run.is_live() && self.before.is_live()) || (run.is_stopped() && self.before.is_stopped())
    }

    fn switched(&self) -> bool {
        self.mode == Mode::Postcopy { switched: true }
    }
}
