//! RFC 7692 What all connections share to compress and to inflate, and when a message is compressed.
//!
//! This file knows that a message which is dropped after it was compressed must not stay in its window. It
//! refuses to know DEFLATE, and how bytes reach a socket.

use std::{mem, rc::Rc};

use super::{
    client_side::ClientSender,
    masked::{Content, Masked},
    meter::{Meter, SharedPrepared},
    outbound::Outbound,
    registry::ConnId,
    table::Hub,
};
use crate::{
    config,
    protocol::{Deflater, Framing, Inflater, Message, Prepared},
};

/// A compressor and a decompressor for all connections, and what they hold.
pub(crate) struct Compression {
    pub(crate) inflater: Inflater,
    deflater: Deflater,
    /// Where a compressed frame is made.
    frame: Vec<u8>,
    /// Bytes of compressors that the meter of all held bytes has counted.
    metered: usize,
    /// Bytes of the windows of what was received.
    pub(crate) windows: Meter,
}

/// The compressed frames of one message to many, one for each way to compress; `None` where it goes plain.
pub(super) type Twins = Vec<(Framing, Option<Rc<SharedPrepared>>)>;

/// How many times shorter a message is expected to become, when it is asked whether it may wait.
const SHRINKS: usize = 8;

/// How many messages a connection is sent in ten to twenty seconds before it gets a compressor of its own.
const RARE: u8 = 3;

/// How many steps of a batch one byte costs to compress, as against one to copy.
const DEFLATING: usize = 4;

impl Compression {
    pub(super) fn of(config: &config::Config) -> Option<Box<Self>> {
        let config = config.compression.as_ref()?;
        let deflater = Deflater::new(config.level)
            .with_threshold(config.threshold)
            .with_max_memory(config.max_compressor_bytes)
            .keeping_after(RARE);
        Some(Box::new(Self {
            inflater: Inflater::default(),
            deflater,
            frame: Vec::new(),
            metered: 0,
            windows: Meter::default(),
        }))
    }

    /// Has the meter count what the compressors hold now.
    fn meter(&mut self, meter: &Meter) {
        let held = self.deflater.memory();
        if held != self.metered {
            meter.add(held);
            meter.sub(mem::replace(&mut self.metered, held));
        }
    }

    /// Returns how many bytes the compressors hold, and how many the windows.
    pub(super) fn memory(&self) -> (usize, usize) {
        (self.metered, self.windows.held())
    }
}

impl<S> Hub<S> {
    /// Returns a message as a compressed frame; `None` if it goes to the connection as it is.
    pub(super) fn compress(&mut self, id: ConnId, message: Message<'_>) -> Option<Vec<u8>> {
        self.compress_with(id, message.len(), |framing, deflater, out| {
            framing.compress_into(message.opcode(), message.as_bytes(), &mut deflater.of(id.number()), out)
        })
    }

    /// The same in fragments, if they are compressed.
    pub(super) fn compress_fragments(
        &mut self,
        id: ConnId,
        message: Message<'_>,
        fragment_len: usize,
    ) -> Option<Vec<u8>> {
        self.compress_with(id, message.len(), |framing, deflater, out| {
            framing.fragments_with(message, fragment_len, &mut deflater.of(id.number()), out)
        })
    }

    /// The same for a message that is prepared already.
    pub(super) fn compress_prepared(&mut self, id: ConnId, prepared: &Prepared) -> Option<Vec<u8>> {
        if prepared.is_uncompressed() {
            return None;
        }
        self.compress_with(id, prepared.payload().len(), |framing, deflater, out| {
            let mut compressor = deflater.of(id.number());
            framing.compress_into(prepared.opcode(), prepared.payload(), &mut compressor, out)
        })
    }

    /// The same for a message to many. It is compressed once for each size of the window, with an empty
    /// window: else one message would be compressed for each receiver, and hold up the loop.
    pub(super) fn compress_shared(
        &mut self,
        id: ConnId,
        prepared: &Prepared,
        twins: &mut Twins,
    ) -> Option<Rc<SharedPrepared>> {
        let framing = self.compresses(id, prepared.payload().len());
        let framing = framing.filter(|_| !prepared.is_uncompressed())?;
        let anew = framing.anew();
        let at = twins.iter().position(|(of, _)| *of == anew).unwrap_or_else(|| {
            twins.push((anew, self.twin(prepared, anew)));
            twins.len() - 1
        });
        let twin = twins[at].1.clone()?;
        if !framing.shares_frames() {
            // The peer's window has this message from now on, and the connection's compressor has not.
            self.forget_compressor(id);
        }
        Some(twin)
    }

    /// Compresses a message to many for all receivers with this framing.
    fn twin(&mut self, prepared: &Prepared, framing: Framing) -> Option<Rc<SharedPrepared>> {
        self.quota.count_work(prepared.payload().len() * DEFLATING);
        let compression = self.compression.as_mut()?;
        let twin = prepared.compressed(framing, &mut compression.deflater)?;
        Some(SharedPrepared::new(twin, &self.meter))
    }

