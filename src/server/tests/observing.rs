//! The calls of an observer: the bytes in the order of the wire, however the socket cuts them.
//!
//! Every world of these tests checks that each byte and each connection is observed ([`World::finish`]).

use super::*;

/// Records the calls of an observer.
#[derive(Clone, Default)]
struct EventLog(Rc<RefCell<Vec<Observed>>>);

#[derive(Debug, PartialEq, Eq)]
enum Observed {
    Connected(PeerAddr),
    Received(Vec<u8>),
    Sent(Vec<u8>),
    Disconnected,
}

impl Observer for EventLog {
    fn connected(&mut self, _: ConnId, peer: PeerAddr) {
        self.0.borrow_mut().push(Observed::Connected(peer));
    }

    fn received(&mut self, _: ConnId, bytes: &[u8]) {
        self.0.borrow_mut().push(Observed::Received(bytes.to_vec()));
    }

    fn sent(&mut self, _: ConnId, bytes: &[u8]) {
        self.0.borrow_mut().push(Observed::Sent(bytes.to_vec()));
    }

    fn disconnected(&mut self, _: ConnId) {
        self.0.borrow_mut().push(Observed::Disconnected);
    }
}

fn observed_world() -> (World, EventLog) {
    let tape = EventLog::default();
    let mut world = World::new(|_| {}).observed_by(ObserverSlot::by(tape.clone()));
    world.observer = TrafficObserver::default();
    (world, tape)
}

#[test]
fn an_observer_sees_bytes_as_received_and_once_sent() {
    let (mut world, tape) = observed_world();
    let client = world.open();
    let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec();
    client.script.will_take(3);
    client.script.set_full(true);
    world.send(&client, &masked);
    world.read_all(&client);
    world.reset(&client);
    let expected = [
        Observed::Connected(SocketAddr::new(ADDRESS, 5).into()),
        Observed::Received(REQUEST.to_vec()),
        Observed::Sent(ANSWER.to_vec()),
        Observed::Received(masked),
        Observed::Sent(b"\x81\x05H".to_vec()),
        Observed::Sent(b"ello".to_vec()),
        Observed::Disconnected,
    ];
    assert_eq!(*tape.0.borrow(), expected);
}

#[test]
fn an_observer_that_panics_is_removed_and_the_server_continues() {
    struct Fragile {
        tape: EventLog,
        _bomb: PanicsWhenDropped,
    }

    impl Observer for Fragile {
        fn connected(&mut self, id: ConnId, peer: PeerAddr) {
            self.tape.connected(id, peer);
        }

        fn received(&mut self, _: ConnId, _: &[u8]) {
            panic_any(PanicsWhenDropped("an observer"));
        }

        fn sent(&mut self, id: ConnId, bytes: &[u8]) {
            self.tape.sent(id, bytes);
        }

        fn disconnected(&mut self, id: ConnId) {
            self.tape.disconnected(id);
        }
    }

    let (mut world, tape) = observed_world();
    let fragile = Fragile { tape: tape.clone(), _bomb: PanicsWhenDropped("an observer") };
    world = world.observed_by(ObserverSlot::by(fragile));
    let client = world.open();
    world.send(&client, &frame(0x81, b"x"));
    assert_eq!(client.script.take_written(), server_text(b"x"));
    assert_eq!(*tape.0.borrow(), [Observed::Connected(SocketAddr::new(ADDRESS, 5).into())]);
}
