//! New clients: accepts that fail, storms, caps. And the pipe that ends the server.

use super::*;

/// Runs turns as a real loop does, with the waits of `poll_timeout`, for `millis` milliseconds. Returns their
/// number.
fn run_for(world: &mut World, millis: u64) -> usize {
    let end = world.now + millis;
    for turns in 0..100_000 {
        match world.poll_timeout() {
            Some(wait) if world.now + (wait.as_millis() as u64) < end => world.now += wait.as_millis() as u64,
            _ => {
                world.now = end;
                return turns;
            }
        }
        world.turn(&[]);
    }
    panic!("the loop spins");
}

#[test]
fn a_failed_accept_is_retried_after_a_pause_and_not_before() {
    let mut world = World::new(|_| {});
    world.queue.push_failure(ErrorKind::ConnectionAborted);
    world.queue.push_failure(ErrorKind::Other);
    let waiting = Script::default();
    world.queue.push(&waiting, ADDRESS);
    world.turn(&[readable(LISTENER)]);
    assert_eq!(world.poll_timeout(), Some(Duration::from_millis(100)));
    // Another event does not cause an earlier try.
    world.now = 99;
    world.turn(&[readable(LISTENER)]);
    assert_eq!(world.queue.len(), 1);
    world.advance(1);
    assert_eq!(world.queue.len(), 0);
    world.client(waiting);
    world.finish();
}

#[test]
fn without_a_free_descriptor_the_loop_serves_and_recovers() {
    let mut world = World::new(|config| config.ping_interval = None);
    let client = world.open();
    world.queue.failure.set(Some(ErrorKind::Other));
    let (waiting, calls) = (Script::default(), world.queue.calls.get());
    world.queue.push(&waiting, ADDRESS);
    world.turn(&[readable(LISTENER)]);
    let turns = run_for(&mut world, 60_000);
    assert!(turns <= 601, "{turns} turns in a minute");
    assert!(world.queue.calls.get() - calls <= 601, "ten tries a second");
    world.send(&client, &frame(0x81, b"still here"));
    assert_eq!(client.script.take_written(), server_text(b"still here"));
    world.queue.failure.set(None);
    world.advance(100);
    let waiting = world.client(waiting);
    world.send(&waiting, REQUEST);
    assert_eq!(waiting.script.take_written(), ANSWER);
    world.finish();
}

#[test]
fn aborted_clients_and_missing_descriptors_may_alternate() {
    let mut world = World::new(|_| {});
    let clients: Vec<Script> = (0..20).map(|_| Script::default()).collect();
    for client in &clients {
        world.queue.push_failure(ErrorKind::ConnectionAborted);
        world.queue.push_failure(ErrorKind::Other);
        world.queue.push_failure(ErrorKind::Interrupted);
        world.queue.push_failure(ErrorKind::ConnectionReset);
        world.queue.push(client, ADDRESS);
    }
    world.turn(&[readable(LISTENER)]);
    assert!(run_for(&mut world, 2100) < 50);
    assert_eq!(world.queue.len(), 0);
    for client in clients {
        assert!(!world.client(client).script.is_dropped());
    }
    world.finish();
}

#[test]
fn a_storm_of_clients_is_accepted_by_64_a_turn() {
    let mut world = World::new(|_| {});
    let client = world.open();
    let storm: Vec<Script> = (0..1000).map(|_| Script::default()).collect();
    for (number, it) in storm.iter().enumerate() {
        world.queue.push(it, ADDRESS);
        if number % 3 == 0 {
            world.queue.push_failure(ErrorKind::ConnectionAborted);
        }
    }
    let events = [readable(LISTENER), client.ready(true, false, false)];
    while world.queue.len() > 0 {
        let before = world.queue.len();
        client.script.will_read(&frame(0x81, b"hello"));
        world.turn(&events);
        assert!(before - world.queue.len() <= 64, "{} in one turn", before - world.queue.len());
        assert_eq!(client.script.take_written(), server_text(b"hello"));
    }
    world.settle();
    for it in storm {
        let it = world.client(it);
        world.reset(&it);
    }
    assert_eq!(world.stats(&client).sockets, 1);
    world.finish();
}

