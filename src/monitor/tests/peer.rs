//! A peer in this process, for the bytes that a real QEMU would not send.

use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, UnixListener, UnixStream};

use super::super::*;
use super::{soon, start};

const GREETING: &str = "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 1, \"major\": 9}, \"package\": \"v9.1.0\"}, \"capabilities\": [\"oob\"]}}\r\n";

/// The other end of a monitor.
struct Peer<S>(BufStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    fn new(stream: S) -> Self {
        Self(BufStream::new(stream))
    }

    async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        soon(self.0.read_line(&mut line)).await.unwrap();
        line
    }

    async fn greet(&mut self, greeting: &str) {
        self.send(greeting).await;
        assert!(self.line().await.starts_with("{\"execute\":\"qmp_capabilities\""));
        self.send("{\"return\": {}}\r\n").await;
    }
}

fn listen() -> (TempDir, UnixListener, Address) {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("qmp");
    (dir, UnixListener::bind(&path).unwrap(), Address::Unix(path))
}

/// A monitor and its peer, past the greeting.
async fn pair() -> (Monitor, Peer<UnixStream>) {
    let (_dir, listener, address) = listen();
    let serve = async {
        let mut peer = Peer::new(listener.accept().await.unwrap().0);
        peer.greet(GREETING).await;
        peer
    };
    let (monitor, peer) = soon(async { tokio::join!(Monitor::connect("vm", &address), serve) }).await;
    (monitor.unwrap(), peer)
}

/// What `connect` makes of a peer that sends `first` and then closes, or stays.
async fn connect_to(first: &[u8], stays: bool) -> Error {
    let (_dir, listener, address) = listen();
    let serve = async {
        let mut peer = Peer::new(listener.accept().await.unwrap().0);
        peer.send(first).await;
        stays.then_some(peer)
    };
    let patience = Duration::from_millis(if stays { 50 } else { 30_000 });
    let connect = Monitor::connect_within("vm", &address, patience);
    let (monitor, _peer) = soon(async { tokio::join!(connect, serve) }).await;
    match monitor.unwrap_err() {
        Error::Connect { vm, address: at, cause } => {
            assert_eq!(at, address.to_string());
            Error::Connect { vm, address: "A".into(), cause }
        }
        error => error,
    }
}

fn gone(operation: &str) -> Error {
    let (vm, ended) = ("vm".into(), "closed its monitor".into());
    Error::Gone { vm, operation: operation.into(), ended, stderr: String::new() }
}

#[tokio::test]
async fn a_peer_that_is_no_qmp_monitor_is_explained() {
    let told = async |first: &[u8], stays| connect_to(first, stays).await.to_string();
    assert_eq!(
        told(b"", true).await,
        "cannot connect to the monitor of vm `vm` at `A`: it is silent for 50 ms: does another client hold it?"
    );
    assert_eq!(
        told(b"login: ", true).await,
        "cannot connect to the monitor of vm `vm` at `A`: it sent `login:` and no more for 50 ms"
    );
    assert_eq!(
        told(GREETING.as_bytes(), true).await,
        "cannot connect to the monitor of vm `vm` at `A`: it greets, and answers nothing for 50 ms"
    );
    assert_eq!(
        told(b"{\"QMP\": ", false).await,
        "cannot connect to the monitor of vm `vm` at `A`: it closed the connection instead of a greeting"
    );
    assert_eq!(
        told(b"QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ", true).await,
        "the monitor of vm `vm` does not speak QMP: it sent `QEMU 7.2.22 monitor - type 'help' for more information`"
    );
    assert_eq!(
        told(b"{\"event\": \"STOP\"}", true).await,
        "the monitor of vm `vm` does not speak QMP: it did not greet first"
    );
}

#[tokio::test]
async fn nobody_at_the_address_is_explained() {
    let (dir, listener, address) = listen();
    let cause = async |address: &Address| match soon(Monitor::connect("vm", address)).await.unwrap_err() {
        Error::Connect { cause, .. } => cause,
        error => panic!("{error}"),
    };
    drop(listener);
    assert_eq!(cause(&address).await, "Connection refused");
    assert_eq!(cause(&Address::Unix(dir.path().join("none"))).await, "No such file or directory");
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
    assert_eq!(cause(&Address::Tcp { host: "127.0.0.1".into(), port }).await, "Connection refused");
}

