//! qhop dies: at every step that is on record, and in between. Then `qhop recover` leaves exactly one QEMU with the guest, its
//! memory whole, and nothing else.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::fault_table::HANDED;
use crate::scene::{Scene, striker};
use crate::test::Ended;

/// A guest that moves; `%MEMORY%` and `%MODE%` are to be filled in.
const MOVE: &str = r#"
let memory = %MEMORY%;
let source = launch(#{ name: "source", guest: "heartbeat", args: memory });
source.wait_for_output("beat", 30.s);
let target = launch(#{ name: "target", guest: "heartbeat", args: memory + " -incoming defer" });
migrate(source, target, #{ mode: "%MODE%" });
"#;

fn moving(mode: &str) -> String {
    let memory = if mode == "shared" { "shared_memory(128.MiB)" } else { "\"-m 128\"" };
    MOVE.replace("%MEMORY%", memory).replace("%MODE%", mode)
}

/// How many lines the record of that recipe gets, and the one that its first QEMU is on.
fn lines(recipe: &str) -> (usize, usize) {
    let scene = Scene::new(recipe);
    assert!(scene.run(None).status.success());
    let record = scene.record();
    assert!(record.last().unwrap()["end"] == "ok", "the end is on record");
    let source = record.iter().position(|line| line["vm"].is_object()).unwrap();
    (record.len() - 1, source + 1)
}

/// qhop is killed at each step of a recipe that moves one guest; `status` is the guest's.
fn killed_at_every_step(recipe: &str, status: &str) {
    let (last, source) = lines(recipe);
    for line in 1..=last {
        let scene = Scene::new(recipe);
        scene.run(Some(line));
        let step = scene.record().last().unwrap().clone();
        let said = scene.recover();
        if line < source {
            assert!(scene.alive().is_empty(), "at {step}");
            scene.test.nothing_left();
        } else {
            eprintln!("killed at {}: {said}", step["step"]);
            // As soon as it is launched, it runs, whatever is done with it later.
            scene.one_guest_is_whole(if line == source { "running" } else { status });
        }
    }
}

#[test]
fn killed_at_every_step_of_a_precopy() {
    killed_at_every_step(&moving("precopy"), "running");
}

#[test]
fn killed_at_every_step_of_a_postcopy() {
    killed_at_every_step(&moving("postcopy"), "running");
}

#[test]
fn killed_at_every_step_in_shared_memory() {
    killed_at_every_step(&moving("shared"), "running");
}

#[test]
fn killed_at_every_step_of_moving_a_guest_that_is_paused() {
    let recipe = moving("precopy").replace("let target", "source.stop();\nlet target");
    killed_at_every_step(&recipe, "paused");
}

/// A live patch of the built-in guest.
fn patching(memory: &str, options: &str) -> String {
    format!(
        r#"let source = launch(#{{ name: "source", guest: "heartbeat", args: {memory} }});
source.wait_for_output("beat", 30.s);
live_patch(source, #{{ qemu: "qemu-system-x86_64"{options} }});"#
    )
}

#[test]
fn killed_at_every_step_of_a_live_patch_in_shared_memory() {
    killed_at_every_step(&patching("shared_memory(128.MiB)", ""), "running");
}

#[test]
fn killed_at_every_step_of_a_live_patch_of_private_memory() {
    killed_at_every_step(&patching("\"-m 128\"", ""), "running");
}

/// The source waits for a target that nobody tells to listen, or that was not even given the memory.
#[test]
fn killed_at_every_step_of_a_live_patch_that_hands_the_memory_over() {
    let new = format!("qemu: \"{}\"", crate::test::new());
    let recipe =
        patching(HANDED, "").replace("guest: \"heartbeat\"", &format!("{new}, guest: \"heartbeat\""));
    killed_at_every_step(&recipe.replace("qemu: \"qemu-system-x86_64\"", &new), "running");
}

#[test]
fn killed_at_every_step_of_a_live_patch_that_is_rehearsed_by_a_precopy() {
    killed_at_every_step(&patching("\"-m 128\"", ", rehearse: \"precopy\", mode: \"precopy\""), "running");
}

#[test]
fn killed_at_every_step_of_a_recovery() {
    for mode in ["precopy", "postcopy"] {
        // What the recovery of a move at its step `prove`, the fourth last, notes: its own start, both ends, its steps.
        let recipe = moving(mode);
        let (last, _) = lines(&recipe);
        for line in 1..=8 {
            let scene = Scene::new(&recipe);
            scene.run(Some(last - 3));
            let mut again = scene.qhop(&["recover"]);
            again.env("LD_PRELOAD", striker()).env("STRIKE_LINE", line.to_string());
            let output = again.output().unwrap();
            assert_eq!(output.status.signal(), Some(9), "{output:?}");
            scene.recover();
            scene.one_guest_is_whole("running");
        }
    }
}

/// A move that takes its time, and is killed while memory is being sent.
fn killed_in_the_middle(mode: &str, until: &str) -> Scene {
    let recipe = format!(
        r#"let guest = #{{ name: "heartbeat", memory: 32.MiB, rate: 0 }};
let source = launch(#{{ name: "source", guest: guest, args: "-m 128 -qmp unix:second,server=on,wait=off" }});
source.wait_for_output("beat", 30.s);
let target = launch(#{{ name: "target", guest: guest, args: "-m 128 -incoming defer" }});
let slow = #{{ "max-bandwidth": 8.MiB, "max-postcopy-bandwidth": 8.MiB }};
migrate(source, target, #{{ mode: "{mode}", parameters: slow }});"#
    );
    let scene = Scene::new(&recipe);
    let mut qhop = scene.test.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let wait = format!(
        r#"let vm = ();
        while vm == () {{ try {{ vm = attach("unix:second"); }} catch {{ sleep(10.ms); }} }}
        vm.wait_for_migration("{until}", 60.s);"#
    );
    let (said, code) = scene.says(&["--no-record", "--timeout", "90s", "eval", &wait]);
    assert_eq!(code, 0, "{said}");
    kill_process(Pid::from_child(&qhop), Signal::KILL).unwrap();
    qhop.wait().unwrap();
    scene
}

#[test]
fn killed_in_the_middle_of_a_precopy() {
    let scene = killed_in_the_middle("precopy", "active");
    let (looked, _) = scene.says(&["recover", "--dry-run"]);
    assert!(looked.contains("the guest is safe: `source` is running: to be undone"), "{looked}");
    assert_eq!(scene.alive().len(), 2, "a look changes nothing");
    let said = scene.recover();
    assert_eq!(
        said,
        "it was moving `source` to `target`, at the step `migrate`\nthe guest is safe: `source` is running\n"
    );
    scene.one_guest_is_whole("running");
}

#[test]
fn killed_in_the_middle_of_a_postcopy() {
    let scene = killed_in_the_middle("postcopy", "postcopy-active");
    let said = scene.recover();
    assert_eq!(
        said,
        "it was moving `source` to `target`, at the step `switch`\n\
         the guest is on `target`, as it was to be; `source` is retired\n"
    );
    scene.one_guest_is_whole("running");
}

#[test]
fn killed_in_a_postcopy_together_with_the_target() {
    let scene = killed_in_the_middle("postcopy", "postcopy-active");
    let target = scene.record().into_iter().filter(|line| line["vm"].is_object()).nth(1).unwrap();
    let pid = i32::try_from(target["vm"]["pid"].as_i64().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    let (said, code) = scene.says(&["recover"]);
    assert!(said.contains("the guest is lost: it had switched to `target`, which is gone"), "{said}");
    assert_eq!(code, 0, "there is nothing that could still be done");
    let alive = scene.alive();
    let [source] = &alive[..] else { panic!("the source is left: {alive:?}") };
    scene.says(&["--no-record", "eval", &format!("attach({source}).kill();")]);
    scene.test.nothing_left();
}

#[test]
fn a_guest_that_was_sent_by_hand_is_on_its_way() {
    let recipe = r#"let guest = #{ name: "heartbeat", memory: 32.MiB, rate: 0 };
let source = launch(#{ name: "source", guest: guest });
source.wait_for_output("beat", 30.s);
let target = launch(#{ name: "target", guest: guest, args: "-incoming defer" });
source.qmp("migrate-set-parameters", #{ "max-bandwidth": 1.MiB });
target.qmp("migrate-incoming", #{ uri: `unix:${target.directory}/migrate` });
source.qmp("migrate", #{ uri: `unix:${target.directory}/migrate` });
target.wait_for_migration("active");
step("file", #{ path: "/no/such/file" });"#;
    // The two directories, the two QEMUs, and that step.
    let scene = Scene::new(recipe);
    scene.run(Some(6));
    let said = scene.recover();
    assert!(said.contains("`source`") && said.contains("`target`") && !said.contains("ended\n"), "{said}");
    assert_eq!(scene.alive().len(), 2, "neither is known not to be needed");
}

#[test]
fn a_run_that_goes_on_is_left_alone() {
    let scene =
        Scene::new("launch(#{ name: \"guest\", guest: \"heartbeat\" }); print(\"up\"); sleep(10.min);");
    let mut qhop = Ended(scene.test.command().stdout(Stdio::piped()).spawn().unwrap());
    let mut up = [0; 2];
    std::io::Read::read_exact(qhop.0.stdout.as_mut().unwrap(), &mut up).unwrap();
    assert_eq!(scene.says(&["recover"]), ("there is nothing to recover\n".to_owned(), 0));
    let runs = std::fs::read_dir(scene.test.directory().join("state/qhop/runs")).unwrap();
    let run = runs.map(|run| run.unwrap().file_name().into_string().unwrap()).max().unwrap();
    let (said, code) = scene.says(&["recover", &run]);
    assert_eq!(code, 5);
    assert!(said.starts_with(&format!(
        "error: run `{run}` cannot be recovered: its qhop (process {}) lives",
        qhop.0.id()
    )));
    let (listed, _) = scene.says(&["ps"]);
    // It lists those of every run on this machine.
    let here = scene.test.directory().to_str().unwrap();
    let line = listed.lines().find(|line| line.contains(here)).unwrap();
    assert!(line.contains(&format!("`qhop` (pid {})", qhop.0.id())), "{listed}");
    assert!(!listed.contains("did not come to its end"), "{listed}");
    drop(qhop);
    let (listed, _) = scene.says(&["ps", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let guests = listed["outcome"]["guests"].as_array().unwrap();
    let guest = guests
        .iter()
        .find(|it| it["monitor"].as_str().unwrap().contains(scene.test.directory().to_str().unwrap()));
    assert_eq!(
        (&guest.unwrap()["state"], &guest.unwrap()["holder"]),
        (&Value::from("running"), &Value::Null)
    );
    assert_eq!(listed["outcome"]["undone"][0]["run"], Value::from(run));
    let said = scene.says(&["recover", "--end"]).0;
    assert!(said.contains("was not to outlive its script: ended"), "{said}");
    scene.test.nothing_left();
}

#[test]
fn several_runs_are_told_apart() {
    let scene = Scene::new("launch(#{ name: \"guest\", guest: \"heartbeat\" }); exit(0);");
    scene.run(Some(2));
    scene.run(Some(2));
    let (said, code) = scene.says(&["recover"]);
    assert_eq!(code, 2);
    assert!(said.starts_with("error: which run is to be recovered? There are 2: "), "{said}");
    let (said, code) = scene.says(&["recover", "nonsense"]);
    assert_eq!((said.lines().next(), code), (Some("error: there is no record of a run `nonsense`"), 2));
}

/// Whoever moved it now would be undone by the recovery, or the recovery by them.
#[test]
fn a_guest_in_the_middle_of_a_move_is_not_moved_again() {
    let recipe = patching("shared_memory(128.MiB)", ", keep: true");
    let whole = Scene::new(&recipe);
    assert!(whole.run(None).status.success());
    let line = |step: &str| whole.record().iter().position(|line| line["step"] == step).unwrap() + 1;
    for (step, said) in
        [("plan", "nothing of it had begun: `source` "), ("agree", "the guest is safe: `source`")]
    {
        let scene = Scene::new(&recipe);
        scene.run(Some(line(step)));
        let source = scene.record().into_iter().find(|line| line["vm"]["name"] == "source").unwrap();
        let again = format!("live_patch(attach({}));", source["vm"]["pid"]);
        let (refused, code) = scene.says(&["eval", &again]);
        assert_eq!(code, 1, "{refused}");
        assert!(refused.contains("a run that did not come to its end was moving it"), "{refused}");
        let recovered = scene.recover();
        assert!(recovered.contains(said), "{recovered}");
        let (moved, code) = scene.says(&["eval", &again]);
        assert_eq!(code, 0, "{moved}");
        scene.one_guest_is_whole("running");
    }
}

#[test]
fn killed_together_with_the_target_of_a_guest_that_is_paused() {
    let recipe = moving("precopy").replace("let target", "source.stop();\nlet target");
    let whole = Scene::new(&recipe);
    assert!(whole.run(None).status.success());
    let at = whole.record().iter().position(|line| line["step"] == "migrate").unwrap() + 1;
    let scene = Scene::new(&recipe);
    scene.run(Some(at));
    let target = scene.record().into_iter().find(|line| line["vm"]["name"] == "target").unwrap();
    let pid = i32::try_from(target["vm"]["pid"].as_i64().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    let said = scene.recover();
    assert!(said.contains("the guest is safe: it is on `source`, stopped as it was"), "{said}");
    scene.one_guest_is_whole("paused");
}

/// Somebody has moved it by hand meanwhile, and kept what it was in.
#[test]
fn a_guest_that_went_elsewhere_is_not_taken_back() {
    let recipe = moving("shared");
    let whole = Scene::new(&recipe);
    assert!(whole.run(None).status.success());
    let at = whole.record().iter().position(|line| line["step"] == "agree").unwrap() + 1;
    let scene = Scene::new(&recipe);
    scene.run(Some(at));
    let source = scene.record().into_iter().find(|line| line["vm"]["name"] == "source").unwrap();
    let elsewhere = format!(
        r#"let source = attach({});
        let target = successor(source, #{{ name: "elsewhere", keep: true }});
        migrate(source, target, #{{ mode: "shared", keep_source: true }});"#,
        source["vm"]["pid"]
    );
    let (said, code) = scene.says(&["--no-record", "eval", &elsewhere]);
    assert_eq!(code, 0, "{said}");
    let said = scene.recover();
    assert!(said.contains("the guest went from `source` to another QEMU than `target`"), "{said}");
    assert_eq!(crate::fault_table::whereabouts(&scene).as_deref(), Some("target"));
}
