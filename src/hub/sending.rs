//! Messages to one connection, to another and to many, and what is refused.
//!
//! This file knows which messages may wait. It refuses to know how bytes reach a socket: `writing.rs`
//! does that.

use std::rc::Rc;

use log::{debug, trace};

use super::{
    ConnId, Hub, Outbound, Registry,
    backlog::{Backlog, SHARE_LEN},
    meter::SharedPrepared,
};
use crate::{
    cause::Cause,
    config::Backpressure,
    protocol::{Event, Framing, Message, OwnedMessage, Prepared, SendError},
    trace,
};

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

/// What became of a message to many: how many peers had each [`SendStatus`].
///
/// ```
/// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
/// use wirehook::{BroadcastStatus, Server};
///
/// let server = Server::bind("127.0.0.1:0")?.on_open(|ws, _| {
///     let BroadcastStatus { sent, queued, dropped } = ws.broadcast("somebody is here");
///     assert_eq!((sent, queued, dropped), (1, 0, 0)); // to itself: nobody else is here
/// });
/// assert_eq!(talk(server, b"")?, b"\x81\x10somebody is here\x88\x00");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BroadcastStatus {
    /// How many it leaves to at once.
    pub sent: usize,
    /// For how many it waits.
    pub queued: usize,
    /// How many were too slow for it.
    pub dropped: usize,
}

impl<S> Hub<S> {
    /// Sends a message to its own hook's connection or to another.
    // In line with the hook, so that the parts of the message stay in registers.
    #[inline(always)]
    pub(crate) fn send(&mut self, id: ConnId, message: Message<'_>) -> SendStatus {
        let Some(framing) = self.fast_path(id) else { return self.send_past_cork(id, message) };
        if trace::is_on() {
            trace::sent(id, &Event::Message(message));
        }
        self.stats.sent_messages += 1;
        framing.message_header(message, &mut self.cork.bytes);
        self.add_to_cork(id, message.as_bytes())
    }

    /// The same for a message that the hook gives away: a long one that has to wait is not copied.
    pub(crate) fn send_owned(&mut self, id: ConnId, message: OwnedMessage) -> SendStatus {
        if message.as_message().len() < SHARE_LEN {
            return self.send(id, message.as_message());
        }
        // The backlog takes a retained message as it is.
        let received = self.cork.retained.take();
        let message = self.retain(message);
        let status = self.send(id, message.content().as_message());
        self.cork.retained = received;
        status
    }

    /// The same for a message to another connection, or one that has to wait.
    fn send_past_cork(&mut self, id: ConnId, message: Message<'_>) -> SendStatus {
        let payload = message.as_bytes();
        let retained = self.cork.retained_for(payload, 0);
        let len = |framing: Framing| framing.message_len(message);
        self.queue_message(id, len, |framing, backlog| {
            if trace::is_on() {
                trace::sent(id, &Event::Message(message));
            }
            backlog.push_with(|out| framing.message_header(message, out));
            match retained {
                Some(message) => backlog.push_retained(message, 0),
                None => backlog.push(payload),
            }
        })
    }

    /// Sends a message in fragments (§5.4) that leave as one piece, with nothing between them.
    pub(crate) fn send_fragments(
        &mut self,
        id: ConnId,
        message: Message<'_>,
        fragment_len: usize,
    ) -> SendStatus {
        let Some(framing) = self.get(id).and_then(Outbound::framing) else { return SendStatus::Gone };
        let mut frames = Vec::with_capacity(message.len());
        framing.fragments(message, fragment_len, &mut frames);
        if trace::is_on() {
            trace::sent_fragments(id, message, fragment_len);
        }
        if self.has_fast_path(id) {
            self.stats.sent_messages += 1;
            return self.add_to_cork(id, &frames);
        }
        self.queue_message(id, |_| frames.len(), |_, backlog| backlog.push(&frames))
    }

    /// Sends a message to every open connection that `filter` picks. It is encoded once.
    pub(crate) fn broadcast(
        &mut self,
        message: Message<'_>,
        mut filter: impl FnMut(ConnId, &S) -> bool,
    ) -> BroadcastStatus {
        self.send_to_all(Prepared::new(message), |_, id, outbound| filter(id, &outbound.state))
    }

    /// The same for a filter that receives the state of the sender, then the id and the state of a receiver.
    pub(crate) fn broadcast_from(
        &mut self,
        sender: ConnId,
        message: Message<'_>,
        mut filter: impl FnMut(&S, ConnId, &S) -> bool,
    ) -> BroadcastStatus {
        self.send_to_all(Prepared::new(message), |table, id, outbound| {
            table.get(sender).is_some_and(|own| filter(&own.state, id, &outbound.state))
        })
    }

