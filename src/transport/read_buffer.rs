//! The one buffer that all connections are read into, one after the other. A silent connection owns no
//! buffer.
//!
//! This file knows the buffer's length and its address within a page.
//!
//! The buffer begins at the start of a page. The kernel copies received bytes with one instruction, `rep
//! movsb`. Some processors execute it many times slower if the destination's offset in its page is 1 to 63
//! bytes higher than the source's. Received bytes often begin at offset 0 or at a round offset. A large block
//! of the C library begins at offset 16.

/// The size of a page, or a size that divides nearly all page sizes.
const PAGE: usize = 4096;

/// The room before the bytes of a read: for the plaintext of one TLS record, and for the begin of a record
/// that came with an earlier read.
#[cfg(feature = "tls")]
const HEADROOM: usize = PLAINTEXT_ROOM + 5 * PAGE;
#[cfg(not(feature = "tls"))]
const HEADROOM: usize = 0;
/// RFC 8446 §5.1: the most plaintext in one record.
#[cfg(feature = "tls")]
const PLAINTEXT_ROOM: usize = 1 << 14;

pub(crate) struct ReadBuffer {
    block: Box<[u8]>,
    begin: usize,
}

impl ReadBuffer {
    /// The most bytes of one read. It also bounds the work for one connection in one turn.
    pub(crate) const LEN: usize = 512 * 1024;

    pub(crate) fn new() -> Self {
        let block = vec![0; PAGE + HEADROOM + Self::LEN].into_boxed_slice();
        // The position within a page affects speed only, so 0 is correct too.
        let begin = block.as_ptr().align_offset(PAGE).min(PAGE) + HEADROOM;
        Self { block, begin }
    }

    #[inline]
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        &mut self.block[self.begin..][..Self::LEN]
    }

    /// Lays bytes of an earlier read before the place of the next one. Returns the whole buffer, the begin of
    /// these bytes, and their end. Before them is room for the plaintext of one TLS record.
    #[cfg(feature = "tls")]
    pub(super) fn lay(&mut self, earlier: &[u8]) -> (&mut [u8], usize, usize) {
        // Only the messages of a handshake can be longer than the room; then the read has less.
        let start = self.begin - earlier.len().min(HEADROOM - PLAINTEXT_ROOM);
        let end = start + earlier.len();
        let block = &mut self.block[..self.begin + Self::LEN];
        block[start..end].copy_from_slice(earlier);
        (block, start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_begins_with_a_page_and_has_its_whole_length() {
        let mut buffer = ReadBuffer::new();
        assert_eq!(buffer.bytes().as_ptr().addr() % PAGE, 0);
        assert_eq!(buffer.bytes().len(), ReadBuffer::LEN);
    }
}
