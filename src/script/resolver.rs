//! What `import "./x" as x` finds: a file next to the importing one, inside the recipe's directory.
//!
//! Files are read through a function that the creator gives, because every effect of a script passes
//! the gate; only the canonical form of a path is asked of the system here.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use rhai::{AST, Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};

use super::recipe::without_shebang;
use super::sources::Sources;
use crate::error::Error;

/// Reads a file for an import.
pub type Read = dyn Fn(&Path) -> io::Result<String> + Send + Sync;

/// Imports inside one another beyond this are refused: each takes its share of the stack.
const MAX_DEPTH: usize = 32;

/// Finds, compiles and evaluates modules, each once per run.
///
/// Two threads that import the same file for the first time at the same time both evaluate it, and
/// both get the module of the one that was done first: to wait for one another could last forever.
pub struct Resolver {
    recipe: Option<PathBuf>,
    read: Box<Read>,
    sources: Sources,
    modules: Mutex<HashMap<PathBuf, Shared<Module>>>,
    loading: Mutex<HashMap<ThreadId, Vec<File>>>,
}

/// A file that an import names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct File {
    /// The name that positions in it are reported under, which is also a path to it.
    shown: String,
    canonical: PathBuf,
}

type Result<T, E = Box<EvalAltResult>> = std::result::Result<T, E>;

impl Resolver {
    /// For the imports of `recipe`, which may reach everything in and below its directory. Without a
    /// recipe file, as for standard input or the prompt, that is the working directory.
    #[must_use]
    pub fn new(recipe: Option<&Path>, sources: Sources, read: Box<Read>) -> Self {
        let (modules, loading) = Default::default();
        Self { recipe: recipe.map(Into::into), read, sources, modules, loading }
    }

    /// The directory that no import may leave; the empty path is the working directory.
    fn root(&self) -> PathBuf {
        self.recipe.as_deref().map(directory_of).unwrap_or_default()
    }

    /// The file that `path` means in `source`, or why there is none.
    fn locate(&self, source: Option<&str>, path: &str) -> Result<File, String> {
        if !path.starts_with("./") && !path.starts_with("../") {
            let name = path.trim_start_matches('/');
            return Err(format!("a path starts with `./` or `../`, as in `./{name}`"));
        }
        // The names `-` and `eval` of what comes from no file have no directory either.
        let directory = source.map_or_else(|| self.root(), |source| directory_of(Path::new(source)));
        let is_whole = Path::new(path).extension().is_some_and(|extension| extension == "rhai");
        let name = if is_whole { path.to_owned() } else { format!("{path}.rhai") };
        let wanted = directory.join(name);
        let wanted: PathBuf = wanted.components().filter(|part| *part != Component::CurDir).collect();

        let root = Path::new(".").join(self.root());
        let root = root.canonicalize().map_err(|error| in_short(&root, &error))?;
        let canonical = wanted.canonicalize().map_err(|error| in_short(&wanted, &error))?;
        let inside = canonical.strip_prefix(&root).map_err(|_| {
            let root = root.display();
            format!("it is outside of `{root}`, the directory of the recipe")
        })?;
        Ok(File { shown: self.root().join(inside).display().to_string(), canonical })
    }

    fn compile(&self, engine: &Engine, file: &File, path: &str, pos: Position) -> Result<AST> {
        let text = (self.read)(&file.canonical)
            .map_err(|error| failed(path, in_short(Path::new(&file.shown), &error), pos))?;
        self.sources.add(&file.shown, &text);
        let mut ast = engine
            .compile(without_shebang(&text))
            .map_err(|error| EvalAltResult::ErrorInModule(file.shown.clone(), error.into(), pos))?;
        ast.set_source(&file.shown);
        Ok(ast)
    }

    /// Note that this thread is about to load `file`, until the answer is dropped.
    fn enter(&self, file: &File) -> Result<Loading<'_>, String> {
        let thread = std::thread::current().id();
        let mut loading = lock(&self.loading);
        let stack = loading.entry(thread).or_default();
        // The recipe itself is being evaluated all along, by whichever thread.
        let recipe = self.recipe.as_deref().map(|path| File {
            shown: path.display().to_string(),
            canonical: path.canonicalize().unwrap_or_default(),
        });
        let chain: Vec<&File> = recipe.iter().chain(&*stack).collect();
        if let Some(start) = chain.iter().position(|open| open.canonical == file.canonical) {
            let names: Vec<&str> = chain[start..].iter().map(|open| open.shown.as_str()).collect();
            return Err(format!("import cycle: {} -> {}", names.join(" -> "), names[0]));
        }
        if stack.len() == MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} imports inside one another"));
        }
        stack.push(file.clone());
        Ok(Loading { resolver: self, thread })
    }
}

/// One file on the stack of those that a thread is loading.
struct Loading<'a> {
    resolver: &'a Resolver,
    thread: ThreadId,
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        let mut loading = lock(&self.resolver.loading);
        if let Some(stack) = loading.get_mut(&self.thread) {
            stack.pop();
            if stack.is_empty() {
                loading.remove(&self.thread);
            }
        }
    }
}

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        pos: Position,
    ) -> Result<Shared<Module>> {
        let file = self.locate(source, path).map_err(|cause| failed(path, cause, pos))?;
        if let Some(module) = lock(&self.modules).get(&file.canonical) {
            return Ok(module.clone());
        }
        let _loading = self.enter(&file).map_err(|cause| failed(path, cause, pos))?;
        let ast = self.compile(engine, &file, path, pos)?;
        // A module sees neither the variables nor the functions of whoever imports it first.
        let module = Module::eval_ast_as_new(Scope::new(), &ast, engine).map_err(|mut error| {
            if error.is_catchable() {
                EvalAltResult::ErrorInModule(file.shown.clone(), error, pos).into()
            } else {
                // Wrapped, an `exit()` or an interrupt could be caught. Its position is in another file.
                error.set_position(pos);
                error
            }
        })?;
        Ok(lock(&self.modules).entry(file.canonical).or_insert_with(|| module.into()).clone())
    }

    /// The module's syntax, without running any of it.
    fn resolve_ast(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        pos: Position,
    ) -> Option<Result<AST>> {
        let file = self.locate(source, path).map_err(|cause| failed(path, cause, pos).into());
        Some(file.and_then(|file| self.compile(engine, &file, path, pos)))
    }
}

/// The directory of a file; for a link, that of the file it leads to, as a recipe may be linked to from
/// a directory of programs.
fn directory_of(file: &Path) -> PathBuf {
    let target = if file.is_symlink() { file.canonicalize().ok() } else { None };
    target.as_deref().unwrap_or(file).parent().unwrap_or(Path::new("")).to_owned()
}

/// Rhai replaces `ErrorModuleNotFound` by one that has only the path; this one keeps the reason.
fn failed(path: &str, cause: String, pos: Position) -> EvalAltResult {
    let reason = Error::File { operation: "import", path: path.to_owned(), cause };
    EvalAltResult::ErrorInModule(path.to_owned(), reason.into(), pos)
}

fn in_short(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        ErrorKind::NotFound => format!("there is no file `{path}`"),
        ErrorKind::PermissionDenied if error.raw_os_error().is_some() => {
            format!("no permission to read `{path}`")
        }
        _ => format!("cannot read `{path}`: {error}"),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
