//! A small manual, as it is in each of its forms.

use super::terminal::Look;
use super::{Manual, definitions, markdown, terminal};
use crate::script::help::Function;
use crate::script::recipe::Header;
use crate::script::subjects::{Recipe, Subject};

/// A function as the metadata gives it.
pub(crate) fn function(name: &str, signature: &str, shown: &str, returns: &str) -> Function {
    Function {
        name: name.into(),
        signature: signature.into(),
        shown: shown.into(),
        on: "Vm".into(),
        arguments: 2,
        returns: returns.into(),
        doc: "Stop *it*, with `vm.halt`.\nReally. And more.".into(),
        examples: vec!["vm.halt(true);".into()],
    }
}

fn manual() -> Manual {
    let functions = vec![
        function("halt", "halt(vm: &mut Vm, now: bool) -> ScriptResult<()>", "vm.halt(now: bool)", "()"),
        function("get$name", "get$name(vm: &mut Vm) -> String", "vm.get$name()", "string"),
        function("+", "+(a: Vm, b: Vm) -> Vm", "+(a: Vm, b: Vm)", "Vm"),
    ];
    let about = "The end.\n\n- one\n- two".to_owned();
    let subject = Subject { name: "end".into(), about, is_standard: false, functions };
    let header = Header { summary: "Watch.".into(), help: "Twice.".into() };
    let recipe = Recipe { name: "demo", header, usage: "Usage: qhop run demo".into(), text: "//! Watch.\n" };
    Manual { subjects: vec![subject], recipes: vec![recipe] }
}

const PLAIN: Look = Look { width: 40, coloured: false };

#[test]
fn a_name_is_found_however_it_is_written() {
    let manual = manual();
    for name in ["halt", "vm.halt", "halt()", "vm.halt()"] {
        assert_eq!(manual.find(name).unwrap().functions[0].name, "halt");
    }
    assert_eq!(manual.find("name").unwrap().functions[0].call(), "vm.name: string");
    assert_eq!(manual.find("+").unwrap().functions[0].call(), "Vm + Vm -> Vm");
    assert_eq!(manual.find("end").unwrap().subject.unwrap().name, "end");
    assert_eq!(manual.find("demo").unwrap().recipe.unwrap().name, "demo");
    let error = manual.find("vm.hlat").unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.hint()),
        ("the manual has no `vm.hlat`", "did you mean `halt`?")
    );
}

#[test]
fn the_terminal_wraps_what_is_said() {
    let manual = manual();
    let expected = "vm.halt(now: bool)

  Stop *it*, with `vm.halt`. Really. And
  more.

  vm.halt(true);";
    assert_eq!(terminal::found(&manual.find("halt").unwrap(), PLAIN), expected);
    let whole = terminal::found(&manual.find("end").unwrap(), PLAIN);
    assert!(whole.starts_with("end\n\n  The end.\n\n  - one\n  - two\n\nvm.halt(now: bool)\n"), "{whole}");
    let coloured = Look { coloured: true, ..PLAIN };
    let whole = terminal::found(&manual.find("halt").unwrap(), coloured);
    assert!(whole.starts_with("\x1b[1mvm.halt(now: bool)\x1b[0m\n"), "{whole:?}");
}

#[test]
fn markdown_takes_words_as_they_are() {
    let text = markdown::found(&manual().find("halt").unwrap());
    let expected = "# `vm.halt(now: bool)`\n\nStop \\*it\\*, with `vm.halt`.\nReally. And more.\n\n```rhai\nvm.halt(true);\n```";
    assert_eq!(text, expected);
}

#[test]
fn definitions_have_docs_and_types() {
    let text = definitions::definitions(&manual());
    let docs = "/// Stop *it*, with `vm.halt`.\n/// Really. And more.\n///\n/// ```rhai\n/// vm.halt(true);\n/// ```\n";
    let expected = format!(
        "module static;\n\n{docs}fn halt(vm: Vm, now: bool) -> ();\n\n{docs}fn get name(vm: Vm) -> String;\n\n{docs}op +(Vm, Vm) -> Vm;\n"
    );
    assert_eq!(text, expected);
}
