//! A stream for tests: the test says before what each read and each write does.
//!
//! This file knows no protocol. Without a script a read would block and a write takes all bytes.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io::{self, ErrorKind},
    rc::Rc,
};

use super::Token;

/// A scripted stream. The test keeps one end and gives the [server's](Self::servers_end) away.
#[derive(Debug, Default)]
pub(crate) struct Script {
    inner: Rc<Inner>,
    is_servers: bool,
}

#[derive(Debug, Default)]
struct Inner {
    reads: RefCell<VecDeque<ScriptedRead>>,
    writes: RefCell<VecDeque<io::Result<usize>>>,
    register_fails: Cell<bool>,
    /// The token of the stream's registration.
    token: Cell<Option<Token>>,
    /// Whether the socket is full: then every write without a script would block.
    is_full: Cell<bool>,
    is_reset: Cell<bool>,
    /// Whether writes keep their bytes until a flush.
    keeps: Cell<bool>,
    kept: RefCell<Vec<u8>>,
    written: RefCell<Vec<u8>>,
    /// How many bytes were read and written in all.
    read_len: Cell<u64>,
    written_len: Cell<u64>,
    /// Whether a write has refused some of its bytes.
    has_refused: Cell<bool>,
    read_calls: Cell<usize>,
    write_calls: Cell<usize>,
    is_write_closed: Cell<bool>,
    is_dropped: Cell<bool>,
}

/// What a read finds.
#[derive(Debug)]
enum ScriptedRead {
    /// No bytes are the end of the stream.
    Bytes(Vec<u8>),
    /// Bytes of the transport's own, with none for the receiver.
    Nothing,
    Failure(ErrorKind),
}

impl Clone for Script {
    /// Returns another handle of the test's end.
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
    /// Returns the server's end.
    pub(crate) fn servers_end(&self) -> Self {
        Self { inner: Rc::clone(&self.inner), is_servers: true }
    }

    /// Adds bytes that have arrived; no bytes are the end of the stream.
    pub(crate) fn will_read(&self, bytes: &[u8]) {
        self.inner.reads.borrow_mut().push_back(ScriptedRead::Bytes(bytes.to_vec()));
    }

    /// Adds a read whose bytes bring the receiver nothing yet.
    pub(crate) fn will_read_nothing(&self) {
        self.inner.reads.borrow_mut().push_back(ScriptedRead::Nothing);
    }

    pub(crate) fn read_will_fail(&self, error: ErrorKind) {
        self.inner.reads.borrow_mut().push_back(ScriptedRead::Failure(error));
    }

    /// Adds a write that takes `len` bytes, or all if there are fewer.
    pub(crate) fn will_take(&self, len: usize) {
        self.inner.writes.borrow_mut().push_back(Ok(len));
    }

    pub(crate) fn write_will_fail(&self, error: ErrorKind) {
        self.inner.writes.borrow_mut().push_back(Err(error.into()));
    }

    pub(crate) fn set_full(&self, is_full: bool) {
        self.inner.is_full.set(is_full);
    }

    /// Sets whether writes take all bytes and keep them until a flush, as TLS does with a record that the
    /// socket refuses.
    pub(crate) fn set_keeps(&self, keeps: bool) {
        self.inner.keeps.set(keeps);
    }

    /// Adds bytes of the stream's own, as TLS does with the answer to a handshake or to a key update.
    pub(crate) fn keep(&self, bytes: &[u8]) {
        self.inner.kept.borrow_mut().extend_from_slice(bytes);
    }

    pub(crate) fn set_registering_fails(&self, fails: bool) {
        self.inner.register_fails.set(fails);
    }

    /// Resets the connection: every later read and write fails.
    pub(crate) fn reset(&self) {
        self.inner.reads.borrow_mut().clear();
        self.inner.writes.borrow_mut().clear();
        self.inner.is_reset.set(true);
    }

    /// Returns all bytes that were written since the last call.
    pub(crate) fn take_written(&self) -> Vec<u8> {
        self.inner.written.take()
    }

    /// Returns how many reads there were, failed ones too.
    pub(crate) fn read_calls(&self) -> usize {
        self.inner.read_calls.get()
    }

