//! §5.2 What the receiver makes of reserved bits where compression is not compiled in: they break a rule.

use super::{Kind, Receiver};
use crate::protocol::{
    assembly::Body,
    error::ProtocolError,
    frame::{FrameHeader, OpCode},
    utf8::TextBuffer,
};

/// There is no decompressor to lend.
pub(super) type Lent<'l> = Option<&'l mut ()>;

impl<R> Receiver<R> {
    /// §5.2: the reserved bits have no meaning without an extension.
    #[cold]
    pub(super) const fn judge_reserved_bits(&self, _: &FrameHeader) -> Result<(), ProtocolError> {
        Err(ProtocolError::ReservedBits)
    }

    pub(super) const fn may_be_long_compressed(&self, _: &FrameHeader, _: u64) -> bool {
        false
    }

    pub(super) const fn inflated(
        &self,
        kind: Option<Kind>,
        _: Lent<'_>,
    ) -> Result<Option<Kind>, ProtocolError> {
        Ok(kind)
    }

    pub(super) fn drop_control(&mut self) {
        self.side = None;
    }

    pub(super) const fn window_memory(&self) -> usize {
        0
    }
}

/// The body of a message that this header begins.
pub(super) fn new_body(header: &FrameHeader) -> Body {
    match header.opcode {
        OpCode::Text => Body::Text(TextBuffer::default()),
        _ => Body::Binary(Vec::new()),
    }
}
