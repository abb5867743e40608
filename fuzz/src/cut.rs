//! How a stream of bytes is cut into what arrives at once.
//!
//! This file knows lengths. It does not know what the bytes are.

use super::plan::Plan;

/// What a plan begins with: how many lengths there are (0 to 7), and the lengths.
pub(super) fn read(plan: &mut Plan<'_>) -> Vec<usize> {
    let count = usize::from(plan.byte() % 8);
    plan.bytes(count).iter().map(|&len| len.into()).collect()
}

/// Where the pieces of `len` bytes end when they have these lengths, over and over. A length of zero is a
/// piece without bytes; without any other length there is one piece.
pub(super) fn ends(len: usize, lengths: &[usize]) -> Vec<usize> {
    if lengths.iter().sum::<usize>() == 0 {
        return vec![len];
    }
    let mut ends = Vec::new();
    let mut end = 0;
    for length in lengths.iter().cycle() {
        end = len.min(end + length);
        ends.push(end);
        if end == len {
            return ends;
        }
    }
    ends
}
