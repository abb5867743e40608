//! The only place that touches a connection's socket.
//!
//! This file knows how to read, write and half-close without blocking. It refuses to know what the bytes
//! mean. Each transport, such as TLS, is a kind of stream here. The tests have one that follows a script: any
//! call can fail at any point, without a network.

use std::{
    io::{self, ErrorKind, IoSlice, Read as _, Write as _},
    net::{Shutdown, SocketAddr},
};

use mio::net::TcpStream;

#[cfg(any(test, fuzzing, feature = "testing"))]
use super::Script;
#[cfg(feature = "tls")]
use super::tls::{TlsAcceptor, TlsStream};
use super::{PollRegistry, ReadBuffer, Token};
#[cfg(feature = "tls")]
use crate::panics;

/// A connected, non-blocking stream of bytes.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream>),
    /// No socket yet: its address is not known. Nothing can be read or written.
    Unconnected,
    #[cfg(any(test, fuzzing, feature = "testing"))]
    Script(Script),
}

/// The outcome of one read.
#[derive(Debug)]
pub(crate) enum Read<'b> {
    /// Bytes for the receiver. If the buffer `is_full`, the socket may have more, and no event will say so.
    Plain { bytes: &'b mut [u8], is_full: bool },
    /// Bytes came, but none for the receiver yet: a part of a TLS record or of its handshake. The socket may
    /// have more.
    #[cfg_attr(
        not(any(test, fuzzing, feature = "testing", feature = "tls")),
        expect(dead_code, reason = "TCP has no such bytes; TLS does")
    )]
    Nothing,
    /// The peer has closed its side.
    End,
}

