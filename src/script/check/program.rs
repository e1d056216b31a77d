//! A recipe with everything that it imports, as syntax.

use std::collections::BTreeMap;

use rhai::{AST, ASTNode, Engine, Expr, FnPtr, ImmutableString, Position, Stmt};

use super::{Finding, Findings, Severity};
use crate::script::failure;
use crate::script::sources::Sources;

/// All files, the recipe first.
pub struct Program {
    pub units: Vec<Unit>,
}

/// One file.
pub struct Unit {
    /// What positions in it are reported under.
    pub name: String,
    pub text: String,
    pub statements: Vec<Stmt>,
    pub functions: Vec<Function>,
    /// The units that are imported, by their names here. `None` for what nobody can tell before it runs.
    pub imports: BTreeMap<String, Option<usize>>,
}

/// A function that is written in Rhai.
pub struct Function {
    pub name: String,
    pub parameters: Vec<String>,
    /// The type that `this` must have, if it must.
    pub this: String,
    pub private: bool,
    pub body: Vec<Stmt>,
}

impl Program {
    /// Find and compile what is imported. What cannot be imported is a finding.
    pub fn of(engine: &Engine, ast: &AST, sources: &Sources, findings: &mut Findings) -> Self {
        let mut program = Self { units: Vec::new() };
        let load = Load { engine, recipe: ast, sources };
        load.add(&mut program, ast, &mut Vec::new(), findings);
        program
    }
}

struct Load<'a> {
    engine: &'a Engine,
    recipe: &'a AST,
    sources: &'a Sources,
}

impl Load<'_> {
    /// Add a file and what it imports; `open` are those that are being imported.
    fn add(
        &self,
        program: &mut Program,
        ast: &AST,
        open: &mut Vec<String>,
        findings: &mut Findings,
    ) -> usize {
        let name = ast.source().unwrap_or_default().to_owned();
        let text = self.sources.text(&name).unwrap_or_default();
        let index = program.units.len();
        let unit = Unit {
            name: name.clone(),
            text,
            statements: ast.statements().to_vec(),
            functions: functions(ast),
            imports: BTreeMap::new(),
        };
        program.units.push(unit);
        open.push(name);
        for (path, alias, at) in imports(ast) {
            let found = path.and_then(|path| self.import(program, index, &path, at, open, findings));
            let imports = &mut program.units[index].imports;
            // A name that is given twice may mean either.
            let found = if imports.contains_key(&alias) { None } else { found };
            imports.insert(alias, found);
        }
        open.pop();
        index
    }

    fn import(
        &self,
        program: &mut Program,
        from: usize,
        path: &str,
        at: Position,
        open: &mut Vec<String>,
        findings: &mut Findings,
    ) -> Option<usize> {
        let unit = &program.units[from];
        let (engine, source) = (self.engine, unit.name.as_str());
        let ast = match engine.module_resolver().resolve_ast(engine, Some(source), path, at)? {
            Ok(ast) => ast,
            Err(error) => {
                let text = |name: &str| self.sources.text(name);
                let script = failure::Script { engine, ast: Some(self.recipe), file: source, text: &text };
                let failure = failure::explain(&error, &script);
                findings.0.push(Finding { severity: Severity::Error, failure });
                return None;
            }
        };
        let name = ast.source().unwrap_or_default();
        if let Some(start) = open.iter().position(|open| open == name) {
            let chain = format!("import cycle: {} -> {name}", open[start..].join(" -> "));
            let message = format!("cannot import `{path}`: {chain}");
            findings.add(Severity::Error, "import", unit, at, (message, String::new()));
            return None;
        }
        let known = program.units.iter().position(|unit| unit.name == name);
        Some(known.unwrap_or_else(|| self.add(program, &ast, open, findings)))
    }
}

/// The paths, where they are literal, and the names.
fn imports(ast: &AST) -> Vec<(Option<String>, String, Position)> {
    let mut found = Vec::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, at))) = path.last() {
            let file = match &import.0 {
                Expr::StringConstant(text, ..) => Some(text.to_string()),
                _ => None,
            };
            found.push((file, import.1.as_str().to_owned(), *at));
        }
        true
    });
    found
}

/// The functions of a file, closures among them.
pub fn functions(ast: &AST) -> Vec<Function> {
    ast.iter_functions()
        .map(|function| {
            let (name, count) = (function.name, function.params.len());
            // The walk is the only way to what is in a function. (Rhai's `clone_functions_only_filtered` clones all.)
            let mut alone = ast.clone_functions_only();
            alone.retain_functions(|_, _, other, arguments| other == name && arguments == count);
            let mut body = Vec::new();
            alone.walk(&mut |path| {
                if let [ASTNode::Stmt(statement)] = path {
                    body.push((*statement).clone());
                }
                true
            });
            Function {
                name: name.to_owned(),
                parameters: function.params.iter().map(ToString::to_string).collect(),
                this: function.this_type.unwrap_or_default().to_owned(),
                private: function.access.is_private(),
                body,
            }
        })
        .collect()
}

/// The name of the function that a closure is.
pub fn closure(expr: &Expr) -> Option<ImmutableString> {
    let Expr::DynamicConstant(value, _) = expr else { return None };
    let name = value.clone().try_cast::<FnPtr>()?.fn_name().to_owned();
    name.starts_with("anon$").then(|| name.into())
}
