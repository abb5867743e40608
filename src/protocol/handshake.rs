//! §4.2 The opening handshake, as a server sees it: a request head in, a verdict and a response out.
//!
//! This file knows HTTP just as far as §4.2 asks for it: `httparse` takes a head apart, and the rules are held
//! against the parts in the order in which they stand in [`Request::check`]. It refuses to know sockets and
//! time, and which of the allowed requests the application wants.
//!
//! Every byte of a head is looked at once, however it drips in, and parsed once, when the head is complete. What
//! no head may hold (a control byte, a bare line feed) is refused at that byte.

mod grammar;

use std::{mem, str};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sha1::{Digest, Sha1};

use super::{config::Limits, error::HandshakeError};
use grammar::{
    elements, is_authority, is_extension_list, is_path, is_protocol, is_query, is_token, split_port,
};

/// §1.3: the string that every server appends to the key.
pub const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// §4.1: the length of a key before it is written in base64.
const KEY_LEN: usize = 16;
/// The length of a key as it is written.
const ENCODED_KEY_LEN: usize = 24;

/// Base64 with its padding, as RFC 4648 §4 writes it. Bits behind the last byte are not held against a client:
/// RFC 4648 §3.5 leaves that open, and the key "when base64-decoded, is 16 bytes in length" all the same.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// The value of `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (§4.2.2): base64 of the SHA-1 of key and GUID.
///
/// ```
/// // The example of §1.3.
/// let accept = wirehook::protocol::accept_key("dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn accept_key(key: &str) -> String {
    BASE64.encode(accept_digest(key))
}

/// The step before [`accept_key`]: the SHA-1 of a `Sec-WebSocket-Key` with [`GUID`] behind it (§4.2.2).
///
/// ```
/// // §1.3: "0xb3 0x7a 0x4f 0x2c …"
/// let digest = wirehook::protocol::accept_digest("dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(digest[..4], [0xb3, 0x7a, 0x4f, 0x2c]);
/// ```
pub fn accept_digest(key: &str) -> [u8; 20] {
    Sha1::new().chain_update(key).chain_update(GUID).finalize().into()
}

/// The 16 bytes that a `Sec-WebSocket-Key` is the base64 of (§4.1), if it is.
///
/// ```
/// use wirehook::protocol::decode_key;
///
/// // The example of §1.3.
/// assert_eq!(decode_key(b"dGhlIHNhbXBsZSBub25jZQ==").as_ref(), Some(b"the sample nonce"));
/// assert_eq!(decode_key(b"c2hvcnQ="), None);
/// ```
pub fn decode_key(value: &[u8]) -> Option<[u8; KEY_LEN]> {
    let mut decoded = [0; ENCODED_KEY_LEN];
    if value.len() != ENCODED_KEY_LEN || BASE64.decode_slice(value, &mut decoded) != Ok(KEY_LEN) {
        return None;
    }
    decoded.first_chunk().copied()
}

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
/// assert_eq!((request.path(), request.query()), ("/chat", Some("room=1")));
/// assert_eq!(request.host(), Some("example.com"));
/// assert_eq!(input, b"what follows");
/// # Ok::<(), wirehook::protocol::HandshakeError>(())
/// ```
#[derive(Debug, Default)]
pub struct RequestReader {
    /// What arrived in earlier pieces; empty if the head came in one.
    head: Vec<u8>,
    scan: Scan,
}

impl RequestReader {
    /// Takes bytes from the front of `input` up to the end of the head, if they reach that far.
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

    /// Bytes held of a head that is not complete; at most the head limit.
    pub fn buffered(&self) -> usize {
        self.head.len()
    }

    /// How often a byte was looked at: a measure of work that no clock disturbs.
    #[cfg(any(test, fuzzing))]
    pub fn looked_at(&self) -> usize {
        self.scan.looked_at
    }
}

