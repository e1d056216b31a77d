//! `qhop repl`: a session at the terminal, or entries from a pipe.

use std::io::{IsTerminal, stdin, stdout};

use super::run::{find, internal, record, start, trace};
use super::{coloured, palette};
use crate::cli::Common;
use crate::error::Error;
use crate::repl::{self, Settings};
use crate::script::diagnostic::Failure;
use crate::script::runner::STACK_BYTES;
use crate::script::usage;

/// Begin a session with what a recipe defines: its name, path, and its words.
pub fn repl(words: &[String], common: &Common) -> Result<u8, Failure> {
    if common.timeout.is_some() {
        let message = "a session has no `--timeout`".to_owned();
        return Err(Failure::from(&Error::Usage {
            message,
            hint: "each wait has one of its own".to_owned(),
        }));
    }
    let (runtime, session) = start()?;
    trace(common.verbose);
    record(&session, "repl", common);
    let recipe = words.first().map(|name| find(name)).transpose()?;
    if let Some(recipe) = &recipe {
        let script = crate::script::runner::Script::load(session.clone(), recipe.clone())?;
        let parameters = script.parameters()?;
        session.set_parameters(usage::read(&parameters, &words[1..]).map_err(|error| Failure::from(&error))?);
    }
    let interactive = stdin().is_terminal() && stdout().is_terminal() && !common.json;
    let coloured = coloured(common, stdout().is_terminal());
    let settings = Settings { interactive, coloured, palette: palette(common), json: common.json, find };
    let handle = runtime.handle().clone();
    // The entries' own thread, as that of a script: its stack is what the engine's limits allow.
    let thread = std::thread::Builder::new()
        .name("script".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || repl::run(session, settings, handle, recipe.as_ref()))
        .map_err(|error| internal(&error))?;
    thread.join().unwrap_or_else(|_| Err(internal(&"the thread of the session panicked")))
}
