//! The file of a record that must not fail: the run, its QEMUs, its steps, its end. The space for them is set aside
//! beforehand, so that a disk that fills up in the middle of a migration does not matter.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};

use crate::error::{Error, Result};
use crate::qemu::process::cause;

/// The space that is set aside, in bytes. A migration takes about 4 KiB, a `Vm` less than one.
const RESERVE: u64 = 64 << 10;

/// The file, open for appending.
#[derive(Debug)]
pub struct Steps {
    file: File,
    length: u64,
    reserved: u64,
    /// Whether half a line is at its end.
    torn: bool,
}

impl Steps {
    /// Open it, and set space aside.
    ///
    /// # Errors
    /// `Record` if it cannot be opened, or there is no space.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |error: &std::io::Error| Error::Record {
            cause: format!("cannot write `{}`: {}", path.display(), cause(error)),
        };
        let file = File::options().append(true).open(path).map_err(|error| failed(&error))?;
        let length = file.metadata().map_err(|error| failed(&error))?.len();
        let mut steps = Self { file, length, reserved: length, torn: false };
        steps.reserve().map_err(|error| failed(&error))?;
        Ok(steps)
    }

    /// Append a line, whether or not there was space to set aside.
    ///
    /// # Errors
    /// The cause in the system's words.
    pub fn write(&mut self, line: &str) -> Result<(), String> {
        // What was set aside before is still there.
        let _ = self.reserve();
        self.append(line)
    }

    /// Append a line that others must be able to follow.
    ///
    /// # Errors
    /// The cause in the system's words.
    pub fn write_first(&mut self, line: &str) -> Result<(), String> {
        let reserved = self.reserve();
        if self.reserved < self.length + RESERVE / 2 {
            reserved.map_err(|error| format!("cannot set space aside for it: {}", cause(&error)))?;
        }
        self.append(line)
    }

    /// Give back what was set aside.
    pub fn trim(&mut self) {
        let _ = self.file.set_len(self.length);
        self.reserved = self.length;
    }

    fn append(&mut self, line: &str) -> Result<(), String> {
        let line = if self.torn { format!("\n{line}") } else { line.to_owned() };
        let written = self.file.write(line.as_bytes()).map_err(|error| cause(&error))?;
        self.length += written as u64;
        self.torn = written < line.len();
        if self.torn { Err("the disk is full".to_owned()) } else { Ok(()) }
    }

    /// Set space aside as soon as a quarter of it is used up.
    fn reserve(&mut self) -> std::io::Result<()> {
        if self.length + RESERVE * 3 / 4 <= self.reserved {
            return Ok(());
        }
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, self.length, RESERVE).map_err(Into::into) {
            Ok(()) => {}
            // Not every file system can; then nothing is to be had but the attempt.
            Err(error) if unsupported(&error) => {}
            Err(error) => return Err(error),
        }
        self.reserved = self.length + RESERVE;
        Ok(())
    }
}

fn unsupported(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::Unsupported
}
