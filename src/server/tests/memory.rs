//! What peers can make the server hold, alone and together.

use super::*;
use crate::{peers::Peer, server::conversation::Conversation};

const MIB: usize = 1024 * 1024;

#[test]
fn a_connection_without_traffic_costs_its_places_in_two_tables() {
    let (peer, conversation) = (size_of::<Option<(u32, Peer<()>)>>(), size_of::<Conversation>());
    println!("peer {peer} bytes, conversation {conversation} bytes");
    assert!(peer <= 136 && conversation <= 80, "{peer} and {conversation} bytes");
}

#[test]
fn a_declared_length_makes_the_server_hold_nothing() {
    // Over the limit: judged on the header, and the end.
    let mut world = World::new(|_| {});
    let (client, witness) = (world.open(), world.open());
    world.sends(&client, &[&header(0x82, 0x80, 1 << 62)[..], &[0; 4]].concat());
    assert!(is_close(&client.script.take_written(), 1009));
    assert_eq!(world.endings()[0].0, CloseCode::MESSAGE_TOO_BIG);
    assert_eq!(world.buffered(&witness), 0);
    world.finish();
    // Within the limit: only what comes is held.
    let mut world = World::new(|config| config.limits.max_message_size = usize::MAX);
    let (client, witness) = (world.open(), world.open());
    world.sends(&client, &[&header(0x82, 0x80, 1 << 62)[..], &[0; 4]].concat());
    assert_eq!(world.buffered(&witness), 0);
    world.sends(&client, b"abc");
    assert!(world.buffered(&witness) <= 16);
    world.finish();
}

#[test]
fn a_frame_that_drips_holds_what_has_arrived() {
    let mut world = World::new(|_| {});
    let (client, witness) = (world.open(), world.open());
    for (number, byte) in frame(0x82, &[1; 1000])[..1000].iter().enumerate() {
        world.sends(&client, &[*byte]);
        let held = world.buffered(&witness);
        assert!(held <= 4 * number.max(8), "{held} bytes after {number}");
    }
    world.finish();
}

#[test]
fn a_head_that_drips_holds_what_has_arrived_and_has_an_end() {
    let mut world = World::new(|config| config.limits.max_header_size = 1000);
    let (client, witness) = (world.connect(), world.open());
    world.sends(&client, b"GET / HTTP/1.1\r\nX: ");
    for number in 0..981 {
        assert_eq!(world.buffered(&witness), 19 + number);
        world.sends(&client, b"x");
    }
    assert!(client.script.take_written().is_empty());
    world.sends(&client, b"x");
    assert!(client.script.take_written().starts_with(b"HTTP/1.1 431 "));
    assert_eq!(world.buffered(&witness), 0);
    world.finish();
}

#[test]
fn empty_fragments_hold_nothing_however_many() {
    let mut world = World::new(|_| {});
    let (client, witness) = (world.open(), world.open());
    world.sends(&client, &frame(0x02, b""));
    let fragments = frame(0x00, b"").repeat(100_000);
    for _ in 0..3 {
        world.sends(&client, &fragments);
        assert_eq!(world.buffered(&witness), 0);
    }
    world.sends(&client, &frame(0x80, b""));
    assert_eq!(client.script.take_written(), served(0x82, b""));
    world.finish();
}

#[test]
fn fragments_of_one_byte_hold_at_most_the_message_limit_and_end_at_it() {
    for first in [0x01, 0x02] {
        let mut world = World::new(|config| config.limits.max_message_size = 200_000);
        let (client, witness) = (world.open(), world.open());
        world.sends(&client, &frame(first, b""));
        let fragments = frame(0x00, b"x").repeat(20_000);
        for _ in 0..10 {
            world.sends(&client, &fragments);
            let held = world.buffered(&witness);
            assert!(held <= 200_000, "{held} bytes");
        }
        assert!(world.endings().is_empty());
        world.sends(&client, &frame(0x00, b"x"));
        assert!(is_close(&client.script.take_written(), 1009));
        assert_eq!(world.buffered(&witness), 0);
        world.finish();
    }
}

