//! What is called and what is read in a file, held against what there is.
//!
//! Pure.

use rhai::{Expr, FnCallExpr, Position};

use super::calls::{
    Complaint, none_of, unknown_function, unknown_method, unknown_property, wrong_number, wrong_types,
};
use super::known::{Callable, Known};
use super::options::Takes;
use super::program::{Function, closure};
use super::walk::Walk;
use super::{Severity, qmp};

/// What Rhai itself takes care of, with any number of arguments.
const SPECIAL: [&str; 10] =
    ["Fn", "call", "curry", "debug", "eval", "is_def_fn", "is_def_var", "is_shared", "print", "type_of"];

impl Walk<'_> {
    fn complain(&mut self, kind: &str, at: Position, what: Complaint) {
        self.findings.add(Severity::Error, kind, self.unit, at, what);
    }

    pub(super) fn property(&mut self, of: &str, name: &str, at: Position) -> String {
        let known = self.known;
        if let Some(properties) = known.properties(of)
            && !properties.contains(&name)
        {
            self.complain("unknown-property", at, unknown_property(name, of, &properties));
        }
        let getters = known.named(&format!("get${name}"));
        if Known::is_closed(of) {
            Known::value_of(getters.iter().filter(|it| it.fits(of)))
        } else {
            String::new()
        }
    }

    pub(super) fn method(&mut self, of: &str, call: &FnCallExpr, at: Position) -> String {
        let types: Vec<String> = call.args.iter().map(|argument| self.expression(argument)).collect();
        let (known, name, count) = (self.known, call.name.as_str(), call.args.len());
        if SPECIAL.contains(&name) {
            return String::new();
        }
        // A member of a map may be a closure.
        let may_be_member = !Known::is_closed(of) && known.is_mentioned(name);
        let of_type = if Known::is_closed(of) { of } else { "" };
        let candidates: Vec<&Callable> = known.named(name).iter().filter(|it| it.fits(of_type)).collect();
        let fitting: Vec<&Callable> =
            candidates.iter().copied().filter(|it| it.arguments_of_method() == Some(count)).collect();
        if fitting.is_empty() && !may_be_member {
            if candidates.is_empty() {
                self.complain("unknown-method", at, unknown_method(name, of_type, known));
            } else {
                self.complain("arguments", at, wrong_number(name, count, &candidates));
            }
        } else if !may_be_member && !fitting.iter().any(|it| it.accepts(&types, true)) {
            self.complain("arguments", at, wrong_types(name, &types, &fitting));
        }
        self.options(name, &call.args, true);
        if let Some(offer) = self.offer {
            for (at, what) in qmp::complaints(name, &call.args, offer) {
                self.complain("qmp", at, what);
            }
        }
        if of_type.is_empty() { String::new() } else { Known::value_of(fitting.into_iter()) }
    }

    /// A call of a function. Returns the type of its value.
    pub(super) fn call(&mut self, call: &FnCallExpr, at: Position) -> String {
        if let ("curry", Some(name)) = (call.name.as_str(), call.args.first().and_then(closure)) {
            let types: Vec<String> =
                call.args[1..].iter().map(|captured| self.expression(captured)).collect();
            self.closure(&name, &types);
            return String::new();
        }
        if call.name == "assert_throws" {
            // What is wrong there is what the test is about.
            return String::new();
        }
        let types: Vec<String> = call.args.iter().map(|argument| self.expression(argument)).collect();
        let (known, name, count) = (self.known, call.name.as_str(), call.args.len());
        if call.is_qualified() {
            self.qualified(call, at);
            return String::new();
        }
        if call.is_operator_call() || !rhai::is_valid_identifier(name) || SPECIAL.contains(&name) {
            return String::new();
        }
        let candidates: Vec<&Callable> = known.named(name).iter().collect();
        let fitting: Vec<&Callable> = candidates.iter().copied().filter(|it| it.arguments == count).collect();
        if candidates.is_empty() {
            let is_variable = self.variable(name).is_some();
            self.complain("unknown-function", at, unknown_function(name, is_variable, known));
        } else if fitting.is_empty() {
            self.complain("arguments", at, wrong_number(name, count, &candidates));
        } else if !fitting.iter().any(|it| it.accepts(&types, false)) {
            self.complain("arguments", at, wrong_types(name, &types, &fitting));
        }
        self.options(name, &call.args, false);
        Known::value_of(fitting.into_iter())
    }

    /// A call of an imported function: `lib::f()`.
    fn qualified(&mut self, call: &FnCallExpr, at: Position) {
        let program = self.program;
        let mut unit = self.unit;
        for part in &call.namespace.path {
            match unit.imports.get(part.as_str()) {
                Some(Some(index)) => unit = &program.units[*index],
                _ => return,
            }
        }
        let (name, count) = (call.name.as_str(), call.args.len());
        let public = || unit.functions.iter().filter(|function| !function.private);
        let named: Vec<&Function> = public().filter(|function| function.name == name).collect();
        let what = if named.is_empty() {
            let others: Vec<&str> =
                public().map(|function| function.name.as_str()).filter(|name| !name.contains('$')).collect();
            none_of(&format!("`{}` has no function", unit.name), name, &others)
        } else if named.iter().all(|function| function.parameters.len() != count) {
            let candidates: Vec<&Callable> = self.known.named(name).iter().filter(|it| it.scripted).collect();
            wrong_number(name, count, &candidates)
        } else {
            return;
        };
        self.complain(if named.is_empty() { "unknown-function" } else { "arguments" }, at, what);
    }

    fn options(&mut self, function: &str, arguments: &[Expr], method: bool) {
        let takes = self.takes;
        if let Some((argument, known)) = takes.find(function, arguments.len(), method) {
            let given = &arguments[argument];
            if let Expr::StringConstant(_, at) | Expr::IntegerConstant(_, at) | Expr::BoolConstant(_, at) =
                given
                && function != "attach"
            {
                let what =
                    format!("`{function}` takes its options in a map, such as `#{{ {}: … }}`", known[0]);
                self.complain("arguments", *at, (what, String::new()));
            }
            self.names(function, given, &known);
        }
    }

    /// The names in a map of options, or in one that is put together.
    fn names(&mut self, function: &str, given: &Expr, known: &[&str]) {
        match given {
            Expr::Map(map, _) => {
                for (key, value) in &map.0 {
                    if !known.contains(&key.name.as_str()) {
                        let what = none_of(&format!("`{function}`: there is no option"), &key.name, known);
                        self.complain("unknown-option", key.pos, what);
                    } else if let Some(nested) = Takes::nested(function, &key.name) {
                        self.names(function, value, nested);
                    }
                }
            }
            Expr::FnCall(call, _) if call.name == "+" => {
                call.args.iter().for_each(|part| self.names(function, part, known));
            }
            _ => {}
        }
    }
}
