//! All connections of a server, for timers and for hooks that reach another connection than their own.
//!
//! This file has the calls that name a connection by its id; `hub/` carries them out.

use std::time::Duration;

use crate::{
    connect::{ConnectError, ConnectionRole, Target},
    hub::{BroadcastStatus, ConnId, Hub, SendStatus, TimerId},
    outgoing::Outgoing,
    protocol::{ClientRequest, CloseCode, SendError},
    stats::Stats,
};

/// All connections of a server; what a timer gets, and [`WebSocket::all`](crate::WebSocket::all). In the
/// examples [`talk`](crate#from-front-to-back) is the client.
///
/// ```
/// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
/// use std::time::Duration;
/// use wirehook::{SendStatus, Server};
///
/// let server = Server::bind("127.0.0.1:0")?.state::<u32>().every(Duration::from_millis(1), |all| {
///     let ids: Vec<_> = all.ids().collect();
///     for id in ids {
///         if all.state(id).is_some_and(|state| *state == 0) && all.buffered_amount(id) == 0 {
///             assert_eq!(all.send(id, "time is up"), SendStatus::Sent);
///             all.close(id, 1000, "");
///         }
///     }
/// });
/// assert_eq!(talk(server, b"")?, b"\x81\x0atime is up\x88\x02\x03\xe8");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Connections<'a, S = ()> {
    hub: &'a mut Hub<S>,
}

impl<'a, S> Connections<'a, S> {
    pub(crate) const fn new(hub: &'a mut Hub<S>) -> Self {
        Self { hub }
    }

    /// Returns the ids of the open connections. Collect them first to change or send to each.
    pub fn ids(&self) -> impl Iterator<Item = ConnId> {
        self.hub.open().map(|(id, _)| id)
    }

    /// Returns which side of a connection this program is: the server, unless it has opened the connection.
    /// Example: [`ConnectionRole`].
    pub fn role(&self, id: ConnId) -> ConnectionRole {
        self.hub.role(id)
    }

    /// Returns the state of a connection; `None` if the connection has gone.
    pub fn state(&self, id: ConnId) -> Option<&S> {
        self.hub.get(id).map(|outbound| &outbound.state)
    }

    /// Returns the state of a connection, to change it.
    pub fn state_mut(&mut self, id: ConnId) -> Option<&mut S> {
        self.hub.get_mut(id).map(|outbound| &mut outbound.state)
    }

    /// Returns how many bytes wait to be written to a connection; 0 for one that has gone.
    pub fn buffered_amount(&self, id: ConnId) -> usize {
        self.hub.get(id).map_or(0, |outbound| outbound.buffered())
    }

