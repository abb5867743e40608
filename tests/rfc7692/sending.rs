//! RFC 7692 §6.1 and §7.2.1 What is sent compressed: which frames have RSV1, and what a receiver makes of
//! them.

use proptest::prelude::*;
use wirehook::protocol::{
    DeflateParams, Deflater, Event, Inflater, Limits, Message, OwnedMessage, Prepared, Receiver, SendError,
    Sender,
};

use crate::PARAMS;

/// No side takes its context over.
const ANEW: DeflateParams =
    DeflateParams { server_no_context_takeover: true, client_no_context_takeover: true, ..PARAMS };

fn server(params: &DeflateParams) -> Sender {
    let mut sender = Sender::default();
    sender.use_deflate(params);
    sender
}

/// What a client receives, message by message.
fn received(bytes: &[u8], params: &DeflateParams) -> Vec<OwnedMessage> {
    let mut receiver = Receiver::client(&Limits::default());
    receiver.use_deflate(params);
    let mut inflater = Inflater::default();
    let mut bytes = bytes.to_vec();
    let mut input = &mut bytes[..];
    let mut messages = Vec::new();
    while let Some(event) = receiver.next_event_with(&mut input, &mut inflater).unwrap() {
        if let Event::Message(message) = event {
            messages.push(message.into());
        }
    }
    messages
}

/// Sends the messages to one peer. Returns all bytes.
fn sent(messages: &[&str], params: &DeflateParams, deflater: &mut Deflater) -> Vec<u8> {
    let mut sender = server(params);
    let mut out = Vec::new();
    for message in messages {
        sender.message_with(Message::Text(message), &mut deflater.of(1), &mut out).unwrap();
    }
    out
}

/// Text that shrinks, of some hundred bytes.
fn long() -> String {
    r#"{"name":"value","list":[1,2,3],"flag":true}"#.repeat(10)
}

// --- RFC 7692 §7.2.3: the examples -------------------------------------------------------------------------

