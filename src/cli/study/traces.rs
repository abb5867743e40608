//! Who may see what: the pages' traces, and which sessions belong to each.
//!
//! This file knows tokens and seats. A session belongs to the trace whose token stands in its request, and to no
//! other; nothing here looks one up by anything else. It refuses to know what is shown.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::SocketAddr,
    time::Instant,
};

use wirehook::{ConnId, Handle};

use super::window::Window;

/// How many pages may be open at once. A person has one or two.
const MAX_TRACES: usize = 64;
/// How many connections may belong to one page at once, those that are being refused or closed included.
const MAX_SESSIONS: usize = 16;

/// All traces that are open.
pub(super) struct Traces {
    tokens: Tokens,
    by_token: HashMap<String, Trace>,
    handle: Handle,
    /// Bytes that a page may leave unseen.
    room: usize,
}

/// What one page sees.
struct Trace {
    page: ConnId,
    began: Instant,
    sessions: Vec<Session>,
    last_number: u32,
    window: Window,
}

struct Session {
    id: ConnId,
    peer: SocketAddr,
    /// What the page calls it: 1 is its first. The server's own numbers would tell a page of other pages.
    number: u32,
}

/// Whether a connection belongs to a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    Taken,
    /// The trace has no room for it.
    None,
    NoTrace,
}

impl Traces {
    pub(super) fn new(handle: Handle, max_backpressure: usize) -> Self {
        Self {
            tokens: Tokens::default(),
            by_token: HashMap::new(),
            handle,
            // Under the limit, nothing that a page is told is ever dropped on its way.
            room: max_backpressure / 2,
        }
    }

    /// A token that was never given before.
    pub(super) fn token(&mut self) -> String {
        self.tokens.next()
    }

    pub(super) fn are_full(&self) -> bool {
        self.by_token.len() >= MAX_TRACES
    }

    /// Opens the trace of a page.
    pub(super) fn open(&mut self, page: ConnId) -> String {
        let token = self.token();
        let trace = Trace {
            page,
            began: Instant::now(),
            sessions: Vec::new(),
            last_number: 0,
            window: Window::new(self.room),
        };
        self.by_token.insert(token.clone(), trace);
        token
    }

    /// Ends a trace, and returns whose sessions nobody sees any more.
    pub(super) fn close(&mut self, token: &str) -> Vec<ConnId> {
        let trace = self.by_token.remove(token);
        trace.map(|it| it.sessions.iter().map(|session| session.id).collect()).unwrap_or_default()
    }

    /// Has a connection belong to a trace; whether it does.
    pub(super) fn admit(&mut self, token: &str, id: ConnId, peer: SocketAddr) -> bool {
        let Some(trace) = self.by_token.get_mut(token).filter(|it| it.sessions.len() < MAX_SESSIONS) else {
            return false;
        };
        trace.last_number += 1;
        trace.sessions.push(Session { id, peer, number: trace.last_number });
        true
    }

    /// Whether the connection from this address, of which a moment ago a request came, belongs to a trace.
    pub(super) fn seat_of(&self, token: &str, peer: SocketAddr) -> Seat {
        match self.by_token.get(token) {
            None => Seat::NoTrace,
            Some(trace) if trace.sessions.iter().any(|it| it.peer == peer) => Seat::Taken,
            Some(_) => Seat::None,
        }
    }

    /// The session that the page calls by this number.
    pub(super) fn session(&self, token: &str, number: u32) -> Option<ConnId> {
        self.by_token.get(token)?.sessions.iter().find(|it| it.number == number).map(|it| it.id)
    }

    /// A connection of the trace has ended: the page is told, and there is room for another.
    pub(super) fn leave(&mut self, token: &str, id: ConnId) {
        self.tell(token, id, || r#"{"kind":"gone"}"#.to_owned());
        if let Some(trace) = self.by_token.get_mut(token) {
            trace.sessions.retain(|it| it.id != id);
        }
    }

    /// Tells the page of this trace what one of its sessions has said: a JSON object, which gets its number, the
    /// time and the session's number. If the page is too slow for it, it is only counted.
    pub(super) fn tell(&mut self, token: &str, id: ConnId, step: impl FnOnce() -> String) {
        let Some(trace) = self.by_token.get_mut(token) else { return };
        let Some(number) = trace.sessions.iter().find(|it| it.id == id).map(|it| it.number) else { return };
        if !trace.window.has_room() {
            trace.window.miss(1);
            return;
        }
        trace.tell_missed(&self.handle);
        let (step, time) = (step(), trace.began.elapsed().as_secs_f64());
        let members = step.strip_prefix('{').unwrap_or(&step);
        trace.send(&self.handle, &format!(r#""time":{time:.6},"connection":{number},{members}"#));
    }

    /// Whether the page of this trace can be told something.
    pub(super) fn has_room(&self, token: &str) -> bool {
        self.by_token.get(token).is_some_and(|trace| trace.window.has_room())
    }

    /// Notes that so many steps are not told to the page of this trace.
    pub(super) fn miss(&mut self, token: &str, count: u64) {
        if let Some(trace) = self.by_token.get_mut(token) {
            trace.window.miss(count);
        }
    }

    /// The page says that it has seen everything up to this number.
    pub(super) fn seen(&mut self, token: &str, number: u64) {
        if let Some(trace) = self.by_token.get_mut(token) {
            trace.window.seen(number);
            trace.tell_missed(&self.handle);
        }
    }
}

impl Trace {
    /// Tells the page how much it was not told, once it can take something again.
    fn tell_missed(&mut self, handle: &Handle) {
        if let Some(count) = self.window.take_missed() {
            self.send(handle, &format!(r#""kind":"missed","count":{count}}}"#));
        }
    }

    fn send(&mut self, handle: &Handle, members: &str) {
        let message = format!(r#"{{"n":{},{members}"#, self.window.next_number());
        match handle.send(self.page, &message) {
            Ok(()) => self.window.add(message.len()),
            Err(_) => self.window.miss(1),
        }
    }
}

/// Makes names that nobody can guess, without a dependency for it.
///
/// `RandomState` takes its 128-bit key from the operating system's random source, and hashes with SipHash, which is
/// made to be unpredictable to whoever does not know the key, also when other values of it are known. Two of them give
/// 128 bits. The standard library does not promise that it stays so; what these tokens keep apart is what pages of
/// one machine have echoed, and for that it suffices.
#[derive(Default)]
struct Tokens {
    keys: [RandomState; 2],
    given: u64,
}

impl Tokens {
    fn next(&mut self) -> String {
        self.given += 1;
        let [left, right] = self.keys.each_ref().map(|key| key.hash_one(self.given));
        format!("{left:016x}{right:016x}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn tokens_are_long_and_all_different() {
        let (mut tokens, mut others) = (Tokens::default(), Tokens::default());
        let given: HashSet<String> = (0..1000).flat_map(|_| [tokens.next(), others.next()]).collect();
        assert_eq!(given.len(), 2000);
        assert!(given.iter().all(|it| it.len() == 32 && it.bytes().all(|byte| byte.is_ascii_hexdigit())));
        // Both halves are used.
        assert!(given.iter().all(|it| it[..16] != it[16..]));
    }
}
