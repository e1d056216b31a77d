//! What telnet adds to the bytes that QEMU sends.
//!
//! Pure. QEMU opens a `telnet:` socket with twelve bytes of negotiation and
//! wants no answer; in the other direction it sends a 0xff byte doubled.

/// Telnet's "interpret as command".
const IAC: u8 = 0xff;

/// Takes telnet's commands out of a stream, whatever pieces it comes in.
#[derive(Debug, Default)]
pub struct Telnet {
    state: State,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Text,
    Command,
    Option,
}

impl Telnet {
    /// The part of `bytes` that is no telnet command.
    pub fn text(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (State::Text, IAC) => State::Command,
                // WILL, WONT, DO and DONT name an option.
                (State::Command, 0xfb..=0xfe) => State::Option,
                (State::Text, _) | (State::Command, IAC) => {
                    text.push(byte);
                    State::Text
                }
                (State::Command | State::Option, _) => State::Text,
            };
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_negotiation_is_taken_out() {
        let sent = b"\xff\xfb\x01\xff\xfb\x03\xff\xfb\x00\xff\xfd\x00{\"a\":\xff\xff}\xff\xf1\r\n";
        assert_eq!(Telnet::default().text(sent), b"{\"a\":\xff}\r\n");
        for cut in 0..sent.len() {
            let mut telnet = Telnet::default();
            let mut text = telnet.text(&sent[..cut]);
            text.extend(telnet.text(&sent[cut..]));
            assert_eq!(text, b"{\"a\":\xff}\r\n", "cut at {cut}");
        }
    }
}
