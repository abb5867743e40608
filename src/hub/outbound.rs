//! The sending side of one connection: its socket, its stage, what may still be sent and what waits.
//!
//! This file knows the life of a connection after accept. It refuses to know what is received:
//! `server/inbound.rs` does that.

use std::mem;

pub(crate) use super::stage::Stage;
use super::{
    backlog::Backlog,
    client_side::{ClientSender, ClientSide},
    control::Control,
    cork::Cork,
    deadlines::LoopTime,
    meter::Meter,
    registry::ConnId,
};
use crate::{
    cause::Cause,
    config::Config,
    connect::ConnectError,
    protocol::{CloseCode, Framing, SendError, Sender},
    transport::{PeerAddr, Stream},
};

/// What becomes of the bytes that wait for a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Output {
    /// Nothing was queued in this turn, and the socket has refused nothing.
    #[default]
    Idle,
    /// Bytes were queued in this turn and are flushed at its end: the connection is in the dirty list.
    Dirty,
    /// The socket has refused bytes and has not taken all of them since.
    Blocked,
}

/// How a connection ended, kept until `on_close` has received it.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) code: CloseCode,
    pub(crate) reason: String,
    pub(crate) cause: Cause,
    pub(crate) clean: bool,
}

/// What the loop calls a hook for when a connection has ended.
#[derive(Debug)]
pub(crate) enum End {
    /// It was open.
    Closed(Ending),
    /// This program wanted to open it.
    Unopened(ConnectError),
}

impl Ending {
    /// §7.1.5: without a Close from the peer the code is 1006.
    pub(crate) const fn abnormal(cause: Cause) -> Self {
        Self { code: CloseCode::ABNORMAL, reason: String::new(), cause, clean: false }
    }
}

/// Why the server doesn't read from a peer, as bits; 0 if it does.
#[derive(Clone, Copy, Debug, Default)]
struct Pauses(u8);

impl Pauses {
    /// The peer does not take what its input causes.
    const BY_BACKLOG: u8 = 1;
    /// The application has asked for it.
    const BY_APPLICATION: u8 = 2;
}

/// One connection's sending side. Every open connection has one, so every byte here counts.
#[derive(Debug)]
pub(crate) struct Outbound<S> {
    pub(crate) stream: Stream,
    pub(crate) address: PeerAddr,
    /// Says what may be sent to a client: `None` before the connection opens, and once nothing new may be
    /// sent to it.
    sender: Option<Sender>,
    stage: Stage,
    output: Output,
    /// The poll reports room in the socket; registered at the first refusal, and kept.
    pub(super) write_interest: bool,
    /// The server doesn't read from the peer, because the peer doesn't take what its input causes. Only the
    /// loop lifts this, after it has handled the postponed input: input must not overtake input.
    pauses: Pauses,
    /// A ping was sent, and nothing was received since.
    pinged: bool,
    /// The peer has closed its side of TCP.
    pub(super) read_closed: bool,
    /// It is counted among the connections of its address.
    admitted: bool,
    /// How many bytes of its input are held.
    input_held: usize,
    /// How many bytes of its stream are counted.
    #[cfg(feature = "tls")]
    stream_held: usize,
    /// What waits to be written; nearly always nothing.
    pub(super) outbox: Option<Box<Outbox>>,
    /// What few connections have.
    rare: Option<Box<Rare>>,
    /// While open: the last sign of life, or the ping that asked for one. Otherwise: when the stage began, or
    /// when the peer last took some of what waits.
    since: LoopTime,
    /// The earliest time at which this connection is in the deadlines.
    scheduled: LoopTime,
    /// The user's state of the connection.
    pub(crate) state: S,
}

/// What few connections have.
#[derive(Debug, Default)]
struct Rare {
    subprotocol: Option<Box<str>>,
    /// Of a connection that this program has opened.
    client: Option<ClientSide>,
}

