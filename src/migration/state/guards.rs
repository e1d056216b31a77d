//! The guards: what a recipe may not do to either end, with the reason and the way out. Pure.

use std::fmt;

use super::ends::{Source as S, Target as T};
use super::{Holder, Migration, MigrationStatus as M, Mode, Seen};

/// Why something may not be done, and what to do instead. `Display` gives the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub reason: String,
    /// What to do instead.
    pub remedy: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Refusal {}

fn refuse(reason: impl Into<String>, remedy: &'static str) -> Result<(), Refusal> {
    Err(Refusal { reason: reason.into(), remedy })
}

const END_TARGET: &str = "`quit` or kill the target first";
const LET_IT_COMPLETE: &str = "let it complete; if the link is down, recover it";
const ANEW: &str = "`quit` what is left, and start the guest anew from its disks";
const WAIT: &str = "wait until the migration has ended";

/// Each guard answers `Ok`, or why not. None of them is a promise that QEMU accepts the command.
impl Migration {
    /// Whether `migrate_cancel` on the source leaves one guest, and not none or two.
    ///
    /// # Errors
    /// Past the switch to postcopy (QEMU before 10.0 obeys, and the guest is lost), and in the switch while
    /// the target lives: the source runs on, and so may a target that has received everything (seen with 5.2,
    /// 7.2, 10.0 and 11.1).
    pub fn may_cancel(&self) -> Result<(), Refusal> {
        match (&self.source, self.source_is()) {
            (Seen::Gone, _) => refuse("`source` is gone", "nothing is left to cancel"),
            (_, S::Silent) => refuse("`source` does not answer", "find out why it does not answer"),
            (Seen::Alive(_, status), _)
                if status.is_postcopy() || (self.switched() && !status.is_end_state()) =>
            {
                refuse("the guest has switched to `target`: to cancel now would lose it", LET_IT_COMPLETE)
            }
            (_, S::Switching) if self.target_is() != T::Gone => refuse(
                "the switch is under way: `target` may have the whole guest and run it beside `source`",
                "wait; if `target` hangs, kill it, and `source` goes on by itself",
            ),
            _ => Ok(()),
        }
    }

    /// Whether `migrate-start-postcopy` may be sent to the source: past it there is no way back.
    ///
    /// # Errors
    /// With a target that no rehearsal has proven (a recipe that is told to may go on with a warning), in any
    /// other state than `active`, and for a guest that stands still: a target without `-S` starts it (seen
    /// with 5.2 … 11.1).
    pub fn may_switch(&self, rehearsed: bool) -> Result<(), Refusal> {
        match &self.source {
            Seen::Alive(..) if !matches!(self.mode, Mode::Postcopy { .. }) => refuse(
                "this migration cannot switch to postcopy",
                "set `postcopy-ram` on both ends before the migration",
            ),
            Seen::Alive(_, M::Active) if self.target_is() != T::Waiting => {
                refuse("`target` is not seen to be waiting for the guest", "look at `target` first")
            }
            Seen::Alive(run, M::Active) if run.is_live() && !rehearsed => refuse(
                "nobody has proven that `target` can load this guest, and past the switch there is no way back",
                "rehearse first, or move by precopy",
            ),
            Seen::Alive(run, M::Active) if run.is_live() => Ok(()),
            Seen::Alive(_, M::Active) => refuse(
                "the guest stands still, and postcopy would start it on `target`",
                "let precopy complete: a guest that stands still changes no memory",
            ),
            Seen::Alive(_, status) => refuse(
                format!("the migration is `{status}`"),
                "the switch is for a migration that is `active`",
            ),
            Seen::Silent => refuse("`source` does not answer", "find out why it does not answer"),
            Seen::Gone => refuse("`source` is gone", "nothing is left to move"),
        }
    }

    /// Whether `cont` on the source makes one running guest, and not two.
    ///
    /// # Errors
    /// While the target has the guest or may get it, past the switch to postcopy, and after the guest ran on
    /// the target: its disks have gone on since.
    pub fn source_may_cont(&self) -> Result<(), Refusal> {
        let (source, target) = (self.source_is(), self.target_is());
        match source {
            S::Runs => return Ok(()),
            S::Gone => return refuse("`source` is gone", "see what `target` has"),
            S::Silent => return refuse("`source` does not answer", "find out why it does not answer"),
            S::Empty => {
                return refuse("`source` is itself waiting for a guest", "look where the guest was before");
            }
            S::Part => {
                return refuse(
                    "the guest has switched to `target`: what `source` has is not all of it",
                    LET_IT_COMPLETE,
                );
            }
            S::Stranded => return refuse("part of the guest's memory is lost", ANEW),
            S::Switching => return refuse("the switch from `source` to `target` is under way", WAIT),
            S::Held => {
                return refuse(
                    "the guest is stopped before the switch, and the migration goes on",
                    "`migrate-continue`, or `migrate_cancel`: then it goes on by itself",
                );
            }
            S::Stopped | S::Left => {}
        }
        // A migration that never began, or is still before the switch, has given nothing away.
        let given_away = self.source_gave_away();
        match target {
            T::Runs | T::Part => refuse("the guest runs on `target`", "leave it there"),
            T::Loaded | T::MovedOn => refuse("the guest is on `target`, too", END_TARGET),
            T::Silent if given_away => {
                refuse("`target` does not answer, which is no proof that it is dead", END_TARGET)
            }
            T::Waiting if given_away => refuse("`target` lives, and may still start the guest", END_TARGET),
            T::Gone if self.source_is_outdated() => refuse(
                "the guest ran on `target`: what `source` has is from before, and does not fit its disks any more",
                ANEW,
            ),
            T::Gone | T::Waiting | T::Silent => Ok(()),
        }
    }

