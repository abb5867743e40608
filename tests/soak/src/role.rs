//! A client: a role that decides, and the actions that it may take on its socket.
//!
//! This file knows the events of a client and the actions in each. It knows no role, and does not know when
//! the events happen.

use std::time::{Duration, Instant};

use crate::{
    line::{End, Line},
    payload::Pool,
    random::Random,
    tally::Tally,
    wire::{self, FIN, Received},
};

/// The times that the server was started with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) handshake: Duration,
    pub(crate) ping: Duration,
    pub(crate) pong: Duration,
    pub(crate) close: Duration,
    /// How late an event may be on a busy machine.
    pub(crate) slack: Duration,
}

/// The state that all clients share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) pool: Pool,
    pub(crate) tally: Tally,
    pub(crate) timing: Timing,
    /// Counts messages, so that each is unique.
    pub(crate) serial: u64,
}

/// The requests of a client to the swarm.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) act_at: Option<Instant>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) gone: bool,
}

/// A client during one of its events.
pub(crate) struct Me<'a> {
    pub(crate) line: &'a mut Line,
    pub(crate) world: &'a mut World,
    pub(crate) plan: &'a mut Plan,
    pub(crate) now: Instant,
}

/// The events of a client. Each role implements those it needs.
pub(crate) trait Role {
    fn connected(&mut self, me: &mut Me<'_>) {
        me.line.out().extend_from_slice(wire::REQUEST.as_bytes());
        me.deadline_in(me.world.timing.handshake + me.world.timing.slack);
    }

    /// The handshake has succeeded.
    fn opened(&mut self, me: &mut Me<'_>);

    /// The handshake was answered with another status than 101.
    fn refused(&mut self, me: &mut Me<'_>, status: u16) {
        me.fail(self.promise(), &format!("refused with {status}"));
    }

    fn received(&mut self, me: &mut Me<'_>, received: Received) {
        if let Received::Ping(payload) = received {
            me.send_frame(FIN | wire::PONG, &payload);
        }
    }

    /// The requested time has come.
    fn act(&mut self, _: &mut Me<'_>) {}

    /// The socket has accepted bytes.
    fn wrote(&mut self, _: &mut Me<'_>, _len: usize) {}

    /// The server has ended its side.
    fn ended(&mut self, me: &mut Me<'_>, end: End) {
        me.fail(self.promise(), &format!("ended with {end:?}"));
    }

    /// The deadline has passed.
    fn overdue(&mut self, me: &mut Me<'_>) {
        me.fail(self.promise(), "what must come has not come in time");
    }

    /// The run is over: the client finishes its work and leaves.
    fn retire(&mut self, me: &mut Me<'_>) {
        me.leave();
    }

    /// Returns the promise that is broken if no other one fits.
    fn promise(&self) -> &'static str;
}

impl Me<'_> {
    pub(crate) fn send_frame(&mut self, first: u8, payload: &[u8]) {
        wire::put_frame(self.line.out(), &mut self.world.random, first, payload);
    }

    pub(crate) fn close(&mut self, code: u16) {
        self.send_frame(FIN | wire::CLOSE, &code.to_be_bytes());
    }

    /// Returns a message that no other client sends.
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

    /// Records a broken promise, and leaves.
    pub(crate) fn fail(&mut self, promise: &'static str, how: &str) {
        self.broken(promise, how);
        self.leave();
    }

    /// Records a kept promise, and leaves.
    pub(crate) fn succeed(&mut self, promise: &'static str) {
        self.kept(promise);
        self.leave();
    }
}
