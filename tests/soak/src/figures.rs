//! Scenarios with one figure each: the cost of a few peers, or of many silent ones.
//!
//! This file knows the scenarios and their limits. It does not know how clients behave.

use std::{
    io::{self, Write},
    iter,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use rustix::process::nice;

use crate::{
    compressed,
    line::Pace,
    probe::{Client, Probe, percentile},
    random::Random,
    role::Timing,
    roles::{Fate, Flood, SlowHead, Visitor},
    scenario::{Group, Servers, has_lived, kib},
    server::Server,
    soak::check_descent,
    swarm::Swarm,
    table::Table,
    vitals,
    wire::{BINARY, CONTINUATION, FIN, PING, Received, TEXT, put_frame},
};

const SEED: u64 = 0x5EED_0F50_AC00_0002;

/// The defaults of the server.
const TIMING: Timing = Timing {
    handshake: Duration::from_secs(10),
    ping: Duration::from_secs(20),
    pong: Duration::from_secs(20),
    close: Duration::from_secs(5),
    slack: Duration::from_secs(5),
};
const MAX_BACKPRESSURE: u64 = 1024;

/// The scenarios, by name.
pub(crate) const FIGURES: Group = Group {
    title: "figures",
    scenarios: &[
        ("hostile", beside_hostile_peers),
        ("fragments", empty_fragments),
        ("pings", unread_pongs),
        ("idle", idle),
        ("windows", idle_windows),
        ("descent", descent_under_load),
        ("descriptors", no_descriptors),
    ],
};

/// Runs 200 slow heads, two flooders, and a client that reads nothing of 64 MiB of echoes.
fn beside_hostile_peers(servers: &Servers<'_>, table: &mut Table) -> io::Result<()> {
    const TIME: Duration = Duration::from_secs(9);
    let mut server = servers.server(&[], None)?;
    let before = vitals::resident(server.pid())?;
    let address = server.address;
    let probe = Probe::start(address);
    let flood = thread::spawn(move || heads_and_flooders(address, TIME));
    let sent = thread::spawn(move || never_reader(address, TIME));
    let (cpu, began) = (vitals::cpu(server.pid())?, Instant::now());
    let mut most = before;
    while began.elapsed() < TIME {
        thread::sleep(Duration::from_millis(50));
        most = most.max(vitals::resident(server.pid())?);
    }
    let busy = (vitals::cpu(server.pid())? - cpu).as_secs_f64() / began.elapsed().as_secs_f64();
    let latencies = probe.stop();
    flood.join().map_err(|_| io::Error::other("the flooders have panicked"))??;
    let sent = sent.join().map_err(|_| io::Error::other("the client that reads nothing has panicked"))??;
    let millis = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1000.0);
    let p90 = percentile(&latencies.echoes, 0.9);
    let ok = p90 < Duration::from_millis(20) && latencies.failures.is_empty();
    table.tell("200 slow heads, 2 flooders, 1 who never reads", "");
    table.check("  fresh client's echo, p90", millis(p90), "< 20 ms", ok);
    table.tell("  slowest of so many", {
        format!("{} / {}", millis(percentile(&latencies.echoes, 1.0)), latencies.echoes.len())
    });
    table.check("  RSS growth, most", kib(most - before), "< 8 MiB", most - before < 8 * 1024);
    table.tell("  taken from who never reads, of 64 MiB", kib(sent / 1024));
    let figures = server.figures()?;
    let messages = figures.get("received_messages_total").copied().unwrap_or(0.0);
    table.tell("  messages echoed per second", format!("{:.0}", messages / TIME.as_secs_f64()));
    table.tell("  server CPU", format!("{:.0} %", busy * 100.0));
    let turn = figures.get("longest_turn_seconds").copied().unwrap_or(f64::NAN);
    table.tell("  longest turn of the loop", format!("{:.2} ms", turn * 1000.0));
    has_lived(table, &mut server)
}

/// Sends as fast as possible, on a thread with a low priority: on a machine with few cores the figures must
/// show the server's speed and not the load's.
fn heads_and_flooders(address: SocketAddr, time: Duration) -> io::Result<()> {
    nice(10)?;
    let mut swarm = Swarm::new(address, SEED, TIMING)?;
    for index in 0..200 {
        swarm.add("slow head", Box::new(SlowHead::new(index % 2 == 0)));
    }
    for _ in 0..2 {
        let flood = Flood::new(FIN | TEXT, 1024, 64, None, Pace::Full, Fate::Leaves(2 * time));
        swarm.add("flood", Box::new(flood));
    }
    turn_for(&mut swarm, time)
}

