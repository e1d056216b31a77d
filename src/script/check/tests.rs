use crate::script::check::Severity;
use crate::script::recipe::{self, Source};
use crate::script::runner::Script;
use crate::script::session::Session;
use crate::script::{help, library};

fn load(source: Source) -> Script {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    Script::load(Session::new(runtime.handle().clone()), source).unwrap()
}

/// Each finding as `line:column message`.
fn found(text: &str) -> Vec<String> {
    let findings = load(Source::standard_input(text.to_owned())).check(None);
    let shown = findings.into_iter().map(|finding| {
        let place = finding.failure.place.unwrap();
        format!("{}:{} {}", place.line, place.column, finding.failure.message)
    });
    shown.collect()
}

#[track_caller]
fn fine(text: &str) {
    assert_eq!(found(text), [""; 0], "{text}");
}

#[test]
fn the_librarys_internals_are_nobodys_business() {
    assert_eq!(
        found("let vm = launch(#{});\nvm.stay();\ncomes_to(vm, `running`);"),
        ["2:4 `Vm` has no method `stay`", "3:1 there is no function `comes_to`"]
    );
}

#[test]
fn what_is_shipped_is_fine() {
    for name in recipe::shipped_names() {
        let script = load(Source::shipped(name, recipe::shipped(name).unwrap()));
        assert_eq!(script.check(None), [], "{name}");
    }
    let script = load(Source::expression("()"));
    for example in help::functions(script.engine()).iter().flat_map(|function| &function.examples) {
        let findings = load(Source::standard_input(example.clone())).check(None);
        // One shows what becomes of a slip.
        let wrong = findings
            .iter()
            .filter(|it| it.severity == Severity::Error && !it.failure.message.contains("`qmeu`"));
        assert_eq!(wrong.count(), 0, "{example}\n{findings:?}");
    }
    assert!(library::syntax(script.engine()).count() > 5);
}

#[test]
fn options_are_known_of_all_that_take_some() {
    let vm = "let vm = launch(#{});";
    for call in [
        "launch(#{ OPTION })",
        "launch(#{ guest: #{ OPTION } })",
        "attach(#{ OPTION })",
        "verdict(vm, vm, #{ OPTION })",
        "migrate(vm, vm, #{ OPTION })",
        "live_patch(vm, #{ OPTION })",
        "plan(vm, #{ OPTION })",
        "rehearse(vm, #{ OPTION })",
        "successor(vm, #{ OPTION })",
        "examine(vm, vm, #{ OPTION })",
        "recover(vm, vm, #{ OPTION })",
        "recover_run(\"x\", #{ OPTION })",
        "live_patch(vm, #{ mode: \"shared\" } + #{ OPTION })",
    ] {
        let recipe = format!("{vm}\n{}", call.replace("OPTION", "no_option: 1"));
        let findings = found(&recipe);
        assert!(
            matches!(&findings[..], [it] if it.ends_with("no option `no_option`")),
            "{call}: {findings:?}"
        );
        let name = call.split('(').next().unwrap();
        // A function of the recipe's own is another one; the standard library's cannot be one.
        if !["launch", "attach", "verdict"].contains(&name) {
            continue;
        }
        fine(
            &format!("{vm} fn {name}(a) {{ a }} fn {name}(a, b) {{ b }} fn {name}(a, b, c) {{ c }} {call}")
                .replace("OPTION", "no_option: 1"),
        );
    }
}

#[test]
fn functions_of_the_recipe_have_options_too() {
    let greet = "fn greet(who, given) { let o = options(\"greet\", given, #{ loud: false }); o }\n";
    assert_eq!(found(&format!("{greet}greet(1, #{{ lud: 1 }})")), ["2:13 `greet`: there is no option `lud`"]);
    fine(&format!("{greet}greet(1, #{{ loud: true }}); let o = #{{ any: 1 }}; greet(1, o);"));
    // What is added by a computed name, nobody knows.
    fine("fn f(given) { let d = #{ a: 1 }; d[env(\"X\")] = 2; options(\"f\", given, d) } f(#{ b: 1 })");
}

#[test]
fn calls_that_fit_nothing() {
    assert_eq!(found("lunch()"), ["1:1 there is no function `lunch`"]);
    assert_eq!(found("fn f(a) { a }\nf(1, 2)"), ["2:1 `f` cannot be called with 2 arguments"]);
    assert_eq!(found("launch()"), ["1:1 `launch` cannot be called without an argument"]);
    assert_eq!(found("let f = || 1; f()"), ["1:15 there is no function `f`"]);
    assert_eq!(found("let x = env(\"X\"); x.frobnicate()"), ["1:21 there is no method `frobnicate`"]);
    assert_eq!(found("let x = env(\"X\"); x.hmp()"), ["1:21 `hmp` cannot be called without an argument"]);
    assert_eq!(found("let a = [1].filter(|x| x.nonsense());"), ["1:26 there is no method `nonsense`"]);
}

