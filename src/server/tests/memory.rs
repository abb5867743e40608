//! The memory that peers can make the server hold, alone and together.

use super::*;
use crate::{hub::Hub, server::inbound::Inbound};

const MIB: usize = 1024 * 1024;

#[test]
fn an_idle_connection_costs_its_slots_in_two_tables() {
    let (peer, conversation) = (Hub::<()>::PLACE_LEN, size_of::<Inbound>());
    println!("peer {peer} bytes, conversation {conversation} bytes");
    assert!(peer <= 136 && conversation <= 80, "{peer} and {conversation} bytes");
}

#[test]
fn a_declared_length_reserves_no_memory() {
    // Over the limit: refused at the header, and ended.
    let mut world = World::new(|_| {});
    let (client, witness) = (world.open(), world.open());
    world.send(&client, &header(0x82, Some([0; 4]), 1 << 62));
    assert!(is_close(&client.script.take_written(), 1009));
    assert_eq!(world.endings()[0].0, CloseCode::MESSAGE_TOO_BIG);
    assert_eq!(world.buffered(&witness), 0);
    world.finish();
    // Within the limit: only received bytes are held.
    let mut world = World::new(|config| config.limits.max_message_size = usize::MAX);
    let (client, witness) = (world.open(), world.open());
    world.send(&client, &header(0x82, Some([0; 4]), 1 << 62));
    assert_eq!(world.buffered(&witness), 0);
    world.send(&client, b"abc");
    assert!(world.buffered(&witness) <= 16);
    world.finish();
}

#[test]
fn an_incomplete_frame_holds_its_received_bytes() {
    let mut world = World::new(|_| {});
    let (client, witness) = (world.open(), world.open());
    for (number, byte) in frame(0x82, &[1; 1000])[..1000].iter().enumerate() {
        world.send(&client, &[*byte]);
        let held = world.buffered(&witness);
        assert!(held <= 4 * number.max(8), "{held} bytes after {number}");
    }
    world.finish();
}

#[test]
fn an_incomplete_head_holds_its_received_bytes_and_is_ended() {
    let mut world = World::new(|config| config.limits.max_header_size = 1000);
    let (client, witness) = (world.connect(), world.open());
    world.send(&client, b"GET / HTTP/1.1\r\nX: ");
    for number in 0..981 {
        assert_eq!(world.buffered(&witness), 19 + number);
        world.send(&client, b"x");
    }
    assert!(client.script.take_written().is_empty());
    world.send(&client, b"x");
    assert!(client.script.take_written().starts_with(b"HTTP/1.1 431 "));
    assert_eq!(world.buffered(&witness), 0);
    world.finish();
}

#[test]
fn empty_fragments_hold_no_memory() {
    let mut world = World::new(|_| {});
    let (client, witness) = (world.open(), world.open());
    world.send(&client, &frame(0x02, b""));
    let fragments = frame(0x00, b"").repeat(100_000);
    for _ in 0..3 {
        world.send(&client, &fragments);
        assert_eq!(world.buffered(&witness), 0);
    }
    world.send(&client, &frame(0x80, b""));
    assert_eq!(client.script.take_written(), server_frame(0x82, b""));
    world.finish();
}

#[test]
fn fragments_of_one_byte_hold_at_most_the_message_limit() {
    for first in [0x01, 0x02] {
        let mut world = World::new(|config| config.limits.max_message_size = 200_000);
        let (client, witness) = (world.open(), world.open());
        world.send(&client, &frame(first, b""));
        let fragments = frame(0x00, b"x").repeat(20_000);
        for _ in 0..10 {
            world.send(&client, &fragments);
            let held = world.buffered(&witness);
            assert!(held <= 200_000, "{held} bytes");
        }
        assert!(world.endings().is_empty());
        world.send(&client, &frame(0x00, b"x"));
        assert!(is_close(&client.script.take_written(), 1009));
        assert_eq!(world.buffered(&witness), 0);
        world.finish();
    }
}

