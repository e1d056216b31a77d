//! The command line: what can be asked of qhop, as data.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::script::usage::Flag;
use crate::units::parse_duration;

/// Script QEMU: launch it, talk to its monitor, and move a running guest into another QEMU.
#[derive(Debug, Parser)]
#[command(name = "qhop", version, max_term_width = 100, after_help = EXIT_CODES, override_usage = USAGE)]
pub struct Arguments {
    /// What holds for every subcommand.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const USAGE: &str = "qhop [OPTIONS] COMMAND …\n       qhop [OPTIONS] FILE [--name value]…";

const EXIT_CODES: &str = "\
Exit codes: 0 ok, 1 the recipe failed, 2 usage, 3 does not compile, 4 an assertion failed, 5 environment \
(no QEMU, no permission), 6 timed out, 128+n ended by signal n; `exit(n)` in a recipe: n.";

/// Options of every subcommand.
#[derive(Debug, Clone, Default, Args)]
pub struct Common {
    /// Print one JSON object, with the outcome or the error, on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// When to colour what people read
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub color: Color,
    /// Show what the recipe does (-v), and every exchange with a monitor (-vv), on standard error
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Keep no record of the run: if qhop dies in it, nothing can be recovered
    #[arg(long, global = true)]
    pub no_record: bool,
    /// Write a report of the run, a page for a browser, however it ends; of tests, one for each, into a directory
    #[arg(long, global = true, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// End the recipe, or each test, after so long, as Ctrl-C would: `90s`, `5min`
    #[arg(long, global = true, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
}

/// When to colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` or `CLICOLOR_FORCE` says otherwise
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a recipe: a file, `-` for standard input, or the name of a shipped recipe
    #[command(disable_help_flag = true, override_usage = "qhop run [OPTIONS] RECIPE [--name value]…")]
    Run {
        /// The recipe, and its parameters as `--name value`; `qhop run RECIPE --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "RECIPE [--name value]")]
        words: Vec<String>,
    },
    /// Evaluate an expression and print its value
    Eval {
        /// The expression
        expression: String,
    },
    /// Sit in a session: launch guests, talk to them, try things out; from a pipe, entries one after another
    Repl {
        /// A recipe to begin with, and its parameters as `--name value`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "RECIPE [--name value]")]
        words: Vec<String>,
    },
    /// Look for what is wrong in recipes, without running anything of them
    Check(Check),
    /// Run the tests in recipes: each `fn test_…()`, on its own
    Test(Test),
    /// List the shipped recipes
    List,
    /// Print a shipped recipe, to start one of your own from
    New {
        /// The recipe's name
        recipe: String,
    },
    /// List the guests that qhop started or moved and that live still, and the runs that were left undone
    Ps,
    /// Finish or undo what a qhop that died has left undone
    Recover {
        /// The run, as `qhop ps` names it; the only one if there is one
        run: Option<String>,
        /// Change nothing, and say what is where
        #[arg(long)]
        dry_run: bool,
        /// End the QEMUs, too, that its script had launched and would have ended
        #[arg(long)]
        end: bool,
    },
    /// Say what this machine can do: its QEMUs, their accelerators, postcopy, shared memory
    Doctor,
    /// Explain what a script can call, and the shipped recipes
    Doc(Doc),
    /// Print a script that completes qhop's command line in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print qhop's manual page, or that of a subcommand
    Man {
        /// The subcommand
        command: Option<String>,
    },
    /// A recipe in place of a subcommand
    #[command(external_subcommand)]
    File(Vec<String>),
}

/// The options of `qhop doc`.
#[derive(Debug, Args)]
pub struct Doc {
    /// A function (`launch`, `vm.hmp`), a subject or a shipped recipe; everything in short, if not given
    #[arg(conflicts_with_all = ["html", "definitions"])]
    pub name: Option<String>,
    /// As Markdown
    #[arg(long, conflicts_with_all = ["html", "definitions", "json"])]
    pub markdown: bool,
    /// Write a book of web pages into this directory
    #[arg(long, value_name = "DIR", conflicts_with = "definitions")]
    pub html: Option<PathBuf>,
    /// Write definitions for editors (`.d.rhai`) into this directory
    #[arg(long, value_name = "DIR")]
    pub definitions: Option<PathBuf>,
}

/// The options of `qhop check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Files, `-` for standard input, or names of shipped recipes
    #[arg(required = true, value_name = "RECIPE")]
    pub recipes: Vec<String>,
    /// Hold literal QMP commands against what this QEMU knows
    #[arg(long, value_name = "BINARY")]
    pub qemu: Option<String>,
    /// For whom the findings are
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// How findings are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON object, as with `--json`
    Json,
    /// Workflow commands, which GitHub shows at the lines of a change
    Github,
}

/// The options of `qhop test`.
#[derive(Debug, Args)]
pub struct Test {
    /// Recipes, and directories with recipes
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// How many tests run at the same time
    #[arg(short, long, value_name = "N", default_value = "1")]
    pub jobs: NonZeroUsize,
    /// Only the tests that have this in their name or in that of their file
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Begin no other test once one has failed
    #[arg(long)]
    pub fail_fast: bool,
    /// How often a test that fails is tried again
    #[arg(long, value_name = "N", default_value = "0")]
    pub retries: usize,
    /// A value for what the recipes ask for by `param`
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub parameters: Vec<(String, String)>,
    /// Write a report to this file, in the XML of `JUnit`
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Report in TAP, version 14
    #[arg(long, conflicts_with = "json")]
    pub tap: bool,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it has no `=`")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// qhop's own options among a recipe's words: `qhop run RECIPE --name value --json`.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
pub struct Words {
    /// As before the recipe
    #[command(flatten)]
    pub common: Common,
    /// Show the recipe's help
    #[arg(short, long)]
    pub help: bool,
}

impl Common {
    /// Add what was said later.
    pub fn merge(&mut self, later: &Words) {
        self.json |= later.common.json;
        self.no_record |= later.common.no_record;
        self.verbose += later.common.verbose;
        self.timeout = later.common.timeout.or(self.timeout);
        if later.common.report.is_some() {
            self.report.clone_from(&later.common.report);
        }
        if later.common.color != Color::Auto {
            self.color = later.common.color;
        }
    }
}

/// What `Words` reads: qhop's own options may stand among a recipe's words.
pub const OWN_FLAGS: [Flag; 9] = [
    Flag { name: "--json", takes_value: false },
    Flag { name: "--color", takes_value: true },
    Flag { name: "--no-record", takes_value: false },
    Flag { name: "--report", takes_value: true },
    Flag { name: "--verbose", takes_value: false },
    Flag { name: "-v", takes_value: false },
    Flag { name: "-vv", takes_value: false },
    Flag { name: "--timeout", takes_value: true },
    Flag { name: "--help", takes_value: false },
];
