//! What a test holds of a client: what it sends, and what it has received.

use std::{cell::RefCell, fmt, rc::Rc};

use super::{peer::Peer, received::Received, simulated::Simulated};
use crate::{CloseCode, Message, protocol::Refusal};

/// A client of a [`World`](super::World), with an open connection unless the server has refused it. It keeps
/// RFC 6455 by itself, as a browser does: it answers pings and Closes, and closes TCP after the server.
///
/// ```
/// use wirehook::testing::{Received, World, server};
///
/// let world = World::new(server().on_message(|ws, message| {
///     ws.send(message);
/// }));
/// let ann = world.connect("/");
/// ann.send("hi");
/// ann.send_binary([1, 2]);
/// ann.ping("?");
/// ann.close(1000, "bye");
/// let answers =
///     [Received::text("hi"), Received::Binary(vec![1, 2]), Received::pong("?"), Received::close(1000, "")];
/// assert_eq!(ann.received(), answers);
/// assert!(!ann.is_connected());
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    simulated: Rc<RefCell<Simulated>>,
    place: usize,
}

impl Client {
    pub(super) const fn new(simulated: Rc<RefCell<Simulated>>, place: usize) -> Self {
        Self { simulated, place }
    }

    // --- What it sends ---------------------------------------------------------------------------------

    /// Sends a text message. What comes of it has come before this returns. Example: [`Client`].
    ///
    /// # Panics
    ///
    /// The connection is not open, or the client has sent its Close.
    #[track_caller]
    pub fn send(&self, text: impl AsRef<str>) {
        self.act(|peer| peer.send(|sender, out| sender.message(Message::Text(text.as_ref()), out)));
    }

