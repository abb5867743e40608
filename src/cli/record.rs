//! `--record DIR`: what every client and the server say, one pcapng file per connection.
//!
//! This file knows when something is written, and to which file. It refuses to know how a file looks: `capture/` does.
//!
//! Nothing waits in memory. Each piece is handed to the system as soon as it is told, so that neither a signal nor a
//! crash of the server loses what was told before: at most the piece that was sent in that very moment. Only a crash of
//! the whole system loses more, since nothing is forced onto the disk. The price is one system call per piece, and that
//! a slow disk slows the server down.
//!
//! A file that can't be written ends the recording of its connection. The server goes on.

use std::{
    collections::{HashMap, VecDeque},
    fs::{self, File, OpenOptions},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use ::log::{debug, error, info};
use wirehook::{ConnId, Observer, explain::Side};

use super::capture::Writer;

/// How many files are open at once. Those of connections that have been silent for longest are closed, and opened
/// again when something is said: every open one is a descriptor that a client can't have.
const OPEN_FILES: usize = 64;

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// Writes every connection's bytes to a file in one directory.
pub(super) struct Record {
    directory: PathBuf,
    server: SocketAddr,
    clock: Clock,
    tapes: HashMap<ConnId, Tape>,
    files: OpenFiles,
    /// Whether a failure was told, and no file could be made since.
    has_failed: bool,
}

/// One connection that is recorded.
enum Tape {
    /// Nothing was said so far, and there is no file.
    Blank {
        client: SocketAddr,
        since: Duration,
    },
    Running {
        path: PathBuf,
        writer: Writer,
    },
}

impl Record {
    /// Records into `directory`, which is made if need be, what a server on the address `server` sees.
    ///
    /// # Errors
    ///
    /// There is no such directory, and none can be made.
    pub(super) fn into_directory(directory: &Path, server: SocketAddr) -> io::Result<Self> {
        make_private_directory(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
            server,
            clock: Clock::start(),
            tapes: HashMap::new(),
            files: OpenFiles::default(),
            has_failed: false,
        })
    }

    fn write(&mut self, id: ConnId, from: Side, bytes: &[u8]) {
        let result = self.try_write(id, from, bytes);
        self.settle(id, result);
    }

    /// Takes note of how writing went: what fails once ends the recording of that connection.
    fn settle(&mut self, id: ConnId, result: io::Result<()>) {
        let Err(cause) = result else { return };
        self.tapes.remove(&id);
        self.files.close(id);
        // A full disk fails for every connection; telling it once is enough.
        if self.has_failed {
            debug!("connection {id} is not recorded any further: {cause}");
        } else {
            error!("connection {id} is not recorded any further, nor are others while this lasts: {cause}");
        }
        self.has_failed = true;
    }

    fn try_write(&mut self, id: ConnId, from: Side, bytes: &[u8]) -> io::Result<()> {
        let at = self.clock.now();
        self.begin(id)?;
        let Some(Tape::Running { path, writer }) = self.tapes.get_mut(&id) else { return Ok(()) };
        let file = self.files.file(id, path)?;
        writer.write(at, from, bytes, file)
    }

    /// Makes the file of a connection that says its first word.
    fn begin(&mut self, id: ConnId) -> io::Result<()> {
        let Some(Tape::Blank { client, since }) = self.tapes.get(&id) else { return Ok(()) };
        let (client, since) = (*client, *since);
        let path = self.directory.join(format!("{}-{id}.pcapng", file_time(since)));
        let mut file = private_file().write(true).create_new(true).open(&path)?;
        let server = as_seen_by(client, self.server);
        let begun = Writer::begin(client, server, since, &mut file);
        // A full disk would else be left with an empty file for every client.
        let writer = begun.inspect_err(|_| drop(fs::remove_file(&path)))?;
        info!("connection {id} is recorded in {}", path.display());
        self.has_failed = false;
        self.files.keep(id, file);
        self.tapes.insert(id, Tape::Running { path, writer });
        Ok(())
    }

    fn try_end(&mut self, id: ConnId) -> io::Result<()> {
        let Some(Tape::Running { path, mut writer }) = self.tapes.remove(&id) else { return Ok(()) };
        let file = self.files.file(id, &path)?;
        writer.end(self.clock.now(), file)?;
        self.files.close(id);
        Ok(())
    }
}

impl Observer for Record {
    fn connected(&mut self, id: ConnId, peer: SocketAddr) {
        let client = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        self.tapes.insert(id, Tape::Blank { client, since: self.clock.now() });
    }

    fn received(&mut self, id: ConnId, bytes: &[u8]) {
        self.write(id, Side::Client, bytes);
    }

