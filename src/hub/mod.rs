//! The sending side of all connections: which there are, what is sent to them, and what waits.
//!
//! This module knows sockets, backlogs and deadlines, and asks `protocol/` what a frame looks like. It
//! refuses to know what was received and which hook handles it: the hooks and the loop call it.
//!
//! - `sending.rs`: messages to one, to another, to many; what is refused.
//! - `closing.rs`: how a connection ends, and that its `on_close` is called once.
//! - `cork.rs`, `writing.rs`: the cork, the backlog, the socket.
//! - `keepalive.rs`: what time does to a connection.
//! - `observer.rs`: the observer of all bytes.
//! - `quota.rs`: how much a batch and a turn may cause.
//! - `registry.rs`, `backlog.rs`, `deadlines.rs`, `timers.rs`, `meter.rs`, `admission.rs`, `leaving.rs`: the
//!   parts.

mod admission;
mod backlog;
mod closing;
mod cork;
mod deadlines;
mod keepalive;
mod leaving;
mod meter;
mod metrics;
mod observer;
mod outbound;
mod quota;
mod registry;
mod sending;
mod timers;
mod writing;

use std::{
    collections::{HashMap, VecDeque},
    io, mem,
    net::SocketAddr,
};

use log::debug;

pub(crate) use backlog::SHARE_LEN;
pub(crate) use deadlines::LoopTime;
pub(crate) use meter::SharedMessage;
pub use observer::Observer;
pub(crate) use observer::ObserverSlot;
pub(crate) use outbound::{Ending, Outbound, Stage};
pub use registry::ConnId;
pub use sending::{BroadcastStatus, SendStatus};
pub use timers::TimerId;
pub(crate) use timers::Timers;

use crate::{
    cause::Cause,
    config::Config,
    panics,
    protocol::{HandshakeError, Response, Sender},
    stats::Stats,
    transport::{PollRegistry, Token},
};
use admission::Admission;
use cork::Cork;
use deadlines::Deadlines;
use leaving::Leaving;
use meter::Meter;
use metrics::MetricsConnections;
use outbound::OutboxPool;
use quota::Quota;
use registry::Registry;

/// How many connections the tables have room for from the start. It is address space only until it is used.
///
/// A block that begins this large has pages of its own, which glibc moves when it grows: nothing is copied
/// then, and no outgrown table stays in the heap.
pub(crate) const ROOM: usize = if cfg!(test) { 64 } else { 16 * 1024 };

/// What a user's timer runs.
pub(crate) type Task<S> = Box<dyn FnMut(&mut Hub<S>)>;

/// All connections of a server.
pub(crate) struct Hub<S> {
    table: Registry<Outbound<S>>,
    /// How many of them are open, or on their way there.
    live: usize,
    pub(crate) config: Config,
    pub(crate) stats: Stats,
    /// The observer of the bytes of all clients.
    pub(crate) observer: ObserverSlot,
    /// The time at which this turn began.
    pub(crate) now: LoopTime,
    /// What a batch and a turn may cause.
    pub(crate) quota: Quota,
    /// Bytes that are held for all of them.
    meter: Meter,
    /// An allocation was refused, and nothing was given back since.
    pub(crate) is_short_of_memory: bool,
    outbox_pool: OutboxPool,
    admission: Admission,
    /// The sockets that only wait for their end.
    leaving: Leaving,
    cork: Cork,
    /// Connections whose backlog is flushed at the end of the turn.
    dirty: Vec<ConnId>,
    /// How many bytes were queued for them since the last flush.
    unflushed: usize,
    /// Connections that have ended and whose `on_close` was not called yet.
    endings: VecDeque<(ConnId, Ending)>,
    /// Ends that are clean once our Close has left.
    unproven: HashMap<ConnId, Ending>,
    /// Connections whose socket has refused bytes and has taken all of them since.
    drained: VecDeque<ConnId>,
    /// Paused connections that have taken enough to be read from again.
    resumable: VecDeque<ConnId>,
    /// Connections to be removed at the end of the turn.
    dead: Vec<ConnId>,
    deadlines: Deadlines,
    pub(crate) timers: Timers<Task<S>>,
    /// The timer whose task runs now.
    pub(crate) running_timer: Option<TimerId>,
    /// The server is going down.
    pub(crate) is_shutting_down: bool,
    metrics: MetricsConnections,
    poll: PollRegistry,
}

impl<S> Hub<S> {
    /// What a connection costs in the table, in bytes.
    #[cfg(test)]
    pub(crate) const PLACE_LEN: usize = Registry::<Outbound<S>>::PLACE_LEN;

