//! The rules that a peer can break, one variant per rule, in the order of the RFC.
//!
//! This file knows the rules' names, their sections, and the close code (§7.4) or HTTP status (§4.2.2) of the
//! answer. It does not know how a broken rule is detected: the file that returns the error does. Missing
//! bytes are never an error, and neither is a clean close.

use std::fmt;

use super::close_code::CloseCode;

/// A frame, or a sequence of frames, that RFC 6455 forbids.
///
/// After such an error the receiver discards all further input (§7.1.7). The connection owes the peer a Close
/// frame with [`close_code`](Self::close_code), and this error's text as its reason.
///
/// ```
/// use wirehook::protocol::{CloseCode, ProtocolError};
///
/// let error = ProtocolError::UnmaskedFrame;
/// assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
/// assert_eq!(error.section(), "§5.1");
/// assert_eq!(error.to_string(), "§5.1: a client must mask its frames");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// §5.1: "a client MUST mask all frames that it sends to the server".
    UnmaskedFrame,
    /// §5.1: "A server MUST NOT mask any frames that it sends to the client."
    MaskedFrame,
    /// §5.2: RSV1 to RSV3 "MUST be 0 unless an extension is negotiated".
    ReservedBits,
    /// §5.2: opcodes 0x3 to 0x7 and 0xB to 0xF are reserved; carries the opcode.
    ReservedOpCode(u8),
    /// §5.2: "the minimal number of bytes MUST be used to encode the length".
    NonMinimalLength,
    /// §5.2: of a 64-bit length "the most significant bit MUST be 0".
    LengthOver63Bits,
    /// §5.4: a continuation frame with no message to continue.
    NothingToContinue,
    /// §5.4: a new text or binary frame before the fragmented message has ended.
    MessageNotFinished,
    /// §5.5: control frames "MUST NOT be fragmented".
    FragmentedControl,
    /// §5.5: control frames "MUST have a payload length of 125 bytes or less".
    ControlTooLong,
    /// §5.5.1: a Close body starts with "a 2-byte unsigned integer"; one byte is none.
    CloseBodyOfOneByte,
    /// §5.5.1: the reason of a Close frame is UTF-8.
    CloseReasonNotUtf8,
    /// §7.4: a code that no endpoint may put into a Close frame; carries the code.
    ForbiddenCloseCode(u16),
    /// RFC 7692 §6: RSV1 on a frame that does not begin a message.
    MisplacedCompression,
    /// RFC 7692 §7.2.2: the payload of a compressed message is not DEFLATE.
    NotDeflate,
    /// §8.1: text that is not UTF-8, detected at its first impossible byte.
    TextNotUtf8,
    /// §10.4: a message over the receiver's limit, detected in the header that would exceed it.
    MessageTooBig,
    /// §10.4: no memory was available for a message within the limit. The peer broke no rule.
    NoMemory,
}

impl ProtocolError {
    /// Returns the close code that answers this error (§7.4.1): 1002, 1007, 1009 or 1013.
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::TextNotUtf8 | Self::CloseReasonNotUtf8 | Self::NotDeflate => CloseCode::INVALID_PAYLOAD,
            Self::MessageTooBig => CloseCode::MESSAGE_TOO_BIG,
            Self::NoMemory => CloseCode::TRY_AGAIN_LATER,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }

    /// Returns the section with the broken rule, such as `"§5.4"`; of RFC 6455 unless it names another.
    pub const fn section(self) -> &'static str {
        match self {
            Self::UnmaskedFrame | Self::MaskedFrame => "§5.1",
            Self::ReservedBits
            | Self::ReservedOpCode(_)
            | Self::NonMinimalLength
            | Self::LengthOver63Bits => "§5.2",
            Self::NothingToContinue | Self::MessageNotFinished => "§5.4",
            Self::FragmentedControl | Self::ControlTooLong => "§5.5",
            Self::CloseBodyOfOneByte | Self::CloseReasonNotUtf8 => "§5.5.1",
            Self::ForbiddenCloseCode(_) => "§7.4",
            Self::MisplacedCompression => "RFC 7692 §6",
            Self::NotDeflate => "RFC 7692 §7.2.2",
            Self::TextNotUtf8 => "§8.1",
            Self::MessageTooBig | Self::NoMemory => "§10.4",
        }
    }
}