impl Stream {
    /// Begins to connect to an address. The poll reports room to write once TCP is connected or has failed.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        TcpStream::connect(address).map(Self::Tcp)
    }

    /// Turns a socket that was accepted into the server's end of TLS.
    ///
    /// # Errors
    ///
    /// The configuration of TLS is one that rustls refuses.
    #[cfg(feature = "tls")]
    pub(crate) fn secured_by(self, acceptor: &TlsAcceptor) -> io::Result<Self> {
        match self {
            Self::Tcp(socket) => acceptor.accept(socket).map(|tls| Self::Tls(Box::new(tls))),
            other => Ok(other),
        }
    }

    /// Registers the stream: the poll then reports bytes to read.
    pub(crate) fn register(&mut self, registry: &PollRegistry, token: Token) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => registry.register_readable(socket, token),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => registry.register_readable(tls.socket_mut(), token),
            Self::Unconnected => Ok(()),
            #[cfg(any(test, fuzzing, feature = "testing"))]
            Self::Script(script) => script.register(token),
        }
    }

    /// Registers the stream for both: the poll then also reports room to write.
    pub(crate) fn register_writes(&mut self, registry: &PollRegistry, token: Token) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => registry.register_writable(socket, token),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => registry.register_writable(tls.socket_mut(), token),
            Self::Unconnected => Ok(()),
            #[cfg(any(test, fuzzing, feature = "testing"))]
            Self::Script(script) => script.register(token),
        }
    }

    /// Switches Nagle's algorithm off or on. An error is ignored: the connection works without it.
    pub(crate) fn set_nodelay(&self, nodelay: bool) {
        match self {
            Self::Tcp(socket) => drop(socket.set_nodelay(nodelay)),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => drop(tls.socket().set_nodelay(nodelay)),
            Self::Unconnected => {}
            #[cfg(any(test, fuzzing, feature = "testing"))]
            Self::Script(_) => {}
        }
    }

    /// Reads once, as much as the buffer has room for.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if no bytes have arrived; any other error ends the stream.
    #[inline]
    pub(crate) fn read<'b>(&mut self, buffer: &'b mut ReadBuffer) -> io::Result<Read<'b>> {
        #[cfg(any(test, fuzzing, feature = "testing"))]
        if let Self::Script(script) = self
            && script.reads_nothing()
        {
            return Ok(Read::Nothing);
        }
        #[cfg(feature = "tls")]
        if let Self::Tls(tls) = self {
            return guarded(|| tls.read(buffer));
        }
        let room = buffer.bytes();
        let len = match self {
            Self::Tcp(socket) => retry(|| socket.read(room))?,
            #[cfg(feature = "tls")]
            Self::Tls(_) => return Err(ErrorKind::Unsupported.into()),
            Self::Unconnected => return Err(ErrorKind::WouldBlock.into()),
            #[cfg(any(test, fuzzing, feature = "testing"))]
            Self::Script(script) => retry(|| script.read(room))?,
        };
        let is_full = len == room.len();
        Ok(if len == 0 { Read::End } else { Read::Plain { bytes: &mut room[..len], is_full } })
    }

    /// Writes as much as the stream takes, and returns how many bytes that is.
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => retry(|| socket.write(bytes)),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => guarded(|| tls.write(bytes)),
            Self::Unconnected => Err(ErrorKind::WouldBlock.into()),
            #[cfg(any(test, fuzzing, feature = "testing"))]
            Self::Script(script) => retry(|| script.write(bytes)),
        }
    }

    /// Writes several pieces in one system call; otherwise as [`write`](Self::write).
    pub(crate) fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        retry(|| match self {
            Self::Tcp(socket) => socket.write_vectored(parts),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => guarded(|| tls.write_vectored(parts)),
            Self::Unconnected => Err(ErrorKind::WouldBlock.into()),
            #[cfg(any(test, fuzzing, feature = "testing"))]
            Self::Script(script) => {
                script.write(&parts.iter().flat_map(|part| part.iter().copied()).collect::<Vec<u8>>())
            }
        })
    }

    /// Returns whether the stream holds bytes of its own that still have to be written. TLS has ciphertext: a
    /// record that the socket refused, or a part of its handshake. TCP has none.
    #[inline]
    pub(crate) fn wants_write(&self) -> bool {
        match self {
            Self::Tcp(_) | Self::Unconnected => false,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.wants_write(),
            #[cfg(any(test, fuzzing, feature = "testing"))]
            Self::Script(script) => script.wants_write(),
        }
    }

    /// Writes all that the stream holds of its own.
    ///
    /// # Errors
    ///
    /// `WouldBlock` while the socket does not take all of it.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.flush(),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => guarded(|| tls.flush()),
            Self::Unconnected => Ok(()),
            #[cfg(any(test, fuzzing, feature = "testing"))]
            Self::Script(script) => script.flush(),
        }
    }

    /// Returns whether bytes can't be sent yet, because the handshake of TLS is not complete.
    #[cfg(feature = "tls")]
    pub(crate) fn is_handshaking(&self) -> bool {
        matches!(self, Self::Tls(tls) if tls.is_handshaking())
    }

    /// Returns the certificate of the client in DER, if it has sent one through TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn peer_certificate(&self) -> Option<&[u8]> {
        match self {
            Self::Tls(tls) => tls.peer_certificate(),
            _ => None,
        }
    }

    /// Returns how many bytes the stream holds of its own, in both directions.
    #[cfg(feature = "tls")]
    #[inline]
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Tls(tls) => tls.held(),
            _ => 0,
        }
    }

    /// Closes the sending direction, after all written bytes.
    pub(crate) fn shutdown_write(&mut self) {
        match self {
            // It fails only if the peer has closed the connection.
            Self::Tcp(socket) => drop(socket.shutdown(Shutdown::Write)),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => drop(guarded(|| {
                tls.shutdown_write();
                Ok(())
            })),
            Self::Unconnected => {}
            #[cfg(any(test, fuzzing, feature = "testing"))]
            Self::Script(script) => script.shutdown_write(),
        }
    }
}

/// Calls TLS. Its library may panic at what a peer sends; then that connection fails, and no other.
#[cfg(feature = "tls")]
fn guarded<T>(call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    panics::catch(call).unwrap_or_else(|| Err(io::Error::other("TLS has panicked")))
}

/// Repeats a call that a signal has interrupted.
#[inline]
pub(super) fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
