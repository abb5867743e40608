//! How the loop learns which streams, listeners and pipes are ready.
//!
//! `mio` does the work. It is named in this folder only, so that the rest of the crate depends on few of its
//! names.

use std::{io, time::Duration};

use mio::{Interest, event::Source};

/// The number that identifies a stream, a listener or a pipe in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token(pub(crate) usize);

impl From<Token> for mio::Token {
    #[inline]
    fn from(Token(number): Token) -> Self {
        Self(number)
    }
}

/// Waits until something is ready.
#[derive(Debug)]
pub(crate) struct Poll(mio::Poll);

impl Poll {
    pub(crate) fn new() -> io::Result<Self> {
        mio::Poll::new().map(Self)
    }

    /// Returns the registry, with which streams are registered.
    pub(crate) fn registry(&self) -> io::Result<PollRegistry> {
        self.0.registry().try_clone().map(PollRegistry)
    }

    /// Waits for events, for at most `timeout`; without a timeout it waits without a limit.
    ///
    /// # Errors
    ///
    /// `Interrupted` after a signal; any other error if the operating system refuses to poll.
    pub(crate) fn wait(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        self.0.poll(&mut events.0, timeout)
    }

    /// Registers `source`: the poll then reports when it can be read.
    pub(super) fn register_readable(&self, source: &mut impl Source, token: Token) -> io::Result<()> {
        self.0.registry().register(source, token.into(), Interest::READABLE)
    }
}

/// Registers streams with the poll.
#[derive(Debug)]
pub(crate) struct PollRegistry(mio::Registry);

impl PollRegistry {
    /// Registers `source`: the poll then reports when it can be read.
    pub(super) fn register_readable(&self, source: &mut impl Source, token: Token) -> io::Result<()> {
        self.0.register(source, token.into(), Interest::READABLE)
    }

    /// Registers `source` for both: the poll then also reports room to write.
    pub(super) fn register_writable(&self, source: &mut impl Source, token: Token) -> io::Result<()> {
        self.0.reregister(source, token.into(), Interest::READABLE | Interest::WRITABLE)
    }
}

/// The events of one wait.
#[derive(Debug)]
pub(crate) struct Events(mio::Events);

impl Events {
    /// Returns a buffer with room for `capacity` events of one wait.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(mio::Events::with_capacity(capacity))
    }

    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = Ready> {
        self.0.iter().map(Ready::of)
    }
}

/// One event: the state of one stream, listener or pipe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) token: Token,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The peer has closed its side, or the socket has an error: a read returns which.
    pub(crate) hang_up: bool,
}

impl Ready {
    #[inline]
    fn of(event: &mio::event::Event) -> Self {
        Self {
            token: Token(event.token().0),
            readable: event.is_readable(),
            writable: event.is_writable(),
            hang_up: event.is_read_closed() || event.is_error(),
        }
    }
}

/// Ends a wait from another thread.
#[derive(Debug)]
pub(crate) struct Waker(mio::Waker);

impl Waker {
    /// Returns a waker whose events have this token.
    pub(crate) fn new(poll: &Poll, token: Token) -> io::Result<Self> {
        mio::Waker::new(poll.0.registry(), token.into()).map(Self)
    }

    pub(crate) fn wake(&self) -> io::Result<()> {
        self.0.wake()
    }
}
