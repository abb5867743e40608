//! RFC 7692 in the loop: what is agreed on, which messages are compressed, and what that holds.

use super::*;
use crate::{
    Compression, Outgoing,
    protocol::{
        DeflateConfig, DeflateParams, Deflater, Event, Inflater, Limits, Message::Text, Receiver, Sender,
    },
};

/// Returns a world whose server compresses, and whose hook sends each message back.
fn compressing(change: impl FnOnce(&mut Config, &mut Compression)) -> World {
    let world = World::new(|config| {
        let mut compression = Compression::default();
        change(config, &mut compression);
        config.compression = Some(compression);
    });
    world.on_message(|ws, message| {
        ws.send(message);
    });
    world
}

/// The masking keys of a client.
type Keys = fn() -> [u8; 4];

/// A client that has offered compression.
struct Peer {
    client: Client,
    sender: Sender<crate::protocol::Client<Keys>>,
    receiver: Receiver<crate::protocol::Client>,
    deflater: Deflater,
    inflater: Inflater,
}

impl Peer {
    /// Opens a connection with this offer. Returns the peer, and the server's answer to the offer.
    fn open(world: &mut World, offer: &str) -> (Self, String) {
        let client = world.connect();
        let request = String::from_utf8(REQUEST.to_vec()).unwrap();
        let offer = format!("\r\nSec-WebSocket-Extensions: {offer}\r\n\r\n");
        world.send(&client, request.replace("\r\n\r\n", &offer).as_bytes());
        let head = String::from_utf8(client.script.take_written()).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let answer = head.split("Sec-WebSocket-Extensions: ").nth(1).unwrap_or_default().trim().to_owned();
        let params = agreed(&answer);
        let mut sender = Sender::client((|| [1, 2, 3, 4]) as Keys);
        let mut receiver = Receiver::client(&Limits::default());
        if let Some(params) = params {
            sender.use_deflate(&params);
            receiver.use_deflate(&params);
        }
        let deflater = Deflater::new(6).with_threshold(0);
        (Self { client, sender, receiver, deflater, inflater: Inflater::default() }, answer)
    }

    /// Returns a message as this client sends it, compressed.
    fn frame(&mut self, text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.sender.message_with(Text(text), &mut self.deflater.of(1), &mut bytes).unwrap();
        bytes
    }

    /// Returns the messages that the server has sent since the last call, and whether each was compressed.
    fn received(&mut self) -> Vec<(String, bool)> {
        self.read(&self.client.script.take_written())
    }

    fn read(&mut self, bytes: &[u8]) -> Vec<(String, bool)> {
        let mut messages = Vec::new();
        let mut bytes = bytes.to_vec();
        let mut input = &mut bytes[..];
        loop {
            let is_compressed = input.first().is_some_and(|first| first & 0x40 != 0);
            match self.receiver.next_event_with(&mut input, &mut self.inflater).unwrap() {
                Some(Event::Message(Text(text))) => {
                    messages.push((text.to_owned(), is_compressed));
                }
                Some(_) => {}
                None => return messages,
            }
        }
    }
}

/// What an answer with the default parameters and these flags says.
fn agreed(answer: &str) -> Option<DeflateParams> {
    let bits = |name: &str| {
        let value = answer.split(&format!("{name}=")).nth(1)?;
        value.split([';', ' ']).next()?.parse().ok()
    };
    answer.starts_with("permessage-deflate").then(|| DeflateParams {
        server_no_context_takeover: answer.contains("server_no_context_takeover"),
        client_no_context_takeover: answer.contains("client_no_context_takeover"),
        server_max_window_bits: bits("server_max_window_bits").unwrap_or(15),
        client_max_window_bits: bits("client_max_window_bits").unwrap_or(15),
    })
}

fn long(number: usize) -> String {
    format!("{{\"number\":{number},\"text\":\"{}\"}}", "what repeats is sent once ".repeat(20))
}

#[test]
fn without_the_setting_every_offer_is_declined() {
    let mut world = World::new(|_| {});
    let (_, answer) = Peer::open(&mut world, "permessage-deflate");
    assert_eq!(answer, "");
    world.finish();
}

