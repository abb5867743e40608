//! A connection to a server on which no wait is endless.
//!
//! This file knows a socket and a clock. It refuses to know what is said.
//!
//! A thread of its own takes what the server says, so that the server is heard also while it is spoken to: who only
//! writes to an echo, and reads later, may wait for each other for ever. What was taken and not yet asked for is
//! bounded.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream, ToSocketAddrs},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

/// How much is read at once, and how many such pieces may wait: 64 MiB.
const PIECE: usize = 64 * 1024;
const PIECES: usize = 1024;

/// A connected line.
#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    incoming: Receiver<Vec<u8>>,
    heard: Vec<u8>,
    timeout: Duration,
    /// A write has failed: there is nobody left to speak to.
    is_mute: bool,
}

/// What has become of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Enough,
    /// The server has closed the connection.
    End,
    /// The time is up.
    Silence,
}

impl Line {
    pub(super) fn connect(address: &str, timeout: Duration) -> io::Result<Self> {
        let stream = connect_first(address, timeout)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(timeout))?;
        let reader = stream.try_clone()?;
        let (sender, incoming) = sync_channel(PIECES);
        thread::Builder::new().name("replay".to_owned()).spawn(move || take_all(reader, &sender))?;
        Ok(Self { stream, incoming, heard: Vec::new(), timeout, is_mute: false })
    }

    /// How long each wait is at most.
    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Says something. A server that doesn't listen any more is no error: what it said before is what counts.
    pub(super) fn say(&mut self, bytes: &[u8]) {
        self.is_mute = self.is_mute || self.stream.write_all(bytes).is_err();
    }

    /// Says that nothing more will be said.
    pub(super) fn fall_silent(&mut self) {
        self.is_mute = self.is_mute || self.stream.shutdown(Shutdown::Write).is_err();
    }

    /// Waits until `len` bytes can be had from [`heard`](Self::heard).
    pub(super) fn wait_for(&mut self, len: usize) -> Heard {
        let deadline = Instant::now() + self.timeout;
        while self.heard.len() < len {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.incoming.recv_timeout(left) {
                Ok(piece) => self.heard.extend_from_slice(&piece),
                Err(RecvTimeoutError::Disconnected) => return Heard::End,
                Err(RecvTimeoutError::Timeout) => return Heard::Silence,
            }
        }
        Heard::Enough
    }

    /// What was heard and not yet taken.
    pub(super) fn heard(&self) -> &[u8] {
        &self.heard
    }

    pub(super) fn take(&mut self, len: usize) {
        self.heard.drain(..len.min(self.heard.len()));
    }
}

fn connect_first(address: &str, timeout: Duration) -> io::Result<TcpStream> {
    let mut last_error = io::Error::new(ErrorKind::NotFound, "no address of that name");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

/// Hands on what a server says, up to its end or until nobody asks any more.
fn take_all(mut stream: TcpStream, sender: &SyncSender<Vec<u8>>) {
    let mut piece = vec![0; PIECE];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return,
            Ok(len) if sender.send(piece[..len].to_vec()).is_err() => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
