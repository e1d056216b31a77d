//! Every example is run: those in the docs of the script API, the shipped recipes, and the README's blocks.

use qhop::script::help::{Function, functions};
use qhop::script::recipe::{self, Source};
use qhop::script::runner::Script;
use qhop::script::session::Session;

use crate::test::{Test, lab, new, old};

pub fn api() -> Vec<Function> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let session = Session::new(runtime.handle().clone());
    functions(Script::load(session, Source::expression("()")).unwrap().engine())
}

#[test]
fn every_function_has_a_doc_and_one_of_its_name_an_example() {
    let api = api();
    assert!(api.len() > 50, "the metadata was read: {}", api.len());
    for function in &api {
        assert!(!function.doc.is_empty(), "`{}` has no doc", function.signature);
        let operator = !function.name.trim_start_matches("get$").starts_with(char::is_alphabetic);
        let shown = api.iter().any(|other| other.name == function.name && !other.examples.is_empty());
        let of_values = ["to_string", "to_debug"].contains(&function.name.as_str());
        assert!(shown || operator || of_values, "`{}` has no example", function.signature);
    }
}

#[test]
fn the_examples_in_the_docs_run() {
    for function in api() {
        for example in &function.examples {
            let output = Test::new().args(["run", "-"]).stdin(example).output();
            assert!(
                output.status.success(),
                "the example of `{}` fails:\n{example}\n{}",
                function.signature,
                String::from_utf8_lossy(&output.stderr),
            );
        }
    }
}

#[test]
fn every_shipped_recipe_is_run_by_a_test() {
    let tested = [
        "classic_live_patch",
        "classic_local_postcopy",
        "classic_local_precopy",
        "demo",
        "doctor",
        "live_patch",
        "local_migration",
        "local_postcopy",
        "local_precopy",
    ];
    let mut names: Vec<&str> = recipe::shipped_names().collect();
    names.sort_unstable();
    assert_eq!(names, tested);
}

#[test]
fn the_demo_moves_the_guest_to_another_version() {
    Test::new()
        .args(["run", "demo", "--from", &old(), "--to", &new()])
        .stdout(
            "launch   QEMU 7.2[..] runs the guest (pc-i440fx-7.2, process [..])
prepare  QEMU 10.0.[..] waits for it (process [..])
migrate  shared, [..] ms from the command to the proof at both ends
verify   [..] pages written in [..] passes: none lost, stale or torn
done     the guest runs in QEMU 10.0.[..] after a blackout of [..] ms",
        )
        .run();
}

#[test]
fn the_demo_says_so_if_there_is_only_one_version() {
    Test::new()
        .args(["run", "demo"])
        .stdout(
            "launch   QEMU 10.0.[..] runs the guest (pc-i440fx-10.0, process [..])
prepare  QEMU 10.0.[..] waits for it (process [..])
         only one QEMU version here: the guest moves between two processes of it
migrate  shared, [..] ms from the command to the proof at both ends
verify   [..] pages written in [..] passes: none lost, stale or torn
done     the guest runs in QEMU 10.0.[..] after a blackout of [..] ms",
        )
        .run();
}

#[test]
fn local_precopy_runs() {
    Test::new()
        .args(["run", "local_precopy"])
        .stdout("moved in [..] ms with [..] passes, a blackout of [..] ms")
        .run();
}

#[test]
fn local_postcopy_runs() {
    Test::new()
        .args(["run", "local_postcopy"])
        .stdout("moved in [..] ms with [..] page requests, a blackout of [..] ms")
        .stderr("warning: `target` was not rehearsed: once a postcopy has switched there is no way back")
        .run();
}

#[test]
fn local_migration_moves_the_built_in_guest() {
    Test::new()
        .args(["run", "local_migration", "--from", &new(), "--to", &new()])
        .stdout("on 10.0.[..] after a blackout of [..] ms")
        .run();
}

#[test]
fn local_migration_shares_the_memory_of_the_built_in_guest() {
    Test::new()
        .args(["run", "local_migration", "--from", &old(), "--to", &new(), "--mode", "shared"])
        .stdout("on 10.0.[..] after a blackout of [..] ms")
        .run();
}

#[test]
fn local_migration_moves_linux_to_another_version() {
    let args = format!(
        "-m 256 -nodefaults -accel tcg -kernel {} -initrd {} -append 'console=ttyS0 quiet idle mib=16'",
        lab("linux/vmlinuz"),
        lab("linux/initramfs"),
    );
    Test::new()
        .args([
            "run",
            "local_migration",
            "--from",
            &old(),
            "--to",
            &new(),
            "--args",
            &args,
            "--ready",
            "memory ok",
        ])
        .stdout("on 10.0.[..] after a blackout of [..] ms")
        .run();
}

#[test]
fn live_patch_says_what_it_found_and_moves_the_guest() {
    let test = Test::new();
    let launch = format!(
        r#"
        let vm = launch(#{{ name: "guest", qemu: "{}", guest: "heartbeat", args: shared_memory(128.MiB), keep: true }});
        vm.wait_for_output("beat", 30.s);
        print(vm.pid);
        "#,
        old()
    );
    let run = |args: &[&str]| {
        let output = test.command().args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let pid = run(&["eval", &launch]);
    let planned = run(&["run", "live_patch", "--vm", pid.trim(), "--qemu", &new(), "--plan", "true"]);
    assert!(planned.contains("shared"), "{planned}");
    let patched = run(&["run", "live_patch", "--vm", pid.trim(), "--qemu", &new()]);
    assert!(patched.starts_with("on 10.0.") && patched.contains(" ms (shared: "), "{patched}");
    let target = patched.lines().last().unwrap().strip_prefix("process ").unwrap();
    run(&["eval", &format!("let vm = attach({target}); vm.check_memory(); vm.quit();")]);
    test.nothing_left();
}

#[test]
fn doctor_tells_what_is_here() {
    let output = Test::new().args(["doctor"]).output();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("ok         tcg: the built-in guest beats"), "{text}");
}
