//! Which of its two protocols a monitor speaks, found out by listening: both greet first.

use std::time::Duration;

use super::Monitor;
use super::address::Address;
use super::attempt::Attempt;
use super::connect::PATIENCE;
use super::human::{Human, Talk};
use super::link::End;
use super::qmp::excerpt;
use crate::error::{Error, Result};

/// A monitor, connected.
#[derive(Debug, Clone)]
pub enum Probed {
    /// It greets with JSON.
    Qmp(Monitor),
    /// It greets with a banner and a prompt.
    Human(Human),
}

/// Connect to the monitor of `vm`, whatever it speaks. Nothing is sent before that is known, and the
/// connection that finds it out is the one that is kept.
///
/// Telnet's negotiation is understood wherever it comes, so `tcp:` will do for a `telnet:` monitor.
///
/// # Errors
/// `Connect` if nobody answers within [`PATIENCE`], `Protocol` if it is no monitor that answers.
pub async fn probe(vm: &str, address: &Address) -> Result<Probed> {
    probe_within(vm, address, PATIENCE).await
}

/// [`probe`] with another limit than [`PATIENCE`].
///
/// # Errors
/// As `probe`.
pub async fn probe_within(vm: &str, address: &Address, patience: Duration) -> Result<Probed> {
    let attempt = Attempt::new(vm, address, patience);
    let socket = attempt.socket().await?;
    let mut talk = Talk::default();
    loop {
        match tell(talk.received()) {
            Ok(Some(Tongue::Qmp)) => {
                return Monitor::meet(&attempt, socket, talk.received()).await.map(Probed::Qmp);
            }
            Ok(Some(Tongue::Human)) => {
                return Human::meet(&attempt, socket, talk).await.map(Probed::Human);
            }
            Ok(None) => {}
            Err(cause) => return Err(Error::Protocol { vm: vm.to_owned(), protocol: "QMP or HMP", cause }),
        }
        match attempt.in_time(talk.receive(&socket)).await {
            Some(Ok(())) => {}
            Some(Err(End::Closed | End::Protocol(_))) => return Err(attempt.closed()),
            None => return Err(attempt.silent(&excerpt(talk.received()))),
        }
    }
}

#[derive(Debug, PartialEq)]
enum Tongue {
    Qmp,
    Human,
}

/// What the first bytes, without telnet's commands, are a start of; none if they are too few to tell.
fn tell(text: &[u8]) -> Result<Option<Tongue>, String> {
    /// As much as an error shows.
    const ENOUGH: usize = 64;
    let start = text.trim_ascii_start();
    let starts = |with: &[u8]| start.starts_with(with);
    if starts(b"{") {
        return Ok(Some(Tongue::Qmp));
    }
    if starts(b"QEMU ") || starts(b"(qemu) ") {
        return Ok(Some(Tongue::Human));
    }
    if start.len() > ENOUGH || start.contains(&b'\n') {
        return Err(format!("it sent `{}`", excerpt(start)));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell() {
        assert_eq!(tell(b"{"), Ok(Some(Tongue::Qmp)));
        assert_eq!(tell(b"\r\n{\"QMP\""), Ok(Some(Tongue::Qmp)));
        assert_eq!(tell(b"QEMU 7.2.22 monitor"), Ok(Some(Tongue::Human)));
        assert_eq!(tell(b"(qemu) "), Ok(Some(Tongue::Human)));
        for few in [&b""[..], b"QEM", b"(qemu", b"SSH-2.0"] {
            assert_eq!(tell(few), Ok(None), "{few:?}");
        }
        assert_eq!(tell(b"SSH-2.0-OpenSSH_9.2\r\n").unwrap_err(), "it sent `SSH-2.0-OpenSSH_9.2`");
        assert_eq!(tell(&[b'x'; 65]).unwrap_err(), format!("it sent `{}…`", "x".repeat(64)));
    }
}
