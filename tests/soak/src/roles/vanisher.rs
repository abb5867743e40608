//! Clients that leave without a Close: by a drop, a half-close or a reset, idle or in the middle of an
//! exchange.
//!
//! This file knows ways to vanish. The server's metrics show that nothing remains.

use std::time::Duration;

use crate::{
    line::End,
    role::{Me, Role},
    wire::{self, FIN},
};

pub(crate) const HALF_CLOSED: &str = "half-closed connections ended";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Drop,
    Reset,
    HalfClose,
}

#[derive(Debug, Default)]
pub(crate) struct Vanisher {
    way: Option<Way>,
    is_half_closed: bool,
}

impl Role for Vanisher {
    fn opened(&mut self, me: &mut Me<'_>) {
        me.plan.deadline = None;
        // It does not wait for answers; often the frame is incomplete.
        for _ in 0..me.world.random.below(4) {
            let len = me.world.random.below(20_000);
            let (opcode, payload) = me.compose(len);
            me.send_frame(FIN | opcode, &payload);
        }
        match me.world.random.below(4) {
            0 => me.send_frame(wire::BINARY, b"a fragment"),
            1 => wire::put_header(me.line.out(), FIN | wire::TEXT, 5000),
            _ => {}
        }
        let pause = me.world.random.millis(0, 3000).min(me.world.timing.ping);
        me.act_in(pause);
    }

    fn act(&mut self, me: &mut Me<'_>) {
        let way = me.world.random.pick(&[Way::Drop, Way::Reset, Way::HalfClose]);
        self.way = Some(way);
        match way {
            Way::Drop => me.leave(),
            Way::Reset => {
                me.line.reset_on_close();
                me.leave();
            }
            Way::HalfClose => {
                me.line.half_close();
                self.is_half_closed = true;
                me.deadline_in(Duration::from_secs(1) + me.world.timing.slack);
            }
        }
    }

    fn ended(&mut self, me: &mut Me<'_>, end: End) {
        if self.is_half_closed {
            me.succeed(HALF_CLOSED);
        } else {
            me.fail(HALF_CLOSED, &format!("ended with {end:?} before it vanished"));
        }
    }

    fn promise(&self) -> &'static str {
        HALF_CLOSED
    }
}
