//! Ctrl-C, deadlines and kills: a wait ends at once, what was deferred runs, and no QEMU is left behind.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::test::Test;

/// A recipe that has told its guest's pid and waits.
struct Waiting {
    test: Test,
    qhop: Child,
    stdout: BufReader<ChildStdout>,
    guest: String,
}

impl Waiting {
    fn start(recipe: &str) -> Self {
        Self::prepared(Test::new().recipe(recipe))
    }

    fn prepared(test: Test) -> Self {
        let mut qhop = test
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("qhop can be started");
        let mut stdout = BufReader::new(qhop.stdout.take().unwrap());
        let mut guest = String::new();
        stdout.read_line(&mut guest).unwrap();
        Self { test, qhop, stdout, guest: guest.trim().to_owned() }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.qhop), signal).unwrap();
    }

    fn guest_runs(&self) -> bool {
        // A zombie has no command line.
        std::fs::read(format!("/proc/{}/cmdline", self.guest)).is_ok_and(|line| !line.is_empty())
    }

    /// The rest of the output, the exit code, and how long it took to end.
    fn end(&mut self) -> (String, String, i32, Duration) {
        let start = Instant::now();
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        self.qhop.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let code = self.qhop.wait().unwrap().code().unwrap_or(-1);
        (stdout, stderr, code, start.elapsed())
    }
}

const WAITS: &str = r#"
    let vm = launch(#{ guest: "heartbeat" });
    defer(|| print(`deferred: ${vm.status()}`));
    print(vm.pid);
    vm.wait_for_status("postmigrate", 10.min);
"#;

#[test]
fn ctrl_c_ends_a_wait_and_runs_what_was_deferred() {
    let mut waiting = Waiting::start(WAITS);
    assert!(waiting.guest_runs());
    waiting.signal(Signal::INT);
    let (stdout, stderr, code, took) = waiting.end();
    assert_eq!(
        (stdout.as_str(), stderr.as_str(), code),
        ("deferred: running\n", "error: interrupted by SIGINT\n", 130)
    );
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    assert!(!waiting.guest_runs(), "the guest is gone");
    waiting.test.nothing_left();
}

#[test]
fn ctrl_c_ends_a_launch() {
    let qemu = "#!/bin/sh\ntouch started\nexec sleep 600\n";
    let mut waiting = Waiting::prepared(
        Test::new().file("qemu", qemu).recipe("print(0); launch(#{ qemu: \"sh\", args: \"qemu\" });"),
    );
    while !waiting.test.directory().join("started").exists() {}
    waiting.signal(Signal::INT);
    let (_, _, code, took) = waiting.end();
    assert_eq!(code, 130);
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    waiting.test.nothing_left();
}

#[test]
fn sigterm_counts_like_ctrl_c() {
    let mut waiting = Waiting::start(WAITS);
    waiting.signal(Signal::TERM);
    let (_, stderr, code, _) = waiting.end();
    assert_eq!((stderr.as_str(), code), ("error: interrupted by SIGTERM\n", 143));
    assert!(!waiting.guest_runs(), "the guest is gone");
}

#[test]
fn ctrl_c_ends_a_computation() {
    let mut waiting = Waiting::start("print(0); loop { }");
    waiting.signal(Signal::INT);
    let (_, stderr, code, _) = waiting.end();
    assert_eq!((stderr.as_str(), code), ("error: interrupted by SIGINT\n", 130));
}

#[test]
fn an_interrupt_cannot_be_caught() {
    let mut waiting =
        Waiting::start("print(0); try { sleep(10.min); } catch { print(\"caught\"); } print(\"went on\");");
    waiting.signal(Signal::INT);
    let (stdout, _, code, _) = waiting.end();
    assert_eq!((stdout.as_str(), code), ("", 130));
}

#[test]
fn a_second_ctrl_c_ends_what_was_deferred() {
    let mut waiting = Waiting::start(
        r#"let vm = launch(#{ guest: "heartbeat" });
           defer(|| { print("deferred"); sleep(10.min); });
           print(vm.pid);
           sleep(10.min);"#,
    );
    waiting.signal(Signal::INT);
    let mut line = String::new();
    waiting.stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "deferred\n");
    // One that follows at once counts as the first one.
    while waiting.qhop.try_wait().unwrap().is_none() {
        waiting.signal(Signal::INT);
    }
    let (_, _, code, _) = waiting.end();
    assert_eq!(code, 130);
    assert!(!waiting.guest_runs(), "the guest is gone");
    waiting.test.nothing_left();
}

#[test]
fn what_ends_one_deferred_closure_does_not_end_the_next() {
    let mut waiting = Waiting::start(
        r#"defer(|| { sleep(1.ms); print("the last one ran to its end"); });
           defer(|| { print("deferred"); sleep(10.min); });
           print(0);
           sleep(10.min);"#,
    );
    waiting.signal(Signal::INT);
    let mut line = String::new();
    waiting.stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "deferred\n");
    while waiting.qhop.try_wait().unwrap().is_none() {
        waiting.signal(Signal::INT);
    }
    let (stdout, _, code, _) = waiting.end();
    assert_eq!((stdout.as_str(), code), ("the last one ran to its end\n", 130));
}

#[test]
fn a_host_command_ends_with_the_script() {
    let mut waiting = Waiting::start(
        r#"let pid = run("sh", ["-c", "exec sleep 600 >/dev/null 2>&1 & echo $!"]).stdout;
           pid.trim();
           defer(|| run("kill", [pid]));
           print(pid);
           run("sh", ["-c", "sleep 600; true"]);"#,
    );
    assert!(waiting.guest_runs(), "what a command left in the background is its own");
    waiting.signal(Signal::INT);
    let (_, _, code, took) = waiting.end();
    assert_eq!(code, 130);
    assert!(took < Duration::from_secs(5), "it took {took:?}");
}

#[test]
fn a_killed_qhop_kills_no_guest() {
    let mut waiting = Waiting::start(WAITS);
    waiting.signal(Signal::KILL);
    waiting.end();
    assert!(waiting.guest_runs(), "the guest lives on");
    let guest = Pid::from_raw(waiting.guest.parse().unwrap()).unwrap();
    kill_process(guest, Signal::KILL).unwrap();
}

#[test]
fn a_terminals_ctrl_c_does_not_reach_the_guest() {
    let waiting = Waiting::start(WAITS);
    let group = |pid: &str| {
        let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap();
        let (_, rest) = stat.rsplit_once(')').unwrap();
        rest.split_whitespace().nth(2).unwrap().to_owned()
    };
    assert_ne!(group(&waiting.guest), group(&waiting.qhop.id().to_string()), "a process group of its own");
    waiting.signal(Signal::TERM);
    let mut waiting = waiting;
    waiting.end();
}

#[test]
fn a_deadline_ends_the_run() {
    Test::new()
        .file("slow.rhai", "defer(|| print(\"deferred\")); sleep(10.min);")
        .args(["run", "--timeout", "300ms", "slow.rhai"])
        .stdout("deferred")
        .stderr("error: the recipe took longer than 300 ms")
        .code(6)
        .run();
}

#[test]
fn a_kept_guest_outlives_the_script() {
    let test = Test::new().recipe(r#"let vm = launch(#{ guest: "heartbeat", keep: true }); print(vm.pid);"#);
    let output = test.output();
    assert!(output.status.success());
    let pid: i32 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).expect("it still runs");
}
