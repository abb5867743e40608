//! §5.1 and §5.3: clients mask with any key, servers never mask.

use wirehook::protocol::{
    CloseCode, FrameHeader, Limits, Message, ProtocolError, Sender, apply_mask, turn_key,
};

use crate::{
    Case, Early, KEY, binary, check, check_early, close, failed, frame, ping, pong, sent_close, text,
};

#[test]
fn unmasked_frame_fails_the_connection() {
    // §5.1
    let refused = sent_close(1002, "§5.1: a client must mask its frames");
    let expect = &[failed(ProtocolError::UnmaskedFrame)];
    for (name, input) in [
        ("text", &b"\x81\x05Hello"[..]),
        ("empty text", b"\x81\x00"),
        ("binary", b"\x82\x01\x00"),
        ("first fragment", b"\x01\x01a"),
        ("ping", b"\x89\x00"),
        ("pong", b"\x8a\x02hi"),
        ("close", b"\x88\x02\x03\xe8"),
        ("empty close", b"\x88\x00"),
        ("126 bytes", &[&b"\x82\x7e\x00\x7e"[..], &[0; 126]].concat()),
        ("continuation of a masked fragment", b"\x01\x81\0\0\0\0a\x80\x01b"),
        ("ping between masked fragments", b"\x01\x81\0\0\0\0a\x89\x00\x80\x81\0\0\0\0b"),
    ] {
        check(&[Case { name, input, expect, sent: &refused }]);
    }
}

#[test]
fn unmasked_frame_after_masked_ones_fails_the_connection() {
    // §5.1
    check(&[Case {
        name: "text, then the same unmasked",
        input: b"\x81\x82\0\0\0\0hi\x81\x02hi",
        expect: &[text("hi"), failed(ProtocolError::UnmaskedFrame)],
        sent: &sent_close(1002, "§5.1: a client must mask its frames"),
    }]);
}

#[test]
fn missing_mask_is_noticed_before_the_payload() {
    // §5.1
    let error = ProtocolError::UnmaskedFrame;
    check_early(
        &Limits::default(),
        &[
            Early { name: "Hello", input: b"\x81\x05Hello", noticed_after: 2, error },
            Early { name: "126 bytes", input: b"\x82\x7e\x00\x7e\0\0", noticed_after: 4, error },
            Early { name: "64 KiB", input: b"\x82\x7f\0\0\0\0\0\x01\0\0\0", noticed_after: 10, error },
        ],
    );
}

#[test]
fn any_key_unmasks() {
    // §5.3: "the client MUST pick a fresh masking key"; a server takes whatever it is.
    check(&[
        Case { name: "zeros", input: b"\x81\x83\0\0\0\0abc", expect: &[text("abc")], sent: &[] },
        Case {
            name: "ones",
            input: &[0x82, 0x83, 0xff, 0xff, 0xff, 0xff, 0x9e, 0x9d, 0x9c],
            expect: &[binary(b"abc")],
            sent: &[],
        },
        Case {
            name: "four different bytes, six of payload",
            input: &[0x82, 0x86, 1, 2, 3, 4, b'a' ^ 1, b'b' ^ 2, b'c' ^ 3, b'd' ^ 4, b'e' ^ 1, b'f' ^ 2],
            expect: &[binary(b"abcdef")],
            sent: &[],
        },
        Case {
            name: "the key makes the payload look like a frame",
            input: &[0x82, 0x82, 0x88, 0x80, 0x00, 0x00, 0x88, 0x80],
            expect: &[binary(&[0, 0])],
            sent: &[],
        },
    ]);
}

