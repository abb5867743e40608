//! One message to many connections, or as several frames to one.
//!
//! This file knows which connections receive a message and that it is encoded once. It refuses to know how it
//! reaches one of them: `sending.rs` does that.

use std::rc::Rc;

use super::{
    backlog::Backlog,
    compression::Twins,
    masked::{Content, Masked},
    meter::SharedPrepared,
    outbound::Outbound,
    registry::{ConnId, Registry},
    sending::SendStatus,
    table::Hub,
};
use crate::{
    protocol::{Message, Prepared},
    trace,
};

/// What became of a message to many: how many peers had each [`SendStatus`].
///
/// ```
/// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
/// use wirehook::{BroadcastStatus, Server};
///
/// let server = Server::bind("127.0.0.1:0")?.on_open(|ws, _| {
///     let BroadcastStatus { sent, queued, dropped } = ws.broadcast("one more is here");
///     assert_eq!((sent, queued, dropped), (1, 0, 0)); // to itself: it is the only one
/// });
/// assert_eq!(talk(server, b"")?, b"\x81\x10one more is here\x88\x00");
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
    /// Sends a message to every open connection that `filter` picks.
    pub(crate) fn broadcast(
        &mut self,
        prepared: Prepared,
        mut filter: impl FnMut(ConnId, &S) -> bool,
    ) -> BroadcastStatus {
        self.send_to_all(prepared, |_, id, outbound| filter(id, &outbound.state))
    }

    /// The same for a filter that receives the state of the sender, then the id and the state of a receiver.
    pub(crate) fn broadcast_from(
        &mut self,
        sender: ConnId,
        prepared: Prepared,
        mut filter: impl FnMut(&S, ConnId, &S) -> bool,
    ) -> BroadcastStatus {
        self.send_to_all(prepared, |table, id, outbound| {
            table.get(sender).is_some_and(|own| filter(&own.state, id, &outbound.state))
        })
    }

    /// The same without a filter.
    pub(crate) fn broadcast_to_all(&mut self, prepared: Prepared) -> BroadcastStatus {
        self.send_to_all(prepared, |_, _, _| true)
    }

    fn send_to_all(
        &mut self,
        prepared: Prepared,
        mut filter: impl FnMut(&Registry<Outbound<S>>, ConnId, &Outbound<S>) -> bool,
    ) -> BroadcastStatus {
        let prepared = SharedPrepared::new(prepared, &self.meter);
        let mut twins = Twins::default();
        let mut status = BroadcastStatus::default();
        self.quota.count_visits(self.table.len());
        // By their places, for what one is sent may end another; it is removed at the end of the turn.
        let mut start = 0;
        while let Some((id, outbound)) = self.table.entry_from(start) {
            start = id.index() as usize + 1;
            if outbound.framing().is_none() || !filter(&self.table, id, outbound) {
                continue;
            }
            match self.send_shared(id, &prepared, &mut twins) {
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
        if let Some(frame) = self.compress_prepared(id, prepared.content()) {
            return self.queue_compressed(id, frame, || trace::sent_prepared(id, prepared.content()));
        }
        self.send_shared(id, &prepared, &mut Twins::default())
    }

    #[inline]
    fn send_shared(&mut self, id: ConnId, prepared: &Rc<SharedPrepared>, twins: &mut Twins) -> SendStatus {
        if let Some(framing) = self.fast_path(id) {
            if trace::is_on() {
                trace::sent_prepared(id, prepared.content());
            }
            self.stats.sent_messages += 1;
            return self.add_to_cork(id, prepared.content().frame(framing));
        }
        let trace = || trace::sent_prepared(id, prepared.content());
        match self.compress_shared(id, prepared.content(), twins) {
            None => self.queue_prepared(id, prepared, trace),
            Some(twin) => {
                let status = self.queue_prepared(id, &twin, trace);
                let is_sent = matches!(status, SendStatus::Sent | SendStatus::Queued(_));
                self.stats.compressed_messages += u64::from(is_sent);
                status
            }
        }
    }

    fn queue_prepared(
        &mut self,
        id: ConnId,
        prepared: &Rc<SharedPrepared>,
        trace: impl FnOnce(),
    ) -> SendStatus {
        let len = |framing| prepared.content().frame(framing).len();
        let push = |framing, backlog: &mut Backlog| {
            if trace::is_on() {
                trace();
            }
            backlog.push_prepared(prepared, framing);
        };
        let mask = |hub: &mut Self| {
            let message = prepared.content();
            if trace::is_on() {
                trace::sent_prepared(id, message);
            }
            let is_uncompressed = message.is_uncompressed();
            hub.send_masked(id, Masked { content: Content::Prepared(message), is_uncompressed })
        };
        self.queue_message(id, len, push, mask)
    }

    /// Sends a message in fragments (§5.4) that leave as one piece, with nothing between them.
    pub(crate) fn send_fragments(
        &mut self,
        id: ConnId,
        message: Message<'_>,
        fragment_len: usize,
        is_uncompressed: bool,
    ) -> SendStatus {
        if !is_uncompressed && let Some(frames) = self.compress_fragments(id, message, fragment_len) {
            return self.queue_compressed(id, frames, || trace::sent_fragments(id, message, fragment_len));
        }
        let Some(framing) = self.get(id).and_then(Outbound::framing) else {
            let content = Content::Fragments(message, fragment_len);
            return self.send_masked(id, Masked { content, is_uncompressed });
        };
        let mut frames = Vec::with_capacity(message.len());
        framing.fragments(message, fragment_len, &mut frames);
        if trace::is_on() {
            trace::sent_fragments(id, message, fragment_len);
        }
        if self.fast_path(id).is_some() {
            self.stats.sent_messages += 1;
            return self.add_to_cork(id, &frames);
        }
        self.queue_message(id, |_| frames.len(), |_, backlog| backlog.push(&frames), |_| SendStatus::Gone)
    }
}
