//! How a connection ends, from our Close or the peer's to the closed socket.
//!
//! This file knows every way in which a connection ends, and acts on what became of its bytes. It calls for
//! `on_close` exactly once for each connection that opened, and refuses to know what the hook does.

use std::{
    io::{self, ErrorKind},
    mem,
};

use log::{debug, error};

use super::{
    outbound::{Ending, Outbound, Output, Stage},
    registry::ConnId,
    table::Hub,
    writing::Flow,
};
use crate::{
    cause::Cause,
    protocol::{CloseCode, CloseFrame, Event, ProtocolError, Sender},
    trace,
};

impl<S> Hub<S> {
    /// Begins the closing handshake (§7.1.2).
    pub(crate) fn close(&mut self, id: ConnId, code: CloseCode, reason: &str) {
        let code = if code.may_be_sent_by_server() || code == CloseCode::NO_STATUS_RECEIVED {
            code
        } else {
            error!("connection {id}: §7.4: close code {code} must not be sent; 1011 is sent instead");
            CloseCode::INTERNAL_ERROR
        };
        if self.is_open(id) {
            let body = (code != CloseCode::NO_STATUS_RECEIVED).then_some(CloseFrame { code, reason });
            self.push_close(id, body, |sender, out| sender.close(code, reason, out));
            self.set_stage(id, Stage::Closing);
            self.fill_socket(id);
        }
    }

    /// Drops the connection without a Close.
    pub(crate) fn terminate(&mut self, id: ConnId) {
        self.abort(id, Cause::Local);
    }

    /// The peer's Close has come (§5.5.1): answers it, unless it is the answer to ours.
    pub(crate) fn close_received(&mut self, id: ConnId, frame: Option<CloseFrame<'_>>) {
        let Some(outbound) = self.get(id) else { return };
        let cause = if outbound.framing().is_some() { Cause::Peer } else { Cause::Local };
        let echo = frame.map(|frame| CloseFrame { reason: "", ..frame });
        self.push_close(id, echo, |sender, out| sender.answer(&Event::Close(frame), out));
        let code = frame.map_or(CloseCode::NO_STATUS_RECEIVED, |frame| frame.code);
        let reason = frame.map_or("", |frame| frame.reason).to_owned();
        self.end(id, Ending { code, reason, cause, clean: true });
        self.finish(id);
        self.fill_socket(id);
    }

    /// _Fail the WebSocket Connection_ (§7.1.7) for a broken rule.
    pub(crate) fn fail_protocol(&mut self, id: ConnId, error: ProtocolError) {
        debug!("connection {id} failed: {error}");
        self.is_short_of_memory |= error == ProtocolError::NoMemory;
        self.fail(id, error.into());
    }

    /// _Fail the WebSocket Connection_ (§7.1.7): sends the Close of the cause, awaits no answer, and ends.
    pub(crate) fn fail(&mut self, id: ConnId, cause: Cause) {
        let (code, reason) = cause.answer();
        let body = Some(CloseFrame { code, reason: &reason });
        self.push_close(id, body, |sender, out| match cause {
            Cause::Protocol(error) => sender.fail(error, out),
            _ => drop(sender.close(code, &reason, out)),
        });
        self.end(id, Ending { code, reason: reason.into_owned(), cause, clean: false });
        self.finish(id);
        self.fill_socket(id);
    }

    /// Fails the connection where no Close can reach the peer: `on_close` receives the code of the cause
    /// only.
    pub(super) fn fail_without_close(&mut self, id: ConnId, cause: Cause) {
        let (code, _) = cause.answer();
        self.end(id, Ending { code, ..Ending::abnormal(cause) });
        self.set_stage(id, Stage::Dead);
    }

    /// Queues our Close, which has this body, unless one was sent. A pong that is owed goes first (§5.5.2):
    /// nothing may follow a Close.
    fn push_close<T>(
        &mut self,
        id: ConnId,
        body: Option<CloseFrame<'_>>,
        encode: impl FnOnce(&mut Sender, &mut Vec<u8>) -> T,
    ) {
        if self.get(id).and_then(Outbound::framing).is_none() {
            return;
        }
        self.queue_owed_pong(id);
        if trace::is_on() {
            trace::sent(id, &Event::Close(body));
        }
        self.push_with(id, |outbound, out| outbound.encode(out, encode));
    }

