//! New connections: how the loop admits clients and metrics connections, and which sockets it closes for
//! them.

use std::io;

use log::{debug, warn};

use super::state::EventLoop;
use crate::{
    cause::Cause,
    handler::Handler,
    hub::{ConnId, LoopTime, Outbound, Stage},
    panics,
    server::{acceptor::Acceptor, inbound::Inbound, upgrade},
    transport::{Listener, PeerAddr, Stream},
};

/// How many sockets may be ending, beyond `max_connections`. For one more, the oldest of the address that has
/// most of them is evicted.
const MAX_ENDING: usize = 256;
/// How many metrics connections there may be at once.
const MAX_METRICS_CONNECTIONS: usize = 16;

impl<H: Handler, L: Listener> EventLoop<H, L> {
    /// The acceptors that are open.
    pub(super) fn acceptors(&self) -> impl Iterator<Item = &Acceptor<L>> {
        self.acceptor.iter().chain(&self.metrics_acceptor)
    }

    /// Accepts the connections that wait at both listeners; at most as many as one turn may.
    #[inline(never)]
    pub(super) fn accept_pending(&mut self, clock: impl Fn() -> LoopTime) {
        // Their deadlines count from now, not from the begin of the turn, which may be long ago.
        self.hub.now = clock();
        let now = self.hub.now;
        if let Some(acceptor) = &mut self.acceptor {
            for (stream, address) in acceptor.accept_pending(now, || self.hub.evict()) {
                self.admit(stream, address);
            }
        }
        self.accept_metrics();
    }

    /// Accepts the connections that wait at the metrics listener.
    fn accept_metrics(&mut self) {
        let Some(mut acceptor) = self.metrics_acceptor.take() else { return };
        for (stream, address) in
            acceptor.accept_pending(self.hub.now, || self.evict_metrics() || self.hub.evict())
        {
            self.admit_metrics(stream, address);
        }
        acceptor.refill();
        self.metrics_acceptor = Some(acceptor);
    }

    /// Admits a new client, or answers it that there is no room.
    fn admit(&mut self, stream: Stream, address: PeerAddr) {
        self.hub.stats.accepted += 1;
        if !self.clients_inherit_nodelay {
            stream.set_nodelay(self.hub.config.nodelay);
        }
        let Some(id) = self.insert(stream, address, Inbound::default()) else {
            self.hub.stats.dropped_clients += 1;
            return;
        };
        debug!("connection {id} from {address} accepted");
        self.hub.observer.tell(|observer| observer.connected(id, address));
        let verdict = self.hub.admit(id);
        if self.is_crowded(address, verdict.is_err()) {
            self.hub.evict();
        }
        if let Err(error) = verdict {
            upgrade::refuse(id, error, &mut self.hub);
        }
    }

    /// Returns whether too many sockets are ending to keep one more client from `address`.
    ///
    /// `is_refused` says that the client itself only gets an answer and is then ending too.
    fn is_crowded(&self, address: PeerAddr, is_refused: bool) -> bool {
        let (live, leaving, config) = (self.hub.live(), self.hub.leaving(), &self.hub.config);
        let most = config.max_connections.map_or(usize::MAX, |max| max.saturating_add(MAX_ENDING));
        live + leaving > most
            || is_refused && leaving >= MAX_ENDING
            // Without a cap it may be the address of a proxy that all clients share.
            || config.max_connections_per_address.is_some() && self.hub.leaving_of(address) >= MAX_ENDING
    }

    /// Admits a connection to the metrics listener. It doesn't count as a client.
    fn admit_metrics(&mut self, stream: Stream, address: PeerAddr) {
        if self.hub.metrics_connections().len() >= MAX_METRICS_CONNECTIONS {
            self.evict_metrics();
        }
        if let Some(id) = self.insert(stream, address, Inbound::for_metrics()) {
            self.hub.set_metrics(id);
        }
    }

    /// Closes a metrics connection to make room for another: the oldest without a request, or else the
    /// oldest. Returns whether there was one.
    fn evict_metrics(&mut self) -> bool {
        let connections = self.hub.metrics_connections();
        for &(id, _) in connections.iter().filter(|(_, stage)| *stage == Stage::Connecting) {
            // A request that has arrived and was not read yet is answered first.
            self.inbounds.read(id, &mut self.handler, &mut self.hub);
            match self.hub.get(id).map(|outbound| outbound.stage()) {
                Some(Stage::Connecting) => {
                    self.hub.abort(id, Cause::Local);
                    return true;
                }
                Some(Stage::Dead) | None => return true,
                Some(_) => {}
            }
        }
        connections.first().map(|&(id, _)| self.hub.abort(id, Cause::Local)).is_some()
    }

    fn insert(&mut self, stream: Stream, address: PeerAddr, inbound: Inbound) -> Option<ConnId> {
        let now = self.hub.now;
        // The connection's state starts as the type's default, which is code of the user.
        let inserted = panics::catch(|| self.hub.insert(Outbound::new(stream, address, now)));
        match inserted.unwrap_or_else(|| Err(io::Error::other("the state of a connection has panicked"))) {
            Ok(id) => {
                self.inbounds.insert(id, inbound);
                Some(id)
            }
            Err(error) => {
                warn!("{address} dropped: {error}");
                None
            }
        }
    }
}
