//! A load for wirehook: thousands of clients of every kind in one process, and a table of the results.
//!
//! ```text
//! soak SERVER LOG SECONDS     all kinds of clients, for SECONDS
//! soak SERVER LOG figures     scenarios with one figure each
//! soak SERVER LOG attacks     attacks that once succeeded
//! soak SERVER LOG NAME        one of these scenarios
//! ```
//!
//! This file knows the arguments and the exit status. `run`, beside the folder of this file, builds and calls
//! it.

mod attacks;
mod compressed;
mod figures;
#[path = "../../../src/server/simulator/frames.rs"]
mod frames;
mod line;
mod payload;
mod probe;
mod random;
mod role;
mod roles;
mod scenario;
mod server;
mod soak;
mod swarm;
mod table;
mod tally;
mod vitals;
mod wire;

use std::{env, io, path::Path, process::ExitCode};

use rustix::process::{Resource, getrlimit};

use scenario::{Group, Servers};

/// All groups of scenarios.
const GROUPS: [Group; 2] = [figures::FIGURES, attacks::ATTACKS];

/// The run gave no verdict.
const EXIT_NO_VERDICT: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [server, log, what] = &arguments[..] else {
        eprintln!("usage: soak SERVER LOG SECONDS|figures|attacks|NAME");
        return ExitCode::from(EXIT_NO_VERDICT);
    };
    let (server, log) = (Path::new(server), Path::new(log));
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let outcome = match (what.as_str(), what.parse()) {
        (_, Ok(seconds)) => soak::run(server, log, seconds, descriptors),
        (name, _) => match GROUPS.iter().find(|group| group.has(name)) {
            Some(group) => group.run(&Servers { binary: server, log, descriptors }, name),
            None => Err(io::Error::other(format!("there is no scenario {name}"))),
        },
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
