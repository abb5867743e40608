//! What a client puts on the wire, and what it takes from there: requests, masked frames, a server's frames.
//!
//! This file knows bytes. Going out it obeys no rule, since half of the clients break them; coming in it holds the
//! server to all of them. It refuses to know who says what and why.

use crate::random::Random;

/// §5.2: opcodes, in the first byte's lower half.
pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;
/// §5.2: the first byte's upper half.
pub(crate) const FIN: u8 = 0x80;
const RSV: u8 = 0x70;
/// §5.2: the second byte.
const MASK: u8 = 0x80;
/// §5.5: the most that a control frame carries.
const MAX_CONTROL: usize = 125;
/// No response head of ours is longer.
const MAX_HEAD: usize = 4096;

/// A request that passes.
pub(crate) const REQUEST: &str = "GET /soak HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
/// §4.2.2: what belongs to the key of that request.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Appends a masked frame whose first byte is `first`.
pub(crate) fn put_frame(out: &mut Vec<u8>, random: &mut Random, first: u8, payload: &[u8]) {
    put_header(out, first, payload.len() as u64);
    let key = (random.next() as u32).to_be_bytes();
    out.extend(key);
    let start = out.len();
    out.extend_from_slice(payload);
    for chunk in out[start..].chunks_mut(4) {
        chunk.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
    }
}

/// Appends what stands before the mask's key, with the shortest form of the length.
pub(crate) fn put_header(out: &mut Vec<u8>, first: u8, len: u64) {
    out.push(first);
    match len {
        0..=125 => out.push(MASK | len as u8),
        126..=0xFFFF => {
            out.push(MASK | 126);
            out.extend((len as u16).to_be_bytes());
        }
        _ => {
            out.push(MASK | 127);
            out.extend(len.to_be_bytes());
        }
    }
}

/// What has come from the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The answer to the request: its status; for 101 its key was checked.
    Response(u16),
    /// The opcode, and the payload of all fragments.
    Message(u8, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// The code, if there is one.
    Close(Option<u16>),
}

/// The incoming bytes of one connection, until they are complete.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    bytes: Vec<u8>,
    taken: usize,
    is_open: bool,
    is_over: bool,
    /// The message in fragments that is not complete.
    message: Option<(u8, Vec<u8>)>,
}

impl Incoming {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next thing that is complete, if there is one; an error if the server has broken a rule.
    pub(crate) fn next(&mut self) -> Result<Option<Heard>, String> {
        if !self.is_open { self.next_response() } else { self.next_frame() }
    }

    fn next_response(&mut self) -> Result<Option<Heard>, String> {
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
        Ok(Some(Heard::Response(status)))
    }

    fn next_frame(&mut self) -> Result<Option<Heard>, String> {
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
                    return Ok(Some(Heard::Close(code)));
                }
                PING => return Ok(Some(Heard::Ping(payload))),
                PONG => return Ok(Some(Heard::Pong(payload))),
                opcode => {
                    if let Some(message) = self.put_together(opcode, is_last, payload)? {
                        return Ok(Some(message));
                    }
                }
            }
        }
    }

    fn put_together(&mut self, opcode: u8, is_last: bool, piece: Vec<u8>) -> Result<Option<Heard>, String> {
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
        Ok(self.message.take().map(|(opcode, whole)| Heard::Message(opcode, whole)))
    }
}

/// First byte, length of the header and of the payload of a server's frame, if `bytes` has them.
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

    fn all(incoming: &mut Incoming) -> Vec<Heard> {
        std::iter::from_fn(|| incoming.next().expect("the server's bytes are right")).collect()
    }

    #[test]
    fn a_response_and_frames_are_heard_in_whatever_pieces_they_come() {
        let mut bytes = format!("HTTP/1.1 101 x\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n").into_bytes();
        bytes.extend(b"\x01\x02he\x89\x01p\x80\x03llo\x88\x02\x03\xe8");
        let expected = [
            Heard::Response(101),
            Heard::Ping(b"p".to_vec()),
            Heard::Message(TEXT, b"hello".to_vec()),
            Heard::Close(Some(1000)),
        ];
        for piece in [1, 2, 7, bytes.len()] {
            let mut incoming = Incoming::default();
            let mut heard = Vec::new();
            for piece in bytes.chunks(piece) {
                incoming.push(piece);
                heard.extend(all(&mut incoming));
            }
            assert_eq!(heard, expected, "in pieces of {piece}");
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
