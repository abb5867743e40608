//! §8.1 Text is UTF-8 (RFC 3629), and what is not fails the connection at its first impossible byte.

use wirehook::protocol::{InvalidUtf8, Limits, ProtocolError, TextBuffer, check_prefix};

use crate::{Case, Early, binary, check, check_early, failed, frame, header, ping, sent_close, text};

/// Characters at the ends of every row of the table of RFC 3629 §4, and some that are easily mistaken for
/// bad.
const VALID: [&[u8]; 19] = [
    b"\x00",             // U+0000
    b"\x7f",             // U+007F
    b"\xc2\x80",         // U+0080, the first of two bytes
    b"\xdf\xbf",         // U+07FF
    b"\xe0\xa0\x80",     // U+0800, the first of three bytes
    b"\xe0\xbf\xbf",     // U+0FFF
    b"\xe1\x80\x80",     // U+1000
    b"\xec\xbf\xbf",     // U+CFFF
    b"\xed\x80\x80",     // U+D000
    b"\xed\x9f\xbf",     // U+D7FF, before the surrogates
    b"\xee\x80\x80",     // U+E000, after the surrogates
    b"\xef\xbb\xbf",     // U+FEFF, the byte order mark
    b"\xef\xbf\xbd",     // U+FFFD, the replacement character
    b"\xef\xbf\xbf",     // U+FFFF, a noncharacter and valid all the same
    b"\xf0\x90\x80\x80", // U+10000, the first of four bytes
    b"\xf0\xbf\xbf\xbf", // U+3FFFF
    b"\xf1\x80\x80\x80", // U+40000
    b"\xf4\x80\x80\x80", // U+100000
    b"\xf4\x8f\xbf\xbf", // U+10FFFF, the last
];

/// Bytes that are no UTF-8, the last of them being the first impossible one.
const INVALID: [(&str, &[u8]); 30] = [
    ("a continuation byte alone", b"\x80"),
    ("another", b"\xbf"),
    ("one too many", b"\xc3\xbc\x80"),
    ("0xc0 never occurs", b"\xc0"),
    ("0xc1 never occurs", b"\xc1"),
    ("0xf5 never occurs", b"\xf5"),
    ("0xf8 never occurs", b"\xf8"),
    ("0xfe never occurs", b"\xfe"),
    ("0xff never occurs", b"\xff"),
    ("overlong in three bytes", b"\xe0\x80"),
    ("U+07FF, overlong in three bytes", b"\xe0\x9f"),
    ("overlong in four bytes", b"\xf0\x80"),
    ("U+FFFF, overlong in four bytes", b"\xf0\x8f"),
    ("U+D800, the first surrogate", b"\xed\xa0"),
    ("U+DFFF, the last surrogate", b"\xed\xbf"),
    ("U+110000", b"\xf4\x90"),
    ("U+13FFFF", b"\xf4\xbf"),
    ("ASCII after the first of two", b"\xc3("),
    ("a new character after the first of two", b"\xc3\xc3"),
    ("0xff after the first of two", b"\xdf\xff"),
    ("ASCII after the first of three", b"\xe2("),
    ("ASCII after two of three", b"\xe2\x82("),
    ("a new character after two of three", b"\xe2\x82\xe2"),
    ("ASCII after the first of four", b"\xf0("),
    ("ASCII after two of four", b"\xf0\x9f("),
    ("ASCII after three of four", b"\xf0\x9f\x98("),
    ("a new character after three of four", b"\xf0\x9f\x98\xf0"),
    ("0xc0 after three of four", b"\xf0\x9f\x98\xc0"),
    ("below the continuation bytes", b"\xe2\x7f"),
    ("above the continuation bytes", b"\xe2\x82\xc0"),
];

