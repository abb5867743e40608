//! §5.2 The base framing protocol: reserved bits and opcodes, and the three forms of a length.

use wirehook::protocol::{FrameHeader, Limits, OpCode, ProtocolError};

use crate::{
    Case, Early, KEY, binary, check, check_early, close_without_body, failed, frame, header, ping, pong,
    sent_close, text,
};

#[test]
fn each_opcode_becomes_its_event() {
    // §5.2
    check(&[
        Case { name: "text", input: b"\x81\x82\0\0\0\0hi", expect: &[text("hi")], sent: &[] },
        Case { name: "binary", input: b"\x82\x82\0\0\0\0hi", expect: &[binary(b"hi")], sent: &[] },
        Case {
            name: "continuation",
            input: b"\x02\x81\0\0\0\0h\x80\x81\0\0\0\0i",
            expect: &[binary(b"hi")],
            sent: &[],
        },
        Case { name: "ping", input: b"\x89\x82\0\0\0\0hi", expect: &[ping(b"hi")], sent: b"\x8a\x02hi" },
        Case { name: "pong", input: b"\x8a\x82\0\0\0\0hi", expect: &[pong(b"hi")], sent: &[] },
        Case {
            name: "close",
            input: b"\x88\x80\0\0\0\0",
            expect: &[close_without_body()],
            sent: b"\x88\x00",
        },
    ]);
}

#[test]
fn empty_payloads_are_allowed() {
    // §5.2: a length of 0 is a length.
    check(&[
        Case { name: "text", input: b"\x81\x80\0\0\0\0", expect: &[text("")], sent: &[] },
        Case { name: "binary", input: b"\x82\x80\0\0\0\0", expect: &[binary(b"")], sent: &[] },
        Case { name: "ping", input: b"\x89\x80\0\0\0\0", expect: &[ping(b"")], sent: b"\x8a\x00" },
        Case { name: "pong", input: b"\x8a\x80\0\0\0\0", expect: &[pong(b"")], sent: &[] },
    ]);
}

#[test]
fn frames_that_arrive_together_are_served_in_order() {
    // §5.2: a frame ends where its length says.
    check(&[Case {
        name: "five frames",
        input: b"\x81\x81\0\0\0\0a\x82\x80\0\0\0\0\x89\x81\0\0\0\0b\x81\x82\0\0\0\0cd\x8a\x81\0\0\0\0e",
        expect: &[text("a"), binary(b""), ping(b"b"), text("cd"), pong(b"e")],
        sent: b"\x8a\x01b",
    }]);
}

#[test]
fn reserved_bit_fails_the_connection() {
    // §5.2
    let refused = sent_close(1002, "§5.2: reserved bit set and no extension negotiated");
    let expect = &[failed(ProtocolError::ReservedBits)];
    check(&[
        // 0xc1: FIN, RSV1, text
        Case { name: "RSV1", input: b"\xc1\x82\0\0\0\0hi", expect, sent: &refused },
        // 0xa1: FIN, RSV2, text
        Case { name: "RSV2", input: b"\xa1\x82\0\0\0\0hi", expect, sent: &refused },
        // 0x91: FIN, RSV3, text
        Case { name: "RSV3", input: b"\x91\x82\0\0\0\0hi", expect, sent: &refused },
    ]);
    for rsv in 1..=7 {
        for opcode in [0x1, 0x2, 0x8, 0x9, 0xa] {
            let input = frame(0x80 | rsv << 4 | opcode, b"");
            check(&[Case { name: "any of them", input: &input, expect, sent: &refused }]);
        }
        // A continuation of a message, whose first frame had no reserved bit.
        let input = [frame(0x01, b"a"), frame(0x80 | rsv << 4, b"b")].concat();
        check(&[Case { name: "in a continuation", input: &input, expect, sent: &refused }]);
    }
}

#[test]
fn reserved_bit_is_noticed_before_the_payload() {
    // §5.2
    let name = "RSV1, text, 5 bytes announced";
    let input = b"\xc1\x85\0\0\0\0Hello";
    check_early(
        &Limits::default(),
        &[Early { name, input, noticed_after: 6, error: ProtocolError::ReservedBits }],
    );
}

