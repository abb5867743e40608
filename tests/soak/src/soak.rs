//! The soak: all kinds of clients at once, for a given time, and the table of the results.
//!
//! This file knows the number of each kind, the durations, and the limits of the table. It does not know how
//! a client behaves.

use std::{
    io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::{
    line::Pace,
    probe::{Latencies, Probe, percentile},
    role::{Role, Timing},
    roles::{
        ANSWERED, BadRequest, CUT_OFF, ECHOED, Echo, Fate, Flood, GOES_AWAY, GOODBYE, HALF_CLOSED, IGNORED,
        PINGED, PONGED, REFUSED, SLOW_HEAD, STORM, SlowHead, Storm, Style, Unresponsive, Vanisher, Violator,
        Visitor,
    },
    server::Server,
    swarm::{CONNECTS, Swarm, VALID_BYTES},
    table::Table,
    tally::Tally,
    vitals,
    wire::{BINARY, FIN, PING},
};

/// The same load in every run.
const SEED: u64 = 0x5EED_0F50_AC00_0001;
/// The most clients at once, and the number of descriptors reserved for other uses.
const MOST_CLIENTS: u64 = 4000;
const SPARE_DESCRIPTORS: u64 = 300;
/// The most connects per second, without storms.
const CONNECTS_PER_SECOND: f64 = 1200.0;
/// The clients of one storm, and the pause between storms.
const STORM_LEN: usize = 150;
const STORM_EVERY: Duration = Duration::from_secs(2);
/// How often memory is sampled.
const SAMPLE_EVERY: Duration = Duration::from_millis(250);
/// The number of clients at shutdown, and how many of them do not answer a Close.
const VISITORS: usize = 300;
const UNRESPONSIVE_VISITORS: usize = 30;
/// How long all clients together may take to leave.
const LEAVING_TIME: Duration = Duration::from_secs(30);

/// The server's times: short, so that each passes many times in one run.
const TIMING: Timing = Timing {
    handshake: Duration::from_secs(4),
    ping: Duration::from_secs(4),
    pong: Duration::from_secs(3),
    close: Duration::from_secs(2),
    slack: Duration::from_secs(3),
};

/// The memory growth allowed, in KiB, or a tenth if that is more; and a fresh client's 90th percentile.
const MAX_GROWTH: u64 = 8 * 1024;
const MAX_P90: Duration = Duration::from_millis(20);

/// A kind of client: its name, its share in per cent or its number, and its constructor.
struct ClientKind {
    name: &'static str,
    share: Share,
    make: fn() -> Box<dyn Role>,
}

#[derive(Clone, Copy)]
enum Share {
    PerCent(usize),
    Number(usize),
}

const CHATTY: Style = Style {
    messages: 60,
    least: 0,
    most: 64 * 1024,
    depth: 4,
    pause: (300, 1500),
    writing: Pace::Full,
    reading: Pace::Full,
    extra: Duration::ZERO,
};

const KINDS: [ClientKind; 15] = [
    ClientKind { name: "chatty", share: Share::PerCent(45), make: || Box::new(Echo::new(CHATTY)) },
    ClientKind { name: "quiet", share: Share::PerCent(19), make: quiet },
    ClientKind { name: "in pieces", share: Share::PerCent(7), make: in_pieces },
    ClientKind { name: "in crumbs", share: Share::PerCent(3), make: in_crumbs },
    ClientKind { name: "dripping frames", share: Share::PerCent(5), make: dripping },
    ClientKind { name: "slow readers", share: Share::PerCent(5), make: slow_reader },
    ClientKind { name: "dripping heads", share: Share::PerCent(4), make: || Box::new(SlowHead::new(false)) },
    ClientKind { name: "saying nothing", share: Share::PerCent(2), make: || Box::new(SlowHead::new(true)) },
    ClientKind { name: "violators", share: Share::PerCent(3), make: || Box::<Violator>::default() },
    ClientKind { name: "vanishers", share: Share::PerCent(4), make: || Box::<Vanisher>::default() },
    ClientKind { name: "unresponsive", share: Share::PerCent(3), make: || Box::<Unresponsive>::default() },
    ClientKind { name: "never readers", share: Share::Number(6), make: never_reader },
    ClientKind { name: "greedy", share: Share::Number(4), make: greedy },
    ClientKind { name: "ping flooders", share: Share::Number(2), make: || ping_flooder(Pace::Full) },
    ClientKind {
        name: "ping flooders that read nothing",
        share: Share::Number(2),
        make: || ping_flooder(Pace::Never),
    },
];

/// Returns a client that is silent for longer than `ping_interval`, so that it is pinged.
fn quiet() -> Box<dyn Role> {
    Box::new(Echo::new(Style { messages: 8, depth: 1, most: 4096, pause: (5000, 9000), ..CHATTY }))
}

fn in_pieces() -> Box<dyn Role> {
    let writing = Pace::Pieces(6000, Duration::from_millis(5));
    Box::new(Echo::new(Style { writing, depth: 2, extra: Duration::from_secs(15), ..CHATTY }))
}

fn in_crumbs() -> Box<dyn Role> {
    let writing = Pace::Pieces(7, Duration::from_millis(4));
    Box::new(Echo::new(Style { writing, most: 600, extra: Duration::from_secs(15), ..CHATTY }))
}

fn dripping() -> Box<dyn Role> {
    let writing = Pace::Pieces(1, Duration::from_millis(200));
    let extra = Duration::from_secs(60);
    Box::new(Echo::new(Style { writing, messages: 4, depth: 1, most: 100, extra, ..CHATTY }))
}

/// Returns a slow reader, but fast enough to reach a ping in the kernel's buffers before `pong_timeout`.
fn slow_reader() -> Box<dyn Role> {
    let reading = Pace::Pieces(8 * 1024, Duration::from_millis(20));
    Box::new(Echo::new(Style { reading, depth: 12, extra: Duration::from_secs(30), ..CHATTY }))
}

/// Returns a client that sends more than all buffers hold, and reads it back slowly: the server must pause
/// it, and later continue.
fn greedy() -> Box<dyn Role> {
    let reading = Pace::Pieces(64 * 1024, Duration::from_millis(20));
    let (least, pause, extra) = (48 * 1024, (1000, 3000), Duration::from_secs(30));
    Box::new(Echo::new(Style { reading, messages: 360, least, depth: 120, pause, extra, ..CHATTY }))
}

fn never_reader() -> Box<dyn Role> {
    Box::new(Flood::new(FIN | BINARY, 16 * 1024, 4, None, Pace::Never, Fate::CutOff))
}

fn ping_flooder(reading: Pace) -> Box<dyn Role> {
    let fate = Fate::Leaves(Duration::from_secs(8));
    Box::new(Flood::new(FIN | PING, 100, 50, Some(Duration::from_millis(10)), reading, fate))
}

/// The server's memory over time.
#[derive(Debug, Default)]
struct Memory(Vec<u64>);

impl Memory {
    /// Returns the medians of the first and the last third, in KiB.
    fn thirds(&self) -> (u64, u64) {
        let third = self.0.len().div_ceil(3);
        let median = |part: &[u64]| {
            let mut part = part.to_vec();
            part.sort_unstable();
            part.get(part.len() / 2).copied().unwrap_or(0)
        };
        (median(&self.0[..third]), median(&self.0[self.0.len() - third..]))
    }
}

/// Runs for a number of seconds; returns whether all checks passed.
pub(crate) fn run(binary: &Path, log: &Path, seconds: u64, descriptors: u64) -> io::Result<bool> {
    let mut server = Server::start(binary, log, &options(), None)?;
    match soak(&mut server, seconds, descriptors) {
        // A server that has ended is a failed check, and not a failure of the run.
        Err(error) => match server.ended()? {
            Some(status) => {
                println!("\nsoak: the server has ended in the middle of the run ({status})");
                Ok(false)
            }
            None => Err(error),
        },
        verdict => verdict,
    }
}

fn soak(server: &mut Server, seconds: u64, descriptors: u64) -> io::Result<bool> {
    let pid = server.pid();
    let mut table = Table::default();
    // The first client and the first request for metrics cause allocations that belong to the start.
    Probe::start(server.address).stop();
    server.figures()?;
    thread::sleep(Duration::from_millis(100));
    let descriptors_before = vitals::descriptors(pid)?;

    let most = MOST_CLIENTS.min(descriptors.saturating_sub(SPARE_DESCRIPTORS)) as usize;
    println!("soak: {most} clients for {seconds} s, seed {SEED:#x}");
    let mut swarm = Swarm::new(server.address, SEED, TIMING)?;
    expect_all(&mut swarm.world.tally, seconds);
    let probe = Probe::start(server.address);
    let (cpu_before, began) = (vitals::cpu(pid)?, Instant::now());
    let memory = load(server, &mut swarm, most, Duration::from_secs(seconds))?;
    let busy = (vitals::cpu(pid)? - cpu_before).as_secs_f64() / began.elapsed().as_secs_f64();
    let latencies = probe.stop();

    swarm.retire();
    let all_left = swarm.await_end(LEAVING_TIME)?;
    table.tell("clients at once, most", swarm.peak.to_string());
    let stayed = swarm.len();
    table.check("clients that could not leave", stayed.to_string(), "0", all_left);
    check_latencies(&mut table, &latencies);
    check_memory(&mut table, &memory, pid)?;
    check_leftovers(&mut table, server, descriptors_before)?;
    table.tell("server CPU under load", format!("{:.1} %", busy * 100.0));
    tell_figures(&mut table, server)?;
    go_down(&mut table, server, &mut swarm)?;
    table.add_tally(&swarm.world.tally);

    table.print("soak");
    for complaint in swarm.world.tally.complaints.iter().chain(latencies.failures.iter().take(5)) {
        println!("  | {complaint}");
    }
    let (passed, failed) = table.verdict();
    println!("\nsoak: {seconds} s, {passed} checks passed, {failed} failed");
    Ok(failed == 0)
}

fn options() -> Vec<String> {
    let millis = |name: &str, time: Duration| [name.to_owned(), format!("{}ms", time.as_millis())];
    [
        millis("--handshake-timeout", TIMING.handshake),
        millis("--ping-interval", TIMING.ping),
        millis("--pong-timeout", TIMING.pong),
        millis("--close-timeout", TIMING.close),
    ]
    .concat()
}

/// Lists the promises that must be tested, given the time for it.
fn expect_all(tally: &mut Tally, seconds: u64) {
    for promise in [CONNECTS, VALID_BYTES, ECHOED, PONGED, GOODBYE, ANSWERED, REFUSED, HALF_CLOSED, STORM] {
        tally.expect(promise);
    }
    let longest = TIMING.ping + TIMING.pong + TIMING.close + 2 * TIMING.slack;
    if Duration::from_secs(seconds) > 2 * longest {
        for promise in [PINGED, SLOW_HEAD, IGNORED, CUT_OFF] {
            tally.expect(promise);
        }
    }
}

/// Keeps the number of clients of each kind, and samples the server's memory.
fn load(server: &Server, swarm: &mut Swarm, most: usize, time: Duration) -> io::Result<Memory> {
    let began = Instant::now();
    let mut memory = Memory::default();
    let (mut sampled, mut stormed) = (began, began);
    let mut connected = 0.0;
    let mut full = false;
    while began.elapsed() < time {
        // Limits the rate of connects, so that a slow machine can keep up.
        let allowed = began.elapsed().as_secs_f64() * CONNECTS_PER_SECOND;
        connected = f64::max(connected, allowed - CONNECTS_PER_SECOND / 10.0);
        let mut missing = false;
        for kind in &KINDS {
            let wanted = match kind.share {
                Share::PerCent(share) => most * share / 100,
                Share::Number(number) => number,
            };
            // All kinds grow together.
            for _ in swarm.live(kind.name)..wanted.min(swarm.live(kind.name) + 1 + wanted / 100) {
                if connected < allowed {
                    swarm.add(kind.name, (kind.make)());
                    connected += 1.0;
                }
            }
            missing |= swarm.live(kind.name) < wanted * 9 / 10;
        }
        full |= !missing;
        if stormed.elapsed() > STORM_EVERY {
            stormed = Instant::now();
            (0..STORM_LEN).for_each(|_| swarm.add("storm", Box::new(Storm::new())));
            (0..STORM_LEN / 5).for_each(|_| swarm.add("bad requests", Box::<BadRequest>::default()));
        }
        if full && sampled.elapsed() > SAMPLE_EVERY {
            sampled = Instant::now();
            memory.0.push(vitals::resident(server.pid())?);
        }
        swarm.turn(Duration::from_millis(10))?;
    }
    Ok(memory)
}

fn check_latencies(table: &mut Table, latencies: &Latencies) {
    let millis = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1000.0);
    let p90 = percentile(&latencies.echoes, 0.9);
    table.check("fresh client's echo, p90", millis(p90), "< 20 ms", p90 < MAX_P90);
    // A slow period must not hide among fast ones.
    let slice = latencies.echoes.len().div_ceil(6).max(1);
    let worst = latencies.echoes.chunks(slice).map(|it| percentile(it, 0.9)).max().unwrap_or(Duration::MAX);
    table.check("the same in the worst sixth", millis(worst), "< 20 ms", worst < MAX_P90);
    table.tell("fresh client's echo, p50", millis(percentile(&latencies.echoes, 0.5)));
    table.tell("fresh client's echo, slowest", millis(percentile(&latencies.echoes, 1.0)));
    table.tell("fresh client's handshake, p90", millis(percentile(&latencies.handshakes, 0.9)));
    let failures = latencies.failures.len();
    table.check("fresh clients not served", failures.to_string(), "0", failures == 0);
}

