//! A script that is typed piece by piece: entries that see the variables, functions and imports of those before.
//!
//! It evaluates and remembers; where entries come from and where answers go, it does not know.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rhai::{AST, ASTNode, Dynamic, EvalAltResult, Expr, Position, Scope, Stmt};
use tokio::time::timeout;

use super::diagnostic::Failure;
use super::help::{self, Function};
use super::recipe::{Source, without_shebang};
use super::runner::{End, Script};
use super::session::Session;
use super::shape::Shape;
use super::show;
use super::transcript::{NAME, Transcript};
use crate::vm::Vm;

/// A session of entries.
pub struct Dialogue {
    /// Its AST has the functions of all entries, and no statement.
    script: Script,
    scope: Scope<'static>,
    transcript: Transcript,
    /// What was imported, with the functions of each.
    imports: BTreeMap<String, Vec<String>>,
    entries: usize,
}

/// How an entry went.
pub struct Answer {
    /// As at the end of a script.
    pub end: Result<End, Failure>,
    /// Its value as a reader wants to see it; empty if there is none.
    pub shown: String,
    /// Where in its text the statement begins or goes on that failed: a line and a column, from 1.
    pub failed_at: Option<(usize, usize)>,
}

/// A variable of the session.
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its type, as `type_of` calls it.
    pub type_name: String,
    /// Its value in brief.
    pub value: String,
}

/// A QEMU of the session.
pub struct Guest {
    /// The QEMU.
    pub vm: Vm,
    /// The guest's run state, or what else there is to say of it.
    pub state: String,
}

impl Dialogue {
    /// A session without entries, whose imports may reach what is in and below the directory of `recipe`, or else
    /// the working directory.
    pub fn new(session: Session, recipe: Option<&Path>) -> Result<Self, Failure> {
        let source = Source { name: NAME.to_owned(), text: String::new(), path: recipe.map(Path::to_owned) };
        let script = Script::load(session, source)?;
        let (scope, transcript, imports) = (Scope::new(), Transcript::default(), BTreeMap::new());
        Ok(Self { script, scope, transcript, imports, entries: 0 })
    }

