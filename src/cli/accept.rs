//! The command `accept`: from a `Sec-WebSocket-Key` to its `Sec-WebSocket-Accept`, step by step (§4.2.2).
//!
//! This file knows the command's arguments. The steps are the library's.

use std::process::ExitCode;

use lexopt::{
    Arg::{Long, Short, Value},
    Parser, ValueExt,
};
use wirehook::explain::AcceptKey;

use super::{EXIT_FAILURE, explain, stdout::print_then};

pub(super) const HELP: &str = "\
Works out the Sec-WebSocket-Accept for a Sec-WebSocket-Key (§4.2.2), step by step.

Usage: wirehook accept KEY

Exits with 1 if KEY is not 16 bytes in base64: a server would refuse it (§4.2.1).
";

/// Reads the arguments; `None` asks for the help.
pub(super) fn parse(parser: &mut Parser) -> Result<Option<String>, lexopt::Error> {
    let mut key = None;
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(None),
            Value(value) if key.is_none() => key = Some(value.string()?),
            _ => return Err(arg.unexpected()),
        }
    }
    key.map(Some).ok_or_else(|| "expected a KEY".into())
}

pub(super) fn run(key: &str) -> ExitCode {
    let accept = AcceptKey::of(key);
    let text = if explain::wants_colour() { accept.in_colour() } else { accept.to_string() };
    print_then(&text, if accept.nonce.is_some() { 0 } else { EXIT_FAILURE })
}
