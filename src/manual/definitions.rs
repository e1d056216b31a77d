//! The script API as definitions that editors read (`.d.rhai`).
//!
//! Pure. Those that Rhai itself writes know neither the docs of functions in Rhai nor our types.

use super::Manual;
use crate::script::help::Function;

/// A file of definitions, with docs and examples.
#[must_use]
pub fn definitions(manual: &Manual) -> String {
    let functions: Vec<String> = manual.functions().map(definition).collect();
    format!("module static;\n\n{}\n", functions.join("\n\n"))
}

fn definition(function: &Function) -> String {
    let mut lines: Vec<String> = function.doc.lines().map(str::to_owned).collect();
    for example in &function.examples {
        lines.extend([String::new(), "```rhai".to_owned()]);
        lines.extend(example.lines().map(str::to_owned));
        lines.push("```".to_owned());
    }
    let comments: String =
        lines.iter().map(|line| format!("/// {line}").trim_end().to_owned() + "\n").collect();
    let (keyword, name) = match function.name.strip_prefix("get$") {
        Some(property) => ("fn get", property),
        None if function.is_operator() => ("op", function.name.as_str()),
        None => ("fn", function.name.as_str()),
    };
    let parameters: Vec<String> = parameters(&function.signature)
        .into_iter()
        .map(|(name, typed)| if keyword == "op" { typed } else { format!("{name}: {typed}") })
        .collect();
    format!("{comments}{keyword} {name}({}) -> {};", parameters.join(", "), word(&function.returns))
}

/// The names and types in `wait(vm: &mut Vm, timeout: Dynamic) -> Result<()>`.
fn parameters(signature: &str) -> Vec<(&str, String)> {
    let inner = signature.split_once('(').map_or("", |(_, rest)| rest);
    let inner = inner.split(") -> ").next().unwrap_or_default().trim_end_matches(')');
    inner
        .split(", ")
        .filter(|it| !it.is_empty())
        .map(|it| {
            let (name, typed) = it.split_once(": ").unwrap_or((it, ""));
            (name, word(&crate::script::names::type_word(typed)))
        })
        .collect()
}

/// A type as definitions call it.
fn word(typed: &str) -> String {
    match typed {
        "" | "Dynamic" | "_" => "?",
        "string" => "String",
        "i64" => "int",
        "f64" => "float",
        "map" => "Map",
        "array" => "Array",
        "blob" => "Blob",
        "Fn" => "FnPtr",
        other => other,
    }
    .to_owned()
}
