//! Accepts clients from a listening socket, and pauses after an accept that fails.
//!
//! This file knows when to try again. It does not know which clients are admitted.

use std::{
    io::{self, ErrorKind},
    time::Duration,
};

use log::{info, warn};

use crate::{
    hub::LoopTime,
    transport::{Listener, PeerAddr, Stream, TcpListener},
};

/// The most clients accepted in one turn: a storm of new clients must not delay the connections.
const CLIENTS_PER_TURN: usize = 64;
/// The pause after a failed accept. The usual reason is that all file descriptors are in use.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts the clients of one listener.
#[derive(Debug)]
pub(super) struct Acceptor<L: Listener = TcpListener> {
    listener: L,
    state: AcceptState,
    /// Whether a file descriptor is held in reserve.
    has_spare: bool,
    /// The reserved file descriptor. It is released if no other is free for one more client.
    spare: Option<L::Spare>,
    /// Whether the last accept failed, which was logged.
    failing: bool,
}

/// Whether clients may be waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AcceptState {
    /// No, until the poll reports some.
    Idle,
    /// Perhaps.
    Pending,
    /// Perhaps; the last accept failed, and the next one is due at this time.
    PausedUntil(LoopTime),
}

impl<L: Listener> Acceptor<L> {
    pub(super) const fn new(listener: L) -> Self {
        Self { listener, state: AcceptState::Pending, has_spare: false, spare: None, failing: false }
    }

    /// Returns an acceptor with a reserved file descriptor, so that one client can be accepted when no other
    /// is free.
    pub(super) fn with_spare(listener: L) -> Self {
        let spare = listener.spare();
        Self { has_spare: true, spare, ..Self::new(listener) }
    }

    /// Reserves a file descriptor again, if the reserved one was released and one is free.
    pub(super) fn refill(&mut self) {
        if !self.has_spare || self.spare.is_some() {
            return;
        }
        self.spare = self.listener.spare();
        if self.spare.is_some() && matches!(self.state, AcceptState::PausedUntil(_)) {
            self.state = AcceptState::Pending;
        }
    }

    /// Handles the poll's report that clients wait.
    pub(super) const fn on_readable(&mut self) {
        // During a pause new clients wait in the queue until the next try.
        if matches!(self.state, AcceptState::Idle) {
            self.state = AcceptState::Pending;
        }
    }

    /// Returns whether no client waits until the poll reports one.
    pub(super) const fn is_idle(&self) -> bool {
        matches!(self.state, AcceptState::Idle)
    }

    /// Returns the time of the next try without an event of the poll.
    pub(super) const fn wake_at(&self) -> LoopTime {
        match self.state {
            AcceptState::Idle => LoopTime::NEVER,
            AcceptState::Pending => LoopTime::AT_ONCE,
            AcceptState::PausedUntil(at) => at,
        }
    }

    /// Accepts the clients of this turn. If no file descriptor is free, calls `evict`, which closes a socket
    /// and returns whether there was one; then the next turn tries again.
    pub(super) fn accept_pending(
        &mut self,
        now: LoopTime,
        mut evict: impl FnMut() -> bool,
    ) -> Vec<(Stream, PeerAddr)> {
        let mut clients = Vec::new();
        match self.state {
            AcceptState::Idle => return clients,
            AcceptState::PausedUntil(at) if at > now => return clients,
            AcceptState::Pending | AcceptState::PausedUntil(_) => self.state = AcceptState::Pending,
        }
        let mut is_spare_used = false;
        for _ in 0..CLIENTS_PER_TURN {
            match self.listener.accept() {
                Ok(client) => clients.push(client),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => {
                        self.state = AcceptState::Idle;
                        break;
                    }
                    // The client has left the queue before the accept.
                    ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted => {}
                    _ if is_out_of_descriptors(&error) && self.spare.take().is_some() => is_spare_used = true,
                    // A client that has the reserved descriptor gets some time before it is evicted: whether
                    // another client waits after it is unknown.
                    _ if is_out_of_descriptors(&error) && !is_spare_used && evict() => return clients,
                    // No descriptor is free, and none can be freed. The client stays in the queue, and the
                    // poll does not report it again, so the next try is after a pause.
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
        self.state = AcceptState::PausedUntil(now + PAUSE);
    }
}

/// Returns whether an accept failed because this process or the system has no file descriptor left: EMFILE or
/// ENFILE, which have these numbers everywhere.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    /// A listener whose accepts fail with these numbers of errors, and then find no client.
    #[derive(Default)]
    struct Failing {
        errors: RefCell<Vec<i32>>,
        spares: Cell<usize>,
    }

    impl Listener for &Failing {
        type Spare = ();

        fn accept(&self) -> io::Result<(Stream, PeerAddr)> {
            Err(match self.errors.borrow_mut().pop() {
                Some(number) => io::Error::from_raw_os_error(number),
                None => ErrorKind::WouldBlock.into(),
            })
        }

        fn spare(&self) -> Option<()> {
            self.spares.set(self.spares.get() + 1);
            Some(())
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_a_lack_of_descriptors_evicts() {
        // ENOMEM, EIO, ENFILE and EMFILE of all Unix systems.
        for (number, is_lack) in [(12, false), (5, false), (23, true), (24, true)] {
            let listener = Failing { errors: RefCell::new(vec![number]), ..Failing::default() };
            let (mut acceptor, mut evictions) = (Acceptor::new(&listener), 0);
            let evict = || {
                evictions += 1;
                true
            };
            assert_eq!(acceptor.accept_pending(LoopTime::default(), evict).len(), 0);
            assert_eq!(evictions, usize::from(is_lack), "error {number}");
            let paused = AcceptState::PausedUntil(LoopTime::default() + PAUSE);
            assert_eq!(acceptor.state, if is_lack { AcceptState::Pending } else { paused }, "error {number}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_reserve_is_taken_at_once_and_goes_before_any_socket() {
        let listener = Failing { errors: RefCell::new(vec![24]), ..Failing::default() };
        let mut acceptor = Acceptor::with_spare(&listener);
        assert_eq!(listener.spares.get(), 1);
        let mut is_evicted = false;
        let evict = || {
            is_evicted = true;
            true
        };
        acceptor.accept_pending(LoopTime::default(), evict);
        assert!(acceptor.spare.is_none() && !is_evicted);
        acceptor.refill();
        acceptor.refill();
        assert_eq!(listener.spares.get(), 2, "one is taken again, and no more");
    }

    #[test]
    fn an_acceptor_is_idle_from_an_empty_queue_to_the_next_event() {
        let listener = Failing::default();
        let mut acceptor = Acceptor::new(&listener);
        assert!(!acceptor.is_idle());
        acceptor.accept_pending(LoopTime::default(), || false);
        assert!(acceptor.is_idle());
        acceptor.on_readable();
        assert!(!acceptor.is_idle());
    }
}
