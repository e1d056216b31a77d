//! The link between the two ends is cut, or falls silent, in the middle of a migration: a precopy is undone, a postcopy is
//! given a new link, and the guest is whole wherever it is then.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use rustix::net::SocketAddrUnix;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use serde_json::Value;

use crate::attach::free_port;
use crate::fault_table::{patching, whereabouts};
use crate::faults::Monitor;
use crate::scene::{Scene, striker};
use crate::test::Test;

/// What becomes of a link once so many bytes went through it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// Both ends see it closed.
    Cut,
    /// Nobody is told.
    Silent,
}

/// A link that is faulty once: whoever connects later finds it mended.
fn relay(to: u16, fault: Fault, after: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut fault = Some((fault, after));
        for here in listener.incoming() {
            let here = here.unwrap();
            let Ok(there) = TcpStream::connect(("127.0.0.1", to)) else { continue };
            let back = (there.try_clone().unwrap(), here.try_clone().unwrap());
            let fault = fault.take();
            std::thread::spawn(move || forward(back.0, back.1, None));
            std::thread::spawn(move || forward(here, there, fault));
        }
    });
    port
}

fn forward(mut from: TcpStream, mut to: TcpStream, mut fault: Option<(Fault, usize)>) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if let Some((kind, left)) = &mut fault {
            *left = left.saturating_sub(count);
            match kind {
                _ if *left > 0 => {}
                Fault::Cut => break,
                // Neither closed nor read any more.
                Fault::Silent => loop {
                    std::thread::park();
                },
            }
        }
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// More than is sent before the switch, and the target has begun by then: cut off earlier, in the switch itself, it ends, and
/// QEMU (before 10.2) has lost the guest.
const AFTER: usize = 12_000_000;

