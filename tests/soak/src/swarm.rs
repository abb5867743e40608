//! Runs all clients on one thread: one poll, and the events of each client.
//!
//! This file knows sockets, events and times. It does not know the roles.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token};

use crate::{
    line::{End, Line},
    payload::Pool,
    random::Random,
    role::{Me, Plan, Role, Timing, World},
    tally::Tally,
    wire::{Incoming, Received},
};

/// The promise that a connect succeeds.
pub(crate) const CONNECTS: &str = "connects";
/// The promise that the server's own bytes are valid.
pub(crate) const VALID_BYTES: &str = "server keeps RFC 6455";
/// How long a connect may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often an endless sender is served before the others have a turn.
const ROUNDS: usize = 4;

pub(crate) struct Swarm {
    pub(crate) world: World,
    pub(crate) peak: usize,
    address: SocketAddr,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    clients: Vec<Option<Client>>,
    free: Vec<usize>,
    /// When each client is due, by its serial number.
    times: BinaryHeap<Reverse<(Instant, usize, u64)>>,
    live: BTreeMap<&'static str, usize>,
    serial: u64,
}

struct Client {
    kind: &'static str,
    serial: u64,
    line: Line,
    incoming: Incoming,
    role: Box<dyn Role>,
    plan: Plan,
    is_connected: bool,
    scheduled: Option<Instant>,
}

/// The poll's report on one socket; the default if only its time has come.
#[derive(Clone, Copy, Debug, Default)]
struct Ready {
    writable: bool,
    error: bool,
}

impl Swarm {
    pub(crate) fn new(address: SocketAddr, seed: u64, timing: Timing) -> io::Result<Self> {
        let mut random = Random::new(seed);
        let pool = Pool::new(&mut random);
        Ok(Self {
            world: World { random, pool, tally: Tally::default(), timing, serial: 0 },
            peak: 0,
            address,
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 128 * 1024],
            clients: Vec::new(),
            free: Vec::new(),
            times: BinaryHeap::new(),
            live: BTreeMap::new(),
            serial: 0,
        })
    }

    /// Returns the number of clients of a kind.
    pub(crate) fn live(&self, kind: &str) -> usize {
        self.live.get(kind).copied().unwrap_or(0)
    }

    pub(crate) fn len(&self) -> usize {
        self.clients.len() - self.free.len()
    }

    /// Connects one more client.
    pub(crate) fn add(&mut self, kind: &'static str, role: Box<dyn Role>) {
        let mut line = match Line::connect(self.address) {
            Ok(line) => line,
            Err(error) => return self.world.tally.broken(CONNECTS, &error.to_string()),
        };
        let index = self.free.pop().unwrap_or_else(|| {
            self.clients.push(None);
            self.clients.len() - 1
        });
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut line.socket, Token(index), interest) {
            self.free.push(index);
            return self.world.tally.broken(CONNECTS, &error.to_string());
        }
        self.serial += 1;
        *self.live.entry(kind).or_default() += 1;
        let plan = Plan { deadline: Some(Instant::now() + PATIENCE), ..Plan::default() };
        let mut client = Client {
            kind,
            serial: self.serial,
            line,
            incoming: Incoming::default(),
            role,
            plan,
            is_connected: false,
            scheduled: None,
        };
        client.schedule(index, &mut self.times);
        self.clients[index] = Some(client);
        self.peak = self.peak.max(self.len());
    }

    /// Waits for events, for at most this long, and handles them.
    pub(crate) fn turn(&mut self, most: Duration) -> io::Result<()> {
        let now = Instant::now();
        let wait =
            self.times.peek().map_or(most, |Reverse((at, ..))| at.saturating_duration_since(now).min(most));
        // The poll counts milliseconds; an event due within one does not need a turn of its own.
        let wait = if wait.is_zero() { wait } else { wait.max(Duration::from_millis(1)) };
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        let ready: Vec<_> = self
            .events
            .iter()
            .map(|it| (it.token().0, Ready { writable: it.is_writable(), error: it.is_error() }))
            .collect();
        for (index, ready) in ready {
            self.drive(index, ready);
        }
        let now = Instant::now();
        while let Some(&Reverse((at, index, serial))) = self.times.peek()
            && at <= now
        {
            self.times.pop();
            if let Some(client) = self.clients[index].as_mut().filter(|it| it.serial == serial)
                && client.scheduled == Some(at)
            {
                client.scheduled = None;
                self.drive(index, Ready::default());
            }
        }
        Ok(())
    }

    /// Tells all clients that the run is over.
    pub(crate) fn retire(&mut self) {
        for index in 0..self.clients.len() {
            self.with(index, |client, world, _| {
                let is_connected = client.is_connected;
                client.tell(world, |role, me| if is_connected { role.retire(me) } else { me.leave() });
            });
            self.drive(index, Ready::default());
        }
    }

    /// Runs turns until all clients have left, for at most this long; returns whether all have.
    pub(crate) fn await_end(&mut self, most: Duration) -> io::Result<bool> {
        let end = Instant::now() + most;
        while self.len() > 0 && Instant::now() < end {
            self.turn(Duration::from_millis(50))?;
        }
        Ok(self.len() == 0)
    }

    fn drive(&mut self, index: usize, ready: Ready) {
        self.with(index, |client, world, buffer| client.drive(ready, world, buffer));
    }

    /// Runs an action on a client, and handles the client's requests.
    fn with(&mut self, index: usize, act: impl FnOnce(&mut Client, &mut World, &mut [u8])) {
        let Some(client) = &mut self.clients[index] else { return };
        act(client, &mut self.world, &mut self.buffer);
        if !client.plan.gone {
            return client.schedule(index, &mut self.times);
        }
        let _ = self.poll.registry().deregister(&mut client.line.socket);
        if let Some(live) = self.live.get_mut(client.kind) {
            *live -= 1;
        }
        self.clients[index] = None;
        self.free.push(index);
    }
}