/// Sends up to 64 MiB and reads nothing; returns how many bytes were accepted.
fn never_reader(address: SocketAddr, time: Duration) -> io::Result<u64> {
    const ALL: u64 = 64 << 20;
    let mut client = Client::open(address)?;
    let mut random = Random::new(SEED);
    let mut frame = Vec::new();
    put_frame(&mut frame, &mut random, FIN | BINARY, &[0; 64 * 1024]);
    let began = Instant::now();
    client.stream.set_write_timeout(Some(Duration::from_millis(100)))?;
    let (mut sent, mut at) = (0, 0);
    while began.elapsed() < time && sent < ALL {
        match client.stream.write(&frame[at..]) {
            Ok(len) => {
                sent += len as u64;
                at = (at + len) % frame.len();
            }
            Err(error) if is_pause(&error) => {}
            Err(error) => return Err(error),
        }
    }
    thread::sleep(time.saturating_sub(began.elapsed()));
    Ok(sent)
}

fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Sends 300,000 empty fragments, and then the last fragment.
fn empty_fragments(servers: &Servers<'_>, table: &mut Table) -> io::Result<()> {
    let mut server = servers.server(&[], None)?;
    // The first flood touches the read buffer for the first time: this is no growth per fragment.
    flood_with_fragments(&server, 300_000)?;
    let (growth, cpu, is_whole) = flood_with_fragments(&server, 300_000)?;
    table.tell("300,000 empty fragments of one message", "");
    table.check("  RSS growth, most", kib(growth), "< 64 KiB", growth < 64);
    table.check("  the message comes back", is_whole.to_string(), "true", is_whole);
    table.tell("  server CPU", format!("{:.1} ms", cpu.as_secs_f64() * 1000.0));
    has_lived(table, &mut server)
}

/// Returns the growth of memory in KiB, the processor time, and whether the empty message came back.
fn flood_with_fragments(server: &Server, count: usize) -> io::Result<(u64, Duration, bool)> {
    let mut client = Client::open(server.address)?;
    let mut random = Random::new(SEED);
    let mut frames = Vec::new();
    put_frame(&mut frames, &mut random, BINARY, b"");
    (1..count).for_each(|_| put_frame(&mut frames, &mut random, CONTINUATION, b""));
    let before = vitals::resident(server.pid())?;
    let cpu = vitals::cpu(server.pid())?;
    let mut most = before;
    for piece in frames.chunks(100_000) {
        client.stream.write_all(piece)?;
        most = most.max(vitals::resident(server.pid())?);
    }
    // The answer shows that all frames before it were processed.
    client.send_frame(FIN | PING, b"through?")?;
    client.expect(&Received::Pong(b"through?".to_vec()))?;
    most = most.max(vitals::resident(server.pid())?);
    let cpu = cpu_at_rest(server.pid())? - cpu;
    client.send_frame(FIN | CONTINUATION, b"")?;
    let is_whole = client.expect(&Received::Message(BINARY, Vec::new())).is_ok();
    Ok((most - before, cpu, is_whole))
}

/// Sends 64 MiB of pings and reads no pong.
fn unread_pongs(servers: &Servers<'_>, table: &mut Table) -> io::Result<()> {
    const ALL: usize = 64 << 20;
    let mut server = servers.server(&[], None)?;
    let mut client = Client::open(server.address)?;
    let mut random = Random::new(SEED);
    let mut frames = Vec::new();
    (0..800).for_each(|_| put_frame(&mut frames, &mut random, FIN | PING, &[b'p'; 125]));
    let before = vitals::resident(server.pid())?;
    let mut most = before;
    let mut sent = 0;
    while sent < ALL {
        if client.stream.write_all(&frames).is_err() {
            break;
        }
        sent += frames.len();
        most = most.max(vitals::resident(server.pid())?);
    }
    let limit = MAX_BACKPRESSURE + 1024;
    table.tell("64 MiB of pings, no pong read", "");
    table.tell("  taken", kib(sent as u64 / 1024));
    table.check("  RSS growth, most", kib(most - before), format!("< {}", kib(limit)), most - before < limit);
    has_lived(table, &mut server)
}

