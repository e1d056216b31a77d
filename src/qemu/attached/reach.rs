//! Where the monitors of a running QEMU can be reached from here.
//!
//! The command line says what QEMU was told; the sockets that it has open say the rest.

use std::path::{Path, PathBuf};

use super::Attached;
use super::listener::inode;
use super::sockets::State;
use crate::monitor::Address;
use crate::monitor::address::LONGEST_UNIX_PATH;
use crate::qemu::monitors::{Opened, Place, monitors};

impl Attached {
    /// Its monitors, in the order of their options, each at an address or with the reason why it has none that
    /// can be reached from here.
    #[must_use]
    pub fn monitors(&self) -> Vec<Opened> {
        let mut found = monitors(&self.args, &self.base());
        for opened in &mut found {
            let place = std::mem::replace(&mut opened.place, Place::Unreachable(String::new()));
            opened.place = self.reach(place);
        }
        found
    }

    fn reach(&self, place: Place) -> Place {
        let unreachable = |reason: String| Place::Unreachable(reason);
        let address = match place {
            Place::Unreachable(_) | Place::Shared { .. } => return place,
            Place::At(address) => address,
            Place::Ports { address, last } => match self.chosen_port(&address, last) {
                Some(address) => address,
                None => {
                    return unreachable(format!(
                        "listens on a port that cannot be told, from `{address}` on"
                    ));
                }
            },
            Place::Descriptor { fd, telnet } => match self.behind(&fd, telnet) {
                Some(address) => address,
                None => {
                    return unreachable(format!(
                        "listens on the descriptor `{fd}`, which cannot be followed"
                    ));
                }
            },
        };
        match &address {
            Address::Unix(path) if !is_abstract(path) => Place::At(Address::Unix(self.connectable(path))),
            _ if self.entry.shares("net") => Place::At(address),
            _ => unreachable(format!(
                "listens at `{address}` in another network namespace, which `nsenter --net --target {}` enters",
                self.entry.pid().as_raw_nonzero()
            )),
        }
    }

    /// A path that fits into a socket address: `/proc/PID/cwd/q.sock` where the whole one is too long.
    pub(super) fn connectable(&self, path: &Path) -> PathBuf {
        let whole = self.path(path);
        if whole.as_os_str().len() <= LONGEST_UNIX_PATH {
            return whole;
        }
        match path.strip_prefix(self.base()) {
            Ok(relative) => self.entry.path("cwd").join(relative),
            Err(_) => whole,
        }
    }

    /// Whether two addresses are the same place, one of them as its command line has it.
    #[must_use]
    pub fn is_same(&self, own: &Address, other: &Address) -> bool {
        match (own, other) {
            (Address::Unix(own), Address::Unix(other)) => {
                own == other || std::path::absolute(other).is_ok_and(|other| self.connectable(own) == other)
            }
            // It can listen at a port but once.
            (own, other) => own.port().is_some() && own.port() == other.port(),
        }
    }

    /// The port that QEMU found free.
    fn chosen_port(&self, address: &Address, last: u16) -> Option<Address> {
        let (Address::Tcp { host, port: first } | Address::Telnet { host, port: first }) = address else {
            return None;
        };
        let own = self.own()?;
        let listening = self.tcp().into_iter().filter(|socket| {
            let port = socket.local.port();
            socket.state == State::Listening && own.contains(&socket.inode) && (*first..=last).contains(&port)
        });
        let port = listening.map(|socket| socket.local.port()).min()?;
        Some(inet(matches!(address, Address::Telnet { .. }), host.clone(), port))
    }

    /// Where the socket listens that is open as descriptor `fd`.
    fn behind(&self, fd: &str, telnet: bool) -> Option<Address> {
        let inode = inode(self.descriptors.as_ref()?.get(&fd.parse().ok()?)?)?;
        if let Some(socket) = self.unix().into_iter().find(|socket| socket.inode == inode) {
            let is_named = socket.state == State::Listening && !socket.path.as_os_str().is_empty();
            return is_named.then(|| Address::Unix(self.base().join(socket.path)));
        }
        let socket = self
            .tcp()
            .into_iter()
            .find(|socket| socket.inode == inode && socket.state == State::Listening)?;
        let host = match socket.local.ip() {
            ip if ip.is_unspecified() => "localhost".to_owned(),
            ip => ip.to_string(),
        };
        Some(inet(telnet, host, socket.local.port()))
    }
}

fn inet(telnet: bool, host: String, port: u16) -> Address {
    if telnet { Address::Telnet { host, port } } else { Address::Tcp { host, port } }
}

fn is_abstract(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().first() == Some(&0)
}
