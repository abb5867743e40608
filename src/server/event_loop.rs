//! The loop: one thread, one poll, and what is done in each turn of it.
//!
//! ```text
//! poll ─▶ sockets that have something ─▶ those that had more ─▶ new clients ─▶ deadlines and timers ─▶ settle ─▶ poll …
//! ```
//!
//! This file knows when things are done. It refuses to know what frames mean and what hooks do; and no peer, no
//! failed accept and no full table of descriptors makes it stop.
//!
//! Sockets are watched edge-triggered: an event says that something has changed, not that something is left.
//! A read that fills less than the buffer has emptied the socket, so that nothing is left to be told (epoll(7)
//! promises it, kqueue does the same), unless the peer has hung up: then it is read until it says so. TCP's urgent
//! data, which no WebSocket peer sends, also ends a read early; who sends it waits for its next event.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    mem,
    net::SocketAddr,
    time::{Duration, Instant},
};

use log::{debug, error, info, warn};
use mio::{Events, Poll, Token, event::Event, net::TcpListener};

use super::{
    Handle,
    conversation::{self, Conversation},
    door::{Door, Listener},
    drain::Drain,
    guard,
    handle::{Shutdown, Wish},
    heap::Heap,
    read_buffer::ReadBuffer,
    stop::Stop,
};
use crate::{
    cause::Cause,
    config::Config,
    handler::{Closed, Handler},
    panics,
    peers::{ConnId, Millis, Peer, Peers, ROOM, Stage, Stream, Task, Timers, Watch},
    protocol::{CloseCode, Response},
};

/// The tokens that are not a connection's; connections have those from 0 on.
pub(super) const LISTENER: Token = Token(usize::MAX);
pub(super) const WAKER: Token = Token(usize::MAX - 1);
pub(super) const WATCHERS: Token = Token(usize::MAX - 2);
pub(super) const STOP: Token = Token(usize::MAX - 3);

/// How many events one poll brings.
const EVENTS: usize = 1024;
/// How many sockets there may be, beyond `max_connections`, that only wait for their end. For one more, the oldest of
/// the address that has most of them is evicted.
const FAREWELLS: usize = 256;
/// How many connections are looked at in one turn because their time has come. Each may be read from.
const JUDGED_PER_TURN: usize = 256;
/// How long the end of a shutdown may take to read the last answers.
const LAST_LOOKS: Duration = Duration::from_millis(100);
/// How many connections may ask for figures at once.
const WATCHERS_AT_ONCE: usize = 16;
/// How many wishes of other threads are taken out of their queue at once.
const WISHES_AT_ONCE: usize = 32;

pub(super) struct EventLoop<H: Handler, L: Listener = TcpListener> {
    poll: Poll,
    /// Where clients come in; gone once the server drains.
    door: Option<Door<L>>,
    /// Whether TCP_NODELAY is set once for all, at the listener.
    clients_inherit_nodelay: bool,
    /// Where those come in who watch the server; open to the end.
    watchers: Option<Door<L>>,
    stop: Option<Stop>,
    handle: Handle,
    handler: H,
    peers: Peers<H::State>,
    /// The receiving sides, at the same places as the sending sides in `peers`.
    conversations: Vec<Conversation>,
    buffer: ReadBuffer,
    /// Connections that have more to read, though little: each is read from in the next turn.
    more: Vec<ConnId>,
    /// Those that have filled the read buffer, in the order in which they are read from again.
    bulk: VecDeque<ConnId>,
    /// Those whose last batch queued much for others, in the order in which they are read from again.
    costly: VecDeque<ConnId>,
    /// Other threads have asked for more than the last turn had time for.
    has_wishes: bool,
    heap: Heap,
    /// When something is due that the last turn knows of.
    wake_at: Millis,
    drain: Option<Drain>,
    started: Instant,
}

/// What the poll says of one socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    pub(super) token: Token,
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The peer has closed its side, or there is an error: reading goes on until it tells which.
    pub(super) hang_up: bool,
}

