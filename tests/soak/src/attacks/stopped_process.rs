//! The server's process is stopped past its deadlines, like a paused VM or a frozen cgroup, while its clients
//! answer.
//!
//! Timely bytes wait in the sockets, more of them than one poll returns. The server must not time out a
//! client that has answered.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use crate::{
    probe::Client,
    scenario::{Servers, has_lived},
    table::Table,
    wire::{FIN, PONG, REQUEST},
};

/// Clients that are pinged and answer, clients that send their whole head, and some that ask for metrics.
const PINGED: usize = 1000;
const HEADS: usize = 1000;
const SCRAPES: usize = 10;
/// A ping of a server, without payload.
const SERVER_PING: [u8; 2] = [0x89, 0];
const PING_INTERVAL: Duration = Duration::from_secs(2);
/// Longer than all deadlines together.
const STOPPED: Duration = Duration::from_secs(9);

/// Lets 2,000 clients answer while the server is stopped for 9 s: none receives 1011 or 408.
pub(super) fn stopped_process(servers: &Servers<'_>, table: &mut Table) -> io::Result<()> {
    let options = ["--ping-interval", "2s", "--pong-timeout", "4s", "--handshake-timeout", "8s"];
    let mut server = servers.server(&options, None)?;
    let most = (servers.descriptors.saturating_sub(200) / 2) as usize;
    // A connect that finds the listener's queue full takes a second or more. It must not count in the time of
    // clients that are pinged, so these come last.
    let mut heads = open(HEADS.min(most), || connect(server.address))?;
    let mut scrapes = open(SCRAPES, || connect(server.figures_address()?))?;
    let mut pinged = open(PINGED.min(most), || Client::open(server.address))?;
    thread::sleep(PING_INTERVAL);
    let were_pinged = pinged.iter_mut().filter_map(|it| read_ping(it).ok()).count();

    server.pause()?;
    let answers = pinged.iter_mut().try_for_each(|it| it.send_frame(FIN | PONG, b""));
    let answers = answers.and_then(|()| heads.iter_mut().try_for_each(|it| it.write_all(REQUEST.as_bytes())));
    let answers = answers.and_then(|()| {
        scrapes.iter_mut().try_for_each(|it| it.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"))
    });
    thread::sleep(STOPPED);
    server.go_on()?;
    answers?;

    table.tell("the server is stopped for 9 s while its clients answer", "");
    check_all(table, "  pinged before the stop", were_pinged, pinged.len(), None);
    let stay = tally(&mut pinged, |it| it.round_trip(b"still here").map(drop));
    check_all(table, "  answered a ping, and were kept", stay.0, pinged.len(), stay.1);
    let open = tally(&mut heads, |it| expect_status(it, "101"));
    check_all(table, "  sent a whole head, and were let in", open.0, heads.len(), open.1);
    let answered = tally(&mut scrapes, |it| expect_status(it, "200"));
    check_all(table, "  asked for figures, and got them", answered.0, scrapes.len(), answered.1);
    has_lived(table, &mut server)
}

fn open<T>(count: usize, open: impl Fn() -> io::Result<T>) -> io::Result<Vec<T>> {
    (0..count).map(|_| open()).collect()
}

fn connect(address: std::net::SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}

/// Reads one ping and does not answer it.
fn read_ping(client: &mut Client) -> io::Result<()> {
    let mut bytes = [0; SERVER_PING.len()];
    client.stream.read_exact(&mut bytes)?;
    if bytes == SERVER_PING { Ok(()) } else { Err(io::Error::other(format!("{bytes:?}"))) }
}

fn expect_status(stream: &mut TcpStream, status: &str) -> io::Result<()> {
    let mut line = [0; "HTTP/1.1 101".len()];
    stream.read_exact(&mut line)?;
    let line = String::from_utf8_lossy(&line);
    if line == format!("HTTP/1.1 {status}") { Ok(()) } else { Err(io::Error::other(line.into_owned())) }
}

/// Returns how many succeed, and the first failure.
fn tally<T>(all: &mut [T], mut check: impl FnMut(&mut T) -> io::Result<()>) -> (usize, Option<io::Error>) {
    let failures: Vec<_> = all.iter_mut().filter_map(|it| check(it).err()).collect();
    (all.len() - failures.len(), failures.into_iter().next())
}

fn check_all(table: &mut Table, name: &str, count: usize, all: usize, failure: Option<io::Error>) {
    let failure = failure.map_or_else(String::new, |error| format!(", one got: {error}"));
    table.check(name, format!("{count} of {all}{failure}"), "all", count == all);
}
