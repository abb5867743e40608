//! The receiving side of all connections: reads from sockets, and what their input leads to.
//!
//! Each connection has an [`Inbound`], at the same index as its sending half in the hub; a checked id is the
//! only way to it. `read` does everything for one event of a socket: one read, then event after event of its
//! bytes, each of which calls a hook. In which order connections are read from again is decided in
//! `reading.rs`.
//!
//! This file knows the order of things: read, request, frames, hooks. It refuses to know what a frame looks
//! like, and how what goes out is written: the hub does that.

use std::{
    collections::{TryReserveError, VecDeque},
    io::ErrorKind,
    mem,
    rc::Rc,
};

use log::{debug, warn};

use super::{event_source::EventSource, opening::Opening, phase::Phase, upgrade};
use crate::{
    handler::Handler,
    hub::{ConnId, Hub, ROOM, SHARE_LEN, SharedMessage, Stage},
    protocol::{Event, HandshakeError, ProtocolError, Receiver, Role, append},
    trace,
    transport::{Read, ReadBuffer},
    websocket::call_hook,
};

/// The receiving sides of all connections, and the buffer that they share.
pub(super) struct Inbounds {
    table: Vec<Inbound>,
    pub(super) buffer: ReadBuffer,
    /// Connections with little more to read: the next turn reads from each of them.
    pub(super) more: Vec<ConnId>,
    /// Connections that have filled the read buffer, in the order in which they are read from again.
    pub(super) bulk: VecDeque<ConnId>,
    /// Connections whose last batch queued much for others, in the order in which they are read from again.
    pub(super) costly: VecDeque<ConnId>,
}

/// The receiving side of one connection. Every open connection has one, so every byte here counts.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    phase: Phase,
    /// Input that was read and waits: the peer has stopped taking what it causes, or the batch had its part.
    stash: Option<Box<[u8]>>,
    /// The serial number of the connection that has this place in the table; 0 if it is free.
    serial: u32,
    /// The peer has closed its side, or the socket has an error: it is read until it says so.
    pub(super) hang_up: bool,
    /// It is in one of the lists of connections to be read from again.
    pub(super) has_more: bool,
    /// The hub counts bytes that are held of its input.
    holds: bool,
    /// Its last batch queued much for others, so its next one waits while the turn has no time for it.
    pub(super) is_costly: bool,
}

impl Inbounds {
    pub(super) fn new() -> Self {
        Self {
            table: Vec::with_capacity(ROOM),
            buffer: ReadBuffer::new(),
            more: Vec::new(),
            bulk: VecDeque::new(),
            costly: VecDeque::new(),
        }
    }

    /// Adds the receiving side of a connection that the hub has just added.
    pub(super) fn insert(&mut self, id: ConnId) {
        let inbound = Inbound { serial: id.serial(), ..Inbound::default() };
        self.put(id, inbound);
    }

    /// Adds the receiving side of a connection that this program opens.
    pub(super) fn insert_opening(&mut self, id: ConnId, opening: Opening) {
        self.put(
            id,
            Inbound { phase: Phase::Answer(Box::new(opening)), serial: id.serial(), ..Inbound::default() },
        );
    }

    fn put(&mut self, id: ConnId, inbound: Inbound) {
        let index = id.index() as usize;
        // The hub may have added more connections than have a receiving side yet.
        while self.table.len() <= index {
            self.table.push(Inbound { phase: Phase::Nothing, ..Inbound::default() });
        }
        self.table[index] = inbound;
    }

    /// Returns the opening handshake of a connection that this program opens.
    pub(super) fn opening_mut(&mut self, id: ConnId) -> Option<&mut Opening> {
        match &mut self.get_mut(id)?.phase {
            Phase::Answer(opening) => Some(opening),
            _ => None,
        }
    }

    /// Frees what is held for a connection that has gone.
    pub(super) fn remove(&mut self, id: ConnId) {
        if let Some(inbound) = self.get_mut(id) {
            *inbound = Inbound { phase: Phase::Nothing, ..Inbound::default() };
        }
    }

    /// Returns how many places there are.
    pub(super) const fn places(&self) -> usize {
        self.table.len()
    }

    /// Frees the memory of all places from `places` on.
    pub(super) fn shrink(&mut self, places: usize) {
        self.table.truncate(places);
        self.table.shrink_to(2 * places.max(ROOM));
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: ConnId) -> Option<&mut Inbound> {
        find(&mut self.table, id)
    }

