//! §4.2 Both heads of the opening handshake: the result of each rule, and the accept key step by step.
//!
//! This file knows the order in which a request's rules are shown, and a client's checks of a response
//! (§4.1). It does not judge a request: [`Request`] does, rule by rule.

use crate::protocol::{
    HandshakeError, Limits, Request, RequestReader, Response, accept_digest, accept_key, decode_key,
};

#[cfg(feature = "deflate")]
use crate::protocol::DeflateParams;

use super::{Leftover, Side, State, extension::DEFLATE, rules::without_section};

/// One rule of the handshake, kept or broken. Example: [`RequestStep`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The section of the rule, such as `§4.2.1` or `RFC 9112 §3.2`.
    pub section: String,
    /// The rule in one short sentence, or the problem.
    pub says: String,
    /// Whether the request or response keeps it.
    pub ok: bool,
}

/// The computation of a `Sec-WebSocket-Accept` (§4.2.2), step by step.
///
/// ```
/// use wirehook::explain::AcceptKey;
///
/// // The example of §1.3.
/// let accept = AcceptKey::of("dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(accept.nonce.as_ref(), Some(b"the sample nonce"));
/// assert_eq!(accept.digest[..4], [0xb3, 0x7a, 0x4f, 0x2c]);
/// assert_eq!(accept.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptKey {
    /// The `Sec-WebSocket-Key`, as it was sent.
    pub key: String,
    /// The 16 bytes that the key encodes in base64 (§4.1), if it does.
    pub nonce: Option<[u8; 16]>,
    /// The SHA-1 of the key followed by [`GUID`](crate::protocol::GUID).
    pub digest: [u8; 20],
    /// The base64 of the digest: the `Sec-WebSocket-Accept`.
    pub accept: String,
}

impl AcceptKey {
    /// Computes the answer to a key, even to one that a server would refuse.
    pub fn of(key: &str) -> Self {
        Self {
            key: key.to_owned(),
            nonce: decode_key(key.as_bytes()),
            digest: accept_digest(key),
            accept: accept_key(key),
        }
    }
}

/// A request head.
///
/// ```
/// use wirehook::{Limits, explain::{Explainer, Side, Step}};
///
/// let mut explainer = Explainer::new(&Limits::default());
/// let steps = explainer.explain(Side::Client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
/// let [Step::Request(request)] = &steps[..] else { panic!("one request") };
/// let broken: Vec<_> = request.checks.iter().filter(|check| !check.ok).collect();
/// assert_eq!(broken[0].section, "§4.2.1");
/// assert_eq!(request.refusal()[0], "HTTP/1.1 426 Upgrade Required");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestStep {
    /// The request line and the header lines; bytes outside of UTF-8 are replaced.
    pub lines: Vec<String>,
    /// The length of the head in bytes.
    pub length: u64,
    /// The request target; empty if the head could not be read.
    pub target: String,
    /// The rules, in the order in which a server checks them.
    pub checks: Vec<Check>,
    /// The accept key, if the request is accepted.
    pub accept: Option<AcceptKey>,
    /// The first broken rule.
    pub refused: Option<HandshakeError>,
    /// The subprotocols that the client offers.
    pub subprotocols: Vec<String>,
    /// The names of the extensions that the client offers (§9.1).
    pub extensions: Vec<String>,
    /// The state of the connection after it.
    pub state: State,
}

/// A response head.
///
/// ```
/// use wirehook::{Limits, explain::{Explainer, Side, Step}};
///
/// let mut explainer = Explainer::new(&Limits::default());
/// let steps = explainer.explain(Side::Server, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
/// let [Step::Response(response), Step::Body(_)] = &steps[..] else { panic!("a head and its body") };
/// assert_eq!((response.status, response.state.name()), (Some(404), "closed"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseStep {
    /// The status line and the header lines; bytes outside of UTF-8 are replaced.
    pub lines: Vec<String>,
    /// The length of the head in bytes.
    pub length: u64,
    /// The status; `None` if the head has none.
    pub status: Option<u16>,
    /// A client's checks before the connection is open (§4.1); empty for a refusal.
    pub checks: Vec<Check>,
    /// The names of the extensions in use (§9.1).
    pub extensions: Vec<String>,
    /// How messages are compressed, if they are (RFC 7692 §7.1).
    #[cfg(feature = "deflate")]
    pub deflate: Option<DeflateParams>,
    /// The state of the connection after it.
    pub state: State,
}

