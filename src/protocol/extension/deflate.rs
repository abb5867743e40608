//! RFC 7692 §7.2.1 From a message to the payload of a compressed message.
//!
//! This file knows DEFLATE by `zlib-rs`, and which compressors are kept between two messages. A [`Deflater`]
//! serves all connections: a connection itself holds one byte that says how it compresses.

use std::{collections::HashMap, fmt};

use zlib_rs::{Deflate, DeflateError, DeflateFlush};

use super::{
    negotiation::{DeflateParams, MIN_COMPRESSED_BITS},
    offer::MAX_WINDOW_BITS,
};
use crate::protocol::role::Role;

/// RFC 7692 §7.2.1: "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end."
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// RFC 7692 §7.2.1: an empty message as the one octet of an empty block.
const EMPTY: [u8; 1] = [0x00];

/// How many bytes are compressed at a time.
const CHUNK: usize = 16 * 1024;

/// How many connections without a compressor are counted; the counts begin again beyond.
const MAX_BEGUN: usize = 4096;

/// A buffer for output that has grown beyond this is freed after its message.
const MAX_KEPT_OUTPUT: usize = 128 * 1024;

/// Up to this length a message is compressed at level 1, if it begins with an empty window. It has one
/// block with the fixed code then, which is what the other levels choose for it too, after they have made
/// codes of its own in twice the time.
const SHORT: usize = 128;

/// How many window sizes there are, from the smallest that can be compressed with.
const WINDOWS: usize = (MAX_WINDOW_BITS - MIN_COMPRESSED_BITS + 1) as usize;

/// How one side of a connection compresses what it sends, in one byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::protocol) enum Compressing {
    /// permessage-deflate was not negotiated.
    #[default]
    Never,
    /// Each message begins with an empty window of this many bits.
    Anew9,
    Anew10,
    Anew11,
    Anew12,
    Anew13,
    Anew14,
    Anew15,
    /// A message may refer to those before it, as far back as this many bits reach.
    GoesOn9,
    GoesOn10,
    GoesOn11,
    GoesOn12,
    GoesOn13,
    GoesOn14,
    GoesOn15,
}

impl Compressing {
    const ANEW: [Self; WINDOWS] =
        [Self::Anew9, Self::Anew10, Self::Anew11, Self::Anew12, Self::Anew13, Self::Anew14, Self::Anew15];
    const GOES_ON: [Self; WINDOWS] = [
        Self::GoesOn9,
        Self::GoesOn10,
        Self::GoesOn11,
        Self::GoesOn12,
        Self::GoesOn13,
        Self::GoesOn14,
        Self::GoesOn15,
    ];

    /// Returns how a side of this role compresses by what was agreed on.
    pub(in crate::protocol) fn of<R: Role>(params: &DeflateParams) -> Self {
        // The peer of a server masks.
        let (no_context_takeover, bits) = if R::PEER_MASKS {
            (params.server_no_context_takeover, params.server_max_window_bits)
        } else {
            (params.client_no_context_takeover, params.client_max_window_bits)
        };
        let at = bits.clamp(MIN_COMPRESSED_BITS, MAX_WINDOW_BITS) - MIN_COMPRESSED_BITS;
        if no_context_takeover { Self::ANEW[usize::from(at)] } else { Self::GOES_ON[usize::from(at)] }
    }

    /// Returns the index of the window's size.
    const fn window(self) -> usize {
        match self as u8 {
            0 => 0,
            number => (number as usize - 1) % WINDOWS,
        }
    }

    /// Returns whether a message may refer to those before it.
    pub(in crate::protocol) const fn goes_on(self) -> bool {
        self as u8 >= Self::GoesOn9 as u8
    }

    /// Returns the same without references to the messages before.
    pub(in crate::protocol) const fn anew(self) -> Self {
        Self::ANEW[self.window()]
    }
}

