//! A real QEMU, that of the lab.

use std::fmt::Debug;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, openat};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::super::{Address, Monitor};
use super::{soon, start};
use crate::error::{Error, Result};
use crate::qemu::lab::binary;

struct Qemu {
    child: Child,
    address: Address,
    _dir: TempDir,
}

impl Qemu {
    /// A QEMU whose monitor socket is there before it starts, so that nobody has to wait for it.
    fn launch(monitor: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("qmp");
        let listener = UnixListener::bind(&path).unwrap();
        let qemu = binary();
        let child = Command::new(&qemu)
            .args(["-S", "-nodefaults", "-display", "none", "-machine", "none", "-accel", "tcg"])
            .args(["-chardev", "socket,id=qmp,fd=0,server=on,wait=off", monitor, "chardev:qmp"])
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", qemu.display()));
        Self { child, address: Address::Unix(path), _dir: dir }
    }

    async fn connect(&self) -> Monitor {
        Monitor::connect_within("vm", &self.address, super::DEADLINE).await.unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The inode behind a descriptor of QEMU.
    fn inode(&self, fd: &Value) -> u64 {
        std::fs::metadata(format!("/proc/{}/fd/{fd}", self.child.id())).unwrap().ino()
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn running() -> (Qemu, Monitor) {
    let qemu = Qemu::launch("-qmp");
    let monitor = qemu.connect().await;
    (qemu, monitor)
}

fn is_gone<T: Debug>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::Gone { ended, .. }) if ended == "closed its monitor")
}

#[tokio::test]
async fn commands_are_answered() {
    let (_qemu, monitor) = running().await;
    let version = soon(monitor.execute("query-version", json!({}))).await.unwrap();
    let part = |name: &str| version["qemu"][name].to_string();
    assert_eq!(monitor.version(), format!("{}.{}.{}", part("major"), part("minor"), part("micro")));
    assert_eq!(monitor.package(), version["package"]);
    let error = soon(monitor.execute("no-such", Value::Null)).await.unwrap_err();
    let Error::Qmp { class, description, .. } = error else { panic!("{error}") };
    assert_eq!((&*class, &*description), ("CommandNotFound", "The command no-such has not been found"));
    // The longest answer that QEMU has.
    assert!(
        soon(monitor.execute("query-qmp-schema", Value::Null)).await.unwrap().as_array().unwrap().len() > 500
    );
    // What its parser does not read is answered without an id.
    let error = soon(monitor.execute("query-status", json!({ "a": "\0" }))).await.unwrap_err();
    assert_eq!(error.kind(), "qmp");
    assert_eq!(soon(monitor.execute("query-status", json!([]))).await.unwrap_err().kind(), "qmp");
    assert_eq!(soon(monitor.execute("query-status", Value::Null)).await.unwrap()["status"], "prelaunch");
}

#[tokio::test]
async fn a_pretty_monitor_is_understood() {
    let qemu = Qemu::launch("-qmp-pretty");
    let monitor = qemu.connect().await;
    assert_eq!(soon(monitor.execute("query-status", Value::Null)).await.unwrap()["running"], false);
}

#[tokio::test]
async fn a_command_can_be_out_of_band() {
    let (_qemu, monitor) = running().await;
    assert!(monitor.offers_oob());
    let error = soon(monitor.execute_oob("migrate-pause", Value::Null)).await.unwrap_err().to_string();
    assert!(error.contains("postcopy"), "{error}");
    let error = soon(monitor.execute_oob("query-status", Value::Null)).await.unwrap_err().to_string();
    assert!(error.contains("OOB"), "{error}");
    // QEMU cannot read it, and so cannot say which command it answers.
    let error = soon(monitor.execute_oob("migrate-pause", json!({ "a": "\0" }))).await.unwrap_err();
    assert_eq!(error.kind(), "qmp");
}

