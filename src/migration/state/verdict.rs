//! The verdict: who holds the guest, in a sentence for people. Pure: one table over both ends.

use std::fmt;

use super::{Migration, MigrationStatus as M, Mode, RunStatus as R, Seen};

/// Who holds the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// The source has it whole; running, or stopped and able to go on.
    Source,
    /// The target has it.
    Target,
    /// Both are needed, or it is not known yet which of the two has it.
    InTransit,
    /// It runs nowhere. The sentence says whether it is lost, the remedy what can still be done.
    Nobody,
    /// Two copies of it are running.
    Both,
}

/// Who holds the guest, and what to do about it. `Display` gives the sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Who.
    pub holder: Holder,
    /// The same for people, such as ``the guest is safe: `source` is running``.
    pub sentence: &'static str,
    /// What to do; empty where nothing has to be done.
    pub remedy: &'static str,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence)
    }
}

/// What the source is to the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Runs,
    /// It has the guest whole and stopped; `cont` works.
    Stopped,
    /// The switch is under way: the target may begin any moment.
    Switching,
    /// Past the switch to postcopy: it has a part that the target needs.
    Part,
    /// Past the switch to postcopy and cancelled: nobody can fetch its part any more.
    Stranded,
    /// It has sent everything, and keeps a copy as of the switch.
    Left,
    /// It waits for a guest itself.
    Empty,
    Silent,
    Gone,
}

/// What the target is to the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Runs,
    /// It has the guest whole and stopped; `cont` works.
    Loaded,
    /// Past the switch to postcopy, running or not: it lacks a part.
    Part,
    Waiting,
    /// The guest is leaving it, or has left it, for a third QEMU.
    MovedOn,
    Silent,
    Gone,
}

const ANEW: &str = "`quit` what is left, and start the guest anew from its disks";
const FIRST_END_TARGET: &str = "end `target` before anybody continues it";

impl Migration {
    pub(super) fn source_is(&self) -> Source {
        match &self.source {
            Seen::Gone => Source::Gone,
            // A state that nobody knows here is no better than none.
            Seen::Silent | Seen::Alive(R::Other(_), _) => Source::Silent,
            Seen::Alive(R::Running, _) => Source::Runs,
            Seen::Alive(R::Inmigrate, _) => Source::Empty,
            // QEMU gives the guest back to the source if this fails.
            Seen::Alive(_, M::PostcopyDevice) => Source::Switching,
            Seen::Alive(_, status) if status.is_postcopy() => Source::Part,
            Seen::Alive(R::FinishMigrate | R::Postmigrate, M::Completed) => Source::Left,
            // Before 10.0 QEMU cancels past the switch when it is told to.
            Seen::Alive(R::FinishMigrate | R::Postmigrate, M::Cancelling | M::Cancelled) if self.switched => {
                Source::Stranded
            }
            Seen::Alive(R::FinishMigrate, M::PreSwitchover) => Source::Stopped,
            Seen::Alive(R::FinishMigrate, _) => Source::Switching,
            Seen::Alive(..) => Source::Stopped,
        }
    }

    pub(super) fn target_is(&self) -> Target {
        match &self.target {
            Seen::Gone => Target::Gone,
            Seen::Silent | Seen::Alive(R::Other(_), _) => Target::Silent,
            Seen::Alive(R::Inmigrate, _) => Target::Waiting,
            Seen::Alive(R::FinishMigrate | R::Postmigrate, _) => Target::MovedOn,
            Seen::Alive(_, status) if status.is_postcopy() => Target::Part,
            Seen::Alive(R::Running, _) => Target::Runs,
            Seen::Alive(..) => Target::Loaded,
        }
    }

    fn target_is_running(&self) -> bool {
        matches!(self.target, Seen::Alive(R::Running, _))
    }

    fn link_is_down(&self) -> bool {
        [&self.source, &self.target].iter().any(|end| matches!(end, Seen::Alive(_, M::PostcopyPaused)))
    }

