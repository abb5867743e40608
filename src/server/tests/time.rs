//! All deadlines, one millisecond before and exactly at each; clocks that stand still and clocks that jump.

use super::*;

const PING: [u8; 2] = [0x89, 0];

#[test]
fn a_head_that_drips_has_exactly_handshake_timeout() {
    let mut world = World::new(|config| config.handshake_timeout = Duration::from_millis(100));
    world.advance(7);
    let client = world.connect();
    for byte in &REQUEST[..99] {
        world.now += 1;
        world.send(&client, &[*byte]);
    }
    assert_eq!(world.now, 106);
    assert_eq!(world.poll_timeout(), Some(Duration::from_millis(1)));
    assert!(client.script.take_written().is_empty());
    world.advance(1);
    assert!(client.script.take_written().starts_with(b"HTTP/1.1 408 "));
    assert!(client.script.is_write_closed());
    world.finish();
}

#[test]
fn a_head_that_is_complete_at_the_last_millisecond_is_in_time() {
    let mut world = World::new(|config| config.handshake_timeout = Duration::from_millis(100));
    let (silent, client) = (world.connect(), world.connect());
    world.now = 99;
    world.send(&client, REQUEST);
    world.advance(1);
    assert_eq!(client.script.take_written(), ANSWER);
    assert!(silent.script.take_written().starts_with(b"HTTP/1.1 408 "));
    // A client that sends nothing more is dropped after close_timeout.
    world.advance(4999);
    assert!(!silent.script.is_dropped());
    world.advance(1);
    assert!(silent.script.is_dropped());
    world.finish();
}

#[test]
fn a_silent_client_is_pinged_and_dropped_at_pong_timeout() {
    let mut world = World::new(|config| config.pong_timeout = Duration::from_secs(7));
    let client = world.open();
    world.advance(19_999);
    assert!(client.script.take_written().is_empty());
    assert_eq!(world.poll_timeout(), Some(Duration::from_millis(1)));
    world.advance(1);
    assert_eq!(client.script.take_written(), PING);
    world.advance(6_999);
    assert!(client.script.take_written().is_empty() && world.endings().is_empty());
    world.advance(1);
    assert!(is_close(&client.script.take_written(), 1011));
    assert_eq!(world.endings(), [(CloseCode::INTERNAL_ERROR, Cause::Timeout, false)]);
    // The client has vanished, so it does not close its side.
    world.advance(4_999);
    assert!(!client.script.is_dropped());
    world.advance(1);
    assert!(client.script.is_dropped());
    world.finish();
}

#[test]
fn any_byte_is_a_sign_of_life() {
    let mut world = World::new(|_| {});
    let client = world.open();
    let message = frame(0x81, &[b'x'; 100]);
    for byte in &message[..50] {
        world.advance(39_999);
        world.send(&client, &[*byte]);
    }
    assert!(world.endings().is_empty());
    world.send(&client, &message[50..]);
    assert!(client.script.take_written().ends_with(&server_text(&[b'x'; 100])));
    world.finish();
}

#[test]
fn a_client_that_never_answers_our_close_is_dropped() {
    let mut world = World::new(|_| {});
    let client = world.open();
    world.on_message(|ws, _| ws.close(CloseCode::NORMAL, "bye"));
    world.send(&client, &frame(0x81, b"close"));
    // Its later bytes reach no hook and extend no deadline.
    for _ in 0..4 {
        world.advance(1000);
        world.send(&client, &frame(0x81, b"and another thing"));
        world.send(&client, &frame(0x89, b"ping"));
    }
    world.advance(999);
    assert!(!client.script.is_dropped() && world.endings().is_empty());
    assert!(is_close(&client.script.take_written(), 1000));
    world.advance(1);
    assert!(client.script.is_dropped());
    assert_eq!(world.endings(), [(CloseCode::ABNORMAL, Cause::Local, false)]);
    assert_eq!((world.message_count(), world.recorder.pings.get()), (1, 0));
    world.finish();
}

#[test]
fn a_full_socket_keeps_its_queue_until_close_timeout() {
    let mut world = World::new(|_| {});
    let client = world.open();
    client.script.set_full(true);
    world.send(&client, &[frame(0x82, &[1; 5000]), frame(0x88, &[3, 232])].concat());
    world.advance(4_999);
    assert!(!client.script.is_dropped());
    assert_eq!(world.endings(), [], "it may yet be clean");
    world.advance(1);
    assert!(client.script.is_dropped());
    // §7.1.4: the peer's Close has arrived, but ours was never written.
    assert_eq!(world.endings(), [(CloseCode::NORMAL, Cause::Peer, false)]);
    world.finish();
}

