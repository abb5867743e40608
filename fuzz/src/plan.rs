//! How a body reads its bytes as a plan.
//!
//! This file knows numbers and runs of bytes. What a plan does not say is zero, so that every input is a
//! plan, and a plan can be written by hand.

/// The part of a plan that was not read yet.
pub(super) struct Plan<'a>(pub(super) &'a [u8]);

impl<'a> Plan<'a> {
    pub(super) const fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    /// Two bytes, the high one first.
    pub(super) fn number(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.bytes(N);
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    /// The next `len` bytes, or all that are left.
    pub(super) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
