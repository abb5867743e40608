//! What is told on standard error, and how much of it.
//!
//! This file knows levels and the look of a line. What is worth a line is decided where it happens.

use std::{io::Write, time::Instant};

use env_logger::Builder;
use log::LevelFilter;

/// `verbosity` counts `-v` against `-q`; without either, `RUST_LOG` decides, and without that, `info`.
pub(super) fn init(verbosity: Option<i8>) {
    let mut builder = Builder::new();
    let level = verbosity.map_or(LevelFilter::Info, level);
    builder.filter_level(level);
    // What the poll library traces tells a reader of frames nothing.
    builder.filter_module("mio", level.min(LevelFilter::Info));
    if verbosity.is_none() {
        builder.parse_default_env();
    }
    let started = Instant::now();
    builder.format(move |out, record| {
        let seconds = started.elapsed().as_secs_f64();
        writeln!(out, "{seconds:10.3} {:5} {}", record.level(), record.args())
    });
    builder.init();
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
