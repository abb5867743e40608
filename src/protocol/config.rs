//! The limits on a peer's bytes, each with its default and the reason for it.
//!
//! This file knows numbers. `receiver.rs` and `handshake/` check them, each limit in one place. The server's
//! `Config` contains the limits of time and of sockets.

/// How many bytes of a peer may be held (§10.4: "implementations … MUST protect themselves").
///
/// ```
/// let mut limits = wirehook::protocol::Limits::default();
/// limits.max_message_size = 64 * 1024;
/// assert_eq!(limits.max_header_size, 16 * 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest message in bytes, inclusive; over it the connection fails with 1009. Default: 1 MiB.
    ///
    /// It applies to a single frame and to the sum of a message's fragments. The header is checked, before
    /// the payload arrives. Neighbours: uWebSockets 16 KiB, python websockets 1 MiB, Swoole 2 MiB,
    /// tungstenite 64 MiB, ws for Node 100 MiB. The careful ones stay at or below 1 MiB.
    pub max_message_size: usize,
    /// The largest request head in bytes, with its last empty line; over it the answer is 431. Default: 16
    /// KiB.
    ///
    /// RFC 9112 §3 recommends room for a request line of 8,000 octets; twice that leaves as much for cookies.
    /// Neighbours: uWebSockets 4 KiB, sockudo-ws 8 KiB, Node 16 KiB, tungstenite and Swoole 64 KiB.
    pub max_header_size: usize,
    /// The largest number of header lines; over it the answer is 431. Default: 100.
    ///
    /// Neighbours: uWebSockets 100, tungstenite 124, python websockets 128.
    pub max_headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_message_size: 1024 * 1024, max_header_size: 16 * 1024, max_headers: 100 }
    }
}
