//! RFC 7692 What the receiver makes of compressed messages, once permessage-deflate is negotiated.
//!
//! The payload of a compressed message is put together like any other, and inflated when its last byte has
//! arrived. So an incomplete message holds what has arrived and nothing more, and one decompressor is enough
//! for all connections.

use super::{Kind, Receiver};
use crate::protocol::{
    assembly::Body,
    error::ProtocolError,
    extension::{DeflateParams, Inflater, Window},
    frame::{FrameHeader, OpCode},
    message::Event,
    role::Role,
    utf8::TextBuffer,
};

/// The decompressor that the caller lends, if it has one.
pub(super) type Lent<'l> = Option<&'l mut Inflater>;

/// RFC 7692 §6: RSV1, the bit that says of a whole message that it is compressed.
const RSV1: u8 = 0b100;

impl<R: Role> Receiver<R> {
    /// Says that permessage-deflate was negotiated, before the first frame: the peer may compress messages.
    ///
    /// Example: [`Inflater`].
    pub fn use_deflate(&mut self, params: &DeflateParams) {
        // The peer of a server is the client.
        let (no_context_takeover, bits) = if R::PEER_MASKS {
            (params.client_no_context_takeover, params.client_max_window_bits)
        } else {
            (params.server_no_context_takeover, params.server_max_window_bits)
        };
        self.side.get_or_insert_default().window = Some(Window::new(no_context_takeover, bits));
    }

    /// Does what [`next_event`](Self::next_event) does, and inflates with the caller's decompressor.
    ///
    /// [`next_event`](Self::next_event) makes a decompressor for each compressed message, which costs more.
    ///
    /// Example: [`Inflater`].
    ///
    /// # Errors
    ///
    /// The peer has broken a rule, and the connection is to be failed (§7.1.7).
    #[inline]
    pub fn next_event_with<'s, 'a: 's>(
        &'s mut self,
        input: &mut &'a mut [u8],
        inflater: &mut Inflater,
    ) -> Result<Option<Event<'s>>, ProtocolError> {
        self.next_event_lent(input, Some(inflater))
    }
}

impl<R> Receiver<R> {
    /// RFC 7692 §6: RSV1 may stand on the first frame of a data message, if that was negotiated.
    #[cold]
    pub(super) fn judge_reserved_bits(&self, header: &FrameHeader) -> Result<(), ProtocolError> {
        // §5.2: the other bits "MUST be 0 unless an extension is negotiated that defines meanings".
        if self.window().is_none() || header.rsv != RSV1 {
            return Err(ProtocolError::ReservedBits);
        }
        // RFC 7692 §6: the bit must not be set on continuations and control frames.
        match header.opcode {
            OpCode::Text | OpCode::Binary => Ok(()),
            _ => Err(ProtocolError::MisplacedCompression),
        }
    }

    /// Returns whether a payload of this length may be a message within the limit, though it is longer: data
    /// that does not shrink grows by five bytes a block (RFC 1951 §3.2.4).
    #[cold]
    pub(super) fn may_be_long_compressed(&self, header: &FrameHeader, len: u64) -> bool {
        let is_compressed = match header.opcode {
            OpCode::Continuation => matches!(self.message.as_deref(), Some(Body::Compressed { .. })),
            _ => header.rsv != 0,
        };
        is_compressed && len <= longest_compressed(self.max_message_size) as u64
    }

    /// Inflates the message, if that is what is complete, and if it is compressed.
    pub(super) fn inflated(
        &mut self,
        kind: Option<Kind>,
        inflater: Lent<'_>,
    ) -> Result<Option<Kind>, ProtocolError> {
        if kind == Some(Kind::Data) && matches!(self.message.as_deref(), Some(Body::Compressed { .. })) {
            match inflater {
                Some(inflater) => self.inflate(inflater)?,
                None => self.inflate(&mut Inflater::default())?,
            }
        }
        Ok(kind)
    }

    /// Puts the inflated message in the place of the compressed one.
    #[cold]
    fn inflate(&mut self, inflater: &mut Inflater) -> Result<(), ProtocolError> {
        let window = self.side.as_deref_mut().and_then(|side| side.window.as_mut());
        let (Some(body), Some(window)) = (self.message.as_deref_mut(), window) else { return Ok(()) };
        let Body::Compressed { is_text, bytes } = body else { return Ok(()) };
        let mut message = if *is_text { Body::Text(TextBuffer::default()) } else { Body::Binary(Vec::new()) };
        inflater.inflate(bytes, window, &mut message, self.max_message_size)?;
        // §8.1: a message must not end inside a character.
        if !message.is_complete() {
            return Err(ProtocolError::TextNotUtf8);
        }
        // RFC 7692 §7.2.2: the next message may refer to this one.
        window.push(message.parts()[0])?;
        *body = message;
        Ok(())
    }

    /// Drops the control frame, and keeps how the peer compresses.
    pub(super) fn drop_control(&mut self) {
        match self.side.as_deref_mut() {
            Some(side) if side.window.is_some() => side.control = super::ControlPayload::default(),
            _ => self.side = None,
        }
    }

    /// Returns how many bytes are held of earlier messages, to which a later one may refer.
    pub(crate) fn window_memory(&self) -> usize {
        self.window().map_or(0, Window::memory)
    }

    fn window(&self) -> Option<&Window> {
        self.side.as_deref().and_then(|side| side.window.as_ref())
    }
}

/// The longest payload of a compressed message that can be within the limit: stored blocks of 1 KiB or more.
const fn longest_compressed(max_message_size: usize) -> usize {
    max_message_size.saturating_add(max_message_size / 128).saturating_add(64)
}

/// The body of a message that this header begins.
pub(super) fn new_body(header: &FrameHeader) -> Body {
    match header.opcode {
        opcode if header.rsv != 0 => Body::Compressed { is_text: opcode == OpCode::Text, bytes: Vec::new() },
        OpCode::Text => Body::Text(TextBuffer::default()),
        _ => Body::Binary(Vec::new()),
    }
}
