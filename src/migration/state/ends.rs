//! What each end is to the guest: the many pairs of states, sorted into the few cases that matter. Pure.

use super::{Migration, MigrationStatus as M, RunStatus as R, Seen};

/// What the source is to the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Runs,
    /// It has the guest whole and stopped; `cont` works.
    Stopped,
    /// It has the guest whole and stopped, in a migration that waits; cancelling brings the guest back.
    Held,
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

impl Migration {
    pub(super) fn source_is(&self) -> Source {
        match &self.source {
            Seen::Gone => Source::Gone,
            // A state that nobody knows here is no better than none.
            Seen::Silent | Seen::Alive(R::Other(_), _) => Source::Silent,
            Seen::Alive(run, _) if run.is_live() => Source::Runs,
            Seen::Alive(R::Inmigrate, _) => Source::Empty,
            // QEMU gives the guest back to the source if this fails.
            Seen::Alive(_, M::PostcopyDevice) => Source::Switching,
            Seen::Alive(_, status) if status.is_postcopy() => Source::Part,
            Seen::Alive(R::FinishMigrate | R::Postmigrate, M::Completed) => Source::Left,
            // Before 10.0 QEMU cancels past the switch when it is told to.
            Seen::Alive(R::FinishMigrate | R::Postmigrate, M::Cancelling | M::Cancelled)
                if self.switched() =>
            {
                Source::Stranded
            }
            // `cpr-transfer` stops the guest before it connects.
            Seen::Alive(R::FinishMigrate, M::PreSwitchover | M::Setup) => Source::Held,
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
            Seen::Alive(run, _) if run.is_live() => Target::Runs,
            Seen::Alive(..) => Target::Loaded,
        }
    }

    pub(super) fn target_is_live(&self) -> bool {
        matches!(&self.target, Seen::Alive(run, _) if run.is_live())
    }

    /// Whether the source has given the guest away, or may have: cancelling and failing come too late now and
    /// then.
    pub(super) fn source_gave_away(&self) -> bool {
        let ended =
            matches!(&self.source, Seen::Alive(R::Postmigrate, _) | Seen::Alive(_, M::Failed | M::Cancelled));
        ended || self.source_is() == Source::Left
    }

    /// Whether the guest has gone on since the source's copy was taken.
    pub(super) fn source_is_outdated(&self) -> bool {
        // Postcopy is only over when the guest has run with memory that was sent after the switch.
        let postcopied = self.source_is() == Source::Left && self.switched() && self.before.is_live();
        self.source_gave_away() && (self.target_ran || postcopied)
    }

    /// Whether the target may have run the guest already, although the source does not say so yet.
    pub(super) fn may_have_begun(&self) -> bool {
        self.target_ran || (self.switched() && !matches!(self.source, Seen::Alive(_, M::PostcopyDevice)))
    }

    pub(super) fn link_is_down(&self) -> bool {
        [&self.source, &self.target].iter().any(|end| matches!(end, Seen::Alive(_, M::PostcopyPaused)))
    }
}
