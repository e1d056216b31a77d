//! The session that people sit in, at a real terminal.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use snapbox::IntoData;

use crate::terminal::Terminal;
use crate::test::Test;

fn start() -> Terminal {
    Terminal::start(Test::new())
}

#[test]
fn an_entry_goes_on_until_it_is_complete() {
    let terminal = start();
    terminal.types("fn twice(x) {\r  x * 2\r}\r").types("twice(\r21)\r").shows("42\nqhop>");
    terminal.types("/* not\ryet */ 7\r").shows("7\nqhop>");
    terminal.types("1 +\r2 +").line_is("2 +");
    terminal.types("\x03").line_is("qhop>");
    terminal.enters("40 + 3").shows("43");
}

#[test]
fn ctrl_c_ends_a_wait_and_nothing_else() {
    let terminal = start();
    terminal.enters("let vm = launch(#{ guest: \"heartbeat\" });").enters("let kept = 5;");
    let took = (0..3).map(|_| {
        terminal.clear();
        terminal.types("log(\"waits\"); vm.wait_for_status(\"postmigrate\", 60.s)\r").shows("\nwaits");
        let start = Instant::now();
        terminal.types("\x03").shows("interrupted");
        start.elapsed()
    });
    let fastest = took.min().unwrap();
    assert!(fastest < Duration::from_millis(100), "it took {fastest:?}");
    terminal.enters("vm.status() + kept").shows("\"running5\"");
    terminal.clear();
    terminal.types("log(\"loops\"); loop {}\r").shows("\nloops");
    terminal.types("\x03").shows("interrupted");
}

#[test]
fn events_appear_above_the_line_being_typed() {
    let terminal = start();
    terminal.enters("let vm = launch(#{ name: \"a\", guest: \"heartbeat\", args: \"-monitor unix:human,server=on,wait=off\" });");
    let mut human = UnixStream::connect(terminal.test.directory().join("human")).unwrap();
    terminal.clear();
    terminal.types("let half = 20");
    terminal.line_is("qhop> let half = 20");
    human.write_all(b"stop\n").unwrap();
    terminal.shows("] a STOP");
    terminal.line_is("qhop> let half = 20");
    terminal.types(" + 1; half\r").shows("\n21\nqhop>");
    let screen = terminal.screen();
    let lines: Vec<&str> = screen.lines().collect();
    assert!(lines[0].starts_with('[') && lines[0].ends_with("] a STOP"), "{screen}");
    assert_eq!(lines[1..3], ["qhop> let half = 20 + 1; half", "21"], "{screen}");
    terminal.clear();
    terminal.enters(":events").shows("] a STOP");
    // A guest that ends is told of, too.
    terminal.enters("vm.kill()").shows("a was killed by signal 9");
}

#[test]
fn what_is_typed_while_an_entry_runs_comes_after_it() {
    let terminal = start();
    terminal.types("log(\"runs\"); sleep(300.ms); log(\"ran\")\r").shows("\nruns");
    terminal.types("1 + 1\r2 + 2");
    terminal.line_is("qhop> 2 + 2");
    let screen = terminal.screen();
    assert!(screen.contains("\nruns\nran\nqhop> 1 + 1\n2\nqhop> 2 + 2"), "{screen}");
}

#[test]
fn history_outlives_the_session() {
    let mut first = start();
    first.enters("let remembered = 1").enters("let other = 2");
    first.types("\x04");
    assert_eq!(first.ends(), 0);
    let file = first.test.directory().join("state/qhop/history");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    let directory = first.test.directory().join("state");

    let test = Test::new();
    std::fs::create_dir_all(test.directory().join("state/qhop")).unwrap();
    std::fs::copy(directory.join("qhop/history"), test.directory().join("state/qhop/history")).unwrap();
    let second = Terminal::start(test);
    second.types("\x1b[A").line_is("qhop> let other = 2");
    second.types("\x1b[A").line_is("qhop> let remembered = 1");
    second.types("\x15").line_is("qhop>");
    second.types("\x12remem").shows("let remembered = 1");
    second.types("\r").enters("remembered + 1").shows("2");
    // The rest of an earlier entry is a hint; the arrow takes it.
    second.types("let oth").line_is("qhop> let other = 2");
    second.types("\x1b[C\r").enters("other * 10").shows("20");
}

