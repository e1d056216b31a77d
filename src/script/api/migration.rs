//! What the migration verbs of the standard library need to judge: QEMU's messages, and who has the guest.

use rhai::plugin::*;

#[export_module]
pub mod api {
    use rhai::Map;

    use crate::migration::explain;

    /// What QEMU's words mean: `message` (the line that says most), `cause` and `remedy`; all empty if
    /// nothing in the text is known.
    ///
    /// ```rhai
    /// let reason = explain("Machine type received is 'pc-q35-7.2' and local is 'pc-q35-10.0'");
    /// assert(reason.remedy.contains("pc-q35-7.2"), reason.remedy);
    /// ```
    #[rhai_fn(name = "explain")]
    pub fn explain_text(text: &str) -> Map {
        let known = explain::explain(text);
        let part = |of: fn(explain::Explanation) -> String| known.clone().map(of).unwrap_or_default().into();
        Map::from([
            ("message".into(), part(|known| known.message)),
            ("cause".into(), part(|known| known.cause)),
            ("remedy".into(), part(|known| known.remedy)),
        ])
    }

    /// The last lines of QEMU's standard error that say something: without its name in front, and
    /// without what it always prints.
    ///
    /// ```rhai
    /// assert_eq(tail("qemu-system-x86_64: Not a migration stream\n"), "Not a migration stream");
    /// ```
    pub fn tail(text: &str) -> String {
        explain::tail(text, 5)
    }
}
