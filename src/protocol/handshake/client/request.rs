//! §4.1 The request of a client: what it asks for and what it offers.
//!
//! This file knows how a request is written. The randomness of its key is the caller's.

use super::{ClientHandshake, uri::Uri};
#[cfg(feature = "deflate")]
use crate::protocol::DeflateOffer;
use crate::protocol::handshake::{
    InvalidHeader,
    accept::{accept_key, encode_key},
    grammar::{is_field_value, is_token},
};

/// A request to open a connection (§4.1), before it is sent.
///
/// ```
/// use wirehook::protocol::{ClientRequest, InvalidHeader, Uri};
///
/// let mut request = ClientRequest::new(&Uri::parse("ws://server.example.com/chat").unwrap());
/// request.origin("http://example.com")?;
/// request.subprotocol("chat")?;
/// request.subprotocol("superchat")?;
/// request.header("Cookie", "a=b")?;
///
/// // The key of §1.3. A program draws 16 random bytes for each connection.
/// let mut out = Vec::new();
/// request.start(*b"the sample nonce", &mut out);
/// assert_eq!(out, b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
///     Origin: http://example.com\r\nCookie: a=b\r\nSec-WebSocket-Protocol: chat, superchat\r\n\r\n");
/// # Ok::<(), InvalidHeader>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientRequest {
    resource: String,
    authority: String,
    has_origin: bool,
    /// The header lines of the caller, each with its line end.
    headers: String,
    subprotocols: Vec<String>,
    #[cfg(feature = "deflate")]
    deflate: Option<DeflateOffer>,
}

/// What an answer is compared with.
#[derive(Debug)]
pub(super) struct Offered {
    /// The value of `Sec-WebSocket-Accept` that accepts the key of the request.
    pub(super) accept: String,
    pub(super) subprotocols: Vec<String>,
    #[cfg(feature = "deflate")]
    pub(super) deflate: Option<DeflateOffer>,
}

/// The headers that the handshake writes itself, that have a call of their own, or that announce a body.
const OWN_HEADERS: [&str; 11] = [
    "Connection",
    "Content-Length",
    "Host",
    "Origin",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Version",
    "Transfer-Encoding",
    "Upgrade",
];

impl ClientRequest {
    /// Begins a request for a resource, without any offer. Example: [`ClientRequest`].
    pub fn new(uri: &Uri) -> Self {
        Self {
            resource: uri.resource().to_owned(),
            authority: uri.authority(),
            has_origin: false,
            headers: String::new(),
            subprotocols: Vec::new(),
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }

    /// Names the origin of the page that connects (RFC 6454 §7). §4.1: browsers send one, other clients may.
    ///
    /// # Errors
    ///
    /// The value is not printable ASCII, or an origin was named before; nothing is added.
    pub fn origin(&mut self, origin: &str) -> Result<(), InvalidHeader> {
        // RFC 6454 §7.3: "The user agent MUST NOT include more than one Origin header field".
        if self.has_origin || origin.is_empty() || !origin.bytes().all(|it| matches!(it, b' '..=b'~')) {
            return Err(InvalidHeader);
        }
        self.has_origin = true;
        self.line("Origin", origin);
        Ok(())
    }

    /// Offers a subprotocol. The order of the calls is the order of preference (§4.1).
    ///
    /// ```
    /// # use wirehook::protocol::{ClientRequest, InvalidHeader, Uri};
    /// let mut request = ClientRequest::new(&Uri::parse("ws://example.com/").unwrap());
    /// assert_eq!(request.subprotocol("chat"), Ok(()));
    /// assert_eq!(request.subprotocol("chat"), Err(InvalidHeader)); // offered before
    /// assert_eq!(request.subprotocol("a, b"), Err(InvalidHeader)); // no token
    /// ```
    ///
    /// # Errors
    ///
    /// The name is no token, or was offered before; nothing is added.
    pub fn subprotocol(&mut self, name: &str) -> Result<(), InvalidHeader> {
        // §4.1: the elements "MUST be non-empty strings with characters in the range U+0021 to
        // U+007E not including separator characters … and MUST all be unique strings".
        if !is_token(name.as_bytes()) || self.subprotocols.iter().any(|it| it == name) {
            return Err(InvalidHeader);
        }
        self.subprotocols.push(name.to_owned());
        Ok(())
    }

    /// Offers to compress messages (RFC 7692 §7.1). The last call counts.
    ///
    /// ```
    /// use wirehook::protocol::{ClientRequest, DeflateOffer, Uri};
    ///
    /// let mut request = ClientRequest::new(&Uri::parse("ws://example.com/").unwrap());
    /// request.deflate(DeflateOffer { client_max_window_bits: Some(None), ..DeflateOffer::default() });
    /// let mut out = Vec::new();
    /// request.start([0; 16], &mut out);
    /// assert!(out.ends_with(b"\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"));
    /// ```
    #[cfg(feature = "deflate")]
    pub fn deflate(&mut self, offer: DeflateOffer) {
        self.deflate = Some(offer);
    }

    /// Returns whether the request offers to compress messages.
    #[cfg(feature = "deflate")]
    pub(crate) const fn offers_deflate(&self) -> bool {
        self.deflate.is_some()
    }

    /// Adds a header, such as a cookie or an `Authorization` (§4.1, item 12).
    ///
    /// ```
    /// # use wirehook::protocol::{ClientRequest, InvalidHeader, Uri};
    /// let mut request = ClientRequest::new(&Uri::parse("ws://example.com/").unwrap());
    /// assert_eq!(request.header("User-Agent", "me"), Ok(()));
    /// assert_eq!(request.header("Host", "example.org"), Err(InvalidHeader)); // the URI says it
    /// assert_eq!(request.header("X", "a\r\nY: b"), Err(InvalidHeader));
    /// ```
    ///
    /// # Errors
    ///
    /// The name is no token, the value holds a control byte, or the handshake writes the header itself;
    /// nothing is added.
    pub fn header(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        let is_own = OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name));
        if is_own || !is_token(name.as_bytes()) || !is_field_value(value) {
            return Err(InvalidHeader);
        }
        self.line(name, value);
        Ok(())
    }

    /// Appends the bytes of the request to `out`, and returns the handshake that awaits the answer.
    ///
    /// §4.1: `nonce` must be drawn at random for each connection.
    pub fn start(mut self, nonce: [u8; 16], out: &mut Vec<u8>) -> ClientHandshake {
        if !self.subprotocols.is_empty() {
            let list = self.subprotocols.join(", ");
            self.line("Sec-WebSocket-Protocol", &list);
        }
        #[cfg(feature = "deflate")]
        if let Some(offer) = self.deflate {
            self.line("Sec-WebSocket-Extensions", &offer.to_string());
        }
        let key = encode_key(nonce);
        // §4.1, items 1 to 9: the lines that every request has.
        let lines = [
            "GET ",
            &self.resource,
            " HTTP/1.1\r\nHost: ",
            &self.authority,
            "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ",
            &key,
            "\r\nSec-WebSocket-Version: 13\r\n",
            &self.headers,
            "\r\n",
        ];
        lines.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        ClientHandshake::new(Offered {
            accept: accept_key(&key),
            subprotocols: self.subprotocols,
            #[cfg(feature = "deflate")]
            deflate: self.deflate,
        })
    }

    fn line(&mut self, name: &str, value: &str) {
        for part in [name, ": ", value, "\r\n"] {
            self.headers.push_str(part);
        }
    }
}
