//! The fault table of `live_patch`: at each of its steps, in each mode, the target is killed or hangs, or the disk of
//! the record fills up. Afterwards the guest runs in exactly one QEMU, its memory whole, or its user is told that it cannot.

use rustix::process::{Pid, Signal, kill_process};

use crate::scene::{Scene, striker};
use crate::test::{Test, new, newest};

/// A memory that can be handed over by `cpr-transfer`.
pub const HANDED: &str = r#""-m 128 -object memory-backend-memfd,id=ram,size=128M,share=on -machine memory-backend=ram,aux-ram-share=on""#;

/// A guest that outlives its script, and is patched by that mode.
pub fn patching(mode: &str) -> String {
    let memory = match mode {
        "shared" => "shared_memory(128.MiB)",
        "cpr-transfer" | "cpr-exec" => HANDED,
        _ => "\"-m 128\"",
    };
    let qemu = match mode {
        "cpr-transfer" => new(),
        "cpr-exec" => newest().unwrap(),
        _ => "qemu-system-x86_64".to_owned(),
    };
    format!(
        r#"let qemu = "{qemu}";
let source = launch(#{{ name: "source", qemu: qemu, guest: "heartbeat", keep: true, args: {memory} }});
source.wait_for_output("beat", 30.s);
live_patch(source, #{{ qemu: qemu, mode: "{mode}", stall: 2.s }});"#
    )
}

/// Where the guest is to be afterwards.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    /// It runs where it was, and nothing else is left.
    Source,
    /// It runs on the target.
    Target,
    /// It ran there already, or not yet: that is a matter of milliseconds.
    Either,
    /// Its QEMU was killed: it is told to be lost.
    Lost,
    /// It was not there yet, or was killed.
    SourceOrLost,
}

/// The steps, who is struck, and where the guest is when that one was killed, and when it hangs.
const TABLE: [(&str, &str, End, End); 8] = [
    ("rehearse", "target", End::Source, End::Source),
    ("throwaway", "rehearsal", End::Source, End::Source),
    ("agree", "target", End::Source, End::Source),
    ("migrate", "target", End::Source, End::Source),
    ("switch", "target", End::Source, End::Source),
    ("prove", "target", End::SourceOrLost, End::Either),
    ("retire", "target", End::Lost, End::Target),
    ("give back", "target", End::Lost, End::Target),
];

const STOP: &str = "19";
const KILL: &str = "9";

/// What qhop says, and its exit code, when that happens to it at a step.
fn struck(scene: &Scene, environment: &[(&str, &str)]) -> (String, i32) {
    let mut command = scene.test.command();
    command.env("LD_PRELOAD", striker()).envs(environment.iter().copied());
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.code().unwrap())
}

/// The guest as it is afterwards: the name of the QEMU that it runs in, if one does. It is whole there. What had been made
/// to hang goes on.
pub fn whereabouts(scene: &Scene) -> Option<String> {
    for pid in scene.alive() {
        kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), Signal::CONT).unwrap();
    }
    let pids = scene.alive().join(", ");
    let look = format!(
        r#"let found = ();
        for pid in [{pids}] {{
            let vm = attach(pid);
            if vm.status() == "running" {{
                assert(found == (), "only one of them runs the guest");
                vm.wait_for_output("beat", 30.s);
                vm.check_memory();
                found = if "-incoming" in vm.args {{ "target" }} else {{ "source" }};
            }} else {{
                assert(vm.status() in ["postmigrate", "paused"], vm.status());
            }}
        }}
        found ?? "nowhere""#
    );
    let (said, code) = scene.says(&["--no-record", "eval", &look]);
    assert_eq!(code, 0, "{said}");
    Some(said.trim().to_owned()).filter(|name| name != "nowhere")
}

/// At each step: several at once, since most of the time is spent waiting for one that hangs.
fn strike(mode: &str, signal: &str) {
    let recipe = patching(mode);
    let applies = |step| match step {
        "switch" => mode == "postcopy",
        // What gets the memory then is another than the one that was examined, and begins later.
        "rehearse" => !mode.starts_with("cpr-"),
        "throwaway" => true,
        // From there on, there is but one process.
        _ => mode != "cpr-exec",
    };
    let steps: Vec<_> = TABLE.into_iter().filter(|row| applies(row.0)).collect();
    for some in steps.chunks(if signal == STOP { 4 } else { 2 }) {
        std::thread::scope(|scope| {
            for &(step, vm, killed, hangs) in some {
                let wanted = if signal == KILL { killed } else { hangs };
                let at = [("STRIKE_STEP", step), ("STRIKE_VM", vm), ("STRIKE_SIGNAL", signal)];
                let recipe = &recipe;
                scope.spawn(move || check(&Scene::new(recipe), &at, wanted));
            }
        });
    }
}

