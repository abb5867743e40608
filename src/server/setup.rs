//! What is set up beside the hooks: limits, timers, metrics, an observer, what stops the server.

#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    time::Duration,
};

#[cfg(unix)]
use super::event_loop::STOP;
use super::{Server, event_loop::METRICS};
#[cfg(unix)]
use crate::transport::StopPipe;
#[cfg(feature = "tls")]
use crate::transport::{TlsConfig, TlsSlot};
use crate::{
    config::Config,
    connect::Target,
    connections::Connections,
    entropy::Keys,
    hooks::HookSet,
    hub::{Hub, LoopTime, Observer, ObserverSlot},
    protocol::ClientRequest,
    transport,
};

impl<H: HookSet> Server<H> {
    /// Changes limits, times and lists; of a [`Config`] made elsewhere with `|config| *config = made`.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?
    ///     .configure(|config| config.limits.max_message_size = 4)
    ///     .on_message(|ws, _| ws.terminate());
    /// let refused = talk(server, b"\x81\x85\0\0\0\0Hello")?; // 0x03f1 is 1009
    /// assert_eq!(refused, b"\x88\x25\x03\xf1\xc2\xa710.4: message over the size limit");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.parts_mut().config);
        self
    }

    /// Speaks TLS with every client (`wss`); one that does not is answered 400 without TLS. A later
    /// configuration takes the place of an earlier.
    ///
    /// [`Config::handshake_timeout`] includes the handshake of TLS. Example: [`TlsConfig`].
    ///
    /// # Errors
    ///
    /// A certificate or key is wrong, and the error names its file.
    #[cfg(feature = "tls")]
    pub fn tls(self, config: &TlsConfig) -> io::Result<Self> {
        self.parts.handle.set_tls_slot(Some(TlsSlot::new(config)?));
        Ok(self)
    }

    /// Runs a task once, `delay` after [`run`](Self::run) was called, on the loop.
    ///
    /// From a hook: [`Connections::after`], by way of [`WebSocket::all`](crate::WebSocket::all).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use wirehook::Server;
    /// let server = Server::bind("127.0.0.1:0")?.state::<()>();
    /// let handle = server.handle();
    /// server.after(Duration::from_millis(5), move |_| handle.shutdown()).run()?; // returns after 5 ms
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn after(
        self,
        delay: Duration,
        mut task: impl FnMut(&mut Connections<'_, H::State>) + 'static,
    ) -> Server<H::Handler> {
        let task = Box::new(move |hub: &mut Hub<H::State>| task(&mut Connections::new(hub)));
        let mut server = self.into_ready();
        server.parts_mut().timers.after(delay, task, LoopTime::default());
        server
    }

    /// Runs a task every `period` from when [`run`](Self::run) is called, on the loop; see
    /// [`Connections::every`]. Example: [`Connections`].
    #[must_use]
    pub fn every(
        self,
        period: Duration,
        mut task: impl FnMut(&mut Connections<'_, H::State>) + 'static,
    ) -> Server<H::Handler> {
        let task = Box::new(move |hub: &mut Hub<H::State>| task(&mut Connections::new(hub)));
        let mut server = self.into_ready();
        server.parts_mut().timers.every(period, task, LoopTime::default());
        server
    }

    /// Shows the server's figures on another address, from the same loop: `/metrics` in the text format of
    /// Prometheus, `/healthz`, and `/readyz`, which says 503 while the server drains.
    ///
    /// Any program that can reach the address can read the figures; there is no password. They contain no
    /// data of clients.
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
        listener.register(&self.parts.poll, METRICS)?;
        self.parts_mut().metrics_listener = Some(listener);
        Ok(self)
    }

    /// Returns the address of the figures, with the real port if 0 was asked for.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.parts.metrics_listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Shuts down, as [`Handle::shutdown`](crate::Handle::shutdown) does, once something can be read from
    /// `pipe` or its other end is closed; a later one takes the place of an earlier.
    ///
    /// The loop itself polls the pipe: no thread waits for it. So a signal can end the server, if its handler
    /// writes into the other end; and so can the end of the process that has the other end.
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
    pub fn stopped_by(mut self, pipe: UnixStream) -> io::Result<Self> {
        let stop = StopPipe::new(pipe, &self.parts.poll, STOP)?;
        self.parts_mut().stop = Some(stop);
        Ok(self)
    }

    /// Opens a connection to a server when [`run`](Self::run) is called; from a hook:
    /// [`Connections::connect`]. One that can't even begin is logged as an error.
    ///
    /// Example: [`Connections::connect`].
    #[must_use]
    pub fn connect(mut self, target: impl Into<Target>, request: ClientRequest) -> Self {
        self.parts_mut().targets.push((target.into(), request));
        self
    }

    /// Draws the nonces (§4.1) and masking keys (§5.3) of connections that this server opens from another
    /// source than the operating system. Without the feature `client` there is no other source.
    ///
    /// The source fills a slice with bytes that no peer can predict, or fails; then the connection fails. A
    /// test may give the same bytes each time.
    ///
    /// ```
    /// # use wirehook::Server;
    /// let server = Server::unbound()?.entropy(|bytes| {
    ///     bytes.fill(0); // for a test: the payloads can be read on the wire
    ///     Ok(())
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn entropy(mut self, source: impl FnMut(&mut [u8]) -> io::Result<()> + 'static) -> Self {
        self.parts_mut().keys = Keys::from_source(source);
        self
    }

    /// Has an observer watch the bytes of all clients go by; a later one takes the place of an earlier.
    /// Example: [`Observer`].
    #[must_use]
    pub fn observe(mut self, observer: impl Observer + 'static) -> Self {
        self.parts_mut().observer = ObserverSlot::by(observer);
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
        self.parts_mut().tunes_heap = cfg!(all(target_os = "linux", target_env = "gnu"));
        self
    }
}
