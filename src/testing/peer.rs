//! A client's end of a stream: what it has received, and what it answers by itself.

use std::{
    mem,
    net::{IpAddr, Ipv4Addr},
};

use super::received::Received;
use crate::{
    CloseCode, Limits,
    protocol::{
        self, Answer, ClientHandshake, ClientRequest, Connection, Event, Message, Refusal, SendError, Sender,
    },
    transport::{Ready, Script},
};

/// The address of a client that a test gives no other one (RFC 5737).
pub(super) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// §5.3 wants a fresh key for each frame. A test wants the same bytes in each run; this key is that of §5.7.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

type Keys = fn() -> [u8; 4];
type ClientSide = protocol::Client<Keys>;

/// What a client makes of the bytes that it gets.
enum Side {
    Raw(Vec<u8>),
    Opening(ClientHandshake),
    Refused(Refusal),
    Open(Connection<ClientSide>),
}

pub(super) struct Peer {
    script: Script,
    side: Side,
    subprotocol: Option<String>,
    received: Vec<Received>,
    pings: Vec<Vec<u8>>,
    /// Whether it reads, and whether it answers by itself.
    reads: bool,
    answers: bool,
    /// It has closed its side of TCP.
    has_ended: bool,
}

impl Peer {
    pub(super) fn raw() -> Self {
        Self::new(Side::Raw(Vec::new()))
    }

    /// Returns a client that sends a request.
    pub(super) fn opening(request: ClientRequest) -> Self {
        let mut bytes = Vec::new();
        let handshake = request.start(*b"the sample nonce", &mut bytes);
        let peer = Self::new(Side::Opening(handshake));
        peer.write(&bytes);
        peer
    }

    fn new(side: Side) -> Self {
        Self {
            script: Script::default(),
            side,
            subprotocol: None,
            received: Vec::new(),
            pings: Vec::new(),
            reads: true,
            answers: true,
            has_ended: false,
        }
    }

    pub(super) const fn script(&self) -> &Script {
        &self.script
    }

    /// Returns the event of the poll for its socket, once the server has accepted it.
    pub(super) fn ready(&self) -> Option<Ready> {
        let is_gone = self.script.is_dropped();
        let token = self.script.token().filter(|_| !is_gone)?;
        Some(Ready { token, readable: true, writable: self.reads, hang_up: self.has_ended })
    }

    // --- What it sends ---------------------------------------------------------------------------------

    pub(super) fn write(&self, bytes: &[u8]) {
        // No bytes would be the end of the stream.
        if !bytes.is_empty() && !self.has_ended {
            self.script.will_read(bytes);
        }
    }

    #[track_caller]
    pub(super) fn send(
        &mut self,
        put: impl FnOnce(&mut Sender<ClientSide>, &mut Vec<u8>) -> Result<(), SendError>,
    ) {
        let Side::Open(connection) = &mut self.side else { panic!("the client's connection is not open") };
        let mut bytes = Vec::new();
        if let Err(error) = put(&mut connection.send, &mut bytes) {
            panic!("the client can't send that: {error}");
        }
        self.write(&bytes);
    }

    pub(super) fn end(&mut self) {
        if !self.has_ended {
            self.script.will_read(b"");
            self.has_ended = true;
        }
    }

    pub(super) fn reset(&mut self) {
        self.script.reset();
        self.has_ended = true;
    }

    pub(super) fn set_reads(&mut self, reads: bool) {
        self.reads = reads;
        self.script.set_full(!reads);
    }

    pub(super) const fn stop_answering(&mut self) {
        self.answers = false;
    }

    // --- What it receives ------------------------------------------------------------------------------

