//! `qhop check`: what is found without running anything, and how it is told.

use crate::test::{Test, new, old};

/// Check one recipe, `a.rhai`.
fn check(text: &str) -> Test {
    Test::new().file("a.rhai", text).args(["check", "a.rhai"])
}

#[test]
fn a_recipe_that_is_fine_is_nothing_to_talk_about() {
    check("let vm = launch(#{ guest: \"heartbeat\" });\nvm.quit();").run();
}

#[test]
fn nothing_runs() {
    check("run(\"touch\", [\"file\"]);\nexit(7);").run();
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    check(
        "let to = param(\"to\", \"QEMU binary\");
let vm = launch(#{ qmeu: \"x\" });
vm.wait_for_staus(\"running\", 10.s);
vm.hmp(\"info\", \"status\");
lunch();",
    )
    .stdout(
        "warning: the parameter `to` is never used
 ——▶ a.rhai:1:5
  │
1 │ let to = param(\"to\", \"QEMU binary\");
  │     ^
hint: leave it out, or make use of its value

error: `launch`: there is no option `qmeu`
 ——▶ a.rhai:2:20
  │
2 │ let vm = launch(#{ qmeu: \"x\" });
  │                    ^
hint: did you mean `qemu`?

error: `Vm` has no method `wait_for_staus`
 ——▶ a.rhai:3:4
  │
3 │ vm.wait_for_staus(\"running\", 10.s);
  │    ^
hint: did you mean `wait_for_status`?

error: `hmp` cannot be called with 2 arguments
 ——▶ a.rhai:4:4
  │
4 │ vm.hmp(\"info\", \"status\");
  │    ^
hint: there is `vm.hmp(line: string)`

error: there is no function `lunch`
 ——▶ a.rhai:5:1
  │
5 │ lunch();
  │ ^
hint: did you mean `launch`?",
    )
    .code(3)
    .run();
}

#[test]
fn an_argument_of_another_type() {
    check("let vm = launch(#{});\nvm.wait_for_status(5);\nvm.wait_for_status(\"running\", 10);")
        .stdout(
            "error: `wait_for_status` cannot be called with `i64`
 ——▶ a.rhai:2:4
  │
2 │ vm.wait_for_status(5);
  │    ^
hint: there is `vm.wait_for_status(status: string)`

error: `wait_for_status` cannot be called with `string`, `i64`
 ——▶ a.rhai:3:4
  │
3 │ vm.wait_for_status(\"running\", 10);
  │    ^
hint: a time has a unit: `10.s`, `500.ms`, `2.min`, or a string such as \"10s\"",
        )
        .code(3)
        .run();
}

#[test]
fn a_warning_is_no_error() {
    check("let to = param(\"to\", \"QEMU binary\");")
        .stdout("warning: the parameter `to` is never used\n...")
        .code(0)
        .run();
}

#[test]
fn a_function_of_the_standard_library_tells_its_options() {
    check("let vm = launch(#{});\nlive_patch(vm, #{ memroy: \"shared\" });")
        .stdout(
            "error: `live_patch`: there is no option `memroy`
 ——▶ a.rhai:2:19
  │
2 │ live_patch(vm, #{ memroy: \"shared\" });
  │                   ^
hint: did you mean `memory`?",
        )
        .code(3)
        .run();
}

#[test]
fn a_variable_is_no_function() {
    check("let greet = |who| print(who);\ngreet(\"you\");")
        .stdout(
            "error: there is no function `greet`
 ——▶ a.rhai:2:1
  │
2 │ greet(\"you\");
  │ ^
hint: `greet` is a variable; if it holds a closure: `greet.call(…)`",
        )
        .code(3)
        .run();
}

#[test]
fn a_recipe_that_does_not_compile() {
    check("let vm = launch(#{ name: \"a\" );")
        .stdout(
            "error: [..]
 ——▶ a.rhai:1:30
  │
1 │ let vm = launch(#{ name: \"a\" );
  │                              ^",
        )
        .code(3)
        .run();
}

#[test]
fn what_is_imported_is_checked_at_its_own_place() {
    check("import \"./lib\" as lib;\nlib::twise(2);\nlib::twice(1, 2);")
        .file("lib.rhai", "fn twice(x) { x.frobnicate(2) }\nprivate fn twise(x) { x }")
        .stdout(
            "error: `lib.rhai` has no function `twise`
 ——▶ a.rhai:2:6
  │
2 │ lib::twise(2);
  │      ^
hint: did you mean `twice`?

error: `twice` cannot be called with 2 arguments
 ——▶ a.rhai:3:6
  │
3 │ lib::twice(1, 2);
  │      ^
hint: there is `twice(x)`

error: there is no method `frobnicate`
 ——▶ lib.rhai:1:17
  │
1 │ fn twice(x) { x.frobnicate(2) }
  │                 ^",
        )
        .code(3)
        .run();
}

#[test]
fn imports_that_lead_nowhere() {
    check("import \"./gone\" as gone;\ngone::f();")
        .stdout(
            "error: cannot import `./gone`: there is no file `gone.rhai`
 ——▶ a.rhai:1:1
  │
1 │ import \"./gone\" as gone;
  │ ^",
        )
        .code(3)
        .run();
    check("import \"./b\" as b;\nb::f();")
        .file("b.rhai", "import \"./a\" as a;\nfn f() { 1 }")
        .stdout(
            "error: cannot import `./a`: import cycle: a.rhai -> b.rhai -> a.rhai
 ——▶ b.rhai:1:1
  │
1 │ import \"./a\" as a;
  │ ^",
        )
        .code(3)
        .run();
    check("import \"./b\" as b;\nb::f();")
        .file("b.rhai", "fn f( { 1 }")
        .stdout(
            "error: [..]
 ——▶ b.rhai:1:7
  │
1 │ fn f( { 1 }
  │       ^
imported at a.rhai:1:1",
        )
        .code(3)
        .run();
}

#[test]
fn commands_are_held_against_what_a_qemu_knows() {
    Test::new()
        .file(
            "a.rhai",
            r#"let vm = launch(#{});
vm.qmp("query-statsu");
vm.qmp("migrate-set-capabilities", #{ capabilities: [#{ capability: "postcopy-rm", state: true }] });
vm.qmp("qom-get", #{ path: "/", prop: "type" });
vm.qmp("stop", #{ now: true });
vm.qmp("device_add", #{ driver: "virtio-rng-pci", bus: "pci.0", addr: "5", any: 1 });
vm.qmp("migrate", #{ uri: "tcp:0:1" });"#,
        )
        .args(["check", "a.rhai", "--qemu", &new()])
        .stdout(
            r#"error: this QEMU has no command `query-statsu`
 ——▶ a.rhai:2:8
  │
2 │ vm.qmp("query-statsu");
  │        ^
hint: did you mean `query-stats`?

error: `migrate-set-capabilities.capabilities.capability` is never `postcopy-rm`
 ——▶ a.rhai:3:69
  │
3 │ vm.qmp("migrate-set-capabilities", #{ capabilities: [#{ capability: "postcopy-rm", state: true }] });
  │                                                                     ^
hint: did you mean `postcopy-ram`?

error: `qom-get` cannot do without `property`
 ——▶ a.rhai:4:19
  │
4 │ vm.qmp("qom-get", #{ path: "/", prop: "type" });
  │                   ^

error: `qom-get` has no argument `prop`
 ——▶ a.rhai:4:33
  │
4 │ vm.qmp("qom-get", #{ path: "/", prop: "type" });
  │                                 ^
hint: there are `path`, `property`

error: `stop` has no argument `now`
 ——▶ a.rhai:5:19
  │
5 │ vm.qmp("stop", #{ now: true });
  │                   ^
hint: it takes none"#,
        )
        .code(3)
        .run();
}

#[test]
fn a_command_that_only_the_newer_qemu_has() {
    let test = |qemu: &str| {
        Test::new()
            .file("a.rhai", "launch(#{}).qmp(\"migrate\", #{ channels: [], uri: \"x\" });")
            .args(["check", "a.rhai", "--qemu", qemu])
    };
    test(&new()).run();
    test(&old()).stdout("error: `migrate` has no argument `channels`\n...\nhint: [..]").code(3).run();
}

#[test]
fn a_qemu_that_cannot_be_asked() {
    Test::new()
        .file("a.rhai", "1")
        .args(["check", "a.rhai", "--qemu", "no-such-qemu"])
        .stderr(
            "error: cannot start `no-such-qemu`: not found on PATH
hint: install it, or name its path: `launch(#{ qemu: \"/path/to/qemu\" })`; `qhop doctor` lists what is here",
        )
        .code(5)
        .run();
}

#[test]
fn what_is_shipped_is_fine_for_a_real_qemu() {
    let files: Vec<&str> = qhop::script::recipe::shipped_names().collect();
    assert!(files.len() > 5, "{files:?}");
    Test::new().args(["check", "--qemu", &new()]).args(files).run();
}

#[test]
fn findings_for_programs() {
    check("let a = 1;\n  lunch(a);")
        .args(["--format", "json"])
        .stdout(r#"{"outcome":{"recipes":1,"findings":[{"kind":"unknown-function","message":"there is no function `lunch`","vm":null,"hint":"did you mean `launch`?","cause":null,"outlook":null,"said":{},"place":{"file":"a.rhai","line":2,"column":3},"callers":[],"calls":[],"code":3,"severity":"error"}]}}"#)
        .code(3)
        .run();
    check("let a = 1;\n  lunch(a);")
        .args(["--format", "github"])
        .stdout("::error file=a.rhai,line=2,col=3,title=qhop%3A unknown-function::there is no function `lunch`%0Ahint: did you mean `launch`?")
        .code(3)
        .run();
}
