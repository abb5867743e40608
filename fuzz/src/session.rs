//! Invariant: whatever a client does, rightly or wrongly, and whatever the server's application does
//! meanwhile, events, replies, close code and state are as the model of §5 and §7 predicts.

mod model;

use wirehook::protocol::{self, CloseCode, CloseFrame, Connection, ConnectionState, Message};

use super::{
    client::{self, Form},
    cut, messages_up_to,
    plan::Plan,
};
use model::{Event, Frame, Model, Reply, State};

/// The largest message, in bytes.
const LIMIT: usize = 1000;
/// How many actions a plan can have, so that an execution stays short.
const MAX_ACTIONS: usize = 32;

/// A first byte from here on is no frame's but the server's own act. The frames that can't be had are those
/// with FIN and all three reserved bits.
const SERVERS_ACTS: u8 = 0xF0;

/// What happens next.
#[derive(Clone, Debug)]
enum Action {
    /// The client sends a frame.
    Client(Frame),
    /// The server's application sends something.
    Server(Act),
}

#[derive(Clone, Debug)]
enum Act {
    Ping(Vec<u8>),
    Text(String),
    /// The code, or none for a Close without a body.
    Close(Option<u16>),
}

/// How each frame is cut, then one action after the other.
pub fn body(input: &[u8]) {
    let mut plan = Plan(input);
    let lengths = cut::read(&mut plan);
    let mut session = Session {
        connection: Connection::new(&messages_up_to(LIMIT)),
        model: Model::new(LIMIT as u64),
        lengths,
    };
    for _ in 0..MAX_ACTIONS {
        if plan.is_over() {
            return;
        }
        match action(&mut plan) {
            Action::Client(frame) => {
                session.receive(&frame);
                // What follows would be taken for the bytes that are missing.
                if frame.missing > 0 {
                    return;
                }
            }
            Action::Server(act) => session.act(&act),
        }
        session.check_state();
    }
}

/// The connection and what must come of it.
struct Session {
    connection: Connection,
    model: Model,
    lengths: Vec<usize>,
}

impl Session {
    fn receive(&mut self, frame: &Frame) {
        let (event, reply) = self.model.receive(frame);
        let (mut events, mut out) = (Vec::new(), Vec::new());
        let (mut bytes, mut start) = (write(frame), 0);
        for end in cut::ends(bytes.len(), &self.lengths) {
            serve(&mut self.connection, &mut bytes[start..end], &mut events, &mut out);
            start = end;
        }
        assert_eq!(events, Vec::from_iter(event), "{frame:?}");
        assert_eq!(replies(&out), Vec::from_iter(reply), "{frame:?}");
    }

    fn act(&mut self, act: &Act) {
        let (sender, mut out) = (&mut self.connection.send, Vec::new());
        let (result, reply) = match act {
            Act::Ping(payload) if payload.len() > 125 => (sender.ping(payload, &mut out), None),
            Act::Ping(payload) => {
                (sender.ping(payload, &mut out), self.model.send(Reply::Ping(payload.clone())))
            }
            Act::Text(text) => {
                (sender.message(Message::Text(text), &mut out), self.model.send(Reply::Text(text.clone())))
            }
            Act::Close(None) => {
                (sender.close(CloseCode::NO_STATUS_RECEIVED, "", &mut out), self.model.close(None))
            }
            // 1005 means that there is no code.
            Act::Close(Some(1005)) => (sender.close(CloseCode(1005), "", &mut out), self.model.close(None)),
            // 1010 is a client's code (§7.4.1).
            Act::Close(Some(code)) if *code == 1010 || !model::may_be_sent(*code) => {
                (sender.close(CloseCode(*code), "", &mut out), None)
            }
            Act::Close(Some(code)) => {
                (sender.close(CloseCode(*code), "why", &mut out), self.model.close(Some(*code)))
            }
        };
        assert_eq!(result.is_ok(), reply.is_some(), "{act:?}");
        assert_eq!(replies(&out), Vec::from_iter(reply), "{act:?}");
    }

    fn check_state(&self) {
        let state = match self.connection.state() {
            ConnectionState::Open => State::Open,
            ConnectionState::Closing => State::Closing,
            ConnectionState::Closed { clean } => State::Closed { clean },
        };
        assert_eq!(state, self.model.state());
    }
}

