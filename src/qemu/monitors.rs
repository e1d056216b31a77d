//! Which monitors a command line opens, and which of them somebody else can talk to.
//!
//! Pure: QEMU's arguments in, addresses out. Whether a monitor is free is not known here.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::monitor::Address;
use crate::qemu::arguments::{Argument, Arguments, Value};

/// What a monitor speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// JSON.
    Qmp,
    /// The human monitor.
    Hmp,
}

/// A monitor that a command line opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it can be reached, or why it cannot.
    pub place: Place,
    /// The option that opens it: `-qmp unix:q.sock,server=on`; empty for the one that QEMU opens by itself.
    pub from: String,
}

/// Where a monitor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It listens there. The name of an abstract unix socket begins with NUL.
    At(Address),
    /// It listens on the first port, from this one to `last`, that was free.
    Ports {
        /// With the first port.
        address: Address,
        /// The last port.
        last: u16,
    },
    /// It listens on a socket that QEMU got from its parent: a number, or a name given by a monitor.
    Descriptor {
        /// As in `fd=`.
        fd: String,
        /// Whether it opens with telnet's negotiation.
        telnet: bool,
    },
    /// The guest's output comes out of it, too, and could pass for an answer (seen on 7.2 and 10.0: in the middle of
    /// QEMU's echo, and behind its prompt); and what is typed goes to whoever has the focus, first the guest.
    Shared {
        /// Where, if it is a socket.
        address: Option<Address>,
        /// With whom, to complete the sentence `the monitor shares its connection with …`.
        with: String,
    },
    /// Nobody can connect to it; the reason completes the sentence `the monitor …`.
    Unreachable(String),
}

impl Place {
    fn address(self) -> Option<Address> {
        match self {
            Self::At(address) => Some(address),
            _ => None,
        }
    }
}

/// The monitors, in the order of their options. A relative path is taken from `directory`.
///
/// A `-readconfig` file counts if the arguments were expanded before.
#[must_use]
pub fn monitors(args: &Arguments, directory: &Path) -> Vec<Opened> {
    let mut found: Vec<Opened> =
        args.as_slice().iter().filter_map(|argument| opened(args, argument, directory)).collect();
    let decided = ["monitor", "qmp", "qmp-pretty", "mon", "nodefaults"];
    if found.is_empty() && !decided.iter().any(|option| args.has(option)) {
        let reason = if args.has("nographic") { ON_STDIO } else { IN_WINDOW };
        let place = Place::Unreachable(reason.to_owned());
        found.push(Opened { protocol: Protocol::Hmp, place, from: String::new() });
    }
    found
}

const ON_STDIO: &str = "is on QEMU's standard input and output";
const IN_WINDOW: &str = "is a console in QEMU's window";

fn opened(args: &Arguments, argument: &Argument, directory: &Path) -> Option<Opened> {
    let text = argument.text()?;
    let (protocol, place) = match argument.name() {
        // QEMU compares these four bytes only.
        "monitor" if text.starts_with("none") => return None,
        "monitor" => (Protocol::Hmp, compatible(args, text, directory)),
        "qmp" | "qmp-pretty" => (Protocol::Qmp, compatible(args, text, directory)),
        "mon" => {
            let value = argument.value()?;
            let is_control = value.get("mode").as_deref() == Some("control");
            let protocol = if is_control { Protocol::Qmp } else { Protocol::Hmp };
            (protocol, of_id(args, &value.get("chardev").unwrap_or_default(), directory))
        }
        // Since 11.1, which deprecates `-mon`.
        "object" => {
            let value = argument.value()?;
            let protocol = match value.get("qom-type").as_deref() {
                Some("monitor-qmp") => Protocol::Qmp,
                Some("monitor-hmp") => Protocol::Hmp,
                _ => return None,
            };
            (protocol, of_id(args, &value.get("chardev").unwrap_or_default(), directory))
        }
        option @ ("serial" | "parallel" | "debugcon" | "virtioconsole") if text.starts_with("mon:") => {
            let address = compatible(args, text, directory).address();
            (Protocol::Hmp, Place::Shared { address, with: format!("the guest's `-{option}`") })
        }
        _ => return None,
    };
    Some(Opened { protocol, place, from: argument.line() })
}