impl Ready {
    #[inline]
    fn of(event: &Event) -> Self {
        Self {
            token: event.token(),
            readable: event.is_readable(),
            writable: event.is_writable(),
            hang_up: event.is_read_closed() || event.is_error(),
        }
    }
}

impl<H: Handler, L: Listener> EventLoop<H, L> {
    pub(super) fn new(
        poll: Poll,
        listener: L,
        watchers: Option<L>,
        handle: Handle,
        config: Config,
        handler: H,
        timers: Timers<Task<H::State>>,
    ) -> io::Result<Self> {
        let peers = Peers::new(config, timers, poll.registry().try_clone()?);
        let clients_inherit_nodelay = listener.set_nodelay(peers.config.nodelay);
        Ok(Self {
            poll,
            clients_inherit_nodelay,
            door: Some(Door::new(listener)),
            watchers: watchers.map(Door::with_spare),
            stop: None,
            handle,
            handler,
            peers,
            conversations: Vec::with_capacity(ROOM),
            buffer: ReadBuffer::new(),
            more: Vec::new(),
            bulk: VecDeque::new(),
            costly: VecDeque::new(),
            has_wishes: false,
            heap: Heap::prepare(),
            wake_at: Millis::AT_ONCE,
            drain: None,
            started: Instant::now(),
        })
    }

    /// Has somebody watch the bytes of clients go by.
    pub(super) fn watched_by(mut self, watch: Watch) -> Self {
        self.peers.watch = watch;
        self
    }

    /// Has the end of a pipe end the server.
    pub(super) fn stopped_by(mut self, stop: Option<Stop>) -> Self {
        self.stop = stop;
        self
    }

    /// Tells batches how long their turn has taken.
    pub(super) fn set_clock(&mut self, clock: impl Fn() -> Millis + 'static) {
        self.peers.quota.set_clock(clock);
    }

