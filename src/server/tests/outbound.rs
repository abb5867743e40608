//! Connections that the loop opens itself, under faults of the network: refusals at each point, pieces,
//! deadlines, and the end of TCP.

use super::*;

/// An address of a server (RFC 5737).
fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 80))
}

/// Returns why the connections did not open, in the order of their hooks.
fn unopened(world: &World) -> Vec<String> {
    world.recorder.unopened.borrow().iter().map(|(_, error)| error.clone()).collect()
}

#[test]
fn an_outbound_connection_has_the_hooks_of_all_others() {
    let mut world = World::new(|_| {});
    world.recorder.greeting.replace(b"hi".to_vec());
    let server = world.dial(address(1)).unwrap();
    assert_eq!(server.script.take_written(), b"", "TCP is not connected yet");
    world.open_to(&server);
    assert_eq!(server.script.take_written(), frame(0x82, b"hi"));
    world.send(&server, &server_text(b"Hello"));
    assert_eq!(server.script.take_written(), frame(0x81, b"Hello"));
    world.send(&server, &server_frame(0x89, b"?"));
    assert_eq!(server.script.take_written(), frame(0x8A, b"?"));
    assert_eq!((world.recorder.opened.borrow().len(), world.recorder.pings.get()), (1, 1));
    world.finish();
}

#[test]
fn the_answer_may_come_byte_by_byte_and_with_frames() {
    let bytes = [simulator::SERVERS_ANSWER, &server_text(b"Hello")].concat();
    for piece in [1, 7, bytes.len()] {
        let mut world = World::new(|_| {});
        let server = world.dial(address(1)).unwrap();
        world.read_all(&server);
        bytes.chunks(piece).for_each(|piece| world.send(&server, piece));
        assert_eq!(*world.recorder.messages.borrow(), [b"Hello"]);
        world.finish();
    }
}

#[test]
fn a_connection_that_does_not_open_yet_can_be_shed() {
    let mut world = World::new(|config| config.max_buffered_bytes = 50);
    let server = world.dial(address(1)).unwrap();
    // The server takes ten bytes: the rest of the request waits.
    world.read(&server, 10);
    let client = world.open();
    world.send(&client, &frame(0x81, b"?"));
    assert_eq!(client.script.take_written(), server_text(b"?"));
    assert!(server.script.is_dropped());
    assert_eq!(unopened(&world).len(), 1);
    world.finish();
}

#[test]
fn a_request_that_leaves_in_pieces_is_whole() {
    let mut world = World::new(|_| {});
    let server = world.dial(address(1)).unwrap();
    let first = world.read(&server, 10);
    let rest = world.read_all(&server);
    let request = String::from_utf8([first, rest].concat()).unwrap();
    assert!(request.starts_with("GET / HTTP/1.1\r\n") && request.ends_with("\r\n\r\n"), "{request}");
    assert!(request.contains("\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"), "{request}");
    world.finish();
}

#[test]
fn the_next_address_is_tried_however_a_connect_fails() {
    let mut world = World::new(|_| {});
    world.dialed.will_fail(ErrorKind::PermissionDenied);
    let first = world.dial(vec![address(1), address(2), address(3)]).unwrap();
    assert_eq!(world.dialed.last().unwrap().0, address(2), "the first one failed at once");
    first.script.write_will_fail(ErrorKind::ConnectionRefused);
    world.half_close(&first);
    assert!(first.script.is_dropped());
    let second = world.dialed_client();
    assert_eq!(world.dialed.last().unwrap().0, address(3));
    world.open_to(&second);
    assert_eq!((world.recorder.opened.borrow().len(), unopened(&world).len()), (1, 0));
    world.send(&second, &server_frame(0x88, b""));
    assert!(!second.script.is_dropped(), "the end of the first socket is not that of the second");
    world.finish();
}

#[test]
fn after_the_last_address_its_error_is_told_once() {
    let mut world = World::new(|_| {});
    let server = world.dial(vec![address(1), address(2)]).unwrap();
    world.reset(&server);
    let server = world.dialed_client();
    server.script.write_will_fail(ErrorKind::HostUnreachable);
    world.writable(&server);
    assert_eq!(unopened(&world), ["no TCP connection: host unreachable"]);
    world.finish();
}

#[test]
fn a_connection_that_fails_after_its_request_is_not_tried_again() {
    let mut world = World::new(|_| {});
    let server = world.dial(vec![address(1), address(2)]).unwrap();
    world.read_all(&server);
    world.reset(&server);
    assert_eq!(unopened(&world), ["the connection ended before the answer: connection reset"]);
    assert_eq!(world.dialed.scripts().len(), 1);
    world.finish();
}

