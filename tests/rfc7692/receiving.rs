//! RFC 7692 §6 and §7.2.2 Compressed messages: which frames may have RSV1, and what comes out of them.

use wirehook::protocol::{
    CloseCode, DeflateParams, Event, Inflater, Limits, Message, ProtocolError, Receiver,
};
use zlib_rs::{Deflate, DeflateFlush};

use crate::{PARAMS, Seen, frame, seen, seen_with, text};

/// "Hello" in one compressed block (RFC 7692 §7.2.3.1).
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

/// The payload of a compressed message, made by zlib.
fn compressed(message: &[u8]) -> Vec<u8> {
    let mut deflate = Deflate::new(9, false, 15);
    let mut out = vec![0; message.len() + message.len() / 8 + 1024];
    deflate.compress(message, &mut out, DeflateFlush::SyncFlush).unwrap();
    out.truncate(deflate.total_out() as usize);
    assert!(out.ends_with(b"\x00\x00\xff\xff"));
    out.truncate(out.len() - 4);
    out
}

fn limit(max_message_size: usize) -> Limits {
    let mut limits = Limits::default();
    limits.max_message_size = max_message_size;
    limits
}

// --- RFC 7692 §7.2.3: the examples -------------------------------------------------------------------------

#[test]
fn one_compressed_block_is_a_message() {
    assert_eq!(seen(b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"), [text("Hello")]);
}

#[test]
fn a_compressed_message_may_be_fragmented() {
    assert_eq!(seen(b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00"), [text("Hello")]);
}

#[test]
fn a_message_may_refer_to_the_one_before() {
    let twice = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00";
    assert_eq!(seen(twice), [text("Hello"), text("Hello")]);
}

#[test]
fn a_stored_block_is_a_message() {
    assert_eq!(seen(b"\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), [text("Hello")]);
}

#[test]
fn a_block_with_bfinal_is_a_message() {
    assert_eq!(seen(b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), [text("Hello")]);
    // Without the empty block after it, as some senders have it.
    assert_eq!(seen(b"\xc1\x07\xf3\x48\xcd\xc9\xc9\x07\x00"), [text("Hello")]);
}

#[test]
fn two_blocks_are_a_message() {
    assert_eq!(seen(b"\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), [text("Hello")]);
}

// --- RFC 7692 §6: RSV1 -------------------------------------------------------------------------------------

#[test]
fn rsv1_is_refused_where_nothing_was_negotiated() {
    let mut receiver = Receiver::client(&Limits::default());
    let mut bytes = *b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00";
    assert_eq!(receiver.next_event(&mut &mut bytes[..]), Err(ProtocolError::ReservedBits));
}

#[test]
fn rsv1_belongs_to_the_first_frame_of_a_message() {
    let error = ProtocolError::MisplacedCompression;
    assert_eq!(seen(b"\x41\x03\xf2\x48\xcd\xc0\x04\xc9\xc9\x07\x00"), [Seen::Failed(error)]);
    assert_eq!(seen(b"\x01\x00\xc0\x01\x00"), [Seen::Failed(error)]);
    for control in [0xC8, 0xC9, 0xCA] {
        assert_eq!(seen(&[control, 0]), [Seen::Failed(error)]);
    }
    assert_eq!((error.section(), error.close_code()), ("RFC 7692 §6", CloseCode::PROTOCOL_ERROR));
}

#[test]
fn the_other_reserved_bits_have_no_meaning() {
    for first in [0xA1, 0x91, 0xE1, 0xD1, 0xF1] {
        assert_eq!(seen(&frame(first, HELLO)), [Seen::Failed(ProtocolError::ReservedBits)], "{first:#x}");
    }
}

#[test]
fn control_frames_come_between_compressed_fragments() {
    let bytes = b"\x41\x03\xf2\x48\xcd\x89\x02hi\x00\x00\x89\x00\x80\x04\xc9\xc9\x07\x00";
    assert_eq!(seen(bytes), [Seen::Ping(b"hi".into()), Seen::Ping(b"".into()), text("Hello")]);
}

#[test]
fn a_message_may_be_sent_without_compression() {
    // It does not enter the window: the third message refers to the first.
    let bytes = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\x81\x03abc\xc1\x05\xf2\x00\x11\x00\x00";
    assert_eq!(seen(bytes), [text("Hello"), text("abc"), text("Hello")]);
}

#[test]
fn an_empty_message_is_one_byte() {
    assert_eq!(seen(b"\xc1\x01\x00\xc2\x01\x00"), [text(""), Seen::Binary(vec![])]);
}

#[test]
fn binary_messages_are_compressed_too() {
    assert_eq!(seen(&frame(0xC2, HELLO)), [Seen::Binary(b"Hello".into())]);
}

#[test]
fn a_servers_receiver_unmasks_before_it_inflates() {
    let mut receiver = Receiver::new(&Limits::default());
    receiver.use_deflate(&PARAMS);
    // "Hello" with the key of §5.7.
    let mut bytes = *b"\xc1\x87\x37\xfa\x21\x3d\xc5\xb2\xec\xf4\xfe\xfd\x21";
    let event = receiver.next_event(&mut &mut bytes[..]);
    assert_eq!(event, Ok(Some(Event::Message(Message::Text("Hello")))));
}

// --- RFC 7692 §7.2.2: what is no DEFLATE -------------------------------------------------------------------

#[test]
fn broken_data_fails_the_connection_with_1007() {
    for (payload, what) in [
        (&b""[..], "nothing"),
        (b"\xff\xff", "a reserved kind of block"),
        (b"\xf2\x48\xcd", "a block that is cut off"),
        (b"\x00\x32\x00\xcd\xff\x48", "a stored block that is cut off"),
        (b"\x00\x05\x00\xfb\xff\x48\x65\x6c\x6c\x6f\x00", "a length that is not confirmed"),
        (b"\xf2\x00\x11\x00\x00", "a reference to a message that was not sent"),
        (b"\xf2\x48\xcd\xc9\xc9\x07", "an end inside the last block"),
    ] {
        let error = ProtocolError::NotDeflate;
        assert_eq!(seen(&frame(0xC2, payload)), [Seen::Failed(error)], "{what}");
        assert_eq!((error.section(), error.close_code()), ("RFC 7692 §7.2.2", CloseCode::INVALID_PAYLOAD));
    }
}

#[test]
fn blocks_with_bfinal_may_follow_each_other() {
    // "Hello" with BFINAL, then the same as a reference to it, then an empty stored block.
    let mut payload = b"\xf3\x48\xcd\xc9\xc9\x07\x00".to_vec();
    payload.extend(b"\xf2\x00\x11\x00\x00");
    assert_eq!(seen(&frame(0xC1, &payload)), [text("HelloHello")]);
    // Each costs a copy of the window, so there is a limit: empty fixed blocks, two bytes each.
    assert_eq!(seen(&frame(0xC2, &b"\x03\x00".repeat(60))), [Seen::Binary(vec![])]);
    let too_many = frame(0xC2, &b"\x03\x00".repeat(200));
    assert_eq!(seen(&too_many), [Seen::Failed(ProtocolError::NotDeflate)]);
}

// --- §8.1: text --------------------------------------------------------------------------------------------

#[test]
fn inflated_text_must_be_utf8() {
    for (message, is_text) in [
        ("grüße".as_bytes(), true),
        (b"\xff", false),
        (b"gr\xc3", false),
        (b"\xed\xa0\x80", false),
        // The window has the bytes, not the characters.
        ("ü".repeat(20_000).as_bytes(), true),
    ] {
        let wanted = match std::str::from_utf8(message) {
            Ok(it) if is_text => text(it),
            _ => Seen::Failed(ProtocolError::TextNotUtf8),
        };
        assert_eq!(seen(&frame(0xC1, &compressed(message))), [wanted]);
    }
}

#[test]
fn a_character_may_be_cut_between_two_last_blocks() {
    // A stored block with BFINAL that ends inside a character, and a stored block with the rest of it.
    let payload = b"\x01\x01\x00\xfe\xff\xc3\x00\x01\x00\xfe\xff\xbc\x00";
    assert_eq!(seen(&frame(0xC1, payload)), [text("ü")]);
    // What follows such a block refers to the bytes of the character that is cut.
    let payload = b"\x01\x02\x00\xfd\xff\x61\xc3\xda\x93\x08\x43\x00\x00";
    assert_eq!(seen(&frame(0xC1, payload)), [text("aüaüaüaü")]);
}

// --- §10.4: size -------------------------------------------------------------------------------------------

#[test]
fn the_limit_holds_for_the_inflated_message() {
    let limits = limit(1000);
    for (len, fits) in [(999, true), (1000, true), (1001, false), (100_000, false)] {
        let message = vec![b'x'; len];
        let wanted =
            if fits { Seen::Binary(message.clone()) } else { Seen::Failed(ProtocolError::MessageTooBig) };
        assert_eq!(seen_with(&PARAMS, &limits, &frame(0xC2, &compressed(&message))), [wanted], "{len} bytes");
    }
}

#[test]
fn data_that_does_not_shrink_may_be_as_long_as_the_limit() {
    let limits = limit(10_000);
    // A stored block takes five bytes more than it holds.
    let message = [7; 10_000];
    let stored = [&b"\x00\x10\x27\xef\xd8"[..], &message, b"\x00"].concat();
    assert_eq!(seen_with(&PARAMS, &limits, &frame(0xC2, &stored)), [Seen::Binary(message.into())]);
    // A compressed message that can't be within the limit is refused at its header.
    let header = b"\xc2\x7e\x2f\x00";
    assert_eq!(seen_with(&PARAMS, &limits, header), [Seen::Failed(ProtocolError::MessageTooBig)]);
    // A plain message may not be longer.
    let plain = b"\x82\x7e\x27\x11";
    assert_eq!(seen_with(&PARAMS, &limits, plain), [Seen::Failed(ProtocolError::MessageTooBig)]);
}

#[test]
fn a_bomb_takes_no_more_memory_than_the_limit() {
    let limits = limit(100_000);
    let bomb = compressed(&vec![0; 50_000_000]);
    assert!(bomb.len() < 60_000, "{}", bomb.len());
    assert_eq!(
        seen_with(&PARAMS, &limits, &frame(0xC2, &bomb)),
        [Seen::Failed(ProtocolError::MessageTooBig)]
    );
    let mut receiver = Receiver::client(&limits);
    receiver.use_deflate(&PARAMS);
    let mut bytes = frame(0xC2, &bomb);
    let cut = bytes.len() - 1;
    assert_eq!(receiver.next_event(&mut &mut bytes[..cut]), Ok(None));
    assert!(receiver.memory() <= 101_000, "{}", receiver.memory());
}

// --- RFC 7692 §7.2.2: windows ------------------------------------------------------------------------------

#[test]
fn nothing_is_held_between_messages_without_context() {
    let params = DeflateParams { server_no_context_takeover: true, ..PARAMS };
    let mut receiver = Receiver::client(&Limits::default());
    receiver.use_deflate(&params);
    let mut bytes = frame(0xC1, HELLO);
    assert!(receiver.next_event(&mut &mut bytes[..]).unwrap().is_some());
    receiver.release();
    assert_eq!(receiver.memory(), 0);
    // A reference to an earlier message has nothing to refer to.
    let twice = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00";
    let wanted = [text("Hello"), Seen::Failed(ProtocolError::NotDeflate)];
    assert_eq!(seen_with(&params, &Limits::default(), twice), wanted);
}

#[test]
fn a_window_holds_what_was_received_and_no_more() {
    let params = DeflateParams { server_max_window_bits: 9, ..PARAMS };
    let mut receiver = Receiver::client(&Limits::default());
    receiver.use_deflate(&params);
    for (message, held) in [(vec![1; 5], 5), (vec![2; 500], 505), (vec![3; 500], 512), (vec![4; 5000], 512)] {
        let mut bytes = frame(0xC2, &compressed(&message));
        let event = receiver.next_event(&mut &mut bytes[..]);
        assert_eq!(event, Ok(Some(Event::Message(Message::Binary(&message)))));
        receiver.release();
        assert!((held..=1024).contains(&receiver.memory()), "{held}: {}", receiver.memory());
    }
}

#[test]
fn a_stream_of_messages_with_context_is_received() {
    let mut deflate = Deflate::new(6, false, 15);
    let mut inflater = Inflater::default();
    let mut receiver = Receiver::client(&Limits::default());
    receiver.use_deflate(&PARAMS);
    for round in 0..300_usize {
        let message = format!("{{\"round\":{round},\"of\":\"{}\"}}", "abcdefgh".repeat(round));
        let mut out = vec![0; message.len() + 1000];
        let before = deflate.total_out();
        deflate.compress(message.as_bytes(), &mut out, DeflateFlush::SyncFlush).unwrap();
        out.truncate((deflate.total_out() - before) as usize - 4);
        let mut bytes = frame(0xC1, &out);
        // Any other connection may use the same decompressor in between.
        let mut other = Receiver::client(&Limits::default());
        other.use_deflate(&PARAMS);
        let mut hello = frame(0xC1, HELLO);
        other.next_event_with(&mut &mut hello[..], &mut inflater).unwrap();
        let event = receiver.next_event_with(&mut &mut bytes[..], &mut inflater);
        assert_eq!(event, Ok(Some(Event::Message(Message::Text(&message)))), "round {round}");
    }
}
