//! The QEMUs that the tests run, whatever else the machine has: `make lab` installs them. Only there in tests.

use std::path::{Path, PathBuf};

/// Every one that runs x86-64 guests.
pub(crate) fn binaries() -> Vec<PathBuf> {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/lab/bin");
    let entries = lab.read_dir().unwrap_or_else(|error| panic!("{}: {error}: `make lab`", lab.display()));
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with("-system-x86_64"))
        .collect();
    found.sort();
    found
}

/// The one that tests run that do not ask for any other.
pub(crate) fn binary() -> PathBuf {
    let found = binaries().into_iter().find(|path| path.ends_with("qemu-10.0-system-x86_64"));
    found.expect("`make lab` installs a QEMU 10.0")
}
