//! Effects of one connection on others, mostly of its `on_drain`; several items of which the first fails; and
//! two limits at once.

use super::*;
use crate::{Backpressure, SendStatus};

/// Connects a client whose socket is full, with an echo waiting.
fn full(world: &mut World) -> (Client, ConnId) {
    let client = world.open();
    client.script.set_full(true);
    world.send(&client, &frame(0x81, b"waits"));
    (client, world.last_id())
}

/// Runs one turn in which these sockets have room again.
fn have_room(world: &mut World, clients: &[&Client]) {
    clients.iter().for_each(|it| it.script.set_full(false));
    let events: Vec<Ready> = clients.iter().map(|it| it.ready(false, true, false)).collect();
    world.turn(&events);
}

// --- What on_drain causes ----------------------------------------------------------------------------------

#[test]
fn nothing_overtakes_the_cork_when_its_socket_fills_up() {
    let mut world = World::new(|_| {});
    let (reader, owner, other) = (world.open(), world.open(), world.open());
    let [reader_id, owner_id, _] = world.recorder.opened.borrow()[..] else { panic!("three are open") };
    world.on_message(move |ws, message| {
        if ws.id() != owner_id {
            ws.push(owner_id, message);
            return;
        }
        ws.send("first");
        // So much for another that all queues are flushed at once, within the batch.
        ws.push(reader_id, vec![0; 5 << 20]);
        ws.close(1000, "");
    });
    owner.script.set_full(true);
    other.script.will_read(&frame(0x82, b"before"));
    owner.script.will_read(&frame(0x82, b"?"));
    world.turn(&[other.ready(true, false, false), owner.ready(true, false, false)]);
    world.settle();
    let written = world.read_all(&owner);
    let messages = [server_frame(0x82, b"before"), server_text(b"first")].concat();
    assert!(written.starts_with(&messages), "{written:x?}");
    assert!(is_close(&written[messages.len()..], 1000));
    assert!(reader.script.take_written().len() > 5 << 20);
    world.finish();
}

