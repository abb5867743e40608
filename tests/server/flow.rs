//! Flow control: what happens when a client takes slowly, or not at all, what it caused or what others send
//! it.

use std::{
    io::{ErrorKind, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use wirehook::{Cause, SendStatus, WebSocket};

use crate::{
    common::{BINARY, Client, Frame, PATIENCE, PING, PONG, TEXT, frame, is_timeout},
    harness::{End, Running, echo, other, serve, serve_with_state},
};

const KIB: usize = 1024;
const MIB: usize = 1024 * 1024;

/// More than the sockets of one direction hold: Linux lets a receive buffer grow up to 32 MiB, a send buffer
/// to 4 MiB.
const MORE_THAN_SOCKETS_HOLD: usize = 48 * MIB;

/// A payload that shows its number and its length.
fn payload(number: u32, len: usize) -> Vec<u8> {
    let mut payload = vec![number as u8; len];
    payload[..4].copy_from_slice(&number.to_be_bytes());
    payload
}

/// Writes a number into the first four bytes of a payload, masked or not.
fn number_into(payload: &mut [u8], number: u32) {
    for (byte, digit) in payload.iter_mut().zip(number.to_be_bytes()) {
        *byte ^= digit;
    }
}

/// The payload of numbered messages before the number: each place looks different, so that none can change
/// places.
fn filler(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251 + at / 251) as u8).collect()
}

/// Writes numbered messages of one length while `more` is true of the next number, and returns how many.
/// Reports the bytes so far while the other side takes none.
///
/// Nothing here has a time limit, except that the other side makes progress: a slow machine is no failure.
fn write_messages(
    mut stream: &TcpStream,
    len: usize,
    stalled: &Sender<usize>,
    more: impl Fn(u32) -> bool,
) -> u32 {
    const STALL: Duration = Duration::from_millis(500);

    stream.set_write_timeout(Some(STALL / 10)).unwrap();
    // Masked once: without optimisation a mask takes longer than all the rest.
    let template = frame(BINARY, &filler(len));
    let (mut written, mut last, mut number) = (0, Instant::now(), 0);
    while more(number) {
        assert!(written < 4 * MORE_THAN_SOCKETS_HOLD, "the server never stops to read");
        let mut bytes = template.clone();
        let payload_at = bytes.len() - len;
        number_into(&mut bytes[payload_at..], number);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match stream.write(rest) {
                Ok(taken) => {
                    (written, last) = (written + taken, Instant::now());
                    rest = &rest[taken..];
                }
                // A process that was stopped and continued has its waits interrupted.
                Err(error) if is_timeout(&error) || error.kind() == ErrorKind::Interrupted => {
                    if last.elapsed() >= STALL {
                        let _ = stalled.send(written);
                    }
                    assert!(last.elapsed() < PATIENCE * 3, "the server never goes on");
                }
                Err(error) => panic!("after {written} bytes: {error}"),
            }
        }
        number += 1;
    }
    number
}

/// Reads the answers to numbered messages, and the text after them. Returns how many came.
fn read_messages(client: &mut Client, len: usize, end: &str) -> u32 {
    let filler = filler(len);
    let mut number = 0;
    loop {
        let frame = client.frame();
        if frame == Frame::text(end) {
            return number;
        }
        let mut expected = filler.clone();
        number_into(&mut expected, number);
        assert!(frame.payload == expected, "message {number} comes next, not {frame:?}");
        number += 1;
    }
}

/// Sends messages to an echo that notes its backlog and reads none of the answers, until the server's socket
/// is full, `backlog` bytes wait and the server has stopped to read. Then reads all of them, in order.
fn write_until_the_server_stops_to_read(server: &Running, len: usize, backlog: usize) {
    let mut client = Client::open(server.address);
    let (stalled_in, stalled) = mpsc::channel();
    let enough = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let (mut stream, enough) = (client.writer(), Arc::clone(&enough));
        move || {
            let count = write_messages(&stream, len, &stalled_in, |_| !enough.load(Ordering::Relaxed));
            stream.write_all(&frame(TEXT, b"that was all")).unwrap();
            count
        }
    });
    // A server that gets no time to run takes nothing either. It has stopped once as much waits as it allows.
    let mut most = 0;
    while most < backlog {
        // No time limit: the writer ends by itself, and with it the channel.
        stalled.recv().expect("the server stops to read");
        let notes = server.notes_so_far();
        most = notes.iter().map(|note| note.parse().unwrap()).fold(most, usize::max);
    }
    enough.store(true, Ordering::Relaxed);
    let count = read_messages(&mut client, len, "that was all");
    assert_eq!(count, writer.join().unwrap());
}

