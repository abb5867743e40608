//! §4.1 The opening handshake of a client: a request out, the bytes of the answer in, a verdict.
//!
//! This file collects the answer from pieces and says what it means: accepted, refused, or a broken rule. One
//! file per kind of knowledge below it: `uri.rs` (where to connect), `request.rs` (what is asked), `head.rs`
//! (what the answer says), `check.rs` (the rules), `refusal.rs` (an answer that opens nothing), `error.rs`
//! (the names of the rules).

mod check;
mod error;
mod head;
mod refusal;
mod request;
mod uri;

use std::mem;

pub use error::ResponseError;
pub use head::ResponseHead;
pub use refusal::Refusal;
pub use request::ClientRequest;
pub use uri::{Uri, UriError};

use super::head::Scan;
use crate::protocol::config::Limits;
use refusal::PartialRefusal;
use request::Offered;

/// What a server answers (§4.1). [`ClientHandshake::next_answer`] returns it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Answer<'a> {
    /// The connection is open, and the input holds frames from here on.
    Accepted(Accepted<'a>),
    /// The server wants no connection, or wants it elsewhere: any status but 101.
    Refused(Refusal),
}

/// An answer that opens the connection: a 101 that keeps every rule of §4.1. Example: [`ClientHandshake`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Accepted<'a> {
    /// The whole head, with all headers.
    pub head: ResponseHead<'a>,
    /// The subprotocol that the server has chosen; always one that was offered.
    pub subprotocol: Option<&'a str>,
    /// How messages are compressed, if that was offered and is accepted (RFC 7692 §5.1).
    #[cfg(feature = "deflate")]
    pub deflate: Option<crate::protocol::DeflateParams>,
}

/// An opening handshake that awaits its answer (§4.1). [`ClientRequest::start`] makes one.
///
/// **Call [`next_answer`](Self::next_answer) with what arrives until it returns an answer or an error.**
///
/// ```
/// use wirehook::protocol::{Answer, ClientRequest, Limits, ResponseError, Uri};
///
/// let mut out = Vec::new();
/// let request = ClientRequest::new(&Uri::parse("ws://example.com/chat").unwrap());
/// let mut handshake = request.start(*b"the sample nonce", &mut out); // the key of §1.3
///
/// let mut bytes = *b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x05Hello";
/// let mut input = &mut bytes[..];
/// let answer = handshake.next_answer(&mut input, &Limits::default())?;
/// assert!(matches!(answer, Some(Answer::Accepted(_))));
/// assert_eq!(input, b"\x81\x05Hello"); // what came with the 101 is still there
/// # Ok::<(), ResponseError>(())
/// ```
#[derive(Debug)]
pub struct ClientHandshake {
    offered: Offered,
    /// The bytes of the head under way.
    head: Vec<u8>,
    scan: Scan,
    /// Bytes of interim answers, which count against the limit of the head too.
    skipped: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// In a head.
    Head,
    /// In the body of a refusal.
    Body(Box<PartialRefusal>),
    /// The answer or an error was returned.
    Answered,
}

impl ClientHandshake {
    fn new(offered: Offered) -> Self {
        Self { offered, head: Vec::new(), scan: Scan::default(), skipped: 0, state: State::Head }
    }

