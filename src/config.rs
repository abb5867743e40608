//! The configuration of a server: each value with its default and the reason for it.
//!
//! [`Limits`] bounds a peer's bytes; this file bounds its time and what is kept for it.

use std::time::Duration;

use crate::protocol::Limits;
#[cfg(feature = "deflate")]
use crate::protocol::{DeflateConfig, Deflater};

/// How a server behaves: what [`Server::configure`](crate::Server::configure) changes.
///
/// ```
/// use std::time::Duration;
/// use wirehook::{Config, Server};
///
/// let server = Server::bind("127.0.0.1:0")?.configure(|config| {
///     config.limits.max_message_size = 64 * 1024;
///     config.ping_interval = Some(Duration::from_secs(30));
///     config.origins = vec!["https://example.com".to_owned()];
/// });
///
/// // A configuration made elsewhere, for several servers.
/// let mut made = Config::default();
/// made.max_connections = Some(10_000);
/// let server = Server::bind("127.0.0.1:0")?.configure(|config| *config = made.clone());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The limits on a peer's bytes: message size, head size, header count.
    pub limits: Limits,
    /// How long a client may take, from the moment it connects, to send its whole request head; then 408.
    /// Default: 10 s.
    ///
    /// It is an absolute time: bytes that drip in don't extend it. Neighbours: uWebSockets and python
    /// websockets 10 s, Node 60 s, tungstenite and Swoole none.
    pub handshake_timeout: Duration,
    /// After how much silence an open connection is sent a ping (§5.5.2); `None` turns that off, and with it
    /// all notice of peers that vanish without a word. Default: 20 s.
    ///
    /// Shorter than the 30 to 60 s after which proxies and home routers forget a silent connection.
    /// Neighbours: python websockets 20 s, sockudo-ws 30 s, uWebSockets 120 s, Swoole, ws and tungstenite
    /// none.
    pub ping_interval: Option<Duration>,
    /// How long after that ping a peer may stay silent before it is given up. Default: 20 s.
    ///
    /// Any byte counts as a sign of life, and so does a backlog that becomes shorter. What the kernel holds
    /// for the peer can't be seen: one that reads that more slowly than both times together is given up.
    /// Neighbours: python websockets 20 s, sockudo-ws 10 s.
    pub pong_timeout: Duration,
    /// How long a peer may take to answer our Close, and then to take the last bytes and close TCP (§7.1.1).
    /// Default: 5 s.
    ///
    /// Neighbours: sockudo-ws 5 s, python websockets 10 s, uWebSockets 4 to 16 s, ws for Node 30 s.
    pub close_timeout: Duration,
    /// How long all that may take while the peer still takes what waits for it. Default: 30 s.
    ///
    /// Messages sent before a Close leave before it, so a slow peer may need longer than `close_timeout`.
    /// Each time it reads some bytes, `close_timeout` begins anew. This limit counts from the beginning of a
    /// close with bytes waiting, and is never less than `close_timeout`. A message may be cut at this limit,
    /// and at the end of a shutdown, which waits for no peer. Neighbours: nginx 30 s (`lingering_time`).
    pub max_close_time: Duration,
    /// How many bytes may wait for one peer, in bytes. Default: 1 MiB.
    ///
    /// A message that another connection's hook sends is refused when it would wait after others and take
    /// their sum over this; `backpressure` says what follows. Answers of a connection's own hooks are never
    /// refused; instead its peer is no longer read from while more than half of this waits. Neighbours:
    /// uWebSockets 64 KiB, Swoole 8 MiB, ws and tungstenite no limit.
    pub max_backpressure: usize,
    /// What happens to a peer that is too slow for what others send it. Default: the message is dropped.
    pub backpressure: Backpressure,
    /// How many connections may be open at once; one more is answered with 503. Default: `None`, no limit but
    /// the operating system's.
    ///
    /// Up to 256 sockets more may be refused ones, or wait for their end. For one more, the oldest of the
    /// address that has most of them is closed early.
    ///
    /// ws-rs had 100, which nearly every one of its users ran into.
    pub max_connections: Option<usize>,
    /// How many bytes may be held for all peers together: incomplete messages, and what waits for slow peers.
    /// Default: 256 MiB.
    ///
    /// Over it the connections that hold most are closed with 1013 until an eighth of it is free again; the
    /// others go on. `max_backpressure` and `limits` bound one connection, this bounds what many can do
    /// together.
    pub max_buffered_bytes: usize,
    /// How many connections one address may have at once; one more is answered with 429. Each counts until
    /// its socket is gone. A /64 counts as one IPv6 address. Default: `None`, no limit, because behind a
    /// proxy all clients have one address.
    pub max_connections_per_address: Option<usize>,
    /// How many handshakes per second one address may begin, with one second's worth at once; more are
    /// answered with 429. Default: `None`, no limit.
    pub max_handshakes_per_address: Option<u32>,
    /// How messages are compressed (permessage-deflate, RFC 7692) with clients that offer it; `None`
    /// declines. Default: `None`.
    #[cfg(feature = "deflate")]
    pub compression: Option<Compression>,
    /// Over what time the Closes of a shutdown are spread, so that thousands of clients don't come back at
    /// one moment. Default: 0, all at once.
    pub shutdown_spread: Duration,
    /// Whether small frames leave at once (TCP_NODELAY) instead of waiting for more. Default: yes.
    ///
    /// A batch of answers leaves in one write anyway, so waiting would only add delay.
    pub nodelay: bool,
    /// The hosts that are served (§4.2.1), such as `example.com` or `example.com:8080`; empty serves all.
    /// Requests for other hosts are answered with 421, pages of `on_http` too. Default: empty.
    ///
    /// Each is compared with the Host of a request, in either letter case; one without a port is served at
    /// every port. A list keeps out pages that reach the server by a name of their own (DNS rebinding). Names
    /// outside ASCII are written as clients send them, such as `xn--mnchen-3ya.example`.
    pub hosts: Vec<String>,
    /// The origins whose pages may connect (§10.2), such as `https://example.com`; empty allows all. Pages of
    /// other origins are answered with 403. Default: empty.
    ///
    /// Requests without an Origin come from no page, and pass: a program could name any origin it likes. Each
    /// is compared as a browser writes it, in either letter case: scheme and host without a path, and a port
    /// only if it is not the scheme's default.
    pub origins: Vec<String>,
    /// The subprotocols (§1.9) that are spoken, the preferred one first. The first that a client offers is
    /// chosen. Default: none.
    pub subprotocols: Vec<String>,
}

