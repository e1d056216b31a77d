use serde_json::json;

use super::*;

#[test]
fn what_is_too_much_is_left_out_in_the_middle() {
    let mut account = Account::new("test", "");
    for n in 0..FIRST + LAST + 5 {
        account.said(&n.to_string());
    }
    assert_eq!((account.lines.left_out, account.lines.all().count()), (5, FIRST + LAST));
    let printed = |line: &Line| matches!(&line.what, What::Printed(text) if *text == (FIRST + 5).to_string());
    assert!(account.lines.last().next().is_some_and(printed));
}

#[test]
fn samples_are_thinned_out() {
    let mut account = Account::new("test", "");
    account.guests.push(Guest::default());
    for n in 0..3 * SAMPLES {
        let at = u32::try_from(n).unwrap().into();
        account.hear(&Told::Sample(0, &Sample { at, ..Sample::default() }));
    }
    let samples = &account.guests[0].samples;
    assert!((SAMPLES / 2..=SAMPLES).contains(&samples.len()));
    assert!(samples.is_sorted_by(|a, b| a.at < b.at));
}

#[test]
fn moments_have_the_time_that_qemu_gave_them() {
    let mut account = Account::new("test", "");
    account.guests.push(Guest::default());
    let event = json!({ "event": "STOP", "timestamp": { "seconds": 2, "microseconds": 500 } });
    account.hear(&Told::Exchange(0, Exchange::Event(&event)));
    let stop = Moment { guest: 0, at: 2000.5, name: "STOP".into(), status: String::new() };
    assert_eq!(account.moments, [stop]);
}

#[test]
fn long_texts_are_cut_between_characters() {
    assert!(tail("ä".repeat(WRITTEN)).len() <= WRITTEN + "…".len());
    assert_eq!(cut("aä", 2), "a");
}
