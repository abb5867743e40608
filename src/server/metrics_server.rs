//! The metrics listener: a small server beside the clients, with a table of its own.
//!
//! Its connections are no clients: no limit counts them, no observer sees their bytes, no hook is called for
//! them. Stages, deadlines and writes are the hub's: they have a second [`Hub`], whose tokens begin at
//! [`FIRST_TOKEN`].
//!
//! This file knows when a request has arrived, and which connection makes room for another. `metrics.rs` has
//! the pages.

use std::io::ErrorKind;

use log::{info, warn};

use super::{acceptor::Acceptor, metrics};
use crate::{
    cause::Cause,
    config::Config,
    hub::{ConnId, Hub, LoopTime, Outbound, Stage},
    protocol::{HandshakeError, RequestReader, Response},
    transport::{Listener, PeerAddr, PollRegistry, Read, ReadBuffer, Ready, Stream},
};

/// The token of the first metrics connection. Tokens of clients never reach it.
pub(super) const FIRST_TOKEN: usize = usize::MAX / 2;

/// How many metrics connections there may be at once.
const MAX_CONNECTIONS: usize = 16;
/// How often one event may read from a socket. It is read to its end: no later turn reads again.
const READS_PER_EVENT: usize = 64;

/// The metrics listener and its connections.
pub(super) struct MetricsServer<L: Listener> {
    acceptor: Acceptor<L>,
    connections: Connections,
}

struct Connections {
    hub: Hub<()>,
    /// The connections, the oldest first, each with the received part of its request.
    readers: Vec<(ConnId, RequestReader)>,
}

impl<L: Listener> MetricsServer<L> {
    pub(super) fn new(listener: L, config: Config, registry: PollRegistry) -> Self {
        let hub = Hub::beside(config, registry, FIRST_TOKEN);
        let connections = Connections { hub, readers: Vec::new() };
        Self { acceptor: Acceptor::with_spare(listener), connections }
    }

    /// Notes that the listener is readable.
    pub(super) fn on_readable(&mut self) {
        self.acceptor.on_readable();
    }

    /// Returns whether no connection waits to be accepted.
    pub(super) const fn is_idle(&self) -> bool {
        self.acceptor.is_idle()
    }

    /// Reserves a file descriptor again, if the reserved one was released and one is free.
    pub(super) fn refill(&mut self) {
        self.acceptor.refill();
    }

    /// Returns when the next deadline or accept is due.
    pub(super) fn wake_at(&self) -> LoopTime {
        self.acceptor.wake_at().min(self.connections.hub.next_deadline())
    }

    /// Accepts the waiting connections. Over the limit, another metrics connection is closed for each, or a
    /// client that only waits for its end.
    pub(super) fn accept_pending<S>(&mut self, clients: &mut Hub<S>, buffer: &mut ReadBuffer) {
        let Self { acceptor, connections } = self;
        let now = clients.now;
        connections.hub.now = now;
        let make_room = || connections.evict(clients, buffer) || clients.evict();
        for (stream, address) in acceptor.accept_pending(now, make_room) {
            connections.insert(stream, address, clients, buffer);
        }
        acceptor.refill();
        connections.settle(clients);
    }

    /// Handles one event of a connection's socket; `index` is its token less [`FIRST_TOKEN`].
    pub(super) fn react<S>(
        &mut self,
        index: usize,
        ready: Ready,
        clients: &mut Hub<S>,
        buffer: &mut ReadBuffer,
    ) {
        let connections = &mut self.connections;
        connections.hub.now = clients.now;
        let Some(id) = connections.hub.id_at(index) else { return };
        if ready.writable || ready.hang_up {
            connections.hub.flush(id);
        }
        if ready.readable || ready.hang_up {
            connections.read(id, clients, buffer);
        }
        connections.settle(clients);
        self.acceptor.refill();
    }

    /// Ends the connections whose deadline has come.
    pub(super) fn expire<S>(&mut self, clients: &mut Hub<S>, buffer: &mut ReadBuffer) {
        let connections = &mut self.connections;
        connections.hub.now = clients.now;
        while let Some(id) = connections.hub.expire() {
            // If the loop is late, the socket can still contain bytes that arrived in time.
            connections.hub.flush(id);
            connections.read(id, clients, buffer);
            if connections.hub.is_due(id) {
                connections.end(id);
            } else {
                connections.hub.schedule(id);
            }
        }
        connections.settle(clients);
    }

