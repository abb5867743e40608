//! Clients of one address that are refused and stay until the server closes their sockets for good.
//!
//! Their sockets are bounded, and other addresses are let in meanwhile.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use crate::{
    probe::{Client, connect_from},
    scenario::{Stage, has_lived},
    server::Server,
    table::Table,
    vitals,
};

const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// How many sockets the attacker opens first, and how many more before each try of the other.
const STORM: usize = 5000;
const MORE: usize = 20;
/// How often the other address tries to open a connection.
const TRIES: usize = 40;
/// How long the attacker waits for an answer before the next socket.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most sockets that only wait for their end beside the live ones.
const MOST_ENDING: usize = 256;

/// The attack with each cap.
pub(super) fn ending_sockets(stage: &Stage<'_>, table: &mut Table) -> io::Result<()> {
    let capped = ["--max-connections-per-address", "10", "--max-connections", "500"];
    let mut server = stage.server(&capped, None)?;
    table.tell("5,000 refused clients that stay; a cap of 10 per address", "");
    attack(stage, table, &mut server, 10 + MOST_ENDING)?;
    let mut server = stage.server(&["--max-connections", "500"], None)?;
    table.tell("the same with --max-connections 500 alone", "");
    attack(stage, table, &mut server, 500 + MOST_ENDING)?;
    let mut server = stage.server(&[], Some(64))?;
    table.tell("the same with 64 descriptors and no cap", "");
    attack(stage, table, &mut server, 64)
}

fn attack(stage: &Stage<'_>, table: &mut Table, server: &mut Server, most: usize) -> io::Result<()> {
    let room = stage.descriptors.saturating_sub(500) as usize;
    let mut staying = VecDeque::with_capacity(STORM);
    let (mut unanswered, mut served, mut told, mut sockets) = (0, 0, 0, 0);
    for round in 0..=TRIES {
        for _ in 0..if round == 0 { STORM } else { MORE } {
            match refused(server.address) {
                Ok(stream) => staying.push_back(stream),
                Err(_) => unanswered += 1,
            }
            // The oldest is closed by the server long before.
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
    // Beside the sockets of clients there are about a dozen others.
    let most = most + 24;
    table.check("  descriptors, most", sockets.to_string(), format!("<= {most}"), sockets <= most);
    table.check("  attackers without an answer", unanswered.to_string(), "0", unanswered == 0);
    let ok = served == TRIES;
    table.check("  tries of another address let in", served.to_string(), TRIES.to_string(), ok);
    table.check("  figures shown meanwhile", told.to_string(), TRIES.to_string(), told == TRIES);
    has_lived(table, server)
}

/// A client that sends no request, has its answer, and stays.
fn refused(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = connect_from(ATTACKER, address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"bad\r\n\r\n")?;
    let mut answer = [0; 1024];
    let len = stream.read(&mut answer)?;
    if answer[..len].starts_with(b"HTTP/1.1 4") { Ok(stream) } else { Err(io::Error::other("no answer")) }
}
