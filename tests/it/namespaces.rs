//! QEMUs that live elsewhere: in other namespaces, in the background, under another user; and those that end too soon.

use std::fs;
use std::os::unix::fs::chown;
use std::process::{Command, Stdio};

use rustix::process::{Pid, PidfdFlags, Signal, geteuid, pidfd_open, pidfd_send_signal};

use crate::attach::free_port;
use crate::test::{Ended, Test, new};

/// A QEMU that the words before it start in a namespace of its own, ready; `None` where that is not permitted.
fn isolated(test: &Test, words: &[&str], monitor: &[&str]) -> Option<Ended> {
    let ready = test.directory().join("ready");
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .arg(new())
        .args(["-S", "-nodefaults", "-display", "none", "-machine", "none", "-accel", "tcg"])
        .args(monitor)
        .args(["-pidfile", ready.to_str().unwrap()])
        .current_dir(test.directory())
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let mut child = Ended(command.spawn().unwrap());
    // QEMU writes its pid when its sockets are open.
    while fs::read_to_string(&ready).map_or(true, |text| text.is_empty()) {
        if child.0.try_wait().unwrap().is_some() {
            println!("skipped: `{}` is not permitted here", words.join(" "));
            return None;
        }
        std::thread::yield_now();
    }
    Some(child)
}

fn attach(test: Test, qemu: &Ended) -> Test {
    let recipe = "try { let vm = attach(PID); print(vm.status()); } catch (e) { print(e.message); }";
    test.recipe(&recipe.replace("PID", &qemu.0.id().to_string()))
}

const ELSEWHERE: [&str; 5] = ["unshare", "--mount", "--net", "--user", "--map-root-user"];

#[test]
fn a_unix_socket_is_reached_in_other_namespaces() {
    let test = Test::new();
    let Some(qemu) = isolated(&test, &ELSEWHERE, &["-qmp", "unix:q,server=on,wait=off"]) else { return };
    attach(test, &qemu).stdout("prelaunch").run();
}

#[test]
fn a_port_is_not_reached_in_another_network_namespace() {
    let test = Test::new();
    let monitor = format!("tcp:127.0.0.1:{},server=on,wait=off", free_port());
    let words =
        ["unshare", "--net", "--user", "--map-root-user", "sh", "-c", "ip link set lo up; exec \"$@\"", "sh"];
    let Some(qemu) = isolated(&test, &words, &["-qmp", &monitor]) else { return };
    attach(test, &qemu)
        .stdout("[..] in another network namespace, which `nsenter --net --target [..]` enters")
        .run();
}

/// Whatever it is in the middle of: an error, or none.
#[test]
fn a_qemu_that_ends_while_it_is_attached_is_said_to_have_ended() {
    for delay in 0..12 {
        let test = Test::new();
        let Some(mut qemu) = isolated(&test, &["env"], &["-qmp", "unix:q,server=on,wait=off"]) else {
            return;
        };
        let test = attach(test, &qemu);
        let qhop = test.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // What is tried is the delay itself: there is nothing to wait for.
        std::thread::sleep(std::time::Duration::from_millis(delay * 4));
        qemu.0.kill().unwrap();
        let output = qhop.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let known = ["prelaunch", "ended", "zombie", "no such", "closed", "refused", "reset", "Broken pipe"];
        assert!(known.iter().any(|word| said.contains(word)), "after {delay}: {said}");
    }
}

/// A QEMU that has gone into the background, and whose relative paths nothing but its pid file tells: its parent,
/// no shell, has left no `PWD`.
struct Background {
    pid: i32,
    pidfd: std::os::fd::OwnedFd,
}

impl Background {
    fn start(test: &Test, words: &[&str], monitor: &[&str]) -> Self {
        let mut command = Command::new(words.first().map_or_else(new, |word| (*word).to_owned()));
        if let [_, rest @ ..] = words {
            command.args(rest).arg(new());
        }
        command
            .args([
                "-S",
                "-nodefaults",
                "-display",
                "none",
                "-machine",
                "none",
                "-accel",
                "tcg",
                "-daemonize",
            ])
            .args(["-pidfile", "its.pid"])
            .args(monitor)
            .env_remove("PWD")
            .current_dir(test.directory())
            .stdin(Stdio::null());
        assert!(command.status().unwrap().success(), "{command:?}");
        let pid = fs::read_to_string(test.directory().join("its.pid")).unwrap().trim().parse().unwrap();
        Self { pid, pidfd: pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()).unwrap() }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }
}

#[test]
fn a_qemu_in_the_background_is_found() {
    let test = Test::new();
    let qemu = Background::start(&test, &[], &["-qmp", "unix:q,server=on,wait=off"]);
    let recipe = r#"let vm = attach(PID);
        print(`${vm.status()} ${vm.args.contains("-daemonize")} <${vm.stderr}> ${vm.process.directory}`);
        assert_eq(vm.process.descriptors["2"], "/dev/null");
        vm.quit();
        print(vm.alive);"#;
    test.recipe(&recipe.replace("PID", &qemu.pid.to_string())).stdout("prelaunch true <> /\nfalse").run();
}

