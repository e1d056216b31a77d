//! `qhop run`: a recipe with its parameters, from its file to its outcome.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::AbortHandle;
use tracing_subscriber::fmt::MakeWriter;

use super::list::unknown;
use super::print;
use crate::cli::{Arguments, Common, OWN_FLAGS, Words};
use crate::error::Error;
use crate::onlooker::Onlooker;
use crate::progress::Progress;
use crate::qemu::process::cause;
use crate::record::Record;
use crate::report::{Ending, Report};
use crate::script::diagnostic::{Failure, Palette};
use crate::script::interrupt::Interrupt;
use crate::script::nearest::did_you_mean;
use crate::script::recipe::{self, Source};
use crate::script::runner::{End, Script};
use crate::script::session::{Output, Session, Sink};
use crate::script::usage;

/// Run a recipe: its name, path, or `-`, and its words.
pub fn run(words: &[String], common: &mut Common) -> Result<u8, Failure> {
    let (name, words) = match words.split_first() {
        Some((name, _)) if ["-h", "--help"].contains(&name.as_str()) => return own_help(),
        Some((name, words)) => (name.as_str(), words),
        None => {
            return Err(usage_error("which recipe is to be run?", "`qhop list` shows the shipped recipes"));
        }
    };
    let (runtime, session) = start()?;
    let found = find(name).and_then(|source| Script::load(session.clone(), source));
    let script = found.inspect_err(|_| {
        // Which words are the recipe's own is not known without it; how to report that is.
        let (own, _) = usage::separate(words, &OWN_FLAGS);
        if let Ok(own) = Words::try_parse_from(&own) {
            common.merge(&own);
        }
    })?;

    // A parameter of the recipe goes before an option of qhop that has the same name.
    let parameters = script.parameters()?;
    let is_free = |flag: &usage::Flag| parameters.iter().all(|it| flag.name != format!("--{}", it.name));
    let flags: Vec<usage::Flag> = OWN_FLAGS.into_iter().filter(is_free).collect();
    let (own, words) = usage::separate(words, &flags);
    let own = Words::try_parse_from(&own).map_err(|error| {
        usage_error(error.kind().to_string().as_str(), "`qhop --help` shows qhop's own options")
    })?;
    common.merge(&own);
    if own.help {
        print(usage::help(name, &script.header(), &parameters).trim_end())?;
        return Ok(0);
    }
    script.set_parameters(usage::read(&parameters, &words).map_err(|error| Failure::from(&error))?);
    let end = evaluate(&runtime, &session, script, common);
    finish(end?, common)
}

/// A recipe in place of a subcommand: a file, or a slip.
pub fn file(words: &[String], common: &mut Common) -> Result<u8, Failure> {
    let word = words.first().map(String::as_str).unwrap_or_default();
    if word == "-" || Path::new(word).exists() || word.contains('/') || recipe::shipped(word).is_some() {
        return run(words, common);
    }
    let command = Arguments::command();
    let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let near = did_you_mean(word, names);
    let help = "`qhop --help` shows the commands, `qhop list` the shipped recipes".to_owned();
    let hint = if near.is_empty() { help } else { near };
    Err(usage_error(&format!("`{word}` is neither a command nor a recipe"), &hint))
}

fn usage_error(message: &str, hint: &str) -> Failure {
    Failure::from(&Error::Usage { message: message.to_owned(), hint: hint.to_owned() })
}

/// `qhop run --help`.
fn own_help() -> Result<u8, Failure> {
    let mut command = Arguments::command();
    command.build();
    if let Some(run) = command.find_subcommand_mut("run") {
        print(run.render_long_help().to_string().trim_end())?;
    }
    Ok(0)
}

/// A runtime and a session, for a script that is yet to be compiled.
pub fn start() -> Result<(Runtime, Session), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| not_started(&error))?;
    let session = Session::new(runtime.handle().clone());
    Ok((runtime, session))
}

/// Run a script to its end, with its output wired up, and signals and the deadline watched.
pub fn evaluate(
    runtime: &Runtime,
    session: &Session,
    script: Script,
    common: &Common,
) -> Result<End, Failure> {
    let progress = Progress::new(!common.json);
    let report = common.report.as_deref().map(|path| Report::at(path, script.name(), script.text()));
    let report =
        report.transpose().map_err(|error| usage_error(&error.to_string(), "nothing was started"))?;
    trace(common.verbose, progress.clone());
    session.set_output(output(&progress, report.as_ref(), common.json));
    if report.is_some() || progress.is_on() {
        session.set_onlooker(onlooker(progress.clone(), report.clone()));
    }
    record(session, script.name(), common);
    let interrupt = session.interrupt().clone();
    watch(runtime, move |cause| interrupt.raise(cause))?;
    if let Some(limit) = common.timeout {
        end_after(runtime, session.interrupt(), limit, "the recipe");
    }
    let end = script.run();
    progress.end();
    if let Some(report) = report {
        // The run is what it is: its exit code says what became of the guests.
        if let Err(error) = report.write(&ending(&end)) {
            let _ = writeln!(std::io::stderr(), "warning: there is no report: {error}");
        }
    }
    end
}

