//! Invariant: any messages, in any fragments, with any keys and pings between, written by an independent
//! client and delivered in any pieces, come out equal and in order; so do they on the way back.

use wirehook::protocol::{Event, Message, Receiver, Sender};

use super::{client, cut, messages_up_to, plan::Plan};

/// The largest message here, in bytes: a little more than what takes a 64-bit length.
const LIMIT: usize = 70_000;
/// Where one form of length ends and the next begins (§5.2), and the limit.
const LENGTHS: [usize; 7] = [0, 125, 126, 65_535, 65_536, LIMIT - 1, LIMIT];
/// How many messages a plan can have, so that an execution stays short.
const MAX_MESSAGES: usize = 4;

/// What a client has said.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
}

/// How the bytes are cut, then one message after the other.
pub fn body(input: &[u8]) {
    let mut plan = Plan(input);
    let lengths = cut::read(&mut plan);
    let (mut bytes, mut said) = (Vec::new(), Vec::new());
    for _ in 0..MAX_MESSAGES {
        if plan.is_over() {
            break;
        }
        write_message(&mut plan, &mut bytes, &mut said);
    }
    let mut receiver = Receiver::new(&messages_up_to(LIMIT));
    let mut heard = Vec::new();
    let (mut start, total) = (0, bytes.len());
    for end in cut::ends(total, &lengths) {
        let mut input = &mut bytes[start..end];
        while let Some(event) = receiver.next_event(&mut input).expect("no rule was broken") {
            heard.push(owned(event));
        }
        start = end;
    }
    assert!(receiver.buffered() == 0 && !receiver.is_discarding());
    assert!(heard == said, "{} events of {}", heard.len(), said.len());
    check_way_back(&said);
}

/// Reads a message from the plan and writes it as a client does, with what it says on the way.
fn write_message(plan: &mut Plan<'_>, bytes: &mut Vec<u8>, said: &mut Vec<Said>) {
    let kind = plan.byte();
    let (is_text, fragments, pings) = (kind & 1 != 0, (kind >> 1) % 4, kind & 8 != 0);
    let payload = payload(plan, kind >> 4, is_text);
    let mut rest = &payload[..];
    let mut opcode = if is_text { 0x1 } else { 0x2 };
    for _ in 0..fragments {
        let len = usize::from(plan.number()).min(rest.len());
        let (fragment, more) = rest.split_at(len);
        bytes.extend(client::frame(opcode, plan.array(), fragment));
        if pings {
            let len = usize::from(plan.byte() % 126);
            let ping = plan.bytes(len);
            bytes.extend(client::frame(0x89, plan.array(), ping));
            said.push(Said::Ping(ping.to_vec()));
        }
        (opcode, rest) = (0x0, more);
    }
    bytes.extend(client::frame(0x80 | opcode, plan.array(), rest));
    said.push(match String::from_utf8(payload) {
        Ok(text) if is_text => Said::Text(text),
        Ok(text) => Said::Binary(text.into_bytes()),
        Err(error) => Said::Binary(error.into_bytes()),
    });
}

/// Bytes of the plan, or more than any plan has.
fn payload(plan: &mut Plan<'_>, length: u8, is_text: bool) -> Vec<u8> {
    let bytes = match LENGTHS.get(usize::from(length)) {
        Some(&len) => {
            let filler = plan.byte();
            (0..len)
                .map(|i| if is_text { b'a' + (i % 26) as u8 } else { filler.wrapping_add(i as u8) })
                .collect()
        }
        None => {
            let len = plan.byte();
            plan.bytes(len.into()).to_vec()
        }
    };
    if is_text { String::from_utf8_lossy(&bytes).into_owned().into_bytes() } else { bytes }
}

fn owned(event: Event<'_>) -> Said {
    match event {
        Event::Message(Message::Text(text)) => Said::Text(text.to_owned()),
        Event::Message(Message::Binary(bytes)) => Said::Binary(bytes.to_vec()),
        Event::Ping(payload) => Said::Ping(payload.to_vec()),
        Event::Pong(_) | Event::Close(_) => panic!("{event:?} was never sent"),
    }
}

/// What the server sends, a client reads.
fn check_way_back(said: &[Said]) {
    let mut sender = Sender::default();
    let mut out = Vec::new();
    for it in said {
        let result = match it {
            Said::Text(text) => sender.message(Message::Text(text), &mut out),
            Said::Binary(bytes) => sender.message(Message::Binary(bytes), &mut out),
            Said::Ping(payload) => sender.ping(payload, &mut out),
        };
        assert_eq!(result, Ok(()));
    }
    let read = client::read(&out);
    assert_eq!(read.len(), said.len());
    for (frame, it) in read.iter().zip(said) {
        let (first, payload) = match it {
            Said::Text(text) => (0x81, text.as_bytes()),
            Said::Binary(bytes) => (0x82, &bytes[..]),
            Said::Ping(payload) => (0x89, &payload[..]),
        };
        assert!(frame.first == first && frame.payload == payload);
    }
}
