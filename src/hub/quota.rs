//! How much one batch of input, and one turn, may cause before the rest waits for the next turn.
//!
//! This file knows amounts and times. The loop asks after each step whether the batch goes on. A hook is
//! never interrupted, so one hook call is the least that a batch does.

use std::{fmt, time::Duration};

use super::deadlines::LoopTime;

/// How many bytes one batch may queue before the rest of its input waits.
const PER_BATCH: u64 = 2 * 1024 * 1024;
/// How many bytes one turn may queue before costly connections wait for the next turn.
const PER_TURN: u64 = 4 * 1024 * 1024;
/// How long a turn may take before a batch is cut.
const TURN_TIME: Duration = Duration::from_millis(5);
/// How many steps (frames, commands, tasks) are between two reads of the clock.
const STEPS: i64 = 32;
/// What a queued message costs beside its bytes: the entry, and its share of a system call.
const PER_MESSAGE: u64 = 256;
/// The cost of the question whether a connection receives a message.
const PER_VISIT: u64 = 16;
/// From how many queued bytes on a batch makes its connection costly.
const COSTLY: u64 = 64 * 1024;

/// Counts the bytes queued for other connections, and the steps until the next read of the clock.
pub(crate) struct Quota {
    /// How many bytes may be queued until the next read of the clock; a step costs a part of the batch's
    /// quota.
    left: i64,
    /// Bytes queued in this turn, and when this batch began.
    queued: u64,
    queued_before: u64,
    /// When this turn began.
    began: LoopTime,
    is_late: bool,
    clock: Box<dyn Fn() -> LoopTime>,
}

impl Default for Quota {
    /// A quota whose clock stands still: no turn is late.
    fn default() -> Self {
        Self {
            left: 0,
            queued: 0,
            queued_before: 0,
            began: LoopTime::AT_ONCE,
            is_late: false,
            clock: Box::new(|| LoopTime::AT_ONCE),
        }
    }
}

impl fmt::Debug for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quota").field("queued", &self.queued).finish_non_exhaustive()
    }
}

impl Quota {
    pub(crate) fn set_clock(&mut self, clock: impl Fn() -> LoopTime + 'static) {
        self.clock = Box::new(clock);
    }

    #[inline]
    pub(crate) const fn begin_turn(&mut self, now: LoopTime) {
        (self.began, self.queued, self.is_late) = (now, 0, false);
    }

    #[inline]
    pub(crate) const fn begin_batch(&mut self) {
        (self.left, self.queued_before) = (PER_BATCH as i64, self.queued);
    }

    /// Counts a message of `len` bytes that is queued for a connection.
    #[inline]
    pub(crate) const fn count_message(&mut self, len: usize) {
        self.spend(len as u64 + PER_MESSAGE);
    }

    /// Counts `count` connections that are asked whether they receive a message.
    #[inline]
    pub(crate) const fn count_visits(&mut self, count: usize) {
        self.spend(count as u64 * PER_VISIT);
    }

    /// Counts work that takes about as long as to queue `len` bytes.
    #[cfg(feature = "deflate")]
    pub(crate) const fn count_work(&mut self, len: usize) {
        self.spend(len as u64);
    }

    #[inline]
    const fn spend(&mut self, cost: u64) {
        self.queued += cost;
        self.left -= cost as i64;
    }

    /// Counts one step of a batch; returns whether to ask [`is_used_up`](Self::is_used_up).
    #[inline]
    pub(crate) const fn step(&mut self) -> bool {
        self.left -= PER_BATCH as i64 / STEPS;
        self.left < 0
    }

    /// Returns whether the batch must end. Call it when [`step`](Self::step) says so.
    #[cold]
    pub(crate) fn is_used_up(&mut self) -> bool {
        self.is_late |= (self.clock)() > self.began + TURN_TIME;
        self.left = PER_BATCH as i64;
        self.is_late || self.queued - self.queued_before > PER_BATCH
    }

    /// Returns whether this batch has queued so much that its connection counts as costly.
    #[inline]
    pub(crate) const fn is_costly(&self) -> bool {
        self.queued - self.queued_before > COSTLY
    }

