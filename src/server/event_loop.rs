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

use super::{
    Handle,
    acceptor::Acceptor,
    dispatch,
    handle::{Command, ShutdownRequest},
    heap::Heap,
    inbound::{self, Inbound},
    shutdown::Shutdown,
};
use crate::{
    cause::Cause,
    config::Config,
    handler::{Closed, Handler},
    hub::{ConnId, Hub, LoopTime, ObserverSlot, Outbound, ROOM, Stage, Task, Timers},
    panics,
    protocol::{CloseCode, Response},
    transport::{Events, Listener, Poll, Read, ReadBuffer, Ready, StopPipe, Stream, TcpListener, Token},
};

/// The tokens that are not a connection's; connections have those from 0 on.
pub(super) const LISTENER: Token = Token(usize::MAX);
pub(super) const WAKER: Token = Token(usize::MAX - 1);
pub(super) const METRICS: Token = Token(usize::MAX - 2);
pub(super) const STOP: Token = Token(usize::MAX - 3);

/// How many events one poll brings.
const EVENTS: usize = 1024;
/// How many sockets there may be, beyond `max_connections`, that only wait for their end. For one more, the oldest of
/// the address that has most of them is evicted.
const MAX_ENDING: usize = 256;
/// How many connections are looked at in one turn because their time has come. Each may be read from.
const JUDGED_PER_TURN: usize = 256;
/// How long the end of a shutdown may take to read the last answers.
const LAST_LOOKS: Duration = Duration::from_millis(100);
/// How many connections may ask for figures at once.
const MAX_METRICS_CONNECTIONS: usize = 16;
/// How many wishes of other threads are taken out of their queue at once.
const COMMANDS_AT_ONCE: usize = 32;

pub(super) struct EventLoop<H: Handler, L: Listener = TcpListener> {
    poll: Poll,
    /// Where clients come in; gone once the server drains.
    acceptor: Option<Acceptor<L>>,
    /// Whether TCP_NODELAY is set once for all, at the listener.
    clients_inherit_nodelay: bool,
    /// Where those come in who watch the server; open to the end.
    metrics_acceptor: Option<Acceptor<L>>,
    stop: Option<StopPipe>,
    handle: Handle,
    handler: H,
    hub: Hub<H::State>,
    /// The receiving sides, at the same places as the sending sides in `peers`.
    inbound: Vec<Inbound>,
    buffer: ReadBuffer,
    /// Connections that have more to read, though little: each is read from in the next turn.
    more: Vec<ConnId>,
    /// Those that have filled the read buffer, in the order in which they are read from again.
    bulk: VecDeque<ConnId>,
    /// Those whose last batch queued much for others, in the order in which they are read from again.
    costly: VecDeque<ConnId>,
    /// Other threads have asked for more than the last turn had time for.
    has_commands: bool,
    heap: Heap,
    /// When something is due that the last turn knows of.
    wake_at: LoopTime,
    shutdown: Option<Shutdown>,
    started: Instant,
}

impl<H: Handler, L: Listener> EventLoop<H, L> {
    pub(super) fn new(
        poll: Poll,
        listener: L,
        metrics_acceptor: Option<L>,
        handle: Handle,
        config: Config,
        handler: H,
        timers: Timers<Task<H::State>>,
    ) -> io::Result<Self> {
        let hub = Hub::new(config, timers, poll.registry()?);
        let clients_inherit_nodelay = listener.set_nodelay(hub.config.nodelay);
        Ok(Self {
            poll,
            clients_inherit_nodelay,
            acceptor: Some(Acceptor::new(listener)),
            metrics_acceptor: metrics_acceptor.map(Acceptor::with_spare),
            stop: None,
            handle,
            handler,
            hub,
            inbound: Vec::with_capacity(ROOM),
            buffer: ReadBuffer::new(),
            more: Vec::new(),
            bulk: VecDeque::new(),
            costly: VecDeque::new(),
            has_commands: false,
            heap: Heap::prepare(),
            wake_at: LoopTime::AT_ONCE,
            shutdown: None,
            started: Instant::now(),
        })
    }

    /// Has somebody watch the bytes of clients go by.
    pub(super) fn observed_by(mut self, observer: ObserverSlot) -> Self {
        self.hub.observer = observer;
        self
    }