#[test]
fn every_row_of_the_table_is_valid() {
    // §8.1
    for character in VALID {
        let wanted = str::from_utf8(character).unwrap();
        let repeated = character.repeat(3);
        let cut = repeated.len() / 2;
        check(&[
            Case { name: wanted, input: &frame(0x81, character), expect: &[text(wanted)], sent: &[] },
            Case {
                name: wanted,
                input: &[frame(0x01, &repeated[..cut]), frame(0x80, &repeated[cut..])].concat(),
                expect: &[text(&wanted.repeat(3))],
                sent: &[],
            },
        ]);
    }
}

#[test]
fn text_that_is_not_utf8_fails_the_connection() {
    // §8.1
    let refused = sent_close(1007, "§8.1: text is not UTF-8");
    let expect = &[failed(ProtocolError::TextNotUtf8)];
    for (name, bytes) in INVALID {
        let payload = [b"ok", bytes, b"ok"].concat();
        check(&[
            Case { name, input: &frame(0x81, bytes), expect, sent: &refused },
            Case { name, input: &frame(0x81, &payload), expect, sent: &refused },
        ]);
    }
}

#[test]
fn impossible_byte_is_noticed_before_the_frame_is_complete() {
    // §8.1: 1,000 bytes are announced, and none after the impossible one is awaited.
    for (name, bytes) in INVALID {
        for first in [0x81, 0x01] {
            for prefix in ["", "a", "grüße", "0123456789abcdef0123456789abcdef"] {
                let payload = [prefix.as_bytes(), bytes, &[b'.'; 20]].concat();
                let mut input = frame(first, &[&payload[..], &[b'.'; 1_000]].concat());
                let header_len = header(first, 1_000).len();
                input.truncate(header_len + payload.len());
                let noticed_after = header_len + prefix.len() + bytes.len();
                let error = ProtocolError::TextNotUtf8;
                check_early(&Limits::default(), &[Early { name, input: &input, noticed_after, error }]);
            }
        }
    }
}

#[test]
fn impossible_byte_is_noticed_across_fragments() {
    // §8.1: the fragments are cut before the impossible byte; more are to come.
    for (name, bytes) in INVALID {
        let (impossible, before) = bytes.split_last().unwrap();
        let first = frame(0x01, before);
        let second = frame(0x00, &[*impossible, b'.', b'.']);
        let noticed_after = first.len() + header(0x00, 3).len() + 1;
        let input = [first, second].concat();
        let error = ProtocolError::TextNotUtf8;
        check_early(&Limits::default(), &[Early { name, input: &input, noticed_after, error }]);
    }
}

#[test]
fn character_may_be_cut_by_fragments() {
    // §8.1: only whole messages are text, "a particular text frame might include a partial UTF-8 sequence"
    // (§5.6).
    check(&[
        Case {
            name: "one byte per fragment, with empty ones between",
            input: &[
                frame(0x01, b"\xf0"),
                frame(0x00, b""),
                frame(0x00, b"\x9f"),
                frame(0x00, b"\x98"),
                frame(0x00, b""),
                frame(0x80, b"\x80"),
            ]
            .concat(),
            expect: &[text("\u{1F600}")],
            sent: &[],
        },
        Case {
            name: "characters open at both ends of a fragment",
            input: &[frame(0x01, b"a\xe2"), frame(0x00, b"\x82\xac-\xc3"), frame(0x80, b"\xbcb")].concat(),
            expect: &[text("a€-üb")],
            sent: &[],
        },
        Case {
            name: "a ping inside the character",
            input: &[frame(0x01, b"\xe2"), frame(0x89, b"\xff"), frame(0x80, b"\x82\xac")].concat(),
            expect: &[ping(b"\xff"), text("€")],
            sent: b"\x8a\x01\xff",
        },
    ]);
}

