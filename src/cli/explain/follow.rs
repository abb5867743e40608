//! Finds the next frame of one side from which its bytes can be explained without the bytes before it.
//!
//! This file knows where heads and frames end. It judges nothing: after bytes that are no frame it reports
//! that nothing more can be explained.

use std::mem;

use wirehook::protocol::FrameHeader;

/// What ends a head.
const HEAD_END: [u8; 4] = *b"\r\n\r\n";

/// Follows one side of a connection, and counts the left-out bytes and frames.
#[derive(Debug)]
pub(in super::super) struct Follower {
    at: At,
    /// Whether a message has begun and not ended (§5.4).
    in_message: bool,
    /// Bytes left out since the last explained ones; `None` if there are none.
    skipped: Option<u64>,
    /// Whether the last bytes began within a head.
    began_in_head: bool,
    /// Frames that ended in the last bytes to explain.
    ended: u64,
    /// Frames that ended in left-out bytes, since the last `take_missed`.
    missed: u64,
}

/// What the next byte belongs to.
#[derive(Debug)]
enum At {
    /// A head; holds how many bytes of its end have matched.
    Head(usize),
    /// A header; `len` bytes of it have arrived.
    Header { bytes: [u8; FrameHeader::MAX_LEN], len: usize },
    /// A payload; holds how many of its bytes are missing.
    Payload(u64),
    /// Bytes that are no head and no frame.
    Lost,
}

const NEXT_HEADER: At = At::Header { bytes: [0; FrameHeader::MAX_LEN], len: 0 };

impl Follower {
    /// Returns a follower that expects a head.
    pub(in super::super) const fn new() -> Self {
        Self { at: At::Head(0), in_message: false, skipped: None, began_in_head: true, ended: 0, missed: 0 }
    }