/// A source and a target that outlive their script, and a link between them that goes wrong.
fn scene(mode: &str, fault: Fault, after: usize, then: &str) -> Scene {
    let port = free_port();
    let link = relay(port, fault, after);
    let memory = if mode == "shared" { "shared_memory(128.MiB)" } else { "\"-m 128\"" };
    let recipe = format!(
        r#"let guest = #{{ name: "heartbeat", memory: 32.MiB, rate: 0 }};
let memory = {memory};
let source = launch(#{{ name: "source", guest: guest, keep: true, args: memory }});
source.wait_for_output("beat", 30.s);
let target = launch(#{{ name: "target", guest: guest, keep: true, args: memory + " -incoming tcp:127.0.0.1:{port}" }});
let link = "tcp:127.0.0.1:{link}";
let slow = #{{ "max-bandwidth": 1.MiB, "max-postcopy-bandwidth": 64.MiB }};
{then}"#
    );
    Scene { test: Test::new().recipe(&recipe) }
}

/// The link goes wrong after so many bytes of a `migrate`. What qhop said of it, and its exit code.
fn migrate(mode: &str, fault: Fault, after: usize, end: &str) -> (String, i32) {
    let then =
        format!("migrate(source, target, #{{ mode: \"{mode}\", uri: link, parameters: slow, stall: 2.s }});");
    let scene = scene(mode, fault, after, &then);
    let output = scene.test.output();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let title = format!("{mode}, {fault:?} after {after}: {said}");
    assert_eq!(whereabouts(&scene).as_deref(), Some(end), "{title}");
    assert_eq!(scene.alive().len(), 1, "the other end is gone: {title}");
    (said, output.status.code().unwrap())
}

#[test]
fn a_link_that_breaks_before_the_switch() {
    for (mode, fault, after) in [
        ("shared", Fault::Cut, 1),
        ("shared", Fault::Cut, 20_000),
        ("precopy", Fault::Cut, 1),
        ("precopy", Fault::Cut, 1_000_000),
    ] {
        let (said, code) = migrate(mode, fault, after, "source");
        assert!(code == 1 && said.contains("the guest is safe: `source` is running"), "{said}");
    }
}

#[test]
fn a_link_that_falls_silent_before_the_switch() {
    for (mode, after) in [("shared", 20_000), ("precopy", 1_000_000)] {
        let (said, code) = migrate(mode, Fault::Silent, after, "source");
        assert!(said.contains("made no progress for 2 s"), "{said}");
        assert!(code == 6 && said.contains("the guest is safe: `source` is running"), "{said}");
    }
}

#[test]
fn a_postcopy_whose_link_breaks_is_given_a_new_one() {
    for fault in [Fault::Cut, Fault::Silent] {
        let (said, code) = migrate("postcopy", fault, AFTER, "target");
        assert!(code == 0 && said.contains("; the postcopy is given a new link\n"), "{said}");
    }
}

/// A postcopy by hand, whose link breaks.
const BY_HAND: &str = r#"for vm in [source, target] {
    let on = ["postcopy-ram", "return-path", "events"].map(|name| #{ capability: name, state: true });
    vm.qmp("migrate-set-capabilities", #{ capabilities: on });
    vm.qmp("migrate-set-parameters", slow);
}
source.qmp("migrate", #{ uri: link });
source.wait_for_migration("active", 10.s);
source.qmp("migrate-start-postcopy");
source.wait_for_migration("postcopy-paused", 30.s);
"#;

#[test]
fn a_postcopy_whose_link_broke_is_recovered_by_hand() {
    let then = format!("{BY_HAND}print(recover(source, target).mode);");
    let scene = scene("postcopy", Fault::Cut, AFTER, &then);
    let output = scene.test.output();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "postcopy\n", "{output:?}");
    assert_eq!(whereabouts(&scene).as_deref(), Some("target"));
}

#[test]
fn a_postcopy_whose_source_is_gone_is_lost() {
    let then = format!(
        "{BY_HAND}source.kill();\nlet error = assert_throws(|| recover(source, target), \"migration\");\nprint(error.message);\nprint(error.outlook);"
    );
    let scene = scene("postcopy", Fault::Cut, AFTER, &then);
    let output = scene.test.output();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("the guest is lost: part of its memory was on `source`, which is gone"),
        "{output:?}"
    );
}

/// qhop has died in a postcopy, and its link broke: another qhop gives it a new one.
#[test]
fn a_postcopy_whose_link_broke_is_recovered_from_the_record() {
    let then = format!(
        r#"step("agree", #{{ source: source, target: target, was: "running", mode: "postcopy", keep_source: false }});
{BY_HAND}step("switch", #{{ source: source, target: target }});"#
    );
    let scene = scene("postcopy", Fault::Cut, AFTER, &then);
    let output =
        scene.test.command().env("LD_PRELOAD", striker()).env("STRIKE_STEP", "switch").output().unwrap();
    assert_eq!(output.status.signal(), Some(9), "{output:?}");
    let said = scene.recover();
    assert!(said.contains("the guest is on `target`, as it was to be; `source` is retired\n"), "{said}");
    assert_eq!(whereabouts(&scene).as_deref(), Some("target"));
}

/// Cut the link between the two ends of a `live_patch` from outside, at its source. Whether there was one.
fn cut(source: Pid) -> bool {
    let Ok(process) = pidfd_open(source, PidfdFlags::empty()) else { return false };
    let descriptors = std::fs::read_dir(format!("/proc/{source}/fd")).into_iter().flatten().flatten();
    for number in descriptors.filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        let Ok(socket) = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) else { continue };
        let peer = rustix::net::getpeername(&socket).ok().flatten();
        let peer = peer.and_then(|peer| SocketAddrUnix::try_from(peer).ok());
        if peer.is_some_and(|peer| peer.path_bytes().is_some_and(|path| path.ends_with(b"/migrate"))) {
            return rustix::net::shutdown(&socket, rustix::net::Shutdown::Both).is_ok();
        }
    }
    false
}

/// Where the guest of a `live_patch` is whose link is cut once the source's migration looks like that; what qhop said, and its exit code.
fn patch(mode: &str, until: Option<fn(&Value) -> bool>) -> (String, String, i32) {
    let slow = "#{ \"max-bandwidth\": 4.MiB, \"max-postcopy-bandwidth\": 4.MiB }";
    let recipe = patching(mode)
        .replace("guest: \"heartbeat\"", "guest: #{ name: \"heartbeat\", memory: 32.MiB, rate: 0 }")
        .replace("args: ", "args: \"-qmp unix:second,server=on,wait=off \" + ")
        .replace("live_patch(", "print(source.pid);\nlive_patch(")
        .replace("stall: 2.s", &format!("stall: 2.s, parameters: {slow}"));
    let scene = Scene::new(&recipe);
    let mut qhop = scene.test.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(qhop.stdout.take().unwrap()).lines();
    let source = Pid::from_raw(stdout.next().unwrap().unwrap().parse().unwrap()).unwrap();
    if let Some(until) = until {
        let mut monitor = Monitor::connect(&scene.test);
        while !until(&monitor.ask("query-migrate")) {}
    }
    while !cut(source) && qhop.try_wait().unwrap().is_none() {}
    let output = qhop.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let found = whereabouts(&scene).unwrap_or_else(|| panic!("{mode}: the guest is nowhere: {said}"));
    assert_eq!(scene.alive().len(), 1, "{mode}: the other end is gone: {said}");
    (found, said, output.status.code().unwrap())
}

#[test]
fn a_live_patch_whose_link_breaks_before_the_switch() {
    let (found, said, code) = patch("precopy", Some(|migration| migration["status"] == "active"));
    assert!(said.contains("the guest is safe: `source` is running"), "{said}");
    assert_eq!((found.as_str(), code), ("source", 1), "{said}");
}

#[test]
fn a_live_patch_by_postcopy_whose_link_breaks_is_given_a_new_one() {
    let (found, said, code) =
        patch("postcopy", Some(|migration| migration["ram"]["postcopy-requests"].as_u64() > Some(0)));
    assert!(said.contains("; the postcopy is given a new link\n"), "{said}");
    assert_eq!((found.as_str(), code), ("target", 0), "{said}");
}

/// It takes a millisecond or two, and may be over before it is cut.
#[test]
fn a_live_patch_without_a_copy_whose_link_breaks() {
    for mode in ["shared", "cpr-transfer"] {
        let (found, said, code) = patch(mode, None);
        assert_eq!(found == "source", code == 1, "{mode}: {found}: {said}");
        assert!(code == 0 || said.contains("the guest is safe: `source` is running"), "{mode}: {said}");
    }
}
