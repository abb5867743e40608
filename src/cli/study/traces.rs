//! The pages' traces, and which sessions belong to each.
//!
//! This file knows tokens and membership. A session belongs to the trace whose token its request contains;
//! there is no other way to look one up. It does not know what is shown.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    time::Instant,
};

use wirehook::{ConnId, Handle, PeerAddr};

use super::{Role, window::Window};

/// How many pages may be open at once; a user has one or two.
const MAX_TRACES: usize = 64;
/// How many connections may belong to one page at once, including those being refused or closed.
const MAX_SESSIONS: usize = 16;

/// All traces that are open.
pub(super) struct Traces {
    tokens: Tokens,
    by_token: HashMap<String, Trace>,
    handle: Handle<Role>,
    /// Bytes that a page may leave unseen.
    room: usize,
}

/// One page, and what it sees.
struct Trace {
    page: ConnId,
    began: Instant,
    sessions: Vec<TracedSession>,
    last_number: u32,
    window: Window,
}

struct TracedSession {
    id: ConnId,
    peer: PeerAddr,
    /// The page's number for it, from 1. The server's own numbers would reveal other pages.
    number: u32,
}

/// Whether a connection belongs to a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Membership {
    Taken,
    /// The trace is full.
    None,
    NoTrace,
}

impl Traces {
    pub(super) fn new(handle: Handle<Role>, max_backpressure: usize) -> Self {
        Self {
            tokens: Tokens::default(),
            by_token: HashMap::new(),
            handle,
            // Below this limit, no message to a page is ever dropped.
            room: max_backpressure / 2,
        }
    }

    /// Returns a new token.
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

    /// Ends a trace, and returns its sessions, which no page sees any more.
    pub(super) fn close(&mut self, token: &str) -> Vec<ConnId> {
        let trace = self.by_token.remove(token);
        trace.map(|it| it.sessions.iter().map(|session| session.id).collect()).unwrap_or_default()
    }

    /// Adds a connection to a trace; returns whether there is room.
    pub(super) fn admit(&mut self, token: &str, id: ConnId, peer: PeerAddr) -> bool {
        let Some(trace) = self.by_token.get_mut(token).filter(|it| it.sessions.len() < MAX_SESSIONS) else {
            return false;
        };
        trace.last_number += 1;
        trace.sessions.push(TracedSession { id, peer, number: trace.last_number });
        true
    }

    /// Returns whether the connection from this address, whose request has just arrived, belongs to a trace.
    pub(super) fn membership_of(&self, token: &str, peer: PeerAddr) -> Membership {
        match self.by_token.get(token) {
            None => Membership::NoTrace,
            Some(trace) if trace.sessions.iter().any(|it| it.peer == peer) => Membership::Taken,
            Some(_) => Membership::None,
        }
    }

    /// Returns the session that has this number on the page.
    pub(super) fn session(&self, token: &str, number: u32) -> Option<ConnId> {
        self.by_token.get(token)?.sessions.iter().find(|it| it.number == number).map(|it| it.id)
    }

    /// Removes a connection that has ended, and reports its end to the page.
    pub(super) fn remove(&mut self, token: &str, id: ConnId) {
        self.send_step(token, id, || r#"{"kind":"gone"}"#.to_owned());
        if let Some(trace) = self.by_token.get_mut(token) {
            trace.sessions.retain(|it| it.id != id);
        }
    }

    /// Sends the page a step of one of its sessions: a JSON object, to which the message's number, the time
    /// and the session's number are added. If the page is too slow, the step is only counted.
    pub(super) fn send_step(&mut self, token: &str, id: ConnId, step: impl FnOnce() -> String) {
        let Some(trace) = self.by_token.get_mut(token) else { return };
        let Some(number) = trace.sessions.iter().find(|it| it.id == id).map(|it| it.number) else { return };
        if !trace.window.has_room() {
            trace.window.miss(1);
            return;
        }
        trace.report_missed(&self.handle);
        let (step, time) = (step(), trace.began.elapsed().as_secs_f64());
        let members = step.strip_prefix('{').unwrap_or(&step);
        trace.send(&self.handle, &format!(r#""time":{time:.6},"connection":{number},{members}"#));
    }

    /// Returns whether the page of this trace has room for another message.
    pub(super) fn has_room(&self, token: &str) -> bool {
        self.by_token.get(token).is_some_and(|trace| trace.window.has_room())
    }

    /// Counts steps that are not sent to the page.
    pub(super) fn miss(&mut self, token: &str, count: u64) {
        if let Some(trace) = self.by_token.get_mut(token) {
            trace.window.miss(count);
        }
    }

    /// Acknowledges all messages up to this number.
    pub(super) fn seen(&mut self, token: &str, number: u64) {
        if let Some(trace) = self.by_token.get_mut(token) {
            trace.window.seen(number);
            trace.report_missed(&self.handle);
        }
    }
}

impl Trace {
    /// Reports the number of missed steps to the page, once it has room.
    fn report_missed(&mut self, handle: &Handle<Role>) {
        if let Some(count) = self.window.take_missed() {
            self.send(handle, &format!(r#""kind":"missed","count":{count}}}"#));
        }
    }

    fn send(&mut self, handle: &Handle<Role>, members: &str) {
        let message = format!(r#"{{"n":{},{members}"#, self.window.next_number());
        match handle.send(self.page, &message) {
            Ok(()) => self.window.add(message.len()),
            Err(_) => self.window.miss(1),
        }
    }
}

/// Makes unpredictable tokens, without a dependency for it.
///
/// `RandomState` takes its 128-bit key from the operating system's random source, and hashes with SipHash.
/// Its output is unpredictable without the key, even if other outputs are known. Two outputs give 128 bits.
/// The standard library does not guarantee this for the future. The tokens separate only what pages of one
/// machine have echoed, so this suffices.
#[derive(Default)]
struct Tokens {
    keys: [RandomState; 2],
    issued: u64,
}

impl Tokens {
    fn next(&mut self) -> String {
        self.issued += 1;
        let [left, right] = self.keys.each_ref().map(|key| key.hash_one(self.issued));
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
        let issued: HashSet<String> = (0..1000).flat_map(|_| [tokens.next(), others.next()]).collect();
        assert_eq!(issued.len(), 2000);
        assert!(issued.iter().all(|it| it.len() == 32 && it.bytes().all(|byte| byte.is_ascii_hexdigit())));
        // Both halves are used.
        assert!(issued.iter().all(|it| it[..16] != it[16..]));
    }
}
