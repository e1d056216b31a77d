//! Where things of the user's are kept: those that outlast programs, and those of QEMUs that run.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// Where programs keep what is to outlast them: `$XDG_STATE_HOME`, or `~/.local/state`.
#[must_use]
pub fn state() -> Option<PathBuf> {
    absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))
}

/// Where the private directories of QEMUs are made: `$XDG_RUNTIME_DIR`, or the system's temporary directory where that is not
/// given or its path is longer than `longest` bytes. What a login has (`/run/user/UID`) goes with it, and a QEMU that lives
/// on could not be found again: then `/run/qhop` for root, and a directory of the user's state for others.
#[must_use]
pub fn runtime(longest: usize) -> PathBuf {
    let given = absolute("XDG_RUNTIME_DIR");
    let lasting = given.as_deref().filter(|given| goes_with_the_login(given)).and_then(|_| lasting());
    let fits = |place: &PathBuf| place.as_os_str().len() <= longest;
    lasting.filter(fits).or(given.filter(fits)).unwrap_or_else(std::env::temp_dir)
}

fn goes_with_the_login(place: &Path) -> bool {
    place.starts_with("/run/user")
}

fn lasting() -> Option<PathBuf> {
    let place = if geteuid().is_root() { "/run/qhop".into() } else { state()?.join("qhop/run") };
    DirBuilder::new().recursive(true).mode(0o700).create(&place).ok()?;
    Some(place)
}

fn absolute(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|place| place.is_absolute())
}
