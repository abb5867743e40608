//! `wirehook replay FILE --to ws://HOST:PORT`: the client's side of a recording, played against a server.
//!
//! ```text
//! recording ─▶ script.rs: the client's bytes, their times, and the answer before each
//!                 │
//!              player.rs: sends them, compares the answers ─▶ difference.rs: the first difference, as text
//!                 │
//!              line.rs: the connection, with one deadline per part ─▶ socket.rs: TCP
//! ```
//!
//! This file knows the options and the exit codes. It compares nothing.

mod difference;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
mod line;
mod player;
mod script;
#[cfg(any(test, fuzzing))]
mod scripted;
mod socket;
#[cfg(test)]
mod tests;

use std::{
    ffi::OsString,
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use lexopt::{
    Arg::{Long, Short, Value},
    Parser, ValueExt,
};

use super::{
    EXIT_FAILURE, EXIT_USAGE,
    capture::{self, Recording},
    record::private_file,
    report_error,
    stdout::{Stdout, print, print_then},
    units::{Seconds, of_option},
};
use line::Line;
use player::Pace;
use script::ClientScript;
use socket::Socket;

pub(super) const HELP: &str = "\
Plays the client's side of a recording against a server, and tells where the answers differ.

Usage: wirehook replay FILE --to ws://HOST:PORT[/PATH] [OPTIONS]
       wirehook replay FILE --extract OUT [--connection N]

FILE is a pcapng of `wirehook echo --record DIR`, or any pcapng or pcap of a plain-text session; '-' is standard
input.

  --to ws://HOST:PORT[/PATH]  the server; a PATH takes the place of the recorded one
  --connection N              which connection, if the file has several; 1 is the first
  --paced                     wait as long as the client did; without it only answers are waited for
  --max-pause TIME            with --paced: the longest of these pauses; longer ones are shortened  [1m]
  --timeout TIME              how long each answer may take from its first wait to its last byte  [5s]
  --extract OUT               don't play: write the client's frames, as they were sent, to the new file OUT,
                              or for '-' to standard output
  -h, --help                  this

The request is sent as it was recorded: its Host, its Origin, its key. Then come the client's bytes, each as soon
as the answers have come that were recorded before it. Compared are the status line and the headers of the response
(not Date, Age, Expires and Last-Modified, and in any order), and every frame byte for byte, up to the first that
differs. The server's own pings are left out on both sides: they come by the clock.

Exit status: 0 the answers are the same, 1 they differ, 2 no verdict was reached.
";

/// The answers differ.
const EXIT_DIFFERS: u8 = EXIT_FAILURE;
/// The arguments are invalid, the recording does not exist, or the server can't be reached.
const EXIT_NO_VERDICT: u8 = EXIT_USAGE;

/// Names standard input or standard output in place of a file.
const STANDARD: &str = "-";

const TIMEOUT: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What the arguments ask for.
#[derive(Debug)]
pub(super) struct ReplayOptions {
    file: PathBuf,
    connection: Option<usize>,
    task: ReplayTask,
}

#[derive(Debug)]
enum ReplayTask {
    Play { target: ReplayTarget, pace: Pace, timeout: Duration },
    Extract(PathBuf),
}

/// §3: the server and the path that a `ws` URI names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ReplayTarget {
    address: String,
    /// `None` uses the path of the recording.
    path: Option<String>,
}

/// Reads the arguments; `None` asks for the help.
pub(super) fn parse(parser: &mut Parser) -> Result<Option<ReplayOptions>, lexopt::Error> {
    let (mut file, mut target, mut connection, mut extract) = (None::<OsString>, None, None, None);
    let (mut is_paced, mut longest, mut timeout) = (false, None, TIMEOUT);
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(None),
            Value(value) if file.is_none() => file = Some(value),
            Long("to") => target = Some(of_option("to", parser.value()?.parse_with(parse_target))?),
            Long("connection") => connection = Some(of_option("connection", parser.value()?.parse())?),
            Long("paced") => is_paced = true,
            Long("max-pause") => {
                longest = Some(of_option("max-pause", parser.value()?.parse::<Seconds>())?.0)
            }
            Long("timeout") => timeout = of_option("timeout", parser.value()?.parse::<Seconds>())?.0,
            Long("extract") => extract = Some(PathBuf::from(parser.value()?)),
            _ => return Err(arg.unexpected()),
        }
    }
    if longest.is_some() && !is_paced {
        return Err("--max-pause is for --paced; without it no pause is kept".into());
    }
    let longest = longest.unwrap_or(LONGEST_PAUSE);
    let pace = if is_paced { Pace::AsRecorded { longest } } else { Pace::AsSoonAsAnswered };
    let task = match (target, extract) {
        (Some(target), None) => ReplayTask::Play { target, pace, timeout },
        (None, Some(path)) => ReplayTask::Extract(path),
        _ => return Err("expected either --to or --extract".into()),
    };
    let file = file.ok_or("expected the FILE of a recording")?.into();
    Ok(Some(ReplayOptions { file, connection, task }))
}

