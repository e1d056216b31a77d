//! What is refused because it could lose the guest, or make two of it, by what one end says of itself.

use super::Vm;
use crate::error::{Error, Result};
use crate::migration::state::{MigrationStatus, RunStatus, Seen};

impl Vm {
    /// Whether `cont` is safe: not on the source of a guest that may run elsewhere. `others` are the QEMUs that
    /// are known; that one has ended proves that the guest does not run in it.
    ///
    /// # Errors
    /// `Refused`.
    pub async fn may_cont(&self, others: &[Self]) -> Result<()> {
        if self.seen().await != Seen::Alive(RunStatus::Postmigrate, MigrationStatus::Completed) {
            return Ok(());
        }
        let reason = match others.iter().find(|vm| vm.ended().is_none()) {
            Some(other) => format!("its guest has moved away, and vm `{}` lives", other.name()),
            None if others.is_empty() => "its guest has moved away, and nobody knows where to".to_owned(),
            None => return Ok(()),
        };
        self.refuse("cont", reason, "end the QEMU that has the guest first; `vm.qmp(\"cont\")` asks nobody")
    }

    /// Whether `quit` is safe: not in a postcopy, at neither end.
    ///
    /// # Errors
    /// `Refused`.
    pub async fn may_quit(&self) -> Result<()> {
        match self.seen().await {
            Seen::Alive(_, status) if status.is_postcopy() => {
                self.refuse("quit", IN_POSTCOPY.to_owned(), "let it complete; `vm.kill()` asks nobody")
            }
            _ => Ok(()),
        }
    }

    /// Whether `migrate_cancel` is safe: not in a postcopy.
    ///
    /// # Errors
    /// `Refused`.
    pub async fn may_cancel(&self) -> Result<()> {
        match self.seen().await {
            Seen::Alive(_, status) if status.is_postcopy() => {
                self.refuse("migrate_cancel", IN_POSTCOPY.to_owned(), "let it complete")
            }
            _ => Ok(()),
        }
    }

    fn refuse(&self, operation: &'static str, reason: String, hint: &str) -> Result<()> {
        Err(Error::Refused { vm: self.name().to_owned(), operation, reason, hint: hint.to_owned() })
    }
}

const IN_POSTCOPY: &str = "in a postcopy each end has memory of the guest that the other lacks";
