//! §7 How connections end: for each way, what the client sees, and its one `on_close`.

use std::{
    cell::Cell,
    io::{ErrorKind, Read, Write},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use wirehook::{Backpressure, Cause, CloseCode, SendStatus, Upgrade, protocol::ProtocolError};

use crate::{
    common::{CLOSE, Client, Frame, GRAIN, PATIENCE, PING, PONG, TEXT, frame, request},
    harness::{End, echo, other, serve, serve_with_state},
};

// --- With a closing handshake ----------------------------------------------------------------------------

#[test]
fn the_peers_close_is_echoed_and_the_server_closes_tcp_first() {
    // §7.1.1, §7.1.5, §7.1.6
    let server = echo();
    let mut client = Client::open(server.address);
    client.send_close(4321, "grüße");
    client.expect_close(4321, "");
    // The client keeps its side open.
    client.expect_end();
    server.expect_closed(&End::clean(4321, "grüße", Cause::Peer));
}

#[test]
fn a_close_without_a_body_is_1005() {
    // §7.1.5
    let server = echo();
    let mut client = Client::open(server.address);
    client.send(CLOSE, b"");
    assert_eq!(client.frame(), Frame { first: CLOSE, payload: vec![] });
    client.expect_end();
    server.expect_closed(&End::clean(1005, "", Cause::Peer));
}

#[test]
fn a_local_close_ends_with_the_peers_answer() {
    // §7.1.2, §7.1.3
    let server = serve(|server, _| server.on_message(|ws, _| ws.close(CloseCode::NORMAL, "done")));
    let mut client = Client::open(server.address);
    client.send_text("stop");
    client.expect_close(1000, "done");
    assert!(!client.has_input_within(Duration::from_millis(50)), "the server waits for the answer");
    client.send_close(3999, "agreed");
    client.expect_end();
    // §7.1.5: the code is the peer's.
    server.expect_closed(&End::clean(3999, "agreed", Cause::Local));
}

#[test]
fn nothing_after_the_peers_close_is_processed() {
    // §5.5.1
    let server = serve(|server, log| {
        server.on_message(move |ws, message| {
            log.note(message.as_text().unwrap());
            ws.send(message);
        })
    });
    let mut client = Client::open(server.address);
    let close = frame(CLOSE, &1000u16.to_be_bytes());
    client.write(&[frame(TEXT, b"before"), close, frame(TEXT, b"after"), vec![0xFF; 9]].concat());
    client.expect_text("before");
    client.expect_close(1000, "");
    client.expect_end();
    server.expect_closed(&End::clean(1000, "", Cause::Peer));
    assert_eq!(server.notes_so_far(), ["before"]);
}

#[test]
fn a_local_close_says_only_what_a_close_frame_may_say() {
    // §7.4, §5.5.1
    let server = serve(|server, _| {
        server.on_message(|ws, message| match message.as_text() {
            Some("long") => ws.close(CloseCode(4000), &"ü".repeat(100)),
            Some("none") => ws.close(CloseCode::NO_STATUS_RECEIVED, "dropped with the code"),
            Some(code) => ws.close(CloseCode(code.parse().unwrap()), "why"),
            None => {}
        })
    });
    let cases = [
        // The reason has 123 bytes at most, and no half character.
        ("long", Frame::close(4000, &"ü".repeat(61))),
        ("none", Frame { first: CLOSE, payload: vec![] }),
        ("1013", Frame::close(1013, "why")),
        ("1006", Frame::close(1011, "why")),
        // A server says in the handshake which extensions it misses.
        ("1010", Frame::close(1011, "why")),
        ("999", Frame::close(1011, "why")),
        ("5000", Frame::close(1011, "why")),
    ];
    for (text, close) in cases {
        let mut client = Client::open(server.address);
        client.send_text(text);
        assert_eq!(client.frame(), close, "{text}");
    }
}

#[test]
fn what_was_sent_before_a_close_arrives_before_it() {
    // §5.5.1
    const LEN: usize = 24 * 1024 * 1024;
    let server = serve(|server, _| {
        server.on_message(|ws, _| {
            ws.send(vec![b'x'; LEN]);
            ws.close(CloseCode::NORMAL, "that was all");
        })
    });
    let mut client = Client::open(server.address);
    client.send_text("go");
    assert!(client.frame().payload == vec![b'x'; LEN]);
    client.expect_close(1000, "that was all");
    client.send_close(1000, "");
    client.expect_end();
    server.expect_closed(&End::clean(1000, "", Cause::Local));
}

#[test]
fn queued_messages_go_out_before_the_answer_to_a_close() {
    // §6.1, §5.5.1: "An endpoint MAY delay sending a Close frame until its current message is sent".
    const LEN: usize = 24 * 1024 * 1024;
    let server = serve(|server, _| {
        // A limit so large that the client is still read from.
        server.configure(|config| config.max_backpressure = 3 * LEN).on_message(|ws, _| {
            assert!(matches!(ws.send(vec![b'x'; LEN]), SendStatus::Queued(1..)));
            ws.send("and this");
        })
    });
    let mut client = Client::open(server.address);
    client.send_text("go");
    client.send_close(1000, "");
    assert!(client.frame().payload == vec![b'x'; LEN]);
    client.expect_text("and this");
    client.expect_close(1000, "");
    client.expect_end();
    server.expect_closed(&End::clean(1000, "", Cause::Peer));
}

#[test]
fn a_steady_reader_gets_a_long_answer_whole_before_the_close() {
    // §5.5.1: a frame that has begun is finished, though that takes longer than close_timeout.
    const LEN: usize = 48 * 1024 * 1024;
    // So long that systems with large buffers show progress within it.
    let timeout = Duration::from_secs(3);
    let server = serve(move |server, _| {
        server
            .configure(move |config| (config.max_backpressure, config.close_timeout) = (3 * LEN, timeout))
            .on_message(|ws, _| {
                ws.send(vec![b'x'; LEN]);
            })
    });
    let mut client = Client::open(server.address);
    let began = Instant::now();
    client.send_text("go");
    client.send_close(1000, "");
    let mut stream = client.writer();
    let (mut left, mut buffer) = (10 + LEN, vec![0; LEN / 64]);
    while left > 0 {
        let len = left.min(buffer.len());
        stream.read_exact(&mut buffer[..len]).unwrap();
        left -= len;
        thread::sleep(timeout / 40);
    }
    assert!(began.elapsed() > timeout * 3 / 2, "that took longer than close_timeout");
    client.expect_close(1000, "");
    client.expect_end();
    server.expect_closed(&End::clean(1000, "", Cause::Peer));
}

// --- Without one -----------------------------------------------------------------------------------------

#[test]
fn a_local_close_without_an_answer_ends_after_close_timeout() {
    // §7.1.1
    let timeout = Duration::from_millis(200);
    let server = serve(move |server, _| {
        server.configure(|config| config.close_timeout = timeout).on_message(|ws, message| {
            assert_eq!(message.as_text(), Some("stop"));
            ws.close(CloseCode::NORMAL, "");
        })
    });
    let mut client = Client::open(server.address);
    let began = Instant::now();
    client.send_text("stop");
    client.expect_close(1000, "");
    // Other frames are no answer, and don't extend the time.
    while !client.has_input_within(Duration::from_millis(20)) {
        let _ = client.socket().write(&frame(TEXT, b"I go on"));
        assert!(began.elapsed() < Duration::from_secs(4), "close_timeout is over");
    }
    assert!(began.elapsed() + GRAIN >= timeout, "the time is not cut short");
    server.expect_closed(&End::unclean(1006, "", Cause::Local));
}

#[test]
fn a_client_that_keeps_its_side_open_ends_after_close_timeout() {
    // §7.1.1
    let timeout = Duration::from_millis(200);
    let server = serve(move |server, _| server.configure(|config| config.close_timeout = timeout));
    let mut client = Client::open(server.address);
    let began = Instant::now();
    client.send_close(1000, "");
    client.expect_close(1000, "");
    client.expect_end();
    server.expect_closed(&End::clean(1000, "", Cause::Peer));
    // As long as the server lingers it takes what comes; then its socket is gone, and says so.
    while client.socket().write(b"anything").is_ok() {
        assert!(began.elapsed() < Duration::from_secs(4), "close_timeout is over");
    }
    assert!(began.elapsed() + GRAIN >= timeout, "the time is not cut short");
}

#[test]
fn a_broken_rule_fails_the_connection_and_is_named() {
    // §7.1.7
    let server = echo();
    let cases: [(&[u8], u16, ProtocolError, &str); 8] = [
        (b"\x81\x02hi", 1002, ProtocolError::UnmaskedFrame, "§5.1"),
        (b"\xC1\x80", 1002, ProtocolError::ReservedBits, "§5.2"),
        (b"\x83\x80\0\0\0\0", 1002, ProtocolError::ReservedOpCode(3), "§5.2"),
        (b"\x80\x80\0\0\0\0", 1002, ProtocolError::NothingToContinue, "§5.4"),
        (b"\x09\x80\0\0\0\0", 1002, ProtocolError::FragmentedControl, "§5.5"),
        (b"\x88\x82\0\0\0\0\x03\xED", 1002, ProtocolError::ForbiddenCloseCode(1005), "§7.4"),
        (b"\x81\x83\0\0\0\0a\xFFb", 1007, ProtocolError::TextNotUtf8, "§8.1"),
        (b"\x82\xFF\0\0\0\0\0\x10\0\x01\0\0\0\0", 1009, ProtocolError::MessageTooBig, "§10.4"),
    ];
    for (bytes, code, error, section) in cases {
        let mut client = Client::open(server.address);
        // What comes before the broken rule is still answered, and nothing after it.
        client.write(&[&frame(TEXT, b"good"), bytes, &frame(TEXT, b"more")].concat());
        client.expect_text("good");
        client.expect_close(code, &error.to_string());
        client.expect_end();
        server.expect_closed(&End::unclean(code, &error.to_string(), Cause::Protocol(error)));
        assert_eq!(error.section(), section);
    }
}

#[test]
fn a_reset_is_an_end_like_any_other() {
    // §7.1.5
    let server = echo();
    for _ in 0..3 {
        let mut client = Client::open(server.address);
        client.leave_unread();
        drop(client);
        server.expect_closed(&End::unclean(1006, "", Cause::Transport(ErrorKind::ConnectionReset)));
    }
}

/// Half closed: the client has closed its side only.
#[test]
fn a_half_closed_client_gets_its_answers_and_then_the_end() {
    // §7.1.5
    let server = echo();
    let gone = End::unclean(1006, "", Cause::Transport(ErrorKind::UnexpectedEof));
    let mut client = Client::open(server.address);
    client.write(
        &[frame(TEXT, b"one"), frame(TEXT, b"two"), frame(TEXT, b"half of three")[..9].to_vec()].concat(),
    );
    client.half_close();
    client.expect_text("one");
    client.expect_text("two");
    client.expect_end();
    server.expect_closed(&gone);

    // One that never says a word more than its request.
    let client = Client::open(server.address);
    drop(client);
    server.expect_closed(&gone);

    // One that has not even finished that never was open.
    let mut client = Client::connect(server.address);
    client.write(b"GET / HT");
    client.half_close();
    client.expect_end();
}

#[test]
fn a_terminated_connection_ends_without_a_word() {
    // §7.1.5
    let server = serve(|server, _| {
        server.on_message(|ws, _| {
            ws.terminate();
            ws.terminate();
        })
    });
    let mut client = Client::open(server.address);
    client.write(&[frame(TEXT, b"first"), frame(TEXT, b"second")].concat());
    client.expect_end();
    server.expect_closed(&End::unclean(1006, "", Cause::Local));
}

#[test]
fn a_ping_without_an_answer_ends_the_connection() {
    // §5.5.2
    let (interval, timeout) = (Duration::from_millis(150), Duration::from_millis(150));
    let server = serve(move |server, _| {
        server.configure(|config| {
            config.ping_interval = Some(interval);
            config.pong_timeout = timeout;
        })
    });
    let began = Instant::now();
    let mut client = Client::open(server.address);
    assert_eq!(client.frame(), Frame { first: PING, payload: vec![] });
    assert!(began.elapsed() + GRAIN >= interval, "not before its time");
    client.expect_close(1011, "no answer to a ping");
    assert!(began.elapsed() + GRAIN >= interval + timeout, "not before its time");
    client.expect_end();
    server.expect_closed(&End::unclean(1011, "no answer to a ping", Cause::Timeout));
}

#[test]
fn a_client_that_answers_pings_stays() {
    // §5.5.2
    let (interval, timeout) = (Duration::from_millis(100), Duration::from_millis(900));
    let server = serve(move |server, _| {
        server.configure(|config| {
            config.ping_interval = Some(interval);
            config.pong_timeout = timeout;
        })
    });
    let mut client = Client::open(server.address);
    let began = Instant::now();
    // Together the rounds take longer than a client may stay silent.
    while began.elapsed() < interval * 2 + timeout {
        assert_eq!(client.frame(), Frame { first: PING, payload: vec![] });
        client.send(PONG, b"");
    }
    client.send_close(1000, "");
    server.expect_closed(&End::clean(1000, "", Cause::Peer));
}

#[test]
fn the_close_policy_closes_a_slow_consumer() {
    // §7.4.1
    let server = serve(|server, log| {
        server
            .configure(|config| {
                config.max_backpressure = 200_000;
                config.backpressure = Backpressure::Close;
            })
            .on_message(move |ws, _| {
                let slow = other(ws);
                let mut count = 0;
                while ws.push(slow, &[7; 50_000]) != SendStatus::Dropped {
                    count += 1;
                }
                assert_eq!(ws.push(slow, "more"), SendStatus::Gone);
                log.note(count);
            })
    });
    let mut slow = Client::open(server.address);
    let mut fast = Client::open(server.address);
    fast.send_text("fill");
    let reason = "too slow to receive";
    let (id, end) = server.closed();
    assert_eq!(id, server.opened());
    assert_eq!(end, End::unclean(1008, reason, Cause::Backpressure));
    // What it had been sent before still arrives, whole.
    for _ in 0..server.note().parse().unwrap() {
        assert!(slow.frame().payload == [7; 50_000]);
    }
    slow.expect_close(1008, reason);
    slow.expect_end();
}

// --- Of all connections ----------------------------------------------------------------------------------

#[test]
fn shutdown_closes_all_with_1001_and_run_returns() {
    // §7.4.1
    let server = echo();
    let mut clients: Vec<Client> = (0..20).map(|_| Client::open(server.address)).collect();
    let mut connecting = Client::connect(server.address);
    connecting.write(b"GET / HTTP/1.1\r\n");
    let ids: Vec<_> = clients.iter().map(|_| server.opened()).collect();
    // A message that was sent before is answered before.
    clients[0].send_text("last words");
    clients[0].expect_text("last words");
    server.handle.shutdown();
    server.handle.shutdown();
    for client in &mut clients {
        client.expect_close(1001, "server is shutting down");
        client.send_close(1001, "");
        client.expect_end();
    }
    assert_eq!(connecting.refusal().status, 503);
    drop((clients, connecting));
    for _ in ids {
        server.expect_closed(&End::clean(1001, "", Cause::Local));
    }
    server.stop();
}

#[test]
fn a_silent_client_delays_the_shutdown_by_close_timeout() {
    // §7.1.1
    let timeout = Duration::from_millis(300);
    let server = serve(move |server, _| server.configure(|config| config.close_timeout = timeout));
    let mut non_reader = Client::open(server.address);
    let mut leaving = Client::open(server.address);
    leaving.send_close(1000, "");
    leaving.expect_close(1000, "");
    leaving.expect_end();
    server.expect_closed(&End::clean(1000, "", Cause::Peer));
    let began = Instant::now();
    server.handle.shutdown();
    non_reader.expect_close(1001, "server is shutting down");
    server.expect_closed(&End::unclean(1006, "", Cause::Local));
    assert!(began.elapsed() + GRAIN >= timeout, "the time is not cut short");
    server.stop();
    assert!(began.elapsed() < Duration::from_secs(4), "no client delays the end beyond close_timeout");
}

#[test]
fn a_server_that_is_shut_down_accepts_no_client() {
    let server = echo();
    let address = server.address;
    server.stop();
    assert_eq!(std::net::TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

// --- In the middle of a hook -----------------------------------------------------------------------------

#[test]
fn a_peer_that_dies_while_a_hook_sends_to_it_has_its_on_close() {
    // The hook waits in on_drain until the other has gone, and only then sends to it.
    let (gone_in, gone) = mpsc::channel();
    let server = serve(move |server, log| {
        server
            .on_message(|ws, _| {
                ws.send(vec![0; 32 * 1024 * 1024]);
            })
            .on_drain(move |ws| {
                log.note("drained");
                gone.recv_timeout(PATIENCE).unwrap();
                let other = other(ws);
                ws.push(other, "are you there?");
            })
    });
    let mut slow = Client::open(server.address);
    let mut victim = Client::open(server.address);
    victim.leave_unread();
    let (_, victim_id) = (server.opened(), server.opened());
    slow.send_text("fill");
    slow.frame();
    assert_eq!(server.note(), "drained");
    drop(victim);
    gone_in.send(()).unwrap();
    let (id, end) = server.closed();
    assert_eq!(id, victim_id);
    assert!(matches!(end.cause, Cause::Transport(_)), "{end:?}");
}

#[test]
fn a_hook_that_panics_costs_its_own_connection_only() {
    // §7.4.1: 1011 for "an unexpected condition"
    let server = serve(|server, log| {
        let on_close = log.clone();
        server
            .on_upgrade(|request, _| match request.path() {
                "/upgrade" => panic!("as the test wants it"),
                _ => Upgrade::accept(),
            })
            .on_open(move |ws, request| {
                log.open(ws);
                assert_ne!(request.path(), "/open", "as the test wants it");
            })
            .on_message(|ws, message| {
                ws.send(message);
                assert_ne!(message.as_text(), Some("panic"), "as the test wants it");
            })
            .on_ping(|_, payload| assert_ne!(payload, b"panic", "as the test wants it"))
            .on_pong(|_, payload| assert_ne!(payload, b"panic", "as the test wants it"))
            .on_close(move |ws, close| {
                on_close.close(ws, close);
                assert_ne!(close.reason, "panic", "as the test wants it");
            })
    });
    let mut other = Client::open(server.address);
    let reason = "the application has failed";
    let mut upgrading = Client::connect(server.address);
    upgrading.write(request("/upgrade", "").as_bytes());
    assert_eq!(upgrading.refusal().status, 500);
    let mut opening = Client::connect(server.address);
    opening.write(request("/open", "").as_bytes());
    opening.expect_open();
    opening.expect_close(1011, reason);
    opening.expect_end();
    server.expect_closed(&End::unclean(1011, reason, Cause::Panic));
    for first in [TEXT, PING, PONG] {
        let mut client = Client::open(server.address);
        client.write(&[frame(first, b"panic"), frame(TEXT, b"more")].concat());
        match first {
            TEXT => client.expect_text("panic"),
            PING => assert_eq!(client.frame(), Frame { first: PONG, payload: b"panic".to_vec() }),
            _ => {}
        }
        client.expect_close(1011, reason);
        client.expect_end();
        server.expect_closed(&End::unclean(1011, reason, Cause::Panic));
    }
    let mut closing = Client::open(server.address);
    closing.send_close(1000, "panic");
    closing.expect_close(1000, "");
    closing.expect_end();
    server.expect_closed(&End::clean(1000, "panic", Cause::Peer));
    other.send_text("nothing has happened");
    other.expect_text("nothing has happened");
}

thread_local! {
    /// Whether the next state panics instead of beginning.
    static PANICS: Cell<bool> = const { Cell::new(true) };
}

/// A state whose first default panics, and that panics in its drop if a hook has set it to.
struct Fragile(bool);

impl Default for Fragile {
    fn default() -> Self {
        assert!(!PANICS.replace(false), "as the test wants it");
        Self(false)
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        assert!(!self.0, "as the test wants it");
    }
}

#[test]
fn a_state_that_panics_costs_its_own_connection_only() {
    let server = serve_with_state::<Fragile>(|server, _| {
        server
            .on_upgrade(|request, _| match request.path() {
                "/refused" => Upgrade::accept_with(Fragile(true)).header("Upgrade", "not to be set"),
                _ => Upgrade::accept(),
            })
            .on_message(|ws, message| {
                ws.state_mut().0 = message.as_text() == Some("panic");
                ws.send(message);
            })
    });
    Client::connect(server.address).expect_end();
    let mut refused = Client::connect(server.address);
    refused.write(request("/refused", "").as_bytes());
    assert_eq!(refused.refusal().status, 500);
    let (mut fragile, mut other) = (Client::open(server.address), Client::open(server.address));
    fragile.send_text("panic");
    fragile.expect_text("panic");
    drop(fragile);
    server.closed();
    other.send_text("nothing has happened");
    other.expect_text("nothing has happened");
    assert_eq!(server.handle.stats().dropped_clients, 1);
}