/// What waits to be written to a peer.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) backlog: Backlog,
    /// The payload of the latest ping (§5.5.3). Its pong is queued after the peer has taken the pong before
    /// it.
    pub(crate) pong: Option<Vec<u8>>,
    /// How many bytes leave until the last queued pong has left.
    pub(crate) until_pong: usize,
    /// When the peer is dropped although it still takes what waits; set when its closing begins.
    pub(crate) give_up_at: Option<LoopTime>,
}

impl Outbox {
    fn held(&self) -> usize {
        self.backlog.held() + self.pong.as_ref().map_or(0, Vec::len)
    }
}

/// Pool of empty outboxes; a broadcast needs one per receiver in every turn.
#[derive(Debug)]
pub(crate) struct OutboxPool {
    #[expect(clippy::vec_box, reason = "the boxes themselves are used again")]
    empty: Vec<Box<Outbox>>,
    meter: Meter,
}

impl OutboxPool {
    /// How many empty outboxes are kept.
    const KEPT: usize = 1024;

    pub(crate) const fn new(meter: Meter) -> Self {
        Self { empty: Vec::new(), meter }
    }

    pub(crate) fn take(&mut self) -> Box<Outbox> {
        self.empty.pop().unwrap_or_else(|| {
            Box::new(Outbox {
                backlog: Backlog::new(&self.meter),
                pong: None,
                until_pong: 0,
                give_up_at: None,
            })
        })
    }

    /// Takes back an outbox that is empty.
    pub(crate) fn give_back(&mut self, mut outbox: Box<Outbox>) {
        if self.empty.len() < Self::KEPT && outbox.backlog.is_small() {
            (outbox.pong, outbox.until_pong, outbox.give_up_at) = (None, 0, None);
            self.empty.push(outbox);
        }
    }
}

impl<S: Default> Outbound<S> {
    pub(crate) fn new(stream: Stream, address: PeerAddr, now: LoopTime) -> Self {
        Self {
            stream,
            address,
            sender: None,
            stage: Stage::Connecting,
            output: Output::Idle,
            pauses: Pauses::default(),
            write_interest: false,
            pinged: false,
            read_closed: false,
            admitted: false,
            input_held: 0,
            #[cfg(feature = "tls")]
            stream_held: 0,
            outbox: None,
            rare: None,
            since: now,
            scheduled: LoopTime::NEVER,
            state: S::default(),
        }
    }
}

impl<S> Outbound<S> {
    #[inline]
    pub(crate) const fn stage(&self) -> Stage {
        self.stage
    }

    /// Returns how frames to the peer are encoded, if any may be sent: until our Close.
    #[inline]
    pub(super) fn framing(&self) -> Option<Framing> {
        self.sender.as_ref()?.framing()
    }

    /// Sets what may be sent from now on, when the connection opens.
    pub(super) fn set_sender(&mut self, sender: Sender) {
        self.sender = Some(sender);
    }

    /// Has the sender append a frame to `out`; the caller notes the fast path after it, which a Close ends.
    pub(super) fn encode(&mut self, out: &mut Vec<u8>, frame: Control<'_>) -> Result<(), SendError> {
        if let Some(sender) = &mut self.sender {
            return frame.encode(sender, out);
        }
        self.client_sender().map_or(Err(SendError::CloseSent), |sender| frame.encode(sender, out))
    }

    /// Returns the sender that masks, once the connection is open.
    pub(super) fn client_sender(&mut self) -> Option<&mut ClientSender> {
        self.client_mut()?.sender.as_mut()
    }

    /// Returns whether frames may be sent to the peer: until our Close.
    pub(super) fn may_send(&self) -> bool {
        self.framing().is_some() || self.client().is_some_and(ClientSide::may_send)
    }

    /// Returns the client's part, if this program is the client.
    pub(super) fn client(&self) -> Option<&ClientSide> {
        self.rare.as_deref()?.client.as_ref()
    }

    /// Returns the client's part, to change it.
    pub(super) fn client_mut(&mut self) -> Option<&mut ClientSide> {
        self.rare.as_deref_mut()?.client.as_mut()
    }

    /// Makes this program the client of the connection.
    pub(super) fn set_client(&mut self, client: ClientSide) {
        self.rare.get_or_insert_default().client = Some(client);
    }

