//! §5.5.1 and §7: Close frames, what follows them, and the connection's state meanwhile.

use wirehook::protocol::{
    CloseCode, CloseFrame, Connection, ConnectionState, Event, Limits, Message, ProtocolError, SendError,
};

use crate::{
    Case, Client, Early, Seen, check, check_early, close, close_without_body, failed, frame, ping,
    sent_close, text,
};

#[test]
fn close_is_answered_with_its_code() {
    // §5.5.1: "the endpoint typically echos the status code it received".
    check(&[
        Case {
            name: "1000 without a reason",
            input: &[
                0x88, 0x82, // FIN, close; masked, 2 bytes
                0x37, 0xfa, 0x21, 0x3d, 0x34, 0x12, // key, 1000
            ],
            expect: &[close(1000, "")],
            sent: b"\x88\x02\x03\xe8",
        },
        Case {
            name: "1001 and a reason, which is not sent back",
            input: b"\x88\x85\0\0\0\0\x03\xe9bye",
            expect: &[close(1001, "bye")],
            sent: b"\x88\x02\x03\xe9",
        },
    ]);
    let reason = "tschüß";
    let payload = [&b"\x0f\xa0"[..], reason.as_bytes()].concat();
    check(&[Case {
        name: "a reason outside of ASCII",
        input: &frame(0x88, &payload),
        expect: &[close(4000, reason)],
        sent: b"\x88\x02\x0f\xa0",
    }]);
}

#[test]
fn close_without_a_body_is_answered_without_a_body() {
    // §5.5.1
    check(&[Case {
        name: "empty",
        input: b"\x88\x80\0\0\0\0",
        expect: &[close_without_body()],
        sent: b"\x88\x00",
    }]);
}

#[test]
fn close_body_of_one_byte_fails_the_connection() {
    // §5.5.1
    check(&[Case {
        name: "0x03",
        input: b"\x88\x81\0\0\0\0\x03",
        expect: &[failed(ProtocolError::CloseBodyOfOneByte)],
        sent: &sent_close(1002, "§5.5.1: close body of one byte"),
    }]);
}

#[test]
fn close_reason_that_is_not_utf8_fails_the_connection() {
    // §5.5.1, §8.1
    let refused = sent_close(1007, "§5.5.1: close reason is not UTF-8");
    let expect = &[failed(ProtocolError::CloseReasonNotUtf8)];
    check(&[
        Case { name: "0xff", input: b"\x88\x83\0\0\0\0\x03\xe8\xff", expect, sent: &refused },
        Case { name: "a surrogate", input: b"\x88\x85\0\0\0\0\x03\xe8\xed\xa0\x80", expect, sent: &refused },
        Case { name: "ends in a character", input: b"\x88\x84\0\0\0\0\x03\xe8a\xc3", expect, sent: &refused },
    ]);
}

#[test]
fn bad_close_body_is_noticed_before_it_is_complete() {
    // §7.4, §8.1
    check_early(
        &Limits::default(),
        &[
            Early {
                name: "the code: its second byte is the eighth of the frame",
                input: b"\x88\xfd\0\0\0\0\x03\xee........",
                noticed_after: 8,
                error: ProtocolError::ForbiddenCloseCode(1006),
            },
            Early {
                name: "the reason: its third byte",
                input: b"\x88\xfd\0\0\0\0\x03\xe8ab\xff......",
                noticed_after: 11,
                error: ProtocolError::CloseReasonNotUtf8,
            },
            Early {
                name: "the reason: a character that goes wrong at its third byte",
                input: b"\x88\xfd\0\0\0\0\x03\xe8\xe2\x82(......",
                noticed_after: 11,
                error: ProtocolError::CloseReasonNotUtf8,
            },
        ],
    );
}

#[test]
fn nothing_is_processed_after_close() {
    // §5.5.1: every case has a tail after it as well, which must be ignored.
    check(&[
        Case {
            name: "a text and a second close",
            input: b"\x88\x82\0\0\0\0\x03\xe8\x81\x82\0\0\0\0hi\x88\x80\0\0\0\0",
            expect: &[close(1000, "")],
            sent: b"\x88\x02\x03\xe8",
        },
        Case {
            name: "bytes that break every rule",
            input: b"\x88\x80\0\0\0\0\xff\xff\xff\xff",
            expect: &[close_without_body()],
            sent: b"\x88\x00",
        },
        Case {
            name: "what came before is processed",
            input: b"\x81\x82\0\0\0\0hi\x89\x80\0\0\0\0\x88\x80\0\0\0\0",
            expect: &[text("hi"), ping(b""), close_without_body()],
            sent: b"\x8a\x00\x88\x00",
        },
    ]);
}