#[test]
fn a_storm_of_openings_and_endings_leaves_nothing() {
    let mut world = World::new(|_| {});
    let witness = world.open();
    for round in 0..3000 {
        let client = world.connect();
        match round % 4 {
            0 => world.reset(&client),
            1 => world.half_close(&client),
            2 => {
                world.send(&client, REQUEST);
                world.reset(&client);
            }
            _ => {
                world.send(&client, &[REQUEST, &frame(0x88, b"")].concat());
                world.half_close(&client);
            }
        }
        assert!(client.script.is_dropped(), "{round}");
    }
    let stats = world.stats(&witness);
    assert_eq!((stats.sockets, stats.buffered_bytes, stats.opened, stats.closed), (1, 0, 1501, 1500));
    let deadlines = world.event_loop.deadline_count();
    assert!(deadlines <= 300, "{deadlines} deadlines, of which one is the witness's");
    world.finish();
}

#[test]
fn over_max_connections_get_503_and_only_256_may_linger() {
    let mut world = World::new(|config| config.max_connections = Some(10));
    let inside: Vec<Client> = (0..10).map(|_| world.open()).collect();
    let mut refused = Vec::new();
    for number in 0..1000usize {
        let client = world.connect();
        assert!(client.script.take_written().starts_with(b"HTTP/1.1 503 "), "{number}");
        refused.push(client);
        // The oldest is dropped first.
        let is_dropped = |it: &Client| it.script.is_dropped();
        assert_eq!(refused.partition_point(is_dropped), number.saturating_sub(255));
        assert!(refused.is_sorted_by_key(|it| !is_dropped(it)));
    }
    let stats = world.stats(&inside[0]);
    assert_eq!((stats.connections, stats.sockets), (10, 266));
    assert_eq!((stats.evicted, stats.dropped_clients, stats.handshakes(503)), (744, 0, 1000));
    world.reset(&inside[9]);
    world.advance(5000);
    assert_eq!(world.stats(&inside[0]).sockets, 9);
    world.open();
    world.finish();
}

#[test]
fn the_cap_per_address_frees_a_slot_when_a_connection_ends() {
    let mut world = World::new(|config| config.max_connections_per_address = Some(2));
    let first = world.open();
    let _second = world.connect();
    let third = world.connect();
    let answer = third.script.take_written();
    assert!(answer.starts_with(b"HTTP/1.1 429 "), "{}", answer.escape_ascii());
    assert!(String::from_utf8_lossy(&answer).contains("Retry-After: "));
    // Clients of other addresses are accepted, and a refused client does not count.
    let other = world.connect_from(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)));
    world.send(&other, REQUEST);
    assert_eq!(other.script.take_written(), ANSWER);
    world.reset(&third);
    assert!(world.connect().script.take_written().starts_with(b"HTTP/1.1 429 "));
    world.reset(&first);
    assert!(world.connect().script.take_written().is_empty(), "let in");
    world.finish();
}

/// A request that is answered with 400.
const BAD: &[u8] = b"bad\r\n\r\n";

impl World {
    /// Connects a client whose request is refused, and which does not leave.
    fn refuse_from(&mut self, address: IpAddr) -> Client {
        let client = self.connect_from(address);
        if client.script.take_written().is_empty() {
            self.send(&client, BAD);
            assert!(client.script.take_written().starts_with(b"HTTP/1.1 400 "));
        }
        client
    }

    /// Connects a client from `address`, and returns it if it is admitted.
    fn admit_from(&mut self, address: IpAddr) -> Option<Client> {
        let client = self.connect_from(address);
        self.send(&client, REQUEST);
        let answer = client.script.take_written();
        assert!(answer == ANSWER || answer.starts_with(b"HTTP/1.1 429 "), "{}", answer.escape_ascii());
        (answer == ANSWER).then_some(client)
    }
}

#[test]
fn an_address_counts_until_its_socket_is_closed() {
    for [first, second, other] in [
        ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"],
        ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"],
    ] {
        let [first, second, other] = [first, second, other].map(|it| it.parse().unwrap());
        let mut world = World::new(|config| config.max_connections_per_address = Some(3));
        let refused = world.refuse_from(first);
        // §5.1: a frame without a mask fails the connection.
        let failed = world.admit_from(second).unwrap();
        world.send(&failed, b"\x81\x00");
        let closed = world.admit_from(first).unwrap();
        world.send(&closed, &frame(0x88, &[3, 232]));
        for client in [&refused, &failed, &closed] {
            assert!(client.script.is_write_closed() && !client.script.is_dropped());
            assert!(world.admit_from(second).is_none());
            assert!(world.admit_from(other).is_some());
            world.half_close(client);
            assert!(world.admit_from(second).is_some());
        }
        assert!(world.admit_from(first).is_none(), "counted once, and given back once");
        world.finish();
    }
}