    /// Who holds the guest.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        use {Holder as H, Source as S, Target as T};
        let (holder, sentence, remedy) = match (self.source_is(), self.target_is()) {
            (S::Runs, _) if self.target_is_running() => (
                H::Both,
                if self.mode == Mode::Shared {
                    "two copies of the guest are running, on the same memory"
                } else {
                    "two copies of the guest are running, on `source` and on `target`"
                },
                "`stop` both at once, then `quit` the one to be given up; check the guest's disks",
            ),
            (S::Runs, T::Silent) => (
                H::Source,
                "the guest is safe: `source` is running",
                "kill `target`, which does not answer: it could still run the guest a second time",
            ),
            (S::Runs, T::Loaded | T::Part) => {
                (H::Source, "the guest is safe: `source` is running", FIRST_END_TARGET)
            }
            (S::Runs, _) => (H::Source, "the guest is safe: `source` is running", ""),

            (S::Stopped, T::Runs) => {
                (H::Target, "the guest runs on `target`", "`quit` the source; never `cont` it")
            }
            (S::Stopped, T::Gone | T::Waiting) if self.before.is_stopped() => {
                (H::Source, "the guest is safe: it is on `source`, stopped as it was", "")
            }
            (S::Stopped, T::Gone) => {
                (H::Source, "the guest is safe: it is on `source`, stopped", "`cont` the source")
            }
            (S::Stopped, _) => (H::Source, "the guest is safe: it is on `source`, stopped", FIRST_END_TARGET),

            (_, T::MovedOn) => {
                (H::InTransit, "the guest has gone on from `target` to a third QEMU", "look there")
            }

            (S::Switching, T::Runs) => {
                (H::Target, "the guest runs on `target`", "wait until `source` is `completed`")
            }
            (S::Switching, T::Gone) => (
                H::Source,
                "the guest is safe: it is on `source`, which goes on by itself",
                "wait until `source` is `running`; if it ends as `completed`, `cont` it",
            ),
            (S::Switching, _) => (
                H::InTransit,
                "the guest is stopped, in the switch from `source` to `target`",
                "wait; if `target` hangs, kill it and `source` goes on by itself: \
                 to cancel now could make the guest run twice",
            ),

            (S::Part, T::Gone) => (
                H::Nobody,
                "the guest is lost: it had switched to `target`, which is gone; \
                 what is left is a part of its memory on `source`",
                ANEW,
            ),
            (S::Part | S::Silent, T::Part) if self.link_is_down() => (
                H::InTransit,
                "the guest is on `target`, part of its memory still on `source`, and the link between them is down",
                "end neither; `migrate-recover` on the target, then `migrate` with `resume` on the source",
            ),
            (S::Part, _) | (S::Silent, T::Part) => (
                H::InTransit,
                "the guest is on `target`, part of its memory still on `source`",
                "end neither until the migration is `completed`",
            ),
            (S::Stranded, _) => (
                H::Nobody,
                "the guest is lost: it was cancelled after the switch to `target`; \
                 each end has a part of its memory that the other lacks",
                ANEW,
            ),
            (S::Gone | S::Empty, T::Part) => (
                H::Nobody,
                "the guest is lost: part of its memory was on `source`, which is gone; \
                 what is left on `target` stops as soon as it needs that part",
                ANEW,
            ),

            (S::Silent, T::Runs) => (
                H::Target,
                "the guest runs on `target`",
                "kill `source`, which does not answer: it could still run the guest a second time",
            ),
            (_, T::Runs) | (S::Left, T::Part) => (H::Target, "the guest runs on `target`", ""),
            (S::Left | S::Gone | S::Empty, T::Loaded) if self.before.is_stopped() => {
                (H::Target, "the guest is on `target`, stopped as it was", "")
            }
            (S::Left | S::Gone | S::Empty, T::Loaded) => {
                (H::Target, "the guest is on `target`, stopped", "`cont` the target")
            }

            (S::Left, T::Gone) if self.target_ran => (
                H::Nobody,
                "the guest is lost: it ran on `target`, which is gone; \
                 what is left on `source` is from before, and does not fit its disks any more",
                ANEW,
            ),
            (S::Left, T::Gone) if self.before.is_stopped() => {
                (H::Source, "the guest is safe: it is on `source`, stopped as it was", "")
            }
            (S::Left, T::Gone) => (
                H::Nobody,
                "the guest runs nowhere: `target` ended before it began; `source` still has it",
                "`cont` the source",
            ),
            (S::Left, _) => (
                H::InTransit,
                "`source` has sent the guest, and `target` has not begun",
                "wait; if `target` hangs, kill it and then `cont` the source",
            ),

            (S::Silent, T::Waiting | T::Gone) => (
                H::Source,
                "the guest is on `source`, which does not answer",
                "find out why it does not answer",
            ),
            (S::Silent, T::Loaded | T::Silent) | (S::Gone, T::Silent) => (
                H::InTransit,
                "nobody who is known to have the guest answers",
                "find out where it is before anything is killed or continued",
            ),
            (S::Gone, T::Waiting) => {
                (H::Nobody, "the guest is lost: `source` is gone, and `target` never had all of it", ANEW)
            }
            (S::Gone, T::Gone) => {
                (H::Nobody, "the guest is lost: both ends are gone", "start the guest anew from its disks")
            }
            (S::Empty, _) => (
                H::Nobody,
                "neither end has the guest: `source` is itself waiting for one",
                "look where it was before",
            ),
        };
        Verdict { holder, sentence, remedy }
    }
}
