//! What is to be said of calls that fit nothing.
//!
//! Pure.

use super::known::{Callable, Known};
use crate::script::nearest::did_you_mean;

/// The most signatures that a hint lists.
const MAX_SIGNATURES: usize = 3;

/// A message and a hint.
pub type Complaint = (String, String);

/// Complain of a function that does not exist.
pub fn unknown_function(name: &str, is_variable: bool, known: &Known) -> Complaint {
    let hint = if is_variable {
        format!("`{name}` is a variable; if it holds a closure: `{name}.call(…)`")
    } else {
        did_you_mean(name, known.names())
    };
    (format!("there is no function `{name}`"), hint)
}

/// Complain of a method that no value has, or none of the type `of`.
pub fn unknown_method(name: &str, of: &str, known: &Known) -> Complaint {
    let hint = did_you_mean(name, known.methods(of));
    if !Known::is_closed(of) {
        return (format!("there is no method `{name}`"), hint);
    }
    (format!("`{of}` has no method `{name}`"), hint)
}

/// Complain of a property that values of the type `of` do not have.
pub fn unknown_property(name: &str, of: &str, known: &[&str]) -> Complaint {
    (format!("`{of}` has no property `{name}`"), did_you_mean(name, known.iter().copied()))
}

/// Complain of the number of arguments, if none of `candidates` takes it.
pub fn wrong_number(name: &str, arguments: usize, candidates: &[&Callable]) -> Complaint {
    let given = match arguments {
        0 => "without an argument".to_owned(),
        1 => "with 1 argument".to_owned(),
        n => format!("with {n} arguments"),
    };
    (format!("`{name}` cannot be called {given}"), signatures(candidates))
}

/// Complain of the types of arguments, if none of `candidates` takes them. Of those that are not known, nothing is said.
pub fn wrong_types(name: &str, given: &[String], candidates: &[&Callable]) -> Complaint {
    let shown = given.iter().map(|it| if it.is_empty() { "…".to_owned() } else { format!("`{it}`") });
    let message = format!("`{name}` cannot be called with {}", shown.collect::<Vec<_>>().join(", "));
    let takes_time = candidates.iter().all(|it| it.takes_time());
    let is_number = given.iter().any(|it| ["i64", "f64"].contains(&it.as_str()));
    let hint = if takes_time && is_number {
        "a time has a unit: `10.s`, `500.ms`, `2.min`, or a string such as \"10s\"".to_owned()
    } else {
        signatures(candidates)
    };
    (message, hint)
}

fn signatures(of: &[&Callable]) -> String {
    let mut shown: Vec<&str> = of.iter().map(|it| it.shown.as_str()).collect();
    shown.sort_unstable();
    shown.dedup();
    let more = if shown.len() > MAX_SIGNATURES { ", …" } else { "" };
    shown.truncate(MAX_SIGNATURES);
    format!("there is `{}`{more}", shown.join("`, `"))
}

/// Complain of something that is none of those that there are.
pub fn none_of(what: &str, name: &str, known: &[&str]) -> Complaint {
    /// A list beyond this is no help.
    const MAX_LISTED: usize = 16;
    let near = did_you_mean(name, known.iter().copied());
    let hint = match known {
        _ if !near.is_empty() => near,
        [] => "it takes none".to_owned(),
        known if known.len() <= MAX_LISTED => format!("there are `{}`", known.join("`, `")),
        _ => String::new(),
    };
    (format!("{what} `{name}`"), hint)
}
