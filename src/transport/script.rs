//! A stream for tests that does what it is told: each read and each write has its outcome written down before.
//!
//! This file knows no protocol. Without a script a read would block and a write takes everything.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io::{self, ErrorKind},
    rc::Rc,
};

/// A scripted stream. The test keeps one end and gives the [server's](Self::servers_end) away.
#[derive(Debug, Default)]
pub(crate) struct Script {
    inner: Rc<Inner>,
    is_servers: bool,
}

#[derive(Debug, Default)]
struct Inner {
    reads: RefCell<VecDeque<io::Result<Vec<u8>>>>,
    writes: RefCell<VecDeque<io::Result<usize>>>,
    register_fails: Cell<bool>,
    /// While it is full every write without a script would block.
    is_full: Cell<bool>,
    is_reset: Cell<bool>,
    written: RefCell<Vec<u8>>,
    /// How many bytes were read and written in all.
    read_len: Cell<u64>,
    written_len: Cell<u64>,
    /// Some write has not taken all that it was given.
    has_refused: Cell<bool>,
    read_calls: Cell<usize>,
    write_calls: Cell<usize>,
    is_write_closed: Cell<bool>,
    is_dropped: Cell<bool>,
}

impl Clone for Script {
    /// Another hold of the test's end.
    fn clone(&self) -> Self {
        Self { inner: Rc::clone(&self.inner), is_servers: false }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if self.is_servers {
            self.inner.is_dropped.set(true);
        }
    }
}

impl Script {
    /// The end that the server is given.
    pub(crate) fn servers_end(&self) -> Self {
        Self { inner: Rc::clone(&self.inner), is_servers: true }
    }

    /// These bytes have arrived; none is the end of the stream.
    pub(crate) fn will_read(&self, bytes: &[u8]) {
        self.inner.reads.borrow_mut().push_back(Ok(bytes.to_vec()));
    }

    pub(crate) fn read_will_fail(&self, error: ErrorKind) {
        self.inner.reads.borrow_mut().push_back(Err(error.into()));
    }

    /// The next write takes so many bytes, or all if there are fewer.
    pub(crate) fn will_take(&self, len: usize) {
        self.inner.writes.borrow_mut().push_back(Ok(len));
    }

    pub(crate) fn write_will_fail(&self, error: ErrorKind) {
        self.inner.writes.borrow_mut().push_back(Err(error.into()));
    }

    pub(crate) fn set_full(&self, is_full: bool) {
        self.inner.is_full.set(is_full);
    }

    pub(crate) fn set_registering_fails(&self, fails: bool) {
        self.inner.register_fails.set(fails);
    }

    /// The connection is gone: whatever was to come, every read and every write fails from now on.
    pub(crate) fn reset(&self) {
        self.inner.reads.borrow_mut().clear();
        self.inner.writes.borrow_mut().clear();
        self.inner.is_reset.set(true);
    }

    /// All bytes that were written since the last call.
    pub(crate) fn take_written(&self) -> Vec<u8> {
        self.inner.written.take()
    }

    /// How often something was read or tried.
    pub(crate) fn read_calls(&self) -> usize {
        self.inner.read_calls.get()
    }

    /// How many bytes were read in all.
    pub(crate) fn read_len(&self) -> u64 {
        self.inner.read_len.get()
    }

    /// How many bytes were written in all.
    pub(crate) fn written_len(&self) -> u64 {
        self.inner.written_len.get()
    }

    /// Whether some write has not taken all that it was given.
    pub(crate) fn has_refused(&self) -> bool {
        self.inner.has_refused.get()
    }

    /// Whether there is something that was not read yet.
    pub(crate) fn is_unread(&self) -> bool {
        !self.inner.reads.borrow().is_empty()
    }

    /// How often something was written or tried.
    pub(crate) fn write_calls(&self) -> usize {
        self.inner.write_calls.get()
    }

    pub(crate) fn is_write_closed(&self) -> bool {
        self.inner.is_write_closed.get()
    }

    /// Whether the server has let go of its end.
    pub(crate) fn is_dropped(&self) -> bool {
        self.inner.is_dropped.get()
    }

    pub(super) fn register(&self) -> io::Result<()> {
        if self.inner.register_fails.get() { Err(ErrorKind::OutOfMemory.into()) } else { Ok(()) }
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read_calls.set(self.inner.read_calls.get() + 1);
        if self.inner.is_reset.get() {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let mut reads = self.inner.reads.borrow_mut();
        let mut len = 0;
        // Like a socket it gives all that there is, up to an end or an error, which is a read of its own.
        while len < buffer.len() {
            match reads.pop_front() {
                Some(Ok(mut bytes)) if !bytes.is_empty() => {
                    let taken = bytes.len().min(buffer.len() - len);
                    buffer[len..len + taken].copy_from_slice(&bytes[..taken]);
                    len += taken;
                    if taken < bytes.len() {
                        reads.push_front(Ok(bytes.split_off(taken)));
                    }
                }
                Some(end) if len > 0 => {
                    reads.push_front(end);
                    break;
                }
                Some(end) => return end.map(|_| 0),
                None if len > 0 => break,
                None => return Err(ErrorKind::WouldBlock.into()),
            }
        }
        self.inner.read_len.set(self.inner.read_len.get() + len as u64);
        Ok(len)
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.is_write_closed(), "nothing is written after the stream was closed for writing");
        self.inner.write_calls.set(self.inner.write_calls.get() + 1);
        let refused_before = self.inner.has_refused.replace(true);
        if self.inner.is_reset.get() {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let script = self.inner.writes.borrow_mut().pop_front();
        let len = match script {
            Some(outcome) => outcome?.min(bytes.len()),
            None if self.inner.is_full.get() => return Err(ErrorKind::WouldBlock.into()),
            None => bytes.len(),
        };
        self.inner.written.borrow_mut().extend_from_slice(&bytes[..len]);
        self.inner.written_len.set(self.inner.written_len.get() + len as u64);
        self.inner.has_refused.set(refused_before || len < bytes.len());
        Ok(len)
    }

    pub(super) fn shutdown_write(&self) {
        self.inner.is_write_closed.set(true);
    }
}
