//! What a connection to a server needs, and why it can fail to open.
//!
//! This file has the words of it; `server/event_loop/connecting.rs` makes the connections.

use std::{
    fmt,
    io::{self, ErrorKind},
    net::SocketAddr,
};

use crate::protocol::{Refusal, ResponseError, Uri};

/// Where a connection goes: a host and a port of a [`Uri`], or addresses.
///
/// A host that is an IP address is used as it is. A name is looked up on a thread of its own, and all of its
/// addresses are tried, one after the other.
///
/// ```
/// use std::net::SocketAddr;
/// use wirehook::{Target, protocol::Uri};
///
/// let uri = Uri::parse("ws://example.com/chat")?;
/// assert_eq!(Target::from(&uri).to_string(), "example.com:80");
///
/// // The request may name another host than the one that is connected to.
/// let address = SocketAddr::from(([127, 0, 0, 1], 9001));
/// assert_eq!(Target::from(address).to_string(), "127.0.0.1:9001");
/// # Ok::<(), wirehook::protocol::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Host { name: String, port: u16, is_secure: bool },
    Addresses(Vec<SocketAddr>),
}

/// What is known of a target's addresses.
pub(crate) enum Addresses {
    Known(Vec<SocketAddr>),
    OfName(String, u16),
}

impl Target {
    /// Returns whether the connection needs TLS, which is not there yet.
    pub(crate) const fn is_secure(&self) -> bool {
        matches!(self.0, Kind::Host { is_secure: true, .. })
    }

    pub(crate) fn into_addresses(self) -> Addresses {
        match self.0 {
            Kind::Addresses(addresses) => Addresses::Known(addresses),
            Kind::Host { name, port, .. } => match name.parse() {
                Ok(ip) => Addresses::Known(vec![SocketAddr::new(ip, port)]),
                Err(_) => Addresses::OfName(name, port),
            },
        }
    }
}

impl From<&Uri> for Target {
    fn from(uri: &Uri) -> Self {
        Self(Kind::Host { name: uri.host().to_owned(), port: uri.port(), is_secure: uri.is_secure() })
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self(Kind::Addresses(vec![address]))
    }
}

impl From<Vec<SocketAddr>> for Target {
    /// Several addresses of one server: they are tried in this order.
    fn from(addresses: Vec<SocketAddr>) -> Self {
        Self(Kind::Addresses(addresses))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Host { name, port, .. } if name.contains(':') => write!(f, "[{name}]:{port}"),
            Kind::Host { name, port, .. } => write!(f, "{name}:{port}"),
            Kind::Addresses(addresses) => {
                let texts: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
                f.write_str(&texts.join(" or "))
            }
        }
    }
}

/// Why a connection to a server did not open.
///
/// [`Handler::on_connect_error`](crate::Handler::on_connect_error) receives it, once for each connection that
/// does not open. What [`Connections::connect`](crate::Connections::connect) itself returns reaches no hook.
///
/// ```
/// use std::io::ErrorKind;
/// use wirehook::ConnectError;
///
/// fn is_worth_another_try(error: &ConnectError) -> bool {
///     match error {
///         ConnectError::Tcp(_) | ConnectError::Timeout | ConnectError::Transport(_) => true,
///         ConnectError::Refused(refusal) => refusal.status >= 500,
///         _ => false,
///     }
/// }
///
/// let error = ConnectError::Tcp(ErrorKind::ConnectionRefused);
/// assert!(is_worth_another_try(&error));
/// assert_eq!(error.to_string(), "no TCP connection: connection refused");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The target needs TLS (`wss`), which is not there yet.
    Secure,
    /// The server is shutting down.
    ShuttingDown,
    /// No random bytes could be drawn (§5.3).
    Entropy(io::Error),
    /// There is no room for one more connection.
    Full(io::Error),
    /// The name of the host has no address.
    Resolve(io::Error),
    /// No address accepts a TCP connection; the error is that of the last one.
    Tcp(ErrorKind),
    /// The connection was not open within
    /// [`handshake_timeout`](crate::Config::handshake_timeout), from the call on.
    Timeout,
    /// The TCP connection failed before the answer was complete.
    Transport(ErrorKind),
    /// The server's answer breaks a rule (§4.1), or a limit.
    Answer(ResponseError),
    /// The server refuses the connection, or points elsewhere: the status, the headers, and the body.
    Refused(Refusal),
    /// The application has closed it meanwhile, or the server has, for a shutdown or for memory.
    Cancelled,
}

impl fmt::Display for ConnectError {
    /// Writes one line for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secure => f.write_str("wss needs TLS, which is not there"),
            Self::ShuttingDown => f.write_str("the server is shutting down"),
            Self::Entropy(error) => write!(f, "no random bytes: {error}"),
            Self::Full(error) => write!(f, "no room for one more connection: {error}"),
            Self::Resolve(error) => write!(f, "the name has no address: {error}"),
            Self::Tcp(kind) => write!(f, "no TCP connection: {kind}"),
            Self::Timeout => f.write_str("not open in time"),
            Self::Transport(kind) => write!(f, "the connection ended before the answer: {kind}"),
            Self::Answer(error) => error.fmt(f),
            Self::Refused(refusal) => write!(f, "refused: {} {:?}", refusal.status, refusal.reason),
            Self::Cancelled => f.write_str("closed before it was open"),
        }
    }
}

impl std::error::Error for ConnectError {}

/// Which side of a connection this program is.
///
/// ```
/// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
/// # use wirehook::{ConnectionRole, Server};
/// let server = Server::bind("127.0.0.1:0")?.on_open(|ws, _| {
///     assert_eq!(ws.role(), ConnectionRole::Server); // a client has connected to this program
///     ws.send("welcome");
/// });
/// assert_eq!(talk(server, b"")?, b"\x81\x07welcome\x88\x00");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionRole {
    /// The peer has connected to this program.
    Server,
    /// This program has connected to the peer.
    Client,
}
