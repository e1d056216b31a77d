//! What `:help` says.
//!
//! Pure.

use super::commands::NAMES;
use crate::error::Error;
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
        text.push_str(&format!("  {:<18}{what}\n", format!(":{name} {argument}")));
    }
    text + "\nTab completes, also what this QEMU offers: vm.qmp(\"… vm.hmp(\"…; Ctrl-R searches the history.\n\
        Ctrl-C ends what runs, or the line; Ctrl-D the session. Begin with: let vm = launch(#{ guest: \"heartbeat\" })"
}

/// How the functions of a name are called, and what they do.
///
/// # Errors
/// `Usage` if there is none.
pub fn of(name: &str, functions: &[Function], own: &[(String, Vec<String>)]) -> Result<String, Error> {
    let bare = name.rsplit('.').next().unwrap_or(name).trim_end_matches("()");
    let is_meant = |it: &&Function| it.name == bare || it.name.strip_prefix("get$") == Some(bare);
    let mut parts: Vec<String> = functions.iter().filter(is_meant).map(described).collect();
    let own_ones = own.iter().filter(|(name, _)| name == bare);
    parts.extend(
        own_ones.map(|(name, parameters)| format!("{name}({}), defined here", parameters.join(", "))),
    );
    parts.dedup();
    if parts.is_empty() {
        let names = functions.iter().map(|it| it.name.trim_start_matches("get$"));
        let names = names.chain(own.iter().map(|(name, _)| name.as_str()));
        let hint = match did_you_mean(bare, names) {
            hint if hint.is_empty() => "Tab shows the names that there are".to_owned(),
            hint => hint,
        };
        return Err(Error::Usage { message: format!("there is no function `{bare}`"), hint });
    }
    Ok(parts.join("\n\n"))
}

fn described(function: &Function) -> String {
    let mut text = function.shown.replace("get$", "");
    if function.name.starts_with("get$") {
        text = text.trim_end_matches("()").to_owned();
    }
    for part in [&function.doc].into_iter().chain(&function.examples).filter(|part| !part.is_empty()) {
        text.push_str("\n\n");
        for line in part.lines() {
            text.push_str(&format!("  {line}\n"));
        }
        text.truncate(text.trim_end().len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_explained() {
        let function = Function {
            name: "halt".into(),
            signature: String::new(),
            shown: "vm.halt(now: bool)".into(),
            on: "Vm".into(),
            arguments: 2,
            returns: String::new(),
            doc: "Stop it.\nReally.".into(),
            examples: vec!["vm.halt(true);".into()],
        };
        let own = [("mine".to_owned(), vec!["x".to_owned()])];
        let text = "vm.halt(now: bool)\n\n  Stop it.\n  Really.\n\n  vm.halt(true);";
        assert_eq!(of("vm.halt", std::slice::from_ref(&function), &own).as_deref(), Ok(text));
        assert_eq!(of("mine", &[], &own).as_deref(), Ok("mine(x), defined here"));
        assert_eq!(of("hal", &[function], &own).unwrap_err().hint(), "did you mean `halt`?");
    }

    #[test]
    fn every_command_is_listed() {
        assert!(NAMES.iter().all(|(name, ..)| overview().contains(&format!("  :{name}"))));
    }
}
