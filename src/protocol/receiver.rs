//! §5 and §8 From bytes to events: the receiving half of a connection.
//!
//! This file knows the rules that span frames: masking (§5.1), fragments (§5.4), control frames between them
//! (§5.5), text (§8.1) and size (§10.4). It does not know where bytes come from and how an event is answered:
//! the sender does that.
//!
//! If the input contains a whole frame, the frame is unmasked in place and borrowed. All other payloads are
//! assembled in a buffer, which exists until its event is processed. The buffer grows with the received
//! bytes, to four times their number at most. The length in a header can only make the buffer smaller.

#[cfg_attr(not(feature = "deflate"), path = "receiver/plain.rs")]
mod compressed;
mod partial;

use std::marker::PhantomData;

use super::{
    assembly::{Body, ControlPayload, Remaining},
    close::{self, CloseFrame},
    config::Limits,
    error::ProtocolError,
    frame::{FrameHeader, OpCode, SHORT_HEADER_LEN, is_unfragmented, short_message},
    mask::{MaskedPiece, apply_mask},
    message::{Event, Message, OwnedMessage},
    role::{Client, Role, Server},
    utf8::{self, InvalidUtf8},
};
use compressed::{Lent, new_body};
use partial::{PartialHeader, Payload, split_off_front};

/// The receiving half of a connection.
///
/// ```text
///          header judged            payload complete           event drained
/// Header ───────────────▶ Payload ─────────────────▶ Delivered ─────────────▶ Header
///    │                       │
///    ├── a Close frame ──────┴──────────────────────▶ CloseReceived   no further input counts (§5.5.1)
///    └── a broken rule, from any state ─────────────▶ Discard         no further input counts (§7.1.7)
/// ```
///
/// **Call [`next_event`](Self::next_event) until it returns `None`; then all input is consumed and nothing is
/// borrowed.** How the input is cut into pieces makes no difference to the events.
///
/// ```
/// use wirehook::protocol::{Event, Limits, Message, Receiver};
///
/// let mut receiver = Receiver::new(&Limits::default());
/// // §5.7: a single-frame masked text message.
/// let mut bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// let mut input = &mut bytes[..];
/// assert_eq!(receiver.next_event(&mut input)?, Some(Event::Message(Message::Text("Hello"))));
/// assert_eq!(receiver.next_event(&mut input)?, None);
/// # Ok::<(), wirehook::protocol::ProtocolError>(())
/// ```
#[derive(Debug)]
pub struct Receiver<R = Server> {
    state: State,
    /// The incomplete message, if it is assembled from pieces.
    message: Option<Box<Body>>,
    /// The state that few connections have.
    side: Option<Box<Side>>,
    max_message_size: usize,
    role: PhantomData<R>,
}

/// The state that few connections have.
#[derive(Debug, Default)]
struct Side {
    /// The incomplete control frame, if it is assembled from pieces.
    control: ControlPayload,
    /// How the peer compresses, if that was negotiated (RFC 7692).
    #[cfg(feature = "deflate")]
    window: Option<super::extension::Window>,
}

/// The meaning of the next byte of input.
#[derive(Debug)]
enum State {
    /// A part of a header; earlier bytes of it may have arrived.
    Header(PartialHeader),
    /// A part of a payload.
    Payload(Payload),
    /// The start of a header, after the buffer of the last event is dropped.
    Delivered(Kind),
    /// Ignored, because the peer has sent its Close.
    CloseReceived,
    /// Ignored, because the peer has broken a rule.
    Discard,
}

/// The kind of event that a payload is assembled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data,
    Close,
    Ping,
    Pong,
}

impl Receiver {
    /// Returns a server's receiver, which awaits the first frame of a client. Example: [`Receiver`].
    pub fn new(limits: &Limits) -> Self {
        Self::of_role(limits)
    }
}