/// Looks for the empty line that ends a head, and goes on where it stopped when more arrives.
#[derive(Debug, Default)]
struct Scan {
    /// Complete lines so far, the request line included.
    lines: usize,
    /// The line under way has bytes, its end not counted.
    in_line: bool,
    after_carriage_return: bool,
    /// How often a byte was looked at.
    #[cfg(any(test, fuzzing))]
    looked_at: usize,
}

impl Scan {
    /// The position in `piece` behind the end of the head, of which `before` bytes were looked at earlier.
    fn find_end(
        &mut self,
        piece: &[u8],
        before: usize,
        limits: &Limits,
    ) -> Result<Option<usize>, HandshakeError> {
        let room = limits.max_header_size.saturating_sub(before);
        let within = &piece[..piece.len().min(room)];
        let mut position = 0;
        loop {
            // Behind a carriage return stands no text.
            let text = if self.after_carriage_return { 0 } else { text_len(&within[position..]) };
            #[cfg(any(test, fuzzing))]
            self.count_looks(text, &within[position..]);
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

    /// Notes that `text` bytes of `rest` were looked at, and the control byte behind them if there is one.
    #[cfg(any(test, fuzzing))]
    fn count_looks(&mut self, text: usize, rest: &[u8]) {
        self.looked_at += text + usize::from(text < rest.len());
    }

    /// Whether the line that ends here is the empty one behind the headers.
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

/// RFC 8446 §5.1: the first byte of a record that holds a ClientHello. No request begins with it.
const TLS_HANDSHAKE: u8 = 0x16;

/// The bytes that end a run of text: the control bytes, but for the tab.
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

/// How many bytes of text `piece` begins with.
fn text_len(piece: &[u8]) -> usize {
    piece.iter().position(|&byte| ENDS_TEXT[byte as usize]).unwrap_or(piece.len())
}

/// A request head (§4.1), borrowed from the bytes it came in. A [`RequestReader`] makes one.
///
/// ```
/// use wirehook::protocol::{HandshakeError, Limits, RequestReader, Response};
///
/// let mut head = *b"GET /chat?room=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
///     Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
///     Sec-WebSocket-Protocol: chat, superchat\r\nOrigin: https://example.com\r\n\r\n";
/// let mut reader = RequestReader::default();
/// let request = reader.next_request(&mut &mut head[..], &Limits::default())?.unwrap();
///
/// assert_eq!((request.method(), request.target()), ("GET", "/chat?room=1"));
/// assert_eq!((request.path(), request.query()), ("/chat", Some("room=1")));
/// assert_eq!((request.host(), request.origin()), (Some("example.com"), Some("https://example.com")));
/// assert_eq!(request.header("UPGRADE"), Some("websocket"));
/// assert_eq!(request.headers().count(), 7);
/// assert!(request.subprotocols().eq(["chat", "superchat"]));
/// assert_eq!(request.choose_subprotocol(&["superchat".to_owned()]), Some("superchat"));
///
/// assert_eq!(request.check(&[], &[]), Ok(())); // for any host, from any origin
/// assert_eq!(request.check(&["example.com".to_owned()], &[]), Ok(()));
/// assert_eq!(request.check(&["example.org".to_owned()], &[]), Err(HandshakeError::HostNotServed));
/// assert_eq!(request.check(&[], &["https://example.org".to_owned()]), Err(HandshakeError::OriginNotAllowed));
///
/// let mut out = Vec::new();
/// Response::switching_protocols(&request, Some("chat")).encode(&mut out);
/// assert!(out.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
/// # Ok::<(), HandshakeError>(())
/// ```
#[derive(Debug)]
pub struct Request<'a> {
    method: &'a str,
    target: &'a str,
    minor_version: u8,
    headers: Vec<httparse::Header<'a>>,
}

impl<'a> Request<'a> {
    /// Takes a complete head apart. `lines` bounds how many headers it can have.
    fn parse(head: &'a [u8], lines: usize) -> Result<Self, HandshakeError> {
        let mut headers = vec![httparse::EMPTY_HEADER; lines];
        let mut request = httparse::Request::new(&mut headers);
        let status = request.parse(head).map_err(|error| match error {
            httparse::Error::Version if names_a_version(head) => HandshakeError::HttpVersion,
            _ => HandshakeError::NotHttp,
        })?;
        let (httparse::Status::Complete(_), Some(method), Some(target), Some(minor_version)) =
            (status, request.method, request.path, request.version)
        else {
            return Err(HandshakeError::NotHttp);
        };
        let header_count = request.headers.len();
        headers.truncate(header_count);
        Ok(Self { method, target, minor_version, headers })
    }

    /// Checks the request against §4.2.1, against the hosts that are served and against the origins that are
    /// allowed (§10.2). An empty list allows all.
    ///
    /// It only calls the other `check_` methods in their order, each of which is one rule. A request without
    /// an `Origin` passes: it comes from no page, and a program could name any origin.
    ///
    /// # Errors
    ///
    /// The first rule that the request breaks.
    ///
    /// ```
    /// # use wirehook::protocol::{HandshakeError, Limits, RequestReader};
    /// let mut head = *b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    /// let mut reader = RequestReader::default();
    /// let request = reader.next_request(&mut &mut head[..], &Limits::default())?.unwrap();
    /// assert_eq!(request.check(&[], &[]), Err(HandshakeError::VersionMissing)); // the first that is broken
    ///
    /// // Each rule by itself, in the order in which they are checked:
    /// assert_eq!(request.check_http(), Ok(())); // that is, these three:
    /// assert_eq!(request.check_request_line(), Ok(()));
    /// assert_eq!(request.check_host(), Ok(()));
    /// assert_eq!(request.check_no_body(), Ok(()));
    ///
    /// assert_eq!(request.check_served_host(&[]), Ok(()));
    /// assert_eq!(request.check_upgrade(), Ok(()));
    /// assert_eq!(request.check_connection(), Ok(()));
    /// assert_eq!(request.check_version(), Err(HandshakeError::VersionMissing));
    /// assert_eq!(request.check_key(), Err(HandshakeError::KeyMissing));
    /// assert_eq!(request.check_subprotocols(), Ok(()));
    /// assert_eq!(request.check_extensions(), Ok(()));
    /// assert_eq!(request.check_origin(&[]), Ok(()));
    /// # Ok::<(), HandshakeError>(())
    /// ```
    pub fn check(&self, hosts: &[String], origins: &[String]) -> Result<(), HandshakeError> {
        self.check_http()?;
        self.check_served_host(hosts)?;
        self.check_upgrade()?;
        self.check_connection()?;
        self.check_version()?;
        self.check_key()?;
        self.check_lists()?;
        self.check_origin(origins)
    }

    /// The part of [`check`](Self::check) that holds for every GET, WebSocket or not: items 1 and 2 of §4.2.1,
    /// and what RFC 9112 demands.
    ///
    /// # Errors
    ///
    /// The first rule that the request breaks.
    pub fn check_http(&self) -> Result<(), HandshakeError> {
        self.check_request_line()?;
        self.check_host()?;
        self.check_no_body()
    }

    /// Checks what [`check_http`](Self::check_http) does, and allows HEAD as well: a page that a GET can have.
    ///
    /// RFC 9110 §9.3.2: the answer to HEAD is that to GET, [without its body](Response::without_body).
    ///
    /// ```
    /// # use wirehook::protocol::{HandshakeError, Limits, RequestReader};
    /// let mut head = *b"HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    /// let mut reader = RequestReader::default();
    /// let request = reader.next_request(&mut &mut head[..], &Limits::default())?.unwrap();
    /// assert_eq!(request.check_page(), Ok(()));
    /// assert_eq!(request.check_http(), Err(HandshakeError::MethodIsHead));
    /// # Ok::<(), HandshakeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first rule that the request breaks.
    pub fn check_page(&self) -> Result<(), HandshakeError> {
        match self.check_request_line() {
            Err(HandshakeError::MethodIsHead) => {
                self.check_http_version().and_then(|()| self.check_target())?
            }
            verdict => verdict?,
        }
        self.check_host()?;
        self.check_no_body()
    }

    /// §4.2.1, item 1: the method, the version and the target.
    ///
    /// # Errors
    ///
    /// One of them is another, or the target is malformed.
    pub fn check_request_line(&self) -> Result<(), HandshakeError> {
        // RFC 9110 §9.3.2: whatever else is wrong, the answer to HEAD has no body.
        if self.method == "HEAD" {
            return Err(HandshakeError::MethodIsHead);
        }
        self.check_http_version()?;
        if self.method != "GET" {
            return Err(HandshakeError::MethodNotGet);
        }
        self.check_target()
    }

    fn check_http_version(&self) -> Result<(), HandshakeError> {
        // §4.2.1: "An HTTP/1.1 or higher GET request".
        if self.minor_version == 0 { Err(HandshakeError::HttpVersion) } else { Ok(()) }
    }

    fn check_target(&self) -> Result<(), HandshakeError> {
        let path = self.path();
        // §3: "Fragment identifiers are meaningless … and MUST NOT be used on these URIs."
        if !path.starts_with('/') || self.target.contains('#') {
            return Err(HandshakeError::TargetInvalid);
        }
        // RFC 9110 §4.2.1: a target with an empty host "MUST reject it as invalid".
        if split_target(self.target).0.is_some_and(|authority| !is_authority(authority.as_bytes())) {
            return Err(HandshakeError::AuthorityInvalid);
        }
        if !is_path(path) || !self.query().is_none_or(is_query) {
            return Err(HandshakeError::TargetNotEncoded);
        }
        Ok(())
    }

    /// §4.2.1, item 2.
    ///
    /// # Errors
    ///
    /// There is no Host, more than one, or an invalid one.
    pub fn check_host(&self) -> Result<(), HandshakeError> {
        // RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1
        // request message that lacks a Host header field" or has two or an invalid one.
        match self.only("Host") {
            Only::None => Err(HandshakeError::HostMissing),
            Only::One(host) if is_authority(host) => Ok(()),
            Only::One(_) => Err(HandshakeError::HostInvalid),
            Only::Several => Err(HandshakeError::HostRepeated),
        }
    }

    /// §4.2.1, item 2: the [`host`](Self::host) that is asked is one of these, unless there are none.
    ///
    /// Letter case does not matter. A host without a port is served at every port. Clients leave out the default
    /// port of their scheme, so a request without a port also asks for 80 and 443.
    ///
    /// ```
    /// # use wirehook::protocol::{HandshakeError, Limits, RequestReader};
    /// let mut head = *b"GET / HTTP/1.1\r\nHost: Example.com:8080\r\n\r\n";
    /// let mut reader = RequestReader::default();
    /// let request = reader.next_request(&mut &mut head[..], &Limits::default())?.unwrap();
    /// assert_eq!(request.check_served_host(&["example.com".to_owned()]), Ok(()));
    /// assert_eq!(request.check_served_host(&["example.com:8080".to_owned()]), Ok(()));
    /// let other = request.check_served_host(&["example.com:80".to_owned()]);
    /// assert_eq!(other, Err(HandshakeError::HostNotServed));
    /// # Ok::<(), HandshakeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The request asks for another host.
    pub fn check_served_host(&self, hosts: &[String]) -> Result<(), HandshakeError> {
        // §4.2.1: "A |Host| header field containing the server's authority."
        let asked = split_port(self.host().unwrap_or_default());
        if hosts.is_empty() || hosts.iter().any(|served| is_served_by(asked, split_port(served))) {
            Ok(())
        } else {
            Err(HandshakeError::HostNotServed)
        }
    }

    /// RFC 9110 §9.3.1: a body of a GET has no meaning. After this one frames begin.
    ///
    /// # Errors
    ///
    /// A body is announced.
    pub fn check_no_body(&self) -> Result<(), HandshakeError> {
        // RFC 9112 §6: a body is announced by Content-Length or Transfer-Encoding; its bytes
        // would be taken for frames.
        if self.values("Transfer-Encoding").next().is_some()
            || self.values("Content-Length").any(|len| len != b"0")
        {
            return Err(HandshakeError::BodyAnnounced);
        }
        Ok(())
    }

    /// §4.2.1, item 3.
    ///
    /// # Errors
    ///
    /// No `Upgrade` has the token, or one of them is no list of protocols.
    pub fn check_upgrade(&self) -> Result<(), HandshakeError> {
        if !self.list("Upgrade").all(is_protocol) {
            return Err(HandshakeError::UpgradeMalformed);
        }
        // §4.2.1: "An |Upgrade| header field containing the value "websocket", treated as an ASCII
        // case-insensitive value."
        if !self.lists_token("Upgrade", "websocket") {
            return Err(HandshakeError::NotAnUpgrade);
        }
        Ok(())
    }

    /// §4.2.1, item 4.
    ///
    /// # Errors
    ///
    /// No `Connection` has the token, or one of them is no list of tokens.
    pub fn check_connection(&self) -> Result<(), HandshakeError> {
        if !self.list("Connection").all(is_token) {
            return Err(HandshakeError::ConnectionMalformed);
        }
        // §4.2.1: "A |Connection| header field that includes the token "Upgrade"".
        if !self.lists_token("Connection", "upgrade") {
            return Err(HandshakeError::ConnectionWithoutUpgrade);
        }
        Ok(())
    }

    /// §4.2.1, item 6. Judged before the key: another version may have other keys.
    ///
    /// # Errors
    ///
    /// The version is missing, repeated, or not 13.
    pub fn check_version(&self) -> Result<(), HandshakeError> {
        // §4.2.1: "A |Sec-WebSocket-Version| header field, with a value of 13."
        match self.only("Sec-WebSocket-Version") {
            Only::One(b"13") => Ok(()),
            Only::One(_) => Err(HandshakeError::VersionNotSupported),
            Only::None => Err(HandshakeError::VersionMissing),
            Only::Several => Err(HandshakeError::VersionRepeated),
        }
    }

    /// §4.2.1, item 5.
    ///
    /// # Errors
    ///
    /// The key is missing, repeated, or not the base64 of 16 bytes.
    pub fn check_key(&self) -> Result<(), HandshakeError> {
        // §4.2.1: "a base64-encoded value that, when decoded, is 16 bytes in length".
        match self.only("Sec-WebSocket-Key") {
            Only::One(key) if decode_key(key).is_some() => Ok(()),
            Only::One(_) => Err(HandshakeError::KeyInvalid),
            Only::None => Err(HandshakeError::KeyMissing),
            Only::Several => Err(HandshakeError::KeyRepeated),
        }
    }

    /// §4.2.1, items 8 and 9. A server may ignore what is offered, yet "any violations of the ABNF grammar
    /// specified for the components of the handshake" are refused.
    fn check_lists(&self) -> Result<(), HandshakeError> {
        self.check_subprotocols()?;
        self.check_extensions()
    }

    /// §4.2.1, item 8.
    ///
    /// # Errors
    ///
    /// The offer is no list of different tokens.
    pub fn check_subprotocols(&self) -> Result<(), HandshakeError> {
        // §4.1: the subprotocols "MUST all be unique strings". Sorted, equal ones stand side by side, and
        // the work doesn't grow with the square of their number.
        let mut offers: Vec<&[u8]> = self.list("Sec-WebSocket-Protocol").collect();
        offers.sort_unstable();
        let are_different = offers.windows(2).all(|pair| pair[0] != pair[1]);
        let is_missing = offers.is_empty() && self.values("Sec-WebSocket-Protocol").next().is_some();
        if is_missing || !are_different || !offers.into_iter().all(is_token) {
            return Err(HandshakeError::SubprotocolsMalformed);
        }
        Ok(())
    }

    /// §4.2.1, item 9.
    ///
    /// # Errors
    ///
    /// The offer breaks the grammar of §9.1.
    pub fn check_extensions(&self) -> Result<(), HandshakeError> {
        if self.values("Sec-WebSocket-Extensions").all(is_extension_list) {
            Ok(())
        } else {
            Err(HandshakeError::ExtensionsMalformed)
        }
    }

    /// §4.2.1, item 7: the origin, checked against a list unless that is empty (§10.2).
    ///
    /// # Errors
    ///
    /// There are two, it has a byte that no origin has, or the list does not have it.
    pub fn check_origin(&self, allowed: &[String]) -> Result<(), HandshakeError> {
        match self.only("Origin") {
            Only::Several => Err(HandshakeError::OriginRepeated),
            // A value that is no text would look to a hook like no Origin at all.
            Only::One(origin) if !origin.iter().all(|it| matches!(it, b' '..=b'~')) => {
                Err(HandshakeError::OriginInvalid)
            }
            // §10.2: servers that serve only certain sites "SHOULD verify the |Origin| field is an
            // origin they expect".
            Only::One(origin) if !allowed.is_empty() => {
                let is_allowed = allowed.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(origin));
                if is_allowed { Ok(()) } else { Err(HandshakeError::OriginNotAllowed) }
            }
            Only::None | Only::One(_) => Ok(()),
        }
    }

    /// Returns the method, such as `GET`.
    pub fn method(&self) -> &'a str {
        self.method
    }

