//! §5.1 and §5.3 The client's side: frames without a mask are received, masked ones are sent.

use wirehook::protocol::{
    CloseCode, Connection, ConnectionState, Event, Limits, Message, ProtocolError, Receiver, SendError,
    Sender,
};

use crate::{Seen, binary, close, failed, ping, pong, single_bytes, text};

/// The masking key of the examples of §5.7.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What a client makes of `input`, delivered whole, byte by byte, and cut in two everywhere.
#[track_caller]
fn seen(input: &[u8]) -> Vec<Seen> {
    let whole = receive(&[input]);
    assert_eq!(receive(&single_bytes(input)), whole, "byte by byte");
    for cut in 1..input.len() {
        assert_eq!(receive(&[&input[..cut], &input[cut..]]), whole, "cut at {cut}");
    }
    whole
}

fn receive(pieces: &[&[u8]]) -> Vec<Seen> {
    let mut receiver = Receiver::client(&Limits::default());
    let mut seen = Vec::new();
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let mut input = &mut bytes[..];
        loop {
            match receiver.next_event(&mut input) {
                Ok(Some(event)) => seen.push(event.into()),
                Ok(None) => break,
                Err(error) => seen.push(failed(error)),
            }
        }
    }
    seen
}

/// A source of keys that all differ: 1, 2, 3, 4; 2, 3, 4, 5; and so on.
fn counting() -> impl FnMut() -> [u8; 4] {
    let mut next = 0;
    move || {
        next += 1;
        [next, next + 1, next + 2, next + 3]
    }
}

#[test]
fn unmasked_frames_of_a_server_are_received() {
    // §5.7, each example that is unmasked there.
    assert_eq!(seen(b"\x81\x05Hello"), [text("Hello")]);
    assert_eq!(seen(b"\x01\x03Hel\x80\x02lo"), [text("Hello")]);
    assert_eq!(seen(b"\x89\x05Hello"), [ping(b"Hello")]);
    assert_eq!(seen(&[&b"\x82\x7e\x01\x00"[..], &[7; 256]].concat()), [binary(&[7; 256])]);
    assert_eq!(seen(b"\x02\x01a\x8a\x01?\x80\x01b"), [pong(b"?"), binary(b"ab")]);
    assert_eq!(seen(b"\x81\x00\x88\x05\x03\xe8bye\x81\x01x"), [text(""), close(1000, "bye")]);
}

#[test]
fn a_masked_frame_fails_the_clients_connection() {
    let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(seen(&masked), [failed(ProtocolError::MaskedFrame)]);
    assert_eq!(seen(b"\x81\x02hi\x89\x80\0\0\0\0"), [text("hi"), failed(ProtocolError::MaskedFrame)]);
    let error = ProtocolError::MaskedFrame;
    assert_eq!((error.section(), error.close_code()), ("§5.1", CloseCode::PROTOCOL_ERROR));
}

#[test]
fn a_client_holds_a_server_to_the_other_rules_too() {
    assert_eq!(seen(b"\xc1\x00"), [failed(ProtocolError::ReservedBits)]);
    assert_eq!(seen(b"\x83\x00"), [failed(ProtocolError::ReservedOpCode(3))]);
    assert_eq!(seen(b"\x80\x00"), [failed(ProtocolError::NothingToContinue)]);
    assert_eq!(seen(b"\x01\x00\x81\x00"), [failed(ProtocolError::MessageNotFinished)]);
    assert_eq!(seen(b"\x81\x01\xff"), [failed(ProtocolError::TextNotUtf8)]);
    assert_eq!(seen(b"\x88\x02\x03\xee"), [failed(ProtocolError::ForbiddenCloseCode(1006))]);
    assert_eq!(seen(b"\x82\x7f\0\0\0\0\0\x10\0\x01"), [failed(ProtocolError::MessageTooBig)]);
}

