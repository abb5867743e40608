//! The bytes of a client and of its server: requests, masked frames, and a server's frames.
//!
//! This file encodes without any check, since half of the clients break rules. It checks everything from the
//! server. It is written by hand, without the library's codec: a mistake in the codec must not hide itself
//! here.

use crate::{frames, random::Random};

/// §5.2: opcodes, in the lower half of the first byte.
pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;
/// §5.2: the upper half of the first byte.
pub(crate) const FIN: u8 = 0x80;
const RSV: u8 = 0x70;
/// §5.2: the second byte.
const MASK: u8 = 0x80;
/// §5.5: the longest payload of a control frame.
const MAX_CONTROL: usize = 125;
/// The longest response head of the server.
const MAX_HEAD: usize = 4096;

/// A valid request.
pub(crate) const REQUEST: &str = "GET /soak HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
/// §4.2.2: the answer to that request's key.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Appends a masked frame whose first byte is `first`.
pub(crate) fn put_frame(out: &mut Vec<u8>, random: &mut Random, first: u8, payload: &[u8]) {
    frames::put_client_frame(out, first, (random.next() as u32).to_be_bytes(), payload);
}

/// Appends the header of a frame, with a masking key of zeros, and no payload.
pub(crate) fn put_header(out: &mut Vec<u8>, first: u8, len: u64) {
    frames::put_header(out, first, Some([0; 4]), len);
}

/// A message, frame or head from the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// The status of the response; for 101 its key was checked.
    Response(u16),
    /// The opcode, and the payload of all fragments.
    Message(u8, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// The code, if there is one.
    Close(Option<u16>),
}

/// The incomplete input of one connection.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    bytes: Vec<u8>,
    taken: usize,
    is_open: bool,
    is_over: bool,
    /// The incomplete fragmented message.
    message: Option<(u8, Vec<u8>)>,
}

impl Incoming {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the next complete item, if there is one; an error if the server has broken a rule.
    pub(crate) fn next(&mut self) -> Result<Option<Received>, String> {
        if !self.is_open { self.next_response() } else { self.next_frame() }
    }

    fn next_response(&mut self) -> Result<Option<Received>, String> {
        let rest = &self.bytes[self.taken..];
        if self.is_over {
            // The body of a refusal.
            self.taken = self.bytes.len();
            return Ok(None);
        }
        let Some(end) = rest.windows(4).position(|it| it == b"\r\n\r\n") else {
            if rest.len() > MAX_HEAD {
                return Err("a response head that does not end".to_owned());
            }
            return Ok(None);
        };
        let head = String::from_utf8_lossy(&rest[..end]);
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|it| it.get(..3)?.parse().ok());
        let Some(status) = status else { return Err(format!("no status line: {head:?}")) };
        if status == 101 && !head.contains(ACCEPT) {
            return Err(format!("the wrong Sec-WebSocket-Accept: {head:?}"));
        }
        self.taken += end + 4;
        (self.is_open, self.is_over) = (status == 101, status != 101);
        Ok(Some(Received::Response(status)))
    }

    fn next_frame(&mut self) -> Result<Option<Received>, String> {
        loop {
            let rest = &self.bytes[self.taken..];
            let Some((first, header_len, len)) = header(rest)? else { return Ok(None) };
            if self.is_over {
                return Err("a frame after Close".to_owned());
            }
            if rest.len() - header_len < len {
                return Ok(None);
            }
            let payload = rest[header_len..header_len + len].to_vec();
            self.taken += header_len + len;
            let is_last = first & FIN != 0;
            match first & 0x0F {
                CLOSE => {
                    self.is_over = true;
                    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    return Ok(Some(Received::Close(code)));
                }
                PING => return Ok(Some(Received::Ping(payload))),
                PONG => return Ok(Some(Received::Pong(payload))),
                opcode => {
                    if let Some(message) = self.put_together(opcode, is_last, payload)? {
                        return Ok(Some(message));
                    }
                }
            }
        }
    }

    fn put_together(
        &mut self,
        opcode: u8,
        is_last: bool,
        piece: Vec<u8>,
    ) -> Result<Option<Received>, String> {
        match (&mut self.message, opcode) {
            (None, CONTINUATION) => return Err("a continuation of nothing".to_owned()),
            (None, TEXT | BINARY) => self.message = Some((opcode, piece)),
            (Some((_, whole)), CONTINUATION) => whole.extend(piece),
            (Some(_), TEXT | BINARY) => return Err("a message within a message".to_owned()),
            _ => return Err(format!("the reserved opcode {opcode:#x}")),
        }
        if !is_last {
            return Ok(None);
        }
        Ok(self.message.take().map(|(opcode, whole)| Received::Message(opcode, whole)))
    }
}

/// Returns the first byte, the header's length and the payload's length of a server's frame.
fn header(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, String> {
    let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
    if first & RSV != 0 {
        return Err(format!("a reserved bit in {first:#x}"));
    }
    if second & MASK != 0 {
        return Err("a masked frame".to_owned());
    }
    let (header_len, len) = match (second, rest) {
        (126, &[a, b, ..]) => (4, u64::from(u16::from_be_bytes([a, b]))),
        (127, &[a, b, c, d, e, f, g, h, ..]) => (10, u64::from_be_bytes([a, b, c, d, e, f, g, h])),
        (126 | 127, _) => return Ok(None),
        (len, _) => (2, u64::from(len)),
    };
    if first & 0x08 != 0 && (len > MAX_CONTROL as u64 || first & FIN == 0) {
        return Err(format!("a control frame that is too long or in fragments: {first:#x}, {len} bytes"));
    }
    if len > 16 * 1024 * 1024 {
        return Err(format!("a frame of {len} bytes"));
    }
    Ok(Some((first, header_len, len as usize)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(incoming: &mut Incoming) -> Vec<Received> {
        std::iter::from_fn(|| incoming.next().expect("the server's bytes are right")).collect()
    }

    #[test]
    fn a_response_and_frames_are_read_in_any_pieces() {
        let mut bytes = format!("HTTP/1.1 101 x\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n").into_bytes();
        bytes.extend(b"\x01\x02he\x89\x01p\x80\x03llo\x88\x02\x03\xe8");
        let expected = [
            Received::Response(101),
            Received::Ping(b"p".to_vec()),
            Received::Message(TEXT, b"hello".to_vec()),
            Received::Close(Some(1000)),
        ];
        for piece in [1, 2, 7, bytes.len()] {
            let mut incoming = Incoming::default();
            let mut received = Vec::new();
            for piece in bytes.chunks(piece) {
                incoming.push(piece);
                received.extend(all(&mut incoming));
            }
            assert_eq!(received, expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_server_that_breaks_a_rule_is_noticed() {
        for bytes in [
            &b"\x81\x80"[..],
            b"\xC1\x00",
            b"\x80\x00",
            b"\x01\x00\x81\x00",
            b"\x09\x00",
            b"\x89\x7E\x00\x7E",
            b"\x83\x00",
            b"\x88\x00\x81\x00",
        ] {
            let mut incoming = Incoming { is_open: true, ..Incoming::default() };
            incoming.push(bytes);
            assert!((0..2).any(|_| incoming.next().is_err()), "{bytes:x?}");
        }
    }
}
