//! What is refused because it could lose the guest, or make two of it, by what one end says of itself.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

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

    /// Whether `migrate` to `uri` can be brought to an end: not if one end alone has a capability that changes what
    /// goes over the wire, nor if a postcopy goes where nobody answers. `others` are the QEMUs that are known;
    /// the only one of them that waits for a guest is taken for the target.
    ///
    /// # Errors
    /// `Refused`.
    pub async fn may_migrate(&self, uri: &str, others: &[Self]) -> Result<()> {
        // QEMU is about to be asked to migrate, and will say itself what is wrong with it.
        let Some(ours) = self.switched_on().await else { return Ok(()) };
        let is_file = ["exec:", "file:"].iter().any(|kind| uri.starts_with(kind));
        if is_file && ours.iter().any(|name| name == "postcopy-ram") {
            let reason =
                format!("`postcopy-ram` is on, and nobody answers at `{uri}`: a postcopy would hang");
            return self.refuse("migrate", reason, "use a `unix:` or `tcp:` address");
        }
        let mut waiting = Vec::new();
        for other in others {
            // One that does not answer at once is left alone: what is asked here is only for a warning.
            let seen = timeout(Duration::from_millis(100), other.seen()).await;
            if matches!(seen, Ok(Seen::Alive(RunStatus::Inmigrate, _))) {
                waiting.push(other);
            }
        }
        let [target] = waiting[..] else { return Ok(()) };
        let Some(theirs) = target.switched_on().await else { return Ok(()) };
        for name in ON_BOTH_ENDS {
            let [here, there] = [&ours, &theirs].map(|on| on.iter().any(|one| one == name));
            if here != there {
                let word = |on| if on { "on" } else { "off" };
                let (here, there) = (word(here), word(there));
                let reason =
                    format!("`{name}` is {here}, and {there} in vm `{}`, which waits", target.name());
                return self.refuse("migrate", reason, "set it on both ends before the migration");
            }
        }
        Ok(())
    }

    /// Whether `migrate-start-postcopy` leaves the guest as it is: a postcopy starts one that stands still.
    ///
    /// # Errors
    /// `Refused`.
    pub async fn may_switch(&self) -> Result<()> {
        match self.seen().await {
            Seen::Alive(run, MigrationStatus::Active) if run.is_stopped() => self.refuse(
                "migrate-start-postcopy",
                "the guest stands still, and a postcopy starts it".to_owned(),
                "let the precopy complete: a guest that stands still changes no memory",
            ),
            _ => Ok(()),
        }
    }

    /// The migration capabilities that are on; none if it does not say within `PATIENCE`.
    pub(super) async fn switched_on(&self) -> Option<Vec<String>> {
        const PATIENCE: Duration = Duration::from_secs(2);
        let query = self.qmp("query-migrate-capabilities", json!({}));
        let reply = timeout(PATIENCE, query).await.ok()?.ok()?;
        let on = reply.as_array()?.iter().filter(|capability| capability["state"] == true);
        Some(on.filter_map(|capability| Some(capability["capability"].as_str()?.to_owned())).collect())
    }

    fn refuse(&self, operation: &'static str, reason: String, hint: &str) -> Result<()> {
        Err(Error::Refused { vm: self.name().to_owned(), operation, reason, hint: hint.to_owned() })
    }
}

/// On one end only, they lose the guest or hang the migration for ever (`../migration/state` says more).
const ON_BOTH_ENDS: [&str; 3] = ["postcopy-ram", "multifd", "postcopy-preempt"];
const IN_POSTCOPY: &str = "in a postcopy each end has memory of the guest that the other lacks";
