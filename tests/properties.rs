//! What holds for any bytes: nothing panics, cuts make no difference, and each clever function equals its
//! naive twin.
//!
//! This file knows independent ways to the same result: a client's encoder, a mask of one line, the standard
//! library's UTF-8. It refuses to know single cases: those are in `rfc6455/`.

#[path = "../src/server/simulator/frames.rs"]
mod frames;

use proptest::{collection::vec, option, prelude::*, sample, test_runner::Config};
use wirehook::protocol::{
    CloseCode, CloseFrame, Connection, Event, FrameHeader, HandshakeError, Limits, MAX_CLOSE_REASON, Message,
    OpCode, ProtocolError, RequestReader, Response, Sender, TextBuffer, apply_mask, check_prefix, turn_key,
};

/// Moderate, so that all of this takes seconds; and no files beside the sources.
fn config() -> Config {
    Config { cases: 400, failure_persistence: None, ..Config::default() }
}

/// Everything that came of some bytes: each event or error as text that can be compared, and all replies.
#[derive(Debug, Default, PartialEq, Eq)]
struct Record {
    seen: Vec<Result<String, ProtocolError>>,
    sent: Vec<u8>,
}

/// Serves the pieces as a server does.
fn serve(pieces: &[&[u8]], limits: &Limits) -> Record {
    let mut connection = Connection::new(limits);
    let mut record = Record::default();
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let mut input = &mut bytes[..];
        loop {
            match connection.recv.next_event(&mut input) {
                Ok(Some(event)) => {
                    connection.send.answer(&event, &mut record.sent);
                    record.seen.push(Ok(format!("{event:?}")));
                }
                Ok(None) => break,
                Err(error) => {
                    connection.send.fail(error, &mut record.sent);
                    record.seen.push(Err(error));
                    assert!(connection.recv.is_discarding());
                }
            }
        }
        assert!(connection.recv.buffered() <= limits.max_message_size);
    }
    record
}

/// The pieces that `bytes` fall into at `cuts`.
fn cut<'a>(bytes: &'a [u8], cuts: &[sample::Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let starts = [0].into_iter().chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([bytes.len()]);
    starts.zip(ends).map(|(start, end)| &bytes[start..end]).collect()
}

fn cuts() -> impl Strategy<Value = Vec<sample::Index>> {
    vec(any::<sample::Index>(), 0..6)
}

/// §5.3 in one line, one byte after the other.
fn naive_mask(payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    payload.iter().enumerate().map(|(i, octet)| octet ^ key[i % 4]).collect()
}

fn opcode() -> impl Strategy<Value = OpCode> {
    sample::select(vec![
        OpCode::Continuation,
        OpCode::Text,
        OpCode::Binary,
        OpCode::Close,
        OpCode::Ping,
        OpCode::Pong,
    ])
}

/// Lengths of all three forms, and the places where one form ends.
fn payload_len() -> impl Strategy<Value = u64> {
    prop_oneof![
        0_u64..130,
        65_530_u64..65_542,
        0..=i64::MAX as u64,
        Just(i64::MAX as u64),
        (0_u32..63).prop_map(|shift| 1 << shift),
    ]
}

/// Any header that §5.2 and §5.5 allow.
fn valid_header() -> impl Strategy<Value = FrameHeader> {
    (opcode(), any::<bool>(), 0_u8..8, option::of(any::<[u8; 4]>()), payload_len()).prop_map(
        |(opcode, fin, rsv, masking_key, len)| FrameHeader {
            fin: fin || opcode.is_control(),
            rsv,
            opcode,
            masking_key,
            payload_len: if opcode.is_control() { len % 126 } else { len },
        },
    )
}

