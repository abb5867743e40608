//! Slow peers: when they are paused, when they are read again, in which order, and which messages are
//! dropped.

use super::*;
use crate::{Backpressure, SendStatus};

/// Connects a client that does not read and has `len` bytes waiting. The first three are the echo of one
/// letter.
fn slow(world: &mut World, len: usize) -> Client {
    let client = world.open();
    client.script.set_full(true);
    world.send(&client, &frame(0x81, b"s"));
    if len > 3 {
        world.send(&client, &frame(0x82, &vec![2; len - 3 - header(0x82, None, len as u64).len()]));
    }
    client
}

#[test]
fn a_client_is_paused_above_half_of_max_backpressure() {
    for (len, is_paused) in [(50, false), (51, true)] {
        let mut world = World::new(|config| config.max_backpressure = 100);
        let client = slow(&mut world, len);
        let received = world.message_count();
        world.send(&client, &frame(0x81, b"more"));
        assert_eq!(world.message_count() == received, is_paused, "{len} bytes wait");
        assert_eq!(client.script.is_unread(), is_paused, "not even read");
        world.finish();
    }
}

#[test]
fn a_client_is_read_from_again_at_half_of_max_backpressure() {
    let mut world = World::new(|config| config.max_backpressure = 100);
    let client = slow(&mut world, 60);
    world.send(&client, &frame(0x81, b"later"));
    let received = world.message_count();
    world.read(&client, 9);
    assert_eq!(world.message_count(), received, "51 bytes wait");
    world.read(&client, 1);
    assert_eq!(world.message_count(), received + 1, "50 bytes wait");
    assert!(world.read_all(&client).ends_with(&server_text(b"later")));
    world.finish();
}

#[test]
fn input_keeps_its_order_over_a_pause_whatever_event_ends_it() {
    for events in 0..3 {
        let mut world = World::new(|config| config.max_backpressure = 100);
        let client = slow(&mut world, 3);
        let texts: Vec<Vec<u8>> = (0..40).map(|it| format!("number {it}").into_bytes()).collect();
        let expected: Vec<u8> = texts.iter().flat_map(|it| server_text(it)).collect();
        // The first twenty arrive in one batch, most of which is postponed; the others are not read.
        world.send(&client, &texts[..20].iter().flat_map(|it| frame(0x81, it)).collect::<Vec<u8>>());
        for text in &texts[20..] {
            client.script.will_read(&frame(0x81, text));
        }
        world.readable(&client);
        assert!(world.message_count() < 10, "{}", world.message_count());
        let mut written = Vec::new();
        for _ in 0..1000 {
            client.script.will_take(13);
            match events {
                0 => world.writable(&client),
                1 => world.readable_and_writable(&client),
                _ => world.hang_up(&client),
            }
            written.extend(client.script.take_written());
        }
        assert_eq!(&written[3..], expected, "events of kind {events}");
        assert_eq!(world.buffered(&client), 0);
        world.finish();
    }
}

#[test]
fn an_assembled_message_is_freed_when_the_pause_ends() {
    let mut world = World::new(|_| {});
    let client = world.open();
    client.script.set_full(true);
    world.send(&client, &[frame(0x02, &[1; 600_000]), frame(0x80, &[1; 100_000])].concat());
    assert_eq!(world.read_all(&client).len(), 10 + 700_000);
    let other = world.open();
    assert_eq!(world.buffered(&other), 0);
    world.finish();
}

#[test]
fn a_client_that_reads_nothing_costs_half_of_max_backpressure() {
    let mut world = World::new(|_| {});
    let (client, other) = (world.open(), world.open());
    client.script.set_full(true);
    for _ in 0..1024 {
        client.script.will_read(&frame(0x82, &[3; 65_000]));
    }
    for _ in 0..1024 {
        world.readable(&client);
    }
    let held = world.buffered(&other);
    assert!(held < 2 * 512 * 1024 + 65_010, "{held}");
    world.finish();
}

