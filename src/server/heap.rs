//! Keeps the memory that large messages have freed, while it is needed. Only [`Server::tune_heap`] asks for
//! it.
//!
//! This file knows one allocator, glibc's, and controls it only by what it allocates and frees. It refuses to
//! know what memory is used for. Other allocators take no harm from it.
//!
//! glibc returns the free memory at the end of its heap to the system, and takes it again, page by page, for
//! the next large message: that was a third of the cost of an echo of 4 MiB. It keeps more once a large block
//! was freed: twice the size of the largest. So [`Heap::tuned`] frees a large block. Where much is held,
//! another block (the ceiling) is allocated above all of it, so that no free memory below is at the end.
//!
//! Both stay as long as the memory is needed. Then the ceiling is freed, and so are more blocks than glibc
//! keeps: it returns all that is above what is in use. A small block there, also a free one in a cache of
//! glibc, would keep the rest from being returned. Therefore a gap for small blocks is left where the heap
//! begins.
//!
//! [`Server::tune_heap`]: crate::Server::tune_heap

use std::{hint::black_box, time::Duration};

use crate::hub::LoopTime;

const MIB: usize = 1024 * 1024;
/// The size of the block that glibc learns from. It keeps twice as much; from one over 32 MiB it learns
/// nothing.
const LESSON: usize = 24 * MIB;
/// Count and length of blocks that are more than glibc ever keeps: 64 MiB, if the rest of the process has
/// freed larger blocks. The heap of a thread ends at 64 MiB and must have room for nearly all: they are not a
/// few large ones.
const MORE_THAN_KEPT: (usize, usize) = (17, 4 * MIB);
/// The room for small blocks where the heap begins.
const GAP: usize = 256 * 1024;
/// Where at most this much is held at once, too little is freed to care.
const LITTLE: usize = 4 * MIB;
/// The size of the ceiling: hardly a hole below is so large that the ceiling would be placed there.
const CEILING: usize = 16 * MIB;
/// The ceiling is allocated anew when this much more is held.
const STEP: usize = 8 * MIB;
/// How often the loop looks whether memory is still needed.
const PERIOD: Duration = Duration::from_secs(1);

/// The memory that was freed and is kept.
#[derive(Debug)]
pub(super) struct Heap {
    /// Memory is kept while more than this is held; `usize::MAX` unless the heap is tuned.
    keep_above: usize,
    /// Small blocks are below it, large ones above.
    _floor: Vec<u8>,
    /// Large blocks are below it.
    ceiling: Vec<u8>,
    /// The amount that memory is kept for: the most that was held, to within a [`STEP`].
    most: usize,
    /// The most that was held in this period.
    lately: usize,
    /// When the period ends; [`LoopTime::NEVER`] if nothing is kept.
    look_at: LoopTime,
}

impl Heap {
    /// Returns one that leaves the allocator alone.
    pub(super) const fn untuned() -> Self {
        Self {
            keep_above: usize::MAX,
            _floor: Vec::new(),
            ceiling: Vec::new(),
            most: LITTLE,
            lately: 0,
            look_at: LoopTime::NEVER,
        }
    }

    /// Has the allocator keep what is freed from here on, and leaves the gap for small blocks.
    pub(super) fn tuned() -> Self {
        drop(untouched(LESSON));
        let gap = untouched(GAP);
        // Too large for any hole that there may be below the gap.
        let floor = untouched(GAP);
        drop(gap);
        Self { keep_above: LITTLE, _floor: floor, ..Self::untuned() }
    }

    /// Notes how much is held after a turn, and returns the memory that is not needed any more.
    #[inline]
    pub(super) fn look_after(&mut self, held: usize, now: LoopTime) {
        if (held > self.keep_above || self.look_at <= now) && self.is_time(held, now) {
            self.give_back();
        }
    }

    /// Whether the memory is not needed any more: in a whole period less than half of it was held.
    #[inline(never)]
    fn is_time(&mut self, held: usize, now: LoopTime) -> bool {
        if held > self.most + STEP {
            self.most = held;
            // The old one is freed after the new one is allocated, so the new one can't take its place.
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

    /// Has the allocator return all that it can to the system.
    #[cold]
    fn give_back(&mut self) {
        (self.ceiling, self.most) = (Vec::new(), LITTLE);
        let (count, len) = MORE_THAN_KEPT;
        drop(Vec::from_iter((0..count).map(|_| untouched(len))));
    }

    /// Returns when to look next, whatever happens until then; [`LoopTime::NEVER`] if nothing is kept.
    pub(super) const fn wake_at(&self) -> LoopTime {
        self.look_at
    }
}

/// Returns a block that is never written to: address space without memory. It is empty where there is no more
/// of it.
fn untouched(len: usize) -> Vec<u8> {
    let mut block = Vec::new();
    // A failure only changes how much is kept.
    let _ = block.try_reserve_exact(len);
    black_box(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether memory goes back at `seconds`, when `mib` MiB are held.
    fn is_time(heap: &mut Heap, mib: usize, seconds: u64) -> bool {
        let is_time = heap.is_time(mib * MIB, LoopTime(1000 * seconds));
        if is_time {
            heap.give_back();
        }
        is_time
    }

    #[test]
    fn it_is_time_once_less_than_half_was_held_for_a_whole_period() {
        let mut heap = Heap::tuned();
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
    fn a_heap_that_is_not_tuned_keeps_nothing() {
        let mut heap = Heap::untuned();
        for seconds in 1..5 {
            heap.look_after(usize::MAX - 1, LoopTime(1000 * seconds));
            assert_eq!(heap.wake_at(), LoopTime::NEVER);
            assert_eq!((heap._floor.capacity(), heap.ceiling.capacity(), heap.lately), (0, 0, 0));
        }
    }

    #[test]
    fn where_little_is_held_no_memory_is_kept() {
        let mut heap = Heap::tuned();
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
        let mut heap = Heap::tuned();
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
