//! The bytes that wait to be written to one peer: its own, and bytes that it shares with other peers.
//!
//! This file knows order and amounts. It refuses to know frames and sockets: it offers its bytes as slices,
//! and the caller says how many were written. Bytes are never moved to close the gap that written ones leave.

use std::{collections::VecDeque, io::IoSlice, mem, rc::Rc};

use super::meter::{Meter, SharedMessage, SharedPrepared};
use crate::protocol::{Framing, append};

/// A tail of this length is full; a new one begins after it.
const CHUNK_LEN: usize = 64 * 1024;
/// From this length on a frame for many peers is shared instead of copied for each, and a message that is
/// sent on is retained instead of copied.
pub(crate) const SHARE_LEN: usize = 4 * 1024;
/// An empty tail of more capacity than this is freed, a smaller one is used again.
const SMALL_LEN: usize = 1024;
/// How many parts are offered to one vectored write.
const SLICES: usize = 16;

/// Bytes in the order in which they must go out: the chunks, then the tail.
#[derive(Debug)]
pub(crate) struct Backlog {
    chunks: VecDeque<Chunk>,
    /// Where small pieces are collected; the only part that most backlogs ever have.
    tail: Vec<u8>,
    /// Bytes that wait, over all parts.
    len: usize,
    /// How many bytes of the first part were taken.
    taken: usize,
    /// Counts the bytes that are not shared.
    meter: Meter,
    /// An allocation was refused, and bytes are missing.
    is_torn: bool,
}

/// The front of a backlog, to be written.
pub(crate) struct Slices<'a> {
    slices: [IoSlice<'a>; SLICES],
    len: usize,
}

impl<'a> Slices<'a> {
    pub(crate) fn as_slice(&self) -> &[IoSlice<'a>] {
        &self.slices[..self.len]
    }
}

#[derive(Debug)]
enum Chunk {
    Own(Vec<u8>),
    /// A message that is sent to many, as a frame for this framing.
    Prepared(Rc<SharedPrepared>, Framing),
    /// A received message that is sent on, from this byte on.
    Retained(Rc<SharedMessage>, usize),
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Prepared(prepared, framing) => prepared.content().frame(*framing),
            Self::Retained(message, from) => &message.content().as_ref()[*from..],
        }
    }

    /// Returns how many bytes the chunk keeps from being freed: of shared ones its equal part.
    fn held(&self) -> usize {
        match self {
            Self::Own(bytes) => bytes.len(),
            Self::Prepared(prepared, _) => prepared.content().memory() / Rc::strong_count(prepared),
            Self::Retained(message, _) => message.content().as_ref().len() / Rc::strong_count(message),
        }
    }

    /// Returns how many bytes only this chunk holds; shared bytes count themselves.
    fn own_len(&self) -> usize {
        match self {
            Self::Own(bytes) => bytes.len(),
            Self::Prepared(..) | Self::Retained(..) => 0,
        }
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        self.meter.sub(self.chunks.iter().map(Chunk::own_len).sum::<usize>() + self.tail.len());
    }
}

impl Backlog {
    pub(crate) fn new(meter: &Meter) -> Self {
        Self {
            chunks: VecDeque::new(),
            tail: Vec::new(),
            len: 0,
            taken: 0,
            meter: meter.clone(),
            is_torn: false,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that are held for it. A part is held whole until its last byte is written, so this can be much
    /// more than [`len`](Self::len); of parts that many peers share, each holds its share.
    pub(crate) fn held(&self) -> usize {
        self.chunks.iter().map(Chunk::held).sum::<usize>() + self.tail.len()
    }

    /// Appends a copy of `bytes`.
    #[inline]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.push_sized(bytes.len(), |out| append(out, bytes));
    }

    /// Appends what `write` appends to its buffer: about `len` bytes.
    #[inline]
    pub(crate) fn push_sized(&mut self, len: usize, write: impl FnOnce(&mut Vec<u8>)) {
        // A long tail is not made twice as long for a few bytes more.
        let room = self.tail.capacity() - self.tail.len();
        if len > room && self.tail.capacity() >= CHUNK_LEN / 2 {
            self.close_tail();
        }
        if self.tail.try_reserve(len).is_err() {
            self.is_torn = true;
            return;
        }
        self.push_with(write);
    }

    /// Returns whether bytes are missing because an allocation was refused: later ones must not be written.
    #[inline]
    pub(crate) const fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// Appends what `write` appends to its buffer.
    #[inline]
    pub(crate) fn push_with<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if self.tail.len() >= CHUNK_LEN {
            self.close_tail();
        }
        let before = self.tail.len();
        let result = write(&mut self.tail);
        let added = self.tail.len() - before;
        self.len += added;
        self.meter.add(added);
        result
    }