    /// Ends a connection whose peer has closed its side of TCP. What waits is still sent.
    pub(crate) fn end_of_input(&mut self, id: ConnId) {
        let Some(outbound) = self.get_mut(id) else { return };
        outbound.read_closed = true;
        // No ping comes any more, so a pong that is owed need not wait for a newer one (§5.5.3).
        self.queue_owed_pong(id);
        let Some(outbound) = self.get(id) else { return };
        let cause = match outbound.stage() {
            Stage::Lingering => return self.set_stage(id, Stage::Dead),
            Stage::Closing => Cause::Local,
            _ => Cause::Transport(ErrorKind::UnexpectedEof),
        };
        self.end(id, Ending::abnormal(cause));
        self.finish(id);
    }

    /// Ends the connection at once: the socket has failed, or the server drops the connection.
    pub(crate) fn abort(&mut self, id: ConnId, cause: Cause) {
        let Some(outbound) = self.get(id) else { return };
        if outbound.stage() == Stage::Dead {
            return;
        }
        let cause = if outbound.stage() == Stage::Closing { Cause::Local } else { cause };
        self.end(id, Ending::abnormal(cause));
        self.set_stage(id, Stage::Dead);
    }

    /// Ends a connection whose socket has failed.
    pub(crate) fn abort_socket(&mut self, id: ConnId, error: &io::Error) {
        debug!("connection {id}: {error}");
        self.abort(id, Cause::Transport(error.kind()));
    }

    // --- What became of bytes --------------------------------------------------------------------------

    /// Writes the bytes that wait for a peer until the socket refuses some.
    pub(crate) fn flush(&mut self, id: ConnId) {
        let flow = self.write_backlog(id);
        self.act_on(id, flow);
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

    /// Does what must follow after bytes were written, or were not.
    #[cold]
    pub(super) fn act_on(&mut self, id: ConnId, flow: Flow) {
        match flow {
            Flow::Failed(kind) => self.abort(id, Cause::Transport(kind)),
            Flow::Torn => {
                self.is_short_of_memory = true;
                self.fail_without_close(id, Cause::Overload);
            }
            Flow::Flushed | Flow::Queued | Flow::Blocked | Flow::Gone => self.linger_if_flushed(id),
        }
    }

    /// Tries to write to a full socket when its closing begins: from here on room in it means that the peer
    /// reads, and not that the systems between had some.
    fn fill_socket(&mut self, id: ConnId) {
        if self.get(id).is_some_and(|outbound| outbound.is_blocked()) {
            self.flush(id);
        }
    }

    /// Sends what waits and nothing new, then closes TCP from our side (§7.1.1: the server does so first).
    pub(super) fn finish(&mut self, id: ConnId) {
        let is_corked = self.cork.is_owned_by(id);
        let Some(outbound) = self.get_mut(id) else { return };
        let is_flushed = outbound.outbox.is_none() && !outbound.stream.wants_write() && !is_corked;
        match outbound.stage() {
            Stage::Lingering | Stage::Dead => {}
            Stage::Finishing if !is_flushed => {}
            _ if !is_flushed => self.set_stage(id, Stage::Finishing),
            _ if outbound.read_closed => {
                self.tell_unproven(id, true);
                self.set_stage(id, Stage::Dead);
            }
            _ => {
                outbound.stream.shutdown_write();
                self.tell_unproven(id, true);
                self.set_stage(id, Stage::Lingering);
            }
        }
    }

    /// Ends TCP for a connection that is finishing, after everything is sent.
    pub(super) fn linger_if_flushed(&mut self, id: ConnId) {
        if self.get(id).is_some_and(|outbound| outbound.stage() == Stage::Finishing) {
            self.finish(id);
        }
    }
}
