//! Deadlines, most of which never come: activity only moves a time stamp, which is compared when the deadline
//! comes.
//!
//! This file knows instants in milliseconds and the connections that have a deadline then. It has no clock:
//! the caller passes the time.

use std::{cmp::Reverse, collections::BinaryHeap, ops::Add, time::Duration};

use super::registry::ConnId;

/// A point in time: milliseconds since the loop began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LoopTime(pub(crate) u64);

impl LoopTime {
    /// When the loop began: never later than now.
    pub(crate) const AT_ONCE: Self = Self(0);
    /// Later than every deadline.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// How long it is from `earlier` to here; nothing if it is the other way round.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl From<Duration> for LoopTime {
    /// What has passed since the loop began.
    fn from(elapsed: Duration) -> Self {
        Self(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
    }
}

impl Add<Duration> for LoopTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        // Rounded up, so that no deadline comes too early and then once more.
        let part = u64::from(duration.subsec_nanos().div_ceil(1_000_000));
        let millis = duration.as_secs().saturating_mul(1000).saturating_add(part);
        Self(self.0.saturating_add(millis))
    }
}

/// The deadlines in a heap. A connection that is entered twice comes twice: the caller knows which entry is
/// valid.
///
/// A dead entry stays until its time, or until [`compact`](Self::compact) removes it.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    heap: BinaryHeap<Reverse<(LoopTime, ConnId)>>,
    /// The capacity that it began with, and keeps.
    min_capacity: usize,
}

impl Deadlines {
    /// How many dead entries are always tolerated: to remove a handful is not worth a pass over all.
    const SPARE: usize = 256;

    /// Creates a heap with room for `capacity` entries before it grows.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { heap: BinaryHeap::with_capacity(capacity), min_capacity: capacity }
    }

    /// Returns how many entries there are, dead ones included.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(crate) fn insert(&mut self, at: LoopTime, id: ConnId) {
        self.heap.push(Reverse((at, id)));
    }

    /// The earliest deadline; [`LoopTime::NEVER`] if there is none.
    #[inline]
    pub(crate) fn next(&self) -> LoopTime {
        self.heap.peek().map_or(LoopTime::NEVER, |Reverse((at, _))| *at)
    }

    /// Removes and returns the earliest deadline if it is not after `now`.
    pub(crate) fn pop_due(&mut self, now: LoopTime) -> Option<(LoopTime, ConnId)> {
        if self.next() > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// Removes the dead entries once they outnumber the `live` ones: then a pass over all costs no more than
    /// the insertions that led to it, and the memory is bounded by what is alive.
    #[inline]
    pub(crate) fn compact(&mut self, live: usize, is_live: impl FnMut(LoopTime, ConnId) -> bool) {
        if self.heap.len() > 2 * live + Self::SPARE {
            self.remove_dead(is_live);
        }
    }

    #[cold]
    fn remove_dead(&mut self, mut is_live: impl FnMut(LoopTime, ConnId) -> bool) {
        self.heap.retain(|Reverse((at, id))| is_live(*at, *id));
        // Twice what is needed, so that the next entries don't make it grow at once.
        self.heap.shrink_to((2 * self.heap.len() + Self::SPARE).max(self.min_capacity));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_come_in_order_and_not_before_their_time() {
        let id = |serial| ConnId::new(serial, 0);
        let mut deadlines = Deadlines::default();
        for at in [30, 10, 20] {
            deadlines.insert(LoopTime(at), id(at as u32));
        }
        assert_eq!(deadlines.pop_due(LoopTime(9)), None);
        assert_eq!(deadlines.pop_due(LoopTime(25)), Some((LoopTime(10), id(10))));
        assert_eq!(deadlines.pop_due(LoopTime(25)), Some((LoopTime(20), id(20))));
        assert_eq!(deadlines.pop_due(LoopTime(25)), None);
        assert_eq!(deadlines.next(), LoopTime(30));
        assert_eq!(deadlines.pop_due(LoopTime(30)), Some((LoopTime(30), id(30))));
        assert_eq!((deadlines.next(), deadlines.pop_due(LoopTime(30))), (LoopTime::NEVER, None));
    }

    #[test]
    fn dead_entries_are_removed_once_they_outnumber_live_ones() {
        let id = |serial| ConnId::new(serial, 0);
        let mut deadlines = Deadlines::default();
        for at in 0..10_000 {
            deadlines.insert(LoopTime(at), id(at as u32));
        }
        let is_live = |at: LoopTime, _: ConnId| at.0.is_multiple_of(2);
        deadlines.compact(5_000, is_live);
        assert_eq!(deadlines.len(), 10_000, "as many dead as live: a pass is not worth it yet");
        deadlines.compact((10_000 - Deadlines::SPARE) / 2 - 1, is_live);
        assert_eq!(deadlines.len(), 5_000);
        assert!(deadlines.heap.capacity() <= 10_000 + Deadlines::SPARE);
        assert_eq!(deadlines.pop_due(LoopTime(3)), Some((LoopTime(0), id(0))));
        assert_eq!(deadlines.pop_due(LoopTime(3)), Some((LoopTime(2), id(2))));
        assert_eq!(deadlines.pop_due(LoopTime(3)), None);
    }

    #[test]
    fn time_neither_wraps_nor_comes_early() {
        assert_eq!(LoopTime(1) + Duration::MAX, LoopTime::NEVER);
        assert_eq!(LoopTime(1) + Duration::from_micros(1), LoopTime(2));
        assert_eq!(LoopTime(1).since(LoopTime(2)), Duration::ZERO);
    }
}
