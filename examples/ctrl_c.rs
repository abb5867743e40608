//! Stops on Ctrl-C: every client gets a Close with 1001, and the program ends when all have answered.
//!
//! `cargo run --example ctrl_c`. SIGTERM, which service managers send, does the same. No thread waits for the
//! signal: its handler writes into a pipe that the server's loop polls. It needs the crate `signal-hook` and
//! a Unix.

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    use std::{env, os::unix::net::UnixStream};

    use signal_hook::{
        consts::{SIGINT, SIGTERM},
        low_level::pipe,
    };
    use wirehook::Server;

    let (stop, signals) = UnixStream::pair()?;
    for signal in [SIGINT, SIGTERM] {
        pipe::register(signal, signals.try_clone()?)?;
    }

    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9501".to_owned());
    let server = Server::bind(address)?
        .on_message(|ws, message| {
            ws.send(message);
        })
        .stopped_by(stop)?;
    println!("until Ctrl-C: ws://{}", server.local_addr()?);
    server.run()?;
    println!("all connections are closed");
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    // Elsewhere a handler of Ctrl-C calls `shutdown` of a `Handle`, which works on every system.
    println!("This example needs a Unix.");
}
