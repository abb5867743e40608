//! A server whose output is not read: its log into a full pipe, and the explanations of a flood.
//!
//! Neither may delay a client or the exit.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use rustix::process::nice;

use crate::{
    probe::{Client, Probe, percentile},
    random::Random,
    scenario::{Servers, has_lived, kib},
    server::Server,
    table::Table,
    vitals,
    wire::{FIN, PING, Received, put_frame},
};

const CLIENTS: u64 = 2000;
/// How long a client may wait for its echo beside 2,000 new clients, and beside a flood of explained pings.
const PATIENCE: Duration = Duration::from_millis(100);
/// From SIGTERM to the exit: one client's Close, and a second for each pipe.
const END: Duration = Duration::from_secs(3);
/// How long the flood lasts.
const TIME: Duration = Duration::from_secs(5);
/// The memory allowed for all explanations, in KiB: two queues, and incomplete messages.
const MAX_GROWTH: u64 = 64 * 1024;

/// Connects clients while nothing reads the log; each is served, and SIGTERM ends the server.
pub(super) fn unread_log(servers: &Servers<'_>, table: &mut Table) -> io::Result<()> {
    let mut server = Server::start_unread(servers.binary, &[])?;
    let count = CLIENTS.min(servers.descriptors.saturating_sub(100));
    let (mut waits, mut failures) = (Vec::new(), Vec::new());
    let mut clients = Vec::new();
    for _ in 0..count {
        match visit(server.address) {
            Ok((client, wait)) => {
                clients.push(client);
                waits.push(wait);
            }
            Err(error) => failures.push(error),
        }
        // Each failure takes time, and a few suffice.
        if failures.len() == 3 {
            break;
        }
    }
    table.tell("2,000 clients, and nothing reads the log", "");
    table.tell("  clients served", waits.len().to_string());
    table.check("  clients not served", failures.len().to_string(), "0", failures.is_empty());
    check_p90(table, &waits, PATIENCE);
    let last = clients.pop();
    drop(clients);
    check_end(table, &mut server, last)
}

/// Runs a client that floods with explained pings, beside one that echoes.
pub(super) fn explained_flood(servers: &Servers<'_>, table: &mut Table) -> io::Result<()> {
    for is_read in [true, false] {
        let mut server = Server::start_unread(servers.binary, &["-q", "--explain"])?;
        let output = server.take_output();
        let reader = output.map(|mut output| {
            thread::spawn(move || if is_read { drain(&mut output) } else { hold(&mut output) })
        });
        let before = vitals::resident(server.pid())?;
        let address = server.address;
        let flood = thread::spawn(move || flood_with_pings(address));
        let probe = Probe::start(address);
        thread::sleep(TIME);
        let latencies = probe.stop();
        let growth = vitals::most_resident(server.pid())?.saturating_sub(before);
        let sent = flood.join().map_err(|_| io::Error::other("the flood has panicked"))??;
        let how = if is_read { "read" } else { "not read" };
        table.tell(&format!("a flood of pings, explained, and the explanations are {how}"), "");
        table.tell("  pings sent", sent.to_string());
        let failures = latencies.failures.len();
        table.check("  clients not served beside it", failures.to_string(), "0", failures == 0);
        check_p90(table, &latencies.echoes, PATIENCE);
        let limit = format!("<= {}", kib(MAX_GROWTH));
        table.check("  growth of RSS, most", kib(growth), limit, growth <= MAX_GROWTH);
        has_lived(table, &mut server)?;
        // The reader ends with the server.
        drop(server);
        if let Some(reader) = reader {
            reader.join().map_err(|_| io::Error::other("the reader has panicked"))?;
        }
    }
    Ok(())
}

fn visit(address: SocketAddr) -> io::Result<(Client, Duration)> {
    let mut client = Client::open(address)?;
    let wait = client.round_trip(b"still served")?;
    Ok((client, wait))
}

/// Sends pings as fast as possible, on a thread with a low priority. Returns their number.
fn flood_with_pings(address: SocketAddr) -> io::Result<usize> {
    const BATCH: usize = 10_000;

    nice(10)?;
    let mut client = Client::open(address)?;
    let mut random = Random::new(1);
    let mut pings = Vec::new();
    (0..BATCH).for_each(|_| put_frame(&mut pings, &mut random, FIN | PING, b""));
    // The pongs are discarded, so that the server keeps reading.
    let mut pongs = client.stream.try_clone()?;
    thread::spawn(move || drain(&mut pongs));
    let (began, mut sent) = (Instant::now(), 0);
    while began.elapsed() < TIME {
        client.stream.write_all(&pings)?;
        sent += BATCH;
    }
    client.stream.shutdown(std::net::Shutdown::Both)?;
    Ok(sent)
}

/// Reads to the end.
fn drain(input: &mut impl Read) {
    let _ = io::copy(input, &mut io::sink());
}

/// Reads nothing for the duration of the flood.
fn hold(input: &mut impl Read) {
    thread::sleep(TIME + Duration::from_secs(1));
    drain(input);
}

fn check_p90(table: &mut Table, waits: &[Duration], limit: Duration) {
    let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    let p90 = percentile(waits, 0.9);
    table.check("  echo, p90", millis(p90), format!("<= {}", millis(limit)), p90 <= limit);
    table.tell("  slowest echo", millis(percentile(waits, 1.0)));
}

/// Checks that SIGTERM closes all connections and ends the server in order.
fn check_end(table: &mut Table, server: &mut Server, last: Option<Client>) -> io::Result<()> {
    let began = Instant::now();
    server.terminate()?;
    let received = last.map(|mut client| client.expect(&Received::Close(Some(1001))));
    let has_close = matches!(received, Some(Ok(())));
    table.check("  closed with 1001 on SIGTERM", has_close.to_string(), "true", has_close);
    let mut status = None;
    while status.is_none() && began.elapsed() < 2 * END {
        status = server.ended()?;
        thread::sleep(Duration::from_millis(10));
    }
    let took = began.elapsed();
    let value = status.map_or_else(|| "never".to_owned(), |it| format!("{it}, {:.2} s", took.as_secs_f64()));
    let ok = status.is_some_and(|it| it.success()) && took <= END;
    table.check("  exit", value, format!("0 in {} s", END.as_secs()), ok);
    Ok(())
}
