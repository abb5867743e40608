//! §5.6 One message for many receivers: encoded once, however many it is sent to.
//!
//! This file knows the message's kind, its plain bytes and its frame. It refuses to know the receivers: each
//! asks for the frame with its own framing.

#[cfg(feature = "deflate")]
use super::{
    frame::FrameHeader,
    framing::{self, Beginning},
    role::Server,
};
use super::{frame::OpCode, framing::Framing, message::Message};

/// A message that is encoded once and sent to many.
///
/// ```
/// use wirehook::protocol::{Message, OpCode, Prepared, Sender};
///
/// let prepared = Prepared::new(Message::Text("Hello"));
/// assert_eq!((prepared.opcode(), prepared.payload()), (OpCode::Text, &b"Hello"[..]));
/// assert_eq!(prepared.memory(), 7);
///
/// let receivers = [Sender::default(), Sender::default()];
/// for framing in receivers.iter().filter_map(Sender::framing) {
///     assert_eq!(prepared.frame(framing), b"\x81\x05Hello"); // the same bytes, not a copy
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Prepared {
    opcode: OpCode,
    /// The frame: a header, then the plain bytes of the message.
    frame: Box<[u8]>,
    payload_at: usize,
    /// It is sent as it is, whatever the receivers have negotiated.
    is_uncompressed: bool,
}

impl Prepared {
    /// Encodes a message. Example: [`Prepared`].
    pub fn new(message: Message<'_>) -> Self {
        let framing = Framing::SERVER;
        let len = framing.message_len(message);
        let mut frame = Vec::with_capacity(len);
        framing.message(message, &mut frame);
        Self {
            opcode: message.opcode(),
            frame: frame.into_boxed_slice(),
            payload_at: len - message.len(),
            is_uncompressed: false,
        }
    }

    /// Has the message sent as it is, also to receivers with which compression was negotiated.
    ///
    /// ```
    /// use wirehook::protocol::{Message, Prepared};
    ///
    /// let prepared = Prepared::new(Message::Text("the token")).uncompressed();
    /// assert!(prepared.is_uncompressed());
    /// ```
    #[must_use]
    pub const fn uncompressed(mut self) -> Self {
        self.is_uncompressed = true;
        self
    }

    /// Returns whether the message is never compressed. Example: [`uncompressed`](Self::uncompressed).
    pub const fn is_uncompressed(&self) -> bool {
        self.is_uncompressed
    }

    /// Makes a server's frame of a payload that was compressed.
    #[cfg(feature = "deflate")]
    pub(super) fn with_payload(first: Beginning, payload: &[u8]) -> Self {
        let mut frame = Vec::with_capacity(payload.len() + FrameHeader::MAX_LEN);
        framing::frame(&mut Server, first, payload, &mut frame);
        let payload_at = frame.len() - payload.len();
        Self { opcode: first.opcode, frame: frame.into_boxed_slice(), payload_at, is_uncompressed: false }
    }

    /// Returns whether the message is text or binary, as its opcode. Example: [`Prepared`].
    pub const fn opcode(&self) -> OpCode {
        self.opcode
    }

    /// Returns the plain bytes of the message. Example: [`Prepared`].
    pub fn payload(&self) -> &[u8] {
        &self.frame[self.payload_at..]
    }

    /// Returns the message as one frame for a receiver with this framing. Example: [`Prepared`].
    #[inline]
    pub const fn frame(&self, _: Framing) -> &[u8] {
        // All framings are alike so far.
        &self.frame
    }

    /// Returns how many bytes the message holds in memory. Example: [`Prepared`].
    #[inline]
    pub const fn memory(&self) -> usize {
        self.frame.len()
    }
}