    pub(crate) fn new(config: Config, timers: Timers<Task<S>>, poll: PollRegistry) -> Self {
        let meter = Meter::default();
        Self {
            table: Registry::with_capacity(ROOM),
            live: 0,
            config,
            stats: Stats::default(),
            observer: ObserverSlot::default(),
            now: LoopTime::default(),
            quota: Quota::default(),
            is_short_of_memory: false,
            outbox_pool: OutboxPool::new(meter.clone()),
            meter,
            admission: Admission::default(),
            leaving: Leaving::default(),
            cork: Cork::default(),
            dirty: Vec::new(),
            endings: VecDeque::new(),
            unproven: HashMap::new(),
            drained: VecDeque::new(),
            resumable: VecDeque::new(),
            unflushed: 0,
            dead: Vec::new(),
            deadlines: Deadlines::with_capacity(ROOM),
            timers,
            running_timer: None,
            is_shutting_down: false,
            metrics: MetricsConnections::default(),
            poll,
        }
    }

    /// Returns how many sockets there are, the closing ones included.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Returns how many connections are open, or on their way there.
    pub(crate) const fn live(&self) -> usize {
        self.live
    }

    /// Returns how many places the table has, taken or free.
    pub(crate) const fn places(&self) -> usize {
        self.table.places()
    }

    /// Returns how many places broadcasts have visited since the last call.
    #[cfg(test)]
    pub(crate) fn take_looks(&self) -> usize {
        self.table.take_looks()
    }

    #[inline]
    pub(crate) fn get(&self, id: ConnId) -> Option<&Outbound<S>> {
        self.table.get(id)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut Outbound<S>> {
        self.table.get_mut(id)
    }

    #[inline]
    pub(crate) fn id_at(&self, index: usize) -> Option<ConnId> {
        self.table.id_at(index)
    }

    #[inline]
    pub(crate) fn is_open(&self, id: ConnId) -> bool {
        self.get(id).is_some_and(|outbound| outbound.stage() == Stage::Open)
    }

    /// Returns whether the server doesn't read from the peer, because the peer doesn't read what its input
    /// causes.
    #[inline]
    pub(crate) fn is_paused(&self, id: ConnId) -> bool {
        self.get(id).is_some_and(|outbound| outbound.paused)
    }

    /// All sockets, whatever their stage.
    pub(crate) fn ids(&self) -> Vec<ConnId> {
        self.table.iter().map(|(id, _)| id).collect()
    }

    /// The connections that can be sent to.
    pub(crate) fn open(&self) -> impl Iterator<Item = (ConnId, &Outbound<S>)> {
        self.table.iter().filter(|(_, outbound)| outbound.stage() == Stage::Open)
    }

    /// Adds a new socket.
    pub(crate) fn insert(&mut self, mut outbound: Outbound<S>) -> io::Result<ConnId> {
        outbound.stream.register(&self.poll, Token(self.table.next_id().index as usize))?;
        let id = self.table.insert(outbound);
        self.live += 1;
        self.schedule(id);
        Ok(id)
    }

    /// Counts a new connection, or returns which limit it exceeds: of all connections, or of its address.
    pub(crate) fn admit(&mut self, id: ConnId) -> Result<(), HandshakeError> {
        // The new one is live already.
        if self.config.max_connections.is_some_and(|max| self.live > max) {
            return Err(HandshakeError::TooManyConnections);
        }
        let Some(outbound) = self.table.get_mut(id) else { return Ok(()) };
        self.admission.enter(outbound.address, &self.config, self.now)?;
        outbound.admitted = true;
        Ok(())
    }

    /// Counts a new connection as one that asks for metrics, and no longer as a client.
    pub(crate) fn set_metrics(&mut self, id: ConnId) {
        self.metrics.insert(id);
        self.live -= 1;
    }

    /// Returns the connections that ask for metrics, with their stages, the oldest first.
    pub(crate) fn metrics_connections(&self) -> Vec<(ConnId, Stage)> {
        let stage_of = |id: ConnId| self.get(id).map(|outbound| (id, outbound.stage()));
        self.metrics.iter().filter_map(stage_of).filter(|(_, stage)| *stage != Stage::Dead).collect()
    }

    /// Returns how many sockets only wait for their end.
    pub(crate) const fn leaving(&self) -> usize {
        self.leaving.len()
    }

    /// Returns how many sockets of an address only wait for their end.
    pub(crate) fn leaving_of(&self, address: SocketAddr) -> usize {
        self.leaving.len_of(address)
    }

    /// Closes a socket that only waits for its end, so that there is room for another; whether there was one.
    /// It is one of the address that has most of them.
    pub(crate) fn evict(&mut self) -> bool {
        let table = &self.table;
        let is_in =
            |id: ConnId, stage| table.get(id).is_some_and(|outbound: &Outbound<S>| outbound.stage() == stage);
        let Some(id) = self.leaving.next_to_evict(is_in) else { return false };
        debug!("connection {id}: closed before its end has come, to make room");
        self.stats.evicted += 1;
        self.abort(id, Cause::Local);
        true
    }

    /// Sends the answer that opens the connection (§4.2.2); from here on `sender` says what may be sent.
    pub(crate) fn open_connection(&mut self, id: ConnId, response: &Response, sender: Sender) {
        self.push_response(id, response);
        if let Some(outbound) = self.table.get_mut(id) {
            outbound.set_sender(sender);
        }
        self.set_stage(id, Stage::Open);
    }

    /// Sends an answer that opens nothing, and ends the connection.
    pub(crate) fn respond(&mut self, id: ConnId, response: &Response) {
        self.push_response(id, response);
        self.finish(id);
    }

    fn push_response(&mut self, id: ConnId, response: &Response) {
        if !self.metrics.contains(id) {
            self.stats.count_handshake(response.status());
        }
        self.push_with(id, |_, out| response.encode(out));
    }

    /// Passes received bytes to the observer, if they are from a client.
    #[inline]
    pub(crate) fn observe_received(&mut self, id: ConnId, bytes: &[u8]) {
        if self.observer.is_on() {
            self.tell_received(id, bytes);
        }
    }

    #[cold]
    fn tell_received(&mut self, id: ConnId, bytes: &[u8]) {
        if !self.metrics.contains(id) {
            self.observer.tell(|observer| observer.received(id, bytes));
        }
    }

    /// Counts the bytes that are held of a connection's input.
    #[inline]
    pub(crate) fn hold(&mut self, id: ConnId, bytes: usize) {
        if let Some(outbound) = self.table.get_mut(id)
            && outbound.input_held != bytes
        {
            self.meter.add(bytes);
            self.meter.sub(mem::replace(&mut outbound.input_held, bytes));
        }
    }

    /// Returns how many bytes are held for all connections together.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        self.meter.held()
    }