#[tokio::test]
async fn a_queue_full_of_clients_is_explained() {
    let (_dir, listener, address) = listen();
    rustix::net::listen(listener.as_fd(), 0).unwrap();
    let Address::Unix(path) = &address else { unreachable!() };
    let mut waiting = Vec::new();
    while let Ok(client) = UnixStream::connect(path).await {
        waiting.push(client);
    }
    let error = soon(Monitor::connect("vm", &address)).await.unwrap_err().to_string();
    assert!(error.ends_with("too many clients wait for it: does another client hold it?"), "{error}");
}

#[tokio::test]
async fn a_lone_command_is_sent_without_an_id() {
    let (monitor, mut peer) = pair().await;
    let first = start(monitor.execute("query-status", json!({}))).await;
    assert_eq!(peer.line().await, "{\"execute\":\"query-status\"}\n");
    let second = start(monitor.execute("x", json!({ "a": u64::MAX }))).await;
    assert_eq!(
        peer.line().await,
        "{\"execute\":\"x\",\"arguments\":{\"a\":18446744073709551615},\"id\":1}\n"
    );
    peer.send("{\"return\": 2, \"id\": 1}{\"return\": 1}").await;
    assert_eq!(soon(second).await, Ok(json!(2)));
    assert_eq!(soon(first).await, Ok(json!(1)));
    let third = start(monitor.execute("y", Value::Null)).await;
    assert_eq!(peer.line().await, "{\"execute\":\"y\"}\n");
    peer.send("{\"return\": 3}").await;
    assert_eq!(soon(third).await, Ok(json!(3)));
}

#[tokio::test]
async fn what_is_unknown_does_no_harm() {
    let (monitor, mut peer) = pair().await;
    assert_eq!((monitor.version(), monitor.package(), monitor.offers_oob()), ("9.1.0", "v9.1.0", true));
    let status = start(monitor.execute("query-status", Value::Null)).await;
    peer.send(GREETING).await;
    peer.send("{\"return\": 0, \"id\": 99}{\"return\": 0, \"id\": \"x\"}{\"event\": \"X_NEW\", \"x\": 1}")
        .await;
    peer.send("{\"x\": 1, \"return\": {\"running\": true, \"x\": 18446744073709551616}}").await;
    assert_eq!(soon(status).await, Ok(json!({ "running": true, "x": "18446744073709551616" })));
    assert_eq!(monitor.events().take("X_NEW"), Some(json!({ "event": "X_NEW", "x": 1 })));
}

#[tokio::test]
async fn an_error_without_an_id_reaches_the_oldest_caller() {
    let (monitor, mut peer) = pair().await;
    let first = start(monitor.execute("first", Value::Null)).await;
    let second = start(monitor.execute("second", Value::Null)).await;
    let oob = start(monitor.execute_oob("urgent", Value::Null)).await;
    peer.send("{\"return\": 1}{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}")
        .await;
    peer.send("{\"return\": 3, \"id\": 2}").await;
    assert_eq!(soon(first).await, Ok(json!(1)));
    let error = Error::Qmp {
        vm: "vm".into(),
        command: "second".into(),
        class: "GenericError".into(),
        description: "JSON parse error".into(),
    };
    assert_eq!(soon(second).await, Err(error));
    assert_eq!(soon(oob).await, Ok(json!(3)));
}

#[tokio::test]
async fn there_is_always_room_for_an_urgent_command() {
    let (monitor, mut peer) = pair().await;
    let mut waiting = Vec::new();
    for n in 0..9 {
        waiting.push(start(monitor.execute("slow", json!({ "n": n }))).await);
    }
    let urgent = start(monitor.execute_oob("migrate-pause", Value::Null)).await;
    for n in 0..7 {
        assert!(peer.line().await.contains(&format!("\"n\":{n}")));
    }
    assert_eq!(peer.line().await, "{\"exec-oob\":\"migrate-pause\",\"id\":7}\n");
    peer.send("{\"return\": {}, \"id\": 7}{\"return\": 0}").await;
    assert_eq!(soon(urgent).await, Ok(json!({})));
    assert_eq!(soon(waiting.remove(0)).await, Ok(json!(0)));
    let eighth = start(waiting.remove(6)).await;
    assert_eq!(peer.line().await, "{\"execute\":\"slow\",\"arguments\":{\"n\":7},\"id\":8}\n");
    drop(peer);
    assert_eq!(soon(eighth).await, Err(gone("slow")));
    for waiting in waiting {
        assert_eq!(soon(waiting).await, Err(gone("slow")));
    }
}

