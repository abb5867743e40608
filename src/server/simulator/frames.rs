//! Frames and heads as literal bytes, made without the codec.

pub(crate) const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
pub(crate) const ANSWER: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Returns a frame as a client sends it, masked with zeros.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, 0x80, payload.len() as u64);
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// Returns a frame as the server sends it.
pub(crate) fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, 0, payload.len() as u64);
    bytes.extend(payload);
    bytes
}

pub(crate) fn header(first: u8, mask: u8, len: u64) -> Vec<u8> {
    let mut bytes = vec![first];
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
    bytes
}

/// Returns a text message as the server sends it.
pub(crate) fn server_text(text: &[u8]) -> Vec<u8> {
    server_frame(0x81, text)
}

/// Whether the bytes begin with a Close of the server with this code; a reason may follow.
pub(crate) fn is_close(bytes: &[u8], code: u16) -> bool {
    let [high, low] = code.to_be_bytes();
    matches!(*bytes, [0x88, _, a, b, ..] if [a, b] == [high, low])
}
