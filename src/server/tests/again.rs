//! Events that happen again: a second shutdown, accepts that fail again, a timer after a timer, a second
//! pause, a second ping.

use super::*;

// --- Shutdown ----------------------------------------------------------------------------------------------

#[test]
fn the_first_of_two_shutdowns_counts_seen_or_not() {
    for (first, second) in [(7000, 1000), (1000, 7000)] {
        for has_begun in [false, true] {
            let mut world = World::new(|config| config.close_timeout = Duration::from_secs(60));
            let client = world.open();
            world.handle.shutdown_within(Duration::from_millis(first));
            if has_begun {
                world.wake();
            }
            world.handle.shutdown_within(Duration::from_millis(second));
            world.wake();
            assert!(is_close(&client.script.take_written(), 1001));
            world.advance(first - 1);
            assert!(!world.event_loop.is_over(), "{first} ms, not {second}");
            world.advance(1);
            assert!(world.event_loop.is_over(), "{first} ms, not {second}");
            world.finish();
        }
    }
}

#[test]
fn a_busy_handle_does_not_move_the_end_of_a_shutdown() {
    let mut world = World::new(|config| config.close_timeout = Duration::from_secs(60));
    let client = world.open();
    let id = world.last_id();
    world.handle.shutdown_within(Duration::from_secs(5));
    for _ in 0..4 {
        world.handle.send(id, "x").unwrap();
        world.handle.shutdown();
        world.wake();
        world.advance(1000);
    }
    let close = server_frame(0x88, b"\x03\xe9server is shutting down");
    assert_eq!(client.script.take_written(), [server_text(b"x"), close].concat(), "closed once");
    world.handle.broadcast("y").unwrap();
    world.wake();
    world.advance(999);
    assert!(!world.event_loop.is_over());
    world.advance(1);
    assert!(world.event_loop.is_over());
    world.finish();
}

#[test]
fn a_spread_longer_than_the_shutdown_is_cut_to_it() {
    let mut world = World::new(|config| config.shutdown_spread = Duration::from_secs(100));
    let clients = [(); 4].map(|()| world.open());
    world.handle.shutdown_within(Duration::from_millis(400));
    world.wake();
    for (client, at) in clients.iter().zip([0, 100, 200, 300]) {
        assert!(is_close(&client.script.take_written(), 1001), "at {at}");
        world.advance(100);
    }
    assert!(world.event_loop.is_over());
    world.finish();
}

// --- Accepts -----------------------------------------------------------------------------------------------

#[test]
fn an_accept_that_fails_again_pauses_again() {
    let mut world = World::new(|config| config.ping_interval = None);
    for _ in 0..3 {
        let calls = world.queue.calls.get();
        world.queue.failure.set(Some(ErrorKind::Other));
        world.turn(&[readable(LISTENER)]);
        for tries in 1..5 {
            assert_eq!(world.queue.calls.get() - calls, tries);
            assert_eq!(world.poll_timeout(), Some(Duration::from_millis(100)));
            world.advance(99);
            world.turn(&[readable(LISTENER)]);
            assert_eq!(world.queue.calls.get() - calls, tries, "not before its time");
            world.advance(1);
        }
        world.queue.failure.set(None);
        world.advance(100);
        let tries = world.queue.calls.get();
        world.advance(10_000);
        assert_eq!(world.queue.calls.get(), tries, "nothing is to be tried");
        let client = world.open();
        world.reset(&client);
    }
    world.finish();
}

#[test]
fn clients_accepted_before_a_failed_accept_are_served() {
    let mut world = World::new(|_| {});
    let (first, second) = (Script::default(), Script::default());
    world.queue.push(&first, ADDRESS);
    world.queue.push_failure(ErrorKind::Other);
    world.queue.push(&second, ADDRESS);
    world.turn(&[readable(LISTENER)]);
    let first = world.client(first);
    assert!(!first.script.is_dropped());
    world.send(&first, REQUEST);
    assert_eq!(first.script.take_written(), ANSWER);
    world.advance(100);
    assert!(!world.client(second).script.is_dropped());
    world.finish();
}

// --- Timers ------------------------------------------------------------------------------------------------

