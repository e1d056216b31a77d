use super::*;

fn dialogue() -> (tokio::runtime::Runtime, Dialogue) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dialogue = Dialogue::new(Session::new(runtime.handle().clone()), None).unwrap();
    (runtime, dialogue)
}

fn shown(dialogue: &mut Dialogue, text: &str) -> String {
    let answer = dialogue.evaluate(text, 80);
    answer.end.map_or_else(|failure| failure.message, |_| answer.shown)
}

#[test]
fn entries_see_what_came_before() {
    let (_runtime, mut dialogue) = dialogue();
    for (entry, wanted) in [
        ("let a = 1", ""),
        ("fn f(x) { x + g() }", ""),
        ("fn g() { 10 }", ""),
        ("f(a)", "11"),
        ("fn g() { 20 }", ""),
        ("f(a)", "21"),
        ("let h = || { a += 1; a };", ""),
        ("h.call() + a", "4"),
        ("let a = \"new\"; a", "\"new\""),
        ("const C = 3; fn c() { global::C } c()", "3"),
        ("C + 1", "4"),
    ] {
        assert_eq!(shown(&mut dialogue, entry), wanted, "{entry}");
    }
}

#[test]
fn a_failed_entry_costs_itself() {
    let (_runtime, mut dialogue) = dialogue();
    dialogue.script.engine.register_fn("explode", || panic!("boom"));
    assert_eq!(shown(&mut dialogue, "let a = 1; { let inner = 2; throw \"x\" }"), "x");
    assert_eq!(
        shown(&mut dialogue, "for i in 0..3 { let b = i; b.nothing }"),
        "`i64` has no property `nothing`"
    );
    assert_eq!(shown(&mut dialogue, "inner"), "there is no variable `inner`");
    assert!(shown(&mut dialogue, "a += 1; explode()").contains("a bug in qhop"));
    assert_eq!(shown(&mut dialogue, "a"), "2");
    let names: Vec<String> = dialogue.variables(80).into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["a"]);
}

#[test]
fn it_is_told_where_an_entry_failed() {
    let (_runtime, mut dialogue) = dialogue();
    assert_eq!(dialogue.evaluate("let a = 1;\nnothing()", 80).failed_at, Some((2, 1)));
    assert_eq!(dialogue.evaluate("let b = 1; lunch(b)", 80).failed_at, Some((1, 12)));
    assert_eq!(dialogue.evaluate("1", 80).failed_at, None);
}
