//! What a client of a test has received.

use crate::CloseCode;

/// What a [`Client`](super::Client) has received. A text is equal to a string.
///
/// ```
/// use wirehook::testing::{Received, World, server};
///
/// let mut world = World::new(server().on_open(|ws, _| {
///     ws.send("hello");
///     ws.send(&[1, 2]);
///     ws.close(1000, "bye");
/// }));
/// let received = world.connect("/").received();
/// assert_eq!(received[0], "hello");
/// assert_eq!(received[1..], [Received::Binary(vec![1, 2]), Received::close(1000, "bye")]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// The answer to a ping.
    Pong(Vec<u8>),
    /// A Close: its code and its reason. One without a code has 1005 (§7.1.5).
    Close(CloseCode, String),
}

impl Received {
    /// Returns a text message. Example: [`Client`](super::Client).
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Returns the answer to a ping. Example: [`Client`](super::Client).
    pub fn pong(payload: impl AsRef<[u8]>) -> Self {
        Self::Pong(payload.as_ref().to_vec())
    }

    /// Returns a Close. Example: [`Client`](super::Client).
    pub fn close(code: impl Into<CloseCode>, reason: impl Into<String>) -> Self {
        Self::Close(code.into(), reason.into())
    }
}

impl PartialEq<str> for Received {
    fn eq(&self, other: &str) -> bool {
        matches!(self, Self::Text(text) if text == other)
    }
}

impl PartialEq<&str> for Received {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl PartialEq<String> for Received {
    fn eq(&self, other: &String) -> bool {
        *self == **other
    }
}