#[test]
fn every_frame_of_a_client_is_masked() {
    let mut out = Vec::new();
    let mut sender = Sender::client(|| KEY);
    sender.message(Message::Text("Hello"), &mut out).unwrap();
    assert_eq!(out, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);

    out.clear();
    sender.pong(b"Hello", &mut out).unwrap();
    assert_eq!(out, [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);

    out.clear();
    sender.message(Message::Binary(&[0; 256]), &mut out).unwrap();
    assert_eq!(out[..8], [0x82, 0xfe, 0x01, 0x00, 0x37, 0xfa, 0x21, 0x3d]);
    assert_eq!(out[8..], KEY.repeat(64));

    out.clear();
    sender.answer(&Event::Close(None), &mut out);
    assert_eq!(out, [0x88, 0x80, 0x37, 0xfa, 0x21, 0x3d]);
}

#[test]
fn each_frame_has_a_key_of_its_own() {
    let mut out = Vec::new();
    let mut sender = Sender::client(counting());
    sender.fragments(Message::Binary(&[0; 5]), 3, &mut out).unwrap();
    sender.ping(&[0], &mut out).unwrap();
    sender.close(CloseCode(4000), "", &mut out).unwrap();
    let wanted = [
        &[0x02, 0x83, 1, 2, 3, 4, 1, 2, 3][..],
        &[0x80, 0x82, 2, 3, 4, 5, 2, 3],
        &[0x89, 0x81, 3, 4, 5, 6, 3],
        &[0x88, 0x82, 4, 5, 6, 7, 4 ^ 0x0f, 5 ^ 0xa0],
    ];
    assert_eq!(out, wanted.concat());
}

#[test]
fn a_client_may_close_with_1010() {
    let mut out = Vec::new();
    assert_eq!(Sender::client(|| [0; 4]).close(CloseCode::MANDATORY_EXTENSION, "", &mut out), Ok(()));
    assert_eq!(out, b"\x88\x82\0\0\0\0\x03\xf2");
    for code in [999, 1004, 1006, 1015, 5000] {
        let refused = Sender::client(|| [0; 4]).close(CloseCode(code), "", &mut out);
        assert_eq!(refused, Err(SendError::ForbiddenCloseCode), "{code}");
    }
    assert_eq!(out.len(), 8);
}

#[test]
fn nothing_is_sent_after_the_clients_close() {
    let mut connection = Connection::client(&Limits::default(), || KEY);
    let mut out = Vec::new();
    assert_eq!(connection.state(), ConnectionState::Open);
    connection.send.close(CloseCode::NORMAL, "", &mut out).unwrap();
    assert_eq!(connection.state(), ConnectionState::Closing);
    let len = out.len();
    assert_eq!(connection.send.message(Message::Text("?"), &mut out), Err(SendError::CloseSent));
    connection.send.answer(&Event::Ping(b"?"), &mut out);
    assert_eq!(out.len(), len);

    let mut close = *b"\x88\x02\x03\xe8";
    assert!(matches!(connection.recv.next_event(&mut &mut close[..]), Ok(Some(Event::Close(_)))));
    assert_eq!(connection.state(), ConnectionState::Closed { clean: true });
}

#[test]
fn a_failed_client_sends_its_reason() {
    let mut connection = Connection::client(&Limits::default(), || [0; 4]);
    let mut out = Vec::new();
    let mut masked = *b"\x81\x80\0\0\0\0";
    let error = connection.recv.next_event(&mut &mut masked[..]).unwrap_err();
    connection.send.fail(error, &mut out);
    assert_eq!(out[..8], *b"\x88\xaa\0\0\0\0\x03\xea");
    assert_eq!(out[8..], *"§5.1: a server must not mask its frames".as_bytes());
    assert_eq!(connection.state(), ConnectionState::Closed { clean: false });
}

#[test]
fn client_and_server_understand_each_other() {
    let mut client = Connection::client(&Limits::default(), counting());
    let mut server = Connection::new(&Limits::default());
    for len in [0, 1, 125, 126, 1000, 65_535, 65_536] {
        let payload: Vec<u8> = (0..len).map(|it| it as u8).collect();
        let mut there = Vec::new();
        client.send.message(Message::Binary(&payload), &mut there).unwrap();
        let mut back = Vec::new();
        let mut input = &mut there[..];
        let event = server.recv.next_event(&mut input).unwrap().unwrap();
        assert_eq!(event, Event::Message(Message::Binary(&payload)), "{len} bytes");
        server.send.message(Message::Binary(&payload), &mut back).unwrap();
        let mut input = &mut back[..];
        let event = client.recv.next_event(&mut input).unwrap().unwrap();
        assert_eq!(event, Event::Message(Message::Binary(&payload)), "{len} bytes");
    }
}