/// A compressor that senders lend for one message at a time. One serves any number of connections.
///
/// A side that [takes no context over](DeflateParams::server_no_context_takeover) begins each message with
/// an empty window, so one compressor per window size is enough. A side that takes its context over would
/// have a compressor of its own, some 320 KB at the largest window. RFC 7692 allows a compressor not to
/// refer to earlier messages, so only the compressors in use are kept, up to a limit: a connection whose
/// compressor was taken away goes on with an empty window.
///
/// ```
/// use wirehook::protocol::{Deflater, Message, Sender};
/// # use wirehook::protocol::{DeflateConfig, ExtensionOffer};
///
/// # let offer = ExtensionOffer { name: "permessage-deflate", params: vec![] };
/// # let params = DeflateConfig::default().accept(&[offer]).unwrap().params();
/// let mut deflater = Deflater::new(6).with_threshold(0); // for all senders
/// let mut sender = Sender::default();
/// sender.use_deflate(&params);
///
/// // The examples of RFC 7692 §7.2.3: the second message refers to the first.
/// let mut out = Vec::new();
/// sender.message_with(Message::Text("Hello"), &mut deflater.of(1), &mut out)?;
/// sender.message_with(Message::Text("Hello"), &mut deflater.of(1), &mut out)?;
/// assert_eq!(out, b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00");
/// # Ok::<(), wirehook::protocol::SendError>(())
/// ```
pub struct Deflater {
    level: i32,
    threshold: usize,
    max_memory: usize,
    /// One compressor per window size for messages that begin with an empty window.
    anew: [Option<Deflate>; WINDOWS],
    /// The same for [short](SHORT) messages.
    short: Option<Deflate>,
    /// The compressors of connections that take their context over.
    kept: HashMap<u64, Kept>,
    /// How many messages a connection begins anew before it gets a compressor, and which have begun how many
    /// since the last [`Deflater::release_unused`].
    anew_before_kept: u8,
    begun: HashMap<u64, u8>,
    /// Bytes that `kept` holds.
    kept_memory: usize,
    /// How many messages were compressed.
    messages: u64,
    chunk: Box<[u8]>,
    output: Vec<u8>,
}

/// A compressor that goes on with the next message of its connection.
struct Kept {
    deflate: Deflate,
    window: usize,
    /// The number of the last message that it has compressed.
    used_at: u64,
    /// It was used since the last [`Deflater::release_unused`].
    is_in_use: bool,
}

/// A [`Deflater`], and the connection for which it compresses. Made by [`Deflater::of`].
/// Example: [`Deflater`].
#[derive(Debug)]
pub struct Compressor<'d> {
    deflater: &'d mut Deflater,
    connection: u64,
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater").field("level", &self.level).field("memory", &self.memory()).finish()
    }
}

impl Deflater {
    /// How many bytes a message has at least to be compressed, unless it is set otherwise.
    pub const THRESHOLD: usize = 64;

    /// How many bytes the compressors take together at most, unless it is set otherwise.
    pub const MAX_MEMORY: usize = 32 * 1024 * 1024;

    /// Creates a compressor of a level from 1 (fast) to 9 (small); others count as the nearest of these.
    ///
    /// Example: [`Deflater`].
    pub fn new(level: u8) -> Self {
        Self {
            level: i32::from(level.clamp(1, 9)),
            threshold: Self::THRESHOLD,
            max_memory: Self::MAX_MEMORY,
            anew: [const { None }; WINDOWS],
            short: None,
            kept: HashMap::new(),
            anew_before_kept: 0,
            begun: HashMap::new(),
            kept_memory: 0,
            messages: 0,
            chunk: vec![0; CHUNK].into_boxed_slice(),
            output: Vec::new(),
        }
    }

    /// Sets how many bytes a message has at least to be compressed. Example: [`Deflater`].
    pub const fn with_threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// Sets how many bytes the compressors of connections may take together. Over it the one that was not
    /// used for longest is given back; its connection goes on with an empty window.
    ///
    /// ```
    /// use wirehook::protocol::Deflater;
    ///
    /// // Room for none: every message begins with an empty window.
    /// let deflater = Deflater::new(1).with_max_memory(0);
    /// assert_eq!(deflater.memory(), 0);
    /// ```
    pub const fn with_max_memory(mut self, bytes: usize) -> Self {
        self.max_memory = bytes;
        self
    }

