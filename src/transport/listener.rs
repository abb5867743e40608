//! What clients are accepted from.
//!
//! This file knows one accept. It refuses to know when to try again: that is `server/acceptor.rs`.

use std::{io, net::SocketAddr};

use mio::net::TcpListener;

use super::Stream;

/// Accepts clients. A test has one of its own, so that every accept can fail.
pub(crate) trait Listener {
    /// A file descriptor in reserve.
    type Spare;

    /// Accepts the next client, without blocking.
    fn accept(&self) -> io::Result<(Stream, SocketAddr)>;

    /// Opens a file descriptor, which is free again once this is dropped.
    fn spare(&self) -> Option<Self::Spare>;

    /// Switches Nagle's algorithm off or on for all clients to come, if they inherit it from the listener. Returns
    /// whether they do: then no client needs a system call of its own.
    fn set_nodelay(&self, nodelay: bool) -> bool {
        let _ = nodelay;
        false
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

        self.as_fd().try_clone_to_owned().ok()
    }

    #[cfg(not(unix))]
    fn spare(&self) -> Option<Self::Spare> {
        None
    }

    fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        let (socket, address) = self.accept()?;
        Ok((Stream::Tcp(socket), address))
    }

    #[cfg(target_os = "linux")]
    fn set_nodelay(&self, nodelay: bool) -> bool {
        use std::os::fd::AsFd;

        // The option is one of the socket, whatever it is used for; only streams have a method for it.
        let socket = self.as_fd().try_clone_to_owned().map(std::net::TcpStream::from);
        socket.and_then(|socket| socket.set_nodelay(nodelay)).is_ok()
    }
}
