//! The script API by subject: each file of it and of the standard library, with what it says of itself and the functions
//! that it has; and the shipped recipes, with what they can be called with.
//!
//! Nothing runs.

use rhai::{Engine, Module, Scope};

use super::help::{Function, functions};
use super::parameters::parameters;
use super::recipe::{Header, header, shipped, shipped_names};
use super::{api, engine, library, usage};

/// What belongs together: a file of the script API, of the standard library, or one of each that share a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The name of the file, without its ending.
    pub name: String,
    /// What it says of itself, in paragraphs.
    pub about: String,
    /// Whether the standard library has it: verbs of recipes, rather than what they are made of.
    pub is_standard: bool,
    /// What it has, by name; operators last.
    pub functions: Vec<Function>,
}

/// A recipe that qhop brings along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// `qhop run NAME`.
    pub name: &'static str,
    /// What it says of itself.
    pub header: Header,
    /// How it is called, and its parameters.
    pub usage: String,
    /// All of it.
    pub text: &'static str,
}

/// The subjects that have functions, by name.
#[must_use]
pub fn subjects(engine: &Engine) -> Vec<Subject> {
    let mut found: Vec<Subject> = Vec::new();
    for (path, text) in library::files() {
        // Its functions call those of other files, but nothing runs.
        let ast = engine::compile(engine, library::NAME, text);
        let module = ast.ok().and_then(|ast| Module::eval_ast_as_new(Scope::new(), &ast, engine).ok());
        let name = path.trim_start_matches("stdlib/").trim_end_matches(".rhai").to_owned();
        let functions = module.map(of_module).unwrap_or_default();
        found.push(Subject { name, about: about(text), is_standard: true, functions });
    }
    for (name, text, module) in api::subjects() {
        let (about, functions) = (about(text), of_module(module));
        if let Some(known) = found.iter_mut().find(|it| it.name == name) {
            known.about = format!("{}\n\n{about}", known.about);
            known.functions.extend(functions);
        } else {
            found.push(Subject { name: name.to_owned(), about, is_standard: false, functions });
        }
    }
    found.retain(|subject| !subject.functions.is_empty());
    for subject in &mut found {
        // Of several ways to call one, the first is that with an example.
        subject
            .functions
            .sort_by_key(|it| (it.is_operator(), it.bare_name().to_owned(), it.examples.is_empty()));
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The shipped recipes, by name.
#[must_use]
pub fn recipes(engine: &Engine) -> Vec<Recipe> {
    let recipe = |name| {
        let text = shipped(name).unwrap_or_default();
        let ast = engine::compile(engine, name, text).ok();
        let parameters = parameters(ast.as_ref()).unwrap_or_default();
        let usage = usage::help(name, &Header::default(), &parameters).trim_end().to_owned();
        Recipe { name, header: header(text), usage, text }
    };
    shipped_names().map(recipe).collect()
}

fn about(text: &str) -> String {
    let Header { summary, help } = header(text);
    format!("{summary}\n\n{help}").trim_end().to_owned()
}

/// The functions of a module alone: an engine keeps no note of where its functions come from.
fn of_module(module: Module) -> Vec<Function> {
    let mut alone = Engine::new_raw();
    alone.register_global_module(module.into());
    functions(&alone)
}

/// Definitions of what Rhai itself has, as files for editors.
#[must_use]
pub fn rhais_own() -> Vec<(String, String)> {
    Engine::new().definitions().iter_files().collect()
}
