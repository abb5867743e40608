//! Pings and pongs (§5.5.2, §5.5.3), and what a silent peer may expect.
//!
//! This file knows when a ping is due and which pong is owed. It has no clock: the loop sets the time.

use log::debug;

use super::{
    control::Control,
    outbound::{Outbound, Stage},
    registry::ConnId,
    table::Hub,
};
use crate::{
    cause::Cause,
    protocol::{Event, SendError},
    trace,
};

impl<S> Hub<S> {
    /// Sends a ping (§5.5.2).
    pub(crate) fn ping(&mut self, id: ConnId, payload: &[u8]) -> Result<(), SendError> {
        if !self.get(id).is_some_and(Outbound::may_send) {
            return Err(SendError::CloseSent);
        }
        let result = self.push_control(id, Control::Ping(payload));
        if trace::is_on() && result.is_ok() {
            trace::sent(id, &Event::Ping(payload));
        }
        result
    }

    /// Answers a ping (§5.5.2).
    pub(crate) fn pong(&mut self, id: ConnId, payload: &[u8]) {
        let Some(outbound) = self.table.get_mut(id) else { return };
        // §5.5.3: an endpoint with unanswered pings "MAY elect to send a Pong frame for only the most
        // recently processed Ping frame". The others would only lengthen the queue.
        if outbound.is_blocked() {
            outbound.outbox.get_or_insert_with(|| self.outbox_pool.take()).pong = Some(payload.to_vec());
            return;
        }
        if trace::is_on() {
            trace::sent(id, &Event::Pong(payload));
        }
        let ping = Event::Ping(payload);
        // The only error is that a Close was sent, and then no pong is owed.
        let _ = self.push_control(id, Control::Answer(&ping));
    }

    /// Returns whether the next deadline ends the connection; otherwise it sends a ping.
    pub(crate) fn ends_when_due(&self, id: ConnId) -> bool {
        self.get(id).is_some_and(|outbound| outbound.stage() != Stage::Open || outbound.is_pinged())
    }

    /// Puts off the deadline of an open connection that has sent something and was not read from yet. Returns
    /// whether there was one to put off; an interval of zero can't be.
    pub(crate) fn defer_ping(&mut self, id: ConnId) -> bool {
        let can_wait = self.is_open(id) && self.config.ping_interval.is_some_and(|it| !it.is_zero());
        if can_wait {
            self.note_activity(id);
            self.schedule(id);
        }
        can_wait
    }

    /// Pings an open connection that was silent, or fails it if it was pinged before.
    pub(crate) fn check_alive(&mut self, id: ConnId) {
        let now = self.now;
        let Some(outbound) = self.table.get_mut(id) else { return };
        if outbound.is_pinged() && outbound.is_paused_by_application() {
            // A pong could not be received. The next ping finds out whether the socket still takes one.
            outbound.note_activity(now);
            return self.schedule(id);
        }
        if outbound.is_pinged() {
            debug!("connection {id}: no sign of life after a ping");
            return self.fail(id, Cause::Timeout);
        }
        // The time to answer begins now, even if the loop is late.
        outbound.note_ping(now);
        // A peer shows that it lives by taking its backlog; a ping would only wait after it.
        if !outbound.is_blocked() {
            let _ = self.ping(id, &[]);
        }
        self.schedule(id);
    }
}
