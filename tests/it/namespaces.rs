//! QEMUs that live elsewhere: in other namespaces, in the background, under another user; and those that end too soon.

use std::fs;
use std::process::{Command, Stdio};

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
