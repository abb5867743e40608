//! The loop under faults that sockets can't be made to have on demand: short writes at every point, errors at
//! every call, a clock that stands, jumps and creeps. Streams follow a script, time is handed in, nothing sleeps.
//!
//! This file knows the world that the tests turn: a loop without a network, its clients, its hooks, and what must
//! hold after every scenario ([`World::finish`]). It refuses to know what is tested; that stands by subject:
//!
//! - `io.rs`: writes, reads and registrations that fail or do half of what they should.
//! - `accepting.rs`: accepts that fail, storms of clients, caps.
//! - `time.rs`: every deadline, one millisecond before and at it.
//! - `pressure.rs`: slow peers, and what is held for them.
//! - `turns.rs`: what one turn does at most.
//! - `memory.rs`: what peers can make the server hold.
//! - `hooks.rs`: hooks and tasks that panic, timers, handles, draining.
//! - `stages.rs`: every way to send, to a connection in every stage.
//! - `endings.rs`: every way to end, and what `on_close` is told of it.
//! - `again.rs`: what happens for the second time.
//! - `several.rs`: what one connection causes for others, and several of which the first one is bad.
//! - `figures.rs`: the figures agree with what was done, at the end of every scenario; the metrics listener.
//! - `observing.rs`: what an observer is told.
//! - `logs.rs`: what a log says.
//! - `random.rs`: everything at once, by fixed seeds.
//! - `wire.rs`: what the RFC asks for, from a client's bytes to the end of TCP.
//! - `fuzz.rs`: one client by a script of bytes, which the fuzz target `server` writes.

// The fuzz target needs this world, and not all of it.
#![cfg_attr(not(test), allow(dead_code, unused_imports))]

#[cfg(test)]
mod accepting;
#[cfg(test)]
mod again;
#[cfg(test)]
mod endings;
mod figures;
pub(crate) mod fuzz;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod io;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod memory;
mod observing;
#[cfg(test)]
mod pressure;
#[cfg(test)]
mod random;
#[cfg(test)]
mod several;
#[cfg(test)]
mod stages;
#[cfg(test)]
mod time;
#[cfg(test)]
mod turns;
#[cfg(test)]
mod wire;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, VecDeque},
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    panic::panic_any,
    rc::Rc,
    time::Duration,
};

