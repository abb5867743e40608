//! The content of messages: bytes and text of any length, marked with their sender and serial number.
//!
//! This file cuts messages from two pools. It does not know frames.

use crate::{random::Random, wire};

/// The longest message of an echo client.
pub(crate) const LARGEST: usize = 64 * 1024;
/// The lengths at which a header changes its form, and both ends of the range.
const EDGES: [usize; 7] = [0, 1, 125, 126, 65_535, 65_536, LARGEST];

#[derive(Debug)]
pub(crate) struct Pool {
    bytes: Vec<u8>,
    text: String,
}

impl Pool {
    pub(crate) fn new(random: &mut Random) -> Self {
        let bytes = (0..2 * LARGEST).map(|_| random.next() as u8).collect();
        // Characters of one to four bytes, so that some cuts and fragments fall inside characters.
        let text = (0..LARGEST).map(|_| random.pick(&['a', 'z', ' ', 'é', 'ß', '€', '語', '𝄞'])).collect();
        Self { bytes, text }
    }

    /// Returns an opcode and a payload of about `len` bytes; a long one begins with `mark`.
    pub(crate) fn message(&self, random: &mut Random, mark: u64, len: usize) -> (u8, Vec<u8>) {
        let mut payload = format!("{mark:016x} ").into_bytes();
        payload.truncate(len);
        let rest = len - payload.len();
        if random.one_in(2) {
            let start = random.below(self.bytes.len() - rest);
            payload.extend_from_slice(&self.bytes[start..start + rest]);
            return (wire::BINARY, payload);
        }
        let start = self.text.ceil_char_boundary(random.below(self.text.len() - rest));
        let end = self.text.floor_char_boundary((start + rest).min(self.text.len()));
        payload.extend_from_slice(&self.text.as_bytes()[start..end.max(start)]);
        (wire::TEXT, payload)
    }
}

/// Returns a length up to `most`: usually small, sometimes large, sometimes at an edge.
pub(crate) fn any_len(random: &mut Random, most: usize) -> usize {
    let len = match random.below(20) {
        0 => random.pick(&EDGES),
        1 => random.between(0, LARGEST),
        2..=4 => random.between(0, 16 * 1024),
        5..=10 => random.between(0, 4096),
        _ => random.between(0, 126),
    };
    len.min(most)
}
