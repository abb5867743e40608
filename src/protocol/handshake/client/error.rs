//! §4.1 Every way in which a server's answer can break the rules, one variant per rule.

use std::fmt;

use crate::protocol::error::HandshakeError;

/// An answer that opens no connection because it breaks a rule (§4.1). The client closes TCP.
///
/// An answer that keeps the rules and opens nothing is no error, but a [`Refusal`](super::Refusal).
///
/// ```
/// use wirehook::protocol::ResponseError;
///
/// assert_eq!(ResponseError::AcceptWrong.section(), "§4.1");
/// assert_eq!(
///     ResponseError::AcceptWrong.to_string(),
///     "§4.1: Sec-WebSocket-Accept does not belong to the key of the request."
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseError {
    /// RFC 9112 §4: the head is not that of an HTTP response.
    NotHttp,
    /// §4.2.2: the 101 is not one of HTTP/1.1.
    HttpVersion,
    /// The head is over [`Limits::max_header_size`](crate::Limits::max_header_size).
    HeadTooBig,
    /// The head has more lines than [`Limits::max_headers`](crate::Limits::max_headers).
    TooManyHeaders,
    /// RFC 9112 §8: the connection ended before the head was complete.
    EndedEarly,
    /// §4.1: there is no `Upgrade`, or its value is not `websocket`.
    NotUpgraded,
    /// §4.1: `Connection` lacks the token `Upgrade`.
    ConnectionWithoutUpgrade,
    /// §4.1: there is no `Sec-WebSocket-Accept`.
    AcceptMissing,
    /// §11.3.3: there are several `Sec-WebSocket-Accept`.
    AcceptRepeated,
    /// §4.1: `Sec-WebSocket-Accept` is not the one of the request's key.
    AcceptWrong,
    /// §4.1: the server chose a subprotocol that was not offered.
    SubprotocolNotOffered,
    /// §11.3.4: there are several `Sec-WebSocket-Protocol`.
    SubprotocolRepeated,
    /// §9.1: `Sec-WebSocket-Extensions` is no list of extensions.
    ExtensionsMalformed,
    /// §4.1: the server chose an extension that was not offered.
    ExtensionNotOffered,
    /// RFC 7692 §7.1: the parameters of permessage-deflate do not fit the offer.
    DeflateInvalid,
}

impl ResponseError {
    /// Returns the section that has the broken rule, such as `"§4.1"`.
    pub const fn section(self) -> &'static str {
        self.rule().0
    }

    /// Returns the section and the rule.
    const fn rule(self) -> (&'static str, &'static str) {
        match self {
            Self::NotHttp => ("RFC 9112 §4", "the answer is not an HTTP response."),
            Self::HttpVersion => ("§4.2.2", "the answer must be of HTTP/1.1."),
            Self::HeadTooBig => ("§10.4", "the head of the answer is over the size limit."),
            Self::TooManyHeaders => ("§10.4", "the answer has too many header lines."),
            Self::EndedEarly => ("RFC 9112 §8", "the connection ended before the answer was complete."),
            Self::NotUpgraded => ("§4.1", "the answer must have the header Upgrade: websocket."),
            Self::ConnectionWithoutUpgrade => {
                ("§4.1", "the answer's Connection header must list the token Upgrade.")
            }
            Self::AcceptMissing => ("§4.1", "the answer must have a Sec-WebSocket-Accept header."),
            Self::AcceptRepeated => ("§11.3.3", "Sec-WebSocket-Accept must not appear more than once."),
            Self::AcceptWrong => ("§4.1", "Sec-WebSocket-Accept does not belong to the key of the request."),
            Self::SubprotocolNotOffered => ("§4.1", "the answer names a subprotocol that was not offered."),
            Self::SubprotocolRepeated => {
                ("§11.3.4", "Sec-WebSocket-Protocol must not appear more than once in an answer.")
            }
            Self::ExtensionsMalformed => ("§9.1", "Sec-WebSocket-Extensions is not a list of extensions."),
            Self::DeflateInvalid => {
                ("RFC 7692 §7.1", "the parameters of permessage-deflate do not fit the offer.")
            }
            Self::ExtensionNotOffered => ("§4.1", "the answer names an extension that was not offered."),
        }
    }
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (section, rule) = self.rule();
        write!(f, "{section}: {rule}")
    }
}

impl std::error::Error for ResponseError {}

impl From<HandshakeError> for ResponseError {
    /// Translates what collecting a head can end with; requests and answers are collected alike.
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::HeadTooBig => Self::HeadTooBig,
            HandshakeError::TooManyHeaders => Self::TooManyHeaders,
            _ => Self::NotHttp,
        }
    }
}
