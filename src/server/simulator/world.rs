//! A simulation whose hooks are recorded and whose bytes are counted, and the invariants after every
//! scenario.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use super::{Client, Recorder, Simulation, TrafficObserver, figures, literals};
use crate::{
    Cause, CloseCode, Config, ConnId, Message, Stats, Target, WebSocket,
    hub::{ObserverSlot, Timers},
    protocol::{ClientRequest, Uri},
};

/// A simulation with a [`Recorder`] for its hooks. It fails a test whose server breaks an invariant
/// ([`World::finish`]).
pub(crate) struct World {
    simulation: Simulation<Recorder>,
    pub(crate) recorder: Recorder,
    pub(crate) observer: TrafficObserver,
}

impl Deref for World {
    type Target = Simulation<Recorder>;

    fn deref(&self) -> &Self::Target {
        &self.simulation
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.simulation
    }
}

impl World {
    pub(crate) fn new(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        let (recorder, observer) = (Recorder::default(), TrafficObserver::default());
        let simulation = Simulation::new(config, recorder.clone(), Timers::default());
        Self { simulation, recorder, observer: observer.clone() }.observed_by(ObserverSlot::by(observer))
    }

    /// Shows all bytes to another observer.
    pub(crate) fn observed_by(mut self, observer: ObserverSlot) -> Self {
        self.simulation.event_loop = self.simulation.event_loop.observed_by(observer);
        self
    }

    /// Connects a client, and opens its connection.
    pub(crate) fn open(&mut self) -> Client {
        let client = self.connect();
        self.send(&client, literals::REQUEST);
        assert!(client.script.take_written().starts_with(literals::ANSWER));
        client
    }

    /// Asks the loop to connect to a server. Returns the server's end of the socket, if one was made; TCP is
    /// not connected yet.
    pub(crate) fn dial(&mut self, target: impl Into<Target>) -> Option<Client> {
        let (target, before) = (target.into(), self.dialed.scripts().len());
        let request = ClientRequest::new(&Uri::parse("ws://a/").unwrap());
        self.handle
            .call(move |all| {
                all.connect(target, request).unwrap();
            })
            .unwrap();
        self.wake();
        self.wake();
        (self.dialed.scripts().len() > before).then(|| self.dialed_client())
    }

    /// Returns the server's end of the socket that was made last.
    pub(crate) fn dialed_client(&mut self) -> Client {
        let (_, script) = self.dialed.last().unwrap();
        self.client(script)
    }

    /// Connects TCP for a server, and accepts its request.
    pub(crate) fn open_to(&mut self, server: &Client) {
        let request = self.read_all(server);
        assert!(request.starts_with(b"GET / HTTP/1.1\r\nHost: a\r\n"));
        self.send(server, literals::SERVERS_ANSWER);
    }

    // --- Hooks -----------------------------------------------------------------------------------------

    pub(crate) fn on_message(&self, action: impl FnMut(&mut WebSocket<'_>, Message<'_>) + 'static) {
        *self.recorder.on_message.borrow_mut() = Some(Box::new(action));
    }

    pub(crate) fn on_drain(&self, action: impl FnMut(&mut WebSocket<'_>) + 'static) {
        *self.recorder.on_drain.borrow_mut() = Some(Box::new(action));
    }

    pub(crate) fn on_close(&self, action: impl FnMut(&mut WebSocket<'_>) + 'static) {
        *self.recorder.on_close.borrow_mut() = Some(Box::new(action));
    }

    // --- Results ---------------------------------------------------------------------------------------

    /// Returns the id of the connection that was accepted last.
    pub(crate) fn last_id(&self) -> ConnId {
        *self.observer.0.borrow().connected.last().unwrap()
    }

    /// Returns how the connections have ended, in the order of their `on_close`.
    pub(crate) fn endings(&self) -> Vec<(CloseCode, Cause, bool)> {
        self.recorder.closed.borrow().iter().map(|(_, code, cause, clean)| (*code, *cause, *clean)).collect()
    }

    /// Returns how many messages `on_message` was called with.
    pub(crate) fn message_count(&self) -> usize {
        self.recorder.messages.borrow().len()
    }

    /// Returns the figures as of now. The client asks for them; its connection is open, and is read from.
    pub(crate) fn stats(&mut self, by: &Client) -> Stats {
        self.recorder.stats.take();
        self.send(by, &literals::frame(0x8A, b""));
        self.recorder.stats.get()
    }

    /// Returns how many bytes are held for all connections, without a turn.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.event_loop.held()
    }

    /// Returns how many messages were compressed.
    #[cfg(all(test, feature = "deflate"))]
    pub(crate) fn compressions(&self) -> u64 {
        self.event_loop.compressions()
    }

    pub(crate) fn buffered(&mut self, by: &Client) -> usize {
        self.stats(by).buffered_bytes as usize
    }

    /// Checks what holds at any time: the loop doesn't spin, and each connection that opened has one
    /// `on_close` at most.
    #[track_caller]
    pub(crate) fn check(&self) {
        let rests = self.poll_timeout() != Some(Duration::ZERO);
        assert!(rests || self.event_loop.is_over(), "the loop spins");
        let opened = self.recorder.opened.borrow();
        let mut closed: Vec<ConnId> = self.recorder.closed.borrow().iter().map(|it| it.0).collect();
        closed.sort_unstable();
        assert!(closed.is_sorted_by(|a, b| a < b), "on_close was called twice for one connection");
        assert!(closed.iter().all(|it| opened.contains(it)), "on_close was called without on_open");
    }

    /// Resets all clients, and checks the end: `on_close` was called once for each connection that opened, no
    /// stream is kept, nothing is held, there is nothing to do, and the figures agree with what was done.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        self.check();
        for client in self.clients.clone() {
            if !client.script.is_dropped() {
                self.reset(&client);
            }
            assert!(client.script.is_dropped(), "a stream is kept");
        }
        self.check();
        let page = (!self.event_loop.is_over()).then(|| self.scrape("/metrics"));
        let Self { simulation, recorder, observer } = self;
        let Simulation { event_loop, queue, metrics_queue, dialed, handle, .. } = simulation;
        drop(event_loop);
        let stats = handle.stats();
        assert_eq!((stats.connections, stats.sockets, stats.buffered_bytes), (0, 0, 0));
        let traffic = observer.0.borrow();
        figures::check(&stats.prometheus(), &queue, &metrics_queue, &dialed.scripts(), &recorder, &traffic);
        if let Some(page) = page {
            figures::check_page(&page, &stats.prometheus());
        }
        assert_eq!(traffic.connected, traffic.disconnected, "the observer saw the end of each connection");
    }
}
