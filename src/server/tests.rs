//! The loop under faults that sockets can't be made to have on demand: short writes at every point, errors at
//! every call, a clock that stands, jumps and creeps. Streams follow a script, time is handed in, nothing sleeps.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, ErrorKind},
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use mio::{Poll, Token, Waker};

use super::{
    Handle,
    door::Listener,
    event_loop::{EventLoop, LISTENER, Ready, WAKER},
};
use crate::{
    Cause, CloseCode, Closed, Config, ConnId, Handler, Message, WebSocket,
    peers::{Millis, Stream, Timers, script::Script},
    protocol::Request,
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Clients that wait to be accepted, and accepts that fail.
#[derive(Clone, Default)]
struct Queue(Rc<RefCell<VecDeque<io::Result<Script>>>>);

impl Listener for Queue {
    fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        let next = self.0.borrow_mut().pop_front().unwrap_or_else(|| Err(ErrorKind::WouldBlock.into()));
        Ok((Stream::Script(next?), SocketAddr::from(([192, 0, 2, 1], 5))))
    }
}

/// Echoes, and writes down what its hooks were told.
#[derive(Clone, Default)]
struct Recorder {
    opened: Rc<RefCell<Vec<ConnId>>>,
    closed: Rc<RefCell<Vec<(ConnId, CloseCode, Cause, bool)>>>,
    messages: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl Handler for Recorder {
    type State = ();

    fn on_open(&mut self, ws: &mut WebSocket<'_>, _: &Request<'_>) {
        self.opened.borrow_mut().push(ws.id());
    }

    fn on_message(&mut self, ws: &mut WebSocket<'_>, message: Message<'_>) {
        self.messages.borrow_mut().push(message.as_bytes().to_vec());
        match message.as_bytes() {
            b"panic" => panic!("a hook that panics"),
            _ => drop(ws.send(message)),
        }
    }

    fn on_close(&mut self, ws: &mut WebSocket<'_>, close: &Closed<'_>) {
        self.closed.borrow_mut().push((ws.id(), close.code, close.cause, close.clean));
    }
}

/// A loop without a network.
struct World {
    event_loop: EventLoop<Recorder, Queue>,
    queue: Queue,
    recorder: Recorder,
    handle: Handle,
    now: u64,
    next_index: usize,
}

/// A client, with the place that it has in the loop.
struct Client {
    script: Script,
    index: usize,
}

impl World {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        let poll = Poll::new().unwrap();
        let handle = Handle::new(Waker::new(poll.registry(), WAKER).unwrap());
        let (queue, recorder) = (Queue::default(), Recorder::default());
        let event_loop = EventLoop::new(
            poll,
            queue.clone(),
            None,
            handle.clone(),
            config,
            recorder.clone(),
            Timers::default(),
        )
        .unwrap();
        Self { event_loop, queue, recorder, handle, now: 0, next_index: 0 }
    }

    fn turn(&mut self, ready: &[Ready]) {
        self.event_loop.turn(Millis(self.now), ready.iter().copied());
    }