    /// Sets how many messages a connection begins with an empty window before it gets a compressor of its
    /// own, between two calls of [`release_unused`](Self::release_unused). A connection that sends seldom
    /// costs nothing then.
    ///
    /// ```
    /// # use wirehook::protocol::{DeflateConfig, Deflater, ExtensionOffer, Message, Sender};
    /// # let offer = ExtensionOffer { name: "permessage-deflate", params: vec![] };
    /// # let mut sender = Sender::default();
    /// # sender.use_deflate(&DeflateConfig::default().accept(&[offer]).unwrap().params());
    /// let mut deflater = Deflater::new(6).keeping_after(3);
    /// let text = "long enough to be compressed ".repeat(10);
    /// let mut lens = Vec::new();
    /// for _ in 0..6 {
    ///     let mut out = Vec::new();
    ///     sender.message_with(Message::Text(&text), &mut deflater.of(1), &mut out)?;
    ///     lens.push(out.len());
    /// }
    /// // Three alone; the fourth is kept, and the others refer to it.
    /// assert!(lens[0] == lens[2] && lens[4] < lens[3] / 2 && lens[5] < lens[3] / 2);
    /// # Ok::<(), wirehook::protocol::SendError>(())
    /// ```
    pub const fn keeping_after(mut self, messages: u8) -> Self {
        self.anew_before_kept = messages;
        self
    }

    /// Returns the compressor for a connection, which any number names that no other connection has.
    ///
    /// Example: [`Deflater`].
    pub const fn of(&mut self, connection: u64) -> Compressor<'_> {
        Compressor { deflater: self, connection }
    }

    /// Returns how many bytes the compressors of connections take. Example:
    /// [`with_max_memory`](Self::with_max_memory).
    pub const fn memory(&self) -> usize {
        self.kept_memory
    }

    /// Returns how many messages were compressed.
    ///
    /// ```
    /// use wirehook::protocol::Deflater;
    ///
    /// assert_eq!(Deflater::new(6).messages(), 0);
    /// ```
    pub const fn messages(&self) -> u64 {
        self.messages
    }

    /// Returns whether a message of this many bytes is compressed.
    pub(in crate::protocol) const fn is_worth_it(&self, len: usize) -> bool {
        len >= self.threshold
    }

    /// Gives back the compressors that were not used since the last call. Their connections go on with an
    /// empty window.
    ///
    /// ```
    /// use wirehook::protocol::Deflater;
    ///
    /// let mut deflater = Deflater::new(6);
    /// deflater.release_unused(); // by a timer
    /// assert_eq!(deflater.memory(), 0);
    /// ```
    pub fn release_unused(&mut self) {
        self.begun = HashMap::new();
        self.kept.retain(|_, kept| std::mem::take(&mut kept.is_in_use));
        self.kept_memory = self.kept.values().map(|kept| memory_of(kept.window)).sum();
    }

    /// Gives back the compressor of a connection. Call it when the connection has ended, and when a
    /// compressed message is not sent: no later message may refer to it.
    ///
    /// ```
    /// use wirehook::protocol::Deflater;
    ///
    /// let mut deflater = Deflater::new(6);
    /// deflater.forget(1);
    /// ```
    pub fn forget(&mut self, connection: u64) {
        drop(self.take(connection));
    }

    /// Compresses a message that begins with an empty window. Returns its payload; `None` if it does not
    /// shrink, or if the system refuses the memory.
    pub(in crate::protocol) fn anew(&mut self, how: Compressing, message: &[u8]) -> Option<&[u8]> {
        // The smallest window suits every agreement.
        let (place, level, window) = if message.len() <= SHORT {
            (&mut self.short, 1, 0)
        } else {
            (&mut self.anew[how.window()], self.level, how.window())
        };
        let deflate = match place {
            Some(deflate) => {
                deflate.reset();
                deflate
            }
            none => none.insert(compressor(level, window)),
        };
        self.messages += 1;
        let result = compress(deflate, message, &mut self.chunk, &mut self.output);
        // No later message refers to this one, so it may go as it is.
        (result.is_ok() && self.output.len() < message.len()).then_some(&self.output[..])
    }

    /// Compresses a message that may refer to those before it. Returns its payload.
    ///
    /// A message that does not shrink is sent compressed all the same: it is in the window already. It
    /// grows by five bytes for each 16 KiB at most.
    fn going_on(&mut self, connection: u64, how: Compressing, message: &[u8]) -> Option<&[u8]> {
        let window = how.window();
        if !self.kept.contains_key(&connection)
            && (self.is_rare(connection) || !self.keep_one_more(connection, window))
        {
            return self.anew(how.anew(), message);
        }
        self.messages += 1;
        let kept = self.kept.get_mut(&connection)?;
        (kept.used_at, kept.is_in_use) = (self.messages, true);
        let result = compress(&mut kept.deflate, message, &mut self.chunk, &mut self.output);
        if result.is_err() {
            self.forget(connection);
            return None;
        }
        Some(&self.output)
    }

    /// Counts a message; returns whether its connection has sent too few for a compressor of its own.
    fn is_rare(&mut self, connection: u64) -> bool {
        if self.anew_before_kept == 0 {
            return false;
        }
        if self.begun.len() >= MAX_BEGUN {
            self.begun.clear();
        }
        let begun = self.begun.entry(connection).or_default();
        *begun = begun.saturating_add(1);
        *begun <= self.anew_before_kept
    }

    /// Keeps a compressor for one more connection. At the limit the ones that were not used for longest are
    /// given back. One of the same size is used again: the process would keep the memory of a block that is
    /// freed and allocated in turn. Returns whether there is room for one at all.
    fn keep_one_more(&mut self, connection: u64, window: usize) -> bool {
        let len = memory_of(window);
        if len > self.max_memory {
            return false;
        }
        let mut again = None;
        while self.kept_memory + len > self.max_memory {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used_at).map(|(oldest, _)| *oldest);
            let Some(taken) = oldest.and_then(|oldest| self.take(oldest)) else { break };
            if taken.window == window {
                again = Some(taken.deflate);
            }
        }
        let deflate = again.map_or_else(
            || compressor(self.level, window),
            |mut deflate| {
                deflate.reset();
                deflate
            },
        );
        self.kept_memory += len;
        self.kept.insert(connection, Kept { deflate, window, used_at: 0, is_in_use: true });
        true
    }

    fn take(&mut self, connection: u64) -> Option<Kept> {
        self.begun.remove(&connection);
        let kept = self.kept.remove(&connection)?;
        self.kept_memory -= memory_of(kept.window);
        Some(kept)
    }

    /// Frees the output if a long message has made it long.
    pub(in crate::protocol) fn tidy(&mut self) {
        if self.output.capacity() > MAX_KEPT_OUTPUT {
            self.output = Vec::new();
        }
    }
}