#[tokio::test]
async fn an_urgent_command_overtakes_those_that_wait() {
    let (_qemu, monitor) = running().await;
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    // QEMU's main loop hangs until somebody reads what it wants to write.
    let slow = json!({ "val": 0, "size": 1, "filename": fifo });
    let mut waiting = vec![start(monitor.execute("pmemsave", slow)).await];
    for _ in 0..20 {
        waiting.push(start(monitor.execute("query-status", Value::Null)).await);
    }
    let error = soon(monitor.execute_oob("migrate-pause", Value::Null)).await.unwrap_err();
    assert_eq!(error.kind(), "qmp");
    let _reader = openat(CWD, &fifo, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
    for answer in waiting {
        soon(answer).await.unwrap();
    }
}

#[tokio::test]
async fn a_descriptor_arrives_with_its_command() {
    let (qemu, monitor) = running().await;
    let file = tempfile::tempfile().unwrap();
    let name = json!({ "fdname": "image" });
    assert_eq!(soon(monitor.execute_with_fd("getfd", name.clone(), file.as_fd())).await, Ok(json!({})));
    assert_eq!(soon(monitor.execute("closefd", name.clone())).await, Ok(json!({})));
    assert_eq!(soon(monitor.execute("closefd", name)).await.unwrap_err().kind(), "qmp");

    let mut adding = JoinSet::new();
    for _ in 0..50 {
        let monitor = monitor.clone();
        adding.spawn(async move {
            let file = tempfile::tempfile().unwrap();
            let added = monitor.execute_with_fd("add-fd", Value::Null, file.as_fd()).await.unwrap();
            (added["fd"].clone(), file.metadata().unwrap().ino())
        });
    }
    for (fd, inode) in soon(adding.join_all()).await {
        assert_eq!(qemu.inode(&fd), inode);
    }
    let sets = soon(monitor.execute("query-fdsets", Value::Null)).await.unwrap();
    assert_eq!(sets.as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn no_event_is_missed() {
    let (_qemu, monitor) = running().await;
    let resumed = start(monitor.next_event("RESUME")).await;
    for _ in 0..100 {
        soon(monitor.execute("cont", Value::Null)).await.unwrap();
        soon(monitor.execute("stop", Value::Null)).await.unwrap();
    }
    let first = soon(resumed).await.unwrap();
    assert!(first["timestamp"]["microseconds"].is_u64());
    let mut names = vec!["RESUME".to_owned()];
    while names.len() < 200 {
        let mut news = monitor.events().news();
        let events = monitor.events().drain();
        names.extend(events.iter().map(|event| event["event"].as_str().unwrap().to_owned()));
        if events.is_empty() {
            soon(news.changed()).await;
        }
    }
    assert!(names.chunks(2).all(|pair| pair == ["RESUME", "STOP"]), "{names:?}");
    assert_eq!(monitor.events().last("RESUME").unwrap()["event"], "RESUME");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_commands_at_once_get_their_own_answers() {
    let (_qemu, monitor) = running().await;
    let mut commands = JoinSet::new();
    for n in 0..1000 {
        let monitor = monitor.clone();
        commands.spawn(async move {
            let command = format!("no-such-{n}");
            let error = monitor.execute(&command, Value::Null).await.unwrap_err().to_string();
            assert_eq!(error, format!("`{command}`: The command {command} has not been found"));
        });
    }
    soon(commands.join_all()).await;
}

#[tokio::test]
async fn giving_up_a_command_leaves_the_monitor_usable() {
    let (qemu, monitor) = running().await;
    qemu.signal(Signal::STOP);
    for _ in 0..5 {
        drop(start(monitor.execute("query-version", Value::Null)).await);
    }
    let status = start(monitor.execute("query-status", Value::Null)).await;
    qemu.signal(Signal::CONT);
    assert_eq!(soon(status).await.unwrap()["status"], "prelaunch");
}

#[tokio::test]
async fn a_qemu_that_is_killed_ends_everything_under_way() {
    let (qemu, monitor) = running().await;
    qemu.signal(Signal::STOP);
    let mut commands = Vec::new();
    for _ in 0..10 {
        commands.push(start(monitor.execute("query-status", Value::Null)).await);
    }
    let event = start(monitor.next_event("STOP")).await;
    qemu.signal(Signal::KILL);
    for command in commands {
        assert!(is_gone(&soon(command).await));
    }
    assert!(is_gone(&soon(event).await));
    soon(monitor.closed()).await;
    assert!(is_gone(&monitor.execute("query-status", Value::Null).await));
}

#[tokio::test]
async fn quit_is_answered_before_the_end() {
    let (_qemu, monitor) = running().await;
    assert_eq!(soon(monitor.execute("quit", Value::Null)).await, Ok(json!({})));
    soon(monitor.closed()).await;
    assert_eq!(monitor.events().last("SHUTDOWN").unwrap()["data"]["reason"], "host-qmp-quit");
}

#[tokio::test]
async fn one_client_at_a_time() {
    let (qemu, first) = running().await;
    let error = Monitor::connect_within("vm", &qemu.address, Duration::from_millis(50)).await.unwrap_err();
    assert!(error.to_string().contains("does another client hold it?"), "{error}");
    drop(first);
    qemu.connect().await;
}
