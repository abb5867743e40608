//! How bytes leave: the cork, the backlog, the socket.
//!
//! - While a batch of one connection's input is handled, what is sent to *that* connection is collected in
//!   the cork and leaves in one write when the batch ends. A payload that doesn't fit, or a long answer to
//!   the batch's last event, is not copied: it leaves together with the cork in one vectored write.
//! - What is sent to *other* connections is added to their backlogs. Each of them is flushed once at the end
//!   of the turn, so that many messages to one peer leave together.
//! - What a socket refuses stays in the backlog until the poll reports room. Order is always kept: while
//!   bytes wait, everything new waits after them. The backlog copies them, because the caller only lends
//!   them. A long message that is sent on unchanged is retained instead.
//!
//! This file knows bytes and their order. It refuses to know what follows for the connection: each call
//! returns a [`Flow`], on which `closing.rs` acts.

use std::io::{self, ErrorKind};

use log::debug;

use super::{
    backlog::Backlog,
    control::Control,
    outbound::{Outbound, Output, Stage},
    registry::ConnId,
    table::Hub,
};
use crate::{
    protocol::{Event, SendError},
    trace,
};

/// What became of bytes for a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// The socket has taken all of them.
    Flushed,
    /// They wait for the end of the turn.
    Queued,
    /// They wait until the socket has room.
    Blocked,
    /// The socket has failed: the connection must end.
    Failed(ErrorKind),
    /// An allocation was refused and bytes are missing: the connection must end.
    Torn,
    /// There is no such connection any more.
    Gone,
}

impl<S> Hub<S> {
    /// Counts the first `written` bytes of the cork and `rest`, and shows them to the observer.
    #[inline]
    pub(super) fn note_sent(&mut self, id: ConnId, rest: &[u8], written: usize) {
        self.stats.sent_bytes += written as u64;
        if self.observer.is_on() {
            self.observer.tell_sent(id, [self.cork.bytes(), rest], written);
        }
    }

    /// Goes on after a first write of the cork and `rest` that the socket did not take whole.
    #[cold]
    pub(super) fn write_slowly(&mut self, id: ConnId, rest: &[u8], first: io::Result<usize>) -> Flow {
        if let Ok(written) = first {
            self.note_sent(id, rest, written);
        }
        let corked = self.cork.take();
        let flow = self.keep_and_write(id, &corked, rest, first);
        self.cork.reuse(corked);
        flow
    }

    fn keep_and_write(&mut self, id: ConnId, corked: &[u8], rest: &[u8], first: io::Result<usize>) -> Flow {
        if self.get(id).is_none_or(|outbound| outbound.stage() == Stage::Dead) {
            return Flow::Gone;
        }
        let is_refused = matches!(&first, Err(error) if error.kind() == ErrorKind::WouldBlock);
        let written = match first {
            Ok(written) => written,
            Err(_) if is_refused => 0,
            Err(error) => return failed(id, &error),
        };
        if written < corked.len() + rest.len() {
            let corked_written = written.min(corked.len());
            if !self.queue_rest(id, &corked[corked_written..], rest, written - corked_written) {
                return Flow::Torn;
            }
        }
        // The socket is to be tried until it says that it would block: only then does it tell the loop when
        // it has room.
        if is_refused { self.block(id) } else { self.write_backlog(id) }
    }

    /// Has `first` wait, and `second` from the byte `from` on. Returns whether there was memory for them.
    fn queue_rest(&mut self, id: ConnId, first: &[u8], second: &[u8], from: usize) -> bool {
        let Some(outbound) = self.table.get_mut(id) else { return true };
        let outbox = outbound.outbox.get_or_insert_with(|| self.outbox_pool.take());
        outbox.backlog.push(first);
        match self.cork.retained_for(second, from) {
            Some(message) => outbox.backlog.push_retained(message, from),
            None => outbox.backlog.push(&second[from..]),
        }
        !outbox.backlog.is_torn()
    }

