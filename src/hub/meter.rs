//! The number of bytes held for all peers together.
//!
//! This file knows a sum. It refuses to know the limit: the loop compares the two. What holds bytes keeps a
//! clone of the meter and says what it takes and gives back, at the latest when it is dropped.

use std::{cell::Cell, rc::Rc};

use crate::protocol::OwnedMessage;

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

/// Bytes that several backlogs share, held and counted once.
#[derive(Debug)]
pub(crate) struct Shared<T: AsRef<[u8]>> {
    content: T,
    meter: Meter,
}

/// A message that is encoded once for many receivers.
pub(crate) type SharedFrame = Shared<Box<[u8]>>;
/// A received message that is sent on.
pub(crate) type SharedMessage = Shared<OwnedMessage>;

impl<T: AsRef<[u8]>> Shared<T> {
    pub(crate) fn new(content: impl Into<T>, meter: &Meter) -> Rc<Self> {
        let content = content.into();
        meter.add(content.as_ref().len());
        Rc::new(Self { content, meter: meter.clone() })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.content.as_ref()
    }

    pub(crate) const fn content(&self) -> &T {
        &self.content
    }
}

impl<T: AsRef<[u8]>> Drop for Shared<T> {
    fn drop(&mut self) {
        self.meter.sub(self.bytes().len());
    }
}
