//! What the loop owns, and how it is made.

#[cfg(feature = "tls")]
use std::sync::Arc;
use std::{
    io,
    time::{Duration, Instant},
};

use log::error;

use super::{connecting::Dialer, shutdown_plan::Shutdown};
#[cfg(feature = "tls")]
use crate::transport::{TlsAcceptor, TlsSlot};
use crate::{
    config::Config,
    connect::Target,
    entropy::Keys,
    handler::Handler,
    hub::{Hub, LoopTime, ObserverSlot, Task, Timers},
    protocol::ClientRequest,
    server::{
        acceptor::Acceptor, handle::Handle, heap::Heap, inbound::Inbounds, metrics_server::MetricsServer,
        resolver::Resolver,
    },
    transport::{Listener, Poll, StopPipe, Stream, TcpListener, Token},
};

/// The tokens that are no connection's; connections have the tokens from 0 on.
pub(in crate::server) const LISTENER: Token = Token(usize::MAX);
pub(in crate::server) const WAKER: Token = Token(usize::MAX - 1);
pub(in crate::server) const METRICS: Token = Token(usize::MAX - 2);
pub(in crate::server) const STOP: Token = Token(usize::MAX - 3);

/// A compressor that was not used for this long is given back.
const COMPRESSOR_IDLE: Duration = Duration::from_secs(10);

pub(in crate::server) struct EventLoop<H: Handler, L: Listener = TcpListener> {
    pub(super) poll: Poll,
    /// Accepts clients; `None` once the server shuts down.
    pub(super) acceptor: Option<Acceptor<L>>,
    /// Whether clients inherit TCP_NODELAY from the listener, so that no call per client is needed.
    pub(super) clients_inherit_nodelay: bool,
    /// Serves the metrics, until the loop ends.
    pub(super) metrics: Option<MetricsServer<L>>,
    pub(super) stop: Option<StopPipe>,
    pub(super) handle: Handle<H::State>,
    pub(super) handler: H,
    pub(super) hub: Hub<H::State>,
    /// The receiving sides of all connections.
    pub(super) inbounds: Inbounds,
    /// Commands of other threads are left from the last turn.
    pub(super) has_commands: bool,
    pub(super) heap: Heap,
    /// When the next deadline, timer or accept is due, as of the end of the last turn.
    pub(super) wake_at: LoopTime,
    pub(super) shutdown: Option<Shutdown>,
    pub(super) started: Instant,
    /// How many timers are the loop's own.
    pub(super) own_timers: usize,
    /// It has no listener: it runs for the connections that it opens.
    pub(super) is_unbound: bool,
    pub(super) resolver: Resolver,
    /// Puts TLS over the sockets of clients.
    #[cfg(feature = "tls")]
    pub(super) tls: Option<TlsAcceptor>,
    /// Makes the sockets of connections to servers.
    pub(super) dialer: Dialer,
}

impl<H: Handler, L: Listener> EventLoop<H, L> {
    pub(in crate::server) fn new(
        poll: Poll,
        listener: Option<L>,
        metrics_listener: Option<L>,
        handle: Handle<H::State>,
        config: Config,
        handler: H,
        timers: Timers<Task<H::State>>,
    ) -> io::Result<Self> {
        let registry = poll.registry()?;
        let metrics = metrics_listener.map(|listener| MetricsServer::new(listener, config.clone(), registry));
        let mut hub = Hub::new(config, timers, poll.registry()?);
        if hub.compression.is_some() {
            let release = Box::new(|hub: &mut Hub<_>| hub.release_unused_compressors());
            hub.timers.every(COMPRESSOR_IDLE, release, LoopTime::default());
        }
        let own_timers = usize::from(hub.compression.is_some());
        let clients_inherit_nodelay = listener.as_ref().is_some_and(|it| it.set_nodelay(hub.config.nodelay));
        let resolver = Resolver::new(handle.waker());
        Ok(Self {
            poll,
            clients_inherit_nodelay,
            own_timers,
            is_unbound: listener.is_none(),
            resolver,
            #[cfg(feature = "tls")]
            tls: None,
            dialer: Box::new(Stream::connect),
            acceptor: listener.map(Acceptor::new),
            metrics,
            stop: None,
            handle,
            handler,
            hub,
            inbounds: Inbounds::new(),
            has_commands: false,
            heap: Heap::untuned(),
            wake_at: LoopTime::AT_ONCE,
            shutdown: None,
            started: Instant::now(),
        })
    }

