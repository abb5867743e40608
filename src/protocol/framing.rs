//! §5.2 From messages to frames: the one encoder of everything that is sent.
//!
//! This file knows what a frame of ours looks like: masked if a client sends it (§5.1), a message whole or in
//! fragments (§5.4). It refuses to know when one may be sent, for the sender hands out a framing only until
//! Close, and how a message is compressed: `framing/compressed.rs` asks a compressor.

#[cfg(feature = "deflate")]
use super::extension::Compressing;
use super::{
    close::CloseFrame,
    copy::append,
    frame::{FrameHeader, OpCode},
    mask::apply_mask,
    message::Message,
    role::{SendingRole, Server},
};

#[cfg(feature = "deflate")]
mod compressed;

/// How a server's frames to one peer are encoded. [`Sender::framing`](super::Sender::framing) gives it until
/// Close was sent.
///
/// ```
/// use wirehook::protocol::{Framing, Message};
///
/// let mut out = Vec::new();
/// Framing::default().message(Message::Text("Hello"), &mut out);
/// assert_eq!(out, b"\x81\x05Hello"); // §5.7
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Framing {
    /// How messages are compressed, if they are.
    #[cfg(feature = "deflate")]
    pub(super) compressing: Compressing,
}

impl Framing {
    /// A server's, without extensions: no mask, no reserved bit.
    pub(super) const SERVER: Self = Self {
        #[cfg(feature = "deflate")]
        compressing: Compressing::Never,
    };

    /// Appends a message as one frame. Example: [`Framing`].
    #[inline]
    pub fn message(self, message: Message<'_>, out: &mut Vec<u8>) {
        self.message_header(message, out);
        append(out, message.as_bytes());
    }

    /// Appends the header of a message's frame. The payload follows it as it is, so the caller can write it
    /// from its own place.
    ///
    /// ```
    /// # use wirehook::protocol::{Framing, Message};
    /// let mut header = Vec::new();
    /// Framing::default().message_header(Message::Binary(&[0; 256]), &mut header);
    /// assert_eq!(header, [0x82, 0x7e, 0x01, 0x00]); // §5.7
    /// ```
    // In line with the hook's call, where the kind of the message is known.
    #[inline(always)]
    pub fn message_header(self, message: Message<'_>, out: &mut Vec<u8>) {
        FrameHeader::server(message.opcode(), message.len() as u64).encode(out);
    }

    /// Returns how many bytes [`message`](Self::message) appends.
    ///
    /// ```
    /// # use wirehook::protocol::{Framing, Message};
    /// assert_eq!(Framing::default().message_len(Message::Binary(&[0; 256])), 4 + 256);
    /// ```
    #[inline]
    pub const fn message_len(self, message: Message<'_>) -> usize {
        FrameHeader::server(message.opcode(), message.len() as u64).encoded_len() + message.len()
    }

    /// Appends a message in fragments (§5.4) of `fragment_len` bytes, the last one of what remains; each has
    /// at least one byte, whatever is asked for.
    ///
    /// ```
    /// # use wirehook::protocol::{Framing, Message};
    /// let mut out = Vec::new();
    /// Framing::default().fragments(Message::Text("Hello"), 3, &mut out);
    /// assert_eq!(out, *b"\x01\x03Hel\x80\x02lo"); // §5.7
    /// ```
    pub fn fragments(self, message: Message<'_>, fragment_len: usize, out: &mut Vec<u8>) {
        fragments(&mut Server, Beginning::of(message.opcode()), message.as_bytes(), fragment_len, out);
    }
}

/// §5.2: the reserved bits are 0 "unless an extension is negotiated that defines meanings".
pub(super) const UNCOMPRESSED: u8 = 0;

/// Appends a message in fragments of one byte or more. See [`Framing::fragments`].
pub(super) fn fragments<R: SendingRole>(
    role: &mut R,
    first: Beginning,
    payload: &[u8],
    fragment_len: usize,
    out: &mut Vec<u8>,
) {
    let Beginning { mut rsv, mut opcode, .. } = first;
    let mut rest = payload;
    loop {
        let (fragment, after) = rest.split_at(fragment_len.max(1).min(rest.len()));
        // §5.4: FIN clear on all but the last, and an opcode other than 0 on the first only.
        let fin = after.is_empty();
        frame(role, Beginning { fin, rsv, opcode }, fragment, out);
        if fin {
            return;
        }
        // RFC 7692 §6.1: the bit of a compressed message stands on its first frame only.
        (rsv, opcode, rest) = (UNCOMPRESSED, OpCode::Continuation, after);
    }
}

/// Appends a Close (§5.5.1); without a body if there is none.
pub(super) fn close<R: SendingRole>(role: &mut R, body: Option<CloseFrame<'_>>, out: &mut Vec<u8>) {
    let mut payload = Vec::new();
    if let Some(body) = body {
        body.encode(&mut payload);
    }
    frame(role, Beginning::of(OpCode::Close), &payload, out);
}

/// The first byte of a frame (§5.2).
#[derive(Clone, Copy)]
pub(super) struct Beginning {
    pub(super) fin: bool,
    pub(super) rsv: u8,
    pub(super) opcode: OpCode,
}

impl Beginning {
    /// That of a frame on its own, without reserved bits.
    pub(super) const fn of(opcode: OpCode) -> Self {
        Self { fin: true, rsv: UNCOMPRESSED, opcode }
    }
}

/// Appends a frame, masked if the role masks (§5.3).
#[inline]
pub(super) fn frame<R: SendingRole>(role: &mut R, first: Beginning, payload: &[u8], out: &mut Vec<u8>) {
    let Beginning { fin, rsv, opcode } = first;
    let header = FrameHeader {
        fin,
        rsv,
        masking_key: role.next_key(),
        ..FrameHeader::server(opcode, payload.len() as u64)
    };
    header.encode(out);
    let begin = out.len();
    append(out, payload);
    if let Some(key) = header.masking_key {
        apply_mask(&mut out[begin..], key);
    }
}
