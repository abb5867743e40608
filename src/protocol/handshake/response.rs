//! §4.2.2 The response to a request.
//!
//! This file knows how a response is written. It does not know which response is due.

use super::{
    Request,
    accept::accept_key,
    grammar::{is_field_value, is_token},
};
use crate::protocol::error::HandshakeError;

/// A header that a response can't have: its name is no token, its value contains a control byte, or the
/// handshake itself writes it. See [`Response::header`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHeader;

/// The response to a request (§4.2.2).
///
/// ```
/// use wirehook::protocol::{HandshakeError, Response};
///
/// let mut out = Vec::new();
/// Response::refusal(HandshakeError::VersionNotSupported).encode(&mut out);
/// let text = String::from_utf8(out).unwrap();
/// assert!(text.starts_with("HTTP/1.1 426 Upgrade Required\r\n"));
/// assert!(text.contains("\r\nSec-WebSocket-Version: 13\r\n"));
/// ```
#[derive(Clone, Debug)]
pub struct Response {
    status: u16,
    /// Header lines, each with its line end.
    headers: String,
    /// The text after the head, if the status allows one.
    body: Option<String>,
}

/// The headers that the handshake writes itself, or that it must not write at all.
const OWN_HEADERS: [&str; 9] = [
    "Connection",
    "Content-Length",
    "Content-Type",
    "Transfer-Encoding",
    "Upgrade",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Version",
];

impl Response {
    /// Returns the 101 for a request that has passed [`Request::check`]. The connection is open once it is
    /// sent. Example: [`Request`].
    ///
    /// The subprotocol is sent only if the client offered it: §4.2.2 allows no other.
    pub fn switching_protocols(request: &Request<'_>, subprotocol: Option<&str>) -> Self {
        let mut response = Self { status: 101, headers: String::with_capacity(160), body: None };
        response.line("Upgrade", "websocket");
        response.line("Connection", "Upgrade");
        response.line("Sec-WebSocket-Accept", &accept_key(request.header("Sec-WebSocket-Key").unwrap_or("")));
        if let Some(subprotocol) = subprotocol
            && request.subprotocols().any(|offer| offer == subprotocol)
        {
            response.line("Sec-WebSocket-Protocol", subprotocol);
        }
        response
    }

    /// Returns the answer to a request that breaks a rule; its body names the rule.
    pub fn refusal(error: HandshakeError) -> Self {
        let mut response = Self::rejection(error.status(), &error.to_string());
        if let Some((name, value)) = error.header() {
            response.line(name, value);
        }
        if error == HandshakeError::MethodIsHead { response.without_body() } else { response }
    }

    /// Returns the answer to a valid request that is rejected. `body` is plain text.
    ///
    /// A status below 300 or over 599 is no refusal, and 304 can't have the body: they become 500.
    ///
    /// ```
    /// # use wirehook::protocol::Response;
    /// assert_eq!(Response::rejection(401, "who are you?").status(), 401);
    /// assert_eq!(Response::rejection(200, "no refusal").status(), 500);
    /// ```
    pub fn rejection(status: u16, body: &str) -> Self {
        let status = if matches!(status, 300..=303 | 305..=599) { status } else { 500 };
        Self::page(status, "text/plain; charset=utf-8", &format!("{body}\n"))
    }

    /// Returns an answer to a request that asks for no WebSocket; the connection closes after it.
    ///
    /// After a status below 200 another answer must follow, and a status over 599 has no meaning: they become
    /// 500. So does a page whose content type contains a control byte: a line end would begin another header.
    /// 204, 205 and 304 have no body (RFC 9110 §15), so their body is left out.
    ///
    /// ```
    /// use wirehook::protocol::Response;
    ///
    /// let mut out = Vec::new();
    /// Response::page(200, "text/html; charset=utf-8", "<p>hello").encode(&mut out);
    /// assert!(out.starts_with(b"HTTP/1.1 200 OK\r\nConnection: close\r\n"));
    /// assert!(out.ends_with(b"Content-Length: 8\r\n\r\n<p>hello"));
    ///
    /// assert_eq!(Response::page(200, "text/html\r\nSet-Cookie: a=b", "<p>hello").status(), 500);
    /// ```
    pub fn page(status: u16, content_type: &str, body: &str) -> Self {
        if !is_field_value(content_type) {
            return Self::rejection(500, "The server's application gave a content type that can't be sent.");
        }
        let status = if matches!(status, 200..=599) { status } else { 500 };
        let mut response = Self { status, headers: String::new(), body: None };
        // RFC 9110 §7.8: "A sender of Upgrade MUST also send an "Upgrade" connection option".
        // RFC 9110 §15.5.22: "The server MUST send an Upgrade header field in a 426 response".
        if status == 426 {
            response.line("Connection", "close, Upgrade");
            response.line("Upgrade", "websocket");
        } else {
            response.line("Connection", "close");
        }
        match status {
            204 | 304 => {}
            // RFC 9110 §15.3.6: "a server MUST NOT generate content in a 205 response".
            205 => response.line("Content-Length", "0"),
            _ => {
                response.line("Content-Type", content_type);
                response.line("Content-Length", &body.len().to_string());
                response.body = Some(body.to_owned());
            }
        }
        response
    }

    /// Returns the answer to HEAD: the head of the answer to GET (RFC 9110 §9.3.2).
    ///
    /// ```
    /// use wirehook::protocol::Response;
    ///
    /// let mut out = Vec::new();
    /// Response::page(200, "text/plain", "hello").without_body().encode(&mut out);
    /// assert!(out.ends_with(b"Content-Length: 5\r\n\r\n"));
    /// ```
    #[must_use]
    pub fn without_body(mut self) -> Self {
        self.body = None;
        self
    }

    /// Adds a header.
    ///
    /// ```
    /// use wirehook::protocol::{InvalidHeader, Response};
    ///
    /// let mut response = Response::rejection(401, "who are you?");
    /// response.header("WWW-Authenticate", "Basic")?;
    /// assert_eq!(response.header("X", "a\r\nSet-Cookie: b"), Err(InvalidHeader));
    /// assert_eq!(response.header("Upgrade", "h2c"), Err(InvalidHeader));
    /// # Ok::<(), InvalidHeader>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A response can't have the header; nothing is added.
    pub fn header(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        let is_own = OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name));
        if is_own || !is_token(name.as_bytes()) || !is_field_value(value) {
            return Err(InvalidHeader);
        }
        self.line(name, value);
        Ok(())
    }

    /// Adds that permessage-deflate is in use (RFC 7692 §5.1). Example:
    /// [`NegotiatedDeflate`](crate::protocol::NegotiatedDeflate).
    #[cfg(feature = "deflate")]
    pub fn use_deflate(&mut self, negotiated: &crate::protocol::NegotiatedDeflate) {
        self.line("Sec-WebSocket-Extensions", &negotiated.header());
    }

    /// Returns the status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Appends the bytes of the response to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(&[100, 10, 1].map(|unit| b'0' + (self.status / unit % 10) as u8));
        out.extend_from_slice(b" ");
        out.extend_from_slice(reason_phrase(self.status).as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.headers.as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.body.as_deref().unwrap_or_default().as_bytes());
    }

    fn line(&mut self, name: &str, value: &str) {
        for part in [name, ": ", value, "\r\n"] {
            self.headers.push_str(part);
        }
    }
}

/// Returns the reason phrase of a status that a handshake can end with (RFC 9110 §15).
fn reason_phrase(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        204 => "No Content",
        205 => "Reset Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        // RFC 9112 §4: the phrase may be empty.
        _ => "",
    }
}
