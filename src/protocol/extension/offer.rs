//! RFC 7692 §7.1 The four parameters of permessage-deflate, in an offer and in a response.
//!
//! This file reads and writes them. It does not decide what is agreed on.

use std::fmt;

use crate::protocol::ExtensionOffer;

/// The registered name of the extension (RFC 7692 §7).
pub(super) const NAME: &str = "permessage-deflate";

/// The largest window, 32,768 bytes, which is also the one without any parameter (RFC 7692 §7.1.2).
///
/// ```
/// use wirehook::protocol::{DeflateOffer, MAX_WINDOW_BITS};
///
/// let offer = DeflateOffer { server_max_window_bits: Some(MAX_WINDOW_BITS), ..DeflateOffer::default() };
/// assert_eq!(offer.to_string(), "permessage-deflate; server_max_window_bits=15");
/// ```
pub const MAX_WINDOW_BITS: u8 = 15;

/// What makes an offer or a response of permessage-deflate unusable (RFC 7692 §7.1).
///
/// A server declines such an offer and looks at the next; a client fails at such a response.
///
/// ```
/// use wirehook::protocol::{DeflateOffer, ExtensionOffer, InvalidDeflate};
///
/// let offer = ExtensionOffer { name: "permessage-deflate", params: vec![("server_max_window_bits", None)] };
/// assert_eq!(DeflateOffer::parse(&offer), Err(InvalidDeflate::Value));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidDeflate {
    /// It is another extension.
    Name,
    /// A parameter is not defined.
    Unknown,
    /// A parameter appears twice.
    Repeated,
    /// A value is missing, superfluous, or not a number from 8 to 15.
    Value,
    /// It is well-formed, but not supported: compression can't be limited to a window of 256 bytes.
    Unsupported,
    /// The response has what the offer does not allow, or lacks what the offer demands.
    NotOffered,
}

impl fmt::Display for InvalidDeflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "RFC 7692 §7: the extension is not permessage-deflate.",
            Self::Unknown => "RFC 7692 §7.1: permessage-deflate has no such parameter.",
            Self::Repeated => "RFC 7692 §7.1: a parameter of permessage-deflate appears twice.",
            Self::Value => "RFC 7692 §7.1: a parameter of permessage-deflate has an invalid value.",
            Self::Unsupported => "RFC 7692 §7.1: a window of 256 bytes is not supported for compression.",
            Self::NotOffered => "RFC 7692 §7.1: the response to permessage-deflate does not fit the offer.",
        })
    }
}

impl std::error::Error for InvalidDeflate {}

/// One offer of permessage-deflate by a client (RFC 7692 §7.1).
///
/// ```
/// use wirehook::protocol::DeflateOffer;
///
/// // What browsers offer.
/// let offer = DeflateOffer { client_max_window_bits: Some(None), ..DeflateOffer::default() };
/// assert_eq!(offer.to_string(), "permessage-deflate; client_max_window_bits");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeflateOffer {
    /// Asks the server to begin each message with an empty window (RFC 7692 §7.1.1.1).
    pub server_no_context_takeover: bool,
    /// Says that the client may begin each message with an empty window (RFC 7692 §7.1.1.2).
    pub client_no_context_takeover: bool,
    /// Limits the server's window, as the base-2 logarithm of its bytes (RFC 7692 §7.1.2.1).
    pub server_max_window_bits: Option<u8>,
    /// Says that the client's window can be limited, and to which size the client limits it itself
    /// (RFC 7692 §7.1.2.2).
    pub client_max_window_bits: Option<Option<u8>>,
}

impl DeflateOffer {
    /// Reads an offer, or a response, which has the same parameters.
    ///
    /// ```
    /// use wirehook::protocol::{DeflateOffer, ExtensionOffer};
    ///
    /// let params = vec![("server_max_window_bits", Some("10".into())), ("client_no_context_takeover", None)];
    /// let offer = DeflateOffer::parse(&ExtensionOffer { name: "permessage-deflate", params })?;
    /// assert_eq!(offer.server_max_window_bits, Some(10));
    /// assert!(offer.client_no_context_takeover && !offer.server_no_context_takeover);
    /// # Ok::<(), wirehook::protocol::InvalidDeflate>(())
    /// ```
    ///
    /// # Errors
    ///
    /// RFC 7692 §7.1: the name or a parameter is another, a parameter appears twice, or a value is invalid.
    pub fn parse(offer: &ExtensionOffer<'_>) -> Result<Self, InvalidDeflate> {
        if offer.name != NAME {
            return Err(InvalidDeflate::Name);
        }
        let mut parsed = Self::default();
        for (at, (name, value)) in offer.params.iter().enumerate() {
            // RFC 7692 §7.1: decline if the offer "contains multiple extension parameters with the same
            // name".
            if offer.params[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(InvalidDeflate::Repeated);
            }
            parsed.set(name, value.as_deref())?;
        }
        Ok(parsed)
    }

    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), InvalidDeflate> {
        match (name, value) {
            ("server_no_context_takeover", None) => self.server_no_context_takeover = true,
            ("client_no_context_takeover", None) => self.client_no_context_takeover = true,
            ("server_max_window_bits", Some(bits)) => {
                self.server_max_window_bits = Some(parse_bits(bits)?);
            }
            ("client_max_window_bits", None) => self.client_max_window_bits = Some(None),
            ("client_max_window_bits", Some(bits)) => {
                self.client_max_window_bits = Some(Some(parse_bits(bits)?));
            }
            ("server_no_context_takeover" | "client_no_context_takeover" | "server_max_window_bits", _) => {
                return Err(InvalidDeflate::Value);
            }
            _ => return Err(InvalidDeflate::Unknown),
        }
        Ok(())
    }
}

impl fmt::Display for DeflateOffer {
    /// Writes the offer as an element of `Sec-WebSocket-Extensions` (§9.1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        if self.server_no_context_takeover {
            f.write_str("; server_no_context_takeover")?;
        }
        if self.client_no_context_takeover {
            f.write_str("; client_no_context_takeover")?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; server_max_window_bits={bits}")?;
        }
        match self.client_max_window_bits {
            Some(Some(bits)) => write!(f, "; client_max_window_bits={bits}"),
            Some(None) => f.write_str("; client_max_window_bits"),
            None => Ok(()),
        }
    }
}

/// RFC 7692 §7.1.2: "a decimal integer value without leading zeroes between 8 to 15, inclusive".
fn parse_bits(value: &str) -> Result<u8, InvalidDeflate> {
    match value {
        "8" => Ok(8),
        "9" => Ok(9),
        "10" => Ok(10),
        "11" => Ok(11),
        "12" => Ok(12),
        "13" => Ok(13),
        "14" => Ok(14),
        "15" => Ok(15),
        _ => Err(InvalidDeflate::Value),
    }
}