#[test]
fn messages_are_inflated_and_compressed_in_every_agreement() {
    for offer in [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
        "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=10",
        "x-unknown, permessage-deflate; client_no_context_takeover; server_max_window_bits=\"12\"",
    ] {
        let mut world = compressing(|_, _| {});
        let (mut peer, answer) = Peer::open(&mut world, offer);
        assert!(answer.starts_with("permessage-deflate"), "{offer}");
        for number in 0..5 {
            let (text, short) = (long(number), number.to_string());
            let bytes = [peer.frame(&text), peer.frame(&short)].concat();
            world.send(&peer.client, &bytes);
            assert_eq!(peer.received(), [(text, true), (short, false)], "{offer}");
        }
        let stats = world.stats(&peer.client);
        assert_eq!((stats.compressed_connections, stats.compressed_messages), (1, 5));
        world.finish();
    }
}

#[test]
fn what_on_open_sends_comes_after_the_head() {
    for text in ["short", &*long(1)] {
        let mut world = compressing(|_, _| {});
        *world.recorder.greeting.borrow_mut() = text.as_bytes().to_vec();
        let client = world.connect();
        let request = String::from_utf8(REQUEST.to_vec()).unwrap();
        let offer = "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        world.send(&client, request.replace("\r\n\r\n", offer).as_bytes());
        let written = client.script.take_written();
        assert!(written.starts_with(b"HTTP/1.1 101 "), "{text}");
        let head = written.windows(4).position(|it| it == b"\r\n\r\n").unwrap() + 4;
        assert_eq!(written[head], if text.len() < 64 { 0x82 } else { 0xC2 });
        world.finish();
    }
}

#[test]
fn control_frames_keep_their_place_among_messages() {
    let mut world = compressing(|_, _| {});
    let (mut peer, _) = Peer::open(&mut world, "permessage-deflate");
    let batch = [
        frame(0x89, b"1"),
        peer.frame(&long(1)),
        frame(0x89, b"2"),
        frame_of("short"),
        frame(0x88, &[3, 232]),
    ]
    .concat();
    world.send(&peer.client, &batch);
    let written = peer.client.script.take_written();
    let mut kinds = Vec::new();
    let mut rest = &written[..];
    while let [first, len, ..] = *rest {
        kinds.push(first);
        rest = &rest[2 + usize::from(len)..];
    }
    assert_eq!(kinds, [0x8A, 0xC1, 0x8A, 0x81, 0x88]);
    world.finish();
}

#[test]
fn a_compressed_message_arrives_in_pieces_of_any_length() {
    for step in [1, 2, 7] {
        let mut world = compressing(|_, _| {});
        let (mut peer, _) = Peer::open(&mut world, "permessage-deflate");
        let bytes = [peer.frame(&long(1)), peer.frame(&long(2))].concat();
        for piece in bytes.chunks(step) {
            world.send(&peer.client, piece);
        }
        assert_eq!(peer.received(), [(long(1), true), (long(2), true)]);
        world.finish();
    }
}

#[test]
fn a_message_that_was_never_sent_is_in_no_window() {
    // A message that does not fit is sent again: it must not refer to itself.
    let mut world = compressing(|config, _| config.max_backpressure = 600);
    let (mut peer, _) = Peer::open(&mut world, "permessage-deflate");
    let id = world.last_id();
    let (sender, _) = Peer::open(&mut world, "permessage-deflate");
    world.on_message(move |ws, message| {
        ws.push(id, message);
    });
    let mut state = 1_u32;
    let mut noise = || -> String {
        let letter = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'!' + (state >> 24) as u8 % 90)
        };
        (0..500).map(letter).collect()
    };
    // From the fourth message on the connection has a compressor.
    for _ in 0..4 {
        let text = noise();
        world.send(&sender.client, &frame_of(&text));
        assert_eq!(peer.received(), [(text, true)]);
    }
    let texts = [noise(), noise(), noise()];
    let plain = |text: &str| frame_of(text);
    world.send(&sender.client, &plain(&texts[0]));
    assert_eq!(peer.received(), [(texts[0].clone(), true)]);
    peer.client.script.set_full(true);
    world.send(&sender.client, &plain(&texts[1]));
    world.send(&sender.client, &plain(&texts[2]));
    assert_eq!(world.stats(&sender.client).dropped_messages, 1);
    let bytes = world.read_all(&peer.client);
    assert_eq!(peer.read(&bytes), [(texts[1].clone(), true)]);
    world.send(&sender.client, &plain(&texts[2]));
    assert_eq!(peer.received(), [(texts[2].clone(), true)]);
    world.finish();
}

