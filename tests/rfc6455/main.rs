//! The protocol core checked against RFC 6455, one file per section, from literal bytes.
//!
//! This file knows how a case is delivered: whole, byte by byte, cut in two everywhere, and with a tail after
//! it. Each way must end in the same events, the same replies and the same error. It refuses to know any
//! rule: those are in the other files, and `grep -rn '§5.4' tests` finds the tests of a section.

mod client;
mod client_handshake;
mod close_codes;
mod closing;
mod control;
mod examples;
mod fragmentation;
#[path = "../../src/server/simulator/frames.rs"]
mod frames;
mod framing;
mod handshake;
mod limits;
mod masking;
mod sending;
mod utf8;

use wirehook::protocol::{
    CloseCode, CloseFrame, Connection, ConnectionState, Event, Limits, Message, ProtocolError,
};

/// The masking key of the examples of §5.7.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What a client sends, and what must come of it.
struct Case<'a> {
    name: &'a str,
    /// Whole frames, or bytes that break a rule.
    input: &'a [u8],
    /// The events in their order; a broken rule is the last.
    expect: &'a [Seen],
    /// The replies that the RFC asks for, byte for byte.
    sent: &'a [u8],
}

/// An [`Event`] that owns its bytes, or the rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(CloseCode, String)>),
    Failed(ProtocolError),
}

fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

fn binary(bytes: &[u8]) -> Seen {
    Seen::Binary(bytes.into())
}

fn ping(payload: &[u8]) -> Seen {
    Seen::Ping(payload.into())
}

fn pong(payload: &[u8]) -> Seen {
    Seen::Pong(payload.into())
}

fn close(code: u16, reason: &str) -> Seen {
    Seen::Close(Some((CloseCode(code), reason.into())))
}

fn close_without_body() -> Seen {
    Seen::Close(None)
}

fn failed(error: ProtocolError) -> Seen {
    Seen::Failed(error)
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Message(Message::Text(text)) => Self::Text(text.into()),
            Event::Message(Message::Binary(bytes)) => Self::Binary(bytes.into()),
            Event::Ping(payload) => Self::Ping(payload.into()),
            Event::Pong(payload) => Self::Pong(payload.into()),
            Event::Close(frame) => {
                Self::Close(frame.map(|CloseFrame { code, reason }| (code, reason.into())))
            }
        }
    }
}

/// Returns a client's frame whose first byte is `first`. The key is that of §5.7.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    frames::client_frame(first, KEY, payload)
}

/// Returns the header of such a frame, for a payload that need not follow.
fn header(first: u8, payload_len: u64) -> Vec<u8> {
    frames::header(first, Some(KEY), payload_len)
}

/// A server's Close frame with a body (§5.5.1): final, opcode 0x8, unmasked.
fn sent_close(code: u16, reason: &str) -> Vec<u8> {
    let mut bytes = vec![0x88, 2 + reason.len() as u8];
    bytes.extend(code.to_be_bytes());
    bytes.extend(reason.bytes());
    bytes
}