#[test]
fn a_client_that_floods_has_one_read_a_turn() {
    let mut world = World::new(|_| {});
    let (flooder, other) = (world.open(), world.open());
    flooder.script.will_read(&frame(0x82, &[1; 1000]).repeat(5000));
    let events = [flooder.ready(true, false, false), other.ready(true, false, false)];
    let mut received = world.message_count();
    for turn in 0..9 {
        other.script.will_read(&frame(0x81, b"me too"));
        world.turn(&events[usize::from(turn > 0)..]);
        assert_eq!(other.script.take_written(), server_text(b"me too"));
        assert!(world.message_count() - received < 530, "half a MiB at once");
        received = world.message_count();
    }
    world.settle();
    assert_eq!(flooder.script.take_written().len(), 5000 * 1004);
    world.finish();
}

#[test]
fn one_of_several_flooding_clients_is_read_per_turn() {
    let mut world = World::new(|_| {});
    let flooders = [(); 3].map(|()| world.open());
    for flooder in &flooders {
        flooder.script.will_read(&frame(0x82, &[1; 1000]).repeat(5000));
    }
    world.turn(&flooders.each_ref().map(|it| it.ready(true, false, false)));
    for round in 0..5 {
        for flooder in &flooders {
            let (received, calls) = (world.message_count(), flooder.script.read_calls());
            world.turn(&[]);
            assert_eq!(flooder.script.read_calls(), calls + 1, "round {round}");
            assert!(world.message_count() - received < 530, "half a MiB of one client only");
        }
    }
    world.settle();
    world.finish();
}

#[test]
fn a_large_message_is_read_to_its_end_before_others() {
    let mut world = World::new(|config| config.limits.max_message_size = 4_000_000);
    let order = Rc::new(RefCell::new(Vec::new()));
    let it = Rc::clone(&order);
    world.on_message(move |_, message| it.borrow_mut().push((message.as_bytes()[0], message.len())));
    let (long, short) = (world.open(), world.open());
    for number in [1, 3] {
        long.script.will_read(&frame(0x82, &vec![number; 3_000_000]));
        short.script.will_read(&frame(0x82, &vec![number + 1; 1_500_000]));
    }
    world.turn(&[long.ready(true, false, false), short.ready(true, false, false)]);
    world.settle();
    assert_eq!(*order.borrow(), [(1, 3_000_000), (2, 1_500_000), (3, 3_000_000), (4, 1_500_000)]);
    world.finish();
}

#[test]
fn a_read_without_progress_gives_no_precedence() {
    let mut world = World::new(|_| {});
    let order = Rc::new(RefCell::new(Vec::new()));
    let it = Rc::clone(&order);
    world.on_message(move |_, message| it.borrow_mut().push(message.len()));
    let (endless, upload) = (world.open(), world.open());
    endless.script.will_read(&frame(0x02, &[1; 600_000]));
    for _ in 0..40 {
        endless.script.will_read(&frame(0x00, b"").repeat(100_000));
    }
    endless.script.will_read(&frame(0x80, b""));
    upload.script.will_read(&frame(0x82, &[2; 1_000_000]));
    world.turn(&[endless.ready(true, false, false), upload.ready(true, false, false)]);
    world.settle();
    assert_eq!(*order.borrow(), [1_000_000, 600_000]);
    world.finish();
}

#[test]
fn a_little_more_input_waits_for_no_further_turn() {
    let mut world = World::new(|_| {});
    let clients = [(); 10].map(|()| world.open());
    for client in &clients {
        client.script.will_read(&frame(0x81, b"bye"));
        client.script.will_read(b"");
    }
    let flooders = [(); 3].map(|()| world.open());
    for flooder in &flooders {
        flooder.script.will_read(&frame(0x82, &[1; 300_000]).repeat(5));
    }
    world.turn(&flooders.each_ref().map(|it| it.ready(true, false, false)));
    let received = world.message_count();
    world.turn(&clients.each_ref().map(|it| it.ready(true, false, true)));
    assert_eq!(world.endings().len(), 0, "one read each");
    assert!(world.message_count() - received <= 12, "and one of a flooder");
    world.turn(&[]);
    assert_eq!(world.endings().len(), 10);
    world.settle();
    world.finish();
}

