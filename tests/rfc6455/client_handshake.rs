//! §3 and §4.1 The opening handshake of a client: the request that is sent, and what each answer means.

use wirehook::protocol::{
    Answer, ClientHandshake, ClientRequest, InvalidHeader, Limits, Refusal, ResponseError, Uri, UriError,
};

use crate::{cuts, single_bytes};

/// The nonce of §1.3; its key is `dGhlIHNhbXBsZSBub25jZQ==`.
const NONCE: [u8; 16] = *b"the sample nonce";

/// The least that §4.2.2 has a server send. The other answers are this one with a change.
const ACCEPTANCE: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    \r\n";

/// [`ACCEPTANCE`] with one part of it, which must be there, replaced.
#[track_caller]
fn with(part: &str, replacement: &str) -> String {
    assert_eq!(ACCEPTANCE.matches(part).count(), 1, "{part:?}");
    ACCEPTANCE.replace(part, replacement)
}

/// [`ACCEPTANCE`] with more header lines at its end.
fn and(lines: &str) -> String {
    with("xOo=\r\n", &format!("xOo=\r\n{lines}\r\n"))
}

fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

/// What came of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    /// Accepted with this subprotocol; the number of bytes that were left in the input.
    Accepted(Option<String>, usize),
    Refused(Refusal),
    Failed(ResponseError),
}

/// Delivers an answer in these pieces, then the end of the input, to a client that offers `chat` and
/// `superchat`.
fn read(pieces: &[&[u8]], limits: &Limits) -> Seen {
    let mut handshake = start();
    let mut left: usize = pieces.iter().map(|piece| piece.len()).sum();
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let mut input = &mut bytes[..];
        left -= piece.len();
        match handshake.next_answer(&mut input, limits) {
            Ok(None) => assert_eq!(*input, [], "None means that all input was taken"),
            Ok(Some(Answer::Accepted(accepted))) => {
                assert_eq!(accepted.head.status(), 101);
                return Seen::Accepted(accepted.subprotocol.map(str::to_owned), left + input.len());
            }
            Ok(Some(Answer::Refused(refusal))) => return Seen::Refused(refusal),
            Ok(Some(other)) => panic!("{other:?}"),
            Err(error) => return Seen::Failed(error),
        }
    }
    handshake.end_of_input().map_or_else(Seen::Failed, Seen::Refused)
}

fn start() -> ClientHandshake {
    let mut request = ClientRequest::new(&uri("ws://server.example.com/chat"));
    request.subprotocol("chat").unwrap();
    request.subprotocol("superchat").unwrap();
    request.start(NONCE, &mut Vec::new())
}

/// What came of an answer that is delivered whole, byte by byte, and cut in two everywhere; with and without
/// frames after it, which must be left in the input of an open connection.
#[track_caller]
fn answer(answer: impl AsRef<[u8]>) -> Seen {
    let answer = answer.as_ref();
    let limits = Limits::default();
    let seen = read(&[answer], &limits);
    assert_eq!(read(&single_bytes(answer), &limits), seen, "byte by byte");
    for cut in cuts(answer.len()) {
        assert_eq!(read(&[&answer[..cut], &answer[cut..]], &limits), seen, "cut at {cut}");
    }
    if let Seen::Accepted(subprotocol, 0) = &seen {
        let with_a_frame = [answer, b"\x81\x05Hello"].concat();
        let frame_is_left = Seen::Accepted(subprotocol.clone(), 7);
        assert_eq!(read(&[&with_a_frame], &limits), frame_is_left, "with a frame");
        let ends = [answer.len() - 3, answer.len() + 2];
        let pieces = [&with_a_frame[..ends[0]], &with_a_frame[ends[0]..ends[1]], &with_a_frame[ends[1]..]];
        assert_eq!(read(&pieces, &limits), frame_is_left, "with a frame in pieces");
    }
    seen
}

