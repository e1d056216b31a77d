//! What the pages of the book are made of.
//!
//! Pure.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::anchored;
use crate::manual::Manual;
use crate::manual::prose::{Block, blocks, spans};
use crate::script::highlight::{Part, parts};

/// Where the functions are that a text may name.
pub struct Links(BTreeMap<String, String>);

impl Links {
    /// By the names that are certain to mean them: `migrate`, `vm.qmp`, with or without brackets.
    pub fn new(manual: &Manual) -> Self {
        let mut links = BTreeMap::new();
        for subject in &manual.subjects {
            for (anchor, function) in anchored(subject) {
                if !function.is_operator() {
                    let target = format!("{}.html#{anchor}", subject.name);
                    links.entry(function.path()).or_insert(target);
                }
            }
        }
        Self(links)
    }
}

/// A page, under its file's name: head, text, and the way to all others.
pub fn page(file: &str, title: &str, text: &str, manual: &Manual) -> (String, String) {
    let heading = escape(title);
    let contents = contents(file, manual);
    let whole = format!(
        "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<title>{heading} · qhop</title>
<link rel=\"stylesheet\" href=\"style.css\">
</head>
<body>
<a class=\"to-contents\" href=\"#contents\">contents</a>
<main>
<h1>{heading}</h1>
{text}</main>
<nav id=\"contents\" aria-label=\"contents\">
{contents}</nav>
</body>
</html>
"
    );
    (file.to_owned(), whole)
}

fn contents(current: &str, manual: &Manual) -> String {
    let link = |file: &str, name: &str| {
        let here = if file == current { " aria-current=\"page\"" } else { "" };
        format!("<li><a href=\"{}\"{here}>{}</a></li>\n", escape(file), escape(name))
    };
    let mut text = format!("<ul>\n{}</ul>\n", link("index.html", "qhop"));
    for (title, subjects) in manual.groups() {
        let links: String = subjects.iter().map(|it| link(&format!("{}.html", it.name), &it.name)).collect();
        let _ = writeln!(text, "<p>{title}</p>\n<ul>\n{links}</ul>");
    }
    let rest = [link("recipes.html", "shipped recipes"), link("command-line.html", "command line")].concat();
    let _ = writeln!(text, "<p>Beside the script</p>\n<ul>\n{rest}</ul>");
    text
}

/// A text of several pieces.
pub fn paragraphs(text: &str, links: &Links) -> String {
    let shown = |block| match block {
        Block::Paragraph(line) => format!("<p>{}</p>\n", prose(&line, links)),
        Block::Quoted(text) => format!("<pre>{}</pre>\n", escape(&text)),
        Block::List(items) => {
            let items: Vec<String> =
                items.iter().map(|it| format!("<li>{}</li>\n", prose(it, links))).collect();
            format!("<ul>\n{}</ul>\n", items.concat())
        }
    };
    blocks(text).into_iter().map(shown).collect()
}

/// A line, in which the functions that it names are links.
pub fn prose(line: &str, links: &Links) -> String {
    let shown = |(is_code, text): (bool, &str)| {
        let escaped = escape(text);
        match links.0.get(text.trim_end_matches("()")).filter(|_| is_code) {
            Some(target) => format!("<a href=\"{}\"><code>{escaped}</code></a>", escape(target)),
            None if is_code => format!("<code>{escaped}</code>"),
            None => escaped,
        }
    };
    spans(line).into_iter().map(shown).collect()
}

/// A script, in which its words are told apart.
pub fn script(text: &str) -> String {
    let shown = |(part, text): (Part, &str)| {
        let class = match part {
            Part::Keyword => "k",
            Part::Call => "f",
            Part::Text => "s",
            Part::Number => "n",
            Part::Comment => "c",
            Part::Other => return escape(text),
        };
        format!("<span class=\"{class}\">{}</span>", escape(text))
    };
    parts(text).into_iter().map(shown).collect()
}

/// A text that means nothing to HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
