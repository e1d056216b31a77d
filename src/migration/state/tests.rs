//! The rows of the safety table, and what else was seen with QEMU 5.2, 7.2, 10.0 and 11.1.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

const POSTCOPY: Mode = Mode::Postcopy { switched: true };

/// A situation, who holds the guest in it, and what the guards let through.
struct Row {
    what: &'static str,
    mode: Mode,
    before: &'static str,
    /// `run state/migration state`, `gone`, or `silent`.
    source: &'static str,
    target: &'static str,
    target_ran: bool,
    holder: Holder,
    allowed: &'static str,
}

const fn row(
    what: &'static str,
    mode: Mode,
    before: &'static str,
    (source, target): (&'static str, &'static str),
    target_ran: bool,
    holder: Holder,
    allowed: &'static str,
) -> Row {
    Row { what, mode, before, source, target, target_ran, holder, allowed }
}

fn seen(text: &str) -> Seen {
    match text {
        "gone" => Seen::Gone,
        "silent" => Seen::Silent,
        _ => text.split_once('/').map(|(run, migration)| Seen::alive(run, migration)).unwrap(),
    }
}

impl Row {
    fn migration(&self) -> Migration {
        Migration {
            source: seen(self.source),
            target: seen(self.target),
            mode: self.mode,
            before: self.before.into(),
            target_ran: self.target_ran,
        }
    }
}

