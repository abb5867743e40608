//! Deadlines of connections: they end a stage, ping a silent peer, or end the connection of a dead one.
//!
//! This file knows how long each stage may last. It has no clock: the loop sets the time.

use log::debug;

use super::{ConnId, Hub, LoopTime, outbound::Stage};
use crate::cause::Cause;

impl<S> Hub<S> {
    /// Notes that bytes were received from the peer.
    #[inline]
    pub(crate) fn note_activity(&mut self, id: ConnId) {
        let now = self.now;
        if let Some(outbound) = self.table.get_mut(id)
            && outbound.stage() == Stage::Open
        {
            (outbound.since, outbound.pinged) = (now, false);
        }
    }

    /// The earliest time at which [`expire`](Self::expire) has something to do; [`LoopTime::NEVER`] if it has
    /// nothing.
    pub(crate) fn next_deadline(&self) -> LoopTime {
        self.deadlines.next()
    }

    /// Enters the next deadline of a connection, unless an earlier one is entered.
    pub(crate) fn schedule(&mut self, id: ConnId) {
        let Some(outbound) = self.table.get_mut(id) else { return };
        let Some(due) = outbound.due(&self.config) else { return };
        if due < outbound.scheduled {
            outbound.scheduled = due;
            self.deadlines.insert(due, id);
            self.compact_deadlines();
        }
    }

    /// Removes dead entries of the deadlines once they outnumber the others.
    #[inline]
    pub(super) fn compact_deadlines(&mut self) {
        let table = &self.table;
        self.deadlines.compact(table.len(), |at, id| table.get(id).is_some_and(|it| it.scheduled == at));
    }

    /// Returns whether the deadline of a connection has come.
    pub(crate) fn is_due(&self, id: ConnId) -> bool {
        self.get(id).and_then(|outbound| outbound.due(&self.config)).is_some_and(|due| due <= self.now)
    }

    /// Returns whether the next deadline ends the connection; otherwise it sends a ping.
    pub(crate) fn ends_when_due(&self, id: ConnId) -> bool {
        self.get(id).is_some_and(|outbound| outbound.stage() != Stage::Open || outbound.pinged)
    }

    /// Returns a connection whose deadline has come. Call it until there is none.
    pub(crate) fn expire(&mut self) -> Option<ConnId> {
        while let Some((at, id)) = self.deadlines.pop_due(self.now) {
            let now = self.now;
            let Some(outbound) = self.table.get_mut(id) else { continue };
            if outbound.scheduled != at {
                continue;
            }
            outbound.scheduled = LoopTime::NEVER;
            match outbound.due(&self.config) {
                Some(due) if due <= now => return Some(id),
                _ => self.schedule(id),
            }
        }
        None
    }

    /// Puts off the time of an open connection that has spoken and was not read from yet; whether there was a
    /// time to put off. One that is over at once can't be.
    pub(crate) fn defer_ping(&mut self, id: ConnId) -> bool {
        let is_excused = self.is_open(id) && self.config.ping_interval.is_some_and(|it| !it.is_zero());
        if is_excused {
            self.note_activity(id);
            self.schedule(id);
        }
        is_excused
    }

    /// Pings an open connection that was silent, or fails it if it was pinged before.
    pub(crate) fn check_alive(&mut self, id: ConnId) {
        let now = self.now;
        let Some(outbound) = self.table.get_mut(id) else { return };
        if outbound.pinged {
            debug!("connection {id}: no sign of life after a ping");
            return self.fail(id, Cause::Timeout);
        }
        // The time to answer begins now, even if the loop is late.
        (outbound.pinged, outbound.since) = (true, now);
        // A peer shows that it lives by taking its backlog; a ping would only wait after it.
        if !outbound.is_blocked() {
            let _ = self.ping(id, &[]);
        }
        self.schedule(id);
    }
}