fn output(progress: &Progress, report: Option<&Report>, json: bool) -> Output {
    let sink = |to_people: bool| -> Arc<Sink> {
        let (progress, report) = (progress.clone(), report.cloned());
        Arc::new(move |text: &str| {
            if let Some(report) = &report {
                report.said(text);
            }
            progress.above(|| {
                if to_people {
                    writeln!(std::io::stderr(), "{text}")
                } else {
                    writeln!(std::io::stdout(), "{text}")
                }
            })
        })
    };
    // With `--json`, standard output belongs to the one object.
    Output { print: sink(json), log: sink(true) }
}

fn onlooker(progress: Progress, report: Option<Report>) -> Onlooker {
    Arc::new(move |told| {
        progress.hear(told);
        if let Some(report) = &report {
            report.hear(told);
        }
    })
}

/// How a run ended, for its report.
pub fn ending(end: &Result<End, Failure>) -> Ending {
    match end {
        Ok(End::Value(value)) => Ending::Well(value.text.clone()),
        Ok(End::Exit(code)) => Ending::Early(format!("exit {code}")),
        Ok(End::Skipped(reason)) => Ending::Early(format!("skipped: {reason}")),
        Err(failure) => Ending::Badly(failure.render(&Palette::default()), failure.code),
    }
}

/// The failure of what never fails.
pub fn internal(error: &dyn std::fmt::Display) -> Failure {
    let program = "the session".to_owned();
    Failure::from(&Error::Start { program, cause: error.to_string(), hint: String::new() })
}

/// Let a run keep a record, unless its user does without. `title` is what it is called there.
pub fn record(session: &Session, title: &str, common: &Common) {
    session.gate().set_record(if common.no_record { Record::off() } else { Record::of(title) });
}

fn not_started(error: &std::io::Error) -> Failure {
    let program = "the runtime".to_owned();
    Failure::from(&Error::Start { program, cause: cause(error), hint: String::new() })
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

/// The text of a recipe, by its path or name, or `-`.
pub fn find(name: &str) -> Result<Source, Failure> {
    let failed = |error: std::io::Error| usage_error(&format!("cannot read `{name}`: {}", cause(&error)), "");
    if name == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
        return Ok(Source::standard_input(text));
    }
    if Path::new(name).exists()
        || name.contains('/')
        || Path::new(name).extension().is_some_and(|it| it == "rhai")
    {
        return std::fs::read_to_string(name).map(|text| Source::file(name, text)).map_err(failed);
    }
    recipe::shipped(name).map(|text| Source::shipped(name, text)).ok_or_else(|| unknown(name))
}

/// Ctrl-C, `SIGTERM` and `SIGHUP` end what `raise` ends; each further signal ends what still runs then.
pub fn watch(runtime: &Runtime, raise: impl Fn(Error) + Clone + Send + 'static) -> Result<(), Failure> {
    let _context = runtime.enter();
    for (kind, name, number) in [
        (SignalKind::interrupt(), "SIGINT", 2),
        (SignalKind::terminate(), "SIGTERM", 15),
        (SignalKind::hangup(), "SIGHUP", 1),
    ] {
        let mut signals = signal(kind).map_err(|error| not_started(&error))?;
        let raise = raise.clone();
        runtime.spawn(async move {
            while signals.recv().await.is_some() {
                raise(Error::Interrupted { cause: format!("interrupted by {name}"), code: 128 + number });
            }
        });
    }
    Ok(())
}

/// Let the deadline end a script, unless the handle is aborted before.
pub fn end_after(runtime: &Runtime, interrupt: &Interrupt, limit: Duration, what: &str) -> AbortHandle {
    let interrupt = interrupt.clone();
    let cause = format!("{what} took longer than {}", crate::units::Seconds(limit));
    let timer = runtime.spawn(async move {
        tokio::time::sleep(limit).await;
        interrupt.raise(Error::Interrupted { cause, code: 6 });
    });
    timer.abort_handle()
}

/// `-v`: effects; `-vv`: exchanges with monitors.
pub fn trace(verbose: u8, to: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    let level = match verbose {
        0 => return,
        1 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    let _ = tracing_subscriber::fmt()
        .with_writer(to)
        .with_max_level(level)
        .with_ansi(false)
        .with_target(false)
        .try_init();
}