    /// Returns the part of `bytes` to explain next, and how many bytes before it are left out. Returns `None`
    /// if, after a gap, no frame begins in `bytes` from which explaining can continue.
    pub(in super::super) fn next_to_explain<'a>(&mut self, bytes: &'a [u8]) -> Option<(u64, &'a [u8])> {
        self.began_in_head = matches!(self.at, At::Head(_));
        let (begins, before, after) = self.follow(bytes);
        self.ended = before + after;
        let Some(skipped) = &mut self.skipped else { return Some((0, bytes)) };
        self.missed += before;
        self.ended = after;
        match begins {
            Some(at) if at < bytes.len() => {
                let before = *skipped + at as u64;
                self.skipped = None;
                Some((before, &bytes[at..]))
            }
            _ => {
                *skipped += bytes.len() as u64;
                None
            }
        }
    }

    /// Marks the last `len` bytes, which end at the current position, as left out.
    pub(in super::super) fn skip(&mut self, len: u64) {
        // The heads contain what the two sides have negotiated.
        if self.began_in_head {
            self.at = At::Lost;
        }
        self.skipped = Some(len);
        self.missed += mem::take(&mut self.ended);
    }

    /// Returns whether the last bytes began within a head: nothing can be explained without the head.
    pub(in super::super) const fn began_in_head(&self) -> bool {
        self.began_in_head
    }

    /// Returns how many frames were left out since the last call.
    pub(in super::super) const fn take_missed(&mut self) -> u64 {
        mem::replace(&mut self.missed, 0)
    }

    /// Advances past `bytes`. Returns where the first frame begins that can start a message, and how many
    /// frames end before and after that position.
    fn follow(&mut self, bytes: &[u8]) -> (Option<usize>, u64, u64) {
        let (mut first, mut before, mut after) = (None, 0, 0);
        let mut pos = 0;
        loop {
            if first.is_none() && self.may_begin_message() {
                first = Some(pos);
            }
            let rest = &bytes[pos..];
            if rest.is_empty() || matches!(self.at, At::Lost) {
                return (first, before, after);
            }
            let was_in_head = matches!(self.at, At::Head(_));
            pos += self.step(rest);
            let has_ended = matches!(self.at, At::Header { len: 0, .. }) && !was_in_head;
            *if first.is_none() { &mut before } else { &mut after } += u64::from(has_ended);
        }
    }

    fn may_begin_message(&self) -> bool {
        matches!(self.at, At::Header { len: 0, .. }) && !self.in_message
    }

    /// Advances by some of these bytes, and returns their number.
    fn step(&mut self, bytes: &[u8]) -> usize {
        match &mut self.at {
            At::Head(matched) => {
                *matched = match (bytes[0], *matched) {
                    (byte, matched) if byte == HEAD_END[matched] => matched + 1,
                    (b'\r', _) => 1,
                    _ => 0,
                };
                if *matched == HEAD_END.len() {
                    self.at = NEXT_HEADER;
                }
                1
            }
            At::Header { len: 0, .. } => match FrameHeader::decode(bytes) {
                Ok(Some((header, len))) => {
                    self.begin_payload(&header);
                    len
                }
                Ok(None) => self.store_header(bytes),
                Err(_) => self.give_up(),
            },
            At::Header { .. } => self.store_header(&bytes[..1]),
            At::Payload(missing) => {
                let len = (*missing).min(bytes.len() as u64);
                *missing -= len;
                if *missing == 0 {
                    self.at = NEXT_HEADER;
                }
                len as usize
            }
            At::Lost => bytes.len(),
        }
    }

    /// Stores bytes of an incomplete header.
    fn store_header(&mut self, new: &[u8]) -> usize {
        if let At::Header { bytes, len } = &mut self.at {
            bytes[*len..*len + new.len()].copy_from_slice(new);
            *len += new.len();
            match FrameHeader::decode(&bytes[..*len]) {
                Ok(Some((header, _))) => self.begin_payload(&header),
                Ok(None) => {}
                Err(_) => return self.give_up(),
            }
        }
        new.len()
    }

    fn begin_payload(&mut self, header: &FrameHeader) {
        if !header.opcode.is_control() {
            self.in_message = !header.fin;
        }
        self.at = if header.payload_len == 0 { NEXT_HEADER } else { At::Payload(header.payload_len) };
    }

    fn give_up(&mut self) -> usize {
        self.at = At::Lost;
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n";

    /// Returns where explaining continues if the first `gap` bytes after the head are left out and all bytes
    /// arrive in pieces of `size`.
    #[track_caller]
    fn continues_at(frames: &[u8], gap: usize, size: usize) -> Option<usize> {
        let mut follower = Follower::new();
        assert_eq!(follower.next_to_explain(HEAD), Some((0, HEAD)));
        let (before, after) = frames.split_at(gap);
        for piece in before.chunks(size) {
            assert_eq!(follower.next_to_explain(piece), Some((0, piece)));
        }
        follower.skip(gap as u64);
        let mut at = gap;
        for piece in after.chunks(size) {
            if let Some((skipped, rest)) = follower.next_to_explain(piece) {
                at += piece.len() - rest.len();
                assert_eq!(skipped, at as u64);
                return Some(at);
            }
            at += piece.len();
        }
        None
    }

    #[test]
    fn explaining_continues_at_a_frame_that_begins_a_message() {
        // A text in two fragments with a ping between them, an empty binary, a long text, a Close.
        let long = [&b"\x81\xfe\x00\x80\x01\x02\x03\x04"[..], &[0; 128]].concat();
        let frames = [
            &b"\x01\x82\0\0\0\0He"[..],
            b"\x89\x80\0\0\0\0",
            b"\x80\x81\0\0\0\0y",
            b"\x82\x80\0\0\0\0",
            &long,
            b"\x88\x80\0\0\0\0",
        ]
        .concat();
        let begins = [0, 21, 27, 27 + long.len()];
        for gap in 1..frames.len() {
            let expected = begins.into_iter().find(|&at| at >= gap);
            for size in [1, 3, 7, frames.len()] {
                assert_eq!(continues_at(&frames, gap, size), expected, "{gap} bytes left out, in {size}s");
            }
        }
    }

    #[test]
    fn frames_that_are_left_out_are_counted() {
        let ping = b"\x89\x81\0\0\0\0p";
        for size in [1, 2, 7, 70] {
            let mut follower = Follower::new();
            follower.next_to_explain(HEAD);
            let explained = &ping[..3];
            follower.next_to_explain(explained);
            // The rest of that ping, and two more; explaining continues at the last one at the earliest.
            let rest = [&ping[3..], ping, ping].concat();
            let mut pieces = rest.chunks(size);
            follower.next_to_explain(pieces.next().unwrap_or_default());
            follower.skip(size as u64);
            let mut offered = 0;
            for piece in pieces {
                if let Some((skipped, from_here)) = follower.next_to_explain(piece) {
                    offered += 1;
                    follower.skip(skipped + from_here.len() as u64);
                }
            }
            assert_eq!(follower.take_missed(), 3, "in pieces of {size}, {offered} offered");
            assert_eq!(follower.take_missed(), 0);
        }
    }

    #[test]
    fn nothing_is_explained_after_a_gap_in_a_head_or_a_broken_frame() {
        for lost in [&HEAD[..6], HEAD] {
            let mut follower = Follower::new();
            follower.next_to_explain(lost);
            follower.skip(lost.len() as u64);
            for piece in [&HEAD[6..], b"\x89\x00", b"\x89\x00"] {
                assert_eq!(follower.next_to_explain(piece), None);
            }
        }
        // A reserved opcode.
        assert_eq!(continues_at(b"\x83\x00\x81\x00", 1, 1), None);
    }
}
