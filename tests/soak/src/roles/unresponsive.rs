//! Clients that answer nothing: no ping, no Close, no end of TCP.
//!
//! This file knows how the server must treat them, and when it must have dropped them.

use std::time::Duration;

use crate::{
    line::End,
    role::{Me, Role},
    wire::Received,
};

pub(crate) const IGNORED: &str = "unresponsive clients closed with 1011, then dropped";

/// How much too early an event may seem to come.
const GRAIN: Duration = Duration::from_millis(10);
/// The pause after which the reset for an unexpected byte has arrived.
const MOMENT: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
pub(crate) struct Unresponsive {
    state: AnswerState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum AnswerState {
    #[default]
    Open,
    /// Close 1011 has arrived.
    Told,
    /// The end of TCP has arrived; the server waits for ours.
    Ended,
    /// The server's wait is over: a byte is sent, and must be answered with a reset.
    Tried,
}

impl Role for Unresponsive {
    fn opened(&mut self, me: &mut Me<'_>) {
        let timing = me.world.timing;
        me.deadline_in(timing.ping + timing.pong + timing.slack);
    }

    fn received(&mut self, me: &mut Me<'_>, received: Received) {
        let Received::Close(code) = received else { return };
        let took = me.now - me.line.began;
        if code != Some(1011) || took + GRAIN < me.world.timing.ping + me.world.timing.pong {
            return me.fail(IGNORED, &format!("closed with {code:?} after {took:?}"));
        }
        self.state = AnswerState::Told;
    }

    fn ended(&mut self, me: &mut Me<'_>, end: End) {
        match (self.state, end) {
            (AnswerState::Told, End::Eof) => {
                self.state = AnswerState::Ended;
                me.plan.deadline = None;
                me.act_in(me.world.timing.close + me.world.timing.slack);
            }
            (AnswerState::Ended | AnswerState::Tried, End::Error(_)) => me.succeed(IGNORED),
            (state, end) => me.fail(IGNORED, &format!("ended with {end:?} when {state:?}")),
        }
    }

    fn act(&mut self, me: &mut Me<'_>) {
        match self.state {
            AnswerState::Ended => {
                self.state = AnswerState::Tried;
                me.line.out().push(0);
                me.act_in(MOMENT);
            }
            AnswerState::Tried => me.fail(IGNORED, "its socket is still held"),
            AnswerState::Open | AnswerState::Told => {}
        }
    }

    fn promise(&self) -> &'static str {
        IGNORED
    }
}
