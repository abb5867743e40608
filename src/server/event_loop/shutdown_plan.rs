//! When each connection is closed in a shutdown, and when the rest is dropped.

use std::{collections::VecDeque, time::Duration};

use crate::hub::{ConnId, LoopTime};

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
    pub(super) fn new(
        now: LoopTime,
        spread: Duration,
        deadline: LoopTime,
        connections: impl IntoIterator<Item = ConnId>,
    ) -> Self {
        let to_close: VecDeque<ConnId> = connections.into_iter().collect();
        Self { begun: now, spread, deadline, total: to_close.len(), to_close }
    }

    /// Returns the next connection to close, if it is due. Call it until there is none.
    pub(super) fn next_to_close(&mut self, now: LoopTime) -> Option<ConnId> {
        if self.next_due()? > now { None } else { self.to_close.pop_front() }
    }

    /// Returns whether the deadline is reached.
    pub(super) fn is_over(&self, now: LoopTime) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(shutdown: &mut Shutdown, now: u64) -> usize {
        std::iter::from_fn(|| shutdown.next_to_close(LoopTime(now))).count()
    }

    fn ids(count: u32) -> impl Iterator<Item = ConnId> {
        (0..count).map(|index| ConnId::new(index + 1, index))
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
