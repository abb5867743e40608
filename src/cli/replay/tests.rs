//! Tests of the command's parts without a server; `tests/capture.rs` has whole plays.

mod plays;

use wirehook::explain::Side;

use super::{
    capture::Piece,
    difference::Difference,
    script::{Part, PartKind, client_frames},
    *,
};

const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: a\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

fn recording<'a>(pieces: &[(Side, &'a [u8])]) -> Recording<'a> {
    let pieces = (0..).zip(pieces);
    Recording {
        client: ([127, 0, 0, 1], 1).into(),
        server: ([127, 0, 0, 1], 2).into(),
        began: Duration::ZERO,
        has_beginning: true,
        pieces: pieces
            .map(|(at, (from, bytes))| Piece { at: Duration::from_secs(at), from: *from, bytes })
            .collect(),
        notes: vec![],
    }
}

fn options(args: &[&str]) -> Result<Option<ReplayOptions>, String> {
    parse(&mut Parser::from_args(args)).map_err(|error| error.to_string())
}

fn target(address: &str, path: Option<&str>) -> Result<ReplayTarget, &'static str> {
    Ok(ReplayTarget { address: address.to_owned(), path: path.map(str::to_owned) })
}

#[test]
fn a_target_is_a_ws_uri() {
    // §3
    assert_eq!(parse_target("ws://127.0.0.1:9501"), target("127.0.0.1:9501", None));
    assert_eq!(parse_target("ws://[::1]:9501/"), target("[::1]:9501", None));
    assert_eq!(parse_target("ws://a.example"), target("a.example:80", None));
    assert_eq!(parse_target("ws://[::1]/chat?x=1"), target("[::1]:80", Some("/chat?x=1")));
    assert_eq!(parse_target("ws://a:1?x"), target("a:1", Some("/?x")));
    for text in
        ["", "a:1", "wss://a:1", "ws://", "ws:///chat", "ws://a:1/#x", "ws://a:1/ HTTP/1.1", "ws://a:1/\r\n"]
    {
        assert!(parse_target(text).is_err(), "{text}");
    }
}

#[test]
fn senseless_arguments_are_refused() {
    assert!(options(&["f", "--to", "ws://a:1", "--paced", "--timeout", "1s", "--connection", "2"]).is_ok());
    assert!(options(&["f", "--extract", "x"]).is_ok());
    assert!(options(&["--help"]).is_ok_and(|it| it.is_none()));
    for args in [
        &[][..],
        &["f"],
        &["--to", "ws://a:1"],
        &["f", "g", "--to", "ws://a:1"],
        &["f", "--to", "http://a"],
        &["f", "--to", "ws://a:1", "--extract", "x"],
        &["f", "--to", "ws://a:1", "--connection", "first"],
        &["f", "--to", "ws://a:1", "--timeout", "0"],
        &["f", "--to", "ws://a:1", "--fast"],
        &["f", "--to", "ws://a:1", "--max-pause", "1s"],
        &["f", "--to", "ws://a:1", "--paced", "--max-pause", "none"],
    ] {
        assert!(options(args).is_err(), "{args:?}");
    }
}

#[test]
fn a_script_sends_each_piece_after_the_answer_before_it() {
    let pieces = [
        (Side::Client, REQUEST),
        (Side::Server, RESPONSE),
        (Side::Client, b"one"),
        (Side::Server, b"\x81\x01a\x89\x00\x81"),
        (Side::Client, b"two"),
        (Side::Server, b"\x01b\x82"),
    ];
    let script = ClientScript::new(recording(&pieces), None).unwrap_or_else(|it| unreachable!("{it}"));
    let head = RESPONSE.len();
    let cues: Vec<_> = script.cues.iter().map(|cue| (cue.at.as_secs(), &cue.bytes[..], cue.after)).collect();
    assert_eq!(cues, [(0, REQUEST, 0), (2, b"one", head), (4, b"two", head + 6)]);
    let part = |kind, start, len| Part { kind, start, end: start + len };
    let parts = [
        part(PartKind::Head, 0, head),
        part(PartKind::Frame, head, 3),
        part(PartKind::Ping, head + 3, 2),
        part(PartKind::Frame, head + 5, 3),
    ];
    assert_eq!(script.parts, parts);
    assert_eq!(script.unfinished(), 1);
}