    /// Takes bytes from the front of `input` up to the end of the answer, if they reach that far.
    ///
    /// `None` means that all of it was taken and the answer is not complete. After an answer or an error
    /// nothing more is taken. Of an accepted connection the rest of `input` holds the server's first frames.
    ///
    /// # Errors
    ///
    /// The answer is not HTTP, over a limit, or a 101 that breaks a rule. §4.1: the client then fails the
    /// connection, that is, it closes TCP (§7.1.7).
    pub fn next_answer<'s>(
        &'s mut self,
        input: &mut &mut [u8],
        limits: &Limits,
    ) -> Result<Option<Answer<'s>>, ResponseError> {
        let status = match self.state {
            State::Head => match self.take_head(input, limits) {
                Ok(Some(status)) => status,
                Ok(None) => return Ok(None),
                Err(error) => {
                    self.state = State::Answered;
                    return Err(error);
                }
            },
            State::Body(_) => return Ok(self.take_body(input).map(Answer::Refused)),
            State::Answered => return Ok(None),
        };
        self.state = State::Answered;
        // §4.1: "If the status code received from the server is not 101, the client handles the
        // response per HTTP procedures."
        if status != 101 {
            let refusal = PartialRefusal::new(&ResponseHead::parse(&self.head, self.scan.lines())?);
            self.state = State::Body(Box::new(refusal));
            return Ok(self.take_body(input).map(Answer::Refused));
        }
        let head = ResponseHead::parse(&self.head, self.scan.lines())?;
        self.offered.check(head).map(|accepted| Some(Answer::Accepted(accepted)))
    }

    /// Says what the end of the input makes of the answer: some bodies end so (RFC 9112 §6.3).
    ///
    /// ```
    /// use wirehook::protocol::{ClientRequest, Limits, ResponseError, Uri};
    ///
    /// let request = ClientRequest::new(&Uri::parse("ws://example.com/").unwrap());
    /// let mut handshake = request.start([0; 16], &mut Vec::new());
    /// let mut bytes = *b"HTTP/1.1 404 Not Found\r\n\r\nno such page";
    /// assert!(handshake.next_answer(&mut &mut bytes[..], &Limits::default())?.is_none());
    /// let refusal = handshake.end_of_input()?;
    /// assert_eq!((refusal.status, &refusal.body[..]), (404, &b"no such page"[..]));
    /// # Ok::<(), ResponseError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The answer was not complete.
    pub fn end_of_input(&mut self) -> Result<Refusal, ResponseError> {
        match mem::replace(&mut self.state, State::Answered) {
            State::Body(refusal) => Ok(refusal.end_of_input()),
            State::Head | State::Answered => Err(ResponseError::EndedEarly),
        }
    }

    /// Returns the number of bytes held of an incomplete answer: at most those of a head and of
    /// [`Refusal::MAX_BODY`].
    ///
    /// Example: [`ClientHandshake`].
    pub fn buffered(&self) -> usize {
        let body = if let State::Body(refusal) = &self.state { refusal.body_len() } else { 0 };
        self.head.len() + body
    }

    /// Takes bytes up to the end of a head that is no interim answer, and returns its status.
    fn take_head(&mut self, input: &mut &mut [u8], limits: &Limits) -> Result<Option<u16>, ResponseError> {
        loop {
            let taken = self.skipped + self.head.len();
            let end = self.scan.find_end(input, taken, limits)?;
            self.head.extend_from_slice(split_off_front(input, end.unwrap_or(input.len())));
            if end.is_none() {
                return Ok(None);
            }
            let status = ResponseHead::parse(&self.head, self.scan.lines())?.status();
            // RFC 9110 §15.2: "A client MUST be able to parse one or more 1xx responses received
            // prior to a final response".
            if !matches!(status, 100 | 102..=199) {
                return Ok(Some(status));
            }
            self.skipped += self.head.len();
            self.head.clear();
            self.scan = Scan::default();
        }
    }

    /// Takes bytes of a refusal's body; returns the refusal once nothing more of it is wanted.
    fn take_body(&mut self, input: &mut &mut [u8]) -> Option<Refusal> {
        let State::Body(refusal) = &mut self.state else { return None };
        if !refusal.take(input) {
            return None;
        }
        self.end_of_input().ok()
    }
}

/// Takes `len` bytes from the front of `input`, which has them.
fn split_off_front<'a>(input: &mut &'a mut [u8], len: usize) -> &'a mut [u8] {
    let (front, rest) = mem::take(input).split_at_mut(len);
    *input = rest;
    front
}
