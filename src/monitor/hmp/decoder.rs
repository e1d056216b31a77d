//! Where a reply of the human monitor begins and ends in the bytes of a connection.
//!
//! Pure. A reply has no frame: in front of it stands the echo of the line, which is predicted, and behind
//! it a prompt, after which QEMU says nothing until it gets the next line.

use super::line::{Echo, Line};
use crate::monitor::qmp::{EXCERPT, excerpt};

/// What QEMU says when it waits for a line.
const PROMPT: &[u8] = b"(qemu) ";
/// How the banner starts, in front of the first prompt.
const BANNER: &[u8] = b"QEMU ";
/// The longest reply that is read, in bytes; as for QMP.
const LONGEST_REPLY: usize = 64 << 20;
/// The most that may stand in front of an echo, in bytes.
const LONGEST_ASIDE: usize = 64 << 10;

/// What QEMU sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The banner: `QEMU 7.2.22 monitor - type 'help' for more information`.
    Greeting(String),
    /// The answer to a line, with `\n` as the end of its lines, as long as it is: often empty.
    Reply(String),
}

/// Finds greeting and replies in a stream of bytes, wherever its pieces begin and end.
///
/// One line at a time: [`expect`](Self::expect) it when it is sent, and take its reply before the next.
#[derive(Debug)]
pub struct Decoder {
    expected: Expected,
    /// What has come of it.
    text: Vec<u8>,
}

#[derive(Debug)]
enum Expected {
    Greeting,
    Echo(Echo),
    Reply,
    Nothing,
}

impl Default for Decoder {
    /// At the start of a connection.
    fn default() -> Self {
        Self { expected: Expected::Greeting, text: Vec::new() }
    }
}

impl Decoder {
    /// This line is sent: its echo comes next, and then its reply.
    pub fn expect(&mut self, line: &Line) {
        self.expected = Expected::Echo(line.echo());
    }

    /// Append what was received, without telnet's commands.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
    }

    /// What is complete now; none if more must be fed first.
    ///
    /// # Errors
    /// A clause about the peer that says what cannot be a human monitor, such as "it sent
    /// `SSH-2.0-OpenSSH`". There is no way to go on after it.
    pub fn next_message(&mut self) -> Result<Option<Message>, String> {
        match &mut self.expected {
            Expected::Greeting => self.greeting(),
            Expected::Echo(echo) => {
                if !skip_echo(&mut self.text, echo)? {
                    return Ok(None);
                }
                self.expected = Expected::Reply;
                self.reply()
            }
            Expected::Reply => self.reply(),
            Expected::Nothing => Ok(None),
        }
    }

    /// Whether it takes a while of silence to say what has come.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        match &self.expected {
            Expected::Echo(echo) => {
                !echo.has_begun() && matches!(start(&self.text, &echo.head()), Start::Nowhere)
            }
            Expected::Reply => self.text.ends_with(PROMPT),
            Expected::Greeting | Expected::Nothing => false,
        }
    }

    /// Nothing more came for a while: what that means for what is [doubtful](Self::is_doubtful).
    ///
    /// # Errors
    /// As [`next_message`](Self::next_message).
    pub fn settle(&mut self) -> Result<Option<Message>, String> {
        if !self.is_doubtful() {
            return Ok(None);
        }
        match self.expected {
            // The command ended its output without a new line.
            Expected::Reply => Ok(Some(self.take_reply())),
            _ => Err(no_echo(&self.text)),
        }
    }

    /// The start of what was received and is not complete; empty if there is nothing.
    #[must_use]
    pub fn rest(&self) -> String {
        excerpt(&self.text)
    }

    /// What was received and not read yet.
    pub(in crate::monitor) fn unread(&self) -> &[u8] {
        &self.text
    }

    fn greeting(&mut self) -> Result<Option<Message>, String> {
        let blank = self.text.len() - self.text.trim_ascii_start().len();
        self.text.drain(..blank);
        let start = &self.text[..self.text.len().min(BANNER.len())];
        let is_banner = BANNER.starts_with(start) && self.text.len() <= EXCERPT * 4;
        // A monitor behind something that ate its banner still prompts.
        let is_prompt = PROMPT.starts_with(start) && self.text.len() <= PROMPT.len();
        if !(is_banner || is_prompt) {
            // Wait for as much as the error shows, so that it does not depend on the pieces.
            let enough = self.text.len() > EXCERPT || self.text.contains(&b'\n');
            return if enough { Err(format!("it sent `{}`", self.rest())) } else { Ok(None) };
        }
        // The prompt that follows is left for the echo to skip: it is late where the monitor is still busy with
        // what an earlier client told it.
        let (banner, end) = match self.text.iter().position(|&byte| byte == b'\n') {
            Some(at) => (&self.text[..at], at + 1),
            None if self.text == PROMPT => (&[][..], 0),
            None => return Ok(None),
        };
        let greeting = Message::Greeting(String::from_utf8_lossy(banner.trim_ascii_end()).into_owned());
        self.text.drain(..end);
        self.expected = Expected::Nothing;
        Ok(Some(greeting))
    }

    fn reply(&mut self) -> Result<Option<Message>, String> {
        if self.text.len() > LONGEST_REPLY {
            return Err(format!("it sent a reply of more than {} MiB", LONGEST_REPLY >> 20));
        }
        // What only looks like a prompt, in the middle of a reply, is followed by more: QEMU sends whole lines.
        Ok(ends_with_prompt(&self.text).then(|| self.take_reply()))
    }

    fn take_reply(&mut self) -> Message {
        // A long reply should not hold its memory for the rest of the session.
        let mut text = std::mem::take(&mut self.text);
        text.truncate(text.len() - PROMPT.len());
        self.expected = Expected::Nothing;
        Message::Reply(String::from_utf8_lossy(&text).replace("\r\n", "\n"))
    }
}

