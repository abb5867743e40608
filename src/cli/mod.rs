//! The command line: from arguments to a running server, and its exit status.
//!
//! This file knows the order of the steps and the exit codes. `args.rs` knows the options, `units.rs` the
//! spelling of sizes and times. Each mode has a file of its own.

mod accept;
mod args;
mod bytes;
mod capture;
mod decode;
mod decode_capture;
mod decode_input;
mod echo;
mod explain;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod greet;
mod log;
mod lossy;
mod names;
mod observers;
mod output;
mod record;
mod replay;
mod signals;
mod stdout;
mod study;
mod tls;
mod units;

use std::{
    fmt::Display,
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
};

use wirehook::{Handler, Server};

use args::{CliCommand, Mode, ServeOptions};
use explain::Explain;
use observers::Observers;
use output::{Output, ServerStdout};
use record::CaptureRecorder;
use stdout::print;
use tls::TlsOptions;

/// The server could not start, its loop failed, or the explained bytes break a rule.
const EXIT_FAILURE: u8 = 1;
/// The arguments are invalid, or the output is lost.
const EXIT_USAGE: u8 = 2;

pub(crate) fn main() -> ExitCode {
    match args::parse(lexopt::Parser::from_env()) {
        Ok(CliCommand::Help) => print(args::HELP),
        Ok(CliCommand::Version) => print(concat!("wirehook ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(CliCommand::DecodeHelp) => print(decode::HELP),
        Ok(CliCommand::Decode(options)) => decode::run(&options),
        Ok(CliCommand::AcceptHelp) => print(accept::HELP),
        Ok(CliCommand::Accept(key)) => accept::run(&key),
        Ok(CliCommand::ReplayHelp) => print(replay::HELP),
        Ok(CliCommand::Replay(options)) => replay::run(*options),
        Ok(CliCommand::Serve(options)) => serve(*options),
        Err(error) => report_error(&format!("{} (try --help)", args::error_line(&error)), EXIT_USAGE),
    }
}

/// Runs a server. All its output goes through queues, so that no reader makes the loop wait.
fn serve(options: ServeOptions) -> ExitCode {
    let stdout = ServerStdout::default();
    let out = Output::stdout(stdout.clone(), explain::notice(options.explain));
    let log = Output::stderr(log::notice);
    let mut code = serve_with_output(options, &stdout, &out, &log);
    out.finish();
    if let Some(error) = stdout.take_error() {
        log.queue_lines(
            &stdout::report_of_loss(&error).map_or_else(String::new, |report| error_line(&report)),
        );
        code = if code == ExitCode::SUCCESS { ExitCode::from(EXIT_USAGE) } else { code };
    }
    log.finish();
    code
}

fn serve_with_output(
    mut options: ServeOptions,
    stdout: &ServerStdout,
    out: &Output,
    log: &Output,
) -> ExitCode {
    let report_error = |error: &dyn Display, code| {
        log.queue_lines(&error_line(error));
        ExitCode::from(code)
    };
    log::init(options.verbosity, log);
    if options.mode == Mode::Study {
        study::complete(&mut options.config);
    }
    let limits = options.config.limits;
    let server = match Server::bind(options.listen.as_str()) {
        Ok(server) => server.tune_heap().configure(|config| *config = options.config.clone()),
        Err(error) => {
            return report_error(&format!("cannot listen on {}: {error}", options.listen), EXIT_FAILURE);
        }
    };
    #[cfg(feature = "tls")]
    let server = match tls::secure(server, &options.tls) {
        Ok(server) => server,
        Err(error) => return report_error(&error, EXIT_USAGE),
    };
    if options.mode == Mode::Study && !study::may_listen(&server, options.is_public) {
        return report_error(&study::NOT_PUBLIC, EXIT_USAGE);
    }
    let mut observers = Observers::default();
    let printing = options.explain.map(|form| {
        let (explain, printing) = Explain::start(stdout.clone(), form, &limits);
        observers.add(explain);
        printing
    });
    if let Some(directory) = &options.record {
        let max_bytes = options.max_recorded_bytes;
        let recorder = server
            .local_addr()
            .and_then(|address| CaptureRecorder::into_directory(directory, address, max_bytes));
        match recorder {
            Ok(recorder) => observers.add(recorder),
            Err(error) => {
                return report_error(
                    &format!("cannot record into {}: {error}", directory.display()),
                    EXIT_FAILURE,
                );
            }
        }
    }
    let metrics = options.metrics.as_deref();
    let form = options.explain;
    let (tls, scheme) = (&options.tls, options.tls.scheme());
    let begin = |mode: &str, url: &str| out.write_first(&explain::first_line(form, mode, url));
    let outcome = match options.mode {
        Mode::Echo => run(observers.observe(server.handler(echo::Echo)), metrics, tls, |at| {
            begin("echo", &format!("{scheme}://{at}"))
        }),
        Mode::Greet => {
            let greet = greet::Greet::new(out.clone(), form);
            run(observers.observe(server.handler(greet)), metrics, tls, |at| {
                begin("greet", &format!("{scheme}://{at}"))
            })
        }
        Mode::Study => {
            let server = server.handler_with(|handle| {
                let (study, observer) = study::set_up(options.config, handle.clone(), options.is_public);
                observers.add(observer);
                study
            });
            run(observers.observe(server), metrics, tls, |at| begin("study", &format!("http://{at}")))
        }
    };
    if let Some(printing) = printing {
        printing.finish();
    }
    outcome.map_or_else(|error| report_error(&error, EXIT_FAILURE), |()| ExitCode::SUCCESS)
}

/// Prints the server's address, and runs the server until a signal ends it.
fn run<H: Handler>(
    mut server: Server<H>,
    metrics: Option<&str>,
    tls: &TlsOptions,
    begin: impl FnOnce(SocketAddr),
) -> Result<(), String> {
    if let Some(address) = metrics {
        let with_metrics = server.metrics_on(address);
        server = with_metrics.map_err(|error| format!("cannot listen on {address}: {error}"))?;
    }
    let outcome = server.local_addr().and_then(|address| {
        let server = signals::shut_down_on_signal(server, tls.is_on())?;
        #[cfg(feature = "tls")]
        let server = tls::reload_on_signal(server, tls)?;
        begin(address);
        if let Some(address) = server.metrics_addr() {
            ::log::info!("figures on http://{address}/metrics");
        }
        server.run()
    });
    outcome.map_err(|error| error.to_string())
}

/// Writes to standard error directly.
fn report_error(error: &dyn Display, code: u8) -> ExitCode {
    let _ = io::stderr().write_all(error_line(error).as_bytes());
    ExitCode::from(code)
}

fn error_line(error: &dyn Display) -> String {
    format!("wirehook: {error}\n")
}