    /// The request target as it stands in the request line.
    pub fn target(&self) -> &'a str {
        self.target
    }

    /// The path, without a query; also of a target in absolute form (RFC 9112 §3.2.2).
    pub fn path(&self) -> &'a str {
        let (authority, path) = split_target(self.target);
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        if path.is_empty() && authority.is_some() { "/" } else { path }
    }

    /// The query, which is what stands behind the `?`.
    pub fn query(&self) -> Option<&'a str> {
        let (_, path) = split_target(self.target);
        path.split_once('?').map(|(_, query)| query)
    }

    /// The host that is asked: of an absolute target, or else of the Host header.
    pub fn host(&self) -> Option<&'a str> {
        let (authority, _) = split_target(self.target);
        authority.or_else(|| self.header("Host"))
    }

    /// The origin of the page that connects (§10.2); browsers always send one.
    pub fn origin(&self) -> Option<&'a str> {
        self.header("Origin")
    }

    /// The value of the first header of this name, in any case, if it is text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.values(name).next().and_then(|value| str::from_utf8(value).ok())
    }

    /// All headers in their order, names as they were sent.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.headers.iter().map(|header| (header.name, header.value))
    }

    /// The subprotocols that the client offers, in its order of preference (§11.3.4).
    pub fn subprotocols(&self) -> impl Iterator<Item = &'a str> {
        self.list("Sec-WebSocket-Protocol").filter_map(|it| str::from_utf8(it).ok())
    }

    /// The first of `preferred` that the client offers (§4.2.2).
    pub fn choose_subprotocol<'p>(&self, preferred: &'p [String]) -> Option<&'p str> {
        preferred.iter().map(String::as_str).find(|it| self.subprotocols().any(|offer| offer == *it))
    }

    /// The values of all headers of this name.
    fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |it| it.name.eq_ignore_ascii_case(name)).map(|it| it.value)
    }

    /// The elements of a list header that may be repeated (RFC 9110 §5.6.1); empty ones don't count.
    fn list(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.values(name).flat_map(elements)
    }

    fn lists_token(&self, name: &str, token: &str) -> bool {
        self.list(name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }

    fn only(&self, name: &str) -> Only<'a> {
        let mut values = self.values(name);
        match (values.next(), values.next()) {
            (None, _) => Only::None,
            (Some(value), None) => Only::One(value),
            (Some(_), Some(_)) => Only::Several,
        }
    }
}

