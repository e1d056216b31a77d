//! From the text before the cursor to what could follow.
//!
//! Pure: what there is comes from `Knowledge`; files are only asked for, by the start of a path.

mod arguments;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use self::arguments::{keys, offered, values};
use super::commands;
use super::context::{Call, Context, Part, context};
use crate::qemu::offer::Offer;
use crate::script::help::Function;
use crate::script::names::declared;
use crate::script::shape::Shape;

/// What there is to complete.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// The functions of the script API.
    pub api: Arc<Vec<Function>>,
    /// These and Rhai's own.
    pub functions: Arc<Vec<Function>>,
    /// The functions of the session, with their parameters.
    pub own: Vec<(String, Vec<String>)>,
    /// The variables of the session.
    pub variables: BTreeMap<String, Shape>,
    /// What is imported, with its functions.
    pub modules: BTreeMap<String, Vec<String>>,
    /// What each QEMU program offers.
    pub offers: HashMap<String, Arc<Offer>>,
    /// The shipped recipes.
    pub recipes: Vec<String>,
}

/// What could follow, from the byte `start` on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Where the word starts that is completed.
    pub start: usize,
    /// What could stand there in its place.
    pub candidates: Vec<String>,
    /// Whether files could, too.
    pub files: bool,
}

const KEYWORDS: [&str; 16] = [
    "let", "const", "if", "else", "for", "in", "while", "loop", "return", "throw", "try", "catch", "fn",
    "import", "true", "false",
];
/// Those of Rhai's own functions that are called without an object.
const BUILT_IN: [&str; 5] = ["print", "type_of", "parse_int", "parse_float", "range"];

/// Complete `text`, which ends at the cursor.
#[must_use]
pub fn complete(text: &str, known: &Knowledge) -> Completion {
    let mut completion =
        if text.trim_start().starts_with(':') { command(text, known) } else { script(text, known) };
    // A key with a dash is found by its first letters, and gets the quotes that it needs.
    let bare = |word: &str| word.trim_start_matches('"').to_owned();
    let word = bare(&text[completion.start..]);
    completion.candidates.retain(|candidate| bare(candidate).starts_with(&word));
    // Where a function can be called with arguments, too, its end is not for us to write.
    let all = completion.candidates.clone();
    completion
        .candidates
        .retain(|it| it.strip_suffix(')').is_none_or(|open| !all.iter().any(|it| it == open)));
    completion.candidates.sort_unstable_by_key(|candidate| bare(candidate));
    completion.candidates.dedup();
    completion
}

fn command(text: &str, known: &Knowledge) -> Completion {
    let Some((name, argument)) = text.trim_start().split_once(' ') else {
        let start = text.len() - text.trim_start().len();
        let candidates = commands::NAMES.iter().map(|(name, ..)| format!(":{name}")).collect();
        return Completion { start, candidates, files: false };
    };
    let start = text.len() - argument.len();
    match name {
        ":time" => {
            let inner = script(argument, known);
            Completion { start: start + inner.start, ..inner }
        }
        ":help" => Completion { start, candidates: names(known, &[]), files: false },
        ":load" => Completion { start, candidates: known.recipes.clone(), files: true },
        ":save" => Completion { start, candidates: Vec::new(), files: true },
        _ => Completion { start, ..Completion::default() },
    }
}

fn script(text: &str, known: &Knowledge) -> Completion {
    match context(text) {
        Context::Nothing => Completion { start: text.len(), ..Completion::default() },
        Context::Name { start, call } => {
            let mut candidates = names(known, &declared(&text[..start]));
            let values = call.map(|call| values(&call, known)).unwrap_or_default();
            if text[start..].is_empty() && !values.is_empty() {
                candidates = Vec::new();
            }
            let quoted = |value: String| {
                if ["true", "false"].contains(&value.as_str()) { value } else { format!("{value:?}") }
            };
            candidates.extend(values.into_iter().map(quoted));
            Completion { start, candidates, files: false }
        }
        Context::Member { start, of } => Completion { start, candidates: members(&of, known), files: false },
        Context::Module { start, name } => {
            let functions = known.modules.get(&name).into_iter().flatten();
            Completion { start, candidates: functions.map(|name| format!("{name}(")).collect(), files: false }
        }
        Context::Key { start, call, given } => {
            let mut keys = call.map(|call| keys(&call, known)).unwrap_or_default();
            keys.retain(|key| !given.contains(key));
            let written =
                |key: String| if is_name(&key) { format!("{key}: ") } else { format!("\"{key}\": ") };
            let candidates = keys.into_iter().map(written).collect();
            Completion { start, candidates, files: false }
        }
        Context::Text { start, call, given: Some(given) } => {
            let keys = call.map(|call| keys(&call, known)).unwrap_or_default();
            let keys = keys.into_iter().filter(|key| !given.contains(key));
            Completion { start, candidates: keys.map(|key| format!("{key}\": ")).collect(), files: false }
        }
        Context::Text { start, call, given: None } => inside_text(text, start, call.as_ref(), known),
    }
}

/// Whether a key can be written without quotes.
pub fn is_name(key: &str) -> bool {
    key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !key.starts_with(|c: char| c.is_ascii_digit())
}

