//! Option maps: read once, with names that are checked and values that say what they should have been.
//!
//! Pure: Rhai values in, Rust values or an `Argument` error out.

use std::time::Duration;

use rhai::{Dynamic, Map};
use serde_json::Value;

use super::nearest::nearest;
use super::value;
use crate::error::{Error, Result};
use crate::units::{parse_duration, parse_size};

/// The options that a function was called with.
pub struct Options<'a> {
    function: &'a str,
    map: Map,
}

impl<'a> Options<'a> {
    /// Take the map; a name that is not `known` is an error that names the nearest one.
    pub fn new(function: &'a str, map: Map, known: &[&str]) -> Result<Self> {
        if let Some(unknown) = map.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(Error::Argument {
                function: function.to_owned(),
                cause: format!("there is no option `{unknown}`"),
                hint: nearest(unknown, known.iter().copied()).map_or_else(
                    || format!("the options are `{}`", known.join("`, `")),
                    |near| format!("did you mean `{near}`?"),
                ),
            });
        }
        Ok(Self { function, map })
    }

    /// An option as it was written; `()` counts as not given.
    pub fn take(&mut self, name: &str) -> Option<Dynamic> {
        self.map.remove(name).filter(|value| !value.is_unit())
    }

    /// A string.
    pub fn string(&mut self, name: &str) -> Result<Option<String>> {
        let value = self.take(name);
        value
            .map(|value| value.into_string().map_err(|found| self.wrong(name, "a string", found)))
            .transpose()
    }

    /// `true` or `false`; `false` if it is not given.
    pub fn flag(&mut self, name: &str) -> Result<bool> {
        self.take(name).map_or(Ok(false), |value| {
            value.as_bool().map_err(|found| self.wrong(name, "`true` or `false`", found))
        })
    }

    /// A size: a number of bytes or text such as `"512M"`.
    pub fn size(&mut self, name: &str) -> Result<Option<u64>> {
        let value = self.take(name);
        value.map(|value| size(&value).map_err(|cause| self.error(format!("`{name}`: {cause}")))).transpose()
    }

    /// The error that a value of the wrong type is.
    #[must_use]
    pub fn wrong(&self, name: &str, wanted: &str, found: &str) -> Error {
        self.error(format!("`{name}` must be {wanted}, not of type `{found}`"))
    }

    /// An error about the arguments of this call.
    #[must_use]
    pub fn error(&self, cause: String) -> Error {
        Error::Argument { function: self.function.to_owned(), cause, hint: String::new() }
    }
}

/// A duration: `10.s` or `"10s"`.
pub fn duration(function: &str, value: &Dynamic) -> Result<Duration> {
    if let Some(duration) = value.clone().try_cast::<Duration>() {
        return Ok(duration);
    }
    let cause = match value.clone().into_immutable_string() {
        Ok(text) => match parse_duration(&text) {
            Ok(duration) => return Ok(duration),
            Err(cause) => cause,
        },
        Err(_) if (value.is_int() || value.is_float()) => format!("`{value}` has no unit of time"),
        Err(found) => format!("a duration is wanted, not a value of type `{found}`"),
    };
    let hint = "write `10.s`, `500.ms`, `2.min`, or a string such as \"10s\"".to_owned();
    Err(Error::Argument { function: function.to_owned(), cause, hint })
}

/// A size in bytes: a number or text such as `"512M"`.
pub fn bytes(function: &str, value: &Dynamic) -> Result<u64> {
    size(value).map_err(|cause| Error::Argument { function: function.to_owned(), cause, hint: String::new() })
}

fn size(value: &Dynamic) -> std::result::Result<u64, String> {
    if let Ok(bytes) = value.as_int() {
        return u64::try_from(bytes).map_err(|_| format!("`{bytes}` is no possible size"));
    }
    match value.clone().into_immutable_string() {
        Ok(text) => parse_size(&text),
        Err(found) => {
            Err(format!("a size such as `64.MiB` or \"64M\" is wanted, not a value of type `{found}`"))
        }
    }
}

/// The arguments of a QMP command, as JSON.
pub fn arguments(command: &str, arguments: Map) -> Result<Value> {
    value::to_json("arguments", &Dynamic::from_map(arguments)).map_err(|cause| Error::Argument {
        function: command.to_owned(),
        cause,
        hint: String::new(),
    })
}
