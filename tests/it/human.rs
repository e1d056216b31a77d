//! Human monitors alone: waits, errors and safe migrations without any QMP, and the classic recipes.

use crate::attach::free_port;
use crate::test::{Test, lab, new, old};

/// Both ends have nothing but a human monitor.
fn migrate(mode: &str, from: &str, to: &str, transport: &str) {
    let monitor = || match transport {
        "unix" => format!("unix:human{}", free_port()),
        transport => format!("{transport}:127.0.0.1:{}", free_port()),
    };
    let recipe = format!(
        r#"let memory = {memory};
        let source = launch(#{{ name: "source", qemu: "{from}", guest: "heartbeat", args: memory, monitor: "{source}" }});
        source.wait_for_output("beat");
        let target = launch(#{{ name: "target", qemu: "{to}", guest: "heartbeat", monitor: "{target}",
            args: `${{memory}} -machine ${{source.machine}} -incoming defer` }});
        let outcome = migrate(source, target, #{{ mode: "{mode}" }});
        assert_eq(figure(outcome.blackout_ms, "ms"), "unknown");
        assert(outcome.transferred > 0, "what `info migrate` says is there");
        assert(!source.alive, "the source is retired");
        target.wait_for_output("beat");
        target.check_memory();"#,
        memory = if mode == "shared" { "shared_memory(128.MiB)" } else { "\"-m 128\"" },
        source = monitor(),
        target = monitor(),
    );
    let warned = if mode == "postcopy" {
        "warning: `target` was not rehearsed: once a postcopy has switched there is no way back"
    } else {
        ""
    };
    Test::new().recipe(&recipe).stderr(warned).run();
}

#[test]
fn migrate_works_over_human_monitors() {
    migrate("shared", &old(), &new(), "telnet");
    migrate("postcopy", &old(), &new(), "tcp");
    migrate("precopy", &new(), &new(), "unix");
}