fn check_memory(table: &mut Table, memory: &Memory, pid: u32) -> io::Result<()> {
    let mib = |kib: u64| format!("{:.1} MiB", kib as f64 / 1024.0);
    let (first, last) = memory.thirds();
    let limit = MAX_GROWTH.max(first / 10);
    table.tell("RSS, first third", mib(first));
    table.tell("RSS, last third", mib(last));
    let growth = last.saturating_sub(first);
    table.check("RSS growth", mib(growth), format!("< {}", mib(limit)), growth < limit && first > 0);
    table.tell("RSS, most ever", mib(vitals::most_resident(pid)?));
    Ok(())
}

/// Checks the server's state after all clients have left.
fn check_leftovers(table: &mut Table, server: &Server, descriptors_before: usize) -> io::Result<()> {
    // Clients that left in the middle of an exchange are awaited, each kind for its own time.
    let end = Instant::now() + TIMING.handshake + TIMING.ping + TIMING.pong + TIMING.close + TIMING.slack;
    while Instant::now() < end && vitals::descriptors(server.pid())? != descriptors_before {
        thread::sleep(Duration::from_millis(100));
    }
    let after = vitals::descriptors(server.pid())?;
    let ok = after == descriptors_before;
    table.check("descriptors afterwards", after.to_string(), format!("{descriptors_before}"), ok);
    let figures = server.figures()?;
    let figure = |name: &str| figures.get(name).copied().unwrap_or(f64::NAN);
    let (opened, closed) = (figure("opened_total"), figure("closed_total"));
    table.check("on_close calls, of on_open calls", closed.to_string(), opened.to_string(), opened == closed);
    for name in ["connections", "buffered_bytes", "shed_total", "dropped_messages_total"] {
        table.check(name, figure(name).to_string(), "0", figure(name) == 0.0);
    }
    Ok(())
}

