//! The most work of one turn, whatever a few bytes, commands, timers and endings cause.

use std::{cell::Cell, rc::Rc};

use super::*;

/// The number of receivers, and the length of a message to all: 20 such messages are a batch's quota.
const RECEIVERS: usize = 25;
const LEN: usize = 3900;
/// More bytes than one turn queues for receivers that do not read.
const TURN: usize = 12 * 1024 * 1024;

/// Connects receivers that do not read.
fn non_readers(world: &mut World) -> Vec<Client> {
    let receivers: Vec<_> = (0..RECEIVERS).map(|_| world.open()).collect();
    receivers.iter().for_each(|it| it.script.set_full(true));
    receivers
}

/// Returns a world in which each message is sent to all, with much room for each.
fn room() -> World {
    let world = World::new(|config| config.max_backpressure = 1 << 30);
    world.on_message(|ws, _| {
        ws.broadcast(&[b'x'; LEN]);
    });
    world
}

#[test]
fn a_batch_that_queues_much_for_others_is_cut() {
    let mut world = room();
    let receivers = non_readers(&mut world);
    let speaker = world.open();
    speaker.script.will_read(&frame(0x81, b"x").repeat(1000));
    let held = world.held();
    world.turn(&[speaker.ready(true, false, false)]);
    let first = world.message_count();
    assert!((10..100).contains(&first), "{first} messages in the first turn");
    assert!(world.held() - held < TURN);
    let mut turns = 1;
    while world.poll_timeout() == Some(Duration::ZERO) {
        let received = world.message_count();
        world.turn(&[]);
        turns += 1;
        assert!(world.message_count() - received < 100, "{} in one turn", world.message_count() - received);
    }
    assert_eq!(world.message_count(), 1000);
    assert!(turns > 10, "{turns} turns");
    assert_eq!(world.read_all(&receivers[0]).len(), 1000 * (LEN + 4));
    world.finish();
}

#[test]
fn postponed_input_keeps_its_order() {
    let mut world = World::new(|config| config.max_backpressure = 1 << 30);
    let receivers = non_readers(&mut world);
    world.on_message(|ws, message| {
        ws.broadcast(message.as_bytes().repeat(1000));
    });
    let speaker = world.open();
    let texts: Vec<_> = (0..200).map(|it| format!("{it:04}").into_bytes()).collect();
    let (early, late) = texts.split_at(150);
    speaker.script.will_read(&early.iter().flat_map(|it| frame(0x82, it)).collect::<Vec<_>>());
    world.turn(&[speaker.ready(true, false, false)]);
    assert!(world.message_count() < 150);
    // Later bytes, and the end, wait after it.
    speaker.script.will_read(&late.iter().flat_map(|it| frame(0x82, it)).collect::<Vec<_>>());
    world.half_close(&speaker);
    assert_eq!(*world.recorder.messages.borrow(), texts);
    let expected: Vec<u8> = texts.iter().flat_map(|it| server_frame(0x82, &it.repeat(1000))).collect();
    assert!(world.read_all(&receivers[3]) == expected);
    world.finish();
}

#[test]
fn costly_connections_delay_only_each_other() {
    let mut world = room();
    let _receivers = non_readers(&mut world);
    let speakers: Vec<_> = (0..30).map(|_| world.open()).collect();
    let other = world.open();
    for speaker in &speakers {
        speaker.script.will_read(&frame(0x81, b"x").repeat(50));
    }
    let mut events: Vec<_> = speakers.iter().map(|it| it.ready(true, false, false)).collect();
    world.turn(&events);
    events.push(other.ready(true, false, false));
    for _ in 0..10 {
        let received = world.message_count();
        other.script.will_read(&frame(0x89, b"?"));
        world.turn(&events);
        let written = other.script.take_written();
        assert!(
            written.windows(3).any(|it| it == server_frame(0x8A, b"?")),
            "the pong is among the messages"
        );
        assert!(
            (1..400).contains(&(world.message_count() - received)),
            "{}",
            world.message_count() - received
        );
    }
    world.settle();
    assert_eq!(world.message_count(), 30 * 50, "each has its turn");
    world.finish();
}

#[test]
fn a_batch_of_slow_hooks_is_cut_by_the_clock() {
    let mut world = World::new(|_| {});
    let (speaker, other) = (world.open(), world.open());
    let now = Rc::new(Cell::new(0));
    world.event_loop.set_clock({
        let now = Rc::clone(&now);
        move || LoopTime(now.get())
    });
    world.on_message(move |_, _| now.set(now.get() + 1));
    speaker.script.will_read(&frame(0x81, b"x").repeat(1000));
    world.turn(&[speaker.ready(true, false, false)]);
    assert!((10..100).contains(&world.message_count()), "{}", world.message_count());
    other.script.will_read(&frame(0x89, b"?"));
    world.turn(&[other.ready(true, false, false)]);
    assert_eq!(other.script.take_written(), server_frame(0x8A, b"?"));
    world.settle();
    assert_eq!(world.message_count(), 1000);
    world.finish();
}

