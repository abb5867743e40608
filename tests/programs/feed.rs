//! A price feed: another thread makes the prices of 1,000 symbols and pushes them to 500 subscribers. One
//! that does not read is told so by a Close, and dropped.

use std::{
    env,
    net::SocketAddr,
    process::Command,
    sync::{Arc, mpsc},
    thread,
};

use wirehook::{Backpressure, Cause, Handle, HandleError, Hooks, Server, Upgrade};

use crate::{Client, expect_text, open, read_close, run};

const SYMBOLS: usize = 1000;
const SUBSCRIBERS: usize = 500;

/// Which symbols a subscriber follows.
#[derive(Clone, Copy, Default)]
struct Subscription {
    first: usize,
    count: usize,
}

/// A feed that reports each subscriber that it drops for being slow.
fn feed(server: Server, dropped: mpsc::Sender<()>) -> Server<Hooks<Subscription>> {
    server
        .configure(|config| {
            config.max_backpressure = 256 * 1024;
            config.backpressure = Backpressure::Close;
        })
        .state::<Subscription>()
        .on_upgrade(|request, _| {
            let number = |name| request.query(name).and_then(|value| value.parse().ok());
            match (number("first"), number("count")) {
                (Some(first), Some(count)) if first < SYMBOLS && count <= SYMBOLS - first => {
                    Upgrade::accept_with(Subscription { first, count })
                }
                _ => Upgrade::reject(400, "which symbols?"),
            }
        })
        .on_close(move |_, close| {
            if close.cause == Cause::Backpressure {
                let _ = dropped.send(());
            }
        })
}

fn price(symbol: usize, round: usize) -> String {
    format!("symbol {symbol} costs {}", symbol + round)
}

/// Pushes all prices of a round to their subscribers, and returns when the loop has taken them.
fn push(handle: &Handle<Subscription>, round: usize) -> Result<(), HandleError> {
    let prices: Arc<[String]> = (0..SYMBOLS).map(|symbol| price(symbol, round)).collect();
    let (taken, is_taken) = mpsc::channel();
    handle.call(move |all| {
        let ids: Vec<_> = all.ids().collect();
        for id in ids {
            if let Some(&Subscription { first, count }) = all.state(id) {
                all.send(id, prices[first..first + count].join("\n"));
            }
        }
        let _ = taken.send(());
    })?;
    is_taken.recv().map_err(|_| HandleError::Stopped)
}

/// Whether the process may have the descriptors for both ends of all connections, and for the other tests.
fn has_descriptors() -> bool {
    let needed = 2 * SUBSCRIBERS + 500;
    let output = Command::new("sh").args(["-c", "ulimit -n"]).output().ok();
    let limit = output.and_then(|it| String::from_utf8(it.stdout).ok()?.trim().parse::<usize>().ok());
    let is_enough = limit.is_none_or(|limit| limit >= needed);
    assert!(is_enough || env::var_os("CI").is_none_or(|it| it != "true"), "fewer than {needed} descriptors");
    if !is_enough {
        eprintln!("skipped: fewer than {needed} descriptors");
    }
    is_enough
}

fn subscribe(address: SocketAddr, first: usize, count: usize) -> Client {
    open(address, &format!("/?first={first}&count={count}"))
}

#[test]
fn a_feed_of_1000_symbols_drops_just_the_slow_subscriber() {
    if !has_descriptors() {
        return;
    }
    let (dropped_in, dropped) = mpsc::channel();
    let server = run(|server| Ok(feed(server, dropped_in)));
    let mut subscribers: Vec<Client> =
        (0..SUBSCRIBERS).map(|number| subscribe(server.address, 2 * number, 2)).collect();
    let mut slow = subscribe(server.address, 0, SYMBOLS);

    let handle = server.handle.clone();
    let publisher = thread::spawn(move || {
        let mut round = 0;
        // The prices go on until the slow one is dropped, and for three rounds more.
        while dropped.try_recv().is_err() {
            push(&handle, round).expect("the server runs");
            round += 1;
        }
        (round..round + 3).for_each(|round| push(&handle, round).expect("the server runs"));
        round + 3
    });
    let rounds = publisher.join().unwrap();

    for (number, client) in subscribers.iter_mut().enumerate() {
        for round in 0..rounds {
            expect_text(client, &format!("{}\n{}", price(2 * number, round), price(2 * number + 1, round)));
        }
    }
    assert_eq!(read_close(&mut slow), (1008, "too slow to receive".to_owned()));
    // The clients leave first, so that the server need not wait for them.
    drop((subscribers, slow));
    server.stop();
}
