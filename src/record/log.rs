//! The file of a record that may have gaps: effects, exchanges with monitors, events. The newest are kept.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How long the file may get before it is put aside for a new one, in bytes; the one before that is removed.
const LONGEST: u64 = 8 << 20;

/// The file, open for appending, unless it could not be had.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: Option<File>,
    length: u64,
}

impl Log {
    /// Open it, with what it has already.
    pub fn open(path: &Path) -> Self {
        let file = open(path);
        let length = file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |data| data.len());
        Self { path: path.to_owned(), file, length }
    }

    /// Append a line, if there is space.
    pub fn write(&mut self, line: &str) {
        if self.length > LONGEST {
            let _ = fs::rename(&self.path, self.path.with_extension("old"));
            self.file = open(&self.path);
            self.length = 0;
        }
        let Some(file) = &mut self.file else { return };
        // Of a line that there was no room for, the next attempt must not complete the half.
        match file.write(line.as_bytes()) {
            Ok(written) if written == line.len() => self.length += written as u64,
            Ok(_) => {
                let _ = file.set_len(self.length);
            }
            Err(_) => {}
        }
    }
}

fn open(path: &Path) -> Option<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).ok()
}
