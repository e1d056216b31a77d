//! A session whose entries come from a pipe.

use crate::test::Test;

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
hint: did you mean `launch`? there is `launch(options: map)`
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
fn a_recipe_is_loaded_with_its_parameters() {
    Test::new()
        .file("r.rhai", "let n = param(\"n\", \"a number\");\nlet m = param(\"m\", \"another\", 2);")
        .args(["repl"])
        .stdin(":load r.rhai\n:load r.rhai --n 'a b' --m 3\n`${n} ${m}`\n:load r.rhai --m 4\n`${n} ${m}`\n:load r.rhai --k 1")
        .stdout("a b 3\na b 4")
        .stderr(
            "error: `--n` is missing: a number
hint: `:load r.rhai --n VALUE` gives it
error: the recipe has no parameter `--k`
hint: did you mean `--m`?",
        )
        .code(2)
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