    /// Turns until nothing is left to do at once.
    fn settle(&mut self) {
        for _ in 0..100 {
            if self.event_loop.poll_timeout(Millis(self.now)) != Some(Duration::ZERO) {
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

    /// A client that connects and has said nothing yet. Places are given in order, as long as nobody leaves.
    fn connect(&mut self) -> Client {
        let script = Script::default();
        self.queue.0.borrow_mut().push_back(Ok(script.clone()));
        self.turn(&[ready(LISTENER.0, true, false, false)]);
        self.settle();
        self.next_index += 1;
        Client { script, index: self.next_index - 1 }
    }

    /// A client whose connection is open.
    fn open(&mut self) -> Client {
        let client = self.connect();
        client.script.will_read(REQUEST);
        self.readable(&client);
        assert_eq!(client.script.take_written(), ANSWER);
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

    fn hang_up(&mut self, client: &Client) {
        self.turn(&[ready(client.index, true, true, true)]);
        self.settle();
    }

    /// The client sends bytes, which arrive at once.
    fn sends(&mut self, client: &Client, bytes: &[u8]) {
        client.script.will_read(bytes);
        self.readable(client);
    }

    fn endings(&self) -> Vec<(CloseCode, Cause, bool)> {
        self.recorder.closed.borrow().iter().map(|(_, code, cause, clean)| (*code, *cause, *clean)).collect()
    }
}

fn ready(index: usize, readable: bool, writable: bool, hang_up: bool) -> Ready {
    Ready { token: Token(index), readable, writable, hang_up }
}

/// A frame as a client sends it, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(0x80 | len as u8),
        len @ 126..=0xFFFF => {
            bytes.push(0x80 | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// What a server's echo of a text looks like.
fn echo(text: &[u8]) -> Vec<u8> {
    let mut bytes = frame(0x81, text);
    let header_len = bytes.len() - text.len();
    bytes[1] &= 0x7F;
    bytes.drain(header_len - 4..header_len);
    bytes
}

#[test]
fn an_echo_leaves_whole_whatever_each_write_takes() {
    for step in [1, 2, 3, 7, 100] {
        let mut world = World::new(|_| {});
        let client = world.open();
        let messages: Vec<Vec<u8>> = (0..5).map(|it| vec![b'a' + it; 40]).collect();
        let expected: Vec<u8> = messages.iter().flat_map(|it| echo(it)).collect();
        client.script.set_full(true);
        client.script.will_take(step);
        world.sends(&client, &messages.iter().flat_map(|it| frame(0x81, it)).collect::<Vec<u8>>());
        let mut written = client.script.take_written();
        while written.len() < expected.len() {
            client.script.will_take(step);
            let before = written.len();
            world.writable(&client);
            written.extend(client.script.take_written());
            assert!(written.len() > before, "room must be used");
        }
        assert_eq!(written, expected, "in steps of {step}");
    }
}

#[test]
fn a_write_that_fails_for_good_ends_its_connection_once_and_no_other() {
    for error in [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset, ErrorKind::OutOfMemory] {
        let mut world = World::new(|_| {});
        let (failing, other) = (world.open(), world.open());
        failing.script.write_will_fail(error);
        world.sends(&failing, &frame(0x81, b"x"));
        assert_eq!(world.endings(), [(CloseCode::ABNORMAL, Cause::Transport(error), false)]);
        assert!(failing.script.is_dropped());
        world.sends(&other, &frame(0x81, b"y"));
        assert_eq!(other.script.take_written(), echo(b"y"));
    }
}

#[test]
fn a_read_that_fails_for_good_ends_its_connection_once() {
    let mut world = World::new(|_| {});
    let client = world.open();
    client.script.read_will_fail(ErrorKind::Interrupted);
    client.script.read_will_fail(ErrorKind::TimedOut);
    world.readable(&client);
    world.readable(&client);
    assert_eq!(world.endings(), [(CloseCode::ABNORMAL, Cause::Transport(ErrorKind::TimedOut), false)]);
    assert!(client.script.is_dropped());
}

#[test]
fn accepts_that_fail_are_tried_again_after_a_while_and_without_spinning() {
    let mut world = World::new(|_| {});
    for error in [ErrorKind::ConnectionAborted, ErrorKind::Other] {
        world.queue.0.borrow_mut().push_back(Err(error.into()));
    }
    let script = Script::default();
    world.queue.0.borrow_mut().push_back(Ok(script.clone()));
    world.turn(&[ready(LISTENER.0, true, false, false)]);
    assert_eq!(world.event_loop.poll_timeout(Millis(0)), Some(Duration::from_millis(100)));
    // Another event doesn't make it try earlier.
    world.turn(&[ready(LISTENER.0, true, false, false)]);
    assert_eq!(world.queue.0.borrow().len(), 1);
    world.pass(100);
    assert_eq!(world.queue.0.borrow().len(), 0);
}
