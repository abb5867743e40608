//! The server: where it listens, how it is set up, and the loop that runs it.
//!
//! This file has what is decided before the loop turns; `closures.rs` and `setup.rs` have the methods by
//! topic. `event_loop.rs` has the order of a turn, `inbound.rs` what one connection's input leads to.

mod acceptor;
mod closures;
#[cfg(feature = "deflate")]
mod compressed;
mod event_loop;
mod event_source;
mod handle;
mod heap;
mod held;
mod inbound;
mod metrics;
mod metrics_server;
mod opening;
mod phase;
mod reading;
mod resolver;
mod setup;
#[cfg(any(test, fuzzing, feature = "testing"))]
pub(crate) mod simulator;
#[cfg(test)]
mod tests;
mod upgrade;

use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, ToSocketAddrs},
    rc::Rc,
};

pub use handle::{Handle, HandleError};

use crate::{
    config::Config,
    connect::Target,
    entropy::Keys,
    handler::Handler,
    hooks::{HookSet, Hooks, NoHooks},
    hub::{ObserverSlot, Task, Timers},
    protocol::ClientRequest,
    router::{Route, Router},
    transport::{self, Poll, StopPipe, TcpListener, Waker},
};
use event_loop::{EventLoop, LISTENER, WAKER};

/// Why the `Rc` of a server can be opened.
const ONE_RC: &str = "a server has one Rc";

/// A WebSocket server on one address, on one thread.
///
/// A server is built on the thread that runs it: hooks share what they like without locks, so neither they
/// nor the server can move to another thread. Build it inside of a thread, and send its [`Handle`] out:
///
/// ```
/// use std::{io, sync::mpsc, thread};
/// use wirehook::Server;
///
/// let (out, built) = mpsc::channel();
/// let thread = thread::spawn(move || -> io::Result<()> {
///     let server = Server::bind("127.0.0.1:0")?.on_message(|ws, message| {
///         ws.send(message);
///     });
///     let _ = out.send((server.local_addr()?, server.handle()));
///     server.run()
/// });
/// let (address, handle) = built.recv().expect("the server is built");
/// println!("on ws://{address}");
/// handle.shutdown();
/// thread.join().expect("no hook has ended the thread")?;
/// # Ok::<(), io::Error>(())
/// ```
///
/// Sent to a thread, a server does not compile: "`Rc<BuildTheServerOnItsThread<…>>` cannot be sent between
/// threads safely".
///
/// ```compile_fail,E0277
/// # use wirehook::Server;
/// let server = Server::bind("127.0.0.1:0")?.on_message(|ws, _| ws.terminate());
/// std::thread::spawn(move || server.run());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Set it up, then [`run`](Self::run) it. Here is a whole life, with a client that writes its bytes by hand;
/// in the methods' examples [`talk`](crate#from-front-to-back) does that.
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
pub struct Server<H: HookSet = NoHooks> {
    /// In an `Rc`, so that the compiler has one line to say when a server is sent to another thread, and not
    /// one for each hook. There is no second `Rc`.
    parts: Rc<BuildTheServerOnItsThread<H>>,
}

