//! The log on standard error, and its level.
//!
//! This file knows levels and the look of a line. The places that log decide what is worth a line.

use std::{backtrace::Backtrace, env, io::Write, panic, time::Instant};

use ::log::{LevelFilter, error};
use env_logger::{Builder, Target};

use super::output::Output;

/// The variable that sets the level if neither `-v` nor `-q` does.
const VARIABLE: &str = "RUST_LOG";

/// Starts the log on `out`. `verbosity` is the number of `-v` minus the number of `-q`; without either,
/// `RUST_LOG` sets the level, and its default is `info`.
pub(super) fn init(verbosity: Option<i8>, out: &Output) {
    let spec = if verbosity.is_none() { env::var(VARIABLE).unwrap_or_default() } else { String::new() };
    let (spec, wrong) = split_directives(&spec);
    for directive in wrong {
        out.queue_lines(&format!(
            "wirehook: {VARIABLE}: {directive:?} is left out; expected a level (off, error, warn, info, debug, \
             trace) or MODULE=LEVEL\n"
        ));
    }
    let mut builder = builder(verbosity, &spec);
    let started = Instant::now();
    builder.format(move |out, record| {
        let seconds = started.elapsed().as_secs_f64();
        writeln!(out, "{seconds:10.3} {:5} {}", record.level(), record.args())
    });
    builder.target(Target::Pipe(Box::new(out.clone())));
    builder.init();
    log_panics();
}

/// Returns the line for left-out lines.
pub(super) fn notice(count: u64) -> String {
    format!("… {count} lines are left out here: they were not read in time\n")
}

/// Logs panics. The standard library would write to standard error on the panicking thread, which can be the
/// loop.
fn log_panics() {
    panic::set_hook(Box::new(|panic| error!("{panic}\n{}", Backtrace::capture())));
}

/// Returns the valid directives of a `RUST_LOG`, and the invalid ones. The logger itself would complain at
/// each parse, and directly on standard error.
fn split_directives(spec: &str) -> (String, Vec<&str>) {
    let (directives, text) = spec.split_once('/').map_or((spec, None), |(it, text)| (it, Some(text)));
    let (right, mut wrong): (Vec<_>, Vec<_>) =
        directives.split(',').map(str::trim).filter(|it| !it.is_empty()).partition(|it| is_directive(it));
    let mut right = right.join(",");
    match text {
        Some(text) if text.contains('/') => wrong.push(text),
        Some(text) => right.extend(["/", text]),
        None => {}
    }
    (right, wrong)
}

/// Accepts `LEVEL`, `MODULE` or `MODULE=LEVEL`; an empty level is the highest.
fn is_directive(directive: &str) -> bool {
    directive
        .split_once('=')
        .is_none_or(|(_, level)| level.trim().is_empty() || level.trim().parse::<LevelFilter>().is_ok())
}

/// Returns a logger with the requested levels.
fn builder(verbosity: Option<i8>, spec: &str) -> Builder {
    // The poll library's trace lines say nothing about frames, so its level is `info` at most. A module's
    // level also decides which lines are built, so it must not exceed the highest requested level either.
    let most = levels(verbosity, spec, LevelFilter::Off).build().filter();
    levels(verbosity, spec, most.min(LevelFilter::Info))
}

fn levels(verbosity: Option<i8>, spec: &str, mio_level: LevelFilter) -> Builder {
    let mut builder = Builder::new();
    builder.filter_level(verbosity.map_or(LevelFilter::Info, level));
    builder.filter_module("mio", mio_level);
    builder.parse_filters(spec);
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
    fn no_unrequested_line_is_built() {
        for verbosity in -4..=3 {
            assert_eq!(builder(Some(verbosity), "").build().filter(), level(verbosity), "{verbosity}");
        }
    }

    #[test]
    fn invalid_directives_are_found_before_the_logger_sees_them() {
        for (spec, right, wrong) in [
            ("", "", &[][..]),
            ("trace", "trace", &[]),
            ("wirehook=debug, mio=off", "wirehook=debug,mio=off", &[]),
            ("wirehook=loud,info", "info", &["wirehook=loud"]),
            ("a=b=c", "", &["a=b=c"]),
            ("info/some text", "info/some text", &[]),
            ("info/a/b", "info", &["a/b"]),
            (",=,", "=", &[]),
        ] {
            let (split_directives, complaints) = split_directives(spec);
            assert_eq!((&*split_directives, &*complaints), (right, wrong), "{spec}");
        }
    }
}
