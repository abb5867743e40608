//! The codec alone, without sockets: frames, masks, text and handshakes, beside a copy of the same bytes.
//!
//! ```sh
//! cargo bench --manifest-path bench/Cargo.toml
//! ```
//!
//! Bytes per second are those of payloads. After the first pass everything that fits is in the first caches,
//! like a message that was just read.

use std::hint::black_box;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use wirehook::protocol::{
    Event, FrameHeader, Limits, Message, OpCode, Receiver, RequestReader, TextBuffer, accept_key, apply_mask,
};

const KIB: usize = 1024;
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// How many small things one timed pass handles, so that reading the clock does not count.
const BATCH: usize = 64;
/// A payload in each of the three forms that a length has.
const LENGTHS: [u64; 3] = [20, 1000, 100_000];
const SIZES: [usize; 3] = [125, 16 * KIB, 1024 * KIB];

const REQUEST: &str = "GET /chat HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept-Language: en-US,en;q=0.5\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Origin: http://example.com\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Connection: keep-alive, Upgrade\r\n\
    Upgrade: websocket\r\n\r\n";

fn main() {
    divan::main();
}

fn header(payload_len: u64, masking_key: Option<[u8; 4]>) -> FrameHeader {
    FrameHeader { masking_key, ..FrameHeader::server(OpCode::Binary, payload_len) }
}

/// Returns `count` masked frames, one after the other.
fn frames(count: usize, opcode: OpCode, key: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut masked = payload.to_vec();
    apply_mask(&mut masked, key);
    let header = FrameHeader { masking_key: Some(key), ..FrameHeader::server(opcode, payload.len() as u64) };
    let mut bytes = Vec::new();
    for _ in 0..count {
        header.encode(&mut bytes);
        bytes.extend_from_slice(&masked);
    }
    bytes
}

/// Has a receiver take all that there is; returns how many messages it held.
fn receive(receiver: &mut Receiver, mut input: &mut [u8]) -> usize {
    let mut messages = 0;
    while let Ok(Some(event)) = receiver.next_event(&mut input) {
        messages +=
            usize::from(matches!(black_box(event), Event::Message(Message::Text(_) | Message::Binary(_))));
    }
    messages
}

/// Text of that length with the given characters over and over, filled up with spaces.
fn text(len: usize, characters: &str) -> Vec<u8> {
    let mut text: String = characters
        .chars()
        .cycle()
        .scan(0, |end, character| {
            *end += character.len_utf8();
            (*end <= len).then_some(character)
        })
        .collect();
    text.extend(std::iter::repeat_n(' ', len - text.len()));
    text.into_bytes()
}

const ASCII: &str = "The quick brown fox jumps over the lazy dog. ";
const NON_ASCII: &str = "Žluťoučký кůň 速い茶色の狐 🦊 ";

mod frame {
    use super::*;

    /// A client's header, from bytes.
    #[divan::bench(args = LENGTHS)]
    fn decode_header(bencher: Bencher<'_, '_>, len: u64) {
        let mut bytes = Vec::new();
        header(len, Some(KEY)).encode(&mut bytes);
        bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
            for _ in 0..BATCH {
                let _ = black_box(FrameHeader::decode(black_box(&bytes)));
            }
        });
    }

    /// A server's header, to bytes.
    #[divan::bench(args = LENGTHS)]
    fn encode_header(bencher: Bencher<'_, '_>, len: u64) {
        let mut out = Vec::with_capacity(BATCH * FrameHeader::MAX_LEN);
        bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
            out.clear();
            for _ in 0..BATCH {
                black_box(header(len, None)).encode(&mut out);
            }
            black_box(&out);
        });
    }

    /// Masked frames that lie whole in the input: header, rules, mask.
    #[divan::bench(args = [20, 125, 16 * KIB])]
    fn receive_whole(bencher: Bencher<'_, '_>, len: usize) {
        let mut input = frames(BATCH, OpCode::Binary, KEY, &vec![b'x'; len]);
        let mut receiver = Receiver::new(&Limits::default());
        // Each pass turns the payloads over; the headers stay, and what the payloads are is all the same.
        assert_eq!(receive(&mut receiver, &mut input), BATCH);
        bencher.counter(ItemsCount::new(BATCH)).bench_local(|| receive(&mut receiver, black_box(&mut input)));
    }
}

mod bytes {
    use super::*;

    /// Between places that are aligned, and not the same in their pages: there the processor would take loads
    /// for dependent on stores.
    #[divan::bench(args = SIZES)]
    fn memcpy(bencher: Bencher<'_, '_>, len: usize) {
        const PAGE: usize = 4 * KIB;
        let apart = len.next_multiple_of(PAGE) + PAGE / 8;
        let mut memory = vec![1; PAGE + apart + len];
        let aligned = memory.as_ptr().align_offset(PAGE);
        let (from, to) = memory[aligned..aligned + apart + len].split_at_mut(apart);
        bencher
            .counter(BytesCount::new(len))
            .bench_local(|| black_box(&mut to[..len]).copy_from_slice(black_box(&from[..len])));
    }

    #[divan::bench(args = SIZES)]
    fn mask(bencher: Bencher<'_, '_>, len: usize) {
        let mut payload = vec![1; len];
        bencher
            .counter(BytesCount::new(len))
            .bench_local(|| apply_mask(black_box(&mut payload), black_box(KEY)));
    }

    /// A text frame that lies whole in the input: header, rules, mask, UTF-8.
    #[divan::bench(args = SIZES)]
    fn receive_ascii(bencher: Bencher<'_, '_>, len: usize) {
        receive_text(bencher, &text(len, ASCII));
    }

    #[divan::bench(args = SIZES)]
    fn receive_non_ascii(bencher: Bencher<'_, '_>, len: usize) {
        receive_text(bencher, &text(len, NON_ASCII));
    }

    /// Text in pieces: UTF-8 and a copy.
    #[divan::bench(args = SIZES)]
    fn text_buffer_non_ascii(bencher: Bencher<'_, '_>, len: usize) {
        let text = text(len, NON_ASCII);
        bencher.counter(BytesCount::new(len)).bench_local(|| {
            let mut buffer = TextBuffer::default();
            let is_valid = black_box(&text).chunks(4 * KIB).all(|piece| buffer.push(piece).is_ok());
            assert!(is_valid && black_box(&buffer).is_complete());
        });
    }

    fn receive_text(bencher: Bencher<'_, '_>, text: &[u8]) {
        // A key of zeros, so that the text is still one after a pass.
        let mut input = frames(1, OpCode::Text, [0; 4], text);
        let mut receiver = Receiver::new(&Limits::default());
        assert_eq!(receive(&mut receiver, &mut input), 1);
        bencher
            .counter(BytesCount::new(text.len()))
            .bench_local(|| receive(&mut receiver, black_box(&mut input)));
    }
}

mod handshake {
    use super::*;

    /// A browser's request, from bytes to verdict.
    #[divan::bench]
    fn parse_and_check(bencher: Bencher<'_, '_>) {
        let limits = Limits::default();
        let mut bytes = REQUEST.as_bytes().to_vec();
        bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
            let mut reader = RequestReader::default();
            let request = reader.next_request(&mut black_box(&mut bytes[..]), &limits);
            assert!(
                request.is_ok_and(|request| request.is_some_and(|request| request.check(&[], &[]).is_ok()))
            );
        });
    }

    #[divan::bench]
    fn accept(bencher: Bencher<'_, '_>) {
        bencher
            .counter(ItemsCount::new(1_usize))
            .bench_local(|| accept_key(black_box("dGhlIHNhbXBsZSBub25jZQ==")));
    }
}