    /// Adds to a peer's backlog, which is flushed at the end of the turn.
    pub(super) fn queue(&mut self, id: ConnId, len: usize, push: impl FnOnce(&mut Backlog)) -> Flow {
        self.queue_corked(id);
        let Some(outbound) = self.table.get_mut(id) else { return Flow::Gone };
        self.quota.count_message(len);
        let outbox = outbound.outbox.get_or_insert_with(|| self.outbox_pool.take());
        push(&mut outbox.backlog);
        if outbox.backlog.is_torn() {
            return Flow::Torn;
        }
        if outbound.is_blocked() {
            self.pause_if_too_much_waits(id);
            return Flow::Blocked;
        }
        outbound.set_output(id, Output::Dirty, &mut self.dirty, &mut self.cork);
        self.unflushed += len;
        Flow::Queued
    }

    /// Moves what the cork holds for a peer to its backlog: what comes next goes there too, and must not
    /// overtake it.
    #[inline]
    pub(super) fn queue_corked(&mut self, id: ConnId) {
        if !self.cork.is_owned_by(id) || self.cork.bytes().is_empty() {
            return;
        }
        if let Some(outbound) = self.table.get_mut(id) {
            let outbox = outbound.outbox.get_or_insert_with(|| self.outbox_pool.take());
            outbox.backlog.push(self.cork.bytes());
        }
        self.cork.clear();
    }

    /// Stops reading from a peer that doesn't take what its own input causes. What others send to it is no
    /// reason: the server must still receive its pings and its Close.
    fn pause_if_too_much_waits(&mut self, id: ConnId) {
        let most = self.config.max_backpressure / 2;
        if self.cork.is_owned_by(id)
            && let Some(outbound) = self.table.get_mut(id)
            && outbound.buffered() > most
        {
            outbound.pause();
        }
    }

    /// Appends what `encode` appends to where a peer's next bytes belong: the cork, or the backlog. If that
    /// is a Close, the fast path ends.
    pub(super) fn push_with<T>(
        &mut self,
        id: ConnId,
        encode: impl FnOnce(&mut Outbound<S>, &mut Vec<u8>) -> T,
    ) -> Option<T> {
        let outbound = self.table.get_mut(id)?;
        if self.cork.is_owned_by(id) && !outbound.is_blocked() {
            let result = encode(outbound, self.cork.buffer());
            self.cork.note_fast_path(id, outbound.fast_path());
            return Some(result);
        }
        self.queue_corked(id);
        let outbound = self.table.get_mut(id)?;
        let mut outbox = outbound.outbox.take().unwrap_or_else(|| self.outbox_pool.take());
        let result = outbox.backlog.push_with(|out| encode(outbound, out));
        outbound.outbox = Some(outbox);
        self.cork.note_fast_path(id, outbound.fast_path());
        if outbound.is_blocked() {
            self.pause_if_too_much_waits(id);
        } else {
            outbound.set_output(id, Output::Dirty, &mut self.dirty, &mut self.cork);
        }
        Some(result)
    }

    /// Appends a frame that the hub sends by itself.
    pub(super) fn push_control(&mut self, id: ConnId, frame: Control<'_>) -> Result<(), SendError> {
        let result = self.push_with(id, |outbound, out| outbound.encode(out, frame));
        self.check_keys(id);
        result.unwrap_or(Err(SendError::CloseSent))
    }

    /// Queues the pong for the newest ping that found the socket full, if one is owed (§5.5.2).
    pub(super) fn queue_owed_pong(&mut self, id: ConnId) {
        let Some(outbound) = self.table.get_mut(id) else { return };
        let Some(mut outbox) = outbound.outbox.take_if(|outbox| outbox.pong.is_some()) else { return };
        let payload = outbox.pong.take().unwrap_or_default();
        if trace::is_on() {
            trace::sent(id, &Event::Pong(&payload));
        }
        let ping = Event::Ping(&payload);
        // The only error is that a Close was sent, and then no pong is owed.
        let _ = outbox.backlog.push_with(|out| outbound.encode(out, Control::Answer(&ping)));
        outbox.until_pong = outbox.backlog.len();
        outbound.outbox = Some(outbox);
        self.check_keys(id);
    }

