//! What `:help` says.
//!
//! Pure.

use std::fmt::Write;

use super::commands::NAMES;
use crate::error::Error;
use crate::manual::terminal::{Look, function};
use crate::manual::{bare, is_meant};
use crate::script::help::Function;
use crate::script::nearest::did_you_mean;

/// The commands, and where to go from there.
#[must_use]
pub fn overview() -> String {
    let mut text =
        "An entry is Rhai: an expression, whose value is shown, or statements. `fn`, `let` and `import`\n\
        last until the session ends. An entry that is not complete goes on on the next line.\n\n"
            .to_owned();
    for (name, argument, what) in NAMES {
        let _ = writeln!(text, "  {:<18}{what}", format!(":{name} {argument}"));
    }
    text + "\nTab completes, also what this QEMU offers: vm.qmp(\"… vm.hmp(\"…; Ctrl-R searches the history.\n\
        Ctrl-C ends what runs, or the line; Ctrl-D the session. Begin with: let vm = launch(#{ guest: \"heartbeat\" })"
}

/// How the functions of a name are called, and what they do.
///
/// # Errors
/// `Usage` if there is none.
pub fn of(
    name: &str,
    functions: &[Function],
    own: &[(String, Vec<String>)],
    look: Look,
) -> Result<String, Error> {
    let bare = bare(name);
    let meant = functions.iter().filter(|it| is_meant(it, name));
    let mut parts: Vec<String> = meant.map(|it| function(it, look)).collect();
    let own_ones = own.iter().filter(|(name, _)| name == bare);
    parts.extend(
        own_ones.map(|(name, parameters)| format!("{name}({}), defined here", parameters.join(", "))),
    );
    parts.dedup();
    if parts.is_empty() {
        let names = functions.iter().map(Function::bare_name);
        let names = names.chain(own.iter().map(|(name, _)| name.as_str()));
        let hint = match did_you_mean(bare, names) {
            hint if hint.is_empty() => "Tab shows the names that there are".to_owned(),
            hint => hint,
        };
        return Err(Error::Usage { message: format!("there is no function `{bare}`"), hint });
    }
    Ok(parts.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manual::tests::function;

    #[test]
    fn functions_are_explained() {
        let function = function("halt", "", "vm.halt(now: bool)", "");
        let own = [("mine".to_owned(), vec!["x".to_owned()])];
        let look = Look { width: 80, coloured: false };
        let text = "vm.halt(now: bool)\n\n  Stop *it*, with `vm.halt`. Really. And more.\n\n  vm.halt(true);";
        assert_eq!(of("vm.halt", std::slice::from_ref(&function), &own, look).as_deref(), Ok(text));
        assert_eq!(of("mine", &[], &own, look).as_deref(), Ok("mine(x), defined here"));
        assert_eq!(of("hal", &[function], &own, look).unwrap_err().hint(), "did you mean `halt`?");
    }

    #[test]
    fn every_command_is_listed() {
        assert!(NAMES.iter().all(|(name, ..)| overview().contains(&format!("  :{name}"))));
    }
}