#[test]
fn lingering_sockets_of_an_address_do_not_block_others() {
    let (busy, quiet) = (IpAddr::from([192, 0, 2, 2]), IpAddr::from([192, 0, 2, 3]));
    let mut world = World::new(|config| config.max_connections = Some(20));
    let witness = world.open();
    let patient = world.refuse_from(quiet);
    let staying: Vec<Client> = (0..400).map(|_| world.refuse_from(busy)).collect();
    let held = |clients: &[Client]| clients.iter().filter(|it| !it.script.is_dropped()).count();
    assert_eq!(held(&staying), 20 + 256 - 2);
    for _ in 0..40 {
        let client = world.admit_from(quiet).expect("another address is let in");
        world.reset(&client);
    }
    assert!(!patient.script.is_dropped(), "the address that has most is the one that loses");
    assert_eq!(held(&staying), 20 + 256 - 3);
    let stats = world.stats(&witness);
    assert_eq!((stats.connections, stats.sockets, stats.dropped_clients), (1, 275, 0));
    assert_eq!((stats.evicted, stats.accepted), (127, 442));
    world.finish();
}

#[test]
fn an_address_over_its_cap_is_answered_despite_lingering_ones() {
    let mut world = World::new(|config| config.max_connections_per_address = Some(1));
    let _inside = world.open();
    let refused: Vec<Client> = (0..400)
        .map(|_| {
            let client = world.connect();
            assert!(client.script.take_written().starts_with(b"HTTP/1.1 429 "));
            client
        })
        .collect();
    assert_eq!(refused.iter().filter(|it| !it.script.is_dropped()).count(), 256);
    let other = IpAddr::from([192, 0, 2, 2]);
    let inside = world.admit_from(other).unwrap();
    assert!(world.admit_from(other).is_none(), "answered with 429");
    assert_eq!(world.stats(&inside).evicted, 145);
    world.finish();
}

#[test]
fn one_address_has_its_cap_and_256_ending_sockets() {
    let mut world = World::new(|config| config.max_connections_per_address = Some(10));
    // Some are admitted and end, and most are refused: sockets of both kinds are evicted for others.
    let staying: Vec<Client> = (0..1000).map(|_| world.refuse_from(ADDRESS)).collect();
    assert!(staying.iter().filter(|it| !it.script.is_dropped()).count() <= 266);
    world.finish();
}

#[cfg(unix)]
#[test]
fn without_a_free_descriptor_a_leaving_socket_makes_room() {
    let (busy, quiet) = (IpAddr::from([192, 0, 2, 2]), IpAddr::from([192, 0, 2, 3]));
    let mut world = World::new(|config| config.ping_interval = None);
    let inside = world.open();
    let staying = [(); 3].map(|()| world.refuse_from(busy));
    let descriptors = Rc::clone(&world.queue.descriptors);
    descriptors.most.set(Some(descriptors.in_use()));
    for (number, _) in staying.iter().enumerate() {
        let client = world.connect_from(quiet);
        assert_eq!(staying.iter().filter(|it| it.script.is_dropped()).count(), 3.min(number + 2), "{number}");
        world.send(&client, REQUEST);
        assert_eq!(client.script.take_written(), ANSWER);
    }
    // Now all clients with a descriptor are served. The next client waits until one of them leaves.
    let waiting = Script::default();
    world.queue.push(&waiting, quiet);
    world.turn(&[readable(LISTENER)]);
    assert_eq!(world.poll_timeout(), Some(Duration::from_millis(100)));
    assert!(run_for(&mut world, 60_000) <= 601);
    assert_eq!(world.queue.len(), 1);
    world.send(&inside, &frame(0x81, b"still here"));
    assert_eq!(inside.script.take_written(), server_text(b"still here"));
    world.reset(&inside);
    world.advance(100);
    let waiting = world.client(waiting);
    world.send(&waiting, REQUEST);
    assert_eq!(waiting.script.take_written(), ANSWER);
    descriptors.most.set(None);
    world.finish();
}

