//! What is told of a migration that failed under the hands of a script: what both ends said, and who has the guest.
//!
//! It asks, and changes nothing: what is to be done about it is the script's business.

use std::time::Duration;

use tokio::time::timeout;

use super::Vm;
use crate::error::{Error, Result};
use crate::migration::explain::tail;
use crate::migration::state::{Migration, MigrationStatus, Mode, RunStatus, Seen, named};

/// How long a target that could not load its guest takes to end, and to say why, at most.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// How much of its words is shown.
const LINES: usize = 5;

impl Vm {
    /// [`wait_for_migration`](Self::wait_for_migration); its error tells of both ends. `others` are the QEMUs that
    /// are known: the only one of them that has to do with a migration is the other end.
    ///
    /// # Errors
    /// Those of `wait_for_migration`.
    pub async fn wait_for_migration_beside(
        &self,
        others: &[Self],
        wanted: &str,
        limit: Duration,
    ) -> Result<()> {
        match self.wait_for_migration(wanted, limit).await {
            Err(Error::Migration { vm, wanted, status, cause, .. }) => {
                let (mut said, outlook) = self.aftermath(others).await;
                said.retain(|(_, words)| *words != cause);
                Err(Error::Migration { vm, wanted, status, cause, said, outlook })
            }
            Err(Error::Timeout { vm, operation, timeout, last, mut said, .. }) => {
                let (tails, outlook) = self.aftermath(others).await;
                // Its own words are there already.
                said.splice(0..0, tails.into_iter().filter(|(name, _)| name != self.name()));
                Err(Error::Timeout { vm, operation, timeout, last, said, outlook })
            }
            result => result,
        }
    }

    async fn aftermath(&self, others: &[Self]) -> (Vec<(String, String)>, String) {
        let other = self.other_end(others).await;
        if let Some(other) = other {
            let _ = timeout(LAST_WORDS, other.end()).await;
        }
        let speech = |vm: &Self| (vm.name().to_owned(), tail(&vm.stderr(), LINES));
        let ends = other.into_iter().chain([self]);
        let said = ends.map(speech).filter(|(_, words)| !words.is_empty()).collect();
        let Some(other) = other else { return (said, String::new()) };
        let (ours, theirs) = (self.seen().await, other.seen().await);
        let is_source = !has_arrived(&ours);
        let (source, target) = if is_source { (self, other) } else { (other, self) };
        let (seen_source, seen_target) = if is_source { (ours, theirs) } else { (theirs, ours) };
        let migration = Migration {
            mode: source.mode_as_set().await,
            // Nobody knows what it was: one that stands still now may have stood still before.
            before: RunStatus::Running,
            target_ran: target.last_event("RESUME").is_some() || !target.tells_events(),
            source: seen_source,
            target: seen_target,
        };
        let verdict = migration.verdict();
        (said, named(verdict.sentence, source.name(), target.name()))
    }

    async fn other_end<'a>(&self, others: &'a [Self]) -> Option<&'a Self> {
        if let [other] = others {
            return Some(other);
        }
        let mut ends = Vec::new();
        for other in others {
            let takes_part = match other.seen().await {
                Seen::Alive(run, status) => {
                    matches!(run, RunStatus::Inmigrate) || status != MigrationStatus::None
                }
                Seen::Gone | Seen::Silent => true,
            };
            if takes_part {
                ends.push(other);
            }
        }
        if let [end] = ends[..] { Some(end) } else { None }
    }

    /// The mode that its capabilities make of a migration.
    async fn mode_as_set(&self) -> Mode {
        let on = self.switched_on().await.unwrap_or_default();
        let is_on = |name: &str| on.iter().any(|on| on == name);
        if is_on("x-ignore-shared") {
            Mode::Shared
        } else if is_on("postcopy-ram") {
            // Whether it was told to switch is known to the script alone.
            Mode::Postcopy { switched: true }
        } else {
            Mode::Precopy
        }
    }
}

/// Whether it is the end that the guest comes to: it waits, or runs a guest of which a part is still to come.
fn has_arrived(seen: &Seen) -> bool {
    match seen {
        Seen::Alive(run, status) => {
            matches!(run, RunStatus::Inmigrate) || (run.is_live() && status.is_postcopy())
        }
        Seen::Gone | Seen::Silent => false,
    }
}
