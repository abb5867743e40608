//! The loop: one thread, one poll, and what is done in each turn of it.
//!
//! ```text
//! poll ─▶ sockets that have something ─▶ those that had more ─▶ accept ─▶ timers ─▶ settle ─▶ poll …
//! ```
//!
//! This file knows when things are done. It refuses to know what frames mean and what hooks do; and no peer, no
//! failed accept and no full table of descriptors makes it stop.
//!
//! Sockets are watched edge-triggered: an event says that something has changed, not that something is left.
//! A read that fills less than the buffer has emptied the socket, so that nothing is left to be told (epoll(7)
//! promises it, kqueue does the same), unless the peer has hung up: then it is read until it says so.

use std::{
    io::{self, ErrorKind},
    mem,
    net::SocketAddr,
    time::{Duration, Instant},
};

use log::{debug, info, warn};
use mio::{
    Events, Poll, Token,
    event::Event,
    net::{TcpListener, TcpStream},
};

use super::{
    Handle,
    conversation::{self, Conversation},
    guard,
};
use crate::{
    config::Config,
    handler::{Closed, Handler},
    peers::{Cause, ConnId, Millis, Peer, Peers, Stage, Stream},
    protocol::{CloseCode, HandshakeError, Response},
};

/// The listening socket's token; connections have those from 0 on.
pub(super) const LISTENER: Token = Token(usize::MAX);
/// The token of the waker that a [`Handle`] uses.
pub(super) const WAKER: Token = Token(usize::MAX - 1);

/// All connections are read into one buffer of this length, one after the other: a connection that is silent
/// owns none. It also bounds what one connection can have done in one turn.
const READ_BUFFER_LEN: usize = 512 * 1024;
/// How many events one poll brings.
const EVENTS: usize = 1024;
/// How many connections are accepted in one turn, so that a storm of new ones doesn't hold up the others.
const ACCEPTS_PER_TURN: usize = 64;
/// How long to wait after an accept that failed, mostly because all file descriptors are in use.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How many clients over `max_connections` are kept at once to be told so; more are dropped without a word.
const REFUSED_AT_ONCE: usize = 128;

pub(super) struct EventLoop<H: Handler> {
    poll: Poll,
    /// Gone once the server shuts down.
    listener: Option<TcpListener>,
    handle: Handle,
    handler: H,
    peers: Peers<H::State>,
    /// The receiving sides, at the same places as the sending sides in `peers`.
    conversations: Vec<Conversation>,
    buffer: Box<[u8]>,
    /// Connections that probably have more to read, whose turn comes again after all others had theirs.
    more: Vec<ConnId>,
    accepting: Accepting,
    /// When all that is left is dropped, once the server shuts down.
    shutdown_deadline: Option<Millis>,
    started: Instant,
}

/// Whether there may be clients to accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accepting {
    /// No, until the poll says so.
    Idle,
    /// Perhaps.
    Pending,
    /// Perhaps, but the last try failed.
    PausedUntil(Millis),
}

impl<H: Handler> EventLoop<H> {
    pub(super) fn new(
        poll: Poll,
        listener: TcpListener,
        handle: Handle,
        config: Config,
        handler: H,
    ) -> io::Result<Self> {
        let peers = Peers::new(config, poll.registry().try_clone()?);
        Ok(Self {
            poll,
            listener: Some(listener),
            handle,
            handler,
            peers,
            conversations: Vec::new(),
            buffer: vec![0; READ_BUFFER_LEN].into(),
            more: Vec::new(),
            accepting: Accepting::Pending,
            shutdown_deadline: None,
            started: Instant::now(),
        })
    }

