//! §4.1 An answer that opens nothing: a refusal or a redirect, with its body up to a limit.
//!
//! This file knows how long a body is (RFC 9112 §6.3). A body that breaks HTTP is cut there: the status is
//! what counts.

use std::str;

use super::{head::ResponseHead, split_off_front};
use crate::protocol::handshake::request::Only;

/// An answer other than 101: the server refuses, or points elsewhere (§4.1, item 1).
///
/// ```
/// use wirehook::protocol::{Answer, ClientRequest, Limits, ResponseError, Uri};
///
/// let request = ClientRequest::new(&Uri::parse("ws://example.com/").unwrap());
/// let mut handshake = request.start([0; 16], &mut Vec::new());
/// let mut bytes = *b"HTTP/1.1 302 Found\r\nLocation: ws://example.org/\r\nContent-Length: 4\r\n\r\ngone";
/// let Some(Answer::Refused(refusal)) = handshake.next_answer(&mut &mut bytes[..], &Limits::default())? else {
///     panic!("the answer is complete, and no 101");
/// };
/// assert_eq!((refusal.status, refusal.location()), (302, Some("ws://example.org/")));
/// assert_eq!((&refusal.body[..], refusal.is_whole), (&b"gone"[..], true));
/// # Ok::<(), ResponseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The status code, such as 401.
    pub status: u16,
    /// The reason phrase; may be empty.
    pub reason: String,
    /// All headers in their order, names as they were sent.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, or as much of it as arrived and as [`Refusal::MAX_BODY`] allows.
    pub body: Vec<u8>,
    /// Whether the body is complete.
    pub is_whole: bool,
}

impl Refusal {
    /// The most bytes of a body that are kept: enough for a text that says what is wrong.
    pub const MAX_BODY: usize = 16 * 1024;

    /// Returns the value of the first header of this name, if it is UTF-8. Letter case does not matter.
    ///
    /// ```
    /// # use wirehook::protocol::{Answer, ClientRequest, Limits, ResponseError, Uri};
    /// # let request = ClientRequest::new(&Uri::parse("ws://example.com/").unwrap());
    /// # let mut handshake = request.start([0; 16], &mut Vec::new());
    /// let mut bytes = *b"HTTP/1.1 429 \r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n";
    /// let Some(Answer::Refused(refusal)) = handshake.next_answer(&mut &mut bytes[..], &Limits::default())? else {
    ///     panic!("the answer is complete, and no 101");
    /// };
    /// assert_eq!(refusal.header("retry-after"), Some("60"));
    /// # Ok::<(), ResponseError>(())
    /// ```
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(it, _)| it.eq_ignore_ascii_case(name))?;
        str::from_utf8(value).ok()
    }

    /// Returns where a redirect points to (RFC 9110 §10.2.2). §4.1: a client may follow it, and need not.
    pub fn location(&self) -> Option<&str> {
        if matches!(self.status, 300..=399) { self.header("Location") } else { None }
    }
}

/// A refusal whose body arrives.
#[derive(Debug)]
pub(super) struct PartialRefusal {
    refusal: Refusal,
    body: Body,
}

/// What the next byte of a body is (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug)]
enum Body {
    /// One of this many.
    Length(u64),
    /// Part of all that comes until the connection ends.
    UntilEnd,
    /// Part of the line that says how long a chunk is; the length so far.
    ChunkSize(Option<u64>),
    /// Part of the rest of that line, which has no meaning here.
    ChunkExtension(u64),
    /// One of this many of a chunk.
    Chunk(u64),
    /// Part of the line end after a chunk.
    ChunkEnd,
    /// Broken, and not looked at any more.
    Broken,
}

impl PartialRefusal {
    pub(super) fn new(head: &ResponseHead<'_>) -> Self {
        let headers = head.headers().map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
        let (status, reason) = (head.status(), head.reason().to_owned());
        let refusal = Refusal { status, reason, headers, body: Vec::new(), is_whole: false };
        Self { refusal, body: Body::of(head) }
    }

