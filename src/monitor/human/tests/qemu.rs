//! Real QEMUs: every version in the lab, over every transport.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::lab::{Qemu, Sink, TRANSPORTS, Transport};
use crate::error::Error;
use crate::monitor::hmp::{info, migration};
use crate::monitor::tests::{soon, start};
use crate::monitor::{Human, Probed, probe, probe_within};
use crate::qemu::lab::binaries;

/// Whether what QMP said before and after is the same, but for the clocks.
fn without_clocks(mut migration: Value) -> Value {
    for name in ["total-time", "expected-downtime"] {
        migration.as_object_mut().unwrap().shift_remove(name);
    }
    migration
}

fn is_gone<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Gone { ended, .. }) if ended == "closed its monitor")
}

#[tokio::test]
async fn lines_are_answered() {
    for binary in binaries() {
        for transport in TRANSPORTS {
            let qemu = Qemu::launch(&binary, transport, &[]);
            let human = qemu.connect().await;
            assert_eq!(soon(human.line("info status")).await.unwrap(), "VM status: paused (prelaunch)\n");
            let version = soon(human.line("info version")).await.unwrap();
            assert_eq!(info::version(&version).unwrap().0, human.version());
            let error = soon(human.line("frobnicate")).await.unwrap_err();
            assert_eq!(error.to_string(), "`frobnicate`: unknown command: 'frobnicate'");
            assert!(soon(human.line("help")).await.unwrap().lines().count() > 100);
            assert_eq!(soon(human.line("")).await.unwrap(), "");
            assert_eq!(soon(human.line("  info   name ")).await, Ok(String::new()));
            let error = soon(human.line("stop\ncont")).await.unwrap_err();
            assert_eq!((error.kind(), soon(human.line("info name")).await), ("argument", Ok(String::new())));
            assert!(!human.is_closed());
        }
    }
}

#[tokio::test]
async fn both_monitors_say_the_same() {
    for binary in binaries() {
        let qemu = Qemu::launch(&binary, Transport::Unix, &["-S", "-name", "ä (qemu) \u{1f980}"]);
        let human = qemu.connect().await;
        assert_eq!(soon(human.line("info name")).await.unwrap(), "ä (qemu) \u{1f980}\n");
        let qmp = qemu.qmp().await;
        for line in [
            "info name",
            "info uuid",
            "info pci",
            "info mtree -f",
            "info qtree",
            "info migrate",
            "info migrate_capabilities",
            "info migrate_parameters",
            "info registers",
            "info qom-tree",
            "help info",
            "xp /4wx 0",
            "print 6*7",
            "qom-list /machine",
            "migrate_set_parameter tls-hostname \"a\\\"b ü\"",
            "info migrate_parameters",
        ] {
            let over_qmp = soon(qmp.execute("human-monitor-command", json!({ "command-line": line })));
            let over_qmp = over_qmp.await.unwrap().as_str().unwrap().replace("\r\n", "\n");
            assert_eq!(soon(human.line(line)).await, Ok(over_qmp), "{line}");
        }
    }
}

#[tokio::test]
async fn the_longest_line_arrives() {
    for binary in binaries() {
        let qemu = Qemu::launch(&binary, Transport::Unix, &[]);
        let human = qemu.connect().await;
        let host = "h".repeat(1023);
        // 11.1 takes blanks at the end for a part of the value.
        let set = "migrate_set_parameter tls-hostname";
        let line = format!("{set}{host:>width$}", width = 2048 - set.len());
        soon(human.line(&line)).await.unwrap();
        let parameters = soon(human.line("info migrate_parameters")).await.unwrap();
        assert!(parameters.contains(&format!("tls-hostname: '{host}'\n")), "{parameters}");
        for long in ["x ".repeat(1025), "x".repeat(1024)] {
            assert_eq!(soon(human.line(&long)).await.unwrap_err().kind(), "argument");
        }
    }
}