    /// Returns the id of the connection in a place, and its receiving side; nothing if the place is free.
    #[inline]
    pub(super) fn at(&mut self, index: usize) -> Option<(ConnId, &mut Inbound)> {
        let inbound = self.table.get_mut(index).filter(|inbound| inbound.serial != 0)?;
        Some((ConnId::new(inbound.serial, index as u32), inbound))
    }

    /// Reads once from a connection and dispatches the bytes. Returns whether they filled the buffer.
    #[inline]
    pub(super) fn read<H: Handler>(&mut self, id: ConnId, handler: &mut H, hub: &mut Hub<H::State>) -> bool {
        let Some(inbound) = find(&mut self.table, id) else { return false };
        match hub.begin_batch(id, &mut self.buffer) {
            Ok(Read::Plain { bytes, is_full }) => {
                inbound.receive(id, bytes, handler, hub);
                if is_full || inbound.hang_up || inbound.has_stash() {
                    self.read_later(id, is_full);
                }
                self.shed(hub);
                return is_full;
            }
            Ok(Read::Nothing) => self.read_nothing(id, hub),
            Ok(Read::End) => hub.end_of_input(id),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => hub.abort_socket(id, &error),
        }
        false
    }

    /// Handles a read that brought bytes, but none for the receiver yet: the next turn reads again.
    ///
    /// The transport may have an answer of its own to write.
    #[cold]
    fn read_nothing<S>(&mut self, id: ConnId, hub: &mut Hub<S>) {
        hub.note_activity(id);
        self.read_later(id, false);
        hub.flush(id);
    }

    /// Puts the connection in the list of those that a later turn reads from.
    pub(super) fn read_later(&mut self, id: ConnId, has_filled_buffer: bool) {
        let Some(inbound) = self.get_mut(id) else { return };
        let is_costly = inbound.is_costly;
        if !mem::replace(&mut inbound.has_more, true) {
            if is_costly {
                self.costly.push_back(id);
            } else if has_filled_buffer {
                self.bulk.push_back(id);
            } else {
                self.more.push(id);
            }
        }
    }

    /// Continues with the postponed input of a connection.
    pub(super) fn resume<H: Handler>(&mut self, id: ConnId, handler: &mut H, hub: &mut Hub<H::State>) {
        let Some(inbound) = self.get_mut(id) else { return };
        let mut input = inbound.stash.take().unwrap_or_default();
        hub.quota.begin_batch();
        hub.cork(id);
        inbound.receive(id, &mut input, handler, hub);
        // Bytes that arrived while it was paused cause no further event.
        self.read_later(id, false);
        self.shed(hub);
    }

    /// Returns whether the connection's request waits for the application's answer.
    pub(super) fn is_held(&mut self, id: ConnId) -> bool {
        self.get_mut(id).is_some_and(|inbound| matches!(inbound.phase, Phase::Held(_)))
    }

    /// Opens or refuses a connection whose request was held, and reads from it again.
    pub(super) fn finish_upgrade<H: Handler>(
        &mut self,
        id: ConnId,
        handler: &mut H,
        hub: &mut Hub<H::State>,
    ) {
        let is_awaited = hub.get(id).is_some_and(|outbound| outbound.stage() == Stage::Connecting);
        let Some(inbound) = self.get_mut(id).filter(|_| is_awaited) else { return };
        let Phase::Held(held) = &mut inbound.phase else { return };
        let Some(upgrade) = held.take_answer() else { return };
        let limits = hub.config.limits;
        // Before the hook, which may pause the connection anew.
        hub.resume_reads(id);
        hub.cork(id);
        let answered =
            held.with_request(&limits, |request| upgrade::carry_out(id, request, upgrade, handler, hub));
        hub.uncork();
        inbound.phase = answered.unwrap_or(Phase::Nothing);
        hub.hold(id, inbound.held());
    }

    /// Closes the connections that hold most memory, if all together hold too much.
    #[inline]
    pub(super) fn shed<S>(&mut self, hub: &mut Hub<S>) {
        if hub.is_over_budget() || hub.is_short_of_memory {
            self.shed_heaviest(hub);
        }
    }

