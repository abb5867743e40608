//! What is told on standard error, and how much of it.
//!
//! This file knows levels and the look of a line. What is worth a line is decided where it happens.

use std::{io::Write, time::Instant};

use env_logger::Builder;
use log::LevelFilter;

/// `verbosity` counts `-v` against `-q`; without either, `RUST_LOG` decides, and without that, `info`.
pub(super) fn init(verbosity: Option<i8>) {
    let mut builder = builder(verbosity);
    let started = Instant::now();
    builder.format(move |out, record| {
        let seconds = started.elapsed().as_secs_f64();
        writeln!(out, "{seconds:10.3} {:5} {}", record.level(), record.args())
    });
    builder.init();
}

/// A logger that tells what is asked for.
fn builder(verbosity: Option<i8>) -> Builder {
    // What the poll library traces tells a reader of frames nothing. Where less than `info` is asked for it may tell
    // no more than others: what any module may tell is built by all, if only to be dropped.
    let most = levels(verbosity, LevelFilter::Off).build().filter();
    levels(verbosity, most.min(LevelFilter::Info))
}

fn levels(verbosity: Option<i8>, of_the_poll_library: LevelFilter) -> Builder {
    let mut builder = Builder::new();
    builder.filter_level(verbosity.map_or(LevelFilter::Info, level));
    builder.filter_module("mio", of_the_poll_library);
    if verbosity.is_none() {
        builder.parse_default_env();
    }
    builder
}

fn level(verbosity: i8) -> LevelFilter {
    match verbosity {
        ..=-3 => LevelFilter::Off,
        -2 => LevelFilter::Error,
        -1 => LevelFilter::Warn,
        0 => LevelFilter::Info,
        1 => LevelFilter::Debug,
        2.. => LevelFilter::Trace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_built_that_is_not_asked_for() {
        for verbosity in -4..=3 {
            assert_eq!(builder(Some(verbosity)).build().filter(), level(verbosity), "{verbosity}");
        }
    }
}
