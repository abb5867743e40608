//! RFC 7692 §7.2.2 From the payload of a compressed message to the message, within the limit.
//!
//! This file knows DEFLATE by `zlib-rs`. An [`Inflater`] holds nothing that belongs to a connection: what a
//! connection keeps between two messages is its [`Window`].

use std::fmt;

use zlib_rs::{Inflate, InflateError, InflateFlush, Status};

use super::offer::MAX_WINDOW_BITS;
use crate::protocol::{assembly::Body, error::ProtocolError};

/// RFC 7692 §7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the message."
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// An empty last block (RFC 1951 §3.2.4). It ends the data only where a block may begin, and so proves that
/// the blocks before it are complete.
const END: [u8; 5] = [0x01, 0x00, 0x00, 0xff, 0xff];

/// How many blocks with BFINAL a message may have, beside one for each KiB. Going on after one copies the
/// window.
const LAST_BLOCKS: usize = 64;

/// How many bytes are inflated at a time: the most that a message can be over its limit before it is noticed.
const CHUNK: usize = 16 * 1024;

/// A decompressor that receivers lend for one message at a time. One serves any number of connections.
///
/// It takes some 50 KB. What a connection needs between two messages, the receiver keeps itself.
///
/// ```
/// use wirehook::protocol::{DeflateOffer, Event, Inflater, Limits, Message, Receiver};
/// # use wirehook::protocol::{DeflateConfig, ExtensionOffer};
///
/// # let offer = ExtensionOffer { name: "permessage-deflate", params: vec![] };
/// # let params = DeflateConfig::default().accept(&[offer]).unwrap().params();
/// let mut inflater = Inflater::default(); // for all receivers
/// let mut receiver = Receiver::new(&Limits::default());
/// receiver.use_deflate(&params);
///
/// // RFC 7692 §7.2.3.1, with a mask of zeros.
/// let mut bytes = *b"\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\x00";
/// let event = receiver.next_event_with(&mut &mut bytes[..], &mut inflater)?;
/// assert_eq!(event, Some(Event::Message(Message::Text("Hello"))));
/// # Ok::<(), wirehook::protocol::ProtocolError>(())
/// ```
pub struct Inflater {
    inner: Inflate,
    chunk: Box<[u8]>,
}

impl Default for Inflater {
    fn default() -> Self {
        Self { inner: Inflate::new(false, MAX_WINDOW_BITS), chunk: vec![0; CHUNK].into_boxed_slice() }
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inflater")
    }
}

impl Inflater {
    /// Inflates a message into `message`, which is empty, and which grows to `max_message_size` at most.
    ///
    /// # Errors
    ///
    /// The data is not DEFLATE, the message is over the limit, or its text is not UTF-8. The rest is not
    /// inflated then.
    pub(in crate::protocol) fn inflate(
        &mut self,
        compressed: &[u8],
        window: &Window,
        message: &mut Body,
        max_message_size: usize,
    ) -> Result<(), ProtocolError> {
        self.restart(&window.bytes)?;
        let mut pieces = [compressed, &TAIL, &END].into_iter();
        let mut rest = pieces.next().unwrap_or_default();
        let mut last_blocks = LAST_BLOCKS + compressed.len() / 1024;
        loop {
            let (read_before, written_before) = (self.inner.total_in(), self.inner.total_out());
            let status =
                self.inner.decompress(rest, &mut self.chunk, InflateFlush::SyncFlush).map_err(broken)?;
            let read = (self.inner.total_in() - read_before) as usize;
            let written = (self.inner.total_out() - written_before) as usize;
            rest = &rest[read..];
            // §10.4: the limit holds while the message inflates, not only when it is whole.
            if written > max_message_size - message.len() {
                return Err(ProtocolError::MessageTooBig);
            }
            message.append_inflated(&self.chunk[..written], max_message_size)?;
            if status == Status::StreamEnd {
                let is_end = rest.is_empty() && pieces.len() == 0;
                // RFC 7692 §7.2.3.4: a block with BFINAL may be followed by others. They go on with the same
                // window.
                if is_end || rest.is_empty() && pieces.len() == 2 {
                    return Ok(());
                }
                last_blocks = last_blocks.checked_sub(1).ok_or(ProtocolError::NotDeflate)?;
                let window = window.after(message.parts());
                self.restart(&window)?;
            } else if rest.is_empty() && written < CHUNK {
                rest = pieces.next().ok_or(ProtocolError::NotDeflate)?;
            } else if read == 0 && written == 0 {
                return Err(ProtocolError::NotDeflate);
            }
        }
    }

    /// Begins a stream that may refer to `window`.
    fn restart(&mut self, window: &[u8]) -> Result<(), ProtocolError> {
        self.inner.reset(false);
        if !window.is_empty() {
            self.inner.set_dictionary(window).map_err(broken)?;
        }
        Ok(())
    }
}

fn broken(error: InflateError) -> ProtocolError {
    match error {
        InflateError::MemError => ProtocolError::NoMemory,
        _ => ProtocolError::NotDeflate,
    }
}

/// The last bytes of the messages that a peer has sent compressed: what its next message may refer to.
#[derive(Debug)]
pub(in crate::protocol) struct Window {
    /// At most [`size`](Self::size) bytes; none if the peer takes no context over.
    bytes: Vec<u8>,
    /// 2 to the power of the agreed bits; 0 if the peer takes no context over.
    size: usize,
}

impl Window {
    pub(in crate::protocol) fn new(no_context_takeover: bool, max_window_bits: u8) -> Self {
        let size = if no_context_takeover { 0 } else { 1 << max_window_bits.min(MAX_WINDOW_BITS) };
        Self { bytes: Vec::new(), size }
    }

    /// Moves on by a message that was received compressed.
    ///
    /// # Errors
    ///
    /// The system refuses the memory.
    pub(in crate::protocol) fn push(&mut self, message: &[u8]) -> Result<(), ProtocolError> {
        let kept = last(message, self.size);
        let surplus = (self.bytes.len() + kept.len()).saturating_sub(self.size);
        self.bytes.drain(..surplus);
        self.bytes.try_reserve_exact(kept.len()).map_err(|_| ProtocolError::NoMemory)?;
        self.bytes.extend_from_slice(kept);
        Ok(())
    }

    /// Returns the number of bytes that it takes.
    pub(in crate::protocol) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// Returns the largest window after part of a message; within a message it does not depend on context
    /// takeover.
    fn after(&self, [message, open]: [&[u8]; 2]) -> Vec<u8> {
        let of_message = last(message, (1 << MAX_WINDOW_BITS) - open.len());
        let of_window = last(&self.bytes, (1 << MAX_WINDOW_BITS) - open.len() - of_message.len());
        [of_window, of_message, open].concat()
    }
}

/// Returns the last `most` bytes, or all if there are fewer.
fn last(bytes: &[u8], most: usize) -> &[u8] {
    &bytes[bytes.len() - bytes.len().min(most)..]
}