impl Receiver<Client> {
    /// Returns a client's receiver, which awaits the first frame of a server.
    ///
    /// ```
    /// use wirehook::protocol::{Event, Limits, Message, ProtocolError, Receiver};
    ///
    /// let mut receiver = Receiver::client(&Limits::default());
    /// let mut bytes = *b"\x81\x05Hello\x81\x85\0\0\0\0Hello"; // §5.7, and a frame with a mask
    /// let mut input = &mut bytes[..];
    /// assert_eq!(receiver.next_event(&mut input)?, Some(Event::Message(Message::Text("Hello"))));
    /// assert_eq!(receiver.next_event(&mut input), Err(ProtocolError::MaskedFrame));
    /// # Ok::<(), ProtocolError>(())
    /// ```
    pub fn client(limits: &Limits) -> Self {
        Self::of_role(limits)
    }
}

impl<R: Role> Receiver<R> {
    /// Returns a receiver that awaits the first frame of the other side.
    pub(super) fn of_role(limits: &Limits) -> Self {
        Self {
            state: State::Header(PartialHeader::default()),
            message: None,
            side: None,
            max_message_size: limits.max_message_size,
            role: PhantomData,
        }
    }

    /// Consumes bytes from the front of `input` up to the next event, if they reach it.
    ///
    /// The bytes that an event borrows are unmasked in place. `None` means that all input was consumed. After
    /// a [`Close`](Event::Close) or an error all further input is discarded.
    ///
    /// # Errors
    ///
    /// The peer has broken a rule; the connection must be failed (§7.1.7).
    ///
    /// ```
    /// use wirehook::protocol::{Limits, ProtocolError, Receiver};
    ///
    /// let mut receiver = Receiver::new(&Limits::default());
    /// let mut bytes = *b"\x81\x05Hello"; // no mask
    /// let mut input = &mut bytes[..];
    /// assert_eq!(receiver.next_event(&mut input), Err(ProtocolError::UnmaskedFrame));
    /// assert_eq!(receiver.next_event(&mut input), Ok(None)); // all further input is discarded
    /// assert!(input.is_empty() && receiver.is_discarding());
    /// ```
    #[inline]
    pub fn next_event<'s, 'a: 's>(
        &'s mut self,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Event<'s>>, ProtocolError> {
        self.next_event_lent(input, None)
    }

