//! The one place that touches a connection's socket.
//!
//! This file knows how to read, write and half-close without blocking. It refuses to know what the bytes mean.
//! Another transport, such as TLS, would be another kind of stream here; the tests have one that follows a
//! script, so that every fault can be had at every point without a network.

use std::{
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::Shutdown,
};

use mio::{Interest, Registry, Token, net::TcpStream};

#[cfg(any(test, fuzzing))]
use super::Script;

/// A connected, non-blocking stream of bytes.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(any(test, fuzzing))]
    Script(Script),
}

impl Stream {
    /// Asks to be told when there is something to read.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => registry.register(socket, token, Interest::READABLE),
            #[cfg(any(test, fuzzing))]
            Self::Script(script) => script.register(),
        }
    }

    /// Asks to be told also when there is room to write again.
    pub(crate) fn register_writes(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => registry.reregister(socket, token, Interest::READABLE | Interest::WRITABLE),
            #[cfg(any(test, fuzzing))]
            Self::Script(script) => script.register(),
        }
    }

    /// Switches Nagle's algorithm off or on. That it can't is no reason to lose a client.
    pub(crate) fn set_nodelay(&self, nodelay: bool) {
        match self {
            Self::Tcp(socket) => drop(socket.set_nodelay(nodelay)),
            #[cfg(any(test, fuzzing))]
            Self::Script(_) => {}
        }
    }

    /// Reads what there is, up to the length of `buffer`; `Ok(0)` is the end of the stream.
    #[inline]
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| match self {
            Self::Tcp(socket) => { socket }.read(buffer),
            #[cfg(any(test, fuzzing))]
            Self::Script(script) => script.read(buffer),
        })
    }

    #[inline]
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        retry(|| match self {
            Self::Tcp(socket) => { socket }.write(bytes),
            #[cfg(any(test, fuzzing))]
            Self::Script(script) => script.write(bytes),
        })
    }

    pub(crate) fn write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        retry(|| match self {
            Self::Tcp(socket) => { socket }.write_vectored(parts),
            #[cfg(any(test, fuzzing))]
            Self::Script(script) => {
                script.write(&parts.iter().flat_map(|part| part.iter().copied()).collect::<Vec<u8>>())
            }
        })
    }

    /// Says that no more will be sent, after all that is written has been.
    pub(crate) fn shutdown_write(&self) {
        match self {
            // Fails only where the peer has gone, and then there is nobody to tell.
            Self::Tcp(socket) => drop(socket.shutdown(Shutdown::Write)),
            #[cfg(any(test, fuzzing))]
            Self::Script(script) => script.shutdown_write(),
        }
    }
}

/// Repeats a call that a signal has interrupted.
#[inline]
fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
