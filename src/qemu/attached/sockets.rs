//! The kernel's tables of sockets, `/proc/net/unix` and `/proc/net/tcp`, as values.
//!
//! Pure: text in, sockets out. A line that is not understood is left out.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// What a socket is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It waits for clients.
    Listening,
    /// It is one end of a connection.
    Connected,
    /// Anything else: about to open or to close, or not accepted yet.
    Other,
}

/// A unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixSocket {
    /// What it is doing.
    pub state: State,
    /// Its number, as in `socket:[inode]`.
    pub inode: u64,
    /// The path that it was bound to, as the program wrote it; empty if none. An abstract name begins with NUL.
    /// An accepted connection has the path of its listener.
    pub path: PathBuf,
}

/// A TCP socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpSocket {
    /// What it is doing.
    pub state: State,
    /// Its number, as in `socket:[inode]`.
    pub inode: u64,
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
}

/// Read `/proc/net/unix`.
#[must_use]
pub fn unix(table: &[u8]) -> Vec<UnixSocket> {
    table.split(|byte| *byte == b'\n').filter_map(unix_line).collect()
}

/// `Num: RefCount Protocol Flags Type St Inode Path`.
fn unix_line(line: &[u8]) -> Option<UnixSocket> {
    let mut rest = line;
    let mut field = || {
        let start = rest.iter().position(|byte| *byte != b' ')?;
        let end = rest[start..].iter().position(|byte| *byte == b' ').map_or(rest.len(), |end| start + end);
        let field = std::str::from_utf8(&rest[start..end]).ok()?;
        rest = &rest[end..];
        Some(field)
    };
    let (_num, _references, _protocol, flags, _kind, state, inode) =
        (field()?, field()?, field()?, field()?, field()?, field()?, field()?);
    let inode = inode.parse().ok()?;
    let mut path = rest.strip_prefix(b" ").unwrap_or_default().to_vec();
    // The kernel shows each NUL of an abstract name as `@`; those at the end are padding.
    if path.first() == Some(&b'@') {
        let end = path.iter().rposition(|byte| *byte != b'@').unwrap_or(0);
        let padded = path.len() == 108;
        if padded {
            path[end + 1..].fill(0);
        }
        path[0] = 0;
    }
    let state = match (u32::from_str_radix(flags, 16).ok()? & ACCEPTS != 0, state) {
        (true, _) => State::Listening,
        (false, "03") => State::Connected,
        _ => State::Other,
    };
    Some(UnixSocket { state, inode, path: OsString::from_vec(path).into() })
}

/// `__SO_ACCEPTCON`.
const ACCEPTS: u32 = 1 << 16;

/// Read `/proc/net/tcp` or `/proc/net/tcp6`.
#[must_use]
pub fn tcp(table: &str) -> Vec<TcpSocket> {
    table.lines().filter_map(tcp_line).collect()
}

/// `sl: local remote st tx:rx tr:tm retransmits uid timeout inode …`.
fn tcp_line(line: &str) -> Option<TcpSocket> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, local, remote, state, _, _, _, _, _, inode, ..] = fields[..] else { return None };
    let state = match state {
        "0A" => State::Listening,
        "01" => State::Connected,
        _ => State::Other,
    };
    Some(TcpSocket { state, inode: inode.parse().ok()?, local: address(local)?, remote: address(remote)? })
}

/// `0100007F:1F90`: words in the machine's byte order, the port in network order.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let word = |at: usize| u32::from_str_radix(host.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    let host: IpAddr = match host.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let mut bytes = [0; 16];
            for (at, chunk) in bytes.chunks_mut(4).enumerate() {
                chunk.copy_from_slice(&word(at)?);
            }
            // A socket for both families sees an IPv4 peer as `::ffff:a.b.c.d`.
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(host, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn unix_sockets_are_read() {
        let table = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
            000000003310ccba: 00000002 00000000 00010000 0001 01 717039 /tmp/a b.sock\n\
            0000000091cf8de1: 00000003 00000000 00000000 0001 03 717040 q.sock\n\
            00000000cc257066: 00000003 00000000 00000000 0001 02     0 /tmp/a b.sock\n\
            00000000fc0e6330: 00000003 00000000 00000000 0001 03 718214\n\
            00000000fc0e6331: 00000002 00000000 00010000 0001 01 718215 @name\n";
        let shown: Vec<_> = unix(table).into_iter().map(|s| (s.state, s.inode, s.path)).collect();
        assert_eq!(
            shown,
            [
                (State::Listening, 717_039, "/tmp/a b.sock".into()),
                (State::Connected, 717_040, "q.sock".into()),
                (State::Other, 0, "/tmp/a b.sock".into()),
                (State::Connected, 718_214, "".into()),
                (State::Listening, 718_215, "\0name".into()),
            ]
        );
    }

    #[test]
    fn tcp_sockets_are_read() {
        let v4 = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            1: 0100007F:B67B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 717042 1 0 100\n   \
            2: 0100007F:B67B 0100007F:E7BC 01 00000000:00000000 00:00000000 00000000     0        0 717044 1 0 20\n";
        let sockets = tcp(v4);
        assert_eq!(
            (sockets[0].state, sockets[0].local),
            (State::Listening, "127.0.0.1:46715".parse().unwrap())
        );
        assert_eq!(
            (sockets[1].state, sockets[1].remote),
            (State::Connected, "127.0.0.1:59324".parse().unwrap())
        );
        assert_eq!((sockets[1].inode, sockets.len()), (717_044, 2));
        let v6 = "1: 0000000000000000FFFF00000100007F:0016 00000000000000000000000001000000:0000 06 0:0 0:0 0 0 0 5 1";
        let sockets = tcp(v6);
        assert_eq!((sockets[0].local, sockets[0].state), ("127.0.0.1:22".parse().unwrap(), State::Other));
        assert_eq!(sockets[0].remote, "[::1]:0".parse().unwrap());
    }

    proptest! {
        #[test]
        fn no_table_breaks_the_parsers(text in "([0-9A-F]{0,9}[: @\n]){0,30}|.{0,40}") {
            let _ = (unix(text.as_bytes()), tcp(&text));
        }
    }
}