    /// Returns whether all connections together hold more than `max_buffered_bytes`.
    #[inline]
    pub(crate) fn is_over_budget(&self) -> bool {
        self.held() > self.config.max_buffered_bytes
    }

    /// The connections that hold most, as many as must go so that an eighth of what may be held is free
    /// again.
    pub(crate) fn heaviest(&self) -> Vec<ConnId> {
        // Where an allocation was refused, what is held now is too much.
        let most = self.config.max_buffered_bytes.min(self.held());
        let mut excess = self.held().saturating_sub(most / 8 * 7);
        let mut holders: Vec<(usize, ConnId)> = self
            .table
            .iter()
            .map(|(id, outbound)| (outbound.held(), id))
            .filter(|(held, _)| *held > 0)
            .collect();
        holders.sort_unstable_by(|a, b| b.cmp(a));
        let is_needed = |(held, _): &(usize, ConnId)| {
            let is_needed = excess > 0;
            excess = excess.saturating_sub(*held);
            is_needed
        };
        holders.into_iter().take_while(is_needed).map(|(_, id)| id).collect()
    }

    /// Returns how many deadlines there are, dead entries included.
    #[cfg(test)]
    pub(crate) fn deadline_count(&self) -> usize {
        self.deadlines.len()
    }

    /// Returns the figures as of now.
    pub(crate) fn current_stats(&self) -> Stats {
        let mut stats = self.stats;
        stats.connections = self.live as u64;
        stats.sockets = self.table.len() as u64;
        stats.buffered_bytes = self.meter.held() as u64;
        stats
    }

    // --- What the loop collects ------------------------------------------------------------------------

    pub(crate) fn next_ending(&mut self) -> Option<(ConnId, Ending)> {
        let (id, ending) = self.endings.pop_front()?;
        self.stats.count_close(ending.code.0, ending.cause);
        Some((id, ending))
    }

    /// Returns whether the backlog of a slow peer has emptied, or a paused peer can be read from again.
    pub(crate) fn has_drained(&self) -> bool {
        !self.drained.is_empty() || !self.resumable.is_empty()
    }

    /// Returns a connection that is read from again, from here on.
    pub(crate) fn next_resumable(&mut self) -> Option<ConnId> {
        loop {
            let id = self.resumable.pop_front()?;
            if self.table.get_mut(id).is_some_and(|outbound| mem::take(&mut outbound.paused)) {
                return Some(id);
            }
        }
    }

    /// Returns a connection whose socket has refused bytes and has taken all of them since.
    pub(crate) fn next_drained(&mut self) -> Option<ConnId> {
        self.drained.pop_front()
    }

    /// Returns how many connections wait for [`next_drained`](Self::next_drained).
    pub(crate) fn drained(&self) -> usize {
        self.drained.len()
    }

    /// Returns whether an `on_close` must be called.
    pub(crate) fn has_endings(&self) -> bool {
        !self.endings.is_empty()
    }

    /// Returns whether an `on_close` must be called, or a connection must be removed.
    pub(crate) fn has_ended(&self) -> bool {
        !self.endings.is_empty() || !self.dead.is_empty()
    }

    /// Removes the connections in the stage `Dead`, closes their sockets, and returns their ids.
    pub(crate) fn remove_dead(&mut self) -> Vec<ConnId> {
        let dead = mem::take(&mut self.dead);
        for &id in &dead {
            self.hold(id, 0);
            let Some(outbound) = self.table.remove(id) else { continue };
            // The socket closes here.
            panics::discard(outbound);
            if !self.metrics.remove(id) {
                self.observer.tell(|observer| observer.disconnected(id));
            }
        }
        self.compact_deadlines();
        dead
    }
}
