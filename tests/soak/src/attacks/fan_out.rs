//! Few bytes that make the server queue many: messages to a room or to all clients, which do not read.
//!
//! Memory stays near the budget of `max_buffered_bytes`, and a fresh client is served meanwhile.

use std::{
    io::{self, Write},
    net::SocketAddr,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    probe::Client,
    random::Random,
    scenario::{Servers, has_lived, kib},
    server::Server,
    table::Table,
    vitals,
    wire::{FIN, PING, Received, TEXT, put_frame},
};

const MEMBERS: usize = 1000;
const MESSAGES: usize = 1000;
/// The default budget of a server, and that of the subject `broadcaster`, in KiB.
const DEFAULT_BUDGET: u64 = 256 * 1024;
const BROADCASTER_BUDGET: u64 = 64 * 1024;
/// How long a fresh client may wait for its own message.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long an attack may take.
const LONGEST: Duration = Duration::from_secs(90);

/// Runs a room of 1,000 members that do not read; one with a long name sends 7,000 bytes in one write.
pub(super) fn silent_room(servers: &Servers<'_>, table: &mut Table) -> io::Result<()> {
    let mut server = servers.subject("chat", &["127.0.0.1:0"])?;
    let members = (MEMBERS as u64).min(servers.descriptors.saturating_sub(200));
    let silent = (0..members)
        .map(|number| Client::open_at(server.address, &format!("/room?name={number}")))
        .collect::<io::Result<Vec<_>>>()?;
    let mut speaker = Client::open_at(server.address, &format!("/room?name={}", "n".repeat(3900)))?;
    let mut random = Random::new(1);
    let mut frames = Vec::new();
    (0..MESSAGES).for_each(|_| put_frame(&mut frames, &mut random, FIN | TEXT, b"x"));
    // The pong shows that all messages before the ping were forwarded.
    put_frame(&mut frames, &mut random, FIN | PING, b"through?");
    speaker.stream.write_all(&frames)?;
    table.tell("1,000 messages to 1,000 members who read nothing", "");
    let through = wait_aside(speaker, Received::Pong(b"through?".to_vec()));
    check_waits(table, through, || visit_room(server.address))?;
    check_memory(table, &server, DEFAULT_BUDGET)?;
    drop(silent);
    has_lived(table, &mut server)
}

/// Makes a thread of the server broadcast 900 bytes, as often as possible, to 500 clients that do not read.
pub(super) fn broadcasting_thread(servers: &Servers<'_>, table: &mut Table) -> io::Result<()> {
    let mut server = servers.subject("subject", &["broadcaster"])?;
    let silent = (0..500).map(|_| Client::open_at(server.address, "/")).collect::<io::Result<Vec<_>>>()?;
    let mut first = Client::open_at(server.address, "/")?;
    first.send_frame(FIN | TEXT, b"begin")?;
    table.tell("broadcasts of 900 bytes to 500 clients who read nothing", "");
    let through = wait_aside(first, Received::Message(TEXT, b"done".to_vec()));
    check_waits(table, through, || visit_echo(server.address))?;
    check_memory(table, &server, BROADCASTER_BUDGET)?;
    drop(silent);
    has_lived(table, &mut server)
}

/// Reads on a thread of its own until the expected message arrives.
fn wait_aside(mut client: Client, expected: Received) -> JoinHandle<io::Result<()>> {
    thread::spawn(move || {
        client.stream.set_read_timeout(Some(LONGEST))?;
        wait_for(&mut client, &expected)
    })
}

/// Runs fresh clients one after the other until the attack is over; checks each answer and the slowest time.
fn check_waits(
    table: &mut Table,
    attack: JoinHandle<io::Result<()>>,
    visit: impl Fn() -> io::Result<Duration>,
) -> io::Result<()> {
    let began = Instant::now();
    let (mut waits, mut failures) = (Vec::new(), Vec::new());
    while !attack.is_finished() && began.elapsed() < LONGEST {
        match visit() {
            Ok(wait) => waits.push(wait),
            Err(error) => failures.push(error),
        }
    }
    let time = format!("{:.1} s", began.elapsed().as_secs_f64());
    let is_over = attack.is_finished() && matches!(attack.join(), Ok(Ok(())));
    table.check("  the attack is over, and its client was served", time, "< 90 s", is_over);
    let slowest = waits.iter().max().copied().unwrap_or(Duration::MAX);
    table.tell("  fresh clients, one after the other", waits.len().to_string());
    let failed = failures.first().map_or_else(String::new, |error| format!(": {error}"));
    let value = format!("{}{failed}", failures.len());
    table.check("  fresh clients without an answer", value, "0", failures.is_empty());
    let value = format!("{:.1} ms", slowest.as_secs_f64() * 1000.0);
    table.check("  slowest round trip of a fresh client", value, "<= 100 ms", slowest <= PATIENCE);
    Ok(())
}

/// Checks that the peak of resident memory is at most 1.2 times the budget plus 32 MiB.
fn check_memory(table: &mut Table, server: &Server, budget: u64) -> io::Result<()> {
    let limit = budget * 12 / 10 + 32 * 1024;
    let peak = vitals::most_resident(server.pid())?;
    table.check("  peak RSS", kib(peak), format!("<= {}", kib(limit)), peak <= limit);
    Ok(())
}

/// Opens a room of its own, and waits for its own message.
fn visit_room(address: SocketAddr) -> io::Result<Duration> {
    let mut client = Client::open_at(address, "/elsewhere?name=ann")?;
    let began = Instant::now();
    client.send_frame(FIN | TEXT, b"hello")?;
    wait_for(&mut client, &Received::Message(TEXT, b"ann says: hello".to_vec()))?;
    Ok(began.elapsed())
}

fn visit_echo(address: SocketAddr) -> io::Result<Duration> {
    let mut client = Client::open_at(address, "/")?;
    let began = Instant::now();
    client.send_frame(FIN | TEXT, b"hello")?;
    wait_for(&mut client, &Received::Message(TEXT, b"hello".to_vec()))?;
    Ok(began.elapsed())
}

/// Reads until the expected message arrives.
fn wait_for(client: &mut Client, expected: &Received) -> io::Result<()> {
    while client.receive()? != *expected {}
    Ok(())
}
