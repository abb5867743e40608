//! §5 Takes a frame apart.
//!
//! This file names the bits of every header, valid or not. It judges none of them.

use std::str;

use crate::protocol::{CloseCode, FrameHeader, Message, OpCode, apply_mask};

use super::{Side, State};

/// How many bytes of a payload are kept for display.
pub const SHOWN: usize = 256;

/// Payload after the displayed bytes is forwarded in blocks of this size.
const BLOCK: usize = 4096;

/// The bytes of one frame, with the name of each bit of its header (§5.2).
///
/// All methods return the bits as received; those of a broken frame may make no sense. `None` means that the
/// bytes have not arrived.
///
/// ```
/// use wirehook::explain::Frame;
///
/// let frame = Frame { header: vec![0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d], ..Frame::default() };
/// assert_eq!((frame.fin(), frame.rsv(), frame.opcode(), frame.name()), (true, 0, 1, "text"));
/// assert_eq!((frame.mask(), frame.length7(), frame.length()), (Some(true), Some(5), Some(5)));
/// assert_eq!(frame.key(), Some([0x37, 0xfa, 0x21, 0x3d]));
/// assert!(frame.extended().is_empty() && !frame.is_empty() && !frame.is_cut());
/// assert_eq!(frame.len(), 6); // of its 11 bytes the payload is still missing
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Bytes of this direction before the frame.
    pub offset: u64,
    /// The header as far as it has arrived, at most [`FrameHeader::MAX_LEN`] bytes.
    pub header: Vec<u8>,
    /// The first [`SHOWN`] bytes of the payload as they were on the wire.
    pub masked: Vec<u8>,
    /// The same bytes without their mask.
    pub payload: Vec<u8>,
    /// Bytes of the payload received so far.
    pub arrived: u64,
    /// Whether the payload belongs to an uncompressed text message.
    pub is_text: bool,
    /// Whether the payload belongs to a message that is compressed (RFC 7692).
    pub is_compressed: bool,
}

impl Frame {
    /// FIN: returns whether this frame ends its message.
    pub fn fin(&self) -> bool {
        self.first() & 0b1000_0000 != 0
    }

    /// Returns RSV1, RSV2 and RSV3 as the bits 0b100, 0b010 and 0b001.
    pub fn rsv(&self) -> u8 {
        self.first() >> 4 & 0b111
    }

    /// Returns the opcode, reserved or not.
    pub fn opcode(&self) -> u8 {
        self.first() & 0b1111
    }