#[tokio::test]
async fn a_migration_is_read_as_qmp_says_it() {
    for binary in binaries() {
        let qemu = Qemu::launch(&binary, Transport::Unix, &["-S", "-m", "256"]);
        let human = qemu.connect().await;
        // Until the state is there, and both monitors speak of the same moment.
        let see = async |status: &str| {
            let qmp = qemu.qmp().await;
            loop {
                let before = soon(qmp.execute("query-migrate", Value::Null)).await.unwrap();
                let text = soon(human.line("info migrate")).await.unwrap();
                let after = soon(qmp.execute("query-migrate", Value::Null)).await.unwrap();
                if without_clocks(before.clone()) == without_clocks(after) && before["status"] == status {
                    let read = migration::migration(&text).unwrap();
                    let run = info::status(&soon(human.line("info status")).await.unwrap()).unwrap();
                    let query = soon(qmp.execute("query-status", Value::Null)).await.unwrap();
                    assert_eq!(run, query["status"], "{status}");
                    assert_eq!(read["status"], status);
                    for name in ["downtime", "setup-time", "error-desc"] {
                        assert_eq!(read.get(name), before.get(name), "{status}: {name}");
                    }
                    for name in ["dirty-sync-count", "page-size", "duplicate", "normal"] {
                        assert_eq!(read["ram"].get(name), before["ram"].get(name), "{status}: {name}");
                    }
                    return;
                }
            }
        };
        assert_eq!(migration::migration(&soon(human.line("info migrate")).await.unwrap()), Ok(json!({})));
        soon(human.line("migrate -d tcp:127.0.0.1:1")).await.unwrap();
        soon(see("failed")).await;
        let sink = Sink::new();
        soon(human.line(&format!("migrate -d {}", sink.uri))).await.unwrap();
        soon(see("active")).await;
        soon(human.line("migrate_cancel")).await.unwrap();
        soon(see("cancelled")).await;
        soon(human.line("migrate_set_capability pause-before-switchover on")).await.unwrap();
        soon(human.line("migrate -d \"exec:cat >/dev/null\"")).await.unwrap();
        soon(see("pre-switchover")).await;
        soon(human.line("migrate_continue pre-switchover")).await.unwrap();
        soon(see("completed")).await;
    }
}

/// A QEMU whose human monitor is held by a migration into the sink.
async fn busy(binary: &Path, sink: &Sink) -> (Qemu, Human, JoinHandle<Result<String, Error>>) {
    let qemu = Qemu::launch(binary, Transport::Unix, &["-S", "-m", "256"]);
    let human = qemu.connect().await;
    let (caller, line) = (human.clone(), format!("migrate {}", sink.uri));
    let migrate = tokio::spawn(async move { caller.line(&line).await });
    let qmp = qemu.qmp().await;
    while soon(qmp.execute("query-migrate", Value::Null)).await.unwrap()["status"] != "active" {}
    (qemu, human, migrate)
}

#[tokio::test]
async fn a_busy_monitor_keeps_the_others_waiting() {
    const MOVED: &str = "VM status: paused (postmigrate)\n";
    for binary in binaries() {
        let sink = Sink::new();
        let (_qemu, human, migrate) = busy(&binary, &sink).await;
        let status = start(human.line("info status")).await;
        soon(sink.drain()).await;
        assert_eq!(soon(migrate).await.unwrap(), Ok(String::new()));
        assert_eq!(soon(status).await.unwrap(), MOVED);

        // The reply of a line that nobody waits for any more is nobody else's.
        let (_qemu, human, migrate) = busy(&binary, &sink).await;
        migrate.abort();
        let status = start(human.line("info status")).await;
        soon(sink.drain()).await;
        assert_eq!(soon(status).await.unwrap(), MOVED);

        // The next client meets a monitor that is still busy.
        let (qemu, human, migrate) = busy(&binary, &sink).await;
        migrate.abort();
        assert!(soon(migrate).await.unwrap_err().is_cancelled());
        drop(human);
        let human = qemu.connect().await;
        let status = start(human.line("info status")).await;
        soon(sink.drain()).await;
        assert_eq!(soon(status).await.unwrap(), MOVED);
    }
}

