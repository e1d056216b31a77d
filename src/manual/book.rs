//! The manual as a book of web pages: one for each subject, one for the recipes, one for the command line, an index.
//!
//! Pure. The pages need no script and no network, and every link leads to one of them.

use std::fmt::Write;

mod page;

use page::{Links, escape, page, paragraphs, prose, script};

use super::Manual;
use crate::script::help::Function;
use crate::script::subjects::{Recipe, Subject};

/// The style sheet of all pages.
const STYLE: &str = include_str!("book/style.css");

/// The files of the book: each with its name and its text. `commands` are those of the command line, each with its help.
#[must_use]
pub fn book(manual: &Manual, commands: &[(String, String)]) -> Vec<(String, String)> {
    let links = Links::new(manual);
    let mut files = vec![
        ("style.css".to_owned(), STYLE.to_owned()),
        page("index.html", "The manual of qhop", &index(manual, &links), manual),
        page("recipes.html", "Shipped recipes", &recipes(&manual.recipes, &links), manual),
        page("command-line.html", "Command line", &command_line(commands), manual),
    ];
    for subject in &manual.subjects {
        let file = format!("{}.html", subject.name);
        files.push(page(&file, &subject.name, &of_subject(subject, &links), manual));
    }
    files
}

/// Each function with an anchor that is its own.
fn anchored(subject: &Subject) -> Vec<(String, &Function)> {
    let mut found: Vec<(String, &Function)> = Vec::new();
    for function in &subject.functions {
        let name = anchor(function);
        let before = found.iter().filter(|(_, it)| anchor(it) == name).count();
        let own = if before == 0 { name } else { format!("{name}-{}", before + 1) };
        found.push((own, function));
    }
    found
}

/// `vm.status`, `migrate`, `Duration.less`.
fn anchor(function: &Function) -> String {
    let operator = match function.name.as_str() {
        "+" => "plus",
        "-" => "minus",
        "*" => "times",
        "==" => "equal",
        "!=" => "unequal",
        "<" => "less",
        "<=" => "at-most",
        ">" => "greater",
        ">=" => "at-least",
        _ if function.is_operator() => "operator",
        _ => return function.path(),
    };
    format!("{}.{operator}", function.on)
}

fn index(manual: &Manual, links: &Links) -> String {
    let mut text = format!(
        "<p class=\"lead\">What a recipe can call, from the doc comments of qhop {}. Every example here runs as a test. \
         <code>qhop doc NAME</code> says the same at the terminal.</p>\n",
        env!("CARGO_PKG_VERSION")
    );
    for (title, subjects) in manual.groups() {
        let _ = writeln!(text, "<h2>{title}</h2>\n<dl>");
        for subject in subjects {
            let summary = subject.about.split("\n\n").next().unwrap_or_default();
            let _ = writeln!(
                text,
                "<dt><a href=\"{0}.html\">{0}</a></dt>\n<dd>{1}</dd>",
                escape(&subject.name),
                prose(summary, links)
            );
        }
        text += "</dl>\n";
    }
    text += "<h2><a href=\"recipes.html\">Shipped recipes</a></h2>\n<dl>\n";
    for recipe in &manual.recipes {
        let summary = prose(&recipe.header.summary, links);
        let _ = writeln!(
            text,
            "<dt><a href=\"recipes.html#{0}\">{0}</a></dt>\n<dd>{summary}</dd>",
            escape(recipe.name)
        );
    }
    text += "</dl>\n<h2 id=\"functions\">All functions</h2>\n<dl>\n";
    let mut all: Vec<(&Function, String)> = Vec::new();
    for subject in &manual.subjects {
        let own = anchored(subject).into_iter();
        all.extend(own.map(|(anchor, it)| (it, format!("{}.html#{anchor}", subject.name))));
    }
    all.sort_by_key(|(it, _)| (it.is_operator(), it.bare_name().to_lowercase()));
    for (function, target) in all {
        let _ = writeln!(
            text,
            "<dt><a href=\"{}\"><code>{}</code></a></dt>\n<dd>{}</dd>",
            escape(&target),
            escape(&function.call()),
            prose(&function.summary(), links)
        );
    }
    text + "</dl>\n"
}

fn of_subject(subject: &Subject, links: &Links) -> String {
    let mut text = paragraphs(&subject.about, links);
    let anchored = anchored(subject);
    text += "<ul class=\"here\">\n";
    let mut told = Vec::new();
    for (anchor, function) in &anchored {
        let name = if function.is_operator() { function.call() } else { function.path() };
        if !told.contains(&name) {
            let (anchor, shown) = (escape(anchor), escape(&name));
            let _ = writeln!(text, "<li><a href=\"#{anchor}\"><code>{shown}</code></a></li>");
            told.push(name);
        }
    }
    text += "</ul>\n";
    for (anchor, function) in anchored {
        let (anchor, call) = (escape(&anchor), escape(&function.call()));
        let _ = writeln!(
            text,
            "<section id=\"{anchor}\">\n<h2><a href=\"#{anchor}\"><code>{call}</code></a></h2>"
        );
        text += &paragraphs(&function.doc, links);
        for example in &function.examples {
            let _ = writeln!(text, "<pre><code>{}</code></pre>", script(example));
        }
        text += "</section>\n";
    }
    text
}

fn recipes(recipes: &[Recipe], links: &Links) -> String {
    let mut text =
        "<p><code>qhop run NAME</code> runs one, <code>qhop new NAME</code> prints it to start from.</p>\n"
            .to_owned();
    for recipe in recipes {
        let name = escape(recipe.name);
        let _ = writeln!(text, "<section id=\"{name}\">\n<h2><a href=\"#{name}\">{name}</a></h2>");
        text += &paragraphs(&recipe.header.summary, links);
        text += &paragraphs(&recipe.header.help, links);
        let _ = writeln!(text, "<pre class=\"wrapped\">{}</pre>", escape(&recipe.usage));
        let _ = writeln!(
            text,
            "<details><summary>the recipe itself</summary>\n<pre><code>{}</code></pre>\n</details>\n</section>",
            script(recipe.text.trim_end())
        );
    }
    text
}

fn command_line(commands: &[(String, String)]) -> String {
    let mut text = String::new();
    for (name, help) in commands {
        let (anchor, name, help) = (escape(&name.replace(' ', "-")), escape(name), escape(help));
        let _ = writeln!(
            text,
            "<section id=\"{anchor}\">\n<h2><a href=\"#{anchor}\"><code>{name}</code></a></h2>\n<pre class=\"wrapped\">{help}</pre>\n</section>"
        );
    }
    text
}
