//! `qhop repl`: a session at the terminal, or entries from a pipe.

use std::io::{IsTerminal, stdin, stdout};
use std::sync::Arc;

use clap::Parser;

use super::run::{find, internal, record, start, trace};
use super::{coloured, misunderstood, palette, print};
use crate::cli::{Common, OWN_FLAGS, Words};
use crate::error::Error;
use crate::progress::Progress;
use crate::repl::{self, Notices, Settings};
use crate::script::diagnostic::Failure;
use crate::script::runner::{STACK_BYTES, Script};
use crate::script::usage;

/// Begin a session with what a recipe defines: its name or path, and its words.
pub fn repl(words: &[String], common: &mut Common) -> Result<u8, Failure> {
    let (runtime, session) = start()?;
    let recipe = words.first().map(|name| find(name)).transpose()?;
    if let Some(recipe) = &recipe {
        let (own, words) = usage::separate(&words[1..], &OWN_FLAGS);
        let own = Words::try_parse_from(&own).map_err(|error| misunderstood(&error))?;
        common.merge(&own);
        let script = Script::load(session.clone(), recipe.clone())?;
        let parameters = script.parameters()?;
        if own.help {
            print(usage::help(script.name(), &script.header(), &parameters).trim_end())?;
            return Ok(0);
        }
        session.set_parameters(usage::read(&parameters, &words).map_err(|error| Failure::from(&error))?);
    }
    if common.timeout.is_some() {
        let message = "a session has no `--timeout`".to_owned();
        return Err(Failure::from(&Error::Usage {
            message,
            hint: "each wait has one of its own".to_owned(),
        }));
    }
    if common.report.is_some() {
        let message = "a session has no `--report`".to_owned();
        let hint = "`:save` it as a recipe, and `qhop run --report`".to_owned();
        return Err(Failure::from(&Error::Usage { message, hint }));
    }
    record(&session, "repl", common);
    let interactive = stdin().is_terminal() && stdout().is_terminal() && !common.json;
    let coloured = coloured(common, stdout().is_terminal());
    let progress = Progress::new(interactive);
    if progress.is_on() {
        let onlooker = progress.clone();
        session.set_onlooker(Arc::new(move |told| onlooker.hear(told)));
    }
    let notices = Notices::new(coloured, progress);
    trace(common.verbose, notices.clone());
    let (palette, json) = (palette(common), common.json);
    let settings = Settings { interactive, coloured, notices, palette, json, find };
    let handle = runtime.handle().clone();
    // The entries' own thread, as that of a script: its stack is what the engine's limits allow.
    let thread = std::thread::Builder::new()
        .name("script".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || repl::run(session, settings, handle, recipe.as_ref()))
        .map_err(|error| internal(&error))?;
    thread.join().unwrap_or_else(|_| Err(internal(&"the thread of the session panicked")))
}