    /// Returns whether an answer is not written yet.
    pub(super) fn is_answering(&self) -> bool {
        self.connections.readers.iter().any(|(id, _)| self.connections.stage(*id) == Some(Stage::Finishing))
    }

    /// Closes all connections, whatever they wait for.
    pub(super) fn abort_all<S>(&mut self, clients: &mut Hub<S>) {
        self.connections.hub.ids().into_iter().for_each(|id| self.connections.hub.abort(id, Cause::Local));
        self.connections.settle(clients);
    }
}

impl Connections {
    fn insert<S>(
        &mut self,
        stream: Stream,
        address: PeerAddr,
        clients: &mut Hub<S>,
        buffer: &mut ReadBuffer,
    ) {
        if self.hub.len() >= MAX_CONNECTIONS {
            self.evict(clients, buffer);
        }
        match self.hub.insert(Outbound::new(stream, address, self.hub.now)) {
            Ok(id) => self.readers.push((id, RequestReader::default())),
            Err(error) => warn!("{address} dropped: {error}"),
        }
    }

    fn stage(&self, id: ConnId) -> Option<Stage> {
        self.hub.get(id).map(Outbound::stage)
    }

    /// Reads from a connection until its socket is empty, and answers its request once it is complete.
    fn read<S>(&mut self, id: ConnId, clients: &mut Hub<S>, buffer: &mut ReadBuffer) {
        for _ in 0..READS_PER_EVENT {
            let Some(outbound) = self.hub.get_mut(id) else { return };
            match outbound.stream.read(buffer) {
                Ok(Read::Plain { bytes, .. }) => {
                    self.hub.stats.received_bytes += bytes.len() as u64;
                    self.receive(id, bytes, clients);
                }
                Ok(Read::Nothing) => self.hub.flush(id),
                Ok(Read::End) => return self.hub.end_of_input(id),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => return self.hub.abort_socket(id, &error),
            }
        }
    }

    fn receive<S>(&mut self, id: ConnId, mut input: &mut [u8], clients: &mut Hub<S>) {
        if self.stage(id) != Some(Stage::Connecting) {
            return;
        }
        self.report(clients);
        let Some((_, reader)) = self.readers.iter_mut().find(|(it, _)| *it == id) else { return };
        let response = match reader.next_request(&mut input, &self.hub.config.limits) {
            Ok(None) => return,
            Ok(Some(request)) => metrics::page(&request, &clients.current_stats(), clients.is_shutting_down),
            Err(error) => {
                info!("metrics connection {id} refused: {} {error}", error.status());
                Response::refusal(error)
            }
        };
        self.hub.respond(id, &response);
    }

    /// Ends a connection whose deadline has come.
    fn end(&mut self, id: ConnId) {
        match self.stage(id) {
            Some(Stage::Connecting) => self.hub.respond(id, &Response::refusal(HandshakeError::Timeout)),
            Some(_) => self.hub.terminate(id),
            None => {}
        }
    }

    /// Closes a connection to make room for another: the oldest without a request, or else the oldest.
    /// Returns whether there was one.
    fn evict<S>(&mut self, clients: &mut Hub<S>, buffer: &mut ReadBuffer) -> bool {
        for id in self.readers.iter().map(|(id, _)| *id).collect::<Vec<_>>() {
            if self.stage(id) != Some(Stage::Connecting) {
                continue;
            }
            // A request that has arrived and was not read yet is answered first.
            self.read(id, clients, buffer);
            if matches!(self.stage(id), Some(Stage::Connecting | Stage::Dead)) {
                self.hub.abort(id, Cause::Local);
                self.settle(clients);
                return true;
            }
        }
        let oldest = self.readers.first().map(|(id, _)| *id);
        oldest.into_iter().for_each(|id| self.hub.abort(id, Cause::Local));
        self.settle(clients);
        oldest.is_some()
    }

    /// Writes the queued bytes, and removes the ended connections.
    fn settle<S>(&mut self, clients: &mut Hub<S>) {
        self.hub.flush_dirty();
        while self.hub.next_drained().is_some() {}
        if self.hub.has_ended() {
            self.hub.remove_dead();
            self.readers.retain(|(id, _)| self.hub.get(*id).is_some());
        }
        self.report(clients);
    }

    /// Adds the sockets and bytes of metrics connections to the clients' figures.
    fn report<S>(&mut self, clients: &mut Hub<S>) {
        clients.count_beside(self.hub.len(), &mut self.hub.stats);
    }
}
