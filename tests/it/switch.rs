//! Around the moment of the switch: whoever breaks in there, exactly one QEMU runs the guest afterwards, and qhop says which.

use crate::fault_table::{patching, whereabouts};
use crate::scene::{Scene, striker};
use crate::test::Test;

/// Ctrl-C, so many microseconds after a step: what qhop says, and where the guest is then.
fn interrupted(mode: &str, step: &str, after: u32) {
    let scene = Scene::new(&patching(mode));
    let mut command = scene.test.command();
    command.env("LD_PRELOAD", striker()).env("STRIKE_STEP", step);
    command.env("STRIKE_SIGNAL", "2").env("STRIKE_AFTER", after.to_string());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let found = whereabouts(&scene).expect("it runs somewhere");
    let title = format!("{mode}, {after} µs after `{step}`: on `{found}`: {said}");
    assert_eq!(scene.alive().len(), 1, "nothing else is left: {title}");
    assert_eq!(scene.says(&["recover"]), ("there is nothing to recover\n".to_owned(), 0), "{title}");
    // It may have come too late.
    if output.status.success() {
        assert_eq!(found, "target", "{title}");
        return;
    }
    assert_eq!(output.status.code(), Some(130), "{title}");
    let told: &[&str] = if found == "source" {
        &["the guest is safe: `source` is running", "the guest is untouched: it is on `source`"]
    } else {
        &["the guest runs on `target`"]
    };
    // Of what is over there is nothing to be told.
    let nothing = found == "target" && !said.contains("the guest");
    assert!(nothing || told.iter().any(|told| said.contains(told)), "{title}");
}

fn interrupted_around_the_switch(mode: &str) {
    std::thread::scope(|scope| {
        for lane in 0..2 {
            scope.spawn(move || {
                for turn in 0..10 {
                    interrupted(mode, "migrate", 1 + 600 * (2 * turn + lane));
                }
            });
        }
    });
}

#[test]
fn interrupted_around_the_switch_in_shared_memory() {
    interrupted_around_the_switch("shared");
}

#[test]
fn interrupted_around_the_switch_of_a_precopy() {
    interrupted_around_the_switch("precopy");
}

#[test]
fn interrupted_around_the_switch_while_the_memory_is_handed_over() {
    interrupted_around_the_switch("cpr-transfer");
}

/// Before a migration looks after it, the target belongs to the plan, and afterwards to the migration.
#[test]
fn interrupted_between_the_plan_and_the_move() {
    for (step, after) in [("rehearse", 200_000), ("done", 1), ("done", 3_000), ("agree", 1), ("agree", 3_000)]
    {
        interrupted("shared", step, after);
    }
}

#[test]
fn a_guest_that_happens_to_be_stopped_outlives_qhop() {
    let test = Test::new().recipe(
        r#"
        let vm = launch(#{ guest: "heartbeat", keep: true });
        vm.wait_for_output("beat", 30.s);
        run("kill", ["-STOP", `${vm.pid}`]);
        "#,
    );
    let scene = Scene { test };
    assert!(scene.test.output().status.success());
    assert_eq!(whereabouts(&scene).as_deref(), Some("source"));
}

#[test]
fn a_qemu_that_is_the_child_of_a_script_goes_with_it() {
    let script = format!("#!/bin/sh\n{} \"$@\"\n", crate::test::new());
    let recipe = r#"
        run("chmod", ["+x", "script"]);
        let vm = launch(#{ name: "source", qemu: "./script", guest: "heartbeat" });
        vm.wait_for_output("beat", 30.s);
        vm.kill();
        let left = launch(#{ name: "source", qemu: "./script", guest: "heartbeat" });"#;
    let scene = Scene { test: Test::new().file("script", &script).recipe(recipe) };
    assert!(scene.test.output().status.success());
    assert!(scene.alive().is_empty(), "{:?}", scene.alive());
}

/// A target that is stopped for a look at it does nothing meanwhile, and what it has said before is known.
#[test]
fn a_qemu_is_frozen_and_thawed() {
    Test::new()
        .recipe(
            r#"
            let vm = launch(#{ guest: "heartbeat", args: "-S" });
            assert(vm._freeze(), "it can be");
            assert_eq([run("cut", ["-d ", "-f3", `/proc/${vm.pid}/stat`]).stdout, vm.last_event("RESUME")], ["T\n", ()]);
            vm._thaw();
            vm.cont();
            assert(vm._freeze(), "again");
            assert(vm.last_event("RESUME") != (), "it had begun");
            let beats = vm.console;
            sleep(100.ms);
            assert_eq(vm.console, beats);
            vm._thaw();
            vm.wait_for_output("beat", 30.s);
            // What somebody else has stopped stays so.
            run("kill", ["-STOP", `${vm.pid}`]);
            let state = || run("cut", ["-d ", "-f3", `/proc/${vm.pid}/stat`]).stdout;
            while state.call() != "T\n" { sleep(1.ms); }
            assert(vm._freeze(), "it is already");
            vm._thaw();
            assert_eq(state.call(), "T\n");
            "#,
        )
        .run();
}
