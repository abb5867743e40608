//! §10.4 What a peer may make a server hold: each limit exactly, and one over it.

use std::time::{Duration, Instant};

use wirehook::protocol::{
    Connection, Event, HandshakeError, Limits, Message, OwnedMessage, ProtocolError, Receiver, RequestReader,
};

use crate::{
    Case, Client, Early, KEY, Seen, binary, check_early, check_within, close_without_body, cuts, failed,
    frame, header, ping, sent_close, text,
};

fn messages_up_to(max_message_size: usize) -> Limits {
    let mut limits = Limits::default();
    limits.max_message_size = max_message_size;
    limits
}

fn heads_up_to(max_header_size: usize) -> Limits {
    let mut limits = Limits::default();
    limits.max_header_size = max_header_size;
    limits
}

fn too_big() -> Vec<u8> {
    sent_close(1009, "§10.4: message over the size limit")
}

#[test]
fn a_lack_of_memory_is_answered_with_1013() {
    // No test can make the allocator of its own process refuse; `tests/cli.rs` limits the binary's memory.
    let error = ProtocolError::NoMemory;
    assert_eq!((error.close_code().0, error.section()), (1013, "§10.4"));
    assert_eq!(error.to_string(), "§10.4: no memory for the message");
}

#[test]
fn defaults_are_as_documented() {
    // §10.4
    let limits = Limits::default();
    assert_eq!(limits.max_message_size, 1024 * 1024);
    assert_eq!(limits.max_header_size, 16 * 1024);
    assert_eq!(limits.max_headers, 100);
}

#[test]
fn message_of_exactly_the_limit_is_taken() {
    // §10.4
    for len in [1, 9, 125, 126, 300] {
        let payload = vec![b'x'; len];
        let wanted = "x".repeat(len);
        check_within(
            &messages_up_to(len),
            &[
                Case {
                    name: "binary",
                    input: &frame(0x82, &payload),
                    expect: &[binary(&payload)],
                    sent: &[],
                },
                Case { name: "text", input: &frame(0x81, &payload), expect: &[text(&wanted)], sent: &[] },
                Case {
                    name: "in two fragments",
                    input: &[frame(0x01, &payload[..len / 2]), frame(0x80, &payload[len / 2..])].concat(),
                    expect: &[text(&wanted)],
                    sent: &[],
                },
                Case {
                    name: "and an empty last fragment",
                    input: &[frame(0x02, &payload), frame(0x80, b"")].concat(),
                    expect: &[binary(&payload)],
                    sent: &[],
                },
                Case {
                    name: "twice",
                    input: &[frame(0x82, &payload), frame(0x02, &payload), frame(0x80, b"")].concat(),
                    expect: &[binary(&payload), binary(&payload)],
                    sent: &[],
                },
            ],
        );
    }
}

#[test]
fn message_of_one_byte_over_the_limit_fails_the_connection() {
    // §10.4
    let expect = &[failed(ProtocolError::MessageTooBig)];
    for len in [1, 9, 125, 126, 300] {
        let payload = vec![b'x'; len + 1];
        check_within(
            &messages_up_to(len),
            &[
                Case { name: "binary", input: &frame(0x82, &payload), expect, sent: &too_big() },
                Case { name: "text", input: &frame(0x81, &payload), expect, sent: &too_big() },
                Case { name: "first fragment", input: &frame(0x01, &payload), expect, sent: &too_big() },
                Case {
                    name: "sum of two fragments",
                    input: &[frame(0x01, &payload[..len]), frame(0x80, b"x")].concat(),
                    expect,
                    sent: &too_big(),
                },
                Case {
                    name: "sum of three fragments",
                    input: &[frame(0x02, b"x"), frame(0x00, &payload[1..len]), frame(0x00, b"x")].concat(),
                    expect,
                    sent: &too_big(),
                },
            ],
        );
    }
}

#[test]
fn default_limit_is_inclusive() {
    // §10.4
    let payload = vec![b'x'; 1024 * 1024];
    let mut client = Client::new(&Limits::default());
    client.deliver(&frame(0x82, &payload));
    client.deliver(&[frame(0x02, &payload[1..]), frame(0x80, b"x")].concat());
    assert_eq!(client.record.seen, [binary(&payload), binary(&payload)]);

    for input in [header(0x82, 1024 * 1024 + 1), [frame(0x02, &payload), header(0x80, 1)].concat()] {
        let mut client = Client::new(&Limits::default());
        client.deliver(&input);
        assert_eq!(client.record.seen, [failed(ProtocolError::MessageTooBig)]);
    }
}

