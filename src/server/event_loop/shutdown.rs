//! How the server shuts down: which connection is closed when, and when the loop stops waiting.

use std::{collections::VecDeque, time::Duration};

use log::info;

use super::EventLoop;
use crate::{
    cause::Cause,
    config::Config,
    handler::Handler,
    hub::{ConnId, LoopTime, Stage},
    protocol::{CloseCode, Response},
    server::handle::ShutdownRequest,
    transport::{Listener, StopPipe},
};

/// How long the final reads at the deadline may take together.
const FINAL_READS: Duration = Duration::from_millis(100);

/// A shutdown under way.
#[derive(Debug)]
pub(super) struct Shutdown {
    begun: LoopTime,
    /// The time over which the Closes are spread.
    spread: Duration,
    /// When the connections that are left are dropped.
    deadline: LoopTime,
    /// How many connections there were at the begin.
    total: usize,
    to_close: VecDeque<ConnId>,
}

impl Shutdown {
    fn new(
        now: LoopTime,
        spread: Duration,
        deadline: LoopTime,
        connections: impl IntoIterator<Item = ConnId>,
    ) -> Self {
        let to_close: VecDeque<ConnId> = connections.into_iter().collect();
        Self { begun: now, spread, deadline, total: to_close.len(), to_close }
    }

    /// Returns the next connection to close, if it is due. Call it until there is none.
    fn next_to_close(&mut self, now: LoopTime) -> Option<ConnId> {
        if self.next_due()? > now { None } else { self.to_close.pop_front() }
    }

    /// Returns whether the deadline is reached.
    fn is_over(&self, now: LoopTime) -> bool {
        self.deadline <= now
    }

    /// When the next Close or the deadline is due.
    pub(super) fn wake_at(&self) -> LoopTime {
        self.next_due().map_or(self.deadline, |due| due.min(self.deadline))
    }

    /// When the next connection is to be closed: their times are spread evenly.
    fn next_due(&self) -> Option<LoopTime> {
        let closed = self.total - self.to_close.len();
        let share = self.spread.mul_f64(closed as f64 / self.total.max(1) as f64);
        (!self.to_close.is_empty()).then(|| self.begun + share)
    }
}

impl<H: Handler, L: Listener> EventLoop<H, L> {
    /// Asks for the shutdown if the stop pipe has bytes or its other end is closed.
    pub(super) fn check_stop(&self) {
        if self.stop.as_ref().is_some_and(StopPipe::is_asked_for) {
            self.handle.shutdown();
        }
    }

    /// Returns whether the shutdown is complete: no connection is left.
    pub(in crate::server) fn is_over(&self) -> bool {
        self.shutdown.is_some() && self.hub.len() == 0
    }

    /// Stops accepting and plans when each connection is closed.
    pub(super) fn begin_shutdown(&mut self, ShutdownRequest { within }: ShutdownRequest) {
        info!("draining: {} connections to close", self.hub.live());
        self.acceptor = None;
        let Config { shutdown_spread, close_timeout, .. } = self.hub.config;
        let within = within.unwrap_or_else(|| shutdown_spread.saturating_add(close_timeout));
        let now = self.hub.now;
        let spread = shutdown_spread.min(within);
        self.shutdown = Some(Shutdown::new(now, spread, now + within, self.hub.ids()));
        self.hub.is_shutting_down = true;
    }

    /// Closes the connections that are due, and drops all that are left at the deadline.
    pub(super) fn continue_shutdown(&mut self, clock: impl Fn() -> LoopTime) {
        let Some(shutdown) = &mut self.shutdown else { return };
        let now = self.hub.now;
        while let Some(id) = shutdown.next_to_close(now) {
            match self.hub.get(id).map(|outbound| outbound.stage()) {
                Some(Stage::Connecting) => {
                    self.hub.respond(id, &Response::rejection(503, "The server is shutting down."));
                }
                // §7.4.1: 1001 "indicates that an endpoint is "going away", such as a server going down".
                Some(_) => self.hub.close(id, CloseCode::GOING_AWAY, "server is shutting down"),
                None => {}
            }
        }
        if shutdown.is_over(now) {
            let last_read = clock() + FINAL_READS;
            for id in self.hub.ids() {
                // The answer to our Close may lie in the socket.
                let is_closing = self.hub.get(id).is_some_and(|outbound| outbound.stage() == Stage::Closing);
                if is_closing && clock() < last_read {
                    self.read_once_more(id);
                }
                self.hub.abort(id, Cause::Local);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(shutdown: &mut Shutdown, now: u64) -> usize {
        std::iter::from_fn(|| shutdown.next_to_close(LoopTime(now))).count()
    }

    fn ids(count: u32) -> impl Iterator<Item = ConnId> {
        (0..count).map(|index| ConnId { index, serial: index + 1 })
    }

    #[test]
    fn without_a_spread_all_are_closed_at_once() {
        let mut shutdown = Shutdown::new(LoopTime(7), Duration::ZERO, LoopTime(500), ids(1000));
        assert_eq!(closed(&mut shutdown, 7), 1000);
        assert_eq!(shutdown.wake_at(), LoopTime(500));
    }

    #[test]
    fn with_a_spread_they_are_closed_evenly_before_the_deadline() {
        let mut shutdown = Shutdown::new(LoopTime(100), Duration::from_secs(1), LoopTime(9_000), ids(10));
        assert_eq!(closed(&mut shutdown, 100), 1);
        assert_eq!(shutdown.wake_at(), LoopTime(200));
        assert_eq!(closed(&mut shutdown, 199), 0);
        assert_eq!(closed(&mut shutdown, 650), 5);
        assert_eq!(closed(&mut shutdown, 1100), 4);
        assert_eq!(closed(&mut shutdown, 9_999), 0);
        assert!(!shutdown.is_over(LoopTime(8_999)) && shutdown.is_over(LoopTime(9_000)));
    }
}
