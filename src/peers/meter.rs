//! How many bytes are held for all peers together.
//!
//! This file knows a sum. It refuses to know the limit: the loop compares the two. What holds bytes keeps a
//! clone of the meter and says what it takes and gives back, at the latest when it is dropped.

use std::{cell::Cell, rc::Rc};

/// A sum that many can add to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter(Rc<Cell<usize>>);

impl Meter {
    pub(crate) fn held(&self) -> usize {
        self.0.get()
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.0.set(self.0.get().saturating_add(bytes));
    }

    pub(crate) fn sub(&self, bytes: usize) {
        debug_assert!(bytes <= self.held(), "nobody gives back more than was taken");
        self.0.set(self.0.get().saturating_sub(bytes));
    }
}

/// An encoded message that several backlogs share, held and counted once.
#[derive(Debug)]
pub(crate) struct SharedFrame {
    bytes: Box<[u8]>,
    meter: Meter,
}

impl SharedFrame {
    pub(crate) fn new(bytes: Vec<u8>, meter: &Meter) -> Rc<Self> {
        meter.add(bytes.len());
        Rc::new(Self { bytes: bytes.into(), meter: meter.clone() })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for SharedFrame {
    fn drop(&mut self) {
        self.meter.sub(self.bytes.len());
    }
}