    fn sent(&mut self, id: ConnId, bytes: &[u8]) {
        self.write(id, Side::Server, bytes);
    }

    fn disconnected(&mut self, id: ConnId) {
        let result = self.try_end(id);
        self.settle(id, result);
    }
}

/// The files that are open, the one that was needed last at the end.
#[derive(Debug, Default)]
struct OpenFiles(VecDeque<(ConnId, File)>);

impl OpenFiles {
    /// The open file of a connection, which is opened again if need be.
    fn file(&mut self, id: ConnId, path: &Path) -> io::Result<&mut File> {
        let file = match self.close(id) {
            Some(file) => file,
            None => private_file().append(true).open(path)?,
        };
        Ok(self.keep(id, file))
    }

    fn keep(&mut self, id: ConnId, file: File) -> &mut File {
        if self.0.len() == OPEN_FILES {
            self.0.pop_front();
        }
        let last = self.0.len();
        self.0.push_back((id, file));
        &mut self.0[last].1
    }

    fn close(&mut self, id: ConnId) -> Option<File> {
        let at = self.0.iter().position(|(it, _)| *it == id)?;
        self.0.remove(at).map(|(_, file)| file)
    }
}

/// The time of day, without the jumps of a clock that is set.
#[derive(Debug)]
struct Clock {
    /// Since the beginning of 1970.
    began: Duration,
    started: Instant,
}

impl Clock {
    fn start() -> Self {
        let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { began, started: Instant::now() }
    }

    fn now(&self) -> Duration {
        self.began + self.started.elapsed()
    }
}

/// The address that a client has connected to, as far as the address that is listened on tells it: a server that
/// listens on all addresses stands in its recordings as the unspecified one.
const fn as_seen_by(client: SocketAddr, listener: SocketAddr) -> SocketAddr {
    let ip = match (client.ip(), listener.ip().to_canonical()) {
        (IpAddr::V4(_), ip @ IpAddr::V4(_)) | (IpAddr::V6(_), ip @ IpAddr::V6(_)) => ip,
        (IpAddr::V4(_), IpAddr::V6(_)) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        (IpAddr::V6(_), IpAddr::V4(_)) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(ip, listener.port())
}

/// What clients send is nobody else's business.
fn make_private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// How a file is opened that nobody else may read.
pub(super) fn private_file() -> OpenOptions {
    #[cfg_attr(not(unix), allow(unused_mut))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A time in UTC as it can stand in a file's name on every system: `2026-02-28T235959.123456Z`. Names in their order
/// are times in their order.
fn file_time(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs();
    let (year, month, day) = date(seconds / SECONDS_PER_DAY);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let micros = since_1970.subsec_micros();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}{minute:02}{second:02}.{micros:06}Z")
}

/// Year, month and day of a day since the beginning of 1970.
fn date(mut days: u64) -> (u64, usize, u64) {
    const fn is_leap(year: u64) -> bool {
        year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
    }
    const fn days_of_month(year: u64, month: usize) -> u64 {
        match month {
            2 => 28 + is_leap(year) as u64,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }
    let (mut year, mut month) = (1970, 1);
    while days >= days_of_month(year, month) {
        days -= days_of_month(year, month);
        (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_in_utc() {
        // As `date -u -d @…` prints them.
        for (seconds, text) in [
            (0, "1970-01-01T000000.000000Z"),
            (951_782_399, "2000-02-28T235959.000000Z"),
            (951_782_400, "2000-02-29T000000.000000Z"),
            (951_868_800, "2000-03-01T000000.000000Z"),
            (1_767_225_599, "2025-12-31T235959.000000Z"),
            (4_107_542_400, "2100-03-01T000000.000000Z"),
        ] {
            assert_eq!(file_time(Duration::from_secs(seconds)), text);
        }
        assert_eq!(file_time(Duration::from_micros(1_000_042)), "1970-01-01T000001.000042Z");
    }

    #[test]
    fn a_server_on_all_addresses_has_the_unspecified_one() {
        let cases = [
            ("10.0.0.1:5", "10.0.0.2:80", "10.0.0.2:80"),
            ("10.0.0.1:5", "0.0.0.0:80", "0.0.0.0:80"),
            ("10.0.0.1:5", "[::]:80", "0.0.0.0:80"),
            ("[fe80::1]:5", "[::]:80", "[::]:80"),
            ("[fe80::1]:5", "10.0.0.2:80", "[::]:80"),
        ];
        for (client, listener, seen) in cases {
            let seen_by = client.parse().and_then(|client| Ok(as_seen_by(client, listener.parse()?)));
            assert_eq!(seen_by, seen.parse(), "{client} at {listener}");
        }
    }
}
