//! The end of a turn: queued bytes go out, too much held memory is freed, and the hooks for drained and ended
//! connections run.

use std::mem;

use log::{info, warn};

use super::EventLoop;
use crate::{
    handler::{Closed, Handler},
    hub::{ConnId, ROOM},
    server::{acceptor::Acceptor, dispatch, inbound::Inbound},
    transport::Listener,
};

impl<H: Handler, L: Listener> EventLoop<H, L> {
    /// Finishes what this turn began: writes, sheds, calls `on_drain` and `on_close`.
    pub(super) fn settle(&mut self) {
        self.hub.flush_dirty();
        self.shed();
        if self.hub.has_drained() {
            self.run_on_drain();
        }
        if self.hub.has_ended() {
            self.finish_closed();
        }
    }

    /// Calls `on_drain` where a queue has emptied, and resumes the connections that were paused.
    #[inline(never)]
    fn run_on_drain(&mut self) {
        self.hub.quota.begin_batch();
        for _ in 0..self.hub.drained() {
            let Some(id) = self.hub.next_drained() else { break };
            self.call_on_drain(id);
            self.shed();
            if self.is_share_used_up() {
                break;
            }
        }
        while let Some(id) = self.hub.next_resumable() {
            self.resume(id);
            if self.hub.quota.is_turn_used_up() {
                break;
            }
        }
        self.hub.flush_dirty();
    }

    /// Calls `on_close` for every connection that ended this turn, then frees its slot.
    #[inline(never)]
    fn finish_closed(&mut self) {
        // A hook may end other connections, whose hooks run in turn. Each connection ends once, so the loop
        // ends. No bytes may be sent after it: a connection that ends then would be removed below without its
        // `on_close`.
        self.hub.quota.begin_batch();
        while !self.is_share_used_up()
            && let Some((id, ending)) = self.hub.next_ending()
        {
            let close = Closed::new(ending.code, &ending.reason, ending.cause, ending.clean);
            info!("connection {id} closed: {close}");
            dispatch::catch_panic(id, &mut self.hub, |ws| self.handler.on_close(ws, &close));
            self.hub.flush_dirty();
            self.shed();
        }
        if self.hub.has_endings() {
            return;
        }
        for id in self.hub.remove_dead() {
            // Frees the input that it held now, not when its slot is used again.
            self.inbound[id.index as usize] = Inbound::default();
        }
        self.metrics_acceptor.iter_mut().for_each(Acceptor::refill);
        if self.inbound.len() > 4 * self.hub.places().max(ROOM) {
            self.shrink_tables();
        }
    }

    /// Frees the memory of slots that nearly all connections have left.
    #[cold]
    fn shrink_tables(&mut self) {
        // The lists index these slots.
        self.more.retain(|id| self.hub.get(*id).is_some());
        self.bulk.retain(|id| self.hub.get(*id).is_some());
        let places = self.hub.places();
        self.inbound.truncate(places);
        self.inbound.shrink_to(2 * places.max(ROOM));
    }

    /// Calls `on_drain`: a slow peer has read all that was queued for it.
    fn call_on_drain(&mut self, id: ConnId) {
        if self.hub.is_open(id) {
            self.hub.cork(id);
            dispatch::catch_panic(id, &mut self.hub, |ws| self.handler.on_drain(ws));
            self.hub.uncork();
        }
    }

    /// Returns whether hooks that belong to no batch of input have used up their share of this turn.
    pub(super) fn is_share_used_up(&mut self) -> bool {
        self.hub.quota.step() && self.hub.quota.is_used_up()
    }

    /// Closes the connections that hold most memory, if all together hold too much.
    #[inline]
    pub(super) fn shed(&mut self) {
        if self.hub.is_over_budget() || self.hub.is_short_of_memory {
            self.shed_heaviest();
        }
    }

    #[cold]
    fn shed_heaviest(&mut self) {
        // Bytes that a socket takes at once are held no longer.
        self.hub.flush_dirty();
        // More than once: connections that share a large frame free nothing until the last of them closes.
        while self.hub.is_over_budget() || mem::take(&mut self.hub.is_short_of_memory) {
            let heaviest = self.hub.heaviest();
            if heaviest.is_empty() {
                break;
            }
            for id in heaviest {
                warn!("connection {id} is shed: too much is held for all connections together");
                self.inbound[id.index as usize].forget();
                self.hub.shed(id);
            }
        }
        // A connection that is shed before it opens gets an answer.
        self.hub.flush_dirty();
    }
}