    /// Turns until the server has shut down.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        while !self.is_over() {
            match self.poll.poll(&mut events, self.poll_timeout()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            self.turn(&events);
        }
        Ok(())
    }

    fn turn(&mut self, events: &Events) {
        self.peers.now = Millis(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX));
        let more = mem::take(&mut self.more);
        for event in events {
            match event.token() {
                LISTENER => self.accepting = self.accepting.awakened(),
                WAKER => {}
                Token(index) => self.react(index, event),
            }
        }
        for id in more {
            self.read(id);
        }
        self.accept();
        while let Some(id) = self.peers.expire() {
            conversation::expire(id, &mut self.peers);
        }
        self.follow_shutdown();
        self.settle();
    }

    /// How long the poll may wait; `None` is for ever.
    fn poll_timeout(&self) -> Option<Duration> {
        let is_busy =
            !self.more.is_empty() || self.accepting == Accepting::Pending || self.peers.has_drained();
        if is_busy {
            return Some(Duration::ZERO);
        }
        let retry = match self.accepting {
            Accepting::PausedUntil(at) => Some(at),
            Accepting::Idle | Accepting::Pending => None,
        };
        [self.peers.next_deadline(), retry, self.shutdown_deadline].into_iter().flatten().min().map(|at| {
            // The clock has gone on since the turn began; a stale `now` would only make the wait longer.
            let elapsed = Millis(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX));
            at.since(elapsed)
        })
    }

    // --- Connections -----------------------------------------------------------------------------------

    /// Something has changed at a socket.
    #[inline]
    fn react(&mut self, index: usize, event: &Event) {
        let Some(id) = self.peers.id_at(index) else { return };
        if event.is_read_closed() || event.is_error() {
            self.conversations[index].hang_up = true;
        }
        if event.is_writable() || event.is_error() {
            self.peers.flush(id);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(id);
        }
    }

    /// Reads once, and has what came worked through.
    #[inline]
    fn read(&mut self, id: ConnId) {
        // A peer that doesn't take what it causes; `drained` comes back to it.
        if self.peers.is_paused(id) {
            return;
        }
        let Some(peer) = self.peers.get(id) else { return };
        match peer.stream.read(&mut self.buffer) {
            Ok(0) => self.peers.end_of_input(id),
            Ok(len) => {
                self.peers.alive(id);
                let conversation = &mut self.conversations[id.index as usize];
                conversation.receive(id, &mut self.buffer[..len], &mut self.handler, &mut self.peers);
                if len == self.buffer.len() || conversation.hang_up {
                    self.more.push(id);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => self.peers.lose_socket(id, &error),
        }
    }

    /// Brings everything that this turn has begun to its end.
    fn settle(&mut self) {
        self.peers.flush_dirty();
        for id in self.peers.take_drained() {
            self.drained(id);
        }
        // A hook may end others, which have hooks in turn; each connection ends once, so this ends too.
        while let Some((id, ending)) = self.peers.next_ending() {
            let close = Closed::new(ending.code, &ending.reason, ending.cause, ending.clean);
            info!("connection {id} closed: {close}");
            guard::call(id, &mut self.peers, |ws| self.handler.on_close(ws, &close));
            self.peers.flush_dirty();
        }
        self.peers.flush_dirty();
        self.peers.remove_doomed();
    }

    /// A slow peer has taken all that waited for it.
    fn drained(&mut self, id: ConnId) {
        if self.peers.is_open(id) {
            self.peers.cork(id);
            guard::call(id, &mut self.peers, |ws| self.handler.on_drain(ws));
            self.peers.uncork();
        }
        self.conversations[id.index as usize].resume(id, &mut self.handler, &mut self.peers);
        // It may not have been read from for a while, and what came meanwhile brings no further event.
        self.more.push(id);
    }

    // --- Accepting -------------------------------------------------------------------------------------

    fn accept(&mut self) {
        match self.accepting {
            Accepting::Idle => return,
            Accepting::PausedUntil(at) if at > self.peers.now => return,
            Accepting::Pending | Accepting::PausedUntil(_) => {}
        }
        let Some(listener) = &self.listener else { return self.accepting = Accepting::Idle };
        let mut accepted = Vec::new();
        let mut next = Accepting::Pending;
        for _ in 0..ACCEPTS_PER_TURN {
            match listener.accept() {
                Ok(client) => accepted.push(client),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => {
                        next = Accepting::Idle;
                        break;
                    }
                    // The client has left the queue before its turn came.
                    ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted => {}
                    // Mostly EMFILE or ENFILE: no descriptor is free. The client stays in the queue, and no
                    // event will come for it, so it is tried again after a while.
                    _ => {
                        if !matches!(self.accepting, Accepting::PausedUntil(_)) {
                            warn!("accepting no clients for now: {error}");
                        }
                        next = Accepting::PausedUntil(self.peers.now + ACCEPT_PAUSE);
                        break;
                    }
                },
            }
        }
        self.accepting = next;
        for (socket, address) in accepted {
            self.welcome(socket, address);
        }
    }

    /// Takes a new client in, or tells it that there is no room.
    fn welcome(&mut self, socket: TcpStream, address: SocketAddr) {
        let limit = self.peers.config.max_connections.unwrap_or(usize::MAX);
        let is_full = self.peers.live() >= limit;
        if is_full && self.peers.len() >= limit.saturating_add(REFUSED_AT_ONCE) {
            return debug!("{address} dropped: over max_connections");
        }
        let stream = Stream::new(socket);
        stream.set_nodelay(self.peers.config.nodelay);
        let id = match self.peers.insert(Peer::new(stream, address, self.peers.now)) {
            Ok(id) => id,
            Err(error) => return warn!("{address} dropped: {error}"),
        };
        let index = id.index as usize;
        if index == self.conversations.len() {
            self.conversations.push(Conversation::default());
        } else {
            self.conversations[index] = Conversation::default();
        }
        debug!("connection {id} from {address} accepted");
        if is_full {
            conversation::refuse(id, HandshakeError::TooManyConnections, &mut self.peers);
        }
    }

    // --- The end ---------------------------------------------------------------------------------------

    fn is_over(&self) -> bool {
        self.shutdown_deadline.is_some() && self.peers.len() == 0
    }

    /// Begins to shut down when somebody asks for it, and makes an end when the time is up.
    fn follow_shutdown(&mut self) {
        match self.shutdown_deadline {
            None if self.handle.is_shutdown() => self.begin_shutdown(),
            Some(deadline) if deadline <= self.peers.now => {
                for id in self.peers.ids() {
                    self.peers.lose(id, Cause::Local);
                }
            }
            None | Some(_) => {}
        }
    }

    fn begin_shutdown(&mut self) {
        info!("shutting down: {} connections to close", self.peers.live());
        self.listener = None;
        self.accepting = Accepting::Idle;
        self.shutdown_deadline = Some(self.peers.now + self.peers.config.close_timeout);
        for id in self.peers.ids() {
            match self.peers.get(id).map(|peer| peer.stage) {
                Some(Stage::Connecting) => {
                    self.peers.respond(id, &Response::rejection(503, "The server is shutting down."));
                }
                // §7.4.1: 1001 "indicates that an endpoint is "going away", such as a server going down".
                Some(_) => self.peers.close(id, CloseCode::GOING_AWAY, "server is shutting down"),
                None => {}
            }
        }
    }
}

impl Accepting {
    /// After the poll has told of new clients.
    const fn awakened(self) -> Self {
        match self {
            Self::Idle | Self::Pending => Self::Pending,
            // They wait like the others until the next try.
            Self::PausedUntil(at) => Self::PausedUntil(at),
        }
    }
}