    /// Reads what the server has written. Returns whether it has answered.
    #[track_caller]
    pub(super) fn read(&mut self) -> bool {
        if !self.reads {
            return false;
        }
        let mut bytes = self.script.take_written();
        let mut input = &mut bytes[..];
        let mut output = Vec::new();
        if let Side::Opening(handshake) = &mut self.side
            && let Some(side) = open(handshake, &mut input, &mut self.subprotocol)
        {
            self.side = side;
        }
        match &mut self.side {
            Side::Raw(received) => received.extend_from_slice(input),
            Side::Open(connection) => {
                receive(connection, input, &mut output, &mut self.received, &mut self.pings);
            }
            Side::Opening(_) | Side::Refused(_) => {}
        }
        if !self.answers {
            return false;
        }
        self.write(&output);
        // §7.1.1: the server closes TCP first, and the client after it.
        let follows = self.script.is_write_closed() && !self.has_ended && !matches!(self.side, Side::Raw(_));
        if follows {
            self.end();
        }
        follows || !output.is_empty()
    }

    pub(super) fn take_bytes(&mut self) -> Vec<u8> {
        if let Side::Raw(received) = &mut self.side { mem::take(received) } else { Vec::new() }
    }

    pub(super) fn take_received(&mut self) -> Vec<Received> {
        mem::take(&mut self.received)
    }

    pub(super) fn take_pings(&mut self) -> Vec<Vec<u8>> {
        mem::take(&mut self.pings)
    }

    /// Whether the server has accepted the connection, be it open still or not.
    pub(super) const fn has_opened(&self) -> bool {
        matches!(self.side, Side::Open(_))
    }

    pub(super) fn is_open(&self) -> bool {
        let is_open = matches!(&self.side, Side::Open(it) if it.state() == protocol::ConnectionState::Open);
        is_open && self.is_connected()
    }

    pub(super) fn is_connected(&self) -> bool {
        !(self.has_ended || self.script.is_dropped() || self.script.is_write_closed())
    }

    pub(super) fn subprotocol(&self) -> Option<String> {
        self.subprotocol.clone()
    }

    pub(super) fn refusal(&self) -> Option<Refusal> {
        if let Side::Refused(refusal) = &self.side { Some(refusal.clone()) } else { None }
    }
}

/// Goes on with the handshake. Returns what the client is after it, once it has ended.
#[track_caller]
fn open(
    handshake: &mut ClientHandshake,
    input: &mut &mut [u8],
    subprotocol: &mut Option<String>,
) -> Option<Side> {
    match handshake.next_answer(input, &limits()) {
        Ok(None) => None,
        Ok(Some(Answer::Accepted(accepted))) => {
            *subprotocol = accepted.subprotocol.map(str::to_owned);
            let keys: Keys = || KEY;
            Some(Side::Open(Connection::client(&limits(), keys)))
        }
        Ok(Some(Answer::Refused(refusal))) => Some(Side::Refused(refusal)),
        Err(error) => panic!("the server's answer to the handshake breaks a rule: {error}"),
    }
}

/// Receives frames, and writes what has to be answered.
#[track_caller]
fn receive(
    connection: &mut Connection<ClientSide>,
    mut input: &mut [u8],
    output: &mut Vec<u8>,
    received: &mut Vec<Received>,
    pings: &mut Vec<Vec<u8>>,
) {
    loop {
        let event = match connection.recv.next_event(&mut input) {
            Ok(Some(event)) => event,
            Ok(None) => return,
            Err(error) => panic!("the server breaks a rule: {error}"),
        };
        connection.send.answer(&event, output);
        match event {
            Event::Message(Message::Text(text)) => received.push(Received::Text(text.to_owned())),
            Event::Message(Message::Binary(bytes)) => received.push(Received::Binary(bytes.to_vec())),
            Event::Ping(payload) => pings.push(payload.to_vec()),
            Event::Pong(payload) => received.push(Received::Pong(payload.to_vec())),
            Event::Close(Some(close)) => received.push(Received::close(close.code, close.reason)),
            // §7.1.5: "If this Close control frame contains no status code, _The WebSocket
            // Connection Close Code_ is considered to be 1005."
            Event::Close(None) => received.push(Received::close(CloseCode::NO_STATUS_RECEIVED, "")),
        }
    }
}

/// Returns limits that no server of a test meets.
fn limits() -> Limits {
    Limits { max_message_size: usize::MAX, ..Limits::default() }
}
