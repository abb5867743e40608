//! What a hook holds of the server: its own connection, and the way to all others.
//!
//! This file knows the calls that a user makes. It refuses to know how they are carried out: `peers/` does that.

use std::net::SocketAddr;

use crate::{
    connections::Connections,
    hub::{BroadcastStatus, ConnId, Hub, SendStatus},
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
/// In the examples [`talk`](crate#from-front-to-back) is the client.
///
/// ```
/// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
/// use wirehook::Server;
///
/// let server = Server::bind("127.0.0.1:0")?.state::<u32>().on_message(|ws, message| {
///     *ws.state() += 1; // what is kept for this connection
///     let count = *ws.state();
///     ws.send(message); // back to the one who sent it
///     let line = format!("message {count} of client {}", ws.id());
///     ws.broadcast(&line); // to everybody
/// });
/// assert_eq!(talk(server, b"\x81\x82\0\0\0\0hi")?, b"\x81\x02hi\x81\x15message 1 of client 1\x88\x00");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct WebSocket<'a, S = ()> {
    id: ConnId,
    hub: &'a mut Hub<S>,
}

impl<'a, S> WebSocket<'a, S> {
    #[inline]
    pub(crate) const fn new(id: ConnId, hub: &'a mut Hub<S>) -> Self {
        Self { id, hub }
    }

    /// The connection's id: valid as long as the connection, and never given to another one.
    pub fn id(&self) -> ConnId {
        self.id
    }

    /// Where the peer connected from.
    pub fn peer_addr(&self) -> SocketAddr {
        match self.hub.get(self.id) {
            Some(outbound) => outbound.address,
            None => unreachable!("{STAYS}"),
        }
    }