    /// Takes what `input` has of the body; returns whether nothing more is wanted.
    pub(super) fn take(&mut self, input: &mut &mut [u8]) -> bool {
        while !self.is_done() {
            if input.is_empty() {
                return false;
            }
            self.step(input);
        }
        true
    }

    /// Returns the refusal with what has arrived of its body.
    pub(super) fn end_of_input(mut self) -> Refusal {
        let is_cut = self.refusal.body.len() >= Refusal::MAX_BODY;
        self.refusal.is_whole = match self.body {
            Body::Length(rest) => rest == 0,
            Body::UntilEnd => !is_cut,
            _ => false,
        };
        self.refusal
    }

    pub(super) fn body_len(&self) -> usize {
        self.refusal.body.len()
    }

    fn is_done(&self) -> bool {
        let is_full = self.refusal.body.len() >= Refusal::MAX_BODY;
        is_full || matches!(self.body, Body::Length(0) | Body::Broken)
    }

    /// Takes one piece of content, or one byte of what stands between chunks.
    fn step(&mut self, input: &mut &mut [u8]) {
        self.body = match self.body {
            Body::Length(rest) => Body::Length(rest - self.take_content(rest, input)),
            Body::Chunk(rest) => match rest - self.take_content(rest, input) {
                0 => Body::ChunkEnd,
                rest => Body::Chunk(rest),
            },
            Body::UntilEnd => {
                self.take_content(u64::MAX, input);
                Body::UntilEnd
            }
            between => between.after(split_off_front(input, 1)[0]),
        };
    }

    /// Takes content, up to `most` bytes and up to the limit; returns how much it was.
    fn take_content(&mut self, most: u64, input: &mut &mut [u8]) -> u64 {
        let room = (Refusal::MAX_BODY - self.refusal.body.len()) as u64;
        let len = most.min(room).min(input.len() as u64);
        self.refusal.body.extend_from_slice(split_off_front(input, len as usize));
        len
    }
}

impl Body {
    /// RFC 9112 §6.3: how the end of a body is found.
    fn of(head: &ResponseHead<'_>) -> Self {
        match (head.only("Transfer-Encoding"), head.only("Content-Length")) {
            _ if matches!(head.status(), 204 | 304) => Self::Length(0),
            (Only::One(coding), _) if coding.eq_ignore_ascii_case(b"chunked") => Self::ChunkSize(None),
            (Only::None, Only::One(len)) => parse_length(len).map_or(Self::UntilEnd, Self::Length),
            _ => Self::UntilEnd,
        }
    }

    /// RFC 9112 §7.1: what follows this byte, which stands before, between or after chunks.
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::ChunkSize(len), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => longer(len, byte),
            (Self::ChunkSize(Some(len)), b'\r' | b';' | b' ' | b'\t') => Self::ChunkExtension(len),
            // The last chunk has no content. A trailer after it is of no interest.
            (Self::ChunkExtension(0), b'\n') => Self::Length(0),
            (Self::ChunkExtension(len), b'\n') => Self::Chunk(len),
            (Self::ChunkExtension(_), _) | (Self::ChunkEnd, b'\r') => self,
            (Self::ChunkEnd, b'\n') => Self::ChunkSize(None),
            _ => Self::Broken,
        }
    }
}

/// Returns the length of a chunk with one more digit.
fn longer(len: Option<u64>, digit: u8) -> Body {
    let digit = (digit as char).to_digit(16).unwrap_or_default();
    match len.unwrap_or_default().checked_mul(16) {
        Some(len) => Body::ChunkSize(Some(len + u64::from(digit))),
        None => Body::Broken,
    }
}

/// RFC 9110 §8.6: `Content-Length = 1*DIGIT`.
fn parse_length(len: &[u8]) -> Option<u64> {
    let is_number = len.iter().all(u8::is_ascii_digit);
    str::from_utf8(len).ok().filter(|_| is_number)?.parse().ok()
}
