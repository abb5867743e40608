//! §5.6 Messages, and the events that a receiver makes of frames.
//!
//! This file contains plain enums: two borrow their bytes, and one owns them.

use super::{close::CloseFrame, frame::OpCode};

/// A whole message (§5.6): text, which is always valid UTF-8, or bytes.
///
/// Both borrow: from the read buffer if a frame arrived in one piece, or else from the receiver.
///
/// ```
/// use wirehook::{Message, protocol::OpCode};
///
/// assert_eq!(Message::from("hi"), Message::Text("hi"));
/// assert_eq!(Message::from(&[1u8, 2][..]), Message::Binary(&[1, 2]));
/// assert_eq!(Message::from(&format!("{}!", 1)).as_bytes(), b"1!");
///
/// let message = Message::from("grüße");
/// assert_eq!((message.opcode(), message.len(), message.is_empty()), (OpCode::Text, 7, false));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Opcode 0x1.
    Text(&'a str),
    /// Opcode 0x2.
    Binary(&'a [u8]),
}

impl<'a> Message<'a> {
    /// Returns the payload, whatever its kind.
    #[inline]
    pub const fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Returns the text, if it is one.
    ///
    /// ```
    /// # use wirehook::Message;
    /// assert_eq!(Message::Text("hi").as_text(), Some("hi"));
    /// assert_eq!(Message::Binary(b"hi").as_text(), None); // the same bytes, but the sender calls them binary
    /// ```
    pub const fn as_text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Returns the number of payload bytes.
    #[inline]
    pub const fn len(self) -> usize {
        self.as_bytes().len()
    }

    /// Returns whether the payload is empty, which the RFC allows.
    pub const fn is_empty(self) -> bool {
        self.as_bytes().is_empty()
    }

    /// Returns the opcode of its first frame.
    #[inline]
    pub const fn opcode(self) -> OpCode {
        match self {
            Self::Text(_) => OpCode::Text,
            Self::Binary(_) => OpCode::Binary,
        }
    }
}

impl<'a> From<&'a str> for Message<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Message<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Message<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Binary(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Message<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Binary(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Message<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

impl<'a> From<&'a OwnedMessage> for Message<'a> {
    fn from(message: &'a OwnedMessage) -> Self {
        message.as_message()
    }
}

/// A message that owns its bytes (§5.6).
///
/// ```
/// use wirehook::protocol::{Message, OwnedMessage};
///
/// let kept: Vec<OwnedMessage> = [Message::Text("hi"), Message::Binary(&[1, 2])].map(OwnedMessage::from).into();
/// assert_eq!(kept, [OwnedMessage::Text("hi".into()), OwnedMessage::Binary(vec![1, 2])]);
/// assert_eq!(kept[0].as_message(), Message::Text("hi"));
/// ```
///
/// [`Receiver::take_message`](super::Receiver::take_message) returns one without a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnedMessage {
    /// Opcode 0x1.
    Text(String),
    /// Opcode 0x2.
    Binary(Vec<u8>),
}

impl OwnedMessage {
    /// Returns the same message, borrowed.
    pub fn as_message(&self) -> Message<'_> {
        match self {
            Self::Text(text) => Message::Text(text),
            Self::Binary(bytes) => Message::Binary(bytes),
        }
    }
}

impl AsRef<[u8]> for OwnedMessage {
    fn as_ref(&self) -> &[u8] {
        self.as_message().as_bytes()
    }
}

impl From<Message<'_>> for OwnedMessage {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.to_owned()),
            Message::Binary(bytes) => Self::Binary(bytes.to_vec()),
        }
    }
}

/// What a receiver found in its input, in the order of arrival.
///
/// ```
/// use wirehook::protocol::{Event, Limits, Message, Receiver};
///
/// let mut receiver = Receiver::new(&Limits::default());
/// // "He", a ping, "y": the ping comes between the fragments, and the message when it is whole (§5.4).
/// let mut bytes = *b"\x01\x82\0\0\0\0He\x89\x81\0\0\0\0?\x80\x81\0\0\0\0y";
/// let mut input = &mut bytes[..];
/// assert_eq!(receiver.next_event(&mut input)?, Some(Event::Ping(b"?")));
/// assert_eq!(receiver.next_event(&mut input)?, Some(Event::Message(Message::Text("Hey"))));
/// # Ok::<(), wirehook::protocol::ProtocolError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole message (§5.6).
    Message(Message<'a>),
    /// A ping; its answer is a pong with the same payload (§5.5.2).
    Ping(&'a [u8]),
    /// A pong: the answer to a ping, or unsolicited (§5.5.3).
    Pong(&'a [u8]),
    /// The peer's Close (§5.5.1), the last event of a connection; `None` if it had no body.
    Close(Option<CloseFrame<'a>>),
}
