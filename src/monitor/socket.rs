//! The socket of a monitor: a unix or a TCP one, made equal.
//!
//! The only file that reads, writes and closes it. Knows nothing of what it carries.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

use super::address::Address;

/// A connected socket that never blocks.
#[derive(Debug)]
pub(super) enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Socket {
    pub(super) async fn connect(address: &Address) -> io::Result<Self> {
        match address {
            Address::Unix(path) => UnixStream::connect(path).await.map(Self::Unix),
            Address::Tcp { host, port } | Address::Telnet { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                // A command is one small packet, and its answer is awaited.
                stream.set_nodelay(true)?;
                Ok(Self::Tcp(stream))
            }
        }
    }

    /// The process that listens at the other end of a unix socket, whatever its path is by now.
    pub(super) fn listener(&self) -> Option<i32> {
        let Self::Unix(stream) = self else { return None };
        stream.peer_cred().ok()?.pid().filter(|pid| *pid > 0)
    }

    /// Send some of `bytes`, and `fd` with the first of them. An error of kind `WouldBlock` means: not now.
    ///
    /// It does not ask the runtime first: nearly always there is room, and then no thread has to be woken.
    pub(super) fn send(&self, bytes: &[u8], fd: Option<&OwnedFd>) -> io::Result<usize> {
        let flags = SendFlags::NOSIGNAL;
        let Some(fd) = fd else { return Ok(rustix::net::send(self, bytes, flags)?) };
        let fds = [fd.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        rights.push(SendAncillaryMessage::ScmRights(&fds));
        Ok(rustix::net::sendmsg(self, &[IoSlice::new(bytes)], &mut rights, flags)?)
    }

    /// Wait for bytes and read them; 0 is the end. Dropping the wait loses nothing.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.when(Interest::READABLE, |socket| Ok(rustix::io::read(socket, &mut *buffer)?)).await
    }

    /// Wait until `write`, which sends, no longer fails with `WouldBlock`.
    pub(super) async fn when_writable(&self, mut write: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        self.when(Interest::WRITABLE, |_| write()).await
    }

    /// Whether the peer has closed it and all that arrived is read.
    pub(super) fn is_at_end(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match rustix::net::recv(self, &mut [0; 1], flags) {
            Ok((length, _)) => length == 0,
            Err(error) => !matches!(error, Errno::AGAIN | Errno::INTR),
        }
    }

    /// Whether something has arrived that nobody has read.
    pub(super) fn has_unread(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        rustix::net::recv(self, &mut [0; 1], flags).is_ok_and(|(length, _)| length > 0)
    }

    /// Close both directions. What has arrived can still be read.
    pub(super) fn shut_down(&self) {
        // It fails only where the peer was faster.
        let _ = rustix::net::shutdown(self, Shutdown::Both);
    }

    async fn when<R>(
        &self,
        interest: Interest,
        mut attempt: impl FnMut(BorrowedFd<'_>) -> io::Result<R>,
    ) -> io::Result<R> {
        match self {
            Self::Unix(stream) => stream.async_io(interest, || attempt(stream.as_fd())).await,
            Self::Tcp(stream) => stream.async_io(interest, || attempt(stream.as_fd())).await,
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }
}
