//! All connections, seen from the sending side: who there is, what is sent to them, and what waits.
//!
//! This module knows sockets, backlogs and deadlines, and asks `protocol/` what a frame looks like. It refuses
//! to know what was received and who handles it: hooks and loop stand above it and both use it.
//!
//! # How bytes leave
//!
//! - While a batch of one connection's input is worked through, what is sent to *that* connection is collected
//!   in the cork and leaves in one write when the batch ends. What doesn't fit goes out from where it lies,
//!   together with the cork, in one vectored write.
//! - What is sent to *other* connections is added to their backlogs. Each of them is flushed once at the end of
//!   the turn, so that many messages to one peer leave together.
//! - What a socket refuses stays in the backlog until the loop hears that there is room. Order is always kept:
//!   while bytes wait, everything new waits behind them.

mod backlog;
mod peer;
mod registry;
mod stream;
mod timer;

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice},
    mem,
    rc::Rc,
};

use log::{debug, error, trace};
use mio::Token;

pub use peer::Cause;
pub(crate) use peer::{Ending, Peer, Stage};
pub use registry::ConnId;
pub(crate) use stream::Stream;
pub(crate) use timer::{Deadlines, Millis};

use crate::{
    config::{Backpressure, Config},
    protocol::{CloseCode, CloseFrame, Event, FrameHeader, Message, ProtocolError, Response, SendError},
};
use registry::Registry;

/// How many bytes are collected before they are written, although the batch goes on.
const CORK_LEN: usize = 128 * 1024;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendStatus {
    /// It leaves with this turn of the loop; nothing was waiting before it.
    Sent,
    /// The peer is slow: it waits, and this many bytes wait now, its own included.
    Queued(usize),
    /// The peer is too slow: the message was refused, see [`Config::max_backpressure`].
    Dropped,
    /// There is no such connection, or its closing has begun (§5.5.1).
    Gone,
}

/// What became of a message to many: how many peers had each [`SendStatus`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BroadcastStatus {
    /// How many it leaves to at once.
    pub sent: usize,
    /// How many it waits for.
    pub queued: usize,
    /// How many were too slow for it.
    pub dropped: usize,
}

/// All connections of a server.
pub(crate) struct Peers<S> {
    table: Registry<Peer<S>>,
    live: usize,
    pub(crate) config: Config,
    cork: Cork,
    /// Connections whose backlog is flushed at the end of the turn.
    dirty: Vec<ConnId>,
    /// Connections that have ended and whose hook must be told.
    endings: VecDeque<(ConnId, Ending)>,
    /// Connections whose backlog was refused once and has gone out since.
    drained: Vec<ConnId>,
    /// Connections to be removed at the end of the turn.
    doomed: Vec<ConnId>,
    deadlines: Deadlines,
    /// The time at which this turn began.
    pub(crate) now: Millis,
    poll: mio::Registry,
}

/// What is sent to one connection while a batch of its input is worked through.
#[derive(Default)]
struct Cork {
    owner: Option<ConnId>,
    bytes: Vec<u8>,
}

impl<S> Peers<S> {
    pub(crate) fn new(config: Config, poll: mio::Registry) -> Self {
        Self {
            table: Registry::new(),
            live: 0,
            config,
            cork: Cork::default(),
            dirty: Vec::new(),
            endings: VecDeque::new(),
            drained: Vec::new(),
            doomed: Vec::new(),
            deadlines: Deadlines::default(),
            now: Millis::default(),
            poll,
        }
    }

    /// How many sockets there are, those that only wait for their end included.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// How many connections are open, or on their way there.
    pub(crate) const fn live(&self) -> usize {
        self.live
    }