#[test]
fn messages_of_on_drain_leave_in_the_same_turn() {
    type Send = fn(&mut WebSocket<'_>, ConnId);
    let sends: [(&str, Send, bool); 6] = [
        ("push", |ws, id| assert_eq!(ws.push(id, "on"), SendStatus::Sent), false),
        ("fragments", |ws, id| assert_eq!(ws.all().send_fragments(id, "on", 2), SendStatus::Sent), false),
        ("broadcast", |ws, _| assert_eq!(ws.broadcast("on").sent, 2), true),
        ("ping", |ws, id| ws.all().ping(id, b"on").unwrap(), false),
        ("close", |ws, id| ws.all().close(id, CloseCode::NORMAL, ""), false),
        ("send", |ws, _| assert_eq!(ws.send("on"), SendStatus::Sent), true),
    ];
    for (name, send, to_itself) in sends {
        let mut world = World::new(|_| {});
        let other = world.open();
        let id = world.last_id();
        let (slow, _) = full(&mut world);
        world.on_drain(move |ws| send(ws, id));
        have_room(&mut world, &[&slow]);
        let (to_slow, to_other) = (slow.script.take_written(), other.script.take_written());
        assert!(to_slow.starts_with(&server_text(b"waits")), "{name}");
        assert_eq!(to_slow.len() > server_text(b"waits").len(), to_itself, "{name}");
        assert_eq!(to_other.is_empty(), name == "send", "{name}");
        world.settle();
        assert_eq!(world.recorder.drained.get(), 1, "{name}");
        world.finish();
    }
}

#[test]
fn on_drain_may_end_its_own_connection_and_others() {
    let mut world = World::new(|_| {});
    let other = world.open();
    let id = world.last_id();
    let (slow, _) = full(&mut world);
    world.on_drain(move |ws| {
        ws.all().terminate(id);
        ws.terminate();
    });
    have_room(&mut world, &[&slow]);
    assert_eq!(world.endings(), [(CloseCode::ABNORMAL, Cause::Local, false); 2]);
    assert!(other.script.is_dropped() && slow.script.is_dropped());
    world.finish();
}

#[test]
fn a_connection_that_on_drain_ended_gets_no_on_drain() {
    let mut world = World::new(|_| {});
    let clients = [(); 3].map(|()| full(&mut world));
    let ids = clients.each_ref().map(|it| it.1);
    world.on_drain(move |ws| {
        let own = ws.id();
        ids.iter().filter(|id| **id != own).for_each(|id| ws.all().close(*id, CloseCode::NORMAL, ""));
    });
    have_room(&mut world, &clients.each_ref().map(|it| &it.0));
    assert_eq!(world.recorder.drained.get(), 1, "the others are closing");
    world.settle();
    world.finish();
}

#[test]
fn a_message_of_on_drain_to_its_own_peer_is_never_dropped() {
    let mut world = World::new(|config| config.max_backpressure = 100);
    let (slow, _) = full(&mut world);
    world.on_drain(|ws| {
        for number in 0..5 {
            assert!(!matches!(ws.send(&[number; 60]), SendStatus::Dropped | SendStatus::Gone));
        }
    });
    slow.script.will_take(100);
    world.writable(&slow);
    world.recorder.on_drain.take();
    let expected: Vec<u8> = (0..5).flat_map(|number| server_frame(0x82, &[number; 60])).collect();
    assert_eq!(world.read_all(&slow), [server_text(b"waits"), expected].concat());
    world.finish();
}

#[test]
fn a_queue_that_on_drain_refills_drains_again() {
    let mut world = World::new(|_| {});
    let (slow, _) = full(&mut world);
    world.on_drain(|ws| {
        ws.send("and more");
    });
    for round in 1..5 {
        // The queued bytes have room, and the message of on_drain has none.
        slow.script.will_take(100);
        world.writable(&slow);
        assert_eq!(world.recorder.drained.get(), round);
        let expected = if round == 1 { server_text(b"waits") } else { server_text(b"and more") };
        assert_eq!(slow.script.take_written(), expected, "round {round}");
    }
    world.recorder.on_drain.take();
    world.finish();
}

#[test]
fn messages_to_a_fast_receiver_are_never_dropped() {
    let mut world = World::new(|config| config.max_backpressure = 100);
    let client = world.open();
    let id = world.last_id();
    let speaker = world.open();
    world.on_message(move |ws, _| {
        for _ in 0..10 {
            assert_eq!(ws.push(id, &[1; 60]), SendStatus::Sent);
            assert_eq!(ws.broadcast(&[2; 60]).dropped, 0);
        }
    });
    world.send(&speaker, &frame(0x81, b"go"));
    let expected = [server_frame(0x82, &[1; 60]), server_frame(0x82, &[2; 60])].concat().repeat(10);
    assert_eq!(client.script.take_written(), expected);
    world.finish();
}

// --- Several, and the first one fails ----------------------------------------------------------------------

#[test]
fn the_first_of_several_drained_connections_may_have_ended() {
    let mut world = World::new(|_| {});
    let clients = [(); 4].map(|()| full(&mut world).0);
    clients.iter().for_each(|it| it.script.set_full(false));
    // The first has drained and is reset in the same turn; the second has drained and sends its Close.
    clients[0].script.read_will_fail(ErrorKind::ConnectionReset);
    clients[1].script.will_read(&frame(0x88, &[3, 232]));
    world.turn(&clients.each_ref().map(|it| it.ready(true, true, false)));
    assert_eq!(world.recorder.drained.get(), 2, "of the third and the fourth");
    world.finish();
}

#[test]
fn the_first_of_several_paused_connections_may_have_ended() {
    let mut world = World::new(|config| config.max_backpressure = 100);
    let clients = [(); 3].map(|()| world.open());
    for client in &clients {
        client.script.set_full(true);
        world.send(client, &frame(0x81, b"full"));
        world.send(client, &[frame(0x82, &[1; 60]), frame(0x81, b"aside")].concat());
        client.script.set_full(false);
    }
    let received = world.message_count();
    let events = clients.each_ref().map(|it| it.ready(false, true, false));
    // All of them can be read again; the hook of the one that is read first ends the first.
    let first = world.recorder.opened.borrow()[0];
    world.on_drain(move |ws| ws.all().terminate(first));
    world.turn(&events);
    assert_eq!(world.message_count() - received, 2, "the other two go on");
    assert!(clients[1].script.take_written().ends_with(&server_text(b"aside")));
    world.settle();
    world.finish();
}

#[test]
fn the_first_of_several_receivers_may_fail_or_be_too_slow() {
    for fails in [true, false] {
        let mut world = World::new(|config| config.max_backpressure = 10);
        let (bad, _) = full(&mut world);
        if fails {
            bad.script.set_full(false);
            bad.script.write_will_fail(ErrorKind::BrokenPipe);
        }
        let others = [(); 3].map(|()| world.open());
        world.on_message(move |ws, _| {
            let status = ws.broadcast("to all of you");
            assert_eq!((status.sent, status.queued, status.dropped), (3, 0, 1));
        });
        if fails {
            world.on_message(|ws, _| {
                ws.broadcast("to all of you");
            });
            world.writable(&bad);
            bad.script.write_will_fail(ErrorKind::BrokenPipe);
        }
        world.send(&others[2], &frame(0x81, b"go"));
        for other in &others {
            assert_eq!(other.script.take_written(), server_text(b"to all of you"));
        }
        world.finish();
    }
}

#[test]
fn the_first_of_several_on_close_calls_may_panic() {
    let mut world = World::new(|_| {});
    let clients = [(); 3].map(|()| world.open());
    clients.iter().for_each(|it| it.script.read_will_fail(ErrorKind::ConnectionReset));
    world.recorder.panics_in.set(Some("on_close"));
    world.turn(&clients.each_ref().map(|it| it.ready(true, false, true)));
    assert_eq!(world.endings().len(), 3, "all in one turn");
    assert!(clients.iter().all(|it| it.script.is_dropped()));
    world.finish();
}

#[test]
fn messages_of_on_close_leave_in_the_same_turn() {
    let mut world = World::new(|_| {});
    let (leaving, other) = (world.open(), world.open());
    world.on_close(|ws| {
        assert_eq!(ws.send("too late"), SendStatus::Gone);
        ws.broadcast("somebody has left");
    });
    leaving.script.read_will_fail(ErrorKind::ConnectionReset);
    world.turn(&[leaving.ready(true, false, true)]);
    assert_eq!(other.script.take_written(), server_text(b"somebody has left"));
    world.recorder.on_close.take();
    world.finish();
}

#[test]
fn the_first_command_may_be_for_an_ended_connection() {
    let mut world = World::new(|_| {});
    let ended = world.open();
    let gone_id = world.last_id();
    world.reset(&ended);
    let client = world.open();
    let id = world.last_id();
    world.handle.send(gone_id, "x").unwrap();
    world.handle.close(gone_id, CloseCode::NORMAL, "").unwrap();
    world.handle.send(id, "y").unwrap();
    world.handle.terminate(gone_id).unwrap();
    world.handle.broadcast("z").unwrap();
    world.wake();
    assert_eq!(client.script.take_written(), [server_text(b"y"), server_text(b"z")].concat());
    world.finish();
}

// --- Parts of a received message ---------------------------------------------------------------------------

#[test]
fn a_queued_part_of_a_long_message_keeps_its_bytes() {
    // The message arrives in two reads, so it is assembled and could be retained for a slow receiver.
    let payload: Vec<u8> = (0..20_000u32).map(|it| (it / 7) as u8).collect();
    type CutMessage = fn(&[u8]) -> &[u8];
    let cuts: [(&str, CutMessage); 6] = [
        ("its beginning", |it| &it[..15_000]),
        ("its end", |it| &it[5_000..]),
        ("all but the first byte", |it| &it[1..]),
        ("all but the last byte", |it| &it[..it.len() - 1]),
        ("its middle", |it| &it[1_000..19_000]),
        ("the whole", |it| it),
    ];
    for (name, cut) in cuts {
        for to_itself in [true, false] {
            let mut world = World::new(|config| config.ping_interval = None);
            let sender = world.open();
            let mut receiver = sender.clone();
            if !to_itself {
                receiver = world.open();
            }
            let id = world.last_id();
            receiver.script.set_full(true);
            world.on_message(move |ws, message| {
                ws.push(id, cut(message.as_bytes()));
            });
            // Earlier bytes wait, so the message must wait too.
            world.send(&sender, &frame(0x82, &[9; 30_000]));
            let bytes = frame(0x82, &payload);
            world.send(&sender, &bytes[..9_000]);
            world.send(&sender, &bytes[9_000..]);
            let expected =
                [server_frame(0x82, cut(&[9; 30_000])), server_frame(0x82, cut(&payload))].concat();
            assert!(world.read_all(&receiver) == expected, "{name}, to itself: {to_itself}");
            world.finish();
        }
    }
}

#[test]
fn a_message_of_equal_length_is_not_taken_for_the_received_one() {
    let mut world = World::new(|config| config.ping_interval = None);
    let sender = world.open();
    sender.script.set_full(true);
    world.on_message(|ws, message| {
        ws.send(vec![7; message.len()]);
        ws.send(message);
    });
    let bytes = frame(0x82, &[1; 20_000]);
    world.send(&sender, &bytes[..9_000]);
    world.send(&sender, &bytes[9_000..]);
    let expected = [server_frame(0x82, &[7; 20_000]), server_frame(0x82, &[1; 20_000])].concat();
    assert!(world.read_all(&sender) == expected);
    // Nor is the next message, which may lie at the same place.
    let bytes = frame(0x82, &[2; 20_000]);
    sender.script.set_full(true);
    world.send(&sender, &bytes[..9_000]);
    world.send(&sender, &bytes[9_000..]);
    let expected = [server_frame(0x82, &[7; 20_000]), server_frame(0x82, &[2; 20_000])].concat();
    assert!(world.read_all(&sender) == expected);
    world.finish();
}

// --- Two limits at once ------------------------------------------------------------------------------------

const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

/// Returns the refusal of a client: the status, and the Retry-After.
fn refusal(client: &Client) -> Option<(String, String)> {
    let answer = String::from_utf8(client.script.take_written()).unwrap();
    let status = answer.get(9..12)?.to_owned();
    let after = answer.split("Retry-After: ").nth(1).and_then(|it| it.split("\r\n").next());
    Some((status, after.unwrap_or_default().to_owned()))
}

fn refused(status: &str, after: &str) -> Option<(String, String)> {
    Some((status.to_owned(), after.to_owned()))
}

#[test]
fn a_client_refused_for_its_rate_counts_as_no_connection() {
    let mut world = World::new(|config| {
        config.max_connections_per_address = Some(2);
        config.max_handshakes_per_address = Some(1);
    });
    let first = world.connect();
    assert_eq!(refusal(&first), None);
    for _ in 0..5 {
        let client = world.connect();
        assert_eq!(refusal(&client), refused("429", "1"), "for its rate");
        world.half_close(&client);
    }
    world.advance(1000);
    let second = world.connect();
    assert_eq!(refusal(&second), None, "there is one connection");
    world.advance(1000);
    assert_eq!(refusal(&world.connect_from(OTHER)), None, "another address has its own");
    let third = world.connect();
    assert_eq!(refusal(&third), refused("429", "5"), "there are two");
    world.half_close(&third);
    world.reset(&first);
    assert_eq!(refusal(&world.connect()), None, "being refused for the number costs nothing of the rate");
    world.finish();
}

#[test]
fn a_client_refused_for_its_rate_does_not_delay_its_next_try() {
    let mut world = World::new(|config| config.max_handshakes_per_address = Some(1));
    assert_eq!(refusal(&world.connect()), None);
    for _ in 0..9 {
        world.advance(100);
        let client = world.connect();
        assert_eq!(refusal(&client), refused("429", "1"));
        world.half_close(&client);
    }
    world.advance(100);
    assert_eq!(refusal(&world.connect()), None);
    world.finish();
}

#[test]
fn a_client_over_max_connections_counts_for_no_address() {
    let mut world = World::new(|config| {
        (config.max_connections, config.max_connections_per_address) = (Some(1), Some(1));
        config.max_handshakes_per_address = Some(1);
    });
    let first = world.connect();
    for _ in 0..3 {
        let client = world.connect_from(OTHER);
        assert_eq!(refusal(&client).map(|it| it.0), Some("503".to_owned()));
        world.half_close(&client);
    }
    // For clients of the same address, the limit of the whole server is checked first.
    let client = world.connect();
    assert_eq!(refusal(&client).map(|it| it.0), Some("503".to_owned()));
    world.half_close(&client);
    world.reset(&first);
    assert_eq!(refusal(&world.connect_from(OTHER)), None);
    world.finish();
}

#[test]
fn a_limit_of_0_refuses_all_and_no_limit_admits_all() {
    for (limit, count) in [(Some(0), 0), (Some(1), 1), (None, 20)] {
        let mut world = World::new(|config| config.max_handshakes_per_address = limit);
        let accept_pending = (0..20).filter(|_| refusal(&world.connect()).is_none()).count();
        assert_eq!(accept_pending, count, "{limit:?}");
        world.finish();
    }
}

#[test]
fn lingering_sockets_do_not_count_for_max_connections() {
    let mut world = World::new(|config| config.max_connections = Some(2));
    for _ in 0..20 {
        let client = world.open();
        world.send(&client, &frame(0x88, &[3, 232]));
        assert!(!client.script.is_dropped(), "it lingers");
    }
    let (_first, _second) = (world.open(), world.open());
    assert_eq!(refusal(&world.connect()).map(|it| it.0), Some("503".to_owned()));
    world.finish();
}

/// Returns one of many addresses.
fn address_number(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + number))
}

