//! The listening socket, from which clients are accepted.
//!
//! This file has one accept; `server/acceptor.rs` decides when to try again.

use std::{io, net::SocketAddr};

use super::{PeerAddr, Poll, Stream, Token};

/// Accepts clients. A test has its own implementation, so that every accept can fail.
pub(crate) trait Listener {
    /// A file descriptor in reserve.
    type Spare;

    /// Accepts the next client, without blocking.
    fn accept(&self) -> io::Result<(Stream, PeerAddr)>;

    /// Opens a file descriptor, which is free again once the returned value is dropped.
    fn spare(&self) -> Option<Self::Spare>;

    /// Switches Nagle's algorithm off or on for all later clients, if they inherit it from the listener.
    /// Returns whether they do: then no client needs a system call of its own.
    fn set_nodelay(&self, nodelay: bool) -> bool {
        let _ = nodelay;
        false
    }
}

/// A TCP port that clients connect to.
#[derive(Debug)]
pub(crate) struct TcpListener(mio::net::TcpListener);

impl TcpListener {
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        mio::net::TcpListener::bind(address).map(Self)
    }

    /// Takes a listener of the standard library, and sets it to non-blocking.
    pub(crate) fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self(mio::net::TcpListener::from_std(listener)))
    }

    /// Registers the listener: the poll then reports waiting clients.
    pub(crate) fn register(&mut self, poll: &Poll, token: Token) -> io::Result<()> {
        poll.register_readable(&mut self.0, token)
    }

    /// Returns the address with its real port.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Listener for TcpListener {
    #[cfg(unix)]
    type Spare = std::os::fd::OwnedFd;
    #[cfg(not(unix))]
    type Spare = ();

    #[cfg(unix)]
    fn spare(&self) -> Option<Self::Spare> {
        use std::os::fd::AsFd;

        self.0.as_fd().try_clone_to_owned().ok()
    }

    #[cfg(not(unix))]
    fn spare(&self) -> Option<Self::Spare> {
        None
    }

    fn accept(&self) -> io::Result<(Stream, PeerAddr)> {
        let (socket, address) = self.0.accept()?;
        Ok((Stream::Tcp(socket), address.into()))
    }

    #[cfg(target_os = "linux")]
    fn set_nodelay(&self, nodelay: bool) -> bool {
        use std::os::fd::AsFd;

        // The option is one of the socket, whatever it is used for; only streams have a method for it.
        let socket = self.0.as_fd().try_clone_to_owned().map(std::net::TcpStream::from);
        socket.and_then(|socket| socket.set_nodelay(nodelay)).is_ok()
    }
}
