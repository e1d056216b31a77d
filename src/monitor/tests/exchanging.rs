//! Commands, answers and events, as a real QEMU would not send them.

use std::net::Ipv4Addr;
use std::os::fd::AsFd;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::{Address, Monitor};
use super::peer::{GREETING, Peer, pair};
use super::{soon, start};
use crate::error::Error;

fn gone(operation: &str) -> Error {
    let (vm, ended) = ("vm".into(), "closed its monitor".into());
    Error::Gone { vm, operation: operation.into(), ended, stderr: String::new() }
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
        hint: String::new(),
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
    let error =
        Error::Protocol { protocol: "QMP", vm: "vm".into(), cause: "it sent `Segmentation fault`".into() };
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
    while soon(stream.write_all(&chunk)).await.is_ok() {}
    let error = Error::Protocol {
        protocol: "QMP",
        vm: "vm".into(),
        cause: "it sent a message of more than 64 MiB".into(),
    };
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