    /// Returns whether this program is the client of the connection.
    pub(crate) fn is_client(&self) -> bool {
        self.client().is_some()
    }

    /// Returns whether this program is the client, and the connection is not open yet.
    pub(crate) fn is_connecting(&self) -> bool {
        self.stage == Stage::Connecting && self.is_client()
    }

    /// Returns the subprotocol that the handshake agreed on.
    pub(crate) fn subprotocol(&self) -> Option<&str> {
        self.rare.as_deref()?.subprotocol.as_deref()
    }

    /// Notes the subprotocol, if there is one.
    pub(crate) fn set_subprotocol(&mut self, subprotocol: Option<String>) {
        if let Some(name) = subprotocol {
            self.rare.get_or_insert_default().subprotocol = Some(name.into_boxed_str());
        }
    }

    /// Goes to another stage; returns the one before.
    pub(super) fn set_stage(&mut self, id: ConnId, stage: Stage, now: LoopTime, cork: &mut Cork) -> Stage {
        debug_assert!(self.stage.may_become(stage), "{:?} never becomes {stage:?}", self.stage);
        self.since = now;
        let before = mem::replace(&mut self.stage, stage);
        if matches!(stage, Stage::Finishing | Stage::Lingering | Stage::Dead) {
            self.sender = None;
            if let Some(client) = self.client_mut() {
                client.sender = None;
            }
        }
        if stage == Stage::Dead {
            self.outbox = None;
        }
        cork.note_fast_path(id, self.fast_path());
        before
    }

    #[inline]
    pub(super) const fn output(&self) -> Output {
        self.output
    }

    /// Returns whether the socket has refused bytes and has not taken all of them since.
    #[inline]
    pub(super) const fn is_blocked(&self) -> bool {
        matches!(self.output, Output::Blocked)
    }

    /// Notes what becomes of the bytes that wait, and keeps the dirty list and the fast path right.
    #[inline]
    pub(super) fn set_output(
        &mut self,
        id: ConnId,
        output: Output,
        dirty: &mut Vec<ConnId>,
        cork: &mut Cork,
    ) {
        let before = mem::replace(&mut self.output, output);
        if output == Output::Dirty && before != Output::Dirty {
            dirty.push(id);
        }
        if (output == Output::Blocked) != (before == Output::Blocked) {
            cork.note_fast_path(id, self.fast_path());
        }
    }

    /// Returns how frames are encoded if they may go straight to the cork: the connection may be sent to, its
    /// socket takes bytes, and no message is compressed.
    #[inline]
    pub(super) fn fast_path(&self) -> Option<Framing> {
        self.framing().filter(|_| !self.is_blocked() && !self.compresses())
    }

    // --- Signs of life, and deadlines ------------------------------------------------------------------

    /// Notes that something was received from the peer.
    #[inline]
    pub(super) fn note_received(&mut self, now: LoopTime) {
        if self.stage == Stage::Open {
            self.note_activity(now);
        }
    }

    /// Notes that the peer has sent or taken something.
    #[inline]
    pub(super) const fn note_activity(&mut self, now: LoopTime) {
        (self.since, self.pinged) = (now, false);
    }

    /// Notes that the peer is asked for a sign of life.
    pub(super) const fn note_ping(&mut self, now: LoopTime) {
        (self.since, self.pinged) = (now, true);
    }

    /// Returns whether a ping was sent and nothing was received since.
    pub(super) const fn is_pinged(&self) -> bool {
        self.pinged
    }

    /// Returns the next deadline if it is to be entered: an earlier one is not entered yet.
    pub(super) fn schedule(&mut self, config: &Config) -> Option<LoopTime> {
        let due = self.due(config).filter(|due| *due < self.scheduled)?;
        self.scheduled = due;
        Some(due)
    }

    /// Forgets the entry for `at`. Returns whether it was the valid one.
    pub(super) fn unschedule(&mut self, at: LoopTime) -> bool {
        let is_valid = self.is_scheduled_at(at);
        if is_valid {
            self.scheduled = LoopTime::NEVER;
        }
        is_valid
    }

