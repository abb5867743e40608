//! The limit: what the sockets alone cost.
//!
//! A TCP server over mio that answers each frame's worth of bytes without inspecting them. It reads no
//! header, removes no mask, copies nothing, and sends zeros. It does only what any server on this kind of
//! loop must do:
//!
//! - wait for events, read once per wake-up into one shared buffer (again only if the read filled it, or the
//!   peer has left),
//! - write once per read batch, and keep count of what the socket did not take,
//! - accept, and answer the opening request with a prepared 101.

use std::io::{self, Read as _, Write as _};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};

use super::Service;
use crate::Result;
use crate::client::ANSWER;

const LISTENER: Token = Token(usize::MAX);
const READ_BUFFER: usize = 512 * 1024;
const PAGE: usize = 4096;
const EVENTS_PER_TURN: usize = 1024;

pub(super) fn run(service: Service, bytes_in: usize, bytes_out: usize) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::from_std(super::listener()?);
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    super::announce(listener.local_addr()?)?;

    let mut events = Events::with_capacity(EVENTS_PER_TURN);
    // The kernel's copies are quickest where the buffer begins with a page.
    let block = vec![0; PAGE + READ_BUFFER];
    let begin = block.as_ptr().align_offset(PAGE).min(PAGE);
    let mut server = Server {
        service,
        bytes_in,
        bytes_out,
        peers: Vec::new(),
        free: Vec::new(),
        block,
        begin,
        // As much as one read batch can ask for, so that one write answers it.
        answers: vec![0; bytes_out * (READ_BUFFER / bytes_in + 2)],
    };
    loop {
        match poll.poll(&mut events, None) {
            // The process was stopped and continued.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            match event.token() {
                LISTENER => server.accept(&listener, poll.registry())?,
                Token(index) => server.serve(index, event),
            }
        }
    }
}

struct Server {
    service: Service,
    bytes_in: usize,
    bytes_out: usize,
    peers: Vec<Option<Peer>>,
    free: Vec<usize>,
    block: Vec<u8>,
    /// Where the read buffer begins in its block.
    begin: usize,
    answers: Vec<u8>,
}

struct Peer {
    stream: TcpStream,
    upgraded: bool,
    /// How much of the current inbound frame has arrived.
    arrived: usize,
    /// What the socket has not taken yet.
    owed: usize,
}

impl Server {
    fn accept(&mut self, listener: &TcpListener, registry: &Registry) -> Result<()> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let index = self.free.pop().unwrap_or_else(|| {
                self.peers.push(None);
                self.peers.len() - 1
            });
            registry.register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            self.peers[index] = Some(Peer { stream, upgraded: false, arrived: 0, owed: 0 });
        }
    }

    fn serve(&mut self, index: usize, event: &mio::event::Event) {
        let outcome = self.flush_if(index, event.is_writable()).and_then(|()| {
            if event.is_readable() { self.read(index, event.is_read_closed()) } else { Ok(()) }
        });
        // Dropping the stream closes it. A peer that leaves is no reason to stop.
        if outcome.is_err() && self.peers[index].take().is_some() {
            self.free.push(index);
        }
    }

    /// Reads until the socket is empty. A read that leaves room in the buffer has emptied it, unless the end
    /// follows.
    fn read(&mut self, index: usize, to_the_end: bool) -> io::Result<()> {
        loop {
            let Some(peer) = &mut self.peers[index] else { return Ok(()) };
            let buffer = &mut self.block[self.begin..][..READ_BUFFER];
            let length = match peer.stream.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            if peer.upgraded {
                peer.arrived += length;
                let frames = peer.arrived / self.bytes_in;
                peer.arrived %= self.bytes_in;
                self.answer(index, frames * self.bytes_out)?;
            } else {
                // Loopback delivers the request in one piece.
                peer.upgraded = true;
                peer.stream.write_all(ANSWER.as_bytes())?;
            }
            if length < READ_BUFFER && !to_the_end {
                return Ok(());
            }
        }
    }

    fn answer(&mut self, index: usize, length: usize) -> io::Result<()> {
        if length == 0 {
            return Ok(());
        }
        match self.service {
            Service::Echo | Service::Compressed => self.send(index, length),
            Service::FanOut => (0..self.peers.len()).try_for_each(|receiver| self.send(receiver, length)),
        }
    }

    fn send(&mut self, index: usize, length: usize) -> io::Result<()> {
        if let Some(peer) = &mut self.peers[index] {
            peer.owed += length;
        }
        self.flush_if(index, true)
    }

    fn flush_if(&mut self, index: usize, writable: bool) -> io::Result<()> {
        let Some(peer) = &mut self.peers[index] else { return Ok(()) };
        while writable && peer.owed > 0 {
            match peer.stream.write(&self.answers[..peer.owed.min(self.answers.len())]) {
                Ok(length) => peer.owed -= length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