/// Frames that are often right and often not, in any order.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        8 => sample::select(vec![0x81_u8, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a]),
        1 => Just(0x88),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        3 => "\\PC{0,12}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..20),
        1 => vec(any::<u8>(), 120..130),
        1 => (900_u16..5_100, "\\PC{0,40}")
            .prop_map(|(code, reason)| [&code.to_be_bytes()[..], reason.as_bytes()].concat()),
    ];
    (first, any::<[u8; 4]>(), payload)
        .prop_map(|(first, key, payload)| frames::client_frame(first, key, &payload))
}

/// A stream of such frames, perhaps with a few bytes changed or its end cut off.
fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop_oneof![3 => Just(Vec::new()), 1 => vec((any::<sample::Index>(), any::<u8>()), 1..3)];
    (vec(any_frame(), 0..10), changes, option::weighted(0.2, any::<sample::Index>())).prop_map(
        |(frames, changes, end)| {
            let mut bytes = frames.concat();
            if bytes.is_empty() {
                return bytes;
            }
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            if let Some(end) = end {
                bytes.truncate(end.index(bytes.len()));
            }
            bytes
        },
    )
}

/// Bytes that are often UTF-8, or nearly.
fn text_like() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        6 => "\\PC{0,5}".prop_map(String::into_bytes),
        2 => any::<char>().prop_map(|it| it.to_string().into_bytes()),
        1 => vec(0x80_u8..=0xff, 1..3),
    ];
    vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn header_survives_encoding_and_decoding(header in valid_header(), tail in vec(any::<u8>(), 0..20)) {
        // §5.2
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        prop_assert_eq!(bytes.len(), header.encoded_len());
        prop_assert!(bytes.len() <= FrameHeader::MAX_LEN);
        for end in 0..bytes.len() {
            prop_assert_eq!(FrameHeader::decode(&bytes[..end]), Ok(None));
        }
        let len = bytes.len();
        bytes.extend(tail);
        prop_assert_eq!(FrameHeader::decode(&bytes), Ok(Some((header, len))));
    }

    #[test]
    fn header_that_is_accepted_has_one_spelling(
        bytes in (any::<u8>(), any::<u8>(), vec(prop_oneof![Just(0), any::<u8>()], 0..16))
            .prop_map(|(first, second, rest)| [&[first, second], &rest[..]].concat()),
    ) {
        // §5.2
        let decoded = FrameHeader::decode(&bytes);
        if let Ok(Some((header, len))) = decoded {
            let mut encoded = Vec::new();
            header.encode(&mut encoded);
            prop_assert_eq!(&encoded[..], &bytes[..len]);
        }
        // The first error or header stays what it is, however few bytes follow.
        let first_verdict =
            (0..=bytes.len()).map(|end| FrameHeader::decode(&bytes[..end])).find(|it| *it != Ok(None));
        prop_assert_eq!(first_verdict.unwrap_or(Ok(None)), decoded);
    }

    #[test]
    fn cuts_make_no_difference_to_frames(bytes in any_stream(), cuts in cuts(), limit in 0_usize..200) {
        // §5.4, §8.1, §10.4
        let mut limits = Limits::default();
        limits.max_message_size = limit;
        let whole = serve(&[&bytes], &limits);
        prop_assert_eq!(&serve(&cut(&bytes, &cuts), &limits), &whole);
        let single_bytes: Vec<_> = bytes.chunks(1).collect();
        prop_assert_eq!(&serve(&single_bytes, &limits), &whole);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..100), cuts in cuts()) {
        // §7.1.7
        let limits = Limits::default();
        prop_assert_eq!(serve(&cut(&bytes, &cuts), &limits), serve(&[&bytes], &limits));
    }

    #[test]
    fn one_error_is_the_last_event(bytes in any_stream()) {
        // §7.1.7, §5.5.1
        let Record { seen, .. } = serve(&[&bytes], &Limits::default());
        let ends = |it: &Result<String, _>| it.as_ref().map_or(true, |event| event.starts_with("Close("));
        prop_assert!(seen.iter().rev().skip(1).all(|it| !ends(it)), "{seen:?}");
    }

    #[test]
    fn messages_of_a_client_arrive_as_they_were(
        messages in vec((prop_oneof![
            text_like().prop_map(|bytes| (0x2, bytes)),
            "\\PC{0,60}".prop_map(|text| (0x1, text.into_bytes())),
            vec(any::<u8>(), 120..140).prop_map(|bytes| (0x2, bytes)),
        ], cuts(), any::<[u8; 4]>(), option::of(vec(any::<u8>(), 0..126))), 0..5),
        cuts in cuts(),
    ) {
        // §5.4: in any fragments, with any key, and with pings between them.
        let (mut bytes, mut events, mut pongs) = (Vec::new(), Vec::new(), Vec::new());
        for ((opcode, payload), fragments, key, ping) in &messages {
            let fragments = cut(payload, fragments);
            for (i, fragment) in fragments.iter().enumerate() {
                let opcode = if i == 0 { *opcode } else { 0x0 };
                let fin = if i + 1 == fragments.len() { 0x80 } else { 0x00 };
                bytes.extend(frames::client_frame(fin | opcode, *key, fragment));
                if let (0, Some(ping)) = (i, ping) {
                    bytes.extend(frames::client_frame(0x89, *key, ping));
                    if fin == 0 {
                        events.push(Ok(format!("{:?}", Event::Ping(ping))));
                    }
                    pongs.extend([0x8a, ping.len() as u8]);
                    pongs.extend(ping);
                }
            }
            let message = match opcode {
                0x1 => Message::Text(str::from_utf8(payload).unwrap()),
                _ => Message::Binary(payload),
            };
            events.push(Ok(format!("{:?}", Event::Message(message))));
            if let (1, Some(ping)) = (fragments.len(), ping) {
                events.push(Ok(format!("{:?}", Event::Ping(ping))));
            }
        }
        let record = serve(&cut(&bytes, &cuts), &Limits::default());
        prop_assert_eq!(record, Record { seen: events, sent: pongs });
    }

    #[test]
    fn message_that_is_sent_reads_back(payload in prop_oneof![
        vec(any::<u8>(), 0..300),
        (65_530_usize..65_542).prop_map(|len| vec![7; len]),
    ]) {
        // §5.2
        let mut out = Vec::new();
        Sender::default().message(Message::Binary(&payload), &mut out).unwrap();
        let (header, len) = FrameHeader::decode(&out).unwrap().unwrap();
        prop_assert_eq!(header, FrameHeader::server(OpCode::Binary, payload.len() as u64));
        prop_assert_eq!(&out[len..], &payload[..]);
    }

    #[test]
    fn mask_equals_its_naive_twin(
        bytes in vec(any::<u8>(), 0..300),
        start in 0_usize..40,
        key in any::<[u8; 4]>(),
        cuts in cuts(),
    ) {
        // §5.3: at any length and alignment, in one piece and in several.
        let start = start.min(bytes.len());
        let wanted = naive_mask(&bytes[start..], key);
        let mut whole = bytes.clone();
        apply_mask(&mut whole[start..], key);
        prop_assert_eq!(&whole[start..], &wanted[..]);
        prop_assert_eq!(&whole[..start], &bytes[..start]);

        let (mut masked, mut turned) = (Vec::new(), key);
        for piece in cut(&bytes[start..], &cuts) {
            let mut piece = piece.to_vec();
            apply_mask(&mut piece, turned);
            turned = turn_key(turned, piece.len());
            masked.extend(piece);
        }
        prop_assert_eq!(masked, wanted);
    }

    #[test]
    fn text_in_pieces_equals_the_standard_library(bytes in text_like(), cuts in cuts()) {
        // §8.1
        let whole = std::str::from_utf8(&bytes);
        let mut buffer = TextBuffer::default();
        let mut pushed = 0;
        for piece in cut(&bytes, &cuts) {
            let verdict = buffer.push(piece);
            pushed += piece.len();
            // Refused exactly when the bytes so far can't become text.
            prop_assert_eq!(verdict, check_prefix(&bytes[..pushed]));
            if verdict.is_err() {
                prop_assert!(whole.is_err());
                return Ok(());
            }
            prop_assert_eq!(buffer.len(), pushed);
            prop_assert_eq!(buffer.is_empty(), pushed == 0);
            let valid_len = std::str::from_utf8(&bytes[..pushed]).map_or_else(|it| it.valid_up_to(), str::len);
            prop_assert_eq!(buffer.as_str().as_bytes(), &bytes[..valid_len]);
            prop_assert_eq!(buffer.is_complete(), valid_len == pushed);
        }
        prop_assert_eq!(buffer.is_complete(), whole.is_ok());
    }

    #[test]
    fn prefix_is_refused_exactly_when_no_continuation_helps(bytes in text_like()) {
        // §8.1: the naive twin tries continuations of up to three bytes out of those that matter.
        let matter = [0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf];
        let completes = |tail: &[u8]| std::str::from_utf8(&[&bytes, tail].concat()).is_ok();
        let can_be_completed = completes(&[])
            || matter.iter().any(|&a| {
                completes(&[a])
                    || matter.iter().any(|&b| completes(&[a, b]) || matter.iter().any(|&c| completes(&[a, b, c])))
            });
        prop_assert_eq!(check_prefix(&bytes).is_ok(), can_be_completed);
    }

    #[test]
    fn close_frame_survives_sending_and_reading(
        code in prop_oneof![1000_u16..=1015, 3000_u16..=4999, any::<u16>()],
        reason in prop_oneof!["\\PC{0,20}", "\\PC{30,150}"],
    ) {
        // §5.5.1, §7.4
        let mut out = Vec::new();
        let verdict = Sender::default().close(CloseCode(code), &reason, &mut out);
        if code == 1005 {
            prop_assert_eq!((verdict, &out[..]), (Ok(()), &[0x88, 0x00][..]));
            return Ok(());
        }
        prop_assert_eq!(verdict.is_ok(), CloseCode(code).may_be_sent() && code != 1010);
        prop_assert_eq!(verdict.is_err(), out.is_empty());
        if verdict.is_ok() {
            let (header, len) = FrameHeader::decode(&out).unwrap().unwrap();
            prop_assert_eq!(header, FrameHeader::server(OpCode::Close, (out.len() - len) as u64));
            let frame = CloseFrame::decode(&out[len..]).unwrap().unwrap();
            prop_assert_eq!(frame.code, CloseCode(code));
            prop_assert!(reason.starts_with(frame.reason));
            // Whatever was cut off had no room.
            let next = reason[frame.reason.len()..].chars().next().map_or(usize::MAX, char::len_utf8);
            prop_assert!(frame.reason.len() == reason.len() || frame.reason.len() + next > MAX_CLOSE_REASON);
        }
    }

    #[test]
    fn close_body_that_is_accepted_is_a_code_and_text(payload in vec(any::<u8>(), 0..6)) {
        // §5.5.1
        match CloseFrame::decode(&payload) {
            Ok(None) => prop_assert!(payload.is_empty()),
            Ok(Some(CloseFrame { code, reason })) => {
                prop_assert!(code.may_be_sent());
                prop_assert_eq!([&code.0.to_be_bytes()[..], reason.as_bytes()].concat(), payload);
            }
            Err(_) => prop_assert!(!payload.is_empty()),
        }
    }
}

