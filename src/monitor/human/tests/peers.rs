//! Peers that send what a real QEMU would not.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::super::Human;
use crate::error::Error;
use crate::monitor::hmp::Line;
use crate::monitor::tests::peer::listen;
use crate::monitor::tests::{soon, start};
use crate::monitor::{Probed, probe_within};

const GREETING: &[u8] = b"QEMU 9.1.0 monitor - type 'help' for more information\r\n(qemu) ";

/// What a probe says of a peer that sends `first` and then closes, or stays.
async fn probed(first: &[u8], stays: bool) -> String {
    let (_dir, listener, address) = listen();
    let serve = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        peer.write_all(first).await.unwrap();
        stays.then_some(peer)
    };
    let patience = Duration::from_millis(if stays { 50 } else { 30_000 });
    let (probed, _peer) = soon(async { tokio::join!(probe_within("vm", &address, patience), serve) }).await;
    match probed.unwrap_err() {
        Error::Connect { cause, .. } => format!("connect: {cause}"),
        error => error.to_string(),
    }
}

#[tokio::test]
async fn what_is_no_monitor_is_explained() {
    assert_eq!(probed(b"", true).await, "connect: it is silent for 50 ms: does another client hold it?");
    assert_eq!(probed(b"", false).await, "connect: it closed the connection instead of a greeting");
    assert_eq!(probed(b"QEM", false).await, "connect: it closed the connection instead of a greeting");
    assert_eq!(probed(b"login: ", true).await, "connect: it sent `login:` and no more for 50 ms");
    assert_eq!(
        probed(b"QEMU 9.1.0 monitor", true).await,
        "connect: it sent `QEMU 9.1.0 monitor` and no more for 50 ms"
    );
    assert_eq!(probed(b"{\"QMP\": {}}\r\n", true).await, "connect: it greets, and answers nothing for 50 ms");
    assert_eq!(
        probed(b"SSH-2.0-OpenSSH_9.2p1\r\n", true).await,
        "the monitor of vm `vm` does not speak QMP or HMP: it sent `SSH-2.0-OpenSSH_9.2p1`"
    );
    assert_eq!(
        probed(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n", false).await,
        "the monitor of vm `vm` does not speak QMP or HMP: it sent `HTTP/1.1 400 Bad Request`"
    );
    assert_eq!(
        probed(b"{\"jsonrpc\": \"2.0\"}\r\n", true).await,
        "the monitor of vm `vm` does not speak QMP: it sent `{\"jsonrpc\": \"2.0\"}`, which is neither greeting, reply nor event"
    );
}

/// A human monitor and its peer, past the greeting.
async fn pair() -> (Human, UnixStream) {
    let (_dir, listener, address) = listen();
    let serve = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        for byte in GREETING {
            peer.write_all(&[*byte]).await.unwrap();
        }
        peer
    };
    let patience = Duration::from_secs(30);
    match soon(async { tokio::join!(probe_within("vm", &address, patience), serve) }).await {
        (Ok(Probed::Human(human)), peer) => (human, peer),
        (other, _) => panic!("{other:?}"),
    }
}

async fn hears(peer: &mut UnixStream, line: &str) {
    let mut heard = vec![0; line.len() + 1];
    soon(peer.read_exact(&mut heard)).await.unwrap();
    assert_eq!(heard, format!("{line}\n").as_bytes());
}

async fn answers(peer: &mut UnixStream, line: &str, reply: &str) {
    let echo: Vec<u8> = Line::new(line).unwrap().echo().collect();
    peer.write_all(&[&echo[..], reply.as_bytes()].concat()).await.unwrap();
}

#[tokio::test]
async fn a_late_reply_is_nobody_s() {
    let (human, mut peer) = pair().await;
    drop(start(human.line("info version")).await);
    hears(&mut peer, "info version").await;
    answers(&mut peer, "info version", "9.1").await;
    let next = start(human.line("info status")).await;
    peer.write_all(b".0\r\n(qemu) ").await.unwrap();
    let (next, ()) = soon(async {
        tokio::join!(next, async {
            hears(&mut peer, "info status").await;
            answers(&mut peer, "info status", "VM status: running\r\n(qemu) ").await;
        })
    })
    .await;
    assert_eq!(next.unwrap(), "VM status: running\n");
}

#[tokio::test]
async fn a_reply_needs_no_line_end() {
    let (human, mut peer) = pair().await;
    let line = start(human.line("info x")).await;
    answers(&mut peer, "info x", "no end(qemu) ").await;
    assert_eq!(soon(line).await, Ok("no end".to_owned()));
}

#[tokio::test]
async fn a_peer_that_stops_being_a_monitor_is_left() {
    let (human, mut peer) = pair().await;
    let line = start(human.line("info status")).await;
    hears(&mut peer, "info status").await;
    peer.write_all(b"sh: info: not found\r\n$ ").await.unwrap();
    let wanted =
        "the monitor of vm `vm` does not speak HMP: it sent `sh: info: not found` instead of an echo";
    assert_eq!(soon(line).await.unwrap_err().to_string(), wanted);
    assert_eq!(soon(peer.read(&mut [0])).await.unwrap(), 0);
    assert_eq!(soon(human.line("info status")).await.unwrap_err().to_string(), wanted);
    assert!(human.is_closed());
}

#[tokio::test]
async fn a_half_reply_is_no_reply() {
    let (human, mut peer) = pair().await;
    let line = start(human.line("info status")).await;
    answers(&mut peer, "info status", "VM status: runn").await;
    drop(peer);
    let error = soon(line).await.unwrap_err();
    assert_eq!(error.to_string(), "vm `vm` closed its monitor during `info status`");
}
