//! Option maps for functions that are written in Rhai.

use rhai::plugin::*;

#[export_module]
pub mod api {
    use rhai::Map;

    use crate::script::options::Options;
    use crate::script::session::ScriptResult;

    /// The options that a function was called with, completed by its defaults; a name that the defaults do
    /// not have is an error that names the nearest one.
    ///
    /// ```rhai
    /// let o = options("greet", #{ name: "you" }, #{ name: "world", times: 1 });
    /// assert_eq(o, #{ name: "you", times: 1 });
    /// assert_throws(|| options("greet", #{ nmae: "you" }, #{ name: "world" }), "argument");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn options(function: &str, given: Map, defaults: Map) -> ScriptResult<Map> {
        let known: Vec<&str> = defaults.keys().map(AsRef::as_ref).collect();
        Options::new(function, given.clone(), &known)?;
        let mut merged = defaults;
        merged.extend(given);
        Ok(merged)
    }
}
