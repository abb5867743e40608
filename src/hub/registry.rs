//! A table of slots, and ids that can go stale but never name another connection.
//!
//! This file knows slots and ids. It refuses to know what is kept in a slot.

use std::{fmt, iter, mem};

/// Names one connection for as long as the server runs, in 8 bytes.
///
/// It is a place in a table and the number of the connection that has it; the place is used again after a
/// connection has gone, the number is not (before four billion others). An id that outlives its connection
/// finds nothing.
///
/// Of the 64 bits 32 are the number, 24 the place, and 8 the loop that the connection lives in: 256 loops
/// with 16,777,216 connections each. A server has one loop so far, which is loop 0.
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
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(
    /// The serial number above, the index below: in one word, which is compared and passed on at once.
    u64,
);

impl ConnId {
    /// How many bits of the index are the place.
    const PLACE_BITS: u32 = 24;

    /// The id of no connection.
    pub(super) const NONE: Self = Self(u64::MAX);

    #[inline]
    pub(crate) const fn new(serial: u32, index: u32) -> Self {
        Self((serial as u64) << 32 | index as u64)
    }

    /// Returns a number that no other connection has.
    #[cfg(feature = "deflate")]
    pub(super) const fn number(self) -> u64 {
        self.0
    }

    /// Returns the number of the connection in its loop.
    #[inline]
    pub(crate) const fn serial(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Returns the place in the table of loop 0. With the loop in its upper 8 bits it is no place of another
    /// loop's table, so the id finds nothing there.
    #[inline]
    pub(crate) const fn index(self) -> u32 {
        self.0 as u32
    }

    /// Returns the number of the loop that the connection lives in.
    const fn loop_number(self) -> u32 {
        self.index() >> Self::PLACE_BITS
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnId").field("serial", &self.serial()).field("index", &self.index()).finish()
    }
}

impl fmt::Display for ConnId {
    /// Writes the number of the connection: the first one is 1. Before the number of a connection in another
    /// loop than loop 0 stands that of the loop: `2.1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.loop_number() {
            0 => self.serial().fmt(f),
            number => f.pad(&format!("{number}.{}", self.serial())),
        }
    }
}

/// A table whose entries stay where they are.
///
/// Free places that lie side by side are a run, and its first and last place say how long it is. So a walk
/// over the table visits at no more than two places per entry, however many are free. A run at the end of the
/// table is cut off.
#[derive(Debug)]
pub(crate) struct Registry<T> {
    places: Vec<Place<T>>,
    /// How many entries there are.
    len: usize,
    /// Where the run begins that the next entry goes to; [`NOWHERE`] if there is none.
    first_run: u32,
    last_serial: u32,
    /// How many places there is room for at least.
    least_room: usize,
    /// How many places walks over the table have visited.
    #[cfg(test)]
    visits: std::cell::Cell<usize>,
}

#[derive(Debug)]
enum Place<T> {
    Taken(u32, T),
    Free(Run),
}

/// What the first place of a run says of it. Of what the last one says only the length is true.
#[derive(Clone, Copy, Debug)]
struct Run {
    len: u32,
    /// Where the runs begin that are this one's neighbours in the list of runs.
    before: u32,
    after: u32,
}

/// No place: the list of runs ends here.
const NOWHERE: u32 = u32::MAX;

impl<T> Registry<T> {
    /// What a connection costs in the table, in bytes.
    #[cfg(test)]
    pub(crate) const PLACE_LEN: usize = size_of::<Place<T>>();

    /// How many entries an id can name.
    const MAX_LEN: usize = 1 << ConnId::PLACE_BITS;

    pub(crate) const fn new() -> Self {
        Self {
            places: Vec::new(),
            len: 0,
            first_run: NOWHERE,
            last_serial: 0,
            least_room: 0,
            #[cfg(test)]
            visits: std::cell::Cell::new(0),
        }
    }

