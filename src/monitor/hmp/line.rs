//! A line for the human monitor, and the echo that QEMU answers it with.
//!
//! Pure. QEMU edits the line as if somebody typed it at a terminal: what may be in it, and what comes
//! back before the reply, follows from its line editor (the same from 5.2 to 11.1).

/// The longest line that is sent, in bytes. Its echo has 8 MiB and keeps QEMU's main loop busy for a third of
/// a second: it grows with the square of the length. QEMU itself cuts a line at 4095 bytes, without a word.
pub const LONGEST_LINE: usize = 2048;

/// The longest word of a line, in bytes. QEMU cuts a longer one, without a word, and carries out the rest.
pub const LONGEST_WORD: usize = 1023;

/// What the cursor does to go back one place, and to clear the rest of the line.
const BACK: &[u8] = b"\x1b[D";
const CLEAR: &[u8] = b"\x1b[K";
const END: &[u8] = b"\r\n";

/// A line that QEMU reads as it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line(Vec<u8>);

impl Line {
    /// # Errors
    /// A clause that says why QEMU would read another line than this.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.contains(['\n', '\r']) {
            return Err("it has a line break, and the human monitor takes one line at a time".into());
        }
        if let Some(c) = text.chars().find(char::is_ascii_control) {
            let name =
                if c == '\t' { "a tab".into() } else { format!("the control character {:#04x}", c as u8) };
            return Err(format!("it has {name}, which the human monitor takes for a key of its line editor"));
        }
        // 0x9b is the eight-bit form of `ESC [`: QEMU swallows it and the byte after it.
        if let Some(c) = text.chars().find(|c| c.encode_utf8(&mut [0; 4]).bytes().any(|byte| byte == 0x9b)) {
            return Err(format!(
                "it has `{c}`, of which the human monitor takes a part for an escape sequence"
            ));
        }
        if text.len() > LONGEST_LINE {
            return Err(format!(
                "it has {} bytes, and at most {LONGEST_LINE} are sent: the human monitor echoes a line in a time that grows with the square of its length",
                text.len()
            ));
        }
        check_words(text)?;
        if let ["change", "vnc", "password" | "passwd"] = *text.split_whitespace().collect::<Vec<_>>() {
            return Err("the human monitor would ask for the password and answer nothing else before it has one: put it at the end of the line".into());
        }
        Ok(Self(text.into()))
    }

    /// What is sent. A line feed ends it: after CR LF, QEMU would prompt twice.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        [&self.0, "\n".as_bytes()].concat()
    }

    /// What comes back in front of the reply.
    #[must_use]
    pub fn echo(&self) -> Echo {
        Echo { line: self.0.clone(), typed: usize::from(!self.0.is_empty()), at: 0 }
    }
}

/// Whether QEMU reads every word as it is meant, on its way by QMP's `human-monitor-command`, too.
///
/// # Errors
/// A clause that says which word it would cut.
pub fn check_words(text: &str) -> Result<(), String> {
    match longest_word(text) {
        ..=LONGEST_WORD => Ok(()),
        longest => Err(format!(
            "it has a word of {longest} bytes, and the human monitor cuts a word at {LONGEST_WORD}"
        )),
    }
}

/// The length of the longest word, in bytes, as QEMU reads it: quotes hold a word together, and a backslash
/// within them stands for itself and the next byte.
fn longest_word(text: &str) -> usize {
    let (mut longest, mut length) = (0, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            b'\\' if quoted && !escaped => {
                escaped = true;
                continue;
            }
            b'"' if !escaped => quoted = !quoted,
            b' ' if !quoted => length = 0,
            _ => length += 1,
        }
        escaped = false;
        longest = longest.max(length);
    }
    longest
}

/// The echo of a line, byte by byte. It is never held as a whole.
///
/// For each byte that is typed, QEMU goes back to the start of the line, writes the line so far, and clears
/// what is right of it.
#[derive(Debug, Clone)]
pub struct Echo {
    line: Vec<u8>,
    /// How many bytes are typed in the step that comes next; 0 in the last one, which ends the line.
    typed: usize,
    /// How many bytes of that step have come.
    at: usize,
}

