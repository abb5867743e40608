//! The table of all connections, and what the server keeps beside it: counts, lists, deadlines, timers.
//!
//! This file knows which connections there are and what the loop collects at the end of a turn. It refuses to
//! know what is sent and how a connection ends: the files above it do.

use std::{
    collections::{HashMap, VecDeque},
    mem,
};

use super::{
    admission::Admission,
    compression::Compression,
    cork::Cork,
    deadlines::{Deadlines, LoopTime},
    leaving::Leaving,
    meter::Meter,
    observer::ObserverSlot,
    outbound::{End, Ending, Outbound, OutboxPool, Stage},
    quota::Quota,
    registry::{ConnId, Registry},
    serializing::Serializing,
    timers::{TimerId, Timers},
};
use crate::{
    config::Config,
    entropy::Keys,
    stats::Stats,
    transport::{PollRegistry, Token},
};

/// How many connections the tables have room for from the start. It is address space only until it is used.
///
/// A block that begins this large has pages of its own, which glibc moves when it grows: nothing is copied
/// then, and no outgrown table stays in the heap.
pub(crate) const ROOM: usize = if cfg!(test) { 64 } else { 16 * 1024 };

/// What a user's timer runs.
pub(crate) type Task<S> = Box<dyn FnMut(&mut Hub<S>)>;

/// All connections of a server.
pub(crate) struct Hub<S> {
    pub(super) table: Registry<Outbound<S>>,
    /// How many of them are open, or on their way there.
    pub(super) live: usize,
    pub(crate) config: Config,
    pub(crate) stats: Stats,
    /// The observer of the bytes of all clients.
    pub(crate) observer: ObserverSlot,
    /// The time at which this turn began.
    pub(crate) now: LoopTime,
    /// What a batch and a turn may cause.
    pub(crate) quota: Quota,
    /// Bytes that are held for all of them.
    pub(super) meter: Meter,
    /// The masking keys of the connections that this program has opened.
    pub(crate) keys: Keys,
    /// An allocation was refused, and nothing was given back since.
    pub(crate) is_short_of_memory: bool,
    pub(super) outbox_pool: OutboxPool,
    pub(super) admission: Admission,
    /// The sockets that only wait for their end.
    pub(super) leaving: Leaving,
    pub(super) cork: Cork,
    /// Which connections to servers wait for their turn to open.
    pub(super) serializing: Serializing,
    /// What compresses and inflates, if that is on.
    pub(crate) compression: Option<Box<Compression>>,
    /// Connections whose backlog is flushed at the end of the turn.
    pub(super) dirty: Vec<ConnId>,
    /// How many bytes were queued for them since the last flush.
    pub(super) unflushed: usize,
    /// Connections that have ended and whose last hook was not called yet.
    pub(super) endings: VecDeque<(ConnId, End)>,
    /// Ends that are clean once our Close has left.
    pub(super) unproven: HashMap<ConnId, Ending>,
    /// Connections whose socket has refused bytes and has taken all of them since.
    pub(super) drained: VecDeque<ConnId>,
    /// Paused connections that have taken enough to be read from again.
    pub(super) resumable: VecDeque<ConnId>,
    /// Connections to be removed at the end of the turn.
    pub(super) dead: Vec<ConnId>,
    pub(super) deadlines: Deadlines,
    pub(crate) timers: Timers<Task<S>>,
    /// The timer whose task runs now.
    pub(crate) running_timer: Option<TimerId>,
    /// The server is going down.
    pub(crate) is_shutting_down: bool,
    /// Sockets that are no clients' and have another table.
    sockets_beside: usize,
    /// The token of the first place.
    first_token: usize,
    pub(super) poll_registry: PollRegistry,
}

impl<S> Hub<S> {
    /// What a connection costs in the table, in bytes.
    #[cfg(test)]
    pub(crate) const PLACE_LEN: usize = Registry::<Outbound<S>>::PLACE_LEN;

    pub(crate) fn new(config: Config, timers: Timers<Task<S>>, poll_registry: PollRegistry) -> Self {
        let compression = Compression::of(&config);
        Self { compression, ..Self::with_room(config, timers, poll_registry, ROOM) }
    }

    /// Creates a small table for connections that are no clients, whose tokens begin at `first_token`.
    pub(crate) fn beside(config: Config, poll_registry: PollRegistry, first_token: usize) -> Self {
        Self { first_token, ..Self::with_room(config, Timers::default(), poll_registry, 0) }
    }