impl Compressor<'_> {
    /// Compresses a message. Returns its payload; `None` if it is to be sent as it is.
    pub(in crate::protocol) fn compress(&mut self, how: Compressing, message: &[u8]) -> Option<&[u8]> {
        // What is sent uncompressed never enters the window.
        if how == Compressing::Never || !self.deflater.is_worth_it(message.len()) {
            return None;
        }
        if how.goes_on() {
            self.deflater.going_on(self.connection, how, message)
        } else {
            self.deflater.anew(how, message)
        }
    }

    /// Notes that the payload was taken.
    pub(in crate::protocol) fn tidy(&mut self) {
        self.deflater.tidy();
    }
}

fn compressor(level: i32, window: usize) -> Deflate {
    Deflate::new(level, false, window as u8 + MIN_COMPRESSED_BITS)
}

/// Returns how many bytes a compressor of this window size takes.
///
/// Two windows of bytes and one of references, a table of 128 KiB, and 64 KiB for buffers and the state:
/// measured are 198 KB for the smallest window and 325 KB for the largest.
const fn memory_of(window: usize) -> usize {
    (4 << (window + MIN_COMPRESSED_BITS as usize)) + (128 + 64) * 1024
}

/// Compresses a message into `output`, less the octets that every message ends with.
fn compress(
    deflate: &mut Deflate,
    message: &[u8],
    chunk: &mut [u8],
    output: &mut Vec<u8>,
) -> Result<(), DeflateError> {
    output.clear();
    if message.is_empty() {
        output.extend_from_slice(&EMPTY);
        return Ok(());
    }
    let mut rest = message;
    loop {
        let (read_before, written_before) = (deflate.total_in(), deflate.total_out());
        deflate.compress(rest, chunk, DeflateFlush::SyncFlush)?;
        let read = (deflate.total_in() - read_before) as usize;
        let written = (deflate.total_out() - written_before) as usize;
        rest = &rest[read..];
        output.extend_from_slice(&chunk[..written]);
        // Room that is left over says that everything is flushed.
        if written < chunk.len() {
            break;
        }
    }
    // RFC 7692 §7.2.1: "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end."
    if output.ends_with(&TAIL) {
        output.truncate(output.len() - TAIL.len());
        return Ok(());
    }
    Err(DeflateError::DataError)
}
