//! `qhop test`: what runs, what is told of it, in which form, and what is left over.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::test::{Ended, Test, new};

const MIXED: &str = r#"//! Tests.
fn helper(x) { x + 1 }

fn test_passes() { print("nobody sees this"); assert_eq(helper(1), 2); }

fn test_fails() {
    print("seen");
    log("this, too");
    assert_eq(helper(1), 3);
}

fn test_is_not_for_here() { skip("no KVM"); }

fn test_breaks() { [].nonsense(); }
"#;

#[test]
fn each_test_of_a_recipe_is_told_on_a_line() {
    Test::new()
        .file("mixed.rhai", MIXED)
        .args(["test", "mixed.rhai"])
        .stdout(
            "ok      mixed.rhai: test_passes ([..])
FAILED  mixed.rhai: test_fails ([..])
  | seen
  | this, too
error: assertion failed: left is 2, right is 3
 ——▶ mixed.rhai:9:5
  │
9 │     assert_eq(helper(1), 3);
  │     ^
skipped mixed.rhai: test_is_not_for_here: no KVM
FAILED  mixed.rhai: test_breaks ([..])
error: there is no function `nonsense`
  ——▶ mixed.rhai:14:23
   │
14 │ fn test_breaks() { [].nonsense(); }
   │                       ^

1 passed, 2 failed, 1 skipped in [..]",
        )
        .code(4)
        .run();
}

#[test]
fn what_a_passed_test_printed_is_shown_on_request() {
    Test::new()
        .file("mixed.rhai", MIXED)
        .args(["test", "mixed.rhai", "--filter", "pass", "-v"])
        .stdout("ok      mixed.rhai: test_passes ([..])\n  | nobody sees this\n\n1 passed in [..]")
        .run();
}

#[test]
fn a_failure_that_is_no_assertion_has_another_code() {
    Test::new()
        .file("mixed.rhai", MIXED)
        .args(["test", "mixed.rhai", "--filter", "breaks"])
        .stdout(
            "FAILED  mixed.rhai: test_breaks ([..])
error: there is no function `nonsense`
...

0 passed, 1 failed in [..]",
        )
        .code(1)
        .run();
}

#[test]
fn directories_are_searched_and_recipes_that_do_not_compile_fail() {
    Test::new()
        .file("suite/b/two.rhai", "fn test_two() { }")
        .file("suite/a.rhai", "fn test_one() { let x = ; }")
        .file("suite/.hidden.rhai", "fn test_hidden() { }")
        .file("suite/library.rhai", "fn no_test() { }")
        .args(["test", "suite", "suite/b/two.rhai"])
        .stdout(
            "FAILED  suite/a.rhai (0 s)
error: [..]
 ——▶ suite/a.rhai:1:25
  │
1 │ fn test_one() { let x = ; }
  │                         ^
ok      suite/b/two.rhai: test_two ([..])

1 passed, 1 failed in [..]",
        )
        .code(3)
        .run();
}