/// A text message of a client, not compressed.
fn frame_of(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

#[test]
fn a_broadcast_is_compressed_once_for_all() {
    for (offer, compressions) in
        [("permessage-deflate; server_no_context_takeover", 1), ("permessage-deflate", 1)]
    {
        let mut world = compressing(|_, _| {});
        let mut peers: Vec<Peer> = (0..30).map(|_| Peer::open(&mut world, offer).0).collect();
        let mut plain = world.open();
        world.on_message(|ws, message| {
            assert_eq!(ws.broadcast(message).sent, 31);
        });
        let before = world.compressions();
        world.send(&plain, &frame_of(&long(1)));
        assert_eq!(world.compressions() - before, compressions, "{offer}");
        assert_eq!(plain.script.take_written(), server_text(long(1).as_bytes()));
        for peer in &mut peers {
            assert_eq!(peer.received(), [(long(1), true)]);
        }
        // From another thread too.
        let before = world.compressions();
        world.handle.broadcast(long(2)).unwrap();
        world.wake();
        assert_eq!(world.compressions() - before, compressions, "{offer}");
        for peer in &mut peers {
            assert_eq!(peer.received(), [(long(2), true)]);
        }
        plain.script.take_written();
        plain = world.open();
        drop(plain);
        world.finish();
    }
}

#[test]
fn what_is_told_to_go_uncompressed_does() {
    let mut world = compressing(|_, _| {});
    let (mut peer, _) = Peer::open(&mut world, "permessage-deflate");
    world.on_message(|ws, message| {
        let id = ws.id();
        ws.send(Outgoing::uncompressed(message));
        ws.broadcast(Outgoing::uncompressed(message));
        ws.all().send_fragments(id, Outgoing::uncompressed(message), 100);
        ws.all().send_fragments(id, message, 100);
    });
    world.send(&peer.client, &frame_of(&long(1)));
    world.handle.broadcast(Outgoing::uncompressed(&*long(2))).unwrap();
    world.wake();
    let expected = [(long(1), false), (long(1), false), (long(1), false), (long(1), true), (long(2), false)];
    assert_eq!(received_fragments(&mut peer), expected);
    world.finish();
}

/// The same as [`Peer::received`] for messages in fragments: the bit stands on the first.
fn received_fragments(peer: &mut Peer) -> Vec<(String, bool)> {
    let bytes = peer.client.script.take_written();
    let mut firsts = Vec::new();
    let mut rest = &bytes[..];
    while let [first, len, ..] = *rest {
        let (header, len) = match len {
            126 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
            len => (2, usize::from(len)),
        };
        if first & 0x0F != 0 {
            firsts.push(first & 0x40 != 0);
        }
        rest = &rest[header + len..];
    }
    let texts = peer.read(&bytes).into_iter().map(|(text, _)| text);
    texts.zip(firsts).collect()
}

#[test]
fn an_upgrade_can_decline_for_one_connection() {
    let mut world = compressing(|_, _| {});
    world.recorder.declines_compression.set(true);
    let (_, answer) = Peer::open(&mut world, "permessage-deflate");
    assert_eq!(answer, "");
    world.finish();
}

#[test]
fn broken_data_and_long_messages_fail_the_connection() {
    let mut bomb = Sender::client(|| [0; 4]);
    bomb.use_deflate(&agreed("permessage-deflate").unwrap());
    let mut long = Vec::new();
    let zeros = vec![0; 1001];
    let message = Message::Binary(&zeros);
    bomb.message_with(message, &mut Deflater::new(9).of(1), &mut long).unwrap();
    assert!(long.len() < 40);
    for (bytes, code) in [(frame(0xC1, b"\xff\xff\xff"), 1007), (long, 1009), (frame(0xC9, b""), 1002)] {
        let mut world = compressing(|config, _| config.limits.max_message_size = 1000);
        let (peer, _) = Peer::open(&mut world, "permessage-deflate");
        world.send(&peer.client, &bytes);
        assert!(is_close(&peer.client.script.take_written(), code), "{code}");
        assert_eq!(world.message_count(), 0);
        world.finish();
    }
}

// --- What is held ------------------------------------------------------------------------------------------

#[test]
fn windows_and_compressors_count_as_held_bytes() {
    let mut world = compressing(|_, _| {});
    let (mut peer, _) = Peer::open(&mut world, "permessage-deflate");
    let plain = world.open();
    let mut received = 0;
    for number in 1..=4 {
        assert_eq!(world.stats(&plain).compressor_bytes, 0, "a client that is sent little has none");
        let text = long(number);
        let bytes = peer.frame(&text);
        world.send(&peer.client, &bytes);
        assert_eq!(peer.received(), [(text.clone(), true)]);
        received += text.len();
    }
    let stats = world.stats(&plain);
    assert_eq!(stats.window_bytes as usize, received, "as much as was received");
    assert!(stats.compressor_bytes > 300_000);
    assert_eq!(stats.buffered_bytes, stats.window_bytes + stats.compressor_bytes);
    // A compressor that is not used is given back after ten to twenty seconds.
    world.advance(10_000);
    world.advance(10_000);
    let stats = world.stats(&plain);
    assert_eq!((stats.compressor_bytes, stats.buffered_bytes), (0, received as u64));
    // The connection goes on.
    let bytes = peer.frame(&long(2));
    world.send(&peer.client, &bytes);
    assert_eq!(peer.received(), [(long(2), true)]);
    world.finish();
}

#[test]
fn nothing_is_held_without_context() {
    let mut world = compressing(|_, compression| {
        compression.negotiation = DeflateConfig {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            ..DeflateConfig::default()
        };
    });
    let (mut peer, answer) = Peer::open(&mut world, "permessage-deflate");
    assert_eq!(answer, "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
    let bytes = peer.frame(&long(1));
    world.send(&peer.client, &bytes);
    assert_eq!(peer.received(), [(long(1), true)]);
    let stats = world.stats(&peer.client);
    assert_eq!((stats.compressor_bytes, stats.window_bytes, stats.buffered_bytes), (0, 0, 0));
    world.finish();
}

#[test]
fn compressors_are_given_back_before_a_connection_is_closed() {
    // Room for one compressor and a little more.
    let mut world = compressing(|config, _| config.max_buffered_bytes = 500_000);
    let mut peers: Vec<Peer> = (0..5).map(|_| Peer::open(&mut world, "permessage-deflate").0).collect();
    let mut most = 0;
    for number in 0..8 {
        for peer in &mut peers {
            let bytes = peer.frame(&long(number));
            world.send(&peer.client, &bytes);
            assert_eq!(peer.received(), [(long(number), true)]);
            most = most.max(world.stats(&peer.client).compressor_bytes);
        }
    }
    assert!(most > 300_000, "there was one at least");
    assert_eq!(world.stats(&peers[0].client).shed, 0);
    world.finish();
}

#[test]
fn full_windows_stop_new_ones_from_being_agreed_on() {
    let mut world = compressing(|_, compression| compression.max_window_bytes = 1000);
    let (mut first, answer) = Peer::open(&mut world, "permessage-deflate");
    assert_eq!(answer, "permessage-deflate");
    for number in 0..4 {
        let bytes = first.frame(&long(number));
        world.send(&first.client, &bytes);
    }
    assert!(world.stats(&first.client).window_bytes > 1000);
    let (mut second, answer) = Peer::open(&mut world, "permessage-deflate");
    assert_eq!(answer, "permessage-deflate; client_no_context_takeover");
    let bytes = second.frame(&long(1));
    world.send(&second.client, &bytes);
    assert_eq!(second.received(), [(long(1), true)]);
    world.reset(&first.client);
    let (_, answer) = Peer::open(&mut world, "permessage-deflate");
    assert_eq!(answer, "permessage-deflate");
    world.finish();
}

#[test]
fn inflated_bytes_count_in_what_a_turn_may_cause() {
    let mut world = compressing(|config, _| config.limits.max_message_size = 1024 * 1024);
    let calls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&calls);
    world.on_message(move |_, _| counted.set(counted.get() + 1));
    let (mut peer, _) = Peer::open(&mut world, "permessage-deflate");
    let text = "0".repeat(1024 * 1024);
    let batch: Vec<u8> = (0..20).flat_map(|_| peer.frame(&text)).collect();
    assert!(batch.len() < 64 * 1024, "one read has all of it");
    peer.client.script.will_read(&batch);
    world.turn(&[peer.client.ready(true, false, false)]);
    assert!(calls.get() <= 5, "{} messages of 1 MiB in one turn", calls.get());
    world.settle();
    assert_eq!(calls.get(), 20);
    world.finish();
}

// --- Together --------------------------------------------------------------------------------------------

/// The offers of the clients of [`play`].
const OFFERS: [&str; 5] = [
    "permessage-deflate",
    "permessage-deflate; server_no_context_takeover",
    "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
    "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
    "x-none",
];

/// Clients send numbered texts; some are echoed, some go to all, compressed or not, to sockets that are
/// full now and then. Each client must read what it is sent, in order, and all of its own.
fn play(seed: u64) {
    let mut random = random::Random(seed);
    let mut world = compressing(|config, compression| {
        config.max_backpressure = 3000;
        // A client that takes nothing for a while is no reason to end it here.
        config.ping_interval = None;
        compression.max_compressor_bytes = 700_000;
    });
    let mut peers: Vec<Peer> = OFFERS.map(|offer| Peer::open(&mut world, offer).0).into();
    world.on_message(|ws, message| {
        let Text(text) = message else { return };
        let id = ws.id();
        match text.as_bytes()[0] {
            b'a' => drop(ws.broadcast(message)),
            b'p' => drop(ws.broadcast(Outgoing::uncompressed(message))),
            b'u' => drop(ws.send(Outgoing::uncompressed(message))),
            b'f' => drop(ws.all().send_fragments(id, message, 50)),
            _ => drop(ws.send(message)),
        }
    });
    let mut own = vec![Vec::new(); peers.len()];
    let mut got: Vec<Vec<String>> = vec![Vec::new(); peers.len()];
    for number in 0..300 {
        let at = random.below(peers.len() as u64) as usize;
        let kind = ["a", "p", "u", "f", "e", "e"][random.below(6) as usize];
        let repeats = "what repeats ".repeat(random.below(40) as usize);
        let text = format!("{kind}{number:05} {repeats}{}", random.below(1000));
        if kind != "a" && kind != "p" {
            own[at].push(text.clone());
        }
        let bytes = if random.one_in(3) { long_frame_of(&text) } else { peers[at].frame(&text) };
        let (left, right) = bytes.split_at(1 + random.below(bytes.len() as u64 - 1) as usize);
        let client = peers[at].client.clone();
        world.send(&client, left);
        world.send(&client, right);
        for (peer, got) in peers.iter_mut().zip(&mut got) {
            let script = peer.client.script.clone();
            script.set_full(random.one_in(3));
            if random.one_in(3) {
                script.will_take(1 + random.below(500) as usize);
            }
            let client = peer.client.clone();
            world.writable(&client);
            got.extend(peer.read(&script.take_written()).into_iter().map(|(text, _)| text));
        }
        if random.one_in(30) {
            world.advance(10_000);
        }
    }
    for ((peer, got), own) in peers.iter_mut().zip(&mut got).zip(own) {
        let client = peer.client.clone();
        // A client that was not read from is read from again once it takes its answers.
        for _ in 0..300 {
            let bytes = world.read_all(&client);
            got.extend(peer.read(&bytes).into_iter().map(|(text, _)| text));
            world.readable(&client);
        }
        got.extend(peer.received().into_iter().map(|(text, _)| text));
        let missing: Vec<_> =
            own.iter().filter(|text| !got.contains(text)).map(|it| (&it[..7], it.len())).collect();
        assert!(
            missing.is_empty(),
            "seed {seed}: {missing:?} of {} are missing, got {}",
            own.len(),
            got.len()
        );
        let is_own = |text: &&String| own.contains(text);
        let echoes: Vec<_> = got.iter().filter(is_own).collect();
        assert_eq!(echoes, own.iter().collect::<Vec<_>>(), "seed {seed}: answers are out of order");
    }
    world.finish();
}

/// A text of a client, not compressed, of up to 64 KiB.
fn long_frame_of(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

#[test]
fn clients_of_all_agreements_read_what_they_are_sent() {
    for seed in 1..=20_u64 {
        play(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
    }
}
