//! §5 and §7 What a server sends: shortest lengths, one frame a message, and nothing after Close.

use wirehook::protocol::{
    CloseCode, CloseFrame, Event, FrameHeader, MAX_CLOSE_REASON, MAX_CONTROL_PAYLOAD, Message, OpCode,
    Prepared, ProtocolError, SendError, Sender,
};

use crate::sent_close;

#[test]
fn length_is_sent_in_its_shortest_form() {
    // §5.2: "the minimal number of bytes MUST be used to encode the length".
    let payload = vec![b'x'; 65_536];
    for (len, header) in [
        (0, &[0x82, 0x00][..]),
        (1, &[0x82, 0x01]),
        (125, &[0x82, 0x7d]),
        (126, &[0x82, 0x7e, 0x00, 0x7e]),
        (127, &[0x82, 0x7e, 0x00, 0x7f]),
        (65_535, &[0x82, 0x7e, 0xff, 0xff]),
        (65_536, &[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let payload = &payload[..len];
        let mut out = Vec::new();
        Sender::default().message(Message::Binary(payload), &mut out).unwrap();
        assert_eq!(out, [header, payload].concat(), "{len}");

        let framing = Sender::default().framing().unwrap();
        let mut out = Vec::new();
        framing.message_header(Message::Binary(payload), &mut out);
        assert_eq!(out, header, "{len}");
        assert_eq!(framing.message_len(Message::Binary(payload)), header.len() + len);
        let prepared = Prepared::new(Message::Binary(payload));
        assert_eq!(prepared.frame(framing), [header, payload].concat(), "{len}");
        assert_eq!((prepared.payload(), prepared.opcode()), (payload, OpCode::Binary));
    }
}

#[test]
fn longest_length_has_63_bits() {
    // §5.2
    let mut out = Vec::new();
    FrameHeader::server(OpCode::Binary, i64::MAX as u64).encode(&mut out);
    assert_eq!(out, [0x82, 0x7f, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
}

#[test]
fn each_kind_of_message_has_its_opcode() {
    // §5.6
    let mut sender = Sender::default();
    let mut out = Vec::new();
    sender.message(Message::Text("ü"), &mut out).unwrap();
    sender.message(Message::Binary(b"\xff"), &mut out).unwrap();
    sender.message("".into(), &mut out).unwrap();
    assert_eq!(out, b"\x81\x02\xc3\xbc\x82\x01\xff\x81\x00");

    // The same from the framing, which the server writes its messages with.
    let (framing, mut framed) = (sender.framing().unwrap(), Vec::new());
    framing.message(Message::Text("ü"), &mut framed);
    framing.message(Message::Binary(b"\xff"), &mut framed);
    framing.message("".into(), &mut framed);
    assert_eq!(framed, out);
}

#[test]
fn message_knows_its_kind_and_its_payload() {
    // §5.6
    for (message, opcode, payload, text) in [
        (Message::from("grüße"), OpCode::Text, "grüße".as_bytes(), Some("grüße")),
        (Message::from(&String::from("hi")), OpCode::Text, b"hi", Some("hi")),
        (Message::from(""), OpCode::Text, b"", Some("")),
        (Message::from(&b"hi"[..]), OpCode::Binary, b"hi", None),
        (Message::from(b"\xff\xfe"), OpCode::Binary, b"\xff\xfe", None),
        (Message::from(&vec![0, 1, 2]), OpCode::Binary, &[0, 1, 2], None),
        (Message::from(&[]), OpCode::Binary, b"", None),
    ] {
        assert_eq!((message.opcode(), message.as_bytes(), message.as_text()), (opcode, payload, text));
        assert_eq!((message.len(), message.is_empty()), (payload.len(), payload.is_empty()), "{message:?}");
    }
}

#[test]
fn frames_are_appended() {
    // §5: the writer of the buffer decides when.
    let mut sender = Sender::default();
    let mut out = b"before".to_vec();
    sender.ping(b"", &mut out).unwrap();
    sender.pong(b"p", &mut out).unwrap();
    sender.answer(&Event::Ping(b"q"), &mut out);
    sender.close(CloseCode::NORMAL, "", &mut out).unwrap();
    assert_eq!(out, b"before\x89\x00\x8a\x01p\x8a\x01q\x88\x02\x03\xe8");
}

#[test]
fn nothing_is_sent_after_close() {
    // §5.5.1
    let mut sender = Sender::default();
    assert!(!sender.is_close_sent());
    sender.close(CloseCode::NORMAL, "", &mut Vec::new()).unwrap();
    assert!(sender.is_close_sent());

    let mut out = Vec::new();
    let refused = Err(SendError::CloseSent);
    assert_eq!(sender.message(Message::Text("hi"), &mut out), refused);
    assert_eq!(sender.message(Message::Binary(b""), &mut out), refused);
    assert_eq!(sender.framing(), None);
    assert_eq!(sender.close(CloseCode::NORMAL, "", &mut out), refused);
    assert_eq!(sender.close(CloseCode::NO_STATUS_RECEIVED, "", &mut out), refused);
    sender.answer(&Event::Close(None), &mut out);
    sender.answer(&Event::Close(Some(CloseFrame { code: CloseCode::NORMAL, reason: "" })), &mut out);
    sender.fail(ProtocolError::UnmaskedFrame, &mut out);
    assert_eq!(out, []);
}

#[test]
fn pings_and_pongs_end_with_close_too() {
    // §5.5.1 forbids only data frames here; that nothing at all follows a Close is this server's choice.
    let mut sender = Sender::default();
    sender.close(CloseCode::NORMAL, "", &mut Vec::new()).unwrap();
    let mut out = Vec::new();
    assert_eq!(sender.ping(b"", &mut out), Err(SendError::CloseSent));
    assert_eq!(sender.pong(b"", &mut out), Err(SendError::CloseSent));
    sender.answer(&Event::Ping(b"?"), &mut out);
    assert_eq!(out, []);
}

#[test]
fn failing_is_closing() {
    // §7.1.7
    let mut sender = Sender::default();
    let mut out = Vec::new();
    sender.fail(ProtocolError::ReservedOpCode(0xb), &mut out);
    assert_eq!(out, sent_close(1002, "§5.2: opcode 0xb is reserved"));
    assert!(sender.is_close_sent());
}

#[test]
fn only_pings_and_closes_are_answered() {
    // §5.5.2, §5.5.3
    let mut sender = Sender::default();
    let mut out = Vec::new();
    sender.answer(&Event::Message(Message::Text("hi")), &mut out);
    sender.answer(&Event::Pong(b"hi"), &mut out);
    assert_eq!(out, []);
    sender.answer(&Event::Ping(b"hi"), &mut out);
    assert_eq!(out, b"\x8a\x02hi");
    out.clear();
    sender.answer(&Event::Close(Some(CloseFrame { code: CloseCode(3000), reason: "not echoed" })), &mut out);
    assert_eq!(out, b"\x88\x02\x0b\xb8");
}

#[test]
fn ping_and_pong_take_125_bytes_and_no_more() {
    // §5.5
    assert_eq!(MAX_CONTROL_PAYLOAD, 125);
    let payload = [b'x'; 126];
    let mut sender = Sender::default();
    let mut out = Vec::new();
    sender.ping(&payload[..125], &mut out).unwrap();
    sender.pong(&payload[..125], &mut out).unwrap();
    assert_eq!(out, [b"\x89\x7d", &payload[..125], b"\x8a\x7d", &payload[..125]].concat());

    let mut out = Vec::new();
    assert_eq!(sender.ping(&payload, &mut out), Err(SendError::ControlTooLong));
    assert_eq!(sender.pong(&payload, &mut out), Err(SendError::ControlTooLong));
    assert_eq!(out, [], "nothing is cut off, nothing is sent");
}

#[test]
fn long_reason_is_cut_to_what_a_close_frame_holds() {
    // §5.5: 125 bytes, two of them for the code.
    assert_eq!(MAX_CLOSE_REASON, 123);
    for (reason_len, sent_len) in [(0, 0), (122, 122), (123, 123), (124, 123), (1_000, 123)] {
        let mut out = Vec::new();
        Sender::default().close(CloseCode::NORMAL, &"x".repeat(reason_len), &mut out).unwrap();
        assert_eq!(out, sent_close(1000, &"x".repeat(sent_len)));
    }
}

#[test]
fn long_reason_is_cut_between_characters() {
    // §5.5.1: the rest must be UTF-8.
    for (character, sent) in [("ü", 61), ("€", 41), ("\u{1F600}", 30)] {
        for shift in ["", "a", "ab", "abc"] {
            let reason = format!("{shift}{}", character.repeat(100));
            let mut out = Vec::new();
            Sender::default().close(CloseCode::NORMAL, &reason, &mut out).unwrap();
            let fits = (123 - shift.len()) / character.len();
            assert!(!shift.is_empty() || fits == sent);
            assert_eq!(out, sent_close(1000, &format!("{shift}{}", character.repeat(fits))));
        }
    }
}

#[test]
fn refused_close_leaves_the_connection_open() {
    // §7.4
    let mut sender = Sender::default();
    let mut out = Vec::new();
    assert_eq!(sender.close(CloseCode::ABNORMAL, "", &mut out), Err(SendError::ForbiddenCloseCode));
    sender.message(Message::Text("hi"), &mut out).unwrap();
    sender.close(CloseCode::GOING_AWAY, "bye", &mut out).unwrap();
    assert_eq!(out, b"\x81\x02hi\x88\x05\x03\xe9bye");
}

#[test]
fn errors_name_their_sections() {
    // §5.5.1, §5.5, §7.4
    for (error, section) in [
        (SendError::CloseSent, "§5.5.1: "),
        (SendError::ControlTooLong, "§5.5: "),
        (SendError::ForbiddenCloseCode, "§7.4: "),
    ] {
        assert!(error.to_string().starts_with(section), "{error}");
    }
}

/// The first frame has the opcode, the last one has FIN.
#[test]
fn fragments_of_a_message_are_encoded_as_one_message() {
    // §5.4: "an unfragmented message consists of a single frame with the FIN bit set"; a fragmented one
    // begins with FIN clear and an opcode, and ends with FIN set and an opcode of 0.
    let mut sender = Sender::default();
    for (fragment_len, frames) in [
        (2, &b"\x01\x02He\x00\x02ll\x80\x01o"[..]),
        (3, b"\x01\x03Hel\x80\x02lo"),
        (4, b"\x01\x04Hell\x80\x01o"),
        (5, b"\x81\x05Hello"),
        (usize::MAX, b"\x81\x05Hello"),
        (0, b"\x01\x01H\x00\x01e\x00\x01l\x00\x01l\x80\x01o"),
    ] {
        let mut out = Vec::new();
        sender.fragments(Message::Text("Hello"), fragment_len, &mut out).unwrap();
        assert_eq!(out, frames, "in fragments of {fragment_len}");
    }
    let mut out = Vec::new();
    sender.fragments(Message::Binary(&[]), 0, &mut out).unwrap();
    assert_eq!(out, [0x82, 0], "an empty message is one frame");
}

#[test]
fn no_fragment_is_sent_after_close() {
    // §5.5.1
    let mut sender = Sender::default();
    let mut out = Vec::new();
    sender.close(CloseCode::NORMAL, "", &mut out).unwrap();
    let before = out.clone();
    assert_eq!(sender.fragments(Message::Text("Hello"), 1, &mut out), Err(SendError::CloseSent));
    assert_eq!(out, before);
}
