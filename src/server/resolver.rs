//! Looks up the names of hosts without blocking the loop.
//!
//! The operating system's look-up blocks, so threads do it. There is none before the first name, and four at
//! most: a name whose server does not answer must not delay all others. They end with the loop.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    net::{SocketAddr, ToSocketAddrs},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use crate::{hub::ConnId, transport::Waker};

/// How many names are looked up at the same time.
const THREADS: usize = 4;

/// How many names may wait for a thread; the connection of one more does not open.
const MAX_WAITING: usize = 1024;

/// What became of a name.
type Resolved = (ConnId, io::Result<Vec<SocketAddr>>);
/// Looks up one name.
pub(in crate::server) type Lookup = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// The names that are looked up for one loop.
pub(in crate::server) struct Resolver {
    shared: Arc<Shared>,
    lookup: Lookup,
    threads: usize,
    /// Names are looked up by the call that asks, as a simulation wants it.
    is_at_once: bool,
}

struct Shared {
    waker: Arc<Waker>,
    names: Mutex<Names>,
    has_work: Condvar,
}

#[derive(Default)]
struct Names {
    waiting: VecDeque<(ConnId, String, u16)>,
    resolved: VecDeque<Resolved>,
    /// How many threads wait for a name.
    idle: usize,
    is_over: bool,
}

impl Resolver {
    pub(super) fn new(waker: Arc<Waker>) -> Self {
        Self::by(waker, |name, port| (name, port).to_socket_addrs().map(Iterator::collect))
    }

    fn by(waker: Arc<Waker>, lookup: Lookup) -> Self {
        let shared = Shared { waker, names: Mutex::default(), has_work: Condvar::new() };
        Self { shared: Arc::new(shared), lookup, threads: 0, is_at_once: false }
    }

    /// Returns a resolver without threads.
    #[cfg(any(test, fuzzing, feature = "testing"))]
    pub(super) fn at_once(waker: Arc<Waker>, lookup: Lookup) -> Self {
        let mut resolver = Self::by(waker, lookup);
        resolver.is_at_once = true;
        resolver
    }

    /// Has a name looked up; [`next_resolved`](Self::next_resolved) returns the addresses after the waker's
    /// event.
    pub(super) fn resolve(&mut self, id: ConnId, name: String, port: u16) {
        let mut names = self.shared.lock();
        if self.is_at_once {
            names.resolved.push_back((id, (self.lookup)(&name, port)));
            let _ = self.shared.waker.wake();
            return;
        }
        if names.waiting.len() >= MAX_WAITING {
            let error = io::Error::new(ErrorKind::ResourceBusy, "too many names wait to be looked up");
            names.resolved.push_back((id, Err(error)));
            let _ = self.shared.waker.wake();
            return;
        }
        names.waiting.push_back((id, name, port));
        let needs_thread = names.idle < names.waiting.len() && self.threads < THREADS;
        drop(names);
        self.shared.has_work.notify_one();
        if needs_thread {
            self.start_thread();
        }
    }

    fn start_thread(&mut self) {
        let (shared, lookup) = (Arc::clone(&self.shared), self.lookup);
        let thread = thread::Builder::new().name("wirehook names".to_owned());
        match thread.spawn(move || shared.look_up(lookup)) {
            Ok(_) => self.threads += 1,
            // Another thread will come to the name.
            Err(_) if self.threads > 0 => {}
            Err(error) => self.shared.refuse_all(&error),
        }
    }

    /// Returns what became of the next name.
    pub(super) fn next_resolved(&self) -> Option<Resolved> {
        self.shared.lock().resolved.pop_front()
    }
}

impl Drop for Resolver {
    /// Has the threads end, each after the name that it looks up.
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.has_work.notify_all();
    }
}

impl Shared {
    /// Looks up one name after the other.
    fn look_up(&self, lookup: Lookup) {
        while let Some((id, name, port)) = self.next_name() {
            let addresses = lookup(&name, port);
            self.lock().resolved.push_back((id, addresses));
            // It fails only if the loop has ended.
            let _ = self.waker.wake();
        }
    }

    /// Waits for a name; `None` once the loop has ended.
    fn next_name(&self) -> Option<(ConnId, String, u16)> {
        let mut names = self.lock();
        loop {
            if names.is_over {
                return None;
            }
            if let Some(name) = names.waiting.pop_front() {
                return Some(name);
            }
            names.idle += 1;
            names = self.has_work.wait(names).unwrap_or_else(PoisonError::into_inner);
            names.idle -= 1;
        }
    }

    /// Refuses all names, because no thread can be started.
    fn refuse_all(&self, error: &io::Error) {
        let mut names = self.lock();
        while let Some((id, ..)) = names.waiting.pop_front() {
            names.resolved.push_back((id, Err(io::Error::new(error.kind(), error.to_string()))));
        }
        drop(names);
        let _ = self.waker.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        server::event_loop::WAKER,
        transport::{Events, Poll},
    };

    /// Never returns for the name `slow`.
    fn look_up(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if name == "slow" {
            loop {
                thread::park();
            }
        }
        Ok(vec![SocketAddr::from(([192, 0, 2, 1], port))])
    }

    /// Waits for the waker's event, and returns what was resolved.
    fn next(poll: &mut Poll, resolver: &Resolver) -> (ConnId, u16) {
        let mut events = Events::with_capacity(1);
        loop {
            if let Some((id, Ok(addresses))) = resolver.next_resolved() {
                return (id, addresses[0].port());
            }
            poll.wait(&mut events, Some(Duration::from_secs(10)))
                .unwrap_or_else(|error| unreachable!("{error}"));
            assert_eq!(events.iter().count(), 1, "the waker ends the wait");
        }
    }

    #[test]
    fn a_name_that_hangs_delays_no_other_name() {
        let mut poll = Poll::new().unwrap_or_else(|error| unreachable!("{error}"));
        let waker = Waker::new(&poll, WAKER).unwrap_or_else(|error| unreachable!("{error}"));
        let mut resolver = Resolver::by(Arc::new(waker), look_up);
        let id = |serial| ConnId::new(serial, 0);
        assert_eq!(resolver.threads, 0, "no thread before the first name");
        for serial in 1..THREADS as u32 {
            resolver.resolve(id(serial), "slow".to_owned(), 1);
        }
        for serial in 10..20 {
            resolver.resolve(id(serial), "fast".to_owned(), serial as u16);
            assert_eq!(next(&mut poll, &resolver), (id(serial), serial as u16));
        }
        assert_eq!(resolver.threads, THREADS);
    }

    #[test]
    fn no_more_than_1024_names_wait() {
        let poll = Poll::new().unwrap_or_else(|error| unreachable!("{error}"));
        let waker = Waker::new(&poll, WAKER).unwrap_or_else(|error| unreachable!("{error}"));
        let mut resolver = Resolver::by(Arc::new(waker), look_up);
        let mut refused = Vec::new();
        // The threads take some of them and never come back.
        for serial in 0..(MAX_WAITING + THREADS + 10) as u32 {
            resolver.resolve(ConnId::new(serial, 0), "slow".to_owned(), 1);
            while let Some((id, result)) = resolver.next_resolved() {
                assert_eq!(result.map_err(|error| error.kind()), Err(ErrorKind::ResourceBusy));
                refused.push(id.serial() as usize);
            }
        }
        assert!(resolver.shared.lock().waiting.len() <= MAX_WAITING);
        assert!(refused.len() >= 10 && refused.iter().all(|it| *it >= MAX_WAITING), "{refused:?}");
    }
}
