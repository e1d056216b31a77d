//! `qhop completions` and `qhop man`: what a shell and its user want to know, made of the command line itself.

use clap::builder::PossibleValuesParser;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{doc, print};
use crate::cli::Arguments;
use crate::error::Error;
use crate::script::diagnostic::Failure;
use crate::script::help::Function;
use crate::script::nearest::did_you_mean;
use crate::script::recipe::shipped_names;

/// The script that completes it. The names of shipped recipes and of what `qhop doc` explains are part of it.
pub fn completions(shell: Shell) -> Result<u8, Failure> {
    let recipes: Vec<&str> = shipped_names().collect();
    let manual = doc::manual()?;
    let functions = manual.functions().filter(|it| !it.is_operator()).map(Function::bare_name);
    let mut names: Vec<String> = functions.chain(recipes.iter().copied()).map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    let mut command = command();
    let commands: Vec<String> = command.get_subcommands().map(|it| it.get_name().to_owned()).collect();
    for (subcommand, argument, values) in [
        ("new", "recipe", named(&recipes)),
        ("run", "words", named(&recipes)),
        ("repl", "words", named(&recipes)),
        ("check", "recipes", named(&recipes)),
        ("man", "command", named(&commands)),
        ("doc", "name", named(&names)),
    ] {
        command = command.mut_subcommand(subcommand, |it| it.mut_arg(argument, |it| it.value_parser(values)));
    }
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "qhop", &mut script);
    print(String::from_utf8_lossy(&script).trim_end())?;
    Ok(0)
}

fn named(names: &[impl AsRef<str>]) -> PossibleValuesParser {
    names.iter().map(|name| name.as_ref().to_owned()).collect::<Vec<_>>().into()
}

/// The manual page.
pub fn man(of: Option<&str>) -> Result<u8, Failure> {
    let mut qhop = command().disable_help_subcommand(true);
    qhop.build();
    let command = match of {
        None => qhop,
        Some(name) => {
            let names: Vec<String> = qhop.get_subcommands().map(|it| it.get_name().to_owned()).collect();
            let found = qhop.find_subcommand(name).cloned();
            // The page of a command is called after the whole of it.
            found.map(|it| it.name(format!("qhop-{name}"))).ok_or_else(|| {
                let hint = did_you_mean(name, names.iter().map(String::as_str));
                Failure::from(&Error::Usage { message: format!("there is no command `{name}`"), hint })
            })?
        }
    };
    let mut page = Vec::new();
    let render = Man::new(command)
        .source(concat!("qhop ", env!("CARGO_PKG_VERSION")))
        .manual("qhop")
        .render(&mut page);
    render.map_err(|error| super::run::internal(&error))?;
    // What clap calls the text after its help are the exit codes.
    let page = String::from_utf8_lossy(&page).replace(".SH EXTRA\n", ".SH EXIT STATUS\n");
    print(page.trim_end())?;
    Ok(0)
}

/// The command line, as it is known to clap.
pub fn command() -> Command {
    Arguments::command()
}
