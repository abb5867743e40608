//! The server: where it listens, how it is set up, and the loop that runs it.
//!
//! This file knows what is decided before the loop turns. It refuses to know what happens in a turn:
//! `event_loop.rs` has the order of things, `inbound.rs` what one connection's input leads to.

mod acceptor;
mod dispatch;
mod event_loop;
mod handle;
mod heap;
mod inbound;
mod metrics;
#[cfg(any(test, fuzzing))]
pub(crate) mod simulator;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    time::Duration,
};

pub use handle::{Handle, HandleError};

use crate::{
    config::Config,
    connections::Connections,
    handler::{Closed, Handler, Hooks, Upgrade},
    hub::{Hub, LoopTime, Observer, ObserverSlot, Task, Timers},
    protocol::{Message, Request, Response},
    transport::{self, Poll, StopPipe, TcpListener, Waker},
    websocket::WebSocket,
};
#[cfg(unix)]
use event_loop::STOP;
use event_loop::{EventLoop, LISTENER, METRICS, WAKER};

/// A WebSocket server on one address, on one thread.
///
/// Set it up, then [`run`](Self::run) it; a [`Handle`] reaches it from other threads meanwhile. Here is a
/// whole life, with a client that says its bytes by hand; in the methods' examples
/// [`talk`](crate#from-front-to-back) does that.
///
/// ```
/// use std::{
///     io::{Read, Write},
///     net::TcpStream,
///     thread,
/// };
/// use wirehook::Server;
///
/// let server = Server::bind("127.0.0.1:0")?
///     .on_open(|ws, _request| {
///         ws.send("welcome");
///     })
///     .on_message(|ws, message| {
///         if let Some(text) = message.as_text() {
///             ws.send(format!("hello, {text} !"));
///         }
///     })
///     .on_close(|ws, close| println!("connection {} closed: {close}", ws.id()));
///
/// let (address, handle) = (server.local_addr()?, server.handle());
/// let client = thread::spawn(move || -> std::io::Result<Vec<u8>> {
///     let mut socket = TcpStream::connect(address)?;
///     socket.write_all(
///         b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
///     )?;
///     socket.write_all(b"\x81\x81\0\0\0\0X")?; // the text "X"
///     socket.write_all(b"\x88\x80\0\0\0\0")?; // Close
///     let mut heard = Vec::new();
///     socket.read_to_end(&mut heard)?;
///     handle.shutdown();
///     Ok(heard)
/// });
/// server.run()?; // until the client shuts it down
/// let heard = client.join().unwrap()?;
/// assert!(heard.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
/// assert!(heard.ends_with(b"\r\n\r\n\x81\x07welcome\x81\x0ahello, X !\x88\x00"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Server<H: Handler = Hooks<()>> {
    poll: Poll,
    listener: TcpListener,
    metrics_listener: Option<TcpListener>,
    stop: Option<StopPipe>,
    timers: Timers<Task<H::State>>,
    handle: Handle,
    config: Config,
    observer: ObserverSlot,
    tunes_heap: bool,
    handler: H,
}

impl Server {
    /// Listens on the first of the addresses that can be had; port 0 takes any free one.
    ///
    /// Clients can connect from now on, and are served once [`run`](Server::run) is called.
    ///
    /// ```
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?;
    /// println!("on ws://{}", server.local_addr()?);
    /// assert!(Server::bind(server.local_addr()?).is_err()); // taken
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// No address, or none that is free.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        let mut listener = transport::bind(address)?;
        let poll = Poll::new()?;
        listener.register(&poll, LISTENER)?;
        let handle = Handle::new(Waker::new(&poll, WAKER)?);
        Ok(Self {
            poll,
            listener,
            metrics_listener: None,
            stop: None,
            timers: Timers::default(),
            handle,
            config: Config::default(),
            observer: ObserverSlot::default(),
            tunes_heap: false,
            handler: Hooks::default(),
        })
    }

    /// Keeps a value of type `S` for each connection, in every hook at [`WebSocket::state`].
    ///
    /// It starts as the type's default, or as what `on_upgrade` gives. Call this before the hooks are set:
    /// they are those of a server without state, and are dropped.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.state::<u64>().on_message(|ws, _| {
    ///     *ws.state_mut() += 1;
    ///     ws.send(format!("message {}", ws.state()));
    /// });
    /// let heard = talk(server, b"\x82\x80\0\0\0\0\x82\x80\0\0\0\0")?; // two empty ones
    /// assert_eq!(heard, b"\x81\x09message 1\x81\x09message 2\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn state<S: Default>(self) -> Server<Hooks<S>> {
        self.handler(Hooks::default())
    }
}

