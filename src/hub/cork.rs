//! The cork: what is sent to one connection while a batch of its input is handled leaves in one write.
//!
//! This file knows who has the cork and whether the fast path is open to it. It refuses to know how bytes are
//! written.

use std::{ptr, rc::Rc};

use super::{backlog::SHARE_LEN, meter::SharedMessage, registry::ConnId};
use crate::protocol::Framing;

/// The bytes for one connection, and what the fast path needs to know about it.
#[derive(Default)]
pub(super) struct Cork {
    owner: Option<ConnId>,
    /// The owner and how its frames are encoded, while it may be sent to and its socket takes bytes: a message to
    /// it needs no look at its `Outbound`.
    fast_path: Option<(ConnId, Framing)>,
    /// The current event is the last of the batch.
    pub(super) at_end: bool,
    pub(super) bytes: Vec<u8>,
    /// A message of the batch that a backlog can share instead of copying it.
    pub(super) retained: Option<Rc<SharedMessage>>,
}

impl Cork {
    /// Hands the cork to a connection.
    #[inline]
    pub(super) fn begin(&mut self, id: ConnId, fast_path: Option<Framing>) {
        self.owner = Some(id);
        self.at_end = false;
        self.set_fast_path(id, fast_path);
    }

    /// Takes the cork away from its owner.
    #[inline]
    pub(super) fn end(&mut self) {
        (self.owner, self.fast_path, self.retained) = (None, None, None);
    }

    /// Returns the connection that has the cork.
    #[inline]
    pub(super) const fn owner(&self) -> Option<ConnId> {
        self.owner
    }

    /// Returns whether a connection has the cork.
    #[inline]
    pub(super) fn is_owned_by(&self, id: ConnId) -> bool {
        self.owner == Some(id)
    }

    /// Returns how frames to a connection are encoded, if the fast path is open to it.
    #[inline]
    pub(super) fn fast_path(&self, id: ConnId) -> Option<Framing> {
        match self.fast_path {
            Some((owner, framing)) if owner == id => Some(framing),
            _ => None,
        }
    }

    /// Notes whether the fast path is open to a connection; of no effect unless it has the cork.
    #[inline]
    pub(super) fn note_fast_path(&mut self, id: ConnId, fast_path: Option<Framing>) {
        if self.is_owned_by(id) {
            self.set_fast_path(id, fast_path);
        }
    }

    #[inline]
    fn set_fast_path(&mut self, owner: ConnId, fast_path: Option<Framing>) {
        self.fast_path = fast_path.map(|framing| (owner, framing));
    }

    /// Returns the retained message, if `bytes` *is* its payload (pointer identity) and at least half of it
    /// would have to be queued.
    pub(super) fn retained_for(&self, bytes: &[u8], from: usize) -> Option<Rc<SharedMessage>> {
        let is_worth_it = bytes.len() - from >= SHARE_LEN.max(bytes.len() / 2);
        self.retained.clone().filter(|retained| is_worth_it && ptr::eq(retained.content().as_ref(), bytes))
    }
}