    /// The run that it is.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.script.session
    }

    /// Evaluate an entry. What it defined before it failed stays defined.
    pub fn evaluate(&mut self, text: &str, width: usize) -> Answer {
        self.entries += 1;
        let shown = format!("entry {}", self.entries);
        self.evaluate_from(NAME, &shown, text, width)
    }

    /// Evaluate a file as an entry.
    pub fn load(&mut self, source: &Source, width: usize) -> Answer {
        self.entries += 1;
        self.evaluate_from(&source.name, &source.name, without_shebang(&source.text), width)
    }

    fn evaluate_from(&mut self, source: &str, shown: &str, text: &str, width: usize) -> Answer {
        self.script.session.interrupt().reset();
        let text = self.transcript.add(source, shown, text);
        self.script.sources.add(source, self.transcript.text());
        self.script.sources.add(NAME, self.transcript.text());
        source.clone_into(&mut self.script.source.name);
        let result = self.run(source, &text);
        self.forget_shadowed();
        match result {
            Ok(_) if let Some(cause) = self.script.session.interrupt().cause() => {
                Answer { end: Err(Failure::from(&cause)), shown: String::new(), failed_at: None }
            }
            Ok(value) => {
                Answer { shown: show::show(&value, width), end: Ok(Script::outcome(&value)), failed_at: None }
            }
            Err(error) => {
                let at = error.position();
                let line = at.line().and_then(|line| self.transcript.line_of_last(line));
                let failed_at = line.map(|line| (line, at.position().unwrap_or(1)));
                let mut end = self.script.ended(&error);
                if let Err(failure) = &mut end {
                    self.transcript.relocate(failure);
                }
                Answer { end, shown: String::new(), failed_at }
            }
        }
    }

    fn run(&mut self, source: &str, text: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        let mut entry = self.script.engine.compile_with_scope(&self.scope, text)?;
        entry.set_source(source);
        let whole = self.script.ast.merge(&entry);
        self.script.ast = whole.clone_functions_only();
        let mut scope = std::mem::take(&mut self.scope);
        let result =
            self.script.guarded(|script| script.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &whole));
        self.scope = scope;
        let reached = result.as_ref().err().map_or(Position::NONE, |error| error.position());
        self.keep_imports(source, &whole, reached);
        result
    }

    /// Rhai forgets imports when a script ends. What an entry imported, the resolver has and gives again.
    fn keep_imports(&mut self, source: &str, entry: &AST, reached: Position) {
        let mut imports = Vec::new();
        entry.walk(&mut |path| {
            // Only those at the top: any other is gone at the end of its block.
            if let [ASTNode::Stmt(Stmt::Import(import, at))] = path
                && let (Expr::StringConstant(path, _), alias) = &**import
                && !alias.as_str().is_empty()
            {
                imports.push((path.to_string(), alias.as_str().to_owned(), *at));
            }
            true
        });
        imports.retain(|(.., at)| reached.is_none() || *at < reached);
        for (path, alias, at) in imports {
            let engine = &mut self.script.engine;
            if let Ok(module) = engine.module_resolver().resolve(engine, Some(source), &path, at) {
                let mut names: Vec<String> = module
                    .gen_fn_signatures_with_mapper(Into::into)
                    .filter_map(|it| name_of_call(&it))
                    .collect();
                names.sort_unstable();
                names.dedup();
                engine.register_static_module(&alias, module);
                self.imports.insert(alias, names);
            }
        }
    }

    /// A variable that another one of its name hides is out of reach, and what it holds should go.
    fn forget_shadowed(&mut self) {
        let mut names: Vec<&str> = self.scope.iter_raw().map(|(name, ..)| name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        if names.len() < all {
            self.scope = self.scope.clone_visible();
        }
    }

    /// The variables, by name, with their values in so many characters.
    #[must_use]
    pub fn variables(&self, length: usize) -> Vec<Variable> {
        let variable = |(name, _, value): (&str, bool, &Dynamic)| Variable {
            name: name.to_owned(),
            type_name: Shape::of(&value.flatten_clone()).type_name().to_owned(),
            value: show::brief(value, length),
        };
        let mut variables: Vec<Variable> = self.scope.iter_raw().map(variable).collect();
        variables.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        variables
    }

    /// What the variables look like from outside.
    #[must_use]
    pub fn shapes(&self) -> BTreeMap<String, Shape> {
        self.scope.iter_raw().map(|(name, _, value)| (name.to_owned(), Shape::of(value))).collect()
    }

    /// Every function and property that there is, those of the entries left out.
    #[must_use]
    pub fn functions(&self) -> Vec<Function> {
        help::all_functions(&self.script.engine)
    }

    /// The functions and properties of the script API.
    #[must_use]
    pub fn api(&self) -> Vec<Function> {
        help::functions(&self.script.engine)
    }

    /// The functions that the entries defined: a name, and the names of the parameters.
    #[must_use]
    pub fn own_functions(&self) -> Vec<(String, Vec<String>)> {
        let functions = self.script.ast.iter_functions().filter(|it| !it.name.starts_with("anon$"));
        let own =
            functions.map(|it| (it.name.to_owned(), it.params.iter().map(ToString::to_string).collect()));
        own.collect()
    }

    /// The modules that the entries imported, with the functions of each.
    #[must_use]
    pub fn modules(&self) -> &BTreeMap<String, Vec<String>> {
        &self.imports
    }

    /// The QEMUs, each with its state if it tells it soon.
    #[must_use]
    pub fn guests(&self) -> Vec<Guest> {
        const PATIENCE: Duration = Duration::from_secs(2);
        let session = self.session();
        let state = |vm: &Vm| {
            if let Some(ended) = vm.ended() {
                return ended;
            }
            let asked = session.block_on(async { Ok(timeout(PATIENCE, vm.status()).await) });
            asked
                .ok()
                .and_then(Result::ok)
                .and_then(Result::ok)
                .unwrap_or_else(|| "does not answer".to_owned())
        };
        session.interrupt().reset();
        session.vms().into_iter().map(|vm| Guest { state: state(&vm), vm }).collect()
    }

    /// The QEMUs that would end with the session.
    #[must_use]
    pub fn at_stake(&self) -> Vec<Vm> {
        self.session().vms().into_iter().filter(|vm| !vm.is_kept() && vm.ended().is_none()).collect()
    }

    /// Run what was deferred, and end what was launched and not kept.
    pub fn finish(self) -> Result<(), Failure> {
        self.script.evaluate().map(drop)
    }
}

fn name_of_call(signature: &str) -> Option<String> {
    signature.split_once('(').map(|(name, _)| name.to_owned()).filter(|name| rhai::is_valid_identifier(name))
}

#[cfg(test)]
mod tests;
