//! The bytes of clients and the server in most tests, as literals.

use super::frames::{client_frame, server_frame};

pub(crate) const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
pub(crate) const ANSWER: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// The answer to a request of the loop's own, whose nonce is zeros.
pub(crate) const SERVERS_ANSWER: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n";

/// Returns a frame as a client sends it, masked with zeros: its payload is readable in a report.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    client_frame(first, [0; 4], payload)
}

/// Returns a text message as the server sends it.
pub(crate) fn server_text(text: &[u8]) -> Vec<u8> {
    server_frame(0x81, text)
}

/// Returns whether the bytes begin with a Close of the server with this code; a reason may follow.
pub(crate) fn is_close(bytes: &[u8], code: u16) -> bool {
    let [high, low] = code.to_be_bytes();
    matches!(*bytes, [0x88, _, a, b, ..] if [a, b] == [high, low])
}