fn check(scene: &Scene, at: &[(&str, &str)], wanted: End) {
    let (said, code) = struck(scene, at);
    let found = whereabouts(scene);
    let title = format!("{at:?}: {found:?}, {code}\n{said}");
    let is_lost = said.contains("the guest is lost: ");
    match (wanted, found.as_deref()) {
        (End::Source | End::SourceOrLost | End::Either, Some("source")) => {
            assert_eq!(scene.alive().len(), 1, "only the source is left: {title}");
            let reassuring = ["the guest is safe: ", "the guest is untouched: ", "nothing was changed"];
            assert!(code != 0 && reassuring.iter().any(|words| said.contains(words)), "{title}");
        }
        (End::Target | End::Either, Some("target")) => {
            assert!(!is_lost && said.contains("took longer than 2 s: no answer"), "{title}");
        }
        (End::Lost | End::SourceOrLost, None) => assert!(code != 0 && is_lost, "{title}"),
        _ => panic!("it was to be {wanted:?}: {title}"),
    }
}

#[test]
fn a_target_is_killed_in_shared_memory() {
    strike("shared", KILL);
}

#[test]
fn a_target_is_killed_in_a_postcopy() {
    strike("postcopy", KILL);
}

#[test]
fn a_target_is_killed_in_a_precopy() {
    strike("precopy", KILL);
}

#[test]
fn a_target_is_killed_while_the_memory_is_handed_over() {
    strike("cpr-transfer", KILL);
}

#[test]
fn a_target_hangs_while_the_memory_is_handed_over() {
    strike("cpr-transfer", STOP);
}

#[test]
fn a_target_hangs_in_shared_memory() {
    strike("shared", STOP);
}

#[test]
fn a_target_hangs_in_a_postcopy() {
    strike("postcopy", STOP);
}

#[test]
fn a_target_hangs_in_a_precopy() {
    strike("precopy", STOP);
}

#[test]
fn a_target_is_killed_or_hangs_before_the_process_changes_its_program() {
    if newest().is_some() {
        strike("cpr-exec", KILL);
        strike("cpr-exec", STOP);
    }
}

/// The state directory on a file system of its own, which is filled up at a step: the patch succeeds all the same, for the
/// space of its record was set aside when its run began.
fn fill_up(mode: &str) {
    for step in [
        "plan",
        "successor",
        "rehearse",
        "cpr",
        "exec",
        "agree",
        "migrate",
        "switch",
        "prove",
        "retire",
        "give back",
    ] {
        let applies = match step {
            "switch" => mode == "postcopy",
            "cpr" => mode.starts_with("cpr-"),
            "exec" => mode == "cpr-exec",
            // One process changes its program, and nothing else.
            "agree" | "migrate" | "retire" => mode != "cpr-exec",
            _ => true,
        };
        if !applies {
            continue;
        }
        let script = format!(
            "mkdir -p state && mount -t tmpfs -o size=256k none state
            STRIKE_STEP='{step}' STRIKE_FULL=1 env LD_PRELOAD={} {} run test.rhai && test -s state/qhop/runs/*/full",
            striker().display(),
            env!("CARGO_BIN_EXE_qhop")
        );
        let test = Test::new().file("test.rhai", &patching(mode)).file("test.sh", &script);
        let scene = Scene { test: test.program("unshare", &["-rm", "sh", "test.sh"]) };
        let output = scene.test.output();
        assert!(output.status.success(), "{mode}, `{step}`: {output:?}");
        assert_eq!(whereabouts(&scene).as_deref(), Some("target"), "{mode}, `{step}`: {output:?}");
        assert_eq!(scene.alive().len(), 1, "{mode}, `{step}`");
    }
}

#[test]
fn the_disk_of_the_record_fills_up_while_the_process_changes_its_program() {
    if newest().is_some() {
        fill_up("cpr-exec");
    }
}

#[test]
fn the_disk_of_the_record_fills_up() {
    std::thread::scope(|scope| {
        for mode in ["shared", "cpr-transfer", "postcopy", "precopy"] {
            scope.spawn(move || fill_up(mode));
        }
    });
}
