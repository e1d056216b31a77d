//! Memory that several QEMUs can map, without a name in any file system: when nobody holds it any more, it is gone,
//! whatever has become of qhop.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

use super::backing::Mapping;
use super::process::cause;
use crate::error::{Error, Result};

/// How much is copied in one go.
const CHUNK_BYTES: usize = 1 << 20;
const PAGE: usize = 4096;
const ZEROS: [u8; PAGE] = [0; PAGE];
/// Of a page in `/proc/PID/pagemap`: it is in memory, or swapped out.
const POPULATED: u64 = 0b11 << 62;

/// Cheap to clone; every clone is the same memory.
#[derive(Debug, Clone)]
pub struct MemoryFile {
    file: Arc<OwnedFd>,
    size: u64,
}

impl MemoryFile {
    /// `size` bytes of zeros, which take no space until they are written.
    pub fn new(size: u64) -> Result<Self> {
        let made = memfd_create("qhop", MemfdFlags::CLOEXEC)
            .and_then(|file| ftruncate(&file, size).map(|()| Self { file: Arc::new(file), size }));
        made.map_err(|error| failed("create", &error.into()))
    }

    /// Where a QEMU of this user finds it while qhop holds it.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Copy the populated pages of a process's memory while it runs. Returns how many bytes were looked at.
    /// Blocks; what changes meanwhile may be seen old or new.
    pub fn copy(&self, pid: u32, from: &Mapping) -> Result<u64> {
        let open = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            File::open(&path).map_err(|error| Error::File { operation: "read", path, cause: cause(&error) })
        };
        let (memory, pagemap) = (open("mem")?, open("pagemap")?);
        let to = File::from(self.file.try_clone().map_err(|error| failed("hold", &error))?);
        copy(&memory, &pagemap, &to, from).map_err(|error| failed("copy the guest's memory into", &error))
    }
}

fn copy(memory: &File, pagemap: &File, to: &File, from: &Mapping) -> io::Result<u64> {
    let mut entries = vec![0; CHUNK_BYTES / PAGE * 8];
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut copied = 0;
    for chunk in (from.range.start..from.range.end).step_by(CHUNK_BYTES) {
        let length =
            usize::try_from(from.range.end - chunk).map_or(CHUNK_BYTES, |rest| rest.min(CHUNK_BYTES));
        let entries = &mut entries[..length.div_ceil(PAGE) * 8];
        pagemap.read_exact_at(entries, chunk / PAGE as u64 * 8)?;
        let (words, _) = entries.as_chunks::<8>();
        let populated: Vec<bool> =
            words.iter().map(|word| u64::from_ne_bytes(*word) & POPULATED != 0).collect();
        let mut page = 0;
        // Whole runs of pages that are there, or are not.
        for run in populated.chunk_by(|a, b| a == b) {
            let bytes = page * PAGE..((page + run.len()) * PAGE).min(length);
            page += run.len();
            if run[0] {
                let buffer = &mut buffer[bytes.clone()];
                let start = chunk + bytes.start as u64;
                memory.read_exact_at(buffer, start)?;
                write_without_zeros(buffer, to, start - from.range.start)?;
                copied += bytes.len() as u64;
            }
        }
    }
    Ok(copied)
}

/// A page of zeros is what the file has there already: a guest has many, populated by a migration or in huge pages.
fn write_without_zeros(bytes: &[u8], to: &File, offset: u64) -> io::Result<()> {
    let is_zero = |page: &[u8]| page == &ZEROS[..page.len()];
    let pages: Vec<&[u8]> = bytes.chunks(PAGE).collect();
    let mut start = 0;
    for run in pages.chunk_by(|a, b| is_zero(a) == is_zero(b)) {
        let end = (start + run.len() * PAGE).min(bytes.len());
        if !is_zero(run[0]) {
            to.write_all_at(&bytes[start..end], offset + start as u64)?;
        }
        start = end;
    }
    Ok(())
}

fn failed(operation: &'static str, error: &io::Error) -> Error {
    Error::File { operation, path: "a memory file".to_owned(), cause: cause(error) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn read(file: &MemoryFile) -> Vec<u8> {
        std::fs::read(file.path()).unwrap()
    }

    #[test]
    fn it_has_a_path_for_as_long_as_somebody_holds_it() {
        let file = MemoryFile::new(8192).unwrap();
        assert_eq!(read(&file), vec![0; 8192]);
        let (path, clone) = (file.path(), file.clone());
        drop(file);
        assert!(std::fs::metadata(&path).is_ok());
        drop(clone);
        assert!(std::fs::metadata(&path).is_err());
    }

    #[test]
    fn what_is_populated_is_copied() {
        // Two chunks and a bit, of which only two pages are ever written.
        let size = 2 * CHUNK_BYTES + 3 * PAGE;
        let mut memory = vec![0u8; size + PAGE];
        let start = memory.as_ptr() as usize;
        let skip = start.next_multiple_of(PAGE) - start;
        memory[skip + 5] = 7;
        memory[skip + 2 * CHUNK_BYTES + PAGE] = 9;
        let range = (start + skip) as u64..(start + skip + size) as u64;
        let mapping = Mapping { range, mode: "rw-p".into(), offset: 0, device: "00:00".into(), inode: 0 };
        let file = MemoryFile::new(size as u64).unwrap();
        file.copy(std::process::id(), &mapping).unwrap();
        assert_eq!(read(&file), &memory[skip..skip + size]);
        assert!(std::fs::metadata(file.path()).unwrap().blocks() * 512 < size as u64);
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        let mapping =
            Mapping { range: 0..4096, mode: "rw-p".into(), offset: 0, device: "00:00".into(), inode: 0 };
        let error = MemoryFile::new(4096).unwrap().copy(u32::MAX, &mapping).unwrap_err();
        assert_eq!(error.to_string(), "cannot read `/proc/4294967295/mem`: no such file or directory");
    }
}
