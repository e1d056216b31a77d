//! Who holds the one connection that a monitor has.
//!
//! Read from the kernel's tables: nobody is connected to, nothing is disturbed.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::net::sockopt::socket_peercred;
use rustix::net::{SocketAddrUnix, getpeername, getsockname};
use rustix::process::{Pid, PidfdGetfdFlags, pidfd_getfd};

use super::Attached;
use super::listener::{command, inode, owners};
use super::sockets::{self, State, TcpSocket, UnixSocket};
use crate::monitor::Address;

/// The client that a monitor has already, as far as it can be known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holder {
    /// Its process on this host.
    pub pid: Option<Pid>,
    /// That process's name.
    pub command: Option<String>,
    /// The other end of a TCP connection.
    pub remote: Option<SocketAddr>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.pid, &self.command, self.remote) {
            (Some(pid), Some(command), _) => write!(f, "`{command}` (pid {pid})"),
            (Some(pid), None, _) => write!(f, "pid {pid}"),
            (None, _, Some(remote)) => write!(f, "a client at {remote}"),
            (None, _, None) => f.write_str("a client that cannot be seen"),
        }
    }
}

impl Attached {
    /// The client that holds the monitor at `address`, one of `monitors`; `None` if nobody is connected.
    ///
    /// QEMU serves one client at a time on a socket, and lets the next one wait in silence.
    #[must_use]
    pub fn holder(&self, address: &Address) -> Option<Holder> {
        let own = self.own();
        let is_own = |inode: u64| own.as_ref().is_none_or(|own| own.contains(&inode));
        let (pid, remote) = match address {
            Address::Unix(path) => {
                let connected = self.unix().into_iter().find(|socket| {
                    socket.state == State::Connected
                        && is_own(socket.inode)
                        && self.is_bound_to(&socket.path, path)
                });
                match connected {
                    Some(connected) => (self.peer(connected.inode), None),
                    None => (Some(self.peer_from_elsewhere(path)?), None),
                }
            }
            Address::Tcp { port, .. } | Address::Telnet { port, .. } => {
                let sockets = self.tcp();
                let connected = sockets.iter().find(|socket| {
                    socket.state == State::Connected && socket.local.port() == *port && is_own(socket.inode)
                })?;
                let ends = (connected.remote, connected.local);
                let other = sockets.iter().find(|socket| (socket.local, socket.remote) == ends);
                (other.and_then(|other| owners(other.inode).first().copied()), Some(connected.remote))
            }
        };
        Some(Holder { pid, command: pid.and_then(command), remote })
    }

    pub(super) fn unix(&self) -> Vec<UnixSocket> {
        self.entry.bytes("net/unix").map(|table| sockets::unix(&table)).unwrap_or_default()
    }

    pub(super) fn tcp(&self) -> Vec<TcpSocket> {
        ["net/tcp", "net/tcp6"]
            .iter()
            .filter_map(|table| self.entry.text(table))
            .flat_map(|table| sockets::tcp(&table))
            .collect()
    }

    /// The numbers of its sockets; `None` if it hides them.
    pub(super) fn own(&self) -> Option<HashSet<u64>> {
        Some(self.entry.descriptors()?.values().filter_map(|target| inode(target)).collect())
    }

    /// A socket has the path that QEMU was given, relative or not.
    fn is_bound_to(&self, bound: &Path, path: &Path) -> bool {
        bound == path || (!bound.as_os_str().is_empty() && self.connectable(&self.base().join(bound)) == path)
    }

    /// The process that has connected to a socket. Looking at the socket takes a duplicate of it, for a moment.
    fn peer(&self, socket: u64) -> Option<Pid> {
        let descriptors = self.entry.descriptors()?;
        let (fd, _) = descriptors.iter().find(|(_, target)| inode(target) == Some(socket))?;
        let fd = self.duplicate(*fd)?;
        // Who has ended since has left the connection to somebody else.
        socket_peercred(&fd).ok().map(|peer| peer.pid).filter(|pid| command(*pid).is_some())
    }

    /// The process that has connected from another network namespace: the kernel counts a connection to the
    /// namespace of the one who connects, so it is in no table of QEMU's.
    fn peer_from_elsewhere(&self, path: &Path) -> Option<Pid> {
        let known: HashSet<u64> = self.unix().iter().map(|socket| socket.inode).collect();
        let descriptors = self.entry.descriptors()?;
        let unknown = descriptors
            .iter()
            .filter(|(_, target)| inode(target).is_some_and(|inode| !known.contains(&inode)));
        unknown.map(|(fd, _)| *fd).find_map(|fd| {
            let fd = self.duplicate(fd)?;
            let bound = SocketAddrUnix::try_from(getsockname(&fd).ok()?).ok()?;
            let bound = PathBuf::from(OsStr::from_bytes(bound.path_bytes()?));
            let is_connected = self.is_bound_to(&bound, path) && getpeername(&fd).is_ok();
            is_connected.then(|| socket_peercred(&fd).ok().map(|peer| peer.pid))?
        })
    }

    fn duplicate(&self, fd: u32) -> Option<OwnedFd> {
        pidfd_getfd(self.entry.pidfd(), i32::try_from(fd).ok()?, PidfdGetfdFlags::empty()).ok()
    }
}
