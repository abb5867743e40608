//! What time does to a connection: deadlines that end a stage, pings for the silent, and the end of the dead.
//!
//! This file knows how long each stage may last. It refuses to know what time it is: the loop says so.

use log::debug;

use super::{ConnId, Hub, LoopTime, outbound::Stage};
use crate::cause::Cause;

impl<S> Hub<S> {
    /// Bytes have come from the peer.
    #[inline]
    pub(crate) fn note_activity(&mut self, id: ConnId) {
        let now = self.now;
        if let Some(outbound) = self.table.get_mut(id)
            && outbound.stage() == Stage::Open
        {
            (outbound.since, outbound.pinged) = (now, false);
        }
    }

    /// The earliest time at which [`expire`](Self::expire) has something to do; [`LoopTime::NEVER`] if it has nothing.
    pub(crate) fn next_deadline(&self) -> LoopTime {
        self.deadlines.next()
    }

    /// Sees to it that the timer looks at a connection in time.
    pub(crate) fn schedule(&mut self, id: ConnId) {
        let Some(outbound) = self.table.get_mut(id) else { return };
        let Some(due) = outbound.due(&self.config) else { return };
        if due < outbound.scheduled {
            outbound.scheduled = due;
            self.deadlines.insert(due, id);
            self.compact_deadlines();
        }
    }

    /// Removes the deadlines of connections that have gone or have an earlier one, once they are the most.
    #[inline]
    pub(super) fn compact_deadlines(&mut self) {
        let table = &self.table;
        self.deadlines.compact(table.len(), |at, id| table.get(id).is_some_and(|it| it.scheduled == at));
    }

    /// Whether the time of a connection has come.
    pub(crate) fn is_due(&self, id: ConnId) -> bool {
        self.get(id).and_then(|outbound| outbound.due(&self.config)).is_some_and(|due| due <= self.now)
    }

    /// Whether a connection ends when its time has come; otherwise it is pinged.
    pub(crate) fn ends_when_due(&self, id: ConnId) -> bool {
        self.get(id).is_some_and(|outbound| outbound.stage() != Stage::Open || outbound.pinged)
    }

    /// A connection whose time may have come. Call until there is none.
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

    /// Puts off the time of an open connection that has spoken and was not read from yet; whether there was a time to put
    /// off. One that is over at once can't be.
    pub(crate) fn defer_ping(&mut self, id: ConnId) -> bool {
        let is_excused = self.is_open(id) && self.config.ping_interval.is_some_and(|it| !it.is_zero());
        if is_excused {
            self.note_activity(id);
            self.schedule(id);
        }
        is_excused
    }

    /// Nothing was heard of an open connection for a while: pings it, or gives it up.
    pub(crate) fn check_alive(&mut self, id: ConnId) {
        let now = self.now;
        let Some(outbound) = self.table.get_mut(id) else { return };
        if outbound.pinged {
            debug!("connection {id}: no sign of life after a ping");
            return self.fail(id, Cause::Timeout);
        }
        // The time to answer begins now, however late the loop has come to this.
        (outbound.pinged, outbound.since) = (true, now);
        // A peer with a backlog shows by taking it that it lives; a ping would only wait behind it.
        if !outbound.is_blocked() {
            let _ = self.ping(id, &[]);
        }
        self.schedule(id);
    }
}
