//! Option maps for functions that are written in Rhai.

use std::time::Duration;

use rhai::plugin::*;

use crate::error::{Error, Result};
use crate::script::names::type_word;
use crate::script::options::duration;

#[export_module]
pub mod api {
    use rhai::Map;

    use crate::script::options::Options;
    use crate::script::session::ScriptResult;

    /// The options that a function was called with, completed by its defaults; a name that the defaults do
    /// not have is an error that names the nearest one, and so is a value of another type than its default's, unless
    /// that is `()`. Text becomes a duration where one is wanted.
    ///
    /// ```rhai
    /// let o = options("greet", #{ name: "you" }, #{ name: "world", times: 1 });
    /// assert_eq(o, #{ name: "you", times: 1 });
    /// assert_eq(options("wait", #{ timeout: "5s" }, #{ timeout: 1.s }).timeout, 5.s);
    /// assert_throws(|| options("greet", #{ times: "twice" }, #{ times: 1 }), "argument");
    /// assert_throws(|| options("greet", #{ nmae: "you" }, #{ name: "world" }), "argument");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn options(function: &str, given: Map, defaults: Map) -> ScriptResult<Map> {
        let known: Vec<&str> = defaults.keys().map(AsRef::as_ref).collect();
        Options::new(function, given.clone(), &known)?;
        let mut merged = defaults;
        for (name, value) in given {
            let value = super::like(function, &name, value, &merged[&name])?;
            merged.insert(name, value);
        }
        Ok(merged)
    }
}

/// A value for an option whose default is `default`.
fn like(function: &str, name: &str, value: Dynamic, default: &Dynamic) -> Result<Dynamic> {
    if value.is_unit() {
        return Ok(default.clone());
    }
    if default.is::<Duration>() {
        return duration(function, &value).map(Dynamic::from);
    }
    if default.is_unit() || default.type_id() == value.type_id() {
        return Ok(value);
    }
    let (wanted, found) = (type_word(default.type_name()), type_word(value.type_name()));
    Err(Error::Argument {
        function: function.to_owned(),
        cause: format!("`{name}` must be of type `{wanted}`, not `{found}`"),
        hint: String::new(),
    })
}
