//! The measured servers: how each contestant is started, found and stopped. It knows no load.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::rows::Load;
use crate::serve::Service;
use crate::{Result, process};

/// The contestant that every other is compared with.
pub(crate) const LIMIT: &str = "bare-mio";

/// This binary, even if a build has put another one in its place meanwhile.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// How long a contestant may take to say where it listens.
const STARTUP: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub(crate) struct Contestant {
    pub(crate) name: String,
    pub(crate) origin: Origin,
}

/// Where a contestant's program comes from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// `bench serve` with the contestant's name.
    CompiledIn { services: &'static [Service] },
    /// This project's own server: its binary for echo, its library for a fan-out.
    Wirehook(PathBuf),
    /// A command for the shell. `{service}` in it is replaced by its task, and `{port}` by a free port;
    /// without `{port}` it prints its address.
    Shell { command: String, services: &'static [Service] },
}

const BOTH: &[Service] = &[Service::Echo, Service::FanOut];
const ALL: &[Service] = &[Service::Echo, Service::Compressed, Service::FanOut];
pub(crate) const ECHOES: &[Service] = &[Service::Echo, Service::Compressed];

/// The contestants of every run, the limit first.
pub(crate) fn standard(wirehook: &Path) -> Vec<Contestant> {
    let compiled_in =
        |name: &str, services| Contestant { name: name.to_owned(), origin: Origin::CompiledIn { services } };
    vec![
        compiled_in(LIMIT, ALL),
        Contestant { name: "wirehook".to_owned(), origin: Origin::Wirehook(wirehook.to_owned()) },
        compiled_in("fastwebsockets", &[Service::Echo]),
        compiled_in("ws", BOTH),
        compiled_in("tokio-tungstenite", BOTH),
    ]
}

/// A server in another language, whose program is in `bench/peers`.
struct Peer {
    name: &'static str,
    /// A command that succeeds where it is installed.
    probe: &'static str,
    command: &'static str,
    services: &'static [Service],
}

const PEERS: [Peer; 3] = [
    Peer {
        name: "uwebsockets",
        probe: "test -x uwebsockets/server",
        command: "uwebsockets/server {service} {port}",
        services: ALL,
    },
    Peer {
        name: "node-ws",
        probe: "node --input-type=module -e \"import 'ws'\"",
        command: "node node-ws.mjs {port} {service}",
        services: ECHOES,
    },
    Peer {
        name: "python-websockets",
        probe: "python3 -c 'import websockets.asyncio.server'",
        command: "python3 python-websockets.py {port} {service}",
        services: ECHOES,
    },
];

/// Returns the servers in other languages that are installed.
pub(crate) fn installed(directory: &Path) -> Vec<Contestant> {
    let is_installed = |peer: &Peer| {
        let mut probe = Command::new("/bin/sh");
        let probe = probe.args(["-c", peer.probe]).current_dir(directory);
        let outcome = probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        outcome.is_ok_and(|status| status.success())
    };
    let in_their_directory = |command: &str| format!("env --chdir='{}' {command}", directory.display());
    PEERS
        .into_iter()
        .filter(is_installed)
        .map(|peer| Contestant {
            name: peer.name.to_owned(),
            origin: Origin::Shell { command: in_their_directory(peer.command), services: peer.services },
        })
        .collect()
}

impl Contestant {
    /// A server from outside, as `NAME=COMMAND`.
    pub(crate) fn from_outside(assignment: &str, services: &'static [Service]) -> Result<Self> {
        match assignment.split_once('=') {
            Some((name, command)) if !name.is_empty() && !command.is_empty() => Ok(Self {
                name: name.to_owned(),
                origin: Origin::Shell { command: command.to_owned(), services },
            }),
            _ => Err(format!("expected NAME=COMMAND, not {assignment:?}").into()),
        }
    }

    /// Whether it can take part in a row.
    pub(crate) fn offers(&self, service: Service) -> bool {
        match &self.origin {
            Origin::CompiledIn { services } | Origin::Shell { services, .. } => services.contains(&service),
            Origin::Wirehook(_) => true,
        }
    }

    /// Only the bare contestant answers with something else than the message.
    pub(crate) fn echoes_bytes(&self) -> bool {
        self.name != LIMIT
    }

    /// Starts it on a core of its own, if there is one to spare, and waits until it listens.
    pub(crate) fn start(&self, load: &Load, core: Option<usize>) -> Result<Running> {
        let port = match &self.origin {
            Origin::Shell { command, .. } if command.contains("{port}") => Some(free_port()?),
            _ => None,
        };
        let mut child = Command::new(THIS_PROGRAM)
            .arg("launch")
            .arg(core.map_or_else(|| "any".to_owned(), |core| core.to_string()))
            .args(self.command_line(load, port)?)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().map(BufReader::new);
        // From here on it is killed if anything fails.
        let mut running = Running { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), stdout };
        let address = port.map_or_else(|| running.read_address(), wait_for);
        running.address = address.map_err(|error| format!("{} did not start: {error}", self.name))?;
        Ok(running)
    }

    fn command_line(&self, load: &Load, port: Option<u16>) -> Result<Vec<String>> {
        match (&self.origin, load.service()) {
            (Origin::Wirehook(program), service @ (Service::Echo | Service::Compressed)) => {
                let program = program.to_str().ok_or("the server's path is not text")?.to_owned();
                let more = if service == Service::Compressed { COMPRESSED_OPTIONS } else { "" };
                let options = WIREHOOK_OPTIONS.split(' ').chain(more.split_terminator(' '));
                Ok(std::iter::once(program).chain(options.map(str::to_owned)).collect())
            }
            (Origin::CompiledIn { .. } | Origin::Wirehook(_), service) => {
                let bytes_in = load.message().encode(0).len().to_string();
                let bytes_out = load.message().answer(0).len().to_string();
                let service = service.name().to_owned();
                Ok(vec![
                    THIS_PROGRAM.to_owned(),
                    "serve".to_owned(),
                    self.name.clone(),
                    service,
                    bytes_in,
                    bytes_out,
                ])
            }
            (Origin::Shell { command, .. }, service) => {
                let port = port.map_or_else(String::new, |port| port.to_string());
                // `exec`, so that the process that is measured is the server and not the shell.
                let command =
                    format!("exec {}", command.replace("{service}", service.name()).replace("{port}", &port));
                Ok(vec!["/bin/sh".to_owned(), "-c".to_owned(), command])
            }
        }
    }
}

