//! From bytes to a head, within the limits.
//!
//! This file is for requests and, for a client, their responses. It reads each byte once, however the head is
//! cut, and the complete head is parsed once. A byte that no head may contain (a control byte, a bare line
//! feed) is refused as soon as it arrives.

use std::mem;

use super::Request;
use crate::protocol::{config::Limits, error::HandshakeError};

/// Collects a request head from pieces, within the limits.
///
/// ```
/// use wirehook::protocol::{Limits, RequestReader};
///
/// let limits = Limits::default();
/// let mut reader = RequestReader::default();
/// let mut first = *b"GET /chat?room=1 HTTP/1.1\r\nHost: exam";
/// assert!(reader.next_request(&mut &mut first[..], &limits)?.is_none());
/// assert_eq!(reader.buffered(), first.len());
///
/// let mut second = *b"ple.com\r\n\r\nwhat follows";
/// let mut input = &mut second[..];
/// let request = reader.next_request(&mut input, &limits)?.unwrap();
/// assert_eq!((request.path(), request.query_string()), ("/chat", Some("room=1")));
/// assert_eq!(request.host(), Some("example.com"));
/// assert_eq!(input, b"what follows");
/// # Ok::<(), wirehook::protocol::HandshakeError>(())
/// ```
#[derive(Debug, Default)]
pub struct RequestReader {
    /// The bytes of earlier pieces; empty if the head arrived in one piece.
    head: Vec<u8>,
    scan: Scan,
}

impl RequestReader {
    /// Consumes bytes from the front of `input` up to the end of the head, if they reach it.
    ///
    /// # Errors
    ///
    /// The head is not HTTP, or over a limit. [`Request::check`] has the rules of the WebSocket handshake.
    pub fn next_request<'s, 'a: 's>(
        &'s mut self,
        input: &mut &'a mut [u8],
        limits: &Limits,
    ) -> Result<Option<Request<'s>>, HandshakeError> {
        let Some(end) = self.scan.find_end(input, self.head.len(), limits)? else {
            self.head.extend_from_slice(input);
            *input = &mut [];
            return Ok(None);
        };
        let (last_piece, rest) = mem::take(input).split_at_mut(end);
        *input = rest;
        let head = if self.head.is_empty() {
            &*last_piece
        } else {
            self.head.extend_from_slice(last_piece);
            &self.head
        };
        Request::parse(head, self.scan.lines).map(Some)
    }

    /// Returns the number of bytes held of an incomplete head; at most the head limit.
    pub fn buffered(&self) -> usize {
        self.head.len()
    }

    /// Returns how often a byte was read: a measure of work that needs no clock.
    #[cfg(any(test, fuzzing))]
    pub fn bytes_read(&self) -> usize {
        self.scan.bytes_read
    }
}

/// Searches for the empty line that ends a head. After more bytes arrive, it continues where it stopped.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Complete lines so far, with the request line.
    lines: usize,
    /// Whether the current line has bytes before its end.
    in_line: bool,
    after_carriage_return: bool,
    /// How often a byte was read.
    #[cfg(any(test, fuzzing))]
    bytes_read: usize,
}

impl Scan {
    /// Returns the position in `piece` after the end of the head, of which `before` bytes were scanned
    /// earlier.
    pub(super) fn find_end(
        &mut self,
        piece: &[u8],
        before: usize,
        limits: &Limits,
    ) -> Result<Option<usize>, HandshakeError> {
        let room = limits.max_header_size.saturating_sub(before);
        let within = &piece[..piece.len().min(room)];
        let mut position = 0;
        loop {
            // No text follows a carriage return.
            let text = if self.after_carriage_return { 0 } else { text_len(&within[position..]) };
            #[cfg(any(test, fuzzing))]
            self.count_reads(text, &within[position..]);
            self.in_line |= text > 0;
            position += text;
            let Some(&control) = within.get(position) else { break };
            position += 1;
            match control {
                b'\r' if !self.after_carriage_return => self.after_carriage_return = true,
                b'\n' if self.after_carriage_return => {
                    if self.end_line(limits)? {
                        return Ok(Some(position));
                    }
                }
                TLS_HANDSHAKE if before + position == 1 => return Err(HandshakeError::LooksLikeTls),
                // RFC 9112 §2.2 lets a recipient accept a bare line feed; refusing it leaves no room
                // for two readings of one head.
                _ => return Err(HandshakeError::NotHttp),
            }
        }
        if within.len() < piece.len() { Err(HandshakeError::HeadTooBig) } else { Ok(None) }
    }

    /// Returns the number of complete lines so far.
    pub(super) const fn lines(&self) -> usize {
        self.lines
    }

    /// Counts `text` bytes of `rest`, and the control byte after them if there is one.
    #[cfg(any(test, fuzzing))]
    fn count_reads(&mut self, text: usize, rest: &[u8]) {
        self.bytes_read += text + usize::from(text < rest.len());
    }

    /// Ends a line; returns whether it is the empty one after the headers.
    fn end_line(&mut self, limits: &Limits) -> Result<bool, HandshakeError> {
        self.after_carriage_return = false;
        if !mem::take(&mut self.in_line) {
            // RFC 9112 §2.2: "a server … SHOULD ignore at least one empty line (CRLF) received
            // prior to the request-line".
            return Ok(self.lines > 0);
        }
        self.lines += 1;
        if self.lines - 1 > limits.max_headers {
            return Err(HandshakeError::TooManyHeaders);
        }
        Ok(false)
    }
}

/// RFC 8446 §5.1: the first byte of a record with a ClientHello. No request begins with it.
const TLS_HANDSHAKE: u8 = 0x16;

/// The bytes that end a run of text: all control bytes but the tab.
const ENDS_TEXT: [bool; 256] = {
    let mut ends = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        ends[byte] = byte != b'\t' as usize;
        byte += 1;
    }
    ends[0x7F] = true;
    ends
};

/// Returns the number of bytes of text at the beginning of `piece`.
fn text_len(piece: &[u8]) -> usize {
    piece.iter().position(|&byte| ENDS_TEXT[byte as usize]).unwrap_or(piece.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_of_a_head_is_read_once_however_the_head_is_cut() {
        let limits = Limits { max_header_size: 64 * 1024, ..Limits::default() };
        let filler = format!("X: {}\r\n", "x".repeat(1000)).repeat(60);
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{filler}\r\n").into_bytes();
        for step in [1, 100, head.len()] {
            let mut reader = RequestReader::default();
            let mut requests = 0;
            for piece in head.clone().chunks_mut(step) {
                let mut input = piece;
                requests += usize::from(matches!(reader.next_request(&mut input, &limits), Ok(Some(_))));
            }
            assert_eq!((requests, reader.bytes_read()), (1, head.len()), "in pieces of {step}");
        }
    }
}
