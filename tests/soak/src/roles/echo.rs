//! Clients that keep all rules: they send messages, check the echoes, answer pings, and close.
//!
//! This file knows what such a client may expect, however slowly it writes or reads.

use std::{collections::VecDeque, time::Duration};

use crate::{
    line::{End, Pace},
    payload,
    role::{Me, Role},
    wire::{self, FIN, Received},
};

pub(crate) const ECHOED: &str = "echoes whole and in order";
pub(crate) const PONGED: &str = "pings between fragments answered";
pub(crate) const PINGED: &str = "quiet clients pinged, and kept";
pub(crate) const GOODBYE: &str = "well-behaved kept to their Close 1000";

/// How long an echo may take, beside the client's own slowness.
const PATIENCE: Duration = Duration::from_secs(15);

/// The style of an echo client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) messages: usize,
    /// The shortest and the longest message; with a shortest of 0, most are short.
    pub(crate) least: usize,
    pub(crate) most: usize,
    /// The most messages that await their echoes.
    pub(crate) depth: usize,
    /// The pause between an echo and the next message, in milliseconds.
    pub(crate) pause: (usize, usize),
    pub(crate) writing: Pace,
    pub(crate) reading: Pace,
    /// How long its own slowness may delay an echo.
    pub(crate) extra: Duration,
}

#[derive(Debug)]
pub(crate) struct Echo {
    style: Style,
    left: usize,
    /// Messages that await their echoes.
    expected: VecDeque<(u8, Vec<u8>)>,
    /// Pings that await their pongs.
    pings: VecDeque<Vec<u8>>,
    is_closing: bool,
    is_closed: bool,
    was_pinged: bool,
}

impl Echo {
    pub(crate) fn new(style: Style) -> Self {
        Self {
            style,
            left: style.messages,
            expected: VecDeque::new(),
            pings: VecDeque::new(),
            is_closing: false,
            is_closed: false,
            was_pinged: false,
        }
    }

    /// Sends one message, in one frame or in fragments with pings between.
    fn send_message(&mut self, me: &mut Me<'_>) {
        let Style { least, most, .. } = self.style;
        let random = &mut me.world.random;
        let len = if least == 0 { payload::any_len(random, most) } else { random.between(least, most) };
        let (opcode, payload) = me.compose(len);
        let pieces = if me.world.random.one_in(3) { me.world.random.between(2, 8) } else { 1 };
        let mut rest = &payload[..];
        for piece in 1..=pieces {
            let is_last = piece == pieces;
            let len = if is_last { rest.len() } else { me.world.random.between(0, rest.len()) };
            let fin = if is_last { FIN } else { 0 };
            let opcode = if piece == 1 { opcode } else { wire::CONTINUATION };
            me.send_frame(fin | opcode, &rest[..len]);
            rest = &rest[len..];
            if !is_last && me.world.random.one_in(2) {
                let ping = format!("{}.{piece}", me.world.serial).into_bytes();
                me.send_frame(FIN | wire::PING, &ping);
                self.pings.push_back(ping);
            }
        }
        self.expected.push_back((opcode, payload));
    }

    fn send_close(&mut self, me: &mut Me<'_>) {
        self.is_closing = true;
        me.close(1000);
        me.deadline_in(PATIENCE + self.style.extra);
    }

    fn check_echo(&mut self, me: &mut Me<'_>, opcode: u8, payload: &[u8]) {
        let expected = self.expected.pop_front();
        let is_right = expected.as_ref().is_some_and(|(o, p)| *o == opcode && p == payload);
        me.world.tally.judge(ECHOED, is_right, || {
            let expected = expected.map(|(opcode, payload)| (opcode, payload.len()));
            format!("expected {expected:?}, got {:?}", (opcode, payload.len()))
        });
        if !is_right {
            return me.leave();
        }
        if self.expected.is_empty() {
            me.plan.deadline = None;
            if self.left == 0 {
                return self.send_close(me);
            }
            let (least, most) = self.style.pause;
            let pause = me.world.random.millis(least, most);
            me.act_in(pause);
        }
    }

    fn check_pong(&mut self, me: &mut Me<'_>, payload: &[u8]) {
        // §5.5.3: of several pings only the latest must be answered, but never out of order.
        match self.pings.iter().position(|it| it == payload) {
            Some(index) => {
                self.pings.drain(..=index);
                me.kept(PONGED);
            }
            None => me.broken(PONGED, "a pong for no ping of ours"),
        }
    }
}

impl Role for Echo {
    fn opened(&mut self, me: &mut Me<'_>) {
        (me.line.writing, me.line.reading) = (self.style.writing, self.style.reading);
        me.plan.deadline = None;
        let pause = me.world.random.millis(0, self.style.pause.1);
        me.act_in(pause);
    }

    fn act(&mut self, me: &mut Me<'_>) {
        if !self.expected.is_empty() || self.is_closing {
            return;
        }
        let count = me.world.random.between(1, self.style.depth).min(self.left);
        self.left -= count;
        for _ in 0..count {
            self.send_message(me);
        }
        me.deadline_in(PATIENCE + self.style.extra);
    }

    fn received(&mut self, me: &mut Me<'_>, received: Received) {
        match received {
            Received::Message(opcode, payload) => self.check_echo(me, opcode, &payload),
            Received::Pong(payload) => self.check_pong(me, &payload),
            Received::Ping(payload) => {
                self.was_pinged = true;
                me.send_frame(FIN | wire::PONG, &payload);
            }
            Received::Close(code) => {
                self.is_closed = self.is_closing && code == Some(1000);
                let about = (me.line.writing, me.line.reading);
                me.world.tally.judge(GOODBYE, self.is_closed, || format!("closed with {code:?}, {about:?}"));
                if !self.pings.is_empty() {
                    me.broken(PONGED, "the last ping was not answered");
                }
                if self.was_pinged && self.is_closed {
                    me.kept(PINGED);
                }
            }
            Received::Response(_) => {}
        }
    }

    fn ended(&mut self, me: &mut Me<'_>, end: End) {
        if !self.is_closed {
            let waiting = self.expected.len();
            me.broken(GOODBYE, &format!("ended with {end:?} while {waiting} echoes were awaited"));
        }
        me.leave();
    }

    fn retire(&mut self, me: &mut Me<'_>) {
        self.left = 0;
        me.line.hurry();
        if self.is_closing || !self.expected.is_empty() {
            return;
        }
        if me.plan.act_at.is_some() {
            self.send_close(me);
        } else {
            // The handshake is not complete.
            me.leave();
        }
    }

    fn overdue(&mut self, me: &mut Me<'_>) {
        let promise = if self.is_closing { GOODBYE } else { ECHOED };
        me.fail(promise, &format!("{} echoes have not come in time", self.expected.len()));
    }

    fn promise(&self) -> &'static str {
        GOODBYE
    }
}
