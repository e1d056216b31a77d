//! The record of a run, where there is no space for it, or no place.

use serde_json::Value;

use crate::test::Test;

const LAUNCHES: &str = r#"
let source = launch(#{ name: "source", guest: "heartbeat" });
source.wait_for_output("beat", 30.s);
let target = launch(#{ name: "target", guest: "heartbeat", args: "-incoming defer" });
"#;

/// A test whose state directory is a file system of `size`, in a namespace of its own. `$QHOP` is what is tested.
fn small_disk(size: &str, recipe: &str, script: &str) -> Test {
    let script = format!(
        "mkdir -p state && mount -t tmpfs -o size={size} none state && QHOP={} && {script}",
        env!("CARGO_BIN_EXE_qhop")
    );
    Test::new()
        .file("test.rhai", recipe)
        .file("test.sh", &script)
        .program("unshare", &["-rm", "sh", "test.sh"])
}

/// Takes all the space that is left.
const FILL: &str = r#"run("sh", ["-c", "cat /dev/zero >state/full; rm -f state/spare"]);"#;

#[test]
fn without_a_place_for_it_a_script_runs_and_no_guest_is_moved() {
    let recipe = format!("{LAUNCHES}print(source.status());\nmigrate(source, target);");
    Test::new()
        .recipe(&recipe)
        .env("XDG_STATE_HOME", "/proc/nowhere")
        .stdout("running")
        .stderr(
            "warning: this run keeps no record: cannot write to `/proc/nowhere/qhop/runs`: no such file or directory
error: vm `source` cannot be migrated: this run keeps no record: cannot write to `/proc/nowhere/qhop/runs`: no such file or directory
 ——▶ test.rhai:6:1
  │
6 │ migrate(source, target);
  │ ^
hint: make room there, or set `XDG_STATE_HOME` to a directory that can be written to; `--no-record` does without, and then nothing can be recovered if qhop dies
nothing was changed
",
        )
        .code(5)
        .run();
}

#[test]
fn one_can_do_without() {
    let recipe = format!("{LAUNCHES}migrate(source, target);\ntarget.check_memory();");
    Test::new()
        .file("test.rhai", &recipe)
        .args(["run", "--no-record", "test.rhai"])
        .env("XDG_STATE_HOME", "/proc/nowhere")
        .run();
}

#[test]
fn on_a_full_disk_no_guest_is_moved() {
    let recipe = format!(
        "{LAUNCHES}print(assert_throws(|| migrate(source, target), \"environment\").message);\nprint(source.status());"
    );
    small_disk("128k", &recipe, "cat /dev/zero >state/full 2>cat; $QHOP run test.rhai")
        .stdout(
            "vm `source` cannot be migrated: this run keeps no record: cannot write [..]: no space left on device
running",
        )
        .stderr("warning: this run keeps no record: cannot write [..]: no space left on device")
        .run();
}

#[test]
fn a_disk_that_fills_up_in_the_middle_does_not_matter() {
    let recipe = format!(
        "{LAUNCHES}{FILL}\nmigrate(source, target);\ntarget.check_memory();\nprint(target.status());"
    );
    let output =
        small_disk("256k", &recipe, "$QHOP run test.rhai && $QHOP ps && cat state/qhop/runs/*/steps")
            .output();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.starts_with("running\n"), "{text}");
    let steps: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let steps: Vec<&str> =
        steps.iter().filter_map(|line| line["step"].as_str().or(line["end"].as_str())).collect();
    assert_eq!(steps, ["file", "file", "agree", "migrate", "prove", "retire", "done", "ok"]);
}

#[test]
fn many_migrations_on_a_full_disk_are_refused_before_anything_is_changed() {
    // What was set aside is used up at last; the guest is then where it was, and the reason is told.
    let recipe = format!(
        r#"{LAUNCHES}{FILL}
        let moved = 0;
        let refused = ();
        while refused == () {{
            try {{
                migrate(source, target);
                moved += 1;
                source = target;
                target = launch(#{{ name: "target", guest: "heartbeat", args: "-incoming defer" }});
            }} catch (error) {{
                refused = error;
            }}
        }}
        print(`${{moved > 3}} ${{refused.kind}} ${{refused.outlook}}: ${{source.status()}}`);
        source.check_memory();"#
    );
    small_disk("256k", &recipe, "$QHOP run test.rhai")
        .stdout("true environment nothing was changed: running")
        .run();
}

#[test]
fn what_a_run_did_can_be_read() {
    let recipe = "let vm = launch(#{ name: \"guest\", guest: \"heartbeat\" }); vm.qmp(\"stop\"); vm.hmp(\"info status\");
run(\"true\", []); try { vm.qmp(\"fly\"); } catch { }";
    let test = Test::new().recipe(recipe);
    assert!(test.output().status.success());
    let runs = test.directory().join("state/qhop/runs");
    let run = std::fs::read_dir(runs).unwrap().next().unwrap().unwrap().path();
    let log = std::fs::read_to_string(run.join("log")).unwrap();
    let log: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let find = |key: &str, value: &str| log.iter().position(|line| line[key] == value).unwrap();
    let (before, after) = (find("effect", "ask `guest`: stop"), find("command", "stop"));
    assert!(before < after, "an effect is noted before it, its answer after");
    assert!(log.iter().any(|line| line["event"]["event"] == "STOP"));
    assert!(log[find("line", "info status")]["printed"].as_str().unwrap().contains("paused"));
    assert!(log[find("command", "fly")]["error"].as_str().unwrap().contains("not been found"));
    find("effect", "start true");
}