use super::{
    Handle,
    event_loop::{EventLoop, LISTENER, METRICS, WAKER},
};
use crate::{
    Cause, CloseCode, Closed, Config, ConnId, Handler, Message, Observer, Stats, Upgrade, WebSocket,
    hub::{LoopTime, ObserverSlot, Timers},
    protocol::Request,
    transport::{Listener, Poll, Ready, Script, Stream, Token, Waker},
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// What an accept fails with when no file descriptor is free.
const EMFILE: i32 = 24;
/// The place of a client that was dropped before it had one.
const NOWHERE: usize = usize::MAX - 99;

// --- Who watches -------------------------------------------------------------------------------------------

/// What the observer of every world is told, in sums.
#[derive(Clone, Default)]
struct Told(Rc<RefCell<Sums>>);

#[derive(Default)]
struct Sums {
    received: u64,
    sent: u64,
    connected: BTreeSet<ConnId>,
    disconnected: BTreeSet<ConnId>,
    outputs: BTreeMap<ConnId, figures::Output>,
}

impl Observer for Told {
    fn connected(&mut self, id: ConnId, _: SocketAddr) {
        assert!(self.0.borrow_mut().connected.insert(id));
    }

    fn received(&mut self, _: ConnId, bytes: &[u8]) {
        self.0.borrow_mut().received += bytes.len() as u64;
    }

    fn sent(&mut self, id: ConnId, bytes: &[u8]) {
        let mut sums = self.0.borrow_mut();
        sums.sent += bytes.len() as u64;
        sums.outputs.entry(id).or_default().add(bytes);
    }

    fn disconnected(&mut self, id: ConnId) {
        assert!(self.0.borrow_mut().disconnected.insert(id));
    }
}

// --- What comes in -----------------------------------------------------------------------------------------

/// Clients that wait to be accepted, and accepts that fail.
#[derive(Clone, Default)]
struct Queue(Rc<PendingClients>);

#[derive(Default)]
struct PendingClients {
    clients: RefCell<VecDeque<Result<(Script, IpAddr), ErrorKind>>>,
    /// While this is set every accept fails with it.
    failure: Cell<Option<ErrorKind>>,
    calls: Cell<usize>,
    /// All clients that were accepted.
    accepted: RefCell<Vec<Script>>,
    descriptors: Rc<Descriptors>,
}

/// The file descriptors that a world has for its clients and for what is held in reserve.
#[derive(Default)]
struct Descriptors {
    most: Cell<Option<usize>>,
    clients: RefCell<Vec<Script>>,
    spares: Cell<usize>,
}

/// One of them that is held in reserve.
struct Spare(Rc<Descriptors>);

impl Drop for Spare {
    fn drop(&mut self) {
        self.0.spares.set(self.0.spares.get() - 1);
    }
}

impl Descriptors {
    fn in_use(&self) -> usize {
        let mut clients = self.clients.borrow_mut();
        clients.retain(|it| !it.is_dropped());
        clients.len() + self.spares.get()
    }

    fn is_one_free(&self) -> bool {
        self.most.get().is_none_or(|most| self.in_use() < most)
    }
}

impl Queue {
    fn push(&self, client: &Script, address: IpAddr) {
        self.0.clients.borrow_mut().push_back(Ok((client.servers_end(), address)));
    }

    fn push_failure(&self, error: ErrorKind) {
        self.0.clients.borrow_mut().push_back(Err(error));
    }

    fn len(&self) -> usize {
        self.0.clients.borrow().len()
    }
}

impl Listener for Queue {
    type Spare = Spare;

    fn spare(&self) -> Option<Spare> {
        let descriptors = &self.0.descriptors;
        descriptors.is_one_free().then(|| {
            descriptors.spares.set(descriptors.spares.get() + 1);
            Spare(Rc::clone(descriptors))
        })
    }

    fn accept(&self) -> std::io::Result<(Stream, SocketAddr)> {
        self.0.calls.set(self.0.calls.get() + 1);
        if let Some(error) = self.0.failure.get() {
            return Err(error.into());
        }
        // As on Linux, whether or not there is somebody to accept.
        if !self.0.descriptors.is_one_free() {
            return Err(std::io::Error::from_raw_os_error(EMFILE));
        }
        let next = self.0.clients.borrow_mut().pop_front().unwrap_or(Err(ErrorKind::WouldBlock));
        let (script, address) = next?;
        self.0.accepted.borrow_mut().push(script.clone());
        self.0.descriptors.clients.borrow_mut().push(script.clone());
        Ok((Stream::Script(script), SocketAddr::new(address, 5)))
    }
}

// --- What the hooks do -------------------------------------------------------------------------------------

type Action = Box<dyn FnMut(&mut WebSocket<'_>, Message<'_>)>;
type HookAction = Box<dyn FnMut(&mut WebSocket<'_>)>;

/// Echoes, or does what a test says, and writes down what its hooks were told.
#[derive(Clone, Default)]
struct Recorder(Rc<Notes>);

#[derive(Default)]
struct Notes {
    opened: RefCell<Vec<ConnId>>,
    closed: RefCell<Vec<(ConnId, CloseCode, Cause, bool)>>,
    /// The reasons of those who were closed.
    reasons: RefCell<Vec<String>>,
    messages: RefCell<Vec<Vec<u8>>>,
    drained: Cell<usize>,
    pings: Cell<usize>,
    stats: Cell<Stats>,
    /// What `on_open` sends.
    greeting: RefCell<Vec<u8>>,
    /// What `on_message` does instead of an echo.
    action: RefCell<Option<Action>>,
    /// What `on_drain` does.
    on_drain: RefCell<Option<HookAction>>,
    /// What `on_close` does.
    on_close: RefCell<Option<HookAction>>,
    /// The hook that panics when it is called next.
    panics_in: Cell<Option<&'static str>>,
}

/// What hooks panic with: it panics once more when it is dropped.
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("what {} has panicked with panics", self.0);
    }
}

