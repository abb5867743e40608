//! Who is connected: a table of slots, and ids that can go stale but never point at somebody else.
//!
//! This file knows slots and ids. It refuses to know what is kept in a slot.

use std::fmt;

/// Names one connection for as long as the server runs.
///
/// It is a place in a table and the number of the connection that has it; the place is used again after a
/// connection has gone, the number is not (before four billion others). An id that outlives its connection finds
/// nobody.
///
/// ```
/// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
/// use wirehook::{SendStatus, Server};
///
/// let mut first = None;
/// let server = Server::bind("127.0.0.1:0")?.on_message(move |ws, _| {
///     let to = *first.get_or_insert(ws.id());
///     assert_eq!(to.to_string(), "1");
///     assert_eq!(ws.push(to, "you came first"), SendStatus::Sent);
/// });
/// assert_eq!(talk(server, b"\x81\x82\0\0\0\0hi")?, b"\x81\x0eyou came first\x88\x00");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId {
    pub(crate) serial: u32,
    pub(crate) index: u32,
}

impl fmt::Display for ConnId {
    /// The number of the connection: the first one is 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serial.fmt(f)
    }
}

/// A table whose entries stay where they are.
#[derive(Debug)]
pub(crate) struct Registry<T> {
    slots: Vec<Option<(u32, T)>>,
    free: Vec<u32>,
    last_serial: u32,
}

impl<T> Registry<T> {
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), last_serial: 0 }
    }

    /// A table with room for so many before it has to grow.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { slots: Vec::with_capacity(capacity), ..Self::new() }
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The id that the next [`insert`](Self::insert) will return.
    pub(crate) fn next_id(&self) -> ConnId {
        let index = self.free.last().copied().unwrap_or(self.slots.len() as u32);
        ConnId { index, serial: self.last_serial.wrapping_add(1) }
    }

    pub(crate) fn insert(&mut self, entry: T) -> ConnId {
        let id = self.next_id();
        self.last_serial = id.serial;
        if self.free.pop().is_none() {
            self.slots.push(None);
        }
        self.slots[id.index as usize] = Some((id.serial, entry));
        id
    }

    pub(crate) fn remove(&mut self, id: ConnId) -> Option<T> {
        let slot = self.slots.get_mut(id.index as usize)?;
        let (_, entry) = slot.take_if(|(serial, _)| *serial == id.serial)?;
        self.free.push(id.index);
        Some(entry)
    }

    #[inline]
    pub(crate) fn get(&self, id: ConnId) -> Option<&T> {
        match self.slots.get(id.index as usize) {
            Some(Some((serial, entry))) if *serial == id.serial => Some(entry),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut T> {
        match self.slots.get_mut(id.index as usize) {
            Some(Some((serial, entry))) if *serial == id.serial => Some(entry),
            _ => None,
        }
    }

    /// Who has the slot now.
    #[inline]
    pub(crate) fn id_at(&self, index: usize) -> Option<ConnId> {
        self.entry_at(index).map(|(id, _)| id)
    }

    /// Who has the slot now, and what is kept for it.
    #[inline]
    pub(crate) fn entry_at(&self, index: usize) -> Option<(ConnId, &T)> {
        let (serial, entry) = self.slots.get(index)?.as_ref()?;
        Some((ConnId { index: index as u32, serial: *serial }, entry))
    }

    /// How many slots there are, taken or free.
    pub(crate) fn places(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnId, &T)> {
        (0..).zip(&self.slots).filter_map(|(index, slot)| {
            slot.as_ref().map(|(serial, entry)| (ConnId { index, serial: *serial }, entry))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_id_finds_nobody_in_a_slot_that_is_used_again() {
        let mut registry = Registry::new();
        let first = registry.insert("first");
        assert_eq!(registry.remove(first), Some("first"));
        let second = registry.insert("second");
        assert_eq!((first.index, second.index), (0, 0));
        assert_eq!(registry.get(first), None);
        assert_eq!(registry.get_mut(first), None);
        assert_eq!(registry.remove(first), None);
        assert_eq!(registry.get(second), Some(&"second"));
        assert_eq!(registry.len(), 1);
    }

    #[test]
    fn the_next_id_is_the_one_that_insert_gives() {
        let mut registry = Registry::new();
        for round in 0..3 {
            let ids = [(); 4].map(|()| {
                let expected = registry.next_id();
                assert_eq!(registry.insert(round), expected);
                expected
            });
            registry.remove(ids[1]);
            registry.remove(ids[2]);
        }
        assert_eq!(registry.len(), 6);
        assert_eq!(registry.iter().count(), 6);
    }
}
