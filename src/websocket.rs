//! What a hook holds of the server: its own connection, and the way to all others.
//!
//! This file knows the calls that a user makes. It refuses to know how they are carried out: `peers/` does that.

use std::net::SocketAddr;

use crate::{
    connections::Connections,
    peers::{BroadcastStatus, ConnId, Peers, SendStatus},
    protocol::{CloseCode, Message, SendError},
};

/// Why a hook always finds its own connection: the loop removes connections between turns, never inside one.
const STAYS: &str = "a connection stays in the table until its last hook has returned";

/// A hook's connection, and through it every other one.
///
/// Nothing here blocks, and nothing waits for another hook: what is sent is written at the end of the hook's
/// batch, or waits for a slow peer. Nothing calls a hook from inside a hook either; `on_close` and `on_drain`
/// come when the one that runs has returned.
///
/// ```no_run
/// use wirehook::{Message, Server};
///
/// Server::bind("127.0.0.1:9501")?
///     .on_message(|ws, message| {
///         ws.send(message); // back to the one who sent it
///         ws.broadcast("somebody said something"); // to everybody
///     })
///     .run()
/// # ; Ok::<(), std::io::Error>(())
/// ```
pub struct WebSocket<'a, S = ()> {
    id: ConnId,
    peers: &'a mut Peers<S>,
}

impl<'a, S> WebSocket<'a, S> {
    #[inline]
    pub(crate) const fn new(id: ConnId, peers: &'a mut Peers<S>) -> Self {
        Self { id, peers }
    }

    /// The connection's id: valid as long as the connection, and never given to another one.
    pub fn id(&self) -> ConnId {
        self.id
    }

    /// Where the peer connected from.
    pub fn peer_addr(&self) -> SocketAddr {
        match self.peers.get(self.id) {
            Some(peer) => peer.address,
            None => unreachable!("{STAYS}"),
        }
    }

    /// The subprotocol that the opening handshake agreed on (§1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.peers.get(self.id)?.subprotocol.as_deref()
    }

    /// What is kept for this connection: what `on_upgrade` gave, or the type's default.
    pub fn state(&mut self) -> &mut S {
        match self.peers.get_mut(self.id) {
            Some(peer) => &mut peer.state,
            None => unreachable!("{STAYS}"),
        }
    }

    /// Bytes that wait to be written, because the peer is slow or because they were sent in this turn by others.
    /// What this connection's own hook has just sent doesn't count yet.
    pub fn buffered_amount(&self) -> usize {
        self.peers.get(self.id).map_or(0, |peer| peer.buffered())
    }

    /// All connections, this one included: their ids and states, timers, figures.
    pub fn all(&mut self) -> Connections<'_, S> {
        Connections::new(self.peers)
    }

    // --- To this connection ----------------------------------------------------------------------------

    /// Sends a message to this connection (§6.1). It is never dropped: a peer that doesn't take what its own
    /// messages cause is no longer read from until it does.
    ///
    /// `&str` and `&String` become text, `&[u8]` and `&Vec<u8>` binary, and a received [`Message`] stays what
    /// it is.
    #[inline]
    pub fn send<'m>(&mut self, message: impl Into<Message<'m>>) -> SendStatus {
        self.peers.send(self.id, message.into())
    }

    /// Sends a ping (§5.5.2) with up to 125 bytes, which the pong will repeat.
    ///
    /// The server pings silent connections by itself, see [`Config::ping_interval`](crate::Config).
    ///
    /// # Errors
    ///
    /// The payload is too long, or the connection is closing.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.peers.ping(self.id, payload)
    }

    /// Begins the closing handshake (§7.1.2) with a reason of at most 123 bytes; what is longer is cut.
    ///
    /// No message of this connection reaches a hook after this, and nothing can be sent to it. `on_close`
    /// comes when the peer has answered, or not answered within `close_timeout`.
    /// [`CloseCode::NO_STATUS_RECEIVED`] sends a Close without a body. A code that must not be sent (§7.4) is
    /// logged as an error and becomes 1011.
    pub fn close(&mut self, code: CloseCode, reason: &str) {
        self.peers.close(self.id, code, reason);
    }

    /// Drops the connection without a closing handshake; what was sent in the same batch may be lost. `on_close`
    /// follows with code 1006.
    pub fn terminate(&mut self) {
        self.peers.terminate(self.id);
    }

    // --- To others, in short for `all()` ---------------------------------------------------------------

    /// Sends a message to any connection.
    ///
    /// To another than this one it is dropped if more than
    /// [`max_backpressure`](crate::Config::max_backpressure) would wait there.
    pub fn send_to<'m>(&mut self, id: ConnId, message: impl Into<Message<'m>>) -> SendStatus {
        self.all().send(id, message)
    }

    /// [`send_to`](Self::send_to) under the name that Swoole gives it.
    pub fn push<'m>(&mut self, id: ConnId, message: impl Into<Message<'m>>) -> SendStatus {
        self.send_to(id, message)
    }

    /// Sends a message to every open connection, this one included. It is encoded once.
    pub fn broadcast<'m>(&mut self, message: impl Into<Message<'m>>) -> BroadcastStatus {
        self.all().broadcast(message)
    }

    /// Sends a message to every open connection that `filter` picks by its id and state.
    pub fn broadcast_if<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
        filter: impl FnMut(ConnId, &S) -> bool,
    ) -> BroadcastStatus {
        self.all().broadcast_if(message, filter)
    }

    /// [`close`](Self::close) for any connection; nothing happens if it has gone.
    pub fn close_to(&mut self, id: ConnId, code: CloseCode, reason: &str) {
        self.all().close(id, code, reason);
    }

    /// [`terminate`](Self::terminate) for any connection; nothing happens if it has gone.
    pub fn terminate_to(&mut self, id: ConnId) {
        self.all().terminate(id);
    }
}
