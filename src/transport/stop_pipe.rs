//! A pipe whose other end asks the server to stop: the poll of the loop watches it, so no thread has to wait
//! for it.
//!
//! This file knows when the pipe was written to or closed. It refuses to know what follows.

#[cfg(unix)]
pub(crate) use unix::StopPipe;

/// Other systems have no such pipe.
#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) enum StopPipe {}

#[cfg(not(unix))]
impl StopPipe {
    pub(crate) fn is_asked_for(&self) -> bool {
        match *self {}
    }
}

#[cfg(unix)]
mod unix {
    use std::{
        io::{self, ErrorKind, Read as _},
        os::unix::net,
    };

    use mio::net::UnixStream;

    use crate::transport::{Poll, Token};

    /// The end of the pipe that the loop polls.
    #[derive(Debug)]
    pub(crate) struct StopPipe(UnixStream);

    impl StopPipe {
        pub(crate) fn new(pipe: net::UnixStream, poll: &Poll, token: Token) -> io::Result<Self> {
            pipe.set_nonblocking(true)?;
            let mut pipe = UnixStream::from_std(pipe);
            poll.register_readable(&mut pipe, token)?;
            Ok(Self(pipe))
        }

        /// Returns whether the other end was written to or closed.
        pub(crate) fn is_asked_for(&self) -> bool {
            // The poll reports the event once. So a read that a signal interrupts is repeated.
            let result = { &self.0 }.read_exact(&mut [0]);
            !result.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        }
    }
}
