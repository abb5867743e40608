//! §5 A frame taken apart, and frames found again in bytes that are cut anywhere.
//!
//! This file knows the bits of a header by their names, also of one that no rule allows, and where a frame ends.
//! It refuses to judge: a client's frames are judged by the [`Receiver`] alone, which is fed each frame piece by
//! piece, so that its verdict is known to belong to that frame and to that byte.

use std::{mem, str};

use crate::protocol::{
    CloseCode, CloseFrame, Event, FrameHeader, Limits, Message, OpCode, ProtocolError, Receiver, Sender,
    apply_mask,
};

use super::{
    Leftover, Side, State, Step,
    extension::Extension,
    rules::{self, Rule},
};

/// How many bytes of a payload are kept to be shown.
pub const SHOWN: usize = 256;

/// Pieces beyond what is shown are handed on in blocks of this size.
const BLOCK: usize = 4096;

/// The bytes of one frame, and what each bit of its header is called (§5.2).
///
/// All methods read the bits as they stand there; those of a broken frame may make no sense, and `None` is what
/// has not arrived.
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
    /// Bytes of payload that have arrived.
    pub arrived: u64,
    /// Whether the payload belongs to a text message, and is text as it stands.
    pub is_text: bool,
    /// Whether the payload belongs to a message that is compressed (RFC 7692).
    pub is_compressed: bool,
}

impl Frame {
    /// FIN: whether this frame ends its message.
    pub fn fin(&self) -> bool {
        self.first() & 0b1000_0000 != 0
    }

    /// RSV1, RSV2 and RSV3 as the bits 0b100, 0b010 and 0b001.
    pub fn rsv(&self) -> u8 {
        self.first() >> 4 & 0b111
    }

    /// The opcode, reserved or not.
    pub fn opcode(&self) -> u8 {
        self.first() & 0b1111
    }

    /// What §5.2 calls the opcode.
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

    /// MASK: whether a masking key follows the length.
    pub fn mask(&self) -> Option<bool> {
        self.header.get(1).map(|byte| byte & 0b1000_0000 != 0)
    }

    /// The seven bits of the payload length.
    pub fn length7(&self) -> Option<u8> {
        self.header.get(1).map(|byte| byte & 0b0111_1111)
    }

    /// The extended payload length as it was sent: nothing, two bytes or eight, or as many as have arrived.
    pub fn extended(&self) -> &[u8] {
        let len = match self.length7() {
            Some(126) => 2,
            Some(127) => 8,
            _ => 0,
        };
        let behind = self.header.get(2..).unwrap_or_default();
        &behind[..behind.len().min(len)]
    }

    /// The length of the payload in bytes, once all of it has arrived.
    pub fn length(&self) -> Option<u64> {
        let extended = self.extended();
        match self.length7()? {
            126 => extended.try_into().ok().map(|bytes| u16::from_be_bytes(bytes).into()),
            127 => extended.try_into().ok().map(u64::from_be_bytes),
            length => Some(length.into()),
        }
    }

    /// The masking key (§5.3), if there is one and it has arrived.
    pub fn key(&self) -> Option<[u8; 4]> {
        if self.mask() != Some(true) || self.length().is_none() {
            return None;
        }
        self.header.get(2 + self.extended().len()..)?.first_chunk().copied()
    }

    /// Whether more of the payload has arrived than is kept.
    pub fn is_cut(&self) -> bool {
        self.arrived > self.masked.len() as u64
    }

    /// The payload as text, if it is UTF-8 for itself: a whole text, a fragment that no character is cut in, or
    /// what a ping or pong carries. What is kept of a longer one ends between two characters.
    pub fn text(&self) -> Option<&str> {
        if !self.is_text && !matches!(self.opcode(), 0x9 | 0xA) {
            return None;
        }
        text_of(&self.payload, self.is_cut())
    }

    /// How many bytes have arrived of the frame.
    pub fn len(&self) -> u64 {
        self.header.len() as u64 + self.arrived
    }

    /// Whether nothing has.
    pub fn is_empty(&self) -> bool {
        self.header.is_empty()
    }

    /// The whole header, once it has arrived.
    fn decoded(&self) -> Option<FrameHeader> {
        FrameHeader::decode(&self.header).ok().flatten().map(|(header, _)| header)
    }

