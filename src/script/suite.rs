//! The tests of a recipe: its functions `test_…`, each of which is run as a script of its own.
//!
//! It finds and runs one; which are run, and what becomes of the outcome, it does not know.

use rhai::{CallFnOptions, Dynamic, Scope};

use super::diagnostic::Failure;
use super::runner::{End, Script};

/// A test, as it stands in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// The function's name.
    pub name: String,
    /// The line of the function, from 1.
    pub line: usize,
    /// How many arguments the function wants. A test that wants any cannot be run.
    pub arguments: usize,
}

impl Script {
    /// The tests, in the order of the text.
    #[must_use]
    pub fn tests(&self) -> Vec<Test> {
        let functions = self.ast.iter_fn_def().filter(|function| function.name.starts_with("test_"));
        let mut tests: Vec<Test> = functions
            .map(|function| Test {
                name: function.name.to_string(),
                line: function.body.start_position().line().unwrap_or_default(),
                arguments: function.params.len(),
            })
            .collect();
        tests.sort_by_key(|test| test.line);
        tests
    }

    /// Run one test to its end, however it ends. The statements outside of functions come first: the imports and constants
    /// that tests use are there.
    pub fn run_test(self, name: &str) -> Result<End, Failure> {
        let name = name.to_owned();
        self.on_a_thread(move |script| {
            script.evaluate_by(|this| {
                let options = CallFnOptions::new().eval_ast(true);
                let scope = &mut Scope::new();
                this.engine.call_fn_with_options::<Dynamic>(options, scope, &this.ast, name, ())
            })
        })
    }
}
