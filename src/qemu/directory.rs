//! The private directory of a QEMU that qhop starts.

use std::fs::{self, File, Permissions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::geteuid;

use super::process::cause;
use crate::error::{Error, Result};
use crate::places;

/// How much of a log file is read back at most: the tail explains a failure, the rest is in the file.
const TAIL_BYTES: u64 = 64 * 1024;

/// The path of a unix socket has 107 bytes at most; the rest is for `/qhop-…/migrate`.
const BASE_BYTES: usize = 107 - "/qhop-0123456789abcdef-tmptmp/migrate".len();

/// What its name begins with.
const PREFIX: &str = "qhop-";

/// A directory of one `Vm`: sockets, logs, boot sector. Only its owner can enter it (mode 0700).
///
/// Dropping it removes it with everything in it, unless it was told to `keep`.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    kept: AtomicBool,
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !self.kept.load(Ordering::Relaxed) {
            // What cannot be removed stays.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

impl Directory {
    /// Make a new one, see [`places::runtime`].
    pub fn create(name: &str) -> Result<Self> {
        let base = places::runtime(BASE_BYTES);
        let short: String = name.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{short}-"))
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&base)
            .map(|directory| Self { path: directory.keep(), kept: AtomicBool::new(false) })
            .map_err(|error| file_error("create a directory in", &base, &error))
    }

    /// The path of a file in it.
    #[must_use]
    pub fn join(&self, file: &str) -> PathBuf {
        self.path.join(file)
    }

    /// Write a file in it, whole.
    pub fn write(&self, file: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.join(file);
        fs::write(&path, bytes).map_err(|error| file_error("write", &path, &error))?;
        Ok(path)
    }

    /// Open a file in it for reading.
    pub fn open(&self, file: &str) -> Result<File> {
        let path = self.join(file);
        File::open(&path).map_err(|error| file_error("read", &path, &error))
    }

    /// Remove one file; one that is not there is fine.
    pub fn remove_file(&self, file: &str) {
        let _ = fs::remove_file(self.join(file));
    }

    /// The one of a QEMU that an earlier run has started; `None` if it is not such a directory, or not ours. It stays
    /// unless it is removed.
    #[must_use]
    pub fn adopt(path: &Path) -> Option<Self> {
        let data = fs::symlink_metadata(path).ok()?;
        let is_named = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        let is_private = data.permissions().mode() & 0o777 == 0o700 && data.uid() == geteuid().as_raw();
        (data.is_dir() && is_named && is_private)
            .then(|| Self { path: path.to_owned(), kept: AtomicBool::new(true) })
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How long a file in it is; 0 if there is none.
    #[must_use]
    pub fn length(&self, file: &str) -> u64 {
        fs::metadata(self.join(file)).map_or(0, |data| data.len())
    }

    /// Let it outlive this value, or not.
    pub fn set_kept(&self, kept: bool) {
        self.kept.store(kept, Ordering::Relaxed);
    }

    /// What a file holds from byte `from` on; nothing if it is not there (yet).
    #[must_use]
    pub fn read_from(&self, file: &str, from: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Ok(mut file) = File::open(self.join(file)) {
            // What could be read before an error is still what the file holds.
            let _ = file.seek(SeekFrom::Start(from)).and_then(|_| file.read_to_end(&mut bytes));
        }
        bytes
    }

    /// The tail of a text file (64 KiB at most).
    #[must_use]
    pub fn tail(&self, file: &str) -> String {
        let from = self.length(file).saturating_sub(TAIL_BYTES);
        String::from_utf8_lossy(&self.read_from(file, from)).into_owned()
    }
}

/// A file operation that failed, as an error.
pub(super) fn file_error(operation: &'static str, path: &Path, error: &std::io::Error) -> Error {
    Error::File { operation, path: path.display().to_string(), cause: cause(error) }
}
