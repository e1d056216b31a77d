//! Records, whole and torn.

use serde_json::{Value, json};

use super::*;

fn vm(name: &str, pid: u32) -> Value {
    json!({ "name": name, "pid": pid, "started": 10 * pid })
}

fn record(lines: &[Value]) -> String {
    let header = json!({ "at": 1_000, "run": { "title": "a.rhai", "pid": 7, "started": 70, "boot": "b" } });
    std::iter::once(&header).chain(lines).flat_map(|line| [line.to_string(), "\n".to_owned()]).collect()
}

fn step(name: &str) -> Value {
    json!({ "step": name, "details": { "source": vm("source", 1), "target": vm("target", 2) } })
}

fn read(lines: &[Value]) -> Run {
    Run::read("r", &record(lines)).unwrap()
}

#[test]
fn a_run_that_ended_says_how() {
    let run = read(&[json!({ "end": "ok" })]);
    assert_eq!((run.title.as_str(), run.pid, run.started, run.at), ("a.rhai", 7, Some(70), 1_000));
    assert_eq!(run.end.as_deref(), Some("ok"));
    assert_eq!(run.doing(), "moving no guest");
}

#[test]
fn half_a_line_is_passed_over_wherever_it_is_cut() {
    let whole = record(&[json!({ "vm": vm("source", 1) }), step("agree"), step("migrate")]);
    let all = Run::read("r", &whole).unwrap();
    for cut in 0..whole.len() {
        if let Some(run) = Run::read("r", &whole[..cut]) {
            assert!(run.courses.len() <= 1 && run.guests.len() <= 1, "cut at {cut}");
            assert!(run.courses.iter().all(|course| all.courses[0].steps.starts_with(&course.steps)));
        }
    }
    assert_eq!(all.open().next().unwrap().step(), "migrate");
    assert_eq!(Run::read("r", &format!("{whole}\0\0\0")), Some(all));
}

#[test]
fn a_course_is_open_until_it_is_done() {
    let run = read(&[step("agree"), step("migrate"), step("done"), step("agree")]);
    assert_eq!(run.courses.len(), 2);
    assert_eq!(run.doing(), "moving `source` to `target`, at the step `agree`");
    assert!(!run.courses[0].is_open());
}

#[test]
fn a_verb_within_a_verb_is_one_course() {
    let plan = json!({ "step": "plan", "details": { "source": vm("source", 1) } });
    let mut lines = vec![plan, step("agree"), step("migrate"), step("done"), step("give back")];
    let run = read(&lines);
    assert_eq!(run.courses.len(), 1);
    assert_eq!(run.doing(), "moving `source` to `target`, at the step `give back`");
    lines.push(step("done"));
    assert_eq!(read(&lines).open().count(), 0);
    lines.truncate(3);
    lines.extend([step("recover"), step("done")]);
    assert_eq!(read(&lines).open().count(), 0, "who recovers it ends all of it");
}

#[test]
fn courses_of_other_guests_are_their_own() {
    let other = json!({ "step": "agree", "details": { "source": vm("a", 3), "target": vm("b", 4) } });
    let run = read(&[step("agree"), other, step("migrate"), step("done")]);
    assert_eq!(run.courses.len(), 2);
    assert_eq!(run.doing(), "moving `a` to `b`, at the step `agree`");
}

#[test]
fn what_is_thrown_away_is_marked() {
    let marked =
        json!({ "step": "rehearse", "details": { "source": vm("source", 1), "throwaway": vm("try", 2) } });
    let run = read(&[json!({ "vm": vm("source", 1) }), json!({ "vm": vm("try", 2) }), marked]);
    assert_eq!(run.guests.iter().map(|guest| guest.throwaway).collect::<Vec<_>>(), [false, true]);
    let alone = json!({ "step": "throwaway", "details": { "throwaway": vm("try", 2) } });
    let run = read(&[json!({ "vm": vm("try", 2) }), alone]);
    assert!(run.guests[0].throwaway && run.courses.is_empty());
}

#[test]
fn what_takes_part_in_a_move_is_thrown_away_no_more() {
    let mut unborn = vm("target", 2);
    unborn["throwaway"] = true.into();
    let (born, unborn) = (json!({ "vm": vm("target", 2) }), json!({ "vm": unborn }));
    let agree =
        json!({ "step": "agree", "details": { "source": vm("source", 1), "target": vm("target", 2) } });
    assert!(read(&[unborn.clone(), born.clone()]).guests[0].throwaway);
    assert!(!read(&[unborn, born, agree]).guests[0].throwaway);
}

#[test]
fn a_guest_that_is_seen_again_is_the_same() {
    let launched =
        json!({ "name": "a", "pid": 1, "started": 10, "launched": true, "kept": false, "directory": "/d" });
    let attached =
        json!({ "name": "a", "pid": 1, "started": 10, "launched": false, "kept": true, "monitor": "m" });
    let run = read(&[json!({ "vm": launched }), json!({ "vm": attached })]);
    let [guest] = &run.guests[..] else { panic!("one guest") };
    assert_eq!((guest.kept, guest.directory.as_deref(), guest.monitor.as_str()), (false, Some("/d"), "m"));
    let kept = json!({ "name": "a", "pid": 1, "started": 10, "launched": true, "kept": true });
    assert!(read(&[json!({ "vm": launched }), json!({ "vm": kept })]).guests[0].kept);
}

#[test]
fn another_qhop_may_take_it_up() {
    let again = json!({ "run": { "title": "qhop recover", "pid": 8, "started": 80, "boot": "b" } });
    let run = read(&[step("agree"), again]);
    assert_eq!((run.title.as_str(), run.pid), ("a.rhai", 8));
}