#[test]
fn reserved_opcode_fails_the_connection() {
    // §5.2
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        let refused = sent_close(1002, &format!("§5.2: opcode 0x{opcode:x} is reserved"));
        let expect = &[failed(ProtocolError::ReservedOpCode(opcode))];
        for first in [0x80 | opcode, opcode] {
            check(&[
                Case { name: "empty", input: &frame(first, b""), expect, sent: &refused },
                Case { name: "with a payload", input: &frame(first, b"Hello"), expect, sent: &refused },
            ]);
        }
        // After a message, and between its fragments.
        let input = [frame(0x81, b"a"), frame(0x80 | opcode, b"b")].concat();
        let expect = &[text("a"), failed(ProtocolError::ReservedOpCode(opcode))];
        check(&[Case { name: "after a message", input: &input, expect, sent: &refused }]);
        let input = [frame(0x01, b"a"), frame(0x80 | opcode, b"b"), frame(0x80, b"c")].concat();
        let expect = &[failed(ProtocolError::ReservedOpCode(opcode))];
        check(&[Case { name: "between fragments", input: &input, expect, sent: &refused }]);
    }
}

#[test]
fn reserved_opcode_is_noticed_at_the_first_byte() {
    // §5.2
    for opcode in [0x3, 0x7, 0xb, 0xf] {
        let error = ProtocolError::ReservedOpCode(opcode);
        check_early(
            &Limits::default(),
            &[Early { name: "opcode", input: &[0x80 | opcode, 0x80], noticed_after: 1, error }],
        );
    }
}

#[test]
fn length_of_up_to_125_is_encoded_in_7_bits() {
    // §5.2
    for len in [1, 2, 124, 125] {
        let payload = vec![b'*'; len];
        let input = [&[0x82, 0x80 | len as u8, 0, 0, 0, 0][..], &payload].concat();
        check(&[Case { name: "7 bits", input: &input, expect: &[binary(&payload)], sent: &[] }]);
    }
}

#[test]
fn length_of_up_to_65535_is_encoded_in_16_bits() {
    // §5.2: in network byte order.
    for (len, bytes) in
        [(126, [0x00, 0x7e]), (127, [0x00, 0x7f]), (258, [0x01, 0x02]), (65_535, [0xff, 0xff])]
    {
        let payload = vec![b'*'; len];
        let input = [&[0x82, 0xfe][..], &bytes, &[0; 4], &payload].concat();
        check(&[Case { name: "16 bits", input: &input, expect: &[binary(&payload)], sent: &[] }]);
    }
}

#[test]
fn length_from_65536_on_is_encoded_in_64_bits() {
    // §5.2: in network byte order.
    for (len, bytes) in [(65_536, [0, 0, 0, 0, 0, 1, 0, 0]), (66_051, [0, 0, 0, 0, 0, 1, 2, 3])] {
        let payload = vec![b'*'; len];
        let input = [&[0x82, 0xff][..], &bytes, &[0; 4], &payload].concat();
        check(&[Case { name: "64 bits", input: &input, expect: &[binary(&payload)], sent: &[] }]);
    }
}

#[test]
fn length_not_in_its_shortest_form_fails_the_connection() {
    // §5.2
    let refused = sent_close(1002, "§5.2: payload length not in its shortest form");
    let expect = &[failed(ProtocolError::NonMinimalLength)];
    let zeros = vec![0; 65_535];
    for len in [0_u16, 1, 124, 125] {
        let input = [&[0x82, 0xfe][..], &len.to_be_bytes(), &[0; 4], &zeros[..len.into()]].concat();
        check(&[Case { name: "16 bits for 7", input: &input, expect, sent: &refused }]);
    }
    for len in [0_u64, 125, 126, 65_535] {
        let input = [&[0x82, 0xff][..], &len.to_be_bytes(), &[0; 4], &zeros[..len as usize]].concat();
        check(&[Case { name: "64 bits for 16", input: &input, expect, sent: &refused }]);
    }
}

#[test]
fn length_over_63_bits_fails_the_connection() {
    // §5.2
    let refused = sent_close(1002, "§5.2: top bit of a 64-bit payload length set");
    let expect = &[failed(ProtocolError::LengthOver63Bits)];
    check(&[
        Case { name: "2^63", input: b"\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0", expect, sent: &refused },
        Case {
            name: "2^63 + 5, whose lower bits alone would not be minimal",
            input: b"\x82\xff\x80\0\0\0\0\0\0\x05\0\0\0\0Hello",
            expect,
            sent: &refused,
        },
        Case {
            name: "2^64 - 1",
            input: b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",
            expect,
            sent: &refused,
        },
    ]);
}

