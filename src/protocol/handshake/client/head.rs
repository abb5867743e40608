//! §4.2.2 What an answer says: its status and its headers.
//!
//! This file takes a head apart, with `httparse`. It judges nothing: `check.rs` does that.

use std::str;

use super::error::ResponseError;
use crate::protocol::handshake::{
    grammar::elements,
    request::{Only, only, values},
};

/// The head of an answer (§4.2.2), borrowed from the handshake that collected it.
///
/// ```
/// use wirehook::protocol::{Answer, ClientRequest, Limits, ResponseError, Uri};
///
/// let request = ClientRequest::new(&Uri::parse("ws://example.com/chat").unwrap());
/// let mut handshake = request.start(*b"the sample nonce", &mut Vec::new());
/// let mut bytes = *b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nServer: wirehook\r\n\r\n";
/// let answer = handshake.next_answer(&mut &mut bytes[..], &Limits::default())?;
/// let Some(Answer::Accepted(accepted)) = answer else { panic!("the answer keeps the rules") };
///
/// assert_eq!((accepted.head.status(), accepted.head.reason()), (101, "Switching Protocols"));
/// assert_eq!(accepted.head.header("server"), Some("wirehook"));
/// assert_eq!(accepted.head.headers().last(), Some(("Server", &b"wirehook"[..])));
/// # Ok::<(), ResponseError>(())
/// ```
#[derive(Debug)]
pub struct ResponseHead<'a> {
    status: u16,
    reason: &'a str,
    minor_version: u8,
    headers: Vec<httparse::Header<'a>>,
}

impl<'a> ResponseHead<'a> {
    /// Parses a complete head. `lines` bounds how many headers it can have.
    pub(super) fn parse(head: &'a [u8], lines: usize) -> Result<Self, ResponseError> {
        let mut headers = vec![httparse::EMPTY_HEADER; lines];
        let mut response = httparse::Response::new(&mut headers);
        let status = response.parse(head).map_err(|_| ResponseError::NotHttp)?;
        let (httparse::Status::Complete(_), Some(code), Some(minor_version)) =
            (status, response.code, response.version)
        else {
            return Err(ResponseError::NotHttp);
        };
        let (reason, header_count) = (response.reason.unwrap_or_default(), response.headers.len());
        headers.truncate(header_count);
        Ok(Self { status: code, reason, minor_version, headers })
    }

    /// Returns the status code. Example: [`ResponseHead`].
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the reason phrase, which may be empty. Example: [`ResponseHead`].
    pub const fn reason(&self) -> &'a str {
        self.reason
    }

    /// Returns the value of the first header of this name, if it is UTF-8. Letter case does not matter.
    ///
    /// Example: [`ResponseHead`].
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.values(name).next().and_then(|value| str::from_utf8(value).ok())
    }

    /// Returns all headers in their order, names as they were sent. Example: [`ResponseHead`].
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.headers.iter().map(|header| (header.name, header.value))
    }

    /// Returns the number after `HTTP/1.`.
    pub(super) const fn minor_version(&self) -> u8 {
        self.minor_version
    }

    /// Returns the values of all headers of this name.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        values(&self.headers, name)
    }

    pub(super) fn only(&self, name: &str) -> Only<'a> {
        only(self.values(name))
    }

    pub(super) fn lists_token(&self, name: &str, token: &str) -> bool {
        self.values(name).flat_map(elements).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }
}
