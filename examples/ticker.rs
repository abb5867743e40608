//! A ticker: another thread makes the news, and pushes it to every client through a `Handle`.
//!
//! `cargo run --example ticker`, then connect clients to ws://127.0.0.1:9501. The news could come from a
//! queue, a database or a sensor, whatever blocks. What comes by the clock alone needs no thread:
//! `Server::every` does that.

use std::{env, thread, time::Duration};

use wirehook::{Handle, HandleError, Server};

/// The time between two prices.
const PERIOD: Duration = Duration::from_millis(100);

/// Pushes one price after the other, until the server stops.
fn push_prices(handle: &Handle) {
    for price in 100.. {
        match handle.broadcast(format!("{{\"price\":{price}}}")) {
            // The loop is too busy to take it. The next price replaces this one, so nothing is lost.
            Ok(()) | Err(HandleError::Full) => {}
            Err(_) => return,
        }
        thread::sleep(PERIOD);
    }
}

fn main() -> std::io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9501".to_owned());
    // The server stays on the thread that made it. The handle can go to any other.
    let server = Server::bind(address)?.state::<()>().configure(|config| {
        // A client that doesn't read misses prices when this many bytes wait for it.
        config.max_backpressure = 4096;
    });
    println!("ws://{}", server.local_addr()?);
    let handle = server.handle();
    thread::spawn(move || push_prices(&handle));
    server.run()
}
