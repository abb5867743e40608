//! The way of a message to one connection, and of all messages while a batch of its input is handled.
//!
//! What hooks send to the connection whose input is handled goes the fast path: it is collected in the cork
//! and leaves in one write at the end of the batch. What they send to other connections, or to one whose
//! socket is full, is added to a backlog, if it may wait there.
//!
//! This file knows which of the two ways a message goes. It refuses to know how bytes reach a socket:
//! `writing.rs` does that.

use std::{
    io::{self, ErrorKind, IoSlice},
    rc::Rc,
};

use log::{debug, trace};

use super::{
    backlog::{Backlog, SHARE_LEN},
    compression::encode_masked,
    masked::{Content, Masked},
    meter::SharedMessage,
    outbound::Outbound,
    registry::ConnId,
    table::Hub,
    writing::Flow,
};
use crate::{
    cause::Cause,
    config::Backpressure,
    protocol::{Event, Framing, Message, OwnedMessage, append},
    trace,
    transport::{Read, ReadBuffer},
};

/// How many bytes are collected before they are written, although the batch goes on.
const CORK_LEN: usize = 128 * 1024;

/// From this length on what answers the end of a batch is not collected: nothing would leave with it that
/// doesn't anyway.
const DIRECT_LEN: usize = 32 * 1024;

/// How many bytes may be queued for other connections before they are flushed within the turn.
const MAX_UNFLUSHED: usize = 4 * 1024 * 1024;

/// What became of a message.
///
/// ```
/// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
/// use wirehook::{CloseCode, SendStatus, Server};
///
/// let server = Server::bind("127.0.0.1:0")?.on_open(|ws, _| {
///     match ws.send("welcome") {
///         SendStatus::Sent => {}
///         SendStatus::Queued(bytes) => println!("{bytes} bytes wait; on_drain tells when they are out"),
///         SendStatus::Dropped | SendStatus::Gone => println!("lost"),
///     }
///     ws.close(CloseCode::NORMAL, "");
///     assert_eq!(ws.send("one more thing"), SendStatus::Gone);
/// });
/// assert_eq!(talk(server, b"")?, b"\x81\x07welcome\x88\x02\x03\xe8");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendStatus {
    /// It leaves in this turn of the loop, unless the socket refuses it: it has refused nothing before.
    Sent,
    /// The peer is slow: it waits, and this many bytes wait now, its own included.
    Queued(usize),
    /// The peer is too slow: the message was refused, see
    /// [`max_backpressure`](crate::Config::max_backpressure).
    Dropped,
    /// There is no such connection, or its closing has begun (§5.5.1).
    Gone,
}

impl<S> Hub<S> {
    // --- A batch ---------------------------------------------------------------------------------------

