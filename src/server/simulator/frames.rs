//! Frames as bytes (§5.2), without the codec, so that its mistakes can't hide themselves.
//!
//! Test crates include this file by its path. It checks nothing: half of the tests break rules with it.

// No crate needs all of it.
#![allow(dead_code)]

/// Returns the frame of a client whose first byte is `first`.
pub(crate) fn client_frame(first: u8, key: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_client_frame(&mut bytes, first, key, payload);
    bytes
}

/// Appends the frame of a client whose first byte is `first`.
pub(crate) fn put_client_frame(bytes: &mut Vec<u8>, first: u8, key: [u8; 4], payload: &[u8]) {
    put_header(bytes, first, Some(key), payload.len() as u64);
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    // §5.3: "transformed-octet-i = original-octet-i XOR masking-key-octet-(i MOD 4)".
    for (i, octet) in bytes[start..].iter_mut().enumerate() {
        *octet ^= key[i % 4];
    }
}

/// Returns the frame of a server whose first byte is `first`.
pub(crate) fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, None, payload.len() as u64);
    bytes.extend_from_slice(payload);
    bytes
}

/// Returns the header of a frame, with the shortest form of its length. A client's has a masking key.
pub(crate) fn header(first: u8, key: Option<[u8; 4]>, len: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_header(&mut bytes, first, key, len);
    bytes
}

/// Appends the header of a frame, with the shortest form of its length.
pub(crate) fn put_header(bytes: &mut Vec<u8>, first: u8, key: Option<[u8; 4]>, len: u64) {
    let mask = if key.is_some() { 0x80 } else { 0 };
    bytes.push(first);
    match len {
        0..=125 => bytes.push(mask | len as u8),
        126..=0xFFFF => {
            bytes.push(mask | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend(len.to_be_bytes());
        }
    }
    bytes.extend(key.into_iter().flatten());
}