#[test]
fn size_is_judged_on_the_header_alone() {
    // §10.4: before a byte of the payload has arrived.
    let error = ProtocolError::MessageTooBig;
    let early = |name, input, noticed_after| Early { name, input, noticed_after, error };
    check_early(
        &messages_up_to(10),
        &[
            early("11 in 7 bits", &header(0x82, 11), 6),
            early("126 in 16 bits", &header(0x81, 126), 8),
            early("65536 in 64 bits", &header(0x01, 65_536), 14),
            early("2^63 - 1", &header(0x82, i64::MAX as u64), 14),
            early("the sum", &[frame(0x02, b"01234"), header(0x80, 6)].concat(), 11 + 6),
            early(
                "the sum, in a frame that is not the last",
                &[frame(0x01, b"01234"), header(0x00, 6)].concat(),
                17,
            ),
        ],
    );
}

#[test]
fn size_is_judged_before_the_text() {
    // §10.4
    check_within(
        &messages_up_to(2),
        &[Case {
            name: "three bytes, none of them text",
            input: &frame(0x81, b"\xff\xff\xff"),
            expect: &[failed(ProtocolError::MessageTooBig)],
            sent: &too_big(),
        }],
    );
}

#[test]
fn open_character_counts() {
    // §10.4: 3 bytes are held, only one of them as a whole character.
    let input = [frame(0x01, b"a\xe2\x82"), frame(0x80, b"\xac")].concat();
    check_within(&messages_up_to(4), &[Case { name: "4", input: &input, expect: &[text("a€")], sent: &[] }]);
    let expect = &[failed(ProtocolError::MessageTooBig)];
    check_within(&messages_up_to(3), &[Case { name: "3", input: &input, expect, sent: &too_big() }]);
}

#[test]
fn control_frames_do_not_count() {
    // §5.5: they have a limit of their own.
    let payload = [b'?'; 125];
    let pong = [&b"\x8a\x7d"[..], &payload].concat();
    check_within(
        &messages_up_to(2),
        &[Case {
            name: "a ping of 125 bytes between two fragments of one",
            input: &[frame(0x02, b"a"), frame(0x89, &payload), frame(0x80, b"b")].concat(),
            expect: &[ping(&payload), binary(b"ab")],
            sent: &pong,
        }],
    );
    check_within(
        &messages_up_to(0),
        &[
            Case { name: "ping", input: &frame(0x89, &payload), expect: &[ping(&payload)], sent: &pong },
            Case {
                name: "close",
                input: &frame(0x88, b""),
                expect: &[close_without_body()],
                sent: b"\x88\x00",
            },
        ],
    );
}

#[test]
fn limit_of_zero_leaves_empty_messages() {
    // §10.4
    check_within(
        &messages_up_to(0),
        &[
            Case { name: "text", input: &frame(0x81, b""), expect: &[text("")], sent: &[] },
            Case {
                name: "fragments",
                input: &[frame(0x02, b""), frame(0x80, b"")].concat(),
                expect: &[binary(b"")],
                sent: &[],
            },
            Case {
                name: "one byte",
                input: &frame(0x81, b"a"),
                expect: &[failed(ProtocolError::MessageTooBig)],
                sent: &too_big(),
            },
        ],
    );
}

#[test]
fn sum_near_the_end_of_the_number_line_is_too_big() {
    // §10.4: 2^63 - 1 again and again must neither wrap around nor pass.
    let expect = &[failed(ProtocolError::MessageTooBig)];
    for begun in [1, 5, 125] {
        let input = [frame(0x02, &vec![0; begun]), header(0x80, i64::MAX as u64)].concat();
        for limit in [begun, 1_000, i64::MAX as usize] {
            check_within(
                &messages_up_to(limit),
                &[Case { name: "the sum", input: &input, expect, sent: &too_big() }],
            );
        }
    }
}

#[test]
fn memory_is_at_most_four_times_what_has_arrived() {
    // §10.4: whatever a header declares, 2^63 - 1 bytes included, and however the payload is cut.
    let limits = messages_up_to(usize::MAX);
    for first in [0x81, 0x82, 0x01, 0x02] {
        for declared in [7_003, 1 << 20, i64::MAX as u64] {
            for step in [1, 7, 1_000, 5_000] {
                let mut alone = Client::new(&limits);
                alone.deliver(&header(first, declared));
                check_held(alone, 0, step);

                let mut continuation = Client::new(&limits);
                continuation.deliver(&[frame(first & 0x0f, b"abc"), header(first & 0x80, declared)].concat());
                check_held(continuation, 3, step);
            }
        }
    }
}

