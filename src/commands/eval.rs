//! `qhop eval`: one expression, its value on standard output.

use super::{print, run};
use crate::cli::Common;
use crate::script::diagnostic::Failure;
use crate::script::recipe::Source;
use crate::script::runner::{End, Script};

/// Evaluate it and print its value.
pub fn eval(expression: &str, common: &Common) -> Result<u8, Failure> {
    let (runtime, session) = run::start()?;
    let script = Script::load(session.clone(), Source::expression(expression))?;
    match run::evaluate(&runtime, &session, script, common)? {
        End::Value(value) if !common.json => {
            if !value.text.is_empty() {
                print(&value.text)?;
            }
            Ok(0)
        }
        end => run::finish(end, common),
    }
}
