//! §3 WebSocket URIs: where a client connects, and what it asks for there.
//!
//! This file knows the parts of a URI. It resolves no name and opens no connection.

use std::fmt;

use crate::protocol::handshake::grammar::{is_encoded_path, is_encoded_query, is_host, split_port};

/// A `ws` or `wss` URI (§3).
///
/// ```
/// use wirehook::protocol::{Uri, UriError};
///
/// let uri = Uri::parse("wss://[2001:db8::1]:8443/chat?room=1")?;
/// assert!(uri.is_secure());
/// assert_eq!((uri.host(), uri.port()), ("2001:db8::1", 8443));
/// assert_eq!(uri.authority(), "[2001:db8::1]:8443");
/// assert_eq!(uri.resource(), "/chat?room=1");
///
/// let uri = Uri::parse("ws://example.com")?;
/// assert_eq!((uri.host(), uri.port()), ("example.com", 80));
/// assert_eq!((uri.authority(), uri.resource()), ("example.com".to_owned(), "/"));
/// # Ok::<(), UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    is_secure: bool,
    /// As it is in the URI: an IPv6 address in brackets.
    host: String,
    port: u16,
    resource: String,
}

/// Why a text is no WebSocket URI (§3).
///
/// ```
/// use wirehook::protocol::{Uri, UriError};
///
/// assert_eq!(Uri::parse("ws://example.com/#top"), Err(UriError::Fragment));
/// assert_eq!(UriError::Fragment.to_string(), "§3: a WebSocket URI has no fragment; write # as %23.");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UriError {
    /// §3: the scheme is neither `ws` nor `wss`.
    Scheme,
    /// §3: there is a fragment.
    Fragment,
    /// §3: there is a user name or a password.
    UserInfo,
    /// RFC 3986 §3.2.2: there is no host, or an invalid one.
    Host,
    /// RFC 3986 §3.2.3: the port is no number from 1 to 65,535.
    Port,
    /// RFC 3986 §3.3: the path or the query has a character that must be percent-encoded.
    NotEncoded,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "§3: a WebSocket URI begins with ws:// or wss://.",
            Self::Fragment => "§3: a WebSocket URI has no fragment; write # as %23.",
            Self::UserInfo => "§3: a WebSocket URI has no user name.",
            Self::Host => "RFC 3986 §3.2.2: the URI needs a host: a name, an IPv4 address, or an IPv6 address in brackets.",
            Self::Port => "RFC 3986 §3.2.3: the port must be a number from 1 to 65535.",
            Self::NotEncoded => "RFC 3986 §3.3: the URI has a character that must be percent-encoded.",
        })
    }
}

impl std::error::Error for UriError {}

impl Uri {
    /// Parses a URI: `ws-URI = "ws:" "//" host [ ":" port ] path [ "?" query ]` (§3). Example: [`Uri`].
    ///
    /// # Errors
    ///
    /// The first part that is wrong.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let (is_secure, rest) = split_scheme(text).ok_or(UriError::Scheme)?;
        // §3: "Fragment identifiers are meaningless … and MUST NOT be used on these URIs."
        if rest.contains('#') {
            return Err(UriError::Fragment);
        }
        let (authority, resource) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        // The grammar of §3 has a host and a port, and no user.
        if authority.contains('@') {
            return Err(UriError::UserInfo);
        }
        let (host, port) = split_port(authority);
        if !is_host(host) {
            return Err(UriError::Host);
        }
        let port = parse_port(port.unwrap_or_default(), is_secure)?;
        let (path, query) = resource.split_once('?').unwrap_or((resource, ""));
        if !is_encoded_path(path) || !is_encoded_query(query) {
            return Err(UriError::NotEncoded);
        }
        // §3: the resource name is `"/"` if the path is empty, then the path, then the query.
        let slash = if path.is_empty() { "/" } else { "" };
        Ok(Self { is_secure, host: host.to_owned(), port, resource: format!("{slash}{resource}") })
    }

    /// Returns whether the connection needs TLS: whether the scheme is `wss`.
    pub const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Returns the host to connect to; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        let literal = self.host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        literal.unwrap_or(&self.host)
    }

    /// Returns the port to connect to. §3: without one in the URI, 80 for `ws` and 443 for `wss`.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the value of the Host header: the host, and the port unless it is the default (§4.1, item 4).
    pub fn authority(&self) -> String {
        // §4.1: "optionally followed by a ":" followed by /port/ (when not using the default port)".
        let Self { host, port, .. } = self;
        if *port == default_port(self.is_secure) { host.clone() } else { format!("{host}:{port}") }
    }

    /// Returns the resource name: the path and the query (§3).
    pub fn resource(&self) -> &str {
        &self.resource
    }
}

/// Splits off the scheme, in any letter case; returns whether it is the secure one.
fn split_scheme(text: &str) -> Option<(bool, &str)> {
    [("ws://", false), ("wss://", true)].into_iter().find_map(|(scheme, is_secure)| {
        let (start, rest) = text.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some((is_secure, rest))
    })
}

/// RFC 3986 §3.2.3: digits; none stand for the default port.
fn parse_port(port: &str, is_secure: bool) -> Result<u16, UriError> {
    if port.is_empty() {
        return Ok(default_port(is_secure));
    }
    let is_number = port.bytes().all(|it| it.is_ascii_digit());
    port.parse().ok().filter(|&port| is_number && port != 0).ok_or(UriError::Port)
}

/// §3: "port 80 … for "ws" and port 443 for "wss"".
const fn default_port(is_secure: bool) -> u16 {
    if is_secure { 443 } else { 80 }
}
