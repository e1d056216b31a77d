//! The command line: how recipes are found and called, what goes where, and which exit code it ends with.

use std::os::unix::fs::PermissionsExt;

use crate::test::Test;

#[test]
fn eval_prints_the_value() {
    Test::new().args(["eval", "1 + 1"]).stdout("2").run();
    Test::new().args(["eval", "\"text\""]).stdout("text").run();
    Test::new().args(["eval", "()"]).run();
    Test::new()
        .args(["eval", "[1.5, 30.s, #{ a: true }]"])
        .stdout("[\n  1.5,\n  \"30 s\",\n  {\n    \"a\": true\n  }\n]")
        .run();
}

#[test]
fn json_is_one_object_on_standard_output() {
    Test::new().args(["eval", "--json", "#{ a: 1 }"]).stdout("{\"outcome\":{\"a\":1}}").run();
    Test::new()
        .recipe("print(\"for people\"); #{ blackout_ms: 1.5 }")
        .args(["--json"])
        .stdout("{\"outcome\":{\"blackout_ms\":1.5}}")
        .stderr("for people")
        .run();
    Test::new()
        .recipe("assert(false, \"no\")")
        .args(["--json"])
        .stdout("{\"error\":{\"kind\":\"assertion\",\"message\":\"assertion failed: no\",\"vm\":null,[..]\"code\":4}}")
        .code(4)
        .run();
}

#[test]
fn json_is_for_every_failure() {
    for args in
        [&["run", "dmeo", "--json"][..], &["run", "bad.rhai", "--json"], &["--json", "--nope"], &["--json"]]
    {
        let output = Test::new().file("bad.rhai", "let a = ;").args(args.iter().copied()).output();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let json: serde_json::Value = serde_json::from_str(&stdout).expect(&stdout);
        assert_eq!(json["error"]["code"], output.status.code().unwrap());
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}

#[test]
fn a_recipe_comes_from_a_file_standard_input_or_the_program() {
    Test::new().recipe("print(1)").stdout("1").run();
    Test::new().args(["run", "-"]).stdin("print(2)").stdout("2").run();
    Test::new().file("r.rhai", "print(3)").args(["r.rhai"]).stdout("3").run();
    Test::new().args(["-"]).stdin("print(4)").stdout("4").run();
    Test::new()
        .args(["run", "dmeo"])
        .stderr("error: there is no file and no shipped recipe `dmeo`\nhint: did you mean `demo`?")
        .code(2)
        .run();
    Test::new()
        .args(["run", "./none.rhai"])
        .stderr("error: cannot read `./none.rhai`: no such file or directory")
        .code(2)
        .run();
    Test::new()
        .args(["rnu"])
        .stderr("error: `rnu` is neither a command nor a recipe\nhint: did you mean `run`?")
        .code(2)
        .run();
}

#[test]
fn a_shebang_line_works() {
    let test =
        Test::new().file("recipe", "#!/usr/bin/env qhop\nprint(param(\"name\", \"who\", \"nobody\"));");
    let recipe = test.directory().join("recipe");
    std::fs::set_permissions(&recipe, std::fs::Permissions::from_mode(0o755)).unwrap();
    let qhop = std::path::Path::new(env!("CARGO_BIN_EXE_qhop")).parent().unwrap();
    let path = format!("{}:{}", qhop.display(), std::env::var("PATH").unwrap());
    let output =
        std::process::Command::new(recipe).args(["--name", "you"]).env("PATH", path).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "you\n");
}

const GREETS: &str = r#"//! Greet somebody.
//!
//! Politely.
let name = param("name", "who is to be greeted");
let times = param("times", "how often", 1);
let loudly = param("loudly", "as loud as it goes", false);
let pause = param("pause", "time between two greetings", 10.ms);
for round in 0..times { print(`hello ${name}${if loudly { "!" } else { "" }} ${pause}`); }
"#;

#[test]
fn parameters_are_options_of_the_command_line() {
    Test::new().recipe(GREETS).args(["--name", "you"]).stdout("hello you 10 ms").run();
    Test::new()
        .recipe(GREETS)
        .args(["--loudly", "--times=2", "--name", "all", "--pause", "1s"])
        .stdout("hello all! 1 s\nhello all! 1 s")
        .run();
}

#[test]
fn a_missing_parameter_is_named_before_anything_runs() {
    Test::new()
        .recipe("print(\"started\"); param(\"name\", \"who is to be greeted\");")
        .stderr(
            "error: `--name` is missing: who is to be greeted\nhint: `--help` shows what the recipe takes",
        )
        .code(2)
        .run();
}

#[test]
fn wrong_parameters_are_usage_errors() {
    Test::new()
        .recipe(GREETS)
        .args(["--name", "you", "--tiems", "3"])
        .stderr("error: the recipe has no parameter `--tiems`\nhint: did you mean `--times`?")
        .code(2)
        .run();
    Test::new()
        .recipe(GREETS)
        .args(["--name", "you", "--times", "often"])
        .stderr("error: `--times`: `often` is no integer")
        .code(2)
        .run();
}

#[test]
fn a_recipes_help_lists_its_parameters_without_running_it() {
    Test::new()
        .recipe(GREETS)
        .args(["--help"])
        .stdout(
            "Greet somebody.

Politely.

Usage: qhop run test.rhai --name VALUE [--times NUMBER] [--loudly] [--pause DURATION]

Parameters:
  --name VALUE      who is to be greeted
  --times NUMBER    how often [default: 1]
  --loudly          as loud as it goes [default: false]
  --pause DURATION  time between two greetings [default: 10ms]",
        )
        .run();
}

