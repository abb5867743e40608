//! §4.1 The parts of a request: its target, its headers, its offers.
//!
//! This file parses a head, with `httparse`. It does not judge the parts: `check.rs` does that.

use std::{borrow::Cow, str};

use super::{
    grammar::elements,
    offers::{ExtensionOffer, Offers},
};
use crate::protocol::error::HandshakeError;

/// A request head (§4.1), borrowed from its bytes. A [`RequestReader`](super::RequestReader) returns it.
///
/// ```
/// use wirehook::protocol::{HandshakeError, Limits, RequestReader, Response};
///
/// let mut head = *b"GET /chat?room=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
///     Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
///     Sec-WebSocket-Protocol: chat, superchat\r\nOrigin: https://example.com\r\n\r\n";
/// let mut reader = RequestReader::default();
/// let request = reader.next_request(&mut &mut head[..], &Limits::default())?.unwrap();
///
/// assert_eq!((request.method(), request.target()), ("GET", "/chat?room=1"));
/// assert_eq!((request.path(), request.query_string()), ("/chat", Some("room=1")));
/// assert_eq!((request.host(), request.origin()), (Some("example.com"), Some("https://example.com")));
/// assert_eq!(request.header("UPGRADE"), Some("websocket"));
/// assert_eq!(request.headers().count(), 7);
/// assert!(request.subprotocols().eq(["chat", "superchat"]));
/// assert_eq!(request.choose_subprotocol(&["superchat".to_owned()]), Some("superchat"));
///
/// assert_eq!(request.check(&[], &[]), Ok(())); // for any host, from any origin
/// assert_eq!(request.check(&["example.com".to_owned()], &[]), Ok(()));
/// assert_eq!(request.check(&["example.org".to_owned()], &[]), Err(HandshakeError::HostNotServed));
/// assert_eq!(request.check(&[], &["https://example.org".to_owned()]), Err(HandshakeError::OriginNotAllowed));
///
/// let mut out = Vec::new();
/// Response::switching_protocols(&request, Some("chat")).encode(&mut out);
/// assert!(out.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
/// # Ok::<(), HandshakeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Request<'a> {
    head: &'a [u8],
    method: &'a str,
    target: &'a str,
    minor_version: u8,
    headers: Vec<httparse::Header<'a>>,
    offers: Offers<'a>,
    /// The parameters of its route, if it has one.
    params: Vec<(Box<str>, Cow<'a, str>)>,
}

impl<'a> Request<'a> {
    /// Parses a complete head. `lines` bounds how many headers it can have.
    pub(super) fn parse(head: &'a [u8], lines: usize) -> Result<Self, HandshakeError> {
        let mut headers = vec![httparse::EMPTY_HEADER; lines];
        let mut request = httparse::Request::new(&mut headers);
        let status = request.parse(head).map_err(|error| match error {
            httparse::Error::Version if names_a_version(head) => HandshakeError::HttpVersion,
            _ => HandshakeError::NotHttp,
        })?;
        let (httparse::Status::Complete(_), Some(method), Some(target), Some(minor_version)) =
            (status, request.method, request.path, request.version)
        else {
            return Err(HandshakeError::NotHttp);
        };
        let header_count = request.headers.len();
        headers.truncate(header_count);
        let offers = Offers::parse(
            values(&headers, "Sec-WebSocket-Protocol"),
            values(&headers, "Sec-WebSocket-Extensions"),
        );
        Ok(Self { head, method, target, minor_version, headers, offers, params: Vec::new() })
    }

