//! Where a server listens: the one place that binds.
//!
//! The address of a peer is a [`SocketAddr`](std::net::SocketAddr) today. A Unix socket's would be another
//! kind.

use std::{
    io::{self, ErrorKind},
    net::ToSocketAddrs,
};

use super::TcpListener;

/// Listens on the first of the addresses that is free.
pub(crate) fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let mut last_error = io::Error::new(ErrorKind::InvalidInput, "no address to listen on");
    for address in address.to_socket_addrs()? {
        match TcpListener::bind(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}