    /// Creates a table with room for `capacity` entries before it grows.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { places: Vec::with_capacity(capacity), least_room: capacity, ..Self::new() }
    }

    /// Returns how many entries there are.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Returns how many places there are, taken or free; the last one is taken.
    pub(crate) const fn places(&self) -> usize {
        self.places.len()
    }

    /// The id that the next [`insert`](Self::insert) will return.
    pub(crate) const fn next_id(&self) -> ConnId {
        let index = if self.first_run == NOWHERE { self.places.len() as u32 } else { self.first_run };
        // Never 0, which is the serial number of no connection.
        let serial = if self.last_serial == u32::MAX { 1 } else { self.last_serial + 1 };
        ConnId::new(serial, index)
    }

    /// Returns whether every place that an id can name is taken.
    pub(crate) const fn is_full(&self) -> bool {
        self.len >= Self::MAX_LEN
    }

    /// Adds an entry. Ask first whether the table [is full](Self::is_full).
    pub(crate) fn insert(&mut self, entry: T) -> ConnId {
        debug_assert!(!self.is_full(), "the place has 24 bits");
        let id = self.next_id();
        self.last_serial = id.serial();
        self.len += 1;
        let taken = Place::Taken(id.serial(), entry);
        if self.first_run == NOWHERE {
            self.places.push(taken);
        } else {
            let len = self.unlink(id.index());
            self.places[id.index() as usize] = taken;
            self.link(id.index() + 1, len - 1);
        }
        id
    }

    pub(crate) fn remove(&mut self, id: ConnId) -> Option<T> {
        let place = self.places.get_mut(id.index() as usize)?;
        if !matches!(place, Place::Taken(serial, _) if *serial == id.serial()) {
            return None;
        }
        let free = Place::Free(Run { len: 1, before: NOWHERE, after: NOWHERE });
        let Place::Taken(_, entry) = mem::replace(place, free) else { return None };
        self.len -= 1;
        self.free(id.index());
        Some(entry)
    }

    /// Makes one run of a place that has become free and of the runs on both sides of it.
    fn free(&mut self, index: u32) {
        let (mut start, mut len) = (index, 1);
        if let Some(Place::Free(left)) = index.checked_sub(1).and_then(|it| self.places.get(it as usize)) {
            start -= left.len;
            len += self.unlink(start);
        }
        if let Some(Place::Free(_)) = self.places.get(index as usize + 1) {
            len += self.unlink(index + 1);
        }
        if (start + len) as usize == self.places.len() {
            self.cut_off(start as usize);
        } else {
            self.link(start, len);
        }
    }

    /// Drops the places from `len` on, and gives memory back where much more is kept than is used.
    fn cut_off(&mut self, len: usize) {
        self.places.truncate(len);
        if self.places.capacity() > 4 * len.max(self.least_room) {
            self.places.shrink_to(2 * len.max(self.least_room));
        }
    }

    /// Takes a run out of the list of runs; how long it is.
    fn unlink(&mut self, start: u32) -> u32 {
        let Some(&Place::Free(run)) = self.places.get(start as usize) else { return 0 };
        match self.run_mut(run.before) {
            Some(before) => before.after = run.after,
            None => self.first_run = run.after,
        }
        if let Some(after) = self.run_mut(run.after) {
            after.before = run.before;
        }
        run.len
    }

    /// Makes a run the first one in the list of runs, if it has any place.
    fn link(&mut self, start: u32, len: u32) {
        if len == 0 {
            return;
        }
        let run = Run { len, before: NOWHERE, after: self.first_run };
        if let Some(after) = self.run_mut(self.first_run) {
            after.before = start;
        }
        self.places[(start + len - 1) as usize] = Place::Free(run);
        self.places[start as usize] = Place::Free(run);
        self.first_run = start;
    }

    fn run_mut(&mut self, start: u32) -> Option<&mut Run> {
        match self.places.get_mut(start as usize) {
            Some(Place::Free(run)) => Some(run),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn get(&self, id: ConnId) -> Option<&T> {
        match self.places.get(id.index() as usize) {
            Some(Place::Taken(serial, entry)) if *serial == id.serial() => Some(entry),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut T> {
        match self.places.get_mut(id.index() as usize) {
            Some(Place::Taken(serial, entry)) if *serial == id.serial() => Some(entry),
            _ => None,
        }
    }

    /// Returns the id of the entry in a place.
    #[inline]
    pub(crate) fn id_at(&self, index: usize) -> Option<ConnId> {
        match self.places.get(index)? {
            Place::Taken(serial, _) => Some(ConnId::new(*serial, index as u32)),
            Place::Free(_) => None,
        }
    }

    /// Returns the first entry at `start` or after it. A walk begins at 0, and continues one place after an
    /// entry.
    #[inline]
    pub(crate) fn entry_from(&self, start: usize) -> Option<(ConnId, &T)> {
        let (mut index, mut place) = (start, self.visit(start)?);
        if let Place::Free(run) = place {
            index += run.len as usize;
            place = self.visit(index)?;
        }
        let Place::Taken(serial, entry) = place else { return None };
        Some((ConnId::new(*serial, index as u32), entry))
    }

    #[inline]
    fn visit(&self, index: usize) -> Option<&Place<T>> {
        #[cfg(test)]
        self.visits.set(self.visits.get() + 1);
        self.places.get(index)
    }

    /// Returns how many places walks have visited since the last call.
    #[cfg(test)]
    pub(crate) fn take_visits(&self) -> usize {
        self.visits.take()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnId, &T)> {
        let mut start = 0;
        iter::from_fn(move || {
            let entry = self.entry_from(start)?;
            start = entry.0.index() as usize + 1;
            Some(entry)
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
        assert_eq!((first.index(), second.index()), (0, 0));
        assert_eq!(registry.get(first), None);
        assert_eq!(registry.get_mut(first), None);
        assert_eq!(registry.remove(first), None);
        assert_eq!(registry.get(second), Some(&"second"));
        assert_eq!(registry.len(), 1);
    }

    #[test]
    fn an_id_has_room_for_its_loop_and_takes_8_bytes() {
        assert_eq!(size_of::<ConnId>(), 8);
        let last = ConnId::new(7, (1 << 24) - 1);
        assert_eq!((last.loop_number(), last.to_string().as_str()), (0, "7"));
        let of_loop = |number: u32| ConnId::new(7, number << 24);
        assert_eq!((of_loop(255).loop_number(), of_loop(255).to_string().as_str()), (255, "255.7"));
        let mut registry = Registry::new();
        let own = registry.insert("in loop 0");
        let foreign = ConnId::new(own.serial(), own.index() | 1 << 24);
        assert_eq!((registry.get(own), registry.get(foreign)), (Some(&"in loop 0"), None));
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

    #[test]
    fn a_walk_takes_two_looks_per_entry_however_many_have_left() {
        for stays in [0, 7_500, 14_999] {
            let mut registry = Registry::new();
            let ids: Vec<ConnId> = (0..15_000).map(|number| registry.insert(number)).collect();
            for id in ids.iter().filter(|id| id.index() != stays) {
                registry.remove(*id);
            }
            registry.take_visits();
            assert_eq!(registry.iter().map(|(_, number)| *number).collect::<Vec<u32>>(), [stays]);
            assert!(registry.take_visits() <= 4, "{stays}");
            registry.remove(ids[stays as usize]);
            assert_eq!((registry.places(), registry.len(), registry.iter().count()), (0, 0, 0));
        }
    }

    #[test]
    fn memory_is_given_back_when_many_have_left() {
        let mut registry = Registry::with_capacity(16);
        let ids: Vec<ConnId> = (0..15_000).map(|number| registry.insert(number)).collect();
        for id in ids.iter().rev() {
            registry.remove(*id);
        }
        assert!((16..=64).contains(&registry.places.capacity()), "{}", registry.places.capacity());
    }

    #[test]
    fn entries_come_and_go_in_any_order() {
        let (mut registry, mut model) = (Registry::new(), std::collections::BTreeMap::new());
        let mut random = 1u32;
        for round in 0..20_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Mostly more of them in the first half of each thousand, and fewer in the second.
            if (random >> 24) % 8 < if round % 1000 < 500 { 5 } else { 3 } {
                let id = registry.insert(round);
                assert_eq!(model.insert(id.index(), (id, round)), None, "a place of nobody else");
            } else if let Some(index) = model.keys().nth((random >> 8) as usize % model.len().max(1)).copied()
            {
                let (id, entry) = model.remove(&index).unwrap_or_else(|| (registry.next_id(), 0));
                assert_eq!(registry.remove(id), Some(entry));
                assert_eq!(registry.remove(id), None);
            }
            assert!(registry.iter().map(|(id, entry)| (id, *entry)).eq(model.values().copied()));
            assert_eq!(registry.len(), model.len());
            assert_eq!(registry.places(), model.keys().next_back().map_or(0, |last| *last as usize + 1));
        }
    }
}
