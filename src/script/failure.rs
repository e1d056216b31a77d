//! From what Rhai says when a script fails to what its user is told.
//!
//! Every error that a script can see comes past here, in both directions: ours become Rhai's when a
//! function of the API fails, and Rhai's become a [`Failure`] when nobody caught them.

use rhai::{AST, Array, Dynamic, EvalAltResult, Map, Position};

pub use super::complaint::Script;
use super::complaint::{complaint, in_our_voice};
use super::diagnostic::{Failure, Frame, Place, exit_code};
use super::library;
use super::names::type_word;
use crate::error::Error;
use crate::migration::explain;

impl From<Error> for Box<EvalAltResult> {
    /// An error that a script can catch. Rhai fills in the position of the call.
    fn from(error: Error) -> Self {
        EvalAltResult::ErrorRuntime(Dynamic::from(error), Position::NONE).into()
    }
}

/// Explain an error that nobody caught.
#[must_use]
pub fn explain(error: &EvalAltResult, script: &Script) -> Failure {
    let (mut frames, innermost) = unwind(error, script);
    let file = frames.last().map_or(script.file, |frame| &frame.file);
    let mut failure = match payload(innermost) {
        Some(value) => thrown(value).unwrap_or_else(|| complaint(innermost, script, file)),
        None => complaint(innermost, script, file),
    };
    if let Some(first) = payload(innermost).and_then(caught_at) {
        frames = vec![first];
    }
    if failure.code == 0 {
        failure.code = exit_code(&failure.kind);
    }
    let on_purpose = payload(innermost)
        .is_some_and(|value| value.read_lock::<Map>().is_some_and(|map| map.contains_key("kind")));
    locate(&mut failure, frames, on_purpose, script);
    failure
}

/// What was thrown, if it is a value. A script that is ended may be so with an error of ours, or with
/// something that only the one who ends it knows.
fn payload(error: &EvalAltResult) -> Option<&Dynamic> {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => Some(value),
        EvalAltResult::ErrorTerminated(value, _) => Some(value).filter(|value| value.is::<Error>()),
        _ => None,
    }
}

/// The point at the top of the script that the error passed, the points in the functions called from
/// there, and the error at the innermost of them.
fn unwind<'e>(mut error: &'e EvalAltResult, script: &Script) -> (Vec<Frame>, &'e EvalAltResult) {
    let (mut function, mut file) = (String::new(), script.file.to_owned());
    let mut frames = Vec::new();
    loop {
        frames.push(frame(&function, &file, error.position()));
        error = match error {
            EvalAltResult::ErrorInFunctionCall(name, source, inner, _) => {
                function = if is_closure(name) { "closure".to_owned() } else { name.clone() };
                file = match source.as_str() {
                    _ if name == "eval" => EVALUATED.to_owned(),
                    // Rhai says who calls it.
                    _ if is_library_s(name, script) => library::NAME.to_owned(),
                    "" => file,
                    source if belongs_to_recipe(name, source, script) => script.file.to_owned(),
                    source => source.to_owned(),
                };
                inner
            }
            EvalAltResult::ErrorInModule(path, inner, _) => {
                function.clear();
                file.clone_from(path);
                inner
            }
            _ => return (frames, error),
        };
    }
}

fn is_closure(name: &str) -> bool {
    name.starts_with("anon$")
}

/// Whether a function is the recipe's although Rhai says it is from `source`: that is what it says when
/// `source` called it through a pointer.
fn belongs_to_recipe(name: &str, source: &str, script: &Script) -> bool {
    let mut functions = script.ast.into_iter().flat_map(AST::iter_functions);
    let is_known_there = || (script.text)(source).is_some_and(|text| text.contains(&format!("fn {name}(")));
    source != script.file && functions.any(|it| it.name == name) && (is_closure(name) || !is_known_there())
}

/// Whether a function is the standard library's, and not one of the recipe's with another number of parameters.
fn is_library_s(name: &str, script: &Script) -> bool {
    let mut functions = script.ast.into_iter().flat_map(AST::iter_functions);
    library::has(name) && !functions.any(|it| it.name == name)
}

/// Stands for the file in positions inside a text that the script gave to `eval`.
const EVALUATED: &str = "the text";

fn frame(function: &str, file: &str, at: Position) -> Frame {
    // A position at the very start of a line has no column of its own.
    let (line, column) = (at.line().unwrap_or_default(), at.position().unwrap_or(1));
    let (file, line) = if file == library::NAME { library::place(line) } else { (file.to_owned(), line) };
    Frame { function: function.to_owned(), file, line, column }
}