#[test]
fn a_socket_that_was_moved_can_be_named() {
    let test = Test::new();
    let qemu = Background::start(&test, &[], &["-qmp", "unix:q,server=on,wait=off"]);
    fs::rename(test.directory().join("q"), test.directory().join("moved")).unwrap();
    let recipe = r#"let error = assert_throws(|| attach(PID), "attach");
        print(error.message);
        print(error.hint);
        print(attach(#{ pid: PID, qmp: "unix:moved" }).status());"#;
    test.recipe(&recipe.replace("PID", &qemu.pid.to_string()))
        .stdout(
            "cannot attach to process [..]: none of its monitors can be reached: `unix:[..]/q`: No such file or directory
name the path that it has now: `attach(#{ pid: [..], qmp: \"unix:/path\" })`
prelaunch",
        )
        .run();
}

#[test]
fn a_qemu_in_another_pid_namespace_is_found_by_its_number_here() {
    let test = Test::new();
    let words = ["unshare", "--pid", "--fork", "--kill-child", "--user", "--map-root-user"];
    let Some(unshare) = isolated(&test, &words, &["-qmp", "unix:q,server=on,wait=off"]) else { return };
    let recipe = r#"let hint = assert_throws(|| attach(PID), "attach").hint;
        print(hint);
        let pid = parse_int(hint.split("attach(")[1].split(")")[0]);
        let vm = attach("unix:q");
        print(`${vm.status()} ${vm.pid == pid}`);
        vm.quit();"#;
    test.recipe(&recipe.replace("PID", &unshare.0.id().to_string()))
        .stdout("it has started a QEMU: `attach([..])`\nprelaunch true")
        .run();
}

/// The numbers that it knows are not those that `kill` takes.
#[test]
fn a_proc_of_another_pid_namespace_is_not_trusted() {
    let test = Test::new();
    let Some(qemu) = isolated(&test, &["env"], &["-qmp", "unix:q,server=on,wait=off"]) else { return };
    let recipe = format!("print(attach(\"unix:q\").status());\nattach({});", qemu.0.id());
    let words =
        ["--pid", "--fork", "--user", "--map-root-user", env!("CARGO_BIN_EXE_qhop"), "run", "test.rhai"];
    test.file("test.rhai", &recipe)
        .program("unshare", &words)
        .stdout("prelaunch")
        .stderr(
            "error: cannot attach to process [..]: `/proc` shows the processes of another pid namespace
 ——▶ test.rhai:2:1
  │
2 │ attach([..]);
  │ ^
hint: attach to its monitor, or mount `/proc` anew",
        )
        .code(5)
        .run();
}

const NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/// A test whose directory is nobody's; `None` for who cannot become somebody else.
fn of_nobody() -> Option<Test> {
    if !geteuid().is_root() {
        println!("skipped: only root can become another user");
        return None;
    }
    let test = Test::new();
    chown(test.directory(), Some(65534), Some(65534)).unwrap();
    Some(test)
}

/// The recipe, run by nobody, behind `words`.
fn by_nobody(test: Test, words: &[&str], recipe: &str) -> Test {
    let words: Vec<&str> = [words, &NOBODY, &[env!("CARGO_BIN_EXE_qhop"), "run", "test.rhai"]].concat();
    test.file("test.rhai", recipe).program(words[0], &words[1..])
}

#[test]
fn root_attaches_to_the_qemu_of_another_user() {
    let Some(test) = of_nobody() else { return };
    let qemu = Background::start(&test, &NOBODY, &["-qmp", "unix:q,server=on,wait=off"]);
    let recipe = r"let vm = attach(PID);
        print(`${vm.status()} ${vm.process.uid} ${vm.process.unreadable}`);
        vm.kill();";
    test.recipe(&recipe.replace("PID", &qemu.pid.to_string())).stdout("prelaunch 65534 []").run();
}

#[test]
fn the_qemu_of_root_is_left_alone_by_another_user() {
    let Some(test) = of_nobody() else { return };
    let of_root = Test::new();
    let qemu = Background::start(&of_root, &[], &["-qmp", "unix:q,server=on,wait=off"]);
    by_nobody(test, &[], &format!("attach({});", qemu.pid))
        .stderr(
            "error: cannot attach to process [..]: none of its monitors can be reached: `unix:[..]/q`: Permission denied
 ——▶ test.rhai:1:1
  │
1 │ attach([..]);
  │ ^
hint: become the user that may connect to it",
        )
        .code(5)
        .run();
    of_root.recipe(&format!("print(attach({}).status());", qemu.pid)).stdout("prelaunch").run();
}

/// Its port is open to everybody; its process is not.
#[test]
fn a_qemu_that_may_not_be_killed_is_said_to_live() {
    let Some(test) = of_nobody() else { return };
    let monitor = format!("tcp:127.0.0.1:{},server=on,wait=off", free_port());
    let qemu = Background::start(&test, &[], &["-qmp", &monitor]);
    let recipe = r"let vm = attach(PID);
print(vm.process.unreadable);
defer(|| print(vm.status()));
vm.kill();";
    by_nobody(test, &[], &recipe.replace("PID", &qemu.pid.to_string()))
        .stdout(
            r#"["exe", "cwd", "environ", "fd"]
prelaunch"#,
        )
        .stderr(
            "error: cannot end process [..]: operation not permitted
 ——▶ test.rhai:4:4
  │
4 │ vm.kill();
  │    ^
hint: become its user, or tell it to `quit`",
        )
        .code(5)
        .run();
}

#[test]
fn a_process_that_the_system_hides_is_said_to_be_hidden() {
    let Some(test) = of_nobody() else { return };
    let qemu = Background::start(&test, &[], &["-qmp", "unix:q,server=on,wait=off"]);
    let hidden =
        ["unshare", "--mount", "sh", "-c", "mount -t proc -o hidepid=2 proc /proc && exec \"$@\"", "sh"];
    by_nobody(test, &hidden, &format!("attach({});", qemu.pid))
        .stderr(
            "error: cannot attach to process [..]: the system hides the processes of other users
 ——▶ test.rhai:1:1
  │
1 │ attach([..]);
  │ ^
hint: attach to its monitor, or become its user",
        )
        .code(5)
        .run();
}
