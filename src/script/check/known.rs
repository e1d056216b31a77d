//! Every function that there is to call, and what is known of it.

use std::collections::{HashMap, HashSet};

use rhai::{Engine, FnAccess};

use super::program::{Program, Unit};
use crate::script::help::returned;
use crate::script::names::{shown, type_word};

/// A function that can be called.
#[derive(Debug, Clone)]
pub struct Callable {
    pub name: String,
    /// How it is called.
    pub shown: String,
    /// How many arguments it wants; for a native one, the object of a method among them.
    pub arguments: usize,
    /// Written in Rhai: the object of a method is its `this`.
    pub scripted: bool,
    /// The type of the object, as `type_of` calls it; empty for any.
    pub on: String,
    /// The names of the parameters and their types, where Rhai tells them; for a native one, the object among them.
    pub parameters: Vec<(String, String)>,
    /// The type of its value; empty where nobody knows.
    pub returns: String,
}

/// The types whose values are sure to be what the metadata says, and whose functions have all their types there.
const TYPES: [&str; 9] = ["Vm", "Error", "Pulse", "MemoryFile", "Duration", "string", "array", "i64", "f64"];

/// The types that are told from one another in arguments.
const SURE: [&str; 12] =
    ["()", "Duration", "Fn", "MemoryFile", "Vm", "array", "bool", "char", "f64", "i64", "map", "string"];

/// All functions by name.
#[derive(Debug, Default)]
pub struct Known {
    functions: HashMap<String, Vec<Callable>>,
    /// Names that a member of a map may have: each could hold a closure.
    mentioned: HashSet<String>,
}

impl Known {
    /// Those of the engine and those of all files: what is called from one file sees those of the caller, too.
    pub fn of(engine: &Engine, program: &Program) -> Self {
        let mut known = Self::default();
        let native = engine.collect_fn_metadata(
            None,
            |function| {
                let data = function.metadata;
                // The library's internals can be called, and are nobody else's business.
                if function.script.is_some() && data.access == FnAccess::Private {
                    return None;
                }
                let types = data.params_info.iter().map(|it| it.split_once(": ").map_or("", |it| it.1));
                let on = match &function.script {
                    Some(script) => script.this_type.unwrap_or_default().to_owned(),
                    None => types.map(type_word).next().unwrap_or_default(),
                };
                Some(Callable {
                    name: data.name.to_string(),
                    parameters: data.params_info.iter().map(|it| parameter(it)).collect(),
                    shown: shown(&data.name, data.params_info.iter().map(AsRef::as_ref)),
                    arguments: data.num_params,
                    scripted: function.script.is_some(),
                    on: if ["Dynamic", "?", "T"].contains(&on.as_str()) { String::new() } else { on },
                    returns: Some(returned(&data.return_type))
                        .filter(|it| TYPES.contains(&it.as_str()))
                        .unwrap_or_default(),
                })
            },
            true,
        );
        let scripted = program.units.iter().flat_map(|unit| &unit.functions).map(|function| Callable {
            name: function.name.clone(),
            shown: format!("{}({})", function.name, function.parameters.join(", ")),
            arguments: function.parameters.len(),
            scripted: true,
            on: function.this.clone(),
            parameters: Vec::new(),
            returns: String::new(),
        });
        for callable in native.into_iter().chain(scripted) {
            let named = known.functions.entry(callable.name.clone()).or_default();
            // The first one hides any other of its kind, such as Rhai's own `sleep`.
            let is_hidden = !callable.scripted && named.iter().any(|it| it.is_like(&callable));
            if !is_hidden {
                named.push(callable);
            }
        }
        for unit in &program.units {
            known.mention(unit);
        }
        known
    }

