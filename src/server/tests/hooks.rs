//! Hooks and tasks that panic, timers, commands of other threads, and the end of the server.

use super::*;
use crate::{Connections, HandleError};

#[test]
fn a_hook_that_panics_costs_its_own_connection_only() {
    for hook in ["on_upgrade", "on_open", "on_message", "on_ping", "on_pong", "on_drain", "on_close"] {
        let mut world = World::new(|_| {});
        let other = world.open();
        let client = if matches!(hook, "on_upgrade" | "on_open") { world.connect() } else { world.open() };
        if hook == "on_drain" {
            client.script.set_full(true);
            world.send(&client, &frame(0x81, b"x"));
        }
        world.recorder.panics_in.set(Some(hook));
        match hook {
            "on_upgrade" | "on_open" => world.send(&client, &[REQUEST, &frame(0x81, b"x")].concat()),
            "on_message" => world.send(&client, &frame(0x81, b"x").repeat(3)),
            "on_ping" => world.send(&client, &frame(0x89, b"x").repeat(3)),
            "on_pong" => world.send(&client, &frame(0x8A, b"x").repeat(3)),
            "on_drain" => client.script.set_full(false),
            _ => world.send(&client, &frame(0x88, &[3, 232])),
        }
        world.writable(&client);
        assert_eq!(world.recorder.panics_in.get(), None, "{hook} was called");
        let (written, endings) = (client.script.take_written(), world.endings());
        match hook {
            "on_upgrade" => {
                assert!(written.starts_with(b"HTTP/1.1 500 "));
                assert_eq!(endings, []);
            }
            "on_close" => {
                assert!(is_close(&written, 1000));
                assert_eq!(endings, [(CloseCode::NORMAL, Cause::Peer, true)]);
            }
            _ => {
                assert!((0..written.len()).any(|at| is_close(&written[at..], 1011)), "{hook}");
                assert_eq!(endings, [(CloseCode::INTERNAL_ERROR, Cause::Panic, false)], "{hook}");
            }
        }
        assert!(world.message_count() <= 1, "{hook}: no hook gets input of a failed connection");
        world.send(&other, &frame(0x81, b"y"));
        assert_eq!(other.script.take_written(), server_text(b"y"));
        world.finish();
    }
}

#[test]
fn a_hook_that_always_panics_does_not_end_the_server() {
    let mut world = World::new(|_| {});
    world.on_message(|_, _| panic_any(PanicsWhenDropped("on_message")));
    for _ in 0..100 {
        let client = world.open();
        world.send(&client, &frame(0x81, b"x"));
        assert!(is_close(&client.script.take_written(), 1011));
    }
    world.finish();
}

// --- Timers ------------------------------------------------------------------------------------------------

