//! Clients that send without end: echoed messages or pings, with or without reading.
//!
//! This file keeps a socket full. Other clients measure the cost.

use std::time::{Duration, Instant};

use crate::{
    line::{End, Pace},
    role::{Me, Role},
    wire,
};

pub(crate) const CUT_OFF: &str = "never-readers cut off in time";

/// How a flood ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The server drops the client, some time after the client stopped reading.
    CutOff,
    /// The client leaves by itself.
    Leaves(Duration),
}

#[derive(Debug)]
pub(crate) struct Flood {
    /// The first byte of each frame, and the length of its payload.
    pub(crate) first: u8,
    pub(crate) len: usize,
    /// The number of frames per batch.
    pub(crate) batch: usize,
    /// The pause between batches; `None` keeps the socket full.
    pub(crate) pause: Option<Duration>,
    pub(crate) reading: Pace,
    pub(crate) fate: Fate,
    /// One batch, encoded once and repeated.
    bytes: Vec<u8>,
    until: Option<Instant>,
}

impl Flood {
    pub(crate) fn new(
        first: u8,
        len: usize,
        batch: usize,
        pause: Option<Duration>,
        reading: Pace,
        fate: Fate,
    ) -> Self {
        Self { first, len, batch, pause, reading, fate, bytes: Vec::new(), until: None }
    }

    /// Returns how long the server may keep a client that does not read: until its silence, the missing pong,
    /// and the close timeout.
    fn grace(me: &Me<'_>) -> Duration {
        let timing = me.world.timing;
        timing.ping + timing.pong + timing.close + timing.slack
    }
}

impl Role for Flood {
    fn opened(&mut self, me: &mut Me<'_>) {
        me.line.reading = self.reading;
        if self.reading == Pace::Never {
            me.line.narrow();
        }
        let payload = vec![b'f'; self.len];
        for _ in 0..self.batch {
            wire::put_frame(&mut self.bytes, &mut me.world.random, self.first, &payload);
        }
        match self.fate {
            Fate::CutOff => me.deadline_in(Self::grace(me)),
            Fate::Leaves(time) => {
                self.until = Some(me.now + time);
                me.deadline_in(time);
            }
        }
        me.line.out().extend_from_slice(&self.bytes);
    }

    fn wrote(&mut self, me: &mut Me<'_>, _: usize) {
        if self.bytes.is_empty() {
            return;
        }
        if self.fate == Fate::CutOff {
            me.deadline_in(Self::grace(me));
        }
        if me.line.has_sent_all() {
            match self.pause {
                None => me.line.out().extend_from_slice(&self.bytes),
                Some(pause) => me.act_in(pause),
            }
        }
    }

    fn act(&mut self, me: &mut Me<'_>) {
        if me.line.has_sent_all() {
            me.line.out().extend_from_slice(&self.bytes);
        }
    }

    fn ended(&mut self, me: &mut Me<'_>, end: End) {
        match self.fate {
            Fate::CutOff => me.succeed(CUT_OFF),
            Fate::Leaves(_) => me.fail(self.promise(), &format!("ended with {end:?}")),
        }
    }

    fn overdue(&mut self, me: &mut Me<'_>) {
        match self.fate {
            Fate::Leaves(_) if self.until.is_some() => me.leave(),
            Fate::Leaves(_) => me.fail(self.promise(), "no handshake in time"),
            Fate::CutOff => me.fail(CUT_OFF, "still there"),
        }
    }

    fn promise(&self) -> &'static str {
        match self.fate {
            Fate::CutOff => CUT_OFF,
            Fate::Leaves(_) => "flooders who leave are kept until then",
        }
    }
}