/// As a user would start it, but with limits above the largest messages of any row, and quiet.
const WIREHOOK_OPTIONS: &str = "echo --listen 127.0.0.1:0 --max-message-size 32M --max-buffered-bytes 1G -q";

/// What the default agrees to with the client's offer, said once more.
const COMPRESSED_OPTIONS: &str = "--compress --compress-context none";

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn wait_for(port: u16) -> Result<SocketAddr> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let deadline = Instant::now() + STARTUP;
    loop {
        match TcpStream::connect(address) {
            Ok(_) => return Ok(address),
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// A contestant that listens. It is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Kept open, so that a server that prints more does not fail at it. Little enough fits into the pipe.
    stdout: Option<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn read_address(&mut self) -> Result<SocketAddr> {
        let reader = self.stdout.as_mut().ok_or("its output was not captured")?;
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 {
            if let Some((_, address)) = line.split_once("ws://") {
                let end = address.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'));
                return Ok(address[..end.unwrap_or(address.len())].parse()?);
            }
            line.clear();
        }
        Err("it ended without printing an address".into())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `CORE|any PROGRAM ARGUMENTS…`: prepares this process for a contestant, and becomes it.
///
/// Settings made here survive the `exec`, so a contestant from outside gets them too.
pub(crate) fn launch(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let core = arguments.next().ok_or("usage: bench launch CORE|any PROGRAM [ARGUMENTS]")?;
    let program = arguments.next().ok_or("no program to launch")?;
    process::die_with_parent()?;
    process::raise_file_limit()?;
    if core != "any" {
        process::pin_to(core.parse()?)?;
    }
    let error = Command::new(&program).args(arguments).exec();
    Err(format!("{program}: {error}").into())
}
