//! §5.4 and §8.1 Assembles messages and control payloads from pieces.
//!
//! This file knows how a buffer grows with the bytes that arrive. It does not know frames: the receiver
//! decides which piece belongs to which message, and how many bytes are still to come.

use std::collections::TryReserveError;

use super::{
    error::ProtocolError,
    frame::MAX_CONTROL_PAYLOAD,
    mask::MaskedPiece,
    message::{Message, OwnedMessage},
    utf8::{InvalidUtf8, TextBuffer},
};

/// Upper bound on buffer growth, as a multiple of the bytes received, whatever length a header declares
/// (§10.4).
const MAX_GROWTH: usize = 4;
/// Lower bound on buffer growth while the number of frames to come is unknown, as a multiple of the bytes
/// received.
const MIN_GROWTH_UNKNOWN_LENGTH: usize = 2;

/// How much of the message is still to come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Remaining {
    /// The last frame has begun; holds the number of its missing bytes.
    Exactly(usize),
    /// More frames follow. The number is an estimate: the rest of this frame, and the rest of the input, most
    /// of which will belong to this message.
    AtLeast(usize),
}

/// The part of a message that has arrived.
#[derive(Debug)]
pub(super) enum Body {
    Text(TextBuffer),
    Binary(Vec<u8>),
    /// RFC 7692 §6: the payload of a compressed message, text or not.
    #[cfg(feature = "deflate")]
    Compressed {
        is_text: bool,
        bytes: Vec<u8>,
    },
}

impl Body {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            #[cfg(feature = "deflate")]
            Self::Compressed { bytes, .. } => bytes.len(),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        match self {
            Self::Text(text) => text.capacity(),
            Self::Binary(bytes) => bytes.capacity(),
            #[cfg(feature = "deflate")]
            Self::Compressed { bytes, .. } => bytes.capacity(),
        }
    }

    /// Returns whether the message may end here: a text must not end inside a character (§8.1).
    pub(super) fn is_complete(&self) -> bool {
        match self {
            Self::Text(text) => text.is_complete(),
            Self::Binary(_) => true,
            #[cfg(feature = "deflate")]
            Self::Compressed { .. } => true,
        }
    }

    /// Appends a piece. If the buffer has to grow, it grows at most to the size that the message can have.
    ///
    /// # Errors
    ///
    /// The text contains an impossible byte, or the system refuses the memory.
    pub(super) fn append(
        &mut self,
        piece: MaskedPiece<'_>,
        remaining: Remaining,
        max_message_size: usize,
    ) -> Result<(), ProtocolError> {
        let arrived = self.len() + piece.bytes.len();
        if self.capacity() < arrived {
            let capacity = self.wanted_capacity(arrived, remaining);
            self.grow_to(capacity.min(max_message_size).max(arrived)).map_err(|_| ProtocolError::NoMemory)?;
        }
        match self {
            // §8.1: the connection fails as soon as the text can't become valid any more.
            Self::Text(text) => text.push(piece.unmask()).map_err(|InvalidUtf8| ProtocolError::TextNotUtf8),
            #[cfg(feature = "deflate")]
            Self::Compressed { bytes, .. } => {
                piece.append_to(bytes);
                Ok(())
            }
            Self::Binary(bytes) => {
                piece.append_to(bytes);
                Ok(())
            }
        }
    }

    /// Returns the capacity to grow to, once `arrived` bytes do not fit.
    fn wanted_capacity(&self, arrived: usize, remaining: Remaining) -> usize {
        let most = arrived.saturating_mul(MAX_GROWTH);
        match remaining {
            Remaining::Exactly(rest) => next_capacity(arrived + rest, most),
            // Little may follow a first fragment.
            Remaining::AtLeast(rest) if self.len() == 0 => most.min(arrived + rest),
            Remaining::AtLeast(rest) => {
                most.min((arrived + rest).max(arrived.saturating_mul(MIN_GROWTH_UNKNOWN_LENGTH)))
            }
        }
    }

    /// Reserves memory for `capacity` bytes in total.
    fn grow_to(&mut self, capacity: usize) -> Result<(), TryReserveError> {
        match self {
            Self::Text(text) => text.grow_to(capacity),
            Self::Binary(bytes) => bytes.try_reserve_exact(capacity - bytes.len()),
            #[cfg(feature = "deflate")]
            Self::Compressed { bytes, .. } => bytes.try_reserve_exact(capacity - bytes.len()),
        }
    }

    pub(super) fn into_message(self) -> OwnedMessage {
        match self {
            Self::Text(text) => OwnedMessage::Text(text.into_string()),
            Self::Binary(bytes) => OwnedMessage::Binary(bytes),
            #[cfg(feature = "deflate")]
            Self::Compressed { bytes, .. } => OwnedMessage::Binary(bytes),
        }
    }

    pub(super) fn message(&self) -> Message<'_> {
        match self {
            Self::Text(text) => Message::Text(text.as_str()),
            Self::Binary(bytes) => Message::Binary(bytes),
            #[cfg(feature = "deflate")]
            Self::Compressed { bytes, .. } => Message::Binary(bytes),
        }
    }
}

#[cfg(feature = "deflate")]
impl Body {
    /// Appends what was inflated, and fails at the first impossible byte of a text (§8.1).
    pub(super) fn append_inflated(&mut self, piece: &[u8], max_len: usize) -> Result<(), ProtocolError> {
        let len = self.len() + piece.len();
        if self.capacity() < len {
            let capacity = len.max(self.len().saturating_mul(MIN_GROWTH_UNKNOWN_LENGTH));
            self.grow_to(capacity.min(max_len)).map_err(|_| ProtocolError::NoMemory)?;
        }
        match self {
            Self::Text(text) => text.push(piece).map_err(|InvalidUtf8| ProtocolError::TextNotUtf8),
            Self::Binary(bytes) | Self::Compressed { bytes, .. } => {
                bytes.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    /// Returns all bytes so far in two parts; the second has those of a character that is cut.
    pub(super) fn parts(&self) -> [&[u8]; 2] {
        match self {
            Self::Text(text) => [text.as_str().as_bytes(), text.open()],
            Self::Binary(bytes) | Self::Compressed { bytes, .. } => [bytes, &[]],
        }
    }
}

/// Returns a capacity of at most `most` bytes on the way to a message of `len` bytes.
///
/// The steps are a quarter of `len`, a quarter of that, and so on. The last step copies most, and so it
/// copies a quarter of the message only.
fn next_capacity(len: usize, most: usize) -> usize {
    let mut capacity = len;
    while capacity > most {
        capacity = capacity.div_ceil(MAX_GROWTH);
    }
    capacity
}

/// The part of a control payload that has arrived: at most 125 bytes (§5.5), so the buffer never grows.
#[derive(Debug)]
pub(super) struct ControlPayload {
    bytes: [u8; MAX_CONTROL_PAYLOAD],
    len: u8,
}

impl ControlPayload {
    /// Appends a piece, and returns all bytes so far. The piece fits: the header was checked.
    pub(super) fn append(&mut self, piece: &[u8]) -> &[u8] {
        let end = (self.len as usize + piece.len()).min(MAX_CONTROL_PAYLOAD);
        let room = &mut self.bytes[self.len as usize..end];
        room.copy_from_slice(&piece[..room.len()]);
        self.len = end as u8;
        self.bytes()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len as usize]
    }
}

impl Default for ControlPayload {
    fn default() -> Self {
        Self { bytes: [0; MAX_CONTROL_PAYLOAD], len: 0 }
    }
}