#[test]
fn a_message_is_one_block_less_its_tail() {
    let mut deflater = Deflater::new(6).with_threshold(0);
    assert_eq!(sent(&["Hello"], &PARAMS, &mut deflater), b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00");
}

#[test]
fn the_second_message_refers_to_the_first() {
    let mut deflater = Deflater::new(6).with_threshold(0);
    let twice = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00";
    assert_eq!(sent(&["Hello", "Hello"], &PARAMS, &mut deflater), twice);
}

#[test]
fn an_empty_message_is_the_octet_zero() {
    let mut deflater = Deflater::new(6).with_threshold(0);
    assert_eq!(sent(&[""], &PARAMS, &mut deflater), b"\xc1\x01\x00");
}

#[test]
fn the_bit_stands_on_the_first_fragment_only() {
    let mut deflater = Deflater::new(6).with_threshold(0);
    let mut out = Vec::new();
    let mut sender = server(&PARAMS);
    sender.fragments_with(Message::Text("Hello"), 3, &mut deflater.of(1), &mut out).unwrap();
    assert_eq!(out, b"\x41\x03\xf2\x48\xcd\x00\x03\xc9\xc9\x07\x80\x01\x00");
}

#[test]
fn a_client_masks_what_it_has_compressed() {
    let mut deflater = Deflater::new(6).with_threshold(0);
    let mut sender = Sender::client(|| [1, 2, 4, 8]);
    sender.use_deflate(&PARAMS);
    let mut out = Vec::new();
    sender.message_with(Message::Text("Hello"), &mut deflater.of(1), &mut out).unwrap();
    assert_eq!(out[..6], [0xc1, 0x87, 1, 2, 4, 8]);
    assert_eq!(out[6..], [0xf2 ^ 1, 0x48 ^ 2, 0xcd ^ 4, 0xc9 ^ 8, 0xc9 ^ 1, 0x07 ^ 2, 4]);
}

// --- What is compressed ------------------------------------------------------------------------------------

#[test]
fn nothing_is_compressed_unless_it_was_negotiated() {
    let mut deflater = Deflater::new(6).with_threshold(0);
    let mut out = Vec::new();
    let mut sender = Sender::default();
    sender.message_with(Message::Text(&long()), &mut deflater.of(1), &mut out).unwrap();
    assert_eq!(out[..4], [0x81, 126, 1, 0xae]);
    assert_eq!((out.len(), deflater.messages()), (4 + long().len(), 0));
}

#[test]
fn a_message_below_the_threshold_goes_as_it_is() {
    for (len, bit) in [(63, 0x00), (64, 0x40)] {
        let mut deflater = Deflater::new(6);
        let text = "a".repeat(len);
        let out = sent(&[&text], &PARAMS, &mut deflater);
        assert_eq!(out[0], 0x81 | bit, "{len} bytes");
        assert_eq!(received(&out, &PARAMS), [OwnedMessage::Text(text)]);
    }
}

#[test]
fn what_is_sent_as_it_is_does_not_enter_the_window() {
    // The short message contains what the next one repeats.
    let (short, long) = ("{\"an\":\"unusual sequence\"}", "{\"an\":\"unusual sequence\"}".repeat(4));
    let mut alone = Deflater::new(6);
    let mut after = Deflater::new(6);
    let without = sent(&[&long], &PARAMS, &mut alone);
    let with = sent(&[short, &long], &PARAMS, &mut after);
    assert_eq!(with[2 + short.len()..], without[..]);
}

#[test]
fn data_that_does_not_shrink_goes_as_it_is_without_context() {
    let mut state = 1_u32;
    let noise: Vec<u8> = (0..1000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    for (params, bit) in [(&ANEW, 0x00), (&PARAMS, 0x40)] {
        let mut deflater = Deflater::new(6);
        let mut out = Vec::new();
        server(params).message_with(Message::Binary(&noise), &mut deflater.of(1), &mut out).unwrap();
        assert_eq!(out[0], 0x82 | bit);
        assert!(out.len() <= 4 + noise.len() + 6);
        assert_eq!(received(&out, params), [OwnedMessage::Binary(noise.clone())]);
    }
}

#[test]
fn nothing_is_sent_after_a_close_compressed_or_not() {
    let mut sender = server(&PARAMS);
    let mut out = Vec::new();
    sender.close(wirehook::CloseCode::NORMAL, "", &mut out).unwrap();
    let before = out.clone();
    let mut deflater = Deflater::new(6);
    let text = long();
    let message = Message::Text(&text);
    assert_eq!(sender.message_with(message, &mut deflater.of(1), &mut out), Err(SendError::CloseSent));
    assert_eq!(sender.fragments_with(message, 3, &mut deflater.of(1), &mut out), Err(SendError::CloseSent));
    assert_eq!(out, before);
}

// --- RFC 7692 §7.1.1.1 and §7.1.2.1: context and window
// ------------------------------------------------------

#[test]
fn without_context_each_message_begins_anew() {
    let mut deflater = Deflater::new(6);
    let text = long();
    let twice = sent(&[&text, &text], &ANEW, &mut deflater);
    let (first, second) = twice.split_at(twice.len() / 2);
    assert_eq!(first, second);
    assert_eq!(deflater.memory(), 0, "nothing is kept between two messages");
}

#[test]
fn with_context_a_repeated_message_is_a_few_bytes() {
    let mut deflater = Deflater::new(6);
    let text = long();
    let once = sent(&[&text], &PARAMS, &mut Deflater::new(6)).len();
    let twice = sent(&[&text, &text], &PARAMS, &mut deflater);
    assert!(twice.len() < once + 15, "{} after {once}", twice.len());
    assert_eq!(received(&twice, &PARAMS), [OwnedMessage::Text(text.clone()), OwnedMessage::Text(text)]);
}

#[test]
fn no_reference_reaches_back_farther_than_the_window() {
    // What repeats lies 600 bytes back: a window of 512 bytes must not reach it.
    let mut state = 7_u32;
    let noise: String = (0..600)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'!' + (state >> 24) as u8 % 90)
        })
        .collect();
    let text = noise.repeat(2);
    for bits in 9..=15 {
        let params = DeflateParams { server_max_window_bits: bits, ..PARAMS };
        let out = sent(&[&text], &params, &mut Deflater::new(9));
        assert_eq!(received(&out, &params), [OwnedMessage::Text(text.clone())], "{bits} bits");
        // A receiver with the smallest window can read it only if it keeps to 512 bytes.
        let found = out.len() < 1000;
        assert_eq!(found, bits > 9, "{bits} bits: {} bytes", out.len());
    }
}

