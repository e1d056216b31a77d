//! Imports between real files, and what goes wrong with them.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rhai::{Dynamic, Engine, EvalAltResult, ModuleResolver, OptimizationLevel, Position};
use tempfile::TempDir;

use super::Resolver;
use crate::error::Error;
use crate::script::recipe::without_shebang;
use crate::script::sources::Sources;

/// A directory with these files, of which `main.rhai` is the recipe.
struct Recipe {
    directory: TempDir,
    sources: Sources,
    reads: Arc<AtomicUsize>,
}

impl Recipe {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { directory, sources: Sources::default(), reads: Arc::default() }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn resolver(&self) -> Resolver {
        let reads = Arc::clone(&self.reads);
        let read = move |path: &Path| {
            reads.fetch_add(1, Ordering::Relaxed);
            fs::read_to_string(path)
        };
        Resolver::new(Some(Path::new(&self.path("main.rhai"))), self.sources.clone(), Box::new(read))
    }

    fn engine(&self) -> Engine {
        let mut engine = Engine::new();
        engine.set_strict_variables(true);
        // The optimizer takes an import for something without effect, and drops it from a `try`.
        engine.set_optimization_level(OptimizationLevel::None);
        engine.set_module_resolver(self.resolver());
        engine
    }

    fn run(&self) -> Result<Dynamic, Box<EvalAltResult>> {
        let engine = self.engine();
        let text = fs::read_to_string(self.path("main.rhai")).unwrap();
        let mut ast = engine.compile(without_shebang(&text)).unwrap();
        ast.set_source(self.path("main.rhai"));
        engine.eval_ast(&ast)
    }

    /// What the run fails with, in our words, with this directory left out.
    fn failure(&self) -> String {
        let error = self.run().unwrap_err();
        let text = match error.unwrap_inner() {
            EvalAltResult::ErrorRuntime(value, _) => value.clone().cast::<Error>().to_string(),
            other => other.to_string(),
        };
        self.shorten(&text)
    }

    fn shorten(&self, text: &str) -> String {
        let canonical = self.directory.path().canonicalize().unwrap().display().to_string();
        text.replace(&format!("{}/", self.directory.path().display()), "").replace(&canonical, "DIR")
    }
}

#[test]
fn an_import_is_relative_to_the_importing_file() {
    let recipe = Recipe::new(&[
        ("main.rhai", "import \"./lib/a\" as a; a::f()"),
        (
            "lib/a.rhai",
            "#!/usr/bin/env qhop\nimport \"./deep/b.rhai\" as b;\nimport \"../c\" as c;\nfn f() { b::f() + c::f() }",
        ),
        ("lib/deep/b.rhai", "fn f() { 20 }"),
        ("c.rhai", "fn f() { import \"./lib/deep/v1.2\" as d; d::f() }"),
        ("lib/deep/v1.2.rhai", "fn f() { 22 }"),
    ]);
    assert_eq!(recipe.run().unwrap().as_int(), Ok(42));
    assert_eq!(recipe.sources.text(&recipe.path("lib/deep/b.rhai")).unwrap(), "fn f() { 20 }");
}

#[test]
fn each_module_is_read_and_evaluated_once() {
    let recipe = Recipe::new(&[
        (
            "main.rhai",
            "import \"./a\" as a; import \"./lib/../b\" as b; for i in 0..3 { import \"./b.rhai\" as c; }",
        ),
        ("a.rhai", "import \"./b\" as b;"),
        ("b.rhai", ""),
        ("lib/c.rhai", ""),
    ]);
    let _ = recipe.run().unwrap();
    assert_eq!(recipe.reads.load(Ordering::Relaxed), 2);
}

#[test]
fn a_module_sees_nothing_of_its_importer() {
    let recipe = Recipe::new(&[
        ("main.rhai", "let secret = 1; fn helper() { 2 } import \"./a\" as a; a::found"),
        ("a.rhai", "export let found = is_def_var(\"secret\") || is_def_fn(\"helper\", 0);"),
    ]);
    assert_eq!(recipe.run().unwrap().as_bool(), Ok(false));
}

#[test]
fn a_cycle_is_named() {
    let recipe = Recipe::new(&[
        ("main.rhai", "import \"./a\" as a;"),
        ("a.rhai", "import \"./b\" as b;"),
        ("b.rhai", "import \"./a\" as a;"),
    ]);
    assert_eq!(recipe.failure(), "cannot import `./a`: import cycle: a.rhai -> b.rhai -> a.rhai");
}