    /// Returns the bytes of the request, as they were sent.
    pub(crate) const fn head(&self) -> &'a [u8] {
        self.head
    }

    /// Returns the same request with the parameters of its route.
    pub(crate) fn with_params(&self, params: Vec<(Box<str>, Cow<'a, str>)>) -> Self {
        Self { params, ..self.clone() }
    }

    /// Returns a parameter of the request's route, percent-decoded: the segment of the path at `:name` in the
    /// route's pattern. Without routes there is none. Example: [`Router`](crate::Router).
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(it, _)| **it == *name).map(|(_, value)| &**value)
    }

    /// Returns the number after `HTTP/1.`.
    pub(super) const fn minor_version(&self) -> u8 {
        self.minor_version
    }

    /// Returns the method, such as `GET`.
    pub fn method(&self) -> &'a str {
        self.method
    }

    /// Returns the request target as it is in the request line.
    pub fn target(&self) -> &'a str {
        self.target
    }

    /// Returns the path without the query, also of a target in absolute form (RFC 9112 §3.2.2).
    pub fn path(&self) -> &'a str {
        let (authority, path) = split_target(self.target);
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        if path.is_empty() && authority.is_some() { "/" } else { path }
    }

    /// Returns the query as it was sent: the bytes after the `?`. [`query`](Self::query) returns one value of
    /// it.
    pub fn query_string(&self) -> Option<&'a str> {
        let (_, path) = split_target(self.target);
        path.split_once('?').map(|(_, query)| query)
    }

    /// Returns the requested host: that of an absolute target, or else that of the Host header.
    pub fn host(&self) -> Option<&'a str> {
        let (authority, _) = split_target(self.target);
        authority.or_else(|| self.header("Host"))
    }

    /// Returns the origin of the page that connects (§10.2); browsers always send one.
    pub fn origin(&self) -> Option<&'a str> {
        self.header("Origin")
    }

    /// Returns the value of the first header of this name, if it is UTF-8. Letter case does not matter.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.values(name).next().and_then(|value| str::from_utf8(value).ok())
    }

    /// Returns all headers in their order, names as they were sent.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.headers.iter().map(|header| (header.name, header.value))
    }

    /// Returns the subprotocols that the client offers, in its order of preference (§11.3.4).
    pub fn subprotocols(&self) -> impl Iterator<Item = &'a str> {
        self.offers.subprotocols.iter().filter_map(|it| str::from_utf8(it).ok())
    }

    /// Returns the extensions that the client offers, in its order of preference (§9.1). A list that
    /// [`check_extensions`](Self::check_extensions) refuses counts as empty.
    ///
    /// Example: [`ExtensionOffer`].
    pub fn extensions(&self) -> &[ExtensionOffer<'a>] {
        self.offers.extensions.as_deref().unwrap_or_default()
    }

    /// Returns the first of `preferred` that the client offers (§4.2.2).
    pub fn choose_subprotocol<'p>(&self, preferred: &'p [String]) -> Option<&'p str> {
        preferred.iter().map(String::as_str).find(|it| self.subprotocols().any(|offer| offer == *it))
    }

    /// Returns the values of all headers of this name.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        values(&self.headers, name)
    }

    pub(super) const fn offers(&self) -> &Offers<'a> {
        &self.offers
    }

    /// Returns the elements of a list header that may be repeated (RFC 9110 §5.6.1), without the empty ones.
    pub(super) fn list(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.values(name).flat_map(elements)
    }

    pub(super) fn lists_token(&self, name: &str, token: &str) -> bool {
        self.list(name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }

    pub(super) fn only(&self, name: &str) -> Only<'a> {
        only(self.values(name))
    }
}

/// Returns the values of all headers of a name.
pub(super) fn values<'a>(headers: &[httparse::Header<'a>], name: &str) -> impl Iterator<Item = &'a [u8]> {
    headers.iter().filter(move |it| it.name.eq_ignore_ascii_case(name)).map(|it| it.value)
}

/// Returns whether the request line is well-formed but for the number of its version.
fn names_a_version(head: &[u8]) -> bool {
    let line = head.trim_ascii_start().split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut parts = line.split(|&byte| byte == b' ');
    let (Some(_), Some(_), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    // RFC 9112 §2.3: `"HTTP/" DIGIT "." DIGIT`.
    matches!(version, [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'])
}

/// Returns the only value, if there is exactly one.
pub(super) fn only<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Only<'a> {
    match (values.next(), values.next()) {
        (None, _) => Only::None,
        (Some(value), None) => Only::One(value),
        (Some(_), Some(_)) => Only::Several,
    }
}

/// A header that a head may contain once.
pub(super) enum Only<'a> {
    None,
    One(&'a [u8]),
    Several,
}

/// Splits a target into authority and path: `http://host/path` (RFC 9112 §3.2.2) or just `/path`.
pub(super) fn split_target(target: &str) -> (Option<&str>, &str) {
    let schemes = ["http://", "https://", "ws://", "wss://"];
    let is_scheme =
        |scheme: &&str| target.get(..scheme.len()).is_some_and(|it| it.eq_ignore_ascii_case(scheme));
    let Some(scheme) = schemes.iter().find(|scheme| is_scheme(scheme)) else { return (None, target) };
    let rest = &target[scheme.len()..];
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    (Some(authority), path)
}