#[test]
fn arguments_of_the_wrong_type() {
    let vm = "let vm = launch(#{});\n";
    for (call, wrong) in [
        ("vm.wait_for_status(5)", "2:4 `wait_for_status` cannot be called with `i64`"),
        (
            "vm.wait_for_status(\"running\", 10)",
            "2:4 `wait_for_status` cannot be called with `string`, `i64`",
        ),
        ("vm.wait_for_output(env(\"X\"), true)", "2:4 `wait_for_output` cannot be called with …, `bool`"),
        ("vm.hmp(#{})", "2:4 `hmp` cannot be called with `map`"),
        ("sleep(5)", "2:1 `sleep` cannot be called with `i64`"),
        ("defer(1)", "2:1 `defer` cannot be called with `i64`"),
        ("launch(\"x\")", "2:1 `launch` cannot be called with `string`"),
        ("let line = 3; vm.hmp(line)", "2:18 `hmp` cannot be called with `i64`"),
        ("\"a\".contains(1.5)", "2:5 `contains` cannot be called with `f64`"),
        (
            "migrate(vm, vm, \"postcopy\")",
            "2:17 `migrate` takes its options in a map, such as `#{ capabilities: … }`",
        ),
    ] {
        assert_eq!(found(&format!("{vm}{call}")).first().map(String::as_str), Some(wrong), "{call}");
    }
    for call in [
        "vm.wait_for_status(\"running\", \"10s\"); vm.wait_for_status(`running`, 500.ms);",
        "let status = env(\"X\"); vm.wait_for_status(status); vm.hmp([\"info\"][0]);",
        "let x = 5; x = \"info\"; vm.hmp(x); let y = 5; if true { let y = \"info\"; vm.hmp(y); }",
        "defer(|| 1); let z = 1; defer(|| z); defer(Fn(\"f\")); sleep(if true { 1.s } else { 2.s });",
        "let m = #{ hmp: |x| x }; m.hmp(5); [1, 2].map(|x| vm.hmp(x)); [1].push(\"a\"); attach(5); attach(\"5\");",
        "fn f(x) { x.hmp(this) } for x in [\"a\"] { vm.hmp(x); }",
    ] {
        fine(&format!("{vm}{call}"));
    }
}

#[test]
fn values_of_known_types() {
    assert_eq!(found("let vm = launch(#{});\nvm.kil();"), ["2:4 `Vm` has no method `kil`"]);
    assert_eq!(found("let vm = launch(#{});\nvm.nmae"), ["2:4 `Vm` has no property `nmae`"]);
    assert_eq!(found("launch(#{}).nmae"), ["1:13 `Vm` has no property `nmae`"]);
    assert_eq!(found("10.sec"), ["1:4 `i64` has no property `sec`"]);
    assert_eq!(found("launch(#{}).name.lenn()"), ["1:18 `string` has no method `lenn`"]);
    assert_eq!(
        found("let vm = launch(#{}); defer(|| { if true { vm.kil() } });"),
        ["1:47 `Vm` has no method `kil`"]
    );
}

#[test]
fn what_is_not_known_is_not_complained_of() {
    // Another value, perhaps of another type.
    fine("let vm = launch(#{}); if env(\"X\") == () { vm = #{ nmae: 1 }; } vm.nmae");
    fine("let vm = launch(#{}); let f = || { vm = #{ nmae: 1 }; }; f.call(); vm.nmae");
    // A variable that hides another.
    fine("let vm = launch(#{}); for vm in [#{ a: 1 }] { vm.a } try { } catch (vm) { vm.a }");
    fine("let vm = launch(#{}); fn f(vm) { vm.a } [1].map(|vm| vm.a)");
    // Closures in maps.
    fine("let m = #{ go_there: |x| x }; m.go_there(1); m.n.go_there(1)");
    fine("let m = #{}; m.go_there = || 1; m.go_there(); m[\"come_back\"] = || 1; m.come_back();");
    fine("let m = #{ push: |a, b, c| a }; m.push(1, 2, 3)");
    // Methods that are functions of the recipe, and what is called through a pointer.
    fine("fn twice() { this * 2 } 3.twice(); let f = Fn(\"twice\"); 3.call(f); f.call(1, 2, 3, 4, 5);");
    fine(
        "let vm = launch(#{}); hmp(vm, \"info status\"); vm?.name?.len(); vm.process.environment.get(\"A\")",
    );
    fine(
        "let a = [[1]]; a[0][0].s; a[0].len(); #{ a: 1 }.a; \"abc\"[1..2].len(); eval(\"1\"); a[a.len() - 1]",
    );
    fine("if is_def_fn(\"f\", 1) && type_of(1) == \"i64\" { print(); } for (x, i) in 0..3 { x.s; i.s }");
    fine("assert_throws(|| launch(#{ qmeu: 1 }), \"argument\");");
    fine("switch 1 { 1 if true => print(1), 2..4 => print(2), _ => print(3) }");
}

#[test]
fn parameters_that_nobody_uses() {
    let unused = "the parameter `a` is never used";
    assert_eq!(found("let x = param(\"a\", \"\");"), [format!("1:5 {unused}")]);
    assert_eq!(found("param(\"a\", \"\"); 1"), [format!("1:1 {unused}")]);
    assert_eq!(found("fn f() { let x = param(\"a\", \"\", 1); 2 }"), [format!("1:14 {unused}")]);
    fine("let x = param(\"a\", \"\"); || x");
    fine("let x = param(\"a\", \"\"); print(`${x}`)");
    fine("let x = param(\"a\", \"\"); loop { break x; }");
    fine("export let x = param(\"a\", \"\");");
    fine("param(\"a\", \"\")");
    fine("let vm = attach(param(\"a\", \"\"));");
}
