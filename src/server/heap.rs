//! What becomes of memory that large messages have given back.
//!
//! This file knows the habits of one allocator, glibc's, and speaks to it in the only words there are: by what it
//! allocates and frees. It refuses to know what memory is taken for. Other allocators take no harm from it.
//!
//! glibc returns what is free at the end of its heap to the system, and takes it again, page by page, for the next large
//! message: that was a third of the cost of an echo of 4 MiB. It keeps more once it has seen a large block come back, twice
//! as much as the largest. So it is shown one, and a server that is busy has its memory at hand; and a second later it
//! is shown more than it keeps, so that it returns all that lies above what is in use. A small thing that lies there,
//! be it one that is free again and set aside for the next of its size, would keep all the rest from being returned:
//! therefore a gap is left for small things where the heap begins.

use std::{hint::black_box, time::Duration};

use crate::peers::Millis;

/// The block that glibc learns from. It keeps twice as much; it would learn nothing from one over 32 MiB.
const LESSON: usize = 24 * 1024 * 1024;
/// With so many blocks of this length it has more than it ever keeps, also if others have taught it to keep the most,
/// 64 MiB. The heap of a thread ends at 64 MiB, so it is not a few large ones: nearly all must fit there.
const MORE_THAN_KEPT: (usize, usize) = (17, 4 * 1024 * 1024);
/// What is left for small things where the heap begins.
const GAP: usize = 256 * 1024;
/// Where this much at most is held at once, too little comes back to care.
const LITTLE: usize = 4 * 1024 * 1024;
/// How long memory is kept for the next large message.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// The memory that was given back and is kept.
#[derive(Debug)]
pub(super) struct Heap {
    /// What large things lie above, and small things below.
    _floor: Vec<u8>,
    /// [`Millis::NEVER`] if nothing is.
    give_back_at: Millis,
}

impl Heap {
    /// Has the allocator keep what is given back from here on, and leaves the gap for small things.
    pub(super) fn prepare() -> Self {
        drop(untouched(LESSON));
        let gap = untouched(GAP);
        // Too large for any hole that there may be below the gap.
        let floor = untouched(GAP);
        drop(gap);
        Self { _floor: floor, give_back_at: Millis::NEVER }
    }

    /// Takes note of how much is held after a turn; whether it is time to give back what was kept.
    #[inline]
    pub(super) fn is_time(&mut self, held: usize, now: Millis) -> bool {
        if self.give_back_at <= now {
            self.give_back_at = Millis::NEVER;
            return true;
        }
        if held > LITTLE && self.give_back_at == Millis::NEVER {
            self.give_back_at = now + KEPT_FOR;
        }
        false
    }

    /// Has the allocator return all that it can.
    pub(super) fn give_back() {
        let (count, len) = MORE_THAN_KEPT;
        drop(Vec::from_iter((0..count).map(|_| untouched(len))));
    }

    /// When to look next, whatever happens until then; [`Millis::NEVER`] if that makes no difference.
    pub(super) const fn wake_at(&self) -> Millis {
        self.give_back_at
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

    #[test]
    fn a_second_after_much_was_held_it_is_time_to_give_it_back_and_not_before() {
        let mut heap = Heap::prepare();
        assert!(!heap.is_time(LITTLE, Millis(5)));
        assert_eq!(heap.wake_at(), Millis::NEVER);
        assert!(!heap.is_time(LITTLE + 1, Millis(7)));
        assert_eq!(heap.wake_at(), Millis(1007));
        // What comes meanwhile does not put it off.
        assert!(!heap.is_time(2 * LITTLE, Millis(1006)));
        assert!(heap.is_time(0, Millis(1007)));
        assert_eq!(heap.wake_at(), Millis::NEVER);
        // As long as much is held, there will be more to give back.
        assert!(!heap.is_time(2 * LITTLE, Millis(1008)));
        assert_eq!(heap.wake_at(), Millis(2008));
    }
}