impl Echo {
    /// The byte that comes next; none at the end.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        if self.typed == 0 {
            return END.get(self.at).copied();
        }
        let back = BACK.len() * (self.typed - 1);
        if self.at < back {
            return Some(BACK[self.at % BACK.len()]);
        }
        let at = self.at - back;
        Some(if at < self.typed { self.line[at] } else { CLEAR[at - self.typed] })
    }

    /// Its first step: enough to tell it from anything else.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        match self.line.first() {
            Some(&first) => [&[first], CLEAR].concat(),
            None => END.into(),
        }
    }

    /// Whether any of it has come.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.at > 0 || self.typed != usize::from(!self.line.is_empty())
    }

    fn advance(&mut self) {
        self.at += 1;
        if self.typed > 0 && self.at == (BACK.len() * (self.typed - 1)) + self.typed + CLEAR.len() {
            self.at = 0;
            self.typed = if self.typed < self.line.len() { self.typed + 1 } else { 0 };
        }
    }
}

impl Iterator for Echo {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek();
        if byte.is_some() {
            self.advance();
        }
        byte
    }
}

/// A word as the human monitor reads it: in quotes where it would be split.
#[must_use]
pub fn quoted(word: &str) -> String {
    if !word.is_empty() && !word.contains([' ', '"', '\\', '\'']) {
        return word.to_owned();
    }
    in_quotes(word)
}

/// The same where it would not.
#[must_use]
pub fn in_quotes(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(text: &str) -> String {
        String::from_utf8(Line::new(text).unwrap().echo().collect()).unwrap()
    }

    #[test]
    fn the_echo_is_that_of_a_line_editor() {
        assert_eq!(echo(""), "\r\n");
        assert_eq!(echo("c"), "c\x1b[K\r\n");
        assert_eq!(echo("abc"), "a\x1b[K\x1b[Dab\x1b[K\x1b[D\x1b[Dabc\x1b[K\r\n");
        assert_eq!(Line::new(&"x".repeat(100)).unwrap().echo().count(), 20_302 - 2 - 100 + 2);
    }

    #[test]
    fn a_line_feed_ends_a_line() {
        assert_eq!(Line::new("info status").unwrap().bytes(), b"info status\n");
        assert_eq!(
            Line::new("migrate_set_parameter tls-hostname \"ä\"").unwrap().bytes().last(),
            Some(&b'\n')
        );
    }

    #[test]
    fn what_would_be_read_as_something_else_is_refused() {
        let refused = |text: &str| Line::new(text).unwrap_err();
        assert_eq!(
            refused("stop\ncont"),
            "it has a line break, and the human monitor takes one line at a time"
        );
        assert_eq!(refused("stop\r"), "it has a line break, and the human monitor takes one line at a time");
        assert_eq!(
            refused("info\tstatus"),
            "it has a tab, which the human monitor takes for a key of its line editor"
        );
        assert_eq!(
            refused("a\u{7f}b"),
            "it has the control character 0x7f, which the human monitor takes for a key of its line editor"
        );
        assert_eq!(
            refused("info Лс"),
            "it has `Л`, of which the human monitor takes a part for an escape sequence"
        );
        assert_eq!(
            refused(&"x".repeat(2049)),
            "it has 2049 bytes, and at most 2048 are sent: the human monitor echoes a line in a time that grows with the square of its length"
        );
        assert!(Line::new(&"x ".repeat(1024)).is_ok());
        assert_eq!(
            refused(&"x".repeat(1024)),
            "it has a word of 1024 bytes, and the human monitor cuts a word at 1023"
        );
        assert!(Line::new(&format!("a \"{}\\\" \\n\" b", "x".repeat(1020))).is_ok());
        assert!(Line::new(&format!("a \"{}\\\" \\n\" b", "x".repeat(1021))).is_err());
        assert!(refused("change vnc  password").starts_with("the human monitor would ask for the password"));
        assert!(Line::new("change vnc password secret").is_ok());
    }
}
