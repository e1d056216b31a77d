//! Parameters of a recipe that nobody makes use of.
//!
//! Pure.

use std::collections::HashSet;

use rhai::{ASTFlags, ASTNode, Expr, FnCallExpr, ImmutableString, Position, Stmt};

use super::program::Unit;
use super::{Findings, Severity};

/// Find those whose value is never read.
pub fn find(unit: &Unit, findings: &mut Findings) {
    let mut asked: Vec<(ImmutableString, ImmutableString, Position)> = Vec::new();
    let mut read: HashSet<ImmutableString> = HashSet::new();
    let functions = unit.functions.iter().flat_map(|function| &function.body);
    for statement in unit.statements.iter().chain(functions) {
        statement.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
            match path.last() {
                Some(ASTNode::Stmt(Stmt::Var(x, flags, _))) if !flags.contains(ASTFlags::EXPORTED) => {
                    if let Expr::FnCall(call, _) = &x.1
                        && let Some(parameter) = parameter(call)
                    {
                        asked.push((x.0.name.clone(), parameter, x.0.pos));
                    }
                }
                Some(ASTNode::Expr(Expr::Variable(variable, ..))) => {
                    read.insert(variable.1.clone());
                }
                Some(ASTNode::Stmt(Stmt::Export(x, _))) => {
                    read.insert(x.0.name.clone());
                }
                // Rhai's own walk does not look into the value of a `break`.
                Some(ASTNode::Stmt(Stmt::BreakLoop(Some(value), ..))) => {
                    value.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
                        if let Some(ASTNode::Expr(Expr::Variable(variable, ..))) = path.last() {
                            read.insert(variable.1.clone());
                        }
                        true
                    });
                }
                _ => {}
            }
            true
        });
    }
    for (variable, parameter, at) in asked {
        if !read.contains(&variable) {
            complain(unit, &parameter, at, findings);
        }
    }
    // The value of the last statement is that of the recipe.
    let before_last = unit.statements.len().saturating_sub(1);
    for statement in &unit.statements[..before_last] {
        let call = match statement {
            Stmt::FnCall(call, at) => Some((call, at)),
            Stmt::Expr(value) => match &**value {
                Expr::FnCall(call, at) => Some((call, at)),
                _ => None,
            },
            _ => None,
        };
        if let Some((call, at)) = call
            && let Some(parameter) = parameter(call)
        {
            complain(unit, &parameter, *at, findings);
        }
    }
}

fn parameter(call: &FnCallExpr) -> Option<ImmutableString> {
    match call.args.first() {
        Some(Expr::StringConstant(name, _)) if call.name == "param" && !call.is_qualified() => {
            Some(name.clone())
        }
        _ => None,
    }
}

fn complain(unit: &Unit, parameter: &str, at: Position, findings: &mut Findings) {
    let message = format!("the parameter `{parameter}` is never used");
    let hint = "leave it out, or make use of its value".to_owned();
    findings.add(Severity::Warning, "unused-parameter", unit, at, (message, hint));
}
