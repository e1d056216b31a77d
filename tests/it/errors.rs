//! What a user sees when something goes wrong, word for word; and where the guest is then.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::test::{Test, new, old};

/// A recipe that launches `source`, and shows at its end that the guest lives on there.
fn guarded(launch: &str, rest: &str) -> String {
    format!(
        r#"let source = launch(#{{ name: "source", {launch}, guest: "heartbeat" }});
defer(|| {{
    source.wait_for_status("running", 10.s);
    source.wait_for_output("beat", 10.s);
    source.check_memory();
    print("the guest beats on in the source");
}});
{rest}"#
    )
}

#[test]
fn a_qemu_that_is_not_there() {
    Test::new()
        .recipe("launch(#{ qemu: \"no-such-qemu\" });")
        .stderr(
            "error: cannot start `no-such-qemu`: not found on PATH
 ——▶ test.rhai:1:1
  │
1 │ launch(#{ qemu: \"no-such-qemu\" });
  │ ^
hint: install it, or name its path: `launch(#{ qemu: \"/path/to/qemu\" })`; `qhop doctor` lists what is here",
        )
        .code(5)
        .run();
}

#[test]
fn an_unknown_option() {
    Test::new()
        .recipe("launch(#{ qmeu: \"x\" });")
        .stderr(
            "error: `launch`: there is no option `qmeu`
 ——▶ test.rhai:1:1
  │
1 │ launch(#{ qmeu: \"x\" });
  │ ^
hint: did you mean `qemu`?",
        )
        .code(1)
        .run();
}

#[test]
fn a_wait_that_runs_out_says_what_it_saw() {
    Test::new()
        .recipe("let vm = launch(#{ name: \"guest\", guest: \"heartbeat\" });\nvm.wait_for_status(\"postmigrate\", 200.ms);")
        .stderr(
            "error: waiting for status `postmigrate` of vm `guest` took longer than 200 ms: current `running`, wanted `postmigrate`
 ——▶ test.rhai:2:4
  │
2 │ vm.wait_for_status(\"postmigrate\", 200.ms);
  │    ^",
        )
        .code(6)
        .run();
}

#[test]
fn a_duration_without_a_unit() {
    Test::new()
        .recipe("sleep(10);")
        .stderr(
            "error: `sleep`: `10` has no unit of time
 ——▶ test.rhai:1:1
  │
1 │ sleep(10);
  │ ^
hint: write `10.s`, `500.ms`, `2.min`, or a string such as \"10s\"",
        )
        .code(1)
        .run();
}

#[test]
fn a_qemu_that_goes_away_in_the_middle_of_a_command() {
    Test::new()
        .recipe("let vm = launch(#{ name: \"guest\", guest: \"heartbeat\" });\nrun(\"kill\", [\"-9\", `${vm.pid}`]);\nvm.wait_for_status(\"paused\");")
        .stderr(
            "error: vm `guest` was killed by signal 9 during `query-status`
 ——▶ test.rhai:3:4
  │
3 │ vm.wait_for_status(\"paused\");
  │    ^",
        )
        .code(1)
        .run();
}

#[test]
fn errors_are_values_in_a_script() {
    Test::new()
        .recipe(
            r#"let vm = launch(#{ name: "guest", guest: "heartbeat" });
            try { vm.qmp("nonsense"); } catch (e) { print(`${e.kind}|${e.message}|${e.vm}|${e.hint}`); }
            try { throw #{ kind: "mine", message: "own" }; } catch (e) { print(`${e.kind}|${e.message}`); }"#,
        )
        .stdout("qmp|`nonsense`: The command nonsense has not been found|guest|\nmine|own")
        .run();
}

#[test]
fn a_target_that_cannot_start() {
    Test::new()
        .recipe(&guarded(
            "qemu: \"qemu-system-x86_64\"",
            "launch(#{ name: \"target\", guest: \"heartbeat\", args: \"-incoming defer -device nonsense\" });",
        ))
        .stdout("the guest beats on in the source")
        .stderr(
            "error: vm `target` ended with exit status 1 during `launch`
 ——▶ test.rhai:8:1
  │
8 │ launch(#{ name: \"target\", guest: \"heartbeat\", args: \"-incoming defer -device nonsense\" });
  │ ^
target said: qemu-system-x86_64: -device nonsense: 'nonsense' is not a valid device model name",
        )
        .code(1)
        .run();
}

/// A target that dies of what the source sends: what is said about it, for a difference in the arguments.
fn dies_while_loading(from: &str, source: &str, target: &str, said: &str) {
    let recipe = guarded(
        &format!("qemu: \"{from}\", args: \"{source}\""),
        &format!(
            "let target = launch(#{{ name: \"target\", guest: \"heartbeat\", args: \"{target} -incoming defer\" }});\nmigrate(source, target, #{{ mode: \"precopy\" }});"
        ),
    );
    Test::new()
        .recipe(&recipe)
        .stdout("the guest beats on in the source")
        .stderr(&format!(
            "error: vm `target` ended before the migration completed
 ——▶ test.rhai:9:1
  │
9 │ migrate(source, target, #{{ mode: \"precopy\" }});
  │ ^
{said}
the guest is safe: `source` is running"
        ))
        .code(1)
        .run();
}

#[test]
fn a_target_that_lacks_a_device() {
    dies_while_loading(&new(), "-device virtio-rng-pci,addr=4", "", "[..]");
}

#[test]
fn a_target_of_another_machine_type() {
    dies_while_loading(&old(), "-machine pc", "-machine pc", "[..]");
}

#[test]
fn a_target_with_another_size_of_memory() {
    dies_while_loading(&new(), "-m 128", "-m 256", "[..]");
}

#[test]
fn a_target_that_is_killed_in_a_precopy() {
    let recipe = guarded(
        "args: \"-m 128 -qmp unix:second,server=on,wait=off\"",
        r#"let target = launch(#{ name: "target", guest: "heartbeat", args: "-m 128 -incoming defer" });
source.wait_for_output("beat");
print(target.pid);
migrate(source, target, #{ parameters: #{ "max-bandwidth": 1.MiB } });"#,
    );
    let test = Test::new().recipe(&recipe);
    let mut qhop = test.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(qhop.stdout.take().unwrap()).lines();
    let target: i32 = stdout.next().unwrap().unwrap().parse().unwrap();

    // The source is asked by its second monitor, which qhop knows nothing of.
    let mut monitor = UnixStream::connect(test.directory().join("second")).unwrap();
    let mut replies = BufReader::new(monitor.try_clone().unwrap()).lines();
    monitor.write_all(b"{\"execute\":\"qmp_capabilities\"}\n").unwrap();
    loop {
        monitor.write_all(b"{\"execute\":\"query-migrate\"}\n").unwrap();
        let reply = replies
            .find(|line| line.as_ref().is_ok_and(|line| line.contains("\"return\"")))
            .unwrap()
            .unwrap();
        let reply: serde_json::Value = serde_json::from_str(&reply).unwrap();
        if reply["return"]["ram"]["transferred"].as_u64().is_some_and(|bytes| bytes > 100_000) {
            break;
        }
    }
    kill_process(Pid::from_raw(target).unwrap(), Signal::KILL).unwrap();

    let output = qhop.wait_with_output().unwrap();
    assert_eq!(stdout.next().unwrap().unwrap(), "the guest beats on in the source");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: vm `target` ended before the migration completed
   ——▶ test.rhai:11:1
   │
11 │ migrate(source, target, #{ parameters: #{ \"max-bandwidth\": 1.MiB } });
   │ ^
@@
the guest is safe: `source` is running
"
    );
    assert_eq!(output.status.code(), Some(1));
    test.nothing_left();
}