impl Client {
    /// Calls the role, unless it has left.
    fn tell(&mut self, world: &mut World, tell: impl FnOnce(&mut dyn Role, &mut Me<'_>)) {
        if !self.plan.gone {
            let now = Instant::now();
            tell(&mut *self.role, &mut Me { line: &mut self.line, world, plan: &mut self.plan, now });
        }
    }

    fn drive(&mut self, ready: Ready, world: &mut World, buffer: &mut [u8]) {
        let now = Instant::now();
        if !self.is_connected && !self.try_connected(ready, world) {
            if self.plan.deadline.is_some_and(|it| it <= now) {
                world.tally.broken(CONNECTS, "not in time");
                self.plan.gone = true;
            }
            return;
        }
        self.read(now, world, buffer);
        if ready.error
            && let Ok(Some(error)) = self.line.socket.take_error()
        {
            self.tell(world, |role, me| role.ended(me, End::Error(error.kind())));
        }
        if self.plan.act_at.is_some_and(|at| at <= now) {
            self.plan.act_at = None;
            self.tell(world, |role, me| role.act(me));
        }
        if self.plan.deadline.is_some_and(|it| it <= now) {
            self.plan.deadline = None;
            self.tell(world, |role, me| role.overdue(me));
        }
        for _ in 0..ROUNDS {
            if self.plan.gone || self.line.has_sent_all() {
                return;
            }
            match self.line.write(now, &mut world.random) {
                Ok(0) => return,
                Ok(len) => self.tell(world, |role, me| role.wrote(me, len)),
                Err(error) => return self.tell(world, |role, me| role.ended(me, End::Error(error.kind()))),
            }
        }
        // It has more to send, and the socket may have room, which no event will report.
        if !self.line.has_sent_all() && self.line.wake_at().is_none() && self.plan.act_at.is_none() {
            self.plan.act_at = Some(now);
        }
    }

    /// Checks whether the connection is established.
    fn try_connected(&mut self, ready: Ready, world: &mut World) -> bool {
        if !(ready.writable || ready.error) {
            return false;
        }
        if let Ok(Some(error)) | Err(error) = self.line.socket.take_error() {
            world.tally.broken(CONNECTS, &error.to_string());
            self.plan.gone = true;
            return false;
        }
        if self.line.socket.peer_addr().is_err() {
            return false;
        }
        world.tally.kept(CONNECTS);
        self.is_connected = true;
        self.plan.deadline = None;
        self.tell(world, |role, me| role.connected(me));
        true
    }

    fn read(&mut self, now: Instant, world: &mut World, buffer: &mut [u8]) {
        let incoming = &mut self.incoming;
        let end = self.line.read(now, buffer, &mut |bytes| incoming.push(bytes));
        while !self.plan.gone {
            match self.incoming.next() {
                Ok(None) => break,
                Ok(Some(Received::Response(101))) => self.tell(world, |role, me| role.opened(me)),
                Ok(Some(Received::Response(status))) => self.tell(world, |role, me| role.refused(me, status)),
                Ok(Some(received)) => {
                    world.tally.kept(VALID_BYTES);
                    self.tell(world, |role, me| role.received(me, received));
                }
                Err(broken) => {
                    world.tally.broken(VALID_BYTES, &broken);
                    self.plan.gone = true;
                }
            }
        }
        if let Some(end) = end {
            self.tell(world, |role, me| role.ended(me, end));
        }
    }

    /// Schedules the client's next turn.
    fn schedule(&mut self, index: usize, times: &mut BinaryHeap<Reverse<(Instant, usize, u64)>>) {
        let due = [self.plan.act_at, self.plan.deadline, self.line.wake_at()].into_iter().flatten().min();
        if let Some(due) = due
            && self.scheduled.is_none_or(|at| due < at)
        {
            self.scheduled = Some(due);
            times.push(Reverse((due, index, self.serial)));
        }
    }
}
