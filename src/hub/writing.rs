//! How bytes leave: the cork, the backlog, the socket.
//!
//! - While a batch of one connection's input is handled, what is sent to *that* connection is collected in
//!   the cork and leaves in one write when the batch ends. A payload that doesn't fit, or a long answer to
//!   the batch's last event, is not copied: it leaves together with the cork in one vectored write.
//! - What is sent to *other* connections is added to their backlogs. Each of them is flushed once at the end
//!   of the turn, so that many messages to one peer leave together.
//! - What a socket refuses stays in the backlog until the poller reports room. Order is always kept: while
//!   bytes wait, everything new waits after them. The backlog copies them, because the sender only lends
//!   them. A long message that is sent on unchanged is retained instead.
//!
//! This file knows bytes and their order. It refuses to know what they mean, but for the pong that may be
//! replaced while it waits (§5.5.3).

use std::{
    io::{ErrorKind, IoSlice},
    mem,
    rc::Rc,
};

use super::{
    ConnId, Hub, Outbound, Stage, backlog::Backlog, meter::SharedMessage, outbound::Output,
    sending::SendStatus,
};
use crate::{
    protocol::{Event, Framing, OwnedMessage, append},
    trace,
    transport::Token,
};

/// How many bytes are collected before they are written, although the batch goes on.
pub(super) const CORK_LEN: usize = 128 * 1024;

/// From this length on what answers the end of a batch is not collected: nothing would leave with it that
/// doesn't anyway.
const DIRECT_LEN: usize = 32 * 1024;

/// How many bytes may be queued for other connections before they are flushed within the turn.
const MAX_UNFLUSHED: usize = 4 * 1024 * 1024;

impl<S> Hub<S> {
    /// Gives the cork to `id`: what is sent to it is collected until [`uncork`](Self::uncork).
    #[inline]
    pub(crate) fn cork(&mut self, id: ConnId) {
        self.cork.begin(id, self.table.get(id).and_then(Outbound::fast_path));
    }

    /// Retains the message that is dispatched next, until the batch ends.
    pub(crate) fn retain(&mut self, mut message: OwnedMessage) -> Rc<SharedMessage> {
        // The buffer of a message of unknown length may be twice as large as the message.
        match &mut message {
            OwnedMessage::Text(text) => text.shrink_to_fit(),
            OwnedMessage::Binary(bytes) => bytes.shrink_to_fit(),
        }
        let message = SharedMessage::new(message, &self.meter);
        self.cork.retained = Some(Rc::clone(&message));
        message
    }

    /// Notes whether the next event is the last of the batch.
    #[inline]
    pub(crate) fn set_last_in_batch(&mut self, at_end: bool) {
        self.cork.at_end = at_end;
    }

    /// Returns whether the connection has the cork, may be sent to, and its socket takes bytes.
    #[inline]
    pub(crate) fn has_fast_path(&self, id: ConnId) -> bool {
        self.fast_path(id).is_some()
    }

    /// Returns how frames to the connection are encoded, if it [has the fast path](Self::has_fast_path).
    #[inline]
    pub(super) fn fast_path(&self, id: ConnId) -> Option<Framing> {
        let framing = self.cork.fast_path(id);
        debug_assert_eq!(
            framing,
            self.get(id).filter(|_| self.cork.is_owned_by(id)).and_then(Outbound::fast_path),
            "the setters of stage, sender and output keep the fast path right"
        );
        framing
    }

    /// Writes what was collected.
    #[inline]
    pub(crate) fn uncork(&mut self) {
        let Some(id) = self.cork.owner() else { return };
        if !self.cork.bytes.is_empty() {
            self.write_cork(id, &[]);
        }
        let has_fast_path = self.has_fast_path(id);
        self.cork.end();
        // An open connection doesn't linger.
        if !has_fast_path {
            self.linger_if_flushed(id);
        }
    }

    /// Collects bytes; or writes them at once after what was collected, if they are too many to copy or
    /// nothing would join them.
    #[inline]
    pub(super) fn add_to_cork(&mut self, id: ConnId, bytes: &[u8]) -> SendStatus {
        let leaves_alone = self.cork.at_end && bytes.len() >= DIRECT_LEN;
        if !leaves_alone && self.cork.bytes.len() + bytes.len() < CORK_LEN {
            append(&mut self.cork.bytes, bytes);
            return SendStatus::Sent;
        }
        self.write_cork(id, bytes);
        match self.get(id) {
            Some(outbound) if outbound.is_blocked() => SendStatus::Queued(outbound.buffered()),
            Some(outbound) if outbound.stage() == Stage::Open => SendStatus::Sent,
            _ => SendStatus::Gone,
        }
    }