/// A rule of §4.2.1 that can be checked alone.
struct RequestRule {
    section: &'static str,
    says: &'static str,
    check: fn(&Request<'_>) -> Result<(), HandshakeError>,
}

/// In the order of [`Request::check`].
const REQUEST_RULES: [RequestRule; 10] = [
    RequestRule {
        section: "§4.2.1",
        says: "a GET of HTTP/1.1, and its target is a path without a fragment",
        check: |request| request.check_request_line(),
    },
    RequestRule { section: "§4.2.1", says: "one valid Host", check: |request| request.check_host() },
    RequestRule {
        section: "RFC 9110 §9.3.1",
        says: "no body is announced",
        check: |request| request.check_no_body(),
    },
    RequestRule {
        section: "§4.2.1",
        says: "Upgrade has the token websocket",
        check: |request| request.check_upgrade(),
    },
    RequestRule {
        section: "§4.2.1",
        says: "Connection has the token Upgrade",
        check: |request| request.check_connection(),
    },
    RequestRule {
        section: "§4.2.1",
        says: "Sec-WebSocket-Version is 13",
        check: |request| request.check_version(),
    },
    RequestRule {
        section: "§4.2.1",
        says: "Sec-WebSocket-Key is the base64 of 16 bytes",
        check: |request| request.check_key(),
    },
    RequestRule {
        section: "§4.1",
        says: "the subprotocols, if any are offered, are different tokens",
        check: |request| request.check_subprotocols(),
    },
    RequestRule {
        section: "§9.1",
        says: "the extensions, if any are offered, are well-formed",
        check: |request| request.check_extensions(),
    },
    RequestRule {
        section: "§4.2.1",
        says: "one Origin at most; which ones may connect is the server's choice (§10.2)",
        check: |request| request.check_origin(&[]),
    },
];

impl RequestStep {
    fn of(request: &Request<'_>, head: &[u8]) -> Self {
        let checks = REQUEST_RULES.iter().map(|rule| rule.check(request)).collect();
        let refused = request.check(&[], &[]).err();
        let key = request.header("Sec-WebSocket-Key").filter(|_| refused.is_none());
        Self {
            lines: lines(head),
            length: head.len() as u64,
            target: request.target().to_owned(),
            checks,
            accept: key.map(AcceptKey::of),
            refused,
            subprotocols: request.subprotocols().map(str::to_owned).collect(),
            extensions: Headers(&lines(head)).extensions(),
            state: State::Connecting,
        }
    }

    /// Returns the step of a head that can't be parsed.
    fn unreadable(error: HandshakeError, head: &[u8]) -> Self {
        Self {
            lines: lines(head),
            length: head.len() as u64,
            target: String::new(),
            checks: vec![Check::broken(error)],
            accept: None,
            refused: Some(error),
            subprotocols: Vec::new(),
            extensions: Vec::new(),
            state: State::Connecting,
        }
    }

    /// Returns the lines of the response head that refuses the request; empty if no rule is broken.
    pub fn refusal(&self) -> Vec<String> {
        let Some(error) = self.refused else { return Vec::new() };
        let mut head = Vec::new();
        Response::refusal(error).encode(&mut head);
        let end = head.windows(4).position(|it| it == b"\r\n\r\n").unwrap_or(head.len());
        lines(&head[..end])
    }
}

impl RequestRule {
    fn check(&self, request: &Request<'_>) -> Check {
        match (self.check)(request) {
            Ok(()) => Check { section: self.section.to_owned(), says: self.says.to_owned(), ok: true },
            Err(error) => Check::broken(error),
        }
    }
}

impl Check {
    fn broken(error: HandshakeError) -> Self {
        let text = error.to_string();
        let section = text.split_once(": ").map_or("", |(section, _)| section).to_owned();
        let says = without_section(&text).trim_end_matches('.').to_owned();
        Self { section, says, ok: false }
    }
}

impl ResponseStep {
    fn of(head: &[u8], request: Option<&RequestStep>) -> Self {
        let lines = lines(head);
        let status = status(&lines);
        let headers = Headers(&lines);
        let checks = match status {
            Some(101) => headers.checks(request),
            Some(_) => Vec::new(),
            None => vec![headers.check("§4.2.2", "a status line of HTTP/1.1", false)],
        };
        let extensions = headers.extensions();
        #[cfg(feature = "deflate")]
        let deflate = headers.deflate();
        Self {
            length: head.len() as u64,
            status,
            checks,
            extensions,
            #[cfg(feature = "deflate")]
            deflate,
            state: State::Open,
            lines,
        }
    }
}

/// The lines of a head.
pub(super) struct Headers<'a>(pub(super) &'a [String]);

