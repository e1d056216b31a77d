//! The command line of a recipe: its help, and the words that follow its name.
//!
//! Pure: words and parameters in, values or text out.

use std::collections::BTreeMap;

use super::nearest::did_you_mean;
use super::parameters::{Kind, Parameter};
use super::recipe::Header;
use crate::error::{Error, Result};
use crate::units::{parse_duration, parse_size};

/// A flag that belongs to qhop itself and may stand among a recipe's parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag {
    /// With its dashes: `--color`, `-v`.
    pub name: &'static str,
    /// Whether the next word belongs to it, unless it is written `--color=never`.
    pub takes_value: bool,
}

/// Split the words after the recipe into those that are qhop's own and those that are the recipe's.
/// After a `--` all are the recipe's.
#[must_use]
pub fn separate(words: &[String], own: &[Flag]) -> (Vec<String>, Vec<String>) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            theirs.extend(words.by_ref().cloned());
        } else if let Some(flag) = own.iter().find(|flag| flag.name == word) {
            ours.push(word.clone());
            ours.extend(words.by_ref().take(usize::from(flag.takes_value)).cloned());
        } else if own
            .iter()
            .any(|flag| flag.takes_value && word.split_once('=').is_some_and(|it| it.0 == flag.name))
        {
            ours.push(word.clone());
        } else {
            theirs.push(word.clone());
        }
    }
    (ours, theirs)
}

/// The values that the words give to the parameters: `--name value`, `--name=value`, and `--name` alone
/// where the default is `true` or `false`.
///
/// # Errors
/// `Usage` for a word that fits no parameter, a value that is missing or cannot be read, a parameter
/// given twice, and one that is required and not given.
pub fn read(parameters: &[Parameter], words: &[String]) -> Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--").filter(|flag| !flag.is_empty()) else {
            return Err(usage(format!("unexpected `{word}`"), example(parameters, word)));
        };
        let (name, inline) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
        let parameter =
            parameters.iter().find(|it| it.name == name).ok_or_else(|| unknown(parameters, name))?;
        let value = match (inline, parameter.kind, words.peek()) {
            (Some(value), ..) => value,
            (None, Kind::Bool, next) if !matches!(next, Some(&"true" | &"false")) => "true",
            (None, _, Some(next)) if !next.starts_with("--") => words.next().unwrap_or_default(),
            (None, ..) => {
                let hint = format!("write `--{name}=…` if the value itself starts with `--`");
                return Err(usage(format!("`--{name}` needs a value: {}", parameter.help), hint));
            }
        };
        check(parameter.kind, value).map_err(|cause| usage(format!("`--{name}`: {cause}"), String::new()))?;
        if values.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(usage(format!("`--{name}` is given twice"), String::new()));
        }
    }
    let missing = parameters.iter().filter(|it| it.required && !values.contains_key(&it.name));
    let missing: Vec<String> = missing.map(|it| missed(&it.name, &it.help)).collect();
    if !missing.is_empty() {
        return Err(usage(missing.join("\n"), SEE_HELP.into()));
    }
    Ok(values)
}

/// The hint where a parameter is missing.
pub const SEE_HELP: &str = "`--help` shows what the recipe takes";

fn missed(name: &str, help: &str) -> String {
    format!("`--{name}` is missing: {help}")
}

/// The error for a parameter without a default that turns out to be needed.
#[must_use]
pub fn missing(name: &str, help: &str) -> Error {
    usage(missed(name, help), SEE_HELP.into())
}

fn usage(message: String, hint: String) -> Error {
    Error::Usage { message, hint }
}

fn unknown(parameters: &[Parameter], name: &str) -> Error {
    let flags: Vec<String> = parameters.iter().map(|it| format!("--{}", it.name)).collect();
    let near = did_you_mean(&format!("--{name}"), flags.iter().map(String::as_str));
    let hint = match flags.is_empty() {
        true => "the recipe takes no parameters".into(),
        false if near.is_empty() => format!("the recipe takes `{}`", flags.join("`, `")),
        false => near,
    };
    usage(format!("the recipe has no parameter `--{name}`"), hint)
}

/// How a word that stands for itself might have been meant.
fn example(parameters: &[Parameter], word: &str) -> String {
    match parameters {
        [] => "the recipe takes no parameters".into(),
        [first, ..] => {
            format!("each value follows the name of its parameter, as in `--{} {word}`", first.name)
        }
    }
}

/// Whether a value is what the default of its parameter says it is.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check(kind: Kind, value: &str) -> Result<(), String> {
    let parsed = |fits: bool, what: &str| if fits { Ok(()) } else { Err(format!("`{value}` is {what}")) };
    match kind {
        Kind::Text => Ok(()),
        Kind::Integer => parsed(value.parse::<i64>().is_ok(), "no integer"),
        Kind::Float => parsed(value.parse::<f64>().is_ok(), "no number"),
        Kind::Bool => parsed(matches!(value, "true" | "false"), "neither `true` nor `false`"),
        Kind::Duration => parse_duration(value).map(|_| ()),
        Kind::Size => parse_size(value).map(|_| ()),
    }
}

/// What `qhop run RECIPE --help` prints. `recipe` is the recipe as the user named it.
#[must_use]
pub fn help(recipe: &str, header: &Header, parameters: &[Parameter]) -> String {
    let paragraphs = [header.summary.as_str(), &header.help].into_iter().filter(|it| !it.is_empty());
    let flags: Vec<String> = parameters.iter().map(flag).collect();
    let words = parameters.iter().zip(&flags);
    let words = words.map(|(it, flag)| if it.required { format!(" {flag}") } else { format!(" [{flag}]") });
    let usage = format!("Usage: qhop run {recipe}{}", words.collect::<String>());
    let text = paragraphs.chain([usage.as_str()]).collect::<Vec<_>>().join("\n\n");
    let width = flags.iter().map(|flag| flag.chars().count()).max().unwrap_or_default();
    let list: String = parameters.iter().zip(&flags).map(|(it, flag)| entry(it, flag, width)).collect();
    if list.is_empty() { text + "\n" } else { format!("{text}\n\nParameters:\n{list}") }
}

/// One line of the list, or more if the help has more.
fn entry(parameter: &Parameter, flag: &str, width: usize) -> String {
    let help = parameter.help.replace('\n', &format!("\n{}", " ".repeat(width + 4)));
    let default = parameter.default.as_ref().map(|default| format!("[default: {default}]"));
    let about = [Some(help), default].into_iter().flatten().filter(|it| !it.is_empty());
    let about = about.collect::<Vec<_>>().join(" ");
    format!("{}\n", format!("  {flag:width$}  {about}").trim_end())
}

fn flag(parameter: &Parameter) -> String {
    let value = match parameter.kind {
        Kind::Bool if parameter.default.as_deref() == Some("true") => {
            return format!("--{}=false", parameter.name);
        }
        Kind::Bool => return format!("--{}", parameter.name),
        Kind::Text => "VALUE",
        Kind::Integer | Kind::Float => "NUMBER",
        Kind::Duration => "DURATION",
        Kind::Size => "SIZE",
    };
    format!("--{} {value}", parameter.name)
}

#[cfg(test)]
mod tests;
