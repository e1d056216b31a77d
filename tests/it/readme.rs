//! Every block of the README is what it claims to be.

use crate::test::{Test, new, old};

const README: &str = include_str!("../../README.md");

/// The blocks of that language, in order.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    README.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect()
}

/// A text with every number replaced by `0`.
fn without_numbers(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        match (c.is_ascii_digit(), plain.ends_with('0')) {
            (true, true) => {}
            (true, false) => plain.push('0'),
            (false, _) => plain.push(c),
        }
    }
    plain.replace("0.0", "0").replace("0.0", "0")
}

#[test]
fn the_recipes_run() {
    let recipes = blocks("rhai");
    assert_eq!(recipes.len(), 3);
    for recipe in &recipes[1..] {
        let output = Test::new().args(["run", "-"]).stdin(recipe).output();
        assert!(output.status.success(), "{recipe}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_recipe_that_the_project_exists_for_patches_a_running_guest() {
    let test = Test::new().file("live.rhai", blocks("rhai")[0]);
    let launch = format!(
        r#"
        let vm = launch(#{{ qemu: "{}", guest: "heartbeat", keep: true }});
        vm.wait_for_output("beat", 30.s);
        print(vm.pid);
        "#,
        old(),
    );
    let pid = test.command().args(["eval", &launch]).output().unwrap();
    let pid = String::from_utf8(pid.stdout).unwrap();
    let patched =
        test.command().args(["run", "live.rhai", "--vm", pid.trim(), "--qemu", &new()]).output().unwrap();
    let said = String::from_utf8(patched.stdout).unwrap();
    assert!(said.starts_with("on 10.0."), "{said}{}", String::from_utf8_lossy(&patched.stderr));
    let end = r#"
        for guest in guests() {
            if guest.monitor.contains(env("XDG_RUNTIME_DIR")) { attach(guest.pid).quit(); }
        }
    "#;
    assert!(test.command().args(["eval", end]).output().unwrap().status.success());
    test.nothing_left();
}

#[test]
fn the_demo_prints_what_is_shown() {
    let shown = blocks("console")[0];
    let (command, shown) = shown.split_once('\n').unwrap();
    assert_eq!(command, "$ make demo");
    let output = Test::new().args(["run", "demo", "--from", &old(), "--to", &new()]).output();
    assert_eq!(without_numbers(&String::from_utf8_lossy(&output.stdout)), without_numbers(shown));
}

#[test]
fn the_error_looks_as_shown() {
    Test::new()
        .file(
            "live.rhai",
            r#"let source = launch(#{ name: "source", guest: "heartbeat", args: "-device virtio-rng-pci,addr=4" });
let target = launch(#{ name: "target", guest: "heartbeat", args: "-incoming defer" });
migrate(source, target);"#,
        )
        .args(["live.rhai"])
        .stderr(blocks("text")[0])
        .code(1)
        .run();
}

#[test]
fn the_commands_exist() {
    let makefile = include_str!("../../Makefile");
    for line in blocks("console").concat().lines().filter_map(|line| line.strip_prefix("$ make ")) {
        let target = line.split_whitespace().next().unwrap_or_default();
        assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
    }
    for line in README.lines().filter_map(|line| line.strip_prefix("| `qhop ")) {
        let command = line.split([' ', '`']).next().unwrap_or_default();
        let help = Test::new().args(["--help"]).output();
        assert!(String::from_utf8_lossy(&help.stdout).contains(&format!("\n  {command} ")), "qhop {command}");
    }
}

#[test]
fn every_call_in_the_table_exists() {
    let calls = README.lines().filter_map(|line| line.strip_prefix("| `")).flat_map(|line| line.split('`'));
    let names = calls.filter_map(|call| call.split_once('(')).map(|(name, _)| name.trim_start_matches("vm."));
    for name in
        names.filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
    {
        let name = if name.starts_with('_') { format!("wait_for{name}") } else { name.to_owned() };
        let known = crate::examples::api().iter().any(|function| function.name == name);
        assert!(known, "the README has a call `{name}`");
    }
}
