//! QEMUs with a human monitor.

use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::super::Human;
use crate::monitor::tests::{DEADLINE, soon};
use crate::monitor::{Address, Monitor};

/// How a monitor can be reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Transport {
    Unix,
    Tcp,
    Telnet,
}

pub(super) const TRANSPORTS: [Transport; 3] = [Transport::Unix, Transport::Tcp, Transport::Telnet];

/// A QEMU with a monitor of its own for each protocol.
pub(super) struct Qemu {
    child: Child,
    /// Of the human monitor.
    pub(super) address: Address,
    dir: TempDir,
}

impl Qemu {
    /// Its sockets are there before it starts, so that nobody has to wait for them.
    pub(super) fn launch(binary: &Path, transport: Transport, args: &[&str]) -> Self {
        Self::launch_with(binary, transport, "readline", args)
    }

    /// The same, with another `mode` of the monitor than `readline`.
    pub(super) fn launch_with(binary: &Path, transport: Transport, mode: &str, args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (listener, address) = listen(transport, dir.path());
        let qmp = UnixListener::bind(dir.path().join("qmp")).unwrap();
        let telnet = if transport == Transport::Telnet { ",telnet=on" } else { "" };
        let child = Command::new(binary)
            .args(["-nodefaults", "-display", "none", "-accel", "tcg"])
            .args(["-chardev", &format!("socket,id=m,fd=0,server=on,wait=off{telnet}")])
            .args(["-mon", &format!("chardev=m,mode={mode}")])
            .args(["-chardev", "socket,id=qmp,fd=1,server=on,wait=off", "-mon", "chardev=qmp,mode=control"])
            .args(if args.is_empty() { &["-S", "-machine", "none"] } else { args })
            .stdin(Stdio::from(listener))
            .stdout(Stdio::from(OwnedFd::from(qmp)))
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", binary.display()));
        Self { child, address, dir }
    }

    pub(super) async fn connect(&self) -> Human {
        Human::connect_within("vm", &self.address, DEADLINE).await.unwrap()
    }

    /// The same QEMU's other monitor.
    pub(super) async fn qmp(&self) -> Monitor {
        let address = Address::Unix(self.dir.path().join("qmp"));
        soon(Monitor::connect("vm", &address)).await.unwrap()
    }

    /// Wait until it has started. QEMU (10.0) may crash if a client connects to a QMP monitor on a telnet
    /// socket before that.
    pub(super) async fn started(&self) {
        soon(self.qmp().await.execute("query-status", Value::Null)).await.unwrap();
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(transport: Transport, dir: &Path) -> (OwnedFd, Address) {
    if transport == Transport::Unix {
        let path = dir.join("hmp");
        return (UnixListener::bind(&path).unwrap().into(), Address::Unix(path));
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (host, port) = ("127.0.0.1".to_owned(), listener.local_addr().unwrap().port());
    let address = if transport == Transport::Tcp {
        Address::Tcp { host, port }
    } else {
        Address::Telnet { host, port }
    };
    (listener.into(), address)
}

/// A target for migrations that takes in nothing until it is told to: until then they are under way.
pub(super) struct Sink {
    listener: tokio::net::UnixListener,
    pub(super) uri: String,
    _dir: TempDir,
}

impl Sink {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sink");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        Self { listener, uri: format!("unix:{}", path.display()), _dir: dir }
    }

    /// Take in one migration.
    pub(super) async fn drain(&self) {
        let (mut stream, _) = self.listener.accept().await.unwrap();
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.unwrap();
    }
}
