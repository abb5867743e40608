//! A timer that is cancelled and set anew for every message, which is how applications end idle connections.

use std::io::{self, Write};

use crate::{
    probe::Client,
    random::Random,
    scenario::{Stage, has_lived, kib},
    table::Table,
    vitals,
    wire::{FIN, TEXT, put_frame},
};

const MESSAGES: usize = 4_000_000;
/// How many are written at once.
const BATCH: usize = 10_000;
/// How much more memory may be resident at the end, in KiB.
const GROWTH: u64 = 8 * 1024;

/// 4,000,000 messages, each of which sets the idle timer anew: memory stays as it was.
pub(super) fn idle_timer(stage: &Stage<'_>, table: &mut Table) -> io::Result<()> {
    let mut server = stage.subject("subject", &["idle-timer"])?;
    let mut client = Client::open_at(server.address, "/")?;
    let mut batch = Vec::new();
    let mut random = Random::new(1);
    (0..BATCH).for_each(|_| put_frame(&mut batch, &mut random, FIN | TEXT, b"x"));
    let mut before = 0;
    for written in 0..MESSAGES / BATCH {
        client.stream.write_all(&batch)?;
        // The first batches fill what is filled once.
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
