//! The command line of a run, and the run from above.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::contestants::{self, Contestant, ECHOES};
use crate::facts;
use crate::report::{Report, RowReport};
use crate::rounds;
use crate::rows::{self, ROWS};
use crate::serve::Service;
use crate::turns::Conditions;
use crate::{Result, codec, process, publish};

const USAGE: &str = "\
What a WebSocket message costs the server that answers it, beside a bare TCP echo and other servers.

Usage: bench [OPTIONS]

  --rows NAMES              rows or groups of rows to measure, separated by commas, or `all` [default: all that are
                            in no group]
  --only NAMES              contestants to measure, separated by commas; bare-mio always takes part
  --rounds N                how often each contestant is measured in each row, at least 5 [default: 9]
  --seconds S               length of the timed part of each turn [default: 0.5]
  --peer NAME=COMMAND       one more echo server. The command runs in a shell; it prints a line that holds
                            ws://127.0.0.1:PORT, or {port} in it is replaced by a free port, and
                            {service} by echo or compressed. May be repeated
  --fan-out-peer NAME=COMMAND
                            the same for a server that sends each message to all connections, the sender's too
  --wirehook PATH           the server's binary [default: the one in this checkout, which is built first]
  --facts                   also the server's size, how long it builds from nothing, and how many crates each brings
  --codec                   also the codec alone, as `cargo bench` measures it
  --json FILE               write everything that was measured to a file
  --plot FILE               draw the plots of such a file and put its tables into the pages, instead of measuring
  --out DIRECTORY           where --plot draws; the pages are DIRECTORY.md and those in it [default: docs/performance]
  --publish                 all rows, facts and codec into data.json there, then --plot it
  --list                    show rows and contestants
  --help";

const FEWEST_ROUNDS: usize = 5;
const SERVER_CORE: usize = 0;
const CLIENT_CORE: usize = 1;

struct Options {
    rows: Option<String>,
    only: Option<String>,
    rounds: usize,
    timed: Duration,
    peers: Vec<Contestant>,
    wirehook: Option<PathBuf>,
    json: Option<PathBuf>,
    plot: Option<PathBuf>,
    out: PathBuf,
    publish: bool,
    facts: bool,
    codec: bool,
    list: bool,
    help: bool,
}

impl Options {
    fn wirehook(&self) -> PathBuf {
        self.wirehook.clone().unwrap_or_else(|| project().join("target/release/wirehook"))
    }
}

pub(crate) fn main() -> Result<()> {
    let options = parse()?;
    if options.help {
        return Ok(writeln!(std::io::stdout(), "{USAGE}")?);
    }
    if let Some(file) = &options.plot {
        return publish::publish(file, &options.out);
    }
    let rows = rows::select(options.rows.as_deref())?;
    let contestants = contestants(&options)?;
    if options.list {
        return list(&contestants);
    }
    run(&options, &rows, &contestants)?;
    match &options.json {
        Some(file) if options.publish => publish::publish(file, &options.out),
        _ => Ok(()),
    }
}

