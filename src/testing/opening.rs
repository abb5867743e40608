//! A client before it connects.

use std::{cell::RefCell, net::IpAddr, rc::Rc};

use super::{Client, peer, peer::Peer, simulated::Simulated};
use crate::protocol::{ClientRequest, Uri};

/// A client that is about to connect: what its request says, and where it comes from.
///
/// ```
/// use wirehook::{
///     Upgrade,
///     testing::{World, server},
/// };
///
/// let world = World::new(server().on_upgrade(|request, _| match request.header("Authorization") {
///     Some("Bearer letmein") => Upgrade::accept(),
///     _ => Upgrade::reject(401, "a token is needed"),
/// }));
/// let ann = world.client("/").header("Authorization", "Bearer letmein").connect();
/// assert!(ann.is_open());
///
/// let eve = world.client("/").start();
/// assert_eq!(eve.refusal().map(|it| it.status), Some(401));
/// ```
#[derive(Debug)]
pub struct Opening {
    simulated: Rc<RefCell<Simulated>>,
    request: ClientRequest,
    address: IpAddr,
}

impl Opening {
    #[track_caller]
    pub(super) fn new(simulated: Rc<RefCell<Simulated>>, target: &str) -> Self {
        let uri = match Uri::parse(&format!("ws://localhost{target}")) {
            Ok(uri) if target.starts_with('/') => uri,
            _ => panic!("{target:?} is not a target, such as /chat?nick=ann"),
        };
        Self { simulated, request: ClientRequest::new(&uri), address: peer::ADDRESS }
    }

    /// Adds a header. Example: [`Opening`].
    ///
    /// # Panics
    ///
    /// The header is not valid, or is one that the handshake sends anyway.
    #[must_use]
    #[track_caller]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Err(error) = self.request.header(name, value) {
            panic!("{name}: {value} can't be sent: {error:?}");
        }
        self
    }

    /// Says that a page of this origin asks, as a browser does (§10.2).
    ///
    /// ```
    /// use wirehook::testing::{World, server};
    ///
    /// let server = server().configure(|config| config.origins = vec!["https://a.example".into()]);
    /// let world = World::new(server);
    /// assert!(world.client("/").origin("https://a.example").start().is_open());
    /// assert!(!world.client("/").origin("https://evil.example").start().is_open());
    /// ```
    ///
    /// # Panics
    ///
    /// The origin is not a valid value of a header.
    #[must_use]
    #[track_caller]
    pub fn origin(mut self, origin: &str) -> Self {
        if let Err(error) = self.request.origin(origin) {
            panic!("the origin {origin} can't be sent: {error:?}");
        }
        self
    }

    /// Offers a subprotocol, after those that were offered before (§1.9). Example:
    /// [`Client::subprotocol`].
    ///
    /// # Panics
    ///
    /// The name is not a token, or was offered already.
    #[must_use]
    #[track_caller]
    pub fn subprotocol(mut self, name: &str) -> Self {
        if let Err(error) = self.request.subprotocol(name) {
            panic!("the subprotocol {name} can't be offered: {error:?}");
        }
        self
    }

    /// Gives the client an address of its own, for limits per address. All others come from 192.0.2.1.
    ///
    /// ```
    /// use wirehook::testing::{World, server};
    ///
    /// let world = World::new(server().configure(|config| config.max_connections_per_address = Some(1)));
    /// let ann = world.connect("/");
    /// assert!(!world.client("/").start().is_open());
    /// assert!(world.client("/").from("198.51.100.7".parse().unwrap()).start().is_open());
    /// ```
    #[must_use]
    pub const fn from(mut self, address: IpAddr) -> Self {
        self.address = address;
        self
    }

    /// Connects the client and opens its connection. Example: [`Opening`].
    ///
    /// # Panics
    ///
    /// The connection does not open: the server refuses it, or has no answer yet.
    #[track_caller]
    pub fn connect(self) -> Client {
        let client = self.start();
        if let Some(refusal) = client.refusal() {
            let body = String::from_utf8_lossy(&refusal.body);
            panic!(
                "the server refuses the connection: {} {}: {}",
                refusal.status,
                refusal.reason,
                body.trim()
            );
        }
        assert!(client.has_opened(), "the server has not answered the request");
        client
    }

    /// Connects the client and sends its request, whatever the answer is. Example: [`Opening`].
    pub fn start(self) -> Client {
        let place = self.simulated.borrow_mut().add(Peer::opening(self.request), self.address);
        Client::new(self.simulated, place)
    }
}
