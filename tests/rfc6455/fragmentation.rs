//! §5.4 Fragmentation: what may be cut, what may come in between, and what may not.

use wirehook::protocol::{Limits, ProtocolError};

use crate::{
    Case, Client, Early, binary, check, check_early, close, failed, frame, header, ping, pong, sent_close,
    text,
};

#[test]
fn fragments_become_one_message() {
    // §5.4
    check(&[
        Case {
            name: "the fragmented text of §5.7, masked",
            input: &[
                0x01, 0x83, // text, not final; masked, 3 bytes
                0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, // key, "Hel"
                0x80, 0x82, // continuation, final; masked, 2 bytes
                0x37, 0xfa, 0x21, 0x3d, 0x5b, 0x95, // key, "lo"
            ],
            expect: &[text("Hello")],
            sent: &[],
        },
        Case {
            name: "three fragments of bytes",
            input: b"\x02\x81\0\0\0\0\xff\x00\x82\0\0\0\0\xfe\xfd\x80\x81\0\0\0\0\xfc",
            expect: &[binary(b"\xff\xfe\xfd\xfc")],
            sent: &[],
        },
        Case {
            name: "two fragmented messages",
            input: b"\x01\x81\0\0\0\0a\x80\x81\0\0\0\0b\x02\x81\0\0\0\0c\x80\x81\0\0\0\0d",
            expect: &[text("ab"), binary(b"cd")],
            sent: &[],
        },
        Case {
            name: "a fragmented message between two others",
            input: b"\x81\x81\0\0\0\0a\x01\x81\0\0\0\0b\x80\x81\0\0\0\0c\x81\x81\0\0\0\0d",
            expect: &[text("a"), text("bc"), text("d")],
            sent: &[],
        },
    ]);
}

#[test]
fn fragments_may_be_empty() {
    // §5.4
    check(&[
        Case {
            name: "the first",
            input: b"\x01\x80\0\0\0\0\x80\x82\0\0\0\0hi",
            expect: &[text("hi")],
            sent: &[],
        },
        Case {
            name: "one in the middle",
            input: b"\x01\x81\0\0\0\0h\x00\x80\0\0\0\0\x80\x81\0\0\0\0i",
            expect: &[text("hi")],
            sent: &[],
        },
        Case {
            name: "the last",
            input: b"\x02\x82\0\0\0\0hi\x80\x80\0\0\0\0",
            expect: &[binary(b"hi")],
            sent: &[],
        },
        Case {
            name: "all of a text",
            input: b"\x01\x80\0\0\0\0\x00\x80\0\0\0\0\x80\x80\0\0\0\0",
            expect: &[text("")],
            sent: &[],
        },
        Case {
            name: "all of a binary message",
            input: b"\x02\x80\0\0\0\0\x80\x80\0\0\0\0",
            expect: &[binary(b"")],
            sent: &[],
        },
    ]);
}

#[test]
fn control_frames_may_come_between_fragments() {
    // §5.4: "Control frames … MAY be injected in the middle of a fragmented message."
    check(&[
        Case {
            name: "a ping with a payload",
            input: b"\x01\x81\0\0\0\0h\x89\x82\0\0\0\0??\x80\x81\0\0\0\0i",
            expect: &[ping(b"??"), text("hi")],
            sent: b"\x8a\x02??",
        },
        Case {
            name: "pings and a pong around an empty fragment",
            input: b"\x02\x81\0\0\0\0h\x89\x81\0\0\0\0a\x00\x80\0\0\0\0\x8a\x80\0\0\0\0\x89\x80\0\0\0\0\
                     \x80\x81\0\0\0\0i",
            expect: &[ping(b"a"), pong(b""), ping(b""), binary(b"hi")],
            sent: b"\x8a\x01a\x8a\x00",
        },
        Case {
            name: "a ping inside a character",
            input: b"\x01\x81\0\0\0\0\xc3\x89\x81\0\0\0\0?\x80\x81\0\0\0\0\xbc",
            expect: &[ping(b"?"), text("ü")],
            sent: b"\x8a\x01?",
        },
        Case {
            name: "a ping of 125 bytes",
            input: &[frame(0x01, b"h"), frame(0x89, &[b'?'; 125]), frame(0x80, b"i")].concat(),
            expect: &[ping(&[b'?'; 125]), text("hi")],
            sent: &[&b"\x8a\x7d"[..], &[b'?'; 125]].concat(),
        },
    ]);
}

