//! A stream for tests that does what it is told: each read and each write has its outcome written down before.
//!
//! This file knows no protocol. Without a script a read would block and a write takes everything.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io::{self, ErrorKind},
    rc::Rc,
};

/// One end of a scripted stream; clones are the same one, so that a test keeps hold of what the server has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    reads: RefCell<VecDeque<io::Result<Vec<u8>>>>,
    writes: RefCell<VecDeque<io::Result<usize>>>,
    register_fails: Cell<bool>,
    /// While it is full every write without a script would block.
    is_full: Cell<bool>,
    written: RefCell<Vec<u8>>,
    write_calls: Cell<usize>,
    is_write_closed: Cell<bool>,
}

impl Script {
    /// The next read brings these bytes; none is the end of the stream.
    pub(crate) fn will_read(&self, bytes: &[u8]) {
        self.0.reads.borrow_mut().push_back(Ok(bytes.to_vec()));
    }

    pub(crate) fn read_will_fail(&self, error: ErrorKind) {
        self.0.reads.borrow_mut().push_back(Err(error.into()));
    }

    /// The next write takes so many bytes, or all if there are fewer.
    pub(crate) fn will_take(&self, len: usize) {
        self.0.writes.borrow_mut().push_back(Ok(len));
    }

    pub(crate) fn write_will_fail(&self, error: ErrorKind) {
        self.0.writes.borrow_mut().push_back(Err(error.into()));
    }

    pub(crate) fn set_full(&self, is_full: bool) {
        self.0.is_full.set(is_full);
    }

    pub(crate) fn registering_will_fail(&self) {
        self.0.register_fails.set(true);
    }

    /// All bytes that were written since the last call.
    pub(crate) fn take_written(&self) -> Vec<u8> {
        self.0.written.take()
    }

    /// How often something was written or tried.
    pub(crate) fn write_calls(&self) -> usize {
        self.0.write_calls.get()
    }

    pub(crate) fn is_write_closed(&self) -> bool {
        self.0.is_write_closed.get()
    }

    /// Whether the server has let go of its end.
    pub(crate) fn is_dropped(&self) -> bool {
        Rc::strong_count(&self.0) == 1
    }

    pub(super) fn register(&self) -> io::Result<()> {
        if self.0.register_fails.get() { Err(ErrorKind::OutOfMemory.into()) } else { Ok(()) }
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut reads = self.0.reads.borrow_mut();
        let bytes = reads.pop_front().unwrap_or_else(|| Err(ErrorKind::WouldBlock.into()))?;
        let len = bytes.len().min(buffer.len());
        buffer[..len].copy_from_slice(&bytes[..len]);
        if len < bytes.len() {
            reads.push_front(Ok(bytes[len..].to_vec()));
        }
        Ok(len)
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.is_write_closed(), "nothing is written after the stream was closed for writing");
        self.0.write_calls.set(self.0.write_calls.get() + 1);
        let script = self.0.writes.borrow_mut().pop_front();
        let len = match script {
            Some(outcome) => outcome?.min(bytes.len()),
            None if self.0.is_full.get() => return Err(ErrorKind::WouldBlock.into()),
            None => bytes.len(),
        };
        self.0.written.borrow_mut().extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    pub(super) fn shutdown_write(&self) {
        self.0.is_write_closed.set(true);
    }
}