fn run(options: &Options, rows: &[&'static rows::Row], contestants: &[Contestant]) -> Result<()> {
    let wirehook_takes_part = contestants.iter().any(|contestant| contestant.name == "wirehook");
    if options.wirehook.is_none() && wirehook_takes_part {
        build_wirehook()?;
    }
    let _turn = wait_for_our_turn()?;
    process::raise_file_limit()?;
    let machine = process::machine();
    let pinned = process::core_count() >= 2;
    if pinned {
        process::pin_to(CLIENT_CORE)?;
    } else {
        eprintln!("fewer than two cores: client and server share one, and the figures are worth little");
    }
    let conditions = Conditions { server_core: pinned.then_some(SERVER_CORE), timed: options.timed };
    let mut report = Report {
        machine,
        rounds: options.rounds,
        seconds_per_turn: options.timed.as_secs_f64(),
        pinned,
        facts: Vec::new(),
        codec: Vec::new(),
        rows: Vec::new(),
        samples: Vec::new(),
    };
    if options.facts {
        report.facts = facts::gather(project(), &options.wirehook())?;
        for fact in &report.facts {
            writeln!(std::io::stdout(), "{fact}")?;
        }
    }
    if options.codec {
        report.codec = codec::measure(project())?;
        for figure in &report.codec {
            writeln!(std::io::stdout(), "{figure}")?;
        }
    }
    store(&report, options)?;
    for row in rows {
        let progress = |round, rounds| eprint!("\r{}: round {round} of {rounds} ", row.name);
        let outcome = rounds::run_row(row, contestants, options.rounds, conditions, progress);
        eprintln!();
        let row = RowReport::new(&outcome);
        writeln!(std::io::stdout(), "{}", row.table())?;
        report.rows.push(row);
        report.samples.extend(outcome.samples);
        store(&report, options)?;
    }
    Ok(())
}

/// Writes what is known so far, if a file was asked for: before the first row, so that a run does not fail at
/// its end, and after each, so that a run that is stopped leaves what it has measured.
fn store(report: &Report, options: &Options) -> Result<()> {
    let Some(path) = &options.json else { return Ok(()) };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    Ok(std::fs::write(path, report.json()?)?)
}

/// Two runs at once would measure each other. The lock ends with the process.
fn wait_for_our_turn() -> Result<File> {
    let lock = File::create(std::env::temp_dir().join("wirehook-bench.lock"))?;
    if lock.try_lock().is_err() {
        eprintln!("waiting for another run to end");
        lock.lock()?;
    }
    Ok(lock)
}

fn list(contestants: &[Contestant]) -> Result<()> {
    let mut out = std::io::stdout();
    for row in ROWS {
        let group = row.group.map_or_else(String::new, |group| format!(" (group {group})"));
        writeln!(out, "{:<16} {}{group}", row.name, row.title)?;
    }
    let names: Vec<&str> = contestants.iter().map(|contestant| contestant.name.as_str()).collect();
    Ok(writeln!(out, "\ncontestants: {}", names.join(", "))?)
}

fn contestants(options: &Options) -> Result<Vec<Contestant>> {
    let mut all = contestants::standard(&options.wirehook());
    all.extend(contestants::installed(&project().join("bench/peers")));
    all.extend_from_slice(&options.peers);
    let Some(only) = &options.only else { return Ok(all) };
    let only: Vec<&str> = only.split(',').map(str::trim).collect();
    if let Some(unknown) = only.iter().find(|name| all.iter().all(|contestant| contestant.name != **name)) {
        return Err(format!("no contestant called {unknown:?}; --list shows them").into());
    }
    all.retain(|contestant| {
        contestant.name == contestants::LIMIT || only.contains(&contestant.name.as_str())
    });
    Ok(all)
}

/// The root of the checkout, one level above this workspace.
fn project() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

fn build_wirehook() -> Result<()> {
    let manifest = project().join("Cargo.toml");
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--bin", "wirehook", "--manifest-path"]).arg(manifest);
    if build.status()?.success() { Ok(()) } else { Err("the server did not build".into()) }
}

fn parse() -> Result<Options> {
    use lexopt::prelude::*;

    let mut options = Options {
        rows: None,
        only: None,
        rounds: 9,
        timed: Duration::from_millis(500),
        peers: Vec::new(),
        wirehook: None,
        json: None,
        plot: None,
        out: project().join("docs/performance"),
        publish: false,
        facts: false,
        codec: false,
        list: false,
        help: false,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("rows") => options.rows = Some(parser.value()?.string()?),
            Long("only") => options.only = Some(parser.value()?.string()?),
            Long("rounds") => options.rounds = parser.value()?.parse()?,
            Long("seconds") => options.timed = Duration::try_from_secs_f64(parser.value()?.parse()?)?,
            Long("peer") => {
                let assignment = parser.value()?.string()?;
                let services: &[Service] =
                    if assignment.contains("{service}") { ECHOES } else { &[Service::Echo] };
                options.peers.push(Contestant::from_outside(&assignment, services)?);
            }
            Long("fan-out-peer") => {
                let assignment = parser.value()?.string()?;
                options.peers.push(Contestant::from_outside(&assignment, &[Service::FanOut])?);
            }
            Long("wirehook") => options.wirehook = Some(parser.value()?.into()),
            Long("json") => options.json = Some(parser.value()?.into()),
            Long("plot") => options.plot = Some(parser.value()?.into()),
            Long("out") => options.out = parser.value()?.into(),
            Long("publish") => options.publish = true,
            Long("facts") => options.facts = true,
            Long("codec") => options.codec = true,
            Long("list") => options.list = true,
            Short('h') | Long("help") => options.help = true,
            _ => return Err(argument.unexpected().into()),
        }
    }
    if options.publish {
        (options.facts, options.codec) = (true, true);
        options.rows.get_or_insert_with(|| "all".to_owned());
        options.json.get_or_insert_with(|| options.out.join("data.json"));
    }
    if options.rounds < FEWEST_ROUNDS {
        return Err(format!("a spread needs at least {FEWEST_ROUNDS} rounds").into());
    }
    Ok(options)
}