/// Where Rhai says that an error of its own was caught first, if this is one that was thrown again.
fn caught_at(value: &Dynamic) -> Option<Frame> {
    let map = value.read_lock::<Map>()?;
    let number = |key: &str| usize::try_from(map.get(key)?.as_int().ok()?).ok();
    map.get("error")?;
    let file = map.get("source")?.to_string();
    Some(Frame { function: String::new(), file, line: number("line")?, column: number("position")?.max(1) })
}

/// The innermost point in a file of the user's becomes the place; how it was reached and what it called
/// are told beside it.
fn locate(failure: &mut Failure, mut frames: Vec<Frame>, on_purpose: bool, script: &Script) {
    frames.retain(|frame| frame.line > 0);
    // A function that is not written in Rhai, such as `map`, has no position but that of its call.
    frames.dedup_by(|inner, outer| {
        let position = |frame: &Frame| (frame.file.clone(), frame.line, frame.column);
        inner.function != outer.function && position(inner) == position(outer)
    });
    let is_library = |frame: &Frame| frame.file.starts_with("stdlib/") || frame.file == EVALUATED;
    let index = frames.iter().rposition(|frame| !is_library(frame)).unwrap_or_default();
    let Some(Frame { file, line, column, .. }) = frames.get(index).cloned() else { return };
    let text = (script.text)(&file);
    let text_of_line = text.and_then(|text| text.lines().nth(line - 1).map(str::to_owned));
    failure.place = Some(Place { file, line, column, text_of_line });
    let calls = frames.split_off(index + 1);
    // Where in the library a verb gave up is nobody's concern if it said why.
    if !on_purpose {
        failure.calls = calls;
    }
    let steps = frames.windows(2).rev();
    failure.callers =
        steps.map(|step| Frame { function: step[1].function.clone(), ..step[0].clone() }).collect();
}

/// What a script or a function of the API threw, if it is not nothing.
fn thrown(value: &Dynamic) -> Option<Failure> {
    if let Some(error) = value.read_lock::<Error>() {
        return Some(Failure::from(&*error));
    }
    if let Some(map) = value.read_lock::<Map>() {
        return Some(by_fields(&map));
    }
    // A value of a type that cannot be printed shows the name of the type in Rust.
    let message = match value.to_string() {
        text if text == value.type_name() && !value.is_string() => {
            format!("a value of type `{}`", type_word(&text))
        }
        text => text,
    };
    let is_empty = value.is_unit() || message.is_empty();
    (!is_empty).then(|| Failure { kind: "thrown".to_owned(), message, ..Failure::default() })
}

impl From<&Error> for Failure {
    /// A failure of ours that no line of a script is to blame for.
    fn from(error: &Error) -> Self {
        // What QEMU died of, or complains of, may be known.
        let known = explain::explain(&error.words());
        let (cause, remedy) = known.map(|known| (known.cause, known.remedy)).unwrap_or_default();
        Self {
            kind: error.kind().to_owned(),
            message: error.to_string(),
            vm: error.vm().map(str::to_owned),
            cause,
            // A name that was meant helps more than where to look for one.
            hint: match error {
                Error::Qmp { hint, .. } | Error::Hmp { hint, .. } if !hint.is_empty() => hint.clone(),
                _ if remedy.is_empty() => error.hint().to_owned(),
                _ => remedy,
            },
            said: error.said(),
            outlook: if let Error::Migration { outlook, .. } = error {
                outlook.clone()
            } else {
                String::new()
            },
            code: if let Error::Interrupted { code, .. } = error { *code } else { exit_code(error.kind()) },
            ..Self::default()
        }
    }
}

/// A map with the fields of a failure, or one that Rhai made of an error of its own.
fn by_fields(map: &Map) -> Failure {
    let field = |key: &str| map.get(key).filter(|value| !value.is_unit()).map(ToString::to_string);
    let is_rhai_s = map.contains_key("error") && !map.contains_key("kind");
    let said = map.get("said").and_then(Dynamic::read_lock::<Array>);
    let said = said.iter().flat_map(|said| said.iter()).filter_map(speech);
    Failure {
        kind: field("kind").unwrap_or_else(|| if is_rhai_s { "script" } else { "thrown" }.to_owned()),
        message: match field("message") {
            Some(message) if is_rhai_s => in_our_voice(&message),
            Some(message) => message,
            None => Dynamic::from_map(map.clone()).to_string(),
        },
        vm: field("vm"),
        hint: field("hint").unwrap_or_default(),
        said: said.collect(),
        cause: field("cause").unwrap_or_default(),
        outlook: field("outlook").unwrap_or_default(),
        ..Failure::default()
    }
}

/// `[who, words]`, if there are any words.
fn speech(pair: &Dynamic) -> Option<(String, String)> {
    let pair = pair.read_lock::<Array>()?;
    let [who, words] = &pair[..] else { return None };
    let words = words.to_string();
    (!words.is_empty()).then(|| (who.to_string(), words))
}

#[cfg(test)]
mod tests;
