//! Where a monitor listens: `unix:/path`, `unix:@name`, `tcp:host:port`, `telnet:host:port`.
//!
//! Pure: text to values and back. Nothing here connects.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
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
    /// A unix socket. The path is at most [`LONGEST_UNIX_PATH`] bytes long. An abstract name begins with NUL, as in
    /// `sun_path`; it is written `unix:@name` (a file of such a name is `unix:./@name`).
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
            Self::Unix(path) => {
                return match self.abstract_name() {
                    Some((name, true)) => write!(f, "unix:@{}", escape(&name)),
                    Some((name, false)) => write!(f, "unix:@{},tight=off", escape(&name)),
                    None => write!(f, "unix:{}", escape(&path.to_string_lossy())),
                };
            }
            Self::Tcp { host, port } => ("tcp", host, port),
            Self::Telnet { host, port } => ("telnet", host, port),
        };
        let host = escape(host);
        if host.contains(':') || host.starts_with('[') {
            write!(f, "{kind}:[{host}]:{port}")
        } else {
            write!(f, "{kind}:{host}:{port}")
        }
    }
}

impl Address {
    /// As QEMU reads it in `-monitor` and `-qmp`, before `,server=on`.
    #[must_use]
    pub fn to_option(&self) -> String {
        match self.abstract_name() {
            Some((name, true)) => format!("unix:{},abstract=on", escape(&name)),
            Some((name, false)) => format!("unix:{},abstract=on,tight=off", escape(&name)),
            None => self.to_string(),
        }
    }

    /// The port, of an address that has one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Unix(_) => None,
            Self::Tcp { port, .. } | Self::Telnet { port, .. } => Some(*port),
        }
    }

    /// The name of an abstract unix socket, and whether it ends where its text does (`tight=on`, QEMU's default).
    fn abstract_name(&self) -> Option<(String, bool)> {
        let Self::Unix(path) = self else { return None };
        let name = path.as_os_str().as_bytes().strip_prefix(b"\0")?;
        let text = String::from_utf8_lossy(name);
        let tight = text.trim_end_matches('\0');
        Some((tight.to_owned(), tight.len() == text.len()))
    }
}

fn unknown(text: &str) -> String {
    format!("`{text}` is no monitor address: write `unix:/path`, `tcp:host:port` or `telnet:host:port`")
}

fn parse_path(text: &str, rest: &str) -> Result<Address, String> {
    let mut options = split(rest).into_iter();
    let path = options.next().unwrap_or_default();
    let mut is_abstract = false;
    let mut is_tight = true;
    for option in options {
        match option.split_once('=').unwrap_or((&option, "on")) {
            ("abstract", switch) => is_abstract = is_on(switch),
            ("tight", switch) => is_tight = is_on(switch),
            _ => {}
        }
    }
    let name = if is_abstract { Some(path.as_str()) } else { path.strip_prefix('@') };
    match name.unwrap_or(&path).len() {
        0 => Err(format!("`{text}` names no path")),
        length @ 1..=LONGEST_UNIX_PATH => Ok(Address::Unix(match name {
            Some(name) => {
                // Unless told otherwise by `tight=off`, where NULs fill the whole of `sun_path`.
                let padding = if is_tight { 0 } else { LONGEST_UNIX_PATH - length };
                let name = [b"\0", name.as_bytes(), &vec![0; padding]].concat();
                OsString::from_vec(name).into()
            }
            None => path.into(),
        })),
        length => Err(format!(
            "the path in `{text}` has {length} bytes, and a unix socket's path has at most {LONGEST_UNIX_PATH}"
        )),
    }
}

fn is_on(switch: &str) -> bool {
    matches!(switch, "on" | "yes" | "true" | "y")
}

fn parse_host_port(text: &str, rest: &str) -> Result<(String, u16), String> {
    let rest = split(rest).swap_remove(0);
    let Some((host, port)) = rest.rsplit_once(':') else {
        return Err(format!("`{text}` has no port: write `host:port`"));
    };
    let port = match port.parse() {
        Ok(0) | Err(_) => return Err(format!("`{port}` in `{text}` is no port (1 to 65535)")),
        Ok(port) => port,
    };
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some("") => "localhost",
        Some(bracketed) => bracketed,
        None if host.contains(':') => {
            return Err(format!("an IPv6 address goes in brackets: `[{host}]:{port}`"));
        }
        None if host.is_empty() => "localhost",
        None => host,
    };
    Ok((host.to_owned(), port))
}

/// The value and QEMU's `,option=value` behind it. Within a value QEMU doubles a comma.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c == ',' && rest.next_if_eq(&',').is_none() {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

fn escape(value: &str) -> String {
    value.replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        assert_eq!(parse("unix:@a,,b"), Ok(Address::Unix("\0a,b".into())));
        assert_eq!(parse("unix:a,abstract=on,server=on"), Ok(Address::Unix("\0a".into())));
        assert_eq!(parse("unix:@a,abstract,server"), Ok(Address::Unix("\0@a".into())));
        assert_eq!(parse("unix:./@a"), Ok(Address::Unix("./@a".into())));
        assert_eq!(parse("tcp:example.org:4444"), Ok(tcp("example.org", 4444)));
        assert_eq!(parse("tcp:127.0.0.1:4444,server=on,wait=off"), Ok(tcp("127.0.0.1", 4444)));
        assert_eq!(parse("tcp::4444"), Ok(tcp("localhost", 4444)));
        assert_eq!(parse("tcp:[]:4444"), Ok(tcp("localhost", 4444)));
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
        for text in [
            "unix:/a,,b",
            "unix:@a,,b",
            "unix:@a,tight=off",
            "tcp:localhost:1",
            "tcp:[fe80::1]:65535",
            "tcp:,,:1",
            "tcp:[[]]:1",
            "telnet:h:23",
        ] {
            let address = parse(text).unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(parse(&address.to_option()), Ok(address));
        }
        assert_eq!(parse("unix:@a").unwrap().to_option(), "unix:a,abstract=on");
        assert_eq!(parse("unix:/a").unwrap().to_option(), "unix:/a");
        let Ok(Address::Unix(padded)) = parse("unix:@a,tight=off") else { panic!("a unix socket") };
        assert_eq!(padded.as_os_str().len(), 108);
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_shown_so_that_it_reads_back(
            text in "(unix|tcp|telnet|[a-z]{0,3}):(@|/|\\[)?[a-z0-9,=@:./\\]ä-]{0,20}(,abstract(=on)?|,tight=off)?|.{0,12}"
        ) {
            if let Ok(address) = parse(&text) {
                prop_assert_eq!(parse(&address.to_string()), Ok(address.clone()));
                prop_assert_eq!(parse(&address.to_option()), Ok(address));
            }
        }
    }
}