#[tokio::test]
async fn giving_up_leaves_the_connection_usable() {
    let (monitor, mut peer) = pair().await;
    // More than the socket takes at once: most of the line is still here when the caller gives up.
    let long = "x".repeat(8 << 20);
    drop(start(monitor.execute("long", json!({ "a": long }))).await);
    let next = start(monitor.execute("next", Value::Null)).await;
    assert_eq!(peer.line().await, format!("{{\"execute\":\"long\",\"arguments\":{{\"a\":\"{long}\"}}}}\n"));
    assert_eq!(peer.line().await, "{\"execute\":\"next\",\"id\":1}\n");
    peer.send("{\"return\": \"late\"}{\"return\": \"next\", \"id\": 1}").await;
    assert_eq!(soon(next).await, Ok(json!("next")));
}

#[tokio::test]
async fn garbage_ends_everything_under_way() {
    let (monitor, mut peer) = pair().await;
    let first = start(monitor.execute("first", Value::Null)).await;
    let event = start(monitor.next_event("STOP")).await;
    peer.send("{\"event\": \"RESUME\"}\nSegmentation fault\n").await;
    let error = Error::Protocol { vm: "vm".into(), cause: "it sent `Segmentation fault`".into() };
    assert_eq!(soon(first).await, Err(error.clone()));
    assert_eq!(soon(event).await, Err(error.clone()));
    soon(monitor.closed()).await;
    assert!(monitor.is_closed());
    assert_eq!(monitor.execute("second", Value::Null).await, Err(error));
    assert_eq!(monitor.next_event("RESUME").await, Ok(json!({ "event": "RESUME" })));
}

#[tokio::test]
async fn half_a_message_and_the_end_is_the_end() {
    let (monitor, mut peer) = pair().await;
    let first = start(monitor.execute("first", Value::Null)).await;
    assert!(!monitor.is_closed());
    peer.send("{\"event\": \"SHUTDOWN\"}\r\n{\"return\": ").await;
    drop(peer);
    assert_eq!(soon(first).await, Err(gone("first")));
    assert_eq!(monitor.execute("second", Value::Null).await, Err(gone("second")));
    assert_eq!(monitor.next_event("SHUTDOWN").await, Ok(json!({ "event": "SHUTDOWN" })));
    assert_eq!(monitor.next_event("STOP").await, Err(gone("wait for STOP")));
}

#[tokio::test]
async fn a_message_without_end_is_given_up() {
    let (monitor, peer) = pair().await;
    let first = start(monitor.execute("first", Value::Null)).await;
    let mut stream = peer.0.into_inner();
    stream.write_all(b"{\"return\": \"").await.unwrap();
    let chunk = vec![b'x'; 1 << 20];
    // It ends with an error here once the other side has given up.
    while stream.write_all(&chunk).await.is_ok() {
        if monitor.is_closed() {
            break;
        }
    }
    let error = Error::Protocol { vm: "vm".into(), cause: "it sent a message of more than 64 MiB".into() };
    assert_eq!(soon(first).await, Err(error));
}

#[tokio::test]
async fn dropping_the_last_clone_hangs_up() {
    let (monitor, mut peer) = pair().await;
    drop(monitor.clone());
    let first = start(monitor.execute("first", Value::Null)).await;
    peer.line().await;
    drop(first);
    drop(monitor);
    let mut rest = Vec::new();
    assert_eq!(soon(peer.0.read_to_end(&mut rest)).await.unwrap(), 0);
}

#[tokio::test]
async fn telnet_and_tcp_carry_no_descriptor() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = Address::Telnet { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
    let serve = async {
        let mut peer = Peer::new(listener.accept().await.unwrap().0);
        peer.send(b"\xff\xfb\x01\xff\xfb\x03\xff\xfb\x00\xff\xfd\x00").await;
        peer.greet(&GREETING.replace("\"oob\"", "")).await;
        peer
    };
    let (monitor, _peer) = soon(async { tokio::join!(Monitor::connect("vm", &address), serve) }).await;
    let monitor = monitor.unwrap();
    let error = soon(monitor.execute_with_fd("getfd", Value::Null, listener.as_fd())).await.unwrap_err();
    assert_eq!(error.to_string(), format!("`getfd`: `{address}` cannot carry a file descriptor"));
    assert_eq!(error.hint(), "only a monitor on a unix socket can");
    let error = soon(monitor.execute_oob("migrate-pause", Value::Null)).await.unwrap_err();
    assert_eq!(error.to_string(), "`migrate-pause`: the monitor of vm `vm` offers no out-of-band execution");
}
