//! The commands of the prompt: what begins with a colon.
//!
//! Pure.

use crate::error::Error;
use crate::script::nearest::nearest;

/// Each with its argument and what it does.
pub const NAMES: [(&str, &str, &str); 8] = [
    ("help", "[NAME]", "this list, or how a function is called, with examples"),
    ("vms", "", "the guests of this session"),
    ("vars", "", "its variables"),
    ("events", "[on|off]", "the latest events; whether they are shown as they happen"),
    ("time", "EXPR", "evaluate, and say how long it took"),
    ("load", "FILE …", "evaluate a file or a shipped recipe, with `--name value` for its parameters"),
    ("save", "FILE", "write what was typed as a recipe that runs"),
    ("quit", "", "end the session, as Ctrl-D does"),
];

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `:help`, or `:help NAME`.
    Help(Option<String>),
    /// `:vms`.
    Vms,
    /// `:vars`.
    Vars,
    /// `:events`, or whether they are shown.
    Events(Option<bool>),
    /// `:time`.
    Time(String),
    /// `:load`: a name, and words for the parameters.
    Load(Vec<String>),
    /// `:save`.
    Save(String),
    /// `:quit`.
    Quit,
}

/// Read a command. Nothing if the text is none.
///
/// # Errors
/// `Usage` for one that there is not, or that lacks its argument.
pub fn parse(text: &str) -> Option<Result<Command, Error>> {
    let text = text.trim().strip_prefix(':')?;
    let (name, argument) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let argument = argument.trim();
    Some(command(name, argument))
}

fn command(name: &str, argument: &str) -> Result<Command, Error> {
    let given = (!argument.is_empty()).then(|| argument.to_owned());
    let wanted =
        |what: &str| given.clone().ok_or_else(|| usage(format!("`:{name}` needs {what}"), String::new()));
    let none = |command| match &given {
        None => Ok(command),
        Some(argument) => Err(usage(format!("`:{name}` takes no `{argument}`"), String::new())),
    };
    match name {
        "help" | "h" | "?" => Ok(Command::Help(given)),
        "vms" => none(Command::Vms),
        "vars" => none(Command::Vars),
        "events" => match argument {
            "" => Ok(Command::Events(None)),
            "on" => Ok(Command::Events(Some(true))),
            "off" => Ok(Command::Events(Some(false))),
            _ => Err(usage("`:events` takes `on` or `off`".to_owned(), String::new())),
        },
        "time" => wanted("an expression").map(Command::Time),
        "load" => {
            let words = wanted("a file or the name of a shipped recipe")?;
            let words =
                shell_words::split(&words).map_err(|error| usage(error.to_string(), String::new()))?;
            Ok(Command::Load(words))
        }
        "save" => wanted("a file").map(Command::Save),
        "quit" | "q" | "exit" => none(Command::Quit),
        _ => {
            let near = nearest(name, NAMES.iter().map(|(name, ..)| *name));
            let hint = near
                .map_or_else(|| "`:help` lists them".to_owned(), |near| format!("did you mean `:{near}`?"));
            Err(usage(format!("there is no command `:{name}`"), hint))
        }
    }
}

fn usage(message: String, hint: String) -> Error {
    Error::Usage { message, hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        assert_eq!(parse("vm.status()"), None);
        assert_eq!(parse(" :vms "), Some(Ok(Command::Vms)));
        assert_eq!(parse(":help launch"), Some(Ok(Command::Help(Some("launch".into())))));
        assert_eq!(parse(":time  1 + 1"), Some(Ok(Command::Time("1 + 1".into()))));
        let words = ["a b.rhai", "--n", "1"].map(str::to_owned).to_vec();
        assert_eq!(parse(":load 'a b.rhai' --n 1"), Some(Ok(Command::Load(words))));
        assert_eq!(parse(":events off"), Some(Ok(Command::Events(Some(false)))));
    }

    #[test]
    fn slips_are_answered() {
        for (text, message, hint) in [
            (":vsm", "there is no command `:vsm`", "did you mean `:vms`?"),
            (":xyzzy", "there is no command `:xyzzy`", "`:help` lists them"),
            (":load", "`:load` needs a file or the name of a shipped recipe", ""),
            (":vms 1", "`:vms` takes no `1`", ""),
        ] {
            let error = parse(text).unwrap().unwrap_err();
            assert_eq!((error.to_string().as_str(), error.hint()), (message, hint));
        }
    }
}