#[test]
fn a_parameter_goes_before_an_option_of_the_same_name() {
    Test::new()
        .recipe("print(param(\"timeout\", \"how long\", 5.s));")
        .args(["--timeout", "9s"])
        .stdout("9 s")
        .run();
}

#[test]
fn exit_codes_mean_something() {
    Test::new().recipe("exit(7)").code(7).run();
    Test::new().recipe("try { exit(7) } catch { print(\"caught\") }").code(7).run();
    Test::new().recipe("exit()").run();
    Test::new().recipe("skip(\"no KVM here\")").stderr("skipped: no KVM here").run();
    Test::new()
        .recipe("exit(300)")
        .stderr(
            "error: `exit`: `300` is no exit code
 ——▶ test.rhai:1:1
  │
1 │ exit(300)
  │ ^
hint: exit codes are 0 to 255",
        )
        .code(1)
        .run();
    Test::new()
        .recipe("let a = ;")
        .stderr("error: [..]\n ——▶ test.rhai:1:9\n  │\n1 │ let a = ;\n  │         ^")
        .code(3)
        .run();
}

#[test]
fn an_integer_that_is_too_large_is_not_rounded() {
    Test::new().args(["eval", "9_223_372_036_854_775_807"]).stdout("9223372036854775807").run();
    Test::new()
        .args(["eval", "9223372036854775808"])
        .stderr("error: [..]9223372036854775808 (integers end at 9223372036854775807)[..]\n ——▶ eval:1:1\n  │\n1 │ 9223372036854775808\n  │ ^")
        .code(3)
        .run();
}

#[test]
fn deferred_closures_run_last_first_whatever_happens() {
    Test::new()
        .recipe("defer(|| print(\"first\"));\ndefer(|| { print(\"second\"); throw \"in defer\"; });\ndefer(|| print(\"third\"));\nexit(3);")
        .stdout("third\nsecond\nfirst")
        .stderr("error: in defer\n ——▶ test.rhai:2:29\n  │\n2 │ defer(|| { print(\"second\"); throw \"in defer\"; });\n  │                             ^")
        .code(1)
        .run();
}

#[test]
fn colour_is_a_matter_of_the_option_then_the_environment() {
    let coloured = |args: &[&str], environment: &[(&str, &str)]| {
        let mut test = Test::new().args(args.iter().copied()).args(["eval", "throw 1"]);
        for (name, value) in environment {
            test = test.env(name, value);
        }
        String::from_utf8_lossy(&test.output().stderr).contains('\u{1b}')
    };
    assert!(!coloured(&[], &[]), "not on a terminal");
    assert!(coloured(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(coloured(&["--color", "always"], &[("NO_COLOR", "1")]));
    assert!(!coloured(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
}

#[test]
fn shipped_recipes_can_be_listed_and_copied() {
    Test::new()
        .args(["list"])
        .stdout(
            "classic_live_patch The classic live patch, line by line on two human monitors: a postcopy into a newer QEMU binary.
classic_local_postcopy The classic localhost migration, line by line on two human monitors: a postcopy within one QEMU binary.
classic_local_precopy The classic localhost migration, line by line on two human monitors: a precopy within one QEMU binary.
demo             Watch a running guest move into another QEMU.
doctor           Say what this machine can do: its QEMUs, their accelerators, postcopy, shared memory.
live_patch       Move a running guest into another QEMU binary, on this host.
local_migration  Start a guest in one QEMU and move it into another while it runs.
local_postcopy   Move a guest between two processes of one QEMU: a postcopy.
local_precopy    Move a guest between two processes of one QEMU: a precopy.",
        )
        .run();
    Test::new().args(["new", "demo"]).stdout(include_str!("../../scripts/demo.rhai")).run();
    Test::new()
        .args(["new", "dem"])
        .stderr("error: there is no file and no shipped recipe `dem`\nhint: did you mean `demo`?")
        .code(2)
        .run();
}

#[test]
fn verbose_shows_every_effect() {
    let test = Test::new()
        .recipe("run(\"true\", [\"a b\"]); env(\"HOME\"); launch(#{ args: \"-S -machine none\" });")
        .args(["-v"]);
    let output = test.output();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    for effect in ["start true 'a b'", "read $HOME", "start qemu-system-x86_64 -S -machine none"] {
        assert!(stderr.contains(effect), "{effect}: {stderr}");
    }
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let test = Test::new().recipe("print(\"result\");");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = test.command().stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(stderr, "error: cannot write to standard output: no space left on device\n");
}

#[test]
fn a_reader_that_has_gone_ends_the_script_quietly() {
    use std::io::Read;
    use std::process::Stdio;

    let test = Test::new().recipe("loop { print(\"more\"); }");
    let mut qhop = test.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(qhop.stdout.take());
    let mut stderr = String::new();
    qhop.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(qhop.wait().unwrap().code(), Some(141));
    assert!(!stderr.contains("panicked"), "{stderr}");
}

/// What a login has goes with it.
#[test]
fn a_qemu_can_be_found_again_after_a_logout() {
    let test = Test::new().args(["eval", "launch(#{}).directory"]).env("XDG_RUNTIME_DIR", "/run/user/4711");
    let place = if rustix::process::geteuid().is_root() {
        "/run/qhop".to_owned()
    } else {
        format!("{}/state/qhop/run", test.directory().display())
    };
    test.stdout(&format!("{place}/qhop-[..]")).run();
}
