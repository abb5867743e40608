//! A connection to a server on which every wait has a deadline.
//!
//! This file knows deadlines, and which bytes are received and not yet taken. It does not know their meaning,
//! nor their transport: a socket, or a script in tests.
//!
//! One deadline applies to a whole part of the answer. No bytes extend it: a server that sends pings, single
//! bytes or a flood has as long as a silent one.

use std::time::Duration;

/// Transports the bytes of a play, and has a clock.
pub(super) trait Transport {
    /// Returns the time since the transport was connected.
    fn now(&self) -> Duration;

    /// Sends `bytes`; gives up at `deadline`.
    fn send(&mut self, bytes: &[u8], deadline: Duration) -> Sent;

    /// Closes the sending direction.
    fn finish_sending(&mut self);

    /// Appends the next bytes of the server to `buffer`; waits for them until `deadline`.
    fn receive(&mut self, buffer: &mut Vec<u8>, deadline: Duration) -> Received;

    /// Waits until the clock shows `time`.
    fn sleep_until(&mut self, time: Duration);
}

/// The outcome of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    All,
    /// The deadline came after this many bytes: the server does not read.
    Only(usize),
    /// The server has closed the connection.
    Gone,
}

/// The outcome of a receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    Some,
    /// The server has closed the connection.
    End,
    /// The deadline has come.
    Nothing,
}

/// A connected line.
#[derive(Debug)]
pub(super) struct Line<T> {
    transport: T,
    buffer: Vec<u8>,
    /// How many bytes of the buffer are taken.
    taken: usize,
    timeout: Duration,
    /// The deadline of the current part.
    deadline: Duration,
    /// The deadline has passed, and the bytes up to then are received.
    is_late: bool,
    /// A send has failed; no more is sent.
    cannot_send: bool,
    /// Bytes that the server did not read in time.
    unsent: usize,
}

/// The outcome of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    Enough,
    /// The server has closed the connection.
    End,
    /// The deadline has come.
    Silence,
}

impl<T: Transport> Line<T> {
    /// Wraps a connected transport. `timeout` bounds each part of the answer, and each send.
    pub(super) const fn new(transport: T, timeout: Duration) -> Self {
        Self {
            transport,
            buffer: Vec::new(),
            taken: 0,
            timeout,
            deadline: timeout,
            is_late: false,
            cannot_send: false,
            unsent: 0,
        }
    }

    /// Returns how long a part of the answer, or a send, may take.
    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends `bytes`. A closed connection is no error: the answer received until then counts.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        let sent =
            if self.cannot_send { Sent::Only(0) } else { self.transport.send(bytes, self.next_deadline()) };
        match sent {
            Sent::All => {}
            Sent::Gone => self.cannot_send = true,
            // Bytes after the end of the connection are not counted.
            Sent::Only(len) if !self.cannot_send || self.unsent > 0 => {
                self.cannot_send = true;
                self.unsent += bytes.len() - len;
            }
            Sent::Only(_) => {}
        }
    }

    /// Returns how many bytes the server did not read in time.
    pub(super) const fn unsent(&self) -> usize {
        self.unsent
    }

    /// Ends the sending direction.
    pub(super) fn finish_sending(&mut self) {
        self.cannot_send = true;
        self.transport.finish_sending();
    }

    /// Waits until the clock shows `time`.
    pub(super) fn sleep_until(&mut self, time: Duration) {
        self.transport.sleep_until(time);
    }

    /// Begins another part of the answer: its time starts now.
    pub(super) fn begin_part(&mut self) {
        self.deadline = self.next_deadline();
        self.is_late = false;
    }

    /// Waits until [`received`](Self::received) has `len` bytes, the connection ends, or the part's deadline
    /// comes.
    pub(super) fn wait_for(&mut self, len: usize) -> Awaited {
        while self.received().len() < len {
            if self.is_late {
                return Awaited::Silence;
            }
            // Bytes that arrived in time count, even if this process was stopped meanwhile.
            self.is_late = self.transport.now() >= self.deadline;
            self.drop_taken();
            if self.transport.receive(&mut self.buffer, self.deadline) == Received::End {
                return Awaited::End;
            }
        }
        Awaited::Enough
    }

    /// Returns whether the deadline of the part has passed, whatever has arrived until then.
    pub(super) fn is_overdue(&self) -> bool {
        self.transport.now() >= self.deadline
    }

    /// Returns the bytes that are received and not yet taken.
    pub(super) fn received(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }

    /// Takes the first `len` received bytes.
    pub(super) fn take(&mut self, len: usize) {
        self.taken = self.taken.saturating_add(len).min(self.buffer.len());
    }

    fn next_deadline(&self) -> Duration {
        self.transport.now().saturating_add(self.timeout)
    }

    /// Frees the memory of taken bytes: once per receive, since one small frame is not worth it.
    fn drop_taken(&mut self) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
    }
}
