//! The reports of tests: a page for each, in one directory.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::stage::Task;
use crate::error::{Error, Result};
use crate::qemu::process::cause;
use crate::report::Report;

/// Make the directory, unless it is there.
///
/// # Errors
/// `File` if nothing can be written there.
pub fn prepare(directory: &Path) -> Result<()> {
    // What is said on the monitors is for nobody else.
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| {
        let path = directory.display().to_string();
        Error::File { operation: "create", path, cause: cause(&error) }
    })
}

/// The report that is going to be of a test: `DIR/suite-a.test_boots.html`.
///
/// # Errors
/// `File`.
pub fn page(directory: &Path, task: &Task) -> Result<Report> {
    let title = format!("{}: {}", task.source.name, task.name);
    Report::at(&directory.join(file_name(&task.source.name, &task.name)), &title, &task.source.text)
}

fn file_name(recipe: &str, test: &str) -> PathBuf {
    let recipe = recipe.trim_start_matches(['.', '/']).trim_end_matches(".rhai");
    let plain: String =
        recipe.chars().map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    format!("{plain}.{test}.html").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_after_tests() {
        for (recipe, wanted) in [
            ("a.rhai", "a.test_x.html"),
            ("../suite/b two.rhai", "suite-b-two.test_x.html"),
            ("/abs/c", "abs-c.test_x.html"),
        ] {
            assert_eq!(file_name(recipe, "test_x"), Path::new(wanted));
        }
    }
}
