//! Where what was typed is kept from session to session: a file that only its owner can read.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use crate::places;

/// `$XDG_STATE_HOME/qhop/history`, or below `~/.local/state`; nothing where no such file can be had.
#[must_use]
pub fn file() -> Option<PathBuf> {
    let directory = places::state()?.join("qhop");
    DirBuilder::new().recursive(true).mode(0o700).create(&directory).ok()?;
    let path = directory.join("history");
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path).ok()?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).ok()?;
    Some(path)
}
