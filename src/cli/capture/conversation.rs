//! Turns captured segments into the bytes of both sides.
//!
//! This file knows sequence numbers: repeated, early and missing bytes. It does not know what the bytes mean:
//! without a SYN, `beginning.rs` decides which end is the client.
//!
//! Bytes after a gap are left out and counted: no mark shows where the next frame begins, so a reader could
//! only guess. Repeated bytes are compared with the first copy.

use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    net::SocketAddr,
    time::Duration,
};

use wirehook::explain::Side;

use super::{
    Beginning, Piece, Recording, first_bytes,
    packet::{ACK, FIN, RST, SYN, Segment},
};

/// All TCP connections of a capture.
#[derive(Debug, Default)]
pub(super) struct Conversations<'a> {
    all: Vec<Conversation<'a>>,
    /// The latest connection between two addresses, which are sorted.
    current: HashMap<(SocketAddr, SocketAddr), usize>,
}

impl<'a> Conversations<'a> {
    /// Processes the next segment in the order of the capture.
    pub(super) fn take(&mut self, at: Duration, segment: &Segment<'a>) {
        let (from, to) = (segment.from, segment.to);
        let between = (from.min(to), from.max(to));
        let known = self.current.get(&between).and_then(|&index| self.all.get_mut(index));
        match known {
            Some(conversation) if !conversation.is_followed_by(segment) => conversation.take(at, segment),
            _ => {
                let mut conversation = Conversation::new(from, to, at);
                conversation.take(at, segment);
                self.current.insert(between, self.all.len());
                self.all.push(conversation);
            }
        }
    }

    /// Returns the connections that carried bytes. `first` is the side that spoke first, for connections
    /// without a SYN.
    pub(super) fn into_recordings(self, first: Option<Side>) -> Vec<Recording<'a>> {
        self.all.into_iter().filter_map(|it| it.into_recording(first)).collect()
    }
}

/// One TCP connection. End 0 was captured first; the other is end 1.
#[derive(Debug)]
struct Conversation<'a> {
    ends: [SocketAddr; 2],
    began: Duration,
    streams: [EndBytes<'a>; 2],
    /// Which end is the client, if a SYN shows it.
    client: Option<usize>,
    /// Until the client is known, end 0 counts as the client.
    pieces: Vec<Piece<'a>>,
    was_reset: bool,
}

impl<'a> Conversation<'a> {
    fn new(first: SocketAddr, second: SocketAddr, began: Duration) -> Self {
        let streams = [EndBytes::default(), EndBytes::default()];
        Self { ends: [first, second], began, streams, client: None, pieces: Vec::new(), was_reset: false }
    }

    /// Returns whether this segment begins a new connection between the same two addresses.
    fn is_followed_by(&self, segment: &Segment<'_>) -> bool {
        let begins = segment.flags & (SYN | ACK) == SYN;
        let is_over = self.was_reset || self.streams.iter().all(|stream| stream.has_ended);
        let start = segment.sequence.wrapping_add(1);
        begins && (is_over || self.streams[self.end_of(segment)].start.is_some_and(|it| it != start))
    }

    fn end_of(&self, segment: &Segment<'_>) -> usize {
        usize::from(segment.from != self.ends[0])
    }

    fn take(&mut self, at: Duration, segment: &Segment<'a>) {
        let end = self.end_of(segment);
        let mut sequence = segment.sequence;
        if segment.flags & SYN != 0 {
            let is_answer = segment.flags & ACK != 0;
            self.client.get_or_insert(if is_answer { 1 - end } else { end });
            // RFC 9293 §3.4: a SYN takes one number, before the first byte.
            sequence = sequence.wrapping_add(1);
        }
        self.was_reset |= segment.flags & RST != 0;
        let stream = &mut self.streams[end];
        stream.has_ended |= segment.flags & FIN != 0;
        stream.has_begun |= segment.flags & SYN != 0;
        stream.put(sequence, segment.payload);
        let (at, from) = (at.saturating_sub(self.began), side_of(end, 0));
        while let Some(bytes) = stream.next() {
            self.pieces.push(Piece { at, from, bytes });
        }
    }

    fn into_recording(mut self, first: Option<Side>) -> Option<Recording<'a>> {
        let spoke_first = self.pieces.first()?.from;
        let mut notes = Vec::new();
        let has_beginning = self.client.is_some();
        let client = self.client.or_else(|| first.map(|it| usize::from(it != spoke_first)));
        let client = client.or_else(|| self.client_by_bytes());
        let client = client.unwrap_or_else(|| {
            notes.push(
                "neither a SYN nor the first bytes tell which end is the client: the one that spoke first is \
                 taken for it"
                    .to_owned(),
            );
            usize::from(spoke_first == Side::Server)
        });
        for (end, stream) in self.streams.iter().enumerate() {
            stream.note_missing_bytes(side_of(end, client).name(), &mut notes);
        }
        if client == 1 {
            self.pieces.iter_mut().for_each(|piece| piece.from = piece.from.peer());
        }
        Some(Recording {
            client: self.ends[client],
            server: self.ends[1 - client],
            began: self.began,
            has_beginning,
            pieces: self.pieces,
            notes,
        })
    }

    /// Returns which end is the client, by the bytes of both; `None` if both seem to be on one side.
    fn client_by_bytes(&self) -> Option<usize> {
        let side = |end| Beginning::of(&first_bytes(&self.pieces, side_of(end, 0))).side();
        match (side(0), side(1)) {
            (Some(one), Some(other)) if one == other => None,
            (Some(first), _) => Some(end_of_client(first)),
            (None, second) => second.map(|it| 1 - end_of_client(it)),
        }
    }
}

