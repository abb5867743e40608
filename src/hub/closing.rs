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
    control::Control,
    outbound::{Ending, Outbound, Output, Stage},
    registry::ConnId,
    table::Hub,
    writing::Flow,
};
use crate::{
    cause::Cause,
    protocol::{CloseCode, CloseFrame, Event, ProtocolError},
    trace,
};

impl<S> Hub<S> {
    /// Begins the closing handshake (§7.1.2).
    pub(crate) fn close(&mut self, id: ConnId, code: CloseCode, reason: &str) {
        let may_be_sent = match self.get(id) {
            Some(outbound) if outbound.is_connecting() => return self.abort(id, Cause::Local),
            // §7.4.1: 1010 is a client's code.
            Some(outbound) if outbound.is_client() => code.may_be_sent(),
            _ => code.may_be_sent_by_server(),
        };
        let code = if may_be_sent || code == CloseCode::NO_STATUS_RECEIVED {
            code
        } else {
            error!("connection {id}: §7.4: close code {code} must not be sent; 1011 is sent instead");
            CloseCode::INTERNAL_ERROR
        };
        if self.is_open(id) {
            let body = (code != CloseCode::NO_STATUS_RECEIVED).then_some(CloseFrame { code, reason });
            self.push_close(id, body, Control::Close(code, reason));
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
        let cause = if outbound.may_send() { Cause::Peer } else { Cause::Local };
        let echo = frame.map(|frame| CloseFrame { reason: "", ..frame });
        self.push_close(id, echo, Control::Answer(&Event::Close(frame)));
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
        let frame = match cause {
            Cause::Protocol(error) => Control::Fail(error),
            _ => Control::Close(code, &reason),
        };
        self.push_close(id, body, frame);
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
    fn push_close(&mut self, id: ConnId, body: Option<CloseFrame<'_>>, frame: Control<'_>) {
        if !self.get(id).is_some_and(Outbound::may_send) {
            return;
        }
        self.queue_owed_pong(id);
        if trace::is_on() {
            trace::sent(id, &Event::Close(body));
        }
        // The code was checked, and no Close was sent before.
        let _ = self.push_control(id, frame);
    }

    /// Ends a connection whose peer has closed its side of TCP. What waits is still sent.
    pub(crate) fn end_of_input(&mut self, id: ConnId) {
        let Some(outbound) = self.get_mut(id) else { return };
        outbound.read_closed = true;
        // No ping comes any more, so a pong that is owed need not wait for a newer one (§5.5.3).
        self.queue_owed_pong(id);
        if self.note_trouble(id, Cause::Transport(ErrorKind::UnexpectedEof)) {
            return;
        }
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
        if outbound.stage() == Stage::Dead || self.note_trouble(id, cause) {
            return;
        }
        let Some(outbound) = self.get(id) else { return };
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

    /// Sends what waits and nothing new, then closes TCP from our side. After a clean end a client waits
    /// until the server has closed TCP (§7.1.1).
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
                // §7.1.1: TCP "SHOULD be closed first by the server".
                let waits_for_server = outbound.is_client() && self.unproven.contains_key(&id);
                if let Some(outbound) = self.get_mut(id).filter(|_| !waits_for_server) {
                    outbound.stream.shutdown_write();
                }
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
