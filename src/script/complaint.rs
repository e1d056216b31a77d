//! Rhai's own errors in our words, with a guess at what was meant.

use rhai::{AST, Engine, EvalAltResult, ParseErrorType};

use super::diagnostic::Failure;
use super::library;
use super::names::{Signature, declared, properties, signatures, type_word};
use super::nearest::{did_you_mean, nearest};

/// What an error is explained with.
#[derive(Clone, Copy)]
pub struct Script<'a> {
    /// The engine that it ran on.
    pub engine: &'a Engine,
    /// Its syntax, if it has got that far.
    pub ast: Option<&'a AST>,
    /// The `source` of its AST.
    pub file: &'a str,
    /// The whole text of a file, by the `source` of its AST.
    pub text: &'a dyn Fn(&str) -> Option<String>,
}

/// The most signatures that a hint lists.
const MAX_SIGNATURES: usize = 3;

/// Explain an error that Rhai raised itself. `file` is where it did.
#[must_use]
pub fn complaint(error: &EvalAltResult, script: &Script, file: &str) -> Failure {
    let (message, hint) = match error {
        EvalAltResult::ErrorParsing(kind, _) => parsing(kind, script, file),
        EvalAltResult::ErrorFunctionNotFound(call, _) => function_not_found(call, script),
        EvalAltResult::ErrorVariableNotFound(name, _) => variable_not_found(name, script, file),
        EvalAltResult::ErrorDotExpr(text, _) => property_not_found(text, script),
        EvalAltResult::ErrorPropertyNotFound(name, _) => (
            format!("the map has no `{name}`"),
            format!("`map.get(\"{name}\")` gives `()` then, and `\"{name}\" in map` asks"),
        ),
        EvalAltResult::ErrorMismatchDataType(wanted, got, _)
        | EvalAltResult::ErrorMismatchOutputType(wanted, got, _) => {
            (format!("expected `{}`, got `{}`", type_word(wanted), type_word(got)), String::new())
        }
        _ => (plainly(error), String::new()),
    };
    let kind = match error {
        EvalAltResult::ErrorParsing(..) => "compile",
        EvalAltResult::ErrorTerminated(..) => "interrupted",
        _ if is_limit(error) => "limit",
        _ => "script",
    };
    Failure { kind: kind.to_owned(), message, hint, ..Failure::default() }
}

fn is_limit(error: &EvalAltResult) -> bool {
    matches!(
        error,
        EvalAltResult::ErrorTooManyOperations(..)
            | EvalAltResult::ErrorTooManyVariables(..)
            | EvalAltResult::ErrorTooManyModules(..)
            | EvalAltResult::ErrorStackOverflow(..)
            | EvalAltResult::ErrorDataTooLarge(..)
    )
}

/// The errors that leave nothing to guess.
fn plainly(error: &EvalAltResult) -> String {
    let beyond = |what: &str, parts: &str, length: usize, index: i64| match length {
        0 => format!("index {index} is beyond the {what}, which is empty"),
        _ => format!("index {index} is beyond the {what}, which has {length} {parts}"),
    };
    match error {
        EvalAltResult::ErrorArrayBounds(length, index, _) => beyond("array", "items", *length, *index),
        EvalAltResult::ErrorStringBounds(length, index, _) => beyond("string", "characters", *length, *index),
        EvalAltResult::ErrorBitFieldBounds(length, index, _) => beyond("number", "bits", *length, *index),
        EvalAltResult::ErrorIndexNotFound(index, _) => format!("there is no index `{index}`"),
        EvalAltResult::ErrorModuleNotFound(name, _) => format!("no module is imported as `{name}`"),
        EvalAltResult::ErrorUnboundThis(_) => {
            "`this` is nothing here: the function was not called as a method".to_owned()
        }
        EvalAltResult::ErrorFor(_) => "`for` cannot go through this value".to_owned(),
        EvalAltResult::ErrorIndexingType(types, _) => {
            let (of, index) = types.split_once(" [").unwrap_or((types, ""));
            let index = index.split(']').next().unwrap_or_default();
            format!("`{}` cannot be indexed with `{}`", type_word(of), type_word(index))
        }
        EvalAltResult::ErrorDataRace(name, _) if !name.is_empty() => {
            format!("{} is in use elsewhere at this moment", in_our_voice(name))
        }
        EvalAltResult::ErrorDataRace(..) => "the value is in use elsewhere at this moment".to_owned(),
        EvalAltResult::ErrorAssignmentToConstant(name, _) => format!("`{name}` is a constant"),
        EvalAltResult::ErrorNonPureMethodCallOnConstant(name, _) => {
            let name = name.rsplit('$').next().unwrap_or(name);
            format!("`{name}` changes its object, which is a constant here")
        }
        EvalAltResult::ErrorVariableExists(name, _) => format!("there is a variable `{name}` already"),
        EvalAltResult::ErrorForbiddenVariable(name, _) => format!("no variable can be called `{name}`"),
        EvalAltResult::ErrorArithmetic(text, _) if !text.is_empty() => in_our_voice(text),
        EvalAltResult::ErrorTooManyOperations(_) => "the script took more steps than it may".to_owned(),
        EvalAltResult::ErrorTooManyVariables(_) => "the script has more variables than it may".to_owned(),
        EvalAltResult::ErrorTooManyModules(_) => "the script imports more modules than it may".to_owned(),
        EvalAltResult::ErrorStackOverflow(_) => {
            "stack overflow: the functions call one another too deeply".to_owned()
        }
        EvalAltResult::ErrorDataTooLarge(what, _) => format!("{} is more than it may be", in_our_voice(what)),
        EvalAltResult::ErrorTerminated(..) => "the script was ended".to_owned(),
        EvalAltResult::ErrorRuntime(..) => "the script threw an error without a message".to_owned(),
        EvalAltResult::ErrorSystem(what, cause) if !what.is_empty() => {
            format!("{}: {cause}", in_our_voice(what))
        }
        other => in_our_voice(other.to_string().split(" (line ").next().unwrap_or_default()),
    }
}

