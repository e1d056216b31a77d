//! Where monitors are, and who holds them.

use std::io::Read;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};

use super::*;
use crate::monitor::Address;
use crate::qemu::monitors::{Place, Protocol};

/// The monitors but the one on standard input and output.
fn addresses(attached: &Attached) -> Vec<(Protocol, Address)> {
    let at = |opened: crate::qemu::monitors::Opened| match opened.place {
        Place::At(address) => Some((opened.protocol, address)),
        Place::Unreachable(reason) => {
            assert_eq!(reason, "is on QEMU's standard input and output");
            None
        }
        other => panic!("{other:?}"),
    };
    attached.monitors().into_iter().filter_map(at).collect()
}

/// A client that was served: the monitor has greeted it.
fn greeted<S: Read>(mut stream: S) -> S {
    let mut byte = [0];
    stream.read_exact(&mut byte).unwrap();
    stream
}

fn is_held_by_this_test(attached: &Attached, address: &Address) {
    let holder = attached.holder(address).unwrap();
    assert_eq!(holder.pid.map(|pid| pid.as_raw_nonzero().get().unsigned_abs()), Some(std::process::id()));
    let own = std::fs::read_to_string("/proc/self/comm").unwrap();
    assert_eq!(holder.to_string(), format!("`{}` (pid {})", own.trim_end(), std::process::id()));
}

#[test]
fn a_relative_path_is_found() {
    let qemu =
        Qemu::start(&["-qmp", "unix:q.sock,server=on,wait=off", "-monitor", "unix:./m,server=on,wait=off"]);
    let attached = qemu.attach();
    let found = addresses(&attached);
    let path = qemu.directory.path().join("q.sock");
    assert_eq!(found[0], (Protocol::Qmp, Address::Unix(path.clone())));
    assert_eq!(found[1].0, Protocol::Hmp);

    let address = &found[0].1;
    assert_eq!(attached.holder(address), None);
    assert_eq!(listener(address), Some(attached.pid()));
    let _client = greeted(UnixStream::connect(&path).unwrap());
    is_held_by_this_test(&attached, address);
    // One that waits for its turn does not count.
    let Address::Unix(human) = &found[1].1 else { panic!("{found:?}") };
    assert_eq!(attached.holder(&found[1].1), None);
    let _second = greeted(UnixStream::connect(human).unwrap());
    is_held_by_this_test(&attached, &found[1].1);
}

#[test]
fn a_long_directory_is_no_obstacle() {
    let directory = tempfile::tempdir().unwrap();
    let deep = directory.path().join("d".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    let script = format!("cd {} && exec \"$@\"", deep.display());
    let mut command = Command::new("sh");
    command
        .args(["-c", &script, "sh"])
        .arg(binary())
        .args(BARE)
        .args(["-qmp", "unix:q.sock,server=on,wait=off"]);
    let qemu = Qemu::spawn(&mut command);
    let attached = qemu.attach();
    let found = addresses(&attached);
    let Address::Unix(path) = &found[0].1 else { panic!("{found:?}") };
    let _client = greeted(UnixStream::connect(path).unwrap());
    is_held_by_this_test(&attached, &found[0].1);
}

#[test]
fn a_port_that_the_system_chose_is_found() {
    let qemu = Qemu::start(&["-qmp", "tcp:127.0.0.1:0,server=on,wait=off"]);
    let attached = qemu.attach();
    let found = addresses(&attached);
    let Address::Tcp { host, port } = &found[0].1 else { panic!("{found:?}") };
    assert_eq!(attached.holder(&found[0].1), None);
    assert_eq!(listener(&found[0].1), Some(attached.pid()));
    let client = greeted(TcpStream::connect((host.as_str(), *port)).unwrap());
    is_held_by_this_test(&attached, &found[0].1);
    assert_eq!(attached.holder(&found[0].1).unwrap().remote, Some(client.local_addr().unwrap()));
}

#[test]
fn an_abstract_socket_is_found() {
    let name = format!("qhop-test-{}", std::process::id());
    let chardev = format!("socket,id=c,path={name},abstract=on,server=on,wait=off");
    let qemu = Qemu::start(&["-chardev", &chardev, "-mon", "chardev=c,mode=control"]);
    let attached = qemu.attach();
    let address = Address::Unix(format!("\0{name}").into());
    assert_eq!(addresses(&attached), [(Protocol::Qmp, address.clone())]);
    assert_eq!(listener(&address), Some(attached.pid()));
    let linux =
        <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name);
    let _client = greeted(UnixStream::connect_addr(&linux.unwrap()).unwrap());
    is_held_by_this_test(&attached, &address);
}

#[test]
fn a_socket_that_was_passed_in_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("qmp");
    let socket = UnixListener::bind(&path).unwrap();
    let args = ["-S", "-nodefaults", "-display", "none", "-machine", "none", "-accel", "tcg"];
    let chardev = ["-chardev", "socket,id=c,fd=0,server=on,wait=off", "-mon", "chardev=c,mode=control"];
    let mut command = Command::new(binary());
    command.args(args).args(chardev).stdin(Stdio::from(OwnedFd::from(socket)));
    let child = Ended::start(&mut command);
    // Its greeting says that it is ready.
    let _client = greeted(UnixStream::connect(&path).unwrap());
    let attached = Attached::to(child.0.id().into()).unwrap();
    assert_eq!(attached.passed[0].option, chardev[..2].join(" "));
    assert_eq!(addresses(&attached), [(Protocol::Qmp, Address::Unix(path.clone()))]);
    is_held_by_this_test(&attached, &Address::Unix(path.clone()));
    assert_eq!(listener(&Address::Unix(path)), Some(attached.pid()));
}

#[test]
fn nobody_listens() {
    assert_eq!(listener(&Address::Unix("/no/such/socket".into())), None);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(listener(&Address::Tcp { host: "localhost".into(), port: free }), None);
}
