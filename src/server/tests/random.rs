//! Everything together: clients, frames, short writes, errors and steps of the clock, drawn by fixed seeds.

use super::*;

/// A stream of numbers that are the same for the same seed (xorshift64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(super) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// A client that breaks no rule, and the bytes that it must receive.
struct HonestClient {
    client: Client,
    /// The bytes that it has not sent yet.
    to_send: Vec<u8>,
    expected: Vec<u8>,
    written: Vec<u8>,
}

/// Returns a message in one frame or in several, with pings between them.
fn message(random: &mut Random) -> (Vec<u8>, Vec<u8>) {
    let len = match random.below(10) {
        0 => random.below(20_000),
        1 => 125 + random.below(3),
        _ => random.below(200),
    };
    let payload: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
    let mut bytes = Vec::new();
    let (mut first, mut rest) = (0x02, &payload[..]);
    while random.one_in(3) {
        let (piece, more) = rest.split_at(random.below(rest.len() as u64 + 1) as usize);
        bytes.extend(frame(first, piece));
        (first, rest) = (0x00, more);
    }
    bytes.extend(frame(0x80 | first, rest));
    (bytes, server_frame(0x82, &payload))
}

fn play(seed: u64, steps: usize) {
    let mut random = Random(seed);
    let mut world = World::new(|config| {
        config.max_backpressure = 4000;
        config.max_connections = Some(30);
    });
    let witness = world.open();
    let (mut players, mut hostile): (Vec<HonestClient>, Vec<Client>) = (Vec::new(), Vec::new());
    for _ in 0..steps {
        hostile.retain(|it| !it.script.is_dropped());
        match random.below(12) {
            0 if players.len() < 8 => {
                let client = world.open();
                players.push(HonestClient {
                    client,
                    to_send: Vec::new(),
                    expected: Vec::new(),
                    written: Vec::new(),
                });
            }
            1 if hostile.len() < 12 => hostile.push(world.connect()),
            2 if !hostile.is_empty() => disturb(&mut world, &hostile, &mut random),
            3 => world.advance(random.below(2000)),
            4 if random.one_in(4) => {
                world.queue.push_failure(ErrorKind::Other);
                world.turn(&[readable(LISTENER)]);
                world.advance(100);
            }
            _ if !players.is_empty() => {
                let chosen = random.below(players.len() as u64) as usize;
                step(&mut world, &mut players[chosen], &mut random);
            }
            _ => {}
        }
        world.check();
        // No deadline ends an honest client.
        if random.one_in(20) {
            players.iter_mut().for_each(|it| step(&mut world, it, &mut random));
            world.stats(&witness);
        }
    }
    for client in &mut players {
        client.client.script.set_full(false);
        for piece in client.to_send.chunks(3000) {
            client.client.script.will_read(piece);
            world.readable_and_writable(&client.client);
        }
        (0..10).for_each(|_| world.readable_and_writable(&client.client));
        client.written.extend(client.client.script.take_written());
        assert!(client.written == client.expected, "seed {seed}: an echo is not whole or not in order");
    }
    for client in hostile {
        world.reset(&client);
    }
    assert_eq!(world.buffered(&witness), 0, "seed {seed}");
    if seed.is_multiple_of(2) {
        world.handle.shutdown_within(Duration::from_secs(1));
        world.wake();
        world.advance(1000);
        assert!(world.event_loop.is_over(), "seed {seed}");
    }
    world.finish();
}

/// Runs a step of an honest client: it sends a piece of its bytes, or reads a piece of the server's.
fn step(world: &mut World, client: &mut HonestClient, random: &mut Random) {
    if client.to_send.len() < 5000 {
        let (bytes, echo) = message(random);
        client.to_send.extend(bytes);
        client.expected.extend(echo);
    }
    let script = client.client.script.clone();
    script.set_full(random.one_in(2));
    if random.one_in(2) {
        script.will_take(1 + random.below(3000) as usize);
    }
    if random.one_in(8) {
        script.write_will_fail(ErrorKind::Interrupted);
    }
    if random.one_in(8) {
        script.read_will_fail(ErrorKind::Interrupted);
    }
    let len = random.below(client.to_send.len() as u64 + 1) as usize;
    if len > 0 {
        script.will_read(&client.to_send.drain(..len).collect::<Vec<u8>>());
    }
    match random.below(3) {
        0 => world.readable(&client.client),
        1 => world.writable(&client.client),
        _ => world.readable_and_writable(&client.client),
    }
    client.written.extend(script.take_written());
}

/// Runs a step of a hostile client: it may break any rule.
fn disturb(world: &mut World, hostile: &[Client], random: &mut Random) {
    let client = &hostile[random.below(hostile.len() as u64) as usize];
    let errors =
        [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::OutOfMemory, ErrorKind::TimedOut];
    let error = errors[random.below(4) as usize];
    match random.below(12) {
        0 => world.reset(client),
        1 => world.half_close(client),
        2 => client.script.read_will_fail(error),
        3 => client.script.write_will_fail(error),
        4 => client.script.set_full(random.one_in(2)),
        5 => client.script.set_registering_fails(true),
        6 => world.send(client, &(0..random.below(50)).map(|_| random.next() as u8).collect::<Vec<u8>>()),
        7 => world.send(client, &frame(0x88, &[3, 232])),
        8 => world.send(client, &frame(0x89, &[1; 100])),
        9 => world.send(client, &message(random).0),
        _ => world.send(client, REQUEST),
    }
    world.readable_and_writable(client);
}

#[test]
fn clients_that_behave_get_every_byte_in_order() {
    for seed in 1..=20_u64 {
        play(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed), 2000);
    }
}
