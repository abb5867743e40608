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

pub(crate) struct ReadBuffer {
    block: Box<[u8]>,
    begin: usize,
}

impl ReadBuffer {
    /// The most bytes of one read. It also bounds the work for one connection in one turn.
    pub(crate) const LEN: usize = 512 * 1024;

    pub(crate) fn new() -> Self {
        let block = vec![0; PAGE + Self::LEN].into_boxed_slice();
        // The position within a page affects speed only, so 0 is correct too.
        let begin = block.as_ptr().align_offset(PAGE).min(PAGE);
        Self { block, begin }
    }

    #[inline]
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        &mut self.block[self.begin..][..Self::LEN]
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