    /// The subprotocol that the opening handshake agreed on (§1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.hub.get(self.id)?.subprotocol.as_deref()
    }

    /// What is kept for this connection: what `on_upgrade` gave, or the type's default.
    pub fn state(&mut self) -> &mut S {
        match self.hub.get_mut(self.id) {
            Some(outbound) => &mut outbound.state,
            None => unreachable!("{STAYS}"),
        }
    }

    /// Bytes that wait to be written, because the peer is slow or because they were sent in this turn by others.
    /// What this connection's own hook has just sent doesn't count yet.
    pub fn buffered_amount(&self) -> usize {
        self.hub.get(self.id).map_or(0, |outbound| outbound.buffered())
    }

    /// All connections, this one included: their ids and states, timers, figures.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_open(|ws, _| {
    ///     assert!(ws.peer_addr().ip().is_loopback());
    ///     assert_eq!((ws.subprotocol(), ws.buffered_amount()), (None, 0));
    ///     let count = ws.all().ids().count();
    ///     ws.send(&format!("{count} here"));
    /// });
    /// assert_eq!(talk(server, b"")?, b"\x81\x061 here\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn all(&mut self) -> Connections<'_, S> {
        Connections::new(self.hub)
    }

    // --- To this connection ----------------------------------------------------------------------------

    /// Sends a message to this connection (§6.1). It is never dropped: a peer that doesn't take what its own
    /// messages cause is no longer read from until it does.
    ///
    /// `&str` and `&String` become text, `&[u8]` and `&Vec<u8>` binary, and a received [`Message`] stays what
    /// it is.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_message(|ws, message| {
    ///     ws.send(message);
    ///     ws.send(&[1, 2, 3]);
    /// });
    /// assert_eq!(talk(server, b"\x81\x82\0\0\0\0hi")?, b"\x81\x02hi\x82\x03\x01\x02\x03\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn send<'m>(&mut self, message: impl Into<Message<'m>>) -> SendStatus {
        self.hub.send(self.id, message.into())
    }

    /// Sends a ping (§5.5.2) with up to 125 bytes, which the pong will repeat.
    ///
    /// The server pings silent connections by itself, see [`Config::ping_interval`](crate::Config).
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_open(|ws, _| {
    ///     assert!(ws.ping(&[0; 126]).is_err());
    ///     assert!(ws.ping(b"?").is_ok());
    /// });
    /// assert_eq!(talk(server, b"")?, b"\x89\x01?\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The payload is too long, or the connection is closing.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.hub.ping(self.id, payload)
    }

    /// Begins the closing handshake (§7.1.2) with a reason of at most 123 bytes; what is longer is cut.
    ///
    /// No message of this connection reaches a hook after this, and nothing can be sent to it. `on_close`
    /// comes when the peer has answered, or not answered within `close_timeout`.
    /// [`CloseCode::NO_STATUS_RECEIVED`] sends a Close without a body. A code that a server must not send (§7.4,
    /// 1010 among them) is logged as an error and becomes 1011.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::{CloseCode, Server};
    /// let server = Server::bind("127.0.0.1:0")?.on_message(|ws, _| {
    ///     ws.send("not now");
    ///     ws.close(CloseCode(4001), "lunch"); // 4000 to 4999 are free for applications (§7.4.2)
    /// });
    /// let heard = talk(server, b"\x81\x82\0\0\0\0hi\x81\x82\0\0\0\0ho")?; // "ho" reaches no hook
    /// assert_eq!(heard, b"\x81\x07not now\x88\x07\x0f\xa1lunch");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn close(&mut self, code: CloseCode, reason: &str) {
        self.hub.close(self.id, code, reason);
    }

    /// Drops the connection without a closing handshake; what was sent in the same batch may be lost. `on_close`
    /// follows with code 1006.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_message(|ws, _| ws.terminate());
    /// assert_eq!(talk(server, b"\x81\x82\0\0\0\0hi")?, b"");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn terminate(&mut self) {
        self.hub.terminate(self.id);
    }

    // --- To others, in short for `all()` ---------------------------------------------------------------

    /// Sends a message to any connection.
    ///
    /// To another than this one it is dropped if more than
    /// [`max_backpressure`](crate::Config::max_backpressure) would wait there. Example: [`push`](Self::push).
    pub fn send_to<'m>(&mut self, id: ConnId, message: impl Into<Message<'m>>) -> SendStatus {
        self.all().send(id, message)
    }

    /// [`send_to`](Self::send_to) under the name that Swoole gives it.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_message(|ws, message| {
    ///     let everybody: Vec<_> = ws.all().ids().collect();
    ///     for id in everybody {
    ///         ws.push(id, message);
    ///     }
    /// });
    /// assert_eq!(talk(server, b"\x81\x82\0\0\0\0hi")?, b"\x81\x02hi\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn push<'m>(&mut self, id: ConnId, message: impl Into<Message<'m>>) -> SendStatus {
        self.send_to(id, message)
    }

    /// Sends a message to every open connection, this one included. It is encoded once. Example:
    /// [`BroadcastStatus`].
    pub fn broadcast<'m>(&mut self, message: impl Into<Message<'m>>) -> BroadcastStatus {
        self.all().broadcast(message)
    }

    /// Sends a message to every open connection that `filter` picks by its id and state.
    ///
    /// It goes from one connection to the next: if `filter` panics, those before have the message.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.state::<String>().on_message(|ws, message| {
    ///     let own = ws.id();
    ///     let others = ws.broadcast_if(message, |id, room| id != own && room == "kitchen");
    ///     ws.send(&format!("{} have heard it", others.sent));
    /// });
    /// assert_eq!(talk(server, b"\x81\x82\0\0\0\0hi")?, b"\x81\x0f0 have heard it\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn broadcast_if<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
        filter: impl FnMut(ConnId, &S) -> bool,
    ) -> BroadcastStatus {
        self.all().broadcast_if(message, filter)
    }

    /// [`close`](Self::close) for any connection; nothing happens if it has gone.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::{CloseCode, ConnId, Server};
    /// let mut previous: Option<ConnId> = None;
    /// // There is one client at a time: who comes last stays.
    /// let server = Server::bind("127.0.0.1:0")?.on_open(move |ws, _| {
    ///     if let Some(id) = previous.replace(ws.id()) {
    ///         ws.close_to(id, CloseCode::POLICY_VIOLATION, "somebody else has come");
    ///     }
    ///     ws.send("you are the one");
    /// });
    /// assert_eq!(talk(server, b"")?, b"\x81\x0fyou are the one\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn close_to(&mut self, id: ConnId, code: CloseCode, reason: &str) {
        self.all().close(id, code, reason);
    }

    /// [`terminate`](Self::terminate) for any connection; nothing happens if it has gone. Example:
    /// [`close_to`](Self::close_to).
    pub fn terminate_to(&mut self, id: ConnId) {
        self.all().terminate(id);
    }
}
