//! §5.2 The part of a frame that the end of the input has cut off: of its header, or of its payload.

use std::mem;

use super::Kind;
use crate::protocol::{
    error::ProtocolError,
    frame::FrameHeader,
    mask::{MaskedPiece, turn_key},
};

/// A header cut off by the end of the input.
#[derive(Debug, Default)]
pub(super) struct PartialHeader {
    bytes: [u8; FrameHeader::MAX_LEN],
    pub(super) len: u8,
}

/// The rest of a frame after its header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payload {
    pub(super) kind: Kind,
    pub(super) fin: bool,
    /// The key, rotated so that it starts at the next byte.
    pub(super) key: [u8; 4],
    pub(super) remaining: u64,
}

impl PartialHeader {
    /// Returns the next header, once it is complete; consumes its bytes from the front of `input`.
    #[inline]
    pub(super) fn take_header(
        &mut self,
        input: &mut &mut [u8],
    ) -> Result<Option<FrameHeader>, ProtocolError> {
        if self.len == 0
            && let Some((header, len)) = FrameHeader::decode(input)?
        {
            split_off_front(input, len);
            return Ok(Some(header));
        }
        self.take_split_header(input)
    }

    /// Does the same for a header that arrives in several inputs.
    #[cold]
    fn take_split_header(&mut self, input: &mut &mut [u8]) -> Result<Option<FrameHeader>, ProtocolError> {
        while !input.is_empty() {
            let byte = split_off_front(input, 1);
            self.bytes[self.len as usize] = byte[0];
            self.len += 1;
            if let Some((header, _)) = FrameHeader::decode(&self.bytes[..self.len as usize])? {
                self.len = 0;
                return Ok(Some(header));
            }
        }
        Ok(None)
    }
}

impl Payload {
    /// Consumes as much of the payload as `input` contains.
    pub(super) fn take_piece<'a>(&mut self, input: &mut &'a mut [u8]) -> MaskedPiece<'a> {
        let len = self.remaining.min(input.len() as u64) as usize;
        let piece = MaskedPiece { bytes: split_off_front(input, len), key: self.key };
        self.key = turn_key(self.key, len);
        self.remaining -= len as u64;
        piece
    }
}

/// Takes `len` bytes from the front of `input`, which has them.
#[inline]
pub(super) fn split_off_front<'a>(input: &mut &'a mut [u8], len: usize) -> &'a mut [u8] {
    let (front, rest) = mem::take(input).split_at_mut(len);
    *input = rest;
    front
}
