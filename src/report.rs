//! A run as a page that people read: what it moved and how, drawn, and everything that was said.
//!
//! [`Report`] listens while the run goes on, and is written once at its end, however it ends. What a page says is
//! bounded, and nothing on it comes from elsewhere or is a program: guests write into it.

mod account;
mod course;
mod figures;
mod markup;
mod page;
pub mod progress;
mod timeline;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::onlooker::Told;
use crate::qemu::process::cause;
use account::Account;
pub use account::Ending;

/// The report that is going to be of a run. Cheap to clone; every clone is the same.
#[derive(Clone)]
pub struct Report {
    path: PathBuf,
    account: Arc<Mutex<Account>>,
}

impl Report {
    /// One that will be at `path`. `title` is the recipe as its user named it, `recipe` its text.
    ///
    /// # Errors
    /// `File` if it can be seen beforehand that nothing can be written there.
    pub fn at(path: &Path, title: &str, recipe: &str) -> Result<Self> {
        beside(path)?;
        let account = Arc::new(Mutex::new(Account::new(title, recipe)));
        Ok(Self { path: path.to_owned(), account })
    }

    /// Something has happened.
    pub fn hear(&self, told: &Told) {
        self.account().hear(told);
    }

    /// A line was printed.
    pub fn said(&self, line: &str) {
        self.account().said(line);
    }

    /// Write it, whole or not at all. It tells everything that was said: only its owner can read it.
    ///
    /// # Errors
    /// `File`.
    pub fn write(&self, ending: &Ending) -> Result<()> {
        let page = page::page(&self.account(), ending);
        let mut file = beside(&self.path)?;
        file.write_all(page.as_bytes()).map_err(|error| self.failed(&error))?;
        file.persist(&self.path).map(drop).map_err(|error| self.failed(&error.error))
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        failed(&self.path, error)
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file beside the report, which is to take its place.
fn beside(path: &Path) -> Result<tempfile::NamedTempFile> {
    if path.is_dir() {
        return Err(failed(path, &std::io::ErrorKind::IsADirectory.into()));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::Builder::new().prefix(".qhop-report-").tempfile_in(parent).map_err(|error| {
        // Its own words name the file that nobody has asked for.
        failed(path, &error.raw_os_error().map_or(error, std::io::Error::from_raw_os_error))
    })
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::File { operation: "write", path: path.display().to_string(), cause: cause(error) }
}
