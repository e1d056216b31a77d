//! Scripts that fail, and the whole of what their users are told.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rhai::{Engine, Module, OptimizationLevel, Scope};

use super::*;
use crate::script::diagnostic::Palette;
use crate::script::resolver::Resolver;
use crate::script::sources::Sources;

/// Some verbs of a standard library, written in Rhai.
const LIBRARY: &str = "fn hand_on(vm) {\n    gone(vm);\n}\nfn retry(action) {\n    action.call()\n}\nfn outer(vm) { hand_on(vm) }\nfn migrate(vm) { hand_on(vm) }";

fn engine() -> Engine {
    let mut engine = Engine::new();
    engine.set_strict_variables(true).set_fail_on_invalid_map_property(true);
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_max_call_levels(16).set_max_operations(100_000).set_max_array_size(100);
    crate::script::api::register(&mut engine);
    engine.register_fn("gone", |vm: &str| -> Result<(), Box<EvalAltResult>> { Err(gone(vm).into()) });
    engine.register_fn("span", || Duration::ZERO);
    engine.register_fn("late", || -> Result<(), Box<EvalAltResult>> {
        Err(Error::Timeout {
            vm: None,
            operation: "it".into(),
            timeout: Duration::from_secs(2),
            last: "no".into(),
            said: Vec::new(),
            outlook: String::new(),
        }
        .into())
    });
    let mut library = engine.compile(LIBRARY).unwrap();
    library.set_source("stdlib/verbs.rhai");
    let library = Module::eval_ast_as_new(Scope::new(), &library, &engine).unwrap();
    engine.register_global_module(library.into());
    engine
}

fn gone(vm: &str) -> Error {
    Error::Gone {
        vm: vm.into(),
        operation: "migrate".into(),
        ended: "ended with exit status 1".into(),
        stderr: "no memory\n".into(),
    }
}

/// The failure of `main.rhai`, which stands first among these files.
fn failure(files: &[(&str, &str)]) -> Failure {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let main = directory.path().join("main.rhai");
    let file = main.to_str().unwrap();
    let sources = Sources::default();
    sources.add(file, files[0].1);
    let mut engine = engine();
    let read = |path: &Path| fs::read_to_string(path);
    engine.set_module_resolver(Resolver::new(Some(&main), sources.clone(), Box::new(read)));
    let text = |file: &str| sources.text(file);
    let mut script = Script { engine: &engine, ast: None, file, text: &text };
    let mut failure = match engine.compile(files[0].1) {
        Err(error) => explain(&error.into(), &script),
        Ok(mut ast) => {
            ast.set_source(file);
            script.ast = Some(&ast);
            explain(&engine.run_ast(&ast).unwrap_err(), &script)
        }
    };
    let shorten = |file: &mut String| *file = file.replace(&format!("{}/", directory.path().display()), "");
    shorten(&mut failure.message);
    failure.place.iter_mut().for_each(|place| shorten(&mut place.file));
    failure.callers.iter_mut().chain(&mut failure.calls).for_each(|frame| shorten(&mut frame.file));
    failure
}

fn told(files: &[(&str, &str)]) -> String {
    failure(files).render(&Palette::default())
}

/// The kind, the message and the hint for one script.
fn brief(script: &str) -> String {
    let Failure { kind, message, hint, .. } = failure(&[("main.rhai", script)]);
    format!("{kind}: {message}{}{hint}", if hint.is_empty() { "" } else { " — " })
}

