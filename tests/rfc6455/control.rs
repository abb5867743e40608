//! §5.5 Control frames: short, whole, and answered where the RFC says so. Close has a file of its own.

use wirehook::protocol::{Limits, ProtocolError};

use crate::{Case, Early, check, check_early, close, failed, frame, ping, pong, sent_close, text};

#[test]
fn ping_is_answered_with_a_pong_of_the_same_payload() {
    // §5.5.2, §5.5.3
    check(&[
        Case {
            name: "Hello",
            input: &[
                0x89, 0x85, // FIN, ping; masked, 5 bytes
                0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58, // key, "Hello"
            ],
            expect: &[ping(b"Hello")],
            sent: b"\x8a\x05Hello",
        },
        Case { name: "empty", input: b"\x89\x80\0\0\0\0", expect: &[ping(b"")], sent: b"\x8a\x00" },
        Case {
            name: "bytes that are no text",
            input: b"\x89\x84\0\0\0\0\x00\xff\xc0\x80",
            expect: &[ping(b"\x00\xff\xc0\x80")],
            sent: b"\x8a\x04\x00\xff\xc0\x80",
        },
        Case {
            name: "three pings",
            input: b"\x89\x81\0\0\0\0a\x89\x81\0\0\0\0b\x89\x80\0\0\0\0",
            expect: &[ping(b"a"), ping(b"b"), ping(b"")],
            sent: b"\x8a\x01a\x8a\x01b\x8a\x00",
        },
        Case {
            name: "between two messages",
            input: b"\x81\x81\0\0\0\0a\x89\x81\0\0\0\0?\x81\x81\0\0\0\0b",
            expect: &[text("a"), ping(b"?"), text("b")],
            sent: b"\x8a\x01?",
        },
    ]);
}

#[test]
fn unsolicited_pong_is_not_answered() {
    // §5.5.3: "A response to an unsolicited Pong frame is not expected."
    check(&[
        Case { name: "empty", input: b"\x8a\x80\0\0\0\0", expect: &[pong(b"")], sent: &[] },
        Case { name: "one byte", input: b"\x8a\x81\0\0\0\0!", expect: &[pong(b"!")], sent: &[] },
        Case {
            name: "before a ping",
            input: b"\x8a\x81\0\0\0\0a\x89\x81\0\0\0\0b\x8a\x81\0\0\0\0c",
            expect: &[pong(b"a"), ping(b"b"), pong(b"c")],
            sent: b"\x8a\x01b",
        },
    ]);
}

#[test]
fn control_frame_of_125_bytes_is_allowed() {
    // §5.5
    let payload = [b'x'; 125];
    let mut close_payload = vec![0x03, 0xe8];
    close_payload.extend([b'x'; 123]);
    check(&[
        Case {
            name: "ping",
            input: &frame(0x89, &payload),
            expect: &[ping(&payload)],
            sent: &[&b"\x8a\x7d"[..], &payload].concat(),
        },
        Case { name: "pong", input: &frame(0x8a, &payload), expect: &[pong(&payload)], sent: &[] },
        Case {
            name: "close",
            input: &frame(0x88, &close_payload),
            expect: &[close(1000, &"x".repeat(123))],
            sent: b"\x88\x02\x03\xe8",
        },
    ]);
}

#[test]
fn control_frame_over_125_bytes_fails_the_connection() {
    // §5.5
    let refused = sent_close(1002, "§5.5: control frame over 125 bytes");
    let expect = &[failed(ProtocolError::ControlTooLong)];
    let mut close_payload = vec![0x03, 0xe8];
    close_payload.extend([b'x'; 124]);
    for first in [0x88, 0x89, 0x8a] {
        check(&[
            Case { name: "126", input: &frame(first, &close_payload), expect, sent: &refused },
            Case { name: "65536", input: &frame(first, &[b'x'; 65_536]), expect, sent: &refused },
            Case {
                name: "16 bits for 5 bytes",
                input: &[first, 0xfe, 0x00, 0x05, 0, 0, 0, 0, b'H', b'e', b'l', b'l', b'o'],
                expect,
                sent: &refused,
            },
        ]);
    }
}

#[test]
fn overlong_control_frame_is_noticed_at_its_second_byte() {
    // §5.5
    let error = ProtocolError::ControlTooLong;
    for first in [0x88, 0x89, 0x8a] {
        check_early(
            &Limits::default(),
            &[
                Early { name: "16 bits", input: &[first, 0xfe, 0x00, 0x7e], noticed_after: 2, error },
                Early { name: "64 bits", input: &[first, 0xff, 0x00, 0x00], noticed_after: 2, error },
            ],
        );
    }
}

#[test]
fn fragmented_control_frame_fails_the_connection() {
    // §5.5
    let refused = sent_close(1002, "§5.5: control frame in fragments");
    let expect = &[failed(ProtocolError::FragmentedControl)];
    check(&[
        Case { name: "close", input: b"\x08\x82\0\0\0\0\x03\xe8", expect, sent: &refused },
        Case { name: "ping", input: b"\x09\x81\0\0\0\0a\x80\x81\0\0\0\0b", expect, sent: &refused },
        Case { name: "empty pong", input: b"\x0a\x80\0\0\0\0", expect, sent: &refused },
        Case {
            name: "ping between fragments",
            input: b"\x01\x81\0\0\0\0a\x09\x80\0\0\0\0\x80\x81\0\0\0\0b",
            expect,
            sent: &refused,
        },
    ]);
}

#[test]
fn fragmented_control_frame_is_noticed_at_its_first_byte() {
    // §5.5
    let error = ProtocolError::FragmentedControl;
    for first in [0x08, 0x09, 0x0a] {
        check_early(
            &Limits::default(),
            &[Early { name: "FIN is 0", input: &[first, 0x80], noticed_after: 1, error }],
        );
    }
}
