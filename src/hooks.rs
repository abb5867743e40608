//! The hooks as closures, and what a server has before its hooks are set.

use crate::{
    connect::ConnectError,
    handler::{Closed, Handler},
    protocol::{Message, Request, Response},
    transport::PeerAddr,
    upgrade::Upgrade,
    websocket::WebSocket,
};

/// What a [`Server`](crate::Server) may be set up with: no hooks yet, or a [`Handler`]. It is implemented for
/// both, and for nothing else.
///
/// It decides at compile time what can still be chosen. A server with [`NoHooks`] takes a state, a handler or
/// a route; after the first hook or timer its state is decided, and nothing that was set can be lost:
///
/// ```compile_fail,E0599
/// # use wirehook::Server;
/// Server::bind("127.0.0.1:0")?.on_message(|ws, _| ws.terminate()).state::<u32>();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A function that takes any server:
///
/// ```
/// use wirehook::{HookSet, NoHooks, Server};
///
/// fn limited<H: HookSet>(server: Server<H>) -> Server<H> {
///     server.configure(|config| config.max_connections = Some(100))
/// }
/// let server: Server<NoHooks> = limited(Server::bind("127.0.0.1:0")?);
/// let server = limited(server.on_message(|ws, _| ws.terminate()));
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait HookSet: sealed::Sealed {
    /// The state of each connection.
    type State: Default + 'static;
    /// The handler that the server runs.
    type Handler: Handler<State = Self::State>;

    /// Returns the handler that the server runs.
    fn into_handler(self) -> Self::Handler;
}

impl<H: Handler> HookSet for H {
    type State = H::State;
    type Handler = H;

    fn into_handler(self) -> Self {
        self
    }
}

/// No hooks yet: what [`Server::bind`](crate::Server::bind) begins with. Example: [`HookSet`].
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHooks;

impl HookSet for NoHooks {
    type State = ();
    type Handler = Hooks<()>;

    fn into_handler(self) -> Hooks<()> {
        Hooks::default()
    }
}

mod sealed {
    /// Keeps [`HookSet`](super::HookSet) to the types of this file. Example: [`HookSet`](super::HookSet).
    pub trait Sealed {}

    impl<H: super::Handler> Sealed for H {}
    impl Sealed for super::NoHooks {}
}