#[test]
fn a_compressor_that_was_taken_away_costs_bytes_only() {
    let text = long();
    let mut deflater = Deflater::new(6);
    let mut sender = server(&PARAMS);
    let mut out = Vec::new();
    for round in 0..6 {
        sender.message_with(Message::Text(&text), &mut deflater.of(1), &mut out).unwrap();
        assert!(deflater.memory() > 0);
        match round {
            1 => deflater.forget(1),
            3 => {
                deflater.release_unused();
                assert!(deflater.memory() > 0, "it was used since the last call");
                deflater.release_unused();
            }
            _ => continue,
        }
        assert_eq!(deflater.memory(), 0);
    }
    assert_eq!(received(&out, &PARAMS), vec![OwnedMessage::Text(text); 6]);
}

#[test]
fn compressors_stay_within_their_limit() {
    let text = long();
    let one = {
        let mut deflater = Deflater::new(6);
        sent(&[&text], &PARAMS, &mut deflater);
        deflater.memory()
    };
    for (limit, kept) in [(0, 0), (one - 1, 0), (one, 1), (3 * one, 3), (4 * one - 1, 3)] {
        let mut deflater = Deflater::new(6).with_max_memory(limit);
        let mut senders = [(); 5].map(|()| (server(&PARAMS), Vec::new()));
        for _ in 0..3 {
            for (number, (sender, out)) in senders.iter_mut().enumerate() {
                let message = Message::Text(&text);
                sender.message_with(message, &mut deflater.of(number as u64), out).unwrap();
                assert!(deflater.memory() <= limit);
            }
        }
        assert_eq!(deflater.memory(), kept * one);
        for (_, out) in &senders {
            assert_eq!(received(out, &PARAMS), vec![OwnedMessage::Text(text.clone()); 3]);
        }
    }
}

// --- One message for many ----------------------------------------------------------------------------------

#[test]
fn a_message_for_many_is_compressed_once() {
    let text = long();
    let mut deflater = Deflater::new(6);
    let prepared = Prepared::new(Message::Text(&text));
    let framing = server(&ANEW).framing().unwrap();
    assert!(framing.shares_frames());
    let compressed = prepared.compressed(framing, &mut deflater).unwrap();
    for _ in 0..100 {
        let framing = server(&ANEW).framing().unwrap();
        assert_eq!(received(compressed.frame(framing), &ANEW), [OwnedMessage::Text(text.clone())]);
    }
    assert_eq!(deflater.messages(), 1);
    let going_on = server(&PARAMS).framing().unwrap();
    assert!(
        prepared.compressed(going_on, &mut deflater).is_none(),
        "its bytes depend on what was sent before"
    );
}

// --- Any messages ------------------------------------------------------------------------------------------

proptest! {
    /// Whatever is sent, compressed or not, in one frame or in fragments, from whichever side, and whenever a
    /// compressor is taken away: the receiver has the same messages.
    #[test]
    fn what_is_compressed_is_received(
        messages in prop::collection::vec(("[a-c]{0,300}", 0..40_usize, 0..4_u8), 1..20),
        bits in 9..=15_u8,
        level in 1..=9_u8,
        anew: bool,
        limit in 0..600_000_usize,
    ) {
        let params = DeflateParams {
            server_no_context_takeover: anew,
            client_no_context_takeover: anew,
            server_max_window_bits: bits,
            client_max_window_bits: bits,
        };
        let mut deflater = Deflater::new(level).with_max_memory(limit);
        let mut sender = server(&params);
        let mut client = Sender::client(|| [0, 0, 0, 0]);
        client.use_deflate(&params);
        let (mut out, mut from_client, mut expected) = (Vec::new(), Vec::new(), Vec::new());
        for (text, repeat, kind) in messages {
            let text = text.repeat(repeat);
            let message = Message::Text(&text);
            match kind {
                0 => sender.message(message, &mut out).unwrap(),
                1 => sender.fragments_with(message, 100, &mut deflater.of(1), &mut out).unwrap(),
                2 => deflater.forget(1),
                _ => sender.message_with(message, &mut deflater.of(1), &mut out).unwrap(),
            }
            client.message_with(message, &mut deflater.of(2), &mut from_client).unwrap();
            if kind != 2 {
                expected.push(OwnedMessage::Text(text));
            }
        }
        prop_assert_eq!(received(&out, &params), expected);
        let mut receiver = Receiver::new(&Limits::default());
        receiver.use_deflate(&params);
        let mut input = &mut from_client[..];
        while receiver.next_event_with(&mut input, &mut Inflater::default()).unwrap().is_some() {}
        prop_assert!(input.is_empty() && receiver.buffered() == 0);
    }
}
