//! What a client is: a role that decides, and what it may do with its socket.
//!
//! This file knows the moments in a client's life and the few things that can be done in each. It refuses to know
//! any role, and when the moments come.

use std::time::{Duration, Instant};

use crate::{
    line::{End, Line},
    payload::Pool,
    random::Random,
    tally::Tally,
    wire::{self, FIN, Heard},
};

/// The times that the server was started with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) handshake: Duration,
    pub(crate) ping: Duration,
    pub(crate) pong: Duration,
    pub(crate) close: Duration,
    /// How much later than its time something may come on a busy machine.
    pub(crate) slack: Duration,
}

/// What all clients share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) pool: Pool,
    pub(crate) tally: Tally,
    pub(crate) timing: Timing,
    /// Counts messages, so that no two are alike.
    pub(crate) serial: u64,
}

/// What a client wants of the swarm.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) act_at: Option<Instant>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) gone: bool,
}

/// A client that has its turn.
pub(crate) struct Me<'a> {
    pub(crate) line: &'a mut Line,
    pub(crate) world: &'a mut World,
    pub(crate) plan: &'a mut Plan,
    pub(crate) now: Instant,
}

/// The moments of a client's life. Each role answers those that matter to it.
pub(crate) trait Role {
    fn connected(&mut self, me: &mut Me<'_>) {
        me.line.out().extend_from_slice(wire::REQUEST.as_bytes());
        me.deadline_in(me.world.timing.handshake + me.world.timing.slack);
    }

    /// The handshake has succeeded.
    fn opened(&mut self, me: &mut Me<'_>);

    /// The handshake was answered with something else than 101.
    fn refused(&mut self, me: &mut Me<'_>, status: u16) {
        me.fail(self.promise(), &format!("refused with {status}"));
    }

    fn heard(&mut self, me: &mut Me<'_>, heard: Heard) {
        if let Heard::Ping(payload) = heard {
            me.say(FIN | wire::PONG, &payload);
        }
    }

    /// The time has come that was asked for.
    fn act(&mut self, _: &mut Me<'_>) {}

    /// The socket has taken something.
    fn wrote(&mut self, _: &mut Me<'_>, _len: usize) {}

    /// The server has ended its side.
    fn ended(&mut self, me: &mut Me<'_>, end: End) {
        me.fail(self.promise(), &format!("ended with {end:?}"));
    }

    /// What was waited for has not come in time.
    fn overdue(&mut self, me: &mut Me<'_>) {
        me.fail(self.promise(), "what must come has not come in time");
    }

    /// The run is over: finish what was begun and leave.
    fn retire(&mut self, me: &mut Me<'_>) {
        me.leave();
    }

    /// The promise that is broken when nothing more exact can be said.
    fn promise(&self) -> &'static str;
}

impl Me<'_> {
    pub(crate) fn say(&mut self, first: u8, payload: &[u8]) {
        wire::put_frame(self.line.out(), &mut self.world.random, first, payload);
    }

    pub(crate) fn close(&mut self, code: u16) {
        self.say(FIN | wire::CLOSE, &code.to_be_bytes());
    }

    /// A message that nobody else sends.
    pub(crate) fn compose(&mut self, len: usize) -> (u8, Vec<u8>) {
        self.world.serial += 1;
        self.world.pool.message(&mut self.world.random, self.world.serial, len)
    }

    pub(crate) fn act_in(&mut self, pause: Duration) {
        self.plan.act_at = Some(self.now + pause);
    }

    pub(crate) fn deadline_in(&mut self, time: Duration) {
        self.plan.deadline = Some(self.now + time);
    }

    pub(crate) fn leave(&mut self) {
        self.plan.gone = true;
    }

    pub(crate) fn kept(&mut self, promise: &'static str) {
        self.world.tally.kept(promise);
    }

    pub(crate) fn broken(&mut self, promise: &'static str, how: &str) {
        self.world.tally.broken(promise, how);
    }

    /// The promise is broken, and there is nothing left to see here.
    pub(crate) fn fail(&mut self, promise: &'static str, how: &str) {
        self.broken(promise, how);
        self.leave();
    }

    /// The promise is kept, and there is nothing left to see here.
    pub(crate) fn succeed(&mut self, promise: &'static str) {
        self.kept(promise);
        self.leave();
    }
}
