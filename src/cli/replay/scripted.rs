//! A scripted server with a manual clock: replay's peer in tests and fuzzing.
//!
//! This file decides when which byte arrives. It does not know the expected result.

use std::{cell::RefCell, collections::VecDeque, rc::Rc, time::Duration};

use super::line::{Received, Sent, Transport};

/// The next action of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ServerStep {
    Say(Vec<u8>),
    Wait(Duration),
}

/// Its actions after the last step, forever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Forever {
    Nothing,
    /// Closes the connection.
    End,
    /// Sends the same bytes again and again, each time after this pause, which is not 0.
    Repeat(Vec<u8>, Duration),
}

/// The server of a play.
#[derive(Clone, Debug)]
pub(super) struct ScriptedServer {
    pub(super) steps: VecDeque<ServerStep>,
    pub(super) forever: Forever,
    /// How many bytes it still reads.
    pub(super) reads: usize,
    /// How much time passes with each read of the clock.
    pub(super) per_clock_read: Duration,
    pub(super) figures: Rc<RefCell<Figures>>,
}

/// Measurements of a play.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// The time on the clock.
    pub(super) now: Duration,
    /// All bytes from the client.
    pub(super) sent: Vec<u8>,
    /// All bytes to the client.
    pub(super) received: Vec<u8>,
    /// The most bytes that the client held at once.
    pub(super) max_held: usize,
    /// How often the client asked for bytes.
    pub(super) receives: usize,
}

impl ScriptedServer {
    /// Returns a server that sends these pieces at once, reads everything, and then acts as `forever` says.
    pub(super) fn new<B: AsRef<[u8]>>(pieces: impl IntoIterator<Item = B>, forever: Forever) -> Self {
        let steps = pieces.into_iter().map(|piece| ServerStep::Say(piece.as_ref().to_vec())).collect();
        Self { steps, forever, reads: usize::MAX, per_clock_read: Duration::ZERO, figures: Rc::default() }
    }

    /// Advances the clock by `time`, up to `deadline`. Returns the rest of `time`.
    fn pass(&self, time: Duration, deadline: Duration) -> Duration {
        let mut figures = self.figures.borrow_mut();
        let passed = time.min(deadline.saturating_sub(figures.now));
        figures.now += passed;
        time - passed
    }

    fn hand_over(&self, bytes: &[u8], buffer: &mut Vec<u8>) -> Received {
        buffer.extend_from_slice(bytes);
        let mut figures = self.figures.borrow_mut();
        figures.received.extend_from_slice(bytes);
        figures.max_held = figures.max_held.max(buffer.len());
        Received::Some
    }

    fn act_forever(&self, buffer: &mut Vec<u8>, deadline: Duration) -> Received {
        match &self.forever {
            Forever::End => Received::End,
            Forever::Nothing => {
                self.pass(Duration::MAX, deadline);
                Received::Nothing
            }
            Forever::Repeat(bytes, pause) if self.pass(*pause, deadline).is_zero() => {
                self.hand_over(bytes, buffer)
            }
            Forever::Repeat(..) => Received::Nothing,
        }
    }
}

impl Transport for ScriptedServer {
    fn now(&self) -> Duration {
        let mut figures = self.figures.borrow_mut();
        figures.now += self.per_clock_read;
        figures.now
    }

    fn send(&mut self, bytes: &[u8], deadline: Duration) -> Sent {
        let len = bytes.len().min(self.reads);
        self.reads -= len;
        self.figures.borrow_mut().sent.extend_from_slice(&bytes[..len]);
        if len == bytes.len() {
            return Sent::All;
        }
        self.pass(Duration::MAX, deadline);
        Sent::Only(len)
    }

    fn finish_sending(&mut self) {}

    fn receive(&mut self, buffer: &mut Vec<u8>, deadline: Duration) -> Received {
        self.figures.borrow_mut().receives += 1;
        loop {
            match self.steps.pop_front() {
                Some(ServerStep::Say(bytes)) => return self.hand_over(&bytes, buffer),
                Some(ServerStep::Wait(time)) => {
                    let left = self.pass(time, deadline);
                    if !left.is_zero() {
                        self.steps.push_front(ServerStep::Wait(left));
                        return Received::Nothing;
                    }
                }
                None => return self.act_forever(buffer, deadline),
            }
        }
    }

    fn sleep_until(&mut self, time: Duration) {
        let mut figures = self.figures.borrow_mut();
        figures.now = figures.now.max(time);
    }
}
