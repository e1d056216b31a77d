//! `qhop doc`: the manual, at the terminal, as Markdown, as a book of web pages, as definitions for editors.

use std::io::{IsTerminal, stdout};
use std::path::Path;

use serde_json::json;

use super::{coloured, print, run};
use crate::cli::{Common, Doc};
use crate::error::Error;
use crate::manual::terminal::{self, Look};
use crate::manual::{Manual, book, definitions, markdown};
use crate::script::diagnostic::Failure;
use crate::script::recipe::Source;
use crate::script::runner::Script;
use crate::script::subjects::{recipes, rhais_own, subjects};

/// Print it, or write its files.
pub fn doc(options: &Doc, common: &Common) -> Result<u8, Failure> {
    let manual = manual()?;
    if let Some(directory) = &options.html {
        write(directory, &book::book(&manual, &commands()))?;
        print(&directory.join("index.html").to_string_lossy())?;
        return Ok(0);
    }
    if let Some(directory) = &options.definitions {
        let ours = ("qhop.d.rhai".to_owned(), definitions::definitions(&manual));
        write(directory, &[rhais_own(), vec![ours]].concat())?;
        print(&directory.join("qhop.d.rhai").to_string_lossy())?;
        return Ok(0);
    }
    let look = Look { width: width(), coloured: coloured(common, stdout().is_terminal()) };
    let text = match &options.name {
        Some(name) => {
            let found = manual.find(name).map_err(|error| Failure::from(&error))?;
            match () {
                () if common.json => json!({ "outcome": found.to_json() }).to_string(),
                () if options.markdown => markdown::found(&found),
                () => terminal::found(&found, look),
            }
        }
        None if common.json => json!({ "outcome": manual.to_json() }).to_string(),
        None if options.markdown => markdown::manual(&manual),
        None => terminal::overview(&manual, look),
    };
    print(&text)?;
    Ok(0)
}

/// What there is to say.
pub fn manual() -> Result<Manual, Failure> {
    let (_runtime, session) = run::start()?;
    let script = Script::load(session, Source::expression("()"))?;
    Ok(Manual { subjects: subjects(script.engine()), recipes: recipes(script.engine()) })
}

/// The help of qhop and of each of its subcommands.
fn commands() -> Vec<(String, String)> {
    let mut qhop = super::shell::command();
    qhop.build();
    let help = |command: &mut clap::Command| command.render_long_help().to_string();
    let mut found = vec![("qhop".to_owned(), help(&mut qhop))];
    for command in qhop.get_subcommands_mut().filter(|it| it.get_name() != "help") {
        found.push((format!("qhop {}", command.get_name()), help(command)));
    }
    found
}

/// Files into a directory, which is made if there is none.
pub fn write(directory: &Path, files: &[(String, String)]) -> Result<(), Failure> {
    let failed = |path: &Path, error: &std::io::Error| {
        Failure::from(&Error::File {
            operation: "write",
            path: path.display().to_string(),
            cause: crate::qemu::process::cause(error),
        })
    };
    std::fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    for (name, text) in files {
        let path = directory.join(name);
        std::fs::write(&path, text).map_err(|error| failed(&path, &error))?;
    }
    Ok(())
}

/// The width of the terminal; as wide as can be read, where there is none.
fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(stdout()).map(|size| usize::from(size.ws_col));
    size.ok().filter(|columns| *columns >= 20).unwrap_or(100)
}
