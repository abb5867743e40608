//! What a hook holds of the server: its own connection, and the way to all others.
//!
//! This file has the calls that a user makes; `hub/` carries them out.

use log::error;

use crate::{
    connect::{ConnectError, ConnectionRole, Target},
    connections::Connections,
    hub::{BroadcastStatus, ConnId, Hub, SendStatus},
    outgoing::Outgoing,
    panics,
    protocol::{ClientRequest, CloseCode, SendError},
    transport::PeerAddr,
};

/// Calls a hook of connection `id`; `None` if it panicked, and then the connection has failed.
///
/// The hub is left whole: no call of a hook into it can stop half-way. What the handler holds stays as the
/// panic left it; [`Handler`](crate::Handler) says what that means.
#[inline]
pub(crate) fn call_hook<S, T>(
    id: ConnId,
    hub: &mut Hub<S>,
    hook: impl FnOnce(&mut WebSocket<'_, S>) -> T,
) -> Option<T> {
    let result = panics::catch(|| hook(&mut WebSocket::new(id, hub)));
    if result.is_none() {
        fail_panicked(id, hub);
    }
    result
}

#[cold]
fn fail_panicked<S>(id: ConnId, hub: &mut Hub<S>) {
    error!("connection {id}: a hook has panicked");
    hub.fail_panicked(id);
}

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
///     *ws.state_mut() += 1; // the connection's own state
///     ws.send(message); // back to the sender
///     let line = format!("message {} of client {}", ws.state(), ws.id());
///     ws.broadcast(&line); // to every connection
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

    /// Returns the connection's id: valid as long as the connection, and never given to another one.
    pub fn id(&self) -> ConnId {
        self.id
    }

    /// Returns the address that the peer connected from.
    pub fn peer_addr(&self) -> PeerAddr {
        match self.hub.get(self.id) {
            Some(outbound) => outbound.address,
            None => unreachable!("{STAYS}"),
        }
    }

    /// Returns the certificate that the client has sent and that was verified, in DER. There is none without
    /// TLS, and if the server asks for none.
    ///
    /// ```no_run
    /// # use wirehook::{Server, TlsConfig};
    /// let tls = TlsConfig::new().certificate_files("cert.pem", "key.pem").client_ca_file("ca.pem");
    /// let server = Server::bind("0.0.0.0:443")?.tls(&tls)?.on_open(|ws, _| {
    ///     println!("a certificate of {} bytes", ws.client_certificate().map_or(0, <[u8]>::len));
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(feature = "tls")]
    pub fn client_certificate(&self) -> Option<&[u8]> {
        self.hub.get(self.id)?.stream.peer_certificate()
    }

    /// Returns which side of the connection this program is. Example: [`ConnectionRole`].
    pub fn role(&self) -> ConnectionRole {
        self.hub.role(self.id)
    }

    /// Returns the subprotocol that the opening handshake agreed on (§1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.hub.get(self.id)?.subprotocol()
    }

    /// Returns the state of this connection: the one that `on_upgrade` gave, or the type's default.
    ///
    /// It is borrowed shared, so it can be read in the same expression that sends.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.state::<u32>().on_message(|ws, _| {
    ///     *ws.state_mut() += 1;
    ///     ws.send(format!("message {}", ws.state()));
    /// });
    /// assert_eq!(talk(server, b"\x81\x82\0\0\0\0hi")?, b"\x81\x09message 1\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn state(&self) -> &S {
        match self.hub.get(self.id) {
            Some(outbound) => &outbound.state,
            None => unreachable!("{STAYS}"),
        }
    }

    /// Returns the state of this connection, to change it. Example: [`state`](Self::state).
    pub fn state_mut(&mut self) -> &mut S {
        match self.hub.get_mut(self.id) {
            Some(outbound) => &mut outbound.state,
            None => unreachable!("{STAYS}"),
        }
    }

    /// Returns how many bytes wait to be written: the peer is slow, or other connections have sent them in
    /// this turn. What this connection's own hook has just sent doesn't count yet.
    pub fn buffered_amount(&self) -> usize {
        self.hub.get(self.id).map_or(0, |outbound| outbound.buffered())
    }

    /// Returns the view of all connections, this one included: their ids and states, timers, figures.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_open(|ws, _| {
    ///     assert!(ws.peer_addr().ip().is_some_and(|ip| ip.is_loopback()));
    ///     assert_eq!((ws.subprotocol(), ws.buffered_amount()), (None, 0));
    ///     let count = ws.all().ids().count();
    ///     ws.send(format!("{count} here"));
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
    /// Text becomes a text message, bytes become a binary one, and a received [`Message`](crate::Message)
    /// keeps its kind. What can be sent: [`Outgoing`].
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_message(|ws, message| {
    ///     ws.send(message);
    ///     ws.send(format!("{} bytes", message.len()));
    ///     ws.send(&[1, 2, 3]);
    /// });
    /// let heard = talk(server, b"\x81\x82\0\0\0\0hi")?;
    /// assert_eq!(heard, b"\x81\x02hi\x81\x072 bytes\x82\x03\x01\x02\x03\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn send<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> SendStatus {
        message.into().send(self.hub, self.id)
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
    ///
    /// The code is a [`CloseCode`] or its number. [`CloseCode::NO_STATUS_RECEIVED`] sends a Close without a
    /// body. A code that a server must not send (§7.4: such as 999, 1006, 1010 or 5000) is logged as an
    /// error, and the peer receives 1011 in its place.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_message(|ws, _| {
    ///     ws.send("not now");
    ///     ws.close(4001, "lunch"); // 4000 to 4999 are free for applications (§7.4.2)
    /// });
    /// let heard = talk(server, b"\x81\x82\0\0\0\0hi\x81\x82\0\0\0\0ho")?; // "ho" reaches no hook
    /// assert_eq!(heard, b"\x81\x07not now\x88\x07\x0f\xa1lunch");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn close(&mut self, code: impl Into<CloseCode>, reason: &str) {
        self.hub.close(self.id, code.into(), reason);
    }

    /// Drops the connection without a closing handshake; what was sent in the same batch may be lost.
    /// `on_close` follows with code 1006.
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

    /// Stops reading from this connection, until [`resume`](Self::resume): the peer is slowed down by TCP,
    /// and no message is lost. The messages that were read with the current one wait too.
    ///
    /// Sending goes on, and so do the deadlines of the closing handshake: a connection that closes is read
    /// again. Pings are still sent. A pong can't be received meanwhile, so none is missed; a peer that has
    /// vanished is noticed when a ping can't be sent, or after the connection is resumed.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use std::thread;
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.state::<()>();
    /// let handle = server.handle();
    /// let server = server.on_message(move |ws, message| {
    ///     let (id, handle, message) = (ws.id(), handle.clone(), message.as_bytes().to_vec());
    ///     ws.pause(); // one message at a time goes to the other thread
    ///     thread::spawn(move || {
    ///         handle.call(move |all| {
    ///             all.send(id, message);
    ///             all.resume(id);
    ///         })
    ///     });
    /// });
    /// let heard = talk(server, b"\x82\x82\0\0\0\0hi\x82\x82\0\0\0\0ho")?;
    /// assert_eq!(heard, b"\x82\x02hi\x82\x02ho\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn pause(&mut self) {
        self.hub.pause_reads(self.id);
    }

    /// Reads from this connection again. Example: [`pause`](Self::pause).
    pub fn resume(&mut self) {
        self.hub.resume_reads(self.id);
    }

    // --- To other connections --------------------------------------------------------------------------

    /// Sends a message to any connection; the name is Swoole's.
    ///
    /// A message to another connection is dropped if more than
    /// [`max_backpressure`](crate::Config::max_backpressure) would wait there.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_message(|ws, message| {
    ///     let ids: Vec<_> = ws.all().ids().collect();
    ///     for id in ids {
    ///         ws.push(id, message);
    ///     }
    /// });
    /// assert_eq!(talk(server, b"\x81\x82\0\0\0\0hi")?, b"\x81\x02hi\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn push<'m>(&mut self, id: ConnId, message: impl Into<Outgoing<'m>>) -> SendStatus {
        self.all().send(id, message)
    }

    /// Sends a message to every open connection, this one included. It is encoded once. Example:
    /// [`BroadcastStatus`].
    pub fn broadcast<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> BroadcastStatus {
        self.all().broadcast(message)
    }

    /// Sends a message to every open connection that `filter` picks. The filter receives the state of this
    /// connection, then the id and the state of a receiver.
    ///
    /// The loop asks and sends connection by connection: if `filter` panics, the connections before have the
    /// message.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// // The state of a connection is its room.
    /// let server = Server::bind("127.0.0.1:0")?.state::<String>().on_message(|ws, message| {
    ///     let own = ws.id();
    ///     let others = ws.broadcast_if(message, |room, id, other| id != own && room == other);
    ///     ws.send(format!("sent to {}", others.sent));
    /// });
    /// assert_eq!(talk(server, b"\x81\x82\0\0\0\0hi")?, b"\x81\x09sent to 0\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn broadcast_if<'m>(
        &mut self,
        message: impl Into<Outgoing<'m>>,
        filter: impl FnMut(&S, ConnId, &S) -> bool,
    ) -> BroadcastStatus {
        self.hub.broadcast_from(self.id, message.into().prepare(), filter)
    }
}

impl<S: Default> WebSocket<'_, S> {
    /// Opens a connection to a server. Example: [`Connections::connect`].
    ///
    /// # Errors
    ///
    /// Those of [`Connections::connect`].
    pub fn connect(
        &mut self,
        target: impl Into<Target>,
        request: ClientRequest,
    ) -> Result<ConnId, ConnectError> {
        self.all().connect(target, request)
    }
}
