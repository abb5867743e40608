//! Connections that hold much and wait for little: they are shed before an honest one that holds less.

use std::io::{self, Read, Write};

use crate::{
    probe::Client,
    random::Random,
    scenario::{Servers, has_lived},
    table::Table,
    wire::{BINARY, FIN, Received, put_frame},
};

const MIB: usize = 1024 * 1024;
/// How many take nearly all of an echo, how long it is, and how much of it they leave.
const HOLDERS: usize = 6;
const MESSAGE: usize = 40 * MIB;
const LEFT: usize = 12 * MIB;
/// The part of an honest client's message that comes before the holders, and all of it.
const BEGUN: usize = 14 * MIB;
const HONEST: usize = 15 * MIB;

/// The holders go over a budget of 192 MiB; the honest client still gets its echo.
pub(super) fn nearly_taken(servers: &Servers<'_>, table: &mut Table) -> io::Result<()> {
    let options = ["--max-message-size", "64M", "--max-buffered-bytes", "192M"];
    let mut server = servers.server(&options, None)?;
    let mut random = Random::new(1);
    let mut frame = Vec::new();
    put_frame(&mut frame, &mut random, FIN | BINARY, &vec![1; HONEST]);
    let mut honest = Client::open(server.address)?;
    honest.stream.write_all(&frame[..BEGUN])?;
    let holders = (0..HOLDERS)
        .map(|_| {
            let mut client = Client::open(server.address)?;
            // One that is shed meanwhile is an end that the scenario wants.
            let _ = client.send_frame(FIN | BINARY, &vec![2; MESSAGE]);
            let _ = io::copy(
                &mut Read::by_ref(&mut client.stream).take((MESSAGE - LEFT) as u64),
                &mut io::sink(),
            );
            Ok(client)
        })
        .collect::<io::Result<Vec<_>>>()?;
    honest.stream.write_all(&frame[BEGUN..])?;
    let echo = honest.receive().map(|received| match received {
        Received::Message(BINARY, payload) => payload.len(),
        _ => 0,
    });
    let shed = server.figures()?.get("shed_total").copied().unwrap_or_default();
    table.tell("6 clients that leave the last 12 MiB of 40 MiB each", "");
    table.check("  connections shed", shed.to_string(), ">= 1", shed >= 1.0);
    let ok = matches!(echo, Ok(HONEST));
    table.check("  echo to an honest client with 15 MiB", format!("{echo:?}"), "comes", ok);
    drop(holders);
    has_lived(table, &mut server)
}