    /// Whether `cont` on the target makes one running guest, and not two.
    ///
    /// # Errors
    /// While the target does not have the guest, and while the source has it, too.
    pub fn target_may_cont(&self) -> Result<(), Refusal> {
        match (self.source_is(), self.target_is()) {
            (_, T::Gone) => refuse("`target` is gone", "see what `source` has"),
            (_, T::Silent) => refuse("`target` does not answer", "find out why it does not answer"),
            (_, T::Waiting) => refuse("`target` does not have the guest yet", WAIT),
            (_, T::MovedOn) => refuse("the guest has gone on from `target` to a third QEMU", "look there"),
            (S::Runs, _) => {
                refuse("the guest runs on `source`", "`quit` the target, or `stop` and `quit` the source")
            }
            (S::Silent, T::Loaded) => {
                refuse("`source` does not answer, which is no proof that it is dead", "kill the source first")
            }
            (S::Switching, _) => refuse("the switch from `source` to `target` is under way", WAIT),
            (S::Stopped | S::Held, T::Loaded | T::Part) => {
                refuse("the guest is on `source`, too", "`quit` the source first")
            }
            (S::Stranded, T::Part) => refuse("part of the guest's memory is lost", ANEW),
            _ => Ok(()),
        }
    }

    /// Whether the source may be ended: not before the guest was seen on the target as it was, and the source
    /// is done.
    ///
    /// # Errors
    /// While the source has the guest or a part of it. If the guest is lost beyond repair, ending what is
    /// left is allowed.
    pub fn source_may_quit(&self) -> Result<(), Refusal> {
        if self.succeeded() || self.source_is() == S::Gone {
            return Ok(());
        }
        match (self.verdict().holder, self.source_is(), self.target_is()) {
            (Holder::Both, ..) => {
                refuse("two copies of the guest are running", "`stop` both, and decide which one to keep")
            }
            (Holder::Nobody, S::Left, _) if !self.source_is_outdated() => {
                refuse("`source` is all that is left of the guest", "`cont` the source")
            }
            // What is left of a lost guest, or a copy beside a guest that runs.
            (Holder::Nobody, ..) | (Holder::Target, S::Stopped, T::Runs) | (Holder::Target, S::Silent, _) => {
                Ok(())
            }
            (Holder::Target, S::Left, T::Loaded) => refuse(
                "the guest was running, and is stopped on `target`",
                "`cont` the target, and see it run",
            ),
            (Holder::Target, S::Left, T::Part) => refuse("`target` is not done yet", WAIT),
            (Holder::Target, S::Left, T::Runs) => {
                refuse("the guest was stopped, and runs on `target`", "`stop` the target")
            }
            (Holder::Target, ..) => refuse("`source` is not done yet", WAIT),
            (Holder::Source, ..) => refuse("the guest is on `source`", "see it run on the target first"),
            (Holder::InTransit, ..) => refuse("the guest is between `source` and `target`", WAIT),
        }
    }

    /// Whether the target may be ended: the guest is whole on the source, or lost.
    ///
    /// # Errors
    /// While the target has the guest, or a part of it.
    pub fn target_may_quit(&self) -> Result<(), Refusal> {
        let begun = self.may_have_begun();
        match (self.verdict().holder, self.source_is(), self.target_is()) {
            (_, _, T::Gone) | (Holder::Source | Holder::Nobody, ..) => Ok(()),
            // The source has all of it, too, and goes on, or can be told to.
            (Holder::InTransit, S::Switching | S::Left, T::Waiting | T::Silent) if !begun => Ok(()),
            (Holder::Both, ..) => {
                refuse("two copies of the guest are running", "`stop` both, and decide which one to keep")
            }
            (Holder::Target, ..) => refuse("the guest is on `target`", "leave it there"),
            (Holder::InTransit, ..) => refuse("the guest is between `source` and `target`", WAIT),
        }
    }
}
