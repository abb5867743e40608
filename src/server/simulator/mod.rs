//! The loop without a network: its streams follow a script, its clock is set, nothing sleeps.
//!
//! The tests of the loop, the fuzz target `server` and [`testing`](crate::testing) share it. This file runs
//! turns of a loop, and acts for its clients. It does not know the hooks.
//!
//! - `client_queue.rs`: the listener, whose accepts can fail.
//! - `dialed.rs`: the servers that the loop connects to.
//! - `server.rs`: a simulation of a server that a user has set up.
//!
//! The rest is for the tests of the loop and for the fuzz target:
//!
//! - `world.rs`: a simulation whose hooks are recorded, and the invariants after every scenario.
//! - `recorder.rs`: the hooks of a world.
//! - `traffic.rs`: the observer of a world.
//! - `figures.rs`: compares the figures of a server with what clients and hooks did.
//! - `frames.rs`: frames as bytes, by hand; other test crates use this file too.
//! - `literals.rs`: the bytes of clients and the server in most tests.
//! - `fuzz.rs`: one client that follows a script of bytes, which the fuzz target `server` writes.

// Neither the fuzz target nor `testing` needs all of it.
#![cfg_attr(not(test), allow(dead_code, unused_imports))]

mod client_queue;
mod dialed;
#[cfg(any(test, fuzzing))]
mod figures;
#[cfg(any(test, fuzzing))]
mod frames;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
#[cfg(any(test, fuzzing))]
mod literals;
#[cfg(any(test, fuzzing))]
mod recorder;
mod server;
#[cfg(any(test, fuzzing))]
mod traffic;
#[cfg(any(test, fuzzing))]
mod world;

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

pub(crate) use client_queue::ClientQueue;
pub(crate) use dialed::Dialed;
#[cfg(any(test, fuzzing))]
pub(crate) use {
    frames::{header, server_frame},
    literals::{ANSWER, REQUEST, SERVERS_ANSWER, frame, is_close, server_text},
    recorder::{PanicsWhenDropped, Record, Recorder},
    traffic::{Traffic, TrafficObserver},
    world::World,
};

use super::{
    Handle,
    event_loop::{EventLoop, LISTENER, METRICS, WAKER},
};
use crate::{
    Config, Handler,
    hub::{LoopTime, Task, Timers},
    transport::{Poll, Ready, Script, Token, Waker},
};

/// The default address of a client.
pub(crate) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// A loop that runs this many turns without a wait spins.
const MAX_TURNS: usize = 1000;

/// A loop without a network.
pub(crate) struct Simulation<H: Handler> {
    pub(super) event_loop: EventLoop<H, ClientQueue>,
    /// Clients that wait to be accepted.
    pub(crate) queue: ClientQueue,
    /// Clients that wait to be accepted by the metrics listener.
    pub(crate) metrics_queue: ClientQueue,
    /// The servers that the loop has connected to.
    pub(crate) dialed: Dialed,
    pub(crate) handle: Handle<H::State>,
    /// The time, in milliseconds.
    pub(crate) now: u64,
    /// The clients whose connection the server may still have.
    pub(crate) clients: Vec<Client>,
}

/// A client of the simulation: its end of the stream.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) script: Script,
}

impl Client {
    /// Returns an event of the poll for this client's socket.
    pub(crate) fn ready(&self, readable: bool, writable: bool, hang_up: bool) -> Ready {
        // The server has no socket that it never registered; no event has this token.
        let token = self.script.token().unwrap_or(Token(usize::MAX / 2));
        Ready { token, readable, writable, hang_up }
    }
}

impl<H: Handler> Simulation<H> {
    pub(crate) fn new(config: Config, handler: H, timers: Timers<Task<H::State>>) -> Self {
        let poll = Poll::new().unwrap();
        let handle = Handle::new(Waker::new(&poll, WAKER).unwrap());
        Self::with(poll, handle, config, handler, timers)
    }

    /// Returns a simulation for a handle that exists already.
    fn with(
        poll: Poll,
        handle: Handle<H::State>,
        config: Config,
        handler: H,
        timers: Timers<Task<H::State>>,
    ) -> Self {
        let queue = ClientQueue::default();
        let metrics_queue = queue.with_same_descriptors();
        let (listener, metrics_listener) = (Some(queue.clone()), Some(metrics_queue.clone()));
        let event_loop =
            EventLoop::new(poll, listener, metrics_listener, handle.clone(), config, handler, timers)
                .unwrap();
        let dialed = Dialed::default();
        let event_loop = event_loop.in_network(dialed.clone(), dialed::look_up);
        Self { event_loop, queue, metrics_queue, dialed, handle, now: 0, clients: Vec::new() }
    }

