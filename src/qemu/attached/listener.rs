//! Which process has a socket.
//!
//! Read from the kernel's tables: nobody is connected to, nothing is disturbed.

use std::fs;
use std::net::{IpAddr, ToSocketAddrs};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::Pid;

use super::entry::Entry;
use super::program;
use super::sockets::{self, State};
use crate::monitor::Address;

/// The process that listens at an address on this host; `None` if there is none, or it belongs to another user.
///
/// Where several have the same socket, as a parent that opened it for QEMU does, it is the QEMU.
#[must_use]
pub fn listener(address: &Address) -> Option<Pid> {
    let candidates = match address {
        Address::Unix(path) => unix_listeners(path)?,
        Address::Tcp { host, port } | Address::Telnet { host, port } => tcp_listeners(host, *port)?,
    };
    let is_qemu = |pid: &&Pid| {
        let entry = Entry::open(**pid).ok();
        entry.is_some_and(|entry| {
            program::identify(&entry, &entry.words("cmdline").unwrap_or_default()).is_ok()
        })
    };
    candidates.iter().find(is_qemu).or(candidates.first()).copied()
}

/// Whether somebody listens at an address on this host already, whoever that is.
#[must_use]
pub fn is_taken(address: &Address) -> bool {
    match address {
        Address::Unix(path) => {
            let whole = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            let bytes = fs::read("/proc/self/net/unix").unwrap_or_default();
            let is_there = sockets::unix(&bytes)
                .iter()
                .any(|socket| socket.state == State::Listening && [path, &whole].contains(&&socket.path));
            // Of a file that was removed, the table keeps the name.
            (is_there && (is_abstract(path) || path.exists()))
                || unix_listeners(path).is_some_and(|pids| !pids.is_empty() && path.exists())
        }
        Address::Tcp { host, port } | Address::Telnet { host, port } => {
            tcp_sockets(host, *port).is_some_and(|sockets| !sockets.is_empty())
        }
    }
}

fn unix_listeners(path: &Path) -> Option<Vec<Pid>> {
    let whole = &std::path::absolute(path).ok()?;
    let table = sockets::unix(&fs::read("/proc/self/net/unix").ok()?);
    let listening = table.iter().filter(|socket| socket.state == State::Listening);
    let found = listening.flat_map(|socket| {
        let bound = &socket.path;
        // The name of an abstract socket, which begins with NUL, is nowhere in the file system.
        let is_abstract = is_abstract(bound);
        let may_be = if is_abstract { bound == path } else { bound.file_name() == path.file_name() };
        let owners = if may_be { owners(socket.inode) } else { Vec::new() };
        // A relative path is relative to the directory of the one that listens.
        owners.into_iter().filter(move |pid| {
            let directory = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
            is_abstract || directory.join(bound) == *whole
        })
    });
    Some(found.collect())
}

fn is_abstract(path: &Path) -> bool {
    path.as_os_str().as_bytes().starts_with(b"\0")
}

fn tcp_listeners(host: &str, port: u16) -> Option<Vec<Pid>> {
    Some(tcp_sockets(host, port)?.into_iter().flat_map(owners).collect())
}

/// The sockets that listen at a port.
fn tcp_sockets(host: &str, port: u16) -> Option<Vec<u64>> {
    let hosts: Vec<IpAddr> = (host, port).to_socket_addrs().ok()?.map(|address| address.ip()).collect();
    let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
        .into_iter()
        .filter_map(|table| fs::read_to_string(table).ok());
    let listening = tables.flat_map(|table| sockets::tcp(&table)).filter(|socket| {
        let host = socket.local.ip();
        socket.state == State::Listening
            && socket.local.port() == port
            && (host.is_unspecified() || hosts.iter().any(|ours| ours.is_unspecified() || *ours == host))
    });
    Some(listening.map(|socket| socket.inode).collect())
}

/// The number in `socket:[123]`.
pub(super) fn inode(target: &Path) -> Option<u64> {
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The processes that have a socket open, among those whose descriptors can be seen.
pub(super) fn owners(socket: u64) -> Vec<Pid> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let has_it = |pid: &Pid| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        descriptors
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .any(|target| inode(&target) == Some(socket))
    };
    pids.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)).filter(has_it).collect()
}

pub(super) fn command(pid: Pid) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|text| text.trim_end().to_owned())
}
