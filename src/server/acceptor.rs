//! A listening socket, and how it copes with accepts that fail.
//!
//! This file knows when to try again. It refuses to know who may come in.

use std::{
    io::{self, ErrorKind},
    time::Duration,
};

use log::{info, warn};

use crate::{
    hub::LoopTime,
    transport::{Listener, PeerAddr, Stream, TcpListener},
};

/// How many clients are taken in one turn, so that a storm of them doesn't hold up those that are in.
const CLIENTS_PER_TURN: usize = 64;
/// How long to wait after an accept that failed, mostly because all file descriptors are in use.
const PAUSE: Duration = Duration::from_millis(100);

/// Where clients come in.
#[derive(Debug)]
pub(super) struct Acceptor<L: Listener = TcpListener> {
    listener: L,
    state: State,
    /// Whether a file descriptor is held in reserve.
    has_spare: bool,
    /// It is given up when one more client can't be accepted otherwise.
    spare: Option<L::Spare>,
    /// The last try failed, and the log says so.
    failing: bool,
}

/// Whether there may be clients waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No, until the poll says so.
    Idle,
    /// Perhaps.
    Pending,
    /// Perhaps, but the last try failed.
    PausedUntil(LoopTime),
}

impl<L: Listener> Acceptor<L> {
    pub(super) const fn new(listener: L) -> Self {
        Self { listener, state: State::Pending, has_spare: false, spare: None, failing: false }
    }

    /// The same with a file descriptor in reserve, so that one client is accepted when no other is free.
    pub(super) fn with_spare(listener: L) -> Self {
        let spare = listener.spare();
        Self { has_spare: true, spare, ..Self::new(listener) }
    }

    /// Takes the file descriptor in reserve again, if it was given up and one is free.
    pub(super) fn refill(&mut self) {
        if !self.has_spare || self.spare.is_some() {
            return;
        }
        self.spare = self.listener.spare();
        if self.spare.is_some() && matches!(self.state, State::PausedUntil(_)) {
            self.state = State::Pending;
        }
    }

    /// The poll says that clients have come.
    pub(super) const fn on_readable(&mut self) {
        // While accepts fail they wait like the others until the next try.
        if matches!(self.state, State::Idle) {
            self.state = State::Pending;
        }
    }

    /// Whether there is nothing to try until the poll says so.
    pub(super) const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// When to come back although the poll says nothing.
    pub(super) const fn wake_at(&self) -> LoopTime {
        match self.state {
            State::Idle => LoopTime::NEVER,
            State::Pending => LoopTime::AT_ONCE,
            State::PausedUntil(at) => at,
        }
    }

    /// The clients that are let in in this turn. `evict` closes a socket where no file descriptor is free for
    /// one more, and says whether there was one: then the next turn tries again.
    pub(super) fn accept_pending(
        &mut self,
        now: LoopTime,
        mut evict: impl FnMut() -> bool,
    ) -> Vec<(Stream, PeerAddr)> {
        let mut clients = Vec::new();
        match self.state {
            State::Idle => return clients,
            State::PausedUntil(at) if at > now => return clients,
            State::Pending | State::PausedUntil(_) => self.state = State::Pending,
        }
        let mut is_spare_used = false;
        for _ in 0..CLIENTS_PER_TURN {
            match self.listener.accept() {
                Ok(client) => clients.push(client),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => {
                        self.state = State::Idle;
                        break;
                    }
                    // The client has left the queue before its turn came.
                    ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted => {}
                    _ if is_out_of_descriptors(&error) && self.spare.take().is_some() => is_spare_used = true,
                    // Who came by the descriptor in reserve has a while to speak before it is evicted:
                    // whether somebody waits behind it is not known.
                    _ if is_out_of_descriptors(&error) && !is_spare_used && evict() => return clients,
                    // Nothing is free, and nothing can be freed. The client stays in the queue, and no event
                    // will come for it, so it is tried again after a while.
                    _ => {
                        self.pause(now, &error);
                        return clients;
                    }
                },
            }
        }
        if self.failing {
            info!("accepting clients again");
            self.failing = false;
        }
        clients
    }

    fn pause(&mut self, now: LoopTime, error: &io::Error) {
        if !self.failing {
            warn!("accepting no clients for now: {error}");
            self.failing = true;
        }
        self.state = State::PausedUntil(now + PAUSE);
    }
}

/// Whether an accept has failed because this process or the system has no file descriptor left: EMFILE or
/// ENFILE, which have these numbers everywhere.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}
