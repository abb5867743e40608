//! The server and the client's ends of its streams: whatever one side writes, the other one reads.

use std::{fmt, net::IpAddr, time::Duration};

use super::peer::Peer;
use crate::{
    Handler,
    server::simulator::Simulation,
    transport::{Ready, Script},
};

/// After so many exchanges without an end the server and its clients never come to rest.
const MAX_EXCHANGES: usize = 1000;

/// A server's loop, whatever its handler is.
trait SimulatedLoop {
    fn connect(&mut self, script: &Script, address: IpAddr);
    fn report(&mut self, ready: Ready);
    fn wake(&mut self);
    fn advance(&mut self, millis: u64);
    fn due_within(&self) -> Option<Duration>;
    fn is_over(&self) -> bool;
}

impl<H: Handler> SimulatedLoop for Simulation<H> {
    fn connect(&mut self, script: &Script, address: IpAddr) {
        self.accept(script, address);
    }

    fn report(&mut self, ready: Ready) {
        self.turn(&[ready]);
        self.settle();
    }

    fn wake(&mut self) {
        self.wake();
    }

    fn advance(&mut self, millis: u64) {
        self.advance(millis);
    }

    fn due_within(&self) -> Option<Duration> {
        self.poll_timeout()
    }

    fn is_over(&self) -> bool {
        self.is_over()
    }
}

pub(super) struct Simulated {
    /// `None` once the server has shut down, as after the end of `run`.
    server: Option<Box<dyn SimulatedLoop>>,
    millis: u64,
    peers: Vec<Peer>,
}

impl fmt::Debug for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulated").field("now", &self.now()).finish_non_exhaustive()
    }
}

impl Simulated {
    pub(super) fn new<H: Handler + 'static>(server: Simulation<H>) -> Self {
        let mut simulated = Self { server: Some(Box::new(server)), millis: 0, peers: Vec::new() };
        simulated.settle();
        simulated
    }

    pub(super) const fn now(&self) -> Duration {
        Duration::from_millis(self.millis)
    }

    pub(super) const fn is_over(&self) -> bool {
        self.server.is_none()
    }

    /// Adds a client, which connects. Returns its place.
    pub(super) fn add(&mut self, peer: Peer, address: IpAddr) -> usize {
        if let Some(server) = &mut self.server {
            server.connect(peer.script(), address);
        }
        self.peers.push(peer);
        let place = self.peers.len() - 1;
        self.deliver(place);
        place
    }

    pub(super) fn peer(&mut self, place: usize) -> &mut Peer {
        &mut self.peers[place]
    }

    /// Delivers what the client has sent, and all that follows from it.
    pub(super) fn deliver(&mut self, place: usize) {
        self.report(place);
        self.settle();
    }

    /// Lets the server look at a client's socket.
    fn report(&mut self, place: usize) {
        if let (Some(server), Some(ready)) = (&mut self.server, self.peers[place].ready()) {
            server.report(ready);
        }
    }

    /// Runs the server and its clients until they are at rest.
    pub(super) fn settle(&mut self) {
        for _ in 0..MAX_EXCHANGES {
            if let Some(server) = &mut self.server {
                server.wake();
                if server.is_over() {
                    self.server = None;
                }
            }
            if !self.exchange() {
                return;
            }
        }
        panic!("the server and its clients never come to rest");
    }

    /// Has each client read what was written to it. Returns whether one has answered.
    fn exchange(&mut self) -> bool {
        let mut has_answered = false;
        for place in 0..self.peers.len() {
            if self.peers[place].read() {
                self.report(place);
                has_answered = true;
            }
        }
        has_answered
    }

    /// Moves the clock from one deadline or timer to the next.
    pub(super) fn advance(&mut self, time: Duration) {
        let end = self.millis + u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 2);
        while self.millis < end {
            self.settle();
            let Some(server) = &mut self.server else {
                self.millis = end;
                return;
            };
            let rest = end - self.millis;
            let step = server.due_within().map_or(rest, |due| (due.as_millis() as u64).clamp(1, rest));
            server.advance(step);
            self.millis += step;
        }
        self.settle();
    }
}