    /// Writes what the cork holds, then `rest`; keeps what the socket refuses.
    pub(super) fn write_cork(&mut self, id: ConnId, rest: &[u8]) {
        let mut bytes = mem::take(&mut self.cork.bytes);
        self.write(id, &bytes, rest);
        bytes.clear();
        self.cork.bytes = bytes;
    }

    /// Writes two pieces at once; keeps what the socket refuses.
    pub(super) fn write(&mut self, id: ConnId, first: &[u8], second: &[u8]) {
        let Some(outbound) = self.table.get_mut(id) else { return };
        if outbound.stage() == Stage::Dead {
            return;
        }
        if outbound.outbox.is_some() {
            self.queue_rest(id, first, second, 0);
            return self.flush(id);
        }
        let result = if second.is_empty() {
            outbound.stream.write(first)
        } else {
            outbound.stream.write_vectored(&[IoSlice::new(first), IoSlice::new(second)])
        };
        if let Ok(written) = result {
            self.stats.sent_bytes += written as u64;
            if self.observer.is_on() && !self.metrics.contains(id) {
                self.observer.tell_sent(id, [first, second], written);
            }
        }
        match result {
            Ok(written) if written == first.len() + second.len() => {
                if outbound.stream.wants_write() {
                    self.flush_stream(id);
                }
            }
            Ok(written) => {
                let first_written = written.min(first.len());
                self.queue_rest(id, &first[first_written..], second, written - first_written);
                // The socket is to be tried until it says that it would block: only then does it
                // tell the loop when it has room.
                self.flush(id);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.queue_rest(id, first, second, 0);
                self.block(id);
            }
            Err(error) => self.abort_socket(id, &error),
        }
    }

    /// Has `first` wait, and `second` from the byte `from` on.
    pub(super) fn queue_rest(&mut self, id: ConnId, first: &[u8], second: &[u8], from: usize) {
        if let Some(outbound) = self.table.get_mut(id) {
            let outbox = outbound.outbox.get_or_insert_with(|| self.outbox_pool.take());
            outbox.backlog.push(first);
            match self.cork.retained_for(second, from) {
                Some(message) => outbox.backlog.push_retained(message, from),
                None => outbox.backlog.push(&second[from..]),
            }
            if outbox.backlog.is_torn() {
                self.abort_torn(id);
            }
        }
    }

    /// Adds to a peer's backlog, which is flushed at the end of the turn.
    pub(super) fn queue(&mut self, id: ConnId, len: usize, push: impl FnOnce(&mut Backlog)) -> SendStatus {
        let Some(outbound) = self.table.get_mut(id) else { return SendStatus::Gone };
        self.quota.count_message(len);
        let outbox = outbound.outbox.get_or_insert_with(|| self.outbox_pool.take());
        push(&mut outbox.backlog);
        if outbox.backlog.is_torn() {
            self.abort_torn(id);
            return SendStatus::Gone;
        }
        if outbound.is_blocked() {
            let buffered = outbound.buffered();
            self.pause_if_too_much_waits(id);
            return SendStatus::Queued(buffered);
        }
        outbound.set_output(id, Output::Dirty, &mut self.dirty, &mut self.cork);
        // One batch of input can cause much more than its own length, times the receivers.
        self.unflushed += len;
        if self.unflushed > MAX_UNFLUSHED {
            self.flush_dirty();
        }
        SendStatus::Sent
    }

    /// Stops reading from a peer that doesn't take what its own input causes. What others send to it is no
    /// reason: the server must still receive its pings and its Close.
    fn pause_if_too_much_waits(&mut self, id: ConnId) {
        let most = self.config.max_backpressure / 2;
        if self.cork.is_owned_by(id)
            && let Some(outbound) = self.table.get_mut(id)
            && outbound.buffered() > most
        {
            outbound.paused = true;
        }
    }