#[test]
fn messages_of_others_are_dropped_above_max_backpressure() {
    for (len, status) in [(57, SendStatus::Queued(100)), (58, SendStatus::Dropped)] {
        let mut world = World::new(|config| config.max_backpressure = 100);
        let slow = slow(&mut world, 41);
        let other = world.open();
        let found = Rc::new(Cell::new(SendStatus::Gone));
        let id = world.recorder.opened.borrow()[0];
        let it = Rc::clone(&found);
        world.on_message(move |ws, message| it.set(ws.push(id, message)));
        world.send(&other, &frame(0x82, &vec![1; len]));
        assert_eq!(found.get(), status, "{len}");
        let expected = 41 + if status == SendStatus::Dropped { 0 } else { 59 };
        assert_eq!(world.read_all(&slow).len(), expected);
        world.finish();
    }
}

#[test]
fn slow_consumers_share_queued_frames_and_miss_later_ones() {
    let mut world = World::new(|config| config.max_backpressure = 100_000);
    let speaker = world.open();
    let slow: Vec<Client> = (0..10).map(|_| world.open()).collect();
    slow.iter().for_each(|it| it.script.set_full(true));
    world.on_message(|ws, message| {
        ws.broadcast(message);
    });
    for _ in 0..30 {
        world.send(&speaker, &frame(0x82, &[5; 10_000]));
    }
    let stats = world.stats(&speaker);
    // Nine of 10,004 bytes fit, for all ten together.
    assert_eq!((stats.buffered_bytes, stats.dropped_messages), (9 * 10_004, 10 * 21));
    for it in &slow {
        assert_eq!(world.read_all(it).len(), 9 * 10_004);
    }
    assert_eq!((world.buffered(&speaker), world.recorder.drained.get()), (0, 10));
    world.finish();
}

#[test]
fn a_full_socket_is_not_tried_for_every_dropped_message() {
    let mut world = World::new(|config| config.max_backpressure = 100);
    let (slow, speaker) = (slow(&mut world, 41), world.open());
    world.on_message(|ws, message| {
        ws.broadcast(message);
    });
    let before = slow.script.write_calls();
    for _ in 0..100 {
        world.send(&speaker, &frame(0x82, &[1; 90]));
    }
    assert_eq!(slow.script.write_calls(), before);
    world.finish();
}

#[test]
fn the_close_policy_closes_a_slow_consumer() {
    let mut world = World::new(|config| {
        (config.max_backpressure, config.backpressure) = (100, Backpressure::Close);
    });
    let (slow, speaker) = (slow(&mut world, 41), world.open());
    world.on_message(|ws, message| {
        ws.broadcast(message);
    });
    world.send(&speaker, &frame(0x82, &[1; 57]));
    assert!(world.endings().is_empty());
    world.send(&speaker, &frame(0x82, b""));
    assert_eq!(world.endings(), [(CloseCode::POLICY_VIOLATION, Cause::Backpressure, false)]);
    let written = world.read_all(&slow);
    assert!(is_close(&written[100..], 1008), "behind all that waited");
    world.finish();
}

#[test]
fn only_the_last_ping_at_a_full_socket_is_answered() {
    let mut world = World::new(|_| {});
    let (client, other) = (slow(&mut world, 3), world.open());
    for number in 0..10_000u32 {
        world.send(&client, &frame(0x89, &[&number.to_be_bytes()[..], &[0; 100]].concat()));
    }
    assert_eq!(world.recorder.pings.get(), 10_000);
    assert_eq!(world.buffered(&other), 3, "pongs don't queue");
    let last = [&9_999u32.to_be_bytes()[..], &[0; 100]].concat();
    assert_eq!(world.read_all(&client), [server_text(b"s"), server_frame(0x8A, &last)].concat());
    world.finish();
}