/// Returns the side of `end` if `client` is the client's end.
fn side_of(end: usize, client: usize) -> Side {
    if end == client { Side::Client } else { Side::Server }
}

/// Returns the client's end if end 0 is on this side.
fn end_of_client(first: Side) -> usize {
    usize::from(first == Side::Server)
}

/// The bytes of one end.
#[derive(Debug, Default)]
struct EndBytes<'a> {
    /// The sequence number of the first byte.
    start: Option<u32>,
    /// The number of bytes delivered.
    delivered: u64,
    /// The delivered bytes, each piece with its position.
    delivered_pieces: Vec<(u64, &'a [u8])>,
    /// Bytes after a gap, by position.
    early: BTreeMap<u64, &'a [u8]>,
    /// The number of repeated bytes that differ from the first copy.
    contradicted: u64,
    /// Whether its SYN and its FIN were captured.
    has_begun: bool,
    has_ended: bool,
}

impl<'a> EndBytes<'a> {
    /// Places a segment's payload at its position.
    fn put(&mut self, sequence: u32, payload: &'a [u8]) {
        let start = *self.start.get_or_insert(sequence);
        // Sequence numbers wrap after 2^32 bytes: the nearest position is meant, before or after the expected
        // one.
        let expected = start.wrapping_add(self.delivered as u32);
        let distance = i64::from(sequence.wrapping_sub(expected) as i32);
        // RFC 9293 §3.8.4: a keep-alive has the number of the last byte, and can carry one byte without a
        // meaning.
        if distance == -1 && payload.len() == 1 {
            return;
        }
        let position = i64::try_from(self.delivered).unwrap_or(i64::MAX).saturating_add(distance);
        // Bytes before the first one have nothing to be compared with.
        let before = usize::try_from(-position).unwrap_or(0);
        if let Some(bytes) = payload.get(before..) {
            self.place(position.max(0) as u64, bytes);
        }
    }

    /// Stores new bytes, and compares repeated ones; the first copy counts.
    fn place(&mut self, mut at: u64, bytes: &'a [u8]) {
        let (again, mut fresh) = split_at_most(bytes, self.delivered.saturating_sub(at));
        self.compare(at, again);
        at += again.len() as u64;
        while !fresh.is_empty() {
            let first = match self.early.entry(at) {
                Entry::Vacant(place) => {
                    place.insert(fresh);
                    return;
                }
                Entry::Occupied(first) => *first.get(),
            };
            let (again, rest) = split_at_most(fresh, first.len() as u64);
            self.contradicted += differences(first, again);
            at += again.len() as u64;
            fresh = rest;
        }
    }

    /// Returns the next bytes in order, if they have arrived.
    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let entry = self.early.first_entry()?;
            let at = *entry.key();
            // Later bytes wait for the missing ones before them.
            let known = self.delivered.checked_sub(at)?;
            let (again, fresh) = split_at_most(entry.remove(), known);
            self.compare(at, again);
            if !fresh.is_empty() {
                self.delivered_pieces.push((self.delivered, fresh));
                self.delivered += fresh.len() as u64;
                return Some(fresh);
            }
        }
    }

    /// Compares repeated bytes with the delivered ones.
    fn compare(&mut self, at: u64, mut again: &[u8]) {
        let first = self.delivered_pieces.partition_point(|(start, bytes)| start + bytes.len() as u64 <= at);
        let mut skipped = self.delivered_pieces.get(first).map_or(0, |(start, _)| (at - start) as usize);
        for (_, piece) in &self.delivered_pieces[first..] {
            if again.is_empty() {
                return;
            }
            let piece = &piece[skipped..];
            self.contradicted += differences(piece, again);
            again = again.get(piece.len()..).unwrap_or_default();
            skipped = 0;
        }
    }

    /// Adds notes about missing and uncertain bytes of `who`.
    fn note_missing_bytes(&self, who: &str, notes: &mut Vec<String>) {
        if !self.has_begun && self.start.is_some() {
            notes.push(format!("the {who}'s SYN is missing: bytes before the first may be missing too"));
        }
        if self.contradicted > 0 {
            let count = self.contradicted;
            notes.push(format!(
                "{count} bytes of the {who} came twice with other content: one copy is shown, and the other side \
                 may have seen the other"
            ));
        }
        if let Some((missing, left_out)) = self.gap() {
            let after = self.delivered;
            notes.push(format!(
                "{missing} bytes of the {who} are missing after its first {after}; {left_out} captured bytes \
                 after them are left out"
            ));
        }
    }

    /// Returns how many bytes the first gap lacks, and how many undelivered bytes follow.
    fn gap(&self) -> Option<(u64, usize)> {
        let (&first, _) = self.early.first_key_value()?;
        let left_out = self.early.values().map(|bytes| bytes.len()).sum();
        Some((first.saturating_sub(self.delivered), left_out))
    }
}

/// Splits after `len` bytes, or at the end if there are fewer.
fn split_at_most(bytes: &[u8], len: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(len).unwrap_or(usize::MAX).min(bytes.len()))
}

/// Counts the positions at which two pieces differ, up to the end of the shorter one.
fn differences(one: &[u8], other: &[u8]) -> u64 {
    let len = one.len().min(other.len());
    if one[..len] == other[..len] {
        return 0;
    }
    one.iter().zip(other).filter(|(one, other)| one != other).count() as u64
}
