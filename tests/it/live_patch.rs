//! `live_patch` with real QEMUs: every way that it chooses by itself, what it refuses, and what is left afterwards.

use crate::test::{Test, lab, new, newest, old};

/// A recipe with the lab's two QEMUs as `old` and `new`, and a guest by name.
fn recipe(text: &str) -> Test {
    let (old, new) = (old(), new());
    Test::new().recipe(&format!(
        r#"
        let older = "{old}";
        let newer = "{new}";
        fn guest(qemu, args) {{
            let vm = launch(#{{ name: "guest", qemu: qemu, guest: "heartbeat", args: args }});
            vm.wait_for_output("beat", 30.s);
            vm
        }}
        fn check(outcome, mode) {{
            assert_eq(outcome.mode, mode);
            assert_eq(outcome.findings.filter(|finding| finding.severity != "note"), []);
            assert(!outcome.source.alive, "the source is retired");
            outcome.target.wait_for_output("beat", 30.s);
            outcome.target.check_memory();
        }}
        {HERE}
        {text}
        "#
    ))
}

/// How many QEMUs this run has, by their private directories.
const HERE: &str = r#"
    fn here() {
        let count = run("sh", ["-c", "ls -d \"$XDG_RUNTIME_DIR\"/qhop-* | wc -l"]).stdout;
        count.trim();
        parse_int(count)
    }
"#;

/// How many patches in a row; more by `QHOP_TEST_PATCHES`.
fn patches() -> usize {
    std::env::var("QHOP_TEST_PATCHES").ok().map_or(6, |text| text.parse().unwrap())
}

#[test]
fn a_guest_with_shared_memory_moves_by_it() {
    recipe(
        r#"
        let vm = guest(older, shared_memory(128.MiB) + " -device virtio-rng-pci,id=rng1");
        let outcome = live_patch(vm, #{ qemu: newer });
        check(outcome, "shared");
        assert_eq([outcome.rehearsal.how, outcome.rehearsal.version], ["view", outcome.target.version]);
        assert(outcome.blackout_ms > 0.0, "there is a blackout");
        assert(outcome.gap_ms > 0.0, "the guest has seen it, too");
        "#,
    )
    .run();
}

#[test]
fn a_guest_with_private_memory_moves_by_postcopy() {
    recipe(
        r#"
        let vm = guest(older, "-m 128");
        let outcome = live_patch(vm, #{ qemu: newer });
        check(outcome, "postcopy");
        assert_eq(outcome.rehearsal.how, "copy");
        let capabilities = outcome.target.qmp("query-migrate-capabilities");
        assert(capabilities.some(|one| one.capability == "postcopy-preempt" && one.state), "its requests overtake the rest");
        "#,
    )
    .run();
}

#[test]
fn slow_once_and_fast_ever_after() {
    recipe(
        r#"
        let vm = guest(older, "-m 128");
        let outcome = live_patch(vm, #{ qemu: newer, memory: "shared" });
        check(outcome, "postcopy");
        assert(outcome.findings.some(|finding| finding.subject == "memory"), "the price is said");
        for round in 0..10 {
            outcome = live_patch(outcome.target, #{ qemu: newer });
            check(outcome, "shared");
        }
        "#,
    )
    .run();
}

/// A QEMU of the older version skips any memory that is shared, one of the newer only that of a file.
#[test]
fn a_memfd_moves_by_what_its_qemu_can_do() {
    recipe(
        r#"
        let memfd = "-m 128 -object memory-backend-memfd,id=ram,size=128M,share=on -machine memory-backend=ram";
        check(live_patch(guest(older, memfd), #{ qemu: newer }), "shared");
        check(live_patch(guest(newer, memfd), #{ qemu: newer }), "postcopy");
        "#,
    )
    .run();
}

#[test]
fn a_heartbeat_is_felt_on_any_line_that_goes_into_a_file() {
    recipe(
        r#"
        let vm = guest(older, shared_memory(128.MiB));
        let line = #{ text: "beat ", file: `${vm.directory}/console` };
        let outcome = live_patch(vm, #{ qemu: newer, heartbeat: line });
        assert(outcome.gap_ms >= outcome.blackout_ms, "no beat comes in between");
        let vm = outcome.target;
        let before = here();
        line.file = "nowhere";
        print(assert_throws(|| live_patch(vm, #{ qemu: newer, heartbeat: line }), "argument").message);
        run("mkfifo", ["pipe"]);
        line.file = "pipe";
        print(assert_throws(|| live_patch(vm, #{ qemu: newer, heartbeat: line }), "argument").message);
        assert_eq([vm.status(), here()], ["running", before]);
        "#,
    )
    .stdout("`pulse`: `nowhere` cannot be watched: No such file or directory (os error 2)\n`pulse`: `pipe` cannot be watched: it is not a regular file")
    .run();
}

#[test]
fn a_paused_guest_stays_paused() {
    recipe(
        r#"
        let vm = guest(older, "-m 128");
        vm.stop();
        let outcome = live_patch(vm, #{ qemu: newer });
        assert_eq([outcome.mode, outcome.target.status(), outcome.blackout_ms, outcome.gap_ms], ["precopy", "paused", (), ()]);
        outcome.target.cont();
        outcome.target.check_memory();
        "#,
    )
    .run();
}

#[test]
fn one_patch_after_another_leaves_nothing_behind() {
    let patches = patches();
    recipe(&format!(
        r#"
        let vm = guest(older, shared_memory(128.MiB));
        let machine = vm.machine;
        let descriptors = 0;
        for round in 0..{patches} {{
            let outcome = live_patch(vm, #{{ qemu: if round % 2 == 0 {{ newer }} else {{ older }} }});
            check(outcome, "shared");
            vm = outcome.target;
            outcome = ();
            // With the shell's own pidfd there, its start is over, and qhop has closed the shell's ends of the pipes.
            let count = "until grep -qs \"^Pid:[[:space:]]*$$\\$\" /proc/$PPID/fdinfo/*; do :; done; ls /proc/$PPID/fd | wc -l";
            let open = run("sh", ["-c", count]).stdout;
            if round == 1 {{ descriptors = open; }}
            if round > 1 {{ assert_eq(open, descriptors); }}
            assert_eq(here(), 1);
        }}
        assert_eq(vm.machine, machine);
        "#
    ))
    .run();
}

#[test]
fn clients_find_the_guest_where_it_was() {
    recipe(
        r#"
        let place = private_directory("place");
        let port = 20000 + vm_number();
        fn vm_number() { let pid = run("sh", ["-c", "printf %s $$"]).stdout; parse_int(pid) % 10000 }
        let args = `${shared_memory(128.MiB)} -qmp unix:${place}/control,server=on,wait=off -pidfile ${place}/pid -D ${place}/log -netdev user,id=n0,hostfwd=tcp:127.0.0.1:${port}-:22 -device virtio-net-pci,netdev=n0`;
        let vm = guest(older, args);
        let may = #{ control: 0o660, pid: 0o644 };
        for name in may.keys() { set_file_access(`${place}/${name}`, #{ mode: may[name] }); }
        for round in 0..3 {
            let outcome = live_patch(vm, #{ qemu: newer });
            check(outcome, "shared");
            vm = outcome.target;
            for name in may.keys() { assert_eq(file_access(`${place}/${name}`).mode, may[name]); }
            assert_eq(outcome.addresses.map(|address| address.given_back), [true, true, true, true]);
            let files = run("ls", ["-l", `/proc/${vm.pid}/fd`]).stdout.split("\n");
            assert(files.some(|file| file.ends_with(place + "/log")), "it goes on there");
            assert(file_exists(`${place}/log.${round + 1}`), "and what was in it is kept");
            assert_eq(read_file(place + "/pid"), `${vm.pid}` + "\n");
            let second = attach(`unix:${place}/control`);
            assert_eq(second.pid, vm.pid);
            assert(vm.hmp("info usernet").contains(`${port}`), "the port is forwarded");
        }
        "#,
    )
    .run();
}

#[test]
fn what_was_plugged_in_later_comes_along() {
    recipe(
        r#"
        let vm = guest(older, shared_memory(128.MiB));
        vm.qmp("device_add", #{ driver: "virtio-rng-pci", id: "later", addr: "0xa" });
        vm.qmp("netdev_add", #{ type: "user", id: "net7" });
        vm.qmp("device_add", #{ driver: "virtio-net-pci", netdev: "net7", id: "nic7", addr: "0xb" });
        let outcome = live_patch(vm, #{ qemu: newer });
        check(outcome, "shared");
        assert_eq(inventory(outcome.target).devices.map(|device| device.id), ["later", "nic7"]);
        "#,
    )
    .run();
}

#[test]
fn a_sandbox_forbids_no_rehearsal() {
    recipe(
        r#"
        let sandbox = "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";
        let outcome = live_patch(guest(older, `${shared_memory(128.MiB)} ${sandbox}`), #{ qemu: newer });
        check(outcome, "shared");
        assert(outcome.target.args.contains("-sandbox"), "it is there again");
        "#,
    )
    .run();
}

#[test]
fn what_the_process_was_allotted_is_told() {
    recipe(
        r#"
        let vm = guest(older, shared_memory(128.MiB));
        run("prlimit", ["-p", `${vm.pid}`, "--nofile=4321:4321"]);
        run("renice", ["-n", "19", "-p", `${vm.pid}`]);
        let found = plan(vm, #{ qemu: newer }).findings;
        assert_eq(found.map(|finding| finding.subject), ["Max open files", "nice"]);
        assert(found[0].message.starts_with("the guest's QEMU has `4321`, its successor "), found[0].message);
        "#,
    )
    .run();
}

#[test]
fn usb_devices_that_were_plugged_in_later_come_along() {
    let Some(newest) = newest() else { return };
    recipe(&format!(
        r#"
        let vm = guest(older, shared_memory(128.MiB) + " -device qemu-xhci,id=xhci -blockdev null-co,node-name=stick,size=1048576,read-zeroes=on");
        vm.qmp("device_add", #{{ driver: "usb-hub", id: "hub", bus: "xhci.0", port: "1" }});
        vm.qmp("device_add", #{{ driver: "usb-tablet", id: "tablet", bus: "xhci.0", port: "1.1" }});
        vm.qmp("device_add", #{{ driver: "usb-kbd" }});
        vm.qmp("device_add", #{{ driver: "usb-storage", id: "storage", drive: "stick" }});
        let ports = |vm| {{ let lines = vm.hmp("info usb").split("\n"); lines.sort(); lines }};
        let plugged = ports.call(vm);
        for qemu in [newer, "{newest}"] {{
            let outcome = live_patch(vm, #{{ qemu: qemu }});
            check(outcome, "shared");
            vm = outcome.target;
            assert_eq(ports.call(vm), plugged);
        }}
        "#
    ))
    .run();
}

#[test]
fn a_guest_keeps_its_generation() {
    recipe(
        r#"
        let vm = guest(older, shared_memory(128.MiB) + " -device vmgenid");
        let guid = vm.qmp("query-vm-generation-id").guid;
        let outcome = live_patch(vm, #{ qemu: newer });
        check(outcome, "shared");
        assert_eq(outcome.target.qmp("query-vm-generation-id").guid, guid);
        "#,
    )
    .run();
}

#[test]
fn a_console_that_leaves_the_terminal_says_where_it_is() {
    recipe(
        r#"
        let vm = launch(#{ name: "guest", qemu: older, guest: "heartbeat", args: shared_memory(128.MiB) + " -serial mon:stdio" });
        let outcome = live_patch(vm, #{ qemu: newer });
        let console = outcome.addresses[0];
        assert_eq([console.address, console.given_back], ["-serial mon:stdio", false]);
        assert(console.note.contains(`${outcome.target.directory}/console`), console.note);
        outcome.target.wait_for_output("beat", 30.s);
        "#,
    )
    .stderr(
        "note: `-serial mon:stdio` will not be given back: the terminal is the source's
warning: `-serial mon:stdio` is not given back: it writes to `[..]/console`, and nobody can type there",
    )
    .run();
}

#[test]
fn a_medium_that_was_put_in_later_comes_along() {
    recipe(
        r#"
        let place = private_directory("media");
        for name in ["a", "b", "c"] { run("truncate", ["-s", "1M", `${place}/${name}`]); }
        let drives = `-drive if=none,id=cd0,media=cdrom -device ide-cd,drive=cd0,id=x,bus=ide.0 -device ide-cd,id=y,bus=ide.1 -blockdev driver=file,node-name=n,filename=${place}/a,read-only=on -device ide-cd,drive=n,id=z,bus=ide.3 -drive if=ide,index=2,media=cdrom`;
        let vm = guest(older, `${shared_memory(128.MiB)} -M q35 ${drives}`);
        for id in ["x", "y", "z"] { vm.qmp("blockdev-change-medium", #{ id: id, filename: `${place}/b`, format: "raw" }); }
        let media = |vm| vm.qmp("query-block").filter(|drive| drive.qdev in ["x", "y", "z"]).map(|drive| [drive.qdev, drive.get("inserted")?.file]);
        for round in 0..2 {
            let outcome = live_patch(vm, #{ qemu: newer });
            check(outcome, "shared");
            vm = outcome.target;
            for medium in media.call(vm) { assert_eq(medium[1], `${place}/b`); }
        }
        vm.qmp("eject", #{ id: "z", force: true });
        vm = live_patch(vm, #{ qemu: newer }).target;
        assert_eq(media.call(vm).filter(|medium| medium[1] == ()), [["z", ()]]);
        vm.qmp("blockdev-change-medium", #{ device: "ide2-cd0", filename: `${place}/c`, format: "raw" });
        print(assert_throws(|| live_patch(vm, #{ qemu: newer }), "refused").hint);
        "#,
    )
    .stdout("take the medium out first (`eject`), and put it in again afterwards")
    .run();
}

#[test]
fn a_rehearsal_by_precopy_gives_the_guest_back() {
    recipe(
        r#"
        let vm = guest(newer, "-m 128");
        let settings = || [vm.qmp("query-migrate-capabilities"), vm.qmp("query-migrate-parameters")];
        let before = settings.call();
        let proof = rehearse(vm, #{ qemu: newer, rehearse: "precopy" });
        assert_eq([proof.how, vm.status(), settings.call()], ["precopy", "running", before]);
        assert(proof.pause_ms > 0.0, "it stood still for it");
        vm.wait_for_output("beat", 30.s);
        check(live_patch(vm, #{ qemu: newer, rehearse: "precopy", mode: "precopy" }), "precopy");
        "#,
    )
    .run();
}

#[test]
fn a_postcopy_that_was_not_rehearsed_is_refused() {
    recipe(
        r#"
        let vm = guest(older, "-m 128");
        let error = assert_throws(|| live_patch(vm, #{ qemu: newer, mode: "postcopy", rehearse: false }), "refused");
        print(error.message);
        print(error.outlook);
        assert_eq([vm.status(), here()], ["running", 1]);
        check(live_patch(vm, #{ qemu: newer, mode: "postcopy", rehearse: false, insist: true }), "postcopy");
        "#,
    )
    .stdout(
        "a postcopy of vm `guest` that was not rehearsed is refused: past the switch there is no way back
the guest is untouched: `guest` is running",
    )
    .stderr("warning: `target` was not rehearsed: once a postcopy has switched there is no way back")
    .run();
}

#[test]
fn what_cannot_be_carried_over_is_refused_by_name() {
    recipe(
        r#"
        let vm = guest(older, "-m 128 -snapshot");
        live_patch(vm, #{ qemu: newer });
        "#,
    )
    .stderr(
        "error: vm `guest` cannot move into `[..]`: -snapshot: it cannot be carried over
...
cause: [..]
hint: [..]
the guest is untouched: `guest` is running",
    )
    .code(1)
    .run();
}

/// What a name of the library's means must not depend on who called it first.
#[test]
fn a_patch_after_one_that_failed() {
    recipe(
        r#"
        let vm = guest(older, "-m 128");
        for failure in 0..3 {
            assert_throws(|| live_patch(vm, #{ qemu: newer, mode: "shared" }), "refused");
            assert_throws(|| rehearse(vm, #{ qemu: "no-such-qemu" }), "rehearsal");
            rehearse(vm, #{ qemu: newer });
        }
        check(live_patch(vm, #{ qemu: newer, memory: "shared" }), "postcopy");
        "#,
    )
    .run();
}

/// The pair that loses its guest by the classic recipe, at its firmware prompt.
const PSERIES: &str = r#"
    let args = "-nodefaults -machine pseries-7.2 -accel tcg -m 512,slots=4,maxmem=2G -smp 2,maxcpus=4 -serial null";
    let vm = launch(#{ name: "guest", qemu: older, args: args });
    wait_for_firmware(vm);
    fn wait_for_firmware(vm) {
        // The devices' state is complete once the firmware has set them up.
        while vm.hmp("info registers").contains("NIP 0000000000000100") { sleep(10.ms); }
    }
"#;

#[test]
fn the_target_says_itself_why_it_cannot_take_a_pseries_guest() {
    let (older, newer) = (lab("bin/qemu-7.2-system-ppc64"), lab("bin/qemu-10.0-system-ppc64"));
    Test::new()
        .recipe(&format!(
            r#"
            let older = "{older}";
            let newer = "{newer}";
            {HERE}
            {PSERIES}
            let error = assert_throws(|| rehearse(vm, #{{ qemu: newer }}), "rehearsal");
            print(error.said[0][1].contains("icp/server") || error.said[0][1].contains("cpu"));
            print(error.outlook);
            assert_throws(|| live_patch(vm, #{{ qemu: newer }}), "refused");
            assert_eq([vm.status(), here()], ["running", 1]);
            "#
        ))
        .stdout("true\nthe guest is untouched: `guest` is running")
        .run();
}

#[test]
fn a_pseries_guest_moves_within_one_version() {
    for qemu in ["bin/qemu-7.2-system-ppc64", "bin/qemu-10.0-system-ppc64"] {
        let qemu = lab(qemu);
        let pseries = PSERIES.replace("pseries-7.2", "pseries");
        Test::new()
            .recipe(&format!(
                r#"
                let older = "{qemu}";
                {pseries}
                let outcome = live_patch(vm, #{{ qemu: older }});
                assert_eq([outcome.mode, outcome.rehearsal.how, outcome.target.status()], ["postcopy", "copy", "running"]);
                "#
            ))
            .run();
    }
}

#[test]
fn a_guest_that_nobody_launched_is_patched_and_lives_on() {
    let test = recipe(
        r#"
        let place = param("place", "");
        let vm = attach(`unix:${place}/qmp`);
        let outcome = live_patch(vm, #{ qemu: newer });
        assert_eq(outcome.mode, "shared");
        outcome.target.check_memory();
        print(outcome.target.version);
        print(outcome.target.pid);
        "#,
    );
    let place = test.directory().display().to_string();
    let rom = Test::new().args(["eval", "let vm = launch(#{ guest: \"heartbeat\" }); run(\"cat\", [vm.directory + \"/heartbeat.rom\"]); run(\"cp\", [vm.directory + \"/heartbeat.rom\", \"ROM\"]);".replace("ROM", &format!("{place}/rom")).as_str()]).output();
    assert!(rom.status.success(), "{}", String::from_utf8_lossy(&rom.stderr));
    let memory = format!("{place}/memory");
    let mut source = std::process::Command::new(old())
        .args(["-nodefaults", "-accel", "tcg", "-display", "none", "-m", "128", "-option-rom"])
        .arg(format!("{place}/rom"))
        .args(["-serial", &format!("file:{place}/serial")])
        .args(["-object", &format!("memory-backend-file,id=ram,size=128M,mem-path={memory},share=on")])
        .args(["-machine", "memory-backend=ram", "-qmp", &format!("unix:{place}/qmp,server=on,wait=off")])
        .spawn()
        .unwrap();
    while !std::path::Path::new(&place).join("qmp").exists() {
        std::thread::yield_now();
    }
    let mut pids = Vec::new();
    for _ in 0..2 {
        let output = test_again(&test, &place);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let mut lines = said.lines();
        assert!(lines.next().unwrap().starts_with("10.0."), "{said}");
        pids.push(lines.next().unwrap().parse::<i32>().unwrap());
    }
    assert!(source.wait().unwrap().success());
    // Nobody may be there to take note of its end.
    let first = std::fs::read_to_string(format!("/proc/{}/stat", pids[0]));
    assert!(first.map_or(true, |stat| stat.contains(") Z ")), "the first target is retired");
    let target = rustix::process::Pid::from_raw(pids[1]).unwrap();
    rustix::process::kill_process(target, rustix::process::Signal::TERM).unwrap();
}

fn test_again(test: &Test, place: &str) -> std::process::Output {
    test.command().args(["--place", place]).output().unwrap()
}
