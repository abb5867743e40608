//! `--record DIR`: writes the bytes of every connection to a pcapng file of its own.
//!
//! This file decides when to write, to which file, and how much in all. `capture/` knows the format, and
//! `record/files.rs` opens files so that no other user can interfere.
//!
//! Nothing waits in memory: each piece is written with one system call when it is observed. So a signal or a
//! crash of the server loses at most the piece under way. A crash of the system can lose more, since nothing
//! is forced onto the disk. The price is one system call per piece, and a slow disk slows the server down.
//!
//! A write error ends the recording of its connection. The server continues, and the log names the
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
use wirehook::{ConnId, Observer, PeerAddr, explain::Side};

use super::capture::Writer;

use clock::{Clock, file_time};
use files::{FilePlace, Files};

pub(super) use files::private_file;

/// Writes every connection's bytes to a file in one directory.
pub(super) struct CaptureRecorder {
    files: Files,
    server: SocketAddr,
    clock: Clock,
    tapes: HashMap<ConnId, Tape>,
    room: RecordingQuota,
}

/// The recording of one connection.
enum Tape {
    /// No bytes so far, and no file.
    Blank {
        client: SocketAddr,
        since: Duration,
    },
    Running {
        place: FilePlace,
        writer: Writer,
    },
}

impl CaptureRecorder {
    /// Records a server with the address `server` into `directory`, `max_bytes` at most in all files
    /// together. Creates the directory if needed.
    ///
    /// # Errors
    ///
    /// The directory does not exist and can't be created, another user owns it, or other users can write to
    /// it.
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
            room: RecordingQuota { max_bytes, left: max_bytes.unwrap_or(usize::MAX) },
        })
    }

    fn write(&mut self, id: ConnId, from: Side, bytes: &[u8]) {
        let result = self.try_write(id, from, bytes);
        self.settle(id, result);
    }

    /// Handles the result of a write: the first error ends the recording of that connection.
    fn settle(&mut self, id: ConnId, result: io::Result<()>) {
        let Err(cause) = result else { return };
        // Every end is logged: an incomplete recording must not look complete.
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

    /// Creates the file of a connection at its first bytes.
    fn begin(&mut self, id: ConnId) -> io::Result<()> {
        let Some(Tape::Blank { client, since }) = self.tapes.get(&id) else { return Ok(()) };
        let (client, since) = (*client, *since);
        self.room.check(1)?;
        let place = self.files.create(id, &format!("{}-{id}.pcapng", file_time(since)))?;
        let file = self.files.file(id, &place)?;
        let server = as_seen_by(client, self.server);
        let begun = Writer::begin(client, server, since, &mut self.room.of(file));
        // Otherwise a full disk would collect an empty file per client.
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

/// The bytes that may still be recorded, in all files together.
struct RecordingQuota {
    max_bytes: Option<usize>,
    left: usize,
}

impl RecordingQuota {
    /// # Errors
    ///
    /// The quota is too small. From then on nothing is recorded, so that a recording has no gaps.
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

/// A file with the remaining quota.
struct Limited<'a> {
    room: &'a mut RecordingQuota,
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

impl Observer for CaptureRecorder {
    fn connected(&mut self, id: ConnId, peer: PeerAddr) {
        // A packet needs addresses; the peer of a Unix socket has none.
        let peer = peer.socket_addr().unwrap_or_else(|| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
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

/// Returns the address that a client connected to, as far as the listening address determines it. A server
/// that listens on all addresses has the unspecified address in its recordings.
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
