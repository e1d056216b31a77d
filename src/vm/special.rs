//! QMP commands that go another way than the others: out of band, or with a descriptor.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::io::Errno;
use serde_json::Value;

use super::Vm;
use crate::error::{Error, Result};
use crate::qemu::process::cause;

impl Vm {
    /// One QMP command out of band: QEMU does it at once, whatever else it is doing.
    pub async fn qmp_oob(&self, command: &str, arguments: Value) -> Result<Value> {
        match self.0.control.execute_oob(self.name(), command, arguments).await {
            Err(error) => Err(self.last_words(error).await),
            reply => reply,
        }
    }

    /// One QMP command that takes a descriptor along: `getfd`, `add-fd`. It is of the file at `path`, opened for
    /// writing, too, where that is allowed.
    pub async fn qmp_fd(&self, command: &str, arguments: Value, path: &str) -> Result<Value> {
        let file = opened(path).map_err(|error| Error::File {
            operation: "open",
            path: path.to_owned(),
            cause: cause(&error),
        })?;
        match self.0.control.execute_with_fd(self.name(), command, arguments, file.as_fd()).await {
            Err(error) => Err(self.last_words(error).await),
            reply => reply,
        }
    }
}

/// A file as QEMU would open it. A pipe that nobody writes to is no reason to wait.
fn opened(path: &str) -> io::Result<File> {
    let open =
        |access| open(path, access | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty());
    let file = match open(OFlags::RDWR) {
        Err(Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::ISDIR) => open(OFlags::RDONLY)?,
        file => file?,
    };
    // QEMU sees these flags, too, and does not expect this one.
    fcntl_setfl(&file, OFlags::empty())?;
    Ok(file.into())
}
