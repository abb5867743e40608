//! What an observer is told: the bytes as they cross the wire, whatever the socket does to them.
//!
//! That every byte and every connection is told at all is held by every world of these tests
//! ([`World::finish`]).

use super::*;

/// Writes down what it is told of one connection after the other.
#[derive(Clone, Default)]
struct Tape(Rc<RefCell<Vec<Line>>>);

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Connected(PeerAddr),
    Received(Vec<u8>),
    Sent(Vec<u8>),
    Disconnected,
}

impl Observer for Tape {
    fn connected(&mut self, _: ConnId, peer: PeerAddr) {
        self.0.borrow_mut().push(Line::Connected(peer));
    }

    fn received(&mut self, _: ConnId, bytes: &[u8]) {
        self.0.borrow_mut().push(Line::Received(bytes.to_vec()));
    }

    fn sent(&mut self, _: ConnId, bytes: &[u8]) {
        self.0.borrow_mut().push(Line::Sent(bytes.to_vec()));
    }

    fn disconnected(&mut self, _: ConnId) {
        self.0.borrow_mut().push(Line::Disconnected);
    }
}

fn watched() -> (World, Tape) {
    let tape = Tape::default();
    let mut world = World::new(|_| {}).observed_by(ObserverSlot::by(tape.clone()));
    world.observer = TrafficObserver::default();
    (world, tape)
}

#[test]
fn an_observer_sees_bytes_as_received_and_once_sent() {
    let (mut world, tape) = watched();
    let client = world.open();
    let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec();
    client.script.will_take(3);
    client.script.set_full(true);
    world.send(&client, &masked);
    world.read_all(&client);
    world.reset(&client);
    let expected = [
        Line::Connected(SocketAddr::new(ADDRESS, 5).into()),
        Line::Received(REQUEST.to_vec()),
        Line::Sent(ANSWER.to_vec()),
        Line::Received(masked),
        Line::Sent(b"\x81\x05H".to_vec()),
        Line::Sent(b"ello".to_vec()),
        Line::Disconnected,
    ];
    assert_eq!(*tape.0.borrow(), expected);
}

#[test]
fn an_observer_that_panics_is_left_out_and_the_server_goes_on() {
    struct Fragile {
        tape: Tape,
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

    let (mut world, tape) = watched();
    let fragile = Fragile { tape: tape.clone(), _bomb: PanicsWhenDropped("an observer") };
    world = world.observed_by(ObserverSlot::by(fragile));
    let client = world.open();
    world.send(&client, &frame(0x81, b"x"));
    assert_eq!(client.script.take_written(), server_text(b"x"));
    assert_eq!(*tape.0.borrow(), [Line::Connected(SocketAddr::new(ADDRESS, 5).into())]);
}
