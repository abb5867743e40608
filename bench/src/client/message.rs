//! The bytes of a message on its way to the server, masked, and of its echo on the way back, unmasked
//! (RFC 6455 §5.2); for a compressed message (RFC 7692) those of the echo are for the server to choose.
//!
//! It does not use the server's own codec on purpose: two readings of the RFC, checked against each other.

use std::fmt::Write as _;
use std::iter;

use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush};

use super::frames;

/// A kind of message: each seed makes a different one, and all have the same length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub(crate) content: Content,
    /// Bytes of payload.
    pub(crate) size: usize,
    /// The longest frame in bytes, if the message is not sent in one.
    pub(crate) piece: Option<usize>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Content {
    Binary,
    /// Two-, three- and four-byte characters, as dense as UTF-8 gets.
    Text,
    /// JSON with names that repeat and numbers that don't, compressed with an empty window.
    CompressedJson,
}

const FIN: u8 = 0x80;
/// RFC 7692 §6: the bit of a compressed message.
const RSV1: u8 = 0x40;
/// RFC 7692 §7.2.1: what every compressed message ends with, and is sent without.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
const CONTINUATION: u8 = 0x0;

/// Cyrillic, Greek, Chinese, Devanagari and emoji: each length of a UTF-8 sequence beyond one byte.
const LETTERS: &str = "жизньλόγος水木金土星空नमस्ते🦀🌍🎉";

impl Message {
    pub(crate) const fn binary(size: usize) -> Self {
        Self { content: Content::Binary, size, piece: None }
    }

    pub(crate) const fn json(size: usize) -> Self {
        Self { content: Content::CompressedJson, size, piece: None }
    }

    pub(crate) const fn is_compressed(&self) -> bool {
        matches!(self.content, Content::CompressedJson)
    }

    /// What the client sends: a first frame, continuations, each with a mask of its own.
    pub(crate) fn encode(&self, seed: u64) -> Vec<u8> {
        let payload = if self.is_compressed() { deflate(&self.payload(seed)) } else { self.payload(seed) };
        let mut wire = Vec::with_capacity(payload.len() + payload.len() / 64 + 16);
        let mut masks = random_bytes(seed ^ 0xa5a5_5a5a);
        let piece = self.piece.unwrap_or(payload.len()).max(1);
        // An empty payload still makes a frame.
        let pieces = payload.len().div_ceil(piece).max(1);
        for index in 0..pieces {
            let part = &payload[index * piece..payload.len().min((index + 1) * piece)];
            let opcode = if index == 0 { self.rsv() | self.opcode() } else { CONTINUATION };
            let fin = if index + 1 == pieces { FIN } else { 0 };
            let mask: [u8; 4] = std::array::from_fn(|_| masks.next().unwrap_or_default());
            frames::put_client_frame(&mut wire, fin | opcode, mask, part);
        }
        wire
    }

    /// What an echo server answers: the whole message in one frame. Of a compressed one these are the
    /// bytes of this client's zlib, which the bare contestant needs.
    pub(crate) fn answer(&self, seed: u64) -> Vec<u8> {
        let payload = if self.is_compressed() { deflate(&self.payload(seed)) } else { self.payload(seed) };
        let mut wire = Vec::with_capacity(payload.len() + 10);
        frames::put_header(&mut wire, FIN | self.rsv() | self.opcode(), None, payload.len() as u64);
        wire.extend_from_slice(&payload);
        wire
    }

    /// Returns whether a frame is the echo, compressed or not.
    pub(crate) fn is_echo(&self, seed: u64, first: u8, payload: &[u8]) -> bool {
        let is_compressed = first & RSV1 != 0;
        let expected = self.payload(seed);
        first & !RSV1 == FIN | self.opcode()
            && if is_compressed {
                inflate(payload, expected.len()) == Some(expected)
            } else {
                payload == expected
            }
    }

    const fn opcode(&self) -> u8 {
        match self.content {
            Content::Text | Content::CompressedJson => 0x1,
            Content::Binary => 0x2,
        }
    }

    const fn rsv(&self) -> u8 {
        if self.is_compressed() { RSV1 } else { 0 }
    }

    fn payload(&self, seed: u64) -> Vec<u8> {
        match self.content {
            Content::Binary => random_bytes(seed).take(self.size).collect(),
            Content::Text => text(seed, self.size).into_bytes(),
            Content::CompressedJson => json(seed, self.size).into_bytes(),
        }
    }
}

