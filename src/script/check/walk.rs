//! Every call and every property in a file, each with what is known of the value that it is of.
//!
//! Pure.

use std::collections::{HashMap, HashSet};

use rhai::{ASTFlags, ASTNode, BinaryExpr, Expr, Stmt};

use super::Findings;
use super::known::Known;
use super::options::Takes;
use super::program::{Function, Program, Unit, closure};
use crate::qemu::offer::Offer;

/// The walk through one file.
pub struct Walk<'a> {
    pub(super) unit: &'a Unit,
    pub(super) program: &'a Program,
    pub(super) known: &'a Known,
    pub(super) takes: &'a Takes,
    pub(super) offer: Option<&'a Offer>,
    pub(super) findings: &'a mut Findings,
    /// The variables in sight with their types, the innermost block last.
    scopes: Vec<HashMap<String, String>>,
    /// The type of `this`.
    this: String,
    /// Variables that get another value somewhere, which may be of another type.
    assigned: HashSet<String>,
}

/// How a part of a chain follows the one before it.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Dot,
    Index,
}

impl<'a> Walk<'a> {
    /// A walk through `unit`.
    pub fn new(
        unit: &'a Unit,
        program: &'a Program,
        known: &'a Known,
        takes: &'a Takes,
        offer: Option<&'a Offer>,
        findings: &'a mut Findings,
    ) -> Self {
        let (scopes, this, assigned) = (Vec::new(), String::new(), assigned(unit));
        Self { unit, program, known, takes, offer, findings, scopes, this, assigned }
    }

    /// Complain of what is wrong.
    pub fn walk(mut self) {
        self.block(&self.unit.statements);
        let unit = self.unit;
        // A closure is looked at where it is made: there, the types of what it captures are known.
        for function in unit.functions.iter().filter(|function| !function.name.starts_with("anon$")) {
            self.function(function, &[]);
        }
    }

    fn function(&mut self, function: &Function, types: &[String]) {
        let parameters = function.parameters.iter().enumerate();
        let scope =
            parameters.map(|(n, name)| (name.clone(), types.get(n).cloned().unwrap_or_default())).collect();
        let scopes = std::mem::replace(&mut self.scopes, vec![scope]);
        let this = std::mem::replace(&mut self.this, function.this.clone());
        self.block(&function.body);
        (self.scopes, self.this) = (scopes, this);
    }