    #[inline]
    pub(crate) fn get(&self, id: ConnId) -> Option<&Peer<S>> {
        self.table.get(id)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut Peer<S>> {
        self.table.get_mut(id)
    }

    #[inline]
    pub(crate) fn id_at(&self, index: usize) -> Option<ConnId> {
        self.table.id_at(index)
    }

    #[inline]
    pub(crate) fn is_open(&self, id: ConnId) -> bool {
        self.get(id).is_some_and(|peer| peer.stage == Stage::Open)
    }

    /// Whether the peer is not to be read from, because it doesn't read what it causes.
    #[inline]
    pub(crate) fn is_paused(&self, id: ConnId) -> bool {
        self.get(id).is_some_and(|peer| peer.blocked && peer.buffered() > self.config.max_backpressure / 2)
    }

    /// All connections, whatever their stage.
    pub(crate) fn ids(&self) -> Vec<ConnId> {
        self.table.iter().map(|(id, _)| id).collect()
    }

    /// The connections that can be sent to.
    pub(crate) fn open(&self) -> impl Iterator<Item = (ConnId, &Peer<S>)> {
        self.table.iter().filter(|(_, peer)| peer.stage == Stage::Open)
    }

    // --- Beginning -------------------------------------------------------------------------------------

    /// Takes a new socket in.
    pub(crate) fn insert(&mut self, mut peer: Peer<S>) -> io::Result<ConnId> {
        peer.stream.register(&self.poll, Token(self.table.next_id().index as usize))?;
        let id = self.table.insert(peer);
        self.live += 1;
        self.schedule(id);
        Ok(id)
    }

    /// Sends the answer to a request (§4.2.2): 101 opens the connection, anything else ends it.
    pub(crate) fn respond(&mut self, id: ConnId, response: &Response) {
        self.push_with(id, |_, out| response.encode(out));
        if response.status() == 101 {
            self.set_stage(id, Stage::Open);
        } else {
            self.finish(id);
        }
    }

    // --- Sending ---------------------------------------------------------------------------------------

    /// Sends a message to its own hook's connection or to another.
    #[inline]
    pub(crate) fn send(&mut self, id: ConnId, message: Message<'_>) -> SendStatus {
        let Some(peer) = self.table.get_mut(id) else { return SendStatus::Gone };
        if peer.stage != Stage::Open {
            return SendStatus::Gone;
        }
        let Ok(header) = peer.sender.message_header(message) else { return SendStatus::Gone };
        let payload = message.as_bytes();
        if self.cork.owner == Some(id) && !peer.blocked {
            if self.cork.bytes.len() + payload.len() < CORK_LEN {
                header.encode(&mut self.cork.bytes);
                self.cork.bytes.extend_from_slice(payload);
                return SendStatus::Sent;
            }
            header.encode(&mut self.cork.bytes);
            return self.write_through_cork(id, payload);
        }
        if !self.admits(id, header.encoded_len() + payload.len()) {
            return SendStatus::Dropped;
        }
        self.queue(id, |backlog| {
            backlog.push_with(|out| header.encode(out));
            backlog.push(payload);
        })
    }

    /// Sends a message to every open connection that `filter` picks. It is encoded once.
    pub(crate) fn broadcast(
        &mut self,
        message: Message<'_>,
        mut filter: impl FnMut(ConnId, &S) -> bool,
    ) -> BroadcastStatus {
        let receivers: Vec<ConnId> =
            self.open().filter(|(id, peer)| filter(*id, &peer.state)).map(|(id, _)| id).collect();
        let mut frame = Vec::with_capacity(FrameHeader::MAX_LEN + message.len());
        FrameHeader::server(message.opcode(), message.len() as u64).encode(&mut frame);
        frame.extend_from_slice(message.as_bytes());
        let frame: Rc<[u8]> = frame.into();
        let mut status = BroadcastStatus::default();
        for id in receivers {
            match self.send_frame(id, &frame) {
                SendStatus::Sent => status.sent += 1,
                SendStatus::Queued(_) => status.queued += 1,
                SendStatus::Dropped => status.dropped += 1,
                SendStatus::Gone => {}
            }
        }
        status
    }

    /// Sends an encoded message.
    fn send_frame(&mut self, id: ConnId, frame: &Rc<[u8]>) -> SendStatus {
        let Some(peer) = self.table.get_mut(id) else { return SendStatus::Gone };
        if peer.stage != Stage::Open {
            return SendStatus::Gone;
        }
        if self.cork.owner == Some(id) && !peer.blocked && self.cork.bytes.len() + frame.len() < CORK_LEN {
            self.cork.bytes.extend_from_slice(frame);
            return SendStatus::Sent;
        }
        if self.cork.owner == Some(id) {
            self.write_cork(id, &[]);
        }
        if !self.admits(id, frame.len()) {
            return SendStatus::Dropped;
        }
        self.queue(id, |backlog| backlog.push_shared(frame))
    }

    /// Sends a ping (§5.5.2).
    pub(crate) fn ping(&mut self, id: ConnId, payload: &[u8]) -> Result<(), SendError> {
        if !self.is_open(id) {
            return Err(SendError::CloseSent);
        }
        self.push_with(id, |peer, out| peer.sender.ping(payload, out)).unwrap_or(Err(SendError::CloseSent))
    }

    /// Answers a ping (§5.5.2).
    pub(crate) fn pong(&mut self, id: ConnId, payload: &[u8]) {
        let Some(peer) = self.table.get_mut(id) else { return };
        // §5.5.3: an endpoint with unanswered pings "MAY elect to send a Pong frame for only the most
        // recently processed Ping frame". The others would only lengthen the queue.
        if peer.blocked {
            peer.waiting.get_or_insert_default().pong = Some(payload.to_vec());
            return;
        }
        self.push_with(id, |peer, out| peer.sender.answer(&Event::Ping(payload), out));
    }

    /// Whether `len` more bytes, which another connection's hook sends, may wait for this peer.
    ///
    /// They may if nothing waits, or if the sum stays within the limit. The peer's own hooks are never refused:
    /// instead the peer is no longer read from.
    fn admits(&mut self, id: ConnId, len: usize) -> bool {
        if self.cork.owner == Some(id) {
            return true;
        }
        let limit = self.config.max_backpressure;
        let is_over = |peer: &Peer<S>| peer.buffered() > 0 && peer.buffered() + len > limit;
        if !self.get(id).is_some_and(is_over) {
            return true;
        }
        // What was queued in this turn may not have met the socket yet.
        self.flush(id);
        if !self.get(id).is_some_and(is_over) {
            return true;
        }
        if self.config.backpressure == Backpressure::Close {
            debug!("connection {id}: too slow for what others send it");
            let reason = "too slow to receive";
            self.fail(id, CloseCode::POLICY_VIOLATION, reason, Cause::Backpressure);
        }
        false
    }

    // --- Closing ---------------------------------------------------------------------------------------

    /// Begins the closing handshake (§7.1.2).
    pub(crate) fn close(&mut self, id: ConnId, code: CloseCode, reason: &str) {
        let code = if code.may_be_sent() || code == CloseCode::NO_STATUS_RECEIVED {
            code
        } else {
            error!("connection {id}: §7.4: close code {code} must not be sent; 1011 is sent instead");
            CloseCode::INTERNAL_ERROR
        };
        if self.is_open(id) {
            self.push_with(id, |peer, out| peer.sender.close(code, reason, out));
            self.set_stage(id, Stage::Closing);
        }
    }

    /// Drops the connection without another word.
    pub(crate) fn terminate(&mut self, id: ConnId) {
        self.lose(id, Cause::Local);
    }

    /// The peer's Close has come (§5.5.1): answers it, unless it is the answer to ours.
    pub(crate) fn close_received(&mut self, id: ConnId, frame: Option<CloseFrame<'_>>) {
        let Some(peer) = self.get(id) else { return };
        let cause = if peer.sender.is_close_sent() { Cause::Local } else { Cause::Peer };
        self.push_with(id, |peer, out| peer.sender.answer(&Event::Close(frame), out));
        let code = frame.map_or(CloseCode::NO_STATUS_RECEIVED, |frame| frame.code);
        let reason = frame.map_or("", |frame| frame.reason).to_owned();
        self.end(id, Ending { code, reason, cause, clean: true });
        self.finish(id);
    }

    /// _Fail the WebSocket Connection_ (§7.1.7) for a broken rule.
    pub(crate) fn fail_protocol(&mut self, id: ConnId, error: ProtocolError) {
        debug!("connection {id} failed: {error}");
        self.fail(id, error.close_code(), &error.to_string(), Cause::Protocol(error));
    }

    /// A hook has panicked: the connection can't go on as if it had not.
    pub(crate) fn fail_panicked(&mut self, id: ConnId) {
        match self.get(id).map(|peer| peer.stage) {
            Some(Stage::Connecting) => {
                self.respond(id, &Response::rejection(500, "The server's application has failed."));
            }
            Some(Stage::Open | Stage::Closing) => {
                self.fail(id, CloseCode::INTERNAL_ERROR, "the application has failed", Cause::Panic);
            }
            Some(Stage::Finishing | Stage::Lingering | Stage::Doomed) | None => {}
        }
    }

    /// _Fail the WebSocket Connection_ (§7.1.7): says Close, waits for no answer, and ends.
    fn fail(&mut self, id: ConnId, code: CloseCode, reason: &str, cause: Cause) {
        self.push_with(id, |peer, out| peer.sender.close(code, reason, out));
        self.end(id, Ending { code, reason: reason.to_owned(), cause, clean: false });
        self.finish(id);
    }

    /// The peer has closed its side of TCP. What waits for it still goes out.
    pub(crate) fn end_of_input(&mut self, id: ConnId) {
        let Some(peer) = self.get_mut(id) else { return };
        peer.read_closed = true;
        let cause = match peer.stage {
            Stage::Lingering => return self.set_stage(id, Stage::Doomed),
            Stage::Closing => Cause::Local,
            _ => Cause::Transport(ErrorKind::UnexpectedEof),
        };
        self.end(id, Ending::abnormal(cause));
        self.finish(id);
    }

    /// The socket is of no use any more, or the connection isn't wanted any more.
    pub(crate) fn lose(&mut self, id: ConnId, cause: Cause) {
        let Some(peer) = self.get(id) else { return };
        if peer.stage == Stage::Doomed {
            return;
        }
        let cause = if peer.stage == Stage::Closing { Cause::Local } else { cause };
        self.end(id, Ending::abnormal(cause));
        self.set_stage(id, Stage::Doomed);
    }

    /// Notes how a connection ended, the first time that it does; one that never opened has no hook to tell.
    fn end(&mut self, id: ConnId, ending: Ending) {
        if self.get(id).is_some_and(|peer| matches!(peer.stage, Stage::Open | Stage::Closing)) {
            self.endings.push_back((id, ending));
        }
    }

    /// Lets what waits go out, and nothing new after it.
    fn finish(&mut self, id: ConnId) {
        let Some(peer) = self.get(id) else { return };
        if peer.stage.is_live() {
            self.set_stage(id, Stage::Finishing);
        }
        self.linger_if_flushed(id);
    }

    /// Once all is sent, closes TCP from our side (§7.1.1: the server does so first).
    fn linger_if_flushed(&mut self, id: ConnId) {
        let is_corked = self.cork.owner == Some(id);
        let Some(peer) = self.get(id) else { return };
        if peer.stage != Stage::Finishing || peer.waiting.is_some() || is_corked {
            return;
        }
        if peer.read_closed {
            self.set_stage(id, Stage::Doomed);
        } else {
            peer.stream.shutdown_write();
            self.set_stage(id, Stage::Lingering);
        }
    }

    fn set_stage(&mut self, id: ConnId, stage: Stage) {
        let now = self.now;
        let Some(peer) = self.table.get_mut(id) else { return };
        if peer.stage.is_live() && !stage.is_live() {
            self.live -= 1;
        }
        (peer.stage, peer.since) = (stage, now);
        if stage == Stage::Doomed {
            self.doomed.push(id);
        }
        self.schedule(id);
    }

    // --- Writing ---------------------------------------------------------------------------------------

    /// From here on what is sent to `id` is collected.
    #[inline]
    pub(crate) fn cork(&mut self, id: ConnId) {
        self.cork.owner = Some(id);
    }

    /// Writes what was collected.
    #[inline]
    pub(crate) fn uncork(&mut self) {
        let Some(id) = self.cork.owner.take() else { return };
        if !self.cork.bytes.is_empty() {
            self.write_cork(id, &[]);
        }
        self.linger_if_flushed(id);
    }

    /// Writes the cork and a payload behind it that is too large to be copied there.
    fn write_through_cork(&mut self, id: ConnId, payload: &[u8]) -> SendStatus {
        self.write_cork(id, payload);
        match self.get(id) {
            Some(peer) if peer.blocked => SendStatus::Queued(peer.buffered()),
            Some(peer) if peer.stage == Stage::Open => SendStatus::Sent,
            _ => SendStatus::Gone,
        }
    }

    /// Writes what the cork holds and `rest` behind it; keeps what the socket refuses.
    fn write_cork(&mut self, id: ConnId, rest: &[u8]) {
        let mut bytes = mem::take(&mut self.cork.bytes);
        self.write(id, &bytes, rest);
        bytes.clear();
        self.cork.bytes = bytes;
    }

    /// Writes two pieces at once; keeps what the socket refuses.
    fn write(&mut self, id: ConnId, first: &[u8], second: &[u8]) {
        let Some(peer) = self.table.get_mut(id) else { return };
        if peer.stage == Stage::Doomed {
            return;
        }
        if peer.waiting.is_some() {
            self.queue_rest(id, first, second);
            return self.flush(id);
        }
        let result = if second.is_empty() {
            peer.stream.write(first)
        } else {
            peer.stream.write_vectored(&[IoSlice::new(first), IoSlice::new(second)])
        };
        match result {
            Ok(written) if written == first.len() + second.len() => {}
            Ok(written) => {
                let first_written = written.min(first.len());
                self.queue_rest(id, &first[first_written..], &second[written - first_written..]);
                // The socket is to be tried until it says that it would block: only then does it
                // tell the loop when it has room.
                self.flush(id);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.queue_rest(id, first, second);
                self.block(id);
            }
            Err(error) => self.lose_socket(id, &error),
        }
    }

    fn queue_rest(&mut self, id: ConnId, first: &[u8], second: &[u8]) {
        if let Some(peer) = self.table.get_mut(id) {
            let waiting = peer.waiting.get_or_insert_default();
            waiting.backlog.push(first);
            waiting.backlog.push(second);
        }
    }

    /// Adds to a peer's backlog, which is flushed at the end of the turn.
    fn queue(&mut self, id: ConnId, push: impl FnOnce(&mut backlog::Backlog)) -> SendStatus {
        let Some(peer) = self.table.get_mut(id) else { return SendStatus::Gone };
        let waiting = peer.waiting.get_or_insert_default();
        push(&mut waiting.backlog);
        let buffered = waiting.backlog.len();
        if peer.blocked {
            return SendStatus::Queued(buffered);
        }
        if !mem::replace(&mut peer.dirty, true) {
            self.dirty.push(id);
        }
        SendStatus::Sent
    }

    /// Appends what `encode` appends to where a peer's next bytes belong: the cork, or the backlog.
    fn push_with<T>(
        &mut self,
        id: ConnId,
        encode: impl FnOnce(&mut Peer<S>, &mut Vec<u8>) -> T,
    ) -> Option<T> {
        let peer = self.table.get_mut(id)?;
        if self.cork.owner == Some(id) && !peer.blocked {
            return Some(encode(peer, &mut self.cork.bytes));
        }
        let mut waiting = peer.waiting.take().unwrap_or_default();
        let result = waiting.backlog.push_with(|out| encode(peer, out));
        peer.waiting = Some(waiting);
        if !peer.blocked && !mem::replace(&mut peer.dirty, true) {
            self.dirty.push(id);
        }
        Some(result)
    }

    /// Writes what waits, as far as the socket takes it.
    pub(crate) fn flush(&mut self, id: ConnId) {
        let now = self.now;
        loop {
            let Some(peer) = self.table.get_mut(id) else { return };
            if peer.stage == Stage::Doomed {
                return;
            }
            let Some(waiting) = peer.waiting.as_deref_mut() else { return self.linger_if_flushed(id) };
            if waiting.backlog.is_empty() {
                self.flushed(id);
                continue;
            }
            match peer.stream.write_vectored(waiting.backlog.slices().as_slice()) {
                Ok(written) => {
                    waiting.backlog.take(written);
                    // Room in a full socket means that the peer has taken something: a sign of life.
                    if peer.blocked && peer.stage == Stage::Open {
                        (peer.since, peer.pinged) = (now, false);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.block(id),
                Err(error) => return self.lose_socket(id, &error),
            }
        }
    }

    /// All that waited is written; a pong that was held back may follow.
    fn flushed(&mut self, id: ConnId) {
        let Some(peer) = self.table.get_mut(id) else { return };
        let waiting = peer.waiting.take();
        if mem::replace(&mut peer.blocked, false) {
            self.drained.push(id);
        }
        if let Some(payload) = waiting.and_then(|waiting| waiting.pong) {
            let mut waiting = Box::<peer::Waiting>::default();
            waiting.backlog.push_with(|out| peer.sender.answer(&Event::Ping(&payload), out));
            peer.waiting = Some(waiting);
        }
    }

    /// Flushes everybody who was sent something in this turn.
    pub(crate) fn flush_dirty(&mut self) {
        let mut dirty = mem::take(&mut self.dirty);
        for id in dirty.drain(..) {
            if let Some(peer) = self.table.get_mut(id) {
                peer.dirty = false;
                if !peer.blocked {
                    self.flush(id);
                }
            }
        }
        debug_assert!(self.dirty.is_empty(), "flushing one connection queues nothing for others");
        self.dirty = dirty;
    }

    /// The socket is full: the loop is to say when it has room.
    fn block(&mut self, id: ConnId) {
        let Some(peer) = self.table.get_mut(id) else { return };
        peer.blocked = true;
        if peer.write_interest {
            return;
        }
        peer.write_interest = true;
        if let Err(error) = peer.stream.register_writes(&self.poll, Token(id.index as usize)) {
            self.lose_socket(id, &error);
        }
    }

    /// Reading or writing has failed for good.
    pub(crate) fn lose_socket(&mut self, id: ConnId, error: &io::Error) {
        debug!("connection {id}: {error}");
        self.lose(id, Cause::Transport(error.kind()));
    }

    // --- Time ------------------------------------------------------------------------------------------

    /// Bytes have come from the peer.
    #[inline]
    pub(crate) fn alive(&mut self, id: ConnId) {
        let now = self.now;
        if let Some(peer) = self.table.get_mut(id)
            && peer.stage == Stage::Open
        {
            (peer.since, peer.pinged) = (now, false);
        }
    }

    /// The earliest time at which [`expire`](Self::expire) has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        self.deadlines.next()
    }

    /// Sees to it that the timer looks at a connection in time.
    fn schedule(&mut self, id: ConnId) {
        let Some(peer) = self.table.get_mut(id) else { return };
        let Some(due) = peer.due(&self.config) else { return };
        if due < peer.scheduled {
            peer.scheduled = due;
            self.deadlines.insert(due, id);
        }
    }

    /// A connection whose time may have come. Call until there is none.
    pub(crate) fn expire(&mut self) -> Option<ConnId> {
        while let Some((at, id)) = self.deadlines.pop_due(self.now) {
            let now = self.now;
            let Some(peer) = self.table.get_mut(id) else { continue };
            if peer.scheduled != at {
                continue;
            }
            peer.scheduled = Millis::NEVER;
            match peer.due(&self.config) {
                Some(due) if due <= now => return Some(id),
                _ => self.schedule(id),
            }
        }
        None
    }

    /// Nothing was heard of an open connection for a while: pings it, or gives it up.
    pub(crate) fn check_alive(&mut self, id: ConnId) {
        let Some(peer) = self.table.get_mut(id) else { return };
        if peer.pinged {
            debug!("connection {id}: no sign of life after a ping");
            return self.fail(id, CloseCode::INTERNAL_ERROR, "no answer to a ping", Cause::Timeout);
        }
        peer.pinged = true;
        // A peer with a backlog shows by taking it that it lives; a ping would only wait behind it.
        if !peer.blocked {
            trace!("connection {id}: ping");
            let _ = self.ping(id, &[]);
        }
        self.schedule(id);
    }

    // --- What the loop collects ------------------------------------------------------------------------

    pub(crate) fn next_ending(&mut self) -> Option<(ConnId, Ending)> {
        self.endings.pop_front()
    }

    pub(crate) const fn has_drained(&self) -> bool {
        !self.drained.is_empty()
    }

    pub(crate) fn take_drained(&mut self) -> Vec<ConnId> {
        mem::take(&mut self.drained)
    }

    /// Removes the connections that are over; their sockets close.
    pub(crate) fn remove_doomed(&mut self) {
        for id in mem::take(&mut self.doomed) {
            self.table.remove(id);
        }
    }
}
