//! Whether the memory of the built-in guest is whole, as seen from outside.

use std::fs::File;
use std::io::Read;
use std::ops::Range;

use serde_json::json;
use tokio::task::spawn_blocking;

use super::Vm;
use crate::error::{Error, Result};
use crate::qemu::directory::Directory;
use crate::qemu::guest::{Check, Intact, STATUS};
use crate::qemu::process::cause;

/// How much of the guest's memory is looked at in one go.
const CHUNK_BYTES: usize = 1 << 20;

impl Vm {
    /// Stop the guest, compare its memory with what it must have written, and let it go on.
    pub async fn check_memory(&self) -> Result<Intact> {
        // Of a QEMU that somebody else started it is not known; the memory itself will tell.
        let has_rom = self.args().iter().any(|word| word.trim_start_matches('-') == "option-rom");
        if !has_rom && self.0.directory.is_some() {
            return Err(Error::Argument {
                function: "check_memory".to_owned(),
                cause: format!("vm `{}` does not run the built-in guest", self.name()),
                hint: "launch it with `guest: \"heartbeat\"`".to_owned(),
            });
        }
        let vm = self.clone();
        // On its own, so that a guest that was stopped goes on whatever becomes of who asked.
        let check = tokio::spawn(async move {
            let running = vm.status().await? == "running";
            if running {
                vm.qmp("stop", json!({})).await?;
            }
            let result = vm.check_stopped_memory().await;
            if running {
                vm.qmp("cont", json!({})).await?;
            }
            result
        });
        check.await.unwrap_or_else(|_| Err(self.damaged("the check itself broke off".to_owned())))
    }

    async fn check_stopped_memory(&self) -> Result<Intact> {
        let mut status = Vec::new();
        let (mut file, path) = self.save_memory(STATUS).await?;
        file.read_to_end(&mut status).map_err(|error| unreadable(&path, &error))?;
        let Some(mut check) = Check::new(&status) else {
            return Err(self.damaged("no built-in guest runs there (yet)".to_owned()));
        };
        let (file, path) = self.save_memory(check.memory()).await?;
        // Gigabytes, perhaps: not on the thread that serves the monitors.
        let read = spawn_blocking(move || {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            loop {
                chunk.clear();
                if (&file).take(CHUNK_BYTES as u64).read_to_end(&mut chunk)? == 0 {
                    return Ok(check);
                }
                check.feed(&chunk);
            }
        });
        let check = read.await.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
        let check = check.map_err(|error| unreadable(&path, &error))?;
        check.finish().map_err(|damage| self.damaged(damage.to_string()))
    }

    /// A range of the guest's physical memory as a file, which has no name any more.
    async fn save_memory(&self, range: Range<u64>) -> Result<(File, String)> {
        const FILE: &str = "memory";
        // A QEMU that somebody else started has none of its own.
        let made = if self.0.directory.is_some() { None } else { Some(Directory::create(self.name())?) };
        let Some(directory) = self.0.directory.as_deref().or(made.as_ref()) else {
            return Err(self.damaged("there is no directory to read it into".to_owned()));
        };
        let path = directory.join(FILE).to_string_lossy().into_owned();
        let arguments = json!({ "val": range.start, "size": range.end - range.start, "filename": path });
        let saved = self.qmp("pmemsave", arguments).await;
        let file = saved.and_then(|_| directory.open(FILE));
        directory.remove_file(FILE);
        Ok((file?, path))
    }

    fn damaged(&self, damage: String) -> Error {
        Error::Memory { vm: self.name().to_owned(), damage }
    }
}

fn unreadable(path: &str, error: &std::io::Error) -> Error {
    Error::File { operation: "read", path: path.to_owned(), cause: cause(error) }
}