/// 10,000 clients that have each exchanged three compressed messages of 512 bytes, and are silent since.
fn idle_windows(servers: &Servers<'_>, table: &mut Table) -> io::Result<()> {
    const TEXT_LEN: usize = 512;
    /// At most 2.5 KB each: the last 1,536 bytes of a client, and the connection.
    const MOST: f64 = 2500.0;
    /// A compressor is given back when it was not used for 10 to 20 seconds.
    const COMPRESSORS_GO: Duration = Duration::from_secs(25);
    let count = 10_000.min(servers.descriptors.saturating_sub(100));
    let mut server = servers.server(&["--compress"], None)?;
    compressed::Client::open(server.address, "permessage-deflate")?.exchange(&texts(0, TEXT_LEN))?;
    let before = vitals::resident(server.pid())?;
    let mut clients = Vec::new();
    let mut wrong = 0;
    for number in 0..count {
        let mut client = compressed::Client::open(server.address, "permessage-deflate")?;
        wrong += u64::from(!client.exchange(&texts(number, TEXT_LEN))?);
        clients.push(client);
    }
    let held =
        |name: &str| -> io::Result<f64> { Ok(server.figures()?.get(name).copied().unwrap_or(f64::NAN)) };
    let began = Instant::now();
    while held("compressor_bytes")? > 0.0 && began.elapsed() < COMPRESSORS_GO {
        thread::sleep(Duration::from_millis(200));
    }
    let (compressors, windows) = (held("compressor_bytes")?, held("window_bytes")?);
    let grown = vitals::resident(server.pid())?.saturating_sub(before) * 1024;
    let each = grown as f64 / count as f64;
    table.tell(&format!("{count} silent clients, 3 compressed messages of 512 B each"), "");
    table.check("  wrong echoes", wrong.to_string(), "0", wrong == 0);
    table.check("  bytes of compressors", format!("{compressors}"), "0", compressors == 0.0);
    table.tell("  bytes of windows each", format!("{:.0}", windows / count as f64));
    table.check("  RSS growth each", format!("{each:.0} bytes"), format!("< {MOST}"), each < MOST);
    has_lived(table, &mut server)
}

/// Three texts of one client: JSON whose names repeat.
fn texts(client: u64, len: usize) -> [String; 3] {
    [0, 1, 2].map(|message| {
        let mut random = Random::new(client * 3 + message);
        let mut text = String::new();
        while text.len() < len {
            text +=
                &format!("{{\"id\":{},\"user\":\"user{}\"}},", random.next() % 100_000, random.next() % 977);
        }
        text.truncate(len);
        text
    })
}

/// Returns the processor time of a server at rest: two readings must be equal.
fn cpu_at_rest(pid: u32) -> io::Result<Duration> {
    const BETWEEN: Duration = Duration::from_millis(20);
    const LOOKS: u32 = 500;
    let mut last = vitals::cpu(pid)?;
    for _ in 0..LOOKS {
        thread::sleep(BETWEEN);
        let cpu = vitals::cpu(pid)?;
        if cpu == last {
            return Ok(cpu);
        }
        last = cpu;
    }
    Err(io::Error::other("the server does not come to rest"))
}

/// Opens a thousand silent clients.
fn idle(servers: &Servers<'_>, table: &mut Table) -> io::Result<()> {
    const COUNT: usize = 1000;
    const TIME: Duration = Duration::from_secs(10);
    let mut server = servers.server(&[], None)?;
    let before = vitals::resident(server.pid())?;
    let mut swarm = Swarm::new(server.address, SEED, TIMING)?;
    let open = open_all(&mut swarm, COUNT, None)?;
    let cpu = cpu_at_rest(server.pid())?;
    let per_client = (vitals::resident(server.pid())? - before) as f64 / COUNT as f64;
    // Pings are due after 20 s of silence, so none falls into this time.
    thread::sleep(TIME);
    let share = (vitals::cpu(server.pid())? - cpu).as_secs_f64() / TIME.as_secs_f64() * 100.0;
    table.tell("1,000 idle connections", format!("{open}"));
    table.check("  CPU over 10 s", format!("{share:.3} %"), "< 0.05 %", share < 0.05 && open == COUNT);
    table.tell("  RSS per connection", format!("{per_client:.2} KiB"));
    has_lived(table, &mut server)
}

