//! Taking hold of QEMUs that somebody else started, by pid and by address, whatever their monitors speak.

use std::io::Write;
use std::net::TcpListener;

use crate::test::{Test, new, old};

/// A QEMU with a second QMP monitor and human ones on every transport; the recipe attaches to it.
fn started(rest: &str) -> Test {
    let (tcp, telnet) = (free_port(), free_port());
    Test::new().recipe(&format!(
        r#"let started = launch(#{{ name: "started", guest: "heartbeat", args:
            "-qmp unix:second,server=on,wait=off -monitor unix:human,server=on,wait=off "
            + "-monitor tcp:127.0.0.1:{tcp},server=on,wait=off -monitor telnet:127.0.0.1:{telnet},server=on,wait=off" }});
started.wait_for_output("beat");
let tcp = "tcp:127.0.0.1:{tcp}";
let telnet = "telnet:127.0.0.1:{telnet}";
{rest}"#
    ))
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_pid_is_enough() {
    started(
        r#"let vm = attach(started.pid);
        print(`${vm.name} ${vm.status()} ${vm.pid == started.pid} ${vm.machine} ${vm.version == started.version}`);
        assert(vm.qemu.ends_with("qemu-system-x86_64"), vm.qemu);
        assert("-monitor" in vm.args, "as QEMU sees it");
        vm.stop();
        assert_eq(vm.wait_for_event("STOP").event, "STOP");
        vm.cont();
        vm.check_memory();"#,
    )
    .stdout("started running true pc-i440fx-10.0 true")
    .run();
}

#[test]
fn a_monitors_address_is_enough_whatever_it_speaks() {
    started(
        r#"for address in ["unix:second", "unix:human", tcp, telnet] {
            let vm = attach(address);
            print(`${vm.status()} ${vm.pid == started.pid} ${vm.machine} ${vm.hmp("info name").contains("started")}`);
            vm.stop();
            vm.wait_for_status("paused");
            vm.cont();
            vm.check_memory();
        }"#,
    )
    .stdout(&"running true pc-i440fx-10.0 true\n".repeat(4))
    .run();
}

#[test]
fn an_abstract_socket_is_an_address() {
    let name = format!("qhop-test-{}-{}", std::process::id(), free_port());
    Test::new()
        .recipe(&format!(
            r#"let human = launch(#{{ guest: "heartbeat", monitor: "unix:@{name}" }});
            print(human.status());
            let started = launch(#{{ guest: "heartbeat", args:
                "-chardev socket,id=a,path={name}-2,abstract=on,tight=off,server=on,wait=off -mon a,mode=control" }});
            let vm = attach("unix:@{name}-2,tight=off");
            print(vm.pid == started.pid);
            print(assert_throws(|| attach(human.pid), "attach").message);"#
        ))
        .stdout(&format!("running\ntrue\n[..]`unix:@{name}` is held by `qhop` (pid [..])"))
        .run();
}

#[test]
fn what_the_system_knows_is_told() {
    Test::new()
        .recipe(
            r#"let started = launch(#{ guest: "heartbeat", args: "-monitor unix:human,server=on,wait=off" });
            let process = attach(started.pid).process;
            print(`${process.program} ${process.deleted} ${process.passed} ${process.unreadable}`);
            assert_eq(process.words.filter(|word| word == "-monitor").len(), 1);
            assert_eq(process.environment.PATH, env("PATH"));
            assert_eq(process.directory + "\n", run("pwd", []).stdout);
            assert_eq(process.descriptors["0"], "/dev/null");
            assert_eq(process.started, started.process.started);
            assert_eq(`${process.uid}` + "\n", run("id", ["-u"]).stdout);
            assert_eq(process.user + "\n", run("id", ["-un"]).stdout);
            assert_eq(run("cmp", [process.image, process.program]).status, 0);
            started.kill();
            print(assert_throws(|| started.process, "gone").message);"#,
        )
        .stdout("[..]/qemu-system-x86_64 false [] []\nvm `vm1` was killed by signal 9 during `process`")
        .run();
}

#[test]
fn an_attached_qemu_outlives_the_script() {
    let test = Test::new().recipe(
        r#"let started = launch(#{ guest: "heartbeat", keep: true, args: "-monitor unix:human,server=on,wait=off" });
        print(started.pid);
        attach("unix:human").status();"#,
    );
    let output = test.output();
    let pid: i32 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it still runs");
}

