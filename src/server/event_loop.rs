//! The loop: one thread, one poll, and the order of things in a turn; [`EventLoop::turn`] is its table of
//! contents.
//!
//! ```text
//! poll ─▶ ready sockets ─▶ sockets with more to read ─▶ accepts ─▶ deadlines and timers ─▶ settle ─▶ poll …
//! ```
//!
//! Each step has its file: `reading.rs`, `accepting.rs`, `commands.rs`, `shutdown.rs`, `settling.rs`. None of
//! them knows what a frame means or what a hook does. No peer, no failed accept and no lack of file
//! descriptors stops the loop.
//!
//! Sockets are registered edge-triggered: an event says that a socket has changed, not that bytes are left. A
//! read that fills less than the buffer has emptied the socket, so no event is lost (epoll(7) promises it,
//! kqueue does the same). The exception is a peer that has hung up: its socket is read until it reports the
//! end. TCP's urgent data, which no WebSocket peer sends, also ends a read early; a peer that sends it waits
//! for its next event.

mod accepting;
mod commands;
mod reading;
mod settling;
mod shutdown;

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    mem,
    time::{Duration, Instant},
};

use super::{
    Handle,
    acceptor::Acceptor,
    heap::Heap,
    inbound::{self, Inbound},
};
use crate::{
    config::Config,
    handler::Handler,
    hub::{ConnId, Hub, LoopTime, ObserverSlot, ROOM, Task, Timers},
    transport::{Events, Listener, Poll, ReadBuffer, Ready, StopPipe, TcpListener, Token},
};
use shutdown::Shutdown;

/// The tokens that are no connection's; connections have the tokens from 0 on.
pub(super) const LISTENER: Token = Token(usize::MAX);
pub(super) const WAKER: Token = Token(usize::MAX - 1);
pub(super) const METRICS: Token = Token(usize::MAX - 2);
pub(super) const STOP: Token = Token(usize::MAX - 3);

/// How many events one poll reports at most.
const EVENTS: usize = 1024;
/// How many connections are judged in one turn because their deadline has come. Each may be read from.
const DEADLINES_PER_TURN: usize = 256;

pub(super) struct EventLoop<H: Handler, L: Listener = TcpListener> {
    poll: Poll,
    /// Accepts clients; `None` once the server shuts down.
    acceptor: Option<Acceptor<L>>,
    /// Whether clients inherit TCP_NODELAY from the listener, so that no call per client is needed.
    clients_inherit_nodelay: bool,
    /// Accepts metrics connections, until the loop ends.
    metrics_acceptor: Option<Acceptor<L>>,
    stop: Option<StopPipe>,
    handle: Handle<H::State>,
    handler: H,
    hub: Hub<H::State>,
    /// The receiving halves, at the same indices as the sending halves in `hub`.
    inbound: Vec<Inbound>,
    buffer: ReadBuffer,
    /// Connections with little more to read: the next turn reads from each of them.
    more: Vec<ConnId>,
    /// Connections that have filled the read buffer, in the order in which they are read from again.
    bulk: VecDeque<ConnId>,
    /// Connections whose last batch queued much for others, in the order in which they are read from again.
    costly: VecDeque<ConnId>,
    /// Commands of other threads are left from the last turn.
    has_commands: bool,
    heap: Heap,
    /// When the next deadline, timer or accept is due, as of the end of the last turn.
    wake_at: LoopTime,
    shutdown: Option<Shutdown>,
    started: Instant,
}

impl<H: Handler, L: Listener> EventLoop<H, L> {
    pub(super) fn new(
        poll: Poll,
        listener: L,
        metrics_acceptor: Option<L>,
        handle: Handle<H::State>,
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
            heap: Heap::untuned(),
            wake_at: LoopTime::AT_ONCE,
            shutdown: None,
            started: Instant::now(),
        })
    }

    /// Shows all bytes of clients to an observer.
    pub(super) fn observed_by(mut self, observer: ObserverSlot) -> Self {
        self.hub.observer = observer;
        self
    }

    /// Has the allocator keep freed memory while it is needed; see [`Server::tune_heap`](super::Server::tune_heap).
    pub(super) fn with_heap(mut self, is_tuned: bool) -> Self {
        self.heap = if is_tuned { Heap::tuned() } else { Heap::untuned() };
        self
    }

    /// Shuts the server down when the pipe ends.
    pub(super) fn stopped_by(mut self, stop: Option<StopPipe>) -> Self {
        self.stop = stop;
        self
    }

    /// Sets the clock that measures how long a turn has taken.
    pub(super) fn set_clock(&mut self, clock: impl Fn() -> LoopTime + 'static) {
        self.hub.quota.set_clock(clock);
    }

    /// Turns until the server has shut down.
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

    /// Runs one turn, which begins at `now`: everything that is ready, then everything that is due.
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
            self.run_due(clock);
        }
        self.settle();
        self.heap.look_after(self.hub.held(), self.hub.now);
        self.wake_at = self.next_due();
    }

    /// Returns how long the poll may wait from `now` on; `None` means without limit.
    pub(super) fn poll_timeout(&self, now: LoopTime) -> Option<Duration> {
        let has_input = !(self.more.is_empty() && self.bulk.is_empty() && self.costly.is_empty());
        if has_input || self.hub.has_drained() || self.hub.has_endings() {
            return Some(Duration::ZERO);
        }
        (self.wake_at != LoopTime::NEVER).then(|| self.wake_at.since(now))
    }

    /// Returns when the loop has to turn although no socket is ready.
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

    /// Runs everything not triggered by a connection: accepts, deadlines, timers, commands, shutdown.
    // Most turns don't need it: not inlined, so that the code for messages stays small.
    #[inline(never)]
    fn run_due(&mut self, clock: impl Fn() -> LoopTime) {
        if !self.acceptors().all(Acceptor::is_idle) {
            self.accept_pending(&clock);
        }
        for _ in 0..DEADLINES_PER_TURN {
            let Some(id) = self.hub.expire() else { break };
            self.judge(id);
        }
        self.run_timers();
        if self.has_commands {
            self.run_commands();
        }
        self.continue_shutdown(clock);
    }

    /// Pings or ends a connection whose deadline has come, or gives it a new deadline.
    fn judge(&mut self, id: ConnId) {
        // A connection whose input waits to be read is not silent: it is the loop that has not read it.
        if self.inbound[id.index as usize].has_more && self.hub.defer_ping(id) {
            return;
        }
        if self.hub.ends_when_due(id) {
            self.read_once_more(id);
        }
        if self.hub.is_due(id) {
            inbound::expire(id, &mut self.hub);
        } else {
            self.hub.schedule(id);
        }
    }

    /// Handles readiness of the listener, the metrics listener, the waker or the stop pipe.
    #[inline(never)]
    fn handle_token(&mut self, token: Token) {
        match token {
            LISTENER => self.acceptor.iter_mut().for_each(Acceptor::on_readable),
            METRICS => self.metrics_acceptor.iter_mut().for_each(Acceptor::on_readable),
            WAKER => self.run_commands(),
            _ => self.check_stop(),
        }
    }

    /// How many slots were visited to send to many.
    #[cfg(test)]
    pub(super) fn take_visits(&self) -> usize {
        self.hub.take_visits()
    }

    /// How many slots there are for receiving halves.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.inbound.len()
    }

    /// How many deadlines are pending.
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
}

impl<H: Handler, L: Listener> Drop for EventLoop<H, L> {
    /// Tells other threads that the loop has ended, however it ended.
    fn drop(&mut self) {
        self.handle.publish(self.hub.current_stats());
        self.handle.stop();
    }
}
