//! Who or what ended a connection.
//!
//! This file knows the causes. It refuses to know how each of them comes about: `peers/closing.rs` does that.

use std::io::ErrorKind;

use crate::protocol::ProtocolError;

/// Who or what ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The peer sent its Close first.
    Peer,
    /// A hook or the server's shutdown closed the connection.
    Local,
    /// The peer broke a rule; the error names it and its section.
    Protocol(ProtocolError),
    /// The peer gave no sign of life within `pong_timeout` after a ping.
    Timeout,
    /// The peer took too slowly what others sent it, and [`Backpressure::Close`](crate::Backpressure) is set.
    Backpressure,
    /// The server held more than [`max_buffered_bytes`](crate::Config::max_buffered_bytes), and this connection
    /// was among those that held most of it.
    Overload,
    /// One of its hooks has panicked.
    Panic,
    /// The TCP connection ended without a Close: the peer left, or the network did.
    Transport(ErrorKind),
}
