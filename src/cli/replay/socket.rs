//! The TCP connection of a replay.
//!
//! This file knows a socket and a clock. It does not know what the bytes mean.
//!
//! A thread of its own reads the server's bytes, so that reading continues during a write. A client that only
//! writes to an echo server can block forever, with the server blocked too. The bytes that wait between the
//! two threads are bounded; at the bound the thread stops reading.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream, ToSocketAddrs},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use super::line::{Received, Sent, Transport};

/// The most bytes per read, and the most reads that wait to be taken: 16 MiB together.
const READ_SIZE: usize = 64 * 1024;
const WAITING_READS: usize = 256;

const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);

/// A connected socket.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    incoming: Receiver<Vec<u8>>,
    connected_at: Instant,
}

impl Socket {
    /// Connects to the first of the addresses that answers. `timeout` bounds all attempts together.
    pub(super) fn connect(address: &str, timeout: Duration) -> io::Result<Self> {
        let stream = connect_first(address, timeout)?;
        stream.set_nodelay(true)?;
        let reader = stream.try_clone()?;
        let (sender, incoming) = sync_channel(WAITING_READS);
        thread::Builder::new().name("replay".to_owned()).spawn(move || read_all(reader, &sender))?;
        Ok(Self { stream, incoming, connected_at: Instant::now() })
    }

    /// Writes once. Waits for room in the kernel's buffer until `deadline`, and writes as much as fits.
    fn write(&mut self, bytes: &[u8], deadline: Duration) -> io::Result<usize> {
        // A timeout of 0 would mean no timeout.
        let left = deadline.saturating_sub(self.now()).max(SHORTEST_TIMEOUT);
        self.stream.set_write_timeout(Some(left))?;
        self.stream.write(bytes)
    }
}

impl Transport for Socket {
    fn now(&self) -> Duration {
        self.connected_at.elapsed()
    }

    fn send(&mut self, bytes: &[u8], deadline: Duration) -> Sent {
        let mut sent = 0;
        while sent < bytes.len() {
            match self.write(&bytes[sent..], deadline) {
                Ok(0) => return Sent::Gone,
                Ok(len) => sent += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => return Sent::Only(sent),
                Err(_) => return Sent::Gone,
            }
            if sent < bytes.len() && self.now() >= deadline {
                return Sent::Only(sent);
            }
        }
        Sent::All
    }

    fn finish_sending(&mut self) {
        // An error means that the server has gone, which the next read reports.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    fn receive(&mut self, buffer: &mut Vec<u8>, deadline: Duration) -> Received {
        match self.incoming.recv_timeout(deadline.saturating_sub(self.now())) {
            Ok(bytes) => buffer.extend_from_slice(&bytes),
            Err(RecvTimeoutError::Disconnected) => return Received::End,
            Err(RecvTimeoutError::Timeout) => return Received::Nothing,
        }
        // All reads up to the deadline, but only as many as can wait at once.
        self.incoming.try_iter().take(WAITING_READS).for_each(|bytes| buffer.extend_from_slice(&bytes));
        Received::Some
    }

    fn sleep_until(&mut self, time: Duration) {
        thread::sleep(time.saturating_sub(self.now()));
    }
}

fn is_timeout(error: &io::Error) -> bool {
    // Unix reports the first, Windows the second.
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn connect_first(address: &str, timeout: Duration) -> io::Result<TcpStream> {
    let began = Instant::now();
    let mut last_error = io::Error::new(ErrorKind::NotFound, "no address of that name");
    for address in address.to_socket_addrs()? {
        // A timeout of 0 would be an error.
        let left = timeout.saturating_sub(began.elapsed()).max(SHORTEST_TIMEOUT);
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => return Ok(stream),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

/// Forwards the server's bytes until it closes or the play is over.
fn read_all(mut stream: TcpStream, sender: &SyncSender<Vec<u8>>) {
    let mut buffer = vec![0; READ_SIZE];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(len) if sender.send(buffer[..len].to_vec()).is_err() => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