/// What a server is made of. The compiler shows the name to a user who sends a server to another thread.
struct BuildTheServerOnItsThread<H: HookSet> {
    poll: Poll,
    /// `None` for a server that only opens connections itself, or that a simulation runs.
    listener: Option<TcpListener>,
    metrics_listener: Option<TcpListener>,
    stop: Option<StopPipe>,
    timers: Timers<Task<H::State>>,
    handle: Handle<H::State>,
    config: Config,
    observer: ObserverSlot,
    tunes_heap: bool,
    /// Where random bytes come from.
    keys: Keys,
    /// The connections that the server opens when it begins to run.
    targets: Vec<(Target, ClientRequest)>,
    hooks: H,
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
        Self::listening(transport::bind(address)?)
    }

    /// Serves the clients of a listener that is bound already, such as one that a service manager has handed
    /// over.
    ///
    /// It is set to non-blocking. Clients that wait in its queue are served first.
    ///
    /// ```
    /// # use std::net::TcpListener;
    /// # use wirehook::Server;
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// assert_eq!(Server::from_listener(listener)?.local_addr()?, address);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The operating system refuses to make the listener non-blocking, or to watch it.
    pub fn from_listener(listener: std::net::TcpListener) -> io::Result<Self> {
        Self::listening(TcpListener::from_std(listener)?)
    }

    /// Returns a server that listens nowhere: it runs for the connections that it
    /// [opens itself](Self::connect). So a program can be a client only, with the same hooks, limits and
    /// timers.
    ///
    /// [`run`](Self::run) returns when nothing can happen any more: no connection is left, no timer is set,
    /// no [`Handle`] exists outside of the server, and nothing else was set up that could ask for something.
    ///
    /// ```
    /// # use wirehook::Server;
    /// let server = Server::unbound()?;
    /// assert!(server.local_addr().is_err());
    /// server.run()?; // returns at once
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The operating system has no file descriptors left.
    pub fn unbound() -> io::Result<Self> {
        Self::polled_by(Poll::new()?, None)
    }

    fn listening(mut listener: TcpListener) -> io::Result<Self> {
        let poll = Poll::new()?;
        listener.register(&poll, LISTENER)?;
        Self::polled_by(poll, Some(listener))
    }

    fn polled_by(poll: Poll, listener: Option<TcpListener>) -> io::Result<Self> {
        let handle = Handle::new(Waker::new(&poll, WAKER)?);
        Ok(Self::of(BuildTheServerOnItsThread {
            poll,
            listener,
            metrics_listener: None,
            stop: None,
            timers: Timers::default(),
            handle,
            config: Config::default(),
            observer: ObserverSlot::default(),
            tunes_heap: false,
            keys: Keys::default(),
            targets: Vec::new(),
            hooks: NoHooks,
        }))
    }

    /// Keeps a value of type `S` for each connection: [`WebSocket::state`](crate::WebSocket::state) in every
    /// hook.
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
    pub fn state<S: Default + 'static>(self) -> Server<Hooks<S>> {
        self.handler(Hooks::default())
    }

    /// Sets all hooks at once, as a type that implements [`Handler`]. It is chosen before the first hook or
    /// timer: later it does not compile. Example: [`Handler`].
    #[must_use]
    pub fn handler<T: Handler>(self, handler: T) -> Server<T> {
        self.handler_with(|_| handler)
    }

    /// Adds a route: requests for a path that fits the pattern go to this handler. A server with routes
    /// answers every other path with 404.
    ///
    /// A segment of the pattern that begins with `:` fits every segment that is not empty;
    /// [`Request::param`](crate::protocol::Request::param) gives it. The handler is a [`Handler`], such as
    /// [`Hooks`], or a [`Route`] with limits of its own. All routes have the type of state of the first.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::{Hooks, Route, Server, Upgrade};
    /// let chat = Hooks::<String>::new()
    ///     .on_upgrade(|request, _| Upgrade::accept_with(request.param("room").unwrap_or_default().to_owned()))
    ///     .on_message(|ws, message| {
    ///         ws.broadcast_if(message, |room, _, other| room == other);
    ///     });
    /// let news = Hooks::new().on_open(|ws, _| {
    ///     ws.send("nothing new");
    /// });
    /// let server = Server::bind("127.0.0.1:0")?
    ///     .route("/chat/:room", Route::new(chat).limits(|limits| limits.max_message_size = 64 * 1024))
    ///     .route("/news", news);
    /// assert_eq!(talk(server, b"")?, b"There is nothing at this path.\n"); // the client asks for /ann
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn route<S: Default + 'static>(self, pattern: &str, route: impl Into<Route<S>>) -> Server<Router<S>> {
        self.handler(Router::new().route(pattern, route))
    }

    /// Sets all hooks at once, as a type that keeps the server's [`Handle`].
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use std::thread;
    /// # use wirehook::{Handle, Handler, Message, Server, WebSocket};
    /// struct Worker(Handle);
    ///
    /// impl Handler for Worker {
    ///     type State = ();
    ///
    ///     fn on_message(&mut self, ws: &mut WebSocket<'_>, _: Message<'_>) {
    ///         let (id, handle) = (ws.id(), self.0.clone());
    ///         thread::spawn(move || handle.send(id, "done"));
    ///     }
    /// }
    ///
    /// let server = Server::bind("127.0.0.1:0")?.handler_with(|handle| Worker(handle.clone()));
    /// assert_eq!(talk(server, b"\x81\x82\0\0\0\0hi")?, b"\x81\x04done\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn handler_with<T: Handler>(self, make: impl FnOnce(&Handle<T::State>) -> T) -> Server<T> {
        let parts = self.into_parts();
        // No other handle exists, and no timer: both begin with the state's type.
        let handle = parts.handle.for_state();
        Server::of(BuildTheServerOnItsThread {
            poll: parts.poll,
            listener: parts.listener,
            metrics_listener: parts.metrics_listener,
            stop: parts.stop,
            timers: Timers::default(),
            config: parts.config,
            observer: parts.observer,
            tunes_heap: parts.tunes_heap,
            keys: parts.keys,
            targets: parts.targets,
            hooks: make(&handle),
            handle,
        })
    }
}

