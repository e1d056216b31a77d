//! What is seen of a run while it goes on: the progress of its migrations on a terminal, and `-v`.

use std::time::Duration;

use crate::terminal::Terminal;
use crate::test::Test;

/// About two seconds of migration, of which the script asks nothing, and prints lines meanwhile.
fn slow() -> Test {
    Test::new().file("memory", &"x".repeat(8 << 20)).recipe(SLOW)
}

const SLOW: &str = r#"
    let loader = "-device loader,file=memory,addr=0x1000000,force-raw=on";
    let source = launch(#{ name: "source", args: `-S ${loader}` });
    let target = launch(#{ name: "target", args: "-S -incoming defer" });
    let uri = `unix:${target.directory}/migrate`;
    source.qmp("migrate-set-parameters", #{ "max-bandwidth": 4.MiB });
    target.qmp("migrate-incoming", #{ uri: uri });
    source.qmp("migrate", #{ uri: uri });
    for n in 0..4 { sleep(300.ms); log(`line ${n}`); }
    source.wait_for_migration("completed", 60.s);
    print("done");"#;

#[test]
fn on_a_terminal_a_migration_is_a_line_that_makes_way_and_is_gone_in_the_end() {
    let mut terminal = Terminal::run(slow(), &[]);
    let above = |screen: &str| {
        let lines: Vec<&str> = screen.trim_end().lines().collect();
        let Some((last, lines)) = lines.split_last() else { return false };
        let is_progress = last.starts_with("source: active, ") && last.contains(" left, ");
        is_progress && !lines.is_empty() && lines.iter().all(|line| line.starts_with("line "))
    };
    terminal.wait("a line above the progress", above);
    assert_eq!(terminal.ends(), 0);
    let lines = "line 0\nline 1\nline 2\nline 3\ndone";
    terminal.wait("nothing but the lines", |screen| screen.trim_end() == lines);
}

/// The guest of `a` is there long before that of `b`.
const TWO: &str = r#"
    let loader = "-device loader,file=memory,addr=0x1000000,force-raw=on";
    for n in [4, 2] {
        let name = if n == 4 { "a" } else { "b" };
        let source = launch(#{ name: name, args: `-S ${loader}` });
        let target = launch(#{ name: `${name}-target`, args: "-S -incoming defer" });
        let uri = `unix:${target.directory}/migrate`;
        source.qmp("migrate-set-parameters", #{ "max-bandwidth": n.MiB });
        target.qmp("migrate-incoming", #{ uri: uri });
        source.qmp("migrate", #{ uri: uri });
        defer(|| { source.wait_for_migration("completed", 60.s); print(`${name} is there`); target.quit() });
    }"#;

#[test]
fn two_guests_on_their_way_are_two_lines() {
    let test = Test::new().file("memory", &"x".repeat(8 << 20)).recipe(TWO);
    let mut terminal = Terminal::run(test, &[]);
    let both = |screen: &str| {
        let lines: Vec<&str> = screen.trim_end().lines().collect();
        let [a, b] = lines[..] else { return false };
        a.starts_with("a: active, ") && b.starts_with("b: active, ")
    };
    terminal.wait("a line for each", both);
    terminal.wait("one of them alone", |screen| {
        let lines: Vec<&str> = screen.trim_end().lines().collect();
        matches!(lines[..], [one] if one.starts_with("b: active, "))
    });
    assert_eq!(terminal.ends(), 0);
    let lines = "b is there\na is there";
    terminal.wait("nothing but the lines", |screen| screen.trim_end() == lines);
}

#[test]
fn it_is_gone_after_ctrl_c_too() {
    let mut terminal = Terminal::run(slow(), &[]);
    terminal.shows("source: active, ");
    terminal.types("\x03");
    assert_eq!(terminal.ends(), 130);
    let is_gone = |screen: &str| screen.contains("interrupted by SIGINT") && !screen.contains("active");
    assert!(terminal.becomes(Duration::from_secs(5), is_gone), "{}", terminal.screen());
}

#[test]
fn in_a_session_it_is_there_while_an_entry_runs() {
    let terminal = Terminal::start(Test::new().file("memory", &"x".repeat(8 << 20)).file("slow.rhai", SLOW));
    terminal.types(":load slow.rhai\r");
    terminal.wait("events and lines above the progress", |screen| {
        let lines: Vec<&str> = screen.trim_end().lines().collect();
        let is_last = |line: &str| line.starts_with("source: active, ") && line.contains(" left, ");
        lines.last().is_some_and(|last| is_last(last)) && lines.contains(&"line 1")
    });
    terminal.wait("the prompt", |screen| screen.trim_end().ends_with("\ndone\nqhop>"));
    let screen = terminal.screen();
    assert!(!screen.contains("active, "), "{screen}");
    terminal.enters("6 * 7").shows("\n42\nqhop>");
}

#[test]
fn ctrl_c_in_a_session_says_what_goes_on() {
    let terminal = Terminal::start(Test::new().file("memory", &"x".repeat(8 << 20)).file("slow.rhai", SLOW));
    terminal.types(":load slow.rhai\r").shows("source: active, ");
    terminal.types("\x03").shows("\ninterrupted; the migration of `source` goes on\nqhop>");
    terminal.enters("source.wait_for_migration(\"completed\"); source.status()").shows("\"postmigrate\"");
}

#[test]
fn for_a_program_there_is_none() {
    let mut terminal = Terminal::run(slow(), &["--json"]);
    assert_eq!(terminal.ends(), 0);
    terminal.wait("the outcome", |screen| screen.contains("{\"outcome\":null}"));
    assert!(!terminal.screen().contains("active"), "{}", terminal.screen());
    // Elsewhere than on a terminal, neither.
    slow().stdout("done").stderr("line 0\nline 1\nline 2\nline 3").run();
}

#[test]
fn steps_are_shown_with_v() {
    let recipe = r#"let source = launch(#{ name: "source", guest: "heartbeat" });
        let target = launch(#{ name: "target", guest: "heartbeat", args: "-incoming defer" });
        migrate(source, target);"#;
    let output = Test::new().recipe(recipe).args(["-v"]).output();
    let said = String::from_utf8_lossy(&output.stderr);
    let steps: Vec<&str> =
        said.lines().filter_map(|line| line.split_once("step ")).map(|step| step.1).collect();
    let between = |step: &str| format!("`{step}`: `source` to `target`");
    let wanted = ["agree", "migrate", "prove", "retire", "give back", "done"].map(between);
    assert_eq!(steps[2..], wanted, "{said}");
}