/// An echo that notes how much waits, each time that it is more than ever.
fn serve_noting_backlog(limit: usize, most_allowed: usize) -> Running {
    serve(move |server, log| {
        let mut most = 0;
        server.configure(|config| config.max_backpressure = limit).on_message(move |ws, message| {
            ws.send(message);
            if ws.buffered_amount() > most {
                most = ws.buffered_amount();
                assert!(most <= most_allowed, "{most} bytes wait");
                log.note(most);
            }
        })
    })
}

#[test]
fn a_client_that_does_not_read_is_not_read_from_until_it_does() {
    // Half of the limit, one cork, and one message.
    let server = serve_noting_backlog(MIB, (512 + 128 + 64) * KIB + 20);
    write_until_the_server_stops_to_read(&server, 64 * KIB, 512 * KIB);
}

#[test]
fn input_that_was_put_aside_stays_before_later_input() {
    // Small messages, so that a batch holds many; and the client takes and gives all the time.
    let server = serve_noting_backlog(4 * MIB, 4 * MIB);
    write_until_the_server_stops_to_read(&server, 600, 2 * MIB);
}

#[test]
fn a_client_that_half_closes_early_gets_all_its_answers() {
    // §7.1.5
    const COUNT: u32 = 300;
    const LEN: usize = 64 * KIB;
    let server = echo();
    let mut client = Client::open(server.address);
    let mut stream = client.writer();
    let writer = thread::spawn(move || {
        write_messages(&stream, LEN, &mpsc::channel().0, |number| number < COUNT);
        stream.write_all(&frame(TEXT, b"that was all")).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    });
    assert_eq!(read_messages(&mut client, LEN, "that was all"), COUNT);
    client.expect_end();
    writer.join().unwrap();
}

#[test]
fn a_half_closed_client_still_gets_what_is_queued_for_it() {
    // §7.1.5
    const LEN: usize = MORE_THAN_SOCKETS_HOLD;
    let server = serve(|server, _| {
        // A limit so large that the client is still read from: that ends at half of it.
        server.configure(|config| config.max_backpressure = 3 * MORE_THAN_SOCKETS_HOLD).on_message(|ws, _| {
            assert!(matches!(ws.send(vec![3; LEN]), SendStatus::Queued(1..)));
        })
    });
    let mut client = Client::open(server.address);
    client.send_text("go");
    client.half_close();
    // The server knows that it is the end before the client reads a byte.
    server.expect_closed(&End::unclean(1006, "", Cause::Transport(ErrorKind::UnexpectedEof)));
    assert!(client.frame().payload == vec![3; LEN]);
    client.expect_end();
}

#[test]
fn a_client_that_floods_does_not_keep_others_waiting() {
    let server = serve(|server, _| {
        server.on_message(|ws, message| {
            if message.len() < 100 {
                ws.send(message);
            }
        })
    });
    let mut flooding = Client::open(server.address);
    let mut other = Client::open(server.address);
    let mut stream = flooding.writer();
    let enough = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let (enough, bytes) = (Arc::clone(&enough), frame(BINARY, &[0; 16 * KIB]).repeat(16));
        move || {
            while !enough.load(Ordering::Relaxed) {
                stream.write_all(&bytes).unwrap();
            }
        }
    });
    for _ in 0..100 {
        other.send_text("me too");
        other.expect_text("me too");
    }
    assert!(!writer.is_finished());
    enough.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    flooding.send_text("done");
    flooding.expect_text("done");
}

// --- What others send ------------------------------------------------------------------------------------

/// The payload of a frame that is so long in all, if there is one.
fn payload_of_frame(len: usize) -> Option<usize> {
    [2, 4, 10].into_iter().find_map(|header| {
        let payload = len.checked_sub(header)?;
        let fits = match header {
            2 => payload <= 125,
            4 => (126..=0xFFFF).contains(&payload),
            _ => payload > 0xFFFF,
        };
        fits.then_some(payload)
    })
}