fn tell_figures(table: &mut Table, server: &Server) -> io::Result<()> {
    let figures = server.figures()?;
    let figure = |name: &str| figures.get(name).copied().unwrap_or(f64::NAN);
    table.tell("clients accepted", figure("accepted_total").to_string());
    table.tell("messages received", figure("received_messages_total").to_string());
    table.tell("bytes received", format!("{:.0} MiB", figure("received_bytes_total") / f64::from(1 << 20)));
    table.tell("longest turn of the loop", format!("{:.1} ms", figure("longest_turn_seconds") * 1000.0));
    Ok(())
}

/// Ends the server while some clients are connected.
fn go_down(table: &mut Table, server: &mut Server, swarm: &mut Swarm) -> io::Result<()> {
    swarm.world.tally.expect(GOES_AWAY);
    for index in 0..VISITORS {
        swarm.add("visitor", Box::new(Visitor::new(index >= UNRESPONSIVE_VISITORS, Some(200))));
    }
    let admitted = |swarm: &Swarm| swarm.world.tally.get("visitors let in").kept as usize;
    let end = Instant::now() + TIMING.handshake;
    while admitted(swarm) < VISITORS && Instant::now() < end {
        swarm.turn(Duration::from_millis(10))?;
    }
    check_descent(table, server, swarm, VISITORS, TIMING.close)
}