    /// Reads once from a connection's socket. If bytes came, a batch begins: the peer lives, and what is sent
    /// to it is collected until [`uncork`](Self::uncork).
    ///
    /// # Errors
    ///
    /// As [`Stream::read`](crate::transport::Stream::read). A paused peer, which does not read the answers
    /// that it causes, is not read from: that is `WouldBlock` too.
    // Everything that a batch needs of a connection is found by one look into the table.
    #[inline]
    pub(crate) fn begin_batch<'b>(&mut self, id: ConnId, buffer: &'b mut ReadBuffer) -> io::Result<Read<'b>> {
        let Some(outbound) = self.table.get_mut(id).filter(|outbound| !outbound.is_paused()) else {
            return Err(ErrorKind::WouldBlock.into());
        };
        let read = outbound.stream.read(buffer)?;
        #[cfg(feature = "tls")]
        outbound.hold_stream(outbound.stream.held(), &self.meter);
        if let Read::Plain { bytes, .. } = &read {
            outbound.note_received(self.now);
            self.cork.begin(id, outbound.fast_path());
            self.quota.begin_batch();
            self.stats.received_bytes += bytes.len() as u64;
            self.observer.tell(|observer| observer.received(id, bytes));
        }
        Ok(read)
    }

    /// Notes that something was received from the peer.
    pub(crate) fn note_activity(&mut self, id: ConnId) {
        if let Some(outbound) = self.table.get_mut(id) {
            outbound.note_received(self.now);
        }
    }

    /// Gives the cork to a connection: what is sent to it is collected until [`uncork`](Self::uncork).
    pub(crate) fn cork(&mut self, id: ConnId) {
        self.cork.begin(id, self.table.get(id).and_then(Outbound::fast_path));
    }

    /// Keeps the message that is dispatched next until the batch ends.
    pub(crate) fn retain(&mut self, message: OwnedMessage) -> Rc<SharedMessage> {
        self.cork.retain(message, &self.meter)
    }

    /// Notes how many bytes of the batch come after the event that is dispatched next.
    #[inline]
    pub(crate) fn set_input_left(&mut self, len: usize) {
        self.cork.set_input_left(len);
    }

    /// Returns whether the connection that has the cork may be sent to, and its socket takes bytes.
    #[inline]
    pub(crate) fn has_fast_path(&self) -> bool {
        debug_assert_eq!(
            self.cork.owner().and_then(|id| self.cork.fast_path(id)),
            self.cork
                .owner()
                .and_then(|id| self.get(id))
                .and_then(Outbound::fast_path)
                .filter(|_| !self.cork.is_paused()),
            "the setters of stage, sender and output keep the fast path right"
        );
        self.cork.has_fast_path()
    }

    /// Ends a batch: writes what was collected.
    #[inline]
    pub(crate) fn uncork(&mut self) {
        let Some(id) = self.cork.owner() else { return };
        let flow = match self.cork.bytes() {
            [] => self.write_unasked(id),
            _ => self.write_cork(id, &[]),
        };
        let has_fast_path = self.has_fast_path();
        self.cork.end();
        // With the fast path, it is open and nothing waits: nothing follows.
        if !has_fast_path || flow != Flow::Flushed {
            self.act_on(id, flow);
        }
    }

    /// Writes what the stream itself answers to what was read, as TLS does.
    #[inline]
    fn write_unasked(&mut self, id: ConnId) -> Flow {
        match self.table.get(id) {
            Some(outbound) if outbound.takes_writes() && outbound.stream.wants_write() => {
                self.write_backlog(id)
            }
            _ => Flow::Flushed,
        }
    }

    /// Writes what the cork holds, then `rest`; keeps what the socket refuses.
    #[inline]
    fn write_cork(&mut self, id: ConnId, rest: &[u8]) -> Flow {
        let Some(outbound) = self.table.get_mut(id).filter(|outbound| outbound.takes_writes()) else {
            return self.write_slowly(id, rest, Ok(0));
        };
        let corked = self.cork.bytes();
        let result = if rest.is_empty() {
            outbound.stream.write(corked)
        } else {
            outbound.stream.write_vectored(&[IoSlice::new(corked), IoSlice::new(rest)])
        };
        match result {
            Ok(written) if written == corked.len() + rest.len() && !outbound.stream.wants_write() => {
                self.note_sent(id, rest, written);
                self.cork.clear();
                Flow::Flushed
            }
            result => self.write_slowly(id, rest, result),
        }
    }

    // --- A message -------------------------------------------------------------------------------------

    /// Sends a message to its own hook's connection or to another.
    // In line with the hook, so that the parts of the message stay in registers.
    #[inline(always)]
    pub(crate) fn send(&mut self, id: ConnId, message: Message<'_>) -> SendStatus {
        let Some(framing) = self.fast_path(id) else { return self.send_past_cork(id, message) };
        if trace::is_on() {
            trace::sent(id, &Event::Message(message));
        }
        self.stats.sent_messages += 1;
        framing.message_header(message, self.cork.buffer());
        self.add_to_cork(id, message.as_bytes())
    }

    /// The same for a message that the hook gives away: a long one that has to wait is not copied.
    pub(crate) fn send_owned(&mut self, id: ConnId, message: OwnedMessage) -> SendStatus {
        if message.as_message().len() < SHARE_LEN {
            return self.send(id, message.as_message());
        }
        // The backlog takes a retained message as it is.
        let received = self.cork.retained();
        let message = self.retain(message);
        let status = self.send(id, message.content().as_message());
        self.cork.set_retained(received);
        status
    }

    /// Returns how frames to the connection are encoded, if it has the cork and the fast path.
    #[inline]
    pub(super) fn fast_path(&self, id: ConnId) -> Option<Framing> {
        self.cork.fast_path(id)
    }

    /// Collects bytes; or writes them at once after what was collected, if they are too many to copy or
    /// nothing would join them.
    #[inline]
    pub(super) fn add_to_cork(&mut self, id: ConnId, bytes: &[u8]) -> SendStatus {
        let leaves_alone = bytes.len() >= DIRECT_LEN && self.cork.is_at_end();
        if !leaves_alone && self.cork.bytes().len() + bytes.len() < CORK_LEN {
            append(self.cork.buffer(), bytes);
            return SendStatus::Sent;
        }
        self.write_past_cork(id, bytes)
    }

    /// Writes what was collected, then `bytes` from their own place.
    #[inline(never)]
    fn write_past_cork(&mut self, id: ConnId, bytes: &[u8]) -> SendStatus {
        match self.write_cork(id, bytes) {
            Flow::Flushed => SendStatus::Sent,
            Flow::Blocked => SendStatus::Queued(self.get(id).map_or(0, Outbound::buffered)),
            flow => {
                self.act_on(id, flow);
                SendStatus::Gone
            }
        }
    }

    /// The same for a message to another connection, or one that has to wait.
    fn send_past_cork(&mut self, id: ConnId, message: Message<'_>) -> SendStatus {
        if let Some(frame) = self.compress(id, message) {
            return self.queue_compressed(id, frame, || trace::sent(id, &Event::Message(message)));
        }
        self.send_plain(id, message, false)
    }

    /// Sends a message that is not to be compressed.
    pub(crate) fn send_uncompressed(&mut self, id: ConnId, message: Message<'_>) -> SendStatus {
        if self.fast_path(id).is_some() {
            return self.send(id, message);
        }
        self.send_plain(id, message, true)
    }

    /// The same for a message that goes to a client as it is. To a server it goes so if it `is_uncompressed`.
    fn send_plain(&mut self, id: ConnId, message: Message<'_>, is_uncompressed: bool) -> SendStatus {
        let payload = message.as_bytes();
        let retained = self.cork.retained_for(payload, 0);
        let len = |framing: Framing| framing.message_len(message);
        let push = |framing: Framing, backlog: &mut Backlog| {
            if trace::is_on() {
                trace::sent(id, &Event::Message(message));
            }
            backlog.push_with(|out| framing.message_header(message, out));
            match retained {
                Some(message) => backlog.push_retained(message, 0),
                None => backlog.push(payload),
            }
        };
        let mask = |hub: &mut Self| {
            if trace::is_on() {
                trace::sent(id, &Event::Message(message));
            }
            hub.send_masked(id, Masked { content: Content::Whole(message), is_uncompressed })
        };
        self.queue_message(id, len, push, mask)
    }

    /// Sends a message to a server, whose frames are masked (§5.1): each is encoded where its bytes wait.
    pub(super) fn send_masked(&mut self, id: ConnId, message: Masked<'_>) -> SendStatus {
        let len = message.len();
        let Some(outbound) = self.table.get(id).filter(|it| it.may_send()) else { return SendStatus::Gone };
        if !self.fits(id, outbound.buffered(), len)
            && let Err(status) = self.make_room(id, len)
        {
            return status;
        }
        let flow = self.mask(id, message);
        if !self.check_keys(id) {
            return SendStatus::Gone;
        }
        self.stats.sent_messages += 1;
        self.status_of(id, flow)
    }

    /// Encodes a message into the cork, or into the backlog if it is long or has to wait.
    fn mask(&mut self, id: ConnId, message: Masked<'_>) -> Flow {
        let len = message.len();
        let Some(outbound) = self.table.get_mut(id) else { return Flow::Gone };
        let is_corked = self.cork.is_owned_by(id) && !outbound.is_blocked();
        if is_corked && self.cork.bytes().len() + len < CORK_LEN {
            let is_compressed = match outbound.client_sender() {
                Some(sender) => {
                    encode_masked(self.compression.as_deref_mut(), id, message, sender, self.cork.buffer())
                }
                None => false,
            };
            self.note_compressed(is_compressed, len);
            return Flow::Flushed;
        }
        // What was collected goes first.
        if !is_corked {
            self.queue_corked(id);
        } else if let flow @ (Flow::Failed(_) | Flow::Torn | Flow::Gone) = self.write_cork(id, &[]) {
            return flow;
        }
        let Some(outbound) = self.table.get_mut(id) else { return Flow::Gone };
        let mut outbox = outbound.outbox.take().unwrap_or_else(|| self.outbox_pool.take());
        let mut is_compressed = false;
        if let Some(sender) = outbound.client_sender() {
            outbox.backlog.push_sized(len, |out| {
                is_compressed = encode_masked(self.compression.as_deref_mut(), id, message, sender, out);
            });
        }
        outbound.outbox = Some(outbox);
        self.note_compressed(is_compressed, len);
        self.queue(id, len, |_| {})
    }

    /// Says what became of a queued message.
    fn status_of(&mut self, id: ConnId, flow: Flow) -> SendStatus {
        match flow {
            Flow::Blocked => return SendStatus::Queued(self.get(id).map_or(0, Outbound::buffered)),
            // One batch of input can cause much more than its own length, times the receivers.
            Flow::Queued if self.unflushed > MAX_UNFLUSHED => self.flush_dirty(),
            Flow::Queued | Flow::Flushed => {}
            flow => {
                self.act_on(id, flow);
                return SendStatus::Gone;
            }
        }
        SendStatus::Sent
    }

    /// Adds a compressed frame to a backlog, if it may wait there.
    pub(super) fn queue_compressed(
        &mut self,
        id: ConnId,
        frame: Vec<u8>,
        trace: impl FnOnce(),
    ) -> SendStatus {
        let status = self.queue_message(
            id,
            |_| frame.len(),
            |_, backlog| {
                if trace::is_on() {
                    trace();
                }
                backlog.push(&frame);
            },
            |_| SendStatus::Gone,
        );
        let is_sent = matches!(status, SendStatus::Sent | SendStatus::Queued(_));
        self.stats.compressed_messages += u64::from(is_sent);
        self.return_frame(id, frame, is_sent);
        status
    }

    /// Adds a message to a backlog, if it may wait there. Its bytes depend on how the peer's frames are
    /// encoded; `mask` sends the message where this program is the client.
    #[inline]
    pub(super) fn queue_message(
        &mut self,
        id: ConnId,
        len: impl FnOnce(Framing) -> usize,
        push: impl FnOnce(Framing, &mut Backlog),
        mask: impl FnOnce(&mut Self) -> SendStatus,
    ) -> SendStatus {
        let Some(outbound) = self.table.get(id) else { return SendStatus::Gone };
        let Some(framing) = outbound.framing() else { return mask(self) };
        let len = len(framing);
        if !self.fits(id, outbound.buffered(), len)
            && let Err(status) = self.make_room(id, len)
        {
            return status;
        }
        let flow = self.queue(id, len, |backlog| push(framing, backlog));
        self.stats.sent_messages += 1;
        self.status_of(id, flow)
    }

    /// Writes what waits to make room for `len` more bytes; or returns what became of them.
    #[cold]
    fn make_room(&mut self, id: ConnId, len: usize) -> Result<(), SendStatus> {
        // What was queued in this turn may not have met the socket yet. One that is full says so when it has
        // room.
        if self.get(id).is_some_and(|outbound| !outbound.is_blocked()) {
            self.flush(id);
            if !self.is_open(id) {
                return Err(SendStatus::Gone);
            }
            if self.fits(id, self.get(id).map_or(0, Outbound::buffered), len) {
                return Ok(());
            }
        }
        self.stats.dropped_messages += 1;
        match self.config.backpressure {
            Backpressure::Close => {
                debug!("connection {id}: too slow for what others send it");
                self.fail(id, Cause::Backpressure);
            }
            Backpressure::Drop => {
                trace!("connection {id}: too slow, dropped");
            }
        }
        Err(SendStatus::Dropped)
    }
}
