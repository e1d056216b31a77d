//! The session that people sit in, at a real terminal and at the end of a pipe.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use snapbox::IntoData;

use crate::terminal::Terminal;
use crate::test::{Test, old};

fn start() -> Terminal {
    Terminal::start(Test::new())
}

/// Press Tab until the line is `wanted`: what a QEMU offers is there a moment after its launch.
fn completes(terminal: &Terminal, typed: &str, wanted: &str) {
    terminal.types(typed);
    terminal.line_is(&format!("qhop> {typed}"));
    let start = Instant::now();
    let is_there =
        |screen: &str| screen.trim_end().lines().last() == Some(format!("qhop> {wanted}").trim_end());
    while !(terminal.types("\t").becomes(Duration::from_millis(100), is_there)) {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "`{typed}` did not become `{wanted}`:\n{}",
            terminal.screen()
        );
    }
    terminal.clear();
}

#[test]
fn tab_completes_what_this_qemu_offers() {
    let terminal = Terminal::start(Test::new().file("disks/one.qcow2", ""));
    terminal.enters("let vm = launch(#{ args: \"-S -machine none\" });");
    terminal.enters(&format!("let old = launch(#{{ qemu: \"{}\", args: \"-S -machine none\" }});", old()));
    terminal.clear();
    completes(&terminal, "lau", "launch(");
    completes(&terminal, "vm.wait_for_st", "vm.wait_for_status(");
    completes(&terminal, "vm.qmp(\"query-migrate-c", "vm.qmp(\"query-migrate-capabilities");
    // Since QEMU 8.0.
    completes(&terminal, "vm.qmp(\"query-cryptod", "vm.qmp(\"query-cryptodev");
    completes(&terminal, "old.qmp(\"query-stat", "old.qmp(\"query-stat");
    terminal.types("old.qmp(\"query-cryptod\t").line_is("qhop> old.qmp(\"query-cryptod");
    terminal.clear();
    completes(
        &terminal,
        "vm.qmp(\"migrate-set-capabilities\", #{ ca",
        "vm.qmp(\"migrate-set-capabilities\", #{ capabilities: ",
    );
    let list = "vm.qmp(\"migrate-set-capabilities\", #{ capabilities: [#{ capability: \"postcopy-r";
    completes(&terminal, list, &format!("{list}am"));
    completes(
        &terminal,
        "vm.qmp(\"migrate-set-parameters\", #{ max-band",
        "vm.qmp(\"migrate-set-parameters\", #{ max-band",
    );
    completes(
        &terminal,
        "vm.qmp(\"migrate-set-parameters\", #{ max_",
        "vm.qmp(\"migrate-set-parameters\", #{ max_",
    );
    completes(&terminal, "vm.hmp(\"info migrate_c", "vm.hmp(\"info migrate_capabilities");
    completes(
        &terminal,
        "vm.hmp(\"migrate_set_capability postcopy-r",
        "vm.hmp(\"migrate_set_capability postcopy-ram",
    );
    completes(
        &terminal,
        "launch(#{ args: \"-drive file=disks/o",
        "launch(#{ args: \"-drive file=disks/one.qcow2",
    );
    completes(&terminal, ":load local_pre", ":load local_precopy");
    completes(&terminal, ":ev", ":events");
}

#[test]
fn tab_completes_what_a_human_monitor_offers() {
    let terminal = Terminal::start(Test::new().file("disks/one.qcow2", ""));
    terminal.enters("let vm = launch(#{ args: \"-S -machine none\", monitor: \"unix:human\" });");
    terminal.clear();
    completes(&terminal, "vm.hmp(\"info migrate_c", "vm.hmp(\"info migrate_capabilities");
    let capability = "vm.hmp(\"migrate_set_capability postcopy-r";
    completes(&terminal, capability, &format!("{capability}am"));
    let parameter = "vm.hmp(\"migrate_set_parameter multifd-comp";
    completes(&terminal, parameter, &format!("{parameter}ression"));
    completes(&terminal, "vm.hmp(\"migrate -d -", "vm.hmp(\"migrate -d -r");
    completes(&terminal, "vm.hmp(\"set_link net0 of", "vm.hmp(\"set_link net0 off");
    completes(&terminal, "vm.hmp(\"change ide0 disks/o", "vm.hmp(\"change ide0 disks/one.qcow2");
    completes(&terminal, "vm.wait_for_status(\"fini", "vm.wait_for_status(\"finish-migrate");
    // Where no file can stand, none is offered.
    terminal.types("vm.hmp(\"set_link d\t").line_is("qhop> vm.hmp(\"set_link d");
}