impl fmt::Display for ProtocolError {
    /// Writes the section and the rule in one short sentence, which always fits into a Close frame (§5.5.1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.section())?;
        match self {
            Self::UnmaskedFrame => f.write_str("a client must mask its frames"),
            Self::MaskedFrame => f.write_str("a server must not mask its frames"),
            Self::ReservedBits => f.write_str("reserved bit set and no extension negotiated"),
            Self::ReservedOpCode(opcode) => write!(f, "opcode {opcode:#x} is reserved"),
            Self::NonMinimalLength => f.write_str("payload length not in its shortest form"),
            Self::LengthOver63Bits => f.write_str("top bit of a 64-bit payload length set"),
            Self::NothingToContinue => f.write_str("continuation frame without a message"),
            Self::MessageNotFinished => f.write_str("new message before the last one ended"),
            Self::FragmentedControl => f.write_str("control frame in fragments"),
            Self::ControlTooLong => f.write_str("control frame over 125 bytes"),
            Self::CloseBodyOfOneByte => f.write_str("close body of one byte"),
            Self::CloseReasonNotUtf8 => f.write_str("close reason is not UTF-8"),
            Self::ForbiddenCloseCode(code) => write!(f, "close code {code} must not be sent"),
            Self::MisplacedCompression => f.write_str("only the first frame of a message may have RSV1"),
            Self::NotDeflate => f.write_str("compressed message is not DEFLATE"),
            Self::TextNotUtf8 => f.write_str("text is not UTF-8"),
            Self::MessageTooBig => f.write_str("message over the size limit"),
            Self::NoMemory => f.write_str("no memory for the message"),
        }
    }
}

impl std::error::Error for ProtocolError {}

/// A request that does not open a WebSocket connection, or not here (§4.2.1).
///
/// The answer is an HTTP response with [`status`](Self::status); its body is this error's text.
///
/// ```
/// use wirehook::protocol::HandshakeError;
///
/// assert_eq!(HandshakeError::MethodNotGet.status(), 405);
/// assert_eq!(HandshakeError::MethodNotGet.header(), Some(("Allow", "GET")));
/// assert!(HandshakeError::KeyMissing.to_string().starts_with("§4.2.1: "));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// RFC 9112 §2: the head is not HTTP: a control byte, a bare line feed, a folded line, a bad name …
    NotHttp,
    /// RFC 8446 §5.1: the first byte is that of a TLS handshake, and this port has no TLS.
    LooksLikeTls,
    /// §4.1: the request must be HTTP/1.1 or higher, and this is another version. Deviation from §4.2.1: only
    /// 1.1 is accepted, as no higher version of HTTP/1 exists.
    HttpVersion,
    /// §4.1: "The method of the request MUST be GET".
    MethodNotGet,
    /// §4.1 as well, for HEAD, whose answer must have no body (RFC 9110 §9.3.2).
    MethodIsHead,
    /// §4.1: the target is neither a path nor an absolute URI, or it has a fragment (§3).
    TargetInvalid,
    /// RFC 3986 §3.2: the target is an absolute URI whose authority is no host with an optional port.
    AuthorityInvalid,
    /// RFC 3986 §2.1: the target has a byte that a URI has only percent-encoded.
    TargetNotEncoded,
    /// RFC 9112 §3.2: a request must hold one valid Host, and §4.2.1 repeats it.
    HostMissing,
    /// RFC 9112 §3.2: a request with more than one Host is answered with 400.
    HostRepeated,
    /// RFC 9112 §3.2: so is one with an invalid Host, which is no host with an optional port (RFC 3986 §3.2).
    HostInvalid,
    /// §4.2.1: the Host names an authority that is not served.
    HostNotServed,
    /// RFC 9110 §9.3.1: a body is announced. The body of a GET has no meaning and may be refused.
    BodyAnnounced,
    /// RFC 9110 §7.8: the protocols of `Upgrade` are not a list of tokens, each with an optional version.
    UpgradeMalformed,
    /// §4.2.1: no `Upgrade` header contains the token `websocket`: a plain HTTP request.
    NotAnUpgrade,
    /// RFC 9110 §7.6.1: the options of `Connection` are not a list of tokens.
    ConnectionMalformed,
    /// §4.2.1: no `Connection` header contains the token `Upgrade`.
    ConnectionWithoutUpgrade,
    /// §4.2.1: no `Sec-WebSocket-Version`; the answer names the supported one (§4.4).
    VersionMissing,
    /// §11.3.5: more than one `Sec-WebSocket-Version`.
    VersionRepeated,
    /// §4.2.2: a version other than 13; the answer names the supported one (§4.4).
    VersionNotSupported,
    /// §4.2.1: no `Sec-WebSocket-Key`.
    KeyMissing,
    /// §11.3.1: more than one `Sec-WebSocket-Key`.
    KeyRepeated,
    /// §4.2.1: the key is not the base64 of 16 bytes.
    KeyInvalid,
    /// §4.1: the subprotocols are not a list of different tokens.
    SubprotocolsMalformed,
    /// §4.2.1: the offered extensions break the grammar of §9.1.
    ExtensionsMalformed,
    /// RFC 6454 §7.3: more than one `Origin`.
    OriginRepeated,
    /// RFC 6454 §7.1: the `Origin` header has a byte that is no printable ASCII.
    OriginInvalid,
    /// §10.2: the request comes from a page of an origin that is not allowed.
    OriginNotAllowed,
    /// RFC 6585 §5: the head is over the size limit.
    HeadTooBig,
    /// RFC 6585 §5: the head has more header lines than the limit.
    TooManyHeaders,
    /// RFC 9110 §15.5.9: the head was not complete in time.
    Timeout,
    /// RFC 6585 §4: this address has as many connections as one address may have.
    TooManyFromAddress,
    /// RFC 6585 §4: this address opens connections faster than one may.
    TooFastFromAddress,
    /// RFC 9110 §15.6.4: the server has as many connections as it may have.
    TooManyConnections,
}