/// Take the echo away from the start of `text`, as far as it has come; true when it is complete.
fn skip_echo(text: &mut Vec<u8>, echo: &mut Echo) -> Result<bool, String> {
    if !echo.has_begun() {
        match start(text, &echo.head()) {
            Start::At(aside) => drop(text.drain(..aside)),
            Start::Nowhere if text.len() > LONGEST_ASIDE => return Err(no_echo(text)),
            Start::Nowhere | Start::Perhaps => return Ok(false),
        }
    }
    let mut come = 0;
    while let (Some(expected), Some(&byte)) = (echo.peek(), text.get(come)) {
        if byte != expected {
            return Err(no_echo(&text[come..]));
        }
        echo.next();
        come += 1;
    }
    text.drain(..come);
    Ok(echo.peek().is_none())
}

/// Where an echo starts in what has come.
enum Start {
    At(usize),
    /// It may, with what comes next.
    Perhaps,
    Nowhere,
}

/// An echo starts behind a prompt: the one that ended the last reply, or another. The first comes after the
/// greeting: at once, or when the monitor is done with what an earlier client told it, or both (before 10.0).
fn start(text: &[u8], head: &[u8]) -> Start {
    let mut rest = text;
    loop {
        if rest.starts_with(head) {
            return Start::At(text.len() - rest.len());
        }
        if head.starts_with(rest) || PROMPT.starts_with(rest) {
            return Start::Perhaps;
        }
        match rest.windows(PROMPT.len()).position(|window| window == PROMPT) {
            Some(at) => rest = &rest[at + PROMPT.len()..],
            None => return Start::Nowhere,
        }
    }
}

fn ends_with_prompt(text: &[u8]) -> bool {
    text.strip_suffix(PROMPT).is_some_and(|reply| reply.is_empty() || reply.ends_with(b"\n"))
}

fn no_echo(text: &[u8]) -> String {
    let text = text.strip_prefix(PROMPT).unwrap_or(text);
    format!("it sent `{}` instead of an echo", excerpt(text))
}
