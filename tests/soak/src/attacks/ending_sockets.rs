//! Clients of one address that are refused, and stay connected until the server closes their sockets.
//!
//! Their sockets are bounded, and other addresses are admitted meanwhile.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use crate::{
    probe::{Client, connect_from},
    scenario::{Servers, has_lived},
    server::Server,
    table::Table,
    vitals,
};

const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// How many sockets the attacker opens first, and how many before each attempt of the other address.
const STORM: usize = 5000;
const MORE: usize = 20;
/// How often the other address attempts to connect.
const TRIES: usize = 40;
/// How long the attacker waits for an answer before the next socket.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most ending sockets beside the live ones.
const MOST_ENDING: usize = 256;

/// Runs the attack with each cap.
pub(super) fn ending_sockets(servers: &Servers<'_>, table: &mut Table) -> io::Result<()> {
    let capped = ["--max-connections-per-address", "10", "--max-connections", "500"];
    let mut server = servers.server(&capped, None)?;
    table.tell("5,000 refused clients that stay; a cap of 10 per address", "");
    attack(servers, table, &mut server, 10 + MOST_ENDING)?;
    let mut server = servers.server(&["--max-connections", "500"], None)?;
    table.tell("the same with --max-connections 500 alone", "");
    attack(servers, table, &mut server, 500 + MOST_ENDING)?;
    let mut server = servers.server(&[], Some(64))?;
    table.tell("the same with 64 descriptors and no cap", "");
    attack(servers, table, &mut server, 64)
}

fn attack(servers: &Servers<'_>, table: &mut Table, server: &mut Server, most: usize) -> io::Result<()> {
    let room = servers.descriptors.saturating_sub(500) as usize;
    let mut staying = VecDeque::with_capacity(STORM);
    let (mut unanswered, mut served, mut told, mut sockets) = (0, 0, 0, 0);
    for round in 0..=TRIES {
        for _ in 0..if round == 0 { STORM } else { MORE } {
            match refused(server.address) {
                Ok(stream) => staying.push_back(stream),
                Err(_) => unanswered += 1,
            }
            // The server closes the oldest long before.
            if staying.len() > room.min(STORM) {
                staying.pop_front();
            }
        }
        sockets = sockets.max(vitals::descriptors(server.pid())?);
        if round > 0 {
            served += usize::from(Client::open_from(OTHER, server.address).is_ok());
            told += usize::from(server.figures().is_ok());
        }
    }
    // Beside the clients' sockets the server has about a dozen others.
    let most = most + 24;
    table.check("  descriptors, most", sockets.to_string(), format!("<= {most}"), sockets <= most);
    table.check("  attackers without an answer", unanswered.to_string(), "0", unanswered == 0);
    let ok = served == TRIES;
    table.check("  tries of another address let in", served.to_string(), TRIES.to_string(), ok);
    table.check("  figures shown meanwhile", told.to_string(), TRIES.to_string(), told == TRIES);
    has_lived(table, server)
}

/// Returns a client that sends no request, receives its answer, and stays.
fn refused(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = connect_from(ATTACKER, address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"bad\r\n\r\n")?;
    let mut answer = [0; 1024];
    let len = stream.read(&mut answer)?;
    if answer[..len].starts_with(b"HTTP/1.1 4") { Ok(stream) } else { Err(io::Error::other("no answer")) }
}