    /// Returns the opcode's name in §5.2.
    pub fn name(&self) -> &'static str {
        match self.opcode() {
            0x0 => "continuation",
            0x1 => "text",
            0x2 => "binary",
            0x8 => "close",
            0x9 => "ping",
            0xA => "pong",
            _ => "reserved",
        }
    }

    /// MASK: returns whether a masking key follows the length.
    pub fn mask(&self) -> Option<bool> {
        self.header.get(1).map(|byte| byte & 0b1000_0000 != 0)
    }

    /// Returns the seven bits of the payload length.
    pub fn length7(&self) -> Option<u8> {
        self.header.get(1).map(|byte| byte & 0b0111_1111)
    }

    /// Returns the extended payload length as sent: no bytes, two or eight, or as many as have arrived.
    pub fn extended(&self) -> &[u8] {
        let len = match self.length7() {
            Some(126) => 2,
            Some(127) => 8,
            _ => 0,
        };
        let rest = self.header.get(2..).unwrap_or_default();
        &rest[..rest.len().min(len)]
    }

    /// Returns the length of the payload in bytes, once the whole length has arrived.
    pub fn length(&self) -> Option<u64> {
        let extended = self.extended();
        match self.length7()? {
            126 => extended.try_into().ok().map(|bytes| u16::from_be_bytes(bytes).into()),
            127 => extended.try_into().ok().map(u64::from_be_bytes),
            length => Some(length.into()),
        }
    }

    /// Returns the masking key (§5.3), if there is one and it has arrived.
    pub fn key(&self) -> Option<[u8; 4]> {
        if self.mask() != Some(true) || self.length().is_none() {
            return None;
        }
        self.header.get(2 + self.extended().len()..)?.first_chunk().copied()
    }

    /// Returns whether more of the payload has arrived than is kept.
    pub fn is_cut(&self) -> bool {
        self.arrived > self.masked.len() as u64
    }

    /// Returns the payload as text, if it is UTF-8 by itself: a whole text, a fragment that cuts no
    /// character, or the payload of a ping or pong. The kept part of a longer one ends between two
    /// characters.
    pub fn text(&self) -> Option<&str> {
        if !self.is_text && !matches!(self.opcode(), 0x9 | 0xA) {
            return None;
        }
        text_of(&self.payload, self.is_cut())
    }

    /// Returns how many bytes of the frame have arrived.
    pub fn len(&self) -> u64 {
        self.header.len() as u64 + self.arrived
    }

    /// Returns whether no byte has arrived.
    pub fn is_empty(&self) -> bool {
        self.header.is_empty()
    }

    /// Returns the header, once all of it has arrived.
    pub(super) fn decoded(&self) -> Option<FrameHeader> {
        FrameHeader::decode(&self.header).ok().flatten().map(|(header, _)| header)
    }

    /// Returns whether header and payload have arrived.
    pub(super) fn is_complete(&self) -> bool {
        self.decoded().is_some_and(|header| header.payload_len == self.arrived)
    }

    /// Returns the next piece of `input`: single bytes as long as they are displayed, so that a broken rule
    /// is noticed at its byte; then blocks. A piece never crosses the end of the frame.
    pub(super) fn next_piece<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        let len = match self.decoded() {
            Some(header) if self.masked.len() == SHOWN => {
                (header.payload_len - self.arrived).min(BLOCK as u64) as usize
            }
            _ => 1,
        };
        &input[..len.min(input.len())]
    }

    pub(super) fn append(&mut self, piece: &[u8]) {
        if self.decoded().is_none() {
            self.header.extend_from_slice(piece);
            return;
        }
        self.arrived += piece.len() as u64;
        if self.masked.len() < SHOWN {
            self.masked.extend_from_slice(piece);
        }
    }

    /// Removes the mask from the kept bytes.
    pub(super) fn unmask(&mut self) {
        self.payload.clone_from(&self.masked);
        if let Some(key) = self.key() {
            apply_mask(&mut self.payload, key);
        }
    }

    fn first(&self) -> u8 {
        self.header.first().copied().unwrap_or_default()
    }
}

/// The result of a whole frame. Example: [`FrameStep`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameEvent {
    /// The frame completes a message (§5.6).
    Message,
    /// The frame is a fragment of an incomplete message (§5.4).
    Fragment,
    /// §5.5.2
    Ping,
    /// §5.5.3
    Pong,
    /// §5.5.1
    Close,
}

impl FrameEvent {
    /// Returns `message`, `fragment`, `ping`, `pong` or `close`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Fragment => "fragment",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::Close => "close",
        }
    }

    pub(super) fn of(header: &FrameHeader) -> Self {
        match header.opcode {
            OpCode::Close => Self::Close,
            OpCode::Ping => Self::Ping,
            OpCode::Pong => Self::Pong,
            OpCode::Continuation | OpCode::Text | OpCode::Binary if header.fin => Self::Message,
            OpCode::Continuation | OpCode::Text | OpCode::Binary => Self::Fragment,
        }
    }
}

/// A message assembled from a client's fragments. Example: [`FrameStep`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeMessage {
    /// [`OpCode::Text`] or [`OpCode::Binary`].
    pub opcode: OpCode,
    /// All of its bytes.
    pub length: u64,
    /// The first [`SHOWN`] of them.
    pub start: Vec<u8>,
    /// Whether the message is compressed (RFC 7692).
    pub is_compressed: bool,
    /// How many bytes the compressed message had, if `length` and `start` are those of the inflated one.
    pub compressed_length: Option<u64>,
}