pub(super) fn run(options: ReplayOptions) -> ExitCode {
    let bytes = read(&options.file).map_err(|error| error.to_string());
    let recording = match bytes.as_deref().map_err(String::clone).and_then(|it| load(it, options.connection))
    {
        Ok(recording) => recording,
        Err(problem) => {
            return report_error(&format!("{}: {problem}", name_of(&options.file)), EXIT_NO_VERDICT);
        }
    };
    match options.task {
        ReplayTask::Extract(path) if path == Path::new(STANDARD) => extract_to_stdout(recording),
        ReplayTask::Extract(path) => extract(recording, &path),
        ReplayTask::Play { target, pace, timeout } => play(recording, &target, pace, timeout),
    }
}

fn parse_target(text: &str) -> Result<ReplayTarget, &'static str> {
    const EXPECTED: &str = "expected ws://HOST:PORT or ws://HOST:PORT/PATH";
    let rest = text.strip_prefix("ws://").ok_or(EXPECTED)?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    // §3: "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be used".
    if authority.is_empty() || !rest.bytes().all(|it| it.is_ascii_graphic() && it != b'#') {
        return Err(EXPECTED);
    }
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    // §3: "The port component is OPTIONAL; the default for "ws" is port 80".
    let address = if has_port { authority.to_owned() } else { format!("{authority}:80") };
    let path = match path {
        "" | "/" => None,
        path if path.starts_with('?') => Some(format!("/{path}")),
        path => Some(path.to_owned()),
    };
    Ok(ReplayTarget { address, path })
}

fn name_of(file: &Path) -> String {
    if file == Path::new(STANDARD) { "standard input".to_owned() } else { file.display().to_string() }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    if file != Path::new(STANDARD) {
        return fs::read(file);
    }
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads the selected connection of a file.
fn load(bytes: &[u8], connection: Option<usize>) -> Result<Recording<'_>, String> {
    let mut capture = capture::read(bytes)?;
    for note in &capture.notes {
        report_error(note, 0);
    }
    let count = capture.connections.len();
    let index = match (count, connection) {
        (0, _) => return Err("no TCP connection in it has any bytes".to_owned()),
        (1, None) => 0,
        (_, None) => return Err(format!("it has {count} connections: choose one with --connection N")),
        (_, Some(number)) if (1..=count).contains(&number) => number - 1,
        (_, Some(number)) => return Err(format!("it has no connection {number}, but {count}")),
    };
    let recording = capture.connections.swap_remove(index);
    for note in &recording.notes {
        report_error(note, 0);
    }
    Ok(recording)
}

/// Writes the client's bytes after its request to a file.
fn extract(recording: Recording<'_>, path: &Path) -> ExitCode {
    let frames = script::client_frames(recording);
    let file = private_file().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| file.write_all(&frames));
    match written {
        Ok(()) => print(&format!("{}: {} bytes of a client's frames\n", path.display(), frames.len())),
        Err(error) => report_error(&format!("cannot write {}: {error}", path.display()), EXIT_NO_VERDICT),
    }
}

/// Writes the client's bytes after its request to standard output, and nothing else.
fn extract_to_stdout(recording: Recording<'_>) -> ExitCode {
    let mut out = Stdout::new();
    let written = out.put_bytes(&script::client_frames(recording));
    out.finish(written.map(|()| 0))
}

fn play(recording: Recording<'_>, target: &ReplayTarget, pace: Pace, timeout: Duration) -> ExitCode {
    let script = match ClientScript::new(recording, target.path.as_deref()) {
        Ok(script) => script,
        Err(problem) => return report_error(&problem, EXIT_NO_VERDICT),
    };
    let socket = match Socket::connect(&target.address, timeout) {
        Ok(socket) => socket,
        Err(error) => {
            return report_error(&format!("cannot connect to {}: {error}", target.address), EXIT_NO_VERDICT);
        }
    };
    match player::play(&script, Line::new(socket, timeout), pace) {
        Ok(summary) => print(&format!("same: {summary}\n")),
        Err(difference) => print_then(&difference.to_string(), EXIT_DIFFERS),
    }
}
