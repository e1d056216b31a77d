//! The script API as data: every function with its signature, its doc and its examples.
//!
//! Pure: read from the metadata that the engine keeps of native functions and of those written in Rhai alike.

use rhai::Engine;
use serde_json::Value;

/// One function that a script can call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name; `get$name` for a property.
    pub name: String,
    /// How it is called.
    pub signature: String,
    /// Its doc, without the examples' fences.
    pub doc: String,
    /// The examples in its doc, each a script that runs.
    pub examples: Vec<String>,
}

/// The functions of the script API and the standard library, by name. Without those whose names begin with `_`: what
/// the files of the standard library do for one another.
#[must_use]
pub fn functions(engine: &Engine) -> Vec<Function> {
    let metadata = engine.gen_fn_metadata_to_json(false).unwrap_or_default();
    let metadata: Value = serde_json::from_str(&metadata).unwrap_or_default();
    let all = metadata["functions"].as_array().cloned().unwrap_or_default();
    let mut functions: Vec<Function> =
        all.iter().map(function).filter(|function| !is_internal(&function.name)).collect();
    functions.sort_by(|a, b| (&a.name, &a.signature).cmp(&(&b.name, &b.signature)));
    functions
}

fn is_internal(name: &str) -> bool {
    name.starts_with("anon$") || name.starts_with('_')
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
    Function {
        name: text("name"),
        signature: text("signature"),
        doc: doc.join("\n").trim().to_owned(),
        examples,
    }
}
