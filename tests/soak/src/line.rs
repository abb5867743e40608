//! One client's socket, and the pace at which it is written and read.
//!
//! This file knows pieces, pauses and socket events. It does not know what the bytes mean.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr},
    time::{Duration, Instant},
};

use mio::net::TcpStream;
use rustix::net::sockopt;

use crate::random::Random;

/// The pace of reading or writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As fast as the socket allows.
    Full,
    /// In pieces of at most this many bytes, with pauses of at most this length.
    Pieces(usize, Duration),
    /// Never.
    Never,
}

/// How the server's side has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By FIN.
    Eof,
    /// With an error, in both directions.
    Error(ErrorKind),
}

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) socket: TcpStream,
    /// When the connect began: before the server noticed it.
    pub(crate) began: Instant,
    out: Vec<u8>,
    sent: usize,
    /// How fast bytes are sent.
    pub(crate) writing: Pace,
    /// How fast bytes are read.
    pub(crate) reading: Pace,
    /// When the next piece is due.
    write_at: Option<Instant>,
    read_at: Option<Instant>,
    /// Whether the server has ended its side.
    eof: bool,
}

impl Line {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let began = Instant::now();
        let socket = TcpStream::connect(address)?;
        // Each piece must arrive alone and without delay.
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            began,
            out: Vec::new(),
            sent: 0,
            writing: Pace::Full,
            reading: Pace::Full,
            write_at: None,
            read_at: None,
            eof: false,
        })
    }

    /// Makes the rest as fast as the socket allows.
    pub(crate) fn hurry(&mut self) {
        (self.writing, self.reading) = (Pace::Full, Pace::Full);
        // A time in the past would wake the swarm forever.
        (self.write_at, self.read_at) = (None, None);
    }

    /// Makes the receive buffer small, so that the server soon notices a client that does not read.
    pub(crate) fn narrow(&self) {
        let _ = sockopt::set_socket_recv_buffer_size(&self.socket, 4096);
    }

    /// Returns the bytes to send; the next [`write`](Self::write) sends them.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    pub(crate) fn has_sent_all(&self) -> bool {
        self.sent == self.out.len()
    }

    /// Returns when [`write`](Self::write) or [`read`](Self::read) is due without an event.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        [self.write_at, self.read_at].into_iter().flatten().min()
    }

    /// Sends the bytes that are due, and returns their number.
    pub(crate) fn write(&mut self, now: Instant, random: &mut Random) -> io::Result<usize> {
        let before = self.sent;
        while self.sent < self.out.len() {
            let most = match self.writing {
                Pace::Never => break,
                Pace::Full => usize::MAX,
                Pace::Pieces(..) if self.write_at.is_some_and(|at| at > now) => break,
                Pace::Pieces(most, _) => random.between(1, most),
            };
            let end = self.sent.saturating_add(most).min(self.out.len());
            match self.socket.write(&self.out[self.sent..end]) {
                Ok(len) => self.sent += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.write_at = None;
                    break;
                }
                Err(error) => return Err(error),
            }
            if let Pace::Pieces(_, pause) = self.writing {
                self.write_at = Some(now + pause.mul_f64(0.5 + random.below(512) as f64 / 1024.0));
            }
        }
        let len = self.sent - before;
        if self.has_sent_all() {
            self.out.clear();
            self.sent = 0;
            self.write_at = None;
        }
        Ok(len)
    }

    /// Reads the bytes that are due into `sink`; returns the end of the server's side.
    pub(crate) fn read(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
        sink: &mut impl FnMut(&[u8]),
    ) -> Option<End> {
        loop {
            let most = match self.reading {
                _ if self.eof => return None,
                Pace::Never => return None,
                Pace::Full => buffer.len(),
                Pace::Pieces(..) if self.read_at.is_some_and(|at| at > now) => return None,
                Pace::Pieces(most, pause) => {
                    self.read_at = Some(now + pause);
                    most.min(buffer.len())
                }
            };
            match self.socket.read(&mut buffer[..most]) {
                Ok(0) => {
                    (self.eof, self.read_at) = (true, None);
                    return Some(End::Eof);
                }
                Ok(len) => sink(&buffer[..len]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) => return Some(End::Error(error.kind())),
            }
        }
    }

    /// Ends the sending direction; reading continues.
    pub(crate) fn half_close(&self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Makes the next close a reset.
    pub(crate) fn reset_on_close(&self) {
        let _ = sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO));
    }
}
