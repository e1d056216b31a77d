use super::super::course::courses;
use super::super::course::tests::recorded;
use super::*;

#[test]
fn a_migration_is_drawn_to_scale() {
    let course = &courses(&recorded())[0];
    let drawn = whole(course, ["source: <db1>", "target: target"]);
    assert!(drawn.contains("STOP → RESUME 5 ms"), "{drawn}");
    assert!(drawn.contains("source: &lt;db1&gt;"), "{drawn}");
    assert!(drawn.contains("none for 20 ms"), "{drawn}");
    assert!(drawn.contains("<polygon class=\"remaining-area\""), "{drawn}");
    // 217.5 ms and a margin of 3 % on each side: STOP is 62 ms after the start.
    let place = (62.0 + 6.525) / (217.5 + 13.05) * 100.0;
    assert!(drawn.contains(&format!("<line class=\"stop\" x1=\"{place:.3}%\"")), "{place} {drawn}");
}

#[test]
fn the_switch_is_enlarged_where_it_is_small() {
    let mut course = courses(&recorded()).remove(0);
    assert!(switch(&course, ["a", "b"]).is_some());
    course.gap = Some((course.start, course.end));
    assert_eq!(switch(&course, ["a", "b"]), None);
    course.stop = None;
    assert_eq!(switch(&course, ["a", "b"]), None);
}

#[test]
fn a_migration_of_which_nothing_is_known_is_drawn_too() {
    let drawn = whole(&Course::default(), ["a", "b"]);
    assert!(drawn.contains("0 ms") && !drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
}

#[test]
fn ticks_are_round() {
    let ticks = [1.0, 230.0, 6000.0, 7.0].map(|length| step(length).to_string());
    assert_eq!(ticks, ["0.2", "50", "1000", "2"]);
}