/// The place of `-monitor TEXT` and `-qmp TEXT`.
fn compatible(args: &Arguments, text: &str, directory: &Path) -> Place {
    let text = text.strip_prefix("mon:").unwrap_or(text);
    if let Some(id) = text.strip_prefix("chardev:") {
        return of_id(args, id, directory);
    }
    let Some((kind, rest)) = text.split_once(':') else {
        return place(&Value::parse(&format!("backend={text}"), ""), directory);
    };
    let socket = match kind {
        "unix" => format!("path={rest},backend=socket"),
        "tcp" | "telnet" | "tn3270" | "websocket" => {
            let (address, options) = rest.split_once(',').unwrap_or((rest, ""));
            let (host, port) = address.rsplit_once(':').unwrap_or(("", address));
            let kind = if kind == "tcp" { String::new() } else { format!(",{kind}=on") };
            format!("host={host},port={port}{kind},{options},backend=socket")
        }
        other => format!("backend={other}"),
    };
    place(&Value::parse(&socket, ""), directory)
}

fn of_id(args: &Arguments, id: &str, directory: &Path) -> Place {
    let chardev = args
        .all("chardev")
        .filter_map(Argument::value)
        .find(|chardev| chardev.get("id").as_deref() == Some(id));
    match chardev {
        Some(chardev) => place(&chardev, directory),
        None => Place::Unreachable(format!("is on a `-chardev` with the id `{id}`, which there is not")),
    }
}

fn place(chardev: &Value, directory: &Path) -> Place {
    let is_on = |key: &str| chardev.is_on(key) == Some(true);
    if is_on("mux") {
        let address = socket(chardev, directory).address();
        return Place::Shared { address, with: "others (`mux=on`)".to_owned() };
    }
    socket(chardev, directory)
}

fn socket(chardev: &Value, directory: &Path) -> Place {
    let is_on = |key: &str| chardev.is_on(key) == Some(true);
    let unreachable = |reason: &str| Place::Unreachable(reason.to_owned());
    match chardev.get("backend").unwrap_or_default().as_str() {
        "socket" => {}
        "stdio" => return unreachable(ON_STDIO),
        "vc" => return unreachable(IN_WINDOW),
        "pty" => return unreachable("is on a pseudo terminal"),
        "null" => return unreachable("leads nowhere"),
        other => return Place::Unreachable(format!("is on a character device of type `{other}`")),
    }
    if let Some(kind) = ["websocket", "tn3270"].into_iter().find(|kind| is_on(kind)) {
        return Place::Unreachable(format!("speaks {kind}"));
    }
    if chardev.get("tls-creds").is_some_and(|credentials| !credentials.is_empty()) {
        return unreachable("speaks TLS");
    }
    if !is_on("server") {
        return unreachable("connects to its client by itself (no `server=on`)");
    }
    if let Some(fd) = chardev.get("fd") {
        return Place::Descriptor { fd, telnet: is_on("telnet") };
    }
    match chardev.get("path") {
        Some(path) => Place::At(Address::Unix(unix_path(chardev, &path, directory))),
        None => inet(chardev),
    }
}

fn unix_path(chardev: &Value, path: &str, directory: &Path) -> PathBuf {
    if chardev.is_on("abstract") != Some(true) {
        return directory.join(path);
    }
    let mut name = format!("\0{path}").into_bytes();
    if chardev.is_on("tight") == Some(false) {
        // The whole of `sun_path` is the name then.
        name.resize(108, 0);
    }
    OsString::from_vec(name).into()
}

fn inet(chardev: &Value) -> Place {
    let port = chardev.get("port").unwrap_or_default();
    let Ok(port) = port.parse() else {
        return Place::Unreachable(format!("listens on the port `{port}`, which is no number"));
    };
    let host = chardev.get("host").unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
    // What listens on every address answers on this one.
    let host = match host {
        "" | "0.0.0.0" | "::" => "localhost".to_owned(),
        host => host.to_owned(),
    };
    let address = if chardev.is_on("telnet") == Some(true) {
        Address::Telnet { host, port }
    } else {
        Address::Tcp { host, port }
    };
    match chardev.get("to").and_then(|last| last.parse().ok()) {
        Some(last) if last > port => Place::Ports { address, last },
        // Port 0: the system has chosen one.
        _ if port == 0 => Place::Ports { address, last: u16::MAX },
        _ => Place::At(address),
    }
}