    fn mention(&mut self, unit: &Unit) {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        // Every word that is a key, is set, or is in quotes.
        for (at, _) in unit.text.match_indices([':', '=', '"', '`', '\'']) {
            let before = unit.text[..at].trim_end();
            let word = before.rfind(|c| !is_part(c)).map_or(before, |start| &before[start..]);
            self.mentioned.insert(word.trim_start_matches(|c| !is_part(c)).to_owned());
        }
    }

    /// Whether a member of a map may be called so.
    pub fn is_mentioned(&self, name: &str) -> bool {
        self.mentioned.contains(name)
    }

    /// All of a name.
    pub fn named(&self, name: &str) -> &[Callable] {
        self.functions.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether everything is known of what values of a type can do.
    pub fn is_closed(of: &str) -> bool {
        TYPES.contains(&of)
    }

    /// What can be called as a method of a value of this type.
    pub fn methods(&self, of: &str) -> impl Iterator<Item = &str> {
        let all = self.functions.values().flatten();
        all.filter(move |it| it.fits(of) && !it.on.is_empty()).map(|it| it.name.as_str())
    }

    /// All names that can be written.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str).filter(|name| rhai::is_valid_identifier(name))
    }

    /// The properties of values of this type; `None` if it may have any.
    pub fn properties(&self, of: &str) -> Option<Vec<&str>> {
        let has_index = ["index$get$", "index$set$"].iter().any(|name| {
            self.named(name).iter().any(|it| it.on == of && !["string", "array", "i64"].contains(&of))
        });
        if !Self::is_closed(of) || has_index {
            return None;
        }
        let all = self.functions.values().flatten().filter(|it| it.fits(of));
        Some(
            all.filter_map(|it| it.name.strip_prefix("get$").or_else(|| it.name.strip_prefix("set$")))
                .collect(),
        )
    }

    /// The type of a call's value; empty where nobody knows.
    pub fn value_of<'a>(candidates: impl Iterator<Item = &'a Callable>) -> String {
        let mut types = candidates.map(|it| it.returns.as_str());
        let first = types.next().unwrap_or_default();
        if types.all(|other| other == first) { first.to_owned() } else { String::new() }
    }
}

/// From a parameter as Rhai describes it: `status: &str`.
fn parameter(described: &str) -> (String, String) {
    let (name, typed) = described.split_once(": ").unwrap_or((described, ""));
    (name.to_owned(), type_word(typed))
}

fn is_sure(of: &str) -> bool {
    SURE.contains(&of)
}

/// Whether a parameter is a duration, or a string such as `"10s"`. A number is taken to tell that it lacks its unit.
fn is_time(name: &str, wanted: &str) -> bool {
    ["timeout", "time", "limit"].contains(&name) && ["Dynamic", "f64", "i64"].contains(&wanted)
}

impl Callable {
    /// Whether it may be called with arguments of these types, the object of a method not among them.
    pub fn accepts(&self, given: &[String], method: bool) -> bool {
        let wanted = self.parameters.iter().skip(usize::from(method));
        wanted.zip(given).all(|((name, wanted), given)| match wanted.as_str() {
            _ if !is_sure(given) => true,
            wanted if is_time(name, wanted) => ["Duration", "string"].contains(&given.as_str()),
            wanted => !is_sure(wanted) || wanted == given,
        })
    }

    /// Whether it wants a time.
    pub fn takes_time(&self) -> bool {
        self.parameters.iter().any(|(name, wanted)| is_time(name, wanted))
    }

    fn is_like(&self, other: &Self) -> bool {
        let types = |it: &Self| it.parameters.iter().map(|(_, of)| of.clone()).collect::<Vec<_>>();
        !self.scripted && types(self) == types(other)
    }

    /// Whether it may be a method of a value of this type.
    pub fn fits(&self, of: &str) -> bool {
        self.on.is_empty() || of.is_empty() || self.on == of
    }

    /// How many arguments it wants as a method.
    pub fn arguments_of_method(&self) -> Option<usize> {
        if self.scripted { Some(self.arguments) } else { self.arguments.checked_sub(1) }
    }
}