/// Runs `action` with all connections in the hook of the next message.
fn with_all(world: &mut World, client: &Client, action: impl Fn(&mut Connections<'_>) + 'static) {
    world.on_message(move |ws, _| action(&mut ws.all()));
    world.send(client, &frame(0x81, b"now"));
    world.recorder.on_message.take();
}

fn counter() -> (Rc<Cell<usize>>, Rc<Cell<usize>>) {
    let count = Rc::new(Cell::new(0));
    (Rc::clone(&count), count)
}

#[test]
fn timers_run_at_their_millisecond_once_or_every_so_often() {
    let mut world = World::new(|config| config.ping_interval = None);
    let client = world.open();
    let ((once, a), (often, b)) = (counter(), counter());
    with_all(&mut world, &client, move |all| {
        let (a, b) = (Rc::clone(&a), Rc::clone(&b));
        all.after(Duration::from_millis(25), move |_| a.set(a.get() + 1));
        all.every(Duration::from_millis(10), move |_| b.set(b.get() + 1));
    });
    for now in 1..=100 {
        world.advance(1);
        assert_eq!((once.get(), often.get()), (usize::from(now >= 25), now / 10), "at {now}");
    }
    // A late loop skips missed runs.
    world.advance(1000);
    assert_eq!(often.get(), 11);
    world.finish();
}

#[test]
fn a_timer_can_be_stopped_from_outside_and_from_inside() {
    let mut world = World::new(|config| config.ping_interval = None);
    let client = world.open();
    let ((first, a), (second, b)) = (counter(), counter());
    let id = Rc::new(Cell::new(None));
    let it = Rc::clone(&id);
    with_all(&mut world, &client, move |all| {
        let (a, b) = (Rc::clone(&a), Rc::clone(&b));
        it.set(Some(all.every(Duration::from_millis(1), move |_| a.set(a.get() + 1))));
        all.every(Duration::from_millis(1), move |all| {
            b.set(b.get() + 1);
            assert_eq!(all.stop_timer(), b.get() == 3);
        });
        assert!(!all.stop_timer(), "none runs");
    });
    world.advance(1);
    assert_eq!((first.get(), second.get()), (1, 1));
    world.finish();
}

#[test]
fn a_task_that_stops_itself_or_panics_runs_no_more() {
    let mut world = World::new(|config| config.ping_interval = None);
    let client = world.open();
    let ((stopping, a), (panicking, b), (cancelled, c)) = (counter(), counter(), counter());
    let id = Rc::new(Cell::new(None));
    let it = Rc::clone(&id);
    with_all(&mut world, &client, move |all| {
        let (a, b, c) = (Rc::clone(&a), Rc::clone(&b), Rc::clone(&c));
        all.every(Duration::from_millis(1), move |all| {
            a.set(a.get() + 1);
            assert!(a.get() < 3 || all.stop_timer());
        });
        all.every(Duration::from_millis(1), move |_| {
            b.set(b.get() + 1);
            panic_any(PanicsWhenDropped("a task"));
        });
        it.set(Some(all.every(Duration::from_millis(1), move |_| c.set(c.get() + 1))));
    });
    (0..5).for_each(|_| world.advance(1));
    with_all(&mut world, &client, move |all| {
        assert!(id.get().is_some_and(|id| all.cancel(id) && !all.cancel(id)))
    });
    (0..5).for_each(|_| world.advance(1));
    assert_eq!((stopping.get(), panicking.get(), cancelled.get()), (3, 1, 5));
    world.send(&client, &frame(0x81, b"still here"));
    assert!(client.script.take_written().ends_with(&server_text(b"still here")));
    world.finish();
}

#[test]
fn a_task_whose_captures_panic_in_their_drop_ends_alone() {
    let mut world = World::new(|config| config.ping_interval = None);
    let client = world.open();
    let (count, it) = counter();
    with_all(&mut world, &client, move |all| {
        let (a, b) = (Rc::clone(&it), Rc::clone(&it));
        let (first, second) =
            (PanicsWhenDropped("a task that ran once"), PanicsWhenDropped("a task that panicked"));
        all.after(Duration::from_millis(1), move |_| {
            let _ = &first;
            a.set(a.get() + 1);
        });
        all.every(Duration::from_millis(1), move |_| {
            let _ = &second;
            b.set(b.get() + 1);
            panic_any(PanicsWhenDropped("a task"));
        });
    });
    (0..3).for_each(|_| world.advance(1));
    assert_eq!(count.get(), 2);
    world.send(&client, &frame(0x81, b"still here"));
    assert!(client.script.take_written().ends_with(&server_text(b"still here")));
    world.finish();
}

#[test]
fn a_task_that_repeats_at_once_lets_the_loop_turn_between() {
    fn again(all: &mut Connections<'_>, count: Rc<Cell<usize>>) {
        count.set(count.get() + 1);
        if count.get() < 1000 {
            all.after(Duration::ZERO, move |all| again(all, Rc::clone(&count)));
        }
    }
    let mut world = World::new(|config| config.ping_interval = None);
    let client = world.open();
    let (count, it) = counter();
    with_all(&mut world, &client, move |all| again(all, Rc::clone(&it)));
    assert!(count.get() <= 2, "{} runs in one turn", count.get());
    world.finish();
}

#[test]
fn a_broadcast_visits_only_existing_connections() {
    let mut world = World::new(|config| config.ping_interval = None);
    let first = world.open();
    let crowd: Vec<Script> = (0..900).map(|_| Script::default()).collect();
    crowd.iter().for_each(|it| world.queue.push(it, ADDRESS));
    while world.queue.len() > 0 {
        world.turn(&[readable(LISTENER)]);
    }
    let last = world.open();
    for script in crowd {
        let client = world.client(script);
        world.reset(&client);
        assert!(client.script.is_dropped());
    }
    let looks = |world: &mut World| {
        world.event_loop.take_visits();
        world.handle.broadcast("tick").unwrap();
        world.wake();
        world.event_loop.take_visits()
    };
    assert!(looks(&mut world) <= 4, "the last place is taken");
    for client in [&first, &last] {
        assert_eq!(client.script.take_written(), server_text(b"tick"));
    }
    assert!(world.event_loop.places() > 900);
    world.reset(&last);
    assert!(looks(&mut world) <= 2);
    assert_eq!(first.script.take_written(), server_text(b"tick"));
    assert!(world.event_loop.places() <= 1, "what was free at the end of the tables is given back");
    world.finish();
}

#[test]
fn a_task_reaches_every_connection() {
    let mut world = World::new(|config| config.ping_interval = None);
    let clients = [(); 3].map(|()| world.open());
    with_all(&mut world, &clients[0], |all| {
        all.after(Duration::from_millis(5), |all| {
            all.broadcast("tick");
            let last = all.ids().last().unwrap();
            all.close(last, CloseCode::NORMAL, "");
        });
    });
    world.advance(5);
    for client in &clients {
        assert!(client.script.take_written().starts_with(&server_text(b"tick")));
    }
    assert!(!clients[2].script.is_dropped());
    world.send(&clients[2], &frame(0x88, &[3, 232]));
    assert_eq!(world.endings(), [(CloseCode::NORMAL, Cause::Local, true)]);
    world.finish();
}

// --- Handles -----------------------------------------------------------------------------------------------

#[test]
fn at_most_65_536_commands_wait_and_run_in_order() {
    let mut world = World::new(|_| {});
    let client = world.open();
    let id = world.recorder.opened.borrow()[0];
    for number in 0..65_536u32 {
        assert_eq!(world.handle.send(id, &number.to_be_bytes()[..]), Ok(()));
    }
    assert_eq!(world.handle.send(id, "one more"), Err(HandleError::Full));
    assert_eq!(world.handle.broadcast("one more"), Err(HandleError::Full));
    world.wake();
    let expected: Vec<u8> = (0..65_536u32).flat_map(|it| server_frame(0x82, &it.to_be_bytes())).collect();
    assert!(client.script.take_written() == expected);
    assert_eq!(world.handle.send(id, "room again"), Ok(()));
    world.wake();
    assert_eq!(client.script.take_written(), server_text(b"room again"));
    world.finish();
}

#[test]
fn at_most_64_mib_of_commands_wait() {
    let mut world = World::new(|_| {});
    let message = vec![0u8; 16 * 1024 * 1024 - 10];
    for _ in 0..4 {
        assert_eq!(world.handle.broadcast(&message), Ok(()));
    }
    assert_eq!(world.handle.broadcast("x"), Err(HandleError::Full));
    world.wake();
    assert_eq!(world.handle.broadcast("x"), Ok(()));
    world.finish();
}

#[test]
fn a_handle_reaches_its_loop_from_a_hook_until_the_loop_ends() {
    let mut world = World::new(|_| {});
    let (client, handle) = (world.open(), world.handle.clone());
    let it = handle.clone();
    world.on_message(move |ws, message| {
        assert_eq!(it.send(ws.id(), message), Ok(()));
        assert_eq!(it.close(ws.id(), CloseCode::NORMAL, ""), Ok(()));
        it.shutdown();
    });
    world.send(&client, &frame(0x81, b"hello"));
    world.wake();
    let written = client.script.take_written();
    assert!(written.starts_with(&server_text(b"hello")) && is_close(&written[7..], 1000));
    world.send(&client, &frame(0x88, &[3, 232]));
    world.half_close(&client);
    assert!(world.event_loop.is_over());
    let id = world.recorder.opened.borrow()[0];
    world.finish();
    assert_eq!(handle.send(id, "x"), Err(HandleError::Stopped));
    assert_eq!(handle.terminate(id), Err(HandleError::Stopped));
}

#[test]
fn commands_for_ended_connections_do_nothing() {
    let mut world = World::new(|_| {});
    let client = world.open();
    let id = world.recorder.opened.borrow()[0];
    world.handle.terminate(id).unwrap();
    world.handle.send(id, "x").unwrap();
    world.handle.terminate(id).unwrap();
    world.handle.close(id, CloseCode::NORMAL, "").unwrap();
    world.wake();
    assert!(client.script.is_dropped() && client.script.take_written().is_empty());
    assert_eq!(world.endings(), [(CloseCode::ABNORMAL, Cause::Local, false)]);
    world.finish();
}

// --- Shutdown ----------------------------------------------------------------------------------------------

#[test]
fn a_shutdown_closes_all_once_and_ends_after_all_answers() {
    let mut world = World::new(|_| {});
    let clients = [(); 5].map(|()| world.open());
    let (connecting, half) = (world.connect(), world.connect());
    world.send(&half, &REQUEST[..30]);
    world.handle.shutdown();
    world.wake();
    for client in &clients {
        assert!(is_close(&client.script.take_written(), 1001));
    }
    for client in [&connecting, &half] {
        assert!(client.script.take_written().starts_with(b"HTTP/1.1 503 "));
    }
    let late = Script::default();
    world.queue.push(&late, ADDRESS);
    world.turn(&[readable(LISTENER)]);
    assert_eq!(world.queue.len(), 1, "no client is accepted any more");
    for client in &clients {
        world.send(client, &frame(0x88, &[3, 233]));
    }
    assert_eq!(world.endings(), [(CloseCode::GOING_AWAY, Cause::Local, true); 5]);
    for client in clients.iter().chain([&connecting, &half]) {
        assert!(!world.event_loop.is_over());
        world.half_close(client);
    }
    assert!(world.event_loop.is_over());
    world.finish();
}

#[test]
fn a_shutdown_is_spread_and_has_a_deadline() {
    let mut world = World::new(|config| config.shutdown_spread = Duration::from_secs(1));
    let clients: Vec<Client> = (0..10).map(|_| world.open()).collect();
    clients[9].script.set_full(true);
    let closed =
        |clients: &[Client]| clients.iter().filter(|it| is_close(&it.script.take_written(), 1001)).count();
    world.handle.shutdown_within(Duration::from_secs(3));
    world.handle.shutdown();
    world.wake();
    assert_eq!(closed(&clients), 1);
    world.advance(99);
    assert_eq!(closed(&clients), 0);
    world.advance(1);
    assert_eq!(closed(&clients), 1);
    world.advance(800);
    assert_eq!(closed(&clients), 7, "the last one takes nothing");
    // Connections without a Close so far are served, and no connection gets two.
    world.advance(2099);
    assert_eq!(closed(&clients), 0);
    assert_eq!(world.endings().len(), 0);
    assert!(!world.event_loop.is_over());
    world.advance(1);
    assert!(world.event_loop.is_over());
    assert_eq!(world.endings(), [(CloseCode::ABNORMAL, Cause::Local, false); 10]);
    world.finish();
}

#[test]
fn a_shutdown_serves_connections_before_their_close() {
    let mut world = World::new(|config| config.shutdown_spread = Duration::from_secs(10));
    let (first, second, connecting) = (world.open(), world.open(), world.connect());
    world.handle.shutdown();
    world.wake();
    assert!(is_close(&first.script.take_written(), 1001));
    world.send(&second, &frame(0x81, b"go on"));
    assert_eq!(second.script.take_written(), server_text(b"go on"));
    world.send(&connecting, REQUEST);
    assert_eq!(connecting.script.take_written(), ANSWER);
    world.advance(10_000);
    for client in [&second, &connecting] {
        assert!(is_close(&client.script.take_written(), 1001));
    }
    world.advance(5_000);
    assert!(world.event_loop.is_over());
    world.finish();
}

#[test]
fn errors_during_a_shutdown_end_each_connection_once() {
    for error in [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset, ErrorKind::Other] {
        let mut world = World::new(|_| {});
        let [writing, reading, full, well] = [(); 4].map(|()| world.open());
        let [connecting, refused] = [(); 2].map(|()| world.connect());
        writing.script.write_will_fail(error);
        connecting.script.write_will_fail(error);
        full.script.set_full(true);
        world.handle.shutdown();
        world.wake();
        assert!(writing.script.is_dropped() && connecting.script.is_dropped());
        for client in [&reading, &refused] {
            client.script.read_will_fail(error);
            world.readable(client);
            assert!(client.script.is_dropped());
        }
        full.script.write_will_fail(error);
        world.writable(&full);
        world.send(&well, &frame(0x88, &[3, 233]));
        world.half_close(&well);
        assert!(world.event_loop.is_over());
        let unclean = world.endings().iter().filter(|(_, _, clean)| !clean).count();
        assert_eq!((world.endings().len(), unclean), (4, 3));
        world.finish();
    }
}

#[test]
fn a_shutdown_without_connections_ends_at_once() {
    let mut world = World::new(|_| {});
    assert!(!world.event_loop.is_over());
    world.handle.shutdown();
    world.turn(&[readable(WAKER)]);
    assert!(world.event_loop.is_over());
}
