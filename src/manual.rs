//! The manual: the script API, the standard library and the shipped recipes, as their doc comments and headers have them.
//!
//! Pure: what there is to say comes from `script/`, where the texts go is known to those who ask: `terminal` and
//! `markdown`, `book` (HTML), `definitions` (for editors).

pub mod book;
pub mod definitions;
pub mod markdown;
pub mod prose;
pub mod terminal;

use serde_json::{Value, json};

use crate::error::Error;
use crate::script::help::Function;
use crate::script::nearest::did_you_mean;
use crate::script::subjects::{Recipe, Subject};

/// All that there is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manual {
    /// The functions, by subject.
    pub subjects: Vec<Subject>,
    /// The shipped recipes.
    pub recipes: Vec<Recipe>,
}

/// What a name means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found<'a> {
    /// The functions of that name.
    pub functions: Vec<&'a Function>,
    /// The subject, unless there are functions.
    pub subject: Option<&'a Subject>,
    /// The recipe.
    pub recipe: Option<&'a Recipe>,
}

impl Manual {
    /// What a name means: `launch`, `vm.hmp`, `vm.name`, `units`, `demo`.
    ///
    /// # Errors
    /// `Usage`, with the nearest name, if it means nothing.
    pub fn find(&self, name: &str) -> Result<Found<'_>, Error> {
        let functions = self.functions().filter(|it| is_meant(it, name)).collect::<Vec<_>>();
        let subject = self.subjects.iter().find(|it| it.name == name && functions.is_empty());
        let recipe = self.recipes.iter().find(|it| it.name == name);
        if !functions.is_empty() || subject.is_some() || recipe.is_some() {
            return Ok(Found { functions, subject, recipe });
        }
        let names = self.functions().map(Function::bare_name);
        let names = names.chain(self.subjects.iter().map(|it| it.name.as_str()));
        let names = names.chain(self.recipes.iter().map(|it| it.name));
        let hint = match did_you_mean(bare(name), names) {
            hint if hint.is_empty() => "`qhop doc` lists what there is".to_owned(),
            hint => hint,
        };
        Err(Error::Usage { message: format!("the manual has no `{name}`"), hint })
    }

    /// All functions, subject by subject.
    pub fn functions(&self) -> impl Iterator<Item = &Function> {
        self.subjects.iter().flat_map(|it| &it.functions)
    }

    /// The verbs of the standard library, then what they are made of.
    #[must_use]
    pub fn groups(&self) -> [(&'static str, Vec<&Subject>); 2] {
        let (standard, native) = self.subjects.iter().partition(|it| it.is_standard);
        [("Recipe verbs", standard), ("Primitives", native)]
    }

    /// Everything, for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let subject = |it: &Subject| {
            let functions: Vec<Value> = it.functions.iter().map(function).collect();
            json!({ "name": it.name, "about": it.about, "functions": functions })
        };
        json!({
            "subjects": self.subjects.iter().map(subject).collect::<Vec<_>>(),
            "recipes": self.recipes.iter().map(recipe).collect::<Vec<_>>(),
        })
    }
}

impl Found<'_> {
    /// The same, for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let of_subject = self.subject.into_iter().flat_map(|it| &it.functions);
        let functions = self.functions.iter().copied().chain(of_subject).map(function);
        json!({ "functions": functions.collect::<Vec<_>>(), "recipe": self.recipe.map(recipe) })
    }
}

/// The name without what it is called on, and without brackets.
#[must_use]
pub fn bare(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name).trim_end_matches("()")
}

/// Whether a function is meant by `status`, `vm.status`, `status()`.
#[must_use]
pub fn is_meant(function: &Function, name: &str) -> bool {
    function.bare_name() == bare(name)
}

fn function(it: &Function) -> Value {
    json!({ "name": it.bare_name(), "call": it.call(), "doc": it.doc, "examples": it.examples })
}

fn recipe(it: &Recipe) -> Value {
    json!({ "name": it.name, "summary": it.header.summary, "help": it.header.help, "usage": it.usage })
}

#[cfg(test)]
pub(crate) mod tests;