fn allowed(migration: &Migration) -> String {
    let guards = [
        ("success", migration.succeeded()),
        ("cancel", migration.may_cancel().is_ok()),
        ("switch", migration.may_switch(true).is_ok()),
        ("cont-s", migration.source_may_cont().is_ok()),
        ("cont-t", migration.target_may_cont().is_ok()),
        ("quit-s", migration.source_may_quit().is_ok()),
        ("quit-t", migration.target_may_quit().is_ok()),
    ];
    guards.iter().filter(|(_, ok)| *ok).map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

#[rustfmt::skip] // A table.
const ROWS: &[Row] = {
    use Holder::{Both, InTransit, Nobody, Source, Target};
    use Mode::{Precopy, Shared};
    const BEFORE_THE_SWITCH: Mode = Mode::Postcopy { switched: false };
    &[
    row("before anything", Precopy, "running", ("running/none", "inmigrate/setup"), false, Source, "cancel cont-s quit-t"),
    row("before anything, the guest is paused", Precopy, "paused", ("paused/none", "inmigrate/none"), false, Source, "cancel cont-s quit-t"),
    row("under way", Precopy, "running", ("running/active", "inmigrate/active"), false, Source, "cancel cont-s quit-t"),
    row("under way, postcopy to come", BEFORE_THE_SWITCH, "running", ("running/active", "inmigrate/active"), false, Source, "cancel switch cont-s quit-t"),
    row("the switch was ordered", POSTCOPY, "running", ("running/active", "inmigrate/active"), false, Source, "switch cont-s quit-t"),
    row("a hung target before the switch", Precopy, "running", ("running/active", "silent"), false, Source, "cancel cont-s quit-t"),
    row("before the switch", Precopy, "running", ("finish-migrate/pre-switchover", "inmigrate/active"), false, Source, "cancel quit-t"),
    row("in the switch, 10.0", Precopy, "running", ("finish-migrate/device", "inmigrate/active"), false, InTransit, "quit-t"),
    row("in the switch, 7.2", Precopy, "running", ("finish-migrate/active", "inmigrate/active"), false, InTransit, "quit-t"),
    row("a hung target in the switch", Precopy, "running", ("finish-migrate/device", "silent"), false, InTransit, "quit-t"),
    row("a target that died in the switch", Precopy, "running", ("finish-migrate/device", "gone"), false, Source, "cancel quit-t"),
    row("a target that was quicker than the source", Precopy, "running", ("finish-migrate/device", "running/completed"), true, Target, ""),

    row("success", Precopy, "running", ("postmigrate/completed", "running/completed"), true, Target, "success cancel cont-t quit-s"),
    row("success, shared memory", Shared, "running", ("postmigrate/completed", "running/completed"), true, Target, "success cancel cont-t quit-s"),
    row("success, postcopy", POSTCOPY, "running", ("postmigrate/completed", "running/completed"), true, Target, "success cancel cont-t quit-s"),
    row("success, the guest is paused", Precopy, "paused", ("postmigrate/completed", "paused/completed"), false, Target, "success cancel cont-t quit-s"),
    row("success, the guest never ran", Precopy, "prelaunch", ("postmigrate/completed", "prelaunch/completed"), false, Target, "success cancel cont-t quit-s"),
    row("success, the guest sleeps", Precopy, "suspended", ("postmigrate/completed", "suspended/completed"), false, Target, "success cancel cont-t quit-s"),
    row("the source has been quit", Precopy, "running", ("gone", "running/completed"), true, Target, "cont-t quit-s"),
    row("a target with -S", Precopy, "running", ("postmigrate/completed", "paused/completed"), false, Target, "cancel cont-t"),
    row("postcopy started a paused guest", POSTCOPY, "paused", ("postmigrate/completed", "running/completed"), true, Target, "cancel cont-t"),
    row("the target is not quite done", POSTCOPY, "running", ("postmigrate/completed", "running/postcopy-active"), true, Target, "success cancel cont-t quit-s"),

    row("without return-path: the target died loading", Precopy, "running", ("postmigrate/completed", "gone"), false, Nobody, "cancel cont-s quit-t"),
    row("the same, the guest was paused", Precopy, "paused", ("postmigrate/completed", "gone"), false, Source, "cancel cont-s quit-t"),
    row("without return-path: the target is still loading", Precopy, "running", ("postmigrate/completed", "inmigrate/active"), false, InTransit, "cancel quit-t"),
    row("without return-path: the target hangs", Precopy, "running", ("postmigrate/completed", "silent"), false, InTransit, "cancel quit-t"),
    row("the target died after it had run", Precopy, "running", ("postmigrate/completed", "gone"), true, Nobody, "cancel quit-s quit-t"),
    row("the same, shared memory", Shared, "running", ("postmigrate/completed", "gone"), true, Nobody, "cancel quit-s quit-t"),
    row("the same, postcopy, and nobody saw it run", POSTCOPY, "running", ("postmigrate/completed", "gone"), false, Nobody, "cancel quit-s quit-t"),
    row("with return-path: the target died loading", Precopy, "running", ("running/failed", "gone"), false, Source, "cancel cont-s quit-t"),
    row("with return-path, paused guest, 7.2", Precopy, "paused", ("postmigrate/failed", "gone"), false, Source, "cancel cont-s quit-t"),
    row("with return-path, paused guest, 10.0", Precopy, "paused", ("paused/failed", "gone"), false, Source, "cancel cont-s quit-t"),
    row("exit-on-error is off", Precopy, "running", ("running/failed", "inmigrate/failed"), false, Source, "cancel cont-s quit-t"),
    row("nobody listens", Precopy, "running", ("running/failed", "inmigrate/none"), false, Source, "cancel cont-s quit-t"),
    row("a failed attempt with shared memory", Shared, "running", ("running/failed", "gone"), false, Source, "cancel cont-s quit-t"),
    row("11.0 is about to fail", Precopy, "running", ("finish-migrate/failing", "gone"), false, Source, "cancel quit-t"),

    row("cancelled", Precopy, "running", ("running/cancelled", "gone"), false, Source, "cancel cont-s quit-t"),
    row("cancelling", Precopy, "running", ("running/cancelling", "inmigrate/active"), false, Source, "cancel cont-s quit-t"),
    row("cancelled before the switch, paused guest, 7.2", Precopy, "paused", ("postmigrate/cancelled", "gone"), false, Source, "cancel cont-s quit-t"),
    row("the same, the target lives yet", Precopy, "paused", ("postmigrate/cancelled", "inmigrate/active"), false, Source, "cancel quit-t"),
    row("cancelled in the switch, the target hangs", Precopy, "running", ("running/cancelled", "silent"), false, Source, "cancel cont-s quit-t"),
    row("cancelled in the switch, the target goes on", Precopy, "running", ("running/cancelled", "running/completed"), true, Both, "cancel cont-s"),
    row("cont after success", Precopy, "running", ("running/completed", "running/completed"), true, Both, "cancel cont-s"),
    row("the same, shared memory", Shared, "running", ("running/completed", "running/completed"), true, Both, "cancel cont-s"),
    row("a rehearsal by precopy into -S", Precopy, "running", ("postmigrate/completed", "paused/completed"), false, Target, "cancel cont-t"),
    row("the same, its target has been quit", Precopy, "running", ("postmigrate/completed", "gone"), false, Nobody, "cancel cont-s quit-t"),
    row("a copy is loaded, the source runs", Precopy, "running", ("running/none", "paused/completed"), false, Source, "cancel cont-s quit-t"),

    row("postcopy", POSTCOPY, "running", ("finish-migrate/postcopy-active", "running/postcopy-active"), true, InTransit, "cont-t"),
    row("postcopy, the guest is stopped", POSTCOPY, "running", ("finish-migrate/postcopy-active", "paused/postcopy-active"), true, InTransit, "cont-t"),
    row("postcopy, the target loads", POSTCOPY, "running", ("finish-migrate/postcopy-active", "inmigrate/postcopy-active"), false, InTransit, ""),
    row("postcopy, the target does not answer", POSTCOPY, "running", ("finish-migrate/postcopy-active", "silent"), false, InTransit, ""),
    row("postcopy, 10.2: the target loads", POSTCOPY, "running", ("finish-migrate/postcopy-device", "inmigrate/active"), false, InTransit, "quit-t"),
    row("postcopy, 10.2: the target dies loading", POSTCOPY, "running", ("finish-migrate/postcopy-device", "gone"), false, Source, "quit-t"),
    row("the same, a moment later", POSTCOPY, "running", ("running/failed", "gone"), false, Source, "cancel cont-s quit-t"),
    row("before 10.2: the target dies in the switch", POSTCOPY, "running", ("finish-migrate/device", "gone"), false, InTransit, "quit-t"),
    row("postcopy, 10.2: the source has not heard yet", POSTCOPY, "running", ("finish-migrate/postcopy-device", "running/postcopy-active"), true, InTransit, ""),
    row("the source gave up, the target goes on", POSTCOPY, "running", ("paused/failed", "running/postcopy-paused"), true, InTransit, "cancel"),
    row("a target that ran, and a source that failed", Precopy, "running", ("postmigrate/failed", "gone"), true, Nobody, "cancel quit-s quit-t"),
    row("before 10.2: the target hangs in the switch", POSTCOPY, "running", ("finish-migrate/device", "silent"), false, InTransit, ""),
    row("a target that ran, and hangs", Precopy, "running", ("postmigrate/completed", "silent"), true, Target, "cancel"),
    row("the same in postcopy, and nobody saw it run", POSTCOPY, "running", ("postmigrate/completed", "silent"), false, Target, "cancel"),
    row("a broken link", POSTCOPY, "running", ("finish-migrate/postcopy-paused", "running/postcopy-paused"), true, InTransit, "cont-t"),
    row("a broken link, seen by one end", POSTCOPY, "running", ("finish-migrate/postcopy-active", "running/postcopy-paused"), true, InTransit, "cont-t"),
    row("recovering", POSTCOPY, "running", ("finish-migrate/postcopy-recover-setup", "running/postcopy-paused"), true, InTransit, "cont-t"),
    row("recovering, 7.2", POSTCOPY, "running", ("finish-migrate/postcopy-recover", "running/postcopy-recover"), true, InTransit, "cont-t"),
    row("a target that lacks a device, or was killed", POSTCOPY, "running", ("finish-migrate/postcopy-paused", "gone"), true, Nobody, "quit-s quit-t"),
    row("the source was killed", POSTCOPY, "running", ("gone", "running/postcopy-paused"), true, Nobody, "cont-t quit-s quit-t"),
    row("the source was killed, and the target does not answer, 5.2", POSTCOPY, "running", ("gone", "silent"), true, InTransit, "quit-s"),
    row("the source does not answer", POSTCOPY, "running", ("silent", "running/postcopy-active"), true, InTransit, "cont-t"),
    row("cancelled past the switch, 7.2", POSTCOPY, "running", ("postmigrate/cancelled", "running/postcopy-paused"), true, Nobody, "cancel quit-s quit-t"),
    row("cancelled past the switch, the target was killed, 7.2", POSTCOPY, "running", ("finish-migrate/cancelling", "gone"), true, Nobody, "quit-s quit-t"),
    row("continued after that, 7.2", POSTCOPY, "running", ("running/cancelled", "running/postcopy-paused"), true, Both, "cancel cont-s"),
    row("a switch that failed before it began, 7.2", POSTCOPY, "running", ("postmigrate/failed", "gone"), false, Source, "cancel cont-s quit-t"),
    row("a state of a later QEMU", POSTCOPY, "running", ("finish-migrate/postcopy-something", "running/postcopy-something"), true, InTransit, "cont-t"),
    row("a run state of a later QEMU", Precopy, "running", ("something/active", "inmigrate/active"), false, Source, "quit-t"),

    row("both are gone", Precopy, "running", ("gone", "gone"), false, Nobody, "quit-s quit-t"),
    row("the source was killed before the switch", Precopy, "running", ("gone", "inmigrate/active"), false, Nobody, "quit-s quit-t"),
    row("nobody answers", Precopy, "running", ("silent", "silent"), false, InTransit, ""),
    row("the source does not answer, the target has the guest", Precopy, "running", ("silent", "running/completed"), true, Target, "cont-t quit-s"),
    row("the source does not answer, the target has a copy", Precopy, "running", ("silent", "paused/completed"), false, InTransit, ""),
    row("the source is a target itself", Precopy, "running", ("inmigrate/none", "inmigrate/none"), false, Nobody, "cancel quit-s quit-t"),
    row("moved on", Precopy, "running", ("postmigrate/completed", "postmigrate/completed"), true, InTransit, "cancel"),
    ]
};

#[test]
fn every_row_of_the_table() {
    let wrong: Vec<String> = ROWS
        .iter()
        .filter_map(|row| {
            let migration = row.migration();
            let (holder, allowed) = (migration.verdict().holder, allowed(&migration));
            (holder != row.holder || allowed != row.allowed).then(|| {
                format!("{}: {holder:?}, {allowed:?}; wanted {:?}, {:?}", row.what, row.holder, row.allowed)
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn said(row: &Row) -> (String, &'static str) {
    let verdict = row.migration().verdict();
    (verdict.to_string(), verdict.remedy)
}

#[test]
fn the_sentences_are_for_people() {
    let say = |what| said(ROWS.iter().find(|row| row.what == what).unwrap());
    assert_eq!(say("under way"), ("the guest is safe: `source` is running".into(), ""));
    assert_eq!(say("success"), ("the guest runs on `target`".into(), ""));
    assert_eq!(say("success, the guest is paused").0, "the guest is on `target`, stopped as it was");
    assert_eq!(
        say("without return-path: the target died loading"),
        (
            "the guest runs nowhere: `target` ended before it began; `source` still has it".into(),
            "`cont` the source"
        )
    );
    assert_eq!(
        say("a target that lacks a device, or was killed"),
        (
            "the guest is lost: it had switched to `target`, which is gone; \
             what is left is a part of its memory on `source`"
                .into(),
            "`quit` what is left, and start the guest anew from its disks"
        )
    );
    for row in ROWS {
        let (sentence, remedy) = said(row);
        assert!(!sentence.ends_with('.') && !remedy.ends_with('.'), "{sentence} {remedy}");
        let lost = sentence.contains("lost");
        assert!(!lost || row.holder == Holder::Nobody, "{}: {sentence}", row.what);
        let hidden = sentence.contains("does not answer");
        assert_eq!(sentence.contains("safe"), row.holder == Holder::Source && !hidden, "{}", row.what);
    }
}

#[test]
fn a_refusal_says_why_and_what_instead() {
    let refusal = |what, guard: fn(&Migration) -> Result<(), Refusal>| {
        let row = ROWS.iter().find(|row| row.what == what).unwrap();
        let refusal = guard(&row.migration()).unwrap_err();
        (refusal.to_string(), refusal.remedy)
    };
    assert_eq!(
        refusal("postcopy", Migration::may_cancel),
        (
            "the guest has switched to `target`: to cancel now would lose it".into(),
            "let it complete; if the link is down, recover it"
        )
    );
    assert_eq!(
        refusal("a hung target in the switch", Migration::may_cancel),
        (
            "the switch is under way: `target` may have the whole guest and run it beside `source`".into(),
            "wait; if `target` hangs, kill it, and `source` goes on by itself"
        )
    );
    assert_eq!(
        refusal("success", Migration::source_may_cont),
        ("the guest runs on `target`".into(), "leave it there")
    );
    assert_eq!(
        refusal("under way", Migration::source_may_quit),
        ("the guest is on `source`".into(), "see it run on the target first")
    );
    assert_eq!(
        refusal("under way, postcopy to come", |migration| migration.may_switch(false)),
        (
            "nobody has proven that `target` can load this guest, and past the switch there is no way back"
                .into(),
            "rehearse first, or move by precopy"
        )
    );
}

#[test]
fn postcopy_never_starts_a_guest_that_stood_still() {
    let mut migration =
        ROWS.iter().find(|row| row.what == "under way, postcopy to come").unwrap().migration();
    assert_eq!(migration.may_switch(true), Ok(()));
    migration.source = Seen::alive("paused", "active");
    assert_eq!(
        migration.may_switch(true).unwrap_err().reason,
        "the guest stands still, and postcopy would start it on `target`"
    );
}

/// The rules themselves, over everything that two ends can be seen in.
#[test]
fn no_guard_makes_two_guests_or_none() {
    let runs =
        "debug inmigrate io-error paused postmigrate prelaunch finish-migrate running suspended shutdown new";
    let statuses = "none setup cancelling cancelled active postcopy-device postcopy-active postcopy-paused \
                    postcopy-recover-setup postcopy-recover completed failing failed pre-switchover device \
                    wait-unplug colo new";
    let mut ends = vec![Seen::Gone, Seen::Silent];
    for run in runs.split_whitespace() {
        ends.extend(statuses.split_whitespace().map(|status| Seen::alive(run, status)));
    }
    let modes = [Mode::Precopy, Mode::Shared, Mode::Postcopy { switched: false }, POSTCOPY];
    let live = |seen: &Seen| matches!(seen, Seen::Alive(run, _) if run.is_live());
    for (source, target) in ends.iter().flat_map(|source| ends.iter().map(move |target| (source, target))) {
        for (mode, before, target_ran) in modes.iter().flat_map(|mode| {
            ["running", "paused"].iter().flat_map(move |before| [(mode, before, false), (mode, before, true)])
        }) {
            let (source, target) = (source.clone(), target.clone());
            let migration = Migration { source, target, mode: *mode, before: (*before).into(), target_ran };
            let holder = migration.verdict().holder;
            let both = live(&migration.source) && live(&migration.target);
            assert_eq!(holder == Holder::Both, both, "{migration:?}");
            if migration.source_may_cont().is_ok() {
                assert!(live(&migration.source) || !live(&migration.target), "two guests: {migration:?}");
            }
            if migration.target_may_cont().is_ok() {
                assert!(!live(&migration.source), "two guests: {migration:?}");
            }
            let source_gone = migration.source == Seen::Gone;
            if migration.source_may_quit().is_ok() && !source_gone {
                assert!(matches!(holder, Holder::Target | Holder::Nobody), "none: {migration:?}");
                assert!(!live(&migration.source), "none: {migration:?}");
            }
            if migration.target_may_quit().is_ok() && migration.target != Seen::Gone {
                let elsewhere = live(&migration.source) || holder != Holder::Target;
                assert!(
                    elsewhere && (source_gone || !live(&migration.target) || holder == Holder::Nobody),
                    "none: {migration:?}"
                );
            }
            if migration.target_may_quit().is_ok()
                && matches!(migration.target, Seen::Alive(..) | Seen::Silent)
            {
                let kept = live(&migration.source) || !migration.source_is_outdated();
                assert!(
                    kept || holder != Holder::Target && holder != Holder::InTransit,
                    "none: {migration:?}"
                );
            }
            if migration.may_cancel().is_ok()
                && let Seen::Alive(_, status) = &migration.source
            {
                assert!(!status.is_postcopy(), "lost: {migration:?}");
            }
            if migration.succeeded() {
                assert!(!live(&migration.source) && holder == Holder::Target, "{migration:?}");
                assert_eq!(migration.source_may_quit(), Ok(()));
            }
        }
    }
}

#[test]
fn words_are_read_leniently_and_kept() {
    assert_eq!(RunStatus::from("VM status: paused (postmigrate)"), RunStatus::Postmigrate);
    assert_eq!(RunStatus::from("VM status: running (single step mode)\r\n"), RunStatus::Running);
    assert_eq!(RunStatus::from("VM status: paused"), RunStatus::Paused);
    assert_eq!(RunStatus::from("guest-panicked"), RunStatus::GuestPanicked);
    assert_eq!(RunStatus::from("something"), RunStatus::Other("something".into()));
    assert_eq!(MigrationStatus::from(""), MigrationStatus::None);
    assert_eq!(MigrationStatus::from("postcopy-later").to_string(), "postcopy-later");
    assert!(MigrationStatus::from("postcopy-later").is_postcopy());
    for word in ["wait-unplug", "postcopy-recover-setup", "failing"] {
        assert!(!matches!(MigrationStatus::from(word), MigrationStatus::Other(_)));
        assert_eq!(MigrationStatus::from(word).to_string(), word);
    }
}

#[test]
fn which_states_end_and_which_stand_still() {
    let all = "none setup active device cancelling failing colo pre-switchover postcopy-paused \
               completed failed cancelled";
    let of = |test: fn(&MigrationStatus) -> bool| {
        let words = all.split_whitespace().filter(|word| test(&MigrationStatus::from(*word)));
        words.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(of(MigrationStatus::is_end_state), "completed failed cancelled");
    assert_eq!(of(MigrationStatus::is_standstill), "pre-switchover postcopy-paused");
    assert_eq!(of(MigrationStatus::is_postcopy), "postcopy-paused");
}
