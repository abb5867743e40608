//! Clients that connect and leave in crowds.
//!
//! This file knows connections of minimal use.

use crate::{
    line::End,
    role::{Me, Role},
    wire::{self, Received},
};

pub(crate) const STORM: &str = "storms: those who stay for 101 get it";

#[derive(Clone, Copy, Debug)]
enum Way {
    Silent,
    Reset,
    HalfARequest,
    WithoutWaiting,
    Proper,
}

#[derive(Debug)]
pub(crate) struct Storm(Option<Way>);

impl Storm {
    pub(crate) const fn new() -> Self {
        Self(None)
    }
}

impl Role for Storm {
    fn connected(&mut self, me: &mut Me<'_>) {
        let ways = [Way::Silent, Way::Reset, Way::HalfARequest, Way::WithoutWaiting, Way::Proper];
        let way = me.world.random.pick(&ways);
        self.0 = Some(way);
        me.deadline_in(me.world.timing.handshake + me.world.timing.slack);
        let request = wire::REQUEST.as_bytes();
        match way {
            Way::Silent => me.leave(),
            Way::Reset => {
                me.line.reset_on_close();
                me.leave();
            }
            Way::HalfARequest => me.line.out().extend_from_slice(&request[..request.len() / 2]),
            Way::WithoutWaiting | Way::Proper => me.line.out().extend_from_slice(request),
        }
    }

    fn wrote(&mut self, me: &mut Me<'_>, _: usize) {
        if matches!(self.0, Some(Way::HalfARequest | Way::WithoutWaiting)) {
            me.leave();
        }
    }

    fn opened(&mut self, me: &mut Me<'_>) {
        me.kept(STORM);
        me.close(1000);
    }

    fn received(&mut self, _: &mut Me<'_>, _: Received) {}

    fn ended(&mut self, me: &mut Me<'_>, _: End) {
        me.leave();
    }

    fn promise(&self) -> &'static str {
        STORM
    }
}
