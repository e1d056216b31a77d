//! Connections that do not come about.

use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::time::Duration;

use tokio::net::{TcpListener, UnixStream};

use super::super::{Address, Monitor};
use super::peer::{GREETING, Peer, listen};
use super::soon;
use crate::error::Error;

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
