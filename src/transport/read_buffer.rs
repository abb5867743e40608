//! The one buffer that all connections are read into, one after the other: a connection that is silent owns
//! none.
//!
//! This file knows how long it is and where in memory it begins. It refuses to know what is read into it.
//!
//! It begins with a page. The kernel copies what has arrived by one instruction, `rep movsb`, and some
//! processors are many times slower at it where the destination lies 1 to 63 bytes behind the source, their
//! pages left aside. What has arrived likes to begin with a page, or at a round place in one; a large block
//! of the C library's begins 16 bytes behind one.

/// A power of two that the size of a page is, or what nearly all of them are multiples of.
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
