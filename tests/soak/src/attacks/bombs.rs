//! Messages that become a thousand times as long as they were sent.

use std::{
    io::{self, Read},
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use rustix::process::nice;

use crate::{
    compressed::{Client, deflated},
    probe::{Probe, percentile},
    scenario::{Servers, has_lived, kib},
    table::Table,
    vitals,
};

const CONNECTIONS: u64 = 16;
/// The server's limit for a message, in KiB.
const LIMIT: u64 = 1024;
/// How much memory one connection may take, in KiB: its message and a little more.
const MOST: u64 = LIMIT + 64;
const PATIENCE: Duration = Duration::from_millis(20);
const TIME: Duration = Duration::from_secs(5);
const OFFER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// Sixteen clients send texts of 1 MiB as 1 KiB, as fast as they are taken, and then one that is too long.
pub(super) fn bombs(servers: &Servers<'_>, table: &mut Table) -> io::Result<()> {
    let mut server = servers.server(&["--compress"], None)?;
    let address = server.address;
    // What the first compressed message allocates is shared by all.
    let mut first = Client::open(address, OFFER)?;
    first.send(&deflated("0".repeat(1000).as_bytes()))?;
    first.receive()?;
    drop(first);
    let before = vitals::resident(server.pid())?;
    let probe = Probe::start(address);
    let senders: Vec<_> = (0..CONNECTIONS).map(|_| thread::spawn(move || send_bombs(address))).collect();
    let (began, mut most) = (Instant::now(), before);
    while began.elapsed() < TIME {
        thread::sleep(Duration::from_millis(20));
        most = most.max(vitals::resident(server.pid())?);
    }
    let latencies = probe.stop();
    let mut sent = 0;
    let mut refused = 0;
    for sender in senders {
        let (bombs, is_refused) = sender.join().map_err(|_| io::Error::other("a sender has panicked"))??;
        sent += bombs;
        refused += u64::from(is_refused);
    }
    let p90 = percentile(&latencies.echoes, 0.9);
    let growth = most.saturating_sub(before);
    let limit = CONNECTIONS * MOST;
    table.tell("16 clients send texts of 1 MiB as 1 KiB", "");
    table.check("  messages of 1 MiB inflated", sent.to_string(), "> 100", sent > 100);
    table.check("  RSS growth, most", kib(growth), format!("< {}", kib(limit)), growth < limit);
    let ok = p90 < PATIENCE && latencies.failures.is_empty();
    let millis = format!("{:.2} ms", p90.as_secs_f64() * 1000.0);
    table.check("  fresh client's echo, p90", millis, "< 20 ms", ok);
    table.check("  one byte more: refused with 1009", refused.to_string(), "16", refused == CONNECTIONS);
    has_lived(table, &mut server)
}

/// Sends bombs and reads the echoes. Returns how many came back, and whether one byte more was refused.
fn send_bombs(address: SocketAddr) -> io::Result<(u64, bool)> {
    // On a machine with few cores the figures must show the server's speed and not the load's.
    nice(10)?;
    let longest = LIMIT as usize * 1024;
    let bomb = deflated("0".repeat(longest).as_bytes());
    let mut client = Client::open(address, OFFER)?;
    let (began, mut sent) = (Instant::now(), 0);
    while began.elapsed() < TIME {
        // Four in flight.
        for _ in 0..4 {
            client.send(&bomb)?;
        }
        for _ in 0..4 {
            client.receive()?;
            sent += 1;
        }
    }
    client.send(&deflated("0".repeat(longest + 1).as_bytes()))?;
    let (first, payload) = client.receive()?;
    let mut rest = Vec::new();
    // The server closes; what it sends after its Close is nothing.
    let _ = client.stream.set_read_timeout(Some(Duration::from_secs(1)));
    let _ = client.stream.read_to_end(&mut rest);
    Ok((sent, first == 0x88 && payload.starts_with(&1009_u16.to_be_bytes()) && rest.is_empty()))
}
