//! How a connection ends, from our Close or the peer's to the closed socket.
//!
//! This file knows the ways to the end and sees to it that every connection that opened is told of its own
//! exactly once. It refuses to know what the hook makes of it.

use std::{
    io::{self, ErrorKind},
    mem,
};

use log::{debug, error};

use super::{
    ConnId, Peers,
    peer::{Ending, Stage},
};
use crate::{
    cause::Cause,
    protocol::{CloseCode, CloseFrame, Event, HandshakeError, ProtocolError, Response, Sender},
    trace,
};

impl<S> Peers<S> {
    /// Begins the closing handshake (§7.1.2).
    pub(crate) fn close(&mut self, id: ConnId, code: CloseCode, reason: &str) {
        let code = if code.may_be_sent_by_server() || code == CloseCode::NO_STATUS_RECEIVED {
            code
        } else {
            error!("connection {id}: §7.4: close code {code} must not be sent; 1011 is sent instead");
            CloseCode::INTERNAL_ERROR
        };
        if self.is_open(id) {
            self.push_close(id, |sender, out| sender.close(code, reason, out));
            self.set_stage(id, Stage::Closing);
            self.fill_socket(id);
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
        self.push_close(id, |sender, out| sender.answer(&Event::Close(frame), out));
        let code = frame.map_or(CloseCode::NO_STATUS_RECEIVED, |frame| frame.code);
        let reason = frame.map_or("", |frame| frame.reason).to_owned();
        self.end(id, Ending { code, reason, cause, clean: true });
        self.finish(id);
        self.fill_socket(id);
    }

    /// _Fail the WebSocket Connection_ (§7.1.7) for a broken rule.
    pub(crate) fn fail_protocol(&mut self, id: ConnId, error: ProtocolError) {
        debug!("connection {id} failed: {error}");
        let cause = match error {
            ProtocolError::NoMemory => {
                self.is_short_of_memory = true;
                Cause::Overload
            }
            _ => Cause::Protocol(error),
        };
        self.fail(id, error.close_code(), &error.to_string(), cause);
    }

    /// Too much is held for all connections together, and this one holds much: it goes, and gives that back.
    ///
    /// A peer that doesn't read would not see a Close either, so it is dropped.
    pub(crate) fn shed(&mut self, id: ConnId) {
        self.hold(id, 0);
        self.stats.shed += 1;
        let Some((stage, is_blocked)) = self.get(id).map(|peer| (peer.stage, peer.blocked)) else { return };
        match stage {
            Stage::Connecting => self.respond(id, &Response::refusal(HandshakeError::TooManyConnections)),
            Stage::Open | Stage::Closing if !is_blocked => {
                self.fail(id, CloseCode::TRY_AGAIN_LATER, "the server is overloaded", Cause::Overload);
            }
            Stage::Open | Stage::Closing => {
                let code = CloseCode::TRY_AGAIN_LATER;
                self.end(id, Ending { code, ..Ending::abnormal(Cause::Overload) });
                self.set_stage(id, Stage::Doomed);
            }
            Stage::Finishing | Stage::Lingering => self.set_stage(id, Stage::Doomed),
            Stage::Doomed => {}
        }
    }

    /// No memory was to be had for what waits for this connection, and bytes of it are lost: it can't go on.
    #[cold]
    pub(super) fn lose_torn(&mut self, id: ConnId) {
        self.is_short_of_memory = true;
        let code = CloseCode::TRY_AGAIN_LATER;
        self.end(id, Ending { code, ..Ending::abnormal(Cause::Overload) });
        self.set_stage(id, Stage::Doomed);
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
    pub(super) fn fail(&mut self, id: ConnId, code: CloseCode, reason: &str, cause: Cause) {
        self.push_close(id, |sender, out| sender.close(code, reason, out));
        self.end(id, Ending { code, reason: reason.to_owned(), cause, clean: false });
        self.finish(id);
        self.fill_socket(id);
    }

    /// Queues our Close. A pong that is owed goes before it (§5.5.2): after a Close nothing may follow.
    fn push_close<T>(&mut self, id: ConnId, encode: impl FnOnce(&mut Sender, &mut Vec<u8>) -> T) {
        self.queue_owed_pong(id);
        self.push_with(id, |peer, out| trace::sending(id, out, |out| encode(&mut peer.sender, out)));
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

    /// Reading or writing has failed for good.
    pub(crate) fn lose_socket(&mut self, id: ConnId, error: &io::Error) {
        debug!("connection {id}: {error}");
        self.lose(id, Cause::Transport(error.kind()));
    }

    /// Notes how a connection ended, the first time that it does; one that never opened has no hook to tell.
    ///
    /// A clean end is told when our Close has left, for until then it may turn out otherwise (§7.1.4). Any other
    /// is told at once.
    pub(super) fn end(&mut self, id: ConnId, ending: Ending) {
        if !self.get(id).is_some_and(|peer| matches!(peer.stage, Stage::Open | Stage::Closing)) {
            return;
        }
        if ending.clean {
            self.unproven.insert(id, ending);
        } else {
            self.endings.push_back((id, ending));
        }
    }

    /// Tells the clean end of a connection whose last byte has left, or that it was not clean after all.
    fn tell_unproven(&mut self, id: ConnId, is_clean: bool) {
        if let Some(ending) = self.unproven.remove(&id) {
            self.endings.push_back((id, Ending { clean: is_clean, ..ending }));
        }
    }

    /// Tries to write to a full socket when its closing begins: from here on room in it means that the peer reads,
    /// and not that the systems between had some.
    fn fill_socket(&mut self, id: ConnId) {
        if self.get(id).is_some_and(|peer| peer.blocked) {
            self.flush(id);
        }
    }

    /// Sets the time at which a closing peer is given up although it still takes what waits.
    pub(super) fn limit_closing(&mut self, id: ConnId) {
        let give_up_at = self.now + self.config.max_close_time.max(self.config.close_timeout);
        if let Some(peer) = self.table.get_mut(id)
            && matches!(peer.stage, Stage::Closing | Stage::Finishing)
            && let Some(waiting) = &mut peer.waiting
        {
            waiting.give_up_at.get_or_insert(give_up_at);
        }
    }

    /// Lets what waits go out, and nothing new after it; then closes TCP from our side (§7.1.1: the server does so
    /// first).
    pub(super) fn finish(&mut self, id: ConnId) {
        let is_corked = self.cork.owner == Some(id);
        let Some(peer) = self.get(id) else { return };
        let is_flushed = peer.waiting.is_none() && !is_corked;
        match peer.stage {
            Stage::Lingering | Stage::Doomed => {}
            Stage::Finishing if !is_flushed => {}
            _ if !is_flushed => self.set_stage(id, Stage::Finishing),
            _ if peer.read_closed => {
                self.tell_unproven(id, true);
                self.set_stage(id, Stage::Doomed);
            }
            _ => {
                peer.stream.shutdown_write();
                self.tell_unproven(id, true);
                self.set_stage(id, Stage::Lingering);
            }
        }
    }

    /// Goes on with one who is finishing, once all is sent.
    pub(super) fn linger_if_flushed(&mut self, id: ConnId) {
        if self.get(id).is_some_and(|peer| peer.stage == Stage::Finishing) {
            self.finish(id);
        }
    }

    pub(super) fn set_stage(&mut self, id: ConnId, stage: Stage) {
        let now = self.now;
        let Some(peer) = self.table.get_mut(id) else { return };
        let before = mem::replace(&mut peer.stage, stage);
        peer.since = now;
        if stage == Stage::Doomed {
            peer.waiting = None;
            self.doomed.push(id);
        }
        if !peer.watching {
            self.count_change(id, before, stage);
        }
        if stage == Stage::Doomed {
            self.tell_unproven(id, false);
        }
        self.limit_closing(id);
        self.look_at_owner();
        self.schedule(id);
    }

    /// Keeps the counts that go by stages: of live connections, of leaving sockets, and of those of one address.
    fn count_change(&mut self, id: ConnId, before: Stage, stage: Stage) {
        let Some(peer) = self.table.get_mut(id) else { return };
        let address = peer.address;
        if before.is_live() && !stage.is_live() {
            self.live -= 1;
        }
        // Not before: else an address could have any number of sockets that only wait for their end.
        if stage == Stage::Doomed && mem::take(&mut peer.admitted) {
            self.admission.leave(address, &self.config);
        }
        let table = &self.table;
        let is_in = |id: ConnId, stage| table.get(id).is_some_and(|peer| peer.stage == stage);
        self.leaving.change(id, address, (before, stage), is_in);
    }
}