    /// The same, with the decompressor of the caller if it has one.
    #[inline(always)]
    fn next_event_lent<'s, 'a: 's>(
        &'s mut self,
        input: &mut &'a mut [u8],
        inflater: Lent<'_>,
    ) -> Result<Option<Event<'s>>, ProtocolError> {
        self.release();
        if input.is_empty() {
            return Ok(None);
        }
        match self.take_whole_frame(input) {
            Ok(None) => self.put_together(input, inflater),
            Ok(Some(event)) => Ok(Some(event)),
            Err(error) => {
                self.discard();
                Err(error)
            }
        }
    }

    /// Discards the incomplete message and all further input, as after a failure (§7.1.7).
    ///
    /// ```
    /// # use wirehook::protocol::{Limits, Receiver};
    /// let mut receiver = Receiver::new(&Limits::default());
    /// receiver.discard();
    /// let mut close = [0x88, 0x80, 0, 0, 0, 0];
    /// assert_eq!(receiver.next_event(&mut &mut close[..]), Ok(None));
    /// assert!(!receiver.is_close_received());
    /// ```
    pub fn discard(&mut self) {
        self.state = State::Discard;
        self.message = None;
        self.side = None;
    }

    /// Frees the buffer of the last event, as the next [`next_event`](Self::next_event) would.
    ///
    /// It is for a caller that pauses before all input is consumed.
    ///
    /// ```
    /// # use wirehook::protocol::{Limits, Receiver};
    /// let mut receiver = Receiver::new(&Limits::default());
    /// let (mut start, mut rest) = (*b"\x82\x84\0\0\0\0ab", *b"cd");
    /// assert_eq!(receiver.next_event(&mut &mut start[..]), Ok(None));
    /// assert_eq!(receiver.buffered(), 2); // the received bytes, not the 4 of the header
    ///
    /// assert!(receiver.next_event(&mut &mut rest[..])?.is_some());
    /// assert!(receiver.memory() >= 4); // the event still borrows the buffer
    /// receiver.release();
    /// assert_eq!(receiver.memory(), 0);
    /// # Ok::<(), wirehook::protocol::ProtocolError>(())
    /// ```
    #[inline(always)]
    pub fn release(&mut self) {
        match self.state {
            State::Delivered(kind) => {
                match kind {
                    Kind::Data => self.message = None,
                    Kind::Close | Kind::Ping | Kind::Pong => self.drop_control(),
                }
                self.state = State::Header(PartialHeader::default());
            }
            // An incomplete message gets no more bytes.
            State::CloseReceived | State::Discard => (self.side, self.message) = (None, None),
            State::Header(_) | State::Payload(_) => {}
        }
    }

    /// Moves the message of the last event out of the receiver, so that it can be kept without a copy.
    ///
    /// Returns `None` if the last event was no message, or a message that borrows the input.
    ///
    /// ```
    /// use wirehook::protocol::{Event, Limits, OwnedMessage, Receiver};
    ///
    /// let mut receiver = Receiver::new(&Limits::default());
    /// let (mut start, mut rest) = (*b"\x81\x85\0\0\0\0Hel", *b"lo");
    /// assert_eq!(receiver.next_event(&mut &mut start[..])?, None);
    /// assert!(matches!(receiver.next_event(&mut &mut rest[..])?, Some(Event::Message(_))));
    /// assert_eq!(receiver.take_message(), Some(OwnedMessage::Text("Hello".into())));
    /// assert_eq!(receiver.take_message(), None);
    /// # Ok::<(), wirehook::protocol::ProtocolError>(())
    /// ```
    pub fn take_message(&mut self) -> Option<OwnedMessage> {
        let is_message = matches!(self.state, State::Delivered(Kind::Data));
        self.message.take_if(|_| is_message).map(|body| body.into_message())
    }

    /// Returns whether the peer's Close has arrived.
    pub const fn is_close_received(&self) -> bool {
        matches!(self.state, State::CloseReceived)
    }

    /// Returns whether the peer has broken a rule, so that all input is discarded.
    pub const fn is_discarding(&self) -> bool {
        matches!(self.state, State::Discard)
    }

    /// Returns the bytes held for an incomplete message; at most the message limit.
    pub fn buffered(&self) -> usize {
        self.message.as_deref().map_or(0, Body::len)
    }

    /// Returns the allocated bytes for an incomplete message. A buffer grows in steps, so they can be up to
    /// four times [`buffered`](Self::buffered), but never over the message limit.
    pub fn memory(&self) -> usize {
        self.message.as_deref().map_or(0, Body::capacity) + self.window_memory()
    }

    /// Returns the event of an unfragmented frame that the input contains whole, without a copy. Nearly all
    /// frames are such frames. Consumes nothing of any other frame.
    #[inline(always)]
    fn take_whole_frame<'a>(&mut self, input: &mut &'a mut [u8]) -> Result<Option<Event<'a>>, ProtocolError> {
        if !matches!(self.state, State::Header(PartialHeader { len: 0, .. })) {
            return Ok(None);
        }
        // Nearly all small messages pass this test, which covers all rules but those on earlier frames and on
        // size.
        if R::PEER_MASKS
            && let Some((opcode, key, len)) = short_message(input)
            && self.message.is_none()
            && len <= self.max_message_size
            && len <= input.len() - SHORT_HEADER_LEN
        {
            split_off_front(input, SHORT_HEADER_LEN);
            return self.whole_frame(opcode, key, split_off_front(input, len)).map(Some);
        }
        if !is_unfragmented(input) {
            return Ok(None);
        }
        let Some((header, header_len)) = FrameHeader::decode(input)? else { return Ok(None) };
        self.judge(&header)?;
        // A compressed message is always put together.
        if header.payload_len > (input.len() - header_len) as u64 || header.rsv != 0 {
            return Ok(None);
        }
        split_off_front(input, header_len);
        let payload = split_off_front(input, header.payload_len as usize);
        self.whole_frame(header.opcode, masking_key(&header), payload).map(Some)
    }

    /// Returns the event of an unfragmented frame.
    #[inline(always)]
    fn whole_frame<'a>(
        &mut self,
        opcode: OpCode,
        key: [u8; 4],
        payload: &'a mut [u8],
    ) -> Result<Event<'a>, ProtocolError> {
        if R::PEER_MASKS {
            apply_mask(payload, key);
        }
        let payload = &*payload;
        Ok(match opcode {
            OpCode::Text => Event::Message(Message::Text(text(payload)?)),
            OpCode::Binary => Event::Message(Message::Binary(payload)),
            OpCode::Ping => Event::Ping(payload),
            OpCode::Pong => Event::Pong(payload),
            OpCode::Close => {
                self.state = State::CloseReceived;
                Event::Close(CloseFrame::decode(payload)?)
            }
            // A continuation is never a whole message.
            OpCode::Continuation => return Err(ProtocolError::NothingToContinue),
        })
    }

    /// Returns the next event that is assembled from pieces, if its last byte has arrived.
    #[inline(never)]
    fn put_together(
        &mut self,
        input: &mut &mut [u8],
        inflater: Lent<'_>,
    ) -> Result<Option<Event<'_>>, ProtocolError> {
        match self.advance(input).and_then(|kind| self.inflated(kind, inflater)) {
            Ok(None) => Ok(None),
            Ok(Some(kind)) => self.assembled(kind).map(Some),
            Err(error) => {
                self.discard();
                Err(error)
            }
        }
    }

    /// Runs the states up to the end of the input, or to the last byte of an event; returns the event's kind.
    fn advance(&mut self, input: &mut &mut [u8]) -> Result<Option<Kind>, ProtocolError> {
        loop {
            match &mut self.state {
                State::Header(partial) => {
                    let Some(header) = partial.take_header(input)? else { return Ok(None) };
                    self.judge(&header)?;
                    self.begin(&header);
                }
                State::Payload(payload) => {
                    let piece = payload.take_piece(input);
                    let Payload { kind, fin, remaining, .. } = *payload;
                    let rest = remaining as usize;
                    let rest_of_message =
                        if fin { Remaining::Exactly(rest) } else { Remaining::AtLeast(rest + input.len()) };
                    self.append(kind, piece, rest_of_message)?;
                    if remaining > 0 {
                        return Ok(None);
                    }
                    if fin {
                        self.finish(kind)?;
                        return Ok(Some(kind));
                    }
                    self.state = State::Header(PartialHeader::default());
                }
                State::Delivered(_) => self.release(),
                // §5.5.1: no data follows a Close, and §7.1.7: after a failure no data is processed.
                State::CloseReceived | State::Discard => {
                    *input = &mut [];
                    return Ok(None);
                }
            }
        }
    }

    /// Checks a header against the rules that depend on the peer's role and on earlier frames, before its
    /// payload is processed.
    #[inline]
    fn judge(&self, header: &FrameHeader) -> Result<(), ProtocolError> {
        // §5.2: the reserved bits "MUST be 0 unless an extension is negotiated that defines
        // meanings for non-zero values".
        if header.rsv != 0 {
            self.judge_reserved_bits(header)?;
        }
        // §5.1: "The server MUST close the connection upon receiving a frame that is not masked", and "A
        // client MUST close a connection if it detects a masked frame."
        if header.masking_key.is_some() != R::PEER_MASKS {
            return Err(R::MASK_BROKEN);
        }
        // §5.4: "The fragments of one message MUST NOT be interleaved between the fragments of
        // another message"; §5.5 allows control frames there.
        let begun = match (header.opcode, self.message.as_deref()) {
            (OpCode::Continuation, None) => return Err(ProtocolError::NothingToContinue),
            (OpCode::Text | OpCode::Binary, Some(_)) => return Err(ProtocolError::MessageNotFinished),
            (OpCode::Continuation, Some(message)) => message.len(),
            (OpCode::Text | OpCode::Binary, None) => 0,
            (OpCode::Close | OpCode::Ping | OpCode::Pong, _) => return Ok(()),
        };
        // §10.4: a limit on "the total message size after reassembly from multiple frames".
        match header.payload_len.checked_add(begun as u64) {
            Some(len) if len <= self.max_message_size as u64 => Ok(()),
            Some(len) if self.may_be_long_compressed(header, len) => Ok(()),
            _ => Err(ProtocolError::MessageTooBig),
        }
    }

    /// Prepares for a payload that must be assembled.
    fn begin(&mut self, header: &FrameHeader) {
        let kind = match header.opcode {
            OpCode::Continuation => Kind::Data,
            OpCode::Text | OpCode::Binary => {
                self.message = Some(Box::new(new_body(header)));
                Kind::Data
            }
            OpCode::Close => Kind::Close,
            OpCode::Ping => Kind::Ping,
            OpCode::Pong => Kind::Pong,
        };
        let (fin, key, remaining) = (header.fin, masking_key(header), header.payload_len);
        self.state = State::Payload(Payload { kind, fin, key, remaining });
    }

    /// Adds a piece to the assembled payload, and refuses it at the first impossible byte.
    fn append(
        &mut self,
        kind: Kind,
        piece: MaskedPiece<'_>,
        remaining: Remaining,
    ) -> Result<(), ProtocolError> {
        match kind {
            Kind::Data => match self.message.as_deref_mut() {
                Some(message) => message.append(piece, remaining, self.max_message_size),
                None => Err(ProtocolError::NothingToContinue),
            },
            Kind::Close => close::check_prefix(self.control().append(piece.unmask())),
            Kind::Ping | Kind::Pong => {
                self.control().append(piece.unmask());
                Ok(())
            }
        }
    }

    /// Ends a message at its last frame, or a control frame.
    fn finish(&mut self, kind: Kind) -> Result<(), ProtocolError> {
        // §8.1: a message must not end inside a character.
        if kind == Kind::Data && self.message.as_deref().is_some_and(|message| !message.is_complete()) {
            return Err(ProtocolError::TextNotUtf8);
        }
        self.state = match kind {
            Kind::Close => State::CloseReceived,
            _ => State::Delivered(kind),
        };
        Ok(())
    }

    /// Returns the event of the assembled bytes. An empty payload has no buffer.
    fn assembled(&mut self, kind: Kind) -> Result<Event<'_>, ProtocolError> {
        let control = self.side.as_deref().map_or(&[][..], |side| side.control.bytes());
        Ok(match kind {
            Kind::Data => Event::Message(self.message.as_deref().map_or(Message::Binary(&[]), Body::message)),
            Kind::Ping => Event::Ping(control),
            Kind::Pong => Event::Pong(control),
            Kind::Close => match CloseFrame::decode(control) {
                Ok(frame) => Event::Close(frame),
                Err(error) => {
                    self.state = State::Discard;
                    return Err(error);
                }
            },
        })
    }

    fn control(&mut self) -> &mut ControlPayload {
        &mut self.side.get_or_insert_default().control
    }
}

/// Returns the key of a judged header. A client's frame has one; a server's frame needs none.
#[inline]
fn masking_key(header: &FrameHeader) -> [u8; 4] {
    header.masking_key.unwrap_or_default()
}

#[inline]
fn text(payload: &[u8]) -> Result<&str, ProtocolError> {
    utf8::validate(payload).map_err(|InvalidUtf8| ProtocolError::TextNotUtf8)
}