#[test]
fn a_failure_over_human_monitors_leaves_the_guest_running() {
    Test::new()
        .recipe(
            r#"let source = launch(#{ name: "source", guest: "heartbeat", args: "-m 128", monitor: "unix:one" });
let target = launch(#{ name: "target", guest: "heartbeat", args: "-m 256 -incoming defer", monitor: "unix:two" });
defer(|| { source.wait_for_output("beat"); print(source.status()); });
source.wait_for_output("beat");
migrate(source, target);"#,
        )
        .stdout("running")
        .stderr(
            // Told to listen by a human monitor, a target of 10.0 does not end of what it cannot load.
            "error: the migration of vm `source` is `failed`, wanted `completed`: [..]
 ——▶ test.rhai:5:1
  │
5 │ migrate(source, target);
  │ ^
target said:
  Size mismatch: pc.ram: 0x8000000 != 0x10000000: Invalid argument
  error while loading state for instance 0x0 of device 'ram'
cause: the target has another memory size: `-m 128M` on the source, `-m 256M` on the target
hint: start the target with `-m 128M`
the guest is safe: `source` is running",
        )
        .code(1)
        .run();
}

/// QEMU would take over the path, and another QEMU would be taken for the new one.
#[test]
fn a_monitor_is_not_opened_where_somebody_listens() {
    let port = free_port();
    Test::new()
        .recipe(&format!(
            r#"let first = launch(#{{ args: "-machine none -monitor telnet:127.0.0.1:{port},server=on,wait=off -qmp unix:second,server=on,wait=off" }});
            for address in ["telnet:127.0.0.1:{port}", "tcp::{port}", "unix:second"] {{
                print(assert_throws(|| launch(#{{ args: "-machine none", monitor: address }}), "argument").message);
            }}
            assert_eq(attach("unix:second").status(), "running");
            first.kill();
            // What nobody listens at any more is free.
            assert_eq(launch(#{{ args: "-machine none", monitor: "unix:second" }}).status(), "running");
            run("mkdir", ["inside"]);
            assert_eq(launch(#{{ args: "-machine none", monitor: "unix:human", cwd: "inside" }}).status(), "running");"#
        ))
        .stdout(&format!(
            "`launch`: process [..] listens at `telnet:127.0.0.1:{port}` already
`launch`: process [..] listens at `tcp:localhost:{port}` already
`launch`: process [..] listens at `unix:second` already"
        ))
        .run();
}

/// Its disks have gone on since, and nothing but events tells that a target has begun.
#[test]
fn a_guest_that_may_have_run_elsewhere_is_not_let_loose_in_its_source() {
    Test::new()
        .recipe(
            r#"let source = launch(#{ name: "source", guest: "heartbeat", monitor: "unix:one" });
            let target = launch(#{ name: "target", guest: "heartbeat", args: "-incoming defer", monitor: "unix:two" });
            source.wait_for_output("beat");
            migrate(source, target, #{ keep_source: true });
            target.kill();
            let course = #{ mode: "precopy", was: "running", switched: false };
            print(verdict(source, target, course).may_cont);
            course.waited = true;
            print(verdict(source, target, course).may_cont);"#,
        )
        .stdout("false\ntrue")
        .run();
}

#[test]
fn a_human_monitor_has_its_own_errors() {
    Test::new()
        .recipe(
            r#"let vm = launch(#{ name: "guest", args: "-machine none", monitor: "unix:human" });
            print(assert_throws(|| vm.hmp("fly"), "hmp").message);
            print(assert_throws(|| vm.hmp("two\nlines"), "argument").kind);
            print(assert_throws(|| vm.qmp("query-qmp-schema"), "argument").message);
            print(assert_throws(|| vm.wait_for_event("STOP", 100.ms), "timeout").message);
            vm.quit();
            print(assert_throws(|| vm.status(), "gone").message);"#,
        )
        .stdout(
            "`fly`: unknown command: 'fly'
argument
`query-qmp-schema`: `query-qmp-schema` is a QMP command, and this QEMU has only a human monitor
waiting for event `STOP` of vm `guest` took longer than 100 ms: a human monitor tells of no events
vm `guest` ended with exit status 0 during `info status`",
        )
        .run();
}

fn classic(recipe: &str, args: &[&str]) -> Test {
    let monitors = free_port().min(60_000);
    let ports = ["--monitors".to_owned(), monitors.to_string(), "--port".to_owned(), free_port().to_string()];
    Test::new().args(["run", recipe]).args(args.iter().copied()).args(ports)
}

#[test]
fn the_classic_live_patch_runs_as_written() {
    classic("classic_live_patch", &["--from", &old(), "--to", &new()])
        .stdout("the guest runs in QEMU 10.0.[..]")
        .run();
}

#[test]
fn the_classic_local_recipes_run_as_written() {
    for recipe in ["classic_local_precopy", "classic_local_postcopy"] {
        classic(recipe, &[]).stdout("the guest runs in process [..]").run();
    }
}

/// The classic command line of a pseries guest, at its firmware's prompt.
const PSERIES: &str = " --nographic -vga none -machine pseries -m 4G,slots=32,maxmem=32G -smp 16,maxcpus=32 \
    -drive file=disk.qcow2,if=none,id=disk,format=qcow2 -device virtio-blk-pci,drive=disk \
    -netdev user,id=net -device virtio-net-pci,netdev=net";

/// Makes `disk.qcow2`, by QEMU itself.
const DISK: &str = r#"
fn create(vm, options) {
    vm.qmp("blockdev-create", #{ "job-id": "create", options: options });
    while vm.qmp("query-jobs").some(|job| job.status != "concluded") { vm.wait_for_event("JOB_STATUS_CHANGE"); }
    vm.qmp("job-dismiss", #{ id: "create" });
}
let maker = launch(#{ args: "-machine none -nodefaults" });
create(maker, #{ driver: "file", filename: "disk.qcow2", size: 0 });
maker.qmp("blockdev-add", #{ driver: "file", filename: "disk.qcow2", "node-name": "file" });
create(maker, #{ driver: "qcow2", file: "file", size: 1.GiB });
maker.quit();
"#;

fn pseries(version: &str, recipe: &str) {
    let qemu = lab(&format!("bin/qemu-{version}-system-ppc64"));
    let test = classic(recipe, &["--qemu", &qemu, &format!("--args={PSERIES}"), "--ready", "0 >"]);
    let disk = std::process::Command::new(env!("CARGO_BIN_EXE_qhop"))
        .args(["eval", &format!("{DISK} ()").replace("qemu-system-x86_64", &new())])
        .current_dir(test.directory())
        .env("PATH", format!("{}:{}", test.directory().join("bin").display(), std::env::var("PATH").unwrap()))
        .output()
        .unwrap();
    assert!(disk.status.success(), "{}", String::from_utf8_lossy(&disk.stderr));
    test.stdout("the guest runs in process [..]").run();
}

#[test]
fn the_classic_precopy_moves_a_pseries_guest() {
    pseries("7.2", "classic_local_precopy");
    pseries("10.0", "classic_local_precopy");
}

#[test]
fn the_classic_postcopy_moves_a_pseries_guest() {
    pseries("7.2", "classic_local_postcopy");
    pseries("10.0", "classic_local_postcopy");
}

#[test]
fn the_built_in_guest_is_not_put_where_it_cannot_run() {
    let qemu = lab("bin/qemu-10.0-system-ppc64");
    Test::new()
        .recipe(&format!("launch(#{{ qemu: \"{qemu}\", guest: \"heartbeat\" }});"))
        .stderr(
            "error: `launch`: the built-in guest is a program for x86, and `[..]qemu-10.0-system-ppc64` emulates something else
 ——▶ test.rhai:1:1
  │
1 │ launch([..]
  │ ^
hint: leave out `guest`: the firmware, or an image in `args`, is a guest, too",
        )
        .code(1)
        .run();
}

/// The pair that loses the guest by the classic postcopy recipe.
#[test]
fn a_pseries_guest_that_the_newer_version_cannot_take_stays_where_it_is() {
    let (from, to) = (lab("bin/qemu-7.2-system-ppc64"), lab("bin/qemu-10.0-system-ppc64"));
    let args = "-nodefaults -machine pseries-7.2 -m 4G,slots=32,maxmem=32G -smp 16,maxcpus=32";
    let monitors = ["unix:one", "unix:two"];
    let recipe = format!(
        r#"let args = "{args}";
        let source = launch(#{{ name: "source", qemu: "{from}", args: args, monitor: "{}" }});
        source.wait_for_output("0 >", 2.min);
        let target = launch(#{{ name: "target", qemu: "{to}", args: args + " -incoming defer", monitor: "{}" }});
        let error = assert_throws(|| migrate(source, target), "migration");
        print(error.cause);
        print(error.outlook);
        print(source.status());"#,
        monitors[0], monitors[1],
    );
    Test::new().recipe(&recipe).stdout("[..]\nthe guest is safe: `source` is running\nrunning").run();
}

#[test]
fn an_old_command_line_is_met_with_the_modern_spelling() {
    Test::new()
        .recipe("launch(#{ name: \"old\", args: \"-machine none -redir tcp:2000::22\" });")
        .stderr(
            "error: vm `old` ended with exit status 1 during `launch`
 ——▶ test.rhai:1:1
  │
1 │ launch(#{ name: \"old\", args: \"-machine none -redir tcp:2000::22\" });
  │ ^
old said: qemu-system-x86_64: -redir: invalid option
cause: [..]
hint: [..]hostfwd=tcp::2000-:22[..]",
        )
        .code(1)
        .run();
}