#[test]
fn over_the_budget_only_the_heaviest_are_shed() {
    let mut world = World::new(|config| config.max_buffered_bytes = MIB);
    let light: Vec<Client> = (0..20).map(|_| world.open()).collect();
    for client in &light {
        world.send(client, &frame(0x02, &[1; 10_000]));
    }
    let heavy: Vec<Client> = (0..3).map(|_| world.open()).collect();
    for (client, len) in heavy.iter().zip([300_000, 400_000, 100_000]) {
        world.send(client, &frame(0x02, &vec![2; len]));
    }
    assert!(world.endings().is_empty(), "a million is within the budget");
    let last = world.open();
    world.send(&last, &frame(0x02, &[3; 60_000]));
    assert!(is_close(&heavy[1].script.take_written(), 1013), "the heaviest");
    assert_eq!(world.endings(), [(CloseCode::TRY_AGAIN_LATER, Cause::Overload, false)]);
    let stats = world.stats(&light[0]);
    assert_eq!((stats.shed, stats.buffered_bytes), (1, 660_000));
    for client in light.iter().chain([&heavy[0], &heavy[2], &last]) {
        world.send(client, &frame(0x80, b""));
        assert!(client.script.take_written().len() > 10_000);
    }
    assert_eq!(world.buffered(&light[0]), 0);
    world.finish();
}

#[test]
fn over_the_budget_peers_that_do_not_read_are_dropped() {
    let mut world =
        World::new(|config| (config.max_buffered_bytes, config.max_backpressure) = (MIB, 10 * MIB));
    let clients: Vec<Client> = (0..10).map(|_| world.open()).collect();
    for client in &clients[1..] {
        client.script.set_full(true);
        world.send(client, &frame(0x82, &[1; 150_000]));
    }
    let stats = world.stats(&clients[0]);
    assert!(stats.buffered_bytes as usize <= MIB && stats.shed > 0, "{stats:?}");
    assert_eq!(
        stats.shed as usize,
        world.endings().len(),
        "each is dropped at once, with no Close to wait for"
    );
    assert!(world.endings().iter().all(|it| *it == (CloseCode::TRY_AGAIN_LATER, Cause::Overload, false)));
    for client in &clients[1..] {
        if !client.script.is_dropped() {
            assert_eq!(world.read_all(client).len(), 150_010);
        }
    }
    assert_eq!(world.buffered(&clients[0]), 0);
    world.finish();
}

#[test]
fn heads_count_against_the_budget() {
    let mut world = World::new(|config| config.max_buffered_bytes = 100_000);
    let witness = world.open();
    let clients: Vec<Client> = (0..10).map(|_| world.connect()).collect();
    for client in &clients {
        world.send(client, &[&b"GET / HTTP/1.1\r\nX: "[..], &[b'x'; 15_000]].concat());
    }
    let refused = clients.iter().filter(|it| it.script.take_written().starts_with(b"HTTP/1.1 503 ")).count();
    assert!(refused >= 3, "{refused}");
    assert!(world.buffered(&witness) <= 100_000);
    world.finish();
}

#[test]
fn shedding_ranks_by_held_bytes_not_by_unsent_bytes() {
    let mut world = World::new(|config| {
        config.max_buffered_bytes = 16 * MIB;
        config.limits.max_message_size = 16 * MIB;
    });
    // Four have read nearly all of a long message, which is held until its last byte is written.
    let slow: Vec<_> = (0..4)
        .map(|_| {
            let client = world.open();
            client.script.set_full(true);
            world.send(&client, &[frame(0x02, &[1; 600_000]), frame(0x80, &vec![1; 3 * MIB])].concat());
            let _ = world.read(&client, 3 * MIB + 500_000);
            client
        })
        .collect();
    let other = world.open();
    assert!(world.buffered(&other) > 14 * MIB, "held whole");
    let honest = world.open();
    world.send(&honest, &frame(0x02, &[2; 3 * MIB]));
    assert!(
        !honest.script.is_dropped() && honest.script.take_written().is_empty(),
        "an honest one goes first"
    );
    let dropped = slow.iter().filter(|it| it.script.is_dropped()).count();
    assert_eq!(dropped, 1, "one of the heaviest connections is enough");
    world.finish();
}