/// Ends the server by SIGTERM; checks that it closes every connection, in time and in order.
pub(crate) fn check_descent(
    table: &mut Table,
    server: &mut Server,
    swarm: &mut Swarm,
    visitors: usize,
    deadline: Duration,
) -> io::Result<()> {
    let began = Instant::now();
    server.terminate()?;
    let mut status = None;
    while status.is_none() && began.elapsed() < deadline + TIMING.slack {
        swarm.turn(Duration::from_millis(10))?;
        status = server.ended()?;
    }
    let took = began.elapsed();
    // The server's last bytes may still be under way.
    swarm.await_end(Duration::from_millis(500))?;
    let closed = swarm.world.tally.get(GOES_AWAY).kept;
    let all_closed = closed == visitors as u64;
    table.check("clients closed with 1001 on SIGTERM", closed.to_string(), visitors.to_string(), all_closed);
    let exit = status.map_or_else(|| "none".to_owned(), |it| it.to_string());
    table.check("exit", exit, "exit status: 0", status.is_some_and(|it| it.success()));
    let limit = deadline + Duration::from_millis(500);
    let (value, limit_text) =
        (format!("{:.2} s", took.as_secs_f64()), format!("< {:.1} s", limit.as_secs_f64()));
    table.check("time from SIGTERM to exit", value, limit_text, took < limit);
    Ok(())
}
