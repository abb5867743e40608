//! One day of clients. The figures of the server are compared with numbers written by hand: a model for tests
//! of counts.

use super::*;
use crate::Backpressure;

/// Returns the figures of a page that are not 0. Left out are turns and time, which need a real clock, and
/// the bytes sent, which depend on the words of refusals; [`World::finish`] compares these with the streams.
fn figures_of(page: &str) -> Vec<&str> {
    let is_left_out = |line: &&str| ["turn", "busy", "sent_bytes"].iter().any(|it| line.contains(it));
    let lines = page.lines().filter_map(|line| line.strip_prefix("wirehook_"));
    lines.filter(|line| !is_left_out(line) && !line.ends_with(" 0")).collect()
}

/// Has a client send a request that is answered with `status`, and with nothing else.
fn answered(world: &mut World, request: &[u8], status: &[u8]) {
    let client = world.connect();
    world.send(&client, request);
    let answer = client.script.take_written();
    assert_eq!(&answer[9..12], status, "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn a_day_of_clients_is_in_the_figures() {
    let mut world = World::new(|config| {
        config.max_connections = Some(6);
        config.max_backpressure = 10;
        config.backpressure = Backpressure::Drop;
    });

    // In the morning six clients come. A seventh is one too many.
    let [ann, bob, cem, dee, eli, fay] = [(); 6].map(|()| world.open());
    answered(&mut world, REQUEST, b"503");

    // Two messages of ann go to all six, but fay reads nothing: one message of 12 bytes may wait for it.
    fay.script.set_full(true);
    world.on_message(|ws, message| {
        ws.broadcast(message);
    });
    world.send(&ann, &frame(0x81, b"good morning"));
    world.send(&ann, &frame(0x82, b"and good day"));
    assert_eq!(
        bob.script.take_written(),
        [server_text(b"good morning"), server_frame(0x82, b"and good day")].concat()
    );

    // By noon five are gone, each in its own way.
    world.on_message(|ws, message| match message.as_text() {
        Some("panic") => panic_any("a hook of the day"),
        _ => ws.close(4000, "enough"),
    });
    world.send(&bob, &frame(0x88, &[0x03, 0xE8]));
    world.send(&cem, b"\x81\x05Hello");
    world.reset(&dee);
    world.send(&eli, &frame(0x81, b"panic"));
    world.send(&ann, &frame(0x81, b"close me"));
    world.send(&ann, &frame(0x88, &[0x0F, 0xA0]));

    // In the afternoon requests are refused.
    answered(&mut world, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"426");
    answered(&mut world, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400");
    answered(&mut world, b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", b"405");
    let slow = world.connect();
    world.advance(10_000);
    assert_eq!(&slow.script.take_written()[9..12], b"408");

    // In the night the server pings fay, and fay answers nothing.
    for _ in 0..3 {
        world.advance(60 * 60 * 1000);
    }
    let page = world.scrape("/metrics");
    let expected = [
        "sockets 1", // that of the scraper
        "accepted_total 11",
        "opened_total 6",
        "closed_total 6",
        // Seven requests of 140 bytes, 84 bytes of frames, three other requests, and that of the scraper.
        "received_bytes_total 1189",
        "received_messages_total 4",
        "sent_messages_total 11", // twice to six, but the second did not fit for fay
        "dropped_messages_total 1",
        "handshakes_total{status=\"101\"} 6",
        "handshakes_total{status=\"400\"} 1",
        "handshakes_total{status=\"405\"} 1",
        "handshakes_total{status=\"408\"} 1",
        "handshakes_total{status=\"426\"} 1",
        "handshakes_total{status=\"503\"} 1",
        "closes_total{code=\"1000\"} 1",  // bob
        "closes_total{code=\"1002\"} 1",  // cem
        "closes_total{code=\"1006\"} 1",  // dee
        "closes_total{code=\"1011\"} 2",  // eli and fay
        "closes_total{code=\"other\"} 1", // ann
        "closes_by_cause_total{cause=\"peer\"} 1",
        "closes_by_cause_total{cause=\"local\"} 1",
        "closes_by_cause_total{cause=\"protocol\"} 1",
        "closes_by_cause_total{cause=\"timeout\"} 1",
        "closes_by_cause_total{cause=\"panic\"} 1",
        "closes_by_cause_total{cause=\"transport\"} 1",
    ];
    assert_eq!(figures_of(&page), expected);
    world.finish();
}
