//! What goes wrong in the middle of a migration: afterwards the guest runs in exactly one QEMU, or its user is told
//! in so many words that it cannot.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdout, Stdio};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

use crate::test::{Test, new, old};

/// A migration that is slow enough to be interfered with, and has begun to send memory.
struct Migrating {
    test: Test,
    qhop: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    source: Pid,
    target: Pid,
    monitor: Monitor,
}

/// The source's second monitor, which qhop knows nothing of.
pub struct Monitor(UnixStream, Lines<BufReader<UnixStream>>);

impl Monitor {
    pub fn connect(test: &Test) -> Self {
        let stream = UnixStream::connect(test.directory().join("second")).unwrap();
        let replies = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut monitor = Self(stream, replies);
        monitor.ask("qmp_capabilities");
        monitor
    }

    pub fn ask(&mut self, command: &str) -> Value {
        writeln!(self.0, "{{\"execute\":\"{command}\"}}").unwrap();
        let reply = self.1.find(|line| line.as_ref().is_ok_and(|line| line.contains("\"return\"")));
        let reply: Value = serde_json::from_str(&reply.unwrap().unwrap()).unwrap();
        reply["return"].clone()
    }
}

impl Migrating {
    /// `source` are options of the source's `launch`, `migrate` those of `migrate`, beside a low bandwidth.
    fn start(source: &str, migrate: &str) -> Self {
        let test = Test::new().recipe(&format!(
            r#"let guest = #{{ name: "heartbeat", memory: 64.MiB, rate: 0 }};
let source = launch(#{{ name: "source", guest: guest, args: "-m 128 -qmp unix:second,server=on,wait=off"{source} }});
let target = launch(#{{ name: "target", guest: guest, args: "-m 128 -incoming defer" }});
defer(|| {{
    if target.alive {{ print(`the target is ${{target.status()}}`); return; }}
    source.wait_for_status("running", 5.s);
    source.wait_for_output("beat", 10.s);
    source.check_memory();
    print("the guest beats on in the source");
}});
source.wait_for_output("beat");
print(source.pid);
print(target.pid);
let slow = #{{ "max-bandwidth": 1.MiB, "max-postcopy-bandwidth": 1.MiB }};
migrate(source, target, #{{ parameters: slow{migrate} }});"#
        ));
        let mut qhop = test.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(qhop.stdout.take().unwrap()).lines();
        let mut pid = || Pid::from_raw(stdout.next().unwrap().unwrap().parse().unwrap()).unwrap();
        let (source, target) = (pid(), pid());
        let monitor = Monitor::connect(&test);
        Self { test, qhop, stdout, source, target, monitor }
    }

    /// Wait until the migration is in that state and has sent some memory.
    fn until(&mut self, status: &str) {
        loop {
            let migration = self.monitor.ask("query-migrate");
            let sent = migration["ram"]["transferred"].as_u64().is_some_and(|bytes| bytes > 100_000);
            if sent && migration["status"] == status {
                return;
            }
        }
    }

    /// What qhop said at its end: the rest of its output, its errors, its exit code.
    fn end(mut self) -> (String, String, i32) {
        let mut stderr = String::new();
        self.qhop.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let stdout: Vec<String> = self.stdout.map(|line| line.unwrap()).collect();
        let code = self.qhop.wait().unwrap().code().unwrap();
        (stdout.join("\n"), stderr, code)
    }
}

const PLACE: &str = r"  ——▶ test.rhai:15:1
   │
15 │ migrate(source, target, #{ parameters: slow";

#[test]
fn a_target_that_is_killed_in_a_precopy() {
    let mut migrating = Migrating::start("", "");
    migrating.until("active");
    kill_process(migrating.target, Signal::KILL).unwrap();
    let (stdout, stderr, code) = migrating.end();
    assert_eq!((stdout.as_str(), code), ("the guest beats on in the source", 1));
    snapbox::assert_data_eq!(
        stderr,
        format!(
            "error: vm `target` was killed by signal 9 before the migration completed
{PLACE} }});
   │ ^
source said:[..]
...
the guest is safe: `source` is running
"
        )
    );
}

#[test]
fn a_target_that_hangs_in_a_precopy() {
    let mut migrating = Migrating::start("", ", stall: 1.s");
    migrating.until("active");
    kill_process(migrating.target, Signal::STOP).unwrap();
    let (stdout, stderr, code) = migrating.end();
    assert_eq!((stdout.as_str(), code), ("the guest beats on in the source", 6));
    assert_eq!(
        stderr,
        format!(
            "error: the migration to vm `target` made no progress for 1 s
{PLACE}, stall: 1.s }});
   │ ^
hint: the target hangs, or the link is down
the guest is safe: `source` is running
"
        )
    );
}

#[test]
fn a_guest_that_writes_faster_than_its_memory_is_sent() {
    let migrating = Migrating::start("", ", timeout: 2.s");
    let (stdout, stderr, code) = migrating.end();
    assert_eq!((stdout.as_str(), code), ("the guest beats on in the source", 6));
    assert_eq!(
        stderr,
        format!(
            "error: the migration of vm `source` took longer than 2 s
{PLACE}, timeout: 2.s }});
   │ ^
hint: the guest writes faster than its memory can be sent: `mode: \"postcopy\"` always ends
the guest is safe: `source` is running
"
        )
    );
}