// --- The metrics listener ----------------------------------------------------------------------------

/// Connects clients that send nothing to the metrics listener.
fn idle_at_metrics(world: &mut World, count: usize) -> Vec<Script> {
    let idle: Vec<Script> = (0..count).map(|_| Script::default()).collect();
    idle.iter().for_each(|it| world.metrics_queue.push(it, ADDRESS));
    world.turn(&[readable(METRICS)]);
    world.settle();
    idle
}

#[test]
fn idle_metrics_sockets_do_not_block_a_probe() {
    let mut world = World::new(|_| {});
    let idle = idle_at_metrics(&mut world, 40);
    assert_eq!(idle.iter().filter(|it| !it.is_dropped()).count(), 16);
    for _ in 0..70 {
        assert!(world.scrape("/healthz").ends_with("\r\n\r\nok\n"));
    }
    // A client with a complete request is answered before it is evicted.
    let probe = Script::default();
    probe.will_read(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    world.metrics_queue.push(&probe, ADDRESS);
    let more = idle_at_metrics(&mut world, 60);
    assert!(probe.take_written().ends_with(b"\r\n\r\nok\n"));
    let held = [idle, more].concat();
    assert!(held.iter().filter(|it| !it.is_dropped()).count() <= 16);
    world.advance(10_000);
    world.advance(5_000);
    assert!(held.iter().all(Script::is_dropped));
    world.finish();
}

#[cfg(unix)]
#[test]
fn without_a_free_descriptor_each_probe_is_answered() {
    let mut world = World::new(|_| {});
    let inside = world.open();
    let descriptors = Rc::clone(&world.queue.descriptors);
    descriptors.most.set(Some(descriptors.in_use()));
    for _ in 0..5 {
        assert!(world.scrape("/healthz").ends_with("\r\n\r\nok\n"));
    }
    // A silent client keeps the descriptor until another client needs it, and at least for 100 ms.
    let idle = idle_at_metrics(&mut world, 1);
    let probe = Script::default();
    probe.will_read(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    world.metrics_queue.push(&probe, ADDRESS);
    world.advance(99);
    assert!(!idle[0].is_dropped());
    world.advance(1);
    assert!(idle[0].is_dropped());
    let probe = world.client(probe);
    world.readable(&probe);
    assert!(probe.script.take_written().ends_with(b"\r\n\r\nok\n"));
    world.send(&inside, &frame(0x81, b"still here"));
    assert_eq!(inside.script.take_written(), server_text(b"still here"));
    descriptors.most.set(None);
    world.finish();
}

#[test]
fn the_handshake_rate_of_an_address_is_limited() {
    let mut world = World::new(|config| config.max_handshakes_per_address = Some(5));
    let count_let_in =
        |world: &mut World| (0..20).filter(|_| world.connect().script.take_written().is_empty()).count();
    assert_eq!(count_let_in(&mut world), 5);
    world.advance(200);
    assert_eq!(count_let_in(&mut world), 1);
    world.advance(3_600_000);
    assert_eq!(count_let_in(&mut world), 5);
    world.finish();
}

#[cfg(target_os = "linux")]
#[test]
fn clients_inherit_nodelay_from_the_listener() {
    use crate::transport::{self, Listener as _, Stream};

    for nodelay in [true, false] {
        let listener = transport::bind("127.0.0.1:0").unwrap();
        assert!(listener.set_nodelay(nodelay));
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = loop {
            match listener.accept() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                accepted => break accepted.unwrap(),
            }
        };
        assert!(matches!(stream, Stream::Tcp(socket) if socket.nodelay().unwrap() == nodelay));
    }
}

#[cfg(unix)]
#[test]
fn a_stop_pipe_that_is_written_to_or_closed_shuts_down() {
    use std::{io::Write, os::unix::net::UnixStream};

    use crate::transport::{Poll, StopPipe, Token};

    let poll = Poll::new().unwrap();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let stop = StopPipe::new(ours, &poll, Token(0)).unwrap();
    assert!(!stop.is_asked_for());
    theirs.write_all(b"!").unwrap();
    assert!(stop.is_asked_for());
    assert!(!stop.is_asked_for(), "the bytes were consumed");
    drop(theirs);
    assert!(stop.is_asked_for());
}
