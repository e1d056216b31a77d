use super::*;

fn parameter(name: &str, help: &str, default: Option<(&str, Kind)>) -> Parameter {
    Parameter {
        name: name.into(),
        help: help.into(),
        default: default.map(|(text, _)| text.into()),
        kind: default.map_or(Kind::Text, |(_, kind)| kind),
        required: default.is_none(),
        file: "a.rhai".into(),
        line: 1,
    }
}

fn recipe() -> Vec<Parameter> {
    vec![
        parameter("vm", "pid of the QEMU", None),
        parameter("timeout", "how long to wait", Some(("10s", Kind::Duration))),
        parameter("keep", "leave it running", Some(("false", Kind::Bool))),
        parameter("passes", "how many", Some(("3", Kind::Integer))),
    ]
}

fn words(line: &str) -> Vec<String> {
    shell_words::split(line).unwrap()
}

fn values(line: &str) -> String {
    let values = read(&recipe(), &words(line)).unwrap();
    values.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

fn refused(line: &str) -> (String, String) {
    match read(&recipe(), &words(line)) {
        Err(Error::Usage { message, hint }) => (message, hint),
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_follow_their_names() {
    assert_eq!(values("--vm 4711 --timeout=1.5min"), "timeout=1.5min vm=4711");
    assert_eq!(values("--vm=--x=y --passes -1"), "passes=-1 vm=--x=y");
    assert_eq!(values("--vm '' "), "vm=");
}

#[test]
fn a_flag_stands_alone() {
    assert_eq!(values("--keep --vm 1"), "keep=true vm=1");
    assert_eq!(values("--vm 1 --keep"), "keep=true vm=1");
    assert_eq!(values("--keep false --vm 1"), "keep=false vm=1");
    assert_eq!(values("--keep=true --vm 1"), "keep=true vm=1");
}

#[test]
fn wrong_words_are_explained() {
    let message = |line: &str| refused(line).0;
    assert_eq!(
        refused("--vn 1"),
        ("the recipe has no parameter `--vn`".into(), "did you mean `--vm`?".into())
    );
    assert_eq!(refused("--other 1").1, "the recipe takes `--vm`, `--timeout`, `--keep`, `--passes`");
    assert_eq!(
        refused("4711"),
        (
            "unexpected `4711`".into(),
            "each value follows the name of its parameter, as in `--vm 4711`".into()
        )
    );
    assert_eq!(
        refused("--vm --keep"),
        (
            "`--vm` needs a value: pid of the QEMU".into(),
            "write `--vm=…` if the value itself starts with `--`".into()
        )
    );
    assert_eq!(message("--vm"), "`--vm` needs a value: pid of the QEMU");
    assert_eq!(message("--vm 1 --vm 2"), "`--vm` is given twice");
    assert_eq!(message("--"), "unexpected `--`");
    assert_eq!(
        read(&[], &words("--x")),
        Err(usage("the recipe has no parameter `--x`".into(), "the recipe takes no parameters".into()))
    );
}

#[test]
fn values_are_what_the_default_says() {
    let message = |line: &str| refused(line).0;
    assert_eq!(message("--timeout 30"), "`--timeout`: `30` has no unit, such as `30s` or `30ms`");
    assert_eq!(message("--passes many"), "`--passes`: `many` is no integer");
    assert_eq!(message("--keep=yes"), "`--keep`: `yes` is neither `true` nor `false`");
    assert_eq!(check(Kind::Float, "x"), Err("`x` is no number".into()));
    assert_eq!(check(Kind::Size, "4X"), Err("`X` is no unit of size (K, M, G, T)".into()));
}

#[test]
fn what_is_missing_is_named_with_its_help() {
    let expected =
        ("`--vm` is missing: pid of the QEMU".into(), "`--help` shows what the recipe takes".into());
    assert_eq!(refused("--keep"), expected);
    let two = [parameter("a", "first", None), parameter("b", "second", None)];
    let Err(Error::Usage { message, .. }) = read(&two, &[]) else { panic!() };
    assert_eq!(message, "`--a` is missing: first\n`--b` is missing: second");
}

#[test]
fn the_flags_of_qhop_may_stand_anywhere() {
    let own = [
        Flag { name: "--json", takes_value: false },
        Flag { name: "--color", takes_value: true },
        Flag { name: "-v", takes_value: false },
    ];
    let split = |line: &str| {
        let (ours, theirs) = separate(&words(line), &own);
        (ours.join(" "), theirs.join(" "))
    };
    assert_eq!(
        split("--vm 1 --json --color never -v --keep"),
        ("--json --color never -v".into(), "--vm 1 --keep".into())
    );
    assert_eq!(
        split("--color=never --colors=x --json=x"),
        ("--color=never".into(), "--colors=x --json=x".into())
    );
    assert_eq!(split("-v -- --json --"), ("-v".into(), "--json --".into()));
    assert_eq!(split("--color"), ("--color".into(), String::new()));
}

#[test]
fn help_shows_header_usage_and_parameters() {
    let header = Header { summary: "Move a guest.".into(), help: "Steps:\n  one".into() };
    let mut parameters = recipe();
    parameters[0].help = "pid of the QEMU\nor its monitor".into();
    parameters.push(parameter("verify", "", Some(("true", Kind::Bool))));
    let expected = "\
Move a guest.

Steps:
  one

Usage: qhop run move.rhai --vm VALUE [--timeout DURATION] [--keep] [--passes NUMBER] [--verify=false]

Parameters:
  --vm VALUE          pid of the QEMU
                      or its monitor
  --timeout DURATION  how long to wait [default: 10s]
  --keep              leave it running [default: false]
  --passes NUMBER     how many [default: 3]
  --verify=false      [default: true]
";
    assert_eq!(help("move.rhai", &header, &parameters), expected);
}

#[test]
fn help_of_a_bare_recipe_is_its_usage() {
    assert_eq!(help("-", &Header::default(), &[]), "Usage: qhop run -\n");
}
