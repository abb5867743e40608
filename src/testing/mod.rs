//! Tests of a handler without sockets, threads or sleep, in a millisecond; with the feature `testing`.
//!
//! A [`World`] runs the loop of a server. It is the loop that [`Server::run`] runs: only its sockets are
//! replaced by scripts, and its clock by one that the test sets. Its [`Client`]s keep the protocol by
//! themselves: they do the handshake, mask what they send, and answer pings and Closes.
//!
//! ```
//! use std::time::Duration;
//! use wirehook::{
//!     CloseCode, HookSet, Server,
//!     testing::{Received, World},
//! };
//!
//! /// Sets up the server. The program gives it a server that listens, a test one that does not.
//! fn relay(server: Server) -> Server<impl HookSet> {
//!     server
//!         .configure(|config| config.ping_interval = Some(Duration::from_secs(20)))
//!         .on_message(|ws, message| match message.as_text() {
//!             Some("bye") => ws.close(1000, "see you"),
//!             _ => {
//!                 ws.broadcast(message);
//!             }
//!         })
//! }
//!
//! let mut world = World::new(relay(wirehook::testing::server()));
//! let ann = world.connect("/");
//! let bob = world.connect("/");
//!
//! ann.send("hello");
//! assert_eq!(ann.received(), ["hello"]);
//! assert_eq!(bob.received(), ["hello"]);
//!
//! bob.stop_answering(); // as if its machine had crashed
//! world.advance(Duration::from_secs(60)); // no time passes for the test
//! assert!(ann.is_connected() && !bob.is_connected());
//!
//! ann.send("bye");
//! assert_eq!(ann.received(), [Received::close(CloseCode::NORMAL, "see you")]);
//! ```
//!
//! In `Cargo.toml` of a program that uses it:
//!
//! ```toml
//! [dev-dependencies]
//! wirehook = { version = "0.1", features = ["testing"] }
//! ```
//!
//! What clients send arrives at once, and the server has reacted before the call returns. A hook must not use
//! a client or the world: that panics. The functions of this module panic where a test is wrong, and where a
//! client sees a server break RFC 6455.
//!
//! Not everything is the same as with sockets. A turn of the loop takes no time, so no hook is too slow. No
//! address is used, and neither is the pipe that [`Server::stopped_by`] gives; `Server::metrics_on` still
//! binds its own. A client that [stops reading](Client::stop_reading) takes nothing more at once, whereas the
//! kernel would take some hundred KiB for it.
//!
//! [`Server::run`]: crate::Server::run
//! [`Server::stopped_by`]: crate::Server::stopped_by

mod client;
mod opening;
mod peer;
mod received;
mod simulated;

use std::{cell::RefCell, net::IpAddr, rc::Rc, time::Duration};

pub use client::{Client, RawClient};
pub use opening::Opening;
pub use received::Received;

use crate::{HookSet, Server};
use peer::Peer;
use simulated::Simulated;

/// Returns a server that listens nowhere, for a [`World`]. It is set up as any other, and is
/// [`Server::unbound`].
///
/// ```
/// let server = wirehook::testing::server();
/// assert!(server.local_addr().is_err());
/// ```
///
/// # Panics
///
/// The operating system has no file descriptors left. A server has a poll, also without a socket.
pub fn server() -> Server {
    Server::unbound().unwrap_or_else(|error| panic!("no server can be made: {error}"))
}

/// A server, its clients, and their clock. Example: [the module](self).
///
/// The clock begins at zero, and moves only by [`advance`](Self::advance). When a world is dropped its server
/// is gone at once: `on_close` is called only for connections that have closed before.
#[derive(Debug)]
pub struct World {
    simulated: Rc<RefCell<Simulated>>,
}

impl World {
    /// Runs a server. Where it listens makes no difference; [`server`] is one that listens nowhere.
    pub fn new(server: Server<impl HookSet + 'static>) -> Self {
        Self { simulated: Rc::new(RefCell::new(Simulated::new(server.into_simulation()))) }
    }

    /// Connects a client that requests `target`, a path and maybe a query.
    ///
    /// ```
    /// use wirehook::{Server, testing::{World, server}};
    ///
    /// let world = World::new(server().on_open(|ws, request| {
    ///     ws.send(request.target());
    /// }));
    /// assert_eq!(world.connect("/chat?nick=ann").received(), ["/chat?nick=ann"]);
    /// ```
    ///
    /// # Panics
    ///
    /// The connection does not open: the server refuses it, or has no answer yet. [`Opening::start`] is for
    /// tests of that.
    #[track_caller]
    pub fn connect(&self, target: &str) -> Client {
        self.client(target).connect()
    }

    /// Returns a client that is to request `target`, before it connects: its headers can be added. Example:
    /// [`Opening`].
    ///
    /// # Panics
    ///
    /// The target is not a path with a query at most.
    #[track_caller]
    pub fn client(&self, target: &str) -> Opening {
        Opening::new(Rc::clone(&self.simulated), target)
    }

    /// Connects a client that only sends and receives bytes. Example: [`RawClient`].
    pub fn connect_raw(&self) -> RawClient {
        RawClient::new(Rc::clone(&self.simulated), self.add(Peer::raw(), peer::ADDRESS))
    }

    /// Moves the clock. Deadlines and timers come one after the other, each at its own time.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc, time::Duration};
    /// use wirehook::testing::{World, server};
    ///
    /// let ticks = Rc::new(Cell::new(0));
    /// let count = Rc::clone(&ticks);
    /// let mut world = World::new(
    ///     server().every(Duration::from_secs(60), move |_| count.set(count.get() + 1)),
    /// );
    /// world.advance(Duration::from_secs(24 * 60 * 60));
    /// assert_eq!((ticks.get(), world.now()), (24 * 60, Duration::from_secs(24 * 60 * 60)));
    /// ```
    pub fn advance(&mut self, time: Duration) {
        self.simulated.borrow_mut().advance(time);
    }

    /// Returns how far the clock has moved.
    pub fn now(&self) -> Duration {
        self.simulated.borrow().now()
    }

    /// Runs what other threads have asked for by a [`Handle`](crate::Handle). Every call that sends or looks
    /// at what was received does this too.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc, time::Duration};
    /// use wirehook::testing::{World, server};
    ///
    /// let server = server().state::<()>();
    /// let handle = server.handle();
    /// let mut world = World::new(server);
    /// let ann = world.connect("/");
    /// ann.stop_answering(); // it holds its socket open
    /// handle.shutdown_within(Duration::from_secs(5));
    /// world.settle();
    /// assert!(!world.is_over());
    /// world.advance(Duration::from_secs(5)); // takes no time
    /// assert!(world.is_over());
    /// ```
    pub fn settle(&mut self) {
        self.simulated.borrow_mut().settle();
    }

    /// Returns whether the server has shut down: [`Server::run`](crate::Server::run) would have returned.
    /// Example: [`settle`](Self::settle).
    pub fn is_over(&self) -> bool {
        self.simulated.borrow().is_over()
    }

    fn add(&self, peer: Peer, address: IpAddr) -> usize {
        self.simulated.borrow_mut().add(peer, address)
    }
}