#[test]
fn text_that_ends_inside_a_character_fails_the_connection() {
    // §8.1
    let refused = sent_close(1007, "§8.1: text is not UTF-8");
    let expect = &[failed(ProtocolError::TextNotUtf8)];
    for open in [&b"\xc3"[..], b"\xe2", b"\xe2\x82", b"\xf0", b"\xf0\x9f", b"\xf0\x9f\x98"] {
        check(&[
            Case { name: "in one frame", input: &frame(0x81, open), expect, sent: &refused },
            Case {
                name: "after other text",
                input: &frame(0x81, &[b"abc", open].concat()),
                expect,
                sent: &refused,
            },
            Case {
                name: "in the last fragment",
                input: &[frame(0x01, b"abc"), frame(0x80, open)].concat(),
                expect,
                sent: &refused,
            },
            Case {
                name: "before an empty last fragment",
                input: &[frame(0x01, open), frame(0x80, b"")].concat(),
                expect,
                sent: &refused,
            },
        ]);
    }
}

#[test]
fn next_text_starts_afresh() {
    // §8.1: nothing of a message is left over for the next.
    check(&[Case {
        name: "after a message that was cut inside a character",
        input: &[frame(0x01, b"\xc3"), frame(0x80, b"\xbc"), frame(0x01, b"\xc3"), frame(0x80, b"\x9f")]
            .concat(),
        expect: &[text("ü"), text("ß")],
        sent: &[],
    }]);
}

#[test]
fn only_text_is_judged() {
    // §5.6: "The "Payload data" is arbitrary binary data".
    for (name, bytes) in INVALID {
        check(&[
            Case { name, input: &frame(0x82, bytes), expect: &[binary(bytes)], sent: &[] },
            Case {
                name,
                input: &[frame(0x02, bytes), frame(0x80, bytes)].concat(),
                expect: &[binary(&bytes.repeat(2))],
                sent: &[],
            },
            Case {
                name,
                input: &frame(0x89, bytes),
                expect: &[ping(bytes)],
                sent: &[&[0x8a, bytes.len() as u8], bytes].concat(),
            },
        ]);
    }
}

#[test]
fn close_reason_is_judged_by_the_same_table() {
    // §5.5.1, §8.1
    let refused = sent_close(1007, "§5.5.1: close reason is not UTF-8");
    let expect = &[failed(ProtocolError::CloseReasonNotUtf8)];
    for (name, bytes) in INVALID {
        let payload = [b"\x03\xe8ok", bytes, &[b'.'; 50]].concat();
        let input = frame(0x88, &payload);
        check(&[Case { name, input: &input, expect, sent: &refused }]);
        let noticed_after = 6 + 4 + bytes.len();
        let error = ProtocolError::CloseReasonNotUtf8;
        check_early(&Limits::default(), &[Early { name, input: &input, noticed_after, error }]);
    }
}

#[test]
fn prefix_of_valid_text_is_never_refused() {
    // §8.1
    for character in VALID {
        for end in 0..=character.len() {
            assert_eq!(check_prefix(&character[..end]), Ok(()), "{:x?}", &character[..end]);
        }
    }
    for (name, bytes) in INVALID {
        assert_eq!(check_prefix(&bytes[..bytes.len() - 1]), Ok(()), "{name}");
        assert_eq!(check_prefix(bytes), Err(InvalidUtf8), "{name}");
    }
}

#[test]
fn text_buffer_knows_what_it_holds() {
    // §8.1
    let mut buffer = TextBuffer::default();
    assert!(buffer.is_empty() && buffer.is_complete());
    buffer.push(b"a\xe2\x82").unwrap();
    assert_eq!((buffer.as_str(), buffer.len()), ("a", 3));
    assert!(!buffer.is_empty() && !buffer.is_complete());
    buffer.push(b"").unwrap();
    assert!(!buffer.is_complete());
    buffer.push(b"\xac").unwrap();
    assert_eq!((buffer.as_str(), buffer.len()), ("a€", 4));
    assert!(buffer.is_complete());
    assert_eq!(buffer.push(b"\xac"), Err(InvalidUtf8));
    assert_eq!(buffer.as_str(), "a€", "what was pushed before stays");
}