/// Everything that a word can be by itself.
fn names(known: &Knowledge, declared: &[&str]) -> Vec<String> {
    let is_plain = |it: &&Function| !is_method(it) && !it.name.contains('$');
    let own = known.own.iter().map(|(name, parameters)| called(name, parameters.len()));
    let api = known.api.iter().filter(is_plain).map(|it| called(&it.name, it.arguments));
    let modules = known.modules.keys().map(|name| format!("{name}::"));
    let words = known.variables.keys().cloned().chain(declared.iter().map(|it| (*it).to_owned()));
    let built_in = BUILT_IN.iter().map(|name| format!("{name}("));
    words.chain(own).chain(api).chain(modules).chain(built_in).chain(KEYWORDS.map(str::to_owned)).collect()
}

fn called(name: &str, arguments: usize) -> String {
    if arguments == 0 { format!("{name}()") } else { format!("{name}(") }
}

/// Whether it is written behind a value.
fn is_method(function: &Function) -> bool {
    function.shown.split('(').next().is_some_and(|call| call.contains('.'))
}

/// The properties and methods of an expression, and the keys if it is a map.
fn members(of: &[Part], known: &Knowledge) -> Vec<String> {
    let shape = shape(of, known);
    let owner = shape.as_ref().map(Shape::type_name);
    let mut found = Vec::new();
    for function in known.functions.iter() {
        let fits = match owner {
            Some(owner) => function.on == owner,
            None => !function.on.is_empty(),
        };
        if !fits || ["to_debug", "to_string"].contains(&function.name.as_str()) {
            // These are for the notation of strings.
        } else if let Some(property) = function.name.strip_prefix("get$") {
            found.push(property.to_owned());
        } else if is_method(function) || (owner == Some("string") && !is_ours(function, known)) {
            found.push(called(&function.name, function.arguments - 1));
        }
    }
    if let Some(Shape::Map(keys)) = shape {
        found.extend(keys.into_keys().filter(|key| is_name(key)));
    }
    found
}

/// Whether it is of the script API, whose functions on strings are not called as methods (Rhai's own are).
fn is_ours(function: &Function, known: &Knowledge) -> bool {
    known.api.iter().any(|it| it.name == function.name && it.on == function.on)
}

/// What an expression's value looks like, as far as it can be known without evaluating it.
fn shape(of: &[Part], known: &Knowledge) -> Option<Shape> {
    let (first, rest) = of.split_first()?;
    let returned = |name: &str| {
        let types = known.functions.iter().filter(|it| it.name == name).map(|it| &it.returns);
        types.into_iter().find(|it| !it.is_empty()).map(|it| of_type(it))
    };
    let mut shape = match first {
        Part::Name(name) => known.variables.get(name)?.clone(),
        Part::Call(name) => returned(name)?,
        Part::Literal(name) => of_type(name),
        Part::Item => return None,
    };
    for part in rest {
        shape = match (part, shape) {
            (Part::Name(name), Shape::Map(mut keys)) => keys.remove(name)?,
            (Part::Name(name), owner) => {
                let property = format!("get${name}");
                let found =
                    known.functions.iter().find(|it| it.name == property && it.on == owner.type_name());
                of_type(found.map(|it| it.returns.as_str()).filter(|it| !it.is_empty())?)
            }
            (Part::Item, Shape::Array(item)) => *item?,
            (Part::Call(name), _) => returned(name)?,
            _ => return None,
        };
    }
    Some(shape)
}

fn of_type(name: &str) -> Shape {
    match name {
        "Vm" => Shape::Vm(String::new()),
        name => Shape::Other(name.to_owned()),
    }
}

fn inside_text(text: &str, start: usize, call: Option<&Call>, known: &Knowledge) -> Completion {
    let inside = &text[start..];
    let call = match call {
        Some(call) if call.function == "hmp" && call.argument == 0 => {
            let words: Vec<&str> = inside.split(' ').collect();
            let (last, before) = words.split_last().unwrap_or((&"", &[]));
            let before: Vec<&str> = before.iter().copied().filter(|word| !word.is_empty()).collect();
            let mut candidates = offered(&call.of, known, |offer| offer.next_words(&before));
            candidates.retain(|candidate| candidate.starts_with(last));
            let wanted = |offer: &Offer| if offer.wants_file(&before) { vec![String::new()] } else { vec![] };
            let files = candidates.is_empty() && !offered(&call.of, known, wanted).is_empty();
            let start = text.len() - last.len();
            let start = if files { start + path_in(last) } else { start };
            return Completion { start, candidates, files };
        }
        Some(call) => call,
        None => return Completion { start, candidates: Vec::new(), files: true },
    };
    let candidates = values(call, known);
    let is_name = ["qmp", "last_event", "wait_for_event"].contains(&call.function.as_str());
    let files = candidates.is_empty() && !(is_name && call.argument == 0);
    let start = if files { start + path_in(inside) } else { start };
    Completion { start, candidates, files }
}

/// Where a path may begin in a longer text, such as a command line or an address.
fn path_in(text: &str) -> usize {
    text.rfind([' ', '=', ',', ':']).map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests;
