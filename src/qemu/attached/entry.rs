//! One process in `/proc`: its files and links, as far as they can be read.
//!
//! The only file that opens `/proc/PID`. It keeps the process's descriptor, so that nothing it says after
//! `is_alive` can be of a later process with the same number.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// A process.
#[derive(Debug)]
pub struct Entry {
    pid: Pid,
    pidfd: OwnedFd,
}

impl Entry {
    /// # Errors
    /// The system's; `InvalidInput` for the id of a thread, on older kernels.
    pub fn open(pid: Pid) -> io::Result<Self> {
        Ok(Self { pid, pidfd: pidfd_open(pid, PidfdFlags::empty())? })
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The process's descriptor: signals go to it and to no other.
    #[must_use]
    pub fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }

    /// Let go of everything but the descriptor.
    #[must_use]
    pub fn into_pidfd(self) -> OwnedFd {
        self.pidfd
    }

    /// Whether it has not ended yet.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(self.pidfd.as_fd(), PollFlags::IN)];
        matches!(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(0))
    }

    /// A path below `/proc/PID`.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.pid.to_string()).join(name)
    }

    /// The bytes of a file; `None` if they may not be read, or the process has ended.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.path(name)).ok()
    }

    /// The text of a file.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.bytes(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Where a link leads.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<PathBuf> {
        fs::read_link(self.path(name)).ok()
    }

    /// Words that each end in NUL. What is not UTF-8 is shown with a replacement character.
    #[must_use]
    pub fn words(&self, name: &str) -> Option<Vec<String>> {
        let bytes = self.bytes(name)?;
        let whole = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
        if bytes.is_empty() {
            return Some(Vec::new());
        }
        Some(whole.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect())
    }

    /// The name that `ps` shows.
    #[must_use]
    pub fn command(&self) -> Option<String> {
        self.text("comm").map(|text| text.trim_end().to_owned())
    }

    /// A line of `status`: `Tgid`, `State`, `Uid`.
    #[must_use]
    pub fn status(&self, key: &str) -> Option<String> {
        status_line(&self.text("status")?, key)
    }

    /// When it started, in clock ticks since the host's start.
    #[must_use]
    pub fn started(&self) -> Option<u64> {
        self.stat(22)
    }

    /// The process that has started it, or has taken it over from that one.
    #[must_use]
    pub fn parent(&self) -> Option<u32> {
        self.stat(4)?.try_into().ok()
    }

    /// Whether the kernel runs it for itself.
    #[must_use]
    pub fn is_kernel_thread(&self) -> bool {
        const PF_KTHREAD: u64 = 0x0020_0000;
        self.stat(9).is_some_and(|flags| flags & PF_KTHREAD != 0)
    }

    /// A field of `stat`, counted from 1.
    fn stat(&self, field: usize) -> Option<u64> {
        let text = self.text("stat")?;
        // The second field is the command's name, and may hold anything.
        text.rsplit_once(')')?.1.split_whitespace().nth(field - 3)?.parse().ok()
    }

    /// The open files by number: a path, or `socket:[123]`.
    #[must_use]
    pub fn descriptors(&self) -> Option<BTreeMap<u32, PathBuf>> {
        let entries = fs::read_dir(self.path("fd")).ok()?;
        let of = |entry: fs::DirEntry| {
            Some((entry.file_name().to_str()?.parse().ok()?, fs::read_link(entry.path()).ok()?))
        };
        Some(entries.flatten().filter_map(of).collect())
    }

    /// The programs that it has loaded, libraries aside: address range and file.
    #[must_use]
    pub fn programs(&self) -> Vec<(String, PathBuf)> {
        let maps = self.bytes("maps").unwrap_or_default();
        let executable = |line: &[u8]| {
            // `range rwxp offset device inode path`
            let mut fields = line.splitn(6, |byte| *byte == b' ');
            let (range, mode) = (fields.next()?, fields.next()?);
            let path = fields.nth(3)?.trim_ascii_start();
            let name = path.rsplit(|byte| *byte == b'/').next()?;
            let is_library = name.windows(3).any(|part| part == b".so");
            (mode.contains(&b'x') && path.starts_with(b"/") && !is_library).then(|| {
                Some((
                    String::from_utf8(range.to_vec()).ok()?,
                    std::ffi::OsString::from_vec(path.to_vec()).into(),
                ))
            })?
        };
        maps.split(|byte| *byte == b'\n').filter_map(executable).collect()
    }

    /// The processes that it has started and that live.
    #[must_use]
    pub fn children(&self) -> Vec<Pid> {
        let tasks = fs::read_dir(self.path("task")).into_iter().flatten().flatten();
        let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        lists
            .flat_map(|list| {
                list.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Whether it lives in the same namespace as qhop: `net`, `mnt`. One that cannot be seen counts as the same.
    #[must_use]
    pub fn shares(&self, namespace: &str) -> bool {
        let name = format!("ns/{namespace}");
        match (self.link(&name), fs::read_link(Path::new("/proc/self").join(&name))) {
            (Some(its), Ok(ours)) => its == ours,
            _ => true,
        }
    }
}

/// A line of a `status` file, without its key.
#[must_use]
pub fn status_line(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| Some(line.strip_prefix(key)?.strip_prefix(':')?.trim().to_owned()))
}
