//! RFC 7692 §6.1 How a message is sent compressed, once permessage-deflate is negotiated.
//!
//! This file knows where the bit of a compressed message stands. It refuses to know DEFLATE: a
//! [`Compressor`] makes the payload, or says that the message goes as it is.

use super::{Beginning, Framing, UNCOMPRESSED, fragments, frame};
use crate::protocol::{
    extension::{Compressing, Compressor, DeflateParams, Deflater},
    frame::OpCode,
    message::Message,
    prepared::Prepared,
    role::{Role, SendingRole, Server},
    sender::{SendError, Sender},
};

/// RFC 7692 §6: RSV1, "Per-Message Compressed".
const RSV1: u8 = 0b100;

impl Framing {
    /// Returns whether messages may be compressed.
    ///
    /// ```
    /// use wirehook::protocol::{DeflateConfig, ExtensionOffer, Sender};
    ///
    /// let mut sender = Sender::default();
    /// assert!(!sender.framing().unwrap().may_compress());
    ///
    /// let offer = ExtensionOffer { name: "permessage-deflate", params: vec![] };
    /// sender.use_deflate(&DeflateConfig::default().accept(&[offer]).unwrap().params());
    /// assert!(sender.framing().unwrap().may_compress());
    /// ```
    #[inline]
    pub fn may_compress(self) -> bool {
        self.compressing != Compressing::Never
    }

    /// Appends a message as one frame, compressed if that was negotiated and the compressor finds it worth
    /// it. Returns whether it was.
    ///
    /// ```
    /// # use wirehook::protocol::{DeflateConfig, Deflater, ExtensionOffer, Message, Sender};
    /// # let offer = ExtensionOffer { name: "permessage-deflate", params: vec![] };
    /// # let mut sender = Sender::default();
    /// # sender.use_deflate(&DeflateConfig::default().accept(&[offer]).unwrap().params());
    /// let mut deflater = Deflater::new(6);
    /// let framing = sender.framing().unwrap();
    /// let mut out = Vec::new();
    /// assert!(!framing.message_with(Message::Text("short"), &mut deflater.of(1), &mut out));
    /// assert!(framing.message_with(Message::Text(&"long".repeat(100)), &mut deflater.of(1), &mut out));
    /// assert!(out.len() < 30);
    /// ```
    pub fn message_with(
        self,
        message: Message<'_>,
        compressor: &mut Compressor<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        message_with(&mut Server, self, message, compressor, out)
    }

    /// Appends a message in fragments, as [`fragments`](Self::fragments) does, compressed if that was
    /// negotiated and the compressor finds it worth it. Returns whether it was.
    pub fn fragments_with(
        self,
        message: Message<'_>,
        fragment_len: usize,
        compressor: &mut Compressor<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        fragments_with(&mut Server, self, message, fragment_len, compressor, out)
    }
}

impl<R: Role> Sender<R> {
    /// Says that permessage-deflate was negotiated, before the first message: messages may be compressed.
    ///
    /// Example: [`Deflater`](crate::protocol::Deflater).
    pub fn use_deflate(&mut self, params: &DeflateParams) {
        if let Some(framing) = &mut self.framing {
            framing.compressing = Compressing::of::<R>(params);
        }
    }
}

impl<R: SendingRole> Sender<R> {
    /// Appends a message as one frame, compressed if that was negotiated and the compressor finds it worth
    /// it. [`message`](Self::message) never compresses.
    ///
    /// Example: [`Deflater`](crate::protocol::Deflater).
    ///
    /// # Errors
    ///
    /// Close was sent.
    pub fn message_with(
        &mut self,
        message: Message<'_>,
        compressor: &mut Compressor<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let framing = self.framing.ok_or(SendError::CloseSent)?;
        message_with(&mut self.role, framing, message, compressor, out);
        Ok(())
    }

    /// Appends a message that is prepared already, compressed if that was negotiated and the compressor finds
    /// it worth it.
    ///
    /// ```
    /// # use wirehook::protocol::{DeflateConfig, Deflater, ExtensionOffer, Message, Prepared, Sender};
    /// # let offer = ExtensionOffer { name: "permessage-deflate", params: vec![] };
    /// # let mut sender = Sender::default();
    /// # sender.use_deflate(&DeflateConfig::default().accept(&[offer]).unwrap().params());
    /// let mut deflater = Deflater::new(6);
    /// let prepared = Prepared::new(Message::Text(&"long".repeat(100)));
    /// let mut out = Vec::new();
    /// sender.prepared_with(&prepared, &mut deflater.of(1), &mut out)?;
    /// assert!(out.len() < 30);
    /// # Ok::<(), wirehook::protocol::SendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Close was sent.
    pub fn prepared_with(
        &mut self,
        message: &Prepared,
        compressor: &mut Compressor<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let framing = self.framing.ok_or(SendError::CloseSent)?;
        let (rsv, payload) = payload(framing, message.payload(), compressor);
        frame(&mut self.role, Beginning { fin: true, rsv, opcode: message.opcode() }, payload, out);
        compressor.tidy();
        Ok(())
    }

