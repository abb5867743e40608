//! Those who answer nothing: no ping, no Close, no end of TCP.
//!
//! This file knows what the server owes even them, and when it must have let go of them altogether.

use std::time::Duration;

use crate::{
    line::End,
    role::{Me, Role},
    wire::Heard,
};

pub(crate) const IGNORED: &str = "the deaf told 1011, then dropped";

/// How much earlier than its time something may seem to come.
const GRAIN: Duration = Duration::from_millis(10);
/// The pause after which the answer to a byte that nobody wants has surely come.
const MOMENT: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
pub(crate) struct Deaf {
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// Close 1011 has come.
    Told,
    /// So has the end of TCP; the server waits for ours, for a while.
    Ended,
    /// That while is over: a byte is on its way, which must be answered with a reset.
    Tried,
}

impl Role for Deaf {
    fn opened(&mut self, me: &mut Me<'_>) {
        let timing = me.world.timing;
        me.deadline_in(timing.ping + timing.pong + timing.slack);
    }

    fn heard(&mut self, me: &mut Me<'_>, heard: Heard) {
        let Heard::Close(code) = heard else { return };
        let took = me.now - me.line.began;
        if code != Some(1011) || took + GRAIN < me.world.timing.ping + me.world.timing.pong {
            return me.fail(IGNORED, &format!("closed with {code:?} after {took:?}"));
        }
        self.state = State::Told;
    }

    fn ended(&mut self, me: &mut Me<'_>, end: End) {
        match (self.state, end) {
            (State::Told, End::Eof) => {
                self.state = State::Ended;
                me.plan.deadline = None;
                me.act_in(me.world.timing.close + me.world.timing.slack);
            }
            (State::Ended | State::Tried, End::Error(_)) => me.succeed(IGNORED),
            (state, end) => me.fail(IGNORED, &format!("ended with {end:?} when {state:?}")),
        }
    }

    fn act(&mut self, me: &mut Me<'_>) {
        match self.state {
            State::Ended => {
                self.state = State::Tried;
                me.line.out().push(0);
                me.act_in(MOMENT);
            }
            State::Tried => me.fail(IGNORED, "its socket is still held"),
            State::Open | State::Told => {}
        }
    }

    fn promise(&self) -> &'static str {
        IGNORED
    }
}
