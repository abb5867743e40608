//! Addresses: of a server's listener, and of its peers.

use std::{
    fmt,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs},
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

/// The address of a peer: an IP address with a port, or a Unix socket, whose peers have no address.
///
/// A server listens on TCP so far; the type has room for other sockets, so that no hook changes when they
/// come.
///
/// ```
/// use std::net::SocketAddr;
/// use wirehook::PeerAddr;
///
/// let address: SocketAddr = "192.0.2.1:4000".parse()?;
/// let peer = PeerAddr::from(address);
/// assert_eq!((peer.ip(), peer.socket_addr()), (Some(address.ip()), Some(address)));
/// assert_eq!(peer.to_string(), "192.0.2.1:4000");
///
/// let local = PeerAddr::unix();
/// assert_eq!((local.ip(), local.socket_addr()), (None, None));
/// assert_eq!(local.to_string(), "unix");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerAddr(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Ip(SocketAddr),
    Unix,
}

impl PeerAddr {
    /// Returns the address of every peer of a Unix socket.
    pub const fn unix() -> Self {
        Self(Kind::Unix)
    }

    /// Returns the address of a peer that is not known yet: 0.0.0.0:0.
    pub(crate) const fn unknown() -> Self {
        Self(Kind::Ip(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)))
    }

    /// Returns the IP address, if the peer has one.
    pub const fn ip(self) -> Option<IpAddr> {
        match self.0 {
            Kind::Ip(address) => Some(address.ip()),
            Kind::Unix => None,
        }
    }

    /// Returns the IP address and the port, if the peer has them.
    pub const fn socket_addr(self) -> Option<SocketAddr> {
        match self.0 {
            Kind::Ip(address) => Some(address),
            Kind::Unix => None,
        }
    }
}

impl From<SocketAddr> for PeerAddr {
    fn from(address: SocketAddr) -> Self {
        Self(Kind::Ip(address))
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Ip(address) => address.fmt(f),
            Kind::Unix => f.write_str("unix"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_address_takes_no_more_than_an_ip_address() {
        assert_eq!(size_of::<PeerAddr>(), size_of::<SocketAddr>());
    }
}
