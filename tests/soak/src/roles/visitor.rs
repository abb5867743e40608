//! Clients that are connected when the server shuts down.
//!
//! This file knows what the server sends them then, whether they answer or not.

use std::time::Duration;

use crate::{
    line::End,
    role::{Me, Role},
    wire::{self, FIN, Received},
};

pub(crate) const GOES_AWAY: &str = "closed with 1001 when the server goes down";

/// How long a visitor stays if the server does not close it.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Visitor {
    /// Whether it answers the server's Close, and ends TCP after the server.
    pub(crate) answers_close: bool,
    /// The pause between its messages, in milliseconds; `None` sends nothing.
    pub(crate) pause: Option<usize>,
    has_close: bool,
}

impl Visitor {
    pub(crate) const fn new(answers_close: bool, pause: Option<usize>) -> Self {
        Self { answers_close, pause, has_close: false }
    }
}

impl Role for Visitor {
    fn opened(&mut self, me: &mut Me<'_>) {
        me.kept("visitors let in");
        me.deadline_in(PATIENCE);
        if let Some(pause) = self.pause {
            let pause = me.world.random.millis(0, pause);
            me.act_in(pause);
        }
    }

    fn act(&mut self, me: &mut Me<'_>) {
        if self.has_close {
            return;
        }
        let (opcode, payload) = me.compose(512);
        me.send_frame(FIN | opcode, &payload);
        if let Some(pause) = self.pause {
            let pause = me.world.random.millis(pause / 2, pause * 3 / 2);
            me.act_in(pause);
        }
    }

    fn received(&mut self, me: &mut Me<'_>, received: Received) {
        match received {
            Received::Close(code) => {
                self.has_close = true;
                me.world.tally.judge(GOES_AWAY, code == Some(1001), || format!("closed with {code:?}"));
                if self.answers_close {
                    me.close(1001);
                }
            }
            Received::Ping(payload) if !self.has_close => me.send_frame(FIN | wire::PONG, &payload),
            _ => {}
        }
    }

    fn ended(&mut self, me: &mut Me<'_>, end: End) {
        if !self.has_close {
            me.broken(GOES_AWAY, &format!("ended with {end:?} and no Close"));
        }
        if self.answers_close || !self.has_close || end != End::Eof {
            me.leave();
        }
    }

    fn promise(&self) -> &'static str {
        GOES_AWAY
    }
}