    /// Sends a binary message. Example: [`Client`].
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send).
    #[track_caller]
    pub fn send_binary(&self, bytes: impl AsRef<[u8]>) {
        self.act(|peer| peer.send(|sender, out| sender.message(Message::Binary(bytes.as_ref()), out)));
    }

    /// Sends a ping. Example: [`Client`].
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send); or the payload has more than 125 bytes (§5.5).
    #[track_caller]
    pub fn ping(&self, payload: impl AsRef<[u8]>) {
        self.act(|peer| peer.send(|sender, out| sender.ping(payload.as_ref(), out)));
    }

    /// Sends a Close; the server's answer ends the connection. Example: [`Client`].
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send); or a client may not send this code (§7.4.1).
    #[track_caller]
    pub fn close(&self, code: impl Into<CloseCode>, reason: &str) {
        let code = code.into();
        self.act(|peer| peer.send(|sender, out| sender.close(code, reason, out)));
    }

    /// Sends bytes as they are, as a client that breaks rules.
    ///
    /// ```
    /// use wirehook::testing::{Received, World, server};
    ///
    /// let ann = World::new(server()).connect("/");
    /// ann.send_raw(b"\x81\x02hi");
    /// assert_eq!(ann.received(), [Received::close(1002, "§5.1: a client must mask its frames")]);
    /// ```
    pub fn send_raw(&self, bytes: &[u8]) {
        self.act(|peer| peer.write(bytes));
    }

    /// Closes TCP from the client's side, without a Close.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use wirehook::{CloseCode, testing::{World, server}};
    ///
    /// let code = Rc::new(Cell::new(None));
    /// let seen = Rc::clone(&code);
    /// let world = World::new(server().on_close(move |_, close| seen.set(Some(close.code))));
    /// world.connect("/").end();
    /// assert_eq!(code.get(), Some(CloseCode::ABNORMAL));
    /// ```
    pub fn end(&self) {
        self.act(Peer::end);
    }

    /// Resets the TCP connection: the server's reads and writes fail from now on.
    ///
    /// ```
    /// use wirehook::testing::{World, server};
    ///
    /// let ann = World::new(server()).connect("/");
    /// ann.reset();
    /// assert!(!ann.is_connected());
    /// ```
    pub fn reset(&self) {
        self.act(Peer::reset);
    }

    // --- What it does not do ---------------------------------------------------------------------------

    /// Stops reading: what the server sends waits from now on. It still sends.
    ///
    /// ```
    /// use wirehook::testing::{World, server};
    ///
    /// let server = server().configure(|config| config.max_backpressure = 1000);
    /// let world = World::new(server.on_message(|ws, message| {
    ///     ws.broadcast(message);
    /// }));
    /// let (ann, slow) = (world.connect("/"), world.connect("/"));
    /// slow.stop_reading();
    /// for _ in 0..100 {
    ///     ann.send("a message of 20 bytes");
    /// }
    /// assert_eq!((ann.received().len(), slow.received().len()), (100, 0));
    /// slow.read_again();
    /// assert!(slow.received().len() < 100); // the others were dropped: Config::max_backpressure
    /// ```
    pub fn stop_reading(&self) {
        self.act(|peer| peer.set_reads(false));
    }

    /// Reads again, and first what waits. Example: [`stop_reading`](Self::stop_reading).
    pub fn read_again(&self) {
        self.act(|peer| peer.set_reads(true));
    }

    /// Stops to answer pings and Closes, and to close TCP, as if the machine had crashed. What the server
    /// sends is still received. Example: [`World::settle`](super::World::settle).
    pub fn stop_answering(&self) {
        self.act(Peer::stop_answering);
    }

    // --- What it has received --------------------------------------------------------------------------

    /// Returns what the client has received since the last call. Pings are left out; see
    /// [`pings`](Self::pings). Example: [`Client`].
    #[track_caller]
    pub fn received(&self) -> Vec<Received> {
        self.look(Peer::take_received)
    }

    /// Returns the payloads of the pings that the client has received since the last call. It has answered
    /// them.
    ///
    /// ```
    /// use wirehook::testing::{World, server};
    ///
    /// let mut world = World::new(server());
    /// let ann = world.connect("/");
    /// world.advance(std::time::Duration::from_secs(20)); // Config::ping_interval
    /// assert_eq!(ann.pings(), [b""]);
    /// ```
    #[track_caller]
    pub fn pings(&self) -> Vec<Vec<u8>> {
        self.look(Peer::take_pings)
    }

    /// Returns whether the connection is open: accepted, and without a Close or an end of TCP since. Example:
    /// [`Opening`](super::Opening).
    #[track_caller]
    pub fn is_open(&self) -> bool {
        self.look(|peer| peer.is_open())
    }

    /// Returns whether TCP is open in both directions: neither side has closed its own. Example: [`Client`].
    #[track_caller]
    pub fn is_connected(&self) -> bool {
        self.look(|peer| peer.is_connected())
    }

    /// Returns the server's answer, if it has refused the connection. Example: [`Opening`](super::Opening).
    #[track_caller]
    pub fn refusal(&self) -> Option<Refusal> {
        self.look(|peer| peer.refusal())
    }

    /// Returns the subprotocol that the server has chosen (§1.9).
    ///
    /// ```
    /// use wirehook::testing::{World, server};
    ///
    /// let server = server().configure(|config| config.subprotocols = vec!["v2".into(), "v1".into()]);
    /// let ann = World::new(server).client("/").subprotocol("v1").subprotocol("v3").connect();
    /// assert_eq!(ann.subprotocol().as_deref(), Some("v1"));
    /// ```
    #[track_caller]
    pub fn subprotocol(&self) -> Option<String> {
        self.look(|peer| peer.subprotocol())
    }

    #[track_caller]
    pub(super) fn has_opened(&self) -> bool {
        self.look(|peer| peer.has_opened())
    }

    /// Has the client do something, and delivers it.
    #[track_caller]
    fn act(&self, act: impl FnOnce(&mut Peer)) {
        let mut simulated = self.simulated.borrow_mut();
        act(simulated.peer(self.place));
        simulated.deliver(self.place);
    }

    /// Looks at the client once the server is at rest.
    #[track_caller]
    fn look<T>(&self, look: impl FnOnce(&mut Peer) -> T) -> T {
        let mut simulated = self.simulated.borrow_mut();
        simulated.settle();
        look(simulated.peer(self.place))
    }
}

/// A client that only sends and receives bytes: for requests that are no handshake, and for broken ones.
///
/// ```
/// use wirehook::{protocol::Response, testing::{World, server}};
///
/// let server = server().on_http(|_, _| Some(Response::page(200, "text/html; charset=utf-8", "<p>hello")));
/// let browser = World::new(server).connect_raw();
/// browser.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
/// let answer = String::from_utf8(browser.received()).unwrap();
/// assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n<p>hello"));
/// assert!(!browser.is_connected());
/// ```
#[derive(Clone)]
pub struct RawClient(Client);

impl fmt::Debug for RawClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawClient").finish_non_exhaustive()
    }
}

impl RawClient {
    pub(super) const fn new(simulated: Rc<RefCell<Simulated>>, place: usize) -> Self {
        Self(Client::new(simulated, place))
    }

    /// Sends bytes. Example: [`RawClient`].
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        self.0.send_raw(bytes.as_ref());
    }

    /// Returns the bytes that were received since the last call. Example: [`RawClient`].
    pub fn received(&self) -> Vec<u8> {
        self.0.look(Peer::take_bytes)
    }

    /// Closes TCP from the client's side. It never does so by itself.
    pub fn end(&self) {
        self.0.end();
    }

    /// Resets the TCP connection.
    pub fn reset(&self) {
        self.0.reset();
    }

    /// Returns whether TCP is open in both directions. Example: [`RawClient`].
    pub fn is_connected(&self) -> bool {
        self.0.is_connected()
    }
}
