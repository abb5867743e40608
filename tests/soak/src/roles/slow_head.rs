//! Clients that never complete their request.
//!
//! This file knows a head that arrives slowly or not at all, and when the server must time out.

use std::time::Duration;

use crate::{
    line::{End, Pace},
    role::{Me, Role},
    wire,
};

pub(crate) const SLOW_HEAD: &str = "slow heads answered 408 in time";

/// How much too early an event may seem to come: the server counts in milliseconds.
const GRAIN: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(crate) struct SlowHead {
    /// Whether it sends nothing at all.
    pub(crate) is_silent: bool,
}

impl SlowHead {
    pub(crate) const fn new(is_silent: bool) -> Self {
        Self { is_silent }
    }
}

impl Role for SlowHead {
    fn connected(&mut self, me: &mut Me<'_>) {
        me.deadline_in(me.world.timing.handshake + me.world.timing.slack);
        if !self.is_silent {
            // The last byte is due long after the server's timeout.
            let pause = me.world.timing.handshake.mul_f64(2.0 / wire::REQUEST.len() as f64);
            me.line.writing = Pace::Pieces(1, pause);
            me.line.out().extend_from_slice(wire::REQUEST.as_bytes());
        }
    }

    fn opened(&mut self, me: &mut Me<'_>) {
        me.fail(SLOW_HEAD, "let in");
    }

    fn refused(&mut self, me: &mut Me<'_>, status: u16) {
        let took = me.now - me.line.began;
        let is_right = status == 408 && took + GRAIN >= me.world.timing.handshake;
        me.world.tally.judge(SLOW_HEAD, is_right, || format!("{status} after {took:?}"));
        me.leave();
    }

    fn ended(&mut self, me: &mut Me<'_>, end: End) {
        me.fail(SLOW_HEAD, &format!("ended with {end:?} and no answer"));
    }

    fn promise(&self) -> &'static str {
        SLOW_HEAD
    }
}