#[test]
fn a_connection_shed_at_a_turns_end_gets_its_close_in_it() {
    let mut world = World::new(|config| config.max_buffered_bytes = 100_000);
    let slow = world.open();
    slow.script.set_full(true);
    let clients: Vec<Client> = (0..6).map(|_| world.connect()).collect();
    for client in &clients {
        world.send(client, &[&b"GET / HTTP/1.1\r\nX: "[..], &[b'x'; 15_000]].concat());
    }
    world.handle.broadcast(Message::Binary(&[1; 12_000])).unwrap();
    world.turn(&[readable(WAKER)]);
    let refused = clients.iter().filter(|it| it.script.take_written().starts_with(b"HTTP/1.1 503 ")).count();
    assert!(refused > 0);
    world.finish();
}

#[test]
fn messages_that_leave_with_this_turn_shed_no_connection() {
    let mut world = World::new(|config| config.max_buffered_bytes = MIB);
    let speaker = world.open();
    let listeners: Vec<Client> = (0..10).map(|_| world.open()).collect();
    world.on_message(|ws, message| {
        ws.broadcast(message);
    });
    world.send(&speaker, &frame(0x82, &[1; 3000]).repeat(100));
    assert_eq!(world.endings(), []);
    for client in &listeners {
        assert_eq!(client.script.take_written().len(), 100 * 3004);
    }
    world.finish();
}

#[test]
fn no_turn_ends_over_the_budget_although_frames_are_shared() {
    let mut world = World::new(|config| {
        (config.max_buffered_bytes, config.max_backpressure) = (MIB, 10 * MIB);
        config.limits.max_message_size = 10 * MIB;
    });
    let speaker = world.open();
    let slow: Vec<Client> = (0..10).map(|_| world.open()).collect();
    slow.iter().for_each(|it| it.script.set_full(true));
    world.on_message(|ws, message| {
        ws.all().broadcast_if(message, |id, ()| id.index() > 0);
    });
    world.send(&speaker, &frame(0x82, &vec![1; 900_000]));
    world.send(&speaker, &frame(0x82, &vec![2; 900_000]));
    let held = world.buffered(&speaker);
    assert!(held <= MIB, "{held}");
    world.finish();
}

/// Sends a message in two pieces.
fn sends_in_pieces(world: &mut World, client: &Client, first: u8, payload: &[u8]) {
    let whole = frame(first, payload);
    let (start, rest) = whole.split_at(whole.len() / 2);
    world.send(client, start);
    world.send(client, rest);
}

#[test]
fn a_forwarded_long_message_is_held_once_for_all() {
    for first in [0x81, 0x82] {
        let payload = vec![b'x'; 100_000];
        let mut world = World::new(|_| {});
        let (witness, speaker) = (world.open(), world.open());
        let others: Vec<Client> = (0..3).map(|_| world.open()).collect();
        let slow: Vec<&Client> = others.iter().chain([&speaker]).collect();
        slow.iter().for_each(|it| it.script.set_full(true));
        world.on_message(|ws, message| {
            let me = ws.id();
            let ids: Vec<ConnId> = ws.all().ids().filter(|id| id.index() > 0 && *id != me).collect();
            for id in ids {
                ws.push(id, message);
            }
            ws.send(message);
            // Another message waits after it. A part of it, or other bytes with the same content, are
            // copied.
            ws.send("behind");
            ws.send(&message.as_bytes()[1..]);
            ws.send(&message.as_bytes().to_vec()[..]);
        });
        sends_in_pieces(&mut world, &speaker, first, &payload);
        let behind =
            [server_frame(0x81, b"behind"), server_frame(0x82, &payload[1..]), server_frame(0x82, &payload)]
                .concat();
        assert_eq!(world.buffered(&witness), 100_000 + 4 * 10 + behind.len());
        for client in &others {
            assert!(world.read_all(client) == server_frame(first, &payload));
        }
        assert!(world.read_all(&speaker) == [server_frame(first, &payload), behind].concat());
        assert_eq!(world.buffered(&witness), 0);
        world.finish();
    }
}