#[tokio::test]
async fn giving_up_a_line_leaves_the_monitor_usable() {
    for binary in binaries() {
        let qemu = Qemu::launch(&binary, Transport::Telnet, &[]);
        let human = qemu.connect().await;
        qemu.signal(Signal::STOP);
        for _ in 0..3 {
            drop(start(human.line("info version")).await);
        }
        let status = start(human.line("info status")).await;
        qemu.signal(Signal::CONT);
        assert_eq!(soon(status).await.unwrap(), "VM status: paused (prelaunch)\n");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_many_callers_get_their_own_replies() {
    for binary in binaries() {
        let qemu = Qemu::launch(&binary, Transport::Unix, &[]);
        let human = qemu.connect().await;
        let mut callers = tokio::task::JoinSet::new();
        for n in 0..100 {
            let human = human.clone();
            callers.spawn(async move {
                let error = human.line(&format!("no-such-{n}")).await.unwrap_err().to_string();
                assert_eq!(error, format!("`no-such-{n}`: unknown command: 'no-such-{n}'"));
            });
        }
        soon(callers.join_all()).await;
    }
}

#[tokio::test]
async fn a_qemu_that_goes_away_ends_everything_under_way() {
    for binary in binaries() {
        let qemu = Qemu::launch(&binary, Transport::Tcp, &[]);
        let human = qemu.connect().await;
        qemu.signal(Signal::STOP);
        let lines = [start(human.line("info status")).await, start(human.line("info name")).await];
        qemu.signal(Signal::KILL);
        for line in lines {
            assert!(is_gone(&soon(line).await));
        }
        assert!(human.is_closed());
        assert!(is_gone(&soon(human.line("info status")).await));

        let qemu = Qemu::launch(&binary, Transport::Unix, &[]);
        let human = qemu.connect().await;
        assert!(is_gone(&soon(human.line("quit")).await));
    }
}

#[tokio::test]
async fn a_second_client_is_told_of_the_first() {
    for binary in binaries() {
        for transport in TRANSPORTS {
            let qemu = Qemu::launch(&binary, transport, &[]);
            let first = qemu.connect().await;
            let patience = Duration::from_millis(50);
            for error in [
                Human::connect_within("vm", &qemu.address, patience).await.unwrap_err(),
                probe_within("vm", &qemu.address, patience).await.unwrap_err(),
            ] {
                assert_eq!(
                    error.to_string(),
                    format!(
                        "cannot connect to the monitor of vm `vm` at `{}`: it is silent for 50 ms: does another client hold it?",
                        qemu.address
                    )
                );
            }
            soon(first.line("info status")).await.unwrap();
            drop(first);
            // The kernel's queue may still hold the clients that gave up.
            let next = async {
                loop {
                    match Human::connect("vm", &qemu.address).await {
                        Ok(human) => break human,
                        Err(error) => assert!(error.to_string().contains("too many clients"), "{error}"),
                    }
                }
            };
            soon(soon(next).await.line("info status")).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_probe_finds_out_what_a_monitor_speaks() {
    for binary in binaries() {
        for transport in TRANSPORTS {
            let qemu = Qemu::launch_with(&binary, transport, "control", &[]);
            qemu.started().await;
            match soon(probe("vm", &qemu.address)).await.unwrap() {
                Probed::Qmp(monitor) => {
                    let status = soon(monitor.execute("query-status", Value::Null)).await.unwrap();
                    assert_eq!(status["status"], "prelaunch");
                }
                Probed::Human(human) => panic!("{human:?}"),
            }
            let error = Human::connect("vm", &qemu.address).await.unwrap_err().to_string();
            assert!(
                error.starts_with(
                    "the monitor of vm `vm` does not speak HMP: it sent `{\"QMP\": {\"version\""
                ),
                "{error}"
            );

            let qemu = Qemu::launch(&binary, transport, &[]);
            match soon(probe("vm", &qemu.address)).await.unwrap() {
                Probed::Human(human) => assert_eq!(soon(human.line("stop")).await, Ok(String::new())),
                Probed::Qmp(monitor) => panic!("{monitor:?}"),
            }
        }
    }
}

#[tokio::test]
async fn telnet_need_not_be_named() {
    use crate::monitor::Address;
    for binary in binaries() {
        for mode in ["control", "readline"] {
            let qemu = Qemu::launch_with(&binary, Transport::Telnet, mode, &[]);
            qemu.started().await;
            let Address::Telnet { host, port } = qemu.address.clone() else { unreachable!() };
            match soon(probe("vm", &Address::Tcp { host, port })).await.unwrap() {
                Probed::Human(human) => assert!(soon(human.line("info status")).await.is_ok()),
                Probed::Qmp(monitor) => {
                    assert!(soon(monitor.execute("query-status", Value::Null)).await.is_ok());
                }
            }
        }
    }
}