impl Recorder {
    fn enter(&self, hook: &'static str) {
        if self.0.panics_in.get() == Some(hook) {
            self.0.panics_in.set(None);
            panic_any(Bomb(hook));
        }
    }
}

impl Handler for Recorder {
    type State = ();

    fn on_upgrade(&mut self, _: &Request<'_>, _: SocketAddr) -> Upgrade {
        self.enter("on_upgrade");
        Upgrade::accept()
    }

    fn on_open(&mut self, ws: &mut WebSocket<'_>, _: &Request<'_>) {
        self.0.opened.borrow_mut().push(ws.id());
        let greeting = self.0.greeting.borrow();
        if !greeting.is_empty() {
            ws.send(&*greeting);
        }
        self.enter("on_open");
    }

    fn on_message(&mut self, ws: &mut WebSocket<'_>, message: Message<'_>) {
        self.0.messages.borrow_mut().push(message.as_bytes().to_vec());
        self.enter("on_message");
        match &mut *self.0.action.borrow_mut() {
            Some(action) => action(ws, message),
            None => drop(ws.send(message)),
        }
    }

    fn on_ping(&mut self, _: &mut WebSocket<'_>, _: &[u8]) {
        self.0.pings.set(self.0.pings.get() + 1);
        self.enter("on_ping");
    }

    /// An unasked pong is how a test asks for figures, for it is not answered.
    fn on_pong(&mut self, ws: &mut WebSocket<'_>, _: &[u8]) {
        self.0.stats.set(ws.all().stats());
        self.enter("on_pong");
    }

    fn on_drain(&mut self, ws: &mut WebSocket<'_>) {
        self.0.drained.set(self.0.drained.get() + 1);
        if let Some(deed) = &mut *self.0.on_drain.borrow_mut() {
            deed(ws);
        }
        self.enter("on_drain");
    }

    fn on_close(&mut self, ws: &mut WebSocket<'_>, close: &Closed<'_>) {
        self.0.closed.borrow_mut().push((ws.id(), close.code, close.cause, close.clean));
        self.0.reasons.borrow_mut().push(close.reason.to_owned());
        if let Some(deed) = &mut *self.0.on_close.borrow_mut() {
            deed(ws);
        }
        self.enter("on_close");
    }
}

// --- The world ---------------------------------------------------------------------------------------------

/// A loop without a network.
struct World {
    event_loop: EventLoop<Recorder, Queue>,
    queue: Queue,
    /// Those who wait to be let in at the metrics listener.
    metrics: Queue,
    recorder: Recorder,
    observer: Told,
    handle: Handle,
    now: u64,
    /// All that may not have left yet.
    clients: Vec<Client>,
}

/// A client, with the place that it has in the loop.
#[derive(Clone)]
struct Client {
    script: Script,
    index: usize,
}