#[test]
fn nothing_is_processed_after_a_failure() {
    // §7.1.7: "An endpoint MUST NOT continue to attempt to process data".
    check(&[Case {
        name: "an unmasked frame, then a good one and a close",
        input: b"\x81\x02hi\x81\x82\0\0\0\0hi\x88\x80\0\0\0\0",
        expect: &[failed(ProtocolError::UnmaskedFrame)],
        sent: &sent_close(1002, "§5.1: a client must mask its frames"),
    }]);
}

#[test]
fn failure_is_reported_once() {
    // §7.1.7
    let mut client = Client::new(&Limits::default());
    client.deliver(b"\x81\x02hi");
    let record_len = client.record.sent.len();
    client.deliver(b"\x81\x02hi");
    client.deliver(b"\xff\xff");
    assert_eq!(client.record.seen, [failed(ProtocolError::UnmaskedFrame)]);
    assert_eq!(client.record.sent.len(), record_len);
}

#[test]
fn every_failure_says_its_section_and_fits_into_a_close_frame() {
    // §7.4.1: which code answers what. §5.5: a reason has 123 bytes.
    use ProtocolError as E;
    for (error, code, section) in [
        (E::UnmaskedFrame, 1002, "§5.1"),
        (E::ReservedBits, 1002, "§5.2"),
        (E::ReservedOpCode(0xf), 1002, "§5.2"),
        (E::NonMinimalLength, 1002, "§5.2"),
        (E::LengthOver63Bits, 1002, "§5.2"),
        (E::NothingToContinue, 1002, "§5.4"),
        (E::MessageNotFinished, 1002, "§5.4"),
        (E::FragmentedControl, 1002, "§5.5"),
        (E::ControlTooLong, 1002, "§5.5"),
        (E::CloseBodyOfOneByte, 1002, "§5.5.1"),
        (E::CloseReasonNotUtf8, 1007, "§5.5.1"),
        (E::ForbiddenCloseCode(65_535), 1002, "§7.4"),
        (E::TextNotUtf8, 1007, "§8.1"),
        (E::MessageTooBig, 1009, "§10.4"),
    ] {
        assert_eq!(error.close_code(), CloseCode(code), "{error}");
        assert_eq!(error.section(), section);
        let reason = error.to_string();
        assert!(reason.starts_with(&format!("{section}: ")) && reason.len() <= 123, "{reason}");

        let mut connection = Connection::new(&Limits::default());
        let mut out = Vec::new();
        connection.send.fail(error, &mut out);
        assert_eq!(out, sent_close(code, &reason));
    }
}

#[test]
fn closing_by_the_peer_walks_from_open_to_closed() {
    // §7.1.3, §7.1.4
    let mut connection = Connection::new(&Limits::default());
    assert_eq!(connection.state(), ConnectionState::Open);

    let mut close = *b"\x88\x82\0\0\0\0\x03\xe8";
    let event = connection.recv.next_event(&mut &mut close[..]).unwrap().unwrap();
    let frame = CloseFrame { code: CloseCode::NORMAL, reason: "" };
    assert_eq!(event, Event::Close(Some(frame)));
    let mut out = Vec::new();
    connection.send.answer(&event, &mut out);
    assert_eq!(out, b"\x88\x02\x03\xe8");

    assert!(connection.recv.is_close_received() && !connection.recv.is_discarding());
    assert_eq!(connection.state(), ConnectionState::Closed { clean: true });
}

#[test]
fn close_that_is_not_answered_yet_leaves_the_connection_closing() {
    // §7.1.3
    let mut connection = Connection::new(&Limits::default());
    let mut close = *b"\x88\x80\0\0\0\0";
    assert_eq!(connection.recv.next_event(&mut &mut close[..]), Ok(Some(Event::Close(None))));
    assert_eq!(connection.state(), ConnectionState::Closing);
}

#[test]
fn closing_by_us_walks_from_open_to_closed() {
    // §7.1.2: after our Close the peer may still finish what it sends; its Close gets no second one.
    let mut client = Client::new(&Limits::default());
    let mut out = Vec::new();
    client.connection.send.close(CloseCode::GOING_AWAY, "bye", &mut out).unwrap();
    assert_eq!(out, b"\x88\x05\x03\xe9bye");
    assert_eq!(client.connection.state(), ConnectionState::Closing);

    client.deliver(b"\x81\x84\0\0\0\0last");
    assert_eq!(client.connection.state(), ConnectionState::Closing);
    client.deliver(b"\x88\x82\0\0\0\0\x03\xe9");
    assert_eq!(client.connection.state(), ConnectionState::Closed { clean: true });

    assert_eq!(client.record.seen, [text("last"), close(1001, "")]);
    assert_eq!(client.record.sent, [], "our Close was sent before");
}