/// Letters from a place that the seed picks, filled up with ASCII to the exact length.
fn text(seed: u64, size: usize) -> String {
    let start = seed as usize % LETTERS.chars().count();
    let mut text = String::with_capacity(size);
    for letter in LETTERS.chars().cycle().skip(start) {
        if text.len() + letter.len_utf8() > size {
            break;
        }
        text.push(letter);
    }
    text.extend(iter::repeat_n('.', size - text.len()));
    text
}

/// Records with names that repeat and numbers that don't, cut at the exact length.
fn json(seed: u64, size: usize) -> String {
    let mut random = random_bytes(seed);
    let mut number = || u32::from_le_bytes(std::array::from_fn(|_| random.next().unwrap_or_default()));
    let mut json = String::from("[");
    while json.len() < size {
        let (id, price, user) = (number() % 100_000, number() % 100_000, number() % 1000);
        let (is_open, tag) = (number() % 2 == 0, number() % 16);
        let _ = write!(
            json,
            "{{\"id\":{id},\"user\":\"user{user}\",\"price\":{}.{:02},\"open\":{is_open},\"tags\":[\"t{tag}\",\"new\"]}},",
            price / 100,
            price % 100
        );
    }
    json.truncate(size);
    json
}

/// Compresses with an empty window and zlib's default level.
fn deflate(payload: &[u8]) -> Vec<u8> {
    let mut deflate = Deflate::new(6, false, 15);
    let mut out = vec![0; payload.len() + payload.len() / 8 + 256];
    let status = deflate.compress(payload, &mut out, DeflateFlush::SyncFlush);
    out.truncate(deflate.total_out() as usize);
    assert!(status.is_ok() && out.ends_with(&TAIL), "zlib compresses a message at once");
    out.truncate(out.len() - TAIL.len());
    out
}

/// Returns the message of a compressed payload, if it has this length.
fn inflate(payload: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut inflate = Inflate::new(false, 15);
    let mut out = vec![0; len + 1];
    inflate.decompress(&[payload, &TAIL].concat(), &mut out, InflateFlush::SyncFlush).ok()?;
    out.truncate(inflate.total_out() as usize);
    Some(out)
}

/// splitmix64: bytes that look random and are the same in every run.
fn random_bytes(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed;
    iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)).to_le_bytes()
    })
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_message_is_one_masked_frame() {
        let wire = Message::binary(3).encode(7);
        assert_eq!((wire.len(), wire[0], wire[1]), (2 + 4 + 3, 0x82, 0x83));
        let unmasked: Vec<u8> = wire[6..].iter().zip(&wire[2..6]).map(|(byte, key)| byte ^ key).collect();
        assert_eq!(unmasked, Message::binary(3).answer(7)[2..]);
    }

    #[test]
    fn a_compressed_message_is_smaller_and_the_same_again() {
        for size in [128, 512, 4096, 16_384] {
            let message = Message::json(size);
            let wire = message.encode(5);
            assert_eq!((wire[0], message.payload(5).len()), (FIN | RSV1 | 0x1, size));
            assert!(wire.len() < size);
            let payload = deflate(&message.payload(5));
            assert!(message.is_echo(5, 0xC1, &payload) && !message.is_echo(6, 0xC1, &payload));
            assert!(message.is_echo(5, 0x81, &message.payload(5)));
        }
    }

    #[test]
    fn pieces_carry_fin_on_the_last_only() {
        let wire = Message { piece: Some(2), ..Message::binary(5) }.encode(1);
        assert_eq!(wire.len(), 3 * 6 + 5);
        assert_eq!([wire[0], wire[8], wire[16]], [0x02, 0x00, 0x80]);
    }

    #[test]
    fn lengths_take_the_shortest_header() {
        for (size, header) in [(125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            assert_eq!(Message::binary(size).answer(1).len(), header + size);
        }
    }

    #[test]
    fn text_has_the_exact_length_for_every_seed() {
        let message = Message { content: Content::Text, ..Message::binary(1000) };
        for seed in 0..50 {
            assert_eq!(message.payload(seed).len(), 1000);
        }
        assert_ne!(message.payload(1), message.payload(2));
    }
}