impl Headers<'_> {
    /// §4.1: returns a client's checks of a response with status 101.
    fn checks(&self, request: Option<&RequestStep>) -> Vec<Check> {
        let accept = request.and_then(|request| request.accept.as_ref()).map(|it| it.accept.as_str());
        let is_accepted = match (accept, self.value("Sec-WebSocket-Accept")) {
            (Some(expected), Some(sent)) => expected == sent,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        let offers = request.map(|request| &request.subprotocols[..]);
        let is_offered = match (offers, self.value("Sec-WebSocket-Protocol")) {
            (Some(offers), Some(chosen)) => offers.iter().any(|offer| offer == chosen),
            (None, _) | (_, None) => true,
        };
        let accept_says = match accept {
            Some(_) => "Sec-WebSocket-Accept is what the key leads to",
            None => "there is a Sec-WebSocket-Accept; without the request it can't be checked",
        };
        let mut checks = vec![
            self.check("§4.2.2", "the status is 101", true),
            self.check("§4.2.2", "Upgrade is websocket", self.lists("Upgrade", "websocket")),
            self.check("§4.2.2", "Connection has the token Upgrade", self.lists("Connection", "upgrade")),
            self.check("§4.2.2", accept_says, is_accepted),
            self.check("§4.2.2", "the subprotocol, if one is chosen, was offered", is_offered),
            self.check_extensions(request),
        ];
        checks.extend(self.deflate_params());
        checks
    }

    /// §4.1: a client must fail the connection if the response names an extension "that was not present in
    /// the client's handshake".
    fn check_extensions(&self, request: Option<&RequestStep>) -> Check {
        let names = self.extensions();
        let is_offered = request.is_none_or(|it| names.iter().all(|name| it.extensions.contains(name)));
        let is_deflate = names == [DEFLATE];
        let says = match (&names[..], is_offered) {
            ([], _) => "no extension is in use",
            (_, false) => "an extension is in use that was not offered",
            (_, true) if request.is_none() => {
                "an extension is in use; without the request the offer can't be checked"
            }
            (_, true) if is_deflate => "permessage-deflate was offered and is in use: RSV1 means compressed",
            (_, true) => "an extension was offered and is in use",
        };
        self.check(if is_deflate { "RFC 7692" } else { "§9.1" }, says, is_offered)
    }

    /// §9.1: returns the names in all `Sec-WebSocket-Extensions`, without parameters. No parameter contains a
    /// comma: "the value after quoted-string unescaping MUST conform to the 'token' ABNF".
    pub(super) fn extensions(&self) -> Vec<String> {
        let values = self.values("Sec-WebSocket-Extensions").flat_map(|it| it.split(','));
        let names = values.map(|item| item.split(';').next().unwrap_or_default().trim().to_owned());
        names.filter(|name| !name.is_empty()).collect()
    }

    pub(super) fn check(&self, section: &str, says: &str, ok: bool) -> Check {
        Check { section: section.to_owned(), says: says.to_owned(), ok }
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let fields = self.0.iter().skip(1).filter_map(|line| line.split_once(':'));
        fields
            .filter(move |(it, _)| it.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim_matches([' ', '\t']))
    }

    fn lists(&self, name: &str, token: &str) -> bool {
        self.value(name).is_some_and(|value| value.split(',').any(|it| it.trim().eq_ignore_ascii_case(token)))
    }
}

/// RFC 9112 §4: returns the status in `HTTP-version SP status-code SP`.
fn status(lines: &[String]) -> Option<u16> {
    let (digits, _) = lines.first()?.strip_prefix("HTTP/1.1 ")?.split_at_checked(3)?;
    digits.parse().ok()
}

/// Returns the lines of a head that are not empty.
fn lines(head: &[u8]) -> Vec<String> {
    let head = String::from_utf8_lossy(head);
    head.split('\n')
        .map(|line| line.trim_end_matches('\r'))
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Collects a request head, and checks it.
#[derive(Debug, Default)]
pub(super) struct RequestHead {
    reader: RequestReader,
    head: Vec<u8>,
}

impl RequestHead {
    /// Consumes bytes of `input` up to the end of the head, or up to a byte that no head may contain.
    pub(super) fn next(&mut self, input: &mut &[u8], limits: &Limits) -> Option<RequestStep> {
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            self.head.push(byte);
            match self.reader.next_request(&mut &mut [byte][..], limits) {
                Ok(None) => {}
                Ok(Some(request)) => return Some(RequestStep::of(&request, &self.head)),
                Err(error) => return Some(RequestStep::unreadable(error, &self.head)),
            }
        }
        None
    }

    /// Returns the number of received bytes.
    pub(super) fn len(&self) -> u64 {
        self.head.len() as u64
    }

    pub(super) fn leftover(&self) -> Option<Leftover> {
        leftover(Side::Client, &self.head)
    }
}

/// Collects a response head.
#[derive(Debug, Default)]
pub(super) struct ResponseHead(Vec<u8>);

impl ResponseHead {
    /// Consumes bytes of `input` up to the end of the head, or up to the limit of a request head.
    pub(super) fn next(
        &mut self,
        input: &mut &[u8],
        limits: &Limits,
        request: Option<&RequestStep>,
    ) -> Option<ResponseStep> {
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            self.0.push(byte);
            if self.0.ends_with(b"\r\n\r\n") || self.0.len() >= limits.max_header_size {
                return Some(ResponseStep::of(&self.0, request));
            }
        }
        None
    }

    /// Returns the number of received bytes.
    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    pub(super) fn leftover(&self) -> Option<Leftover> {
        leftover(Side::Server, &self.0)
    }
}

fn leftover(from: Side, head: &[u8]) -> Option<Leftover> {
    let says = match from {
        Side::Client => "the empty line that ends the request has not arrived",
        Side::Server => "the empty line that ends the response has not arrived",
    };
    (!head.is_empty()).then(|| Leftover {
        from,
        unread: head.len() as u64,
        frame: None,
        says: says.to_owned(),
    })
}
