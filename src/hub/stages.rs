//! What follows when a connection goes to another stage: counts, deadlines, and the ending that `on_close`
//! receives.
//!
//! This file knows the tables that depend on a stage. It refuses to know sockets, and why a stage changes.

use std::mem;

use super::{
    deadlines::LoopTime,
    outbound::{End, Ending, Outbound, Stage},
    registry::ConnId,
    table::Hub,
};
use crate::panics;

impl<S> Hub<S> {
    /// Goes to another stage, and keeps everything right that depends on it.
    pub(super) fn set_stage(&mut self, id: ConnId, stage: Stage) {
        let now = self.now;
        let Some(outbound) = self.table.get_mut(id) else { return };
        let before = outbound.set_stage(id, stage, now, &mut self.cork);
        // The peer's Close, or its end, must be received.
        if !matches!(stage, Stage::Open | Stage::Dead) && outbound.is_paused_by_application() {
            self.resume_reads(id);
        }
        if stage == Stage::Dead {
            self.dead.push(id);
        }
        if matches!(stage, Stage::Finishing | Stage::Lingering | Stage::Dead) {
            self.forget_compressor(id);
        }
        if before == Stage::Connecting {
            self.leave_address(id);
        }
        self.count_change(id, before, stage);
        if stage == Stage::Dead {
            self.tell_unproven(id, false);
        }
        self.limit_closing(id);
        self.schedule(id);
    }

    /// Notes that a connection is not opening any more: it is the turn of the next one to its address.
    pub(super) fn leave_address(&mut self, id: ConnId) {
        let Some(client) = self.table.get_mut(id).and_then(Outbound::client_mut) else { return };
        let Some(address) = client.address.take() else { return };
        let Some(next) = self.serializing.leave(id, address) else { return };
        if let Some(client) = self.table.get_mut(next).and_then(Outbound::client_mut) {
            client.note_turn();
        }
        self.schedule(next);
    }

    /// Keeps the counts per stage: of live connections, of leaving sockets, and of the connections of one
    /// address.
    fn count_change(&mut self, id: ConnId, before: Stage, stage: Stage) {
        let Some(outbound) = self.table.get_mut(id) else { return };
        let address = outbound.address;
        if before.is_live() && !stage.is_live() {
            self.live -= 1;
            self.stats.outbound -= u64::from(outbound.is_client());
        }
        // Not before: else an address could have any number of sockets that only wait for their end.
        if stage == Stage::Dead && outbound.take_admitted() {
            self.admission.leave(address, &self.config);
        }
        let table = &self.table;
        let is_in = |id: ConnId, stage| table.get(id).is_some_and(|outbound| outbound.stage() == stage);
        self.leaving.change(id, address, (before, stage), is_in);
    }

    /// Removes the connections in the stage `Dead`, closes their sockets, and returns their ids.
    pub(crate) fn remove_dead(&mut self) -> Vec<ConnId> {
        let dead = mem::take(&mut self.dead);
        for &id in &dead {
            let Some(mut outbound) = self.table.remove(id) else { continue };
            outbound.hold_input(0, &self.meter);
            #[cfg(feature = "tls")]
            outbound.hold_stream(0, &self.meter);
            let is_observed = outbound.client().is_none_or(|client| client.is_observed);
            // The socket closes here.
            panics::discard(outbound);
            if is_observed {
                self.observer.tell(|observer| observer.disconnected(id));
            }
        }
        self.compact_deadlines();
        dead
    }

    /// Sets the time at which a closing peer is given up although it still takes what waits.
    pub(super) fn limit_closing(&mut self, id: ConnId) {
        let give_up_at = self.now + self.config.max_close_time.max(self.config.close_timeout);
        if let Some(outbound) = self.table.get_mut(id)
            && matches!(outbound.stage(), Stage::Closing | Stage::Finishing)
            && let Some(outbox) = &mut outbound.outbox
        {
            outbox.give_up_at.get_or_insert(give_up_at);
        }
    }

    // --- Endings ---------------------------------------------------------------------------------------

    /// Notes how a connection ended, the first time that it does. One that never opened has no `on_close`.
    ///
    /// A clean end is reported after our Close has left: until then it may become unclean (§7.1.4). Any other
    /// end is reported at once.
    pub(super) fn end(&mut self, id: ConnId, ending: Ending) {
        if !self.get(id).is_some_and(|outbound| matches!(outbound.stage(), Stage::Open | Stage::Closing)) {
            return;
        }
        if ending.clean {
            self.unproven.insert(id, ending);
        } else {
            self.endings.push_back((id, End::Closed(ending)));
        }
    }

    /// Reports the end of a connection that awaited its last byte to leave: clean if it has left.
    pub(super) fn tell_unproven(&mut self, id: ConnId, is_clean: bool) {
        if let Some(ending) = self.unproven.remove(&id) {
            self.endings.push_back((id, End::Closed(Ending { clean: is_clean, ..ending })));
        }
    }

    // --- Pauses ----------------------------------------------------------------------------------------

    /// Stops the reads from a peer until [`resume_reads`](Self::resume_reads). One that is closing is read
    /// on.
    pub(crate) fn pause_reads(&mut self, id: ConnId) {
        if let Some(outbound) = self.table.get_mut(id)
            && matches!(outbound.stage(), Stage::Connecting | Stage::Open)
        {
            outbound.pause_by_application();
            self.cork.pause(id);
        }
    }

    /// Ends that pause: the loop reads from the peer again, at once or when little enough waits for it.
    pub(crate) fn resume_reads(&mut self, id: ConnId) {
        let most = self.config.max_backpressure / 2;
        let now = self.now;
        if let Some(outbound) = self.table.get_mut(id)
            && outbound.unpause_by_application()
        {
            if outbound.stage() == Stage::Open {
                // The time to answer a ping begins now: until now no answer could be received.
                outbound.note_activity(now);
            }
            if outbound.buffered() <= most {
                self.resumable.push_back(id);
            }
        }
    }

    // --- Deadlines -------------------------------------------------------------------------------------

    /// Returns the earliest time at which [`expire`](Self::expire) has something to do; [`LoopTime::NEVER`]
    /// if it has nothing.
    pub(crate) fn next_deadline(&self) -> LoopTime {
        self.deadlines.next()
    }

    /// Enters the next deadline of a connection, unless an earlier one is entered.
    pub(crate) fn schedule(&mut self, id: ConnId) {
        let Some(outbound) = self.table.get_mut(id) else { return };
        if let Some(due) = outbound.schedule(&self.config) {
            self.deadlines.insert(due, id);
            self.compact_deadlines();
        }
    }

    /// Returns a connection whose deadline has come. Call it until there is none.
    pub(crate) fn expire(&mut self) -> Option<ConnId> {
        while let Some((at, id)) = self.deadlines.pop_due(self.now) {
            if !self.table.get_mut(id).is_some_and(|outbound| outbound.unschedule(at)) {
                continue;
            }
            if self.is_due(id) {
                return Some(id);
            }
            self.schedule(id);
        }
        None
    }

    /// Returns whether the deadline of a connection has come.
    pub(crate) fn is_due(&self, id: ConnId) -> bool {
        self.get(id).and_then(|outbound| outbound.due(&self.config)).is_some_and(|due| due <= self.now)
    }

    /// Removes dead entries of the deadlines once they outnumber the others.
    #[inline]
    pub(super) fn compact_deadlines(&mut self) {
        let table = &self.table;
        self.deadlines.compact(table.len(), |at, id| table.get(id).is_some_and(|it| it.is_scheduled_at(at)));
    }
}
