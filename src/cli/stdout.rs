//! Standard output of the commands, which print and end.
//!
//! This file knows what it means that a text is lost. It refuses to know what the text says. What a server tells
//! while it runs is not printed here.

use std::{
    io::{self, BufWriter, ErrorKind, StdoutLock, Write},
    process::ExitCode,
};

use super::{EXIT_USAGE, complain};

/// Prints a text. The status is 0, or 2 if the text is lost.
pub(super) fn print(text: &str) -> ExitCode {
    print_then(text, 0)
}

/// Prints a text. The status is `code`, or 2 if the text is lost.
pub(super) fn print_then(text: &str, code: u8) -> ExitCode {
    let mut out = Stdout::new();
    let outcome = out.put(text).map(|()| code);
    out.finish(outcome)
}

/// A long text, written piece by piece.
#[derive(Debug)]
pub(super) struct Stdout(BufWriter<StdoutLock<'static>>);

impl Stdout {
    pub(super) fn new() -> Self {
        Self(BufWriter::new(io::stdout().lock()))
    }

    /// Writes a piece.
    ///
    /// # Errors
    ///
    /// The text is lost from here on, and no further piece is of use.
    pub(super) fn put(&mut self, text: &str) -> io::Result<()> {
        self.put_bytes(text.as_bytes())
    }

    /// Writes bytes that are no text.
    ///
    /// # Errors
    ///
    /// As above.
    pub(super) fn put_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Writes what still waits. Returns the status of `outcome`, or 2 if any piece was lost.
    pub(super) fn finish(mut self, outcome: io::Result<u8>) -> ExitCode {
        match outcome.and_then(|code| self.0.flush().map(|()| code)) {
            Ok(code) => ExitCode::from(code),
            Err(error) => lost(&error),
        }
    }
}

/// A reader that has gone knows it, as `head` does; anything else is told.
fn lost(error: &io::Error) -> ExitCode {
    if error.kind() == ErrorKind::BrokenPipe {
        return ExitCode::from(EXIT_USAGE);
    }
    complain(&format!("cannot write to standard output: {error}"), EXIT_USAGE)
}