#[test]
fn the_recipe_is_part_of_a_cycle() {
    let recipe = Recipe::new(&[("main.rhai", "import \"./a\" as a;"), ("a.rhai", "import \"./main\" as m;")]);
    assert_eq!(recipe.failure(), "cannot import `./main`: import cycle: main.rhai -> a.rhai -> main.rhai");
}

#[test]
fn a_caught_failure_leaves_no_trace() {
    let recipe = Recipe::new(&[
        ("main.rhai", "for i in 0..40 { try { import \"./a\" as a; } catch (e) { print(e) } } 1"),
        ("a.rhai", "import \"./b\" as b;"),
        ("b.rhai", "throw 1;"),
    ]);
    assert_eq!(recipe.run().unwrap().as_int(), Ok(1));
    assert_eq!(recipe.reads.load(Ordering::Relaxed), 80);
}

#[test]
fn imports_nest_only_so_deep() {
    let files: Vec<(String, String)> = (0..40)
        .map(|n| (format!("m{n}.rhai"), format!("import \"./m{}\" as m;", n + 1)))
        .chain([("main.rhai".into(), "import \"./m0\" as m;".into())])
        .collect();
    let recipe = Recipe::new(&files.iter().map(|(name, text)| (&**name, &**text)).collect::<Vec<_>>());
    // The thread of a test has a smaller stack than that of a script.
    let script = std::thread::Builder::new().stack_size(16 << 20);
    let failure = script.spawn(move || recipe.failure()).unwrap().join().unwrap();
    assert_eq!(failure, "cannot import `./m32`: more than 32 imports inside one another");
}

#[test]
fn an_import_stays_inside_the_directory() {
    let refused = |statement: &str| Recipe::new(&[("main.rhai", statement), ("a.rhai", "")]).failure();
    assert_eq!(
        refused("import \"/etc/passwd\" as a;"),
        "cannot import `/etc/passwd`: a path starts with `./` or `../`, as in `./etc/passwd`"
    );
    assert_eq!(
        refused("import \"a\" as a;"),
        "cannot import `a`: a path starts with `./` or `../`, as in `./a`"
    );

    let outside = Recipe::new(&[("main.rhai", ""), ("sub/main.rhai", "import \"../main\" as m;")]);
    let inside = Resolver::new(
        Some(Path::new(&outside.path("sub/main.rhai"))),
        Sources::default(),
        Box::new(|_| unreachable!()),
    );
    let error = inside.locate(Some(&outside.path("sub/main.rhai")), "../main").unwrap_err();
    assert_eq!(outside.shorten(&error), "it is outside of `sub`, the directory of the recipe");
}

#[test]
fn a_link_is_judged_by_where_it_leads() {
    let recipe = Recipe::new(&[("main.rhai", "import \"./link\" as l;")]);
    let elsewhere = Recipe::new(&[("x.rhai", "")]);
    std::os::unix::fs::symlink(elsewhere.path("x.rhai"), recipe.path("link.rhai")).unwrap();
    assert_eq!(
        recipe.failure(),
        "cannot import `./link`: it is outside of `DIR`, the directory of the recipe"
    );
}

#[test]
fn a_linked_recipe_imports_from_where_it_is() {
    let recipe = Recipe::new(&[("main.rhai", ""), ("a.rhai", "")]);
    let programs = tempfile::tempdir().unwrap();
    let link = programs.path().join("move-guest");
    std::os::unix::fs::symlink(recipe.path("main.rhai"), &link).unwrap();
    let resolver = Resolver::new(Some(&link), Sources::default(), Box::new(|_| unreachable!()));
    let file = resolver.locate(link.to_str(), "./a").unwrap();
    assert_eq!(recipe.shorten(&file.shown), "a.rhai");
}

#[test]
fn the_reason_of_a_failure_is_kept() {
    let recipe = Recipe::new(&[("main.rhai", "import \"./nope\" as n;")]);
    assert_eq!(recipe.failure(), "cannot import `./nope`: there is no file `nope.rhai`");
    fs::write(recipe.path("nope.rhai"), [0xff]).unwrap();
    assert_eq!(
        recipe.failure(),
        "cannot import `./nope`: cannot read `nope.rhai`: stream did not contain valid UTF-8"
    );
    fs::remove_file(recipe.path("nope.rhai")).unwrap();
    fs::create_dir(recipe.path("nope.rhai")).unwrap();
    assert_eq!(
        recipe.failure(),
        "cannot import `./nope`: cannot read `nope.rhai`: Is a directory (os error 21)"
    );
}

