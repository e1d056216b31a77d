//! Where a message begins and ends in the bytes of a connection.
//!
//! Pure. It knows braces and strings, and leaves the rest of JSON to its reader.

/// The longest message that is read, in bytes. QEMU's own limit for what it reads is the same.
/// The longest that it sends is about 1 MiB (`query-qmp-schema`, `human-monitor-command`).
pub const LONGEST_MESSAGE: usize = 64 << 20;

/// How much of an offending text an error shows, in bytes.
pub(in crate::monitor) const EXCERPT: usize = 64;

/// Cuts a stream of bytes into complete JSON objects, wherever its pieces begin and end.
///
/// A message ends with its closing brace, not with its line: QEMU spreads a
/// message over several lines where its monitor has `pretty=on`. Every byte is
/// looked at once, so that a long message in small pieces costs no more.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Where the current message starts; in front of it, all is consumed.
    start: usize,
    /// How far the current message was looked at.
    seen: usize,
    depth: usize,
    string: InString,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum InString {
    #[default]
    No,
    Yes,
    Escaped,
}

impl Decoder {
    /// Append what was received.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.seen -= self.start;
            self.start = 0;
        }
        // One long reply should not hold its memory for the rest of the session.
        if self.buffer.is_empty() && self.buffer.capacity() > 1 << 20 {
            self.buffer = Vec::new();
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete JSON object; none if more must be fed first.
    ///
    /// # Errors
    /// A clause about the peer that says what cannot be QMP, such as "it sent `SSH-2.0-OpenSSH`".
    /// There is no way to go on after it.
    pub fn next_text(&mut self) -> Result<Option<&str>, String> {
        while let Some(&byte) = self.buffer.get(self.seen) {
            if self.depth == 0 && byte != b'{' {
                if !byte.is_ascii_whitespace() {
                    return self.garbage();
                }
                self.seen += 1;
                self.start = self.seen;
                continue;
            }
            self.seen += 1;
            if self.seen - self.start > LONGEST_MESSAGE {
                return Err(format!("it sent a message of more than {} MiB", LONGEST_MESSAGE >> 20));
            }
            self.look_at(byte);
            if self.depth == 0 {
                let text = &self.buffer[self.start..self.seen];
                self.start = self.seen;
                return match std::str::from_utf8(text) {
                    Ok(text) => Ok(Some(text)),
                    Err(_) => Err(format!("it sent `{}`, which is no UTF-8", excerpt(text))),
                };
            }
        }
        Ok(None)
    }

    /// The start of what was received and is no complete message; empty if there is nothing.
    #[must_use]
    pub fn rest(&self) -> String {
        excerpt(&self.buffer[self.start..])
    }

    fn look_at(&mut self, byte: u8) {
        self.string = match (self.string, byte) {
            (InString::No, b'"') | (InString::Escaped, _) => InString::Yes,
            (InString::Yes, b'\\') => InString::Escaped,
            (InString::Yes, b'"') => InString::No,
            (InString::No, b'{' | b'[') => {
                self.depth += 1;
                InString::No
            }
            (InString::No, b'}' | b']') => {
                self.depth -= 1;
                InString::No
            }
            (string, _) => string,
        }
    }

    /// Waits for as much of the text as the error shows, so that the error does not depend on the pieces.
    fn garbage(&self) -> Result<Option<&str>, String> {
        let text = &self.buffer[self.start..];
        if text.len() <= EXCERPT && !text.contains(&b'\n') {
            return Ok(None);
        }
        Err(format!("it sent `{}`", excerpt(text)))
    }
}

/// The first line of `bytes`, shortened and without control characters.
pub(in crate::monitor) fn excerpt(bytes: &[u8]) -> String {
    let line = bytes.trim_ascii_start().split(|&byte| byte == b'\n').next().unwrap_or_default();
    let shown = line.get(..EXCERPT).unwrap_or(line);
    let mut text: String = String::from_utf8_lossy(shown.trim_ascii_end())
        .chars()
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if line.len() > EXCERPT {
        text.push('…');
    }
    text
}