/// Lines that are often those of a good request, in any order and number, sometimes with changed bytes.
fn any_head() -> impl Strategy<Value = Vec<u8>> {
    const LINES: [&str; 16] = [
        "Host: server.example.com\r\n",
        "Upgrade: websocket\r\n",
        "Connection: keep-alive, Upgrade\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        "Sec-WebSocket-Version: 13\r\n",
        "Sec-WebSocket-Protocol: chat, superchat\r\n",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
        "Origin: http://example.com\r\n",
        "Content-Length: 0\r\n",
        "X-Bytes: \u{fc}\r\n",
        "X-Empty:\r\n",
        " folded\r\n",
        "no colon\r\n",
        "Bare: line feed\n",
        "\r\n",
        "\0",
    ];
    let request_line = prop_oneof![
        6 => sample::select(vec!["GET / HTTP/1.1\r\n", "GET http://a/b?c HTTP/1.1\r\n"]).prop_map(String::from),
        1 => sample::select(vec!["POST / HTTP/1.1\r\n", "GET / HTTP/1.0\r\n", "GET /#a HTTP/1.1\r\n", "\r\n"])
            .prop_map(String::from),
        1 => "\\PC{0,20}\r\n",
    ];
    let good = Just((0..5).collect::<Vec<usize>>()).prop_shuffle();
    let others = vec(5..LINES.len(), 0..3);
    let any_lines = prop_oneof![2 => Just(None), 1 => vec(0..LINES.len(), 0..12).prop_map(Some)];
    let change = option::weighted(0.3, (any::<sample::Index>(), any::<u8>()));
    (request_line, good, others, any_lines, change).prop_map(
        |(request_line, good, others, any_lines, change)| {
            let lines = any_lines.unwrap_or_else(|| [others, good].concat());
            let lines: String = lines.iter().map(|&line| LINES[line]).collect();
            let mut head = format!("{request_line}{lines}\r\n").into_bytes();
            if let Some((place, byte)) = change {
                let place = place.index(head.len());
                head[place] = byte;
            }
            head
        },
    )
}

