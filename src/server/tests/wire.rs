//! The RFC's rules on the wire: from a client's bytes to the server's, and to the end of TCP.
//!
//! The rows of `docs/rfc6455.md` name these tests for rules that only the whole server can obey.

use super::*;
use crate::protocol::ProtocolError as E;

/// Bytes that break a rule, the code of the Close in answer, and the rule.
const BROKEN: [(&[u8], u16, E); 17] = [
    (b"\x81\x02hi", 1002, E::UnmaskedFrame),
    (b"\xc1\x80\0\0\0\0", 1002, E::ReservedBits),
    (b"\xa1\x80\0\0\0\0", 1002, E::ReservedBits),
    (b"\x91\x80\0\0\0\0", 1002, E::ReservedBits),
    (b"\x83\x80\0\0\0\0", 1002, E::ReservedOpCode(3)),
    (b"\x8b\x80\0\0\0\0", 1002, E::ReservedOpCode(0xb)),
    (b"\x81\xfe\0\x05\0\0\0\0hello", 1002, E::NonMinimalLength),
    (b"\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 1002, E::LengthOver63Bits),
    (b"\x80\x80\0\0\0\0", 1002, E::NothingToContinue),
    (b"\x01\x80\0\0\0\0\x81\x80\0\0\0\0", 1002, E::MessageNotFinished),
    (b"\x09\x80\0\0\0\0", 1002, E::FragmentedControl),
    (b"\x89\xfe\0\x7e\0\0\0\0", 1002, E::ControlTooLong),
    (b"\x88\x81\0\0\0\0\x03", 1002, E::CloseBodyOfOneByte),
    (b"\x88\x83\0\0\0\0\x03\xe8\xff", 1007, E::CloseReasonNotUtf8),
    (b"\x88\x82\0\0\0\0\x03\xed", 1002, E::ForbiddenCloseCode(1005)),
    (b"\x81\x83\0\0\0\0a\xffb", 1007, E::TextNotUtf8),
    (b"\x82\xff\0\0\0\0\0\x10\0\x01\0\0\0\0", 1009, E::MessageTooBig),
];

/// Returns a whole Close of the server.
fn close(code: u16, reason: &str) -> Vec<u8> {
    server_frame(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

#[test]
fn every_broken_rule_ends_with_a_close_and_the_end_of_tcp() {
    // §7.1.7; §5.1: "The server MUST close the connection upon receiving a frame that is not masked."
    for (bytes, code, error) in BROKEN {
        let mut world = World::new(|_| {});
        let client = world.open();
        world.send(&client, &[&frame(0x81, b"good"), bytes, &frame(0x81, b"more")].concat());
        let answer = [server_text(b"good"), close(code, &error.to_string())].concat();
        assert_eq!(client.script.take_written(), answer, "{error}");
        assert!(client.script.is_write_closed(), "{error}: the server closes TCP from its side");
        let [(_, cause, clean)] = world.endings()[..] else { panic!("{error}: it has ended once") };
        assert_eq!((cause, clean), (Cause::Protocol(error), false));
        world.half_close(&client);
        assert!(client.script.is_dropped(), "{error}: the socket is closed");
        world.finish();
    }
}

#[test]
fn a_failed_connection_is_not_processed_any_more() {
    // §7.1.7: "MUST NOT continue to attempt to process data (including a responding Close frame)".
    for failure in ["a broken rule", "a panic", "silence"] {
        let mut world = World::new(|_| {});
        let client = world.open();
        match failure {
            "a broken rule" => world.send(&client, b"\x81\x02hi"),
            "a panic" => {
                world.recorder.panics_in.set(Some("on_message"));
                world.send(&client, &frame(0x81, b"first").repeat(2));
            }
            _ => {
                // A ping after 20 s, and no answer for 20 s more.
                world.advance(20_000);
                world.advance(20_000);
            }
        }
        let received = world.message_count();
        let before = client.script.take_written();
        assert!((0..before.len()).any(|at| before[at] == 0x88), "{failure}: a Close was sent");
        let frames = [frame(0x81, b"more"), frame(0x89, b"?"), frame(0x88, &[3, 232])];
        world.send(&client, &frames.concat());
        assert_eq!(client.script.take_written(), b"", "{failure}");
        assert_eq!((world.message_count(), world.recorder.pings.get()), (received, 0), "{failure}");
        assert!(received <= 1, "{failure}: nothing of the same batch either");
        let [(_, _, clean)] = world.endings()[..] else { panic!("{failure}: it has ended once") };
        assert!(!clean, "{failure}: no Close in return counts");
        world.finish();
    }
}

#[test]
fn frames_after_a_request_are_served_after_its_answer() {
    // §4.2.2: the connection is open only after the answer.
    let mut world = World::new(|_| {});
    let client = world.connect();
    world.send(&client, &[REQUEST, &frame(0x89, b"?"), &frame(0x81, b"x")].concat());
    assert_eq!(
        client.script.take_written(),
        [ANSWER, &server_frame(0x8a, b"?"), &server_text(b"x")].concat()
    );
    world.finish();
}

#[test]
fn messages_of_every_length_leave_as_one_frame() {
    // §6.1, §5.2
    for len in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        for first in [0x81, 0x82] {
            let mut world = World::new(|_| {});
            let client = world.open();
            let payload = vec![b'x'; len];
            world.send(&client, &frame(first, &payload));
            assert!(client.script.take_written() == server_frame(first, &payload), "{len} bytes, {first:#x}");
            world.finish();
        }
    }
}

#[test]
fn a_hooks_close_has_no_code_that_must_not_be_sent() {
    // §7.4.1: 1005, 1006 and 1015 "MUST NOT be set as a status code in a Close control frame".
    let own = |code| close(code, "why");
    for (code, answer) in [
        (1000, own(1000)),
        (1003, own(1003)),
        (4999, own(4999)),
        (999, own(1011)),
        (1004, own(1011)),
        (1005, server_frame(0x88, b"")),
        (1006, own(1011)),
        (1015, own(1011)),
        (2999, own(1011)),
        (5000, own(1011)),
    ] {
        let mut world = World::new(|_| {});
        let client = world.open();
        world.on_message(move |ws, _| ws.close(CloseCode(code), "why"));
        world.send(&client, &frame(0x81, b"x"));
        assert_eq!(client.script.take_written(), answer, "{code}");
        world.finish();
    }
}

#[test]
fn terminate_drops_the_socket_without_a_word() {
    // §7.1.1: "An endpoint MAY close the connection via any means available when necessary".
    let mut world = World::new(|_| {});
    let client = world.open();
    world.on_message(|ws, _| ws.terminate());
    world.send(&client, &frame(0x81, b"x").repeat(2));
    assert_eq!((client.script.take_written(), world.message_count()), (vec![], 1));
    assert!(client.script.is_dropped());
    world.finish();
}

#[test]
fn an_unsolicited_pong_is_not_answered() {
    // §5.5.3: "A response to an unsolicited Pong frame is not expected."
    let mut world = World::new(|_| {});
    let client = world.open();
    world.send(&client, &[frame(0x8a, b""), frame(0x8a, b"here I am"), frame(0x81, b"x")].concat());
    assert_eq!(client.script.take_written(), server_text(b"x"));
    world.finish();
}

#[test]
fn a_ping_is_answered_with_its_payload_at_once() {
    // §5.5.2, §6.2: alone, before and after others, between fragments, cut in two.
    for (pieces, answer) in [
        (vec![frame(0x89, b"")], server_frame(0x8a, b"")),
        (vec![frame(0x89, &[7; 125])], server_frame(0x8a, &[7; 125])),
        (
            vec![[frame(0x89, b"a"), frame(0x89, b"b")].concat()],
            [server_frame(0x8a, b"a"), server_frame(0x8a, b"b")].concat(),
        ),
        (vec![[frame(0x01, b"x"), frame(0x89, b"a")].concat()], server_frame(0x8a, b"a")),
        (
            vec![frame(0x89, b"cut")[..7].to_vec(), frame(0x89, b"cut")[7..].to_vec()],
            server_frame(0x8a, b"cut"),
        ),
    ] {
        let mut world = World::new(|_| {});
        let client = world.open();
        for piece in &pieces {
            assert_eq!(client.script.take_written(), b"", "not before it is whole");
            world.send(&client, piece);
        }
        assert_eq!(client.script.take_written(), answer, "{pieces:?}");
        world.finish();
    }
}

#[test]
fn after_both_closes_the_server_ends_tcp_at_once() {
    // §5.5.1: "The server MUST close the underlying TCP connection immediately".
    let mut world = World::new(|_| {});
    let client = world.open();
    world.send(&client, &frame(0x88, &[3, 232]));
    assert_eq!(client.script.take_written(), close(1000, ""));
    assert!(client.script.is_write_closed() && !client.script.is_dropped());
    world.half_close(&client);
    assert!(client.script.is_dropped(), "the client's side has ended too");

    // The server begins.
    let client = world.open();
    world.on_message(|ws, _| ws.close(CloseCode(4000), "enough"));
    world.send(&client, &frame(0x81, b"x"));
    assert_eq!(client.script.take_written(), close(4000, "enough"));
    assert!(!client.script.is_write_closed(), "the client owes a Close");
    world.send(&client, &frame(0x88, &[3, 232]));
    assert_eq!(client.script.take_written(), b"", "no second Close");
    assert!(client.script.is_write_closed());
    world.half_close(&client);
    assert!(client.script.is_dropped());
    world.finish();
}

#[test]
fn a_message_may_go_to_any_connection_from_open_to_close() {
    // §5.1: "at any time after opening handshake completion and before that endpoint has sent a Close frame".
    let mut world = World::new(|_| {});
    *world.recorder.greeting.borrow_mut() = b"welcome".to_vec();
    let (client, other) = (world.connect(), world.connect());
    world.send(&other, REQUEST);
    assert_eq!(other.script.take_written(), [ANSWER, &server_frame(0x82, b"welcome")].concat());
    world.send(&client, REQUEST);
    client.script.take_written();
    let to = world.recorder.opened.borrow()[0];
    world.on_message(move |ws, message| {
        ws.push(to, message);
    });
    world.send(&client, &frame(0x81, b"for you"));
    assert_eq!(
        (client.script.take_written(), other.script.take_written()),
        (vec![], server_text(b"for you"))
    );
    world.send(&other, &frame(0x88, &[3, 232]));
    assert_eq!(other.script.take_written(), close(1000, ""));
    world.send(&client, &frame(0x81, b"too late"));
    assert_eq!((client.script.take_written(), other.script.take_written()), (vec![], vec![]));
    world.finish();
}

#[test]
fn after_a_close_only_earlier_data_leaves() {
    // §5.5.1: "MUST NOT send any more data frames after sending a Close frame", from any sender.
    let mut world = World::new(|_| {});
    let (client, other) = (world.open(), world.open());
    world.on_message(|ws, message| {
        if message.as_bytes() == b"close" {
            ws.send("before");
            ws.close(CloseCode::NORMAL, "");
            let own = ws.id();
            ws.send("after");
            ws.push(own, "after");
            ws.push(own, "after");
        }
        ws.broadcast("to all");
    });
    world.send(&client, &frame(0x81, b"close"));
    assert_eq!(client.script.take_written(), [server_text(b"before"), close(1000, "")].concat());
    world.send(&other, &frame(0x81, b"x"));
    assert_eq!(client.script.take_written(), b"");
    assert_eq!(other.script.take_written(), server_text(b"to all").repeat(2));
    world.finish();
}

#[test]
fn queued_data_leaves_before_a_close() {
    // §5.5.1: "An endpoint MAY delay sending a Close frame until its current message is sent".
    for is_by_hook in [true, false] {
        let mut world = World::new(|_| {});
        let client = world.open();
        client.script.set_full(true);
        world.send(&client, &frame(0x82, &[1; 5000]));
        if is_by_hook {
            world.on_message(|ws, _| ws.close(CloseCode::NORMAL, ""));
            world.send(&client, &frame(0x81, b"x"));
        } else {
            world.send(&client, &frame(0x88, &[3, 232]));
        }
        let all = [server_frame(0x82, &[1; 5000]), close(1000, "")].concat();
        assert_eq!(world.read(&client, 3000), all[..3000]);
        assert!(!client.script.is_write_closed());
        assert_eq!(world.read_all(&client), all[3000..]);
        assert_eq!(client.script.is_write_closed(), !is_by_hook);
        world.finish();
    }
}

#[test]
fn a_refused_request_is_answered_and_tcp_ends() {
    // §4.2.1: "MUST stop processing the client's handshake and return an HTTP response".
    let text = std::str::from_utf8(REQUEST).unwrap();
    for (request, status) in [
        (text.replace("Upgrade: websocket\r\n", ""), "426"),
        (text.replace("Connection: Upgrade\r\n", ""), "400"),
        (text.replace("Version: 13", "Version: 8"), "426"),
        (text.replace("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), "400"),
        (text.replace("\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n"), "403"),
        ("\x16\x03\x01\x02".to_owned(), "400"),
    ] {
        let mut world = World::new(|config| config.origins = vec!["https://good.example".to_owned()]);
        let client = world.connect();
        world.send(&client, &[request.as_bytes(), &frame(0x81, b"x")].concat());
        let answer = String::from_utf8(client.script.take_written()).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}\n{answer}");
        assert!(client.script.is_write_closed(), "{request}");
        assert_eq!(world.message_count(), 0);
        world.finish();
    }
}

#[test]
fn bytes_after_the_end_are_discarded() {
    // §7.1.1: "discarding any trailing bytes that may have been received".
    let mut world = World::new(|_| {});
    let client = world.open();
    world.send(&client, &frame(0x88, &[3, 232]));
    client.script.take_written();
    for _ in 0..3 {
        world.send(&client, &[0xff; 10_000]);
        assert!(!client.script.is_unread(), "it is read, for unread input would reset the connection");
        assert!(!client.script.is_dropped());
    }
    assert_eq!((client.script.take_written(), world.message_count()), (vec![], 0));
    world.half_close(&client);
    assert!(client.script.is_dropped());
    world.finish();
}
