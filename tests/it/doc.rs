//! The manual in each of its forms, and what a shell knows of the command line.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use qhop::script::help::Function;
use qhop::script::recipe::shipped_names;

use crate::examples::api;
use crate::test::Test;

fn printed(args: &[&str]) -> String {
    let output = Test::new().args(args.iter().copied()).output();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The files that `qhop doc` writes into a directory.
fn written(option: &str) -> Vec<(String, String)> {
    let test = Test::new().args(["doc", option, "a/b"]);
    let output = test.output();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files = std::fs::read_dir(test.directory().join("a/b")).unwrap().map(|it| it.unwrap().path());
    files
        .map(|it| {
            (it.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(it).unwrap())
        })
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[test]
fn a_function_is_explained() {
    Test::new()
        .args(["doc", "figure"])
        .stdout(
            "figure(value, unit)

  A figure with its unit, or `unknown` where nobody could tell it: a human monitor tells of no
  events, and leaves out much of what QMP says. A recipe compares such a value with `()`, and prints
  it by this.

  assert_eq(figure(12.25, \"ms\"), \"12.25 ms\");
  assert_eq(figure((), \"ms\"), \"unknown\");
  let vm = launch(#{ guest: \"heartbeat\" });
  assert_eq(figure(vm.migration().get(\"downtime\"), \"ms\"), \"unknown\");",
        )
        .run();
    Test::new()
        .args(["doc", "--markdown", "vm.name"])
        .stdout(
            "# `vm.name: string`

The name that errors use.

```rhai
assert_eq(launch(#{ name: \"source\", guest: \"heartbeat\" }).name, \"source\");
```",
        )
        .run();
    Test::new()
        .args(["doc", "vm.hpm"])
        .stderr("error: the manual has no `vm.hpm`\nhint: did you mean `hmp`?")
        .code(2)
        .run();
}

#[test]
fn a_recipe_is_explained() {
    Test::new()
        .args(["doc", "doctor"])
        .stdout(
            "qhop run doctor

  Say what this machine can do: its QEMUs, their accelerators, postcopy, shared memory.

  Nothing is taken on trust: the built-in guest is booted under each accelerator, since a /dev/kvm
  that opens may still run nothing, and QEMU itself is asked whether it can do a postcopy.

  Usage: qhop run doctor",
        )
        .run();
}

#[test]
fn every_function_is_in_every_form() {
    let (overview, markdown) = (printed(&["doc"]), printed(&["doc", "--markdown"]));
    let json: serde_json::Value = serde_json::from_str(&printed(&["doc", "--json"])).unwrap();
    let subjects = json["outcome"]["subjects"].as_array().unwrap();
    let in_json: BTreeSet<&str> = subjects
        .iter()
        .flat_map(|it| it["functions"].as_array().unwrap())
        .map(|it| it["call"].as_str().unwrap())
        .collect();
    let (book, definitions) = (written("--html"), written("--definitions"));
    let pages: String = book.iter().map(|(_, text)| text.as_str()).collect();
    let index = &book.iter().find(|(name, _)| name == "index.html").unwrap().1;
    let definitions = &definitions.iter().find(|(name, _)| name == "qhop.d.rhai").unwrap().1;
    for function in api() {
        let call = function.call();
        assert!(in_json.contains(call.as_str()), "{call} is not in the JSON");
        assert!(markdown.contains(&format!("#### `{call}`\n")), "{call} is not in the Markdown");
        let line = format!("><code>{}</code></a></", escaped(&call));
        assert!(pages.contains(&format!("{line}h2>")), "{call} has no place in the book");
        assert!(index.contains(&format!("{line}dt>")), "{call} is not in the index");
        assert!(definitions.contains(&keyword(&function)), "{call} has no definition");
        if !function.is_operator() {
            assert!(overview.contains(&format!("  {}", function.path())), "{call} is not in the overview");
        }
    }
    for name in shipped_names() {
        for text in [&overview, &markdown, &pages] {
            assert!(text.contains(name), "{name} is missing");
        }
    }
}

/// How its definition begins.
fn keyword(function: &Function) -> String {
    let keyword = if function.is_operator() { "op" } else { "fn" };
    let property = if function.name.starts_with("get$") { "get " } else { "" };
    format!("\n{keyword} {property}{}(", function.bare_name())
}

#[test]
fn the_book_is_whole() {
    let book = written("--html");
    assert!(book.len() > 20, "a page for each subject: {}", book.len());
    let mut anchors = BTreeSet::new();
    for (name, text) in &book {
        anchors.insert(name.clone());
        let ids: Vec<&str> = text.split(" id=\"").skip(1).map(|it| it.split('"').next().unwrap()).collect();
        for id in ids {
            assert!(anchors.insert(format!("{name}#{id}")), "{name} has two `{id}`");
        }
    }
    for (name, text) in book.iter().filter(|(name, _)| name != "style.css") {
        assert!(!text.contains("<script") && !text.contains("http"), "{name} needs nothing but itself");
        for target in text.split(" href=\"").skip(1).map(|it| it.split('"').next().unwrap()) {
            let target = if target.starts_with('#') { format!("{name}{target}") } else { target.to_owned() };
            assert!(anchors.contains(&target), "{name} leads to `{target}`, which is nowhere");
        }
        balanced(name, text);
    }
}

/// Every tag is closed, in order.
fn balanced(name: &str, text: &str) {
    let mut open = Vec::new();
    for tag in text.split('<').skip(1).map(|it| it.split('>').next().unwrap()) {
        let word = tag.split([' ', '\n']).next().unwrap();
        match word.strip_prefix('/') {
            Some(word) => assert_eq!(open.pop(), Some(word), "{name}"),
            None if ["!doctype", "meta", "link"].contains(&word) => {}
            None => open.push(word),
        }
    }
    assert!(open.is_empty(), "{name}: {open:?}");
}

#[test]
fn a_page_looks_as_it_did() {
    let book = written("--html");
    let page = &book.iter().find(|(name, _)| name == "figure.html").unwrap().1;
    let main = page.split("<main>").nth(1).unwrap().split("</main>").next().unwrap();
    snapbox::Assert::new()
        .action_env("SNAPSHOTS")
        .eq(main, snapbox::Data::read_from(std::path::Path::new("tests/data/doc/figure.html"), None));
}

#[test]
fn make_doc_builds_the_book() {
    let makefile = include_str!("../../Makefile");
    assert!(makefile.contains("\ndoc:\n\t@cargo run --quiet -- doc --html $(BOOK)\n"), "{makefile}");
    Test::new().args(["doc", "--html", "book"]).stdout("book/index.html").run();
    Test::new()
        .file("book", "")
        .args(["doc", "--html", "book"])
        .stderr("error: cannot write `book`: file exists")
        .code(1)
        .run();
}

#[test]
fn bash_completes_commands_recipes_and_functions() {
    let test = Test::new().file("qhop.bash", &printed(&["completions", "bash"]));
    let completed = |words: &str| {
        let script = format!(
            "source ./qhop.bash; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             _qhop qhop \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; echo ${{COMPREPLY[@]}}"
        );
        let output =
            Command::new("bash").args(["-c", &script]).current_dir(test.directory()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(completed("qhop reco"), "recover");
    assert_eq!(completed("qhop new de"), "demo");
    assert_eq!(completed("qhop run local_pre"), "local_precopy");
    assert_eq!(completed("qhop doc wait_for_o"), "wait_for_output");
    assert_eq!(completed("qhop recover --dr"), "--dry-run");
    assert_eq!(completed("qhop repl local_pre"), "local_precopy");
    assert_eq!(completed("qhop man doct"), "doctor");
    let check = Command::new("bash").args(["-n", "qhop.bash"]).current_dir(test.directory()).output();
    assert!(check.unwrap().status.success());
}

#[test]
fn other_shells_have_completions() {
    for shell in ["elvish", "fish", "powershell", "zsh"] {
        assert!(printed(&["completions", shell]).contains("recover"), "{shell}");
    }
}

#[test]
fn there_is_a_manual_page() {
    let page = printed(&["man"]);
    for part in [
        ".TH qhop 1",
        "\"qhop 0.1.0\" qhop",
        ".SH SYNOPSIS",
        ".SH OPTIONS",
        "qhop\\-recover(1)",
        ".SH EXIT STATUS\n",
        "Exit codes: 0 ok",
    ] {
        assert!(page.contains(part), "`{part}` is missing:\n{page}");
    }
    assert!(printed(&["man", "recover"]).contains(".TH qhop-recover 1"));
    Test::new()
        .args(["man", "recovr"])
        .stderr("error: there is no command `recovr`\nhint: did you mean `recover`?")
        .code(2)
        .run();
    let render = Command::new("man")
        .args(["--warnings", "-E", "UTF-8", "-l", "-"])
        .env("MANPAGER", "cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    // A machine without `man` has seen the page as text.
    if let Ok(mut man) = render {
        std::io::Write::write_all(&mut man.stdin.take().unwrap(), page.as_bytes()).unwrap();
        let output = man.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert!(String::from_utf8_lossy(&output.stdout).contains("SYNOPSIS"));
    }
}