    /// Whether header and payload have arrived.
    fn is_complete(&self) -> bool {
        self.decoded().is_some_and(|header| header.payload_len == self.arrived)
    }

    /// The bytes at the front of `input` to look at next: single ones as long as they are shown, so that a broken
    /// rule is noticed at its byte; then blocks. Never beyond the end of the frame.
    fn next_piece<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        let len = match self.decoded() {
            Some(header) if self.masked.len() == SHOWN => {
                (header.payload_len - self.arrived).min(BLOCK as u64) as usize
            }
            _ => 1,
        };
        &input[..len.min(input.len())]
    }

    fn append(&mut self, piece: &[u8]) {
        if self.decoded().is_none() {
            self.header.extend_from_slice(piece);
            return;
        }
        self.arrived += piece.len() as u64;
        if self.masked.len() < SHOWN {
            self.masked.extend_from_slice(piece);
        }
    }

    /// Takes the mask off what is kept.
    fn unmask(&mut self) {
        self.payload.clone_from(&self.masked);
        if let Some(key) = self.key() {
            apply_mask(&mut self.payload, key);
        }
    }

    fn first(&self) -> u8 {
        self.header.first().copied().unwrap_or_default()
    }
}

/// What has come of a whole frame. Example: [`FrameStep`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameEvent {
    /// A message is complete (§5.6).
    Message,
    /// A fragment of one that is not (§5.4).
    Fragment,
    /// §5.5.2
    Ping,
    /// §5.5.3
    Pong,
    /// §5.5.1
    Close,
}

impl FrameEvent {
    /// `message`, `fragment`, `ping`, `pong` or `close`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Fragment => "fragment",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::Close => "close",
        }
    }

    fn of(header: &FrameHeader) -> Self {
        match header.opcode {
            OpCode::Close => Self::Close,
            OpCode::Ping => Self::Ping,
            OpCode::Pong => Self::Pong,
            OpCode::Continuation | OpCode::Text | OpCode::Binary if header.fin => Self::Message,
            OpCode::Continuation | OpCode::Text | OpCode::Binary => Self::Fragment,
        }
    }
}

/// A message that a client sent in fragments, put together. Example: [`FrameStep`].
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
    /// Who sent it.
    pub from: Side,
    /// Its bytes.
    pub frame: Frame,
    /// What has come of it.
    pub event: FrameEvent,
    /// The message that a client's last fragment completes.
    pub message: Option<WholeMessage>,
    /// Code and reason, if it is a Close with a body.
    pub close: Option<(CloseCode, String)>,
    /// The section that it is an example of.
    pub rule: &'static str,
    /// The rule in one short sentence.
    pub says: String,
    /// The anchor of the rule's row in `docs/rfc6455.md`, such as `s5.6-1`.
    pub row: Option<&'static str>,
    /// The frame that a server owes for it: a pong, or a Close. Empty if it owes none.
    pub answer: Vec<u8>,
    /// Where the connection stands now.
    pub state: State,
}

/// Bytes that break a rule, up to the one that shows it.
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
    /// Who sent them.
    pub from: Side,
    /// The frame as far as it has arrived.
    pub frame: Frame,
    /// The section that holds the rule.
    pub section: &'static str,
    /// What is wrong, in one short sentence.
    pub says: String,
    /// Why the rule is there, in plain words.
    pub why: &'static str,
    /// The anchor of the rule's row in `docs/rfc6455.md`, such as `s5.1-2`.
    pub row: Option<&'static str>,
    /// The close code that answers it (§7.4.1).
    pub code: CloseCode,
    /// The Close frame that a server owes for it (§7.1.7). Empty for a server's own mistakes, and after its Close.
    pub answer: Vec<u8>,
    /// Where the connection stands now.
    pub state: State,
}

/// Finds the frames of one direction, and has each judged.
#[derive(Debug)]
pub(super) struct FrameReader {
    from: Side,
    judge: Judge,
    frame: Frame,
    /// What the message under way is, if its first fragments have come.
    message: Option<OpCode>,
    /// Whether that is compressed.
    is_compressed: bool,
    extension: Extension,
}

/// Who decides what a frame is worth.
#[derive(Debug)]
enum Judge {
    /// For a client's frames: what a server listens with.
    Receiver(Receiver),
    /// For a server's: the few rules below.
    Onlooker { close_sent: bool },
}

