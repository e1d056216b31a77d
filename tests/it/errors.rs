//! What a user sees when something goes wrong, word for word; and where the guest is then.

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
        .recipe("let vm = launch(#{ name: \"guest\", guest: \"heartbeat\" });\nvm.wait_for_output(\"beat\", 20.s);\nvm.wait_for_status(\"postmigrate\", 200.ms);")
        .stderr(
            "error: waiting for status `postmigrate` of vm `guest` took longer than 200 ms: current `running`, wanted `postmigrate`
 ——▶ test.rhai:3:4
  │
3 │ vm.wait_for_status(\"postmigrate\", 200.ms);
  │    ^
guest's console said:
  [..]beat[..]
...",
        )
        .code(6)
        .run();
}

#[test]
fn a_wait_that_runs_out_says_what_happened_meanwhile() {
    Test::new()
        .recipe(
            "let vm = launch(#{ name: \"guest\", guest: \"heartbeat\" });
vm.qmp(\"migrate\", #{ uri: \"exec:cat > /dev/null\" });
vm.wait_for_event(\"RESET\", 5.s);",
        )
        .stderr(
            "error: waiting for event `RESET` of vm `guest` took longer than 5 s: no such event so far
 ——▶ test.rhai:3:4
  │
3 │ vm.wait_for_event(\"RESET\", 5.s);
  │    ^
guest's monitor said: STOP
...",
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
fn a_command_that_qemu_does_not_know() {
    for (monitor, call, message, hint) in [
        ("()", "qmp(\"query_status\")", "The command query_status has not been found", "query-status"),
        ("()", "hmp(\"inof\")", "unknown command: 'inof'", "info"),
        ("\"unix:human\"", "hmp(\"info statuss\")", "unknown command: 'info statuss'", "info status"),
    ] {
        let recipe = format!("let vm = launch(#{{ args: \"-S\", monitor: {monitor} }});\nvm.{call};");
        let error = format!(
            "error: `[..]`: {message}
 ——▶ test.rhai:2:4
  │
2 │ vm.{call};
  │    ^
...
hint: did you mean `{hint}`?"
        );
        Test::new().recipe(&recipe).stderr(&error).code(1).run();
    }
    let nothing_near =
        "try { launch(#{ args: \"-S\" }).qmp(\"xyzzy\"); } catch (e) { print(e.hint.contains(\"mean\")); }";
    Test::new().recipe(nothing_near).stdout("false").run();
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
        .stdout("qmp|`nonsense`: The command nonsense has not been found|guest|`query-commands` lists its commands\nmine|own")
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
target said: qemu-system-x86_64: -device nonsense: 'nonsense' is not a valid device model name
cause: this QEMU has no device `nonsense`: another version, or its module is not installed
hint: take a QEMU whose `-device help` lists it, or install the package of QEMU modules that has it",
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
            "error: vm `target` ended with exit status 1 before the migration completed
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
    dies_while_loading(
        &new(),
        "-device virtio-rng-pci,addr=4",
        "",
        "target said:
  Unknown savevm section or instance '0000:00:04.0/virtio-rng' 0. Make sure that your current VM setup matches your saved VM setup, including any hotplugged devices
  load of migration failed: Invalid argument
cause: the target has no `virtio-rng` in PCI slot 0000:00:04.0: not given, plugged in after the start, or in another slot
hint: start the target with the same `-device …,addr=0x4` and id (`successor()` does)",
    );
}

#[test]
fn a_target_of_another_machine_type() {
    dies_while_loading(
        &old(),
        "-machine pc",
        "-machine pc",
        "target said:
  Machine type received is 'pc-i440fx-7.2' and local is 'pc-i440fx-10.0'
  load of migration failed: Invalid argument
cause: the source has the machine type `pc-i440fx-7.2`, the target `pc-i440fx-10.0`
hint: start the target with `-machine pc-i440fx-7.2` (`pc` and `q35` name another type in every version)",
    );
}

#[test]
fn a_target_with_another_size_of_memory() {
    dies_while_loading(
        &new(),
        "-m 128",
        "-m 256",
        "target said:
  Size mismatch: pc.ram: 0x8000000 != 0x10000000: Invalid argument
  error while loading state for instance 0x0 of device 'ram'
  load of migration failed: Invalid argument
cause: the target has another memory size: `-m 128M` on the source, `-m 256M` on the target
hint: start the target with `-m 128M`",
    );
}

#[test]
fn a_qemu_that_would_hide() {
    Test::new()
        .recipe("launch(#{ guest: \"heartbeat\", args: \"-daemonize\" });")
        .stderr(
            "error: `launch`: `-daemonize` would take QEMU out of sight
 ——▶ test.rhai:1:1
  │
1 │ launch(#{ guest: \"heartbeat\", args: \"-daemonize\" });
  │ ^
hint: leave it out; `keep: true` lets QEMU outlive the script",
        )
        .code(1)
        .run();
}

#[test]
fn a_runtime_directory_that_is_no_place_for_sockets() {
    let test = Test::new().recipe("launch(#{ guest: \"heartbeat\" });");
    let long = test.directory().join("x".repeat(80));
    std::fs::create_dir(&long).unwrap();
    test.env("XDG_RUNTIME_DIR", long.to_str().unwrap()).run();
    Test::new().recipe("launch(#{ guest: \"heartbeat\" });").env("XDG_RUNTIME_DIR", "").run();
}

#[test]
fn a_function_that_the_standard_library_has() {
    Test::new()
        .recipe("let x = 1;\nfn inventory(vm) { #{} }")
        .stderr(
            "error: `inventory` is a function of the standard library
 ——▶ test.rhai:2:1
  │
2 │ fn inventory(vm) { #{} }
  │ ^
hint: give yours another name: the library would call it in place of its own",
        )
        .code(3)
        .run();
}
