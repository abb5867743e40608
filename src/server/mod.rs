//! The server: where it listens, how it is set up, and the loop that runs it.
//!
//! This file knows what is decided before the loop turns. It refuses to know what happens in a turn:
//! `event_loop.rs` has the order of things, `conversation.rs` what one connection's input leads to.

mod conversation;
mod door;
mod drain;
mod event_loop;
mod figures;
mod guard;
mod handle;
#[cfg(test)]
mod tests;

use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, ToSocketAddrs},
    time::Duration,
};

use mio::{Interest, Poll, Waker, net::TcpListener};

pub use handle::{Handle, HandleError};

use crate::{
    config::Config,
    connections::Connections,
    handler::{Closed, Handler, Hooks, Upgrade},
    observer::{Observer, Watch},
    peers::{Millis, Peers, Task, Timers},
    protocol::{Message, Request, Response},
    websocket::WebSocket,
};
use event_loop::{EventLoop, LISTENER, WAKER, WATCHERS};

/// A WebSocket server on one address, on one thread.
///
/// ```no_run
/// use wirehook::Server;
///
/// Server::bind("127.0.0.1:9501")?
///     .on_open(|ws, _request| {
///         ws.send("welcome to the websocket server!");
///     })
///     .on_message(|ws, message| {
///         if let Some(text) = message.as_text() {
///             ws.send(&format!("hello, {text} !"));
///         }
///     })
///     .on_close(|ws, close| println!("connection {} closed: {close}", ws.id()))
///     .run()
/// # ; Ok::<(), std::io::Error>(())
/// ```
pub struct Server<H: Handler = Hooks<()>> {
    poll: Poll,
    listener: TcpListener,
    watchers: Option<TcpListener>,
    timers: Timers<Task<H::State>>,
    handle: Handle,
    config: Config,
    watch: Watch,
    handler: H,
}

impl Server {
    /// Listens on the first of the addresses that can be had; port 0 takes any free one.
    ///
    /// Clients can connect from now on, and are served once [`run`](Server::run) is called.
    ///
    /// # Errors
    ///
    /// No address, or none that is free.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        let mut listener = bind_first(address)?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let handle = Handle::new(Waker::new(poll.registry(), WAKER)?);
        Ok(Self {
            poll,
            listener,
            watchers: None,
            timers: Timers::default(),
            handle,
            config: Config::default(),
            watch: Watch::default(),
            handler: Hooks::default(),
        })
    }

    /// Keeps a value of type `S` for each connection, in every hook at [`WebSocket::state`].
    ///
    /// It starts as the type's default, or as what `on_upgrade` gives. Call this before the hooks are set:
    /// they are those of a server without state, and are dropped.
    ///
    /// ```no_run
    /// wirehook::Server::bind("127.0.0.1:9501")?
    ///     .state::<u64>()
    ///     .on_message(|ws, _| {
    ///         *ws.state() += 1;
    ///         let answer = format!("message {}", ws.state());
    ///         ws.send(&answer);
    ///     })
    ///     .run()
    /// # ; Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn state<S: Default>(self) -> Server<Hooks<S>> {
        self.handler(Hooks::default())
    }
}