impl<S: Default> Server<Hooks<S>> {
    /// Sets the hook that accepts or refuses a request; see [`Handler::on_upgrade`].
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::{Server, Upgrade};
    /// let server = Server::bind("127.0.0.1:0")?.on_upgrade(|request, _| match request.path() {
    ///     "/chat" => Upgrade::accept(),
    ///     _ => Upgrade::reject(404, "connect to /chat"),
    /// });
    /// assert_eq!(talk(server, b"")?, b"connect to /chat\n"); // the body; the client asked for /ann
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn on_upgrade(mut self, hook: impl FnMut(&Request<'_>, SocketAddr) -> Upgrade<S> + 'static) -> Self {
        self.handler.on_upgrade = Some(Box::new(hook));
        self
    }

    /// Sets the hook for HTTP requests that ask for no WebSocket; see [`Handler::on_http`].
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::{Server, protocol::Response};
    /// let server = Server::bind("127.0.0.1:0")?.on_http(|request, _| match request.path() {
    ///     "/" => Some(Response::page(200, "text/html; charset=utf-8", "<p>hello")),
    ///     _ => None,
    /// });
    /// assert!(talk(server, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")?.ends_with(b"\r\n\r\n<p>hello"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn on_http(
        mut self,
        hook: impl FnMut(&Request<'_>, SocketAddr) -> Option<Response> + 'static,
    ) -> Self {
        self.handler.on_http = Some(Box::new(hook));
        self
    }

    /// Sets the hook for new connections; see [`Handler::on_open`].
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_open(|ws, request| {
    ///     ws.send(format!("welcome to {}", request.path()));
    /// });
    /// assert_eq!(talk(server, b"")?, b"\x81\x0fwelcome to /ann\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn on_open(mut self, hook: impl FnMut(&mut WebSocket<'_, S>, &Request<'_>) + 'static) -> Self {
        self.handler.on_open = Some(Box::new(hook));
        self
    }

    /// Sets the hook for messages; see [`Handler::on_message`].
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::{Message, Server};
    /// let server = Server::bind("127.0.0.1:0")?.on_message(|ws, message| {
    ///     match message {
    ///         Message::Text(text) => ws.send(&text.to_uppercase()),
    ///         Message::Binary(bytes) => ws.send(bytes),
    ///     };
    /// });
    /// // "He", "y": fragments are one message (§5.4).
    /// let heard = talk(server, b"\x01\x82\0\0\0\0He\x80\x81\0\0\0\0y")?;
    /// assert_eq!(heard, b"\x81\x03HEY\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn on_message(mut self, hook: impl FnMut(&mut WebSocket<'_, S>, Message<'_>) + 'static) -> Self {
        self.handler.on_message = Some(Box::new(hook));
        self
    }

    /// Sets the hook for pings; see [`Handler::on_ping`].
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_ping(|ws, _payload| {
    ///     ws.send("pinged"); // behind the pong
    /// });
    /// assert_eq!(talk(server, b"\x89\x81\0\0\0\0?")?, b"\x8a\x01?\x81\x06pinged\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn on_ping(mut self, hook: impl FnMut(&mut WebSocket<'_, S>, &[u8]) + 'static) -> Self {
        self.handler.on_ping = Some(Box::new(hook));
        self
    }

    /// Sets the hook for pongs; see [`Handler::on_pong`].
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.on_pong(|ws, payload| {
    ///     ws.send(payload);
    /// });
    /// assert_eq!(talk(server, b"\x8a\x81\0\0\0\0?")?, b"\x82\x01?\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn on_pong(mut self, hook: impl FnMut(&mut WebSocket<'_, S>, &[u8]) + 'static) -> Self {
        self.handler.on_pong = Some(Box::new(hook));
        self
    }

    /// Sets the hook for slow peers that have caught up; see [`Handler::on_drain`].
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::{SendStatus, Server, WebSocket};
    /// /// Sends 1 MiB in pieces, as fast as the peer takes them; what is sent so far is the connection's
    /// state. fn go_on(ws: &mut WebSocket<'_, usize>) {
    ///     while *ws.state() < 64 {
    ///         *ws.state_mut() += 1;
    ///         if matches!(ws.send(&[0; 16 * 1024]), SendStatus::Queued(_)) {
    ///             return; // on_drain goes on
    ///         }
    ///     }
    /// }
    ///
    /// let server = Server::bind("127.0.0.1:0")?.state().on_message(|ws, _| go_on(ws)).on_drain(go_on);
    /// assert!(talk(server, b"\x81\x82\0\0\0\0go")?.ends_with(b"\x88\x00"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn on_drain(mut self, hook: impl FnMut(&mut WebSocket<'_, S>) + 'static) -> Self {
        self.handler.on_drain = Some(Box::new(hook));
        self
    }

    /// Sets the hook for connections that have ended; see [`Handler::on_close`]. Examples: [`Closed`],
    /// [`Cause`](crate::Cause).
    #[must_use]
    pub fn on_close(mut self, hook: impl FnMut(&mut WebSocket<'_, S>, &Closed<'_>) + 'static) -> Self {
        self.handler.on_close = Some(Box::new(hook));
        self
    }
}

impl<H: Handler> Server<H> {
    /// Gives all hooks at once, as a type that implements [`Handler`]. Hooks and timers that were set before
    /// are dropped: they are those of another state. Example: [`Handler`].
    #[must_use]
    pub fn handler<T: Handler>(self, handler: T) -> Server<T> {
        let Self {
            poll,
            listener,
            metrics_listener,
            stop,
            timers: _,
            handle,
            config,
            observer,
            tunes_heap,
            handler: _,
        } = self;
        Server {
            poll,
            listener,
            metrics_listener,
            stop,
            timers: Timers::default(),
            handle,
            config,
            observer,
            tunes_heap,
            handler,
        }
    }

    /// Runs a task once, `delay` after [`run`](Self::run) was called, on the loop.
    ///
    /// From a hook: [`Connections::after`], by way of [`WebSocket::all`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?;
    /// let handle = server.handle();
    /// server.after(Duration::from_millis(5), move |_| handle.shutdown()).run()?; // returns after 5 ms
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn after(
        mut self,
        delay: Duration,
        mut task: impl FnMut(&mut Connections<'_, H::State>) + 'static,
    ) -> Self {
        let task = Box::new(move |hub: &mut Hub<H::State>| task(&mut Connections::new(hub)));
        self.timers.after(delay, task, LoopTime::default());
        self
    }

    /// Runs a task every `period` from when [`run`](Self::run) is called, on the loop; see
    /// [`Connections::every`]. Example: [`Connections`].
    #[must_use]
    pub fn every(
        mut self,
        period: Duration,
        mut task: impl FnMut(&mut Connections<'_, H::State>) + 'static,
    ) -> Self {
        let task = Box::new(move |hub: &mut Hub<H::State>| task(&mut Connections::new(hub)));
        self.timers.every(period, task, LoopTime::default());
        self
    }

    /// Shows the server's figures on another address, from the same loop: `/metrics` in the text format of
    /// Prometheus, `/healthz`, and `/readyz`, which says 503 while the server drains.
    ///
    /// Whoever can reach the address can read the figures; there is no password. They hold no data of
    /// clients.
    ///
    /// ```
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.metrics_on("127.0.0.1:0")?;
    /// if let Some(address) = server.metrics_addr() {
    ///     println!("figures on http://{address}/metrics");
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// No address, or none that is free.
    pub fn metrics_on(mut self, address: impl ToSocketAddrs) -> io::Result<Self> {
        let mut listener = transport::bind(address)?;
        listener.register(&self.poll, METRICS)?;
        self.metrics_listener = Some(listener);
        Ok(self)
    }

    /// Where the figures are shown, with the real port if 0 was asked for.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Shuts down, as [`Handle::shutdown`] does, once something can be read from `pipe` or its other end is
    /// closed; a later one takes the place of an earlier.
    ///
    /// It is watched by the loop itself: no thread has to wait for it. So a signal can end the server, if its
    /// handler writes into the other end, and so can the end of whoever holds that.
    ///
    /// ```
    /// # use std::{os::unix::net::UnixStream, thread};
    /// # use wirehook::Server;
    /// let (ours, theirs) = UnixStream::pair()?;
    /// let server = Server::bind("127.0.0.1:0")?.stopped_by(ours)?;
    /// thread::spawn(move || drop(theirs));
    /// server.run()?; // returns when it is closed
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The operating system refuses to watch it.
    #[cfg(unix)]
    pub fn stopped_by(mut self, pipe: std::os::unix::net::UnixStream) -> io::Result<Self> {
        self.stop = Some(StopPipe::new(pipe, &self.poll, STOP)?);
        Ok(self)
    }

    /// Has an observer watch the bytes of all clients go by; a later one takes the place of an earlier.
    /// Example: [`Observer`].
    #[must_use]
    pub fn observe(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = ObserverSlot::by(observer);
        self
    }

    /// Has the allocator keep the memory of large messages while it is needed: an echo of messages of 4 MiB
    /// costs a third less then.
    ///
    /// It is off by default, because it changes the allocator of the whole process. It is for a process whose
    /// main task is this server. Only glibc on Linux is tuned; elsewhere the call does nothing. While the
    /// server runs, up to 48 MiB of freed memory stay with the process. Where more than 12 MiB were held,
    /// about as much as that stays. It is returned after a second in which less than half was held.
    ///
    /// The call changes nothing by itself; [`run`](Self::run) does, and without `unsafe` or `mallopt`: it
    /// allocates and frees blocks of such sizes that glibc keeps more.
    ///
    /// ```no_run
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?
    ///     .configure(|config| config.limits.max_message_size = 64 * 1024 * 1024)
    ///     .tune_heap();
    /// server.run()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn tune_heap(mut self) -> Self {
        self.tunes_heap = cfg!(all(target_os = "linux", target_env = "gnu"));
        self
    }

    /// Changes limits, times and lists.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.configure(|config| config.limits.max_message_size = 4);
    /// let refused = talk(server, b"\x81\x85\0\0\0\0Hello")?; // 0x03f1 is 1009
    /// assert_eq!(refused, b"\x88\x25\x03\xf1\xc2\xa710.4: message over the size limit");
    /// # Ok::<(), std::io::Error>(())
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

    /// A handle that reaches the server while it runs, from any thread. Example: [`Handle`].
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until [`Handle::shutdown`] is called, on this thread. Example: [`Server`]. In each turn of its
    /// loop:
    ///
    /// ```text
    /// poll ─▶ sockets: on_upgrade, on_http, on_open, on_message, on_ping, on_pong ─▶ new clients ─▶ timers
    ///   ▲                                                                                             │
    ///   └───────────── on_close ◀── on_drain ◀── what was sent to others goes out ◀───────────────────┘
    /// ```
    ///
    /// # Errors
    ///
    /// The operating system refuses to poll. Nothing that a client does ends the server.
    pub fn run(self) -> io::Result<()> {
        let Self {
            poll,
            listener,
            metrics_listener,
            stop,
            timers,
            handle,
            config,
            observer,
            tunes_heap,
            handler,
        } = self;
        let event_loop = EventLoop::new(poll, listener, metrics_listener, handle, config, handler, timers)?;
        event_loop.with_heap(tunes_heap).observed_by(observer).stopped_by(stop).run()
    }
}
