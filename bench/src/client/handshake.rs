//! Handshakes: connect, send the request, read the 101, close, again; a fixed number at a time.
//!
//! The client closes the TCP connection without a Close frame: only the opening is measured.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::{Driven, REQUEST, check_upgrade, is_complete, wait_awake};
use crate::Result;
use crate::stats::Histogram;

/// A closed connection keeps its port for a while; stop well before they run out.
const MOST: u64 = 15_000;

/// Runs the loop for about the given time.
pub(crate) fn handshakes(address: SocketAddr, concurrent: usize, duration: Duration) -> Result<Driven> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(concurrent.max(1));
    let mut latencies = Histogram::new();
    let start = Instant::now();
    let mut attempts = Vec::with_capacity(concurrent);
    for index in 0..concurrent {
        attempts.push(Some(Attempt::start(address, &poll, Token(index))?));
    }
    let mut idle = Duration::ZERO;
    let mut outstanding = concurrent;
    let mut started = concurrent as u64;
    while outstanding > 0 {
        idle += wait_awake(&mut poll, &mut events)?;
        if events.is_empty() {
            return Err(format!("{outstanding} handshakes were never answered").into());
        }
        for event in &events {
            let slot = &mut attempts[event.token().0];
            let Some(attempt) = slot else { continue };
            if !attempt.advance()? {
                continue;
            }
            latencies.record(attempt.begun.elapsed().as_nanos() as u64, 1);
            // Dropping the old attempt closes its connection.
            if start.elapsed() < duration && started < MOST {
                *slot = Some(Attempt::start(address, &poll, event.token())?);
                started += 1;
            } else {
                *slot = None;
                outstanding -= 1;
            }
        }
    }
    Ok(Driven { count: started, elapsed: start.elapsed(), idle, latencies })
}

struct Attempt {
    stream: TcpStream,
    begun: Instant,
    asked: bool,
    answer: Vec<u8>,
}

impl Attempt {
    fn start(address: SocketAddr, poll: &Poll, token: Token) -> Result<Self> {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(address)?;
        poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { stream, begun, asked: false, answer: Vec::new() })
    }

    /// Continues as far as the socket allows; returns true once the answer is complete and correct.
    fn advance(&mut self) -> Result<bool> {
        if !self.asked {
            match self.stream.write(REQUEST.as_bytes()) {
                Ok(length) if length == REQUEST.len() => self.asked = true,
                Ok(_) => return Err("the request did not fit into an empty socket".into()),
                Err(error) if not_yet(&error) => {}
                Err(error) => return Err(error.into()),
            }
            return Ok(false);
        }
        let mut buffer = [0; 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Err("closed during the handshake".into()),
            Ok(length) => self.answer.extend_from_slice(&buffer[..length]),
            Err(error) if not_yet(&error) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        if is_complete(&self.answer) { check_upgrade(&self.answer).map(|()| true) } else { Ok(false) }
    }
}

fn not_yet(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected)
}