#[test]
fn ctrl_c_in_a_precopy_leaves_a_kept_guest_running() {
    let mut migrating = Migrating::start(", keep: true", "");
    migrating.until("active");
    kill_process(Pid::from_child(&migrating.qhop), Signal::INT).unwrap();
    let (source, target) = (migrating.source, migrating.target);
    let mut monitor = Monitor(migrating.monitor.0.try_clone().unwrap(), {
        BufReader::new(migrating.monitor.0.try_clone().unwrap()).lines()
    });
    let (stdout, stderr, code) = migrating.end();
    assert_eq!((stdout.as_str(), code), ("the guest beats on in the source", 130));
    assert_eq!(stderr, "the guest is safe: `source` is running\nerror: interrupted by SIGINT\n");
    assert_eq!(monitor.ask("query-status")["status"], "running");
    assert!(test_kill_process(target).is_err(), "the target is gone");
    kill_process(source, Signal::KILL).unwrap();
}

#[test]
fn a_target_that_is_killed_in_a_postcopy_is_the_end_of_the_guest() {
    let mut migrating = Migrating::start("", ", mode: \"postcopy\"");
    migrating.until("postcopy-active");
    kill_process(migrating.target, Signal::KILL).unwrap();
    let (_, stderr, code) = migrating.end();
    assert_eq!(code, 1);
    snapbox::assert_data_eq!(
        stderr,
        format!(
            "warning: `target` was not rehearsed: once a postcopy has switched there is no way back
...
error: vm `target` was killed by signal 9 before the migration completed
{PLACE}, mode: \"postcopy\" }});
   │ ^
...
the guest is lost: [..]
"
        )
    );
}

#[test]
fn ctrl_c_in_a_postcopy_ends_neither_end_of_a_guest_that_is_kept() {
    let mut migrating = Migrating::start(", keep: true", ", mode: \"postcopy\"");
    migrating.until("postcopy-active");
    kill_process(Pid::from_child(&migrating.qhop), Signal::INT).unwrap();
    let (source, target) = (migrating.source, migrating.target);
    let (_, stderr, code) = migrating.end();
    assert_eq!(code, 130);
    snapbox::assert_data_eq!(
        stderr,
        "warning: `target` was not rehearsed: once a postcopy has switched there is no way back
the guest is on `target`, part of its memory still on `source`; end neither until the migration is `completed`
error: interrupted by SIGINT
"
    );
    kill_process(target, Signal::KILL).expect("the target lives");
    kill_process(source, Signal::KILL).expect("the source lives");
}

#[test]
fn a_source_that_hangs_is_not_waited_for_without_end() {
    let mut migrating = Migrating::start("", ", stall: 1.s");
    migrating.until("active");
    kill_process(migrating.source, Signal::STOP).unwrap();
    let (_, stderr, code) = migrating.end();
    // What the test deferred waits for the source, too, and fails before.
    let (_, last) = stderr.split_once("\n\n").unwrap();
    assert_eq!(code, 6);
    assert_eq!(
        last,
        format!(
            "error: the migration to vm `target` made no progress for 1 s
{PLACE}, stall: 1.s }});
   │ ^
hint: the target hangs, or the link is down
the guest is on `source`, which does not answer; find out why it does not answer
"
        )
    );
}

#[test]
fn nothing_is_left_over() {
    let mut migrating = Migrating::start("", "");
    migrating.until("active");
    kill_process(migrating.target, Signal::KILL).unwrap();
    let directory = migrating.test.directory().to_owned();
    let Migrating { mut qhop, test, source, target, .. } = migrating;
    qhop.wait().unwrap();
    test.nothing_left();
    assert!(test_kill_process(source).is_err() && test_kill_process(target).is_err(), "both are gone");
    drop(directory);
}

/// Another process has the lock of the target's image.
fn locked_image(qemu: &str, mode: &str) -> Test {
    Test::new().recipe(&format!(
        r#"for image in ["a.img", "b.img"] {{ run("truncate", ["-s", "1M", image]); }}
let args = |image| `-m 64 -drive file=${{image}},format=raw,if=none,id=d -device virtio-blk-pci,drive=d`;
let other = launch(#{{ name: "other", qemu: "{qemu}", guest: "heartbeat", args: args.call("b.img") }});
let source = launch(#{{ name: "source", qemu: "{qemu}", guest: "heartbeat", args: args.call("a.img") }});
let target = launch(#{{ name: "target", qemu: "{qemu}", guest: "heartbeat", args: args.call("b.img") + " -incoming defer" }});
source.wait_for_output("beat");
let error = assert_throws(|| migrate(source, target, #{{ mode: "{mode}" }}), "migration");
print(error.message);
print(error.cause);
print(error.outlook);
if target.alive {{
    other.quit();
    target.cont();
    target.wait_for_output("beat");
    target.check_memory();
}} else {{
    source.wait_for_output("beat");
    source.check_memory();
}}"#
    ))
}

#[test]
fn a_target_that_may_not_start_the_guest_says_why() {
    let said = |status: &str, outlook: &str| {
        format!(
            "vm `target` has the whole guest, and does not start it: it is `{status}`\nanother process has `b.img` open, and its `write` lock\n{outlook}"
        )
    };
    locked_image(&old(), "postcopy")
        .stdout(&said("paused", "the guest is on `target`, stopped; `cont` the target"))
        .stderr("warning: `target` was not rehearsed: once a postcopy has switched there is no way back")
        .run();
    // Since 10.0 such a target cannot be helped, and has not run the guest.
    locked_image(&new(), "precopy")
        .stdout(&said("inmigrate", "the guest is safe: `source` is running"))
        .run();
}
