//! `qhop test`: what runs, what is told of it, and in which form.

use crate::test::Test;

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