impl<S: Default> Server<Hooks<S>> {
    /// Sets the hook that accepts or refuses a request; see [`Handler::on_upgrade`].
    #[must_use]
    pub fn on_upgrade(mut self, hook: impl FnMut(&Request<'_>, SocketAddr) -> Upgrade<S> + 'static) -> Self {
        self.handler.on_upgrade = Some(Box::new(hook));
        self
    }

    /// Sets the hook for HTTP requests that ask for no WebSocket; see [`Handler::on_http`].
    #[must_use]
    pub fn on_http(
        mut self,
        hook: impl FnMut(&Request<'_>, SocketAddr) -> Option<Response> + 'static,
    ) -> Self {
        self.handler.on_http = Some(Box::new(hook));
        self
    }

    /// Sets the hook for new connections; see [`Handler::on_open`].
    #[must_use]
    pub fn on_open(mut self, hook: impl FnMut(&mut WebSocket<'_, S>, &Request<'_>) + 'static) -> Self {
        self.handler.on_open = Some(Box::new(hook));
        self
    }

    /// Sets the hook for messages; see [`Handler::on_message`].
    #[must_use]
    pub fn on_message(mut self, hook: impl FnMut(&mut WebSocket<'_, S>, Message<'_>) + 'static) -> Self {
        self.handler.on_message = Some(Box::new(hook));
        self
    }

    /// Sets the hook for pings; see [`Handler::on_ping`].
    #[must_use]
    pub fn on_ping(mut self, hook: impl FnMut(&mut WebSocket<'_, S>, &[u8]) + 'static) -> Self {
        self.handler.on_ping = Some(Box::new(hook));
        self
    }

    /// Sets the hook for pongs; see [`Handler::on_pong`].
    #[must_use]
    pub fn on_pong(mut self, hook: impl FnMut(&mut WebSocket<'_, S>, &[u8]) + 'static) -> Self {
        self.handler.on_pong = Some(Box::new(hook));
        self
    }

    /// Sets the hook for slow peers that have caught up; see [`Handler::on_drain`].
    #[must_use]
    pub fn on_drain(mut self, hook: impl FnMut(&mut WebSocket<'_, S>) + 'static) -> Self {
        self.handler.on_drain = Some(Box::new(hook));
        self
    }

    /// Sets the hook for connections that have ended; see [`Handler::on_close`].
    #[must_use]
    pub fn on_close(mut self, hook: impl FnMut(&mut WebSocket<'_, S>, &Closed<'_>) + 'static) -> Self {
        self.handler.on_close = Some(Box::new(hook));
        self
    }
}

impl<H: Handler> Server<H> {
    /// Gives all hooks at once, as a type that implements [`Handler`]. Hooks and timers that were set before are
    /// dropped: they are those of another state.
    #[must_use]
    pub fn handler<T: Handler>(self, handler: T) -> Server<T> {
        let Self { poll, listener, watchers, timers: _, handle, config, watch, handler: _ } = self;
        Server { poll, listener, watchers, timers: Timers::default(), handle, config, watch, handler }
    }

    /// Runs a task once, `delay` after [`run`](Self::run) was called, on the loop.
    ///
    /// From a hook: [`Connections::after`], by way of [`WebSocket::all`].
    #[must_use]
    pub fn after(
        mut self,
        delay: Duration,
        mut task: impl FnMut(&mut Connections<'_, H::State>) + 'static,
    ) -> Self {
        let task = Box::new(move |peers: &mut Peers<H::State>| task(&mut Connections::new(peers)));
        self.timers.after(delay, task, Millis::default());
        self
    }

    /// Runs a task every `period` from when [`run`](Self::run) is called, on the loop; see
    /// [`Connections::every`].
    #[must_use]
    pub fn every(
        mut self,
        period: Duration,
        mut task: impl FnMut(&mut Connections<'_, H::State>) + 'static,
    ) -> Self {
        let task = Box::new(move |peers: &mut Peers<H::State>| task(&mut Connections::new(peers)));
        self.timers.every(period, task, Millis::default());
        self
    }

    /// Shows the server's figures on another address, from the same loop: `/metrics` in the text format of
    /// Prometheus, `/healthz`, and `/readyz`, which says 503 while the server drains.
    ///
    /// Whoever can reach the address can read the figures; there is no password. They hold no data of clients.
    ///
    /// # Errors
    ///
    /// No address, or none that is free.
    pub fn watched_on(mut self, address: impl ToSocketAddrs) -> io::Result<Self> {
        let mut listener = bind_first(address)?;
        self.poll.registry().register(&mut listener, WATCHERS, Interest::READABLE)?;
        self.watchers = Some(listener);
        Ok(self)
    }

    /// Where the figures are shown, with the real port if 0 was asked for.
    pub fn watchers_addr(&self) -> Option<SocketAddr> {
        self.watchers.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Has an observer watch the bytes of all clients go by; a later one takes the place of an earlier.
    #[must_use]
    pub fn observe(mut self, observer: impl Observer + 'static) -> Self {
        self.watch = Watch::by(observer);
        self
    }

    /// Changes limits, times and lists.
    ///
    /// ```no_run
    /// # use wirehook::Server;
    /// Server::bind("127.0.0.1:9501")?
    ///     .configure(|config| config.limits.max_message_size = 64 * 1024)
    ///     .on_message(|ws, message| {
    ///         ws.send(message);
    ///     })
    ///     .run()
    /// # ; Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Where the server listens, with the real port if 0 was asked for.
    ///
    /// # Errors
    ///
    /// The operating system doesn't say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// A handle that reaches the server while it runs, from any thread.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until [`Handle::shutdown`] is called, on this thread.
    ///
    /// # Errors
    ///
    /// The operating system refuses to poll. Nothing that a client does ends the server.
    pub fn run(self) -> io::Result<()> {
        let Self { poll, listener, watchers, timers, handle, config, watch, handler } = self;
        EventLoop::new(poll, listener, watchers, handle, config, handler, timers)?.watched_by(watch).run()
    }

    /// [`run`](Self::run) under the name that Swoole gives it.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn start(self) -> io::Result<()> {
        self.run()
    }
}

/// Listens on the first address that can be had.
fn bind_first(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let mut last_error = io::Error::new(ErrorKind::InvalidInput, "no address to listen on");
    for address in address.to_socket_addrs()? {
        match TcpListener::bind(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}