    fn compress_with(
        &mut self,
        id: ConnId,
        len: usize,
        encode: impl FnOnce(Framing, &mut Deflater, &mut Vec<u8>) -> bool,
    ) -> Option<Vec<u8>> {
        let framing = self.compresses(id, len)?;
        // Also if it does not shrink: it takes as long.
        self.quota.count_work(len * DEFLATING);
        let compression = self.compression.as_mut()?;
        let mut frame = mem::take(&mut compression.frame);
        frame.clear();
        let is_compressed = encode(framing, &mut compression.deflater, &mut frame);
        compression.meter(&self.meter);
        if is_compressed {
            return Some(frame);
        }
        compression.frame = frame;
        None
    }

    /// Returns how a message of this length to a connection is compressed, if it is, and if it may wait
    /// for it.
    fn compresses(&self, id: ConnId, len: usize) -> Option<Framing> {
        self.config.compression.as_ref().filter(|config| len >= config.threshold)?;
        let outbound = self.get(id)?;
        // A message that would be dropped is not compressed first.
        let least = len / SHRINKS;
        outbound.framing().filter(|it| it.may_compress() && self.fits(id, outbound.buffered(), least))
    }

    /// Counts a message of this length to a server, if it was compressed.
    pub(super) fn note_compressed(&mut self, is_compressed: bool, len: usize) {
        if is_compressed {
            self.stats.compressed_messages += 1;
            self.quota.count_work(len * DEFLATING);
        }
        if let Some(compression) = self.compression.as_mut() {
            compression.meter(&self.meter);
        }
    }

    /// Takes back the buffer of a compressed frame. One that was not sent is forgotten: the peer's window has
    /// no such message.
    pub(super) fn return_frame(&mut self, id: ConnId, frame: Vec<u8>, is_sent: bool) {
        let Some(compression) = self.compression.as_mut() else { return };
        if frame.capacity() <= MAX_KEPT_FRAME {
            compression.frame = frame;
        }
        if !is_sent {
            self.forget_compressor(id);
        }
    }

    /// Gives back the compressor of a connection.
    pub(super) fn forget_compressor(&mut self, id: ConnId) {
        if let Some(compression) = self.compression.as_mut() {
            compression.deflater.forget(id.number());
            compression.meter(&self.meter);
        }
    }

    /// Gives back the compressors that were not used since the last call.
    pub(crate) fn release_unused_compressors(&mut self) {
        if let Some(compression) = self.compression.as_mut() {
            compression.deflater.release_unused();
            compression.meter(&self.meter);
        }
    }

    /// Gives back all compressors: their connections go on without the earlier messages.
    pub(crate) fn release_compressors(&mut self) {
        self.release_unused_compressors();
        self.release_unused_compressors();
    }

    /// Returns whether the windows of what was received hold as much as they may.
    pub(crate) fn has_window_room(&self) -> bool {
        let limit = self.config.compression.as_ref().map_or(0, |config| config.max_window_bytes);
        self.compression.as_ref().is_some_and(|it| it.windows.held() < limit)
    }

    /// Returns how many messages were compressed.
    #[cfg(test)]
    pub(crate) fn compressions(&self) -> u64 {
        self.compression.as_ref().map_or(0, |it| it.deflater.messages())
    }
}

/// Appends a message to a server; compressed if that was negotiated, and if it is worth it. Returns whether
/// it was.
pub(super) fn encode_masked(
    compression: Option<&mut Compression>,
    id: ConnId,
    message: Masked<'_>,
    sender: &mut ClientSender,
    out: &mut Vec<u8>,
) -> bool {
    let Some(compression) = compression.filter(|_| !message.is_uncompressed) else {
        // The only error is that Close was sent, which the caller has excluded.
        let _ = message.encode(sender, out);
        return false;
    };
    let (begin, mut compressor) = (out.len(), compression.deflater.of(id.number()));
    let _ = match message.content {
        Content::Whole(message) => sender.message_with(message, &mut compressor, out),
        Content::Prepared(prepared) => sender.prepared_with(prepared, &mut compressor, out),
        Content::Fragments(message, len) => sender.fragments_with(message, len, &mut compressor, out),
    };
    // RFC 7692 §6: RSV1 on the first frame.
    out.get(begin).is_some_and(|first| first & 0x40 != 0)
}

/// A buffer for frames that has grown beyond this is freed after its message.
const MAX_KEPT_FRAME: usize = 128 * 1024;

impl<S> Outbound<S> {
    /// Returns whether messages to the peer may be compressed.
    #[inline]
    pub(super) fn compresses(&self) -> bool {
        self.framing().is_some_and(Framing::may_compress)
    }
}
