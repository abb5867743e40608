//! What ends the server from outside without a thread that waits for it: the end of a pipe, in the loop's own poll.
//!
//! This file knows when the pipe has spoken. It refuses to know who holds its other end, and what the end looks like.

#[cfg(unix)]
pub(super) use unix::Stop;

/// There are no such pipes here.
#[cfg(not(unix))]
#[derive(Debug)]
pub(super) enum Stop {}

#[cfg(not(unix))]
impl Stop {
    pub(super) fn is_asked_for(&self) -> bool {
        match *self {}
    }
}

#[cfg(unix)]
mod unix {
    use std::{
        io::{self, ErrorKind, Read},
        os::unix::net,
    };

    use mio::{Interest, Registry, Token, net::UnixStream};

    /// The end of a pipe that is listened at.
    #[derive(Debug)]
    pub(in crate::server) struct Stop(UnixStream);

    impl Stop {
        pub(in crate::server) fn new(
            pipe: net::UnixStream,
            poll: &Registry,
            token: Token,
        ) -> io::Result<Self> {
            pipe.set_nonblocking(true)?;
            let mut pipe = UnixStream::from_std(pipe);
            poll.register(&mut pipe, token, Interest::READABLE)?;
            Ok(Self(pipe))
        }

        /// Whether something was said, or the other end is closed.
        pub(in crate::server) fn is_asked_for(&self) -> bool {
            // The event comes once, so a signal that interrupts the read must not lose it: this reads again.
            let heard = { &self.0 }.read_exact(&mut [0]);
            !heard.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        }
    }
}
