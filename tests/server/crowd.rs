//! Many clients at once.

use std::process::Command;

use crate::{
    common::{Client, REQUEST, TEXT, frame},
    harness::echo,
};

const CLIENTS: usize = 1000;
const ROUNDS: usize = 20;

/// How many descriptors a process may have, if the system says so.
fn descriptor_limit() -> Option<usize> {
    let output = Command::new("sh").args(["-c", "ulimit -n"]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

#[test]
fn a_thousand_clients_each_get_their_own_answers_in_order() {
    // Both ends are in this process, and other tests run beside this one.
    let needed = CLIENTS * 2 + 500;
    if let Some(limit) = descriptor_limit().filter(|limit| *limit < needed) {
        eprintln!("skipped: the limit of {limit} descriptors is below the {needed} that this test needs");
        return;
    }
    let server = echo();
    let mut clients: Vec<Client> = (0..CLIENTS)
        .map(|_| {
            let mut client = Client::connect(server.address);
            client.write(REQUEST.as_bytes());
            client
        })
        .collect();
    for client in &mut clients {
        client.expect_open();
    }
    // Half of the answers are awaited one by one, half are asked for at once.
    for round in 0..ROUNDS / 2 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.send_text(&format!("{round} of {number}"));
        }
        for (number, client) in clients.iter_mut().enumerate() {
            client.expect_text(&format!("{round} of {number}"));
        }
    }
    for (number, client) in clients.iter_mut().enumerate() {
        let batch =
            (ROUNDS / 2..ROUNDS).flat_map(|round| frame(TEXT, format!("{round} of {number}").as_bytes()));
        client.write(&batch.collect::<Vec<u8>>());
    }
    for (number, client) in clients.iter_mut().enumerate() {
        for round in ROUNDS / 2..ROUNDS {
            client.expect_text(&format!("{round} of {number}"));
        }
    }
}
