//! The answer to a request for a WebSocket: at once, or after `on_upgrade` has returned.
//!
//! This file has the answers that an application gives. `server/upgrade.rs` carries them out.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{hub::ConnId, protocol::Limits};

/// The answer of `on_upgrade` to a request.
///
/// ```
/// use wirehook::Upgrade;
///
/// let accept: Upgrade = Upgrade::accept().subprotocol("chat.v2").header("X-Served-By", "a");
/// let with_state: Upgrade<String> = Upgrade::accept_with("ann".to_owned());
/// let refuse: Upgrade = Upgrade::reject(401, "who are you?").header("WWW-Authenticate", "Basic");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Upgrade<S = ()> {
    pub(crate) decision: Decision<S>,
    pub(crate) subprotocol: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    /// No message of this connection is compressed.
    pub(crate) is_uncompressed: bool,
    /// Limits of this connection, where its route has its own.
    pub(crate) limits: Option<Limits>,
}

#[derive(Clone, Debug)]
pub(crate) enum Decision<S> {
    Accept(Option<S>),
    /// The answer comes later.
    Pending(Arc<Slot<S>>),
    Reject {
        status: u16,
        body: String,
    },
}

impl<S> Upgrade<S> {
    const fn new(decision: Decision<S>) -> Self {
        Self { decision, subprotocol: None, headers: Vec::new(), limits: None, is_uncompressed: false }
    }

    /// Sets the limits of the connection, if there are any and it has none of its own yet.
    pub(crate) fn or_limits(mut self, limits: Option<Limits>) -> Self {
        self.limits = self.limits.or(limits);
        self
    }

    /// Opens the connection; its state is the type's default.
    pub const fn accept() -> Self {
        Self::new(Decision::Accept(None))
    }

    /// Opens the connection with this state.
    pub const fn accept_with(state: S) -> Self {
        Self::new(Decision::Accept(Some(state)))
    }

    /// Refuses the connection with an HTTP status of 300 to 599 and a line of plain text.
    pub fn reject(status: u16, body: &str) -> Self {
        Self::new(Decision::Reject { status, body: body.to_owned() })
    }

    /// Chooses the subprotocol, instead of the first of
    /// [`Config::subprotocols`](crate::Config::subprotocols) that is offered.
    ///
    /// It must be one of [`Request::subprotocols`](crate::protocol::Request::subprotocols): one that was not
    /// offered is not sent (§4.2.2).
    pub fn subprotocol(mut self, name: &str) -> Self {
        self.subprotocol = Some(name.to_owned());
        self
    }

    /// Holds the request until the application answers it, such as after a look-up on another thread:
    /// [`Handle::finish`](crate::Handle::finish) opens or refuses the connection.
    ///
    /// What the client sends meanwhile waits, in its socket and in one read. A request without an answer at
    /// [`handshake_timeout`](crate::Config::handshake_timeout) is answered with 503; the time runs from when
    /// the client has connected. A held connection counts in all limits. `subprotocol` and `header` belong to
    /// the answer.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use std::thread;
    /// # use wirehook::{Server, Upgrade};
    /// let server = Server::bind("127.0.0.1:0")?.state::<String>();
    /// let handle = server.handle();
    /// let server = server
    ///     .on_upgrade(move |request, _| {
    ///         let (upgrade, pending) = Upgrade::pending();
    ///         let (handle, name) = (handle.clone(), request.path()[1..].to_owned());
    ///         thread::spawn(move || {
    ///             // A look-up that takes its time.
    ///             let answer = match name.as_str() {
    ///                 "ann" => Upgrade::accept_with("Ann from the database".to_owned()),
    ///                 _ => Upgrade::reject(403, "unknown"),
    ///             };
    ///             handle.finish(pending, answer)
    ///         });
    ///         upgrade
    ///     })
    ///     .on_open(|ws, _| {
    ///         ws.send(format!("hello, {}", ws.state()));
    ///     });
    /// assert_eq!(talk(server, b"")?, b"\x81\x1chello, Ann from the database\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn pending() -> (Self, PendingUpgrade<S>) {
        let (pending, slot) = PendingUpgrade::new();
        (Self::new(Decision::Pending(slot)), pending)
    }

    /// Declines compression for this connection, whatever `Config::compression` says: because secrets are
    /// sent beside what a peer can choose, for example.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::{Server, Upgrade};
    /// let server = Server::bind("127.0.0.1:0")?
    ///     .on_upgrade(|_, _| Upgrade::accept().uncompressed())
    ///     .on_open(|ws, _| ws.close(1000, ""));
    /// assert_eq!(talk(server, b"")?, b"\x88\x02\x03\xe8");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub const fn uncompressed(mut self) -> Self {
        self.is_uncompressed = true;
        self
    }

    /// Adds a header to the response.
    ///
    /// A header that can't be sent (a line end in it, or one that the handshake itself writes) is logged as
    /// an error, and the client is answered with 500.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A request that is held until the application answers it: [`Upgrade::pending`] makes one, and
/// [`Handle::finish`](crate::Handle::finish) answers it, from any thread that the state may go to.
///
/// One that is dropped instead leaves its request without an answer: the server answers it with 503 at
/// [`handshake_timeout`](crate::Config::handshake_timeout). Example: [`Upgrade::pending`].
#[must_use = "the request waits for its answer until handshake_timeout"]
pub struct PendingUpgrade<S = ()> {
    slot: Arc<Slot<S>>,
}

impl<S> fmt::Debug for PendingUpgrade<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingUpgrade").finish_non_exhaustive()
    }
}

impl<S> PendingUpgrade<S> {
    pub(crate) fn new() -> (Self, Arc<Slot<S>>) {
        let slot = Arc::new(Slot(Mutex::new(Content { holder: None, answer: None })));
        (Self { slot: Arc::clone(&slot) }, slot)
    }

    /// Leaves the answer. Returns the connection that waits for it; `None` if the loop holds the request only
    /// later, and then finds the answer.
    pub(crate) fn answer(self, upgrade: Upgrade<S>) -> Option<ConnId> {
        let mut content = self.slot.lock();
        content.answer = Some(upgrade);
        content.holder
    }
}

/// Where the answer of one request is left.
pub(crate) struct Slot<S>(Mutex<Content<S>>);

struct Content<S> {
    /// The connection whose request is held.
    holder: Option<ConnId>,
    answer: Option<Upgrade<S>>,
}

impl<S> fmt::Debug for Slot<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

impl<S> Slot<S> {
    /// Notes which connection waits for the answer, or takes the answer if it is there already.
    pub(crate) fn hold(&self, id: ConnId) -> Option<Upgrade<S>> {
        let mut content = self.lock();
        content.holder = Some(id);
        content.answer.take()
    }

    /// Takes the answer, if it is there.
    pub(crate) fn take(&self) -> Option<Upgrade<S>> {
        self.lock().answer.take()
    }

    /// A thread that panics while it holds the lock leaves nothing half-done: each hold is an assignment.
    fn lock(&self) -> MutexGuard<'_, Content<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
