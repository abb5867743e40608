//! Who or what ended a connection.
//!
//! This file knows the causes. It refuses to know how each of them comes about: `hub/closing.rs` does that.

use std::io::ErrorKind;

use crate::protocol::ProtocolError;

/// Who or what ended a connection; [`on_close`](crate::Handler::on_close) is told.
///
/// ```
/// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
/// use wirehook::{Cause, Server};
///
/// let server = Server::bind("127.0.0.1:0")?.on_close(|ws, close| match close.cause {
///     Cause::Peer | Cause::Local => {}
///     Cause::Protocol(error) => println!("{} has broken {}", ws.id(), error.section()),
///     cause => println!("{} is lost: {cause:?}", ws.id()),
/// });
/// // A frame without a mask, and the Close that answers it: 0x03ea is 1002.
/// let refused = talk(server, b"\x81\x05Hello")?;
/// assert_eq!(refused, b"\x88\x26\x03\xea\xc2\xa75.1: a client must mask its frames");
/// # Ok::<(), std::io::Error>(())
/// ```
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
