//! A message to send, borrowed or owned. Every call that sends accepts a value that converts into one.

use std::borrow::Cow;

use crate::{
    hub::{ConnId, Hub, SendStatus},
    protocol::{Message, OwnedMessage, Prepared},
};

/// A message to send: text or bytes, borrowed or owned.
///
/// Text becomes a text message, bytes become a binary one. A received [`Message`] keeps its kind. The bytes
/// of an owned message are not copied when they wait for a slow peer, so pass messages by value where
/// possible.
///
/// ```
/// use std::borrow::Cow;
/// use wirehook::{Message, Outgoing};
///
/// let text = String::from("hi");
/// assert_eq!(Outgoing::from("hi").as_message(), Message::Text("hi"));
/// assert_eq!(Outgoing::from(&text).as_message(), Message::Text("hi"));
/// assert_eq!(Outgoing::from(Cow::from("hi")).as_message(), Message::Text("hi"));
/// assert_eq!(Outgoing::from(text).as_message(), Message::Text("hi"));
/// assert_eq!(Outgoing::from(&[1, 2]).as_message(), Message::Binary(&[1, 2]));
/// assert_eq!(Outgoing::from(vec![1, 2]).as_message(), Message::Binary(&[1, 2]));
/// ```
#[derive(Clone, Debug)]
pub enum Outgoing<'m> {
    /// The sender keeps the bytes.
    Borrowed(Message<'m>),
    /// The bytes move to the server.
    Owned(OwnedMessage),
    /// The sender keeps the bytes, and they are not compressed; see [`uncompressed`](Self::uncompressed).
    Uncompressed(Message<'m>),
}

impl<'m> Outgoing<'m> {
    /// Returns a message that is sent as it is also where compression was negotiated, and that no compressed
    /// message refers to. It is for secrets: the length of compressed data tells something about its content.
    ///
    /// ```
    /// # let talk = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/talk.rs"));
    /// use wirehook::{Outgoing, Server};
    ///
    /// let server = Server::bind("127.0.0.1:0")?.on_open(|ws, _| {
    ///     ws.send(Outgoing::uncompressed("the token"));
    /// });
    /// assert_eq!(talk(server, b"")?, b"\x81\x09the token\x88\x00");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn uncompressed(message: impl Into<Message<'m>>) -> Self {
        Self::Uncompressed(message.into())
    }
}

impl Outgoing<'_> {
    /// Returns the message, borrowed.
    pub fn as_message(&self) -> Message<'_> {
        match self {
            Self::Borrowed(message) | Self::Uncompressed(message) => *message,
            Self::Owned(message) => message.as_message(),
        }
    }

    /// Returns whether the message is never compressed.
    pub(crate) const fn is_uncompressed(&self) -> bool {
        matches!(self, Self::Uncompressed(_))
    }

    /// Encodes the message once for many receivers.
    pub(crate) fn prepare(&self) -> Prepared {
        let prepared = Prepared::new(self.as_message());
        if self.is_uncompressed() { prepared.uncompressed() } else { prepared }
    }

    /// Sends the message to a connection. Owned bytes move to it.
    // Inlined into the hook: the compiler removes the other branch for a borrowed message.
    #[inline(always)]
    pub(crate) fn send<S>(self, hub: &mut Hub<S>, id: ConnId) -> SendStatus {
        match self {
            Self::Borrowed(message) => hub.send(id, message),
            Self::Uncompressed(message) => hub.send_uncompressed(id, message),
            Self::Owned(message) => hub.send_owned(id, message),
        }
    }
}

impl<'m, T: Into<Message<'m>>> From<T> for Outgoing<'m> {
    #[inline]
    fn from(message: T) -> Self {
        Self::Borrowed(message.into())
    }
}

impl From<OwnedMessage> for Outgoing<'_> {
    fn from(message: OwnedMessage) -> Self {
        Self::Owned(message)
    }
}

impl From<String> for Outgoing<'_> {
    fn from(text: String) -> Self {
        Self::Owned(OwnedMessage::Text(text))
    }
}

impl From<Vec<u8>> for Outgoing<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Owned(OwnedMessage::Binary(bytes))
    }
}

impl<'m> From<Cow<'m, str>> for Outgoing<'m> {
    fn from(text: Cow<'m, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}
