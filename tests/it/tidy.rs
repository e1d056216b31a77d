//! The house rules that a program can check: the invariants stated in `lib.rs`.

#![allow(clippy::case_sensitive_file_extension_comparisons)] // our own files are in lower case

use std::path::{Path, PathBuf};

fn sources(directory: &str) -> Vec<(String, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(&root.join(directory), &mut found);
    let name = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    found.iter().filter_map(|path| Some((name(path), std::fs::read_to_string(path).ok()?))).collect()
}

/// The code of a file: without its tests, and without comments.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn rust() -> Vec<(String, String)> {
    let tests = |path: &str| path.ends_with("tests.rs") || path.contains("/tests/");
    sources("src")
        .into_iter()
        .filter(|(path, _)| path.ends_with(".rs") && !tests(path))
        .map(|(path, text)| (path, code(&text)))
        .collect()
}

#[test]
fn rhai_is_named_only_in_script() {
    for (path, code) in rust() {
        let names_it = code.contains("rhai::") || code.contains("use rhai");
        assert!(!names_it || path.starts_with("src/script/"), "{path} names rhai");
    }
}

#[test]
fn there_is_one_block_on() {
    let found: Vec<String> = rust()
        .into_iter()
        .filter(|(_, code)| code.contains("runtime.block_on("))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(found, ["src/script/session.rs"]);
    for (path, code) in rust() {
        let crossings = code.matches("block_on(").count();
        assert!(crossings == 0 || path.starts_with("src/script/"), "{path} blocks on a future");
    }
}

#[test]
fn printing_has_its_places() {
    for (path, code) in rust() {
        let prints = ["println!", "print!(", "eprintln!", "io::stdout()", "io::stderr()"]
            .iter()
            .any(|p| code.contains(p));
        let may = ["src/lib.rs", "src/commands/", "src/repl"].iter().any(|it| path.starts_with(it));
        assert!(!prints || may, "{path} prints");
    }
}

#[test]
fn pure_modules_have_no_io_and_no_async() {
    let mut pure = 0;
    for (path, text) in sources("src") {
        let says_so = text.lines().any(|line| line.starts_with("//! Pure"));
        if !says_so || !path.ends_with(".rs") {
            continue;
        }
        pure += 1;
        let code = code(&text);
        for forbidden in
            ["async ", ".await", "std::fs", "std::net", "tokio::", "std::process", "std::env::var"]
        {
            assert!(!code.contains(forbidden), "{path} is pure and has `{forbidden}`");
        }
    }
    assert!(pure > 5, "the pure modules were found: {pure}");
}

#[test]
fn files_hold_one_subject() {
    // More only for tables.
    let is_table = |path: &str| path == "src/migration/explain/messages.rs";
    for (path, code) in rust().into_iter().filter(|(path, _)| !is_table(path)) {
        let lines = code.lines().count();
        assert!(lines <= 350, "{path} has {lines} lines of code: what second subject does it hold?");
    }
}

#[test]
fn every_file_says_what_it_is() {
    for (path, text) in sources("src").into_iter().chain(sources("stdlib")).chain(sources("scripts")) {
        if (path.ends_with(".rs") && !path.ends_with("tests.rs")) || path.ends_with(".rhai") {
            assert!(text.starts_with("//!"), "{path} does not say what it is");
        }
    }
}
