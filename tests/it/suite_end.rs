//! How tests end, by themselves or not, and what they leave behind: nothing.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::test::{Ended, Test, new};

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