    // --- Turns and time --------------------------------------------------------------------------------

    pub(crate) fn turn(&mut self, ready: &[Ready]) {
        let now = LoopTime(self.now);
        self.event_loop.turn(now, || now, ready.iter().copied());
    }

    /// Whether the server has shut down: its `run` would have returned.
    pub(crate) fn is_over(&self) -> bool {
        self.event_loop.is_over()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.event_loop.poll_timeout(LoopTime(self.now))
    }

    /// Runs turns until the loop would wait.
    pub(crate) fn settle(&mut self) {
        for _ in 0..MAX_TURNS {
            if self.poll_timeout() != Some(Duration::ZERO) || self.event_loop.is_over() {
                return;
            }
            self.turn(&[]);
        }
        panic!("the loop spins");
    }

    /// Moves the clock, and runs all due work.
    pub(crate) fn advance(&mut self, millis: u64) {
        self.now += millis;
        self.turn(&[]);
        self.settle();
    }

    /// Runs the commands that handles have sent.
    pub(crate) fn wake(&mut self) {
        self.turn(&[readable(WAKER)]);
        self.settle();
    }

    // --- Clients ---------------------------------------------------------------------------------------

    /// Connects a client that has sent nothing yet.
    pub(crate) fn connect(&mut self) -> Client {
        self.connect_from(ADDRESS)
    }

    pub(crate) fn connect_from(&mut self, address: IpAddr) -> Client {
        self.connect_with(Script::default(), address)
    }

    pub(crate) fn connect_with(&mut self, script: Script, address: IpAddr) -> Client {
        self.accept(&script, address);
        self.client(script)
    }

    /// Has a client wait to be accepted, and the loop accept it if it accepts any.
    pub(crate) fn accept(&mut self, script: &Script, address: IpAddr) {
        self.queue.push(script, address);
        self.turn(&[readable(LISTENER)]);
        self.settle();
    }

    /// Adds a client that the loop has accepted, or refused.
    pub(crate) fn client(&mut self, script: Script) -> Client {
        self.clients.retain(|it| !it.script.is_dropped());
        assert!(script.is_dropped() || script.token().is_some(), "a client that was not dropped has a slot");
        let client = Client { script };
        self.clients.push(client.clone());
        client
    }

    /// Reports the client's socket as ready.
    fn report(&mut self, client: &Client, readable: bool, writable: bool, hang_up: bool) {
        self.turn(&[client.ready(readable, writable, hang_up)]);
        self.settle();
    }

    pub(crate) fn readable(&mut self, client: &Client) {
        self.report(client, true, false, false);
    }

    pub(crate) fn writable(&mut self, client: &Client) {
        self.report(client, false, true, false);
    }

    pub(crate) fn readable_and_writable(&mut self, client: &Client) {
        self.report(client, true, true, false);
    }

    pub(crate) fn hang_up(&mut self, client: &Client) {
        self.report(client, true, true, true);
    }

    /// Sends bytes of the client, which arrive at once.
    pub(crate) fn send(&mut self, client: &Client, bytes: &[u8]) {
        client.script.will_read(bytes);
        self.readable(client);
    }

    /// Closes the client's side.
    pub(crate) fn half_close(&mut self, client: &Client) {
        client.script.will_read(b"");
        self.hang_up(client);
    }

    /// Reads `len` bytes for the client. Returns all bytes since the last call.
    pub(crate) fn read(&mut self, client: &Client, len: usize) -> Vec<u8> {
        client.script.will_take(len);
        self.writable(client);
        client.script.take_written()
    }

    /// Reads all bytes for the client, whose socket is not full any more. Returns all bytes since the last
    /// call.
    pub(crate) fn read_all(&mut self, client: &Client) -> Vec<u8> {
        client.script.set_full(false);
        self.writable(client);
        client.script.take_written()
    }

    pub(crate) fn reset(&mut self, client: &Client) {
        client.script.reset();
        self.hang_up(client);
    }

    /// Asks for a page of the metrics listener, and leaves. Returns the head and the body.
    pub(crate) fn scrape(&mut self, path: &str) -> String {
        let script = Script::default();
        self.metrics_queue.push(&script, ADDRESS);
        self.turn(&[readable(METRICS)]);
        let scraper = self.client(script);
        self.send(&scraper, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        let page = scraper.script.take_written();
        self.half_close(&scraper);
        assert!(scraper.script.is_dropped(), "a scraper's socket is kept");
        String::from_utf8(page).unwrap()
    }
}

/// Returns the poll's event that `token` can be read.
pub(crate) const fn readable(token: Token) -> Ready {
    Ready { token, readable: true, writable: false, hang_up: false }
}