#[test]
fn close_between_fragments_ends_the_connection() {
    // §5.4: Close is a control frame too; the message it interrupts is lost (§5.5.1).
    check(&[Case {
        name: "close after a first fragment",
        input: b"\x01\x81\0\0\0\0h\x88\x82\0\0\0\0\x03\xe8\x80\x81\0\0\0\0i",
        expect: &[close(1000, "")],
        sent: b"\x88\x02\x03\xe8",
    }]);
}

#[test]
fn continuation_without_a_message_fails_the_connection() {
    // §5.4
    let refused = sent_close(1002, "§5.4: continuation frame without a message");
    let error = || failed(ProtocolError::NothingToContinue);
    check(&[
        Case { name: "final", input: b"\x80\x82\0\0\0\0hi", expect: &[error()], sent: &refused },
        Case { name: "not final", input: b"\x00\x82\0\0\0\0hi", expect: &[error()], sent: &refused },
        Case { name: "empty", input: b"\x80\x80\0\0\0\0", expect: &[error()], sent: &refused },
        Case {
            name: "after a message of one frame",
            input: b"\x81\x81\0\0\0\0h\x80\x81\0\0\0\0i",
            expect: &[text("h"), error()],
            sent: &refused,
        },
        Case {
            name: "after the last fragment",
            input: b"\x01\x81\0\0\0\0h\x80\x81\0\0\0\0i\x80\x81\0\0\0\0!",
            expect: &[text("hi"), error()],
            sent: &refused,
        },
        Case {
            name: "after a ping",
            input: b"\x89\x81\0\0\0\0?\x80\x81\0\0\0\0!",
            expect: &[ping(b"?"), error()],
            sent: &[b"\x8a\x01?", &refused[..]].concat(),
        },
    ]);
}

#[test]
fn new_message_between_fragments_fails_the_connection() {
    // §5.4
    let refused = sent_close(1002, "§5.4: new message before the last one ended");
    let error = || failed(ProtocolError::MessageNotFinished);
    check(&[
        Case {
            name: "text in a text",
            input: b"\x01\x81\0\0\0\0h\x81\x81\0\0\0\0i",
            expect: &[error()],
            sent: &refused,
        },
        Case {
            name: "binary in a text",
            input: b"\x01\x81\0\0\0\0h\x82\x81\0\0\0\0i",
            expect: &[error()],
            sent: &refused,
        },
        Case {
            name: "text in a binary message",
            input: b"\x02\x81\0\0\0\0h\x81\x81\0\0\0\0i",
            expect: &[error()],
            sent: &refused,
        },
        Case {
            name: "a second first fragment",
            input: b"\x01\x81\0\0\0\0h\x01\x81\0\0\0\0i\x80\x80\0\0\0\0",
            expect: &[error()],
            sent: &refused,
        },
        Case {
            name: "after an empty first fragment",
            input: b"\x01\x80\0\0\0\0\x81\x80\0\0\0\0",
            expect: &[error()],
            sent: &refused,
        },
        Case {
            name: "after a continuation and a ping",
            input: b"\x01\x81\0\0\0\0h\x00\x81\0\0\0\0i\x89\x80\0\0\0\0\x81\x80\0\0\0\0",
            expect: &[ping(b""), error()],
            sent: &[b"\x8a\x00", &refused[..]].concat(),
        },
    ]);
}

#[test]
fn frame_out_of_place_is_noticed_before_its_payload() {
    // §5.4: and before its size is judged (§10.4).
    for payload_len in [5, 300, i64::MAX as u64] {
        let input = header(0x80, payload_len);
        let error = ProtocolError::NothingToContinue;
        check_early(
            &Limits::default(),
            &[Early { name: "continuation", input: &input, noticed_after: input.len(), error }],
        );

        let mut client = Client::new(&Limits::default());
        client.deliver(&frame(0x01, b"a"));
        client.deliver(&header(0x81, payload_len));
        assert_eq!(client.record.seen, [failed(ProtocolError::MessageNotFinished)]);
    }
}

#[test]
fn many_fragments_become_one_message() {
    // §5.4: any number of them.
    let mut input = frame(0x02, b"");
    let mut payload = Vec::new();
    for number in 0..1_000_u32 {
        let byte = number as u8;
        input.extend(frame(0x00, &[byte]));
        payload.push(byte);
    }
    input.extend(frame(0x80, b""));
    check(&[Case { name: "1,002 fragments", input: &input, expect: &[binary(&payload)], sent: &[] }]);
}