impl<S: Default + 'static> Server<Router<S>> {
    /// Adds one more route. Example: [`Server::route`](Server::<crate::NoHooks>::route).
    #[must_use]
    pub fn route(self, pattern: &str, route: impl Into<Route<S>>) -> Self {
        let mut parts = self.into_parts();
        parts.hooks = parts.hooks.route(pattern, route);
        Self::of(parts)
    }
}

impl<H: HookSet> Server<H> {
    /// Turns what was set up into a handler. The state stays of its type, so nothing is lost.
    fn into_ready(self) -> Server<H::Handler> {
        let parts = self.into_parts();
        Server::of(BuildTheServerOnItsThread {
            poll: parts.poll,
            listener: parts.listener,
            metrics_listener: parts.metrics_listener,
            stop: parts.stop,
            timers: parts.timers,
            handle: parts.handle,
            config: parts.config,
            observer: parts.observer,
            tunes_heap: parts.tunes_heap,
            keys: parts.keys,
            targets: parts.targets,
            hooks: parts.hooks.into_handler(),
        })
    }

    fn of(parts: BuildTheServerOnItsThread<H>) -> Self {
        Self { parts: Rc::new(parts) }
    }

    fn into_parts(self) -> BuildTheServerOnItsThread<H> {
        Rc::into_inner(self.parts).unwrap_or_else(|| unreachable!("{ONE_RC}"))
    }

    fn parts_mut(&mut self) -> &mut BuildTheServerOnItsThread<H> {
        Rc::get_mut(&mut self.parts).unwrap_or_else(|| unreachable!("{ONE_RC}"))
    }

    /// Returns the address where the server listens, with the real port if 0 was asked for.
    ///
    /// # Errors
    ///
    /// The operating system doesn't tell it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.parts.listener.as_ref().ok_or(ErrorKind::NotConnected)?.local_addr()
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
        let BuildTheServerOnItsThread {
            poll,
            listener,
            metrics_listener,
            stop,
            timers,
            handle,
            config,
            observer,
            tunes_heap,
            keys,
            targets,
            hooks,
        } = self.into_ready().into_parts();
        #[cfg(feature = "tls")]
        let tls = handle.tls_slot();
        let event_loop = EventLoop::new(poll, listener, metrics_listener, handle, config, hooks, timers)?;
        let event_loop = event_loop.with_heap(tunes_heap).observed_by(observer).stopped_by(stop);
        #[cfg(feature = "tls")]
        let event_loop = event_loop.secured_by(tls);
        event_loop.with_keys(keys).connecting(targets).run()
    }
}

impl<H: Handler> Server<H> {
    /// Returns a handle that reaches the server while it runs, from any thread. Example: [`Handle`].
    ///
    /// It knows the type of the connections' state, so it is there once that is decided: by
    /// [`state`](Server::state), a handler, a hook or a timer.
    pub fn handle(&self) -> Handle<H::State> {
        self.parts.handle.clone()
    }
}