/// Delivers every case in every way, under the default limits.
#[track_caller]
fn check(cases: &[Case<'_>]) {
    check_within(&Limits::default(), cases);
}

/// Delivers every case in every way: without a tail, and with one.
#[track_caller]
fn check_within(limits: &Limits, cases: &[Case<'_>]) {
    for case in cases {
        let ends = matches!(case.expect.last(), Some(Seen::Close(_) | Seen::Failed(_)));
        let mut wanted = Record { seen: case.expect.to_vec(), sent: case.sent.to_vec() };
        deliver(limits, case.name, case.input, &wanted);

        let tail: &[u8] = if ends {
            // A ping, the start of a text and bytes that are no frame: they are discarded.
            b"\x89\x81\0\0\0\0?\x81\x85\0\0\0\0He\xff\xff\xff\xff\xff\xff"
        } else {
            // A ping, which control frames may be anywhere between two frames.
            wanted.seen.push(ping(b"tail"));
            wanted.sent.extend(b"\x8a\x04tail");
            b"\x89\x84\0\0\0\0tail"
        };
        deliver(limits, case.name, &[case.input, tail].concat(), &wanted);
    }
}

/// Delivers `input` in every way, and wants the same each time.
#[track_caller]
fn deliver(limits: &Limits, name: &str, input: &[u8], wanted: &Record) {
    let mut ways = vec![vec![input], single_bytes(input)];
    ways.extend(cuts(input.len()).map(|cut| vec![&input[..cut], &input[cut..]]));
    for pieces in ways {
        let mut client = Client::new(limits);
        for piece in &pieces {
            client.deliver(piece);
        }
        let lens: Vec<_> = pieces.iter().map(|piece| piece.len()).collect();
        assert_eq!(client.record, *wanted, "{name}, in pieces of {lens:?} bytes");
        let state = match wanted.seen.last() {
            Some(Seen::Close(_)) => ConnectionState::Closed { clean: true },
            Some(Seen::Failed(_)) => ConnectionState::Closed { clean: false },
            _ => ConnectionState::Open,
        };
        assert_eq!(client.connection.state(), state, "{name}, in pieces of {lens:?} bytes");
    }
}

/// Each byte alone, and a piece without any, which must make no difference.
fn single_bytes(input: &[u8]) -> Vec<&[u8]> {
    let mut pieces: Vec<_> = input.chunks(1).collect();
    pieces.insert(pieces.len() / 2, &[]);
    pieces
}

/// Where to cut an input in two: everywhere, or if that would take too long, near both ends and at a stride.
fn cuts(len: usize) -> impl Iterator<Item = usize> {
    let stride = (len / 50).max(1) | 1;
    (1..len).filter(move |cut| len < 700 || *cut < 40 || len - cut < 40 || cut % stride == 0)
}

/// A connection, and a record of what it made of the bytes it got.
struct Client {
    connection: Connection,
    record: Record,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Record {
    seen: Vec<Seen>,
    sent: Vec<u8>,
}

impl Client {
    fn new(limits: &Limits) -> Self {
        Self { connection: Connection::new(limits), record: Record::default() }
    }

    /// Drives the connection as its contract says: until all of `piece` is taken.
    #[track_caller]
    fn deliver(&mut self, piece: &[u8]) {
        let mut bytes = piece.to_vec();
        let mut input = &mut bytes[..];
        let Record { seen, sent } = &mut self.record;
        loop {
            match self.connection.recv.next_event(&mut input) {
                Ok(Some(event)) => {
                    self.connection.send.answer(&event, sent);
                    seen.push(event.into());
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(!matches!(seen.last(), Some(Seen::Failed(_))), "failed twice: {seen:?}, {error}");
                    self.connection.send.fail(error, sent);
                    seen.push(failed(error));
                }
            }
        }
        assert_eq!(*input, [], "None means that all input was taken");
    }
}

/// Bytes that break a rule before they make a frame.
struct Early<'a> {
    name: &'a str,
    /// At least as many bytes as it takes.
    input: &'a [u8],
    /// How many bytes of `input` it takes: with one less, nothing is wrong yet.
    noticed_after: usize,
    error: ProtocolError,
}

/// Wants each error at its byte, neither later nor earlier, however the bytes up to there are delivered.
#[track_caller]
fn check_early(limits: &Limits, cases: &[Early<'_>]) {
    for &Early { name, input, noticed_after, error } in cases {
        let harmless = &input[..noticed_after - 1];
        for pieces in [vec![harmless], single_bytes(harmless)] {
            let mut client = Client::new(limits);
            for piece in pieces {
                client.deliver(piece);
            }
            assert_eq!(client.record, Record::default(), "{name}: one byte less is harmless");
        }
        let sent = sent_close(error.close_code().0, &error.to_string());
        let wanted = Record { seen: vec![failed(error)], sent };
        deliver(limits, name, &input[..noticed_after], &wanted);
        deliver(limits, name, input, &wanted);
    }
}
