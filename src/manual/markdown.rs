//! The manual as Markdown.
//!
//! Pure.

use super::prose::spans;
use super::{Found, Manual};
use crate::script::help::Function;
use crate::script::subjects::{Recipe, Subject};

/// All of it, as one document.
#[must_use]
pub fn manual(manual: &Manual) -> String {
    let mut parts = vec!["# The script API of qhop".to_owned()];
    for (title, subjects) in manual.groups() {
        parts.push(format!("## {title}"));
        parts.extend(subjects.iter().map(|it| subject(it, 3)));
    }
    parts.push("## Shipped recipes".to_owned());
    parts.extend(manual.recipes.iter().map(|it| recipe(it, 3)));
    parts.join("\n\n")
}

/// What was found.
#[must_use]
pub fn found(found: &Found) -> String {
    let mut parts = Vec::new();
    parts.extend(found.subject.map(|it| subject(it, 1)));
    parts.extend(found.functions.iter().map(|it| function(it, 1)));
    parts.extend(found.recipe.map(|it| recipe(it, 1)));
    parts.join("\n\n")
}

fn subject(subject: &Subject, level: usize) -> String {
    let mut parts = vec![format!("{} {}", "#".repeat(level), subject.name), prose(&subject.about)];
    parts.extend(subject.functions.iter().map(|it| function(it, level + 1)));
    parts.join("\n\n")
}

fn function(function: &Function, level: usize) -> String {
    let mut parts = vec![format!("{} `{}`", "#".repeat(level), function.call()), prose(&function.doc)];
    parts.extend(function.examples.iter().map(|it| format!("```rhai\n{it}\n```")));
    parts.join("\n\n")
}

fn recipe(recipe: &Recipe, level: usize) -> String {
    let mut parts = vec![format!("{} `{}`", "#".repeat(level), recipe.name), prose(&recipe.header.summary)];
    if !recipe.header.help.is_empty() {
        parts.push(prose(&recipe.header.help));
    }
    parts.push(format!("```text\n{}\n```", recipe.usage));
    parts.join("\n\n")
}

/// A text whose words mean nothing to Markdown.
fn prose(text: &str) -> String {
    let quoted = |words: &str| {
        let sign = |c: char| if "*_<[\\".contains(c) { format!("\\{c}") } else { c.to_string() };
        words.chars().map(sign).collect::<String>()
    };
    let shown = |(is_code, text)| if is_code { format!("`{text}`") } else { quoted(text) };
    spans(text).into_iter().map(shown).collect()
}
