//! `--report`: the page of a run, however the run ends.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::test::{Test, new};

fn page(test: &Test) -> String {
    std::fs::read_to_string(test.directory().join("report.html")).unwrap()
}

/// A run with a report, which must not be empty of anything but what a run without one says.
fn reported(recipe: &str) -> Test {
    Test::new().recipe(recipe).args(["--report", "report.html"])
}

#[test]
fn a_migration_is_told_and_drawn() {
    let test = reported(
        r#"let source = launch(#{ name: "source", guest: "heartbeat" });
        let target = launch(#{ name: "target", guest: "heartbeat", args: "-incoming defer" });
        let outcome = migrate(source, target, #{ mode: "postcopy" });
        print(`${outcome.blackout_ms > 0} ${outcome.gap_ms >= outcome.blackout_ms}`);"#,
    );
    let output = test.output();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "true true\n");
    let page = page(&test);
    for part in [
        "source → target by postcopy",
        "STOP → RESUME",
        "heartbeat of the guest",
        "migrate-start-postcopy",
        "<h2>Steps</h2>",
        "give back",
        "beat ",
        "let source = launch(",
        "true true",
        "</html>",
    ] {
        assert!(page.contains(part), "no `{part}` in\n{page}");
    }
    for foreign in ["<script", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    test.nothing_left();
}

#[test]
fn what_a_guest_writes_is_no_markup() {
    // What it is called, and what it prints: a ROM that is no program, named after one.
    let test = reported(
        r#"let vm = launch(#{ name: "<script>alert(1)</script>", args: "-S -machine none" });
        log("<img src=x onerror=alert(1)>");
        vm.hmp("info name");"#,
    );
    assert!(test.output().status.success());
    let page = page(&test);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    assert!(page.contains("&lt;img src=x"), "{page}");
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
}

#[test]
fn a_failure_is_told_with_what_both_said() {
    let test = reported(
        r#"let source = launch(#{ name: "source", args: "-device virtio-rng-pci" });
        let target = launch(#{ name: "target", args: "-incoming defer" });
        migrate(source, target);"#,
    );
    assert_eq!(test.output().status.code(), Some(1));
    let page = page(&test);
    for part in ["failed, exit code 1", "source → target", "Unknown savevm section", "test.rhai:3:9"] {
        assert!(page.contains(part), "no `{part}` in\n{page}");
    }
}

#[test]
fn an_interrupted_run_has_one_too() {
    let test = reported(r#"print("begun"); sleep(60.s);"#);
    let mut qhop = test.command().stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    std::io::Read::read_exact(qhop.stdout.as_mut().unwrap(), &mut [0; 6]).unwrap();
    kill_process(Pid::from_child(&qhop), Signal::INT).unwrap();
    let status = qhop.wait().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(130), None));
    assert!(page(&test).contains("interrupted by SIGINT"));
}

#[test]
fn exit_and_skip_and_values_are_told() {
    for (recipe, told) in [("exit(3);", "exit 3"), ("skip(\"no KVM\");", "skipped: no KVM"), ("6 * 7", "42")]
    {
        let test = reported(recipe);
        test.output();
        assert!(page(&test).contains(told), "{told}");
    }
    let test = Test::new().args(["eval", "--report", "report.html", "\"a<b\""]);
    test.output();
    assert!(page(&test).contains("a&lt;b"));
}

#[test]
fn each_test_has_a_page_of_its_own() {
    let tests = "fn test_a() { launch(#{ args: \"-S\" }).hmp(\"info name\"); }\nfn test_b() { print(\"seen\"); assert(false, \"no\"); }";
    let test = Test::new().file("suite/a.rhai", tests).args([
        "test",
        "suite",
        "--report",
        "pages/new",
        "--jobs",
        "2",
        "--tap",
    ]);
    assert_eq!(test.output().status.code(), Some(4));
    let page = |name: &str| std::fs::read_to_string(test.directory().join("pages/new").join(name)).unwrap();
    assert!(page("suite-a.test_a.html").contains("info name"));
    let failed = page("suite-a.test_b.html");
    assert!(failed.contains("assertion failed: no") && failed.contains("seen"), "{failed}");
}

#[test]
fn what_runs_nothing_has_no_report() {
    Test::new()
        .args(["list", "--report", "report.html"])
        .stderr("error: `qhop list` runs nothing that a `--report` could tell of")
        .code(2)
        .run();
}

#[test]
fn a_place_that_cannot_be_written_is_found_out_before_anything_is_started() {
    Test::new()
        .recipe("print(\"never\");")
        .args(["--report", "nowhere/report.html"])
        .stderr("error: cannot write `nowhere/report.html`: no such file or directory\nhint: nothing was started\n")
        .code(2)
        .run();
}

#[test]
fn one_that_cannot_be_written_in_the_end_does_not_change_how_the_run_ended() {
    Test::new()
        .recipe("run(\"rm\", [\"-r\", \"place\"]); exit(3);")
        .file("place/x", "")
        .args(["--report", "place/report.html"])
        .stderr("warning: there is no report: cannot write `place/report.html`: no such file or directory\n")
        .code(3)
        .run();
}

#[test]
fn it_takes_the_place_of_the_one_before_and_without_a_record() {
    let test = Test::new()
        .recipe(&format!("launch(#{{ qemu: \"{}\", args: \"-S\" }}).qmp(\"query-name\");", new()))
        .file("report.html", "old")
        .args(["--no-record", "--report", "report.html"]);
    assert!(test.output().status.success());
    let page = page(&test);
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("query-name"), "{page}");
    let left: Vec<_> = std::fs::read_dir(test.directory())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".qhop"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
