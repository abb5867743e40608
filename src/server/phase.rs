//! How far a connection has come, as its receiving side sees it.

#[cfg(feature = "deflate")]
use super::compressed::CompressedInput;
use super::{held::Held, opening::Opening};
use crate::protocol::{Client, Receiver, RequestReader};

/// What the next input is.
#[derive(Debug)]
pub(super) enum Phase {
    /// A request for a WebSocket.
    Request(RequestReader),
    Frames(Receiver),
    /// The answer to a request of our own.
    Answer(Box<Opening>),
    /// Frames of a server that this program has connected to.
    FromServer(Receiver<Client>),
    /// Frames of messages that may be compressed.
    #[cfg(feature = "deflate")]
    Compressed(Box<CompressedInput>),
    #[cfg(feature = "deflate")]
    CompressedFromServer(Box<CompressedInput<Client>>),
    /// What follows a request that waits for its answer.
    Held(Box<Held>),
    /// Of no interest.
    Nothing,
}

impl Default for Phase {
    fn default() -> Self {
        Self::Request(RequestReader::default())
    }
}
