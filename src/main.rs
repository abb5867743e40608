//! The binary: reads the arguments, and runs a command or a server.
//!
//! It uses only the library's public API.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