    /// Writes the bytes that wait until the socket refuses some.
    pub(super) fn write_backlog(&mut self, id: ConnId) -> Flow {
        loop {
            let Some(outbound) = self.table.get_mut(id) else { return Flow::Gone };
            if outbound.stage() == Stage::Dead {
                return Flow::Gone;
            }
            let Some(outbox) = &outbound.outbox else { return self.write_stream(id) };
            if outbox.backlog.is_empty() {
                self.flushed(id);
                continue;
            }
            let result = match outbox.backlog.only_part() {
                Some(bytes) => outbound.stream.write(bytes),
                None => outbound.stream.write_vectored(outbox.backlog.slices().as_slice()),
            };
            match result {
                // A stream that takes nothing and doesn't say why would be tried for ever.
                Ok(0) => return failed(id, &ErrorKind::WriteZero.into()),
                Ok(written) => {
                    if self.observer.is_on() {
                        self.tell_written(id, written);
                    }
                    self.taken(id, written);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.block(id),
                Err(error) => return failed(id, &error),
            }
        }
    }

    /// Shows the first `written` bytes of a backlog to the observer.
    #[cold]
    fn tell_written(&mut self, id: ConnId, written: usize) {
        self.tell_connected(id);
        if let Some(outbox) = self.table.get(id).and_then(|outbound| outbound.outbox.as_ref()) {
            self.observer.tell_sent(id, outbox.backlog.parts(), written);
        }
    }

    /// Writes what the stream still holds of its own, as TLS does of ciphertext.
    fn write_stream(&mut self, id: ConnId) -> Flow {
        let Some(outbound) = self.table.get_mut(id) else { return Flow::Gone };
        if !outbound.stream.wants_write() {
            return Flow::Flushed;
        }
        match outbound.stream.flush() {
            Ok(()) => {
                self.flushed(id);
                Flow::Flushed
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.block(id),
            Err(error) => failed(id, &error),
        }
    }

    /// Notes that the socket has taken `len` of the bytes that wait.
    fn taken(&mut self, id: ConnId, len: usize) {
        self.stats.sent_bytes += len as u64;
        let Some(outbound) = self.table.get_mut(id) else { return };
        // Room in a full socket means that the peer has taken something: a sign of life, and while it closes
        // a reason to wait on.
        if outbound.is_blocked() && !outbound.is_connecting() {
            outbound.note_activity(self.now);
        }
        let is_paused = outbound.is_paused();
        let Some(outbox) = &mut outbound.outbox else { return };
        outbox.backlog.take(len);
        if is_paused && outbox.backlog.len() <= self.config.max_backpressure / 2 {
            self.resumable.push_back(id);
        }
        outbox.until_pong = outbox.until_pong.saturating_sub(len);
        if outbox.until_pong == 0 {
            self.queue_owed_pong(id);
        }
    }

    /// Notes that everything that waited is written.
    fn flushed(&mut self, id: ConnId) {
        let Some(outbound) = self.table.get_mut(id) else { return };
        #[cfg(feature = "tls")]
        outbound.hold_stream(outbound.stream.held(), &self.meter);
        if let Some(outbox) = outbound.outbox.take() {
            self.outbox_pool.give_back(outbox);
        }
        if outbound.is_blocked() {
            outbound.set_output(id, Output::Idle, &mut self.dirty, &mut self.cork);
            self.drained.push_back(id);
        }
    }

    /// Notes that the socket is full, and asks the poll to report room.
    fn block(&mut self, id: ConnId) -> Flow {
        let token = self.token(id.index());
        let Some(outbound) = self.table.get_mut(id) else { return Flow::Gone };
        outbound.set_output(id, Output::Blocked, &mut self.dirty, &mut self.cork);
        #[cfg(feature = "tls")]
        outbound.hold_stream(outbound.stream.held(), &self.meter);
        if !outbound.write_interest {
            outbound.write_interest = true;
            if let Err(error) = outbound.stream.register_writes(&self.poll_registry, token) {
                return failed(id, &error);
            }
        }
        self.limit_closing(id);
        self.pause_if_too_much_waits(id);
        Flow::Blocked
    }
}

/// Logs why a socket has failed.
#[cold]
fn failed(id: ConnId, error: &io::Error) -> Flow {
    debug!("connection {id}: {error}");
    Flow::Failed(error.kind())
}
