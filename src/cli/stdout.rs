//! Standard output of the commands that print and exit.
//!
//! This file knows the exit status of lost output. Output of a running server goes through `output.rs`.

use std::{
    io::{self, BufWriter, ErrorKind, StdoutLock, Write},
    process::ExitCode,
};

use super::{EXIT_USAGE, report_error};

/// Prints a text. Returns status 0, or 2 if the text is lost.
pub(super) fn print(text: &str) -> ExitCode {
    print_then(text, 0)
}

/// Prints a text. Returns status `code`, or 2 if the text is lost.
pub(super) fn print_then(text: &str, code: u8) -> ExitCode {
    let mut out = Stdout::new();
    let outcome = out.put(text).map(|()| code);
    out.finish(outcome)
}

/// Standard output for a long text, written piece by piece.
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
    /// The output is lost, and further pieces would be lost too.
    pub(super) fn put(&mut self, text: &str) -> io::Result<()> {
        self.put_bytes(text.as_bytes())
    }

    /// Writes bytes that are not text.
    ///
    /// # Errors
    ///
    /// As above.
    pub(super) fn put_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Flushes the output. Returns the status of `outcome`, or 2 if any piece was lost.
    pub(super) fn finish(mut self, outcome: io::Result<u8>) -> ExitCode {
        match outcome.and_then(|code| self.0.flush().map(|()| code)) {
            Ok(code) => ExitCode::from(code),
            Err(error) => lost(&error),
        }
    }
}

/// Reports lost output, and returns its status.
fn lost(error: &io::Error) -> ExitCode {
    report_of_loss(error)
        .map_or_else(|| ExitCode::from(EXIT_USAGE), |report| report_error(&report, EXIT_USAGE))
}

/// Returns the report of lost output: none where the reader closed the pipe, as `head` does.
pub(super) fn report_of_loss(error: &io::Error) -> Option<String> {
    (error.kind() != ErrorKind::BrokenPipe).then(|| format!("cannot write to standard output: {error}"))
}
