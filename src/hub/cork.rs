//! The cork: what is sent to one connection while a batch of its input is handled leaves in one write.
//!
//! This file knows which connection has the cork, whether the fast path is open to it, and what was collected. It
//! refuses to know how bytes are written.

use std::{mem, ptr, rc::Rc};

use super::{
    backlog::SHARE_LEN,
    meter::{Meter, SharedMessage},
    registry::ConnId,
};
use crate::protocol::{Framing, OwnedMessage};

/// The bytes for one connection, and what the fast path needs to know about it.
#[derive(Default)]
pub(super) struct Cork {
    owner: Option<ConnId>,
    /// How the owner's frames are encoded, while it may be sent to and its socket takes bytes: a message to it
    /// needs no look at its `Outbound`.
    fast_path: Option<Framing>,
    /// The current event is the last of the batch.
    is_at_end: bool,
    /// A hook has paused the owner: the batch ends before its next event.
    is_paused: bool,
    bytes: Vec<u8>,
    /// A message of the batch that a backlog can share instead of copying it.
    retained: Option<Rc<SharedMessage>>,
}

impl Cork {
    /// Hands the cork to a connection.
    #[inline]
    pub(super) const fn begin(&mut self, id: ConnId, fast_path: Option<Framing>) {
        (self.owner, self.fast_path) = (Some(id), fast_path);
        (self.is_at_end, self.is_paused) = (false, false);
    }

    /// Takes the cork away from its owner.
    #[inline]
    pub(super) fn end(&mut self) {
        (self.owner, self.fast_path) = (None, None);
        if self.retained.is_some() {
            self.retained = None;
        }
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

    /// Returns how frames to the owner are encoded, if the fast path is open to it.
    #[inline]
    pub(super) const fn fast_path(&self) -> Option<Framing> {
        self.fast_path
    }

    /// Notes whether the fast path is open to a connection; of no effect unless it has the cork.
    #[inline]
    pub(super) fn note_fast_path(&mut self, id: ConnId, fast_path: Option<Framing>) {
        if self.is_owned_by(id) {
            self.fast_path = fast_path.filter(|_| !self.is_paused);
        }
    }

    /// Closes the fast path until the batch ends, if `id` has the cork: the loop looks at the pause before it takes
    /// the next event.
    pub(super) fn pause(&mut self, id: ConnId) {
        if self.is_owned_by(id) {
            (self.fast_path, self.is_paused) = (None, true);
        }
    }

    /// Returns whether a hook has paused the owner in this batch.
    pub(super) const fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Notes whether the current event is the last of the batch.
    #[inline]
    pub(super) const fn set_last_in_batch(&mut self, is_last: bool) {
        self.is_at_end = is_last;
    }

    /// Returns whether the current event is the last of the batch.
    #[inline]
    pub(super) const fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// Returns the bytes that were collected.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns where frames are appended.
    #[inline]
    pub(super) const fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Forgets the bytes that were collected, which have left or wait elsewhere now.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Takes the bytes that were collected; give the buffer back by [`reuse`](Self::reuse).
    pub(super) fn take(&mut self) -> Vec<u8> {
        mem::take(&mut self.bytes)
    }

    /// Collects into this buffer from now on.
    pub(super) fn reuse(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.bytes = buffer;
    }

    /// Keeps a message that is dispatched next until the batch ends.
    pub(super) fn retain(&mut self, mut message: OwnedMessage, meter: &Meter) -> Rc<SharedMessage> {
        // The buffer of a message of unknown length may be twice as large as the message.
        match &mut message {
            OwnedMessage::Text(text) => text.shrink_to_fit(),
            OwnedMessage::Binary(bytes) => bytes.shrink_to_fit(),
        }
        let message = SharedMessage::new(message, meter);
        self.retained = Some(Rc::clone(&message));
        message
    }

    /// Returns the retained message.
    pub(super) fn retained(&self) -> Option<Rc<SharedMessage>> {
        self.retained.clone()
    }

    /// Retains this message in place of the one before.
    pub(super) fn set_retained(&mut self, message: Option<Rc<SharedMessage>>) {
        self.retained = message;
    }

    /// Returns the retained message, if `bytes` *is* its payload (pointer identity) and at least half of it
    /// would have to be queued.
    pub(super) fn retained_for(&self, bytes: &[u8], from: usize) -> Option<Rc<SharedMessage>> {
        let is_worth_it = bytes.len() - from >= SHARE_LEN.max(bytes.len() / 2);
        self.retained.clone().filter(|retained| is_worth_it && ptr::eq(retained.content().as_ref(), bytes))
    }
}
