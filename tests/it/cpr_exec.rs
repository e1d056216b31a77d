//! `live_patch` by `cpr-exec` with real QEMUs: one process all the time, and the guest is in it; or it is said to be lost.

use std::os::unix::process::ExitStatusExt;

use crate::scene::{Scene, striker};
use crate::test::{Test, newest};

/// What the recipes share: a guest whose memory is kept, and a program that breaks when its arguments match. Nothing where the
/// lab has no QEMU that can do it.
fn prelude() -> Option<String> {
    let newest = newest()?;
    Some(format!(
        r##"
        let newest = "{newest}";
        let kept = "-m 128 -object memory-backend-memfd,id=ram,size=128M,share=on -machine memory-backend=ram,aux-ram-share=on";
        fn guest(qemu, args) {{
            let vm = launch(#{{ name: "guest", qemu: qemu, guest: "heartbeat", args: args + " -device virtio-rng-pci,id=rng1" }});
            vm.wait_for_output("beat", 30.s);
            vm
        }}
        fn whole(vm) {{
            vm.wait_for_output("beat", 30.s);
            vm.check_memory();
            assert_eq([vm.status(), vm.qmp("query-migrate-parameters").mode], ["running", "normal"]);
        }}
        fn breaking(qemu, pattern, how) {{
            write_file("breaking", "#!/bin/bash\ncase \"$*\" in " + pattern + ") " + how + ";; esac\nexec " + qemu + " \"$@\"\n");
            run("chmod", ["+x", "breaking"]);
            "./breaking"
        }}
        "##
    ))
}

fn recipe(text: &str) -> Option<Test> {
    Some(Test::new().recipe(&(prelude()? + text)))
}

#[test]
fn the_process_stays_and_its_guest_too() {
    let Some(test) = recipe(
        r#"
        let vm = guest(newest, kept);
        let pid = vm.pid;
        for round in 0..2 {
            let outcome = live_patch(vm, #{ qemu: newest, mode: "cpr-exec" });
            assert_eq([outcome.mode, outcome.why, outcome.rehearsal.how], ["cpr-exec", "asked for", "view"]);
            assert_eq([outcome.source.pid, outcome.target.pid], [pid, pid]);
            assert_eq([outcome.source.alive, outcome.target.alive], [false, true]);
            assert(outcome.blackout_ms > 0.0 && outcome.gap_ms > 0.0, `${outcome}`);
            vm = outcome.target;
            assert(vm.process.words.some(|word| word.starts_with("file:")), "it is the new program");
            whole(vm);
        }
        vm.stop();
        let outcome = live_patch(vm, #{ qemu: newest, mode: "cpr-exec" });
        assert_eq([outcome.target.status(), outcome.blackout_ms], ["paused", ()]);
        outcome.target.cont();
        whole(outcome.target);
        "#,
    ) else {
        return;
    };
    test.run();
}

#[test]
fn addresses_stay_and_what_was_plugged_in_too() {
    let port = crate::attach::free_port();
    let Some(test) = recipe(
        &r#"
        let vm = guest(newest, kept + " -netdev user,id=net,hostfwd=tcp:127.0.0.1:PORT-:22 -device virtio-net-pci,netdev=net -qmp unix:second,server=on,wait=off");
        vm.qmp("device_add", #{ driver: "virtio-balloon-pci", id: "plugged" });
        let outcome = live_patch(vm, #{ qemu: newest, mode: "cpr-exec" });
        let vm = outcome.target;
        assert_eq(outcome.addresses.map(|address| address.given_back), [true]);
        assert(vm.hmp("info usernet").contains("PORT"), vm.hmp("info usernet"));
        assert_eq(vm.qmp("qom-get", #{ path: "/machine/peripheral/plugged", property: "type" }), "virtio-balloon-pci");
        assert_eq(attach("unix:second").status(), "running");
        whole(vm);
        "#
        .replace("PORT", &port.to_string()),
    ) else {
        return;
    };
    test.run();
}

/// One that nobody of qhop has started, with no monitor of qhop's own.
#[test]
fn a_strangers_guest_gets_a_monitor_by_which_it_is_found_again() {
    let Some(test) = recipe(
        r#"
        let words = ["-c", "\"$@\" >/dev/null 2>&1 & echo $!", "sh", newest];
        for word in (kept + " -accel tcg -display none -nodefaults -qmp unix:own,server=on,wait=off -pidfile ready").split() { words.push(word); }
        let pid = run("sh", words).stdout;
        pid.trim();
        defer(|| run("sh", ["-c", `kill ${pid}`]));
        run("sh", ["-c", "until [ -s ready ] && [ -S own ]; do :; done"]);
        let outcome = live_patch(attach(pid), #{ qemu: newest, mode: "cpr-exec" });
        assert_eq(`${outcome.target.pid}`, pid);
        assert_eq(attach("unix:own").status(), "running");
        outcome.target.kill();
        "#,
    ) else {
        return;
    };
    test.run();
}

#[test]
fn what_goes_wrong_before_the_exec_leaves_the_guest_where_it_is() {
    let Some(test) = recipe(
        r#"
        let vm = guest(newest, kept);
        // In the rehearsal.
        let qemu = breaking(newest, "*rehearsal*", "set -- \"$@\" -device no-such-device");
        assert_throws(|| live_patch(vm, #{ qemu: qemu, mode: "cpr-exec" }), "rehearsal");
        whole(vm);
        // Between the rehearsal and the exec.
        qemu = breaking(newest, "*rehearsal*", "rm breaking");
        let error = assert_throws(|| live_patch(vm, #{ qemu: qemu, mode: "cpr-exec" }), "refused");
        assert(error.message.contains("is another file than the one that was rehearsed"), error.message);
        assert_eq(error.outlook, "the guest is safe: `guest` is running");
        whole(vm);
        // By the exec itself: the program is there, and cannot be started.
        run("cp", ["/bin/bash", "shell"]);
        write_file("breaking", `#!${run("realpath", ["shell"]).stdout}case "$*" in *rehearsal*) rm shell;; esac; exec ${newest} "$@"` + "\n");
        run("chmod", ["+x", "breaking"]);
        error = assert_throws(|| live_patch(vm, #{ qemu: "./breaking", mode: "cpr-exec" }), "migration");
        assert(error.message.contains("has not become another program: execvp"), error.message);
        assert_eq(error.outlook, "the guest is safe: `guest` is running");
        whole(vm);
        assert_eq(vm.qmp("query-migrate-parameters")["cpr-exec-command"], []);
        // After all that, it can be moved.
        whole(live_patch(vm, #{ qemu: newest, mode: "cpr-exec" }).target);
        "#,
    ) else {
        return;
    };
    test.run();
}

#[test]
fn a_guest_that_is_lost_is_said_to_be_lost() {
    let Some(test) = recipe(
        r#"
        let vm = guest(newest, kept);
        let qemu = breaking(newest, "*qhop-exec*", "echo it breaks >&2; exit 7");
        let error = assert_throws(|| live_patch(vm, #{ qemu: qemu, mode: "cpr-exec" }), "migration");
        assert(error.message.contains("ended with exit status 7"), error.message);
        assert(`${error.said}`.contains("it breaks"), `${error.said}`);
        assert(error.outlook.starts_with("the guest is lost: "), error.outlook);
        assert(!vm.alive, "nothing is left of it");
        "#,
    ) else {
        return;
    };
    test.run();
}

/// QEMU itself refuses none of these, and loses the guest.
#[test]
fn what_would_lose_the_guest_is_refused() {
    let Some(test) = recipe(
        r#"
        fn refused(qemu, args, reason) {
            let vm = guest(qemu, args);
            if args.contains("mem-path") { run("rm", ["ram"]); }
            let found = plan(vm, #{ qemu: qemu });
            assert(found.mode != "cpr-exec", "it is never chosen");
            assert(found.modes["cpr-exec"].why.contains(reason), found.modes["cpr-exec"].why);
            assert_throws(|| live_patch(vm, #{ qemu: qemu, mode: "cpr-exec" }), "refused");
            vm.quit();
        }
        refused(newest, "-m 128", "is private at the source");
        refused(newest, kept.sub_string(0, kept.len() - ",aux-ram-share=on".len()), "without `-machine aux-ram-share=on`");
        let file = "-m 128 -object memory-backend-file,id=ram,size=128M,share=on,mem-path=ram -machine memory-backend=ram,aux-ram-share=on";
        refused(newest, file, "has lost its name");
        let vm = guest(newest, file);
        whole(live_patch(vm, #{ qemu: newest, mode: "cpr-exec" }).target);
        let vm = guest(newest, kept);
        assert_eq(plan(vm, #{ qemu: newest }).mode, "cpr-transfer");
        let error = assert_throws(|| live_patch(vm, #{ qemu: newest, mode: "cpr-exec", rehearse: false }), "refused");
        assert(error.message.contains("past the `exec` there is no way back"), error.message);
        assert_throws(|| live_patch(vm, #{ qemu: newest, mode: "cpr-exec", keep_source: true }), "refused");
        whole(vm);
        "#,
    ) else {
        return;
    };
    test.run();
}

/// What comes before is the same in all modes.
#[test]
fn killed_at_every_step_from_the_first_that_changes_anything() {
    let Some(prelude) = prelude() else { return };
    let recipe = prelude + r#"live_patch(guest(newest, kept), #{ qemu: newest, mode: "cpr-exec" });"#;
    let whole = Scene::new(&recipe);
    assert!(whole.run(None).status.success());
    let record = whole.record();
    let first = record.iter().position(|line| line["step"] == "cpr").unwrap();
    // Of the last line, the end, there is nothing to recover.
    for line in first + 1..record.len() {
        let scene = Scene::new(&recipe);
        scene.run(Some(line));
        scene.recover();
        scene.one_guest_is_whole("running");
    }
}

/// The new program kills the qhop that waits for it, and begins.
#[test]
fn killed_between_the_two_programs() {
    let Some(prelude) = prelude() else { return };
    let recipe = prelude
        + r#"
        let source = guest(newest, kept);
        let qemu = breaking(newest, "*qhop-exec*", "kill -9 $PPID");
        live_patch(source, #{ qemu: qemu, mode: "cpr-exec" });
    "#;
    let scene = Scene::new(&recipe);
    let output = scene.test.output();
    assert_eq!(output.status.signal(), Some(9), "{}", String::from_utf8_lossy(&output.stderr));
    let said = scene.recover();
    assert!(said.contains("which is the new program by now, as it was to be"), "{said}");
    scene.one_guest_is_whole("running");
}

/// The same with Ctrl-C: what was begun is seen through.
#[test]
fn interrupted_between_the_two_programs() {
    let Some(test) = recipe(
        r#"
        let source = guest(newest, kept);
        source.keep();
        let qemu = breaking(newest, "*qhop-exec*", "kill -INT $PPID");
        live_patch(source, #{ qemu: qemu, mode: "cpr-exec" });
    "#,
    ) else {
        return;
    };
    let scene = Scene { test };
    let output = scene.test.output();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("the guest is on `target`, as it was to be"), "{said}");
    scene.one_guest_is_whole("running");
}

#[test]
fn interrupted_at_every_step_that_changes_anything() {
    let Some(prelude) = prelude() else { return };
    let patch =
        r#"let vm = guest(newest, kept); vm.keep(); live_patch(vm, #{ qemu: newest, mode: "cpr-exec" });"#;
    for step in ["cpr", "exec", "prove", "give back"] {
        let scene = Scene::new(&(prelude.clone() + patch));
        let mut command = scene.test.command();
        command.env("LD_PRELOAD", striker()).env("STRIKE_STEP", step).env("STRIKE_SIGNAL", "2");
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let is_late = step == "give back" && output.status.success();
        assert!(is_late || output.status.code() == Some(130), "at `{step}`: {said}");
        let (here, there) =
            ("the guest is safe: `guest` is running", "the guest is on `target`, as it was to be");
        let told = [here, there].into_iter().find(|end| said.contains(end));
        // The signal is heard milliseconds later: after the `exec`, or when the move is over and there is nothing to tell.
        let is_right = match step {
            "cpr" => told == Some(here),
            "exec" => told.is_some(),
            _ => told != Some(here),
        };
        assert!(is_right, "at `{step}`: {said}");
        assert_eq!(scene.says(&["recover"]), ("there is nothing to recover\n".to_owned(), 0));
        scene.one_guest_is_whole("running");
    }
}