#[test]
fn each_frame_has_its_own_key() {
    // §5.3
    check(&[
        Case {
            name: "two messages",
            input: &[0x81, 0x81, 1, 1, 1, 1, b'a' ^ 1, 0x81, 0x81, 2, 2, 2, 2, b'b' ^ 2],
            expect: &[text("a"), text("b")],
            sent: &[],
        },
        Case {
            name: "fragments of one byte, a ping between: the key starts anew each time",
            input: &[
                0x01,
                0x81,
                1,
                7,
                7,
                7,
                b'a' ^ 1, // text, not final
                0x89,
                0x81,
                2,
                7,
                7,
                7,
                b'?' ^ 2, // ping
                0x00,
                0x81,
                3,
                7,
                7,
                7,
                b'b' ^ 3, // continuation, not final
                0x80,
                0x81,
                4,
                7,
                7,
                7,
                b'c' ^ 4, // continuation, final
            ],
            expect: &[ping(b"?"), text("abc")],
            sent: b"\x8a\x01?",
        },
    ]);
}

#[test]
fn key_goes_on_turning_where_a_payload_is_cut() {
    // §5.3: "transformed-octet-i = original-octet-i XOR masking-key-octet-(i MOD 4)", counted in the frame.
    let payload: Vec<u8> = (0..=255).collect();
    check(&[
        Case { name: "binary", input: &frame(0x82, &payload), expect: &[binary(&payload)], sent: &[] },
        Case {
            name: "binary in fragments of 3 and 253",
            input: &[frame(0x02, &payload[..3]), frame(0x80, &payload[3..])].concat(),
            expect: &[binary(&payload)],
            sent: &[],
        },
        Case {
            name: "text",
            input: &frame(0x81, "Kölner Straße, 50667 Köln".as_bytes()),
            expect: &[text("Kölner Straße, 50667 Köln")],
            sent: &[],
        },
        Case { name: "pong", input: &frame(0x8a, b"a pong"), expect: &[pong(b"a pong")], sent: &[] },
        Case {
            name: "close",
            input: &frame(0x88, b"\x03\xe9going away"),
            expect: &[close(1001, "going away")],
            sent: b"\x88\x02\x03\xe9",
        },
    ]);
}

#[test]
fn server_never_masks() {
    // §5.1: "A server MUST NOT mask any frames that it sends to the client."
    let mut sender = Sender::default();
    let payload = vec![b'*'; 70_000];
    for len in [0, 125, 126, 65_535, 65_536] {
        let mut out = Vec::new();
        sender.message(Message::Binary(&payload[..len]), &mut out).unwrap();
        let (header, header_len) = FrameHeader::decode(&out).unwrap().unwrap();
        assert_eq!(header.masking_key, None);
        assert_eq!(out[header_len..], payload[..len], "the payload stands as it is");
        // The same from the framing, which the server writes its messages with.
        let mut framed = Vec::new();
        sender.framing().unwrap().message(Message::Binary(&payload[..len]), &mut framed);
        assert_eq!(framed, out);
    }
    let mut out = Vec::new();
    sender.ping(b"a", &mut out).unwrap();
    sender.pong(b"b", &mut out).unwrap();
    sender.close(CloseCode::NORMAL, "c", &mut out).unwrap();
    assert_eq!(out, b"\x89\x01a\x8a\x01b\x88\x03\x03\xe8c");
}

#[test]
fn masking_twice_changes_nothing() {
    // §5.3: "The same algorithm applies regardless of the direction of the translation".
    let original: Vec<u8> = (0..100).collect();
    for len in 0..original.len() {
        let mut payload = original[..len].to_vec();
        apply_mask(&mut payload, KEY);
        assert!(len == 0 || payload != original[..len]);
        apply_mask(&mut payload, KEY);
        assert_eq!(payload, original[..len]);
    }
}

#[test]
fn turned_key_starts_at_the_next_byte() {
    // §5.3
    let key = [1, 2, 3, 4];
    for (len, turned) in [
        (0, [1, 2, 3, 4]),
        (1, [2, 3, 4, 1]),
        (2, [3, 4, 1, 2]),
        (3, [4, 1, 2, 3]),
        (4, [1, 2, 3, 4]),
        (4_000_003, [4, 1, 2, 3]),
    ] {
        assert_eq!(turn_key(key, len), turned);
    }
}
