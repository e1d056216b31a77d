//! The verdict: who holds the guest, in a sentence for people. Pure: one table over both ends.

use std::fmt;

use super::ends::{Source, Target};
use super::{Migration, Mode};

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

/// Holder, sentence, remedy.
type Row = (Holder, &'static str, &'static str);

const ON_TARGET: &str = "the guest runs on `target`";
const ANEW: &str = "`quit` what is left, and start the guest anew from its disks";
const FIRST_END_TARGET: &str = "end `target` before anybody continues it";
const STOPPED_AS_IT_WAS: Row =
    (Holder::Source, "the guest is safe: it is on `source`, stopped as it was", "");
const OUTDATED: Row = (
    Holder::Nobody,
    "the guest is lost: it ran on `target`, which is gone; \
     what is left on `source` is from before, and does not fit its disks any more",
    ANEW,
);
const UNKNOWN: Row = (
    Holder::InTransit,
    "nobody who is known to have the guest answers",
    "find out where it is before anything is killed or continued",
);

impl Migration {
    /// Who holds the guest.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let target = self.target_is();
        let (holder, sentence, remedy) = match self.source_is() {
            Source::Runs => self.source_runs(target),
            _ if target == Target::MovedOn => {
                (Holder::InTransit, "the guest has gone on from `target` to a third QEMU", "look there")
            }
            Source::Stopped | Source::Held if target == Target::Part => self.parts(target),
            Source::Stopped => self.source_stopped(target),
            Source::Held => held(target),
            Source::Switching => self.switching(target),
            Source::Part => self.parts(target),
            Source::Stranded => (
                Holder::Nobody,
                "the guest is lost: it was cancelled after the switch to `target`; \
                 each end has a part of its memory that the other lacks",
                ANEW,
            ),
            Source::Left => self.source_left(target),
            Source::Silent => self.source_silent(target),
            Source::Gone | Source::Empty => self.no_source(target),
        };
        Verdict { holder, sentence, remedy }
    }

    fn source_runs(&self, target: Target) -> Row {
        const SAFE: &str = "the guest is safe: `source` is running";
        if self.target_is_live() {
            let sentence = if self.mode == Mode::Shared {
                "two copies of the guest are running, on the same memory"
            } else {
                "two copies of the guest are running, on `source` and on `target`"
            };
            let remedy = "`stop` both at once, then `quit` the one to be given up; check the guest's disks";
            return (Holder::Both, sentence, remedy);
        }
        let remedy = match target {
            Target::Silent => {
                "kill `target`, which does not answer: it could still run the guest a second time"
            }
            Target::Loaded | Target::Part => FIRST_END_TARGET,
            _ => "",
        };
        (Holder::Source, SAFE, remedy)
    }

    fn source_stopped(&self, target: Target) -> Row {
        const SAFE: &str = "the guest is safe: it is on `source`, stopped";
        match target {
            Target::Runs => (Holder::Target, ON_TARGET, "`quit` the source; never `cont` it"),
            Target::Gone if self.source_is_outdated() => OUTDATED,
            Target::Gone | Target::Waiting if self.before.is_stopped() => STOPPED_AS_IT_WAS,
            Target::Gone => (Holder::Source, SAFE, "`cont` the source"),
            _ => (Holder::Source, SAFE, FIRST_END_TARGET),
        }
    }

    fn switching(&self, target: Target) -> Row {
        match target {
            Target::Runs => (Holder::Target, ON_TARGET, "wait until `source` is `completed`"),
            Target::Part => self.parts(target),
            // Before 10.2, the source does not know whether the target had begun.
            Target::Gone if self.switched() && self.may_have_begun() => (
                Holder::InTransit,
                "`target` ended in the switch to postcopy: the guest is whole on `source`, or in parts",
                "look at `source` again in a moment: `failed` means that it is whole there, \
                 `postcopy-paused` that it is lost",
            ),
            Target::Gone => (
                Holder::Source,
                "the guest is safe: it is on `source`, which goes on by itself",
                "wait until `source` is `running`; if it ends as `completed`, `cont` it",
            ),
            _ if self.may_have_begun() => (
                Holder::InTransit,
                "the guest is in the switch from `source` to `target`",
                "end neither, and wait",
            ),
            _ => (
                Holder::InTransit,
                "the guest is stopped, in the switch from `source` to `target`",
                "wait; if `target` hangs, kill it and `source` goes on by itself: \
                 to cancel now could make the guest run twice",
            ),
        }
    }

    /// Past the switch to postcopy.
    fn parts(&self, target: Target) -> Row {
        match target {
            Target::Gone => (
                Holder::Nobody,
                "the guest is lost: it had switched to `target`, which is gone; \
                 what is left is a part of its memory on `source`",
                ANEW,
            ),
            _ if self.link_is_down() => (
                Holder::InTransit,
                "the guest is on `target`, part of its memory still on `source`, and the link is down",
                "end neither; `migrate-recover` on the target, then `migrate` with `resume` on the source",
            ),
            _ => (
                Holder::InTransit,
                "the guest is on `target`, part of its memory still on `source`",
                "end neither until the migration is `completed`",
            ),
        }
    }

    fn source_left(&self, target: Target) -> Row {
        match target {
            Target::Runs | Target::Part => (Holder::Target, ON_TARGET, ""),
            Target::Loaded => self.target_loaded(),
            Target::Silent if self.source_is_outdated() => (
                Holder::Target,
                "the guest is on `target`, which does not answer",
                "find out why it does not answer",
            ),
            Target::Gone if self.source_is_outdated() => OUTDATED,
            Target::Gone if self.before.is_stopped() => STOPPED_AS_IT_WAS,
            Target::Gone => (
                Holder::Nobody,
                "the guest runs nowhere: `target` ended before it began; `source` still has it",
                "`cont` the source",
            ),
            _ => (
                Holder::InTransit,
                "`source` has sent the guest, and `target` has not begun",
                "wait; if `target` hangs, kill it and then `cont` the source",
            ),
        }
    }

    fn target_loaded(&self) -> Row {
        if self.before.is_stopped() {
            (Holder::Target, "the guest is on `target`, stopped as it was", "")
        } else {
            (Holder::Target, "the guest is on `target`, stopped", "`cont` the target")
        }
    }

    fn source_silent(&self, target: Target) -> Row {
        match target {
            Target::Runs => (
                Holder::Target,
                ON_TARGET,
                "kill `source`, which does not answer: it could still run the guest a second time",
            ),
            Target::Part => self.parts(target),
            Target::Waiting | Target::Gone => (
                Holder::Source,
                "the guest is on `source`, which does not answer",
                "find out why it does not answer",
            ),
            _ => UNKNOWN,
        }
    }

    fn no_source(&self, target: Target) -> Row {
        match target {
            Target::Runs => (Holder::Target, ON_TARGET, ""),
            Target::Loaded => self.target_loaded(),
            Target::Part => (
                Holder::Nobody,
                "the guest is lost: part of its memory was on `source`, which is gone; \
                 what is left on `target` stops as soon as it needs that part",
                ANEW,
            ),
            Target::Silent => UNKNOWN,
            Target::Waiting | Target::MovedOn | Target::Gone if self.source_is() == Source::Empty => (
                Holder::Nobody,
                "neither end has the guest: `source` is itself waiting for one",
                "look where it was before",
            ),
            Target::Waiting => (
                Holder::Nobody,
                "the guest is lost: `source` is gone, and `target` never had all of it",
                ANEW,
            ),
            Target::MovedOn | Target::Gone => (
                Holder::Nobody,
                "the guest is lost: both ends are gone",
                "start the guest anew from its disks",
            ),
        }
    }
}

fn held(target: Target) -> Row {
    match target {
        Target::Runs => {
            (Holder::Target, ON_TARGET, "`migrate_cancel` and `quit` the source; never `cont` it")
        }
        _ => (
            Holder::Source,
            "the guest is safe: it is on `source`, stopped before the switch",
            "`migrate-continue` if the migration is `pre-switchover`; `migrate_cancel` brings the guest back",
        ),
    }
}
