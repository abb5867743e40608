//! What becomes of memory that large messages have given back.
//!
//! This file knows the habits of one allocator, glibc's, and speaks to it in the only words there are: by what it
//! allocates and frees. It refuses to know what memory is taken for. Other allocators take no harm from it.
//!
//! glibc returns what is free at the end of its heap to the system, and takes it again, page by page, for the next large
//! message: that was a third of the cost of an echo of 4 MiB. It keeps more once it has seen a large block come back, twice
//! as much as the largest. So it is shown one, and where much is held, a block is laid above it all, so that nothing below
//! lies at the end. Both hold as long as the memory is needed; then the block goes, and glibc is shown more than it keeps,
//! so that it returns all that lies above what is in use. A small thing that lies there, be it one that is free again and
//! set aside for the next of its size, would keep all the rest from being returned: therefore a gap is left for small
//! things where the heap begins.

use std::{hint::black_box, time::Duration};

use crate::hub::LoopTime;

const MIB: usize = 1024 * 1024;
/// The block that glibc learns from. It keeps twice as much; it would learn nothing from one over 32 MiB.
const LESSON: usize = 24 * MIB;
/// With so many blocks of this length it has more than it ever keeps, also if others have taught it to keep the most,
/// 64 MiB. The heap of a thread ends at 64 MiB, so it is not a few large ones: nearly all must fit there.
const MORE_THAN_KEPT: (usize, usize) = (17, 4 * MIB);
/// What is left for small things where the heap begins.
const GAP: usize = 256 * 1024;
/// Where this much at most is held at once, too little comes back to care.
const LITTLE: usize = 4 * MIB;
/// The block above all that is held: hardly a hole below is so large that it would lie there instead.
const CEILING: usize = 16 * MIB;
/// It is laid anew when this much more is held.
const STEP: usize = 8 * MIB;
/// How often it is asked whether memory is still needed.
const PERIOD: Duration = Duration::from_secs(1);

/// The memory that was given back and is kept.
#[derive(Debug)]
pub(super) struct Heap {
    /// What large things lie above, and small things below.
    _floor: Vec<u8>,
    /// What large things lie below.
    ceiling: Vec<u8>,
    /// What memory is kept for: the most that was held, to within a [`STEP`].
    most: usize,
    /// The most that was held in this period.
    lately: usize,
    /// When the period ends; [`LoopTime::NEVER`] if nothing is kept.
    look_at: LoopTime,
}

impl Heap {
    /// Has the allocator keep what is given back from here on, and leaves the gap for small things.
    pub(super) fn prepare() -> Self {
        drop(untouched(LESSON));
        let gap = untouched(GAP);
        // Too large for any hole that there may be below the gap.
        let floor = untouched(GAP);
        drop(gap);
        Self { _floor: floor, ceiling: Vec::new(), most: LITTLE, lately: 0, look_at: LoopTime::NEVER }
    }

    /// Takes note of how much is held after a turn, and gives back what was kept if it is needed no more.
    #[inline]
    pub(super) fn look_after(&mut self, held: usize, now: LoopTime) {
        if (held > LITTLE || self.look_at <= now) && self.is_time(held, now) {
            self.give_back();
        }
    }

    /// Whether what is kept is needed no more: that is what a whole period has shown in which less than half was held.
    #[inline(never)]
    fn is_time(&mut self, held: usize, now: LoopTime) -> bool {
        if held > self.most + STEP {
            self.most = held;
            // The old one goes when the new one lies: it is not to take its place.
            self.ceiling = untouched(CEILING);
        }
        self.lately = self.lately.max(held);
        if self.look_at > now {
            // The first look begins a period.
            self.look_at = self.look_at.min(now + PERIOD);
            return false;
        }
        let is_needed = self.lately > LITTLE.max(self.most / 2);
        self.lately = held;
        self.look_at = if is_needed { now + PERIOD } else { LoopTime::NEVER };
        !is_needed
    }

    /// Has the allocator return all that it can.
    #[cold]
    fn give_back(&mut self) {
        (self.ceiling, self.most) = (Vec::new(), LITTLE);
        let (count, len) = MORE_THAN_KEPT;
        drop(Vec::from_iter((0..count).map(|_| untouched(len))));
    }

    /// When to look next, whatever happens until then; [`LoopTime::NEVER`] if that makes no difference.
    pub(super) const fn wake_at(&self) -> LoopTime {
        self.look_at
    }
}

/// A block that nobody writes to: address space, and no memory. Nothing, where there is no more of it.
fn untouched(len: usize) -> Vec<u8> {
    let mut block = Vec::new();
    // Whether it is to be had makes no difference but to what is kept.
    let _ = block.try_reserve_exact(len);
    black_box(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it is time, with so many MiB held at that second.
    fn is_time(heap: &mut Heap, mib: usize, seconds: u64) -> bool {
        let is_time = heap.is_time(mib * MIB, LoopTime(1000 * seconds));
        if is_time {
            heap.give_back();
        }
        is_time
    }

    #[test]
    fn it_is_time_once_less_than_half_was_held_for_a_whole_period() {
        let mut heap = Heap::prepare();
        assert_eq!(heap.wake_at(), LoopTime::NEVER);
        assert!(!is_time(&mut heap, 100, 1));
        assert_eq!(heap.wake_at(), LoopTime(2000));
        // In the first period 100 was held, in the next one 51, in the third one 50.
        assert!(!is_time(&mut heap, 50, 2));
        assert!(!heap.is_time(51 * MIB, LoopTime(2999)));
        assert!(!is_time(&mut heap, 50, 3));
        assert!(!heap.is_time(0, LoopTime(3999)));
        assert!(is_time(&mut heap, 0, 4));
        assert_eq!(heap.wake_at(), LoopTime::NEVER);
        // From here on that is much.
        assert!(!is_time(&mut heap, 50, 5));
        assert!(!is_time(&mut heap, 50, 6));
        assert!(!is_time(&mut heap, 50, 7));
        assert_eq!(heap.wake_at(), LoopTime(8000));
    }

    #[test]
    fn where_little_is_held_there_is_nothing_to_look_after() {
        let mut heap = Heap::prepare();
        heap.look_after(LITTLE, LoopTime(5));
        assert_eq!((heap.wake_at(), heap.lately), (LoopTime::NEVER, 0));
        heap.look_after(LITTLE + 1, LoopTime(7));
        assert_eq!(heap.wake_at(), LoopTime(1007));
        heap.look_after(LITTLE, LoopTime(1007));
        heap.look_after(LITTLE, LoopTime(2007));
        assert_eq!((heap.wake_at(), heap.most), (LoopTime::NEVER, LITTLE));
    }

    #[test]
    fn the_ceiling_moves_when_much_more_is_held_and_goes_at_the_end() {
        let mut heap = Heap::prepare();
        assert!(!is_time(&mut heap, 12, 1));
        assert_eq!((heap.ceiling.capacity(), heap.most), (0, LITTLE));
        assert!(!is_time(&mut heap, 13, 1));
        assert_eq!((heap.ceiling.capacity(), heap.most), (CEILING, 13 * MIB));
        assert!(!is_time(&mut heap, 21, 1));
        assert_eq!(heap.most, 13 * MIB);
        assert!(!is_time(&mut heap, 22, 1));
        assert_eq!(heap.most, 22 * MIB);
        assert!(!is_time(&mut heap, 0, 2));
        assert!(is_time(&mut heap, 0, 3));
        assert_eq!((heap.ceiling.capacity(), heap.most), (0, LITTLE));
    }
}