    /// Appends a message in fragments, as [`fragments`](Self::fragments) does, compressed if that was
    /// negotiated and the compressor finds it worth it.
    ///
    /// ```
    /// use wirehook::protocol::{DeflateConfig, Deflater, ExtensionOffer, Message, Sender};
    ///
    /// # let offer = ExtensionOffer { name: "permessage-deflate", params: vec![] };
    /// # let params = DeflateConfig::default().accept(&[offer]).unwrap().params();
    /// let mut deflater = Deflater::new(6).with_threshold(0);
    /// let mut sender = Sender::default();
    /// sender.use_deflate(&params);
    /// let mut out = Vec::new();
    /// sender.fragments_with(Message::Text("Hello"), 3, &mut deflater.of(1), &mut out)?;
    /// // RFC 7692 §7.2.3.1: the bit stands on the first fragment only.
    /// assert_eq!(out, b"\x41\x03\xf2\x48\xcd\x00\x03\xc9\xc9\x07\x80\x01\x00");
    /// # Ok::<(), wirehook::protocol::SendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Close was sent.
    pub fn fragments_with(
        &mut self,
        message: Message<'_>,
        fragment_len: usize,
        compressor: &mut Compressor<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let framing = self.framing.ok_or(SendError::CloseSent)?;
        fragments_with(&mut self.role, framing, message, fragment_len, compressor, out);
        Ok(())
    }
}

impl Prepared {
    /// Returns the message as one compressed frame, for all receivers whose framing equals this one;
    /// `None` if they can't share one, or if the message goes to them as it is.
    ///
    /// Receivers share a frame if each message begins with an empty window (`server_no_context_takeover`,
    /// RFC 7692 §7.1.1.1). The frame's bytes depend on the messages before it otherwise.
    ///
    /// ```
    /// use wirehook::protocol::{DeflateConfig, Deflater, ExtensionOffer, Message, Prepared, Sender};
    ///
    /// let offer = ExtensionOffer { name: "permessage-deflate", params: vec![("server_no_context_takeover", None)] };
    /// let mut sender = Sender::default();
    /// sender.use_deflate(&DeflateConfig::default().accept(&[offer]).unwrap().params());
    ///
    /// let mut deflater = Deflater::new(6);
    /// let prepared = Prepared::new(Message::Text(&"long".repeat(100)));
    /// let compressed = prepared.compressed(sender.framing().unwrap(), &mut deflater).unwrap();
    /// assert!(compressed.memory() < 30 && prepared.memory() > 400);
    /// ```
    pub fn compressed(&self, framing: Framing, deflater: &mut Deflater) -> Option<Self> {
        if !framing.shares_frames() || self.is_uncompressed() {
            return None;
        }
        let mut compressor = deflater.of(0);
        let payload = compressor.compress(framing.compressing, self.payload())?;
        let first = Beginning { fin: true, rsv: RSV1, opcode: self.opcode() };
        let compressed = Self::with_payload(first, payload);
        compressor.tidy();
        Some(compressed)
    }
}

impl Framing {
    /// Appends a message as one compressed frame. Returns whether it did: the message may have to go as it
    /// is.
    pub(crate) fn compress_into(
        self,
        opcode: OpCode,
        payload: &[u8],
        compressor: &mut Compressor<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(payload) = compressor.compress(self.compressing, payload) else { return false };
        frame(&mut Server, Beginning { fin: true, rsv: RSV1, opcode }, payload, out);
        compressor.tidy();
        true
    }

    /// Returns the framing whose messages each begin with an empty window of the same size.
    pub(crate) fn anew(self) -> Self {
        Self { compressing: self.compressing.anew() }
    }

    /// Returns whether all receivers with this framing can be sent the same compressed frame.
    /// Example: [`Prepared::compressed`].
    pub fn shares_frames(self) -> bool {
        self.may_compress() && !self.compressing.goes_on()
    }
}

/// Appends a message as one frame. Returns whether it is compressed.
fn message_with<R: SendingRole>(
    role: &mut R,
    framing: Framing,
    message: Message<'_>,
    compressor: &mut Compressor<'_>,
    out: &mut Vec<u8>,
) -> bool {
    let (rsv, payload) = payload(framing, message.as_bytes(), compressor);
    frame(role, Beginning { fin: true, rsv, opcode: message.opcode() }, payload, out);
    compressor.tidy();
    rsv == RSV1
}

/// Appends a message in fragments. Returns whether it is compressed.
fn fragments_with<R: SendingRole>(
    role: &mut R,
    framing: Framing,
    message: Message<'_>,
    fragment_len: usize,
    compressor: &mut Compressor<'_>,
    out: &mut Vec<u8>,
) -> bool {
    // RFC 7692 §6.1: the message is compressed as a whole, then cut.
    let (rsv, payload) = payload(framing, message.as_bytes(), compressor);
    fragments(role, Beginning { fin: true, rsv, opcode: message.opcode() }, payload, fragment_len, out);
    compressor.tidy();
    rsv == RSV1
}

/// Returns the reserved bits and the payload of a message with these bytes.
fn payload<'p>(framing: Framing, bytes: &'p [u8], compressor: &'p mut Compressor<'_>) -> (u8, &'p [u8]) {
    match compressor.compress(framing.compressing, bytes) {
        Some(payload) => (RSV1, payload),
        None => (UNCOMPRESSED, bytes),
    }
}