    /// Turns until the server has drained.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let mut end = Duration::ZERO;
        let started = self.started;
        self.set_clock(move || Millis::from(started.elapsed()));
        while !self.is_over() {
            match self.poll.poll(&mut events, self.poll_timeout(Millis::from(end))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    end = self.started.elapsed();
                    continue;
                }
                result => result?,
            }
            let begin = self.started.elapsed();
            let clock = || Millis::from(started.elapsed());
            self.turn(Millis::from(begin), clock, events.iter().map(Ready::of));
            end = self.started.elapsed();
            self.peers.stats.count_turn(end.saturating_sub(begin));
            if self.handle.is_shared() {
                self.handle.publish(self.peers.current_stats());
            }
        }
        Ok(())
    }

    /// One turn, which begins `now`: everything that is ready, and everything that is due.
    pub(super) fn turn(
        &mut self,
        now: Millis,
        clock: impl Fn() -> Millis,
        ready: impl Iterator<Item = Ready>,
    ) {
        self.peers.now = now;
        self.peers.quota.begin_turn(now);
        let (more, bulk, costly) = (mem::take(&mut self.more), self.bulk.len(), self.costly.len());
        let mut is_due = self.wake_at <= now;
        for ready in ready {
            match ready.token {
                token @ (LISTENER | WATCHERS | WAKER | STOP) => {
                    self.hear_others(token);
                    is_due = true;
                }
                Token(index) => self.react(index, ready),
            }
        }
        for id in more {
            self.read_again(id);
        }
        self.read_bulk(bulk);
        self.read_costly(costly);
        if is_due {
            self.do_what_is_due(clock);
        }
        self.settle();
        self.heap.look_after(self.peers.held(), self.peers.now);
        self.wake_at = self.next_due();
    }

    /// How long the poll may wait, seen from `now`; `None` is for ever.
    pub(super) fn poll_timeout(&self, now: Millis) -> Option<Duration> {
        let has_input = !(self.more.is_empty() && self.bulk.is_empty() && self.costly.is_empty());
        if has_input || self.peers.has_drained() || self.peers.has_endings() {
            return Some(Duration::ZERO);
        }
        (self.wake_at != Millis::NEVER).then(|| self.wake_at.since(now))
    }

    /// When something is to be done although the poll says nothing.
    fn next_due(&self) -> Millis {
        if self.has_wishes {
            return Millis::AT_ONCE;
        }
        let mut at = self.peers.next_deadline().min(self.peers.timers.next_due()).min(self.heap.wake_at());
        for door in self.doors() {
            at = at.min(door.wake_at());
        }
        if let Some(drain) = &self.drain {
            at = at.min(drain.wake_at());
        }
        at
    }

    /// What doesn't come from a connection: new clients, deadlines, timers, the end.
    // Most turns have nothing of it: kept aside from what is done for each message.
    #[inline(never)]
    fn do_what_is_due(&mut self, clock: impl Fn() -> Millis) {
        if !self.doors().all(Door::is_idle) {
            self.let_in(&clock);
        }
        for _ in 0..JUDGED_PER_TURN {
            let Some(id) = self.peers.expire() else { break };
            self.judge(id);
        }
        self.run_timers();
        if self.has_wishes {
            self.fulfil_wishes();
        }
        self.go_on_draining(clock);
    }

    /// Pings, ends or spares a connection whose time has come.
    fn judge(&mut self, id: ConnId) {
        // Whose input waits for its turn is not silent: it is we who have not listened.
        if self.conversations[id.index as usize].has_more && self.peers.excuse(id) {
            return;
        }
        if self.peers.ends_when_due(id) {
            self.look_at_socket(id);
        }
        if self.peers.is_due(id) {
            conversation::expire(id, &mut self.peers);
        } else {
            self.peers.schedule(id);
        }
    }

    /// Reads once before a connection is given up, and writes once what the end of a closing one waits for.
    ///
    /// After a long hook, or when the process was stopped, more sockets are ready than one poll brings. What came in
    /// time waits in them, and the peer must not pay for our delay. It is one look: an answer that is not complete
    /// by then gains nothing.
    fn look_at_socket(&mut self, id: ConnId) {
        if !self.peers.is_open(id) {
            self.peers.flush(id);
        }
        self.read_on(id);
    }

    /// Somebody else than a connection has something.
    #[inline(never)]
    fn hear_others(&mut self, token: Token) {
        match token {
            LISTENER => self.door.iter_mut().for_each(Door::knocked),
            WATCHERS => self.watchers.iter_mut().for_each(Door::knocked),
            WAKER => self.fulfil_wishes(),
            _ => self.listen_to_stop(),
        }
    }

    // --- Connections -----------------------------------------------------------------------------------

    /// Something has changed at a socket.
    #[inline]
    fn react(&mut self, index: usize, ready: Ready) {
        let Some(id) = self.peers.id_at(index) else { return };
        if ready.hang_up {
            self.conversations[index].hang_up = true;
        }
        if ready.writable || ready.hang_up {
            self.peers.flush(id);
        }
        // Who has more has its turn anyway, in this one or later, and once is enough.
        let conversation = &self.conversations[index];
        if !(ready.readable || ready.hang_up) || conversation.has_more {
            return;
        }
        if conversation.is_costly && (self.peers.quota.is_turn_used_up() || !self.costly.is_empty()) {
            return self.come_back_to(id, false);
        }
        self.read(id);
    }

    /// The connection is read from again in a later turn.
    fn come_back_to(&mut self, id: ConnId, has_filled_the_buffer: bool) {
        let conversation = &mut self.conversations[id.index as usize];
        if !mem::replace(&mut conversation.has_more, true) {
            if conversation.is_costly {
                self.costly.push_back(id);
            } else if has_filled_the_buffer {
                self.bulk.push_back(id);
            } else {
                self.more.push(id);
            }
        }
    }

    /// Reads from a connection whose turn has come again; whether it filled the buffer.
    fn read_again(&mut self, id: ConnId) -> bool {
        if self.peers.get(id).is_none() {
            return false;
        }
        self.conversations[id.index as usize].has_more = false;
        self.read_on(id)
    }

    /// Goes on with the input that was put aside, or reads if there is none; whether it filled the buffer.
    fn read_on(&mut self, id: ConnId) -> bool {
        if self.conversations[id.index as usize].has_stash() && !self.peers.is_paused(id) {
            self.resume(id);
            return false;
        }
        self.read(id)
    }

    /// Reads from the first `count` of the costly connections while the turn has time for them, and from one in any case.
    fn read_costly(&mut self, count: usize) {
        for _ in 0..count {
            let Some(id) = self.costly.pop_front() else { return };
            self.read_again(id);
            if self.peers.quota.is_turn_used_up() {
                return;
            }
        }
    }

    /// Reads from the first `count` of those that have filled the buffer, until one of them does so again. The others wait
    /// for the next turn: before it the poll says who else has something, and that may be small.
    fn read_bulk(&mut self, count: usize) {
        for _ in 0..count {
            let Some(id) = self.bulk.pop_front() else { return };
            let arrived = self.conversations[id.index as usize].arrived();
            if self.read_again(id) {
                // It is the last in the row now. A large message is read to its end before others go on, for two that
                // come at the same time take memory for both. But it has to grow: nobody goes on for ever by what
                // adds nothing to it, or by the next message.
                if self.conversations[id.index as usize].arrived() > arrived + ReadBuffer::LEN / 2 {
                    self.bulk.rotate_right(1);
                }
                return;
            }
        }
    }

    /// Reads once, and has what came worked through; whether it filled the buffer.
    #[inline]
    fn read(&mut self, id: ConnId) -> bool {
        // Not from a peer that doesn't take what it causes; `resume` comes back to it.
        let Some(peer) = self.peers.get(id).filter(|peer| !peer.paused) else { return false };
        let asks_for_figures = peer.watching;
        let buffer = self.buffer.bytes();
        match peer.stream.read(buffer) {
            Ok(0) => self.peers.end_of_input(id),
            Ok(len) => {
                self.peers.stats.received_bytes += len as u64;
                if !asks_for_figures {
                    self.peers.watch.tell(|observer| observer.received(id, &buffer[..len]));
                }
                self.peers.alive(id);
                let conversation = &mut self.conversations[id.index as usize];
                conversation.receive(id, &mut buffer[..len], &mut self.handler, &mut self.peers);
                let is_full = len == buffer.len();
                if is_full || conversation.hang_up || conversation.has_stash() {
                    self.come_back_to(id, is_full);
                }
                self.shed();
                return is_full;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => self.peers.lose_socket(id, &error),
        }
        false
    }

    /// Brings everything that this turn has begun to its end.
    fn settle(&mut self) {
        self.peers.flush_dirty();
        self.shed();
        if self.peers.has_drained() {
            self.go_on_with_drained();
        }
        if self.peers.has_ended() {
            self.take_leave();
        }
    }

    /// Those who have caught up are served again.
    #[inline(never)]
    fn go_on_with_drained(&mut self) {
        self.peers.quota.begin_batch();
        for _ in 0..self.peers.drained() {
            let Some(id) = self.peers.next_drained() else { break };
            self.drained(id);
            self.shed();
            if self.has_had_its_part() {
                break;
            }
        }
        while let Some(id) = self.peers.next_resumable() {
            self.resume(id);
            if self.peers.quota.is_turn_used_up() {
                break;
            }
        }
        self.peers.flush_dirty();
    }

    /// Tells the hooks who has ended, and then removes who is to go.
    #[inline(never)]
    fn take_leave(&mut self) {
        // A hook may end others, which have hooks in turn; each connection ends once, so this ends too. Nothing
        // may be sent after it: whoever ends is removed below and must have been told before.
        self.peers.quota.begin_batch();
        while !self.has_had_its_part()
            && let Some((id, ending)) = self.peers.next_ending()
        {
            let close = Closed::new(ending.code, &ending.reason, ending.cause, ending.clean);
            info!("connection {id} closed: {close}");
            guard::call(id, &mut self.peers, |ws| self.handler.on_close(ws, &close));
            self.peers.flush_dirty();
            self.shed();
        }
        if self.peers.has_endings() {
            return;
        }
        for id in self.peers.remove_doomed() {
            // What was held of its input goes now, and not when the place is used again.
            self.conversations[id.index as usize] = Conversation::default();
        }
        self.watchers.iter_mut().for_each(Door::refill);
        if self.conversations.len() > 4 * self.peers.places().max(ROOM) {
            self.give_back_places();
        }
    }

    /// Gives back the memory of places that nearly all have left.
    #[cold]
    fn give_back_places(&mut self) {
        // Who is read from later is looked for there.
        self.more.retain(|id| self.peers.get(*id).is_some());
        self.bulk.retain(|id| self.peers.get(*id).is_some());
        let places = self.peers.places();
        self.conversations.truncate(places);
        self.conversations.shrink_to(2 * places.max(ROOM));
    }

    /// A slow peer has taken all that waited for it.
    fn drained(&mut self, id: ConnId) {
        if self.peers.is_open(id) {
            self.peers.cork(id);
            guard::call(id, &mut self.peers, |ws| self.handler.on_drain(ws));
            self.peers.uncork();
        }
    }

    /// A peer that was not read from has taken enough of what it caused.
    fn resume(&mut self, id: ConnId) {
        self.conversations[id.index as usize].resume(id, &mut self.handler, &mut self.peers);
        // What came meanwhile brings no further event.
        self.come_back_to(id, false);
        self.shed();
    }

    /// Whether hooks that belong to no batch of input have had their part of this turn.
    fn has_had_its_part(&mut self) -> bool {
        self.peers.quota.step() && self.peers.quota.is_used_up()
    }

    /// Closes the connections that hold most, if too much is held.
    #[inline]
    fn shed(&mut self) {
        if self.peers.is_over_budget() || self.peers.is_short_of_memory {
            self.shed_heaviest();
        }
    }

    #[cold]
    fn shed_heaviest(&mut self) {
        // What leaves at once is held by nobody.
        self.peers.flush_dirty();
        // More than once, for those that share a large frame give nothing back until the last of them goes.
        while self.peers.is_over_budget() || mem::take(&mut self.peers.is_short_of_memory) {
            let heaviest = self.peers.heaviest();
            if heaviest.is_empty() {
                break;
            }
            for id in heaviest {
                warn!("connection {id} is shed: too much is held for all connections together");
                self.conversations[id.index as usize].forget();
                self.peers.shed(id);
            }
        }
        // Who is shed before it has opened is answered.
        self.peers.flush_dirty();
    }

    // --- Those who come in -----------------------------------------------------------------------------

    /// The doors that are open.
    fn doors(&self) -> impl Iterator<Item = &Door<L>> {
        self.door.iter().chain(&self.watchers)
    }

    /// Takes in who has come, some of them if there are many.
    #[inline(never)]
    fn let_in(&mut self, clock: impl Fn() -> Millis) {
        // Their time begins now, and not when the turn did: else it would end too early.
        self.peers.now = clock();
        let now = self.peers.now;
        if let Some(door) = &mut self.door {
            for (stream, address) in door.let_in(now, || self.peers.evict()) {
                self.welcome(stream, address);
            }
        }
        self.let_in_watchers();
    }

    /// Takes in those who ask for figures.
    fn let_in_watchers(&mut self) {
        let Some(mut door) = self.watchers.take() else { return };
        for (stream, address) in door.let_in(self.peers.now, || self.evict_watcher() || self.peers.evict()) {
            self.show_figures(stream, address);
        }
        door.refill();
        self.watchers = Some(door);
    }

    /// Takes a new client in, or tells it that there is no room.
    fn welcome(&mut self, stream: Stream, address: SocketAddr) {
        self.peers.stats.accepted += 1;
        if !self.clients_inherit_nodelay {
            stream.set_nodelay(self.peers.config.nodelay);
        }
        let Some(id) = self.take_in(stream, address, Conversation::default()) else {
            self.peers.stats.dropped_clients += 1;
            return;
        };
        debug!("connection {id} from {address} accepted");
        self.peers.watch.tell(|observer| observer.connected(id, address));
        let verdict = self.peers.admit(id);
        if self.is_crowded(address, verdict.is_err()) {
            self.peers.evict();
        }
        if let Err(error) = verdict {
            conversation::refuse(id, error, &mut self.peers);
        }
    }

    /// Whether too many sockets only wait for their end for one more client from this address, which is refused or not.
    fn is_crowded(&self, address: SocketAddr, is_refused: bool) -> bool {
        let (live, leaving, config) = (self.peers.live(), self.peers.leaving(), &self.peers.config);
        let most = config.max_connections.map_or(usize::MAX, |max| max.saturating_add(FAREWELLS));
        live + leaving > most
            || is_refused && leaving >= FAREWELLS
            // Without a cap it may be the address of a proxy, which has all clients.
            || config.max_connections_per_address.is_some() && self.peers.leaving_of(address) >= FAREWELLS
    }

    /// Takes somebody in who asks for figures. It doesn't count as a client.
    fn show_figures(&mut self, stream: Stream, address: SocketAddr) {
        if self.peers.watching().len() >= WATCHERS_AT_ONCE {
            self.evict_watcher();
        }
        if let Some(id) = self.take_in(stream, address, Conversation::about_figures()) {
            self.peers.set_watching(id);
        }
    }

    /// Closes a connection that asks for figures, to make room for another: the oldest that has not asked yet, or else
    /// the oldest. Whether there was one.
    fn evict_watcher(&mut self) -> bool {
        let watching = self.peers.watching();
        for &(id, _) in watching.iter().filter(|(_, stage)| *stage == Stage::Connecting) {
            // What it has said and was not read yet is answered first.
            self.read(id);
            match self.peers.get(id).map(|peer| peer.stage) {
                Some(Stage::Connecting) => {
                    self.peers.lose(id, Cause::Local);
                    return true;
                }
                Some(Stage::Doomed) | None => return true,
                Some(_) => {}
            }
        }
        watching.first().map(|&(id, _)| self.peers.lose(id, Cause::Local)).is_some()
    }

    fn take_in(&mut self, stream: Stream, address: SocketAddr, conversation: Conversation) -> Option<ConnId> {
        let now = self.peers.now;
        // Its state begins as the type's default, which is code of the user.
        let inserted = panics::catch(|| self.peers.insert(Peer::new(stream, address, now)));
        match inserted.unwrap_or_else(|| Err(io::Error::other("the state of a connection has panicked"))) {
            Ok(id) => {
                let index = id.index as usize;
                if index == self.conversations.len() {
                    self.conversations.push(conversation);
                } else {
                    self.conversations[index] = conversation;
                }
                Some(id)
            }
            Err(error) => {
                warn!("{address} dropped: {error}");
                None
            }
        }
    }

    // --- What others want ------------------------------------------------------------------------------

    /// Does what other threads have asked for, as far as this turn has time for it.
    fn fulfil_wishes(&mut self) {
        self.peers.quota.begin_batch();
        self.has_wishes = false;
        while !self.has_wishes {
            let mut wishes = self.handle.take(WISHES_AT_ONCE);
            if wishes.is_empty() {
                break;
            }
            while !self.has_wishes
                && let Some(wish) = wishes.pop_front()
            {
                self.fulfil(wish);
                self.shed();
                self.has_wishes = self.has_had_its_part();
            }
            self.handle.put_back(wishes);
        }
        if let Some(shutdown) = self.handle.take_shutdown()
            && self.drain.is_none()
        {
            self.begin_to_drain(shutdown);
        }
    }

    fn fulfil(&mut self, wish: Wish) {
        match wish {
            Wish::Send { id, frame } => drop(self.peers.send_encoded(id, frame)),
            Wish::Broadcast { frame } => self.peers.broadcast_encoded(frame),
            Wish::Close { id, code, reason } => self.peers.close(id, code, &reason),
            Wish::Terminate { id } => self.peers.terminate(id),
        }
    }

    /// Runs what users wanted done by now.
    fn run_timers(&mut self) {
        let now = self.peers.now;
        self.peers.quota.begin_batch();
        while !self.has_had_its_part()
            && let Some((id, mut task)) = self.peers.timers.take_due(now)
        {
            self.peers.running_timer = Some(id);
            if panics::catch(|| task(&mut self.peers)).is_some() {
                // A task that does not run again is dropped, with all that it captured.
                panics::catch(|| self.peers.timers.put_back(id, task, now));
            } else {
                error!("a timer's task has panicked and is cancelled");
                self.peers.timers.cancel(id);
                panics::discard(task);
            }
            self.peers.running_timer = None;
            self.shed();
        }
    }

    /// How many places were looked at while something was sent to many.
    #[cfg(test)]
    pub(super) fn take_looks(&self) -> usize {
        self.peers.take_looks()
    }

    /// How many places there are for the receiving sides.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.conversations.len()
    }

    // --- The end ---------------------------------------------------------------------------------------

    /// The pipe has spoken, or says that it might have.
    fn listen_to_stop(&self) {
        if self.stop.as_ref().is_some_and(Stop::is_asked_for) {
            self.handle.shutdown();
        }
    }

    /// How many deadlines wait for their time.
    #[cfg(test)]
    pub(super) fn deadline_count(&self) -> usize {
        self.peers.deadline_count()
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.peers.held()
    }

    #[cfg(test)]
    pub(super) const fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    pub(super) fn is_over(&self) -> bool {
        self.drain.is_some() && self.peers.len() == 0
    }

    /// Stops accepting, and makes a plan whom to close when.
    fn begin_to_drain(&mut self, Shutdown { within }: Shutdown) {
        info!("draining: {} connections to close", self.peers.live());
        self.door = None;
        let Config { drain_spread, close_timeout, .. } = self.peers.config;
        let within = within.unwrap_or_else(|| drain_spread.saturating_add(close_timeout));
        let now = self.peers.now;
        let spread = drain_spread.min(within);
        self.drain = Some(Drain::new(now, spread, now + within, self.peers.ids()));
        self.peers.is_draining = true;
    }

    /// Tells those whose time has come, and makes an end when the time is up.
    fn go_on_draining(&mut self, clock: impl Fn() -> Millis) {
        let Some(drain) = &mut self.drain else { return };
        let now = self.peers.now;
        while let Some(id) = drain.next_to_tell(now) {
            match self.peers.get(id).map(|peer| peer.stage) {
                Some(Stage::Connecting) => {
                    self.peers.respond(id, &Response::rejection(503, "The server is shutting down."));
                }
                // §7.4.1: 1001 "indicates that an endpoint is "going away", such as a server going down".
                Some(_) => self.peers.close(id, CloseCode::GOING_AWAY, "server is shutting down"),
                None => {}
            }
        }
        if drain.is_over(now) {
            let last_look = clock() + LAST_LOOKS;
            for id in self.peers.ids() {
                // The answer to our Close may wait in the socket.
                let is_closing = self.peers.get(id).is_some_and(|peer| peer.stage == Stage::Closing);
                if is_closing && clock() < last_look {
                    self.look_at_socket(id);
                }
                self.peers.lose(id, Cause::Local);
            }
        }
    }
}

impl<H: Handler, L: Listener> Drop for EventLoop<H, L> {
    /// However the loop ends, other threads hear of it.
    fn drop(&mut self) {
        self.handle.publish(self.peers.current_stats());
        self.handle.stop();
    }
}
