//! RFC 7692 §5 and §7.1 What both sides agree on: a server's choice among offers, a client's judgement of the
//! choice.
//!
//! This file knows which answer fits which offer.

use super::offer::{DeflateOffer, InvalidDeflate, MAX_WINDOW_BITS};
use crate::protocol::ExtensionOffer;

/// The smallest window that a compressor here can be limited to: zlib makes 9 of 8.
pub(super) const MIN_COMPRESSED_BITS: u8 = 9;

/// What a server wants of permessage-deflate. The default takes every window and every context.
///
/// ```
/// use wirehook::protocol::{DeflateConfig, ExtensionOffer};
///
/// let offers = [
///     ExtensionOffer { name: "permessage-deflate", params: vec![("server_max_window_bits", Some("8".into()))] },
///     ExtensionOffer { name: "permessage-deflate", params: vec![("client_max_window_bits", None)] },
/// ];
/// let config = DeflateConfig { client_max_window_bits: 12, ..DeflateConfig::default() };
/// let negotiated = config.accept(&offers).unwrap(); // the first can't be honoured
/// assert_eq!(negotiated.header(), "permessage-deflate; client_max_window_bits=12");
/// assert_eq!(negotiated.params().client_max_window_bits, 12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateConfig {
    /// Whether the server begins each message with an empty window, also unasked (RFC 7692 §7.1.1.1).
    pub server_no_context_takeover: bool,
    /// Whether the client has to begin each message with an empty window (RFC 7692 §7.1.1.2): then nothing is
    /// held of it between two messages.
    pub client_no_context_takeover: bool,
    /// The server's window, as the base-2 logarithm of its bytes: 9 to 15.
    pub server_max_window_bits: u8,
    /// The client's window, if the client lets it be limited: 8 to 15.
    pub client_max_window_bits: u8,
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: MAX_WINDOW_BITS,
            client_max_window_bits: MAX_WINDOW_BITS,
        }
    }
}

/// How messages are compressed on a connection (RFC 7692 §7.1). Example: [`NegotiatedDeflate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateParams {
    /// Whether each message of the server begins with an empty window.
    pub server_no_context_takeover: bool,
    /// Whether each message of the client begins with an empty window.
    pub client_no_context_takeover: bool,
    /// The base-2 logarithm of the server's window.
    pub server_max_window_bits: u8,
    /// The base-2 logarithm of the client's window.
    pub client_max_window_bits: u8,
}

/// An offer that a server accepts, and its answer.
///
/// ```
/// use wirehook::protocol::{DeflateConfig, Limits, RequestReader, Response};
///
/// let mut head = *b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
///     Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n";
/// let mut reader = RequestReader::default();
/// let request = reader.next_request(&mut &mut head[..], &Limits::default())?.unwrap();
/// request.check(&[], &[])?;
///
/// let mut response = Response::switching_protocols(&request, None);
/// let negotiated = DeflateConfig::default().accept(request.extensions()).unwrap();
/// assert!(negotiated.params().server_no_context_takeover);
/// response.use_deflate(&negotiated);
/// let mut out = Vec::new();
/// response.encode(&mut out);
/// assert!(out.ends_with(b"\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n"));
/// # Ok::<(), wirehook::protocol::HandshakeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiatedDeflate {
    /// What the response says; it has the parameters of an offer.
    answer: DeflateOffer,
}

impl NegotiatedDeflate {
    /// Returns what is agreed on.
    pub fn params(&self) -> DeflateParams {
        self.answer.agreed()
    }

    /// Returns the value of `Sec-WebSocket-Extensions` in the response. Example: [`DeflateConfig`].
    pub fn header(&self) -> String {
        self.answer.to_string()
    }
}

