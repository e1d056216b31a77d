//! The QEMUs on this machine that qhop has started, whoever remembers it: their command lines have qhop's own
//! monitor, in a private directory.

use std::fs;
use std::path::PathBuf;

use super::attached::Attached;
use super::command_line;
use super::directory::Directory;
use crate::monitor::Address;

/// A QEMU that qhop has started.
#[derive(Debug)]
pub struct Ours {
    /// It.
    pub process: Attached,
    /// Its private directory.
    pub directory: PathBuf,
}

impl Ours {
    /// Where its monitor is.
    #[must_use]
    pub fn monitor(&self) -> Address {
        Address::Unix(self.directory.join("qmp"))
    }
}

/// Those of this user, by process id. What other users' are, their directories say to nobody.
#[must_use]
pub fn ours() -> Vec<Ours> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<i64> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| may_be(*pid))
        .collect();
    pids.sort_unstable();
    pids.into_iter()
        .filter_map(|pid| {
            let process = Attached::to(pid).ok()?;
            let directory = command_line::own_directory(&process.args)?;
            Directory::adopt(&directory)?;
            Some(Ours { process, directory })
        })
        .collect()
}

/// Whether a look is worth it: most processes are no QEMU.
fn may_be(pid: i64) -> bool {
    const MARK: &[u8] = b"id=qhop-qmp";
    fs::read(format!("/proc/{pid}/cmdline"))
        .is_ok_and(|line| line.windows(MARK.len()).any(|part| part == MARK))
}