fn parsing(kind: &ParseErrorType, script: &Script, file: &str) -> (String, String) {
    match kind {
        ParseErrorType::UnexpectedEOF => {
            ("the script ends in the middle of something".to_owned(), String::new())
        }
        ParseErrorType::VariableUndefined(name) => variable_not_found(name, script, file),
        ParseErrorType::ModuleUndefined(name) => {
            let text = (script.text)(file).unwrap_or_default();
            (format!("no module is imported as `{name}`"), did_you_mean(name, declared(&text)))
        }
        ParseErrorType::FnDuplicatedDefinition(name, parameters) if library::defines(name, *parameters) => (
            format!("`{name}` is a function of the standard library"),
            "give yours another name: the library would call it in place of its own".to_owned(),
        ),
        ParseErrorType::Reserved(name) => (format!("`{name}` is a reserved word"), String::new()),
        other => (in_our_voice(&other.to_string()), String::new()),
    }
}

fn variable_not_found(name: &str, script: &Script, file: &str) -> (String, String) {
    let text = (script.text)(file).unwrap_or_default();
    (format!("there is no variable `{name}`"), did_you_mean(name, declared(&text)))
}

/// `call` is the name with the types of its arguments: `lunch (map, &str | ImmutableString | String)`.
fn function_not_found(call: &str, script: &Script) -> (String, String) {
    let (name, types) = call.split_once(" (").unwrap_or((call, ""));
    let types = types.strip_suffix(')').unwrap_or(types).split(", ").filter(|it| !it.is_empty());
    let types: Vec<String> = types.map(|it| format!("`{}`", type_word(it))).collect();
    let is_operator = !name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if is_operator {
        return (format!("`{name}` is not defined for {}", types.join(" and ")), String::new());
    }
    if name.starts_with("anon$") {
        let hint = "a module can take closures, but not give any back: call it there, or give back values";
        return (
            "the closure was made by a module that its caller does not see into".to_owned(),
            hint.to_owned(),
        );
    }
    let known = signatures(script.engine, script.ast);
    if let Some(there_is) = there_is(name, &known) {
        let got = if types.is_empty() { "nothing".to_owned() } else { types.join(", ") };
        return (format!("`{name}` cannot be called with {got}"), there_is);
    }
    let near = nearest(name, known.iter().map(|it| it.name.as_str()));
    let there_is = near.and_then(|near| Some(format!("did you mean `{near}`? {}", there_is(near, &known)?)));
    (format!("there is no function `{name}`"), there_is.unwrap_or_default())
}

/// The signatures of that name; nothing if there are none.
fn there_is(name: &str, known: &[Signature]) -> Option<String> {
    let mut shown: Vec<&str> =
        known.iter().filter(|it| it.name == name).map(|it| it.shown.as_str()).collect();
    shown.sort_unstable();
    shown.dedup();
    let more = if shown.len() > MAX_SIGNATURES { ", …" } else { "" };
    shown.truncate(MAX_SIGNATURES);
    (!shown.is_empty()).then(|| format!("there is `{}`{more}", shown.join("`, `")))
}

/// `text` is Rhai's sentence, which has the name and the type in quotes.
fn property_not_found(text: &str, script: &Script) -> (String, String) {
    let quoted: Vec<&str> = text.split('\'').skip(1).step_by(2).collect();
    match quoted[..] {
        [name, of] if text.starts_with("Unknown property") => {
            let of = type_word(of);
            let known = properties(script.engine, &of);
            (format!("`{of}` has no property `{name}`"), did_you_mean(name, known.iter().map(String::as_str)))
        }
        [name, of, _] => {
            (format!("`{}` has no property `{name}` that can be set", type_word(of)), String::new())
        }
        _ => (in_our_voice(text), String::new()),
    }
}

/// Rhai's sentence in small letters, with its quotes as ours and its name for a closure left out.
#[must_use]
pub fn in_our_voice(text: &str) -> String {
    // An apostrophe stands alone; quotes come in pairs.
    let is_quoted = text.matches('\'').count().is_multiple_of(2);
    let text = if is_quoted { text.replace('\'', "`") } else { text.to_owned() };
    let mut parts = text.split("anon$");
    let first = parts.next().unwrap_or_default();
    let named = parts.map(|part| part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    let text = std::iter::once(first).chain(named).collect::<Vec<_>>().join("closure");
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(1).flat_map(char::to_lowercase).collect();
    start + chars.as_str()
}
