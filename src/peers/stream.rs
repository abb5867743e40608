//! The one place that touches a connection's socket.
//!
//! This file knows how to read, write and half-close without blocking. It refuses to know what the bytes mean.
//! Another transport, such as TLS, would be another kind of stream here.

use std::{
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::Shutdown,
};

use mio::{Interest, Registry, Token, net::TcpStream};

/// A connected, non-blocking socket.
#[derive(Debug)]
pub(crate) struct Stream(TcpStream);

impl Stream {
    pub(crate) const fn new(socket: TcpStream) -> Self {
        Self(socket)
    }

    /// Asks to be told when there is something to read.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.0, token, Interest::READABLE)
    }

    /// Asks to be told also when there is room to write again.
    pub(crate) fn register_writes(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.reregister(&mut self.0, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Switches Nagle's algorithm off or on. That it can't is no reason to lose a client.
    pub(crate) fn set_nodelay(&self, nodelay: bool) {
        let _ = self.0.set_nodelay(nodelay);
    }

    /// Reads what there is, up to the length of `buffer`; `Ok(0)` is the end of the stream.
    #[inline]
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| (&self.0).read(buffer))
    }

    #[inline]
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        retry(|| (&self.0).write(bytes))
    }

    pub(crate) fn write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        retry(|| (&self.0).write_vectored(parts))
    }

    /// Says that no more will be sent, after all that is written has been.
    pub(crate) fn shutdown_write(&self) {
        // Fails only where the peer has gone, and then there is nobody to tell.
        let _ = self.0.shutdown(Shutdown::Write);
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