/// How messages are compressed: [`Config::compression`]. The default takes what most clients offer.
///
/// Compressing a secret and an attacker's text together tells the attacker about the secret by the length of
/// what is sent (CRIME, BREACH), also under TLS. Send such a message with
/// [`Outgoing::uncompressed`](crate::Outgoing::uncompressed).
///
/// ```
/// use wirehook::{Compression, Server};
///
/// let server = Server::bind("127.0.0.1:0")?.configure(|config| {
///     let mut compression = Compression::default();
///     compression.level = 1; // rather fast than small
///     config.compression = Some(compression);
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[cfg(feature = "deflate")]
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Compression {
    /// How much time is spent to make messages small: from 1 (fast) to 9 (small). Default: 5.
    ///
    /// Level 6, the default of zlib, takes half as long again for messages of 16 KiB and makes them 1 %
    /// smaller.
    pub level: u8,
    /// How many bytes a message has at least to be compressed. Default: 64.
    pub threshold: usize,
    /// The windows and contexts that the server agrees to. Default: all.
    ///
    /// With context takeover messages that resemble earlier ones become smaller. Of what a client sends,
    /// up to 32 KiB are held for it then; see `max_window_bytes`. What the server sends holds a compressor
    /// only while it is in use; see `max_compressor_bytes`.
    pub negotiation: DeflateConfig,
    /// How many bytes the compressors of connections with context takeover may hold together. Default: 32
    /// MiB.
    ///
    /// Each takes 200 to 325 KB. Over it the one that was not used for longest is given back, and so is
    /// each one that was not used for 10 s; a connection gets one at its fourth message in that time. Its
    /// connection goes on without the earlier messages.
    pub max_compressor_bytes: usize,
    /// How many bytes of earlier messages of clients may be held together, before new clients are told not to
    /// take their context over. Default: 64 MiB.
    ///
    /// Clients that were told nothing may take up to 32 KiB each; all of them count in `max_buffered_bytes`.
    pub max_window_bytes: usize,
}

#[cfg(feature = "deflate")]
impl Default for Compression {
    fn default() -> Self {
        Self {
            level: 5,
            threshold: Deflater::THRESHOLD,
            negotiation: DeflateConfig::default(),
            max_compressor_bytes: Deflater::MAX_MEMORY,
            max_window_bytes: 64 * 1024 * 1024,
        }
    }
}

/// What becomes of a message for a peer that has [`max_backpressure`](Config::max_backpressure) bytes
/// waiting.
///
/// ```
/// use wirehook::{Backpressure, Config};
///
/// let mut config = Config::default();
/// assert_eq!(config.backpressure, Backpressure::Drop);
/// config.backpressure = Backpressure::Close; // rather lose a slow client than let it miss a message
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backpressure {
    /// The message is dropped, and `send` says so; the peer stays.
    #[default]
    Drop,
    /// The message is dropped and the connection is closed with 1008.
    Close,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            handshake_timeout: Duration::from_secs(10),
            ping_interval: Some(Duration::from_secs(20)),
            pong_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(5),
            max_close_time: Duration::from_secs(30),
            max_backpressure: 1024 * 1024,
            backpressure: Backpressure::Drop,
            max_connections: None,
            max_buffered_bytes: 256 * 1024 * 1024,
            max_connections_per_address: None,
            max_handshakes_per_address: None,
            #[cfg(feature = "deflate")]
            compression: None,
            shutdown_spread: Duration::ZERO,
            nodelay: true,
            hosts: Vec::new(),
            origins: Vec::new(),
            subprotocols: Vec::new(),
        }
    }
}
