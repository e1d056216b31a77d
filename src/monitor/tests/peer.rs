//! A peer in this process, for the bytes that a real QEMU would not send.

use std::path::PathBuf;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::{UnixListener, UnixStream};

use super::super::{Address, Monitor};
use super::soon;

pub(super) const GREETING: &str = "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 1, \"major\": 9}, \"package\": \"v9.1.0\"}, \"capabilities\": [\"oob\"]}}\r\n";

/// The other end of a monitor.
pub(super) struct Peer<S>(pub(super) BufStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(super) fn new(stream: S) -> Self {
        Self(BufStream::new(stream))
    }

    pub(super) async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    pub(super) async fn line(&mut self) -> String {
        let mut line = String::new();
        soon(self.0.read_line(&mut line)).await.unwrap();
        line
    }

    pub(super) async fn greet(&mut self, greeting: &str) {
        self.send(greeting).await;
        assert!(self.line().await.starts_with("{\"execute\":\"qmp_capabilities\""));
        self.send("{\"return\": {}}\r\n").await;
    }
}

pub(in crate::monitor) fn listen() -> (TempDir, UnixListener, Address) {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("qmp");
    (dir, UnixListener::bind(&path).unwrap(), Address::Unix(path))
}

/// A monitor and its peer, past the greeting.
pub(super) async fn pair() -> (Monitor, Peer<UnixStream>) {
    let (_dir, listener, address) = listen();
    let serve = async {
        let mut peer = Peer::new(listener.accept().await.unwrap().0);
        peer.greet(GREETING).await;
        peer
    };
    let (monitor, peer) = soon(async { tokio::join!(Monitor::connect("vm", &address), serve) }).await;
    (monitor.unwrap(), peer)
}
