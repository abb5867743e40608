//! The order in which connections are read again, and how often.
//!
//! Each connection is read from once per turn. Three lists hold the connections that have more: with little
//! to read, with a full buffer, and with a batch that queues much for others.

use std::mem;

use super::inbound::Inbounds;
use crate::{
    handler::Handler,
    hub::{ConnId, Hub},
    transport::ReadBuffer,
};

/// How many connections were in each list when the turn began. Those that are added later wait for the next
/// turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    more: usize,
    bulk: usize,
    costly: usize,
}

impl Inbounds {
    /// Returns how many connections wait to be read from.
    #[inline]
    pub(super) fn waiting(&self) -> Waiting {
        Waiting { more: self.more.len(), bulk: self.bulk.len(), costly: self.costly.len() }
    }

    /// Returns whether connections wait to be read from.
    #[inline]
    pub(super) fn has_waiting(&self) -> bool {
        let Waiting { more, bulk, costly } = self.waiting();
        more | bulk | costly != 0
    }

    /// Returns whether the next batch of a connection waits until the turn has time for it.
    #[inline]
    pub(super) fn must_wait<S>(&self, is_costly: bool, hub: &Hub<S>) -> bool {
        is_costly && (hub.quota.is_turn_used_up() || !self.costly.is_empty())
    }

    /// Reads from the connections that waited when the turn began.
    // Most turns have none: not inlined, so that the code for messages stays small.
    #[inline(never)]
    pub(super) fn read_waiting<H: Handler>(
        &mut self,
        waiting: Waiting,
        handler: &mut H,
        hub: &mut Hub<H::State>,
    ) {
        let later = self.more.split_off(waiting.more);
        for id in mem::replace(&mut self.more, later) {
            self.read_again(id, handler, hub);
        }
        self.read_bulk(waiting.bulk, handler, hub);
        self.read_costly(waiting.costly, handler, hub);
    }

    /// Reads from a connection that was in a list. Returns whether the read filled the buffer.
    fn read_again<H: Handler>(&mut self, id: ConnId, handler: &mut H, hub: &mut Hub<H::State>) -> bool {
        let Some(inbound) = self.get_mut(id) else { return false };
        inbound.has_more = false;
        self.read_on(id, handler, hub)
    }

    /// Continues with the postponed input, or reads if there is none. Returns whether the read
    /// filled the buffer.
    fn read_on<H: Handler>(&mut self, id: ConnId, handler: &mut H, hub: &mut Hub<H::State>) -> bool {
        if self.get_mut(id).is_some_and(|inbound| inbound.has_stash()) && !hub.is_paused(id) {
            self.resume(id, handler, hub);
            return false;
        }
        self.read(id, handler, hub)
    }

    /// Reads from the first `count` costly connections while the turn has time, and from one in any case.
    fn read_costly<H: Handler>(&mut self, count: usize, handler: &mut H, hub: &mut Hub<H::State>) {
        for _ in 0..count {
            let Some(id) = self.costly.pop_front() else { return };
            self.read_again(id, handler, hub);
            if hub.quota.is_turn_used_up() {
                return;
            }
        }
    }

    /// Reads from the first `count` connections that have filled the buffer, until one of them fills it
    /// again.
    ///
    /// The others wait for the next turn: before it, the poll reports the sockets with little to read.
    fn read_bulk<H: Handler>(&mut self, count: usize, handler: &mut H, hub: &mut Hub<H::State>) {
        for _ in 0..count {
            let Some(id) = self.bulk.pop_front() else { return };
            let arrived = self.arrived(id);
            if self.read_again(id, handler, hub) {
                // Moves it back to the front: finishing one large message before the next keeps only one of
                // them in memory. It must make progress: a read that adds less than half a buffer loses its
                // place.
                if self.arrived(id) > arrived + ReadBuffer::LEN / 2 {
                    self.bulk.rotate_right(1);
                }
                return;
            }
        }
    }

    /// Returns the number of received bytes of a connection's incomplete message.
    fn arrived(&mut self, id: ConnId) -> usize {
        self.get_mut(id).map_or(0, |inbound| inbound.arrived())
    }

    /// Reads once before a connection is closed for its silence; while it closes, also writes once.
    ///
    /// After a long hook, or when the process was stopped, more sockets are ready than one poll reports. An
    /// answer that arrived in time can still be in its socket, and the loop's delay must not end the
    /// connection. One read is enough: an incomplete answer changes nothing.
    pub(super) fn read_once_more<H: Handler>(
        &mut self,
        id: ConnId,
        handler: &mut H,
        hub: &mut Hub<H::State>,
    ) {
        if !hub.is_open(id) {
            hub.flush(id);
        }
        self.read_on(id, handler, hub);
    }
}