/// Whether the request line is well-formed but for the number of its version.
fn names_a_version(head: &[u8]) -> bool {
    let line = head.trim_ascii_start().split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut parts = line.split(|&byte| byte == b' ');
    let (Some(_), Some(_), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    // RFC 9112 §2.3: `"HTTP/" DIGIT "." DIGIT`.
    matches!(version, [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'])
}

/// How often a header stands in a request that may have it once.
enum Only<'a> {
    None,
    One(&'a [u8]),
    Several,
}

/// Authority and path of a target: `http://host/path` (RFC 9112 §3.2.2) or just `/path`.
fn split_target(target: &str) -> (Option<&str>, &str) {
    let schemes = ["http://", "https://", "ws://", "wss://"];
    let is_scheme =
        |scheme: &&str| target.get(..scheme.len()).is_some_and(|it| it.eq_ignore_ascii_case(scheme));
    let Some(scheme) = schemes.iter().find(|scheme| is_scheme(scheme)) else { return (None, target) };
    let rest = &target[scheme.len()..];
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    (Some(authority), path)
}

/// Whether a request for this host and port may be answered by a server of that host and port.
fn is_served_by((host, port): (&str, Option<&str>), (served, served_port): (&str, Option<&str>)) -> bool {
    // RFC 3986 §6.2.3: an empty port and the scheme's default port are no port.
    let is_port = |served: &str| match port {
        None | Some("") => matches!(served, "" | "80" | "443"),
        Some(port) => served.is_empty() || port == served,
    };
    host.eq_ignore_ascii_case(served) && served_port.is_none_or(is_port)
}

/// A header that can't go into a response: its name is no token, its value holds a control byte, or it is one
/// of those that the handshake itself writes. See [`Response::header`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHeader;

/// What a request is answered with (§4.2.2).
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
    /// The text behind the head, if the status lets one follow.
    body: Option<String>,
}

/// The headers that the handshake writes itself, or must not write at all.
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
    /// 101: the request has passed [`Request::check`], and the connection is open once this is sent.
    ///
    /// The subprotocol goes out only if the client offered it: §4.2.2 allows no other.
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

    /// The answer to a request that breaks a rule; its body names the rule.
    pub fn refusal(error: HandshakeError) -> Self {
        let mut response = Self::rejection(error.status(), &error.to_string());
        if let Some((name, value)) = error.header() {
            response.line(name, value);
        }
        if error == HandshakeError::MethodIsHead { response.without_body() } else { response }
    }

    /// The answer to a request that breaks no rule but is not wanted. `body` is plain text.
    ///
    /// A status below 300 or over 599 would be no refusal, and 304 could not have the body: they become 500.
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

    /// An answer to a request that is not for a WebSocket at all; the connection closes after it.
    ///
    /// A status below 200 would have another answer follow, and one over 599 has no meaning: they become 500. So
    /// does a page whose content type holds a control byte: a line end would begin another header. 204, 205 and
    /// 304 have no body (RFC 9110 §15), so theirs is left out.
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
    /// The header can't go into a response; nothing is added.
    pub fn header(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        let is_own = OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name));
        if is_own || !is_token(name.as_bytes()) || !is_field_value(value) {
            return Err(InvalidHeader);
        }
        self.line(name, value);
        Ok(())
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Appends the response's bytes to `out`.
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

/// RFC 9110 §5.5: a line end inside a value would begin another header.
fn is_field_value(value: &str) -> bool {
    !value.bytes().any(|it| it.is_ascii_control() && it != b'\t')
}

/// RFC 9110 §15: what people call the statuses that a handshake can end with.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_of_a_head_is_looked_at_once_however_it_drips_in() {
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
            assert_eq!((requests, reader.looked_at()), (1, head.len()), "in pieces of {step}");
        }
    }
}