#[test]
fn a_process_and_the_monitor_of_another_are_no_vm() {
    started(
        r#"let other = launch(#{ args: "-machine none -qmp unix:others,server=on,wait=off" });
        print(assert_throws(|| attach(#{ pid: started.pid, qmp: "unix:others" }), "attach").message);"#,
    )
    .stdout("[..]: `unix:others` is where process [..] listens")
    .run();
}

#[test]
fn a_monitor_that_is_held_is_said_to_be() {
    started(
        r#"let first = attach("unix:second");
        let second = attach(started.pid);
        print(second.version == first.version);
        let third = assert_throws(|| attach(#{ pid: started.pid, qmp: "unix:second" }), "attach");
        print(third.message.contains("is held by `qhop`"));
        print(third.hint);"#,
    )
    .stdout("true\ntrue\nthis script holds it already: use the `Vm` that it got first")
    .run();
}

#[test]
fn an_attached_guest_can_be_moved() {
    Test::new()
        .recipe(&format!(
            r#"let memory = shared_memory(128.MiB);
            let started = launch(#{{ name: "guest", qemu: "{old}", guest: "heartbeat", args: `${{memory}} -monitor unix:human,server=on,wait=off` }});
            started.wait_for_output("beat");
            let source = attach("unix:human");
            let target = launch(#{{ name: "target", qemu: "{new}", guest: "heartbeat",
                args: `${{memory}} -machine ${{source.machine}} -incoming defer` }});
            let outcome = migrate(source, target, #{{ mode: "shared" }});
            assert_eq(outcome.blackout_ms, ());
            target.wait_for_output("beat");
            target.check_memory();
            assert(!started.alive, "the source is retired");
            assert(target.kept, "who takes over a guest that is to live on lives on");
            target.quit();"#,
            old = old(),
            new = new(),
        ))
        .run();
}

fn message(recipe: &str) -> String {
    let recipe = format!("try {{ {recipe} }} catch (e) {{ print(`${{e.kind}}: ${{e.message}}`); }}");
    String::from_utf8_lossy(&Test::new().recipe(&recipe).output().stdout).trim_end().to_owned()
}

/// The guest could write what passes for an answer, and what is typed could reach the guest.
#[test]
fn a_monitor_that_is_shared_with_the_guest_is_left_alone() {
    let port = free_port();
    for (args, address, name) in [
        (
            "-serial mon:unix:shared,server=on,wait=off".to_owned(),
            "unix:shared".to_owned(),
            "`-serial mon:[..]`",
        ),
        (
            format!(
                "-chardev socket,id=m,host=127.0.0.1,port={port},telnet=on,server=on,wait=off,mux=on -serial chardev:m -mon m"
            ),
            format!("telnet:localhost:{port}"),
            "`-mon m`",
        ),
    ] {
        Test::new()
            .recipe(&format!(
                r#"let started = launch(#{{ guest: "heartbeat", args: "{args}", monitor: "unix:human" }});
                print(assert_throws(|| attach("{address}"), "attach").message);
                print(assert_throws(|| attach(started.pid), "attach").message);"#
            ))
            .stdout(&format!(
                "[..]none of its monitors can be reached: `{address}` shares its connection with [..], whose output could pass for its answers
[..]none of its monitors can be reached: {name} shares its connection with [..]; `unix:[..]/human` is held by `qhop` (pid [..])"
            ))
            .run();
    }
}

#[test]
fn what_is_no_qemu_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"SSH-2.0-nothing_here\r\n").unwrap();
        let mut rest = Vec::new();
        let _ = std::io::Read::read_to_end(&mut stream, &mut rest);
        rest
    });
    snapbox::assert_data_eq!(
        message(&format!("attach(\"tcp:127.0.0.1:{port}\")")),
        "protocol: the monitor of vm `vm1` does not speak QMP or HMP: it sent `SSH-2.0-nothing_here`"
    );
    assert!(peer.join().unwrap().is_empty(), "nothing was sent to a stranger");

    let nobody = free_port();
    assert_eq!(
        message(&format!("attach(\"tcp:127.0.0.1:{nobody}\")")),
        format!(
            "connect: cannot connect to the monitor of vm `vm1` at `tcp:127.0.0.1:{nobody}`: Connection refused"
        )
    );
    snapbox::assert_data_eq!(message("attach(1)"), "attach: cannot attach to process 1: it is `[..]");
    assert_eq!(
        message("attach(2147483647)"),
        "attach: cannot attach to process 2147483647: there is no such process"
    );
    snapbox::assert_data_eq!(message("attach(\"/no/prefix\")"), "argument: `attach`: [..]");
    snapbox::assert_data_eq!(
        message("attach(1.5)"),
        "argument: `attach`: a pid or a monitor address is wanted[..]"
    );
}

#[test]
fn a_qemu_without_a_monitor_is_said_to_have_none() {
    let qemu = std::process::Command::new(new())
        .args(["-machine", "none", "-nodefaults", "-display", "none"])
        .stdin(std::process::Stdio::null())
        .spawn();
    let mut qemu = qemu.unwrap();
    let said = message(&format!("attach({})", qemu.id()));
    qemu.kill().unwrap();
    qemu.wait().unwrap();
    snapbox::assert_data_eq!(
        said,
        "attach: cannot attach to process [..]: none of its monitors can be reached: it was started without any"
    );
}

#[test]
fn an_address_that_nobody_listens_at_is_an_error_of_the_environment() {
    let port = free_port();
    Test::new()
        .recipe(&format!("attach(\"telnet:127.0.0.1:{port}\");"))
        .stderr(&format!(
            "error: cannot connect to the monitor of vm `vm1` at `telnet:127.0.0.1:{port}`: Connection refused
 ——▶ test.rhai:1:1
  │
1 │ attach(\"telnet:127.0.0.1:{port}\");
  │ ^
hint: a QEMU's monitors are on its command line (`-qmp`, `-monitor`, `-mon`): `attach` to its pid finds them"
        ))
        .code(5)
        .run();
}
