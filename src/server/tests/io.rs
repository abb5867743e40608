//! Writes, reads and registrations that fail or are partial, at every point of every output.

use super::*;

/// One kind of output of a server: its name, its preparation, and its cause.
type OutputCase = (&'static str, fn(&mut World) -> Client, fn(&mut World, &Client));

const OUTPUTS: &[OutputCase] = &[
    ("the answer to a request and what on_open sends", connect_to_greeter, |world, client| {
        world.send(client, REQUEST);
    }),
    ("a refusal", |world| world.connect(), |world, client| world.send(client, b"GET / HTTP/1.0\r\n\r\n")),
    ("an echo", World::open, |world, client| world.send(client, &frame(0x81, b"some text"))),
    ("echoes of one batch", World::open, |world, client| {
        world.send(client, &[frame(0x81, b"a"), frame(0x82, &[7; 300]), frame(0x81, b"")].concat());
    }),
    ("an echo that is long, and the last", World::open, |world, client| {
        world.send(client, &[frame(0x81, b"before"), frame(0x82, &[8; 40_000])].concat());
    }),
    ("an echo that is too large for the cork", World::open, |world, client| {
        world.send(client, &[frame(0x81, b"before"), frame(0x82, &[8; 140_000])].concat());
    }),
    ("small broadcasts", open_beside_speaker, |world, _| speak(world, &[b"one", b"two", b"three"])),
    ("broadcasts that are shared", open_beside_speaker, |world, _| {
        speak(world, &[&[9; 5000], b"x", &[1; 4096]])
    }),
    ("a pong", World::open, |world, client| world.send(client, &frame(0x89, b"are you there?"))),
    ("our ping", World::open, |world, _| world.advance(20_000)),
    ("the answer to a Close", World::open, |world, client| world.send(client, &frame(0x88, &[3, 232]))),
    ("our Close", World::open, |world, client| {
        world.on_message(|ws, _| ws.close(CloseCode::NORMAL, "that was all"));
        world.send(client, &frame(0x81, b"close"));
    }),
    ("the Close for a broken rule", World::open, |world, client| world.send(client, &frame(0x83, b""))),
];

fn connect_to_greeter(world: &mut World) -> Client {
    *world.recorder.greeting.borrow_mut() = vec![b'g'; 200];
    world.connect()
}

/// Connects a client that receives the broadcasts of another one.
fn open_beside_speaker(world: &mut World) -> Client {
    world.open();
    world.on_message(|ws, message| {
        ws.broadcast(message);
    });
    world.open()
}

fn speak(world: &mut World, messages: &[&[u8]]) {
    let speaker = world.clients[0].clone();
    world.send(&speaker, &messages.iter().flat_map(|it| frame(0x82, it)).collect::<Vec<u8>>());
}

/// Returns the bytes of an output without failures.
fn whole((_, prepare, cause): &OutputCase) -> Vec<u8> {
    let mut world = World::new(|_| {});
    let client = prepare(&mut world);
    cause(&mut world, &client);
    let bytes = client.script.take_written();
    world.finish();
    bytes
}

/// Returns all positions in `len` bytes; of many, those near the ends and some between.
fn cuts(len: usize) -> impl Iterator<Item = usize> {
    (0..len).filter(move |it| len < 500 || *it < 20 || *it + 5 > len || it % 4093 == 0)
}

#[test]
fn the_answers_to_one_batch_leave_in_one_write() {
    // §2.1: "the implementation MAY delay the actual transmission arbitrarily, e.g., buffering data
    // so as to send fewer IP packets." §5.5.1, §5.5.2: pong and Close are no later than the echoes.
    let mut world = World::new(|_| {});
    let client = world.open();
    let before = client.script.write_calls();
    let frames = [frame(0x81, b"a"), frame(0x89, b"b"), frame(0x82, b"c"), frame(0x88, &[3, 232])];
    world.send(&client, &frames.concat());
    assert_eq!(client.script.take_written(), b"\x81\x01a\x8a\x01b\x82\x01c\x88\x02\x03\xe8");
    assert_eq!(client.script.write_calls() - before, 1);
    world.finish();
}

#[test]
fn a_long_answer_at_the_end_of_a_batch_is_written_in_place() {
    // Each message is answered twice: collected answers leave in one write, all others in one write each.
    let long = [b'x'; 32 * 1024];
    let short = &long[1..];
    for (batch, writes) in [
        (vec![&long[..]], 2),
        (vec![b"a", &long], 2),
        (vec![short], 1),
        (vec![&long, b"a"], 1),
        (vec![b"a", short], 1),
    ] {
        let mut world = World::new(|_| {});
        let client = world.open();
        world.on_message(|ws, message| {
            ws.send(message);
            ws.send(message);
        });
        let before = client.script.write_calls();
        world.send(&client, &batch.iter().flat_map(|payload| frame(0x82, payload)).collect::<Vec<_>>());
        let answers = batch.iter().flat_map(|payload| server_frame(0x82, payload).repeat(2));
        assert!(client.script.take_written().into_iter().eq(answers));
        assert_eq!(client.script.write_calls() - before, writes, "{:?}", batch.iter().map(|it| it.len()));
        world.finish();
    }
}

#[test]
fn every_output_leaves_whole_although_a_write_is_cut_anywhere() {
    for output in OUTPUTS {
        let expected = whole(output);
        assert!(!expected.is_empty(), "{}", output.0);
        for cut in cuts(expected.len()) {
            let mut world = World::new(|_| {});
            let client = output.1(&mut world);
            client.script.set_full(true);
            client.script.write_will_fail(ErrorKind::Interrupted);
            if cut > 0 {
                client.script.will_take(cut);
            }
            output.2(&mut world, &client);
            assert_eq!(client.script.take_written(), expected[..cut], "{} cut at {cut}", output.0);
            assert!(!client.script.is_write_closed(), "not before all is written");
            assert_eq!(world.read_all(&client), expected[cut..], "{} cut at {cut}", output.0);
            world.finish();
        }
    }
}

#[test]
fn every_output_leaves_whole_although_each_write_takes_little() {
    for output in OUTPUTS {
        let expected = whole(output);
        for step in [1, 2, 3, 7, 127, 4096] {
            if expected.len() / step > 2000 {
                continue;
            }
            let mut world = World::new(|_| {});
            let client = output.1(&mut world);
            client.script.set_full(true);
            client.script.will_take(step);
            output.2(&mut world, &client);
            let mut written = client.script.take_written();
            while written.len() < expected.len() {
                let piece = world.read(&client, step);
                assert!(!piece.is_empty(), "room must be used");
                written.extend(piece);
            }
            assert_eq!(written, expected, "{} in steps of {step}", output.0);
            world.finish();
        }
    }
}

const ERRORS: [ErrorKind; 5] = [
    ErrorKind::BrokenPipe,
    ErrorKind::ConnectionReset,
    ErrorKind::OutOfMemory,
    ErrorKind::TimedOut,
    ErrorKind::Other,
];

#[test]
fn a_write_that_fails_at_any_call_ends_one_connection_once() {
    for output in OUTPUTS {
        let len = whole(output).len();
        for (error, calls_before) in ERRORS.into_iter().flat_map(|it| [(it, 0), (it, 1), (it, 2)]) {
            if len <= calls_before {
                continue;
            }
            let mut world = World::new(|_| {});
            let client = output.1(&mut world);
            (0..calls_before).for_each(|_| client.script.will_take(1));
            client.script.write_will_fail(error);
            output.2(&mut world, &client);
            assert!(client.script.is_dropped(), "{} with {error} after {calls_before}", output.0);
            let ended = world.endings();
            assert_eq!(
                ended.len(),
                world.recorder.opened.borrow().len() - usize::from(world.clients.len() > 1)
            );
            let is_expected = |it: &Cause| {
                matches!(it, Cause::Transport(kind) if *kind == error)
                    || matches!(it, Cause::Peer | Cause::Local | Cause::Protocol(_))
            };
            assert!(ended.iter().all(|(_, cause, _)| is_expected(cause)), "{}: {ended:?}", output.0);
            world.recorder.on_message.take();
            world.recorder.greeting.take();
            let other = world.open();
            world.send(&other, &frame(0x81, b"y"));
            assert_eq!(other.script.take_written(), server_text(b"y"));
            world.finish();
        }
    }
}

#[test]
fn a_failed_write_is_the_cause_of_the_end() {
    for error in ERRORS {
        let mut world = World::new(|_| {});
        let client = world.open();
        client.script.write_will_fail(error);
        world.send(&client, &frame(0x81, b"x"));
        assert_eq!(world.endings(), [(CloseCode::ABNORMAL, Cause::Transport(error), false)]);
        world.finish();
    }
}

/// A client in one stage of its connection, and whether `on_close` has been called by then.
pub(super) type Life = (&'static str, fn(&mut World) -> Client, bool);

pub(super) const STAGES: &[Life] = &[
    ("connecting", |world| world.connect(), false),
    (
        "in the middle of the head",
        |world| {
            let client = world.connect();
            world.send(&client, &REQUEST[..40]);
            client
        },
        false,
    ),
    ("open", World::open, false),
    (
        "in the middle of a message",
        |world| {
            let client = world.open();
            world.send(&client, &frame(0x02, &[1; 1000]));
            world.send(&client, &frame(0x80, &[1; 1000])[..500]);
            client
        },
        false,
    ),
    (
        "closing",
        |world| {
            let client = world.open();
            world.on_message(|ws, _| ws.close(CloseCode::NORMAL, ""));
            world.send(&client, &frame(0x81, b""));
            client
        },
        false,
    ),
    (
        "finishing",
        |world| {
            let client = world.open();
            client.script.set_full(true);
            world.send(&client, &frame(0x88, &[3, 232]));
            client
        },
        // Whether its end is clean isn't known until our Close has left.
        false,
    ),
    (
        "lingering",
        |world| {
            let client = world.open();
            world.send(&client, &frame(0x88, &[3, 232]));
            assert!(client.script.is_write_closed());
            client
        },
        true,
    ),
];

#[test]
fn a_read_that_fails_ends_its_connection_once_in_every_stage() {
    for (stage, prepare, has_ended) in STAGES {
        for error in ERRORS {
            let mut world = World::new(|_| {});
            let client = prepare(&mut world);
            client.script.read_will_fail(ErrorKind::Interrupted);
            client.script.read_will_fail(ErrorKind::WouldBlock);
            world.readable(&client);
            assert!(!client.script.is_dropped(), "{stage}: that is no failure");
            assert_eq!(world.endings().len(), usize::from(*has_ended), "{stage}");
            client.script.read_will_fail(error);
            world.readable(&client);
            assert!(client.script.is_dropped(), "{stage}, {error}");
            let opened = world.recorder.opened.borrow().len();
            assert_eq!(world.endings().len(), opened, "{stage}, {error}");
            world.finish();
        }
    }
}

#[test]
fn the_end_of_input_ends_every_stage_once() {
    for (stage, prepare, _) in STAGES {
        let mut world = World::new(|_| {});
        let client = prepare(&mut world);
        world.half_close(&client);
        world.read_all(&client);
        assert_eq!(world.endings().len(), world.recorder.opened.borrow().len(), "{stage}");
        assert!(client.script.is_dropped(), "{stage}");
        world.finish();
    }
}

#[test]
fn a_client_that_can_not_be_registered_is_dropped() {
    let mut world = World::new(|_| {});
    let failing = Script::default();
    failing.set_registering_fails(true);
    let failing = world.connect_with(failing, ADDRESS);
    assert!(failing.script.is_dropped());
    let client = world.open();
    assert_eq!(world.stats(&client).sockets, 1);
    world.finish();
}

#[test]
fn a_full_socket_that_can_not_be_registered_ends_its_connection() {
    let mut world = World::new(|_| {});
    let (failing, other) = (world.open(), world.open());
    failing.script.set_full(true);
    failing.script.set_registering_fails(true);
    world.send(&failing, &frame(0x81, b"x"));
    let cause = Cause::Transport(ErrorKind::OutOfMemory);
    assert_eq!(world.endings(), [(CloseCode::ABNORMAL, cause, false)]);
    assert!(failing.script.is_dropped());
    assert_eq!(world.buffered(&other), 0);
    world.finish();
}

#[test]
fn queued_bytes_still_go_to_a_client_that_closed_its_side() {
    let mut world = World::new(|_| {});
    let client = world.open();
    client.script.set_full(true);
    world.send(&client, &frame(0x81, b"last words"));
    world.half_close(&client);
    let cause = Cause::Transport(ErrorKind::UnexpectedEof);
    assert_eq!(world.endings(), [(CloseCode::ABNORMAL, cause, false)]);
    assert!(!client.script.is_dropped());
    assert_eq!(world.read_all(&client), server_text(b"last words"));
    assert!(client.script.is_dropped());
    world.finish();
}

#[test]
fn an_end_is_clean_only_if_our_close_has_left() {
    // §7.1.4: "if the TCP connection is closed after the WebSocket closing handshake was completed, the
    // WebSocket connection is said to have been closed _cleanly_."
    let close = frame(0x88, &[3, 232]);
    let clean =
        |world: &World| world.endings().iter().map(|(code, _, clean)| (code.0, *clean)).collect::<Vec<_>>();
    // The write fails in the turn in which the peer's Close came,
    let mut world = World::new(|_| {});
    let client = world.open();
    client.script.write_will_fail(ErrorKind::BrokenPipe);
    world.send(&client, &close);
    assert_eq!(clean(&world), [(1000, false)]);
    world.finish();
    // … or later, with all or a part of our Close still here,
    for taken in 0..4 {
        let mut world = World::new(|_| {});
        let client = world.open();
        client.script.set_full(true);
        world.send(&client, &close);
        if taken > 0 {
            world.read(&client, taken);
        }
        assert_eq!(clean(&world), [], "not known yet");
        client.script.write_will_fail(ErrorKind::BrokenPipe);
        world.writable(&client);
        assert_eq!(clean(&world), [(1000, false)], "{taken} bytes had left");
        world.finish();
    }
    // … or it leaves, and what follows does not matter,
    let mut world = World::new(|_| {});
    let client = world.open();
    client.script.set_full(true);
    world.send(&client, &close);
    world.read_all(&client);
    assert_eq!(clean(&world), [(1000, true)]);
    world.finish();
    // … or the peer closes its side at once after its Close.
    let mut world = World::new(|_| {});
    let client = world.open();
    client.script.set_full(true);
    client.script.will_read(&close);
    world.half_close(&client);
    world.read_all(&client);
    assert_eq!(clean(&world), [(1000, true)]);
    assert!(client.script.is_dropped());
    world.finish();
}

// --- A transport with bytes of its own, as TLS has -----------------------------------------------------

#[test]
fn a_read_without_plaintext_is_a_sign_of_life_and_is_repeated() {
    let mut world = World::new(|_| {});
    let client = world.open();
    world.advance(19_999);
    client.script.will_read_nothing();
    client.script.will_read(&frame(0x81, b"after"));
    world.readable(&client);
    assert_eq!(client.script.take_written(), server_text(b"after"), "one event was enough");
    world.advance(19_000);
    client.script.will_read_nothing();
    world.readable(&client);
    world.advance(19_999);
    assert_eq!(client.script.take_written(), b"", "a peer whose transport is alive is not pinged");
    world.finish();
}

#[test]
fn the_streams_own_answer_leaves_after_the_read_that_caused_it() {
    let mut world = World::new(|_| {});
    let client = world.open();
    client.script.keep(b"hello of the transport");
    client.script.will_read_nothing();
    world.readable(&client);
    assert_eq!(client.script.take_written(), b"hello of the transport");
    client.script.keep(b"new key");
    world.send(&client, &frame(0x8A, b"a pong has no answer"));
    assert_eq!(client.script.take_written(), b"new key");
    world.finish();
}

#[test]
fn the_streams_own_bytes_leave_when_there_is_room() {
    let mut world = World::new(|_| {});
    let client = world.open();
    client.script.set_keeps(true);
    world.send(&client, &frame(0x81, b"free"));
    assert_eq!(client.script.take_written(), server_text(b"free"));
    client.script.set_full(true);
    world.send(&client, &frame(0x81, b"first"));
    world.send(&client, &frame(0x81, b"second"));
    assert_eq!(client.script.take_written(), b"");
    assert_eq!(world.read_all(&client), [server_text(b"first"), server_text(b"second")].concat());
    world.send(&client, &frame(0x81, b"third"));
    assert_eq!(client.script.take_written(), server_text(b"third"));
    world.finish();
}

#[test]
fn the_streams_own_bytes_leave_before_tcp_is_closed() {
    let mut world = World::new(|_| {});
    let client = world.open();
    client.script.set_keeps(true);
    client.script.set_full(true);
    world.send(&client, &frame(0x88, &[3, 232]));
    assert!(!client.script.is_write_closed());
    assert_eq!(world.read_all(&client), b"\x88\x02\x03\xe8");
    assert!(client.script.is_write_closed());
    world.finish();
}