    /// Returns how many bytes were read in all.
    pub(crate) fn read_len(&self) -> u64 {
        self.inner.read_len.get()
    }

    /// Returns how many bytes of the server were written in all; the stream's own are left out.
    pub(crate) fn written_len(&self) -> u64 {
        self.inner.written_len.get()
    }

    /// Returns whether a write has refused some of its bytes.
    pub(crate) fn has_refused(&self) -> bool {
        self.inner.has_refused.get()
    }

    /// Returns whether there is input that was not read yet.
    pub(crate) fn is_unread(&self) -> bool {
        !self.inner.reads.borrow().is_empty()
    }

    /// Returns how many writes there were, failed ones too.
    pub(crate) fn write_calls(&self) -> usize {
        self.inner.write_calls.get()
    }

    pub(crate) fn is_write_closed(&self) -> bool {
        self.inner.is_write_closed.get()
    }

    /// Returns whether the server has dropped its end.
    pub(crate) fn is_dropped(&self) -> bool {
        self.inner.is_dropped.get()
    }

    /// Returns the token of the events for this stream, once the server has registered it.
    pub(crate) fn token(&self) -> Option<Token> {
        self.inner.token.get()
    }

    pub(super) fn register(&self, token: Token) -> io::Result<()> {
        if self.inner.register_fails.get() {
            return Err(ErrorKind::OutOfMemory.into());
        }
        self.inner.token.set(Some(token));
        Ok(())
    }

    /// Returns whether the next read brings nothing, and consumes that read.
    pub(super) fn reads_nothing(&self) -> bool {
        let mut reads = self.inner.reads.borrow_mut();
        let is_nothing = matches!(reads.front(), Some(ScriptedRead::Nothing));
        if is_nothing {
            reads.pop_front();
            self.inner.read_calls.set(self.inner.read_calls.get() + 1);
        }
        is_nothing
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read_calls.set(self.inner.read_calls.get() + 1);
        if self.inner.is_reset.get() {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let mut reads = self.inner.reads.borrow_mut();
        let mut len = 0;
        // As a socket does: all bytes up to an end or an error, which is a read of its own.
        while len < buffer.len() {
            match reads.pop_front() {
                Some(ScriptedRead::Bytes(mut bytes)) if !bytes.is_empty() => {
                    let taken = bytes.len().min(buffer.len() - len);
                    buffer[len..len + taken].copy_from_slice(&bytes[..taken]);
                    len += taken;
                    if taken < bytes.len() {
                        reads.push_front(ScriptedRead::Bytes(bytes.split_off(taken)));
                    }
                }
                Some(end) if len > 0 => {
                    reads.push_front(end);
                    break;
                }
                Some(ScriptedRead::Failure(error)) => return Err(error.into()),
                Some(_) => return Ok(0),
                None if len > 0 => break,
                None => return Err(ErrorKind::WouldBlock.into()),
            }
        }
        self.inner.read_len.set(self.inner.read_len.get() + len as u64);
        Ok(len)
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.is_write_closed(), "nothing is written after the stream was closed for writing");
        let len = if self.inner.keeps.get() {
            self.flush()?;
            self.keep(bytes);
            bytes.len()
        } else {
            self.write_out(bytes)?
        };
        self.inner.written_len.set(self.inner.written_len.get() + len as u64);
        Ok(len)
    }

    /// Returns whether there are bytes that only a flush writes.
    pub(super) fn wants_write(&self) -> bool {
        !self.inner.kept.borrow().is_empty()
    }

    pub(super) fn flush(&self) -> io::Result<()> {
        while self.wants_write() {
            let len = self.write_out(&self.inner.kept.borrow())?;
            self.inner.kept.borrow_mut().drain(..len);
        }
        Ok(())
    }

    /// Writes as many bytes as the script allows.
    fn write_out(&self, bytes: &[u8]) -> io::Result<usize> {
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
        self.inner.has_refused.set(refused_before || len < bytes.len());
        Ok(len)
    }

    pub(super) fn shutdown_write(&self) {
        assert!(!self.wants_write(), "the stream is closed for writing after all that it holds was written");
        self.inner.is_write_closed.set(true);
    }
}
