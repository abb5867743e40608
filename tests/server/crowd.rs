//! Many clients at once.

use std::{env, process::Command};

use crate::{
    common::{Client, REQUEST, TEXT, frame},
    harness::{echo, serve},
};

const CLIENTS: usize = 1000;
const ROUNDS: usize = 20;

/// How many descriptors a process may have, if the system says so.
fn descriptor_limit() -> Option<usize> {
    let output = Command::new("sh").args(["-c", "ulimit -n"]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// Whether there are descriptors for `clients` and for other tests; both ends are in this process.
fn has_descriptors_for(clients: usize) -> bool {
    let needed = clients * 2 + 500;
    let Some(limit) = descriptor_limit().filter(|limit| *limit < needed) else { return true };
    let lack = format!("the limit of {limit} descriptors is below the {needed} that this test needs");
    assert!(env::var_os("CI").is_none_or(|it| it != "true"), "{lack}");
    eprintln!("skipped: {lack}");
    false
}

#[test]
fn a_thousand_clients_each_get_their_own_answers_in_order() {
    if !has_descriptors_for(CLIENTS) {
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

#[test]
fn a_crowd_of_ending_sockets_keeps_no_client_out() {
    // §4.2.2: each is answered, also beyond `max_connections` and the 256 sockets that may wait for their
    // end.
    if !has_descriptors_for(300) {
        return;
    }
    let server = serve(|server, _| server.configure(|config| config.max_connections = Some(2)));
    let _inside = Client::open(server.address);
    let mut staying: Vec<Client> = (0..300)
        .map(|_| {
            let mut client = Client::connect(server.address);
            client.write(b"bad\r\n\r\n");
            assert_eq!(client.refusal().status, 400);
            client
        })
        .collect();
    let fresh = Client::open(server.address);
    let mut refused = Client::connect(server.address);
    refused.write(REQUEST.as_bytes());
    assert_eq!(refused.refusal().status, 503);
    assert!(staying.drain(..).count() == 300 && server.handle.stats().dropped_clients == 0);
    drop(fresh);
}
