//! RFC 9112 §6: what follows a head that opens no connection.
//!
//! This file knows how long a body is, as its head announces it. It refuses to know what the body says.

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
    /// Who sent it.
    pub from: Side,
    /// Bytes of this direction before it.
    pub offset: u64,
    /// All of its bytes.
    pub length: u64,
    /// The first [`SHOWN`] of them.
    pub start: Vec<u8>,
}

impl BodyStep {
    /// Returns the body as text, if it is UTF-8; of a longer one the first characters.
    pub fn text(&self) -> Option<&str> {
        text_of(&self.start, self.length > self.start.len() as u64)
    }
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Bytes(u64),
    /// RFC 9112 §7.1: where its chunks say so, which are not read here.
    Chunks,
    /// RFC 9112 §6.3: where the connection ends.
    Connection,
}

/// Collects a body.
#[derive(Debug)]
pub(super) struct Body {
    length: Length,
    step: BodyStep,
}

impl Body {
    /// Returns the body that a request announces, if it does.
    pub(super) fn of_request(request: &RequestStep) -> Option<Self> {
        let length = announced(&request.lines)?;
        Some(Self::new(Side::Client, request.length, length))
    }

    /// Returns the body of a response that opens no connection, if it may have one.
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

    /// Takes bytes from the front of `input` up to the end of the body; returns it once it is whole.
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

    /// Bytes of this direction that have come.
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
        // A server that refuses a request does not wait for its body.
        let is_awaited = from == Side::Server && matches!(self.length, Length::Bytes(_));
        (unread > 0 || is_awaited).then_some(Leftover { from, unread, frame: None, says })
    }
}

/// The length of a body that a head announces; none for a body of no bytes.
fn announced(lines: &[String]) -> Option<Length> {
    let headers = Headers(lines);
    if headers.value("Transfer-Encoding").is_some() {
        return Some(Length::Chunks);
    }
    let length = headers.value("Content-Length")?;
    let length = length.parse().ok().filter(|_| length.bytes().all(|it| it.is_ascii_digit()))?;
    Some(Length::Bytes(length))
}