    fn block<'s>(&mut self, statements: impl IntoIterator<Item = &'s Stmt>) {
        self.scopes.push(HashMap::new());
        for statement in statements {
            self.statement(statement);
        }
        self.scopes.pop();
    }

    /// A block that sees a variable of its own.
    fn block_with<'s>(&mut self, names: &[&str], statements: impl IntoIterator<Item = &'s Stmt>) {
        self.scopes.push(names.iter().map(|name| ((*name).to_owned(), String::new())).collect());
        self.block(statements);
        self.scopes.pop();
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Var(x, ..) => {
                let of = self.expression(&x.1);
                let of = if self.assigned.contains(x.0.name.as_str()) { String::new() } else { of };
                if let Some(scope) = self.scopes.last_mut() {
                    scope.insert(x.0.name.to_string(), of);
                }
            }
            Stmt::If(x, _) | Stmt::While(x, _) | Stmt::Do(x, ..) => {
                self.expression(&x.expr);
                self.block(x.body.iter());
                self.block(x.branch.iter());
            }
            Stmt::Switch(x, _) => {
                self.expression(&x.0);
                for case in &x.1.expressions {
                    self.expression(&case.lhs);
                    self.expression(&case.rhs);
                }
            }
            Stmt::For(x, _) => {
                self.expression(&x.2.expr);
                let counter = x.1.as_ref().map_or("", |counter| counter.name.as_str());
                self.block_with(&[&x.0.name, counter], x.2.body.iter());
            }
            Stmt::TryCatch(x, _) => {
                self.block(x.body.iter());
                let error = if let Expr::Variable(error, ..) = &x.expr { error.1.as_str() } else { "" };
                self.block_with(&[error], x.branch.iter());
            }
            Stmt::Assignment(x) => {
                self.expression(&x.1.lhs);
                self.expression(&x.1.rhs);
            }
            Stmt::FnCall(call, at) => drop(self.call(call, *at)),
            Stmt::Block(block) => self.block(block.iter()),
            Stmt::Expr(value) | Stmt::BreakLoop(Some(value), ..) | Stmt::Return(Some(value), ..) => {
                drop(self.expression(value));
            }
            Stmt::Import(import, _) => drop(self.expression(&import.0)),
            _ => {}
        }
    }

    /// Look at an expression. Returns the type of its value; empty where nobody knows.
    pub(super) fn expression(&mut self, expression: &Expr) -> String {
        let of = match expression {
            Expr::IntegerConstant(..) => "i64",
            Expr::FloatConstant(..) => "f64",
            Expr::BoolConstant(..) => "bool",
            Expr::CharConstant(..) => "char",
            Expr::Unit(..) => "()",
            Expr::StringConstant(..) => "string",
            Expr::InterpolatedString(parts, _) => {
                parts.iter().for_each(|part| drop(self.expression(part)));
                "string"
            }
            Expr::Array(items, _) => {
                items.iter().for_each(|item| drop(self.expression(item)));
                "array"
            }
            Expr::Map(map, _) => {
                map.0.iter().for_each(|(_, value)| drop(self.expression(value)));
                "map"
            }
            Expr::Variable(variable, ..) if variable.2.is_empty() => {
                return self.variable(&variable.1).unwrap_or_default();
            }
            Expr::ThisPtr(_) => return self.this.clone(),
            Expr::Stmt(block) => {
                self.block(block.iter());
                ""
            }
            Expr::FnCall(call, at) => return self.call(call, *at),
            Expr::Dot(x, flags, _) => {
                let of = self.expression(&x.lhs);
                return self.chain(&of, By::Dot, x, *flags);
            }
            Expr::Index(x, flags, _) => {
                let of = self.expression(&x.lhs);
                return self.chain(&of, By::Index, x, *flags);
            }
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
                parts.iter().for_each(|part| drop(self.expression(part)));
                ""
            }
            other => {
                if let Some(name) = closure(other) {
                    self.closure(&name, &[]);
                    "Fn"
                } else {
                    ""
                }
            }
        };
        of.to_owned()
    }

    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name).cloned())
    }

    pub(super) fn closure(&mut self, name: &str, types: &[String]) {
        let unit = self.unit;
        if let Some(function) = unit.functions.iter().find(|function| function.name == name) {
            self.function(function, types);
        }
    }

    /// What follows a value of type `of`: `x.rhs`, and what may follow that. Rhai nests chains to the right.
    fn chain(&mut self, of: &str, by: By, x: &BinaryExpr, flags: ASTFlags) -> String {
        let (next, goes_on) = match &x.rhs {
            Expr::Dot(rest, more, _) => (By::Dot, Some((rest, *more))),
            Expr::Index(rest, more, _) => (By::Index, Some((rest, *more))),
            _ => (By::Dot, None),
        };
        let of = match goes_on {
            Some((rest, more)) if !flags.contains(ASTFlags::BREAK) => {
                let of = self.step(of, by, &rest.lhs);
                self.chain(&of, next, rest, more)
            }
            _ => self.step(of, by, &x.rhs),
        };
        // After `?.`, there may be nothing.
        if flags.contains(ASTFlags::NEGATED) { String::new() } else { of }
    }

    fn step(&mut self, of: &str, by: By, part: &Expr) -> String {
        match (by, part) {
            (By::Dot, Expr::Property(property, at)) => self.property(of, &property.2, *at),
            (By::Dot, Expr::MethodCall(call, at)) => self.method(of, call, *at),
            _ => {
                self.expression(part);
                String::new()
            }
        }
    }
}

/// The variables that are assigned to.
fn assigned(unit: &Unit) -> HashSet<String> {
    let mut names = HashSet::new();
    for statement in unit.statements.iter().chain(unit.functions.iter().flat_map(|it| &it.body)) {
        statement.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
            if let Some(ASTNode::Stmt(Stmt::Assignment(x))) = path.last()
                && let Expr::Variable(variable, ..) = &x.1.lhs
            {
                names.insert(variable.1.to_string());
            }
            true
        });
    }
    names
}
