//! RFC 6455 and nothing else: bytes in, events and bytes out.
//!
//! Nothing in this module knows of sockets, clocks or logs. A test holds it to that. Whoever has bytes can
//! drive it: an event loop, a fuzzer, a file.
//!
//! ```text
//! request bytes ─▶ RequestReader ─▶ Request::check ─▶ Response: 101 or a refusal          §4
//!
//! frame bytes ──▶ Receiver ──▶ Event ──▶ Sender ──▶ frame bytes                           §5, §7, §8
//!                    │                      │
//!        FrameHeader, apply_mask,      FrameHeader,
//!        TextBuffer, CloseFrame        CloseFrame
//! ```
//!
//! # In which order to read
//!
//! 1. `frame.rs`: what a header is made of (§5.2).
//! 2. `mask.rs` and `utf8.rs`: the two transformations of a payload (§5.3, §8.1).
//! 3. `receiver.rs`: the rules that span frames (§5.4, §5.5).
//! 4. `sender.rs` and `close.rs`: what goes back, and how it ends (§5.5.1, §7).
//! 5. `handshake.rs`: how it all begins (§4).
//!
//! # In scope, out of scope
//!
//! The server's side of RFC 6455. Out of scope so far: extensions such as permessage-deflate (offers are
//! ignored, §9.1), the client's side, and receiving a message before it is complete.

mod close;
mod config;
mod connection;
mod error;
mod frame;
mod handshake;
mod mask;
mod message;
mod receiver;
mod sender;
mod utf8;

pub use close::{CloseCode, CloseFrame, MAX_CLOSE_REASON};
pub use config::Limits;
pub use connection::{Connection, ConnectionState};
pub use error::{HandshakeError, ProtocolError};
pub use frame::{FrameHeader, MAX_CONTROL_PAYLOAD, OpCode};
pub use handshake::{
    GUID, InvalidHeader, Request, RequestReader, Response, accept_digest, accept_key, decode_key,
};
pub use mask::{apply_mask, turn_key};
pub use message::{Event, Message};
pub use receiver::Receiver;
pub use sender::{SendError, Sender};
pub use utf8::{InvalidUtf8, TextBuffer, check_prefix};
