//! qhop scripts QEMU: launch it, talk to its monitor, wait for its state; and, on top of that, move a
//! running guest into another QEMU without losing it.
//!
//! # Layout: one direction, from the command line down to the socket
//!
//! - `main`: arguments in, exit code out.
//! - `lib`: this map; [`run`], the only place that prints an error.
//! - [`cli`]: the command line as data.
//! - [`commands`]: one file per subcommand.
//! - [`manual`]: what there is to call, for readers: at the `terminal`, as `markdown`, as a `book` of web pages, as
//!   `definitions` for editors.
//! - [`repl`]: the session that people sit in: `input` (a line editor or a pipe), `complete` (from `context` and
//!   what each QEMU `offer`s), `notices` and `watch` (events above the line), `commands` and `obey`, `save`.
//! - [`script`]: everything that names Rhai: `runner` (a script from text to outcome), `dialogue` (entry by
//!   entry), `engine`, `session` (one run, what it holds, and the one way across to the runtime), `gate` (every effect
//!   passes it), `interrupt`, `api/` (one file per subject), `value`, `options`, `resolver`, `parameters`, `usage`,
//!   `recipe`, `sources`, `failure`, `diagnostic`, `nearest`, `slip` (a command that QEMU does not know), `check` (what
//!   is wrong in a text, without running it), `suite` (the tests in a recipe).
//! - [`vm`]: a QEMU process and its monitor: `start`, `attach`, `control` (by either kind of monitor), `wait`, `guard`
//!   (what is refused), `memory` (of the built-in guest).
//! - [`qemu`]: the QEMU program: `process` (started, watched, signalled), `attached` (found by its process id),
//!   `command_line`, `arguments` (read as QEMU reads them), `monitors` (which they open), `guest` (the built-in one),
//!   `offer` (what a QEMU says that it knows).
//! - [`migration`]: `state` (who has the guest, what is allowed), `explain` (message → cause → remedy), `plan` (what
//!   differs between two ends, and the modes that they can do), `sample` (its figures at one moment).
//! - [`monitor`]: a monitor over a socket: `Monitor` (QMP) and `Human`, `probe` (which of the two answers), `qmp` and
//!   `hmp` (bytes ↔ messages; `tree`: the devices), `translation` (QMP commands for a human monitor), `address`, `events`.
//! - [`record`]: what a run notes of itself, so that another qhop can finish or undo what it did: `steps` (must not
//!   fail), `log` (may have gaps), `store` (where they are), `run` (what one says).
//! - [`onlooker`]: what is told of a run while it goes on; [`report`]: that as a page: `account` (what is kept of it),
//!   `course` (one migration), `timeline` (its drawing), `page`, `progress` (a migration as a line).
//! - [`progress`]: these lines on a terminal, while a script runs.
//! - [`host`]: the commands of the machine; [`places`]: the user's directories; [`units`]: durations and sizes as text; [`error`]: what can go wrong.
//!
//! Beside the crate, and embedded in it: `stdlib/*.rhai`, the recipe verbs, and `scripts/*.rhai`, the
//! shipped recipes.
//!
//! # Invariants, checked by `tests/it/tidy.rs`
//!
//! - `rhai` is named only in `script/`. Below, values are `serde_json::Value`.
//! - Pure modules (they say so) have no I/O and no `async`.
//! - There is exactly one `block_on`, in `script/session.rs`.
//! - Printing happens only here, in `commands/`, in `repl/`, by `progress`, and through the hooks that a session is given.
//! - Every script-visible function has a doc and an example, and every example runs.

pub mod cli;
pub mod commands;
pub mod error;
pub mod host;
pub mod manual;
pub mod migration;
pub mod monitor;
pub mod onlooker;
pub mod places;
pub mod progress;
pub mod qemu;
pub mod record;
pub mod repl;
pub mod report;
pub mod script;
pub mod units;
pub mod vm;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

/// The program: read the command line, do what it says, and turn the result into an exit code.
#[must_use]
pub fn run() -> ExitCode {
    let (common, result) = match cli::Arguments::try_parse() {
        Ok(arguments) => commands::run(arguments),
        // Help and version, which are asked for, are no errors.
        Err(error) if error.use_stderr() && std::env::args_os().any(|word| word == "--json") => {
            let common = cli::Common { json: true, ..Default::default() };
            (common, Err(commands::misunderstood(&error)))
        }
        Err(error) => error.exit(),
    };
    let code = result.unwrap_or_else(|failure| {
        if common.json {
            let _ = writeln!(std::io::stdout(), "{}", serde_json::json!({ "error": failure.to_json() }));
        } else {
            let _ = write!(std::io::stderr(), "{}", failure.render(&commands::palette(&common)));
        }
        failure.code
    });
    ExitCode::from(code)
}