#[test]
fn a_long_message_is_retained_if_half_of_it_waits_else_copied() {
    let payload: Vec<u8> = (0..100_000).map(|it| it as u8).collect();
    for (taken, held) in [(0, 100_010), (5, 100_005), (10, 100_000), (50_010, 100_000), (50_011, 49_999)] {
        let mut world = World::new(|_| {});
        let (witness, client) = (world.open(), world.open());
        client.script.set_full(true);
        client.script.will_take(taken);
        sends_in_pieces(&mut world, &client, 0x82, &payload);
        assert_eq!(world.buffered(&witness), held, "{taken} bytes were taken");
        assert!(world.read_all(&client) == server_frame(0x82, &payload));
        assert_eq!(world.buffered(&witness), 0);
        world.finish();
    }
}

#[test]
fn a_long_message_that_is_not_forwarded_is_freed() {
    let mut world = World::new(|_| {});
    let (witness, client) = (world.open(), world.open());
    world.on_message(|_, _| {});
    sends_in_pieces(&mut world, &client, 0x82, &[1; 100_000]);
    assert_eq!(world.buffered(&witness), 0);
    world.recorder.panics_in.set(Some("on_message"));
    sends_in_pieces(&mut world, &client, 0x82, &[1; 100_000]);
    assert_eq!(world.endings(), [(CloseCode::INTERNAL_ERROR, Cause::Panic, false)]);
    assert_eq!((world.message_count(), world.buffered(&witness)), (2, 0));
    world.finish();
}

#[test]
fn messages_after_a_long_one_are_dispatched() {
    // A message in fragments is assembled, and the same input contains the next message whole.
    let (long, short) = (vec![1; 10_000], b"short");
    let input = [frame(0x02, &long), frame(0x80, &long), frame(0x82, short), frame(0x82, &long)].concat();
    for cut in [1, 9_000, 11_000, 20_100, 20_200, 30_000] {
        let mut world = World::new(|_| {});
        let client = world.open();
        world.send(&client, &input[..cut]);
        world.send(&client, &input[cut..]);
        let expected =
            [server_frame(0x82, &long.repeat(2)), server_frame(0x82, short), server_frame(0x82, &long)]
                .concat();
        assert!(client.script.take_written() == expected, "cut at {cut}");
        world.finish();
    }
}

#[test]
fn an_owned_message_waits_without_a_copy() {
    let payload: Vec<u8> = (0..100_000).map(|it| it as u8).collect();
    for (taken, held) in [(0, 100_010), (10, 100_000), (50_010, 100_000), (50_011, 49_999)] {
        let mut world = World::new(|_| {});
        let (witness, client) = (world.open(), world.open());
        let owned = payload.clone();
        world.on_message(move |ws, _| {
            ws.send(owned.clone());
        });
        client.script.set_full(true);
        client.script.will_take(taken);
        world.send(&client, &frame(0x82, b"go"));
        // The written part of a moved message stays held; a copy contains the rest only.
        assert_eq!(world.buffered(&witness), held, "{taken} bytes were taken");
        assert!(world.read_all(&client) == server_frame(0x82, &payload));
        assert_eq!(world.buffered(&witness), 0);
        world.finish();
    }
}

#[test]
fn an_owned_message_reaches_a_slow_peer_of_another_hook() {
    let mut world = World::new(|_| {});
    let (speaker, slow) = (world.open(), world.open());
    slow.script.set_full(true);
    world.on_message(|ws, message| {
        let others: Vec<ConnId> = ws.all().ids().filter(|id| id.index() == 1).collect();
        ws.push(others[0], "x".repeat(50_000));
        ws.push(others[0], "short".to_owned());
        // The message that is retained for this batch is still retained.
        ws.push(others[0], message);
    });
    sends_in_pieces(&mut world, &speaker, 0x82, &[7; 50_000]);
    assert_eq!(world.buffered(&speaker), 50_004 + 7 + 50_004);
    let text = server_frame(0x81, "x".repeat(50_000).as_bytes());
    assert!(
        world.read_all(&slow)
            == [text, server_frame(0x81, b"short"), server_frame(0x82, &[7; 50_000])].concat()
    );
    world.finish();
}
