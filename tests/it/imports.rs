//! Imports: relative to the importing file, with cycles named and reasons kept.

use crate::test::Test;

#[test]
fn an_import_is_relative_to_the_importing_file() {
    Test::new()
        .file("lib/outer.rhai", "import \"./inner\" as inner; fn twice(x) { inner::double(x) }")
        .file("lib/inner.rhai", "fn double(x) { x * 2 }")
        .recipe("import \"./lib/outer\" as outer; print(outer::twice(21));")
        .stdout("42")
        .run();
}

#[test]
fn a_cycle_is_named() {
    Test::new()
        .file("a.rhai", "import \"./b\" as b;")
        .file("b.rhai", "import \"./a\" as a;")
        .recipe("import \"./a\" as a;")
        .stderr(
            "error: cannot import `./a`: import cycle: a.rhai -> b.rhai -> a.rhai
 ——▶ b.rhai:1:8
  │
1 │ import \"./a\" as a;
  │        ^
imported at a.rhai:1:8
imported at test.rhai:1:8",
        )
        .code(1)
        .run();
}

#[test]
fn a_missing_file_is_named() {
    Test::new()
        .recipe("\nimport \"./none\" as none;")
        .stderr(
            "error: cannot import `./none`: there is no file `none.rhai`
 ——▶ test.rhai:2:8
  │
2 │ import \"./none\" as none;
  │        ^",
        )
        .code(1)
        .run();
}

#[test]
fn the_api_works_in_a_module_and_errors_point_into_it() {
    Test::new()
        .file("lib.rhai", "fn start() {\n    launch(#{ name: \"one\", guest: \"heartbeat\" })\n}\nfn fail(vm) {\n    vm.qmp(\"nonsense\");\n}")
        .recipe("import \"./lib\" as lib;\nlet vm = lib::start();\nprint(vm.status());\nlib::fail(vm);")
        .stdout("running")
        .stderr(
            "error: `nonsense`: The command nonsense has not been found
 ——▶ lib.rhai:5:8
  │
5 │     vm.qmp(\"nonsense\");
  │        ^
in `fail`, called at test.rhai:4:6
cause: this QEMU has no QMP command `nonsense`
hint: `query-commands` lists its commands",
        )
        .code(1)
        .run();
}
