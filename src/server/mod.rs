//! The server: where it listens, how it is set up, and the loop that runs it.
//!
//! This file knows what is decided before the loop turns. It refuses to know what happens in a turn:
//! `event_loop.rs` has the order of things, `conversation.rs` what one connection's input leads to.

mod conversation;
mod event_loop;
mod guard;
mod handle;

use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, ToSocketAddrs},
};

use mio::{Interest, Poll, Waker, net::TcpListener};

pub use handle::Handle;

use crate::{
    config::Config,
    handler::{Closed, Handler, Hooks, Upgrade},
    protocol::{Message, Request},
    websocket::WebSocket,
};
use event_loop::{EventLoop, LISTENER, WAKER};

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
pub struct Server<H = Hooks<()>> {
    poll: Poll,
    listener: TcpListener,
    handle: Handle,
    config: Config,
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
        Ok(Self { poll, listener, handle, config: Config::default(), handler: Hooks::default() })
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

impl<H> Server<H> {
    /// Gives all hooks at once, as a type that implements [`Handler`].
    #[must_use]
    pub fn handler<T>(self, handler: T) -> Server<T> {
        let Self { poll, listener, handle, config, handler: _ } = self;
        Server { poll, listener, handle, config, handler }
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
}

impl<H: Handler> Server<H> {
    /// Serves until [`Handle::shutdown`] is called, on this thread.
    ///
    /// # Errors
    ///
    /// The operating system refuses to poll. Nothing that a client does ends the server.
    pub fn run(self) -> io::Result<()> {
        let Self { poll, listener, handle, config, handler } = self;
        EventLoop::new(poll, listener, handle, config, handler)?.run()
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