    /// Appends a message that is sent to other peers too.
    #[inline]
    pub(crate) fn push_prepared(&mut self, prepared: &Rc<SharedPrepared>, framing: Framing) {
        let frame = prepared.content().frame(framing);
        if frame.len() < SHARE_LEN {
            return self.push(frame);
        }
        self.close_tail();
        self.len += frame.len();
        self.chunks.push_back(Chunk::Prepared(Rc::clone(prepared), framing));
    }

    /// Appends a retained message from the byte `from` on.
    pub(crate) fn push_retained(&mut self, message: Rc<SharedMessage>, from: usize) {
        self.close_tail();
        self.len += message.content().as_ref().len() - from;
        self.chunks.push_back(Chunk::Retained(message, from));
    }

    /// Returns whether its buffers are small enough to keep for another peer.
    pub(crate) fn is_small(&self) -> bool {
        self.tail.capacity() <= SMALL_LEN && self.chunks.capacity() == 0
    }

    /// Returns the bytes that wait if they are one piece, for an ordinary write.
    #[inline]
    pub(crate) fn only_part(&self) -> Option<&[u8]> {
        if self.chunks.is_empty() { Some(&self.tail[self.taken..]) } else { None }
    }

    /// Returns the bytes that wait, piece by piece.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut skip = self.taken;
        let parts = self.chunks.iter().map(Chunk::bytes).chain([&self.tail[..]]);
        parts.map(move |part| &part[mem::take(&mut skip)..])
    }

    /// Returns the first bytes that wait, as many as one vectored write takes.
    pub(crate) fn slices(&self) -> Slices<'_> {
        let mut slices = Slices { slices: [IoSlice::new(&[]); SLICES], len: 0 };
        for (slice, part) in slices.slices.iter_mut().zip(self.parts()) {
            *slice = IoSlice::new(part);
            slices.len += 1;
        }
        slices
    }

    /// Removes the first `len` bytes, which were written.
    pub(crate) fn take(&mut self, len: usize) {
        self.len -= len;
        self.taken += len;
        while let Some(first) = self.chunks.front()
            && self.taken >= first.bytes().len()
        {
            self.taken -= first.bytes().len();
            self.meter.sub(first.own_len());
            self.chunks.pop_front();
        }
        if self.is_empty() {
            self.meter.sub(self.tail.len());
            self.tail.clear();
            self.taken = 0;
        }
    }

    /// Makes the tail a chunk, so that a new tail can begin after it.
    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(Chunk::Own(mem::take(&mut self.tail)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Message, OwnedMessage, Prepared};

    /// A frame of [`SHARE_LEN`] bytes: four of header, and the payload.
    fn shared_frame(byte: u8, meter: &Meter) -> Rc<SharedPrepared> {
        SharedPrepared::new(Prepared::new(Message::Binary(&[byte; SHARE_LEN - 4])), meter)
    }

    fn drain(backlog: &mut Backlog, step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while !backlog.is_empty() {
            let slices = backlog.slices();
            let bytes: Vec<u8> =
                slices.as_slice().iter().flat_map(|slice| slice.iter().copied()).take(step).collect();
            assert!(!bytes.is_empty(), "a backlog that is not empty offers bytes");
            backlog.take(bytes.len());
            out.extend(bytes);
        }
        out
    }

    #[test]
    fn bytes_leave_in_order_whatever_each_write_takes() {
        let meter = Meter::default();
        let shared = shared_frame(b's', &meter);
        for step in [1, 2, 7, 4095, 4096, 4097, 100_000] {
            let mut backlog = Backlog::new(&meter);
            let mut expected = Vec::new();
            for round in 0..20u8 {
                backlog.push(&[round; 3]);
                backlog.push_prepared(&shared, Framing::default());
                backlog.push_with(|out| out.push(round));
                expected.extend([round; 3]);
                expected.extend(shared.content().frame(Framing::default()));
                expected.push(round);
            }
            backlog.push(&vec![b'x'; CHUNK_LEN + 1]);
            backlog.push(b"end");
            expected.extend(vec![b'x'; CHUNK_LEN + 1]);
            expected.extend(b"end");
            assert_eq!(backlog.len(), expected.len());
            assert_eq!(drain(&mut backlog, step), expected, "in steps of {step}");
            assert!(backlog.is_empty() && backlog.chunks.is_empty());
            assert_eq!(meter.held(), SHARE_LEN, "only the shared frame is left");
        }
    }

    #[test]
    fn a_retained_message_waits_from_where_it_was_cut() {
        let meter = Meter::default();
        let bytes: Vec<u8> = (0..2 * SHARE_LEN).map(|it| it as u8).collect();
        let retained = SharedMessage::new(OwnedMessage::Binary(bytes.clone()), &meter);
        for from in [0, 1, SHARE_LEN, 2 * SHARE_LEN] {
            let mut backlog = Backlog::new(&meter);
            backlog.push(b"before");
            backlog.push_retained(Rc::clone(&retained), from);
            backlog.push(b"behind");
            assert_eq!(meter.held(), bytes.len() + 12, "held once");
            let expected = [b"before", &bytes[from..], b"behind"].concat();
            assert_eq!((backlog.len(), drain(&mut backlog, 4095)), (expected.len(), expected), "from {from}");
            assert_eq!(Rc::strong_count(&retained), 1);
        }
        drop(retained);
        assert_eq!(meter.held(), 0);
    }

    #[test]
    fn what_is_held_is_more_than_what_waits() {
        let meter = Meter::default();
        let retained = SharedMessage::new(OwnedMessage::Binary(vec![7; 10 * SHARE_LEN]), &meter);
        let shared = shared_frame(8, &meter);
        let mut backlog = Backlog::new(&meter);
        backlog.push_retained(retained, 9 * SHARE_LEN);
        assert_eq!((backlog.len(), backlog.held()), (SHARE_LEN, 10 * SHARE_LEN));
        backlog.push_prepared(&shared, Framing::default());
        assert_eq!(backlog.held(), 10 * SHARE_LEN + SHARE_LEN / 2, "this test has the other half");
        backlog.push(b"tail");
        backlog.take(2 * SHARE_LEN + 3);
        assert_eq!((backlog.len(), backlog.held()), (1, 4));
        assert_eq!(meter.held(), SHARE_LEN + 4, "the shared frame is still here");
    }

    #[test]
    fn a_long_tail_takes_no_more_memory_than_its_bytes_and_a_few() {
        let meter = Meter::default();
        let mut backlog = Backlog::new(&meter);
        for _ in 0..1000 {
            backlog.push(&[1; 3900]);
        }
        let capacity = backlog.chunks.iter().map(|chunk| match chunk {
            Chunk::Own(bytes) => bytes.capacity(),
            _ => 0,
        });
        let capacity = capacity.sum::<usize>() + backlog.tail.capacity();
        assert!(capacity <= backlog.len() + backlog.len() / 4, "{capacity} for {}", backlog.len());
    }

    #[test]
    fn a_large_frame_for_many_is_held_once() {
        let meter = Meter::default();
        let shared = shared_frame(0, &meter);
        let mut backlogs = [(); 100].map(|()| Backlog::new(&meter));
        for backlog in &mut backlogs {
            backlog.push(b"own");
            backlog.push_prepared(&shared, Framing::default());
        }
        assert_eq!(meter.held(), SHARE_LEN + 300);
        assert_eq!(Rc::strong_count(&shared), 101);
        drop(backlogs);
        assert_eq!((Rc::strong_count(&shared), meter.held()), (1, SHARE_LEN));
        drop(shared);
        assert_eq!(meter.held(), 0);
    }
}
