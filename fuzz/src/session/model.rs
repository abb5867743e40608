//! §5 and §7 as an executable page: what a server owes a client, frame by frame.
//!
//! This file knows whole frames with their fields, as the RFC speaks of them. It refuses to know bytes,
//! buffers and pieces, and has not a line of the server's code. [`HEADER_RULES`] and [`PAYLOAD_RULES`] are
//! the rules that a client can break, in the order in which the bytes of a frame show it; [`Model::receive`]
//! is what happens to a frame that keeps them.

use super::super::client::{Form, length_field};

/// A client's frame (§5.2).
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) fin: bool,
    /// RSV1 to RSV3 as three bits.
    pub(super) rsv: u8,
    pub(super) opcode: u8,
    pub(super) is_masked: bool,
    pub(super) form: Form,
    pub(super) payload: Vec<u8>,
    /// How many bytes of the payload are announced and never come.
    pub(super) missing: u64,
}

impl Frame {
    pub(super) const fn is_control(&self) -> bool {
        self.opcode >= 0x8
    }

    /// The length that the header announces.
    pub(super) const fn len(&self) -> u64 {
        self.missing.saturating_add(self.payload.len() as u64)
    }

    /// The code of a Close (§5.5.1), once both of its bytes are there.
    fn close_code(&self) -> Option<u16> {
        self.payload.first_chunk().map(|code| u16::from_be_bytes(*code))
    }
}

/// The events that a server reports to its application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    /// The section of the broken rule, and the code that answers it (§7.1.7, §7.4.1).
    Fail(&'static str, u16),
}

/// What a server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
}

/// §7.1: the state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    /// One of both has sent its Close.
    Closing,
    Closed {
        clean: bool,
    },
}

/// A server's side of one connection, with an application that echoes every message.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// §10.4: the largest message, in bytes.
    max_message_size: u64,
    /// §5.4: the message whose last fragment has not come: whether it is text, and its payload so far.
    message: Option<(bool, Vec<u8>)>,
    close_sent: bool,
    close_received: bool,
    has_failed: bool,
}

/// A rule that a client can break.
struct Rule {
    section: &'static str,
    /// §7.4.1: the code that answers it.
    code: u16,
    is_broken: fn(&Model, &Frame) -> bool,
}

/// What a header must not say.
const HEADER_RULES: [Rule; 10] = [
    // "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_."
    Rule { section: "§5.2", code: 1002, is_broken: |_, it| matches!(it.opcode, 0x3..=0x7 | 0xB..=0xF) },
    // "All control frames … MUST NOT be fragmented."
    Rule { section: "§5.5", code: 1002, is_broken: |_, it| it.is_control() && !it.fin },
    // "All control frames MUST have a payload length of 125 bytes or less".
    Rule {
        section: "§5.5",
        code: 1002,
        is_broken: |_, it| it.is_control() && length_field(it.form, it.len()) > 125,
    },
    // "The most significant bit MUST be 0."
    Rule { section: "§5.2", code: 1002, is_broken: |_, it| it.len() >= 1 << 63 },
    // "The minimal number of bytes MUST be used to encode the length".
    Rule {
        section: "§5.2",
        code: 1002,
        is_broken: |_, it| length_field(it.form, it.len()) != length_field(Form::Shortest, it.len()),
    },
    // "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values."
    Rule { section: "§5.2", code: 1002, is_broken: |_, it| it.rsv != 0 },
    // "The server MUST close the connection upon receiving a frame that is not masked."
    Rule { section: "§5.1", code: 1002, is_broken: |_, it| !it.is_masked },
    // A fragmented message begins with "a single frame with … an opcode other than 0".
    Rule { section: "§5.4", code: 1002, is_broken: |model, it| it.opcode == 0x0 && model.message.is_none() },
    // "The fragments of one message MUST NOT be interleaved between the fragments of another message".
    Rule {
        section: "§5.4",
        code: 1002,
        is_broken: |model, it| matches!(it.opcode, 0x1 | 0x2) && model.message.is_some(),
    },
    // A limit on "the total message size after reassembly from multiple frames".
    Rule {
        section: "§10.4",
        code: 1009,
        is_broken: |model, it| {
            let begun = model.message.as_ref().map_or(0, |(_, payload)| payload.len() as u64);
            !it.is_control() && it.len().saturating_add(begun) > model.max_message_size
        },
    },
];

