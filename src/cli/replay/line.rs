//! A connection to a server on which no wait is endless.
//!
//! This file knows deadlines, and which bytes have come and are not yet taken. It refuses to know what is said, and
//! which transport carries it: a socket, or a script in tests.
//!
//! One deadline holds for a whole part of the answer. Bytes don't extend it, whatever they are: a server that
//! pings, drips or floods has as long as one that says nothing.

use std::time::Duration;

/// What carries the bytes of a play, with a clock of its own.
pub(super) trait Transport {
    /// The time since the transport was connected.
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
    /// The deadline came after this many bytes: the server doesn't read.
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
    /// How much of the buffer was taken.
    taken: usize,
    timeout: Duration,
    /// The deadline of the part that is waited for.
    deadline: Duration,
    /// The deadline has passed, and what had come until then was looked at.
    is_late: bool,
    /// A send has failed: no more is sent.
    is_mute: bool,
    /// Bytes that the server did not read in time.
    unsent: usize,
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

impl<T: Transport> Line<T> {
    /// Takes a connected transport; a part of the answer may take `timeout`, and so may a send.
    pub(super) const fn new(transport: T, timeout: Duration) -> Self {
        Self {
            transport,
            buffer: Vec::new(),
            taken: 0,
            timeout,
            deadline: timeout,
            is_late: false,
            is_mute: false,
            unsent: 0,
        }
    }

    /// How long a part of the answer may take, and a send.
    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends `bytes`. A server that has closed the connection is no error: its answer up to then counts.
    pub(super) fn say(&mut self, bytes: &[u8]) {
        let sent =
            if self.is_mute { Sent::Only(0) } else { self.transport.send(bytes, self.next_deadline()) };
        match sent {
            Sent::All => {}
            Sent::Gone => self.is_mute = true,
            // After a server that has gone, nothing is counted.
            Sent::Only(len) if !self.is_mute || self.unsent > 0 => {
                self.is_mute = true;
                self.unsent += bytes.len() - len;
            }
            Sent::Only(_) => {}
        }
    }

    /// How many bytes the server did not read in time.
    pub(super) const fn unsent(&self) -> usize {
        self.unsent
    }

    /// Says that nothing more will be said.
    pub(super) fn fall_silent(&mut self) {
        self.is_mute = true;
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

    /// Waits until `len` bytes can be had from [`heard`](Self::heard), or the deadline of the part comes.
    pub(super) fn wait_for(&mut self, len: usize) -> Heard {
        while self.heard().len() < len {
            if self.is_late {
                return Heard::Silence;
            }
            // What came in time counts, although this process may have been stopped meanwhile.
            self.is_late = self.transport.now() >= self.deadline;
            self.drop_taken();
            if self.transport.receive(&mut self.buffer, self.deadline) == Received::End {
                return Heard::End;
            }
        }
        Heard::Enough
    }

    /// Returns whether the deadline of the part has passed, whatever has come until then.
    pub(super) fn is_overdue(&self) -> bool {
        self.transport.now() >= self.deadline
    }

    /// What was heard and not yet taken.
    pub(super) fn heard(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }

    /// Takes the first `len` bytes of what was heard.
    pub(super) fn take(&mut self, len: usize) {
        self.taken = self.taken.saturating_add(len).min(self.buffer.len());
    }

    fn next_deadline(&self) -> Duration {
        self.transport.now().saturating_add(self.timeout)
    }

    /// Frees the room of what was taken. It is done once per receive, for a small frame is not worth it.
    fn drop_taken(&mut self) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
    }
}
