//! A timer that is cancelled and set again for every message, as applications do to end idle connections.

use std::io::{self, Write};

use crate::{
    probe::Client,
    random::Random,
    scenario::{Servers, has_lived, kib},
    table::Table,
    vitals,
    wire::{FIN, TEXT, put_frame},
};

const MESSAGES: usize = 4_000_000;
/// Messages per write.
const BATCH: usize = 10_000;
/// The growth of resident memory allowed, in KiB.
const GROWTH: u64 = 8 * 1024;

/// Sends 4,000,000 messages, each of which sets the idle timer again: memory must stay constant.
pub(super) fn idle_timer(servers: &Servers<'_>, table: &mut Table) -> io::Result<()> {
    let mut server = servers.subject("subject", &["idle-timer"])?;
    let mut client = Client::open_at(server.address, "/")?;
    let mut batch = Vec::new();
    let mut random = Random::new(1);
    (0..BATCH).for_each(|_| put_frame(&mut batch, &mut random, FIN | TEXT, b"x"));
    let mut before = 0;
    for written in 0..MESSAGES / BATCH {
        client.stream.write_all(&batch)?;
        // The first batches fill reusable buffers.
        if written == 20 {
            client.round_trip(b"?")?;
            before = vitals::resident(server.pid())?;
        }
    }
    client.round_trip(b"?")?;
    let growth = vitals::resident(server.pid())?.saturating_sub(before);
    table.tell("4,000,000 messages, each sets an idle timer anew", "");
    table.check("  growth of RSS", kib(growth), format!("<= {}", kib(GROWTH)), growth <= GROWTH);
    has_lived(table, &mut server)
}