/// What a payload must not be.
const PAYLOAD_RULES: [Rule; 4] = [
    // "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not, in
    // fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_."
    Rule {
        section: "§8.1", code: 1007, is_broken: |model, it| !it.is_control() && model.text_is_broken(it)
    },
    // "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer".
    Rule {
        section: "§5.5.1",
        code: 1002,
        is_broken: |_, it| it.opcode == 0x8 && it.payload.len() == 1 && it.missing == 0,
    },
    // Some codes "MUST NOT be set as a status code in a Close control frame".
    Rule {
        section: "§7.4",
        code: 1002,
        is_broken: |_, it| it.opcode == 0x8 && it.close_code().is_some_and(|code| !may_be_sent(code)),
    },
    // The reason is "UTF-8-encoded data".
    Rule {
        section: "§5.5.1",
        code: 1007,
        is_broken: |_, it| {
            it.opcode == 0x8
                && it.payload.get(2..).is_some_and(|reason| is_broken_text(reason, it.missing == 0))
        },
    },
];

impl Model {
    pub(super) fn new(max_message_size: u64) -> Self {
        Self { max_message_size, ..Self::default() }
    }

    /// A frame has arrived, as far as it comes.
    pub(super) fn receive(&mut self, frame: &Frame) -> (Option<Event>, Option<Reply>) {
        // §5.5.1, §7.1.7: after a Close, and after a failure, nothing that arrives counts.
        if self.close_received || self.has_failed {
            return (None, None);
        }
        let mut rules = HEADER_RULES.iter().chain(&PAYLOAD_RULES);
        if let Some(rule) = rules.find(|rule| (rule.is_broken)(self, frame)) {
            self.has_failed = true;
            let reply = self.close(Some(rule.code));
            return (Some(Event::Fail(rule.section, rule.code)), reply);
        }
        if frame.missing > 0 {
            return (None, None);
        }
        let payload = frame.payload.clone();
        match frame.opcode {
            0x8 => {
                self.close_received = true;
                let body = frame.close_code().map(|code| (code, text(payload[2..].to_vec())));
                // §5.5.1: "the endpoint typically echos the status code it received".
                let reply = self.close(frame.close_code());
                (Some(Event::Close(body)), reply)
            }
            // §5.5.2: "MUST send a Pong frame in response". Not after our own Close: a deviation of
            // wirehook's.
            0x9 => (Some(Event::Ping(payload.clone())), self.send(Reply::Pong(payload))),
            0xA => (Some(Event::Pong(payload)), None),
            opcode => self.receive_data(opcode, payload, frame.fin),
        }
    }

    /// §5.4: a fragment, or a message of one.
    fn receive_data(&mut self, opcode: u8, payload: Vec<u8>, fin: bool) -> (Option<Event>, Option<Reply>) {
        let (is_text, mut message) = self.message.take().unwrap_or((opcode == 0x1, Vec::new()));
        message.extend(payload);
        if !fin {
            self.message = Some((is_text, message));
            return (None, None);
        }
        if is_text {
            let text = text(message);
            (Some(Event::Text(text.clone())), self.send(Reply::Text(text)))
        } else {
            (Some(Event::Binary(message.clone())), self.send(Reply::Binary(message)))
        }
    }

    /// §5.5.1: "The application MUST NOT send any more data frames after sending a Close frame."
    pub(super) fn send(&self, reply: Reply) -> Option<Reply> {
        (!self.close_sent).then_some(reply)
    }

    /// Sends a Close, unless one was sent.
    pub(super) fn close(&mut self, code: Option<u16>) -> Option<Reply> {
        let reply = self.send(Reply::Close(code));
        self.close_sent = true;
        reply
    }

    pub(super) const fn state(&self) -> State {
        match (self.close_sent, self.close_received) {
            _ if self.has_failed => State::Closed { clean: false },
            (true, true) => State::Closed { clean: true },
            (false, false) => State::Open,
            _ => State::Closing,
        }
    }

    /// §8.1, over all fragments so far and this one.
    fn text_is_broken(&self, frame: &Frame) -> bool {
        let (is_text, begun) = match &self.message {
            Some((is_text, begun)) => (*is_text, &begun[..]),
            None => (frame.opcode == 0x1, &[][..]),
        };
        is_text && is_broken_text(&[begun, &frame.payload].concat(), frame.fin && frame.missing == 0)
    }
}

/// §7.4.1 and §7.4.2, and the registry of §11.7: 1005, 1006 and 1015 "MUST NOT be set", those below 1000 are
/// "not used", 1004 and the others below 3000 reserved.
pub(super) const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Whether bytes are not UTF-8, or can't become it any more if they are not complete.
fn is_broken_text(bytes: &[u8], is_complete: bool) -> bool {
    str::from_utf8(bytes).is_err_and(|error| is_complete || error.error_len().is_some())
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("the rules have seen to it")
}
