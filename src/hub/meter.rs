//! The number of bytes held for all peers together.
//!
//! This file knows a sum. It refuses to know the limit: the loop compares the two. What holds bytes keeps a
//! clone of the meter and says what it takes and gives back, at the latest when it is dropped.

use std::{cell::Cell, rc::Rc};

use crate::protocol::{OwnedMessage, Prepared};

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
        debug_assert!(bytes <= self.held(), "no more is given back than was taken");
        self.0.set(self.0.get().saturating_sub(bytes));
    }
}

/// What several backlogs can share.
pub(crate) trait Content {
    /// Returns how many bytes it holds in memory.
    fn memory(&self) -> usize;
}

impl Content for Prepared {
    fn memory(&self) -> usize {
        self.memory()
    }
}

impl Content for OwnedMessage {
    fn memory(&self) -> usize {
        self.as_message().len()
    }
}

/// Bytes that several backlogs share, held and counted once.
#[derive(Debug)]
pub(crate) struct Shared<T: Content> {
    content: T,
    meter: Meter,
}

/// A message that is encoded once for many receivers.
pub(crate) type SharedPrepared = Shared<Prepared>;
/// A received message that is sent on.
pub(crate) type SharedMessage = Shared<OwnedMessage>;

impl<T: Content> Shared<T> {
    pub(crate) fn new(content: T, meter: &Meter) -> Rc<Self> {
        meter.add(content.memory());
        Rc::new(Self { content, meter: meter.clone() })
    }

    pub(crate) const fn content(&self) -> &T {
        &self.content
    }
}

impl<T: Content> Drop for Shared<T> {
    fn drop(&mut self) {
        self.meter.sub(self.content.memory());
    }
}