#[test]
fn simultaneous_closes_with_different_codes_end_cleanly() {
    // §5.5.1: "If a client and server both send a Close message at the same time …".
    let mut client = Client::new(&Limits::default());
    client.connection.send.close(CloseCode::NORMAL, "", &mut Vec::new()).unwrap();
    client.deliver(b"\x88\x82\0\0\0\0\x0f\xa1");
    assert_eq!(client.record.seen, [close(4001, "")]);
    assert_eq!(client.record.sent, []);
    assert_eq!(client.connection.state(), ConnectionState::Closed { clean: true });
}

#[test]
fn failure_after_our_close_sends_nothing_more() {
    // §7.1.7, §5.5.1
    let mut client = Client::new(&Limits::default());
    client.connection.send.close(CloseCode::NORMAL, "", &mut Vec::new()).unwrap();
    client.deliver(b"\x81\x02hi");
    assert_eq!(client.record.seen, [failed(ProtocolError::UnmaskedFrame)]);
    assert_eq!(client.record.sent, []);
    assert_eq!(client.connection.state(), ConnectionState::Closed { clean: false });
}

#[test]
fn failure_is_closed_and_not_clean() {
    // §7.1.7
    let mut connection = Connection::new(&Limits::default());
    let mut unmasked = *b"\x81\x02hi";
    assert_eq!(connection.recv.next_event(&mut &mut unmasked[..]), Err(ProtocolError::UnmaskedFrame));
    assert!(connection.recv.is_discarding() && !connection.recv.is_close_received());
    assert_eq!(connection.state(), ConnectionState::Closed { clean: false });
}

#[test]
fn bad_close_frame_is_a_failure_and_no_close() {
    // §7.1.7: whole, and in two pieces, where the payload is put together first.
    for cut in [0, 3, 6] {
        let mut client = Client::new(&Limits::default());
        let input = b"\x88\x81\0\0\0\0\x03";
        client.deliver(&input[..cut]);
        client.deliver(&input[cut..]);
        assert_eq!(client.record.seen, [failed(ProtocolError::CloseBodyOfOneByte)]);
        assert!(client.connection.recv.is_discarding() && !client.connection.recv.is_close_received());
    }
}

#[test]
fn discarding_throws_all_input_away() {
    // §7.1.7: for a server that fails the connection for reasons of its own.
    let mut client = Client::new(&Limits::default());
    client.deliver(b"\x02\x85\0\0\0\0abc");
    assert_eq!(client.connection.recv.buffered(), 3);
    client.connection.recv.discard();
    assert_eq!(client.connection.recv.buffered(), 0);
    client.deliver(b"de\x81\x82\0\0\0\0hi\xff\xff");
    assert_eq!(client.record.seen, [] as [Seen; 0]);
    assert_eq!(client.connection.recv.buffered(), 0);
    assert_eq!(client.connection.state(), ConnectionState::Closed { clean: false });
}

#[test]
fn messages_are_refused_after_the_peers_close_is_answered() {
    // §5.5.1
    let mut client = Client::new(&Limits::default());
    client.deliver(b"\x88\x80\0\0\0\0");
    let mut out = Vec::new();
    assert_eq!(client.connection.send.message(Message::Text("?"), &mut out), Err(SendError::CloseSent));
    assert_eq!(out, []);
}

#[test]
fn close_frame_is_read_from_its_payload() {
    // §5.5.1
    let bye = CloseFrame { code: CloseCode(1000), reason: "bye" };
    for (payload, wanted) in [
        (&b""[..], Ok(None)),
        (b"\x03", Err(ProtocolError::CloseBodyOfOneByte)),
        (b"\x03\xe8", Ok(Some(CloseFrame { reason: "", ..bye }))),
        (b"\x03\xe8bye", Ok(Some(bye))),
        (b"\x03\xe8\xc3", Err(ProtocolError::CloseReasonNotUtf8)),
        (b"\x03\xed", Err(ProtocolError::ForbiddenCloseCode(1005))),
        // The code is judged first.
        (b"\x00\x00\xff", Err(ProtocolError::ForbiddenCloseCode(0))),
    ] {
        assert_eq!(CloseFrame::decode(payload), wanted, "{payload:?}");
    }
}
