//! Random bytes for connections that the program opens itself: the nonce of a request (§4.1) and the masking
//! key of each frame (§5.3).
//!
//! This file knows where they come from, and draws them in blocks: one call of the operating system is enough
//! for 256 frames. No frame is masked with a key that the source did not give.

use std::{
    cell::RefCell,
    fmt,
    io::{self, ErrorKind},
    rc::Rc,
};

use crate::{panics, protocol::MaskKeys};

/// Fills a slice with random bytes.
type Source = Box<dyn FnMut(&mut [u8]) -> io::Result<()>>;

/// How many bytes one call of the source gives.
const BLOCK: usize = 1024;

/// The keys of all connections of a loop; clones draw from the same block.
#[derive(Clone, Debug)]
pub(crate) struct Keys(Rc<RefCell<Entropy>>);

struct Entropy {
    source: Source,
    /// What the source gave last. Bytes that were handed out are never handed out again.
    block: Vec<u8>,
    /// The source has failed since the last [`Keys::take_error`].
    error: Option<io::Error>,
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entropy").finish_non_exhaustive()
    }
}

impl Default for Keys {
    /// Returns keys from the operating system.
    fn default() -> Self {
        Self::from_source(operating_system)
    }
}

impl Keys {
    pub(crate) fn from_source(source: impl FnMut(&mut [u8]) -> io::Result<()> + 'static) -> Self {
        Self(Rc::new(RefCell::new(Entropy { source: Box::new(source), block: Vec::new(), error: None })))
    }

    /// Draws the nonce of a request.
    pub(crate) fn nonce(&self) -> io::Result<[u8; 16]> {
        self.0.borrow_mut().draw()
    }

    /// Returns why a key could not be drawn since the last call. What was masked since then must not be sent.
    pub(crate) fn take_error(&self) -> Option<io::Error> {
        self.0.borrow_mut().error.take()
    }
}

impl MaskKeys for Keys {
    fn next_key(&mut self) -> [u8; 4] {
        let mut entropy = self.0.borrow_mut();
        entropy.draw().unwrap_or_else(|error| {
            entropy.error = Some(error);
            [0; 4]
        })
    }
}

impl Entropy {
    /// Takes the next bytes of the block, or of a new one.
    fn draw<const LEN: usize>(&mut self) -> io::Result<[u8; LEN]> {
        if self.block.len() < LEN {
            let mut block = vec![0; BLOCK];
            // It may be code of the user.
            panics::catch(|| (self.source)(&mut block))
                .unwrap_or_else(|| Err(io::Error::other("the source of random bytes has panicked")))?;
            self.block = block;
        }
        let rest = self.block.len() - LEN;
        let drawn = self.block[rest..].first_chunk().copied().ok_or(ErrorKind::UnexpectedEof)?;
        self.block.truncate(rest);
        Ok(drawn)
    }
}

#[cfg(feature = "client")]
fn operating_system(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(io::Error::from)
}

#[cfg(not(feature = "client"))]
fn operating_system(_: &mut [u8]) -> io::Result<()> {
    Err(io::Error::new(ErrorKind::Unsupported, "the feature `client` is off, and no source was given"))
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, collections::HashSet};

    use super::*;

    /// A source that counts up, and how often it was called.
    fn counting() -> (Keys, Rc<Cell<u32>>) {
        let calls = Rc::new(Cell::new(0));
        let count = Rc::clone(&calls);
        let keys = Keys::from_source(move |bytes| {
            count.set(count.get() + 1);
            for (number, chunk) in (0_u32..).zip(bytes.chunks_mut(4)) {
                chunk.copy_from_slice(&(count.get() << 16 | number).to_be_bytes());
            }
            Ok(())
        });
        (keys, calls)
    }

    #[test]
    fn no_key_is_drawn_twice_and_a_block_serves_256_frames() {
        let (mut keys, calls) = counting();
        let mut other = keys.clone();
        let drawn: HashSet<[u8; 4]> = (0..512).flat_map(|_| [keys.next_key(), other.next_key()]).collect();
        assert_eq!((drawn.len(), calls.get()), (1024, 4));
    }

    #[test]
    fn a_source_that_fails_is_noticed_and_tried_again() {
        let fails = Rc::new(Cell::new(true));
        let is_failing = Rc::clone(&fails);
        let mut keys = Keys::from_source(move |bytes| {
            bytes.fill(7);
            if is_failing.get() { Err(ErrorKind::Other.into()) } else { Ok(()) }
        });
        assert!(keys.nonce().is_err() && keys.take_error().is_none());
        keys.next_key();
        assert!(keys.take_error().is_some() && keys.take_error().is_none());
        fails.set(false);
        assert_eq!((keys.next_key(), keys.take_error().is_none()), ([7; 4], true));
    }

    #[cfg(feature = "client")]
    #[test]
    fn the_operating_system_gives_other_bytes_each_time() {
        let nonces: HashSet<[u8; 16]> = (0..100).filter_map(|_| Keys::default().nonce().ok()).collect();
        assert_eq!(nonces.len(), 100);
    }
}