#[test]
fn over_the_budget_the_heaviest_are_shed_and_the_others_go_on() {
    let mut world = World::new(|config| config.max_buffered_bytes = MIB);
    let light: Vec<Client> = (0..20).map(|_| world.open()).collect();
    for client in &light {
        world.sends(client, &frame(0x02, &[1; 10_000]));
    }
    let heavy: Vec<Client> = (0..3).map(|_| world.open()).collect();
    for (client, len) in heavy.iter().zip([300_000, 400_000, 100_000]) {
        world.sends(client, &frame(0x02, &vec![2; len]));
    }
    assert!(world.endings().is_empty(), "a million is within the budget");
    let last = world.open();
    world.sends(&last, &frame(0x02, &[3; 60_000]));
    assert!(is_close(&heavy[1].script.take_written(), 1013), "the heaviest");
    assert_eq!(world.endings(), [(CloseCode::TRY_AGAIN_LATER, Cause::Overload, false)]);
    let stats = world.stats(&light[0]);
    assert_eq!((stats.shed, stats.buffered_bytes), (1, 660_000));
    for client in light.iter().chain([&heavy[0], &heavy[2], &last]) {
        world.sends(client, &frame(0x80, b""));
        assert!(client.script.take_written().len() > 10_000);
    }
    assert_eq!(world.buffered(&light[0]), 0);
    world.finish();
}

#[test]
fn over_the_budget_those_who_do_not_read_are_dropped_without_a_word() {
    let mut world =
        World::new(|config| (config.max_buffered_bytes, config.max_backpressure) = (MIB, 10 * MIB));
    let clients: Vec<Client> = (0..10).map(|_| world.open()).collect();
    for client in &clients[1..] {
        client.script.set_full(true);
        world.sends(client, &frame(0x82, &[1; 150_000]));
    }
    let stats = world.stats(&clients[0]);
    assert!(stats.buffered_bytes as usize <= MIB && stats.shed > 0, "{stats:?}");
    assert!(world.endings().iter().all(|it| *it == (CloseCode::TRY_AGAIN_LATER, Cause::Overload, false)));
    for client in &clients[1..] {
        if !client.script.is_dropped() {
            assert_eq!(world.takes_all(client).len(), 150_010);
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
        world.sends(client, &[&b"GET / HTTP/1.1\r\nX: "[..], &[b'x'; 15_000]].concat());
    }
    let refused = clients.iter().filter(|it| it.script.take_written().starts_with(b"HTTP/1.1 503 ")).count();
    assert!(refused >= 3, "{refused}");
    assert!(world.buffered(&witness) <= 100_000);
    world.finish();
}

#[test]
fn who_is_shed_at_the_end_of_a_turn_is_answered_in_it() {
    let mut world = World::new(|config| config.max_buffered_bytes = 100_000);
    let slow = world.open();
    slow.script.set_full(true);
    let clients: Vec<Client> = (0..6).map(|_| world.connect()).collect();
    for client in &clients {
        world.sends(client, &[&b"GET / HTTP/1.1\r\nX: "[..], &[b'x'; 15_000]].concat());
    }
    world.handle.broadcast(Message::Binary(&[1; 12_000])).unwrap();
    world.turn(&[ready(WAKER.0, true, false, false)]);
    let refused = clients.iter().filter(|it| it.script.take_written().starts_with(b"HTTP/1.1 503 ")).count();
    assert!(refused > 0);
    world.finish();
}

#[test]
fn messages_that_leave_with_this_turn_cost_nobody_the_connection() {
    let mut world = World::new(|config| config.max_buffered_bytes = MIB);
    let speaker = world.open();
    let listeners: Vec<Client> = (0..10).map(|_| world.open()).collect();
    world.on_message(|ws, message| {
        ws.broadcast(message);
    });
    world.sends(&speaker, &frame(0x82, &[1; 3000]).repeat(100));
    assert_eq!(world.endings(), []);
    for client in &listeners {
        assert_eq!(client.script.take_written().len(), 100 * 3004);
    }
    world.finish();
}

#[test]
fn after_each_turn_no_more_is_held_than_the_budget_although_frames_are_shared() {
    let mut world = World::new(|config| {
        (config.max_buffered_bytes, config.max_backpressure) = (MIB, 10 * MIB);
        config.limits.max_message_size = 10 * MIB;
    });
    let speaker = world.open();
    let slow: Vec<Client> = (0..10).map(|_| world.open()).collect();
    slow.iter().for_each(|it| it.script.set_full(true));
    world.on_message(|ws, message| {
        ws.all().broadcast_if(message, |id, ()| id.index > 0);
    });
    world.sends(&speaker, &frame(0x82, &vec![1; 900_000]));
    world.sends(&speaker, &frame(0x82, &vec![2; 900_000]));
    let held = world.buffered(&speaker);
    assert!(held <= MIB, "{held}");
    world.finish();
}