    /// Returns whether costly connections wait for the next turn.
    #[inline]
    pub(crate) const fn is_turn_used_up(&self) -> bool {
        self.is_late || self.queued > PER_TURN
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc};

    use super::*;

    /// Returns how many steps a batch takes before it ends, if each queues this many bytes.
    fn steps(quota: &mut Quota, bytes: usize) -> usize {
        quota.begin_batch();
        for step in 1..100_000 {
            quota.count_message(bytes);
            if quota.step() && quota.is_used_up() {
                return step;
            }
        }
        usize::MAX
    }

    #[test]
    fn a_batch_ends_after_the_bytes_that_it_may_queue() {
        let mut quota = Quota::default();
        quota.begin_turn(LoopTime(0));
        let limit = PER_BATCH as usize;
        assert_eq!(steps(&mut quota, limit), 1);
        assert_eq!(steps(&mut quota, limit / 2), 2);
        // The clock is read in between, which does not shorten the quota.
        let small = 1000 + PER_MESSAGE as usize;
        assert!((limit / small..=limit / small + STEPS as usize).contains(&steps(&mut quota, 1000)));
    }

    #[test]
    fn a_late_turn_ends_a_batch_at_the_next_look() {
        let now = Rc::new(Cell::new(7));
        let mut quota = Quota::default();
        quota.set_clock({
            let now = Rc::clone(&now);
            move || LoopTime(now.get())
        });
        quota.begin_turn(LoopTime(7));
        now.set(12);
        assert!(steps(&mut quota, 0) > STEPS as usize + 1);
        quota.begin_turn(LoopTime(7));
        now.set(13);
        assert!(steps(&mut quota, 0) <= STEPS as usize + 1);
        assert!(quota.is_turn_used_up());
        quota.begin_turn(LoopTime(20));
        assert!(!quota.is_turn_used_up());
    }

    #[test]
    fn a_turn_is_used_up_by_all_its_batches() {
        let mut quota = Quota::default();
        quota.begin_turn(LoopTime(0));
        for _ in 0..4 {
            assert!(!quota.is_turn_used_up());
            quota.begin_batch();
            quota.count_message(1024 * 1024);
        }
        assert!(quota.is_costly());
        assert!(quota.is_turn_used_up(), "each message costs more than its bytes");
    }

    #[test]
    fn a_batch_may_queue_2_mib_and_a_turn_4_mib() {
        const MESSAGE: usize = 256;
        const LOOK: usize = 16;
        let mut quota = Quota::default();
        quota.begin_turn(LoopTime(0));
        quota.begin_batch();
        quota.count_visits(10);
        quota.count_message((64 << 10) - 10 * LOOK - MESSAGE);
        assert!(!quota.is_costly(), "64 KiB");
        quota.count_visits(1);
        assert!(quota.is_costly());

        quota.count_message((2 << 20) - (64 << 10) - LOOK - MESSAGE);
        assert!(!quota.is_used_up(), "2 MiB");
        quota.count_visits(1);
        assert!(quota.is_used_up());

        quota.begin_batch();
        assert!(!quota.is_costly() && !quota.is_used_up());
        quota.count_message((2 << 20) - LOOK - MESSAGE);
        assert!(!quota.is_turn_used_up(), "4 MiB");
        quota.count_visits(1);
        assert!(quota.is_turn_used_up());
    }

    #[test]
    fn the_clock_is_read_after_32_steps_or_what_costs_as_much() {
        let mut quota = Quota::default();
        quota.begin_turn(LoopTime(0));
        quota.begin_batch();
        assert!((0..32).all(|_| !quota.step()));
        assert!(quota.step());

        // 64 KiB cost as much as a step.
        quota.begin_batch();
        quota.count_message((64 << 10) - 256);
        assert!((0..31).all(|_| !quota.step()));
        assert!(quota.step());
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn work_counts_like_bytes_that_are_queued() {
        let mut quota = Quota::default();
        quota.begin_turn(LoopTime(0));
        quota.begin_batch();
        quota.count_work(2 << 20);
        assert!(!quota.is_used_up(), "2 MiB");
        quota.count_work(1);
        assert!(quota.is_used_up());
    }
}
