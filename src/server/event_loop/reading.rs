//! When a connection is read from: in this turn or a later one, and how often.
//!
//! Each connection is read from once per turn. Three lists hold the connections that have more: with little
//! to read, with a full buffer, and with a batch that queues much for others.

use std::{io::ErrorKind, mem};

use super::EventLoop;
use crate::{
    handler::Handler,
    hub::ConnId,
    transport::{Listener, Read, ReadBuffer, Ready},
};

impl<H: Handler, L: Listener> EventLoop<H, L> {
    /// Handles one event of a connection's socket: writes what waits, then reads.
    #[inline]
    pub(super) fn react(&mut self, index: usize, ready: Ready) {
        let Some(id) = self.hub.id_at(index) else { return };
        if ready.hang_up {
            self.inbound[index].hang_up = true;
        }
        if ready.writable || ready.hang_up {
            self.hub.flush(id);
        }
        // A connection in a list is read from anyway, in this turn or later, and only once per turn.
        let inbound = &self.inbound[index];
        if !(ready.readable || ready.hang_up) || inbound.has_more {
            return;
        }
        if inbound.is_costly && (self.hub.quota.is_turn_used_up() || !self.costly.is_empty()) {
            return self.read_later(id, false);
        }
        self.read(id);
    }

    /// Puts the connection in the list of those that a later turn reads from.
    pub(super) fn read_later(&mut self, id: ConnId, has_filled_buffer: bool) {
        let inbound = &mut self.inbound[id.index as usize];
        if !mem::replace(&mut inbound.has_more, true) {
            if inbound.is_costly {
                self.costly.push_back(id);
            } else if has_filled_buffer {
                self.bulk.push_back(id);
            } else {
                self.more.push(id);
            }
        }
    }

    /// Reads from a connection that was in a list. Returns whether the read filled the buffer.
    pub(super) fn read_again(&mut self, id: ConnId) -> bool {
        if self.hub.get(id).is_none() {
            return false;
        }
        self.inbound[id.index as usize].has_more = false;
        self.read_on(id)
    }

    /// Continues with the input that was put aside, or reads if there is none. Returns whether the read
    /// filled the buffer.
    fn read_on(&mut self, id: ConnId) -> bool {
        if self.inbound[id.index as usize].has_stash() && !self.hub.is_paused(id) {
            self.resume(id);
            return false;
        }
        self.read(id)
    }

    /// Reads from the first `count` costly connections while the turn has time, and from one in any case.
    pub(super) fn read_costly(&mut self, count: usize) {
        for _ in 0..count {
            let Some(id) = self.costly.pop_front() else { return };
            self.read_again(id);
            if self.hub.quota.is_turn_used_up() {
                return;
            }
        }
    }

    /// Reads from the first `count` connections that have filled the buffer, until one of them fills it
    /// again.
    ///
    /// The others wait for the next turn: before it, the poll reports the sockets with little to read.
    pub(super) fn read_bulk(&mut self, count: usize) {
        for _ in 0..count {
            let Some(id) = self.bulk.pop_front() else { return };
            let arrived = self.inbound[id.index as usize].arrived();
            if self.read_again(id) {
                // Moves it back to the front: finishing one large message before the next keeps only one of
                // them in memory. It must make progress: a read that adds less than half a buffer loses its
                // place.
                if self.inbound[id.index as usize].arrived() > arrived + ReadBuffer::LEN / 2 {
                    self.bulk.rotate_right(1);
                }
                return;
            }
        }
    }

    /// Reads once and dispatches the bytes. Returns whether they filled the buffer.
    #[inline]
    pub(super) fn read(&mut self, id: ConnId) -> bool {
        // A paused peer doesn't read the answers that it causes; `resume` reads from it again.
        let Some(outbound) = self.hub.get_mut(id).filter(|outbound| !outbound.is_paused()) else {
            return false;
        };
        match outbound.stream.read(&mut self.buffer) {
            Ok(Read::Plain { bytes, is_full }) => {
                let wants_write = outbound.stream.wants_write();
                self.hub.stats.received_bytes += bytes.len() as u64;
                self.hub.observe_received(id, bytes);
                let inbound = &mut self.inbound[id.index as usize];
                inbound.receive(id, bytes, &mut self.handler, &mut self.hub);
                if is_full || inbound.hang_up || inbound.has_stash() {
                    self.read_later(id, is_full);
                }
                if wants_write {
                    self.hub.flush(id);
                }
                self.shed();
                return is_full;
            }
            Ok(Read::Nothing) => self.read_nothing(id),
            Ok(Read::End) => self.hub.end_of_input(id),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => self.hub.abort_socket(id, &error),
        }
        false
    }

    /// Handles a read that brought bytes, but none for the receiver yet: the next turn reads again.
    ///
    /// The transport may have an answer of its own to write.
    #[cold]
    fn read_nothing(&mut self, id: ConnId) {
        self.hub.note_activity(id);
        self.read_later(id, false);
        self.hub.flush(id);
    }

    /// Continues with a paused connection whose peer has read enough of the answers.
    pub(super) fn resume(&mut self, id: ConnId) {
        self.inbound[id.index as usize].resume(id, &mut self.handler, &mut self.hub);
        // Bytes that arrived while it was paused cause no further event.
        self.read_later(id, false);
        self.shed();
    }

    /// Reads once before a connection is closed for its silence; while it closes, also writes once.
    ///
    /// After a long hook, or when the process was stopped, more sockets are ready than one poll reports. An
    /// answer that arrived in time still lies in its socket, and the peer must not pay for our delay. One
    /// read is enough: an answer that is not complete by then changes nothing.
    pub(super) fn read_once_more(&mut self, id: ConnId) {
        if !self.hub.is_open(id) {
            self.hub.flush(id);
        }
        self.read_on(id);
    }
}