#[test]
fn bytes_without_frames_are_one_part() {
    let kinds = |answer: &[u8]| {
        let script = ClientScript::new(recording(&[(Side::Server, answer)]), None);
        script.map(|it| it.parts.iter().map(|part| part.kind).collect::<Vec<_>>())
    };
    assert_eq!(kinds(b"HTTP/1.1 400 Bad Request\r\n\r\n\x81\x00"), Ok(vec![PartKind::Head, PartKind::Rest]));
    // A reserved opcode after a frame.
    let answer = [RESPONSE, b"\x81\x00\x83\x00\x81\x00"].concat();
    assert_eq!(kinds(&answer), Ok(vec![PartKind::Head, PartKind::Frame, PartKind::Rest]));
    // A length that never arrives.
    let answer = [RESPONSE, b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"].concat();
    assert_eq!(kinds(&answer), Ok(vec![PartKind::Head]));
    assert_eq!(kinds(b"HTTP/1.1 101 "), Ok(vec![]));
}

#[test]
fn a_path_replaces_the_recorded_one() {
    let replaced = |first: &[u8]| {
        let script = ClientScript::new(recording(&[(Side::Client, first)]), Some("/other?x=1"));
        script.map(|mut it| it.cues.remove(0).bytes)
    };
    assert_eq!(replaced(REQUEST), Ok(b"GET /other?x=1 HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()));
    for first in [&b"\x81\x80"[..], b"GET /ch", b"POST / HTTP/1.1\r\n"] {
        assert!(replaced(first).is_err());
    }
    assert!(ClientScript::new(recording(&[]), Some("/")).is_err());
}

#[test]
fn a_clients_frames_follow_its_request() {
    let (first, second) = REQUEST.split_at(10);
    let pieces =
        [(Side::Client, first), (Side::Server, b"x"), (Side::Client, second), (Side::Client, b"\x81\x80")];
    assert_eq!(client_frames(recording(&pieces)), b"\x81\x80");
    assert_eq!(client_frames(recording(&[(Side::Client, b"\x81\x80")])), b"\x81\x80");
    assert_eq!(client_frames(recording(&[(Side::Client, b"GET / HT")])), b"");
}

#[test]
fn heads_are_compared_in_any_order_and_without_times() {
    let compared = |received: &[u8]| {
        let recorded =
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nA: 1\r\nA: 2\r\nDate: x\r\n\r\n";
        Difference::of_heads(recorded, received).map(|it| it.to_string())
    };
    let same: [&[u8]; 2] = [
        b"HTTP/1.1 101 Switching Protocols\r\na: 1\r\nUPGRADE:  websocket \r\nA: 2\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nA: 1\r\nA: 2\r\nUpgrade: websocket\r\nDate: y\r\nAge: 1\r\n\r\n",
    ];
    assert_eq!(same.map(compared), [None, None]);
    let other = b"HTTP/1.1 200 OK\r\nupgrade: h2c\r\nA: 1\r\nA: 2\r\n\r\n";
    let result = "differs: the response differs\n- HTTP/1.1 101 Switching Protocols\n+ HTTP/1.1 200 OK\n\
                - upgrade: websocket\n+ upgrade: h2c\n";
    assert_eq!(compared(other).as_deref(), Some(result));
    let turned = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nA: 2\r\nA: 1\r\n\r\n";
    assert!(compared(turned).is_some_and(|it| it.contains("- a: 1\n- a: 2\n- upgrade: websocket\n+ a: 2\n")));
    // Control characters are escaped.
    let result = compared(b"HTTP/1.1 101 \x1b[31m\r\n\r\n");
    assert!(result.is_some_and(|it| it.contains("+ HTTP/1.1 101 \\x1b[31m\n")));
}
