//! A load for wirehook: thousands of clients of every kind in one process, and a table of what became of them.
//!
//! ```text
//! soak SERVER LOG SECONDS     everybody at once, for so long
//! soak SERVER LOG figures     scenarios with one figure each
//! soak SERVER LOG NAME        one of these scenarios
//! ```
//!
//! This file knows the arguments and the exit status. `run`, beside the folder of this file, builds and calls it.

mod figures;
mod line;
mod payload;
mod probe;
mod random;
mod role;
mod roles;
mod server;
mod soak;
mod swarm;
mod table;
mod tally;
mod vitals;
mod wire;

use std::{env, io, path::Path, process::ExitCode};

use rustix::process::{Resource, getrlimit};

/// Nothing was found out.
const EXIT_NO_VERDICT: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [server, log, what] = &arguments[..] else {
        eprintln!("usage: soak SERVER LOG SECONDS|figures|NAME");
        return ExitCode::from(EXIT_NO_VERDICT);
    };
    let (server, log) = (Path::new(server), Path::new(log));
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let outcome = match (what.as_str(), what.parse()) {
        (_, Ok(seconds)) => soak::run(server, log, seconds, descriptors),
        ("figures", _) => figures::run(server, log, descriptors, None),
        (name, _) if figures::is_known(name) => figures::run(server, log, descriptors, Some(name)),
        (name, _) => Err(io::Error::other(format!("there is no scenario {name}"))),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: error: {error}");
            ExitCode::from(EXIT_NO_VERDICT)
        }
    }
}