/// What a judge says of a frame that breaks no rule.
#[derive(Debug, Default)]
struct Seen {
    message: Option<WholeMessage>,
    close: Option<(CloseCode, String)>,
    answer: Vec<u8>,
}

impl FrameReader {
    pub(super) fn new(from: Side, limits: &Limits, offset: u64) -> Self {
        let judge = match from {
            Side::Client => Judge::Receiver(Receiver::new(limits)),
            Side::Server => Judge::Onlooker { close_sent: false },
        };
        let frame = Frame { offset, ..Frame::default() };
        Self { from, judge, frame, message: None, is_compressed: false, extension: Extension::None }
    }

    pub(super) fn use_extension(&mut self, extension: Extension) {
        self.extension = extension;
    }

    /// Takes bytes from the front of `input` up to the end of a frame or to a broken rule.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Option<Step> {
        loop {
            let piece = self.frame.next_piece(input);
            if piece.is_empty() {
                return None;
            }
            *input = &input[piece.len()..];
            self.frame.append(piece);
            match self.judge(piece) {
                Err(rule) => return Some(Step::Broken(self.broken(rule))),
                Ok(seen) => match self.frame.decoded() {
                    Some(header) if header.payload_len == self.frame.arrived => {
                        return Some(Step::Frame(self.complete(&header, seen)));
                    }
                    _ => {}
                },
            }
        }
    }

    /// Bytes of this direction that have come.
    pub(super) fn offset(&self) -> u64 {
        self.frame.offset + self.frame.len()
    }

    /// Bytes of memory that are taken for a message that is not complete.
    pub(super) fn memory(&self) -> usize {
        match &self.judge {
            Judge::Receiver(receiver) => receiver.memory(),
            Judge::Onlooker { .. } => 0,
        }
    }

    /// What is left when no more bytes come.
    pub(super) fn leftover(&self) -> Option<Leftover> {
        let says = if !self.frame.is_empty() {
            "the rest of the frame has not arrived"
        } else if self.message.is_some() {
            "the last fragment of the message has not arrived"
        } else {
            return None;
        };
        let mut frame = self.frame.clone();
        self.finish(&mut frame);
        Some(Leftover {
            from: self.from,
            unread: frame.len(),
            frame: (!frame.is_empty()).then_some(frame),
            says: says.to_owned(),
        })
    }

    fn judge(&mut self, piece: &[u8]) -> Result<Seen, Rule> {
        match &mut self.judge {
            Judge::Receiver(receiver) => {
                let mut piece = piece.to_vec();
                if let ([first], 1) = (&mut piece[..], self.frame.header.len()) {
                    *first = self.extension.without_bits(*first);
                }
                let broken = |error| match error {
                    ProtocolError::ReservedBits => self.extension.broken_by(self.frame.rsv()),
                    error => error.into(),
                };
                hear(receiver, &mut piece).map_err(broken)
            }
            Judge::Onlooker { close_sent: true } => Err(Rule::after_close()),
            Judge::Onlooker { close_sent } => {
                let seen = look(&self.frame, self.message.is_some(), self.extension)?;
                *close_sent = self.frame.opcode() == OpCode::Close as u8 && self.frame.is_complete();
                Ok(seen)
            }
        }
    }

    fn complete(&mut self, header: &FrameHeader, seen: Seen) -> FrameStep {
        let frame = self.take_frame();
        let rule = rules::shown_by(header, self.message);
        let rule = self.extension.adorn(rule, header, frame.is_compressed);
        let Seen { message, close, answer } = seen;
        let message = message.map(|message| WholeMessage {
            // A receiver takes a compressed text for binary.
            opcode: self.message.unwrap_or(message.opcode),
            is_compressed: frame.is_compressed,
            ..message
        });
        match (header.opcode.is_control(), header.fin) {
            (true, _) => {}
            (false, true) => self.message = None,
            (false, false) => {
                self.message = self.message.or(Some(header.opcode));
                self.is_compressed = frame.is_compressed;
            }
        }
        FrameStep {
            from: self.from,
            frame,
            event: FrameEvent::of(header),
            message: message.filter(|_| header.opcode == OpCode::Continuation),
            close,
            rule: rule.section,
            says: rule.says,
            row: rule.row,
            answer,
            state: State::Open,
        }
    }

    fn broken(&mut self, rule: Rule) -> BrokenRule {
        let answer = if self.from == Side::Client { rule.answer } else { Vec::new() };
        BrokenRule {
            from: self.from,
            frame: self.take_frame(),
            section: rule.section,
            says: rule.says,
            why: rule.why,
            row: rule.row,
            code: rule.code,
            answer,
            state: State::Closed,
        }
    }

    /// The frame under way, to be shown; the next one begins behind it.
    fn take_frame(&mut self) -> Frame {
        let next = Frame { offset: self.frame.offset + self.frame.len(), ..Frame::default() };
        let mut frame = mem::replace(&mut self.frame, next);
        self.finish(&mut frame);
        frame
    }

    /// Works out what is shown of a frame beside its bytes.
    fn finish(&self, frame: &mut Frame) {
        frame.unmask();
        let is_text = match frame.opcode() {
            0x0 => self.message == Some(OpCode::Text),
            opcode => opcode == OpCode::Text as u8,
        };
        frame.is_compressed = match frame.opcode() {
            0x0 => self.message.is_some() && self.is_compressed,
            opcode => self.extension.compresses(frame.rsv(), opcode),
        };
        frame.is_text = is_text && !frame.is_compressed;
    }
}