/// Sends to another until it is refused, and holds each answer against the limit. Returns the lengths of the
/// payloads that were taken.
fn fill<S>(ws: &mut WebSocket<'_, S>, id: wirehook::ConnId, limit: usize) -> Vec<usize> {
    let mut taken = Vec::new();
    let mut send = |ws: &mut WebSocket<'_, S>, frame_len: usize| {
        let len = payload_of_frame(frame_len).unwrap();
        let before = ws.all().buffered_amount(id);
        let status = ws.push(id, vec![taken.len() as u8; len]);
        let buffered = ws.all().buffered_amount(id);
        match status {
            SendStatus::Sent => assert!(buffered <= limit, "{buffered} bytes wait"),
            SendStatus::Queued(waiting) => {
                assert_eq!(waiting, buffered);
                assert!(buffered <= limit, "{buffered} bytes wait");
            }
            // Neither too late nor too early: it would not have fitted.
            SendStatus::Dropped => assert!(buffered <= before && buffered + frame_len > limit, "{buffered}"),
            SendStatus::Gone => panic!("the policy is to drop"),
        }
        if status != SendStatus::Dropped {
            taken.push(len);
        }
        status
    };
    while send(ws, 40_000) != SendStatus::Dropped {}
    // The last byte of the limit can be used, and not one more. The socket may take something in between:
    // then once more.
    loop {
        let room = limit - ws.all().buffered_amount(id);
        let fits = |len: &usize| payload_of_frame(*len).is_some();
        let too_long = (room + 1..).find(fits).unwrap();
        if send(ws, too_long) != SendStatus::Dropped {
            continue;
        }
        match (2..=room).rev().find(fits) {
            Some(exactly) => assert_ne!(send(ws, exactly), SendStatus::Dropped),
            None => return taken,
        }
    }
}

/// The receiver stays connected.
#[test]
fn what_others_send_is_dropped_exactly_at_the_limit() {
    const LIMIT: usize = 300_000;
    let server = serve(|server, log| {
        server.configure(|config| config.max_backpressure = LIMIT).on_message(move |ws, message| {
            let other = other(ws);
            if message.as_text() == Some("fill") {
                for len in fill(ws, other, LIMIT) {
                    log.note(len);
                }
                // A broadcast has the same limit. Again, the socket may have accepted something.
                loop {
                    let status = ws.broadcast(&[0; 9]);
                    assert_eq!((status.sent, status.queued + status.dropped), (1, 1));
                    if status.dropped == 1 {
                        break log.note("full");
                    }
                    log.note(9);
                }
            }
            ws.send(message);
        })
    });
    let mut slow = Client::open(server.address);
    let mut fast = Client::open(server.address);
    fast.send_text("fill");
    while fast.frame() != Frame::text("fill") {}
    let mut lens = Vec::new();
    loop {
        match &*server.note() {
            "full" => break,
            len => lens.push(len.parse::<usize>().unwrap()),
        }
    }
    // Others are served meanwhile.
    fast.send_text("still there?");
    fast.expect_text("still there?");
    // All that was taken arrives whole and in order, and the connection lives.
    for (number, len) in lens.into_iter().enumerate() {
        let frame = slow.frame();
        assert_eq!((frame.first, frame.payload.len()), (BINARY, len));
        assert!(len == 9 || frame.payload == vec![number as u8; len], "{frame:?} is number {number}");
    }
    slow.send_text("here I am");
    slow.expect_text("here I am");
}

#[test]
fn a_client_that_is_too_slow_for_others_is_still_read() {
    let server = serve(|server, log| {
        server.on_message(move |ws, message| {
            if message == "fill".into() {
                let other = other(ws);
                while ws.push(other, &[1; 100 * KIB]) != SendStatus::Dropped {}
            }
            log.note(message.as_text().unwrap());
        })
    });
    let mut slow = Client::open(server.address);
    let mut fast = Client::open(server.address);
    fast.send_text("fill");
    assert_eq!(server.note(), "fill");
    // It caused none of what waits for it.
    slow.send_text("I'm still here");
    assert_eq!(server.note(), "I'm still here");
    slow.send_close(1000, "");
    // What waits for it, and the answer to its Close.
    while slow.frame().first == BINARY {}
    server.expect_closed(&End::clean(1000, "", Cause::Peer));
}

#[test]
fn one_frame_alone_may_be_over_the_limit() {
    let server = serve(|server, _| {
        server.configure(|config| config.max_backpressure = 10 * KIB).on_message(|ws, _| {
            let other = other(ws);
            let large = vec![1; MORE_THAN_SOCKETS_HOLD];
            assert_eq!(ws.push(other, &large), SendStatus::Sent);
            assert_eq!(ws.push(other, "behind it"), SendStatus::Dropped);
            ws.send("done");
        })
    });
    let mut slow = Client::open(server.address);
    let mut fast = Client::open(server.address);
    fast.send_text("go");
    fast.expect_text("done");
    assert!(slow.frame().payload == vec![1; MORE_THAN_SOCKETS_HOLD]);
    slow.send_close(1000, "");
    slow.expect_close(1000, "");
}

