//! Those who are there when the server goes down.
//!
//! This file knows what a client is told then, whether it answers or not.

use std::time::Duration;

use crate::{
    line::End,
    role::{Me, Role},
    wire::{self, FIN, Heard},
};

pub(crate) const GOES_AWAY: &str = "told 1001 when the server goes down";

/// How long a guest stays if nobody tells it to go.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Guest {
    /// Whether it answers the server's Close, and ends TCP when the server does.
    pub(crate) is_polite: bool,
    /// The pause between its messages, in milliseconds; none says nothing.
    pub(crate) pause: Option<usize>,
    is_told: bool,
}

impl Guest {
    pub(crate) const fn new(is_polite: bool, pause: Option<usize>) -> Self {
        Self { is_polite, pause, is_told: false }
    }
}

impl Role for Guest {
    fn opened(&mut self, me: &mut Me<'_>) {
        me.kept("guests let in");
        me.deadline_in(PATIENCE);
        if let Some(pause) = self.pause {
            let pause = me.world.random.millis(0, pause);
            me.act_in(pause);
        }
    }

    fn act(&mut self, me: &mut Me<'_>) {
        if self.is_told {
            return;
        }
        let (opcode, payload) = me.compose(512);
        me.say(FIN | opcode, &payload);
        if let Some(pause) = self.pause {
            let pause = me.world.random.millis(pause / 2, pause * 3 / 2);
            me.act_in(pause);
        }
    }

    fn heard(&mut self, me: &mut Me<'_>, heard: Heard) {
        match heard {
            Heard::Close(code) => {
                self.is_told = true;
                me.world.tally.judge(GOES_AWAY, code == Some(1001), || format!("told {code:?}"));
                if self.is_polite {
                    me.close(1001);
                }
            }
            Heard::Ping(payload) if !self.is_told => me.say(FIN | wire::PONG, &payload),
            _ => {}
        }
    }

    fn ended(&mut self, me: &mut Me<'_>, end: End) {
        if !self.is_told {
            me.broken(GOES_AWAY, &format!("ended with {end:?} untold"));
        }
        if self.is_polite || !self.is_told || end != End::Eof {
            me.leave();
        }
    }

    fn promise(&self) -> &'static str {
        GOES_AWAY
    }
}