    /// Returns whether the entry for `at` is the valid one.
    pub(super) fn is_scheduled_at(&self, at: LoopTime) -> bool {
        self.scheduled == at
    }

    // --- Limits ----------------------------------------------------------------------------------------

    /// Stops the reads from the peer, because it does not take what its input causes.
    pub(super) const fn pause(&mut self) {
        self.pauses.0 |= Pauses::BY_BACKLOG;
    }

    /// Ends that pause. Returns whether it was the only one.
    pub(super) const fn unpause(&mut self) -> bool {
        let is_only_one = self.pauses.0 == Pauses::BY_BACKLOG;
        self.pauses.0 &= !Pauses::BY_BACKLOG;
        is_only_one
    }

    /// Stops the reads from the peer, because the application has asked for it.
    pub(super) const fn pause_by_application(&mut self) {
        self.pauses.0 |= Pauses::BY_APPLICATION;
    }

    /// Turns the application's pause into one that ends when little enough waits. Returns whether there was
    /// one.
    pub(super) const fn unpause_by_application(&mut self) -> bool {
        let is_paused = self.is_paused_by_application();
        if is_paused {
            self.pauses.0 = Pauses::BY_BACKLOG;
        }
        is_paused
    }

    /// Returns whether the application has stopped the reads.
    pub(super) const fn is_paused_by_application(&self) -> bool {
        self.pauses.0 & Pauses::BY_APPLICATION != 0
    }

    /// Returns whether the reads from the peer are stopped.
    #[inline]
    pub(crate) const fn is_paused(&self) -> bool {
        self.pauses.0 != 0
    }

    /// Notes that the connection is counted among those of its address.
    pub(super) const fn set_admitted(&mut self) {
        self.admitted = true;
    }

    /// Notes that it is counted no longer. Returns whether it was.
    pub(super) const fn take_admitted(&mut self) -> bool {
        mem::replace(&mut self.admitted, false)
    }

    /// Notes how many bytes of the input are held, and counts them.
    #[inline]
    pub(super) fn hold_input(&mut self, bytes: usize, meter: &Meter) {
        if self.input_held != bytes {
            meter.add(bytes);
            meter.sub(mem::replace(&mut self.input_held, bytes));
        }
    }

    /// Counts the bytes that the stream holds of its own, or none of them once the connection is given up.
    #[cfg(feature = "tls")]
    #[inline]
    pub(super) fn hold_stream(&mut self, bytes: usize, meter: &Meter) {
        if self.stream_held != bytes {
            meter.add(bytes);
            meter.sub(mem::replace(&mut self.stream_held, bytes));
        }
    }

    /// Returns whether bytes may go straight to the socket: nothing waits, and the connection is not dead.
    #[inline]
    pub(super) fn takes_writes(&self) -> bool {
        self.outbox.is_none() && self.stage != Stage::Dead
    }

    /// Returns how many bytes wait to be written.
    #[inline]
    pub(crate) fn buffered(&self) -> usize {
        self.outbox.as_ref().map_or(0, |outbox| outbox.backlog.len())
    }

    /// Returns how many bytes are held for the connection, input and output.
    pub(crate) fn held(&self) -> usize {
        #[cfg(feature = "tls")]
        let stream = self.stream_held;
        #[cfg(not(feature = "tls"))]
        let stream = 0;
        self.input_held + stream + self.outbox.as_ref().map_or(0, |outbox| outbox.held())
    }

    /// Returns the next deadline of the connection, if it has one.
    pub(crate) fn due(&self, config: &Config) -> Option<LoopTime> {
        Some(match self.stage {
            Stage::Connecting if self.client().is_some_and(ClientSide::has_step) => self.since,
            Stage::Connecting => self.since + config.handshake_timeout,
            Stage::Open if self.pinged => self.since + config.pong_timeout,
            Stage::Open => self.since + config.ping_interval?,
            Stage::Closing | Stage::Finishing | Stage::Lingering => {
                let due = self.since + config.close_timeout;
                self.outbox.as_ref().and_then(|it| it.give_up_at).map_or(due, |at| at.min(due))
            }
            Stage::Dead => return None,
        })
    }
}
