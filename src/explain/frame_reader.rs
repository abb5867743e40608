//! §5 Finds frames in bytes that are cut anywhere, and has them judged.
//!
//! This file finds the end of each frame. The [`Receiver`] alone judges a client's frames. It is fed piece by
//! piece, so that its verdict belongs to a known frame and byte.

use std::mem;

#[cfg(feature = "deflate")]
use super::inflating::Inflating;
#[cfg(feature = "deflate")]
use crate::protocol::DeflateParams;
use crate::protocol::{
    CloseCode, CloseFrame, Event, FrameHeader, Limits, OpCode, ProtocolError, Receiver, Sender,
};

use super::{
    BrokenRule, Frame, FrameEvent, FrameStep, Leftover, Side, State, Step, WholeMessage,
    extension::Extension,
    rules::{self, Rule},
};

/// Finds the frames of one direction, and judges each.
#[derive(Debug)]
pub(super) struct FrameReader {
    from: Side,
    judge: Judge,
    frame: Frame,
    /// The type of the current message, if its first fragment has arrived.
    message: Option<OpCode>,
    /// Whether the current message is compressed, and how many bytes its frames so far had.
    is_compressed: bool,
    compressed_len: u64,
    /// The client's receiver inflates.
    inflates: bool,
    #[cfg(feature = "deflate")]
    inflating: Option<Inflating>,
    extension: Extension,
}

/// Judges the frames of one side.
#[derive(Debug)]
enum Judge {
    /// For a client's frames: the server's receiver.
    Receiver(Receiver),
    /// For a server's frames: the rules below.
    ServerRules {
        close_sent: bool,
        #[cfg(feature = "deflate")]
        limits: Limits,
    },
}

