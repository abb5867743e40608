//! RFC 6455 without I/O: bytes in, events and bytes out.
//!
//! This module knows no sockets, clocks or logs; a test checks that. Any source of bytes can drive it: an
//! event loop, a fuzzer, a file.
//!
//! ```text
//! request bytes ─▶ RequestReader ─▶ Request::check ─▶ Response: 101 or a refusal          §4
//!
//! frame bytes ──▶ Receiver ──▶ Event ──▶ Sender ──▶ frame bytes                           §5, §7, §8
//!                    │                      │
//!        FrameHeader, apply_mask,      Framing,
//!        TextBuffer, CloseFrame        CloseFrame
//! ```
//!
//! # A connection without a socket
//!
//! ```
//! use wirehook::protocol::{Connection, Event, HandshakeError, Limits, RequestReader, Response};
//!
//! let limits = Limits::default();
//! let mut out = Vec::new();
//!
//! // §4: the request of §1.3, and a frame that arrived in the same read.
//! let mut bytes = *b"GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//!     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n\
//!     \x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
//! let mut input = &mut bytes[..];
//! let mut reader = RequestReader::default();
//! let request = reader.next_request(&mut input, &limits)?.expect("the head is complete");
//! request.check(&[], &[])?;
//! Response::switching_protocols(&request, None).encode(&mut out);
//!
//! // §5: the rest of the input are frames, and each message is sent back.
//! let mut connection = Connection::new(&limits);
//! while let Ok(Some(event)) = connection.recv.next_event(&mut input) {
//!     if let Event::Message(message) = event {
//!         let _ = connection.send.message(message, &mut out);
//!     }
//! }
//! assert!(out.ends_with(b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x05Hello"));
//! # Ok::<(), HandshakeError>(())
//! ```
//!
//! [`Connection`] shows how pings, Closes and broken rules are answered.
//!
//! # Reading order
//!
//! 1. `frame.rs`: the fields of a header (§5.2). [`FrameHeader`], [`OpCode`].
//! 2. `mask.rs` and `utf8.rs`: the two transformations of a payload (§5.3, §8.1). [`apply_mask`],
//!    [`TextBuffer`].
//! 3. `receiver.rs`: the rules that span frames (§5.4, §5.5). `assembly.rs`: how a message is assembled.
//!    [`Receiver`], [`Event`], [`Message`], [`ProtocolError`].
//! 4. `framing.rs` and `prepared.rs`: how messages become frames, for one receiver and for many. [`Framing`],
//!    [`Prepared`].
//! 5. `sender.rs`, `close.rs` and `close_code.rs`: what is sent, and how a connection ends (§5.5.1, §7).
//!    [`Sender`], [`CloseFrame`], [`CloseCode`], [`ConnectionState`].
//! 6. `role.rs`: the few rules in which the two sides differ (§5.1). [`Server`], [`Client`], [`MaskKeys`].
//! 7. `handshake/`: the opening handshake (§4). [`RequestReader`], [`Request`], [`Response`],
//!    [`HandshakeError`]; and for a client (`handshake/client.rs`) [`Uri`], [`ClientRequest`],
//!    [`ClientHandshake`], [`Answer`].
//!
//! # In scope, out of scope
//!
//! RFC 6455 and RFC 7692 (permessage-deflate, feature `deflate`) for a server and, where a type says so,
//! for a [`Client`]. Out of scope so far: other extensions (offers are ignored, §9.1), and receiving a
//! message before it is complete.

mod assembly;
mod close;
mod close_code;
mod config;
mod connection;
mod copy;
mod error;
#[cfg(feature = "deflate")]
mod extension;
mod frame;
mod framing;
mod handshake;
mod mask;
mod message;
mod prepared;
mod receiver;
mod role;
mod sender;
mod utf8;

pub use close::{CloseFrame, MAX_CLOSE_REASON};
pub use close_code::CloseCode;
pub use config::Limits;
pub use connection::{Connection, ConnectionState};
pub(crate) use copy::append;
pub use error::{HandshakeError, ProtocolError};
#[cfg(feature = "deflate")]
pub use extension::{
    Compressor, DeflateConfig, DeflateOffer, DeflateParams, Deflater, Inflater, InvalidDeflate,
    MAX_WINDOW_BITS, NegotiatedDeflate,
};
pub use frame::{FrameHeader, MAX_CONTROL_PAYLOAD, OpCode};
pub use framing::Framing;
pub use handshake::{
    Accepted, Answer, ClientHandshake, ClientRequest, ExtensionOffer, GUID, InvalidHeader, Refusal, Request,
    RequestReader, Response, ResponseError, ResponseHead, Uri, UriError, accept_digest, accept_key,
    decode_key, encode_key,
};
pub use mask::{apply_mask, turn_key};
pub use message::{Event, Message, OwnedMessage};
pub use prepared::Prepared;
pub use receiver::Receiver;
pub use role::{Client, MaskKeys, Role, SendingRole, Server};
pub use sender::{SendError, Sender};
pub use utf8::{InvalidUtf8, TextBuffer, check_prefix};