#[test]
fn a_connection_opens_within_handshake_timeout_or_never() {
    for (reads, answers) in [(false, false), (true, false), (true, true)] {
        let mut world = World::new(|config| config.handshake_timeout = Duration::from_millis(100));
        let server = world.dial(address(1)).unwrap();
        world.advance(50);
        if reads {
            world.read_all(&server);
        }
        world.advance(49);
        assert_eq!(unopened(&world), [""; 0]);
        if answers {
            // It lies in the socket when the time is up.
            server.script.will_read(simulator::SERVERS_ANSWER);
        }
        world.advance(1);
        let (opened, failed) = (world.recorder.opened.borrow().len(), unopened(&world));
        assert_eq!(opened, usize::from(answers));
        assert_eq!(failed, if answers { &[][..] } else { &["not open in time"] });
        world.finish();
    }
}

#[test]
fn a_name_is_looked_up_and_its_address_is_connected() {
    let mut world = World::new(|_| {});
    let uri = |text: &str| crate::protocol::Uri::parse(text).unwrap();
    assert!(world.dial(&uri("ws://nowhere.invalid/")).is_none());
    assert_eq!(unopened(&world), ["the name has no address: entity not found"]);
    let server = world.dial(&uri("ws://somewhere.example:81/")).unwrap();
    assert_eq!(world.dialed.last().unwrap().0, SocketAddr::from(([192, 0, 2, 80], 81)));
    world.open_to(&server);
    world.finish();
}

#[test]
fn one_that_is_closed_before_it_opens_is_cancelled() {
    for act in [(|all, id| all.close(id, 1000, "")) as fn(&mut crate::Connections<'_>, ConnId), |all, id| {
        all.terminate(id)
    }] {
        let mut world = World::new(|_| {});
        let server = world.dial(address(1)).unwrap();
        let (_, id) = (world.read_all(&server), world.last_id());
        world.handle.call(move |all| act(all, id)).unwrap();
        world.wake();
        assert_eq!(unopened(&world), ["closed before it was open"]);
        assert!(server.script.is_dropped());
        world.finish();
    }
}

#[test]
fn a_shutdown_ends_open_and_opening_connections() {
    let mut world = World::new(|_| {});
    let open = world.dial(address(1)).unwrap();
    world.open_to(&open);
    let opening = world.dial(address(2)).unwrap();
    world.read_all(&opening);
    world.handle.shutdown();
    world.wake();
    assert_eq!(unopened(&world), ["closed before it was open"]);
    assert_eq!(open.script.take_written(), frame(0x88, b"\x03\xE9server is shutting down"));
    world.send(&open, &server_frame(0x88, &[0x03, 0xE9]));
    world.half_close(&open);
    assert!(world.is_over());
    assert_eq!(world.endings(), [(CloseCode::GOING_AWAY, Cause::Local, true)]);
    world.finish();
}

#[test]
fn after_both_closes_a_client_waits_for_the_end_of_tcp() {
    // §7.1.1: the server closes TCP first.
    for closes in [true, false] {
        let mut world = World::new(|config| config.close_timeout = Duration::from_millis(100));
        let server = world.dial(address(1)).unwrap();
        world.open_to(&server);
        world.send(&server, &server_frame(0x88, &[0x03, 0xE8]));
        assert_eq!(server.script.take_written(), frame(0x88, &[0x03, 0xE8]));
        assert_eq!(world.endings(), [(CloseCode::NORMAL, Cause::Peer, true)]);
        world.advance(99);
        assert!(!server.script.is_write_closed() && !server.script.is_dropped());
        if closes {
            world.half_close(&server);
        } else {
            // §7.1.1: a client "MAY close the TCP connection at any time" after that.
            world.advance(1);
        }
        assert!(server.script.is_dropped());
        world.finish();
    }
}

#[test]
fn a_failed_client_ends_tcp_itself() {
    let mut world = World::new(|_| {});
    let server = world.dial(address(1)).unwrap();
    world.open_to(&server);
    world.send(&server, &frame(0x81, b"masked"));
    assert!(server.script.is_write_closed());
    assert_eq!(world.endings()[0].0, CloseCode::PROTOCOL_ERROR);
    world.finish();
}

#[test]
fn outbound_connections_take_no_place_of_a_client() {
    let mut world = World::new(|config| config.max_connections = Some(1));
    let servers = [1, 2, 3].map(|last| world.dial(address(last)).unwrap());
    servers.iter().for_each(|server| world.open_to(server));
    let client = world.open();
    assert_eq!((world.stats(&client).connections, world.stats(&client).outbound), (4, 3));
    let refused = world.connect();
    assert!(refused.script.take_written().starts_with(b"HTTP/1.1 503 "));
    world.finish();
}
