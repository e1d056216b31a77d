//! What a recipe can be called with: its calls of `param` with a literal name, found in its syntax.
//!
//! Nothing of the recipe runs.

use std::ptr;

use rhai::{AST, ASTFlags, ASTNode, Expr, FnCallExpr, Position, Stmt};

use crate::error::{Error, Result};
use crate::units::{parse_duration, parse_size};

/// One `param("name", "help", default)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// `--name` on the command line.
    pub name: String,
    /// The recipe's words for it.
    pub help: String,
    /// The default, in the form that it has on the command line. `None` without a default, and where
    /// the default is `()` or has to be computed.
    pub default: Option<String>,
    /// What its values look like, as far as the default says.
    pub kind: Kind,
    /// Whether every run needs it: it has no default, and nothing before it decides whether it is asked for.
    pub required: bool,
    /// The file of the call.
    pub file: String,
    /// The line of the call.
    pub line: usize,
}

/// What the value of a parameter looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// `-7`.
    Integer,
    /// `0.5`.
    Float,
    /// `true` or `false`.
    Bool,
    /// `30s`, from a default such as `30.s`.
    Duration,
    /// `4GiB`, from a default such as `4.GiB`.
    Size,
}

/// The parameters of a recipe, given its syntax and that of the modules it imports, in the order in
/// which they are asked for in the text.
///
/// # Errors
/// `Usage` if two calls for the same name do not agree.
pub fn parameters<'a>(asts: impl IntoIterator<Item = &'a AST>) -> Result<Vec<Parameter>> {
    let mut merged: Vec<Parameter> = Vec::new();
    for found in asts.into_iter().flat_map(calls) {
        match merged.iter_mut().find(|known| known.name == found.name) {
            None => merged.push(found),
            Some(known) if known.agrees_with(&found) => known.required |= found.required,
            Some(known) => {
                let (there, here) = (known.place(), found.place());
                return Err(Error::Usage {
                    message: format!(
                        "the parameter `{}` is described twice: at {there} and at {here}",
                        found.name
                    ),
                    hint: "give both calls the same help and default, or ask once and pass the value on"
                        .into(),
                });
            }
        }
    }
    Ok(merged)
}

impl Parameter {
    fn agrees_with(&self, other: &Self) -> bool {
        let described = |this: &Self| (this.help.clone(), this.default.clone(), this.kind);
        described(self) == described(other)
    }

    fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

fn calls(ast: &AST) -> Vec<Parameter> {
    let mut search = Search { file: ast.source().unwrap_or_default(), ended: false, found: Vec::new() };
    ast.clone_statements_only().walk(&mut |path| search.visit(path, true));
    ast.clone_functions_only().walk(&mut |path| search.visit(path, false));
    // Functions and closures come in no particular order.
    search.found.sort_by_key(|(at, _)| *at);
    search.found.into_iter().map(|(_, parameter)| parameter).collect()
}

struct Search<'a> {
    file: &'a str,
    /// Whether the script may have ended by here without an error.
    ended: bool,
    found: Vec<(Position, Parameter)>,
}

impl Search<'_> {
    /// Look at the last node of `path`; `certain` if its first node is evaluated in every run.
    fn visit(&mut self, path: &[ASTNode], certain: bool) -> bool {
        match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at))) => {
                let certain =
                    certain && !self.ended && path.windows(2).all(|pair| always(&pair[0], &pair[1]));
                self.found.extend(parameter(call, *at, certain, self.file).map(|found| (*at, found)));
                self.ended |= !call.is_qualified() && matches!(call.name.as_str(), "exit" | "skip");
            }
            // Rhai's own walk does not look into the value of a `break`.
            Some(ASTNode::Stmt(Stmt::BreakLoop(Some(value), ..))) => {
                value.walk(&mut Vec::new(), &mut |path| self.visit(path, false));
            }
            Some(ASTNode::Stmt(Stmt::Return(_, flags, _))) => self.ended |= !flags.contains(ASTFlags::BREAK),
            _ => {}
        }
        true
    }
}

/// Whether `child` is evaluated whenever `parent` is.
fn always(parent: &ASTNode, child: &ASTNode) -> bool {
    let is = |expr: &Expr| matches!(child, ASTNode::Expr(child) if ptr::eq(*child, expr));
    match parent {
        ASTNode::Stmt(Stmt::If(flow, ..) | Stmt::While(flow, ..)) => is(&flow.expr),
        ASTNode::Stmt(Stmt::For(x, ..)) => is(&x.2.expr),
        ASTNode::Stmt(Stmt::Switch(x, ..)) => is(&x.0),
        ASTNode::Stmt(Stmt::Do(..) | Stmt::TryCatch(..)) | ASTNode::Expr(Expr::Custom(..)) => false,
        ASTNode::Expr(Expr::And(list, ..) | Expr::Or(list, ..) | Expr::Coalesce(list, ..)) => is(&list[0]),
        ASTNode::Expr(Expr::Dot(x, flags, ..) | Expr::Index(x, flags, ..)) => {
            !flags.contains(ASTFlags::NEGATED) || is(&x.lhs)
        }
        _ => true,
    }
}

fn parameter(call: &FnCallExpr, at: Position, certain: bool, file: &str) -> Option<Parameter> {
    if call.name != "param" || call.is_qualified() || !(2..=3).contains(&call.args.len()) {
        return None;
    }
    let (default, kind) = call.args.get(2).map_or((None, Kind::Text), literal);
    Some(Parameter {
        name: text(&call.args[0])?,
        help: text(&call.args[1]).unwrap_or_default(),
        default,
        kind,
        required: certain && call.args.len() == 2,
        file: file.to_owned(),
        line: at.line().unwrap_or_default(),
    })
}

/// A text without anything to compute, but possibly put together over several lines.
fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::StringConstant(text, ..) => Some(text.to_string()),
        Expr::CharConstant(char, ..) => Some(char.to_string()),
        Expr::FnCall(call, ..) if call.name == "+" && call.args.len() == 2 => {
            Some(format!("{}{}", text(&call.args[0])?, text(&call.args[1])?))
        }
        _ => None,
    }
}

fn literal(expr: &Expr) -> (Option<String>, Kind) {
    match expr {
        Expr::IntegerConstant(int, ..) => (Some(int.to_string()), Kind::Integer),
        Expr::FloatConstant(float, ..) => (Some(float.to_string()), Kind::Float),
        Expr::BoolConstant(bool, ..) => (Some(bool.to_string()), Kind::Bool),
        Expr::Dot(x, ..) => {
            with_unit(&x.lhs, &x.rhs).map_or((None, Kind::Text), |(text, kind)| (Some(text), kind))
        }
        _ => (text(expr), Kind::Text),
    }
}

/// `10.s` as `10s`, `4.GiB` as `4GiB`.
fn with_unit(number: &Expr, unit: &Expr) -> Option<(String, Kind)> {
    let (Some(number), Expr::Property(unit, ..)) = (literal(number).0, unit) else { return None };
    let text = format!("{number}{}", unit.2);
    let kind = match () {
        () if parse_duration(&text).is_ok() => Kind::Duration,
        () if parse_size(&text).is_ok() => Kind::Size,
        () => return None,
    };
    Some((text, kind))
}

#[cfg(test)]
mod tests;