    /// Shows all bytes of clients to an observer.
    pub(in crate::server) fn observed_by(mut self, observer: ObserverSlot) -> Self {
        self.hub.observer = observer;
        self
    }

    /// Has the allocator keep freed memory while it is needed; see
    /// [`Server::tune_heap`](crate::Server::tune_heap).
    pub(in crate::server) fn with_heap(mut self, is_tuned: bool) -> Self {
        self.heap = if is_tuned { Heap::tuned() } else { Heap::untuned() };
        self
    }

    /// Speaks TLS with clients, with the configuration in the slot.
    #[cfg(feature = "tls")]
    pub(in crate::server) fn secured_by(mut self, slot: Option<Arc<TlsSlot>>) -> Self {
        self.tls = slot.map(TlsAcceptor::new);
        self
    }

    /// Shuts the server down when the pipe ends.
    pub(in crate::server) fn stopped_by(mut self, stop: Option<StopPipe>) -> Self {
        self.stop = stop;
        self
    }

    /// Replaces the network and the names: by a script, without threads and with keys of zeros.
    #[cfg(any(test, fuzzing, feature = "testing"))]
    pub(in crate::server) fn in_network(
        mut self,
        dialed: crate::server::simulator::Dialed,
        lookup: crate::server::resolver::Lookup,
    ) -> Self {
        self.dialer = Box::new(move |address| dialed.dial(address));
        self.resolver = Resolver::at_once(self.handle.waker(), lookup);
        self.with_keys(Keys::from_source(|bytes| {
            bytes.fill(0);
            Ok(())
        }))
    }

    /// Opens the connections that were asked for before the loop began.
    pub(in crate::server) fn connecting(mut self, targets: Vec<(Target, ClientRequest)>) -> Self {
        for (target, request) in targets {
            let name = target.to_string();
            if let Err(error) = self.hub.connect(target, request) {
                error!("no connection to {name}: {error}");
            }
        }
        self
    }

    /// Draws nonces and masking keys from another source.
    pub(in crate::server) fn with_keys(mut self, keys: Keys) -> Self {
        self.hub.keys = keys;
        self
    }

    /// Sets the clock that measures how long a turn has taken.
    pub(in crate::server) fn set_clock(&mut self, clock: impl Fn() -> LoopTime + 'static) {
        self.hub.quota.set_clock(clock);
    }

    /// Returns how many slots were visited to send to many.
    #[cfg(test)]
    pub(in crate::server) fn take_visits(&self) -> usize {
        self.hub.take_visits()
    }

    /// Returns how many places the receiving sides have.
    #[cfg(test)]
    pub(in crate::server) fn places(&self) -> usize {
        self.inbounds.places()
    }

    /// Returns how many deadlines are pending.
    #[cfg(test)]
    pub(in crate::server) fn deadline_count(&self) -> usize {
        self.hub.deadline_count()
    }

    /// Returns how many messages were compressed.
    #[cfg(all(test, feature = "deflate"))]
    pub(in crate::server) fn compressions(&self) -> u64 {
        self.hub.compressions()
    }

    #[cfg(test)]
    pub(in crate::server) fn held(&self) -> usize {
        self.hub.held()
    }

    #[cfg(test)]
    pub(in crate::server) const fn is_shutting_down(&self) -> bool {
        self.shutdown.is_some()
    }
}

impl<H: Handler, L: Listener> Drop for EventLoop<H, L> {
    /// Tells other threads that the loop has ended, however it ended.
    fn drop(&mut self) {
        self.handle.publish(self.hub.current_stats());
        self.handle.stop();
    }
}