impl HandshakeError {
    /// Returns the HTTP status that answers this error.
    pub const fn status(self) -> u16 {
        match self {
            Self::OriginNotAllowed => 403,
            Self::MethodNotGet | Self::MethodIsHead => 405,
            Self::Timeout => 408,
            Self::HostNotServed => 421,
            Self::NotAnUpgrade | Self::VersionMissing | Self::VersionNotSupported => 426,
            Self::TooManyFromAddress | Self::TooFastFromAddress => 429,
            Self::HeadTooBig | Self::TooManyHeaders => 431,
            Self::TooManyConnections => 503,
            Self::HttpVersion => 505,
            _ => 400,
        }
    }

    /// Returns the additional header that the status requires, as name and value.
    pub const fn header(self) -> Option<(&'static str, &'static str)> {
        match self {
            // RFC 9110 §15.5.6: "The origin server MUST generate an Allow header field in a 405 response".
            Self::MethodNotGet | Self::MethodIsHead => Some(("Allow", "GET")),
            // §4.4: "the server MUST respond with … Sec-WebSocket-Version header field(s)".
            Self::VersionMissing | Self::VersionRepeated | Self::VersionNotSupported => {
                Some(("Sec-WebSocket-Version", "13"))
            }
            Self::TooManyConnections | Self::TooManyFromAddress => Some(("Retry-After", "5")),
            Self::TooFastFromAddress => Some(("Retry-After", "1")),
            _ => None,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotHttp => "RFC 9112 §2: the request is not well-formed HTTP/1.1.",
            Self::LooksLikeTls => "RFC 8446 §5.1: this looks like TLS, and this port speaks plain HTTP.",
            Self::HttpVersion => "§4.1: the request must be HTTP/1.1.",
            Self::MethodNotGet | Self::MethodIsHead => "§4.1: the method of the request must be GET.",
            Self::TargetInvalid => "§4.1: the request target must be a path, without a fragment.",
            Self::AuthorityInvalid => {
                "RFC 3986 §3.2: the authority in the target must be a host with an optional port."
            }
            Self::TargetNotEncoded => {
                "RFC 3986 §2.1: the target has a character that must be percent-encoded."
            }
            Self::HostMissing => "§4.2.1: the request must have a Host header.",
            Self::HostRepeated => "RFC 9112 §3.2: the request must not have more than one Host header.",
            Self::HostInvalid => "RFC 9112 §3.2: the Host header must be a host with an optional port.",
            Self::HostNotServed => "§4.2.1: the host of the request is none that is served here.",
            Self::BodyAnnounced => "RFC 9110 §9.3.1: a GET that opens a WebSocket has no body.",
            Self::NotAnUpgrade => {
                "§4.2.1: this is a WebSocket server; the request must have the header Upgrade: websocket."
            }
            Self::UpgradeMalformed => "RFC 9110 §7.8: the Upgrade header must list protocols.",
            Self::ConnectionMalformed => "RFC 9110 §7.6.1: the Connection header must list tokens.",
            Self::ConnectionWithoutUpgrade => "§4.2.1: the Connection header must list the token Upgrade.",
            Self::VersionMissing => "§4.2.1: the request must have a Sec-WebSocket-Version header.",
            Self::VersionRepeated => "§11.3.5: Sec-WebSocket-Version must not appear more than once.",
            Self::VersionNotSupported => "§4.2.2: the only Sec-WebSocket-Version spoken here is 13.",
            Self::KeyMissing => "§4.2.1: the request must have a Sec-WebSocket-Key header.",
            Self::KeyRepeated => "§11.3.1: Sec-WebSocket-Key must not appear more than once.",
            Self::KeyInvalid => "§4.2.1: Sec-WebSocket-Key must be 16 bytes in base64.",
            Self::SubprotocolsMalformed => "§4.1: Sec-WebSocket-Protocol must list different tokens.",
            Self::ExtensionsMalformed => "§9.1: Sec-WebSocket-Extensions is not a list of extensions.",
            Self::OriginRepeated => "RFC 6454 §7.3: the request must not have more than one Origin header.",
            Self::OriginInvalid => "RFC 6454 §7.1: the Origin header must be printable ASCII.",
            Self::OriginNotAllowed => "§10.2: pages of this origin may not connect.",
            Self::HeadTooBig => "RFC 6585 §5: the request head is over the size limit.",
            Self::TooManyHeaders => "RFC 6585 §5: the request has too many header lines.",
            Self::Timeout => "RFC 9110 §15.5.9: the request head was not complete in time.",
            Self::TooManyFromAddress => "RFC 6585 §4: too many connections from this address.",
            Self::TooFastFromAddress => "RFC 6585 §4: too many new connections from this address.",
            Self::TooManyConnections => "RFC 9110 §15.6.4: the server has as many connections as it allows.",
        })
    }
}

impl std::error::Error for HandshakeError {}