#[test]
fn ten_guests_do_not_slow_completion() {
    let terminal = start();
    terminal.enters("let vms = []; for n in 0..10 { vms.push(launch(#{ args: \"-S -machine none\" })); }");
    terminal.clear();
    completes(&terminal, "vms[9].qmp(\"query-statu", "vms[9].qmp(\"query-status");
    let took = (0..10).map(|_| {
        terminal.types("vms[9].qmp(\"query-statu").line_is("qhop> vms[9].qmp(\"query-statu");
        terminal.types("\t");
        let took = terminal.line_is("qhop> vms[9].qmp(\"query-status");
        terminal.clear();
        took
    });
    let fastest = took.min().unwrap();
    assert!(fastest < Duration::from_millis(20), "it took {fastest:?}");
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

#[test]
fn a_pipe_needs_no_terminal() {
    Test::new()
        .file("lib.rhai", "fn three() { 3 }")
        .args(["repl"])
        .stdin(
            "let a = 1\nimport \"./lib\" as lib\nfn f(x) {\n    x + lib::three()\n}\nf(a)\n#{ b: [true, ()] }\n\"text\"\n\
             lunch()\na + 1; let c = 5; f()\nc\nlet g = || a + c; g.call()\n:vars\n:vsm\n:time 2 * 3\nprint(`${f(2)}`)\n",
        )
        .stdout("4\n{\n  \"b\": [\n    true,\n    null\n  ]\n}\ntext\n5\n6\na: i64 = 1\nc: i64 = 5\ng: Fn = closure\n6\ntook [..]s\n5\n")
        .stderr(
            "error: there is no function `lunch`
 ——▶ entry 7:1:1
  │
1 │ lunch()
  │ ^
hint: did you mean `launch`?
error: `f` cannot be called with nothing
 ——▶ entry 8:1:19
  │
1 │ a + 1; let c = 5; f()
  │                   ^
hint: there is `f(x)`
error: there is no command `:vsm`
hint: did you mean `:vms`?
",
        )
        .code(1)
        .run();
}

#[test]
fn an_error_in_an_earlier_entry_is_shown_there() {
    Test::new()
        .file("more/lib.rhai", "fn broken() {\n    let x = 0;\n    1 / x\n}")
        .file("recipe.rhai", "//! A recipe.\nfn g() { f() }\nlet one = 1;")
        .args(["repl", "recipe.rhai"])
        .stdin("fn f() {\n    [1][5]\n}\ng()\n:load more/lib.rhai\nbroken()\none\n:load nowhere.rhai\n")
        .stdout("1")
        .stderr(
            "error: index 5 is beyond the array, which has 1 items
 ——▶ entry 2:2:9
  │
2 │     [1][5]
  │         ^
in `f`, called at recipe.rhai:2:10
in `g`, called at entry 3:1:1
error: division by zero: 1 / 0
 ——▶ more/lib.rhai:3:7
  │
3 │     1 / x
  │       ^
in `broken`, called at entry 5:1:1
error: cannot read `nowhere.rhai`: no such file or directory
",
        )
        .code(1)
        .run();
}

#[test]
fn a_session_is_saved_as_a_recipe() {
    let test = Test::new().args(["repl"]).stdin(
        "let vm = launch(#{ guest: \"heartbeat\" })\nfn state(vm) {\n    vm.status()\n}\nlunch()\nlet b = 1; lunch(); let c = 2;\n\
         print(state(vm) + b)\n:save saved.rhai\n",
    );
    let output = test.output();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "running1\n5 entries saved\n");
    let saved = std::fs::read_to_string(test.directory().join("saved.rhai")).unwrap();
    Test::new().recipe(&saved).stdout("running1").run();
    assert!(saved.contains("\n// failed:\n// lunch(); let c = 2;\n"), "{saved}");
}

#[test]
fn a_session_answers_in_json() {
    let test = Test::new()
        .args(["repl", "--json"])
        .stdin("let vm = launch(#{ name: \"a\", guest: \"heartbeat\" });\nvm.name\nlunch()\nprint(1)\n");
    let output = test.output();
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[..2], ["{\"outcome\":null}", "{\"outcome\":\"a\"}"]);
    assert!(
        lines[2].starts_with("{\"error\":{\"kind\":\"script\",\"message\":\"there is no function `lunch`\""),
        "{}",
        lines[2]
    );
    assert_eq!((lines[3], String::from_utf8_lossy(&output.stderr).as_ref()), ("{\"outcome\":null}", "1\n"));
}

#[test]
fn what_was_deferred_runs_at_the_end_of_the_session() {
    Test::new()
        .args(["repl"])
        .stdin(
            "defer(|| print(\"deferred\"))\nprint(\"later\")\nskip(\"not here\")\nexit(4)\nprint(\"never\")",
        )
        .stdout("later\nskipped: not here\ndeferred")
        .code(4)
        .run();
}

#[test]
fn a_recipe_begins_a_session_with_its_parameters() {
    Test::new()
        .file("r.rhai", "let n = param(\"n\", \"a number\", 1);")
        .args(["repl", "r.rhai", "--n", "41"])
        .stdin("n + 1")
        .stdout("42")
        .run();
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