impl DeflateConfig {
    /// Returns the first offer that can be honoured, with its answer; `None` declines all. Example:
    /// [`DeflateConfig`].
    ///
    /// RFC 7692 §7.1: an offer with an unknown or repeated parameter or an invalid value is declined; it
    /// never fails the handshake. Other extensions are not looked at.
    pub fn accept(&self, offers: &[ExtensionOffer<'_>]) -> Option<NegotiatedDeflate> {
        // RFC 7692 §5.1: offers are in the client's order of preference.
        offers
            .iter()
            .filter_map(|offer| DeflateOffer::parse(offer).ok())
            .find_map(|offer| self.answer(&offer))
            .map(|answer| NegotiatedDeflate { answer })
    }

    /// Returns the answer to one offer, or `None` if it can't be honoured.
    fn answer(&self, offer: &DeflateOffer) -> Option<DeflateOffer> {
        let server_bits =
            self.server_max_window_bits.min(offer.server_max_window_bits.unwrap_or(MAX_WINDOW_BITS));
        // RFC 7692 §7.1.2.1: a server that can't use so small a window declines the offer.
        if server_bits < MIN_COMPRESSED_BITS {
            return None;
        }
        let says_server_bits = offer.server_max_window_bits.is_some() || server_bits < MAX_WINDOW_BITS;
        // RFC 7692 §7.1.2.2: without the parameter in the offer, the response "MUST NOT" have it.
        let client_bits = offer
            .client_max_window_bits
            .map(|own| self.client_max_window_bits.min(own.unwrap_or(MAX_WINDOW_BITS)));
        Some(DeflateOffer {
            // RFC 7692 §7.1.1.1: the server accepts the offer by repeating the parameter, and may add it
            // unasked.
            server_no_context_takeover: self.server_no_context_takeover || offer.server_no_context_takeover,
            // RFC 7692 §7.1.1.2: a hint in the offer costs the client nothing, and saves the server a window.
            client_no_context_takeover: self.client_no_context_takeover || offer.client_no_context_takeover,
            server_max_window_bits: says_server_bits.then_some(server_bits),
            client_max_window_bits: client_bits.filter(|&bits| bits < MAX_WINDOW_BITS).map(Some),
        })
    }
}

impl DeflateOffer {
    /// Judges a server's response to this offer (RFC 7692 §7.1).
    ///
    /// ```
    /// use wirehook::protocol::{DeflateOffer, ExtensionOffer, InvalidDeflate};
    ///
    /// let offer = DeflateOffer::default();
    /// let response = |params| ExtensionOffer { name: "permessage-deflate", params };
    /// assert!(offer.judge(&response(vec![("server_no_context_takeover", None)])).is_ok());
    /// let limited = response(vec![("client_max_window_bits", Some("10".into()))]);
    /// assert_eq!(offer.judge(&limited), Err(InvalidDeflate::NotOffered));
    /// ```
    ///
    /// # Errors
    ///
    /// The response is malformed, does not fit the offer, or asks for what is not supported.
    pub fn judge(&self, response: &ExtensionOffer<'_>) -> Result<DeflateParams, InvalidDeflate> {
        let answer = Self::parse(response)?;
        // RFC 7692 §7.1.2.2: in a response the value is required.
        if answer.client_max_window_bits == Some(None) {
            return Err(InvalidDeflate::Value);
        }
        let agreed = answer.agreed();
        let limit = self.server_max_window_bits;
        let fits = (answer.server_no_context_takeover || !self.server_no_context_takeover)
            && limit.is_none_or(|limit| answer.server_max_window_bits.is_some_and(|bits| bits <= limit))
            && (answer.client_max_window_bits.is_none() || self.client_max_window_bits.is_some());
        if !fits {
            return Err(InvalidDeflate::NotOffered);
        }
        // RFC 7692 §7.1: the client fails at "a configuration that it does not support".
        if agreed.client_max_window_bits < MIN_COMPRESSED_BITS {
            return Err(InvalidDeflate::Unsupported);
        }
        let own = self.client_max_window_bits.flatten().unwrap_or(MAX_WINDOW_BITS);
        Ok(DeflateParams { client_max_window_bits: agreed.client_max_window_bits.min(own), ..agreed })
    }

    /// Returns what both sides do once this is the response.
    fn agreed(&self) -> DeflateParams {
        DeflateParams {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits.unwrap_or(MAX_WINDOW_BITS),
            client_max_window_bits: self.client_max_window_bits.flatten().unwrap_or(MAX_WINDOW_BITS),
        }
    }
}
