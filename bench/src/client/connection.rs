//! One connection of the load: how much it still has to send, how much of an answer has come in.
//!
//! All messages of a timed part are the same bytes, so what is to be sent is a position in a repeated
//! pattern, and what comes in is a number of bytes.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream as StdStream;

use mio::net::TcpStream;
use mio::{Interest, Poll, Token};

use crate::Result;

/// The most bytes of one read. Less than the second-level cache, so that reading does not evict everything
/// else.
const READ_BUFFER: usize = 256 * 1024;

/// The same message several times over, so that a batch of them goes out in one write.
pub(super) struct Pattern {
    bytes: Vec<u8>,
    message: usize,
}

impl Pattern {
    /// One more than a batch holds: a batch may start anywhere within a message.
    pub(super) fn new(message: &[u8], in_flight: usize) -> Self {
        Self { bytes: message.repeat(in_flight + 1), message: message.len() }
    }
}

pub(super) struct Connection {
    stream: TcpStream,
    /// Where in a message the next byte to send lies.
    position: usize,
    /// Bytes that are due and that the socket has not taken.
    owed: usize,
    /// Bytes of an answer that is not complete yet.
    received: usize,
}

impl Connection {
    /// Adds messages to be sent, and sends as much as the socket accepts.
    pub(super) fn send(&mut self, messages: usize, pattern: &Pattern) -> io::Result<()> {
        self.owed += messages * pattern.message;
        self.flush(pattern)
    }

    pub(super) fn flush(&mut self, pattern: &Pattern) -> io::Result<()> {
        while self.owed > 0 {
            let end = pattern.bytes.len().min(self.position + self.owed);
            match self.stream.write(&pattern.bytes[self.position..end]) {
                Ok(length) => {
                    self.owed -= length;
                    self.position = (self.position + length) % pattern.message;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what is there, and returns how many answers that completed.
    pub(super) fn receive(&mut self, buffer: &mut [u8], answer: usize) -> io::Result<usize> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    self.received += length;
                    // A read that leaves room has emptied the socket.
                    if length < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let answers = self.received / answer;
        self.received %= answer;
        Ok(answers)
    }
}

/// Many connections under one poll, for as long as a timed part lasts.
pub(super) struct Connections {
    pub(super) poll: Poll,
    pub(super) all: Vec<Connection>,
    pub(super) buffer: Vec<u8>,
}

impl Connections {
    pub(super) fn new(streams: Vec<StdStream>) -> Result<Self> {
        let poll = Poll::new()?;
        let mut all = Vec::with_capacity(streams.len());
        for (index, stream) in streams.into_iter().enumerate() {
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            all.push(Connection { stream, position: 0, owed: 0, received: 0 });
        }
        Ok(Self { poll, all, buffer: vec![0; READ_BUFFER] })
    }

    /// The blocking sockets again, in the same order.
    pub(super) fn into_streams(self) -> Result<Vec<StdStream>> {
        let blocking = |connection: Connection| {
            let stream = StdStream::from(connection.stream);
            stream.set_nonblocking(false)?;
            Ok(stream)
        };
        self.all.into_iter().map(blocking).collect()
    }
}