/// Has a server's receiver hear a piece of a client's frame that reaches at most to the frame's end.
fn hear(receiver: &mut Receiver, mut piece: &mut [u8]) -> Result<Seen, ProtocolError> {
    let seen = receiver.next_event(&mut piece)?.map(Seen::of).unwrap_or_default();
    receiver.release();
    Ok(seen)
}

/// Holds a server's frame, as far as it has arrived, against the rules that an onlooker can judge.
fn look(frame: &Frame, in_message: bool, extension: Extension) -> Result<Seen, Rule> {
    let Some((header, _)) = FrameHeader::decode(&frame.header)? else { return Ok(Seen::default()) };
    // §5.1: "A server MUST NOT mask any frames that it sends to the client."
    if header.masking_key.is_some() {
        return Err(Rule::masked_by_server());
    }
    // §5.2: the reserved bits "MUST be 0 unless an extension is negotiated".
    if !extension.allows(header.rsv, frame.opcode()) {
        return Err(extension.broken_by(header.rsv));
    }
    // §5.4: "The fragments of one message MUST NOT be interleaved between the fragments of
    // another message".
    match header.opcode {
        OpCode::Continuation if !in_message => Err(ProtocolError::NothingToContinue.into()),
        OpCode::Text | OpCode::Binary if in_message => Err(ProtocolError::MessageNotFinished.into()),
        OpCode::Close if frame.is_complete() => {
            Ok(Seen { close: CloseFrame::decode(&frame.masked)?.map(owned), ..Seen::default() })
        }
        _ => Ok(Seen::default()),
    }
}

impl Seen {
    fn of(event: Event<'_>) -> Self {
        let mut answer = Vec::new();
        Sender::default().answer(&event, &mut answer);
        match event {
            Event::Message(message) => Self { message: Some(WholeMessage::of(message)), close: None, answer },
            Event::Close(frame) => Self { message: None, close: frame.map(owned), answer },
            Event::Ping(_) | Event::Pong(_) => Self { message: None, close: None, answer },
        }
    }
}

impl WholeMessage {
    /// The message as text, if it is one; what is kept of a longer one ends between two characters.
    pub fn text(&self) -> Option<&str> {
        let is_cut = self.length > self.start.len() as u64;
        if self.opcode == OpCode::Text && !self.is_compressed { text_of(&self.start, is_cut) } else { None }
    }

    fn of(message: Message<'_>) -> Self {
        let bytes = message.as_bytes();
        Self {
            opcode: message.opcode(),
            length: bytes.len() as u64,
            start: bytes[..bytes.len().min(SHOWN)].to_vec(),
            is_compressed: false,
        }
    }
}

/// The text that `bytes` are; if more bytes follow that were not kept, up to the last whole character.
pub(super) fn text_of(bytes: &[u8], is_cut: bool) -> Option<&str> {
    match str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if is_cut && error.error_len().is_none() => {
            str::from_utf8(&bytes[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

fn owned(frame: CloseFrame<'_>) -> (CloseCode, String) {
    (frame.code, frame.reason.to_owned())
}