#[test]
fn length_of_63_bits_is_a_length() {
    // §5.2: 2^63 - 1 is well-formed, so what it breaks is the limit (§10.4).
    let input = b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0";
    check(&[Case {
        name: "2^63 - 1",
        input,
        expect: &[failed(ProtocolError::MessageTooBig)],
        sent: &sent_close(1009, "§10.4: message over the size limit"),
    }]);
    assert_eq!(FrameHeader::decode(input).unwrap().unwrap().0.payload_len, i64::MAX as u64);
}

#[test]
fn bad_length_is_noticed_at_its_last_byte() {
    // §5.2: before the masking key.
    check_early(
        &Limits::default(),
        &[
            Early {
                name: "125 in 16 bits",
                input: b"\x82\xfe\x00\x7d\0\0\0\0",
                noticed_after: 4,
                error: ProtocolError::NonMinimalLength,
            },
            Early {
                name: "65535 in 64 bits",
                input: b"\x82\xff\0\0\0\0\0\0\xff\xff\0\0\0\0",
                noticed_after: 10,
                error: ProtocolError::NonMinimalLength,
            },
            Early {
                name: "2^63",
                input: b"\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0",
                noticed_after: 10,
                error: ProtocolError::LengthOver63Bits,
            },
        ],
    );
}

#[test]
fn bad_length_in_a_continuation_fails_the_connection_too() {
    // §5.2
    let input = [frame(0x01, b"a"), b"\x80\xfe\x00\x01\0\0\0\0b".to_vec()].concat();
    check(&[Case {
        name: "1 in 16 bits",
        input: &input,
        expect: &[failed(ProtocolError::NonMinimalLength)],
        sent: &sent_close(1002, "§5.2: payload length not in its shortest form"),
    }]);
}

#[test]
fn header_is_decoded_only_when_it_is_complete() {
    // §5.2: not enough bytes is a value, no error.
    for len in [0, 125, 126, 65_535, 65_536, i64::MAX as u64] {
        let bytes = header(0x82, len);
        for end in 0..bytes.len() {
            assert_eq!(FrameHeader::decode(&bytes[..end]), Ok(None), "{end} bytes of a header for {len}");
        }
        let wanted = FrameHeader {
            fin: true,
            rsv: 0,
            opcode: OpCode::Binary,
            masking_key: Some(KEY),
            payload_len: len,
        };
        assert_eq!(FrameHeader::decode(&bytes), Ok(Some((wanted, bytes.len()))));
        // What follows the header is not looked at.
        let with_payload = [&bytes[..], b"\xff\xff"].concat();
        assert_eq!(FrameHeader::decode(&with_payload), Ok(Some((wanted, bytes.len()))));
        assert_eq!(wanted.encoded_len(), bytes.len());
    }
}

#[test]
fn header_of_a_server_has_no_mask_and_no_reserved_bit() {
    // §5.2
    for (opcode, first) in [(OpCode::Text, 0x81), (OpCode::Binary, 0x82), (OpCode::Close, 0x88)] {
        let mut out = Vec::new();
        let header = FrameHeader::server(opcode, 5);
        header.encode(&mut out);
        assert_eq!(out, [first, 0x05]);
        assert_eq!(FrameHeader::decode(&out), Ok(Some((header, 2))));
    }
}

#[test]
fn header_of_a_client_has_the_mask_bit_and_ends_with_the_key() {
    // §5.2: MASK is the highest bit of the second byte, and the key follows the length.
    for (payload_len, before_the_key) in [
        (0, &[0x81, 0x80][..]),
        (125, &[0x81, 0xfd]),
        (126, &[0x81, 0xfe, 0x00, 0x7e]),
        (65_535, &[0x81, 0xfe, 0xff, 0xff]),
        (65_536, &[0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let header = FrameHeader { masking_key: Some(KEY), ..FrameHeader::server(OpCode::Text, payload_len) };
        let mut out = Vec::new();
        header.encode(&mut out);
        assert_eq!(out, [before_the_key, &KEY].concat(), "{payload_len}");
        assert_eq!(header.encoded_len(), out.len(), "{payload_len}");
    }
}

/// The same when a header is decoded and when it is encoded.
#[test]
fn reserved_bits_of_a_header_keep_their_places() {
    // §5.2: RSV1 is the highest of the three.
    for (first, rsv) in [(0xc1, 0b100), (0xa1, 0b010), (0x91, 0b001), (0xf1, 0b111)] {
        let (header, _) = FrameHeader::decode(&[first, 0x00]).unwrap().unwrap();
        assert_eq!(header.rsv, rsv);
        let mut out = Vec::new();
        header.encode(&mut out);
        assert_eq!(out, [first, 0x00]);
    }
}
