//! What people and programs see, to the character.

use super::*;

fn plain(failure: &Failure) -> String {
    failure.render(&Palette::default())
}

fn place(line: usize, column: usize, text: &str) -> Place {
    Place { file: "live.rhai".into(), line, column, text_of_line: Some(text.into()) }
}

fn frame(function: &str, file: &str, line: usize, column: usize) -> Frame {
    Frame { function: function.into(), file: file.into(), line, column }
}

fn broken_migration() -> Failure {
    Failure {
        kind: "gone".into(),
        message: "vm `target` ended before the migration completed".into(),
        vm: Some("target".into()),
        hint: "start the target with the same `-device virtio-rng-pci,…,addr=0x4`; `successor()` does".into(),
        said: vec![(
            "target".into(),
            "Unknown savevm section or instance '0000:00:04.0/virtio-rng' 0\n".into(),
        )],
        cause: "`target` lacks a device that `source` has (plugged in after the start?)".into(),
        outlook: "the guest is safe: `source` is running".into(),
        place: Some(place(12, 1, "migrate(source, target, #{ mode: \"precopy\" });")),
        callers: Vec::new(),
        calls: vec![frame("migrate", "stdlib/migrate.rhai", 41, 5)],
        code: 1,
    }
}

#[test]
fn everything_has_its_place() {
    let expected = "\
error: vm `target` ended before the migration completed
  ——▶ live.rhai:12:1
   │
12 │ migrate(source, target, #{ mode: \"precopy\" });
   │ ^
in `migrate` at stdlib/migrate.rhai:41:5
target said: Unknown savevm section or instance '0000:00:04.0/virtio-rng' 0
cause: `target` lacks a device that `source` has (plugged in after the start?)
hint: start the target with the same `-device virtio-rng-pci,…,addr=0x4`; `successor()` does
the guest is safe: `source` is running
";
    assert_eq!(plain(&broken_migration()), expected);
}

#[test]
fn a_message_may_be_all() {
    assert_eq!(plain(&Failure { message: "it broke".into(), ..Failure::default() }), "error: it broke\n");
}

#[test]
fn further_lines_are_indented() {
    let failure = Failure {
        message: "`--a` is missing: first\n`--b` is missing: second".into(),
        hint: "one\ntwo\n".into(),
        said: vec![("vm1".into(), "first\r\nsecond\n".into()), ("vm2".into(), "\n".into())],
        ..Failure::default()
    };
    let expected = "\
error: `--a` is missing: first
       `--b` is missing: second
vm1 said:
  first
  second
hint: one
      two
";
    assert_eq!(plain(&failure), expected);
}

#[test]
fn callers_lead_outward_and_calls_inward() {
    let failure = Failure {
        message: "it broke".into(),
        place: Some(place(3, 5, "    vm.cont();")),
        callers: vec![
            frame("closure", "live.rhai", 9, 2),
            frame("helper", "main.rhai", 20, 1),
            frame("", "main.rhai", 1, 8),
        ],
        calls: vec![frame("cont", "stdlib/vm.rhai", 4, 5), frame("", "stdlib/lib.rhai", 1, 1)],
        ..Failure::default()
    };
    let expected = "\
error: it broke
 ——▶ live.rhai:3:5
  │
3 │     vm.cont();
  │     ^
in `closure`, called at live.rhai:9:2
in `helper`, called at main.rhai:20:1
imported at main.rhai:1:8
in `cont` at stdlib/vm.rhai:4:5
in stdlib/lib.rhai:1:1
";
    assert_eq!(plain(&failure), expected);
}

#[test]
fn a_long_chain_is_shortened() {
    let chain = |length| {
        let calls = (1..=length).map(|line| frame("f", "a", line, 1)).collect();
        plain(&Failure { message: "deep".into(), calls, ..Failure::default() })
    };
    assert_eq!(chain(8).lines().count(), 9);
    let expected = "\
error: deep
in `f` at a:1:1
in `f` at a:2:1
in `f` at a:3:1
in `f` at a:4:1
… 55 more …
in `f` at a:60:1
in `f` at a:61:1
in `f` at a:62:1
";
    assert_eq!(chain(62), expected);
}

#[test]
fn without_the_text_only_the_position_is_shown() {
    let mut failure = broken_migration();
    failure.place = Some(Place { text_of_line: None, ..place(12, 1, "") });
    assert!(plain(&failure).contains("completed\n  ——▶ live.rhai:12:1\nin `migrate`"));
}

#[test]
fn the_mark_stands_below_its_character() {
    let excerpt = |column, text| {
        let failure = Failure { place: Some(place(1, column, text)), ..Failure::default() };
        plain(&failure).lines().skip(3).map(|line| line[6..].to_owned()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(excerpt(2, "\tx = 1;  \n"), "    x = 1;\n    ^");
    assert_eq!(excerpt(7, "print(漢字);"), "print(漢字);\n      ^");
    assert_eq!(excerpt(9, "print(漢字);"), "print(漢字);\n          ^");
    assert_eq!(excerpt(3, "e\u{301}x"), "e\u{301}x\n ^");
    assert_eq!(excerpt(4, "a\u{1b}bc"), "a␛bc\n   ^");
    assert_eq!(excerpt(5, "ab"), "ab\n  ^");
    assert_eq!(excerpt(1, ""), "\n^");
}

#[test]
fn a_long_line_is_cut() {
    let line = format!("{}x{}", "a".repeat(200), "b".repeat(200));
    let (shown, indent) = line_and_indent(&line, 201);
    assert_eq!(shown, format!("…{}x{}…", "a".repeat(59), "b".repeat(60)));
    assert_eq!(indent, 60);
    assert_eq!(line_and_indent(&line, 1), (format!("{}…", "a".repeat(120)), 0));
    assert_eq!(line_and_indent(&line, 401), (format!("…{}", "b".repeat(120)), 120));
}

#[test]
fn foreign_text_cannot_command_the_terminal() {
    let failure = Failure {
        message: "bad \u{1b}[2J\u{7}\u{9b}31m \u{202e}txt\u{7f}".into(),
        said: vec![("v\u{1b}m".into(), "\u{1b}]0;title\u{7}\tx\rprogress\0".into())],
        hint: "\u{1b}[31m".into(),
        cause: "\u{8}".into(),
        ..Failure::default()
    };
    let expected = "\
error: bad ␛[2J␇\\u{9b}31m \\u{202e}txt␡
v␛m said: ␛]0;title␇    x␍progress␀
cause: ␈
hint: ␛[31m
";
    assert_eq!(plain(&failure), expected);
}

#[test]
fn colours_mark_the_parts() {
    let failure = Failure {
        message: "it broke".into(),
        hint: "mend it".into(),
        place: Some(place(1, 2, "ab")),
        ..Failure::default()
    };
    let expected = "\
\u{1b}[1m\u{1b}[31merror:\u{1b}[0m it broke
 \u{1b}[34m——▶\u{1b}[0m live.rhai:1:2
  \u{1b}[34m│\u{1b}[0m
\u{1b}[34m1 │\u{1b}[0m ab
  \u{1b}[34m│\u{1b}[0m  \u{1b}[1m\u{1b}[31m^\u{1b}[0m
\u{1b}[36mhint:\u{1b}[0m mend it
";
    assert_eq!(failure.render(&Palette::coloured()), expected);
}

#[test]
fn programs_get_all_of_it() {
    let expected = json!({
        "kind": "gone",
        "message": "vm `target` ended before the migration completed",
        "vm": "target",
        "hint": "start the target with the same `-device virtio-rng-pci,…,addr=0x4`; `successor()` does",
        "cause": "`target` lacks a device that `source` has (plugged in after the start?)",
        "outlook": "the guest is safe: `source` is running",
        "said": { "target": "Unknown savevm section or instance '0000:00:04.0/virtio-rng' 0\n" },
        "place": { "file": "live.rhai", "line": 12, "column": 1 },
        "callers": [],
        "calls": [{ "function": "migrate", "file": "stdlib/migrate.rhai", "line": 41, "column": 5 }],
        "code": 1,
    });
    assert_eq!(broken_migration().to_json().to_string(), expected.to_string());
    let twice =
        Failure { said: vec![("a".into(), "1".into()), ("a".into(), "2".into())], ..Failure::default() };
    assert_eq!(twice.to_json()["said"], json!({ "a": "1\n2" }));
    assert_eq!(twice.to_json()["hint"], Value::Null);
}

#[test]
fn kinds_have_exit_codes() {
    let codes =
        ["recipe", "usage", "compile", "assertion", "start", "connect", "environment", "timeout", "library"];
    assert_eq!(codes.map(exit_code), [1, 2, 3, 4, 5, 5, 5, 6, 7]);
}
