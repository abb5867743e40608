//! `--record DIR`: what every client and the server say, one pcapng file per connection.
//!
//! This file knows when something is written, to which file, and how much in all. It refuses to know how a file
//! looks: `capture/` does; and how it is opened so that nobody else has a hand in it: `record/files.rs` does.
//!
//! Nothing waits in memory. Each piece is handed to the system as soon as it is told, so that neither a signal nor a
//! crash of the server loses what was told before: at most the piece that was sent in that very moment. Only a crash of
//! the whole system loses more, since nothing is forced onto the disk. The price is one system call per piece, and that
//! a slow disk slows the server down.
//!
//! A file that can't be written ends the recording of its connection. The server goes on, and the log names the
//! connection.

mod clock;
mod files;

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use ::log::{error, info};
use wirehook::{ConnId, Observer, explain::Side};

use super::capture::Writer;

use clock::{Clock, file_time};
use files::{Files, Place};

pub(super) use files::private_file;

/// Writes every connection's bytes to a file in one directory.
pub(super) struct Record {
    files: Files,
    server: SocketAddr,
    clock: Clock,
    tapes: HashMap<ConnId, Tape>,
    room: Room,
}

/// One connection that is recorded.
enum Tape {
    /// Nothing was said so far, and there is no file.
    Blank {
        client: SocketAddr,
        since: Duration,
    },
    Running {
        place: Place,
        writer: Writer,
    },
}

impl Record {
    /// Records into `directory`, which is made if need be, what a server on the address `server` sees, up to
    /// `max_bytes` in all files together.
    ///
    /// # Errors
    ///
    /// There is no such directory and none can be made, or others than its owner, who must be the one that records,
    /// can write to it.
    pub(super) fn into_directory(
        directory: &Path,
        server: SocketAddr,
        max_bytes: Option<usize>,
    ) -> io::Result<Self> {
        Ok(Self {
            files: Files::in_directory(directory)?,
            server,
            clock: Clock::start(),
            tapes: HashMap::new(),
            room: Room { max_bytes, left: max_bytes.unwrap_or(usize::MAX) },
        })
    }

    fn write(&mut self, id: ConnId, from: Side, bytes: &[u8]) {
        let result = self.try_write(id, from, bytes);
        self.settle(id, result);
    }

    /// Takes note of how writing went: what fails once ends the recording of that connection.
    fn settle(&mut self, id: ConnId, result: io::Result<()>) {
        let Err(cause) = result else { return };
        // Each is told: a recording that is looked at later must not seem to hold all that was said.
        let was =
            if matches!(self.tapes.remove(&id), Some(Tape::Running { .. })) { " any further" } else { "" };
        self.files.close(id);
        error!("connection {id} is not recorded{was}: {cause}");
    }

    fn try_write(&mut self, id: ConnId, from: Side, bytes: &[u8]) -> io::Result<()> {
        let at = self.clock.now();
        self.begin(id)?;
        let Some(Tape::Running { place, writer }) = self.tapes.get_mut(&id) else { return Ok(()) };
        let file = self.files.file(id, place)?;
        writer.write(at, from, bytes, &mut self.room.of(file))
    }

    /// Makes the file of a connection that says its first word.
    fn begin(&mut self, id: ConnId) -> io::Result<()> {
        let Some(Tape::Blank { client, since }) = self.tapes.get(&id) else { return Ok(()) };
        let (client, since) = (*client, *since);
        self.room.check(1)?;
        let place = self.files.create(id, &format!("{}-{id}.pcapng", file_time(since)))?;
        let file = self.files.file(id, &place)?;
        let server = as_seen_by(client, self.server);
        let begun = Writer::begin(client, server, since, &mut self.room.of(file));
        // A full disk would else be left with an empty file for every client.
        let writer = begun.inspect_err(|_| drop(fs::remove_file(&place.path)))?;
        info!("connection {id} is recorded in {}", place.path.display());
        self.tapes.insert(id, Tape::Running { place, writer });
        Ok(())
    }

    fn try_end(&mut self, id: ConnId) -> io::Result<()> {
        let Some(Tape::Running { place, mut writer }) = self.tapes.remove(&id) else { return Ok(()) };
        let file = self.files.file(id, &place)?;
        writer.end(self.clock.now(), &mut self.room.of(file))?;
        self.files.close(id);
        Ok(())
    }
}

/// How much more may be recorded, in all files together.
struct Room {
    max_bytes: Option<usize>,
    left: usize,
}

impl Room {
    /// # Errors
    ///
    /// There is not so much room. From then on there is none: a recording is the beginning of what was said, not
    /// whatever was small enough.
    fn check(&mut self, len: usize) -> io::Result<()> {
        match self.max_bytes {
            Some(max_bytes) if len > self.left => {
                self.left = 0;
                let why = format!("the recordings have {max_bytes} bytes, the limit of --max-recorded-bytes");
                Err(io::Error::new(io::ErrorKind::QuotaExceeded, why))
            }
            _ => Ok(()),
        }
    }

    const fn of<'a>(&'a mut self, file: &'a mut File) -> Limited<'a> {
        Limited { room: self, file }
    }
}

/// A file that is written to as long as there is room.
struct Limited<'a> {
    room: &'a mut Room,
    file: &'a mut File,
}

impl Write for Limited<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.room.check(bytes.len())?;
        let written = self.file.write(bytes)?;
        self.room.left = self.room.left.saturating_sub(written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
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

#[cfg(test)]
mod tests {
    use super::*;

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