impl World {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        let poll = Poll::new().unwrap();
        let handle = Handle::new(Waker::new(&poll, WAKER).unwrap());
        let (queue, recorder) = (Queue::default(), Recorder::default());
        let descriptors = Rc::clone(&queue.0.descriptors);
        let metrics = Queue(Rc::new(PendingClients { descriptors, ..PendingClients::default() }));
        let (listener, handler, timers) = (queue.clone(), recorder.clone(), Timers::default());
        let observer = Told::default();
        let metrics_listener = Some(metrics.clone());
        let event_loop =
            EventLoop::new(poll, listener, metrics_listener, handle.clone(), config, handler, timers)
                .unwrap()
                .observed_by(ObserverSlot::by(observer.clone()));
        Self { event_loop, queue, metrics, recorder, observer, handle, now: 0, clients: Vec::new() }
    }

    // --- Turns and time --------------------------------------------------------------------------------

    fn turn(&mut self, ready: &[Ready]) {
        let now = LoopTime(self.now);
        self.event_loop.turn(now, || now, ready.iter().copied());
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.event_loop.poll_timeout(LoopTime(self.now))
    }

    /// Turns until nothing is left to do at once.
    fn settle(&mut self) {
        for _ in 0..1000 {
            if self.poll_timeout() != Some(Duration::ZERO) || self.event_loop.is_over() {
                return;
            }
            self.turn(&[]);
        }
        panic!("the loop spins");
    }

    /// Lets time pass, and has the loop look at it.
    fn pass(&mut self, millis: u64) {
        self.now += millis;
        self.turn(&[]);
        self.settle();
    }

    /// Has the loop do what handles have asked for.
    fn wake(&mut self) {
        self.turn(&[ready(WAKER.0, true, false, false)]);
        self.settle();
    }

    // --- Clients ---------------------------------------------------------------------------------------

    /// A client that connects and has said nothing yet.
    fn connect(&mut self) -> Client {
        self.connect_from(ADDRESS)
    }

    fn connect_from(&mut self, address: IpAddr) -> Client {
        self.connect_with(Script::default(), address)
    }

    fn connect_with(&mut self, script: Script, address: IpAddr) -> Client {
        self.queue.push(&script, address);
        self.turn(&[ready(LISTENER.0, true, false, false)]);
        self.settle();
        self.find(script)
    }

    /// Finds out which place a new client has: the one whose event makes the loop read from it.
    fn find(&mut self, script: Script) -> Client {
        self.clients.retain(|it| !it.script.is_dropped());
        let mut index = NOWHERE;
        if !script.is_dropped() {
            let calls = script.read_calls();
            let mut taken: Vec<usize> = self.clients.iter().map(|it| it.index).collect();
            taken.sort_unstable();
            index = (0..)
                .find(|it| {
                    if taken.binary_search(it).is_err() {
                        self.turn(&[ready(*it, true, false, false)]);
                    }
                    script.read_calls() > calls || *it > taken.len() + 1000
                })
                .unwrap();
            assert!(script.read_calls() > calls, "a client that was not dropped has a place");
        }
        let client = Client { script, index };
        self.clients.push(client.clone());
        client
    }

    /// A client whose connection is open.
    fn open(&mut self) -> Client {
        let client = self.connect();
        self.sends(&client, REQUEST);
        assert!(client.script.take_written().starts_with(ANSWER));
        client
    }

    fn readable(&mut self, client: &Client) {
        self.turn(&[ready(client.index, true, false, false)]);
        self.settle();
    }

    fn writable(&mut self, client: &Client) {
        self.turn(&[ready(client.index, false, true, false)]);
        self.settle();
    }

    fn both(&mut self, client: &Client) {
        self.turn(&[ready(client.index, true, true, false)]);
        self.settle();
    }

    fn hang_up(&mut self, client: &Client) {
        self.turn(&[ready(client.index, true, true, true)]);
        self.settle();
    }

    /// The client sends bytes, which arrive at once.
    fn sends(&mut self, client: &Client, bytes: &[u8]) {
        client.script.will_read(bytes);
        self.readable(client);
    }

    /// The client closes its side.
    fn half_closes(&mut self, client: &Client) {
        client.script.will_read(b"");
        self.hang_up(client);
    }

    /// The client's socket has room again, for so many bytes.
    fn takes(&mut self, client: &Client, len: usize) -> Vec<u8> {
        client.script.will_take(len);
        self.writable(client);
        client.script.take_written()
    }

    /// The client's socket has room again.
    fn takes_all(&mut self, client: &Client) -> Vec<u8> {
        client.script.set_full(false);
        self.writable(client);
        client.script.take_written()
    }

    fn resets(&mut self, client: &Client) {
        client.script.reset();
        self.hang_up(client);
    }

    /// Asks for a page at the metrics listener, and leaves. What it says, head and body.
    fn scrape(&mut self, path: &str) -> String {
        let script = Script::default();
        self.metrics.push(&script, ADDRESS);
        self.turn(&[ready(METRICS.0, true, false, false)]);
        let scraper = self.find(script);
        self.sends(&scraper, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        let page = scraper.script.take_written();
        self.half_closes(&scraper);
        assert!(scraper.script.is_dropped(), "a scraper's socket is kept");
        String::from_utf8(page).unwrap()
    }

    // --- What came of it -------------------------------------------------------------------------------

    fn on_message(&self, action: impl FnMut(&mut WebSocket<'_>, Message<'_>) + 'static) {
        *self.recorder.0.action.borrow_mut() = Some(Box::new(action));
    }

    fn on_drain(&self, deed: impl FnMut(&mut WebSocket<'_>) + 'static) {
        *self.recorder.0.on_drain.borrow_mut() = Some(Box::new(deed));
    }

    fn on_close(&self, deed: impl FnMut(&mut WebSocket<'_>) + 'static) {
        *self.recorder.0.on_close.borrow_mut() = Some(Box::new(deed));
    }

    /// The connection that was accepted last.
    fn last_id(&self) -> ConnId {
        *self.observer.0.borrow().connected.last().unwrap()
    }

    fn endings(&self) -> Vec<(CloseCode, Cause, bool)> {
        self.recorder
            .0
            .closed
            .borrow()
            .iter()
            .map(|(_, code, cause, clean)| (*code, *cause, *clean))
            .collect()
    }

    /// How many messages the hook has had.
    fn heard(&self) -> usize {
        self.recorder.0.messages.borrow().len()
    }

    /// The figures as of now, asked for by a client that is open and is read from.
    fn stats(&mut self, by: &Client) -> Stats {
        self.recorder.0.stats.take();
        self.sends(by, &frame(0x8A, b""));
        self.recorder.0.stats.get()
    }

    /// Bytes that are held for all, without a turn.
    #[cfg(test)]
    fn held(&self) -> usize {
        self.event_loop.held()
    }

    fn buffered(&mut self, by: &Client) -> usize {
        self.stats(by).buffered_bytes as usize
    }

    /// What holds at any time: the loop doesn't spin, and nobody's end was told twice or before the beginning.
    #[track_caller]
    fn check(&self) {
        let rests = self.poll_timeout() != Some(Duration::ZERO);
        assert!(rests || self.event_loop.is_over(), "the loop spins");
        let opened = self.recorder.0.opened.borrow();
        let mut closed: Vec<ConnId> = self.recorder.0.closed.borrow().iter().map(|it| it.0).collect();
        closed.sort_unstable();
        assert!(closed.is_sorted_by(|a, b| a < b), "somebody was closed twice");
        assert!(closed.iter().all(|it| opened.contains(it)), "somebody was closed who never opened");
    }

    /// Everybody leaves. Then each one that opened has been closed once, no stream is kept, nothing is held, there is
    /// nothing to do, and the figures agree with what was done.
    #[track_caller]
    fn finish(mut self) {
        self.check();
        for client in self.clients.clone() {
            if !client.script.is_dropped() {
                self.resets(&client);
            }
            assert!(client.script.is_dropped(), "a stream is kept");
        }
        self.check();
        let page = (!self.event_loop.is_over()).then(|| self.scrape("/metrics"));
        let Self { event_loop, queue, metrics, recorder, observer, handle, .. } = self;
        drop(event_loop);
        let stats = handle.stats();
        assert_eq!((stats.connections, stats.sockets, stats.buffered_bytes), (0, 0, 0));
        figures::check(&stats.prometheus(), &queue, &metrics, &recorder.0, &observer.0.borrow());
        if let Some(page) = page {
            figures::check_page(&page, &stats.prometheus());
        }
        let told = observer.0.borrow();
        assert_eq!(told.connected, told.disconnected, "everybody who came was seen to leave, in any order");
    }
}

fn ready(index: usize, readable: bool, writable: bool, hang_up: bool) -> Ready {
    Ready { token: Token(index), readable, writable, hang_up }
}

// --- Frames ------------------------------------------------------------------------------------------------

/// A frame as a client sends it, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, 0x80, payload.len() as u64);
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// A frame as the server sends it.
fn served(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, 0, payload.len() as u64);
    bytes.extend(payload);
    bytes
}

fn header(first: u8, mask: u8, len: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match len {
        0..=125 => bytes.push(mask | len as u8),
        126..=0xFFFF => {
            bytes.push(mask | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend(len.to_be_bytes());
        }
    }
    bytes
}

/// What a server's echo of a text looks like.
fn echo(text: &[u8]) -> Vec<u8> {
    served(0x81, text)
}

/// What a Close begins with, as the server sends it; a reason may follow.
fn is_close(bytes: &[u8], code: u16) -> bool {
    let [high, low] = code.to_be_bytes();
    matches!(*bytes, [0x88, _, a, b, ..] if [a, b] == [high, low])
}