#[test]
fn a_large_broadcast_arrives_whole_at_every_client() {
    let server = serve(|server, log| {
        server.on_message(move |ws, _| {
            let status = ws.broadcast(payload(7, MIB));
            log.note(format!("{} {} {}", status.sent, status.queued, status.dropped));
        })
    });
    let mut clients: Vec<Client> = (0..50).map(|_| Client::open(server.address)).collect();
    clients[0].send_text("go");
    assert_eq!(server.note(), "50 0 0");
    for client in &mut clients {
        assert_eq!(client.frame(), Frame { first: BINARY, payload: payload(7, MIB) });
    }
}

// --- The moment to continue -----------------------------------------------------------------------------

#[test]
fn on_drain_comes_once_the_client_reads() {
    let server = serve(|server, log| {
        server
            .configure(|config| config.max_backpressure = MORE_THAN_SOCKETS_HOLD)
            .on_message(|ws, message| {
                let other = other(ws);
                while message == "fill".into() && ws.push(other, &[1; 500 * KIB]) != SendStatus::Dropped {}
                ws.send(message);
            })
            .on_drain(move |ws| log.note(format!("{} has {} waiting", ws.id(), ws.buffered_amount())))
    });
    let mut slow = Client::open(server.address);
    let mut fast = Client::open(server.address);
    for text in ["fill", "and go on"] {
        fast.send_text(text);
        fast.expect_text(text);
    }
    assert!(server.notes_so_far().is_empty(), "no client has read yet");
    slow.send_text("I read now");
    while slow.frame() != Frame::text("I read now") {}
    assert_eq!(server.note(), "1 has 0 waiting");
    // A client that keeps up never drains.
    for text in ["one", "two"] {
        fast.send_text(text);
        fast.expect_text(text);
    }
    assert!(server.notes_so_far().is_empty());
}

/// How many messages make a long transfer.
const TRANSFER: u32 = (MORE_THAN_SOCKETS_HOLD / 100_000) as u32;

/// Sends numbered messages until one has to wait.
fn pump(ws: &mut WebSocket<'_, u32>) {
    let mut status = SendStatus::Sent;
    while *ws.state() < TRANSFER && status == SendStatus::Sent {
        let message = payload(*ws.state(), 100_000);
        status = ws.send(&message);
        *ws.state_mut() += 1;
    }
}

#[test]
fn a_long_transfer_goes_on_at_each_drain() {
    let server = serve_with_state::<u32>(|server, log| {
        let on_message = log.clone();
        server
            .on_message(move |ws, _| {
                pump(ws);
                on_message.note("full");
            })
            .on_drain(move |ws| {
                pump(ws);
                log.note("drained");
            })
    });
    let mut client = Client::open(server.address);
    client.send_text("go");
    // More than fits at once: no client has read yet.
    assert_eq!(server.note(), "full");
    for number in 0..TRANSFER {
        assert!(client.frame().payload == payload(number, 100_000), "message {number} comes next");
    }
    assert_eq!(server.note(), "drained");
}

// --- Pongs -----------------------------------------------------------------------------------------------

#[test]
fn a_client_that_does_not_read_gets_only_the_newest_pong() {
    // §5.5.3
    const PINGS: u32 = 2000;
    let server = serve(|server, log| {
        let mut count = 0;
        // A limit so large that the client is still read from.
        server
            .configure(|config| config.max_backpressure = 256 * MIB)
            .on_message(|ws, message| {
                ws.send(message);
                if message == "fill".into() {
                    assert!(matches!(ws.send(vec![0; MORE_THAN_SOCKETS_HOLD]), SendStatus::Queued(_)));
                }
            })
            .on_ping(move |ws, _| {
                count += 1;
                if count == PINGS {
                    log.note(ws.buffered_amount() <= MORE_THAN_SOCKETS_HOLD + 10);
                }
            })
    });
    let mut client = Client::open(server.address);
    client.send_text("fill");
    let pings: Vec<u8> = (1..=PINGS).flat_map(|number| frame(PING, &number.to_be_bytes())).collect();
    client.write(&pings);
    assert_eq!(server.note(), "true", "pongs don't pile up");
    client.expect_text("fill");
    assert_eq!(client.frame().payload.len(), MORE_THAN_SOCKETS_HOLD);
    assert_eq!(client.frame(), Frame { first: PONG, payload: PINGS.to_be_bytes().to_vec() });
    // A client that reads gets every pong.
    client.write(&[frame(PING, b"a"), frame(PING, b"b"), frame(TEXT, b"c")].concat());
    for (first, text) in [(PONG, b"a"), (PONG, b"b"), (TEXT, b"c")] {
        assert_eq!(client.frame(), Frame { first, payload: text.to_vec() });
    }
}