/// What is made of a head: the answer and how many bytes it took, or `None` if it has no end.
fn read_head(pieces: &[&[u8]], limits: &Limits) -> Result<Option<(Vec<u8>, usize)>, HandshakeError> {
    let mut reader = RequestReader::default();
    let mut taken = 0;
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let mut input = &mut bytes[..];
        if let Some(request) = reader.next_request(&mut input, limits)? {
            taken += piece.len() - input.len();
            let response = match request.check(&[], &["http://example.com".into()]) {
                Ok(()) => Response::switching_protocols(&request, Some("chat")),
                Err(error) => Response::refusal(error),
            };
            let _ = (request.path(), request.query_string(), request.host(), request.subprotocols().count());
            let _ = (request.segments().count(), request.query_pairs().count(), request.cookie("a"));
            let mut out = Vec::new();
            response.encode(&mut out);
            return Ok(Some((out, taken)));
        }
        assert_eq!(*input, []);
        taken += piece.len();
        assert_eq!(reader.buffered(), taken);
        assert!(taken <= limits.max_header_size);
    }
    Ok(None)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn cuts_make_no_difference_to_a_head(
        head in any_head(),
        tail in vec(any::<u8>(), 0..9),
        cuts in cuts(),
        max_header_size in prop_oneof![3 => Just(1_000_usize), 1 => 0_usize..300],
        max_headers in prop_oneof![3 => Just(100_usize), 1 => 0_usize..8],
    ) {
        // §4.2.1, §10.4
        let mut limits = Limits::default();
        limits.max_header_size = max_header_size;
        limits.max_headers = max_headers;
        let bytes = [head, tail].concat();
        let whole = read_head(&[&bytes], &limits);
        prop_assert_eq!(&read_head(&cut(&bytes, &cuts), &limits), &whole);
        let single_bytes: Vec<_> = bytes.chunks(1).collect();
        prop_assert_eq!(&read_head(&single_bytes, &limits), &whole);
        if let Ok(Some((answer, taken))) = whole {
            prop_assert!(answer.starts_with(b"HTTP/1.1 "));
            prop_assert!(bytes[..taken].ends_with(b"\r\n\r\n"));
        }
    }

    #[test]
    fn arbitrary_head_never_panics(bytes in vec(any::<u8>(), 0..200), cuts in cuts()) {
        // §4.2.1
        let limits = Limits::default();
        prop_assert_eq!(read_head(&cut(&bytes, &cuts), &limits), read_head(&[&bytes], &limits));
    }
}