/// Delivers 6,999 bytes of a payload in steps, and checks what is held before and after each.
#[track_caller]
fn check_held(mut client: Client, mut arrived: usize, step: usize) {
    let payload: Vec<u8> = KEY.iter().map(|key| b'x' ^ key).cycle().take(6_999).collect();
    for piece in [&[][..]].into_iter().chain(payload.chunks(step)) {
        client.deliver(piece);
        arrived += piece.len();
        let receiver = &client.connection.recv;
        assert_eq!(receiver.buffered(), arrived, "in steps of {step}");
        let memory = receiver.memory();
        assert!(memory <= 4 * arrived, "{memory} bytes are held after {arrived}, in steps of {step}");
    }
    assert_eq!(client.record.seen, [] as [Seen; 0]);
}

#[test]
fn what_is_held_is_what_has_arrived_and_goes_with_its_event() {
    // §10.4
    let mut client = Client::new(&Limits::default());
    let held = |client: &Client| client.connection.recv.buffered();
    client.deliver(&frame(0x01, b"abc"));
    assert_eq!(held(&client), 3);
    client.deliver(&frame(0x89, b"a ping is not held with it"));
    assert_eq!(held(&client), 3);
    client.deliver(&frame(0x00, b"d\xc3"));
    assert_eq!(held(&client), 5);
    client.deliver(&frame(0x80, b"\xbc"));
    assert_eq!(held(&client), 0);

    let whole = frame(0x82, b"a frame that lies whole in the input is never held");
    client.deliver(&whole);
    assert_eq!(held(&client), 0);
    client.deliver(&whole[..20]);
    assert_eq!(held(&client), 14);
    client.deliver(&whole[20..]);
    assert_eq!(held(&client), 0);

    client.deliver(&frame(0x02, b"abc"));
    client.deliver(b"\x81\x00");
    assert_eq!(client.record.seen.last(), Some(&failed(ProtocolError::UnmaskedFrame)));
    assert_eq!(held(&client), 0, "a failure throws away what was held");
}

/// What a client sends next, and the bytes of memory that are taken then.
type Growth<'a> = (&'a [u8], usize);

