//! The script API as data: every function with its signature, its doc and its examples.
//!
//! Pure: read from the metadata that the engine keeps of native functions and of those written in Rhai alike.

use rhai::Engine;
use serde_json::Value;

use super::names::{shown, type_word};

/// One function that a script can call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name; `get$name` for a property.
    pub name: String,
    /// How it is called.
    pub signature: String,
    /// How it is called, in a script's words: `vm.hmp(line: string)`.
    pub shown: String,
    /// The type of the value that it is called on, or of its first argument; empty for any, and if there is none.
    pub on: String,
    /// How many values it is given, the one that it is called on among them.
    pub arguments: usize,
    /// The type of its value, as `type_of` calls it; empty where nobody knows.
    pub returns: String,
    /// Its doc, without the examples' fences.
    pub doc: String,
    /// The examples in its doc, each a script that runs.
    pub examples: Vec<String>,
}

impl Function {
    /// Its name as it is written: for a property, that of the property.
    #[must_use]
    pub fn bare_name(&self) -> &str {
        self.name.strip_prefix("get$").unwrap_or(&self.name)
    }

    /// Whether it is `+`, `==` and the like.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        !self.bare_name().starts_with(|c: char| c.is_alphabetic() || c == '_')
    }

    /// Its name with what it is called on: `launch`, `vm.status`, `vm.name`.
    #[must_use]
    pub fn path(&self) -> String {
        self.shown.split('(').next().unwrap_or_default().replace("get$", "")
    }

    /// How it is called, and the type of its value: `vm.status() -> string`, `vm.name: string`, `Duration + Duration`.
    #[must_use]
    pub fn call(&self) -> String {
        let value = if self.returns == "()" { "" } else { self.returns.as_str() };
        let (mut call, sign) = match self.shown.split_once('(') {
            _ if self.name.starts_with("get$") => {
                (self.shown.replace("get$", "").trim_end_matches("()").to_owned(), ": ")
            }
            Some((name, operands)) if self.is_operator() => {
                let operands = operands.trim_end_matches(')').split(", ");
                let types = operands.map(|it| it.rsplit(": ").next().unwrap_or(it));
                (types.collect::<Vec<_>>().join(&format!(" {name} ")), " -> ")
            }
            _ => (self.shown.clone(), " -> "),
        };
        if !value.is_empty() {
            call.push_str(sign);
            call.push_str(value);
        }
        call
    }

    /// The first sentence of its doc.
    #[must_use]
    pub fn summary(&self) -> String {
        let first = self.doc.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        let end = first
            .match_indices(". ")
            .find(|(at, _)| first[at + 2..].starts_with(|c: char| c.is_uppercase() || c == '`'));
        end.map_or_else(|| first.clone(), |(at, _)| first[..=at].to_owned())
    }
}

/// The functions of the script API and the standard library, by name. Without those whose names begin with `_`: what
/// the files of the standard library do for one another.
#[must_use]
pub fn functions(engine: &Engine) -> Vec<Function> {
    read(engine, false)
}

/// These, and what Rhai itself has: the functions and properties of strings, arrays, maps and numbers.
#[must_use]
pub fn all_functions(engine: &Engine) -> Vec<Function> {
    let is_name = |name: &str| rhai::is_valid_identifier(name.trim_start_matches("get$"));
    read(engine, true).into_iter().filter(|function| is_name(&function.name)).collect()
}

fn read(engine: &Engine, standard: bool) -> Vec<Function> {
    let metadata = engine.gen_fn_metadata_to_json(standard).unwrap_or_default();
    let metadata: Value = serde_json::from_str(&metadata).unwrap_or_default();
    let all = metadata["functions"].as_array().cloned().unwrap_or_default();
    let mut functions: Vec<Function> =
        all.iter().filter(|it| it["access"] != "private").map(function).collect();
    functions.retain(|function| !is_internal(&function.name));
    functions.sort_by(|a, b| (&a.name, &a.signature).cmp(&(&b.name, &b.signature)));
    functions
}

fn is_internal(name: &str) -> bool {
    name.starts_with("anon$") || name.starts_with('_')
}

/// `Vm`, from `ScriptResult<Vm>` or `Result<Vm, Box<EvalAltResult>>`; empty where nobody knows.
#[must_use]
pub fn returned(typed: &str) -> String {
    let inner = typed.split_once("Result<").map_or(typed, |(_, inner)| inner.trim_end_matches('>'));
    match type_word(inner.split(", ").next().unwrap_or_default()).as_str() {
        "Dynamic" | "?" => String::new(),
        known => known.to_owned(),
    }
}

fn function(metadata: &Value) -> Function {
    let text = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
    let comments: Vec<&str> =
        metadata["docComments"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let comments = comments.join("\n");
    let lines = comments.lines().map(|line| {
        let line = line.trim_start().trim_start_matches("///");
        line.strip_prefix(' ').unwrap_or(line)
    });

    let (mut doc, mut examples, mut example) = (Vec::new(), Vec::new(), None::<Vec<&str>>);
    for line in lines {
        match &mut example {
            None if line == "```rhai" => example = Some(Vec::new()),
            None => doc.push(line),
            Some(_) if line == "```" => examples.extend(example.take().map(|lines| lines.join("\n"))),
            Some(lines) => lines.push(line),
        }
    }
    let parameters: Vec<String> = metadata["params"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|it| {
            let (name, typed) = (it["name"].as_str().unwrap_or("_"), it["type"].as_str());
            typed.map_or_else(|| name.to_owned(), |typed| format!("{name}: {typed}"))
        })
        .collect();
    let this = text("thisType");
    let first = parameters.first().and_then(|it| it.split_once(": ")).map_or("", |(_, typed)| typed);
    let on = match type_word(if this.is_empty() { first } else { &this }).as_str() {
        "Dynamic" | "?" => String::new(),
        known => known.to_owned(),
    };
    let mut shown = shown(&text("name"), parameters.iter().map(String::as_str));
    if !this.is_empty() {
        shown = format!("{}.{shown}", type_word(&this).to_lowercase());
    }
    Function {
        name: text("name"),
        signature: text("signature"),
        shown,
        on,
        arguments: parameters.len() + usize::from(!this.is_empty()),
        returns: returned(&text("returnType")),
        doc: doc.join("\n").trim().to_owned(),
        examples,
    }
}