#[test]
fn an_address_is_stored_while_connected_or_over_its_rate() {
    for owes_time in [false, true] {
        let mut world = World::new(|config| {
            config.max_connections_per_address = Some(1);
            config.max_handshakes_per_address = owes_time.then_some(1);
        });
        let first = world.connect();
        if owes_time {
            world.reset(&first);
        }
        for number in 0..1100 {
            let client = world.connect_from(address_number(number));
            assert_eq!(refusal(&client), None, "{number}");
            world.reset(&client);
        }
        assert_eq!(refusal(&world.connect()), refused("429", if owes_time { "1" } else { "5" }));
        world.finish();
    }
}

#[test]
fn each_message_is_counted_either_as_sent_or_as_dropped() {
    for policy in [Backpressure::Drop, Backpressure::Close] {
        let mut world = World::new(|config| (config.max_backpressure, config.backpressure) = (20, policy));
        let (_slow, id) = full(&mut world);
        let speaker = world.open();
        let before = world.stats(&speaker).sent_messages;
        world.on_message(move |ws, _| {
            assert_eq!(ws.push(id, "0123"), SendStatus::Queued(13));
            assert_eq!(ws.push(id, "0123456789"), SendStatus::Dropped);
            ws.send("to itself");
            let all = ws.broadcast("to all");
            assert_eq!(
                (all.sent, all.queued, all.dropped),
                if policy == Backpressure::Drop { (1, 0, 1) } else { (1, 0, 0) }
            );
        });
        world.send(&speaker, &frame(0x81, b"go"));
        let stats = world.stats(&speaker);
        let dropped = if policy == Backpressure::Drop { 2 } else { 1 };
        assert_eq!((stats.sent_messages - before, stats.dropped_messages), (3, dropped), "{policy:?}");
        world.recorder.on_message.take();
        world.finish();
    }
}

#[test]
fn each_shed_connection_is_counted_once_in_every_stage() {
    let mut world = World::new(|config| config.max_buffered_bytes = 1000);
    let witness = world.open();
    // A client with an incomplete head, a client that reads, and a client that does not.
    let head = world.connect();
    world.send(&head, &[b"GET / HTTP/1.1\r\nX: ", &[b'x'; 400][..]].concat());
    let reads = world.open();
    world.send(&reads, &frame(0x02, &[1; 300]));
    let (reads_not, _) = full(&mut world);
    world.send(&reads_not, &frame(0x02, &[1; 200]));
    for shed in 1..=3 {
        let heavy = world.open();
        world.send(&heavy, &frame(0x02, &vec![1; 90 + 100 * shed]));
        if shed == 1 {
            assert!(head.script.take_written().starts_with(b"HTTP/1.1 503 "));
        }
    }
    let stats = world.stats(&witness);
    let overloads = world.endings().iter().filter(|it| it.1 == Cause::Overload).count() as u64;
    assert_eq!((stats.shed, stats.handshakes(503)), (overloads + 1, 1));
    assert!(overloads >= 1, "{overloads}");
    world.finish();
}