#[track_caller]
fn refused(bytes: &[u8]) -> Refusal {
    match answer(bytes) {
        Seen::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

// --- §3: URIs ----------------------------------------------------------------------------------------------

#[test]
fn a_uri_names_host_port_and_resource() {
    for (text, is_secure, host, port, authority, resource) in [
        ("ws://example.com/chat", false, "example.com", 80, "example.com", "/chat"),
        ("wss://example.com/chat", true, "example.com", 443, "example.com", "/chat"),
        ("WSS://Example.com", true, "Example.com", 443, "Example.com", "/"),
        ("ws://example.com?a=b", false, "example.com", 80, "example.com", "/?a=b"),
        ("ws://example.com/?", false, "example.com", 80, "example.com", "/?"),
        ("ws://example.com:/", false, "example.com", 80, "example.com", "/"),
        ("ws://example.com:80/", false, "example.com", 80, "example.com", "/"),
        ("ws://example.com:443/", false, "example.com", 443, "example.com:443", "/"),
        ("wss://example.com:443/", true, "example.com", 443, "example.com", "/"),
        ("wss://example.com:80/", true, "example.com", 80, "example.com:80", "/"),
        ("ws://10.0.0.1:65535/a/b?c=/?", false, "10.0.0.1", 65535, "10.0.0.1:65535", "/a/b?c=/?"),
        ("ws://[::1]/", false, "::1", 80, "[::1]", "/"),
        ("ws://[2001:db8::7]:9501/x", false, "2001:db8::7", 9501, "[2001:db8::7]:9501", "/x"),
        ("ws://a%20b/%23top", false, "a%20b", 80, "a%20b", "/%23top"),
    ] {
        let uri = uri(text);
        let parts = (uri.is_secure(), uri.host(), uri.port(), uri.authority(), uri.resource());
        assert_eq!(parts, (is_secure, host, port, authority.to_owned(), resource), "{text}");
    }
}

#[test]
fn what_is_no_websocket_uri_is_refused_by_its_part() {
    for (text, error) in [
        ("", UriError::Scheme),
        ("http://example.com/", UriError::Scheme),
        ("ws:/example.com/", UriError::Scheme),
        ("/chat", UriError::Scheme),
        ("é", UriError::Scheme),
        ("ws://example.com/#top", UriError::Fragment),
        ("ws://example.com#", UriError::Fragment),
        ("ws://me:secret@example.com/", UriError::UserInfo),
        ("ws://", UriError::Host),
        ("ws:///chat", UriError::Host),
        ("ws://:80/", UriError::Host),
        ("ws://exa mple/", UriError::Host),
        ("ws://::1/", UriError::Host),
        ("ws://[::1/", UriError::Host),
        ("ws://[::1%25eth0]/", UriError::Host),
        ("ws://bücher.example/", UriError::Host),
        ("ws://example.com:0/", UriError::Port),
        ("ws://example.com:65536/", UriError::Port),
        ("ws://example.com:+80/", UriError::Port),
        ("ws://example.com:80:80/", UriError::Port),
        ("ws://example.com/a b", UriError::NotEncoded),
        ("ws://example.com/%zz", UriError::NotEncoded),
        ("ws://example.com/?[", UriError::NotEncoded),
        ("ws://example.com/\r\nHost: x", UriError::NotEncoded),
    ] {
        assert_eq!(Uri::parse(text), Err(error), "{text}");
    }
}

// --- §4.1: the request -------------------------------------------------------------------------------------

#[test]
fn the_least_request_has_what_the_rfc_asks_for() {
    let mut out = Vec::new();
    ClientRequest::new(&uri("ws://server.example.com:8080/chat?a=b")).start(NONCE, &mut out);
    let request = "GET /chat?a=b HTTP/1.1\r\nHost: server.example.com:8080\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), request);
}

#[test]
fn a_request_has_one_origin_and_the_callers_headers() {
    let mut request = ClientRequest::new(&uri("ws://a/"));
    assert_eq!(request.origin("http://a\r\n"), Err(InvalidHeader));
    assert_eq!(request.origin("http://a"), Ok(()));
    assert_eq!(request.origin("http://b"), Err(InvalidHeader));
    for (name, value) in [
        ("Origin", "http://b"),
        ("host", "b"),
        ("Upgrade", "h2c"),
        ("Connection", "close"),
        ("Sec-WebSocket-Key", "x"),
        ("Sec-WebSocket-Version", "8"),
        ("Sec-WebSocket-Protocol", "chat"),
        ("Sec-WebSocket-Extensions", "x"),
        ("Content-Length", "3"),
        ("Transfer-Encoding", "chunked"),
        ("A B", "c"),
        ("", "c"),
        ("A", "b\nc"),
    ] {
        assert_eq!(request.header(name, value), Err(InvalidHeader), "{name}: {value}");
    }
    assert_eq!(request.header("Authorization", "Basic YTpi"), Ok(()));
    let mut out = Vec::new();
    request.start(NONCE, &mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(text.ends_with("\r\nOrigin: http://a\r\nAuthorization: Basic YTpi\r\n\r\n"), "{text}");
}

#[test]
fn a_subprotocol_is_offered_once_and_is_a_token() {
    let mut request = ClientRequest::new(&uri("ws://a/"));
    for name in ["", "a b", "a,b", "a/b", "\u{e9}", "a\r\n"] {
        assert_eq!(request.subprotocol(name), Err(InvalidHeader), "{name:?}");
    }
    assert_eq!(request.subprotocol("a"), Ok(()));
    assert_eq!(request.subprotocol("a"), Err(InvalidHeader));
    assert_eq!(request.subprotocol("A"), Ok(()));
    let mut out = Vec::new();
    request.start(NONCE, &mut out);
    assert!(out.ends_with(b"\r\nSec-WebSocket-Protocol: a, A\r\n\r\n"));
}

// --- §4.1: the answer --------------------------------------------------------------------------------------

#[test]
fn the_least_answer_opens_the_connection() {
    assert_eq!(answer(ACCEPTANCE), Seen::Accepted(None, 0));
    assert_eq!(answer(with("websocket", "WebSocket")), Seen::Accepted(None, 0));
    assert_eq!(answer(with(": Upgrade", ": keep-alive, UPGRADE")), Seen::Accepted(None, 0));
    assert_eq!(answer(with("xOo=", "xOo= \t")), Seen::Accepted(None, 0));
    assert_eq!(answer(and("Server: x\r\nServer: y")), Seen::Accepted(None, 0));
}

#[test]
fn an_answer_that_is_not_http_fails() {
    for bytes in
        ["\x16\x03\x01", "HTTP/1.1 101\nUpgrade", "HTTP/2.0 101 OK\r\n\r\n", "SSH-2.0-OpenSSH\r\n\r\n"]
    {
        assert_eq!(answer(bytes), Seen::Failed(ResponseError::NotHttp), "{bytes:?}");
    }
    assert_eq!(answer(with("HTTP/1.1", "HTTP/1.0")), Seen::Failed(ResponseError::HttpVersion));
}

#[test]
fn an_answer_that_is_cut_off_fails() {
    for len in 0..ACCEPTANCE.len() {
        let seen = read(&[&ACCEPTANCE.as_bytes()[..len]], &Limits::default());
        assert_eq!(seen, Seen::Failed(ResponseError::EndedEarly), "{len} bytes");
    }
}

#[test]
fn an_answer_is_held_to_the_limits_of_a_head() {
    let mut limits = Limits::default();
    limits.max_headers = 3;
    assert_eq!(read(&[ACCEPTANCE.as_bytes()], &limits), Seen::Accepted(None, 0));
    let one_more = read(&[and("A: b").as_bytes()], &limits);
    assert_eq!(one_more, Seen::Failed(ResponseError::TooManyHeaders));

    limits.max_header_size = ACCEPTANCE.len();
    assert_eq!(read(&[ACCEPTANCE.as_bytes()], &limits), Seen::Accepted(None, 0));
    let longer = read(&[with("101 S", "101 SS").as_bytes()], &limits);
    assert_eq!(longer, Seen::Failed(ResponseError::HeadTooBig));
    // Interim answers count too: a server can't send them for ever.
    let interim = format!("HTTP/1.1 100 Continue\r\n\r\n{ACCEPTANCE}");
    assert_eq!(read(&[interim.as_bytes()], &limits), Seen::Failed(ResponseError::HeadTooBig));
}

#[test]
fn interim_answers_are_skipped() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    assert_eq!(answer(format!("{interim}{ACCEPTANCE}")), Seen::Accepted(None, 0));
}

#[test]
fn an_answer_without_upgrade_to_websocket_fails() {
    for line in
        ["", "Upgrade: h2c\r\n", "Upgrade: websocket, h2c\r\n", "Upgrade: websocket\r\nUpgrade: a\r\n"]
    {
        let seen = answer(with("Upgrade: websocket\r\n", line));
        assert_eq!(seen, Seen::Failed(ResponseError::NotUpgraded), "{line:?}");
    }
}

#[test]
fn an_answer_whose_connection_lacks_upgrade_fails() {
    for line in ["", "Connection: close\r\n", "Connection: upgraded\r\n"] {
        let seen = answer(with("Connection: Upgrade\r\n", line));
        assert_eq!(seen, Seen::Failed(ResponseError::ConnectionWithoutUpgrade), "{line:?}");
    }
}

#[test]
fn an_answer_without_the_accept_of_the_key_fails() {
    let line = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    assert_eq!(answer(with(line, "")), Seen::Failed(ResponseError::AcceptMissing));
    assert_eq!(answer(with(line, &line.repeat(2))), Seen::Failed(ResponseError::AcceptRepeated));
    for value in
        ["s3pplmbitxaq9kygzzhzrbk+xoo=", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo", "dGhlIHNhbXBsZSBub25jZQ==", ""]
    {
        let seen = answer(with("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", value));
        assert_eq!(seen, Seen::Failed(ResponseError::AcceptWrong), "{value}");
    }
}

#[test]
fn a_subprotocol_must_be_one_that_was_offered() {
    assert_eq!(answer(and("Sec-WebSocket-Protocol: superchat")), Seen::Accepted(Some("superchat".into()), 0));
    for value in ["other", "Chat", "chat, superchat", ""] {
        let seen = answer(and(&format!("Sec-WebSocket-Protocol: {value}")));
        assert_eq!(seen, Seen::Failed(ResponseError::SubprotocolNotOffered), "{value}");
    }
    let twice = and("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat");
    assert_eq!(answer(twice), Seen::Failed(ResponseError::SubprotocolRepeated));
}

#[test]
fn an_extension_must_be_one_that_was_offered() {
    for value in ["permessage-deflate", "x; y=1, permessage-deflate"] {
        let seen = answer(and(&format!("Sec-WebSocket-Extensions: {value}")));
        assert_eq!(seen, Seen::Failed(ResponseError::ExtensionNotOffered), "{value}");
    }
    for value in ["", "a b", "x; =1"] {
        let seen = answer(and(&format!("Sec-WebSocket-Extensions: {value}")));
        assert_eq!(seen, Seen::Failed(ResponseError::ExtensionsMalformed), "{value}");
    }
}

// --- §4.1: refusals ----------------------------------------------------------------------------------------

#[test]
fn a_refusal_has_status_headers_and_body() {
    let refusal =
        refused(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 3\r\n\r\nwho");
    assert_eq!((refusal.status, &refusal.reason[..], refusal.location()), (401, "Unauthorized", None));
    assert_eq!(refusal.header("www-authenticate"), Some("Basic"));
    assert_eq!((&refusal.body[..], refusal.is_whole), (&b"who"[..], true));
    // 200 opens nothing either, and a redirect is followed by the caller if at all.
    assert_eq!(refused(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").status, 200);
    let redirect = refused(b"HTTP/1.1 307 \r\nLocation: wss://b/\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(redirect.location(), Some("wss://b/"));
}

#[test]
fn the_body_of_a_refusal_ends_as_http_says() {
    for (head, body, kept, is_whole) in [
        ("404 \r\nContent-Length: 5", "hello", "hello", true),
        ("404 \r\nContent-Length: 5", "hel", "hel", false),
        ("404 ", "hello", "hello", true),
        ("404 \r\nContent-Length: five", "hello", "hello", true),
        ("304 \r\nContent-Length: 5", "", "", true),
        ("404 \r\nTransfer-Encoding: chunked", "3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\n\r\n", "hello", true),
        ("404 \r\nTransfer-Encoding: Chunked", "0A\r\nhellohello\r\n0\r\n", "hellohello", true),
        ("404 \r\nTransfer-Encoding: chunked", "3\r\nhel\r\n2\r\nl", "hel\u{6c}", false),
        ("404 \r\nTransfer-Encoding: chunked", "3\r\nhelp\r\n", "hel", false),
        ("404 \r\nTransfer-Encoding: chunked", "x", "", false),
        ("404 \r\nTransfer-Encoding: chunked", "fffffffffffffffff\r\n", "", false),
    ] {
        let refusal = refused(format!("HTTP/1.1 {head}\r\n\r\n{body}").as_bytes());
        assert_eq!((&refusal.body[..], refusal.is_whole), (kept.as_bytes(), is_whole), "{head:?} {body:?}");
    }
}

#[test]
fn the_body_of_a_refusal_is_kept_up_to_a_limit() {
    let body = "x".repeat(Refusal::MAX_BODY + 1);
    for head in ["", "Content-Length: 999999999999\r\n"] {
        let bytes = format!("HTTP/1.1 404 \r\n{head}\r\n{body}");
        let Seen::Refused(refusal) = read(&[bytes.as_bytes()], &Limits::default()) else { panic!("{head}") };
        assert_eq!((refusal.body.len(), refusal.is_whole), (Refusal::MAX_BODY, false), "{head}");
    }
    let mut handshake = start();
    let mut bytes = *b"HTTP/1.1 404 \r\nContent-Length: 999999999999\r\n\r\nabc";
    assert!(handshake.next_answer(&mut &mut bytes[..], &Limits::default()).unwrap().is_none());
    assert_eq!(handshake.buffered(), bytes.len(), "no memory is held for a declared length");
}

#[test]
fn nothing_is_taken_after_an_answer_or_an_error() {
    let mut handshake = start();
    let mut bytes = *b"\x00\x81\x05Hello";
    let mut input = &mut bytes[..];
    let verdict = handshake.next_answer(&mut input, &Limits::default()).map(|answer| answer.is_some());
    assert_eq!(verdict, Err(ResponseError::NotHttp));
    assert!(handshake.next_answer(&mut input, &Limits::default()).unwrap().is_none());
    assert_eq!(handshake.end_of_input(), Err(ResponseError::EndedEarly));
    assert_eq!(input.len(), 8);
}

#[test]
fn each_error_of_an_answer_names_its_section_and_one_rule() {
    let errors = [
        (ResponseError::NotHttp, "RFC 9112 §4"),
        (ResponseError::HttpVersion, "§4.2.2"),
        (ResponseError::HeadTooBig, "§10.4"),
        (ResponseError::TooManyHeaders, "§10.4"),
        (ResponseError::EndedEarly, "RFC 9112 §8"),
        (ResponseError::NotUpgraded, "§4.1"),
        (ResponseError::ConnectionWithoutUpgrade, "§4.1"),
        (ResponseError::AcceptMissing, "§4.1"),
        (ResponseError::AcceptRepeated, "§11.3.3"),
        (ResponseError::AcceptWrong, "§4.1"),
        (ResponseError::SubprotocolNotOffered, "§4.1"),
        (ResponseError::SubprotocolRepeated, "§11.3.4"),
        (ResponseError::ExtensionsMalformed, "§9.1"),
        (ResponseError::ExtensionNotOffered, "§4.1"),
    ];
    for (error, section) in errors {
        assert_eq!(error.section(), section, "{error:?}");
        assert!(error.to_string().starts_with(&format!("{section}: ")), "{error}");
    }
    assert_all_differ(errors.map(|(error, _)| error.to_string()));
}

#[test]
fn each_error_of_a_uri_names_its_section_and_one_rule() {
    let errors = [
        (UriError::Scheme, "§3: "),
        (UriError::Fragment, "§3: "),
        (UriError::UserInfo, "§3: "),
        (UriError::Host, "RFC 3986 §3.2.2: "),
        (UriError::Port, "RFC 3986 §3.2.3: "),
        (UriError::NotEncoded, "RFC 3986 §3.3: "),
    ];
    for (error, section) in errors {
        assert!(error.to_string().starts_with(section), "{error}");
    }
    assert_all_differ(errors.map(|(error, _)| error.to_string()));
}

/// No text serves for two errors.
fn assert_all_differ<const COUNT: usize>(mut texts: [String; COUNT]) {
    texts.sort();
    assert!(texts.windows(2).all(|pair| pair[0] != pair[1]), "{texts:?}");
}

#[test]
fn the_headers_of_an_answer_are_found_in_any_letter_case() {
    let mut bytes = and("SERVER: a\r\nServer: b\r\nX-Name: \u{fc}\r\nX-Latin: ").into_bytes();
    let at = bytes.len() - 4;
    bytes.insert(at, 0xFC);
    let mut handshake = start();
    let answer = handshake.next_answer(&mut &mut bytes[..], &Limits::default());
    let Ok(Some(Answer::Accepted(accepted))) = answer else { panic!("{answer:?}") };
    assert_eq!(accepted.head.header("server"), Some("a"), "the first of two");
    assert_eq!(accepted.head.header("x-name"), Some("\u{fc}"));
    assert_eq!(accepted.head.header("x-latin"), None, "it is not UTF-8");
    assert_eq!(accepted.head.header("x-none"), None);
}