#[test]
fn each_test_has_a_state_of_its_own_and_the_statements_of_the_recipe() {
    let recipe = r#"
import "./lib" as lib;
const TRIES = 3;
let name = param("name", "a name", "nobody");
print(`set up for ${name}`);
fn test_one() { assert_eq(lib::twice(global::TRIES), 6); }
fn test_two() { print(launch(#{ guest: "heartbeat" }).name); defer(|| print("cleaned up")); }
fn test_three() { assert_eq(launch(#{ guest: "heartbeat" }).name, "vm1"); }
"#;
    Test::new()
        .file("a.rhai", recipe)
        .file("lib.rhai", "fn twice(x) { 2 * x }")
        .args(["test", "a.rhai", "-v", "--param", "name=you", "--jobs", "3"])
        .stdout(
            "ok      a.rhai: test_one ([..])
  | set up for you
ok      a.rhai: test_two ([..])
  | set up for you
  | vm1
  | cleaned up
ok      a.rhai: test_three ([..])
  | set up for you

3 passed in [..]",
        )
        .run();
}

#[test]
fn a_failing_test_leaves_no_guest() {
    let recipe = r#"
fn test_one() {
    let vm = launch(#{ guest: "heartbeat" });
    print(vm.pid);
    vm.wait_for_output("beat", 20.s);
    assert(false, "no");
}"#;
    let test = Test::new().file("a.rhai", recipe).args(["test", "a.rhai", "--json"]);
    let output = test.output();
    assert_eq!(output.status.code(), Some(4));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let case = &report["outcome"]["tests"][0];
    assert_eq!(case["failure"]["message"], "assertion failed: no");
    let pid = case["output"].as_str().unwrap().trim().to_owned();
    assert!(!std::path::Path::new("/proc").join(&pid).exists(), "process {pid} is left");
    test.nothing_left();
}

#[test]
fn what_a_test_keeps_ends_with_it() {
    let recipe = r#"
fn test_one() {
    let vm = launch(#{ guest: "heartbeat", keep: true });
    print(vm.pid);
    attach(vm.pid.to_string());
    skip("seen enough");
}"#;
    let test = Test::new().file("a.rhai", recipe).args(["test", "a.rhai", "--json"]);
    let output = test.output();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let pid = report["outcome"]["tests"][0]["output"].as_str().unwrap().trim().to_owned();
    assert!(!std::path::Path::new("/proc").join(&pid).exists(), "process {pid} is left");
    test.nothing_left();
}

#[test]
fn what_a_test_has_found_lives_on() {
    let test = Test::new();
    let qemu = std::process::Command::new(new())
        .args(["-S", "-display", "none", "-machine", "none", "-qmp", "unix:qmp,server=on,wait=off"])
        .current_dir(test.directory())
        .spawn();
    let mut found = Ended(qemu.unwrap());
    let socket = test.directory().join("qmp");
    let start = Instant::now();
    while !socket.exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "it listens");
        std::thread::yield_now();
    }
    let attaches = format!("fn test_one() {{ attach(\"unix:{}\"); }}", socket.display());
    test.file("a.rhai", &attaches).args(["test", "a.rhai"]).stdout("ok [..]\n\n1 passed in [..]").run();
    assert!(found.0.try_wait().unwrap().is_none(), "it lives on");
}

#[test]
fn a_test_that_fails_once_may_be_tried_again() {
    let flaky = r#"fn test_flaky() { let seen = run("sh", ["-c", "echo x >> tries; wc -l < tries"]).stdout; seen.trim(); assert_eq(seen, "2"); }"#;
    let test = || Test::new().file("a.rhai", flaky);
    test()
        .args(["test", "a.rhai", "--retries", "1"])
        .stdout("ok      a.rhai: test_flaky ([..], try 2)\n\n1 passed in [..]")
        .run();
    test().args(["test", "a.rhai"]).stdout("FAILED [..]\n...\n\n0 passed, 1 failed in [..]").code(4).run();
}

#[test]
fn a_failure_can_be_the_end_of_it() {
    let test = || Test::new().file("a.rhai", "fn test_a() { exit(7); }\nfn test_b() { exit(0); }");
    test()
        .args(["test", "a.rhai", "--fail-fast"])
        .stdout(
            "FAILED  a.rhai: test_a ([..])
error: the test ended by `exit(7)`

0 passed, 1 failed, 1 not run in [..]",
        )
        .code(1)
        .run();
    test()
        .args(["test", "a.rhai"])
        .stdout("FAILED [..]\n...\nok      a.rhai: test_b ([..])\n\n1 passed, 1 failed in [..]")
        .code(1)
        .run();
}

#[test]
fn reports_for_programs() {
    let tests =
        "fn test_a() { }\nfn test_b() { skip(\"not here\"); }\nfn test_c() { assert(false, \"no\"); }";
    Test::new()
        .file("a.rhai", tests)
        .args(["test", "a.rhai", "--tap"])
        .stdout(
            "TAP version 14
1..3
ok 1 - a.rhai: test_a
ok 2 - a.rhai: test_b # SKIP not here
not ok 3 - a.rhai: test_c
  ---
  message: \"assertion failed: no\"
  kind: \"assertion\"
  place: {\"file\":\"a.rhai\",\"line\":3,\"column\":15}
  ...",
        )
        .code(4)
        .run();
    let test = Test::new().file("a.rhai", tests).args(["test", "a.rhai", "--junit", "report.xml"]);
    test.output();
    let report = std::fs::read_to_string(test.directory().join("report.xml")).unwrap();
    assert!(
        report.contains("<testsuite name=\"a.rhai\" tests=\"3\" failures=\"1\" errors=\"0\" time="),
        "{report}"
    );
    assert!(report.contains(" skipped=\"1\">\n"), "{report}");
    assert!(report.contains("<failure message=\"assertion failed: no\" type=\"assertion\">"), "{report}");
}

#[test]
fn a_reader_that_knows_an_older_tap_gets_that() {
    Test::new()
        .file("a.rhai", "fn test_a() { }\nfn test_b() { skip(\"not # here\"); }")
        .args(["test", "a.rhai", "--tap"])
        .env("TAP_VERSION", "13") // as `prove` says
        .stdout("TAP version 13\n1..2\nok 1 - a.rhai: test_a\nok 2 - a.rhai: test_b # SKIP not # here")
        .run();
}

#[test]
fn no_test_is_an_error() {
    Test::new()
        .file("a.rhai", "fn test_a() { }")
        .args(["test", "a.rhai", "--filter", "nothing"])
        .stderr(
            "error: no test has `nothing` in its name
hint: a test is a function of a recipe whose name starts with `test_`: `fn test_boots() { … }`",
        )
        .code(2)
        .run();
    Test::new()
        .args(["test", "gone.rhai"])
        .stderr("error: cannot read `gone.rhai`: no such file or directory")
        .code(2)
        .run();
}

#[test]
fn a_test_takes_no_arguments() {
    Test::new()
        .file("a.rhai", "fn test_a(qemu) { qemu }")
        .args(["test", "a.rhai"])
        .stdout(
            "FAILED  a.rhai: test_a (0 s)
error: the test `test_a` wants arguments, which nobody has for it
hint: ask for values by `param(\"name\", \"help\", default)`, and give them by `--param name=value`

0 passed, 1 failed in [..]",
        )
        .code(1)
        .run();
}

#[test]
fn a_test_that_takes_too_long_is_ended_and_the_others_are_not() {
    Test::new()
        .file("a.rhai", "fn test_a() { sleep(60.s); }\nfn test_b() { }")
        .args(["test", "a.rhai", "--timeout", "300ms"])
        .stdout(
            "FAILED  a.rhai: test_a ([..])
error: the test took longer than 300 ms
ok      a.rhai: test_b ([..])

1 passed, 1 failed in [..]",
        )
        .code(1)
        .run();
}

#[test]
fn a_signal_ends_all_tests_and_leaves_nothing() {
    let recipe = r#"
fn wait() {
    let vm = launch(#{ guest: "heartbeat" });
    defer(|| run("sh", ["-c", "echo deferred >> log"]));
    run("sh", ["-c", `echo ${vm.pid} >> pids`]);
    sleep(60.s);
}
fn test_a() { wait(); }
fn test_b() { wait(); }
fn test_c() { wait(); }
"#;
    let test = Test::new().file("a.rhai", recipe).args(["test", "a.rhai", "--jobs", "2"]);
    let child = test.command().stdout(Stdio::piped()).spawn().unwrap();
    let pids = || std::fs::read_to_string(test.directory().join("pids")).unwrap_or_default();
    let start = Instant::now();
    while pids().lines().count() < 2 {
        assert!(start.elapsed() < Duration::from_secs(60), "both tests run");
        std::thread::yield_now();
    }
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("0 passed, 2 failed, 1 not run"), "{said}");
    let deferred = std::fs::read_to_string(test.directory().join("log")).unwrap();
    assert_eq!(deferred, "deferred\ndeferred\n");
    for pid in pids().lines() {
        assert!(!std::path::Path::new("/proc").join(pid).exists(), "process {pid} is left");
    }
    test.nothing_left();
}

#[test]
fn a_recipe_and_a_test_can_tell_a_bisection_to_skip() {
    Test::new().recipe("exit(125);").code(125).run();
    let test = |text: &str| Test::new().file("a.rhai", text).args(["test", "a.rhai"]).stdout("...");
    test("fn test_a() { exit(125); }\nfn test_b() { }").code(125).run();
    test("fn test_a() { exit(125); }\nfn test_b() { assert(false, \"no\"); }").code(4).run();
}