    /// Has the end of a pipe end the server.
    pub(super) fn stopped_by(mut self, stop: Option<StopPipe>) -> Self {
        self.stop = stop;
        self
    }

    /// Tells batches how long their turn has taken.
    pub(super) fn set_clock(&mut self, clock: impl Fn() -> LoopTime + 'static) {
        self.hub.quota.set_clock(clock);
    }

    /// Turns until the server has drained.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let mut end = Duration::ZERO;
        let started = self.started;
        self.set_clock(move || LoopTime::from(started.elapsed()));
        while !self.is_over() {
            match self.poll.wait(&mut events, self.poll_timeout(LoopTime::from(end))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    end = self.started.elapsed();
                    continue;
                }
                result => result?,
            }
            let begin = self.started.elapsed();
            let clock = || LoopTime::from(started.elapsed());
            self.turn(LoopTime::from(begin), clock, events.iter());
            end = self.started.elapsed();
            self.hub.stats.count_turn(end.saturating_sub(begin));
            if self.handle.is_shared() {
                self.handle.publish(self.hub.current_stats());
            }
        }
        Ok(())
    }

    /// One turn, which begins `now`: everything that is ready, and everything that is due.
    pub(super) fn turn(
        &mut self,
        now: LoopTime,
        clock: impl Fn() -> LoopTime,
        ready: impl Iterator<Item = Ready>,
    ) {
        self.hub.now = now;
        self.hub.quota.begin_turn(now);
        let (more, bulk, costly) = (mem::take(&mut self.more), self.bulk.len(), self.costly.len());
        let mut is_due = self.wake_at <= now;
        for ready in ready {
            match ready.token {
                token @ (LISTENER | METRICS | WAKER | STOP) => {
                    self.handle_token(token);
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
        self.heap.look_after(self.hub.held(), self.hub.now);
        self.wake_at = self.next_due();
    }

    /// How long the poll may wait, seen from `now`; `None` is for ever.
    pub(super) fn poll_timeout(&self, now: LoopTime) -> Option<Duration> {
        let has_input = !(self.more.is_empty() && self.bulk.is_empty() && self.costly.is_empty());
        if has_input || self.hub.has_drained() || self.hub.has_endings() {
            return Some(Duration::ZERO);
        }
        (self.wake_at != LoopTime::NEVER).then(|| self.wake_at.since(now))
    }

    /// When something is to be done although the poll says nothing.
    fn next_due(&self) -> LoopTime {
        if self.has_commands {
            return LoopTime::AT_ONCE;
        }
        let mut at = self.hub.next_deadline().min(self.hub.timers.next_due()).min(self.heap.wake_at());
        for acceptor in self.acceptors() {
            at = at.min(acceptor.wake_at());
        }
        if let Some(shutdown) = &self.shutdown {
            at = at.min(shutdown.wake_at());
        }
        at
    }

    /// What doesn't come from a connection: new clients, deadlines, timers, the end.
    // Most turns have nothing of it: kept aside from what is done for each message.
    #[inline(never)]
    fn do_what_is_due(&mut self, clock: impl Fn() -> LoopTime) {
        if !self.acceptors().all(Acceptor::is_idle) {
            self.accept_pending(&clock);
        }
        for _ in 0..JUDGED_PER_TURN {
            let Some(id) = self.hub.expire() else { break };
            self.judge(id);
        }
        self.run_timers();
        if self.has_commands {
            self.run_commands();
        }
        self.continue_shutdown(clock);
    }

    /// Pings, ends or spares a connection whose time has come.
    fn judge(&mut self, id: ConnId) {
        // Whose input waits for its turn is not silent: it is we who have not listened.
        if self.inbound[id.index as usize].has_more && self.hub.defer_ping(id) {
            return;
        }
        if self.hub.ends_when_due(id) {
            self.look_at_socket(id);
        }
        if self.hub.is_due(id) {
            inbound::expire(id, &mut self.hub);
        } else {
            self.hub.schedule(id);
        }
    }

    /// Reads once before a connection is given up, and writes once what the end of a closing one waits for.
    ///
    /// After a long hook, or when the process was stopped, more sockets are ready than one poll brings. What came in
    /// time waits in them, and the peer must not pay for our delay. It is one look: an answer that is not complete
    /// by then gains nothing.
    fn look_at_socket(&mut self, id: ConnId) {
        if !self.hub.is_open(id) {
            self.hub.flush(id);
        }
        self.read_on(id);
    }

    /// Somebody else than a connection has something.
    #[inline(never)]
    fn handle_token(&mut self, token: Token) {
        match token {
            LISTENER => self.acceptor.iter_mut().for_each(Acceptor::on_readable),
            METRICS => self.metrics_acceptor.iter_mut().for_each(Acceptor::on_readable),
            WAKER => self.run_commands(),
            _ => self.listen_to_stop(),
        }
    }

    // --- Connections -----------------------------------------------------------------------------------

    /// Something has changed at a socket.
    #[inline]
    fn react(&mut self, index: usize, ready: Ready) {
        let Some(id) = self.hub.id_at(index) else { return };
        if ready.hang_up {
            self.inbound[index].hang_up = true;
        }
        if ready.writable || ready.hang_up {
            self.hub.flush(id);
        }
        // Who has more has its turn anyway, in this one or later, and once is enough.
        let inbound = &self.inbound[index];
        if !(ready.readable || ready.hang_up) || inbound.has_more {
            return;
        }
        if inbound.is_costly && (self.hub.quota.is_turn_used_up() || !self.costly.is_empty()) {
            return self.come_back_to(id, false);
        }
        self.read(id);
    }

    /// The connection is read from again in a later turn.
    fn come_back_to(&mut self, id: ConnId, has_filled_the_buffer: bool) {
        let inbound = &mut self.inbound[id.index as usize];
        if !mem::replace(&mut inbound.has_more, true) {
            if inbound.is_costly {
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
        if self.hub.get(id).is_none() {
            return false;
        }
        self.inbound[id.index as usize].has_more = false;
        self.read_on(id)
    }

    /// Goes on with the input that was put aside, or reads if there is none; whether it filled the buffer.
    fn read_on(&mut self, id: ConnId) -> bool {
        if self.inbound[id.index as usize].has_stash() && !self.hub.is_paused(id) {
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
            if self.hub.quota.is_turn_used_up() {
                return;
            }
        }
    }

    /// Reads from the first `count` of those that have filled the buffer, until one of them does so again. The others wait
    /// for the next turn: before it the poll says who else has something, and that may be small.
    fn read_bulk(&mut self, count: usize) {
        for _ in 0..count {
            let Some(id) = self.bulk.pop_front() else { return };
            let arrived = self.inbound[id.index as usize].arrived();
            if self.read_again(id) {
                // It is the last in the row now. A large message is read to its end before others go on, for two that
                // come at the same time take memory for both. But it has to grow: nobody goes on for ever by what
                // adds nothing to it, or by the next message.
                if self.inbound[id.index as usize].arrived() > arrived + ReadBuffer::LEN / 2 {
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
        let Some(outbound) = self.hub.get_mut(id).filter(|outbound| !outbound.paused) else { return false };
        let asks_for_figures = outbound.is_metrics;
        match outbound.stream.read(&mut self.buffer) {
            Ok(Read::Plain { bytes, is_full }) => {
                let wants_write = outbound.stream.wants_write();
                self.hub.stats.received_bytes += bytes.len() as u64;
                if !asks_for_figures {
                    self.hub.observer.tell(|observer| observer.received(id, bytes));
                }
                self.hub.note_activity(id);
                let inbound = &mut self.inbound[id.index as usize];
                inbound.receive(id, bytes, &mut self.handler, &mut self.hub);
                if is_full || inbound.hang_up || inbound.has_stash() {
                    self.come_back_to(id, is_full);
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

    /// A read has brought bytes, but none for the receiver yet: the next turn reads again. The transport may have an
    /// answer of its own to write.
    #[cold]
    fn read_nothing(&mut self, id: ConnId) {
        self.hub.note_activity(id);
        self.come_back_to(id, false);
        self.hub.flush(id);
    }

    /// Brings everything that this turn has begun to its end.
    fn settle(&mut self) {
        self.hub.flush_dirty();
        self.shed();
        if self.hub.has_drained() {
            self.run_on_drain();
        }
        if self.hub.has_ended() {
            self.finish_closed();
        }
    }

    /// Those who have caught up are served again.
    #[inline(never)]
    fn run_on_drain(&mut self) {
        self.hub.quota.begin_batch();
        for _ in 0..self.hub.drained() {
            let Some(id) = self.hub.next_drained() else { break };
            self.drained(id);
            self.shed();
            if self.has_had_its_part() {
                break;
            }
        }
        while let Some(id) = self.hub.next_resumable() {
            self.resume(id);
            if self.hub.quota.is_turn_used_up() {
                break;
            }
        }
        self.hub.flush_dirty();
    }

    /// Tells the hooks who has ended, and then removes who is to go.
    #[inline(never)]
    fn finish_closed(&mut self) {
        // A hook may end others, which have hooks in turn; each connection ends once, so this ends too. Nothing
        // may be sent after it: whoever ends is removed below and must have been told before.
        self.hub.quota.begin_batch();
        while !self.has_had_its_part()
            && let Some((id, ending)) = self.hub.next_ending()
        {
            let close = Closed::new(ending.code, &ending.reason, ending.cause, ending.clean);
            info!("connection {id} closed: {close}");
            dispatch::catch_panic(id, &mut self.hub, |ws| self.handler.on_close(ws, &close));
            self.hub.flush_dirty();
            self.shed();
        }
        if self.hub.has_endings() {
            return;
        }
        for id in self.hub.remove_dead() {
            // What was held of its input goes now, and not when the place is used again.
            self.inbound[id.index as usize] = Inbound::default();
        }
        self.metrics_acceptor.iter_mut().for_each(Acceptor::refill);
        if self.inbound.len() > 4 * self.hub.places().max(ROOM) {
            self.give_back_places();
        }
    }

    /// Gives back the memory of places that nearly all have left.
    #[cold]
    fn give_back_places(&mut self) {
        // Who is read from later is looked for there.
        self.more.retain(|id| self.hub.get(*id).is_some());
        self.bulk.retain(|id| self.hub.get(*id).is_some());
        let places = self.hub.places();
        self.inbound.truncate(places);
        self.inbound.shrink_to(2 * places.max(ROOM));
    }

    /// A slow peer has taken all that waited for it.
    fn drained(&mut self, id: ConnId) {
        if self.hub.is_open(id) {
            self.hub.cork(id);
            dispatch::catch_panic(id, &mut self.hub, |ws| self.handler.on_drain(ws));
            self.hub.uncork();
        }
    }

    /// A peer that was not read from has taken enough of what it caused.
    fn resume(&mut self, id: ConnId) {
        self.inbound[id.index as usize].resume(id, &mut self.handler, &mut self.hub);
        // What came meanwhile brings no further event.
        self.come_back_to(id, false);
        self.shed();
    }

    /// Whether hooks that belong to no batch of input have had their part of this turn.
    fn has_had_its_part(&mut self) -> bool {
        self.hub.quota.step() && self.hub.quota.is_used_up()
    }

    /// Closes the connections that hold most, if too much is held.
    #[inline]
    fn shed(&mut self) {
        if self.hub.is_over_budget() || self.hub.is_short_of_memory {
            self.shed_heaviest();
        }
    }

    #[cold]
    fn shed_heaviest(&mut self) {
        // What leaves at once is held by nobody.
        self.hub.flush_dirty();
        // More than once, for those that share a large frame give nothing back until the last of them goes.
        while self.hub.is_over_budget() || mem::take(&mut self.hub.is_short_of_memory) {
            let heaviest = self.hub.heaviest();
            if heaviest.is_empty() {
                break;
            }
            for id in heaviest {
                warn!("connection {id} is shed: too much is held for all connections together");
                self.inbound[id.index as usize].forget();
                self.hub.shed(id);
            }
        }
        // Who is shed before it has opened is answered.
        self.hub.flush_dirty();
    }

    // --- Those who come in -----------------------------------------------------------------------------

    /// The doors that are open.
    fn acceptors(&self) -> impl Iterator<Item = &Acceptor<L>> {
        self.acceptor.iter().chain(&self.metrics_acceptor)
    }

    /// Takes in who has come, some of them if there are many.
    #[inline(never)]
    fn accept_pending(&mut self, clock: impl Fn() -> LoopTime) {
        // Their time begins now, and not when the turn did: else it would end too early.
        self.hub.now = clock();
        let now = self.hub.now;
        if let Some(acceptor) = &mut self.acceptor {
            for (stream, address) in acceptor.accept_pending(now, || self.hub.evict()) {
                self.admit(stream, address);
            }
        }
        self.let_in_watchers();
    }

    /// Takes in those who ask for figures.
    fn let_in_watchers(&mut self) {
        let Some(mut acceptor) = self.metrics_acceptor.take() else { return };
        for (stream, address) in
            acceptor.accept_pending(self.hub.now, || self.evict_metrics() || self.hub.evict())
        {
            self.admit_metrics(stream, address);
        }
        acceptor.refill();
        self.metrics_acceptor = Some(acceptor);
    }

    /// Takes a new client in, or tells it that there is no room.
    fn admit(&mut self, stream: Stream, address: SocketAddr) {
        self.hub.stats.accepted += 1;
        if !self.clients_inherit_nodelay {
            stream.set_nodelay(self.hub.config.nodelay);
        }
        let Some(id) = self.insert(stream, address, Inbound::default()) else {
            self.hub.stats.dropped_clients += 1;
            return;
        };
        debug!("connection {id} from {address} accepted");
        self.hub.observer.tell(|observer| observer.connected(id, address));
        let verdict = self.hub.admit(id);
        if self.is_crowded(address, verdict.is_err()) {
            self.hub.evict();
        }
        if let Err(error) = verdict {
            inbound::refuse(id, error, &mut self.hub);
        }
    }

    /// Whether too many sockets only wait for their end for one more client from this address, which is refused or not.
    fn is_crowded(&self, address: SocketAddr, is_refused: bool) -> bool {
        let (live, leaving, config) = (self.hub.live(), self.hub.leaving(), &self.hub.config);
        let most = config.max_connections.map_or(usize::MAX, |max| max.saturating_add(MAX_ENDING));
        live + leaving > most
            || is_refused && leaving >= MAX_ENDING
            // Without a cap it may be the address of a proxy, which has all clients.
            || config.max_connections_per_address.is_some() && self.hub.leaving_of(address) >= MAX_ENDING
    }

    /// Takes somebody in who asks for figures. It doesn't count as a client.
    fn admit_metrics(&mut self, stream: Stream, address: SocketAddr) {
        if self.hub.metrics_connections().len() >= MAX_METRICS_CONNECTIONS {
            self.evict_metrics();
        }
        if let Some(id) = self.insert(stream, address, Inbound::about_figures()) {
            self.hub.set_metrics(id);
        }
    }

    /// Closes a connection that asks for figures, to make room for another: the oldest that has not asked yet, or else
    /// the oldest. Whether there was one.
    fn evict_metrics(&mut self) -> bool {
        let connections = self.hub.metrics_connections();
        for &(id, _) in connections.iter().filter(|(_, stage)| *stage == Stage::Connecting) {
            // What it has said and was not read yet is answered first.
            self.read(id);
            match self.hub.get(id).map(|outbound| outbound.stage()) {
                Some(Stage::Connecting) => {
                    self.hub.abort(id, Cause::Local);
                    return true;
                }
                Some(Stage::Dead) | None => return true,
                Some(_) => {}
            }
        }
        connections.first().map(|&(id, _)| self.hub.abort(id, Cause::Local)).is_some()
    }

    fn insert(&mut self, stream: Stream, address: SocketAddr, inbound: Inbound) -> Option<ConnId> {
        let now = self.hub.now;
        // Its state begins as the type's default, which is code of the user.
        let inserted = panics::catch(|| self.hub.insert(Outbound::new(stream, address, now)));
        match inserted.unwrap_or_else(|| Err(io::Error::other("the state of a connection has panicked"))) {
            Ok(id) => {
                let index = id.index as usize;
                if index == self.inbound.len() {
                    self.inbound.push(inbound);
                } else {
                    self.inbound[index] = inbound;
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
    fn run_commands(&mut self) {
        self.hub.quota.begin_batch();
        self.has_commands = false;
        while !self.has_commands {
            let mut commands = self.handle.take(COMMANDS_AT_ONCE);
            if commands.is_empty() {
                break;
            }
            while !self.has_commands
                && let Some(command) = commands.pop_front()
            {
                self.run_command(command);
                self.shed();
                self.has_commands = self.has_had_its_part();
            }
            self.handle.put_back(commands);
        }
        if let Some(shutdown) = self.handle.take_shutdown()
            && self.shutdown.is_none()
        {
            self.begin_shutdown(shutdown);
        }
    }

    fn run_command(&mut self, command: Command) {
        match command {
            Command::Send { id, frame } => drop(self.hub.send_encoded(id, frame)),
            Command::Broadcast { frame } => self.hub.broadcast_encoded(frame),
            Command::Close { id, code, reason } => self.hub.close(id, code, &reason),
            Command::Terminate { id } => self.hub.terminate(id),
        }
    }

    /// Runs what users wanted done by now.
    fn run_timers(&mut self) {
        let now = self.hub.now;
        self.hub.quota.begin_batch();
        while !self.has_had_its_part()
            && let Some((id, mut task)) = self.hub.timers.take_due(now)
        {
            self.hub.running_timer = Some(id);
            if panics::catch(|| task(&mut self.hub)).is_some() {
                // A task that does not run again is dropped, with all that it captured.
                panics::catch(|| self.hub.timers.put_back(id, task, now));
            } else {
                error!("a timer's task has panicked and is cancelled");
                self.hub.timers.cancel(id);
                panics::discard(task);
            }
            self.hub.running_timer = None;
            self.shed();
        }
    }

    /// How many places were looked at while something was sent to many.
    #[cfg(test)]
    pub(super) fn take_looks(&self) -> usize {
        self.hub.take_looks()
    }

    /// How many places there are for the receiving sides.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.inbound.len()
    }

    // --- The end ---------------------------------------------------------------------------------------

    /// The pipe has spoken, or says that it might have.
    fn listen_to_stop(&self) {
        if self.stop.as_ref().is_some_and(StopPipe::is_asked_for) {
            self.handle.shutdown();
        }
    }

    /// How many deadlines wait for their time.
    #[cfg(test)]
    pub(super) fn deadline_count(&self) -> usize {
        self.hub.deadline_count()
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.hub.held()
    }

    #[cfg(test)]
    pub(super) const fn is_shutting_down(&self) -> bool {
        self.shutdown.is_some()
    }

    pub(super) fn is_over(&self) -> bool {
        self.shutdown.is_some() && self.hub.len() == 0
    }

    /// Stops accepting, and makes a plan whom to close when.
    fn begin_shutdown(&mut self, ShutdownRequest { within }: ShutdownRequest) {
        info!("draining: {} connections to close", self.hub.live());
        self.acceptor = None;
        let Config { drain_spread, close_timeout, .. } = self.hub.config;
        let within = within.unwrap_or_else(|| drain_spread.saturating_add(close_timeout));
        let now = self.hub.now;
        let spread = drain_spread.min(within);
        self.shutdown = Some(Shutdown::new(now, spread, now + within, self.hub.ids()));
        self.hub.is_shutting_down = true;
    }

    /// Tells those whose time has come, and makes an end when the time is up.
    fn continue_shutdown(&mut self, clock: impl Fn() -> LoopTime) {
        let Some(shutdown) = &mut self.shutdown else { return };
        let now = self.hub.now;
        while let Some(id) = shutdown.next_to_tell(now) {
            match self.hub.get(id).map(|outbound| outbound.stage()) {
                Some(Stage::Connecting) => {
                    self.hub.respond(id, &Response::rejection(503, "The server is shutting down."));
                }
                // §7.4.1: 1001 "indicates that an endpoint is "going away", such as a server going down".
                Some(_) => self.hub.close(id, CloseCode::GOING_AWAY, "server is shutting down"),
                None => {}
            }
        }
        if shutdown.is_over(now) {
            let last_look = clock() + LAST_LOOKS;
            for id in self.hub.ids() {
                // The answer to our Close may wait in the socket.
                let is_closing = self.hub.get(id).is_some_and(|outbound| outbound.stage() == Stage::Closing);
                if is_closing && clock() < last_look {
                    self.look_at_socket(id);
                }
                self.hub.abort(id, Cause::Local);
            }
        }
    }
}

impl<H: Handler, L: Listener> Drop for EventLoop<H, L> {
    /// However the loop ends, other threads hear of it.
    fn drop(&mut self) {
        self.handle.publish(self.hub.current_stats());
        self.handle.stop();
    }
}
