//! §5.2 as a client writes it and reads it, without a line of the server's code.
//!
//! This file knows bytes of frames, right and wrong ones. It knows no rules: its users break them. All other
//! tests share `src/server/simulator/frames.rs`; this is the second place where frames are written by hand,
//! so that a mistake in one of the two shows.

/// How a payload length is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// §5.2: in "the minimal number of bytes".
    Shortest,
    In16Bits,
    In64Bits,
}

/// A frame as it came from a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) first: u8,
    pub(super) payload: Vec<u8>,
}

/// The key of frames whose masking is not the point.
pub(super) const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A whole frame that begins with the byte `first`, masked.
pub(super) fn frame(first: u8, key: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, Some(key), Form::Shortest, payload.len() as u64);
    bytes.extend(masked(payload, key));
    bytes
}

/// A header, whatever it says.
pub(super) fn header(first: u8, key: Option<[u8; 4]>, form: Form, len: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    let mask = if key.is_some() { 0x80 } else { 0x00 };
    match length_field(form, len) {
        126 => {
            bytes.push(mask + 126);
            bytes.extend([(len >> 8) as u8, len as u8]);
        }
        127 => {
            bytes.push(mask + 127);
            bytes.extend((0..8).rev().map(|octet| (len >> (8 * octet)) as u8));
        }
        short => bytes.push(mask + short),
    }
    bytes.extend(key.into_iter().flatten());
    bytes
}

/// The seven bits of length: the length, or the mark for what follows.
pub(super) const fn length_field(form: Form, len: u64) -> u8 {
    match (form, len) {
        (Form::Shortest, 0..126) => len as u8,
        (Form::Shortest, 126..65_536) | (Form::In16Bits, _) => 126,
        (Form::Shortest, _) | (Form::In64Bits, _) => 127,
    }
}

/// §5.3 in one line, one byte after the other.
pub(super) fn masked(payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    payload.iter().enumerate().map(|(i, octet)| octet ^ key[i % 4]).collect()
}

/// The frames that a server has written; none may be cut off, masked or longer written than it must.
pub(super) fn read(mut bytes: &[u8]) -> Vec<Served> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let first = bytes[0];
        // §5.1: "A server MUST NOT mask any frames that it sends to the client."
        assert!(bytes[1] < 128, "a server's frame is masked");
        let (start, len) = match bytes[1] {
            126 => (4, bytes[2..4].iter().fold(0, |len, &octet| len * 256 + usize::from(octet))),
            127 => (10, bytes[2..10].iter().fold(0, |len, &octet| len * 256 + usize::from(octet))),
            len => (2, len.into()),
        };
        assert_eq!(bytes[1], length_field(Form::Shortest, len as u64), "§5.2: the shortest form");
        frames.push(Served { first, payload: bytes[start..start + len].to_vec() });
        bytes = &bytes[start + len..];
    }
    frames
}