/// The side that closes a connection with bytes waiting, and the code of the Close after them.
type Closer = (&'static str, u16, fn(&mut World, &Client));

const CLOSERS: [Closer; 3] = [
    ("the peer", 1000, |world, client| world.send(client, &frame(0x88, &[3, 232]))),
    ("a hook", 1000, |world, client| {
        world.on_message(|ws, _| ws.close(CloseCode::NORMAL, ""));
        world.send(client, &frame(0x81, b"close"));
    }),
    ("a broken rule", 1002, |world, client| world.send(client, &frame(0x83, b""))),
];

#[test]
fn a_peer_that_reads_its_queue_gets_all_of_it_and_the_close() {
    for (closer, code, close) in CLOSERS {
        let mut world = World::new(|_| {});
        let client = world.open();
        client.script.set_full(true);
        world.send(&client, &frame(0x82, &[1; 5000]));
        close(&mut world, &client);
        // 24 s, far beyond close_timeout; each pause is shorter than it.
        let mut taken = Vec::new();
        for _ in 0..6 {
            world.advance(4_000);
            taken.extend(world.read(&client, 700));
        }
        assert_eq!(taken.len(), 4200, "{closer}");
        taken.extend(world.read_all(&client));
        assert_eq!(taken[..5004], server_frame(0x82, &[1; 5000]), "{closer}");
        assert!(is_close(&taken[5004..], code), "{closer}");
        world.finish();
    }
}

#[test]
fn a_peer_that_reads_slowly_is_dropped_at_max_close_time() {
    for (closer, _, close) in CLOSERS {
        let mut world = World::new(|config| config.max_close_time = Duration::from_secs(20));
        let client = world.open();
        client.script.set_full(true);
        world.send(&client, &frame(0x82, &[1; 5000]));
        world.advance(1_000);
        close(&mut world, &client);
        for _ in 0..19 {
            world.advance(1_000);
            assert_eq!(world.read(&client, 1).len(), 1, "{closer}");
        }
        world.advance(999);
        assert!(!client.script.is_dropped(), "{closer}");
        world.advance(1);
        assert!(client.script.is_dropped(), "{closer}");
        assert!(world.endings().iter().all(|(_, _, clean)| !clean), "{closer}");
        world.finish();
    }
}

#[test]
fn bytes_of_a_closing_peer_do_not_extend_its_deadline() {
    let mut world = World::new(|_| {});
    let client = world.open();
    client.script.set_full(true);
    world.send(&client, &[frame(0x82, &[1; 5000]), frame(0x88, &[3, 232])].concat());
    for _ in 0..4 {
        world.advance(1_000);
        world.send(&client, &frame(0x81, b"more"));
    }
    world.advance(1_000);
    assert!(client.script.is_dropped());
    world.finish();
}

#[test]
fn a_shutdown_waits_for_no_slow_reader_beyond_its_own_deadline() {
    let mut world = World::new(|_| {});
    let client = world.open();
    client.script.set_full(true);
    world.send(&client, &frame(0x82, &[1; 5000]));
    world.handle.shutdown();
    world.wake();
    for _ in 0..4 {
        world.advance(1_000);
        world.read(&client, 100);
    }
    assert!(!world.event_loop.is_over());
    world.advance(1_000);
    assert!(world.event_loop.is_over());
    world.finish();
}

#[test]
fn a_client_that_never_closes_its_side_is_dropped() {
    let mut world = World::new(|_| {});
    let client = world.open();
    world.send(&client, &frame(0x88, &[3, 232]));
    assert!(client.script.is_write_closed());
    for _ in 0..4 {
        world.advance(1000);
        world.send(&client, &frame(0x81, &[b'x'; 1000]));
    }
    world.advance(999);
    assert!(!client.script.is_dropped());
    assert_eq!(world.message_count(), 0);
    world.advance(1);
    assert!(client.script.is_dropped());
    world.finish();
}

#[test]
fn a_full_and_paused_client_is_dropped() {
    let mut world = World::new(|config| config.max_backpressure = 1000);
    let client = world.open();
    client.script.set_full(true);
    world.send(&client, &frame(0x82, &[1; 5000]));
    client.script.will_read(&frame(0x82, &[1; 5000]));
    for _ in 0..40 {
        world.advance(1000);
        world.readable(&client);
    }
    assert_eq!(world.endings(), [(CloseCode::INTERNAL_ERROR, Cause::Timeout, false)]);
    world.advance(5000);
    assert!(client.script.is_dropped());
    world.finish();
}

#[test]
fn after_a_jump_of_hours_a_silent_client_has_its_full_time() {
    let mut world = World::new(|_| {});
    let (idle, connecting) = (world.open(), world.connect());
    world.advance(5 * 3_600_000);
    assert_eq!(idle.script.take_written(), PING);
    assert!(connecting.script.take_written().starts_with(b"HTTP/1.1 408 "));
    assert!(world.endings().is_empty(), "a late loop is no fault of the client");
    world.advance(19_999);
    assert!(world.endings().is_empty() && idle.script.take_written().is_empty());
    world.send(&idle, &frame(0x8A, b""));
    world.advance(19_999);
    assert!(idle.script.take_written().is_empty());
    world.advance(1);
    assert_eq!(idle.script.take_written(), PING);
    world.finish();
}

#[test]
fn while_the_clock_stands_nothing_is_due() {
    let mut world = World::new(|_| {});
    let (idle, connecting) = (world.open(), world.connect());
    world.advance(19_999 - 10_000);
    for _ in 0..1000 {
        world.advance(0);
    }
    assert!(idle.script.take_written().is_empty() && connecting.script.take_written().is_empty());
    world.finish();
}

#[test]
fn a_thousand_idle_clients_cost_turns_only_when_pings_are_due() {
    let mut world = World::new(|_| {});
    let clients: Vec<Client> = (0..1000).map(|_| world.open()).collect();
    // The handshake's deadlines are checked once.
    world.advance(10_000);
    assert_eq!(world.poll_timeout(), Some(Duration::from_secs(10)));
    world.advance(10_000);
    assert!(clients.iter().all(|it| it.script.take_written() == PING));
    assert_eq!(world.poll_timeout(), Some(Duration::from_secs(20)));
    world.finish();
}

#[test]
fn without_a_ping_interval_no_ping_is_sent() {
    let mut world = World::new(|config| config.ping_interval = None);
    let client = world.open();
    world.advance(10_000_000);
    assert!(client.script.take_written().is_empty());
    assert_eq!(world.poll_timeout(), None);
    world.finish();
}

#[test]
fn a_client_that_waits_for_its_read_is_not_silent() {
    let mut world = World::new(|config| {
        config.limits.max_message_size = 4_000_000;
        config.ping_interval = Some(Duration::from_secs(20));
    });
    let (first, waiting) = (world.open(), world.open());
    for client in [&first, &waiting] {
        client.script.will_read(&frame(0x82, &[1; 3_000_000]));
    }
    world.turn(&[first.ready(true, false, false), waiting.ready(true, false, false)]);
    // The first one's message takes four more reads, each in a turn that takes 20 s.
    for _ in 0..4 {
        world.now += 20_000;
        world.turn(&[]);
    }
    assert!(waiting.script.is_unread());
    assert_eq!(waiting.script.take_written(), b"", "no ping");
    world.settle();
    assert_eq!((world.message_count(), world.endings()), (2, vec![]));
    // After its next read, its silence counts again.
    waiting.script.take_written();
    world.advance(20_000);
    assert_eq!(waiting.script.take_written(), b"\x89\x00");
    world.finish();
}

#[test]
fn a_ping_interval_of_zero_does_not_block_the_loop() {
    let mut world = World::new(|config| {
        (config.ping_interval, config.pong_timeout) = (Some(Duration::ZERO), Duration::ZERO);
    });
    let client = world.connect();
    client.script.will_read(REQUEST);
    client.script.will_read(&frame(0x82, &[1; 100_000]).repeat(10));
    world.readable(&client);
    world.advance(1);
    assert_eq!(world.endings().len(), 1);
    world.finish();
}

#[test]
fn a_client_accepted_late_in_a_long_turn_has_its_full_time() {
    for accepts_fail_first in [false, true] {
        let mut world = World::new(|config| config.handshake_timeout = Duration::from_secs(4));
        let script = Script::default();
        if accepts_fail_first {
            world.queue.push_failure(ErrorKind::Other);
            world.turn(&[readable(LISTENER)]);
        }
        world.queue.push(&script, ADDRESS);
        // The turn begins at 1,000; the bytes of others take 500 ms, and then the client is accepted.
        world.now = 1_500;
        let late = || LoopTime(1_500);
        world.event_loop.turn(LoopTime(1_000), late, [readable(LISTENER)].into_iter());
        world.settle();
        world.advance(3_999);
        assert_eq!(script.take_written(), b"", "its time is not over");
        world.advance(1);
        assert!(script.take_written().starts_with(b"HTTP/1.1 408 "));
    }
}

// --- Unread bytes that arrived in time ---------------------------------------------------------------------

/// Sends bytes that arrive while the loop does not run, and moves the clock.
fn sends_unseen(world: &mut World, client: &Client, bytes: &[u8], millis: u64) {
    client.script.will_read(bytes);
    world.advance(millis);
}

#[test]
fn an_answer_to_a_ping_that_waits_in_the_socket_counts() {
    // The process was stopped, or a hook took long, and the poll reported other events first.
    let mut world = World::new(|_| {});
    let (client, silent) = (world.open(), world.open());
    world.advance(20_000);
    assert_eq!(client.script.take_written(), PING);
    sends_unseen(&mut world, &client, &frame(0x8A, b""), 20_000);
    assert_eq!(client.script.take_written(), b"");
    assert!(is_close(&silent.script.take_written()[2..], 1011), "who has not answered is given up");
    assert_eq!(world.endings(), [(CloseCode::INTERNAL_ERROR, Cause::Timeout, false)]);
    // Its deadline begins anew, as after any received byte.
    world.advance(19_999);
    assert_eq!(client.script.take_written(), b"");
    world.advance(1);
    assert_eq!(client.script.take_written(), PING);
    world.finish();
}

#[test]
fn a_whole_head_in_the_socket_is_answered_a_part_is_not() {
    let mut world = World::new(|config| config.handshake_timeout = Duration::from_secs(10));
    let (whole, part) = (world.connect(), world.connect());
    part.script.will_read(&REQUEST[..REQUEST.len() - 1]);
    sends_unseen(&mut world, &whole, REQUEST, 10_000);
    assert_eq!(whole.script.take_written(), ANSWER);
    assert!(part.script.take_written().starts_with(b"HTTP/1.1 408 "), "a look gives it no time");
    world.send(&whole, &frame(0x81, b"hi"));
    assert_eq!(whole.script.take_written(), server_text(b"hi"));
    world.finish();
}

#[test]
fn an_answer_to_our_close_still_in_the_socket_ends_cleanly() {
    let mut world = World::new(|_| {});
    let (client, other) = (world.open(), world.open());
    world.on_message(|ws, _| ws.close(CloseCode::NORMAL, ""));
    world.send(&client, &frame(0x81, b"close"));
    world.send(&other, &frame(0x81, b"close"));
    other.script.will_read(&frame(0x81, b"no answer"));
    sends_unseen(&mut world, &client, &frame(0x88, &[3, 232]), 5_000);
    let mut endings = world.endings();
    endings.sort_by_key(|it| it.0);
    assert_eq!(
        endings,
        [(CloseCode::NORMAL, Cause::Local, true), (CloseCode::ABNORMAL, Cause::Local, false)]
    );
    assert!(other.script.is_dropped(), "other frames give no time");
    world.finish();
}

#[test]
fn the_end_of_a_shutdown_reads_waiting_answers() {
    let mut world = World::new(|_| {});
    let clients = [(); 300].map(|()| world.open());
    world.handle.shutdown_within(Duration::from_secs(3));
    world.wake();
    clients.iter().for_each(|it| it.script.will_read(&frame(0x88, &[3, 233])));
    world.advance(3_000);
    assert!(world.event_loop.is_over());
    assert_eq!(world.endings(), [(CloseCode::GOING_AWAY, Cause::Local, true); 300]);
    world.finish();
}

#[test]
fn a_turn_handles_at_most_256_due_deadlines() {
    let mut world = World::new(|_| {});
    let clients: Vec<Client> = (0..1000).map(|_| world.open()).collect();
    world.advance(20_000);
    for client in &clients {
        assert_eq!(client.script.take_written(), PING);
        client.script.will_read(&frame(0x8A, b""));
    }
    world.now += 20_000;
    world.turn(&[]);
    assert_eq!(clients.iter().filter(|it| it.script.is_unread()).count(), 1000 - 256);
    assert_eq!(world.poll_timeout(), Some(Duration::ZERO));
    world.settle();
    assert!(clients.iter().all(|it| !it.script.is_unread()));
    assert_eq!(world.endings(), []);
    world.finish();
}
