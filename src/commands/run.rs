//! `qhop run`: a recipe with its parameters, from its file to its outcome.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use clap::{CommandFactory, Parser};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::list::unknown;
use super::print;
use crate::cli::{Arguments, Common, OWN_FLAGS, Words};
use crate::error::Error;
use crate::script::diagnostic::Failure;
use crate::script::interrupt::Interrupt;
use crate::script::recipe::{self, Source};
use crate::script::runner::{End, Script};
use crate::script::session::{Output, Session};
use crate::script::usage;

/// Run the recipe of that name, path, or `-`.
pub fn run(name: &str, words: &[String], help: bool, common: &mut Common) -> Result<u8, Failure> {
    let (own, _) = usage::separate(words, &OWN_FLAGS);
    common.merge(&Words::read(&own)?);
    let source = find(name)?;
    let (runtime, session) = start(common)?;
    let script = Script::load(session, source)?;

    // A parameter of the recipe goes before an option of qhop that has the same name.
    let parameters = script.parameters()?;
    let declared = |flag: &usage::Flag| parameters.iter().any(|parameter| flag.name.trim_start_matches("--") == parameter.name);
    let flags: Vec<usage::Flag> = OWN_FLAGS.into_iter().filter(|flag| !declared(flag)).collect();
    let (own, words) = usage::separate(words, &flags);
    if help || Words::read(&own)?.help {
        print(usage::help(name, &script.header(), &parameters).trim_end())?;
        return Ok(0);
    }
    script.set_parameters(usage::read(&parameters, &words).map_err(|error| Failure::from(&error))?);
    let end = script.run();
    drop(runtime);
    finish(end?, common)
}

/// A word in place of a subcommand: a recipe's file, or a slip.
pub fn file(word: &str, words: &[String], common: &mut Common) -> Result<u8, Failure> {
    if word == "-" || Path::new(word).exists() || word.contains('/') || recipe::shipped(word).is_some() {
        return run(word, words, false, common);
    }
    let command = Arguments::command();
    let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let near = crate::script::nearest::did_you_mean(word, names);
    Err(Failure::from(&Error::Usage {
        message: format!("`{word}` is neither a command nor a recipe"),
        hint: if near.is_empty() { "`qhop --help` shows the commands, `qhop list` the shipped recipes".to_owned() } else { near },
    }))
}

/// `qhop run` with neither a recipe nor `--help`.
pub fn no_recipe() -> Failure {
    Failure::from(&Error::Usage {
        message: "which recipe is to be run?".to_owned(),
        hint: "`qhop run RECIPE`; `qhop list` shows the shipped recipes".to_owned(),
    })
}

/// `qhop run --help`.
pub fn own_help() -> Result<u8, Failure> {
    let mut command = Arguments::command();
    command.build();
    if let Some(run) = command.find_subcommand_mut("run") {
        print(run.render_long_help().to_string().trim_end())?;
    }
    Ok(0)
}

/// The runtime for a run, and its session: output wired up, signals and the deadline watched.
pub fn start(common: &Common) -> Result<(Runtime, Session), Failure> {
    trace(common.verbose);
    let failed = |error: std::io::Error| Failure::from(&Error::Start {
        program: "the runtime".to_owned(),
        cause: crate::qemu::process::cause(&error),
        hint: String::new(),
    });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(failed)?;
    let interrupt = Interrupt::default();
    watch(&runtime, &interrupt, common).map_err(failed)?;
    let json = common.json;
    let output = Output {
        // With `--json`, standard output belongs to the one object.
        print: Arc::new(move |text| {
            if json { writeln!(std::io::stderr(), "{text}") } else { writeln!(std::io::stdout(), "{text}") }
        }),
        log: Arc::new(|text| writeln!(std::io::stderr(), "{text}")),
    };
    let session = Session::new(runtime.handle().clone(), interrupt, output);
    Ok((runtime, session))
}

/// What the end of a script is for the command line: output and exit code.
pub fn finish(end: End, common: &Common) -> Result<u8, Failure> {
    let (json, code) = match end {
        End::Value(value) => (json!({ "outcome": value.json }), 0),
        End::Exit(code) => (json!({ "outcome": null, "exit": code }), code),
        End::Skipped(reason) => {
            if !common.json {
                let _ = writeln!(std::io::stderr(), "skipped: {reason}");
            }
            (json!({ "outcome": null, "skipped": reason }), 0)
        }
    };
    if common.json {
        print(&json.to_string())?;
    }
    Ok(code)
}

fn find(name: &str) -> Result<Source, Failure> {
    let failed = |error: std::io::Error| Failure::from(&Error::File {
        operation: "read",
        path: name.to_owned(),
        cause: crate::qemu::process::cause(&error),
    });
    if name == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
        return Ok(Source::standard_input(text));
    }
    if Path::new(name).exists() || name.contains('/') || name.ends_with(".rhai") {
        return std::fs::read_to_string(name).map(|text| Source::file(name, text)).map_err(failed);
    }
    recipe::shipped(name).map(|text| Source::shipped(name, text)).ok_or_else(|| unknown(name))
}

/// Ctrl-C, `SIGTERM`, `SIGHUP` and the deadline end the script; each further signal ends what still runs then.
fn watch(runtime: &Runtime, interrupt: &Interrupt, common: &Common) -> std::io::Result<()> {
    let _context = runtime.enter();
    for (kind, name, number) in [
        (SignalKind::interrupt(), "SIGINT", 2),
        (SignalKind::terminate(), "SIGTERM", 15),
        (SignalKind::hangup(), "SIGHUP", 1),
    ] {
        let mut signals = signal(kind)?;
        let interrupt = interrupt.clone();
        runtime.spawn(async move {
            while signals.recv().await.is_some() {
                interrupt.raise(Error::Interrupted { cause: format!("interrupted by {name}"), code: 128 + number });
            }
        });
    }
    if let Some(limit) = common.timeout {
        let interrupt = interrupt.clone();
        runtime.spawn(async move {
            tokio::time::sleep(limit).await;
            let cause = format!("the recipe took longer than {}", crate::units::Seconds(limit));
            interrupt.raise(Error::Interrupted { cause, code: 6 });
        });
    }
    Ok(())
}

/// `-v`: effects; `-vv`: exchanges with monitors.
fn trace(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    let _ = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(level)
        .with_ansi(false)
        .with_target(false)
        .try_init();
}

impl Words {
    fn read(words: &[String]) -> Result<Self, Failure> {
        Self::try_parse_from(words).map_err(|error| {
            let message = error.kind().to_string();
            Failure::from(&Error::Usage { message, hint: "`qhop --help` shows qhop's own options".to_owned() })
        })
    }
}