#[test]
fn an_owed_pong_leaves_before_every_close() {
    // §5.5.2: a ping MUST be answered "unless it already received a Close frame"; §5.5.1: nothing follows a
    // Close.
    type EndingCase = (&'static str, u16, fn(&mut World, &Client));
    let endings: [EndingCase; 7] = [
        ("the peer's", 1000, |world, client| world.send(client, &frame(0x88, &[3, 232]))),
        ("ours, from its own hook", 1000, |world, client| {
            world.on_message(|ws, _| ws.close(CloseCode::NORMAL, ""));
            world.send(client, &frame(0x81, b"close"));
        }),
        ("ours, from another hook", 1000, |world, _| {
            let other = world.open();
            let id = world.recorder.opened.borrow()[0];
            world.on_message(move |ws, _| ws.all().close(id, CloseCode::NORMAL, ""));
            world.send(&other, &frame(0x81, b"close"));
        }),
        ("ours, from another thread", 1000, |world, _| {
            let id = world.recorder.opened.borrow()[0];
            world.handle.close(id, CloseCode::NORMAL, "").unwrap();
            world.wake();
        }),
        ("the shutdown's", 1001, |world, _| {
            world.handle.shutdown();
            world.wake();
        }),
        ("that of a broken rule", 1002, |world, client| world.send(client, &frame(0x83, b""))),
        ("that of a panic", 1011, |world, client| {
            world.recorder.panics_in.set(Some("on_message"));
            world.send(client, &frame(0x81, b"x"));
        }),
    ];
    for (name, code, end) in endings {
        let mut world = World::new(|_| {});
        let client = slow(&mut world, 1000);
        world.send(&client, &[frame(0x89, b"older"), frame(0x89, b"newest")].concat());
        end(&mut world, &client);
        let written = world.read_all(&client);
        let (pong, close) = written[1000..].split_at(8);
        assert_eq!(pong, server_frame(0x8A, b"newest"), "{name}");
        assert!(is_close(close, code), "{name}: {close:?}");
        world.finish();
    }
}

#[test]
fn an_owed_pong_is_sent_once_though_its_place_is_taken() {
    let mut world = World::new(|_| {});
    let client = slow(&mut world, 1000);
    world.send(&client, &frame(0x89, b"ping"));
    world.read(&client, 1);
    world.send(&client, &frame(0x88, &[3, 232]));
    let written = world.read_all(&client);
    assert_eq!(written[999..], [&server_frame(0x8A, b"ping")[..], b"\x88\x02\x03\xe8"].concat());
    world.finish();
}

#[test]
fn pongs_for_a_slow_reader_do_not_accumulate() {
    let mut world = World::new(|config| config.max_backpressure = 1000);
    let (client, other) = (slow(&mut world, 100), world.open());
    for _ in 0..200 {
        world.send(&client, &frame(0x89, &[7; 100]));
        world.read(&client, 1);
    }
    let held = world.buffered(&other);
    assert!(held <= 1000, "{held} bytes wait");
    assert!(world.read_all(&client).ends_with(&server_frame(0x8A, &[7; 100])));
    world.finish();
}

#[test]
fn a_client_that_reads_a_byte_a_second_stays_and_holds_no_more() {
    let mut world = World::new(|config| config.max_backpressure = 1000);
    let (client, other) = (slow(&mut world, 900), world.open());
    for _ in 0..300 {
        client.script.will_read(&frame(0x82, &[1; 100]));
        world.advance(1000);
        client.script.will_take(1);
        world.readable_and_writable(&client);
        assert_eq!(client.script.take_written().len(), 1);
        world.send(&other, &frame(0x81, b"i"));
    }
    assert!(world.endings().is_empty(), "it lives");
    let held = world.buffered(&other);
    assert!(held <= 900, "{held}");
    world.finish();
}

#[test]
fn on_drain_runs_once_after_the_queue_is_written() {
    let mut world = World::new(|_| {});
    let client = slow(&mut world, 50);
    world.read(&client, 49);
    assert_eq!(world.recorder.drained.get(), 0);
    world.read_all(&client);
    world.writable(&client);
    assert_eq!(world.recorder.drained.get(), 1);
    world.finish();
}