    #[cold]
    fn shed_heaviest<S>(&mut self, hub: &mut Hub<S>) {
        // Bytes that a socket takes at once are held no longer, and compressors can be made again.
        hub.flush_dirty();
        hub.release_compressors();
        // More than once: connections that share a large frame free nothing until the last of them closes.
        while hub.is_over_budget() || mem::take(&mut hub.is_short_of_memory) {
            let heaviest = hub.heaviest();
            if heaviest.is_empty() {
                break;
            }
            for id in heaviest {
                warn!("connection {id} is shed: too much is held for all connections together");
                if let Some(inbound) = self.get_mut(id) {
                    (inbound.phase, inbound.stash) = (Phase::Nothing, None);
                }
                hub.shed(id);
            }
        }
        // A connection that is shed before it opens gets an answer.
        hub.flush_dirty();
    }
}

impl Inbound {
    /// Returns whether input that was read waits to be worked through.
    #[inline]
    pub(super) const fn has_stash(&self) -> bool {
        self.stash.is_some()
    }

    /// Returns how many bytes of the message under way have arrived.
    pub(super) fn arrived(&self) -> usize {
        match &self.phase {
            Phase::Frames(receiver) => receiver.buffered(),
            Phase::FromServer(receiver) => receiver.buffered(),
            #[cfg(feature = "deflate")]
            Phase::Compressed(input) => input.receiver.buffered(),
            #[cfg(feature = "deflate")]
            Phase::CompressedFromServer(input) => input.receiver.buffered(),
            _ => 0,
        }
    }

    /// Returns how many bytes of the input are held.
    #[inline]
    fn held(&mut self) -> usize {
        let stashed = self.stash.as_deref().map_or(0, <[u8]>::len);
        stashed
            + match &mut self.phase {
                Phase::Request(reader) => reader.buffered(),
                Phase::Frames(receiver) => receiver.memory(),
                Phase::FromServer(receiver) => receiver.memory(),
                Phase::Answer(opening) => opening.held(),
                #[cfg(feature = "deflate")]
                Phase::Compressed(input) => input.held(),
                #[cfg(feature = "deflate")]
                Phase::CompressedFromServer(input) => input.held(),
                Phase::Held(held) => held.len(),
                Phase::Nothing => 0,
            }
    }

    /// Works through a batch of input that has begun; what goes back to this peer leaves in one write at the
    /// end.
    #[inline]
    fn receive<H: Handler>(
        &mut self,
        id: ConnId,
        input: &mut [u8],
        handler: &mut H,
        hub: &mut Hub<H::State>,
    ) {
        self.work_through(id, input, handler, hub);
        hub.uncork();
        self.is_costly = hub.quota.is_costly();
        let held = self.held();
        if held != 0 || self.holds {
            self.holds = held != 0;
            hub.hold(id, held);
        }
    }

    /// Takes the request and then event after event from the input, until it is used up or the batch has had
    /// its part.
    #[inline]
    fn work_through<H: Handler>(
        &mut self,
        id: ConnId,
        mut input: &mut [u8],
        handler: &mut H,
        hub: &mut Hub<H::State>,
    ) {
        if !hub.has_fast_path() && !hub.get(id).is_some_and(|outbound| outbound.stage().is_live()) {
            self.phase = Phase::Nothing;
        }
        if !matches!(self.phase, Phase::Frames(_)) {
            self.receive_request(id, &mut input, handler, hub);
        }
        let left = match &mut self.phase {
            Phase::Frames(receiver) => take_events(receiver, id, input, handler, hub),
            _ => self.take_other_events(id, input, handler, hub),
        };
        if let Some(input) = left {
            match set_aside(input) {
                Ok(stash) => self.stash = stash,
                Err(_) => hub.fail_protocol(id, ProtocolError::NoMemory),
            }
        }
    }

    /// The same for compressed messages, and for the frames of a server that this program has connected to.
    #[inline(never)]
    fn take_other_events<'i, H: Handler>(
        &mut self,
        id: ConnId,
        input: &'i mut [u8],
        handler: &mut H,
        hub: &mut Hub<H::State>,
    ) -> Option<&'i mut [u8]> {
        match &mut self.phase {
            Phase::FromServer(receiver) => take_events(receiver, id, input, handler, hub),
            #[cfg(feature = "deflate")]
            Phase::Compressed(source) => take_events(&mut **source, id, input, handler, hub),
            #[cfg(feature = "deflate")]
            Phase::CompressedFromServer(source) => take_events(&mut **source, id, input, handler, hub),
            _ => None,
        }
    }

    /// Takes a request from the front of the input, if one is awaited and has arrived whole, and answers it;
    /// or the answer to a request of our own.
    // Once for each connection: kept aside from what is done for each message.
    #[inline(never)]
    fn receive_request<H: Handler>(
        &mut self,
        id: ConnId,
        input: &mut &mut [u8],
        handler: &mut H,
        hub: &mut Hub<H::State>,
    ) {
        if let Phase::Answer(opening) = &mut self.phase {
            if let Some(phase) = opening.receive(id, input, handler, hub) {
                self.phase = phase;
            }
            return;
        }
        let Phase::Request(reader) = &mut self.phase else { return };
        self.phase = match reader.next_request(input, &hub.config.limits) {
            Ok(None) => return,
            Ok(Some(request)) => upgrade::answer(id, &request, handler, hub),
            Err(error) => {
                upgrade::refuse(id, error, hub);
                Phase::Nothing
            }
        };
        if matches!(self.phase, Phase::Held(_)) {
            match set_aside(input) {
                Ok(stash) => self.stash = stash,
                Err(_) => {
                    upgrade::refuse(id, HandshakeError::TooManyConnections, hub);
                    self.phase = Phase::Nothing;
                }
            }
        }
    }
}