/// The verdict on a frame that breaks no rule.
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
            Side::Server => Judge::ServerRules {
                close_sent: false,
                #[cfg(feature = "deflate")]
                limits: *limits,
            },
        };
        let frame = Frame { offset, ..Frame::default() };
        Self {
            from,
            judge,
            frame,
            message: None,
            is_compressed: false,
            compressed_len: 0,
            inflates: false,
            #[cfg(feature = "deflate")]
            inflating: None,
            extension: Extension::None,
        }
    }

    pub(super) fn use_extension(&mut self, extension: Extension) {
        self.extension = extension;
    }

    /// Inflates compressed messages from here on; every earlier one must have been read.
    #[cfg(feature = "deflate")]
    pub(super) fn use_deflate(&mut self, params: &DeflateParams) {
        match &mut self.judge {
            Judge::Receiver(receiver) => {
                receiver.use_deflate(params);
                self.inflates = true;
            }
            Judge::ServerRules { limits, .. } => self.inflating = Some(Inflating::new(params, limits)),
        }
    }

    #[cfg(feature = "deflate")]
    fn memory_of_server(&self) -> usize {
        self.inflating.as_ref().map_or(0, Inflating::memory)
    }

    #[cfg(not(feature = "deflate"))]
    const fn memory_of_server(&self) -> usize {
        0
    }

    /// Consumes bytes of `input` up to the end of a frame or to a broken rule.
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

    /// Returns the number of received bytes of this direction.
    pub(super) fn offset(&self) -> u64 {
        self.frame.offset + self.frame.len()
    }

    /// Returns the bytes of memory of an incomplete message.
    pub(super) fn memory(&self) -> usize {
        match &self.judge {
            Judge::Receiver(receiver) => receiver.memory(),
            Judge::ServerRules { .. } => self.memory_of_server(),
        }
    }

    /// Returns the incomplete bytes at the end of the connection.
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
        #[cfg(feature = "deflate")]
        let is_compressed = self.is_of_compressed(&self.frame);
        match &mut self.judge {
            Judge::Receiver(receiver) => {
                let mut piece = piece.to_vec();
                if let ([first], 1, false) = (&mut piece[..], self.frame.header.len(), self.inflates) {
                    *first = self.extension.without_bits(*first);
                }
                let broken = |error| match error {
                    ProtocolError::ReservedBits => self.extension.broken_by(self.frame.rsv()),
                    ProtocolError::MisplacedCompression => Rule::compressed_later(),
                    error => error.into(),
                };
                receive(receiver, &mut piece).map_err(broken)
            }
            Judge::ServerRules { close_sent: true, .. } => Err(Rule::after_close()),
            Judge::ServerRules { close_sent, .. } => {
                let seen = check_server_frame(&self.frame, self.message.is_some(), self.extension)?;
                *close_sent = self.frame.opcode() == OpCode::Close as u8 && self.frame.is_complete();
                #[cfg(feature = "deflate")]
                if let Some(inflating) = self.inflating.as_mut().filter(|_| is_compressed) {
                    return Ok(Seen { message: inflating.read(piece)?, ..seen });
                }
                Ok(seen)
            }
        }
    }

    fn complete(&mut self, header: &FrameHeader, seen: Seen) -> FrameStep {
        let frame = self.take_frame();
        let rule = rules::shown_by(header, self.message);
        let rule = self.extension.explain_bits(rule, header, frame.is_compressed);
        let Seen { message, close, answer } = seen;
        let is_inflated = frame.is_compressed && self.is_inflating();
        self.compressed_len += if frame.is_compressed { frame.arrived } else { 0 };
        let message = message.map(|message| WholeMessage {
            // A receiver that does not inflate takes a compressed text for binary.
            opcode: if is_inflated { message.opcode } else { self.message.unwrap_or(message.opcode) },
            is_compressed: frame.is_compressed,
            compressed_length: is_inflated.then_some(self.compressed_len),
            ..message
        });
        if header.fin && !header.opcode.is_control() {
            self.compressed_len = 0;
        }
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
            message: message.filter(|_| header.opcode == OpCode::Continuation || is_inflated),
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

    /// Returns the current frame for display; the next one begins after it.
    fn take_frame(&mut self) -> Frame {
        let next = Frame { offset: self.frame.offset + self.frame.len(), ..Frame::default() };
        let mut frame = mem::replace(&mut self.frame, next);
        self.finish(&mut frame);
        frame
    }

    /// Returns whether messages of this side are inflated.
    #[cfg(feature = "deflate")]
    fn is_inflating(&self) -> bool {
        self.inflates || self.inflating.is_some()
    }

    #[cfg(not(feature = "deflate"))]
    const fn is_inflating(&self) -> bool {
        self.inflates
    }

    /// Returns whether the frame belongs to a compressed message.
    fn is_of_compressed(&self, frame: &Frame) -> bool {
        match frame.opcode() {
            0x0 => self.message.is_some() && self.is_compressed,
            opcode => self.extension.compresses(frame.rsv(), opcode),
        }
    }

    /// Adds the facts about a frame that its bytes alone do not show.
    fn finish(&self, frame: &mut Frame) {
        frame.unmask();
        let is_text = match frame.opcode() {
            0x0 => self.message == Some(OpCode::Text),
            opcode => opcode == OpCode::Text as u8,
        };
        frame.is_compressed = self.is_of_compressed(frame);
        frame.is_text = is_text && !frame.is_compressed;
    }
}

/// Passes a piece of a client's frame to a server's receiver. The piece must not cross the frame's end.
fn receive(receiver: &mut Receiver, mut piece: &mut [u8]) -> Result<Seen, ProtocolError> {
    let seen = receiver.next_event(&mut piece)?.map(Seen::of).unwrap_or_default();
    receiver.release();
    Ok(seen)
}

/// Checks a server's frame, as far as it has arrived, against the rules that an observer can judge.
fn check_server_frame(frame: &Frame, in_message: bool, extension: Extension) -> Result<Seen, Rule> {
    let Some((header, _)) = FrameHeader::decode(&frame.header)? else { return Ok(Seen::default()) };
    // §5.1: "A server MUST NOT mask any frames that it sends to the client."
    if header.masking_key.is_some() {
        return Err(ProtocolError::MaskedFrame.into());
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

fn owned(frame: CloseFrame<'_>) -> (CloseCode, String) {
    (frame.code, frame.reason.to_owned())
}
