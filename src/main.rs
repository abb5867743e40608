//! The binary: arguments in, a configured server out, run until it is told to stop.
//!
//! It is one more user of the library and knows nothing but its public API.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
