//! What comes in on a monitor's socket, read in the background as long as the connection lives.

use std::io;
use std::sync::Arc;

use super::address::Address;
use super::link::{End, Link};
use super::qmp::{Decoder, Message};
use super::telnet::Telnet;

/// How much is read at once, in bytes.
const CHUNK: usize = 64 << 10;

/// The receiving side of a [`Link`].
pub(super) struct Inbound {
    link: Arc<Link>,
    pub(super) decoder: Decoder,
    telnet: Option<Telnet>,
    chunk: Vec<u8>,
}

impl Inbound {
    pub(super) fn new(link: &Arc<Link>, address: &Address) -> Self {
        let telnet = matches!(address, Address::Telnet { .. }).then(Telnet::default);
        Self { link: Arc::clone(link), decoder: Decoder::default(), telnet, chunk: vec![0; CHUNK] }
    }

    /// The next message. Dropping the wait loses nothing.
    pub(super) async fn message(&mut self) -> Result<Message, End> {
        loop {
            if let Some(text) = self.decoder.next_text().map_err(End::Protocol)? {
                tracing::debug!(target: "qhop::monitor", vm = self.link.vm, "← {text}");
                return Message::parse(text).map_err(End::Protocol);
            }
            let bytes = match self.link.socket.receive(&mut self.chunk).await {
                Ok(length @ 1..) => &self.chunk[..length],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(_) | Err(_) => return Err(End::Closed),
            };
            match &mut self.telnet {
                Some(telnet) => self.decoder.feed(&telnet.text(bytes)),
                None => self.decoder.feed(bytes),
            }
        }
    }

    /// Read until the connection ends, and write what could not be written at once.
    pub(super) async fn serve(mut self) {
        let link = Arc::clone(&self.link);
        let end = loop {
            // In this order: whoever wants to be told that all is read is told when nothing more is there.
            tokio::select! {
                biased;
                message = self.message() => match message {
                    Ok(message) => link.dispatch(message),
                    Err(end) => break end,
                },
                () = link.flush() => {}
                () = link.answer_once_caught_up() => {}
            }
        };
        link.finish(end);
    }
}
