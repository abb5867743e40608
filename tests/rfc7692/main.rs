//! The protocol core held to RFC 7692, one file per kind of rule, from literal bytes.
//!
//! This file knows how frames are delivered: whole, byte by byte, and cut in two everywhere. Each way
//! must end in the same events and the same error.

#![cfg(feature = "deflate")]

mod negotiation;
mod receiving;
mod sending;

use wirehook::protocol::{
    DeflateParams, Event, Inflater, Limits, MAX_WINDOW_BITS, Message, ProtocolError, Receiver,
};

/// What a receiver made of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Other(String),
    Failed(ProtocolError),
}

fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Message(Message::Text(text)) => Self::Text(text.into()),
            Event::Message(Message::Binary(bytes)) => Self::Binary(bytes.into()),
            Event::Ping(payload) => Self::Ping(payload.into()),
            other => Self::Other(format!("{other:?}")),
        }
    }
}

/// All windows and all contexts.
const PARAMS: DeflateParams = DeflateParams {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_max_window_bits: MAX_WINDOW_BITS,
    client_max_window_bits: MAX_WINDOW_BITS,
};

/// What a client makes of a server's frames, which are those of RFC 7692, delivered in every way.
#[track_caller]
fn seen(input: &[u8]) -> Vec<Seen> {
    seen_with(&PARAMS, &Limits::default(), input)
}

#[track_caller]
fn seen_with(params: &DeflateParams, limits: &Limits, input: &[u8]) -> Vec<Seen> {
    let whole = receive(params, limits, &[input]);
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(receive(params, limits, &bytes), whole, "byte by byte");
    let stride = (input.len() / 300).max(1);
    for cut in (1..input.len()).step_by(stride) {
        assert_eq!(receive(params, limits, &[&input[..cut], &input[cut..]]), whole, "cut at {cut}");
    }
    whole
}

fn receive(params: &DeflateParams, limits: &Limits, pieces: &[&[u8]]) -> Vec<Seen> {
    let mut inflater = Inflater::default();
    let mut receiver = Receiver::client(limits);
    receiver.use_deflate(params);
    let mut seen = Vec::new();
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let mut input = &mut bytes[..];
        loop {
            match receiver.next_event_with(&mut input, &mut inflater) {
                Ok(Some(event)) => seen.push(event.into()),
                Ok(None) => break,
                Err(error) => seen.push(Seen::Failed(error)),
            }
        }
    }
    seen
}

/// A frame of a server with a payload of up to 65,535 bytes.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(len as u8),
        len @ 126..=0xFFFF => {
            bytes.push(126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => panic!("a payload of {len} bytes"),
    }
    bytes.extend_from_slice(payload);
    bytes
}