#[test]
fn an_error_of_ours_is_told_with_the_chain_into_the_library() {
    let expected = "\
error: vm `target` ended with exit status 1 during `migrate`
 ——▶ main.rhai:2:1
  │
2 │ outer(\"target\");
  │ ^
in `outer` at stdlib/verbs.rhai:7:16
in `hand_on` at stdlib/verbs.rhai:2:5
target said: no memory
";
    assert_eq!(told(&[("main.rhai", "let a = 1;\nouter(\"target\");")]), expected);
}

#[test]
fn a_closure_called_by_the_library_is_the_users() {
    let expected = "\
error: the guest is lost
 ——▶ main.rhai:2:6
  │
2 │      throw \"the guest is lost\";
  │      ^
in `closure`, called at stdlib/verbs.rhai:5:12
in `retry`, called at main.rhai:1:1
";
    assert_eq!(told(&[("main.rhai", "retry(|| {\n     throw \"the guest is lost\";\n});")]), expected);
}

#[test]
fn a_function_called_through_a_pointer_stays_where_it_is() {
    let files = [
        ("main.rhai", "import \"./a\" as a;\nfn mine(x) {\n    x.foo\n}\na::apply(mine);"),
        ("a.rhai", "fn apply(f) { f.call(1) }"),
    ];
    let expected = "\
error: `i64` has no property `foo`
 ——▶ main.rhai:3:7
  │
3 │     x.foo
  │       ^
in `mine`, called at a.rhai:1:17
in `apply`, called at main.rhai:5:4
";
    assert_eq!(told(&files), expected);
}

#[test]
fn a_closure_of_a_module_stays_in_it() {
    let files = [("main.rhai", "import \"./a\" as a;\na::give().call();"), ("a.rhai", "fn give() { || 1 }")];
    let expected = "\
error: the closure was made by a module that its caller does not see into
 ——▶ main.rhai:2:11
  │
2 │ a::give().call();
  │           ^
hint: a module can take closures, but not give any back: call it there, or give back values
";
    assert_eq!(told(&files), expected);
}

#[test]
fn functions_that_are_not_written_in_rhai_have_no_line() {
    let expected = "\
error: there is no function `attatch`
 ——▶ main.rhai:1:13
  │
1 │ [1].map(|x| attatch(x));
  │             ^
in `closure`, called at main.rhai:1:5
hint: did you mean `attach`? there is `attach(to)`
";
    assert_eq!(told(&[("main.rhai", "[1].map(|x| attatch(x));")]), expected);
}

#[test]
fn errors_in_modules_are_shown_where_they_are() {
    let files = [
        ("main.rhai", "import \"./a\" as a;\nfn start() { a::run(1) }\nstart();"),
        ("a.rhai", "#!/usr/bin/env qhop\nimport \"./b\" as b;\nfn run(x) { b::deep(x) }"),
        ("b.rhai", "fn deep(x) {\n  [][x]\n}"),
    ];
    let expected = "\
error: index 1 is beyond the array, which is empty
 ——▶ b.rhai:2:6
  │
2 │   [][x]
  │      ^
in `deep`, called at a.rhai:3:16
in `run`, called at main.rhai:2:17
in `start`, called at main.rhai:3:1
";
    assert_eq!(told(&files), expected);
}

#[test]
fn a_module_that_fails_to_load_is_shown_with_its_import() {
    let parse = [
        ("main.rhai", "\nimport \"./a\" as a;"),
        ("a.rhai", "#!/usr/bin/env qhop\nimport \"./b\" as b;"),
        ("b.rhai", "#!/usr/bin/env qhop\nlet x = (1;\n"),
    ];
    let expected = "\
error: expecting `)` for a matching ( in this expression
 ——▶ b.rhai:2:11
  │
2 │ let x = (1;
  │           ^
imported at a.rhai:2:8
imported at main.rhai:2:8
";
    let failure = failure(&parse);
    assert_eq!((failure.kind.as_str(), failure.code), ("compile", 3));
    assert_eq!(failure.render(&Palette::default()), expected);

    let missing = "\
error: cannot import `./nope`: there is no file `nope.rhai`
 ——▶ a.rhai:1:8
  │
1 │ import \"./nope\" as n;
  │        ^
imported at main.rhai:1:8
";
    let text = told(&[("main.rhai", "import \"./a\" as a;"), ("a.rhai", "import \"./nope\" as n;")]);
    assert_eq!(text, missing);

    let thrown = "\
error: not today
 ——▶ a.rhai:1:1
  │
1 │ throw \"not today\";
  │ ^
imported at main.rhai:1:17
in `f`, called at main.rhai:2:1
";
    let files = [("main.rhai", "fn f() { import \"./a\" as a; }\nf();"), ("a.rhai", "throw \"not today\";")];
    assert_eq!(told(&files), thrown);
}

#[test]
fn a_thrown_map_has_the_fields_of_a_failure() {
    let script = r#"throw #{ kind: "migration", message: "it broke", vm: "target", hint: "mend it",
        said: [["target", "ouch"], ["source", "well"]], cause: "age", outlook: "the guest is safe" };"#;
    let failure = failure(&[("main.rhai", script)]);
    let expected = "\
error: it broke
 ——▶ main.rhai:1:1
  │
1 │ throw #{ kind: \"migration\", message: \"it broke\", vm: \"target\", hint: \"mend it\",
  │ ^
target said: ouch
source said: well
cause: age
hint: mend it
the guest is safe
";
    assert_eq!(failure.render(&Palette::default()), expected);
    assert_eq!(
        (failure.kind.as_str(), failure.vm.as_deref(), failure.code),
        ("migration", Some("target"), 1)
    );
}

#[test]
fn anything_can_be_thrown() {
    assert_eq!(brief("throw \"no luck\";"), "thrown: no luck");
    assert_eq!(brief("throw 42;"), "thrown: 42");
    assert_eq!(brief("throw #{ message: `a ${1 + 1}` };"), "thrown: a 2");
    assert_eq!(brief("throw #{ a: 1 };"), "thrown: #{\"a\": 1}");
    assert_eq!(brief("throw #{ message: \"m\", vm: (), kind: \"timeout\" };"), "timeout: m");
    assert_eq!(brief("throw \"string\";"), "thrown: string");
    assert_eq!(brief("throw span();"), "thrown: a value of type `Duration`");
    assert_eq!(brief("throw;"), "script: the script threw an error without a message");
    assert_eq!(brief("throw \"\";"), "script: the script threw an error without a message");
}

#[test]
fn kinds_become_exit_codes() {
    let code = |script| failure(&[("main.rhai", script)]).code;
    assert_eq!(code("late();"), 6);
    assert_eq!(code("throw #{ message: \"\", kind: \"assertion\" }"), 4);
    assert_eq!(code("let ="), 3);
    assert_eq!(code("[][0]"), 1);
    let interrupted = Error::Interrupted { cause: "interrupted by SIGINT".into(), code: 130 };
    let token = EvalAltResult::ErrorTerminated(Dynamic::from(interrupted), Position::NONE);
    let engine = Engine::new();
    let script = Script { engine: &engine, ast: None, file: "-", text: &|_| None };
    let failure = explain(&token, &script);
    assert_eq!((failure.kind.as_str(), failure.code, failure.place), ("interrupted", 130, None));
    let token = EvalAltResult::ErrorTerminated(Dynamic::from(Duration::ZERO), Position::NONE);
    let failure = explain(&token, &script);
    assert_eq!((failure.message.as_str(), failure.code), ("the script was ended", 1));
}

#[test]
fn a_caught_error_can_be_read() {
    let mut engine = engine();
    let read = |field: &str| {
        let script = format!("let it = (); try {{ gone(\"vm1\") }} catch (e) {{ it = {field}; }} it");
        engine.eval::<Dynamic>(&script).unwrap().to_string()
    };
    assert_eq!(read("e.kind"), "gone");
    assert_eq!(read("e.message"), "vm `vm1` ended with exit status 1 during `migrate`");
    assert_eq!(read("e.vm"), "vm1");
    assert_eq!(read("e.hint"), "");
    assert_eq!(read("type_of(e)"), "Error");
    assert_eq!(read("`${e}`"), "vm `vm1` ended with exit status 1 during `migrate`");
    assert_eq!(read("e.to_debug()"), "gone: vm `vm1` ended with exit status 1 during `migrate`");
    engine.set_strict_variables(false);
    assert!(engine.eval::<Dynamic>("let v = 0; try { late() } catch (e) { v = e.vm } v").unwrap().is_unit());
    assert_eq!(
        engine.eval::<String>("let k = 0; try { migrate(\"v\") } catch (e) { k = e.kind } k").unwrap(),
        "gone"
    );
}

#[test]
fn what_is_thrown_again_stays_what_it_was() {
    let ours = failure(&[("main.rhai", "try { gone(\"vm1\") } catch (e) {\n throw e; }")]);
    assert_eq!((ours.kind.as_str(), ours.vm.as_deref(), ours.place.unwrap().line), ("gone", Some("vm1"), 2));
    let expected = "\
error: array index 5 out of bounds: only 1 element in array
 ——▶ main.rhai:2:9
  │
2 │     [1][5]
  │         ^
";
    let rhais = "try {\n    [1][5]\n} catch (e) {\n    throw e;\n}";
    assert_eq!(told(&[("main.rhai", rhais)]), expected);
}

#[test]
fn calls_of_no_function_are_explained() {
    assert_eq!(
        brief("migrat(1)"),
        "script: there is no function `migrat` — did you mean `migrate`? there is `migrate(vm)`"
    );
    assert_eq!(
        brief("fn helper(a) {} helpr(1)"),
        "script: there is no function `helpr` — did you mean `helper`? there is `helper(a)`"
    );
    assert_eq!(brief("zzz()"), "script: there is no function `zzz`");
    assert_eq!(
        brief("fn helper(a) {} helper()"),
        "script: `helper` cannot be called with nothing — there is `helper(a)`"
    );
    assert_eq!(
        brief("late(1, \"a\", #{})"),
        "script: `late` cannot be called with `i64`, `string`, `map` — there is `late()`"
    );
    assert_eq!(
        brief("1.push(2)"),
        "script: `push` cannot be called with `i64`, `i64` — there is `array.push(item)`, `blob.push(value: i64)`"
    );
    assert_eq!(brief("#{} + 1"), "script: `+` is not defined for `map` and `i64`");
    assert_eq!(brief("-\"a\""), "script: `-` is not defined for `string`");
}

#[test]
fn names_that_do_not_exist_are_explained() {
    assert_eq!(
        brief("let source = 1; sorce"),
        "compile: there is no variable `sorce` — did you mean `source`?"
    );
    assert_eq!(brief("print(xyz)"), "compile: there is no variable `xyz`");
    assert_eq!(brief("lib::f()"), "compile: no module is imported as `lib`");
    assert_eq!(brief("let e = \"\"; e.size"), "script: `string` has no property `size`");
    assert_eq!(brief("[].lens"), "script: `array` has no property `lens` — did you mean `len`?");
    assert_eq!(brief("let a = []; a.len = 1"), "script: `array` has no property `len` that can be set");
    assert_eq!(
        brief("#{}.x"),
        "script: the map has no `x` — `map.get(\"x\")` gives `()` then, and `\"x\" in map` asks"
    );
    assert_eq!(
        brief("try { late() } catch (e) { e.kid }"),
        "script: `Error` has no property `kid` — did you mean `kind`?"
    );
}

#[test]
fn values_of_the_wrong_type_are_explained() {
    assert_eq!(brief("let a = [1]; a[\"x\"]"), "script: expected `i64`, got `string`");
    assert_eq!(brief("let f = 1; f.call()"), "script: expected `Fn`, got `i64`");
    assert_eq!(brief("let x = #{}; for i in || x {}"), "script: `for` cannot go through this value");
    assert_eq!(brief("\"ab\"[7]"), "script: index 7 is beyond the string, which has 2 characters");
    assert_eq!(brief("1/0"), "script: division by zero: 1 / 0");
    assert_eq!(
        brief("parse_int(\"x\")"),
        "script: error parsing integer number `x`: invalid digit found in string"
    );
    assert_eq!(
        brief("fn f() { this.x } f()"),
        "script: `this` is nothing here: the function was not called as a method"
    );
    assert_eq!(brief("try { late() } catch (e) { e[1] }"), "script: `Error` cannot be indexed with `i64`");
    assert_eq!(
        brief("let x = 1; let f = |a| this += x + a; x.call(f, 2)"),
        "script: argument #1 of function `closure` is in use elsewhere at this moment"
    );
    assert_eq!(brief("const A = 1; A = 2;"), "compile: cannot assign to constant A");
}

#[test]
fn limits_are_explained() {
    assert_eq!(brief("loop {}"), "limit: the script took more steps than it may");
    assert_eq!(
        brief("fn f() { f() } f()"),
        "limit: stack overflow: the functions call one another too deeply"
    );
    assert_eq!(brief("let a = []; loop { a.push(1) }"), "limit: size of array/BLOB is more than it may be");
}

#[test]
fn syntax_errors_are_in_our_voice() {
    assert_eq!(brief("let a = \"abc"), "compile: open string is not terminated");
    assert_eq!(brief("fn f() {"), "compile: expecting `}` to terminate this block");
    assert_eq!(brief("1 +"), "compile: the script ends in the middle of something");
    assert_eq!(brief("let a = ;"), "compile: unexpected `;`");
    assert_eq!(brief("this"), "compile: `this` can only be used in functions");
    assert_eq!(brief("let go = 1"), "compile: `go` is a reserved word");
    assert_eq!(brief("fn f(){} fn f(){}"), "compile: function f with no parameters already exists");
}

#[test]
fn text_given_to_eval_is_no_file() {
    let expected = "\
error: there is no variable `nope`
 ——▶ main.rhai:1:6
  │
1 │ eval(\"1;\\nnope\");
  │      ^
in `eval` at the text:2:1
";
    assert_eq!(told(&[("main.rhai", "eval(\"1;\\nnope\");")]), expected);
}