#[test]
fn the_reader_may_refuse() {
    let recipe = Recipe::new(&[("main.rhai", ""), ("a.rhai", "")]);
    let read = |_: &Path| Err(std::io::Error::other("reading is not allowed"));
    let resolver =
        Resolver::new(Some(Path::new(&recipe.path("main.rhai"))), Sources::default(), Box::new(read));
    let error = resolver.resolve(&Engine::new(), None, "./a", Position::NONE).unwrap_err();
    let EvalAltResult::ErrorRuntime(value, _) = error.unwrap_inner() else { panic!() };
    let text = value.clone().cast::<Error>().to_string();
    assert_eq!(recipe.shorten(&text), "cannot import `./a`: cannot read `a.rhai`: reading is not allowed");
}

#[test]
fn a_parse_error_has_its_position_in_the_imported_file() {
    let recipe = Recipe::new(&[
        ("main.rhai", "\nimport \"./lib/a\" as a;"),
        ("lib/a.rhai", "#!qhop\nimport \"./b\" as b;"),
        ("lib/b.rhai", "#!qhop\n\nlet = 1;"),
    ]);
    let EvalAltResult::ErrorInModule(a, inner, at_a) = *recipe.run().unwrap_err() else { panic!() };
    let EvalAltResult::ErrorInModule(b, inner, at_b) = *inner else { panic!() };
    let EvalAltResult::ErrorParsing(_, at) = *inner else { panic!() };
    assert_eq!((recipe.shorten(&a), at_a), ("lib/a.rhai".into(), Position::new(2, 8)));
    assert_eq!((recipe.shorten(&b), at_b), ("lib/b.rhai".into(), Position::new(2, 8)));
    assert_eq!(at, Position::new(3, 5));
}

#[test]
fn a_module_cannot_make_an_ending_catchable() {
    let recipe =
        Recipe::new(&[("main.rhai", "\n try { import \"./a\" as a; } catch { }"), ("a.rhai", "end();")]);
    let mut engine = recipe.engine();
    engine.register_fn("end", || -> Result<(), Box<EvalAltResult>> {
        Err(EvalAltResult::ErrorTerminated(Dynamic::from(7), Position::NONE).into())
    });
    let mut ast = engine.compile(fs::read_to_string(recipe.path("main.rhai")).unwrap()).unwrap();
    ast.set_source(recipe.path("main.rhai"));
    let error = engine.run_ast(&ast).unwrap_err();
    assert!(
        matches!(*error, EvalAltResult::ErrorTerminated(_, at) if at == Position::new(2, 15)),
        "{error:?}"
    );
}

#[test]
fn the_syntax_alone_runs_nothing() {
    let recipe = Recipe::new(&[("main.rhai", ""), ("a.rhai", "throw 1; fn f() {}")]);
    let resolver = recipe.resolver();
    let ast = resolver.resolve_ast(&Engine::new(), Some(&recipe.path("main.rhai")), "./a", Position::NONE);
    let ast = ast.unwrap().unwrap();
    assert_eq!(ast.source(), Some(&*recipe.path("a.rhai")));
    assert_eq!(ast.iter_functions().next().unwrap().name, "f");
}

#[test]
fn without_a_recipe_the_working_directory_is_the_root() {
    let resolver = Resolver::new(None, Sources::default(), Box::new(|_| unreachable!()));
    let missing = "there is no file `no-such.rhai`";
    for source in [None, Some("-"), Some("eval")] {
        assert_eq!(resolver.locate(source, "./no-such").unwrap_err(), missing);
    }
}

#[test]
fn threads_do_not_see_cycles_in_one_another() {
    let recipe = Recipe::new(&[("main.rhai", ""), ("a.rhai", "meet(); export let x = 1;")]);
    let barrier = Arc::new(std::sync::Barrier::new(2));
    let mut engine = recipe.engine();
    engine.register_fn("meet", move || barrier.wait().is_leader());
    std::thread::scope(|scope| {
        let runs = [(); 2].map(|()| {
            scope.spawn(|| {
                let mut ast = engine.compile("import \"./a\" as a; a::x").unwrap();
                ast.set_source(recipe.path("main.rhai"));
                engine.eval_ast::<i64>(&ast).unwrap()
            })
        });
        assert_eq!(runs.map(|run| run.join().unwrap()), [1, 1]);
    });
}
