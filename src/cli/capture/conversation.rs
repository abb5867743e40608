//! Segments, as they were captured, become what both sides said.
//!
//! This file knows sequence numbers: what was said again, what came early, what never came. It refuses to know what
//! the bytes mean, but for one word: who says `GET` is the client where no SYN tells it.
//!
//! Bytes behind a gap are left out and counted: a frame has no mark to begin again at, so whoever skipped a gap would
//! have to guess.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    time::Duration,
};

use wirehook::explain::Side;

use super::{
    Piece, Recording,
    packet::{ACK, FIN, RST, SYN, Segment},
};

/// All TCP connections of a capture.
#[derive(Debug, Default)]
pub(super) struct Conversations<'a> {
    all: Vec<Conversation<'a>>,
    /// The one that goes on between two addresses, which stand in their order.
    current: HashMap<(SocketAddr, SocketAddr), usize>,
}

impl<'a> Conversations<'a> {
    /// Takes the next segment in the order of the capture.
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

    /// What was said on each connection, without those on which nothing was.
    pub(super) fn into_recordings(self) -> Vec<Recording> {
        self.all.into_iter().filter_map(Conversation::into_recording).collect()
    }
}

/// One TCP connection. Its two ends are 0, who was captured first, and 1.
#[derive(Debug)]
struct Conversation<'a> {
    ends: [SocketAddr; 2],
    began: Duration,
    streams: [Stream<'a>; 2],
    /// Which end is the client, once a SYN has told it.
    client: Option<usize>,
    pieces: Vec<(Duration, usize, Vec<u8>)>,
    was_reset: bool,
}

impl<'a> Conversation<'a> {
    fn new(first: SocketAddr, second: SocketAddr, began: Duration) -> Self {
        let streams = [Stream::default(), Stream::default()];
        Self { ends: [first, second], began, streams, client: None, pieces: Vec::new(), was_reset: false }
    }

    /// Whether a segment belongs to another connection between the same two, which begins with it.
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
        while let Some(bytes) = stream.next() {
            self.pieces.push((at, end, bytes.to_vec()));
        }
    }

    fn into_recording(self) -> Option<Recording> {
        if self.pieces.is_empty() {
            return None;
        }
        let mut notes = Vec::new();
        let client = self.client.or_else(|| self.who_says_get()).unwrap_or_else(|| {
            notes.push(
                "no SYN and no GET tells who is the client: it is taken to be who spoke first".to_owned(),
            );
            self.pieces.first().map_or(0, |(_, end, _)| *end)
        });
        let side = |end: usize| if end == client { Side::Client } else { Side::Server };
        for (end, stream) in self.streams.iter().enumerate() {
            let who = side(end).name();
            if !stream.has_begun && stream.start.is_some() {
                notes.push(format!("the {who}'s SYN is missing: it may have said something before"));
            }
            if let Some((missing, behind)) = stream.gap() {
                let after = stream.delivered;
                notes.push(format!(
                    "{missing} bytes of the {who} are missing after its first {after}; {behind} captured bytes \
                     behind them are left out"
                ));
            }
        }
        let pieces = self.pieces.into_iter();
        let pieces = pieces.map(|(at, end, bytes)| Piece {
            at: at.saturating_sub(self.began),
            from: side(end),
            bytes,
        });
        Some(Recording {
            client: self.ends[client],
            server: self.ends[1 - client],
            began: self.began,
            pieces: pieces.collect(),
            notes,
        })
    }

    fn who_says_get(&self) -> Option<usize> {
        let said = |wanted: usize| self.pieces.iter().find(|(_, end, _)| *end == wanted);
        (0..2).find(|&end| said(end).is_some_and(|(_, _, bytes)| bytes.starts_with(b"GET ")))
    }
}

/// What one end said.
#[derive(Debug, Default)]
struct Stream<'a> {
    /// The sequence number of the first byte, once something has come.
    start: Option<u32>,
    /// How many bytes have been delivered, from the first one on.
    delivered: u64,
    /// What came early, by how many bytes lie before it.
    early: BTreeMap<u64, &'a [u8]>,
    /// Its SYN was seen; its FIN was.
    has_begun: bool,
    has_ended: bool,
}

impl<'a> Stream<'a> {
    /// Puts a segment's payload where it belongs.
    fn put(&mut self, sequence: u32, payload: &'a [u8]) {
        let start = *self.start.get_or_insert(sequence);
        // Sequence numbers begin again after 2^32 bytes: what is near is meant, behind or ahead.
        let expected = start.wrapping_add(self.delivered as u32);
        let distance = i64::from(sequence.wrapping_sub(expected) as i32);
        // What was delivered already, or would lie before the first byte.
        let known = usize::try_from(-distance).unwrap_or(0);
        let Some(fresh) = payload.get(known..).filter(|it| !it.is_empty()) else { return };
        let place = self.early.entry(self.delivered.saturating_add_signed(distance.max(0))).or_default();
        if place.len() < fresh.len() {
            *place = fresh;
        }
    }

    /// The bytes that come next, if they are there.
    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let entry = self.early.first_entry()?;
            // What lies further ahead waits for what is missing before.
            let known = self.delivered.checked_sub(*entry.key())?;
            let bytes = entry.remove();
            let known = usize::try_from(known).unwrap_or(usize::MAX);
            if let Some(fresh) = bytes.get(known..).filter(|it| !it.is_empty()) {
                self.delivered += fresh.len() as u64;
                return Some(fresh);
            }
        }
    }

    /// How many bytes are missing before the first that could not be delivered, and how many those are.
    fn gap(&self) -> Option<(u64, usize)> {
        let (&first, _) = self.early.first_key_value()?;
        let behind = self.early.values().map(|bytes| bytes.len()).sum();
        Some((first.saturating_sub(self.delivered), behind))
    }
}
