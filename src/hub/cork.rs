//! The cork: what is sent to one connection while a batch of its input is handled leaves in one write.
//!
//! This file knows which connection has the cork, whether the fast path is open to it, and what was
//! collected. It refuses to know how bytes are written.

use std::{mem, ptr, rc::Rc};

use super::{
    backlog::SHARE_LEN,
    meter::{Meter, SharedMessage},
    registry::ConnId,
};
use crate::protocol::{Framing, OwnedMessage};

/// The bytes for one connection, and what the fast path needs to know about it.
pub(super) struct Cork {
    /// The connection that has the cork, or [`ConnId::NONE`].
    owner: ConnId,
    /// The owner, while it may be sent to and its socket takes bytes, or [`ConnId::NONE`]: a message to it
    /// needs no look at its `Outbound`.
    fast_owner: ConnId,
    /// How frames of the fast path are encoded.
    framing: Framing,
    /// A hook has paused the owner: the batch ends before its next event.
    is_paused: bool,
    /// How many bytes of the batch come after the current event.
    input_left: usize,
    bytes: Vec<u8>,
    /// A message of the batch that a backlog can share instead of copying it.
    retained: Option<Rc<SharedMessage>>,
}

impl Default for Cork {
    fn default() -> Self {
        Self {
            owner: ConnId::NONE,
            fast_owner: ConnId::NONE,
            framing: Framing::default(),
            is_paused: false,
            input_left: 0,
            bytes: Vec::new(),
            retained: None,
        }
    }
}

impl Cork {
    /// Hands the cork to a connection.
    #[inline]
    pub(super) fn begin(&mut self, id: ConnId, fast_path: Option<Framing>) {
        self.owner = id;
        (self.input_left, self.is_paused) = (usize::MAX, false);
        self.set_fast_path(fast_path);
    }

    /// Takes the cork away from its owner.
    #[inline]
    pub(super) fn end(&mut self) {
        (self.owner, self.fast_owner) = (ConnId::NONE, ConnId::NONE);
        if self.retained.is_some() {
            self.retained = None;
        }
    }

    /// Returns the connection that has the cork.
    #[inline]
    pub(super) fn owner(&self) -> Option<ConnId> {
        (self.owner != ConnId::NONE).then_some(self.owner)
    }

    /// Returns whether a connection has the cork.
    #[inline]
    pub(super) fn is_owned_by(&self, id: ConnId) -> bool {
        self.owner == id
    }

    /// Returns how frames to a connection are encoded, if it has the cork and the fast path is open to it.
    #[inline]
    pub(super) fn fast_path(&self, id: ConnId) -> Option<Framing> {
        (self.fast_owner == id).then_some(self.framing)
    }

    /// Returns whether the fast path is open to the owner.
    #[inline]
    pub(super) fn has_fast_path(&self) -> bool {
        self.fast_owner != ConnId::NONE
    }

    /// Notes whether the fast path is open to a connection; of no effect unless it has the cork.
    #[inline]
    pub(super) fn note_fast_path(&mut self, id: ConnId, fast_path: Option<Framing>) {
        if self.is_owned_by(id) {
            self.set_fast_path(fast_path.filter(|_| !self.is_paused));
        }
    }

    #[inline]
    fn set_fast_path(&mut self, fast_path: Option<Framing>) {
        (self.fast_owner, self.framing) = match fast_path {
            Some(framing) => (self.owner, framing),
            None => (ConnId::NONE, self.framing),
        };
    }

    /// Closes the fast path until the batch ends, if `id` has the cork: the loop looks at the pause before it
    /// takes the next event.
    pub(super) fn pause(&mut self, id: ConnId) {
        if self.is_owned_by(id) {
            (self.fast_owner, self.is_paused) = (ConnId::NONE, true);
        }
    }

    /// Returns whether a hook has paused the owner in this batch.
    pub(super) const fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Notes how many bytes of the batch come after the current event.
    #[inline]
    pub(super) const fn set_input_left(&mut self, len: usize) {
        self.input_left = len;
    }

    /// Returns whether the current event is the last of the batch.
    #[inline]
    pub(super) const fn is_at_end(&self) -> bool {
        self.input_left == 0
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