type UpgradeHook<S> = Box<dyn FnMut(&Request<'_>, PeerAddr) -> Upgrade<S>>;
type HttpHook = Box<dyn FnMut(&Request<'_>, PeerAddr) -> Option<Response>>;
type OpenHook<S> = Box<dyn FnMut(&mut WebSocket<'_, S>, &Request<'_>)>;
type ConnectErrorHook<S> = Box<dyn FnMut(&mut WebSocket<'_, S>, &ConnectError)>;
type MessageHook<S> = Box<dyn FnMut(&mut WebSocket<'_, S>, Message<'_>)>;
type PayloadHook<S> = Box<dyn FnMut(&mut WebSocket<'_, S>, &[u8])>;
type DrainHook<S> = Box<dyn FnMut(&mut WebSocket<'_, S>)>;
type CloseHook<S> = Box<dyn FnMut(&mut WebSocket<'_, S>, &Closed<'_>)>;

/// The hooks as closures. [`Server`](crate::Server) collects them with methods of the same names; one that is
/// set again replaces the one before.
///
/// The type is written where a server is kept, and the hooks themselves where they are made apart from a
/// server:
///
/// ```
/// use wirehook::{Hooks, Server};
///
/// let echo: Hooks = Hooks::new().on_message(|ws, message| {
///     ws.send(message);
/// });
/// let server: Server<Hooks> = Server::bind("127.0.0.1:0")?.handler(echo);
///
/// fn counting() -> std::io::Result<Server<Hooks<u64>>> {
///     Ok(Server::bind("127.0.0.1:0")?.state::<u64>().on_message(|ws, _| *ws.state_mut() += 1))
/// }
/// assert!(counting()?.local_addr()?.port() > 0);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Hooks<S = ()> {
    on_upgrade: Option<UpgradeHook<S>>,
    on_http: Option<HttpHook>,
    on_open: Option<OpenHook<S>>,
    on_connect_error: Option<ConnectErrorHook<S>>,
    on_message: Option<MessageHook<S>>,
    on_ping: Option<PayloadHook<S>>,
    on_pong: Option<PayloadHook<S>>,
    on_drain: Option<DrainHook<S>>,
    on_close: Option<CloseHook<S>>,
}

impl<S> Default for Hooks<S> {
    fn default() -> Self {
        Self {
            on_upgrade: None,
            on_http: None,
            on_open: None,
            on_connect_error: None,
            on_message: None,
            on_ping: None,
            on_pong: None,
            on_drain: None,
            on_close: None,
        }
    }
}

impl<S> Hooks<S> {
    /// Returns hooks that do what the defaults of [`Handler`] do. Example: [`Hooks`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`Handler::on_upgrade`]. Example: [`Server::on_upgrade`](crate::Server::on_upgrade).
    #[must_use]
    pub fn on_upgrade(mut self, hook: impl FnMut(&Request<'_>, PeerAddr) -> Upgrade<S> + 'static) -> Self {
        self.on_upgrade = Some(Box::new(hook));
        self
    }

    /// Sets [`Handler::on_http`]. Example: [`Server::on_http`](crate::Server::on_http).
    #[must_use]
    pub fn on_http(mut self, hook: impl FnMut(&Request<'_>, PeerAddr) -> Option<Response> + 'static) -> Self {
        self.on_http = Some(Box::new(hook));
        self
    }

    /// Sets [`Handler::on_open`]. Example: [`Server::on_open`](crate::Server::on_open).
    #[must_use]
    pub fn on_open(mut self, hook: impl FnMut(&mut WebSocket<'_, S>, &Request<'_>) + 'static) -> Self {
        self.on_open = Some(Box::new(hook));
        self
    }

    /// Sets [`Handler::on_connect_error`]. Example:
    /// [`Server::on_connect_error`](crate::Server::on_connect_error).
    #[must_use]
    pub fn on_connect_error(
        mut self,
        hook: impl FnMut(&mut WebSocket<'_, S>, &ConnectError) + 'static,
    ) -> Self {
        self.on_connect_error = Some(Box::new(hook));
        self
    }

    /// Sets [`Handler::on_message`]. Example: [`Server::on_message`](crate::Server::on_message).
    #[must_use]
    pub fn on_message(mut self, hook: impl FnMut(&mut WebSocket<'_, S>, Message<'_>) + 'static) -> Self {
        self.on_message = Some(Box::new(hook));
        self
    }

    /// Sets [`Handler::on_ping`]. Example: [`Server::on_ping`](crate::Server::on_ping).
    #[must_use]
    pub fn on_ping(mut self, hook: impl FnMut(&mut WebSocket<'_, S>, &[u8]) + 'static) -> Self {
        self.on_ping = Some(Box::new(hook));
        self
    }

    /// Sets [`Handler::on_pong`]. Example: [`Server::on_pong`](crate::Server::on_pong).
    #[must_use]
    pub fn on_pong(mut self, hook: impl FnMut(&mut WebSocket<'_, S>, &[u8]) + 'static) -> Self {
        self.on_pong = Some(Box::new(hook));
        self
    }

    /// Sets [`Handler::on_drain`]. Example: [`Server::on_drain`](crate::Server::on_drain).
    #[must_use]
    pub fn on_drain(mut self, hook: impl FnMut(&mut WebSocket<'_, S>) + 'static) -> Self {
        self.on_drain = Some(Box::new(hook));
        self
    }

    /// Sets [`Handler::on_close`]. Example: [`Server::on_close`](crate::Server::on_close).
    #[must_use]
    pub fn on_close(mut self, hook: impl FnMut(&mut WebSocket<'_, S>, &Closed<'_>) + 'static) -> Self {
        self.on_close = Some(Box::new(hook));
        self
    }
}

impl<S: Default + 'static> Handler for Hooks<S> {
    type State = S;

    fn on_upgrade(&mut self, request: &Request<'_>, peer: PeerAddr) -> Upgrade<S> {
        self.on_upgrade.as_mut().map_or_else(Upgrade::accept, |hook| hook(request, peer))
    }

    fn on_http(&mut self, request: &Request<'_>, peer: PeerAddr) -> Option<Response> {
        self.on_http.as_mut().and_then(|hook| hook(request, peer))
    }

    fn on_open(&mut self, ws: &mut WebSocket<'_, S>, request: &Request<'_>) {
        if let Some(hook) = &mut self.on_open {
            hook(ws, request);
        }
    }

    fn on_connect_error(&mut self, ws: &mut WebSocket<'_, S>, error: &ConnectError) {
        if let Some(hook) = &mut self.on_connect_error {
            hook(ws, error);
        }
    }

    fn on_message(&mut self, ws: &mut WebSocket<'_, S>, message: Message<'_>) {
        if let Some(hook) = &mut self.on_message {
            hook(ws, message);
        }
    }

    fn on_ping(&mut self, ws: &mut WebSocket<'_, S>, payload: &[u8]) {
        if let Some(hook) = &mut self.on_ping {
            hook(ws, payload);
        }
    }

    fn on_pong(&mut self, ws: &mut WebSocket<'_, S>, payload: &[u8]) {
        if let Some(hook) = &mut self.on_pong {
            hook(ws, payload);
        }
    }

    fn on_drain(&mut self, ws: &mut WebSocket<'_, S>) {
        if let Some(hook) = &mut self.on_drain {
            hook(ws);
        }
    }

    fn on_close(&mut self, ws: &mut WebSocket<'_, S>, close: &Closed<'_>) {
        if let Some(hook) = &mut self.on_close {
            hook(ws, close);
        }
    }
}
