//! The loop: one thread, one poll, and the order of things in a turn; [`EventLoop::turn`] is its table of
//! contents.
//!
//! ```text
//! poll ─▶ ready sockets ─▶ sockets with more to read ─▶ accepts ─▶ deadlines and timers ─▶ settle ─▶ poll …
//! ```
//!
//! Each step has its file: `inbound.rs` and `reading.rs` beside this one; `accepting.rs`, `commands.rs`,
//! `due.rs`, `shutdown.rs` and `settling.rs` below it. None of them knows what a frame means or what a hook
//! does. No peer, no failed accept and no lack of file descriptors stops the loop.
//!
//! Sockets are registered edge-triggered: an event says that a socket has changed, not that bytes are left. A
//! read that fills less than the buffer has emptied the socket, so no event is lost (epoll(7) promises it,
//! kqueue does the same). The exception is a peer that has hung up: its socket is read until it reports the
//! end. TCP's urgent data, which no WebSocket peer sends, also ends a read early; a peer that sends it waits
//! for its next event.

mod accepting;
mod commands;
mod connecting;
mod due;
mod settling;
mod shutdown;
mod shutdown_plan;
mod state;

use std::{
    io::{self, ErrorKind},
    time::Duration,
};

use crate::{
    handler::Handler,
    hub::LoopTime,
    server::metrics_server::FIRST_TOKEN,
    transport::{Events, Listener, Ready, Token},
};
pub(super) use state::{EventLoop, LISTENER, METRICS, STOP, WAKER};

/// How many events one poll reports at most.
const EVENTS: usize = 1024;

impl<H: Handler, L: Listener> EventLoop<H, L> {
    /// Turns until the server has shut down.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let mut end = Duration::ZERO;
        let started = self.started;
        self.set_clock(move || LoopTime::from(started.elapsed()));
        self.end_if_idle();
        while !self.is_over() {
            match self.poll.wait(&mut events, self.poll_timeout(LoopTime::from(end))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    end = self.started.elapsed();
                    continue;
                }
                result => result?,
            }
            let begin = self.started.elapsed();
            let clock = || LoopTime::from(started.elapsed());
            self.turn(LoopTime::from(begin), clock, events.iter());
            end = self.started.elapsed();
            self.hub.stats.count_turn(end.saturating_sub(begin));
            if self.handle.is_shared() {
                self.handle.publish(self.hub.current_stats());
            }
        }
        Ok(())
    }

    /// Runs one turn, which begins at `now`: everything that is ready, then everything that is due.
    pub(super) fn turn(
        &mut self,
        now: LoopTime,
        clock: impl Fn() -> LoopTime,
        ready: impl Iterator<Item = Ready>,
    ) {
        self.hub.now = now;
        self.hub.quota.begin_turn(now);
        let (has_waiting, waiting) = (self.inbounds.has_waiting(), self.inbounds.waiting());
        let mut is_due = self.wake_at <= now;
        for ready in ready {
            match ready.token {
                token @ (LISTENER | METRICS | WAKER | STOP) => {
                    self.handle_token(token);
                    is_due = true;
                }
                Token(index) => self.react(index, ready),
            }
        }
        if has_waiting {
            self.inbounds.read_waiting(waiting, &mut self.handler, &mut self.hub);
        }
        if is_due {
            self.run_due(clock);
        }
        self.settle();
        self.heap.look_after(self.hub.held(), self.hub.now);
        self.wake_at = self.next_due();
    }

    /// Handles one event of a connection's socket: writes what waits, then reads.
    #[inline]
    fn react(&mut self, index: usize, ready: Ready) {
        let Some((id, inbound)) = self.inbounds.at(index) else { return self.react_metrics(index, ready) };
        inbound.hang_up |= ready.hang_up;
        let (has_more, is_costly) = (inbound.has_more, inbound.is_costly);
        if ready.writable || ready.hang_up {
            self.hub.flush(id);
        }
        // A connection in a list is read from anyway, in this turn or later, and only once per turn.
        if !(ready.readable || ready.hang_up) || has_more {
            return;
        }
        if self.inbounds.must_wait(is_costly, &self.hub) {
            return self.inbounds.read_later(id, false);
        }
        self.inbounds.read(id, &mut self.handler, &mut self.hub);
    }

    /// Handles one event of a socket that is no client's.
    #[cold]
    fn react_metrics(&mut self, token: usize, ready: Ready) {
        if let Some(metrics) = &mut self.metrics
            && let Some(index) = token.checked_sub(FIRST_TOKEN)
        {
            metrics.react(index, ready, &mut self.hub, &mut self.inbounds.buffer);
        }
    }

    /// Finishes what this turn began: writes, sheds, calls `on_drain` and `on_close`.
    fn settle(&mut self) {
        self.hub.flush_dirty();
        self.inbounds.shed(&mut self.hub);
        if self.hub.has_drained() {
            self.run_on_drain();
        }
        if self.hub.has_ended() {
            self.finish_closed();
        }
    }

    /// Returns how long the poll may wait from `now` on; `None` means without limit.
    pub(super) fn poll_timeout(&self, now: LoopTime) -> Option<Duration> {
        if self.inbounds.has_waiting() || self.hub.has_drained() || self.hub.has_endings() {
            return Some(Duration::ZERO);
        }
        (self.wake_at != LoopTime::NEVER).then(|| self.wake_at.since(now))
    }

    /// Returns when the loop has to turn although no socket is ready.
    fn next_due(&self) -> LoopTime {
        if self.has_commands {
            return LoopTime::AT_ONCE;
        }
        let mut at = self.hub.next_deadline().min(self.hub.timers.next_due()).min(self.heap.wake_at());
        if let Some(acceptor) = &self.acceptor {
            at = at.min(acceptor.wake_at());
        }
        if let Some(metrics) = &self.metrics {
            at = at.min(metrics.wake_at());
        }
        if let Some(shutdown) = &self.shutdown {
            at = at.min(shutdown.wake_at());
        }
        at
    }
}
