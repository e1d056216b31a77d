//! Which options functions take: of those written in Rhai, from their own calls of `options`; of the others, from the
//! lists that they read their options with.
//!
//! Pure.

use std::collections::BTreeSet;

use rhai::{AST, ASTNode, Expr, FnCallExpr, Stmt};

use super::program::{Function, Program, functions};
use crate::script::api::{launch, migration};

/// The functions that take options.
pub struct Takes(Vec<Taker>);

struct Taker {
    function: String,
    /// Which argument the options are.
    argument: usize,
    /// How many arguments there are.
    arguments: usize,
    options: BTreeSet<String>,
    scripted: bool,
}

/// The native ones, which take them as their last argument: how many arguments they have, and the options.
const NATIVE: [(&str, usize, &[&str]); 3] =
    [("launch", 1, launch::KNOWN), ("attach", 1, launch::PLACE), ("verdict", 3, migration::COURSE)];

/// Options that are maps of options: of the function, the option.
const NESTED: [(&str, &str, &[&str]); 1] = [("launch", "guest", launch::GUEST)];

impl Takes {
    /// Those of the standard library and of the program, which may have functions of the same names.
    pub fn of(library: impl Iterator<Item = AST>, program: &Program) -> Self {
        let native = NATIVE.iter().map(|(function, arguments, options)| Taker {
            function: (*function).to_owned(),
            argument: arguments - 1,
            arguments: *arguments,
            options: options.iter().map(ToString::to_string).collect(),
            scripted: false,
        });
        let library: Vec<Function> = library.flat_map(|ast| functions(&ast)).collect();
        let own: Vec<&Function> = program.units.iter().flat_map(|unit| &unit.functions).collect();
        let all: Vec<&Function> = library.iter().chain(own.iter().copied()).collect();
        let is_own = |it: &Taker| {
            own.iter().any(|own| own.name == it.function && own.parameters.len() == it.arguments)
        };
        // A name that the program gives to a function of its own may mean that one.
        let given = native.chain(library.iter().filter_map(|function| taker(function, &all)));
        let mut takers: Vec<Taker> = given.filter(|it| !is_own(it)).collect();
        takers.extend(own.iter().filter_map(|function| taker(function, &all)));
        Self(takers)
    }

    /// The options of a function and the argument that they are, when it is called with so many; for a `method`, the
    /// object not among them.
    pub fn find(&self, function: &str, arguments: usize, method: bool) -> Option<(usize, Vec<&str>)> {
        let mut found = self.0.iter().filter_map(|it| {
            let shift = usize::from(method && !it.scripted);
            let fits = it.function == function && it.arguments == arguments + shift;
            fits.then(|| {
                Some((it.argument.checked_sub(shift)?, it.options.iter().map(String::as_str).collect()))
            })?
        });
        let first = found.next()?;
        // Of two with one name and number of arguments, nobody knows which is meant.
        found.next().is_none().then_some(first)
    }

    /// The options in an option.
    pub fn nested(function: &str, option: &str) -> Option<&'static [&'static str]> {
        NESTED.iter().find(|it| (it.0, it.1) == (function, option)).map(|it| it.2)
    }
}

fn taker(function: &Function, all: &[&Function]) -> Option<Taker> {
    let mut found = None;
    for_each(&function.body, &mut |node| {
        let call = call(node)?;
        let ("options", [_, Expr::Variable(given, ..), defaults]) = (call.name.as_str(), &call.args[..])
        else {
            return None;
        };
        let argument = function.parameters.iter().position(|it| *it == given.1.as_str())?;
        let mut options = BTreeSet::new();
        members(defaults, function, all, &mut options, 0)?;
        found = Some(Taker {
            function: function.name.clone(),
            argument,
            arguments: function.parameters.len(),
            options,
            scripted: true,
        });
        None::<()>
    });
    found
}

/// The names that a map has, `None` if that cannot be told.
fn members(
    map: &Expr,
    of: &Function,
    all: &[&Function],
    names: &mut BTreeSet<String>,
    depth: usize,
) -> Option<()> {
    if depth > 8 {
        return None;
    }
    match map {
        Expr::Map(map, _) => {
            names.extend(map.0.iter().map(|(key, _)| key.name.to_string()));
            Some(())
        }
        Expr::FnCall(call, _) if call.name == "+" && call.args.len() == 2 => {
            call.args.iter().try_for_each(|part| members(part, of, all, names, depth + 1))
        }
        Expr::FnCall(call, _) if !call.is_qualified() => {
            let mut matching =
                all.iter().filter(|it| it.name == call.name && it.parameters.len() == call.args.len());
            let function = matching.next()?;
            let (None, Some(Stmt::Expr(value))) = (matching.next(), function.body.last()) else {
                return None;
            };
            members(value, function, all, names, depth + 1)
        }
        Expr::Variable(variable, ..) => variable_members(&variable.1, of, all, names, depth + 1),
        _ => None,
    }
}

/// The names in a map that a variable is declared with, and in those that are added to it.
fn variable_members(
    name: &str,
    of: &Function,
    all: &[&Function],
    names: &mut BTreeSet<String>,
    depth: usize,
) -> Option<()> {
    let (mut declared, mut unclear) = (0, false);
    for_each(&of.body, &mut |node| {
        let part = match node {
            ASTNode::Stmt(Stmt::Var(x, ..)) if x.0.name == name => {
                declared += 1;
                Some(&x.1)
            }
            ASTNode::Stmt(Stmt::Assignment(x)) => match &x.1.lhs {
                Expr::Variable(variable, ..) if variable.1 == name => Some(&x.1.rhs),
                // Set by its name or with a computed one.
                Expr::Dot(lhs, ..) | Expr::Index(lhs, ..) => match &lhs.lhs {
                    Expr::Variable(variable, ..) if variable.1 == name => {
                        unclear = true;
                        None
                    }
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        };
        if let Some(part) = part {
            unclear |= members(part, of, all, names, depth).is_none();
        }
        None::<()>
    });
    (declared == 1 && !unclear).then_some(())
}

fn call<'a>(node: &'a ASTNode) -> Option<&'a FnCallExpr> {
    match node {
        ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)) => Some(call),
        _ => None,
    }
}

/// Look at every node of some statements.
fn for_each(statements: &[Stmt], look: &mut dyn FnMut(&ASTNode) -> Option<()>) {
    for statement in statements {
        statement.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
            if let Some(node) = path.last() {
                look(node);
            }
            true
        });
    }
}