/// A frame that breaks no rule.
///
/// ```
/// use wirehook::{Limits, explain::{Explainer, FrameEvent, Side, Step}};
///
/// let mut explainer = Explainer::of_frames(&Limits::default());
/// let steps = explainer.explain(Side::Client, b"\x01\x82\0\0\0\0He\x80\x81\0\0\0\0y");
/// let [Step::Frame(first), Step::Frame(last)] = &steps[..] else { panic!("two frames") };
/// assert_eq!((first.event, first.event.name()), (FrameEvent::Fragment, "fragment"));
/// assert_eq!((first.frame.text(), last.event), (Some("He"), FrameEvent::Message));
///
/// let message = last.message.as_ref().expect("it is complete");
/// assert_eq!((message.length, message.text()), (3, Some("Hey")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameStep {
    /// The side that sent it.
    pub from: Side,
    /// Its bytes.
    pub frame: Frame,
    /// The result of the frame.
    pub event: FrameEvent,
    /// The message that a client's last fragment completes.
    pub message: Option<WholeMessage>,
    /// Code and reason, if it is a Close with a body.
    pub close: Option<(CloseCode, String)>,
    /// The section of which the frame is an example.
    pub rule: &'static str,
    /// The rule in one short sentence.
    pub says: String,
    /// The anchor of the rule's row in `docs/rfc6455.md`, such as `s5.6-1`.
    pub row: Option<&'static str>,
    /// The frame that a server owes in answer: a pong or a Close; empty if none.
    pub answer: Vec<u8>,
    /// The state of the connection after it.
    pub state: State,
}

/// Bytes that break a rule, up to the first byte that shows it.
///
/// ```
/// use wirehook::{Limits, explain::{Explainer, Side, Step}};
///
/// let steps = Explainer::of_frames(&Limits::default()).explain(Side::Client, b"\x81\x05Hello");
/// let [Step::Broken(broken)] = &steps[..] else { panic!("one broken rule") };
/// assert_eq!((broken.section, broken.row, broken.code.0), ("§5.1", Some("s5.1-2"), 1002));
/// assert_eq!(broken.says, "a client must mask its frames");
/// assert_eq!(broken.frame.header, [0x81, 0x05]); // more were not needed
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRule {
    /// The side that sent them.
    pub from: Side,
    /// The frame as far as it has arrived.
    pub frame: Frame,
    /// The section of the rule.
    pub section: &'static str,
    /// The problem, in one short sentence.
    pub says: String,
    /// The reason for the rule.
    pub why: &'static str,
    /// The anchor of the rule's row in `docs/rfc6455.md`, such as `s5.1-2`.
    pub row: Option<&'static str>,
    /// The close code of the answer (§7.4.1).
    pub code: CloseCode,
    /// The Close frame that a server owes (§7.1.7). Empty for a server's own mistakes, and after its Close.
    pub answer: Vec<u8>,
    /// The state of the connection after it.
    pub state: State,
}

impl WholeMessage {
    /// Returns the message as text, if it is one; the kept part of a longer one ends between two characters.
    pub fn text(&self) -> Option<&str> {
        let is_cut = self.length > self.start.len() as u64;
        if self.opcode == OpCode::Text && (!self.is_compressed || self.compressed_length.is_some()) {
            text_of(&self.start, is_cut)
        } else {
            None
        }
    }

    pub(super) fn of(message: Message<'_>) -> Self {
        let bytes = message.as_bytes();
        Self {
            opcode: message.opcode(),
            length: bytes.len() as u64,
            start: bytes[..bytes.len().min(SHOWN)].to_vec(),
            is_compressed: false,
            compressed_length: None,
        }
    }
}

/// Returns `bytes` as text; if they were cut, only up to the last whole character.
pub(super) fn text_of(bytes: &[u8], is_cut: bool) -> Option<&str> {
    match str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if is_cut && error.error_len().is_none() => {
            str::from_utf8(&bytes[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}