/// Connects visitors, and returns how many were admitted in time.
fn open_all(swarm: &mut Swarm, count: usize, pause: Option<usize>) -> io::Result<usize> {
    let opened = |swarm: &Swarm| swarm.world.tally.get("visitors let in").kept as usize;
    for begun in 0..count {
        swarm.add("visitor", Box::new(Visitor::new(true, pause)));
        // No more connects under way than the server's queue holds.
        while begun.saturating_sub(opened(swarm)) > 200 {
            swarm.turn(Duration::from_millis(1))?;
        }
    }
    let end = Instant::now() + Duration::from_secs(10);
    while opened(swarm) < count && Instant::now() < end {
        swarm.turn(Duration::from_millis(10))?;
    }
    Ok(opened(swarm))
}

fn turn_for(swarm: &mut Swarm, time: Duration) -> io::Result<()> {
    let began = Instant::now();
    while began.elapsed() < time {
        swarm.turn(Duration::from_millis(10))?;
    }
    Ok(())
}

/// Sends SIGTERM while thousands of clients send.
fn descent_under_load(servers: &Servers<'_>, table: &mut Table) -> io::Result<()> {
    let count = 5000.min(servers.descriptors.saturating_sub(200)) as usize;
    let mut server = servers.server(&[], None)?;
    let mut swarm = Swarm::new(server.address, SEED, TIMING)?;
    let open = open_all(&mut swarm, count, Some(1000))?;
    turn_for(&mut swarm, Duration::from_secs(2))?;
    table.tell("SIGTERM while so many talk", open.to_string());
    check_descent(table, &mut server, &mut swarm, count, TIMING.close)?;
    for complaint in &swarm.world.tally.complaints {
        println!("  | {complaint}");
    }
    Ok(())
}

/// Runs 200 clients against a server with 64 descriptors.
fn no_descriptors(servers: &Servers<'_>, table: &mut Table) -> io::Result<()> {
    const COUNT: usize = 200;
    const TIME: Duration = Duration::from_secs(3);
    let mut server = servers.server(&[], Some(64))?;
    let mut first = Client::open(server.address)?;
    let mut swarm = Swarm::new(server.address, SEED, TIMING)?;
    for _ in 0..COUNT {
        swarm.add("visitor", Box::new(Visitor::new(true, None)));
    }
    turn_for(&mut swarm, Duration::from_millis(500))?;
    let used = vitals::descriptors(server.pid())?;
    let (cpu, began) = (vitals::cpu(server.pid())?, Instant::now());
    turn_for(&mut swarm, TIME)?;
    let busy = (vitals::cpu(server.pid())? - cpu).as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
    let served = first.round_trip(b"still there?");
    let answered = swarm.world.tally.get("visitors let in").kept;
    drop(swarm);
    let began = Instant::now();
    // TCP retries a connect to a full queue only after a second; this retries sooner.
    let attempt = || Client::open_within(server.address, Duration::from_millis(100));
    let fresh = iter::repeat_with(attempt).take(20).find_map(Result::ok);
    let fresh = fresh.ok_or_else(|| io::Error::from(io::ErrorKind::TimedOut));
    let fresh = fresh.and_then(|mut it| it.round_trip(b"again?"));
    let recovered = began.elapsed();
    table.tell("64 descriptors, 200 clients", format!("{answered} let in"));
    table.tell("  descriptors in use", used.to_string());
    table.check("  CPU at the limit", format!("{busy:.2} %"), "< 10 %", busy < 10.0);
    let time = |result: &io::Result<Duration>| match result {
        Ok(time) => format!("{:.2} ms", time.as_secs_f64() * 1000.0),
        Err(error) => error.to_string(),
    };
    table.check("  echo to one that is in", time(&served), "comes", served.is_ok());
    let ok = fresh.is_ok() && recovered < Duration::from_secs(1);
    let value = fresh.map(|_| recovered);
    table.check("  fresh client served once they left", time(&value), "< 1 s", ok);
    has_lived(table, &mut server)
}