    fn with_room(config: Config, timers: Timers<Task<S>>, poll_registry: PollRegistry, room: usize) -> Self {
        let meter = Meter::default();
        Self {
            table: Registry::with_capacity(room),
            live: 0,
            config,
            stats: Stats::default(),
            observer: ObserverSlot::default(),
            now: LoopTime::default(),
            quota: Quota::default(),
            keys: Keys::default(),
            serializing: Serializing::default(),
            is_short_of_memory: false,
            outbox_pool: OutboxPool::new(meter.clone()),
            meter,
            admission: Admission::default(),
            leaving: Leaving::default(),
            cork: Cork::default(),
            compression: None,
            dirty: Vec::new(),
            endings: VecDeque::new(),
            unproven: HashMap::new(),
            drained: VecDeque::new(),
            resumable: VecDeque::new(),
            unflushed: 0,
            dead: Vec::new(),
            deadlines: Deadlines::with_capacity(room),
            timers,
            running_timer: None,
            is_shutting_down: false,
            sockets_beside: 0,
            first_token: 0,
            poll_registry,
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

    /// Returns how many of them have connected to this program.
    pub(crate) fn clients(&self) -> usize {
        self.live.saturating_sub(self.stats.outbound as usize)
    }

    /// Returns how many places the table has, taken or free.
    pub(crate) const fn places(&self) -> usize {
        self.table.places()
    }

    /// Returns how many places broadcasts have visited since the last call.
    #[cfg(test)]
    pub(crate) fn take_visits(&self) -> usize {
        self.table.take_visits()
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
        self.get(id).is_some_and(Outbound::is_paused)
    }

    /// Returns whether `len` more bytes may wait for this peer: nothing waits, or the sum stays within the
    /// limit.
    ///
    /// The peer's own hooks are never refused: instead the peer is no longer read from.
    #[inline]
    pub(super) fn fits(&self, id: ConnId, buffered: usize, len: usize) -> bool {
        buffered == 0 || buffered + len <= self.config.max_backpressure || self.cork.is_owned_by(id)
    }

    /// All sockets, whatever their stage.
    pub(crate) fn ids(&self) -> Vec<ConnId> {
        self.table.iter().map(|(id, _)| id).collect()
    }

    /// The connections that can be sent to.
    pub(crate) fn open(&self) -> impl Iterator<Item = (ConnId, &Outbound<S>)> {
        self.table.iter().filter(|(_, outbound)| outbound.stage() == Stage::Open)
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
        stats.sockets = (self.table.len() + self.sockets_beside) as u64;
        stats.buffered_bytes = self.meter.held() as u64;
        if let Some(compression) = &self.compression {
            let (compressors, windows) = compression.memory();
            (stats.compressor_bytes, stats.window_bytes) = (compressors as u64, windows as u64);
        }
        stats
    }

    /// Has the figures contain the sockets of another table, and its bytes, which are taken from there.
    pub(crate) fn count_beside(&mut self, sockets: usize, stats: &mut Stats) {
        self.sockets_beside = sockets;
        self.stats.received_bytes += mem::take(&mut stats.received_bytes);
        self.stats.sent_bytes += mem::take(&mut stats.sent_bytes);
    }

    /// Returns the token of a place.
    pub(super) fn token(&self, index: u32) -> Token {
        Token(self.first_token + index as usize)
    }

    // --- What the loop collects ------------------------------------------------------------------------

    pub(crate) fn next_ending(&mut self) -> Option<(ConnId, End)> {
        let (id, end) = self.endings.pop_front()?;
        if let End::Closed(ending) = &end {
            self.stats.count_close(ending.code.0, ending.cause);
        }
        Some((id, end))
    }

    /// Returns whether the backlog of a slow peer has emptied, or a paused peer can be read from again.
    pub(crate) fn has_drained(&self) -> bool {
        !self.drained.is_empty() || !self.resumable.is_empty()
    }

    /// Returns a connection that is read from again, from here on.
    pub(crate) fn next_resumable(&mut self) -> Option<ConnId> {
        loop {
            let id = self.resumable.pop_front()?;
            if self.table.get_mut(id).is_some_and(Outbound::unpause) {
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

    /// Returns whether a last hook must be called.
    pub(crate) fn has_endings(&self) -> bool {
        !self.endings.is_empty()
    }

    /// Returns whether a last hook must be called, or a connection must be removed.
    pub(crate) fn has_ended(&self) -> bool {
        !self.endings.is_empty() || !self.dead.is_empty()
    }
}