    /// The same for a message that is prepared already.
    pub(crate) fn broadcast_prepared(&mut self, prepared: Prepared) {
        self.send_to_all(prepared, |_, _, _| true);
    }

    fn send_to_all(
        &mut self,
        prepared: Prepared,
        mut filter: impl FnMut(&Registry<Outbound<S>>, ConnId, &Outbound<S>) -> bool,
    ) -> BroadcastStatus {
        let prepared = SharedPrepared::new(prepared, &self.meter);
        let mut status = BroadcastStatus::default();
        self.quota.count_looks(self.table.len());
        // By their places, for what one is sent may end another; it is removed at the end of the turn.
        let mut start = 0;
        while let Some((id, outbound)) = self.table.entry_from(start) {
            start = id.index as usize + 1;
            if outbound.framing().is_none() || !filter(&self.table, id, outbound) {
                continue;
            }
            match self.send_shared(id, &prepared) {
                SendStatus::Sent => status.sent += 1,
                SendStatus::Queued(_) => status.queued += 1,
                SendStatus::Dropped => status.dropped += 1,
                SendStatus::Gone => {}
            }
        }
        status
    }

    /// Sends a message that is prepared already.
    pub(crate) fn send_prepared(&mut self, id: ConnId, prepared: Prepared) -> SendStatus {
        let prepared = SharedPrepared::new(prepared, &self.meter);
        self.send_shared(id, &prepared)
    }

    #[inline]
    fn send_shared(&mut self, id: ConnId, prepared: &Rc<SharedPrepared>) -> SendStatus {
        if let Some(framing) = self.fast_path(id) {
            if trace::is_on() {
                trace::sent_prepared(id, prepared.content());
            }
            self.stats.sent_messages += 1;
            return self.add_to_cork(id, prepared.content().frame(framing));
        }
        let len = |framing| prepared.content().frame(framing).len();
        self.queue_message(id, len, |framing, backlog| {
            if trace::is_on() {
                trace::sent_prepared(id, prepared.content());
            }
            backlog.push_prepared(prepared, framing);
        })
    }

    /// Adds a message to a backlog, if it may wait there. Its bytes depend on how the peer's frames are encoded.
    #[inline]
    fn queue_message(
        &mut self,
        id: ConnId,
        len: impl FnOnce(Framing) -> usize,
        push: impl FnOnce(Framing, &mut Backlog),
    ) -> SendStatus {
        let Some(outbound) = self.table.get(id) else { return SendStatus::Gone };
        let Some(framing) = outbound.framing() else { return SendStatus::Gone };
        let len = len(framing);
        if !self.fits(id, outbound.buffered(), len)
            && let Err(status) = self.make_room(id, len)
        {
            return status;
        }
        let status = self.queue(id, len, |backlog| push(framing, backlog));
        self.stats.sent_messages += 1;
        status
    }

    /// Sends a ping (§5.5.2).
    pub(crate) fn ping(&mut self, id: ConnId, payload: &[u8]) -> Result<(), SendError> {
        if self.get(id).and_then(Outbound::framing).is_none() {
            return Err(SendError::CloseSent);
        }
        let result =
            self.push_with(id, |outbound, out| outbound.encode(out, |sender, out| sender.ping(payload, out)));
        let result = result.flatten().unwrap_or(Err(SendError::CloseSent));
        if trace::is_on() && result.is_ok() {
            trace::sent(id, &Event::Ping(payload));
        }
        result
    }

    /// Answers a ping (§5.5.2).
    pub(crate) fn pong(&mut self, id: ConnId, payload: &[u8]) {
        let Some(outbound) = self.table.get_mut(id) else { return };
        // §5.5.3: an endpoint with unanswered pings "MAY elect to send a Pong frame for only the most
        // recently processed Ping frame". The others would only lengthen the queue.
        if outbound.is_blocked() {
            outbound.outbox.get_or_insert_with(|| self.outbox_pool.take()).pong = Some(payload.to_vec());
            return;
        }
        if trace::is_on() {
            trace::sent(id, &Event::Pong(payload));
        }
        let ping = Event::Ping(payload);
        self.push_with(id, |outbound, out| outbound.encode(out, |sender, out| sender.answer(&ping, out)));
    }

    /// Returns whether `len` more bytes may wait for this peer: nothing waits, or the sum stays within the
    /// limit.
    ///
    /// The peer's own hooks are never refused: instead the peer is no longer read from.
    #[inline]
    fn fits(&self, id: ConnId, buffered: usize, len: usize) -> bool {
        buffered == 0 || buffered + len <= self.config.max_backpressure || self.cork.is_owned_by(id)
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
