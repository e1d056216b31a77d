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
mod tests {
    use rhai::{Engine, OptimizationLevel};

    use super::*;

    fn compiled(script: &str, level: OptimizationLevel) -> AST {
        let mut engine = Engine::new();
        engine.set_optimization_level(level);
        let mut ast = engine.compile(script).unwrap();
        ast.set_source("a.rhai");
        ast
    }

    fn found(script: &str) -> Vec<Parameter> {
        let plain = parameters([&compiled(script, OptimizationLevel::None)]).unwrap();
        let optimized = parameters([&compiled(script, OptimizationLevel::Simple)]).unwrap();
        assert_eq!(plain, optimized, "the optimizer changes nothing about it");
        plain
    }

    /// The names, with a `!` at each that is required.
    fn names(script: &str) -> String {
        let mark = |p: Parameter| if p.required { p.name + "!" } else { p.name };
        found(script).into_iter().map(mark).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_call_says_everything_about_a_parameter() {
        let expected = Parameter {
            name: "vm".into(),
            help: "pid or monitor address".into(),
            default: None,
            kind: Kind::Text,
            required: true,
            file: "a.rhai".into(),
            line: 2,
        };
        assert_eq!(
            found("\nlet vm = attach(param(\"vm\", \"pid or \" +\n \"monitor address\"));"),
            [expected]
        );
    }

    #[test]
    fn defaults_have_kinds() {
        let default = |literal: &str| {
            let [parameter] = &found(&format!("param(\"x\", \"\", {literal})"))[..] else { panic!() };
            assert!(!parameter.required);
            (parameter.default.clone(), parameter.kind)
        };
        let some = |text: &str, kind| (Some(text.to_owned()), kind);
        assert_eq!(default("\"precopy\""), some("precopy", Kind::Text));
        assert_eq!(default("`a` + 'b'"), some("ab", Kind::Text));
        assert_eq!(default("-5"), some("-5", Kind::Integer));
        assert_eq!(default("0x10"), some("16", Kind::Integer));
        assert_eq!(default("1.50"), some("1.5", Kind::Float));
        assert_eq!(default("2.0"), some("2.0", Kind::Float));
        assert_eq!(default("true"), some("true", Kind::Bool));
        assert_eq!(default("10.s"), some("10s", Kind::Duration));
        assert_eq!(default("1.5.min"), some("1.5min", Kind::Duration));
        assert_eq!(default("512.MiB"), some("512MiB", Kind::Size));
        assert_eq!(default("()"), (None, Kind::Text));
        assert_eq!(default("env(\"QEMU\")"), (None, Kind::Text));
        assert_eq!(default("#{}.len"), (None, Kind::Text));
    }

    #[test]
    fn calls_are_found_everywhere() {
        let script = r#"
            let a = #{ x: [param("a", "")] };
            print(`${param("b", "")} and ${"${c}"}`);
            vm.launch(param("c", "")).wait(1, [param("d", "")][0]);
            fn f(x) { x + param("e", "") }
            let g = |x| x + param("f", "");
            items.map(|x| [1].filter(|y| param("g", "")));
            while param("h", "") { break param("i", ""); }
            switch param("j", "") { 1 if param("k", "") => 2, 3..5 => param("l", ""), _ => param("m", "") }
            import param("n", "") as n;
            do { } while param("o", "");
            try { throw param("p", ""); } catch { param("q", ""); }
            a[param("r", "")] += param("s", "");
            { param("t", ""); }
            if x { return param("u", ""); }
        "#;
        assert_eq!(names(script), "a! b! c! d! e f g h! i j! k l m n! o p q r! s! t! u");
    }

    #[test]
    fn what_may_not_be_asked_for_is_not_required() {
        assert_eq!(names(r#"if param("a", "") == "x" { param("b", "") } else { param("c", "") }"#), "a! b c");
        assert_eq!(names(r#"param("a", "") && param("b", "") || param("c", "")"#), "a! b c");
        assert_eq!(names(r#"param("a", "") ?? param("b", "")"#), "a! b");
        assert_eq!(names(r#"x?.f(param("a", "")).g(param("b", "")); x.f(param("c", ""))"#), "a b c!");
        assert_eq!(names(r#"for i in param("a", "") { param("b", "") }"#), "a! b");
        assert_eq!(names(r#"let x = if true == y { param("a", "") };"#), "a");
    }

    #[test]
    fn what_follows_a_possible_end_is_not_required() {
        assert_eq!(names(r#"param("a", ""); if x { return; } param("b", "")"#), "a! b");
        assert_eq!(names(r#"if x { skip("no KVM"); } param("b", "")"#), "b");
        assert_eq!(names(r#"if x { throw 1; } let f = || { return 1; }; param("b", "")"#), "b!");
    }

    #[test]
    fn other_calls_are_none() {
        assert_eq!(names(r#"param("a"); lib::param("b", ""); param(name, ""); param("c", "", 1, 2);"#), "");
        assert_eq!(
            names(
                r#"// param("a", "")
            let s = "param(\"b\", \"\")"; params("c", "")"#
            ),
            ""
        );
    }

    #[test]
    fn equal_calls_are_one_parameter() {
        assert_eq!(names(r#"fn f() { param("a", "x") } param("a", "x");"#), "a!");
        let ast = compiled("param(\"a\", \"x\");\nparam(\"a\", \"x\", 1);", OptimizationLevel::None);
        let Err(Error::Usage { message, .. }) = parameters([&ast]) else { panic!() };
        assert_eq!(message, "the parameter `a` is described twice: at a.rhai:1 and at a.rhai:2");
    }

    #[test]
    fn the_parameters_of_modules_come_after_those_of_the_recipe() {
        let recipe = compiled(r#"param("b", "")"#, OptimizationLevel::None);
        let module = compiled(r#"param("a", ""); fn f() { param("b", "") }"#, OptimizationLevel::None);
        let names: Vec<String> =
            parameters([&recipe, &module]).unwrap().into_iter().map(|p| p.name).collect();
        assert_eq!(names, ["b", "a"]);
    }
}