/// Serves a piece as a server does whose application echoes.
fn serve(connection: &mut Connection, mut input: &mut [u8], events: &mut Vec<Event>, out: &mut Vec<u8>) {
    loop {
        match connection.recv.next_event(&mut input) {
            Ok(Some(event)) => {
                connection.send.answer(&event, out);
                if let protocol::Event::Message(message) = event {
                    assert_eq!(
                        connection.send.message(message, out).is_err(),
                        connection.send.is_close_sent()
                    );
                }
                events.push(told(event));
            }
            Ok(None) => return,
            Err(error) => {
                connection.send.fail(error, out);
                events.push(Event::Fail(error.section(), error.close_code().0));
            }
        }
    }
}

fn told(event: protocol::Event<'_>) -> Event {
    match event {
        protocol::Event::Message(Message::Text(text)) => Event::Text(text.to_owned()),
        protocol::Event::Message(Message::Binary(bytes)) => Event::Binary(bytes.to_vec()),
        protocol::Event::Ping(payload) => Event::Ping(payload.to_vec()),
        protocol::Event::Pong(payload) => Event::Pong(payload.to_vec()),
        protocol::Event::Close(frame) => {
            Event::Close(frame.map(|CloseFrame { code, reason }| (code.0, reason.to_owned())))
        }
    }
}

/// What the server has sent, in the model's words.
fn replies(out: &[u8]) -> Vec<Reply> {
    let reply = |frame: client::Served| match (frame.first, frame.payload) {
        (0x81, payload) => Reply::Text(String::from_utf8(payload).expect("§8.1")),
        (0x82, payload) => Reply::Binary(payload),
        (0x89, payload) => Reply::Ping(payload),
        (0x8A, payload) => Reply::Pong(payload),
        (0x88, payload) => {
            assert!(payload.len() <= 125 && payload.len() != 1, "§5.5, §5.5.1");
            assert!(str::from_utf8(payload.get(2..).unwrap_or_default()).is_ok(), "§5.5.1");
            Reply::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code)))
        }
        (first, _) => panic!("no server sends {first:#04x}"),
    };
    client::read(out).into_iter().map(reply).collect()
}

// --- From a plan to bytes ----------------------------------------------------------------------------------

/// A frame as its bytes, as far as they come.
fn write(frame: &Frame) -> Vec<u8> {
    let first = u8::from(frame.fin) << 7 | frame.rsv << 4 | frame.opcode;
    let key = frame.is_masked.then_some(client::KEY);
    let mut bytes = client::header(first, key, frame.form, frame.len());
    bytes.extend(if frame.is_masked {
        client::masked(&frame.payload, client::KEY)
    } else {
        frame.payload.clone()
    });
    bytes
}

fn action(plan: &mut Plan<'_>) -> Action {
    let first = plan.byte();
    if first < SERVERS_ACTS { Action::Client(frame(plan, first)) } else { Action::Server(act(plan, first)) }
}

/// The second byte has one bit for each thing that a client can do otherwise.
fn frame(plan: &mut Plan<'_>, first: u8) -> Frame {
    let how = plan.byte();
    let payload = payload(plan, how & 0x80 != 0);
    let form = match how & 0x03 {
        0x02 => Form::In16Bits,
        0x03 => Form::In64Bits,
        _ => Form::Shortest,
    };
    let missing = match how & 0x0C {
        0x04 => plan.number().into(),
        0x08 => 1 << 63,
        _ => 0,
    };
    // A length that sixteen bits can't hold has no such form.
    let form =
        if payload.len() as u64 + missing > 0xFFFF && form == Form::In16Bits { Form::In64Bits } else { form };
    Frame {
        fin: first & 0x80 != 0,
        rsv: first >> 4 & 0x7,
        opcode: first & 0xF,
        is_masked: how & 0x10 == 0,
        form,
        payload,
        missing,
    }
}

fn act(plan: &mut Plan<'_>, first: u8) -> Act {
    match first % 4 {
        0 => Act::Ping(payload(plan, false)),
        1 => Act::Text(String::from_utf8_lossy(&payload(plan, false)).into_owned()),
        2 => Act::Close(Some(plan.number())),
        _ => Act::Close(None),
    }
}

/// Bytes of the plan, or one of them over and over.
fn payload(plan: &mut Plan<'_>, is_long: bool) -> Vec<u8> {
    if is_long {
        let len = plan.number() % 2048;
        return vec![plan.byte(); len.into()];
    }
    let len = plan.byte();
    plan.bytes(len.into()).to_vec()
}
