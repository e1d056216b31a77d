//! What backs the guest's memory: which of it another QEMU on this host could map, and a copy of what it could not.

use std::fs::{metadata, read_dir, read_link, read_to_string};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{major, minor};
use serde_json::json;
use tokio::task::spawn_blocking;

use super::Vm;
use crate::error::{Error, Result};
use crate::qemu::backing::{Mapping, blocks, locate, mappings};
use crate::qemu::memory_file::MemoryFile;
use crate::qemu::process::cause;

/// A memory backend, as `query-memdev` lists it, and where it is in QEMU's process.
#[derive(Debug, Clone)]
pub struct Backend {
    /// Its id; for memory that the command line did not ask for, QEMU's own: `pc.ram`.
    pub id: String,
    /// Bytes.
    pub size: u64,
    /// Where it is, or why that is not known.
    pub mapping: std::result::Result<Mapping, String>,
    /// The file that another QEMU can map to have the same memory.
    pub path: Option<PathBuf>,
    /// Whether a migration sends it: QEMU leaves a `virtio-pmem` to its file.
    pub sent: bool,
}

impl Vm {
    /// The guest's memory backends and where they are.
    ///
    /// # Errors
    /// `Argument` if its process is not known; `File` if the process cannot be looked into.
    pub async fn backing(&self) -> Result<Vec<Backend>> {
        let pid = self.pid().ok_or_else(|| Error::Argument {
            function: "backing".to_owned(),
            cause: format!("the process of vm `{}` is not known", self.name()),
            hint: "attach to its pid".to_owned(),
        })?;
        let (backends, listing) =
            tokio::try_join!(self.qmp("query-memdev", json!({})), self.hmp("info ramblock"))?;
        let maps = format!("/proc/{pid}/maps");
        let maps = read_to_string(&maps).map_err(|error| Error::File {
            operation: "read",
            path: maps,
            cause: cause(&error),
        })?;
        let (mut blocks, mappings) = (blocks(&listing), mappings(&maps));
        let backends: &[serde_json::Value] = backends.as_array().map_or(&[], Vec::as_slice);
        for block in &mut blocks {
            // What is nobody's backend is QEMU's own.
            let owner =
                backends.iter().find(|backend| backend["id"].as_str().is_some_and(|id| block.is_of(id)));
            block.share = owner.map_or(Some(false), |backend| backend["share"].as_bool());
        }
        let backend = |backend: &serde_json::Value| {
            let id = backend["id"].as_str().unwrap_or_default().to_owned();
            let block = blocks.iter().find(|block| block.is_of(&id));
            let mapping = match block {
                Some(block) => locate(block, &blocks, &mappings),
                None => Err(format!("`{id}` is no RAM block")),
            };
            let path = mapping.as_ref().ok().and_then(|mapping| file(pid, mapping));
            let size = backend["size"].as_u64().unwrap_or_default();
            Backend { id, size, mapping, path, sent: block.is_some() }
        };
        Ok(backends.iter().map(backend).collect())
    }

    /// A copy of a memory backend, made while the guest runs: what it writes meanwhile may be there or not.
    ///
    /// # Errors
    /// `Argument` if there is no such backend or it is not found in the process; `File` if it cannot be read.
    pub async fn copy_memory(&self, id: &str) -> Result<MemoryFile> {
        let argument = |cause: String| Error::Argument {
            function: "copy_memory".to_owned(),
            cause,
            hint: "`vm.backing()` lists the guest's memory".to_owned(),
        };
        let backends = self.backing().await?;
        let backend = backends
            .iter()
            .find(|backend| backend.id == id)
            .ok_or_else(|| argument(format!("vm `{}` has no memory backend `{id}`", self.name())))?;
        let mapping = backend.mapping.clone().map_err(argument)?;
        let pid = self.pid().unwrap_or_default();
        let file = MemoryFile::new(backend.size)?;
        let copy = file.clone();
        // Gigabytes, perhaps: not on the thread that serves the monitors.
        let copied = spawn_blocking(move || copy.copy(pid, &mapping)).await;
        copied.map_err(|panic| argument(panic.to_string()))??;
        Ok(file)
    }
}

/// A path of the file behind a shared mapping: its own, or if that leads elsewhere by now, one through the process.
fn file(pid: u32, mapping: &Mapping) -> Option<PathBuf> {
    // QEMU maps a backend from its beginning; another mapping could not be asked for everywhere.
    if !mapping.is_shared() || mapping.inode == 0 || mapping.offset != 0 {
        return None;
    }
    let is_it = |path: &Path| {
        metadata(path).is_ok_and(|data| {
            let device = format!("{:02x}:{:02x}", major(data.dev()), minor(data.dev()));
            data.ino() == mapping.inode && device == mapping.device
        })
    };
    let descriptors = read_dir(format!("/proc/{pid}/fd")).ok()?;
    let through = descriptors.flatten().map(|entry| entry.path()).find(|path| is_it(path))?;
    let own = read_link(&through).ok().filter(|path| path.starts_with("/") && is_it(path));
    Some(own.unwrap_or(through))
}
