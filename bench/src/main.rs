//! What a WebSocket message costs the server that answers it.
//!
//! One binary has every part; its first argument selects one:
//!
//! ```text
//! bench [OPTIONS]          the run: starts contestants, loads them, prints tables
//!   └─ bench launch …      pins itself to the server's core, then becomes the contestant
//!        └─ bench serve …  a contestant that is compiled in
//! ```
//!
//! - [`rows`]: what is measured, as a table of data.
//! - [`contestants`]: the measured servers, and how each is started and stopped.
//! - [`client`]: the load, one file per kind of row. It knows sockets and frames, no contestant.
//! - [`serve`]: the contestants in this binary. They know nothing of the rows.
//! - [`turns`]: one contestant, one row, one measurement. [`rounds`]: all of them, in turn.
//! - [`process`]: what the kernel says about a process. [`stats`]: medians and percentiles.
//! - [`facts`]: what costs a user something before the first message: size, build time, crates.
//! - [`codec`]: what `cargo bench` says of the codec alone.
//! - [`report`]: tables for people and a JSON file for programs. [`publish`]: from that file, plots and a
//!   page's tables.

mod cli;
mod client;
mod codec;
mod contestants;
mod facts;
mod process;
mod publish;
mod report;
mod rounds;
mod rows;
mod serve;
mod stats;
mod turns;

use std::process::ExitCode;

/// Every error becomes a message for the user of this program; no code matches on kinds.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1).as_deref() {
        Some("serve") => serve::main(std::env::args().skip(2)),
        Some("launch") => contestants::launch(std::env::args().skip(2)),
        _ => cli::main(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
