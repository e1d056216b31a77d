use super::*;

fn name(name: &str) -> Part {
    Part::Name(name.to_owned())
}

fn key(name: &str) -> Step {
    Step::Key(name.to_owned())
}

fn call(of: &[Part], function: &str, argument: usize, first: Option<&str>, path: &[Step]) -> Option<Call> {
    let (function, first) = (function.to_owned(), first.map(str::to_owned));
    Some(Call { of: of.to_vec(), function, argument, first, path: path.to_vec() })
}

#[test]
fn names_and_members() {
    assert_eq!(context(""), Context::Name { start: 0, call: None });
    assert_eq!(context("let x = lau"), Context::Name { start: 8, call: None });
    assert_eq!(context("vm.st"), Context::Member { start: 3, of: vec![name("vm")] });
    assert_eq!(
        context("a.b[0].c(1, 2)."),
        Context::Member { start: 15, of: vec![name("a"), name("b"), Part::Item, Part::Call("c".into())] }
    );
    assert_eq!(context("30."), Context::Member { start: 3, of: vec![Part::Literal("i64")] });
    assert_eq!(context("\"x\".le"), Context::Member { start: 4, of: vec![Part::Literal("string")] });
    assert_eq!(context("print(`${vm.na"), Context::Member { start: 12, of: vec![name("vm")] });
    assert_eq!(context("lib::f"), Context::Module { start: 5, name: "lib".into() });
    assert_eq!(context("if a { f(); } vm.x"), Context::Member { start: 17, of: vec![name("vm")] });
    assert_eq!(context("(a + b)."), Context::Member { start: 8, of: vec![] });
}

#[test]
fn the_inside_of_strings() {
    let vm = [name("vm")];
    assert_eq!(
        context("vm.qmp(\"que"),
        Context::Text { start: 8, call: call(&vm, "qmp", 0, None, &[]), given: None }
    );
    assert_eq!(
        context("vms[0].hmp(\"info "),
        Context::Text { start: 12, call: call(&[name("vms"), Part::Item], "hmp", 0, None, &[]), given: None }
    );
    let capability = [key("capabilities"), Step::Item, key("capability")];
    let text = "vm.qmp(\"migrate-set-capabilities\", #{ capabilities: [#{ state: true }, #{ capability: \"x";
    let wanted = call(&vm, "qmp", 1, Some("migrate-set-capabilities"), &capability);
    assert_eq!(context(text), Context::Text { start: text.len() - 1, call: wanted, given: None });
    assert_eq!(
        context("launch(#{ qemu: \"./q"),
        Context::Text { start: 17, call: call(&[], "launch", 0, None, &[key("qemu")]), given: None }
    );
    assert_eq!(context("import \"./"), Context::Text { start: 8, call: None, given: None });
}

#[test]
fn the_keys_of_maps() {
    let vm = [name("vm")];
    assert_eq!(
        context("vm.qmp(\"quit\", #{ fo"),
        Context::Key { start: 18, call: call(&vm, "qmp", 1, Some("quit"), &[]), given: vec![] }
    );
    assert_eq!(
        context("vm.qmp(\"a\", #{ b: [1, #{ c: 2 }], \"d\": 3, "),
        Context::Key {
            start: 42,
            call: call(&vm, "qmp", 1, Some("a"), &[]),
            given: vec!["b".into(), "d".into()],
        }
    );
    assert_eq!(
        context("vm.qmp(\"a\", #{ b: [#{ "),
        Context::Key {
            start: 22,
            call: call(&vm, "qmp", 1, Some("a"), &[key("b"), Step::Item]),
            given: vec![],
        }
    );
    assert_eq!(
        context("vm.qmp(\"a\", #{ x: 1, \"re"),
        Context::Text { start: 22, call: call(&vm, "qmp", 1, Some("a"), &[]), given: Some(vec!["x".into()]) }
    );
    assert_eq!(
        context("launch(#{ name: na"),
        Context::Name { start: 16, call: call(&[], "launch", 0, None, &[key("name")]) }
    );
    assert_eq!(context("let m = #{ a"), Context::Key { start: 11, call: None, given: vec![] });
    assert_eq!(
        context("migrate(a, b, #{ mode: \"shared\", "),
        Context::Key { start: 33, call: call(&[], "migrate", 2, None, &[]), given: vec!["mode".into()] }
    );
}

#[test]
fn nothing() {
    for text in ["// com", "/* a", "12"] {
        assert_eq!(context(text), Context::Nothing, "{text}");
    }
}

#[test]
fn any_text_has_a_context() {
    let text = "let a = #{ b: [c.d(`${e(#{ f: \"g\" })}`), 1.0] }; )]} .:: //\n/* x */ vm.qmp(\"y\", #{";
    for (end, _) in text.char_indices() {
        let (Context::Name { start, .. }
        | Context::Member { start, .. }
        | Context::Module { start, .. }
        | Context::Key { start, .. }
        | Context::Text { start, .. }) = context(&text[..end])
        else {
            continue;
        };
        assert!(start <= end, "{}", &text[..end]);
    }
}