#[test]
fn ctrl_d_asks_only_when_a_guest_would_be_lost() {
    let mut terminal = start();
    terminal.enters("let vm = launch(#{ name: \"a\", guest: \"heartbeat\" });").enters("vm.pid");
    let pid = terminal.screen().lines().rev().nth(1).unwrap().parse().unwrap();
    let pid = Pid::from_raw(pid).unwrap();
    terminal.types("\x04").shows("`a` still runs and would end with the session.");
    terminal.types("\r");
    terminal.line_is("qhop>");
    terminal.enters("vm.status()").shows("\"running\"");
    terminal.types(":quit\r").line_is("keep it, end it, or stay? [k/e/S]");
    terminal.types("k\r");
    assert_eq!(terminal.ends(), 0);
    terminal.shows(&format!("`a` lives on: attach({}) takes hold of it again", pid.as_raw_nonzero()));
    test_kill_process(pid).expect("it lives on");

    // What somebody else started is not at stake.
    let mut second = Terminal::start(Test::new());
    second.enters(&format!("let vm = attach({});", pid.as_raw_nonzero())).types("\x04");
    assert_eq!(second.ends(), 0);
    kill_process(pid, Signal::KILL).expect("it lived on");
}

#[test]
fn the_end_ends_guests_and_runs_what_was_deferred() {
    let mut terminal = start();
    terminal.enters("let vm = launch(#{ name: \"a\", guest: \"heartbeat\" }); defer(|| print(`deferred: ${vm.status()}`));");
    terminal.types("exit(3)\r").shows("[k/e/S]");
    terminal.types("e\r");
    assert_eq!(terminal.ends(), 3);
    terminal.shows("deferred: running");
    assert!(terminal.is_as_before());
    terminal.test.nothing_left();
}

#[test]
fn sigterm_ends_a_session_at_its_prompt() {
    let mut terminal = start();
    terminal
        .enters("let vm = launch(#{ guest: \"heartbeat\" }); defer(|| print(`deferred: ${vm.status()}`));");
    terminal.types("half a li");
    terminal.line_is("qhop> half a li");
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.ends(), 143);
    terminal.shows("deferred: running").shows("error: interrupted by SIGTERM");
    assert!(terminal.is_as_before());
    terminal.test.nothing_left();
}

#[test]
fn two_guests_live_at_once() {
    let terminal = start();
    terminal.enters("let source = launch(#{ name: \"source\", guest: \"heartbeat\" });");
    terminal.enters(
        "let target = launch(#{ name: \"target\", guest: \"heartbeat\", args: \"-incoming defer\" });",
    );
    terminal
        .enters(":vms")
        .shows("source  running    QEMU 10.0")
        .shows("target  inmigrate  QEMU 10.0")
        .shows("ends with the session");
    terminal
        .enters("migrate(source, target).mode")
        .shows("\"precopy\"")
        .shows("target RESUME")
        .shows("source STOP");
    terminal.enters("target.check_memory().errors").clear();
    terminal.enters(":vms").shows("target  running");
}

/// As it is shown to newcomers, but for the numbers.
const TRANSCRIPT: &str = r#"qhop> let source = launch(#{ name: "source", guest: "heartbeat" })
qhop> let target = launch(#{ name: "target", guest: "heartbeat", args: "-incoming defer" })
qhop> :vms
source  running    QEMU 10.0.[..]  pc-i440fx-10.0  process [..]  ends with the session
target  inmigrate  QEMU 10.0.[..]  pc-i440fx-10.0  process [..]  ends with the session
qhop> source.hmp("info status")
VM status: running
qhop> let outcome = migrate(source, target)
qhop> outcome.mode
"precopy"
qhop> target.check_memory(); target.status()
"running"
qhop> fn pause(vm) {
    vm.stop();
    vm.status()
}
qhop> pause(target)
"paused"
qhop> :save moved.rhai
8 entries saved
qhop>"#;

#[test]
fn the_transcript_can_be_retyped() {
    let terminal = start();
    for entry in TRANSCRIPT.split("qhop> ").skip(1) {
        // What was typed ends where the next line is not indented any more.
        let lines: Vec<&str> = entry.lines().collect();
        let more = lines.iter().skip(1).take_while(|line| line.starts_with("    ") || **line == "}").count();
        terminal.enters(&lines[..=more].join("\r"));
    }
    let screen = terminal.screen();
    let is_of_the_transcript = |line: &&str| !line.starts_with('[') && !line.starts_with("qhop 0");
    let shown: Vec<&str> = screen.trim_end().lines().filter(is_of_the_transcript).collect();
    snapbox::Assert::new().eq(shown.join("\n").into_data(), TRANSCRIPT.into_data());
}
