use rhai::{Engine, OptimizationLevel};

use super::*;

fn compiled(script: &str, level: OptimizationLevel) -> AST {
    let mut engine = Engine::new();
    engine.set_optimization_level(level);
    let mut ast = engine.compile(script).unwrap();
    ast.set_source("a.rhai");
    ast
}

fn found(script: &str) -> Vec<Parameter> {
    let plain = parameters([&compiled(script, OptimizationLevel::None)]).unwrap();
    let optimized = parameters([&compiled(script, OptimizationLevel::Simple)]).unwrap();
    assert_eq!(plain, optimized, "the optimizer changes nothing about it");
    plain
}

/// The names, with a `!` at each that is required.
fn names(script: &str) -> String {
    let mark = |p: Parameter| if p.required { p.name + "!" } else { p.name };
    found(script).into_iter().map(mark).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_call_says_everything_about_a_parameter() {
    let expected = Parameter {
        name: "vm".into(),
        help: "pid or monitor address".into(),
        default: None,
        kind: Kind::Text,
        required: true,
        file: "a.rhai".into(),
        line: 2,
    };
    assert_eq!(found("\nlet vm = attach(param(\"vm\", \"pid or \" +\n \"monitor address\"));"), [expected]);
}

#[test]
fn defaults_have_kinds() {
    let default = |literal: &str| {
        let [parameter] = &found(&format!("param(\"x\", \"\", {literal})"))[..] else { panic!() };
        assert!(!parameter.required);
        (parameter.default.clone(), parameter.kind)
    };
    let some = |text: &str, kind| (Some(text.to_owned()), kind);
    assert_eq!(default("\"precopy\""), some("precopy", Kind::Text));
    assert_eq!(default("`a` + 'b'"), some("ab", Kind::Text));
    assert_eq!(default("-5"), some("-5", Kind::Integer));
    assert_eq!(default("0x10"), some("16", Kind::Integer));
    assert_eq!(default("1.50"), some("1.5", Kind::Float));
    assert_eq!(default("2.0"), some("2.0", Kind::Float));
    assert_eq!(default("true"), some("true", Kind::Bool));
    assert_eq!(default("10.s"), some("10s", Kind::Duration));
    assert_eq!(default("1.5.min"), some("1.5min", Kind::Duration));
    assert_eq!(default("512.MiB"), some("512MiB", Kind::Size));
    assert_eq!(default("()"), (None, Kind::Text));
    assert_eq!(default("env(\"QEMU\")"), (None, Kind::Text));
    assert_eq!(default("#{}.len"), (None, Kind::Text));
}

#[test]
fn calls_are_found_everywhere() {
    let script = r#"
            let a = #{ x: [param("a", "")] };
            print(`${param("b", "")} and ${"${c}"}`);
            vm.launch(param("c", "")).wait(1, [param("d", "")][0]);
            fn f(x) { x + param("e", "") }
            let g = |x| x + param("f", "");
            items.map(|x| [1].filter(|y| param("g", "")));
            while param("h", "") { break param("i", ""); }
            switch param("j", "") { 1 if param("k", "") => 2, 3..5 => param("l", ""), _ => param("m", "") }
            import param("n", "") as n;
            do { } while param("o", "");
            try { throw param("p", ""); } catch { param("q", ""); }
            a[param("r", "")] += param("s", "");
            { param("t", ""); }
            if x { return param("u", ""); }
        "#;
    assert_eq!(names(script), "a! b! c! d! e f g h! i j! k l m n! o p q r! s! t! u");
}

#[test]
fn what_may_not_be_asked_for_is_not_required() {
    assert_eq!(names(r#"if param("a", "") == "x" { param("b", "") } else { param("c", "") }"#), "a! b c");
    assert_eq!(names(r#"param("a", "") && param("b", "") || param("c", "")"#), "a! b c");
    assert_eq!(names(r#"param("a", "") ?? param("b", "")"#), "a! b");
    assert_eq!(names(r#"x?.f(param("a", "")).g(param("b", "")); x.f(param("c", ""))"#), "a b c!");
    assert_eq!(names(r#"for i in param("a", "") { param("b", "") }"#), "a! b");
    assert_eq!(names(r#"let x = if true == y { param("a", "") };"#), "a");
}

#[test]
fn what_follows_a_possible_end_is_not_required() {
    assert_eq!(names(r#"param("a", ""); if x { return; } param("b", "")"#), "a! b");
    assert_eq!(names(r#"if x { skip("no KVM"); } param("b", "")"#), "b");
    assert_eq!(names(r#"if x { throw 1; } let f = || { return 1; }; param("b", "")"#), "b!");
}

#[test]
fn other_calls_are_none() {
    assert_eq!(names(r#"param("a"); lib::param("b", ""); param(name, ""); param("c", "", 1, 2);"#), "");
    assert_eq!(
        names(
            r#"// param("a", "")
            let s = "param(\"b\", \"\")"; params("c", "")"#
        ),
        ""
    );
}

#[test]
fn equal_calls_are_one_parameter() {
    assert_eq!(names(r#"fn f() { param("a", "x") } param("a", "x");"#), "a!");
    let ast = compiled("param(\"a\", \"x\");\nparam(\"a\", \"x\", 1);", OptimizationLevel::None);
    let Err(Error::Usage { message, .. }) = parameters([&ast]) else { panic!() };
    assert_eq!(message, "the parameter `a` is described twice: at a.rhai:1 and at a.rhai:2");
}

#[test]
fn the_parameters_of_modules_come_after_those_of_the_recipe() {
    let recipe = compiled(r#"param("b", "")"#, OptimizationLevel::None);
    let module = compiled(r#"param("a", ""); fn f() { param("b", "") }"#, OptimizationLevel::None);
    let names: Vec<String> = parameters([&recipe, &module]).unwrap().into_iter().map(|p| p.name).collect();
    assert_eq!(names, ["b", "a"]);
}