/// Takes event after event from the input. Returns what is left of it if the rest has to wait.
#[inline(always)]
fn take_events<'i, H: Handler>(
    source: &mut impl EventSource,
    id: ConnId,
    mut input: &'i mut [u8],
    handler: &mut H,
    hub: &mut Hub<H::State>,
) -> Option<&'i mut [u8]> {
    // A message that has begun in an earlier batch is the first to end: a long one is retained while its
    // hook runs.
    let mut is_long = source.receiver().buffered() >= SHARE_LEN;
    let mut retained;
    loop {
        let has_fast_path = hub.has_fast_path();
        let is_used_up = hub.quota.step() && hub.quota.is_used_up();
        if is_used_up || !has_fast_path && hub.is_paused(id) {
            source.receiver().release();
            return Some(input);
        }
        let mut event = source.next_event(&mut input, hub);
        hub.set_input_left(input.len());
        if mem::take(&mut is_long) && matches!(event, Ok(Some(Event::Message(_)))) {
            retained = retain(id, source.receiver(), hub);
            debug_assert!(retained.is_some(), "a message that began in an earlier batch was put together");
            event = Ok(retained.as_ref().map(|message| Event::Message(message.content().as_message())));
        }
        // By reference: no event is moved on its way to the hook.
        match &event {
            Ok(Some(event)) => dispatch(id, event, has_fast_path || hub.is_open(id), handler, hub),
            Ok(None) => return None,
            Err(error) => hub.fail_protocol(id, *error),
        }
    }
}

/// Returns the receiving side of a connection; nothing if the connection has gone.
#[inline]
fn find(table: &mut [Inbound], id: ConnId) -> Option<&mut Inbound> {
    table.get_mut(id.index() as usize).filter(|inbound| inbound.serial == id.serial())
}

/// Copies input that waits.
fn set_aside(input: &[u8]) -> Result<Option<Box<[u8]>>, TryReserveError> {
    if input.is_empty() {
        return Ok(None);
    }
    let mut stash = Vec::new();
    stash.try_reserve_exact(input.len())?;
    append(&mut stash, input);
    Ok(Some(stash.into_boxed_slice()))
}

/// Takes the message that was put together, so that a backlog can share its bytes when it is sent on.
#[inline(never)]
fn retain<R: Role, S>(id: ConnId, receiver: &mut Receiver<R>, hub: &mut Hub<S>) -> Option<Rc<SharedMessage>> {
    let message = receiver.take_message()?;
    // It counts itself from here on.
    hub.hold(id, 0);
    Some(hub.retain(message))
}

/// Calls the hook of an event. After our own Close only the peer's Close counts.
#[inline(always)]
fn dispatch<H: Handler>(
    id: ConnId,
    event: &Event<'_>,
    is_open: bool,
    handler: &mut H,
    hub: &mut Hub<H::State>,
) {
    if trace::is_on() {
        trace::received(id, event);
    }
    match event {
        Event::Message(message) if is_open => {
            hub.stats.received_messages += 1;
            call_hook(id, hub, |ws| handler.on_message(ws, *message));
        }
        Event::Ping(payload) if is_open => {
            hub.pong(id, payload);
            call_hook(id, hub, |ws| handler.on_ping(ws, payload));
        }
        Event::Pong(payload) if is_open => {
            call_hook(id, hub, |ws| handler.on_pong(ws, payload));
        }
        Event::Close(frame) => hub.close_received(id, *frame),
        Event::Message(_) | Event::Ping(_) | Event::Pong(_) => {
            debug!("connection {id}: a frame came after our Close and was ignored");
        }
    }
}
