//! `qhop test`: the tests of recipes, each in a session of its own, and what is told of them.

mod case;
mod junit;
mod pages;
mod stage;
mod tap;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

use self::case::{Case, Summary};
use self::stage::{Stage, Task};
use super::{coloured, print, run};
use crate::cli::{Common, Test};
use crate::error::Error;
use crate::qemu::process::cause;
use crate::script::diagnostic::{Failure, Palette};
use crate::script::recipe::Source;
use crate::script::runner::Script;
use crate::script::session::Session;

/// Run them, and tell how it went.
pub fn test(asked: &Test, common: &Common) -> Result<u8, Failure> {
    let (runtime, session) = run::start()?;
    // What a test printed is shown from `-v` on; what it did, for whoever wants even more.
    run::trace(common.verbose.saturating_sub(1), std::io::stderr);
    let tasks = tasks(asked, &session)?;
    if tasks.is_empty() {
        let message = match &asked.filter {
            Some(text) => format!("no test has `{text}` in its name"),
            None => "there is no test".to_owned(),
        };
        let hint = "a test is a function of a recipe whose name starts with `test_`: `fn test_boots() { … }`";
        return Err(Failure::from(&Error::Usage { message, hint: hint.to_owned() }));
    }
    let palette = if coloured(common, std::io::stdout().is_terminal()) {
        Palette::coloured()
    } else {
        Palette::default()
    };

    if let Some(directory) = &common.report {
        pages::prepare(directory).map_err(|error| Failure::from(&error))?;
    }
    let (start, count) = (Instant::now(), tasks.len());
    let stage = Stage::new(asked, common);
    run::watch(&runtime, stage.ender())?;
    if asked.tap {
        print(&tap::plan(count, std::env::var("TAP_VERSION").ok().as_deref()))?;
    }
    let mut cases: Vec<Case> = Vec::with_capacity(count);
    let mut broken = Ok(());
    stage.run(&runtime, &tasks, |case| {
        let text = if asked.tap {
            tap::point(cases.len() + 1, &case)
        } else if common.json {
            String::new()
        } else {
            case.text(&palette, common.verbose > 0)
        };
        cases.push(case);
        if broken.is_ok() && !text.is_empty() {
            broken = print(text.trim_end());
        }
    });
    broken?;

    let summary = Summary::of(&cases, start.elapsed());
    if let Some(path) = &asked.junit {
        std::fs::write(path, junit::report(&cases, &summary)).map_err(|error| not_written(path, &error))?;
    }
    match stage.cause() {
        _ if common.json => print(&summary.to_json(&cases).to_string())?,
        Some(cause) if asked.tap => print(&tap::bail_out(&cause.to_string()))?,
        _ if asked.tap => {}
        _ => print(&format!("\n{}", summary.text(&palette)))?,
    }
    Ok(match stage.cause() {
        Some(Error::Interrupted { code, .. }) => code,
        _ => summary.code,
    })
}

fn not_written(path: &Path, error: &std::io::Error) -> Failure {
    let path = path.display().to_string();
    Failure::from(&Error::File { operation: "write", path, cause: cause(error) })
}

/// What is to be run, in order: the tests of each file, or one task that fails for a file that does not compile.
fn tasks(asked: &Test, session: &Session) -> Result<Vec<Task>, Failure> {
    let mut tasks = Vec::new();
    for path in files(&asked.paths)? {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        let source = Source::file(&name, text);
        let task = |name: String, line, refused| Task { source: source.clone(), name, line, refused };
        match Script::load(session.clone(), source.clone()) {
            Ok(script) => tasks.extend(script.tests().into_iter().map(|test| {
                let refused = (test.arguments > 0).then(|| arguments(&test.name));
                task(test.name, test.line, refused)
            })),
            Err(failure) => tasks.push(task(String::new(), 0, Some(failure))),
        }
    }
    if let Some(text) = &asked.filter {
        tasks.retain(|task| task.name.contains(text) || task.source.name.contains(text));
    }
    Ok(tasks)
}

fn arguments(name: &str) -> Failure {
    let message = format!("the test `{name}` wants arguments, which nobody has for it");
    let hint =
        "ask for values by `param(\"name\", \"help\", default)`, and give them by `--param name=value`";
    Failure::from(&Error::Usage { message, hint: hint.to_owned() })
}

/// The files, and the recipes in and below the directories, each once and those of a directory in alphabetical order.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found: Vec<PathBuf> = Vec::new();
    for path in paths {
        if path.is_dir() { below(path, &mut found)? } else { found.push(path.clone()) }
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    Ok(found)
}

fn below(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| unreadable(directory, &error);
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    for entry in entries {
        let is_hidden = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        // A link to a directory may lead round in a circle.
        if entry.is_dir() && !entry.is_symlink() && !is_hidden {
            below(&entry, found)?;
        } else if entry.is_file() && entry.extension().is_some_and(|it| it == "rhai") && !is_hidden {
            found.push(entry);
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let message = format!("cannot read `{}`: {}", path.display(), cause(error));
    Failure::from(&Error::Usage { message, hint: String::new() })
}
