//! The limits that a peer's bytes are held to, each with its default and the reason for it.
//!
//! This file knows numbers. It refuses to know where they are checked: `receiver.rs` and `handshake/` do that,
//! each limit in one place. Limits of time and of the sockets stand in the server's own `Config`.

/// How much a peer may make us hold (§10.4: "implementations … MUST protect themselves").
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
    /// It holds for a single frame and for the sum of a message's fragments, and is judged on the header,
    /// before the payload. Neighbours: uWebSockets 16 KiB, python websockets 1 MiB, Swoole 2 MiB, tungstenite
    /// 64 MiB, ws for Node 100 MiB. The careful ones stay at or below 1 MiB.
    pub max_message_size: usize,
    /// The largest request head in bytes, its last empty line included; over it the answer is 431.
    /// Default: 16 KiB.
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
