//! The subcommands, one file each, and what they share: where output goes, and how a script is run
//! for them.

mod check;
mod doc;
mod eval;
mod list;
mod ps;
mod recover;
mod repl;
mod run;
mod shell;
mod test;

use std::io::{ErrorKind, IsTerminal, Write};

use crate::cli::{Arguments, Color, Command, Common};
use crate::error::Error;
use crate::script::diagnostic::{Failure, Palette};

/// Do what the command line says. Returns the options that hold for the output, too: a recipe's
/// words may have changed them.
pub fn run(arguments: Arguments) -> (Common, Result<u8, Failure>) {
    let Arguments { mut common, command } = arguments;
    if let Err(failure) = reportable(&command, &common) {
        return (common, Err(failure));
    }
    let result = match command {
        Command::Run { words } => run::run(&words, &mut common),
        Command::File(words) => run::file(&words, &mut common),
        Command::Doctor => run::run(&["doctor".to_owned()], &mut common),
        Command::Eval { expression } => eval::eval(&expression, &common),
        Command::Repl { words } => repl::repl(&words, &mut common),
        Command::Check(check) => check::check(&check, &common),
        Command::Test(test) => test::test(&test, &common),
        Command::List => list::list(&common),
        Command::Ps => ps::ps(&common),
        Command::Recover { run, dry_run, end } => {
            recover::recover(run.as_deref(), recover::Manner { dry_run, end }, &common)
        }
        Command::New { recipe } => list::new(&recipe),
        Command::Doc(options) => doc::doc(&options, &common),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man { command } => shell::man(command.as_deref()),
    };
    (common, result)
}

/// A report is of what runs.
fn reportable(command: &Command, common: &Common) -> Result<(), Failure> {
    let runs_nothing = match command {
        Command::Check(_) => "check",
        Command::List => "list",
        Command::Ps => "ps",
        Command::New { .. } => "new",
        Command::Doc(_) => "doc",
        Command::Completions { .. } => "completions",
        Command::Man { .. } => "man",
        _ => return Ok(()),
    };
    if common.report.is_none() {
        return Ok(());
    }
    let message = format!("`qhop {runs_nothing}` runs nothing that a `--report` could tell of");
    Err(Failure::from(&Error::Usage { message, hint: String::new() }))
}

/// What clap says of a command line, as a failure of ours.
#[must_use]
pub fn misunderstood(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    Failure::from(&Error::Usage { message, hint: "`qhop --help` shows what it takes".to_owned() })
}

/// Print a text and a line feed on standard output. A reader that has gone is no failure.
fn print(text: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::from(&Error::File {
            operation: "write to",
            path: "standard output".to_owned(),
            cause: crate::qemu::process::cause(&error),
        })),
        _ => Ok(()),
    }
}

/// The colours for what people read on standard error: `--color` > `NO_COLOR` > `CLICOLOR_FORCE` > terminal.
#[must_use]
pub fn palette(common: &Common) -> Palette {
    if coloured(common, std::io::stderr().is_terminal()) { Palette::coloured() } else { Palette::default() }
}

/// Whether a stream has colours.
fn coloured(common: &Common, is_terminal: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    match common.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => !set("NO_COLOR") && (set("CLICOLOR_FORCE") || is_terminal),
    }
}