    /// Appends what `encode` appends to where a peer's next bytes belong: the cork, or the backlog. If that is a
    /// Close, the fast path ends.
    pub(super) fn push_with<T>(
        &mut self,
        id: ConnId,
        encode: impl FnOnce(&mut Outbound<S>, &mut Vec<u8>) -> T,
    ) -> Option<T> {
        let outbound = self.table.get_mut(id)?;
        if self.cork.is_owned_by(id) && !outbound.is_blocked() {
            let result = encode(outbound, &mut self.cork.bytes);
            self.cork.note_fast_path(id, outbound.fast_path());
            return Some(result);
        }
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

    /// Writes the bytes that wait until the socket refuses some.
    pub(crate) fn flush(&mut self, id: ConnId) {
        loop {
            let Some(outbound) = self.table.get_mut(id) else { return };
            if outbound.stage() == Stage::Dead {
                return;
            }
            let Some(outbox) = &outbound.outbox else {
                let wants_write = outbound.stream.wants_write();
                return if wants_write { self.flush_stream(id) } else { self.linger_if_flushed(id) };
            };
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
                Ok(0) => return self.abort_socket(id, &ErrorKind::WriteZero.into()),
                Ok(written) => {
                    if self.observer.is_on() && !self.metrics.contains(id) {
                        self.observer.tell_sent(id, outbox.backlog.parts(), written);
                    }
                    self.taken(id, written);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.block(id),
                Err(error) => return self.abort_socket(id, &error),
            }
        }
    }

    /// Writes what the stream still holds of its own, as TLS does of ciphertext.
    #[cold]
    fn flush_stream(&mut self, id: ConnId) {
        let Some(outbound) = self.table.get_mut(id) else { return };
        match outbound.stream.flush() {
            Ok(()) => {
                self.flushed(id);
                self.linger_if_flushed(id);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.block(id),
            Err(error) => self.abort_socket(id, &error),
        }
    }

    /// Notes that the socket has taken `len` of the bytes that wait.
    fn taken(&mut self, id: ConnId, len: usize) {
        self.stats.sent_bytes += len as u64;
        let Some(outbound) = self.table.get_mut(id) else { return };
        // Room in a full socket means that the peer has taken something: a sign of life, and while it closes
        // a reason to wait on.
        if outbound.is_blocked() {
            (outbound.since, outbound.pinged) = (self.now, false);
        }
        let Some(outbox) = &mut outbound.outbox else { return };
        outbox.backlog.take(len);
        if outbound.paused && outbox.backlog.len() <= self.config.max_backpressure / 2 {
            self.resumable.push_back(id);
        }
        outbox.until_pong = outbox.until_pong.saturating_sub(len);
        if outbox.until_pong == 0 {
            self.queue_owed_pong(id);
        }
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
        outbox.backlog.push_with(|out| outbound.encode(out, |sender, out| sender.answer(&ping, out)));
        outbox.until_pong = outbox.backlog.len();
        outbound.outbox = Some(outbox);
    }

    /// Notes that everything that waited is written.
    pub(super) fn flushed(&mut self, id: ConnId) {
        let Some(outbound) = self.table.get_mut(id) else { return };
        if let Some(outbox) = outbound.outbox.take() {
            self.outbox_pool.give_back(outbox);
        }
        if outbound.is_blocked() {
            outbound.set_output(id, Output::Idle, &mut self.dirty, &mut self.cork);
            self.drained.push_back(id);
        }
    }

    /// Flushes every connection that has bytes queued in this turn.
    #[inline]
    pub(crate) fn flush_dirty(&mut self) {
        if !self.dirty.is_empty() {
            self.flush_all_dirty();
        }
    }

    fn flush_all_dirty(&mut self) {
        self.unflushed = 0;
        let mut dirty = mem::take(&mut self.dirty);
        for id in dirty.drain(..) {
            if let Some(outbound) = self.table.get_mut(id)
                && outbound.output() == Output::Dirty
            {
                outbound.set_output(id, Output::Idle, &mut self.dirty, &mut self.cork);
                self.flush(id);
            }
        }
        debug_assert!(self.dirty.is_empty(), "flushing one connection queues nothing for others");
        self.dirty = dirty;
    }

    /// Notes that the socket is full, and asks the poller to report room.
    pub(super) fn block(&mut self, id: ConnId) {
        let Some(outbound) = self.table.get_mut(id) else { return };
        outbound.set_output(id, Output::Blocked, &mut self.dirty, &mut self.cork);
        self.limit_closing(id);
        self.pause_if_too_much_waits(id);
        let Some(outbound) = self.table.get_mut(id) else { return };
        if !mem::replace(&mut outbound.write_interest, true)
            && let Err(error) = outbound.stream.register_writes(&self.poll, Token(id.index as usize))
        {
            self.abort_socket(id, &error);
        }
    }
}