/// Runs `action` in a hook of a client.
fn by_hook(world: &mut World, client: &Client, action: impl FnMut(&mut WebSocket<'_>) + 'static) {
    let mut action = action;
    world.on_message(move |ws, _| action(ws));
    world.send(client, &frame(0x81, b"now"));
    world.recorder.on_message.take();
}

#[test]
fn a_hook_after_a_timer_has_no_timer_to_stop() {
    for panics in [false, true] {
        let mut world = World::new(|config| config.ping_interval = None);
        let client = world.open();
        let count = Rc::new(Cell::new(0));
        let it = Rc::clone(&count);
        by_hook(&mut world, &client, move |ws| {
            let it = Rc::clone(&it);
            // The task that does not panic runs last.
            ws.all().after(Duration::from_millis(10), move |_| assert!(!panics, "a task that panics"));
            ws.all().every(Duration::from_millis(10), move |_| it.set(it.get() + 1));
        });
        world.advance(10);
        by_hook(&mut world, &client, |ws| assert!(!ws.all().stop_timer(), "none runs"));
        world.advance(10);
        assert_eq!(count.get(), 2, "it goes on");
        assert!(world.endings().is_empty());
        world.finish();
    }
}

#[test]
fn tasks_due_together_all_run_although_the_first_panics() {
    let mut world = World::new(|config| config.ping_interval = None);
    let client = world.open();
    let count = Rc::new(Cell::new(0));
    let it = Rc::clone(&count);
    by_hook(&mut world, &client, move |ws| {
        ws.all().after(Duration::from_millis(10), |_| panic!("the first"));
        for _ in 0..3 {
            let it = Rc::clone(&it);
            ws.all().after(Duration::from_millis(10), move |all| {
                it.set(it.get() + 1);
                all.broadcast("tick");
            });
        }
    });
    world.now += 10;
    world.turn(&[]);
    assert_eq!(count.get(), 3, "in one turn");
    assert_eq!(client.script.take_written(), server_text(b"tick").repeat(3));
    world.finish();
}

#[test]
fn a_timer_set_by_a_task_has_its_own_delay_and_can_be_cancelled() {
    let mut world = World::new(|config| config.ping_interval = None);
    let client = world.open();
    let ran = Rc::new(RefCell::new(Vec::new()));
    let second = Rc::new(Cell::new(None));
    let (it, id) = (Rc::clone(&ran), Rc::clone(&second));
    by_hook(&mut world, &client, move |ws| {
        let (it, id) = (Rc::clone(&it), Rc::clone(&id));
        ws.all().after(Duration::from_millis(10), move |all| {
            it.borrow_mut().push(1);
            let it = Rc::clone(&it);
            id.set(Some(all.after(Duration::from_millis(10), move |_| it.borrow_mut().push(2))));
        });
    });
    world.advance(19);
    assert_eq!(*ran.borrow(), [1], "late by nine, and the second ten later");
    world.advance(9);
    assert_eq!(*ran.borrow(), [1]);
    world.advance(1);
    assert_eq!(*ran.borrow(), [1, 2]);
    by_hook(&mut world, &client, move |ws| assert!(!ws.all().cancel(second.get().unwrap()), "it has run"));
    world.advance(10_000);
    assert_eq!(*ran.borrow(), [1, 2]);
    assert_eq!(world.poll_timeout(), None);
    world.finish();
}

// --- Pauses, drains, pings ---------------------------------------------------------------------------------

#[test]
fn a_client_may_be_paused_and_drain_time_and_again() {
    let mut world = World::new(|config| {
        (config.max_backpressure, config.ping_interval) = (100, None);
    });
    let client = world.open();
    for round in 1..5 {
        client.script.set_full(true);
        world.send(&client, &frame(0x81, b"full"));
        let batch = [frame(0x82, &[1; 60]), frame(0x81, b"put aside")].concat();
        world.send(&client, &batch);
        client.script.will_read(&frame(0x81, b"not read"));
        world.readable(&client);
        assert!(client.script.is_unread(), "paused in round {round}");
        assert_eq!(world.recorder.drained.get(), round - 1);
        let expected = [
            server_text(b"full"),
            server_frame(0x82, &[1; 60]),
            server_text(b"put aside"),
            server_text(b"not read"),
        ]
        .concat();
        assert_eq!(world.read_all(&client), expected, "round {round}");
        assert_eq!(world.recorder.drained.get(), round);
    }
    world.finish();
}

#[test]
fn each_silence_has_its_own_ping_and_its_own_time_to_answer() {
    let mut world = World::new(|config| config.pong_timeout = Duration::from_secs(7));
    let client = world.open();
    for answer in [frame(0x8A, b""), frame(0x81, b"x"), frame(0x89, b""), frame(0x8A, b"unasked")] {
        world.advance(19_999);
        client.script.take_written();
        world.advance(1);
        assert_eq!(client.script.take_written(), [0x89, 0]);
        world.advance(6_999);
        world.send(&client, &answer);
    }
    client.script.take_written();
    world.advance(20_000);
    assert_eq!(client.script.take_written(), [0x89, 0]);
    world.advance(6_999);
    assert!(world.endings().is_empty());
    world.advance(1);
    assert_eq!(world.endings(), [(CloseCode::INTERNAL_ERROR, Cause::Timeout, false)]);
    world.finish();
}

#[test]
fn a_byte_read_after_a_ping_renews_the_pong_timeout() {
    let mut world = World::new(|config| {
        config.pong_timeout = Duration::from_secs(7);
        config.max_close_time = config.close_timeout;
    });
    let client = world.open();
    client.script.set_full(true);
    world.send(&client, &frame(0x82, &[1; 100]));
    for round in 0..5 {
        world.advance(20_000);
        world.advance(6_999);
        assert_eq!(world.read(&client, 1).len(), 1, "round {round}");
    }
    assert!(world.endings().is_empty(), "each byte is a sign of life");
    // After the client's Close its bytes do not extend max_close_time.
    world.send(&client, &frame(0x88, &[3, 232]));
    for _ in 0..4 {
        world.advance(1000);
        world.read(&client, 1);
    }
    world.advance(999);
    assert!(!client.script.is_dropped());
    world.advance(1);
    assert!(client.script.is_dropped());
    world.finish();
}

#[test]
fn a_peer_that_is_full_when_it_is_silent_is_not_pinged() {
    let mut world = World::new(|_| {});
    let client = world.open();
    client.script.set_full(true);
    world.send(&client, &frame(0x81, b"x"));
    world.advance(20_000);
    assert_eq!(world.read_all(&client), server_text(b"x"), "a ping would only wait behind it");
    world.advance(20_000);
    assert_eq!(client.script.take_written(), [0x89, 0]);
    world.finish();
}

// --- The metrics listener ----------------------------------------------------------------------------------

#[test]
fn sixteen_scrapers_at_once_and_any_number_one_after_another() {
    let mut world = World::new(|config| config.max_connections = Some(1));
    let connect = |world: &mut World| {
        let script = Script::default();
        world.metrics_queue.push(&script, ADDRESS);
        world.turn(&[readable(METRICS)]);
        world.client(script)
    };
    for _ in 0..40 {
        assert!(world.scrape("/healthz").starts_with("HTTP/1.1 200 "));
    }
    let silent: Vec<Client> = (0..16).map(|_| connect(&mut world)).collect();
    assert!(silent.iter().all(|it| !it.script.is_dropped()), "sixteen at once");
    // They do not count as connections.
    let client = world.open();
    assert_eq!(world.stats(&client).connections, 1);
    for it in &silent {
        world.send(it, b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(it.script.take_written().ends_with(b"ready\n"));
        world.half_close(it);
    }
    let stats = world.stats(&client);
    assert_eq!((stats.accepted, stats.sockets, stats.handshakes(200)), (1, 1, 0));
    assert!(world.scrape("/healthz").starts_with("HTTP/1.1 200 "));
    world.finish();
}

#[test]
fn a_page_is_found_by_its_exact_path() {
    let mut world = World::new(|_| {});
    for (path, status) in [
        ("/metrics", 200),
        ("/metrics?x=1", 200),
        ("/metricsx", 404),
        ("/metric", 404),
        ("/Metrics", 404),
        ("/metrics/", 404),
        ("/healthz", 200),
        ("/health", 404),
        ("/HEALTHZ", 404),
        ("/readyz", 200),
        ("/ready", 404),
        ("/readyzz", 404),
        ("/", 404),
    ] {
        let page = world.scrape(path);
        assert!(page.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {page}");
    }
    let client = world.open();
    world.handle.shutdown();
    world.wake();
    for (path, status) in [("/metrics", 200), ("/healthz", 200), ("/readyz", 503)] {
        assert!(world.scrape(path).starts_with(&format!("HTTP/1.1 {status} ")), "{path} while it drains");
    }
    client.script.take_written();
    world.finish();
}

#[test]
fn a_begun_page_is_written_before_the_server_stops() {
    let mut world = World::new(|config| config.close_timeout = Duration::from_secs(60));
    let script = Script::default();
    script.will_take(20);
    script.set_full(true);
    world.metrics_queue.push(&script, ADDRESS);
    world.turn(&[readable(METRICS)]);
    let scraper = world.client(script);
    world.send(&scraper, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    world.handle.shutdown_within(Duration::from_secs(5));
    world.wake();
    assert!(!world.event_loop.is_over(), "most of the page waits");
    assert!(world.read_all(&scraper).ends_with(b"ok\n"));
    assert!(world.event_loop.is_over());
    world.finish();
}

#[test]
fn a_scraper_that_does_not_read_is_dropped_at_the_deadline() {
    let mut world = World::new(|config| config.close_timeout = Duration::from_secs(60));
    let script = Script::default();
    script.set_full(true);
    world.metrics_queue.push(&script, ADDRESS);
    world.turn(&[readable(METRICS)]);
    let scraper = world.client(script);
    world.send(&scraper, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    world.handle.shutdown_within(Duration::from_secs(5));
    world.wake();
    world.advance(4_999);
    assert!(!world.event_loop.is_over() && !scraper.script.is_dropped());
    world.advance(1);
    assert!(world.event_loop.is_over() && scraper.script.is_dropped());
    world.finish();
}
