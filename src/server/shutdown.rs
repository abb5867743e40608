//! How a server goes down: whom to tell when, and when to stop waiting.
//!
//! This file knows times and turns. It refuses to know how somebody is told.

use std::{collections::VecDeque, time::Duration};

use crate::hub::{ConnId, LoopTime};

/// A shutdown under way.
#[derive(Debug)]
pub(super) struct Shutdown {
    begun: LoopTime,
    /// Over what time the connections are told.
    spread: Duration,
    /// When whoever is left is dropped.
    deadline: LoopTime,
    /// How many there were to tell.
    total: usize,
    untold: VecDeque<ConnId>,
}

impl Shutdown {
    pub(super) fn new(
        now: LoopTime,
        spread: Duration,
        deadline: LoopTime,
        connections: impl IntoIterator<Item = ConnId>,
    ) -> Self {
        let untold: VecDeque<ConnId> = connections.into_iter().collect();
        Self { begun: now, spread, deadline, total: untold.len(), untold }
    }

    /// The next connection to tell, if its time has come. Call until there is none.
    pub(super) fn next_to_tell(&mut self, now: LoopTime) -> Option<ConnId> {
        if self.next_due()? > now { None } else { self.untold.pop_front() }
    }

    pub(super) fn is_over(&self, now: LoopTime) -> bool {
        self.deadline <= now
    }

    /// When there is something to do again.
    pub(super) fn wake_at(&self) -> LoopTime {
        self.next_due().map_or(self.deadline, |due| due.min(self.deadline))
    }

    /// When the next connection is to be told: their times are spread evenly.
    fn next_due(&self) -> Option<LoopTime> {
        let told = self.total - self.untold.len();
        let share = self.spread.mul_f64(told as f64 / self.total.max(1) as f64);
        (!self.untold.is_empty()).then(|| self.begun + share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(drain: &mut Shutdown, now: u64) -> usize {
        std::iter::from_fn(|| drain.next_to_tell(LoopTime(now))).count()
    }

    fn ids(count: u32) -> impl Iterator<Item = ConnId> {
        (0..count).map(|index| ConnId { index, serial: index + 1 })
    }

    #[test]
    fn without_a_spread_everybody_is_told_at_once() {
        let mut drain = Shutdown::new(LoopTime(7), Duration::ZERO, LoopTime(500), ids(1000));
        assert_eq!(told(&mut drain, 7), 1000);
        assert_eq!(drain.wake_at(), LoopTime(500));
    }

    #[test]
    fn with_a_spread_they_are_told_evenly_and_all_before_the_end() {
        let mut drain = Shutdown::new(LoopTime(100), Duration::from_secs(1), LoopTime(9_000), ids(10));
        assert_eq!(told(&mut drain, 100), 1);
        assert_eq!(drain.wake_at(), LoopTime(200));
        assert_eq!(told(&mut drain, 199), 0);
        assert_eq!(told(&mut drain, 650), 5);
        assert_eq!(told(&mut drain, 1100), 4);
        assert_eq!(told(&mut drain, 9_999), 0);
        assert!(!drain.is_over(LoopTime(8_999)) && drain.is_over(LoopTime(9_000)));
    }
}