    /// Sends a message to a connection.
    ///
    /// It is dropped if more than [`max_backpressure`](crate::Config::max_backpressure) would wait there,
    /// unless the connection is the one whose hook runs.
    pub fn send<'m>(&mut self, id: ConnId, message: impl Into<Outgoing<'m>>) -> SendStatus {
        message.into().send(self.hub, id)
    }

    /// Sends a message in fragments (§5.4) of `fragment_len` bytes; otherwise as [`send`](Self::send). A
    /// receiver makes one message of them, so this is for tests of a receiver.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_open(|ws, _| {
    ///     let id = ws.id();
    ///     ws.all().send_fragments(id, "Hello", 3);
    /// });
    /// assert_eq!(talk(server, b"")?, b"\x01\x03Hel\x80\x02lo\x88\x00"); // §5.7
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn send_fragments<'m>(
        &mut self,
        id: ConnId,
        message: impl Into<Outgoing<'m>>,
        fragment_len: usize,
    ) -> SendStatus {
        let message = message.into();
        self.hub.send_fragments(id, message.as_message(), fragment_len, message.is_uncompressed())
    }

    /// Sends a ping to a connection. Example: [`WebSocket::ping`](crate::WebSocket::ping).
    ///
    /// # Errors
    ///
    /// The payload is too long, or the connection is closing or has gone.
    pub fn ping(&mut self, id: ConnId, payload: &[u8]) -> Result<(), SendError> {
        self.hub.ping(id, payload)
    }

    /// Sends a message to every open connection. It is encoded once. Example: [`BroadcastStatus`].
    pub fn broadcast<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> BroadcastStatus {
        self.hub.broadcast_to_all(message.into().prepare())
    }

    /// Sends a message to every open connection that `filter` picks by its id and state.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.state::<bool>().on_message(|ws, _| {
    ///     *ws.state_mut() = true; // subscribed from now on
    ///     let news = ws.all().broadcast_if("news", |_, is_subscribed| *is_subscribed);
    ///     assert_eq!(news.sent, 1);
    /// });
    /// assert_eq!(talk(server, b"\x81\x82\0\0\0\0hi")?, b"\x81\x04news\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn broadcast_if<'m>(
        &mut self,
        message: impl Into<Outgoing<'m>>,
        filter: impl FnMut(ConnId, &S) -> bool,
    ) -> BroadcastStatus {
        self.hub.broadcast(message.into().prepare(), filter)
    }

    /// Begins the closing handshake of a connection, as [`WebSocket::close`](crate::WebSocket::close) does.
    /// An id that has gone is ignored.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::{CloseCode, ConnId, Server};
    /// let mut previous: Option<ConnId> = None;
    /// // The newest client takes the place of the one before.
    /// let server = Server::bind("127.0.0.1:0")?.on_open(move |ws, _| {
    ///     if let Some(id) = previous.replace(ws.id()) {
    ///         ws.all().close(id, CloseCode::POLICY_VIOLATION, "another client has connected");
    ///     }
    ///     ws.send("you are the one");
    /// });
    /// assert_eq!(talk(server, b"")?, b"\x81\x0fyou are the one\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn close(&mut self, id: ConnId, code: impl Into<CloseCode>, reason: &str) {
        self.hub.close(id, code.into(), reason);
    }

    /// Drops a connection without a closing handshake. Example:
    /// [`WebSocket::terminate`](crate::WebSocket::terminate).
    pub fn terminate(&mut self, id: ConnId) {
        self.hub.terminate(id);
    }

    /// Stops reading from a connection; see [`WebSocket::pause`](crate::WebSocket::pause). An id that has
    /// gone is ignored. Example: [`WebSocket::pause`](crate::WebSocket::pause).
    pub fn pause(&mut self, id: ConnId) {
        // A request that is held is paused by the server itself.
        if self.hub.is_open(id) {
            self.hub.pause_reads(id);
        }
    }

    /// Reads from a connection again. Example: [`WebSocket::pause`](crate::WebSocket::pause).
    pub fn resume(&mut self, id: ConnId) {
        if self.hub.is_open(id) {
            self.hub.resume_reads(id);
        }
    }

    /// Runs a task once, `delay` from now, on the loop.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use std::time::Duration;
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_open(|ws, _| {
    ///     let id = ws.id();
    ///     ws.all().after(Duration::from_millis(5), move |all| {
    ///         all.send(id, "still here?");
    ///     });
    /// });
    /// assert_eq!(talk(server, b"")?, b"\x81\x0bstill here?\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn after(
        &mut self,
        delay: Duration,
        mut task: impl FnMut(&mut Connections<'_, S>) + 'static,
    ) -> TimerId {
        let now = self.hub.now;
        self.hub.timers.after(delay, Box::new(move |hub| task(&mut Connections::new(hub))), now)
    }

    /// Runs a task every `period`, on the loop, for the first time one period from now. Runs that the loop is
    /// too busy for are skipped, and a task that panics does not run again.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use std::time::Duration;
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_message(|ws, _| {
    ///     let (id, mut left) = (ws.id(), 3);
    ///     ws.all().every(Duration::from_millis(1), move |all| {
    ///         left -= 1;
    ///         if left == 0 {
    ///             all.close(id, 1000, "lift-off");
    ///             all.stop_timer();
    ///         }
    ///     });
    /// });
    /// assert_eq!(talk(server, b"\x81\x82\0\0\0\0go")?, b"\x88\x0a\x03\xe8lift-off");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn every(
        &mut self,
        period: Duration,
        mut task: impl FnMut(&mut Connections<'_, S>) + 'static,
    ) -> TimerId {
        let now = self.hub.now;
        self.hub.timers.every(period, Box::new(move |hub| task(&mut Connections::new(hub))), now)
    }

    /// Stops a timer; whether there was one.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use std::time::Duration;
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_open(|ws, _| {
    ///     let alarm = ws.all().after(Duration::from_secs(60), |_| println!("a minute has passed"));
    ///     let (first, second) = (ws.all().cancel(alarm), ws.all().cancel(alarm));
    ///     ws.send(format!("{first}, {second}"));
    /// });
    /// assert_eq!(talk(server, b"")?, b"\x81\x0btrue, false\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn cancel(&mut self, timer: TimerId) -> bool {
        self.hub.timers.cancel(timer)
    }

    /// Stops the timer whose task runs now; whether one does. Example: [`every`](Self::every).
    pub fn stop_timer(&mut self) -> bool {
        self.hub.running_timer.is_some_and(|timer| self.hub.timers.cancel(timer))
    }

    /// Returns the server's figures as of now. Example: [`Stats`].
    pub fn stats(&self) -> Stats {
        self.hub.current_stats()
    }
}

impl<S: Default> Connections<'_, S> {
    /// Opens a connection to a server: this program is its client (§4.1).
    ///
    /// It has the same hooks, limits and deadlines as the connections of clients. `on_open` comes when the
    /// server has accepted it, with the request that was sent; [`WebSocket::role`](crate::WebSocket::role)
    /// tells the two kinds apart. If it does not open,
    /// [`on_connect_error`](crate::Handler::on_connect_error) comes instead and says why. The id is that of
    /// the connection from now on, so its state can be set at once; nothing can be sent before `on_open`.
    ///
    /// A broadcast goes to clients only: to send to a server, name its connection.
    ///
    /// ```
    /// use wirehook::{Server, protocol::{ClientRequest, Uri}};
    ///
    /// // Two servers; the first one asks the second one, and both are here.
    /// let echo = Server::bind("127.0.0.1:0")?;
    /// let uri = Uri::parse(&format!("ws://{}/", echo.local_addr()?)).unwrap();
    /// let asking = std::thread::spawn(move || {
    ///     let client = Server::unbound()?.connect(&uri, ClientRequest::new(&uri));
    ///     client
    ///         .on_open(|ws, _| {
    ///             ws.send("Hello");
    ///         })
    ///         .on_message(|ws, message| {
    ///             assert_eq!(message.as_text(), Some("Hello"));
    ///             ws.close(1000, "");
    ///         })
    ///         .run()
    /// });
    /// let echo = echo.on_message(|ws, message| {
    ///     ws.send(message);
    /// });
    /// let handle = echo.handle();
    /// echo.on_close(move |_, _| handle.shutdown()).run()?;
    /// asking.join().unwrap()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The connection can't even begin, and no hook is called for it: the target needs TLS, the server is
    /// shutting down, or there is no room for one more connection.
    pub fn connect(
        &mut self,
        target: impl Into<Target>,
        request: ClientRequest,
    ) -> Result<ConnId, ConnectError> {
        self.hub.connect(target.into(), request)
    }
}