#[test]
fn commands_of_handles_run_in_shares() {
    let mut world = World::new(|config| config.max_backpressure = 1 << 30);
    let receivers = non_readers(&mut world);
    let held = world.held();
    for number in 0..1000_u32 {
        world.handle.broadcast(&number.to_be_bytes().repeat(1000)[..]).unwrap();
    }
    world.turn(&[readable(WAKER)]);
    assert!(world.held() - held < TURN);
    world.settle();
    let expected: Vec<u8> =
        (0..1000_u32).flat_map(|it| server_frame(0x82, &it.to_be_bytes().repeat(1000))).collect();
    assert!(world.read_all(&receivers[7]) == expected);
    world.finish();
}

#[test]
fn a_shutdown_runs_after_earlier_commands() {
    let mut world = room();
    let receivers = non_readers(&mut world);
    for _ in 0..1000 {
        world.handle.broadcast(&[b'y'; LEN][..]).unwrap();
    }
    world.handle.shutdown();
    let (mut turns, mut later) = (0, 0);
    world.turn(&[readable(WAKER)]);
    while world.endings().is_empty() && world.poll_timeout() == Some(Duration::ZERO) {
        // A thread that sends without a pause does not delay it.
        for _ in 0..5 {
            later += usize::from(world.handle.broadcast(&[b'z'; LEN][..]).is_ok());
        }
        world.turn(&[]);
        turns += 1;
        assert!(turns < 1000, "the shutdown never comes");
        if world.event_loop.is_shutting_down() {
            break;
        }
    }
    assert!(turns > 10 && later > 0);
    world.settle();
    let written = world.read_all(&receivers[0]);
    let before = server_frame(0x82, &[b'y'; LEN]).repeat(1000);
    assert!(written.starts_with(&before), "{}", written.len());
    assert!(written.ends_with(&server_frame(0x88, b"\x03\xe9server is shutting down")));
    world.finish();
}

#[test]
fn tasks_that_are_due_together_are_run_in_shares() {
    let mut world = World::new(|config| config.max_backpressure = 1 << 30);
    let _receivers = non_readers(&mut world);
    let other = world.open();
    let ran = Rc::new(Cell::new(0));
    world.on_message({
        let ran = Rc::clone(&ran);
        move |ws, _| {
            for _ in 0..500 {
                let ran = Rc::clone(&ran);
                ws.all().after(Duration::from_millis(10), move |all| {
                    ran.set(ran.get() + 1);
                    all.broadcast(&[b't'; LEN]);
                });
            }
        }
    });
    world.send(&other, &frame(0x81, b"set them"));
    world.now += 10;
    world.turn(&[]);
    assert!((10..100).contains(&ran.get()), "{}", ran.get());
    world.settle();
    assert_eq!(ran.get(), 500);
    world.finish();
}

#[test]
fn on_close_of_many_runs_in_shares() {
    let mut world = World::new(|config| config.max_backpressure = 1 << 30);
    world.recorder.on_close.replace(Some(Box::new(|ws| {
        ws.broadcast(&[b'f'; LEN]);
    })));
    let _receivers = non_readers(&mut world);
    let guests: Vec<_> = (0..400).map(|_| world.open()).collect();
    for guest in &guests {
        guest.script.set_full(true);
        guest.script.reset();
    }
    let events: Vec<_> = guests.iter().map(|it| it.ready(true, true, true)).collect();
    world.turn(&events);
    let ended = world.endings().len();
    assert!((1..300).contains(&ended), "{ended}");
    world.settle();
    assert_eq!(world.endings().len(), 400);
    assert!(guests.iter().all(|it| it.script.is_dropped()));
    world.finish();
}

#[test]
fn the_effects_of_few_bytes_stay_near_the_budget() {
    const BUDGET: usize = 20 * 1024 * 1024;
    let mut world = World::new(|config| config.max_buffered_bytes = BUDGET);
    world.recorder.on_close.replace(Some(Box::new(|ws| {
        ws.broadcast(&[b'f'; LEN]);
    })));
    let (peak, other) = (Rc::new(Cell::new(0)), world.open());
    let guests: Vec<_> = (0..600).map(|_| world.open()).collect();
    guests.iter().for_each(|it| it.script.set_full(true));
    world.on_message({
        let peak = Rc::clone(&peak);
        move |ws, _| {
            ws.broadcast(&[b'x'; LEN]);
            peak.set(peak.get().max(ws.all().stats().buffered_bytes));
        }
    });
    world.send(&other, &frame(0x81, b"x").repeat(500));
    assert_eq!(world.message_count(), 500);
    assert!(peak.get() > BUDGET as u64 / 2, "the budget was never neared: {}", peak.get());
    assert!(peak.get() < BUDGET as u64 * 12 / 10, "{} of {BUDGET}", peak.get());
    world.finish();
}
