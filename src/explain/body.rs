//! RFC 9112 §6: the bytes after a head that opens no connection.
//!
//! This file knows the length of a body, as its head announces it. It does not know the body's content.

use super::{
    Leftover, SHOWN, Side,
    frame::text_of,
    handshake::{Headers, RequestStep, ResponseStep},
};

/// A body that has arrived.
///
/// ```
/// use wirehook::{Limits, explain::{Explainer, Side, Step}};
///
/// let mut explainer = Explainer::new(&Limits::default());
/// let response = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n";
/// let [Step::Response(head), Step::Body(body)] = &explainer.explain(Side::Server, response)[..] else {
///     panic!("a head and its body")
/// };
/// assert_eq!((body.from, body.offset, body.length), (Side::Server, head.length, 3));
/// assert_eq!(body.text(), Some("no\n"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyStep {
    /// The side that sent it.
    pub from: Side,
    /// Bytes of this direction before it.
    pub offset: u64,
    /// The length of the body in bytes.
    pub length: u64,
    /// The first [`SHOWN`] bytes.
    pub start: Vec<u8>,
}

impl BodyStep {
    /// Returns the body as text, if it is UTF-8; of a longer one the first characters.
    pub fn text(&self) -> Option<&str> {
        text_of(&self.start, self.length > self.start.len() as u64)
    }
}

/// The end of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Bytes(u64),
    /// RFC 9112 §7.1: after its chunks, which are not parsed here.
    Chunks,
    /// RFC 9112 §6.3: at the end of the connection.
    Connection,
}

/// Collects a body.
#[derive(Debug)]
pub(super) struct BodyReader {
    length: Length,
    step: BodyStep,
}

impl BodyReader {
    /// Returns the body that a request announces, if any.
    pub(super) fn of_request(request: &RequestStep) -> Option<Self> {
        let length = announced(&request.lines)?;
        Some(Self::new(Side::Client, request.length, length))
    }

    /// Returns the body of a response that opens no connection, if it can have one.
    pub(super) fn of_response(response: &ResponseStep, request: Option<&RequestStep>) -> Option<Self> {
        // RFC 9112 §6.3: no body follows these, whatever their headers say.
        let is_for_head = request.and_then(|it| it.lines.first()).is_some_and(|it| it.starts_with("HEAD "));
        if is_for_head || matches!(response.status?, 100..=199 | 204 | 304) {
            return None;
        }
        let length = announced(&response.lines).unwrap_or(Length::Connection);
        Some(Self::new(Side::Server, response.length, length))
    }

    fn new(from: Side, offset: u64, length: Length) -> Self {
        Self { length, step: BodyStep { from, offset, length: 0, start: Vec::new() } }
    }

    /// Consumes bytes of `input` up to the end of the body; returns the body once it is complete.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Option<BodyStep> {
        let left = match self.length {
            Length::Bytes(length) => length - self.step.length,
            Length::Chunks | Length::Connection => u64::MAX,
        };
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        let (piece, rest) = input.split_at(len);
        *input = rest;
        let shown = piece.len().min(SHOWN - self.step.start.len());
        self.step.start.extend_from_slice(&piece[..shown]);
        self.step.length += piece.len() as u64;
        (self.length == Length::Bytes(self.step.length)).then(|| self.step.clone())
    }

    /// Returns the number of received bytes of this direction.
    pub(super) fn offset(&self) -> u64 {
        self.step.offset + self.step.length
    }

    pub(super) fn memory(&self) -> usize {
        self.step.start.len()
    }

    pub(super) fn leftover(&self) -> Option<Leftover> {
        let says = match self.length {
            Length::Bytes(length) => format!("the body has {length} bytes, and the rest has not arrived"),
            Length::Chunks => "they are a body in chunks (RFC 9112 §7.1)".to_owned(),
            Length::Connection => "they are a body that ends with the connection (RFC 9112 §6.3)".to_owned(),
        };
        let unread = self.step.length;
        let from = self.step.from;
        // A server that refuses a request does not wait for the request's body.
        let is_awaited = from == Side::Server && matches!(self.length, Length::Bytes(_));
        (unread > 0 || is_awaited).then_some(Leftover { from, unread, frame: None, says })
    }
}

/// Returns the length of the body that a head announces, if any.
fn announced(lines: &[String]) -> Option<Length> {
    let headers = Headers(lines);
    if headers.value("Transfer-Encoding").is_some() {
        return Some(Length::Chunks);
    }
    let length = headers.value("Content-Length")?;
    let length = length.parse().ok().filter(|_| length.bytes().all(|it| it.is_ascii_digit()))?;
    Some(Length::Bytes(length))
}
