//! What is told on standard error, and how much of it.
//!
//! This file knows levels and the look of a line. What is worth a line is decided where it happens.

use std::{backtrace::Backtrace, env, io::Write, panic, time::Instant};

use ::log::{LevelFilter, error};
use env_logger::{Builder, Target};

use super::output::Output;

/// The variable that decides where neither `-v` nor `-q` does.
const VARIABLE: &str = "RUST_LOG";

/// Has the log written to `out`. `verbosity` counts `-v` against `-q`; without either, `RUST_LOG` decides, and
/// without that, `info`.
pub(super) fn init(verbosity: Option<i8>, out: &Output) {
    let spec = if verbosity.is_none() { env::var(VARIABLE).unwrap_or_default() } else { String::new() };
    let (spec, wrong) = understood(&spec);
    for directive in wrong {
        out.tell(&format!(
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

/// Says how many lines are left out.
pub(super) fn notice(count: u64) -> String {
    format!("… {count} lines are left out here: they were not read in time\n")
}

/// Has panics logged: the standard library's own words go to standard error on the thread that panics, which may
/// be the loop.
fn log_panics() {
    panic::set_hook(Box::new(|panic| error!("{panic}\n{}", Backtrace::capture())));
}

/// The directives of a `RUST_LOG` that can be understood, and those that can't. The logger would complain by itself,
/// each time that it reads them, and at once.
fn understood(spec: &str) -> (String, Vec<&str>) {
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

/// `LEVEL`, `MODULE` or `MODULE=LEVEL`; nothing after the sign of equality is the highest level.
fn is_directive(directive: &str) -> bool {
    directive
        .split_once('=')
        .is_none_or(|(_, level)| level.trim().is_empty() || level.trim().parse::<LevelFilter>().is_ok())
}

/// A logger that tells what is asked for.
fn builder(verbosity: Option<i8>, spec: &str) -> Builder {
    // What the poll library traces tells a reader of frames nothing. Where less than `info` is asked for it may tell
    // no more than others: what any module may tell is built by all, if only to be dropped.
    let most = levels(verbosity, spec, LevelFilter::Off).build().filter();
    levels(verbosity, spec, most.min(LevelFilter::Info))
}

fn levels(verbosity: Option<i8>, spec: &str, of_the_poll_library: LevelFilter) -> Builder {
    let mut builder = Builder::new();
    builder.filter_level(verbosity.map_or(LevelFilter::Info, level));
    builder.filter_module("mio", of_the_poll_library);
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
    fn no_line_is_built_that_is_not_asked_for() {
        for verbosity in -4..=3 {
            assert_eq!(builder(Some(verbosity), "").build().filter(), level(verbosity), "{verbosity}");
        }
    }

    #[test]
    fn what_is_no_level_is_found_before_the_logger_finds_it() {
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
            let (understood, complaints) = understood(spec);
            assert_eq!((&*understood, &*complaints), (right, wrong), "{spec}");
        }
    }
}