#[track_caller]
fn check_memory(limits: &Limits, steps: &[Growth<'_>]) {
    let mut client = Client::new(limits);
    for (at, (piece, memory)) in steps.iter().enumerate() {
        client.deliver(piece);
        assert_eq!(client.connection.recv.memory(), *memory, "step {at}");
    }
    assert_eq!(client.record.seen, [] as [Seen; 0], "the message is not complete");
}

/// It never grows past the end of the last frame.
#[test]
fn memory_grows_with_the_bytes_that_arrive() {
    // §10.4: room for a quarter of the frame, or a quarter of that, until a quarter of the next step has
    // arrived.
    for first in [0x81, 0x82] {
        let whole = frame(first, &[b'x'; 2_001]);
        let (header, payload) = whole.split_at(8);
        check_memory(
            &Limits::default(),
            &[
                (header, 0),
                (&payload[..31], 32),
                (&payload[31..32], 32),
                (&payload[32..33], 126),
                (&payload[33..126], 126),
                (&payload[126..127], 501),
                (&payload[127..501], 501),
                (&payload[501..502], 2_001),
                (&payload[502..2_000], 2_001),
            ],
        );
        // Exactly a quarter is enough for the whole.
        check_memory(&Limits::default(), &[(&frame(first, &[b'x'; 2_000])[..8 + 500], 2_000)]);
        check_memory(&Limits::default(), &[(&frame(first, &[b'x'; 2_000])[..8 + 499], 500)]);
    }
}

#[test]
fn memory_for_text_counts_a_character_that_is_cut() {
    // §10.4, §8.1: each piece ends inside one, which must not make the memory grow past the end.
    let whole = frame(0x81, "ü".repeat(1_001).as_bytes());
    let (header, payload) = whole.split_at(8);
    check_memory(
        &Limits::default(),
        &[(header, 0), (&payload[..1], 2), (&payload[1..501], 2_002), (&payload[501..2_001], 2_002)],
    );
}

/// More is reserved only when a second fragment follows.
#[test]
fn a_first_fragment_takes_no_more_memory_than_its_length() {
    // §10.4, §5.4: after a second one, how many more will come is unknown.
    for first in [0x01, 0x02] {
        check_memory(
            &Limits::default(),
            &[
                (&frame(first, b"0123456789"), 10),
                (&frame(0x00, b"abcd"), 28),
                (&frame(0x00, b"efghijklmnopqr"), 28),
                // Forty bytes in the last fragment, of which thirty have arrived.
                (&frame(0x80, &[b'x'; 40])[..36], 68),
            ],
        );
    }
}

#[test]
fn memory_for_a_fragment_counts_the_input_that_is_there_already() {
    // §10.4, §5.4: most of it will be of the same message; a header of six bytes is before each payload.
    for first in [0x01, 0x02] {
        check_memory(
            &Limits::default(),
            &[
                (&[frame(first, b"0123456789"), frame(0x00, b"abcdefghi")].concat(), 10 + 6 + 9),
                (&[frame(0x00, &[b'x'; 10]), frame(0x00, &[b'x'; 74])].concat(), 19 + 10 + 6 + 74),
                (&[frame(0x00, &[b'x'; 10]), frame(0x00, b"")].concat(), 2 * (103 + 10)),
            ],
        );
        // The limit holds here too, and the fourfold of what has arrived.
        let much = [frame(first, b"0123456789"), frame(0x00, &[b'x'; 21])].concat();
        check_memory(&messages_up_to(35), &[(&much, 35)]);
        let more = [frame(first, b"0123456789"), frame(0x00, &[b'x'; 30]), frame(0x00, b"")].concat();
        check_memory(&Limits::default(), &[(&more, 40)]);
    }
}

#[test]
fn memory_for_fragments_never_grows_past_the_limit() {
    // §10.4
    for first in [0x01, 0x02] {
        check_memory(
            &messages_up_to(100),
            &[
                (&frame(first, b"0123456789"), 10),
                (&frame(0x00, &[b'x'; 20]), 60),
                (&frame(0x00, &[b'x'; 31]), 100),
                (&frame(0x00, &[b'x'; 39]), 100),
            ],
        );
    }
}

#[test]
fn what_was_put_together_can_be_given_back_before_more_arrives() {
    // §10.4: for a caller that stops half-way through its input.
    let mut connection = Connection::new(&Limits::default());
    let held = |connection: &Connection| (connection.recv.buffered(), connection.recv.memory());
    let mut bytes = [frame(0x02, b"abc"), frame(0x80, b"def"), frame(0x81, b"next")].concat();
    let mut input = &mut bytes[..];
    let event = connection.recv.next_event(&mut input).unwrap();
    assert_eq!(event, Some(Event::Message(Message::Binary(b"abcdef"))));
    assert_eq!(held(&connection), (6, 12)); // four times "abc", for as much lay there
    connection.recv.release();
    assert_eq!(held(&connection), (0, 0));
    let event = connection.recv.next_event(&mut input).unwrap();
    assert_eq!(event, Some(Event::Message(Message::Text("next"))));
}

#[test]
fn only_a_message_that_was_put_together_can_be_taken() {
    // §5.6: cut at every byte. A message that is whole in the input is borrowed, so the receiver can't give
    // it away.
    let fragments = |first, start, rest| [frame(first, start), frame(0x89, b"?"), frame(0x80, rest)].concat();
    let before = fragments(0x01, b"H\xc3", b"\xa9llo");
    let whole = frame(0x82, b"whole");
    let behind = [fragments(0x02, b"abc", b"def"), frame(0x88, b"")].concat();
    let bytes = [&before[..], &whole, &behind].concat();
    let is_cut = |cut| cut > before.len() && cut < before.len() + whole.len();
    for cut in cuts(bytes.len()) {
        let mut receiver = Receiver::new(&Limits::default());
        let mut messages = Vec::new();
        for piece in [&bytes[..cut], &bytes[cut..]] {
            let mut piece = piece.to_vec();
            let mut input = &mut piece[..];
            while let Some(event) = receiver.next_event(&mut input).unwrap() {
                let message = match event {
                    Event::Message(message) => Some(OwnedMessage::from(message)),
                    _ => None,
                };
                let is_lent = message == Some(OwnedMessage::Binary(b"whole".to_vec())) && !is_cut(cut);
                assert_eq!(receiver.take_message(), message.clone().filter(|_| !is_lent), "cut at {cut}");
                assert_eq!(receiver.take_message(), None, "cut at {cut}: once only");
                messages.extend(message);
            }
            assert_eq!(receiver.take_message(), None, "cut at {cut}: all was received, or is not complete");
        }
        let [text, lent, binary] = &messages[..] else { panic!("cut at {cut}: {messages:?}") };
        assert_eq!(text.as_message(), Message::Text("Héllo"));
        assert_eq!(Message::from(lent), Message::Binary(b"whole"));
        assert_eq!(binary.as_ref(), b"abcdef");
    }
}

#[test]
fn nothing_is_given_back_of_a_message_that_is_not_complete() {
    // §5.4: here between two fragments, and after a ping there.
    let mut client = Client::new(&Limits::default());
    client.deliver(&frame(0x02, b"abc"));
    client.connection.recv.release();
    for byte in frame(0x89, b"?") {
        client.deliver(&[byte]);
    }
    client.connection.recv.release();
    assert_eq!(client.connection.recv.buffered(), 3);
    let last = frame(0x80, b"def");
    client.deliver(&last[..8]);
    client.connection.recv.release();
    client.deliver(&last[8..]);
    assert_eq!(client.record.seen, [ping(b"?"), binary(b"abcdef")]);
}

#[test]
fn frame_that_lies_whole_in_the_input_is_borrowed_from_there() {
    // §5.3: unmasked in place, without a copy, also where nothing follows it.
    for len in [1, 125, 126, 65_536] {
        let mut bytes = frame(0x82, &vec![b'x'; len]);
        let range = bytes.as_ptr_range();
        let mut connection = Connection::new(&Limits::default());
        let event = connection.recv.next_event(&mut &mut bytes[..]).unwrap();
        let Some(Event::Message(Message::Binary(payload))) = event else { panic!("{event:?}") };
        assert!(range.contains(&payload.as_ptr()), "{len}");
        assert_eq!(payload, vec![b'x'; len]);
    }
}

#[test]
fn close_throws_away_the_message_it_interrupts() {
    // §10.4, §5.5.1
    let mut client = Client::new(&Limits::default());
    client.deliver(&frame(0x02, b"abc"));
    client.deliver(&frame(0x88, b""));
    // At once, and not when more has come, for perhaps nothing will.
    assert_eq!((client.connection.recv.buffered(), client.connection.recv.memory()), (0, 0));
    client.deliver(b"more");
    assert_eq!(client.connection.recv.buffered(), 0);
}

#[test]
fn a_bad_close_in_pieces_discards_the_message_it_interrupts() {
    // §10.4, §5.5.1: a body of one byte, which shows only when it is complete.
    let mut client = Client::new(&Limits::default());
    client.deliver(&frame(0x02, b"abc"));
    for byte in frame(0x88, b"\x03") {
        client.deliver(&[byte]);
    }
    assert!(client.connection.recv.is_discarding());
    assert_eq!((client.connection.recv.buffered(), client.connection.recv.memory()), (0, 0));
}

/// A request head of `len` bytes, padded in its target.
fn head_of(len: usize) -> Vec<u8> {
    let (before, after) = ("GET /", " HTTP/1.1\r\nHost: a\r\n\r\n");
    [before, &"x".repeat(len - before.len() - after.len()), after].concat().into()
}

/// A request head with `count` header lines.
fn head_with(headers: usize) -> Vec<u8> {
    let lines: String = (0..headers).map(|number| format!("X-{number}: {number}\r\n")).collect();
    format!("GET / HTTP/1.1\r\n{lines}\r\n").into()
}

/// How many headers are read from the head, delivered whole and byte by byte.
fn read(head: &[u8], limits: &Limits) -> Result<Option<usize>, HandshakeError> {
    let mut whole = head.to_vec();
    let verdict = RequestReader::default()
        .next_request(&mut &mut whole[..], limits)
        .map(|request| request.map(|request| request.headers().count()));

    let mut reader = RequestReader::default();
    for byte in head {
        assert!(reader.buffered() <= limits.max_header_size);
        match reader.next_request(&mut &mut [*byte][..], limits) {
            Ok(None) => {}
            Ok(Some(request)) => {
                assert_eq!(Ok(Some(request.headers().count())), verdict);
                return verdict;
            }
            Err(error) => {
                assert_eq!(Err(error), verdict);
                return verdict;
            }
        }
    }
    assert_eq!(verdict, Ok(None));
    verdict
}

#[test]
fn head_of_exactly_the_limit_is_taken() {
    // §10.4
    for len in [60, 1_000, 16 * 1024] {
        assert_eq!(read(&head_of(len), &heads_up_to(len)), Ok(Some(1)), "{len}");
    }
    assert_eq!(read(&head_of(16 * 1024), &Limits::default()), Ok(Some(1)));
}

#[test]
fn head_of_one_byte_over_the_limit_is_refused() {
    // §10.4
    for len in [60, 1_000, 16 * 1024] {
        assert_eq!(read(&head_of(len + 1), &heads_up_to(len)), Err(HandshakeError::HeadTooBig), "{len}");
        // It needs no end for that.
        assert_eq!(read(&head_of(2 * len)[..=len], &heads_up_to(len)), Err(HandshakeError::HeadTooBig));
        assert_eq!(read(&head_of(2 * len)[..len], &heads_up_to(len)), Ok(None));
    }
    assert_eq!(read(&head_of(16 * 1024 + 1), &Limits::default()), Err(HandshakeError::HeadTooBig));
}

#[test]
fn request_line_of_8000_octets_passes() {
    // RFC 9112 §3
    let line = format!("GET /{} HTTP/1.1", "x".repeat(8_000 - 14));
    assert_eq!(line.len(), 8_000);
    assert_eq!(read(format!("{line}\r\nHost: a\r\n\r\n").as_bytes(), &Limits::default()), Ok(Some(1)));
}

#[test]
fn empty_lines_before_the_request_count_against_the_limit() {
    // §10.4: the wait for a request line has an end.
    assert_eq!(read(&b"\r\n".repeat(50), &heads_up_to(100)), Ok(None));
    assert_eq!(read(&b"\r\n".repeat(51), &heads_up_to(100)), Err(HandshakeError::HeadTooBig));
}

#[test]
fn headers_up_to_the_limit_are_taken() {
    // §10.4
    for max_headers in [0, 1, 7, 100] {
        let mut limits = Limits::default();
        limits.max_headers = max_headers;
        assert_eq!(read(&head_with(max_headers), &limits), Ok(Some(max_headers)));
        assert_eq!(read(&head_with(max_headers + 1), &limits), Err(HandshakeError::TooManyHeaders));
    }
    assert_eq!(read(&head_with(100), &Limits::default()), Ok(Some(100)));
    assert_eq!(read(&head_with(101), &Limits::default()), Err(HandshakeError::TooManyHeaders));
}

#[test]
fn one_header_too_many_is_noticed_at_the_end_of_its_line() {
    // §10.4
    let mut limits = Limits::default();
    limits.max_headers = 1;
    let head = b"GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\n";
    assert_eq!(read(&head[..head.len() - 1], &limits), Ok(None));
    assert_eq!(read(head, &limits), Err(HandshakeError::TooManyHeaders));
}

/// Far more than linear work takes anywhere, and far less than quadratic work would.
const DEADLINE: Duration = Duration::from_secs(30);

#[test]
fn head_that_drips_in_takes_linear_work() {
    // §10.4: a million bytes, one at a time. Looking at all earlier ones each time would take hours.
    let limits = heads_up_to(usize::MAX);
    let head = head_of(1_000_000);
    let (start, mut reader) = (Instant::now(), RequestReader::default());
    let mut is_complete = false;
    for byte in &head {
        is_complete = reader.next_request(&mut &mut [*byte][..], &limits).unwrap().is_some();
        assert!(start.elapsed() < DEADLINE);
    }
    assert!(is_complete);
}

#[test]
fn message_that_drips_in_takes_linear_work() {
    // §10.4: bytes of one frame, and fragments of one byte.
    let start = Instant::now();
    let payload = vec![b'x'; 300_000];
    let mut client = Client::new(&Limits::default());
    for byte in frame(0x81, &payload) {
        client.deliver(&[byte]);
        assert!(start.elapsed() < DEADLINE);
    }
    client.deliver(&frame(0x01, b""));
    for _ in &payload {
        client.deliver(&frame(0x00, b"x"));
        assert!(start.elapsed() < DEADLINE);
    }
    client.deliver(&frame(0x80, b""));
    let wanted = text(&"x".repeat(payload.len()));
    assert!(client.record.seen == [wanted.clone(), wanted]);
}
