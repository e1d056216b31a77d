//! Where a monitor listens: `unix:/path`, `tcp:host:port`, `telnet:host:port`.
//!
//! Pure: text to values and back. Nothing here connects.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The longest path that a unix socket can have, in bytes (`sun_path` has 108, one of them for the final NUL).
pub const LONGEST_UNIX_PATH: usize = 107;

/// The address of a monitor, written as in QEMU's `-qmp` and `-monitor`.
///
/// What QEMU appends there (`,server=on,wait=off`) is read over, so that an
/// option can be taken from QEMU's command line as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// A unix socket. The path is at most [`LONGEST_UNIX_PATH`] bytes long.
    Unix(PathBuf),
    /// A TCP port.
    Tcp {
        /// A name, an IPv4 address, or an IPv6 address without its brackets.
        host: String,
        /// 1 to 65535.
        port: u16,
    },
    /// A TCP port that opens with telnet's negotiation: QEMU's `telnet:` or `telnet=on`.
    Telnet {
        /// As in `Tcp`.
        host: String,
        /// As in `Tcp`.
        port: u16,
    },
}

impl FromStr for Address {
    type Err = String;

    /// # Errors
    /// A sentence that says what is wrong.
    fn from_str(text: &str) -> Result<Self, String> {
        let Some((kind, rest)) = text.split_once(':') else {
            return Err(unknown(text));
        };
        match kind {
            "unix" => parse_path(text, rest),
            "tcp" => parse_host_port(text, rest).map(|(host, port)| Self::Tcp { host, port }),
            "telnet" => parse_host_port(text, rest).map(|(host, port)| Self::Telnet { host, port }),
            _ => Err(unknown(text)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, host, port) = match self {
            Self::Unix(path) => return write!(f, "unix:{}", path.to_string_lossy().replace(',', ",,")),
            Self::Tcp { host, port } => ("tcp", host, port),
            Self::Telnet { host, port } => ("telnet", host, port),
        };
        if host.contains(':') {
            write!(f, "{kind}:[{host}]:{port}")
        } else {
            write!(f, "{kind}:{host}:{port}")
        }
    }
}

fn unknown(text: &str) -> String {
    format!("`{text}` is no monitor address: write `unix:/path`, `tcp:host:port` or `telnet:host:port`")
}

fn parse_path(text: &str, rest: &str) -> Result<Address, String> {
    let path = before_options(rest);
    match path.len() {
        0 => Err(format!("`{text}` names no path")),
        1..=LONGEST_UNIX_PATH => Ok(Address::Unix(path.into())),
        length => Err(format!(
            "the path in `{text}` has {length} bytes, and a unix socket's path has at most {LONGEST_UNIX_PATH}"
        )),
    }
}

fn parse_host_port(text: &str, rest: &str) -> Result<(String, u16), String> {
    let rest = before_options(rest);
    let Some((host, port)) = rest.rsplit_once(':') else {
        return Err(format!("`{text}` has no port: write `host:port`"));
    };
    let port = match port.parse() {
        Ok(0) | Err(_) => return Err(format!("`{port}` in `{text}` is no port (1 to 65535)")),
        Ok(port) => port,
    };
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(bracketed) => bracketed,
        None if host.contains(':') => {
            return Err(format!("an IPv6 address goes in brackets: `[{host}]:{port}`"));
        }
        None if host.is_empty() => "localhost",
        None => host,
    };
    Ok((host.to_owned(), port))
}

/// The value in front of QEMU's `,option=value`. Within a value QEMU doubles a comma.
fn before_options(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c == ',' && rest.next_if_eq(&',').is_none() {
            break;
        }
        value.push(c);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address, String> {
        text.parse()
    }

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp { host: host.into(), port }
    }

    #[test]
    fn addresses_are_written_as_in_qemu() {
        assert_eq!(parse("unix:/run/q.sock"), Ok(Address::Unix("/run/q.sock".into())));
        assert_eq!(parse("unix:q.sock,server,nowait"), Ok(Address::Unix("q.sock".into())));
        assert_eq!(parse("unix:/a,,b,server=on,wait=off"), Ok(Address::Unix("/a,b".into())));
        assert_eq!(parse("unix:/a:b"), Ok(Address::Unix("/a:b".into())));
        assert_eq!(parse("tcp:example.org:4444"), Ok(tcp("example.org", 4444)));
        assert_eq!(parse("tcp:127.0.0.1:4444,server=on,wait=off"), Ok(tcp("127.0.0.1", 4444)));
        assert_eq!(parse("tcp::4444"), Ok(tcp("localhost", 4444)));
        assert_eq!(parse("tcp:[::1]:4444"), Ok(tcp("::1", 4444)));
        assert_eq!(
            parse("telnet:localhost:23,server,nowait"),
            Ok(Address::Telnet { host: "localhost".into(), port: 23 })
        );
    }

    #[test]
    fn a_wrong_address_is_explained() {
        let wrong = |text: &str| parse(text).unwrap_err();
        assert_eq!(
            wrong("/run/q.sock"),
            "`/run/q.sock` is no monitor address: write `unix:/path`, `tcp:host:port` or `telnet:host:port`"
        );
        assert_eq!(
            wrong("udp:a:1"),
            "`udp:a:1` is no monitor address: write `unix:/path`, `tcp:host:port` or `telnet:host:port`"
        );
        assert_eq!(wrong("unix:,server=on"), "`unix:,server=on` names no path");
        assert_eq!(wrong("tcp:4444"), "`tcp:4444` has no port: write `host:port`");
        assert_eq!(wrong("tcp:a:http"), "`http` in `tcp:a:http` is no port (1 to 65535)");
        assert_eq!(wrong("tcp:a:65536"), "`65536` in `tcp:a:65536` is no port (1 to 65535)");
        assert_eq!(wrong("telnet:a:0"), "`0` in `telnet:a:0` is no port (1 to 65535)");
        assert_eq!(wrong("tcp:::1:4444"), "an IPv6 address goes in brackets: `[::1]:4444`");
    }

    #[test]
    fn a_unix_path_has_at_most_107_bytes() {
        assert!(parse(&format!("unix:/{}", "p".repeat(106))).is_ok());
        let long = format!("unix:/{}", "ä".repeat(54));
        assert_eq!(
            parse(&long),
            Err(format!("the path in `{long}` has 109 bytes, and a unix socket's path has at most 107"))
        );
    }

    #[test]
    fn an_address_reads_back_as_it_is_shown() {
        for text in ["unix:/a,,b", "tcp:localhost:1", "tcp:[fe80::1]:65535", "telnet:h:23"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }
}
