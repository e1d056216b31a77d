use serde_json::json;

use super::super::account::{Guest, Line, Lines};
use super::*;

/// A postcopy as it was recorded: 7.2 to 10.0, times in milliseconds.
pub(in crate::report) fn recorded() -> Account {
    let mut account = Account::new("patch.rhai", "live_patch(vm);");
    account.start = 0.0;
    account.guests = vec![guest("db1", 11), guest("target", 12)];
    account.begun = vec![(0, 252.9)];
    let moments = [
        (1, 251.2, "MIGRATION", "setup"),
        (0, 252.5, "MIGRATION", "setup"),
        (1, 253.5, "MIGRATION", "active"),
        (0, 255.0, "MIGRATION_PASS", ""),
        (0, 255.1, "MIGRATION", "active"),
        (0, 313.8, "MIGRATION", "postcopy-active"),
        (0, 314.5, "STOP", ""),
        (1, 317.6, "MIGRATION", "postcopy-active"),
        (1, 319.5, "RESUME", ""),
        (1, 468.0, "MIGRATION", "completed"),
        (0, 468.7, "MIGRATION", "completed"),
        (1, 494.4, "STOP", ""),
        (1, 531.3, "RESUME", ""),
    ];
    let moment = |(guest, at, name, status): (usize, f64, &str, &str)| Moment {
        guest,
        at,
        name: name.into(),
        status: status.into(),
    };
    account.moments = moments.map(moment).to_vec();
    account.gaps = vec![(306.0, 326.0)];
    account.guests[0].samples = [
        (254.0, 512, 0),
        (300.0, 500, 10),
        (369.0, 340, 16),
        (456.0, 12, 17),
        (470.0, 0, 18),
        (482.0, 0, 18),
    ]
    .map(|(at, remaining, sent)| Sample {
        at,
        status: if at < 310.0 {
            "active"
        } else if at < 460.0 {
            "postcopy-active"
        } else {
            "completed"
        }
        .into(),
        total: Some(512 << 20),
        remaining: Some(remaining << 20),
        transferred: Some(sent << 20),
        total_ms: Some(at - 252.0),
        downtime_ms: (at > 480.0).then_some(2.0),
        ..Sample::default()
    })
    .to_vec();
    for (at, name) in [(239.0, "agree"), (250.0, "migrate")] {
        let details = json!({
            "mode": "postcopy", "source": { "name": "db1", "pid": 11 }, "target": { "name": "target", "pid": 12 },
        });
        account.lines.push(Line { at, what: What::Step(name.into(), details) });
    }
    account
}

fn guest(name: &str, pid: u32) -> Guest {
    Guest { name: name.into(), pid: Some(pid), version: "10.0.2".into(), ..Guest::default() }
}

#[test]
fn a_postcopy_is_put_together() {
    let found = courses(&recorded());
    assert_eq!(found.len(), 1);
    let course = &found[0];
    assert_eq!((course.source, course.target, course.mode.as_deref()), (0, Some(1), Some("postcopy")));
    assert_eq!((course.start, course.end, course.status.as_str()), (252.5, 470.0, "completed"));
    assert_eq!((course.stop, course.resume, course.blackout()), (Some(314.5), Some(319.5), Some(5.0)));
    assert_eq!(course.gap, Some((306.0, 326.0)));
    let statuses =
        |end: usize| -> Vec<&str> { course.phases[end].iter().map(|phase| phase.status.as_str()).collect() };
    assert_eq!(statuses(0), ["setup", "active", "postcopy-active", "completed"]);
    assert_eq!(statuses(1), ["setup", "active", "postcopy-active", "completed"]);
    // The figures of the end are those that were final.
    assert_eq!((course.samples.len(), course.last().unwrap().downtime_ms), (5, Some(2.0)));
}

#[test]
fn by_hand_the_events_tell_the_target() {
    let mut account = recorded();
    account.lines = Lines::default();
    let course = &courses(&account)[0];
    assert_eq!((course.target, course.mode.as_deref()), (Some(1), Some("postcopy")));
}

/// Its two ends have nothing to agree on.
#[test]
fn a_process_that_becomes_another_program_says_so_before() {
    let mut account = recorded();
    let what =
        What::Step("cpr".into(), json!({ "mode": "cpr-exec", "source": { "name": "db1", "pid": 11 } }));
    account.lines.push(Line { at: 251.0, what });
    assert_eq!(courses(&account)[0].mode.as_deref(), Some("cpr-exec"));
}

#[test]
fn without_events_the_figures_tell_the_phases() {
    let mut account = recorded();
    account.lines = Lines::default();
    account.moments.clear();
    let course = &courses(&account)[0];
    let statuses: Vec<&str> = course.phases[0].iter().map(|phase| phase.status.as_str()).collect();
    assert_eq!(statuses, ["active", "postcopy-active", "completed"]);
    assert_eq!((course.target, course.stop, course.blackout()), (None, None, None));
}

#[test]
fn a_second_attempt_is_a_course_of_its_own() {
    let mut account = recorded();
    account.begun.push((0, 600.0));
    let moment =
        |at, name: &str, status: &str| Moment { guest: 0, at, name: name.into(), status: status.into() };
    account.moments.push(moment(599.0, "MIGRATION", "setup"));
    account.moments.push(moment(610.0, "STOP", ""));
    account.moments.push(moment(620.0, "MIGRATION", "failed"));
    account.moments.push(moment(621.0, "RESUME", ""));
    let found = courses(&account);
    assert_eq!((found[0].status.as_str(), found[0].end), ("completed", 470.0));
    let second = &found[1];
    assert_eq!((second.status.as_str(), second.start), ("failed", 599.0));
    assert_eq!((second.stop, second.resume, second.back), (Some(610.0), None, Some(621.0)));
}
