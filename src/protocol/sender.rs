//! §5 and §7 What may be sent when: the sending half of a connection.
//!
//! This file knows that everything may be sent until Close and nothing after it (§5.5.1). It refuses to know
//! what a frame looks like, which is `framing.rs`'s matter, and where the bytes go: they are appended to a
//! buffer of the caller's, which it writes whenever it likes, in this order.

use std::fmt;

use super::{
    close::CloseFrame,
    close_code::CloseCode,
    error::ProtocolError,
    frame::{MAX_CONTROL_PAYLOAD, OpCode},
    framing::{self, Beginning, Framing},
    message::{Event, Message},
    prepared::Prepared,
    role::{Client, MaskKeys, SendingRole, Server},
};

/// Why a frame was not sent. Nothing was appended then.
///
/// ```
/// use wirehook::protocol::{CloseCode, SendError, Sender};
///
/// let (mut sender, mut out) = (Sender::default(), Vec::new());
/// assert_eq!(sender.ping(&[0; 126], &mut out), Err(SendError::ControlTooLong));
/// assert_eq!(sender.close(CloseCode::ABNORMAL, "", &mut out), Err(SendError::ForbiddenCloseCode));
/// assert!(out.is_empty());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// §5.5.1: a Close frame was sent, and nothing may follow it.
    CloseSent,
    /// §5.5: the payload of a ping or pong is over 125 bytes.
    ControlTooLong,
    /// §7.4: a Close frame must not have this code.
    ForbiddenCloseCode,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CloseSent => "§5.5.1: nothing may be sent after a Close frame",
            Self::ControlTooLong => "§5.5: a control frame takes 125 bytes at most",
            Self::ForbiddenCloseCode => "§7.4: this close code must not be sent",
        })
    }
}

impl std::error::Error for SendError {}

/// The sending half of a connection. A server's frames are unmasked, a client's are masked (§5.1).
///
/// ```text
///       close, fail, the answer to a Close
/// Open ───────────────────────────────────▶ CloseSent: everything is refused (§5.5.1)
/// ```
///
/// ```
/// use wirehook::protocol::{CloseCode, Message, SendError, Sender};
///
/// let mut sender = Sender::default();
/// let mut out = Vec::new();
/// sender.message(Message::Text("Hello"), &mut out)?;
/// assert_eq!(out, [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]); // §5.7
///
/// sender.close(CloseCode::NORMAL, "bye", &mut out)?;
/// assert!(sender.is_close_sent());
/// assert_eq!(sender.message(Message::Text("?"), &mut out), Err(SendError::CloseSent));
/// # Ok::<(), SendError>(())
/// ```
#[derive(Debug)]
pub struct Sender<R = Server> {
    /// How messages are encoded; `None` once our Close was sent.
    pub(super) framing: Option<Framing>,
    pub(super) role: R,
}

impl Default for Sender {
    /// Returns a server's sender, before its Close.
    fn default() -> Self {
        Self { framing: Some(Framing::SERVER), role: Server }
    }
}

impl Sender {
    /// Returns how frames are encoded; `None` once our Close was sent.
    ///
    /// ```
    /// use wirehook::protocol::{CloseCode, Message, Sender};
    ///
    /// let (mut sender, mut out) = (Sender::default(), Vec::new());
    /// if let Some(framing) = sender.framing() {
    ///     framing.message(Message::Text("Hello"), &mut out);
    /// }
    /// assert_eq!(out, b"\x81\x05Hello");
    ///
    /// sender.close(CloseCode::NORMAL, "", &mut out)?;
    /// assert_eq!(sender.framing(), None);
    /// # Ok::<(), wirehook::protocol::SendError>(())
    /// ```
    #[inline]
    pub const fn framing(&self) -> Option<Framing> {
        // §5.5.1: "The application MUST NOT send any more data frames after sending a Close frame."
        self.framing
    }
}

impl<K: MaskKeys> Sender<Client<K>> {
    /// Creates a client's sender, which masks each frame with a key of its own (§5.3).
    ///
    /// ```
    /// use wirehook::protocol::{CloseCode, Sender};
    ///
    /// let mut out = Vec::new();
    /// let mut sender = Sender::client(|| [1, 2, 3, 4]);
    /// sender.ping(b"", &mut out)?;
    /// sender.close(CloseCode::MANDATORY_EXTENSION, "", &mut out)?; // 1010 is a client's code (§7.4.1)
    /// assert_eq!(out, [0x89, 0x80, 1, 2, 3, 4, 0x88, 0x82, 1, 2, 3, 4, 0x03 ^ 1, 0xf2 ^ 2]);
    /// # Ok::<(), wirehook::protocol::SendError>(())
    /// ```
    pub fn client(keys: K) -> Self {
        Self { framing: Some(Framing::SERVER), role: Client::new(keys) }
    }
}

impl<R: SendingRole> Sender<R> {
    /// Returns whether our Close was sent.
    pub const fn is_close_sent(&self) -> bool {
        self.framing.is_none()
    }

    /// Appends a message as one frame.
    ///
    /// # Errors
    ///
    /// Close was sent.
    #[inline]
    pub fn message(&mut self, message: Message<'_>, out: &mut Vec<u8>) -> Result<(), SendError> {
        framing::frame(self.open()?, Beginning::of(message.opcode()), message.as_bytes(), out);
        Ok(())
    }

    /// Appends a message that is prepared already, as one frame.
    ///
    /// ```
    /// use wirehook::protocol::{Message, Prepared, Sender};
    ///
    /// let prepared = Prepared::new(Message::Text("Hello"));
    /// let mut out = Vec::new();
    /// Sender::client(|| [0x37, 0xfa, 0x21, 0x3d]).prepared(&prepared, &mut out)?;
    /// assert_eq!(out, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]); // §5.7
    /// # Ok::<(), wirehook::protocol::SendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Close was sent.
    pub fn prepared(&mut self, message: &Prepared, out: &mut Vec<u8>) -> Result<(), SendError> {
        framing::frame(self.open()?, Beginning::of(message.opcode()), message.payload(), out);
        Ok(())
    }

    /// Appends a message in fragments (§5.4) of `fragment_len` bytes, the last one of the rest; at least one
    /// byte each, whatever is asked for. Nothing may be appended between them but control frames (§5.5).
    ///
    /// A text may be cut inside a character: §8.1 judges the message, not its fragments.
    ///
    /// ```
    /// use wirehook::protocol::{Message, Sender};
    ///
    /// let mut out = Vec::new();
    /// Sender::default().fragments(Message::Text("Hello"), 3, &mut out)?;
    /// assert_eq!(out, *b"\x01\x03Hel\x80\x02lo"); // §5.7
    /// # Ok::<(), wirehook::protocol::SendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Close was sent.
    pub fn fragments(
        &mut self,
        message: Message<'_>,
        fragment_len: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let first = Beginning::of(message.opcode());
        framing::fragments(self.open()?, first, message.as_bytes(), fragment_len, out);
        Ok(())
    }

    /// Appends a ping (§5.5.2) with up to 125 bytes of payload, which the peer's pong will repeat.
    ///
    /// ```
    /// # let (mut sender, mut out) = (wirehook::protocol::Sender::default(), Vec::new());
    /// sender.ping(b"Hello", &mut out)?;
    /// assert_eq!(out, b"\x89\x05Hello"); // §5.7
    /// # Ok::<(), wirehook::protocol::SendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Close was sent, or the payload is too long.
    pub fn ping(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), SendError> {
        self.control(OpCode::Ping, payload, out)
    }

    /// Appends a pong (§5.5.3) with up to 125 bytes of payload: those of the ping that it answers.
    ///
    /// ```
    /// # let (mut sender, mut out) = (wirehook::protocol::Sender::default(), Vec::new());
    /// sender.pong(b"", &mut out)?; // unsolicited: "a unidirectional heartbeat" (§5.5.3)
    /// assert_eq!(out, b"\x8a\x00");
    /// # Ok::<(), wirehook::protocol::SendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Close was sent, or the payload is too long.
    pub fn pong(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), SendError> {
        self.control(OpCode::Pong, payload, out)
    }

    /// Appends a Close (§5.5.1), after which nothing more is sent. A `reason` over 123 bytes is cut.
    ///
    /// [`CloseCode::NO_STATUS_RECEIVED`] stands for a Close without a body.
    ///
    /// ```
    /// use wirehook::protocol::{CloseCode, Sender};
    ///
    /// let mut out = Vec::new();
    /// Sender::default().close(CloseCode::NORMAL, "bye", &mut out)?;
    /// assert_eq!(out, b"\x88\x05\x03\xe8bye"); // 0x03e8 is 1000
    /// # Ok::<(), wirehook::protocol::SendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Close was sent before, or the code must not be sent (§7.4).
    pub fn close(&mut self, code: CloseCode, reason: &str, out: &mut Vec<u8>) -> Result<(), SendError> {
        if code == CloseCode::NO_STATUS_RECEIVED {
            return self.close_frame(None, out);
        }
        // §7.4.1: 1005, 1006 and 1015 "MUST NOT be set as a status code in a Close control frame", and 1010
        // "is not used by the server".
        if !R::may_close_with(code) {
            return Err(SendError::ForbiddenCloseCode);
        }
        self.close_frame(Some(CloseFrame { code, reason }), out)
    }

    /// Appends what an event must be answered with: a pong for a ping (§5.5.2), a Close for a Close (§5.5.1).
    ///
    /// Nothing is appended for other events, nor after our own Close.
    ///
    /// ```
    /// use wirehook::protocol::{Event, Sender};
    ///
    /// let (mut sender, mut out) = (Sender::default(), Vec::new());
    /// sender.answer(&Event::Ping(b"?"), &mut out);
    /// sender.answer(&Event::Close(None), &mut out);
    /// sender.answer(&Event::Ping(b"?"), &mut out); // too late
    /// assert_eq!(out, b"\x8a\x01?\x88\x00");
    /// ```
    pub fn answer(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        // The only error left is that Close was sent, which leaves nothing to answer.
        let _ = match event {
            // §5.5.2: "Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in
            // response, unless it already received a Close frame."
            // Deviation from §5.5.2: none is sent after our own Close. The peer owes us a Close by then,
            // and common clients take any frame that follows one for an error.
            Event::Ping(payload) => self.pong(payload, out),
            // §5.5.1: the endpoint "MUST send a Close frame in response", and it "typically echos
            // the status code it received".
            Event::Close(frame) => {
                let echo = frame.map(|frame| CloseFrame { reason: "", ..frame });
                self.close_frame(echo, out)
            }
            Event::Message(_) | Event::Pong(_) => Ok(()),
        };
    }

    /// Appends the Close that _Fail the WebSocket Connection_ (§7.1.7) sends for a broken rule.
    ///
    /// ```
    /// use wirehook::protocol::{CloseCode, CloseFrame, ProtocolError, Sender};
    ///
    /// let mut out = Vec::new();
    /// Sender::default().fail(ProtocolError::TextNotUtf8, &mut out);
    /// let body = CloseFrame { code: CloseCode::INVALID_PAYLOAD, reason: "§8.1: text is not UTF-8" };
    /// assert_eq!(CloseFrame::decode(&out[2..]), Ok(Some(body)));
    /// ```
    pub fn fail(&mut self, error: ProtocolError, out: &mut Vec<u8>) {
        // Fails only if Close was sent, and then the peer has been told.
        let _ = self.close(error.close_code(), &error.to_string(), out);
    }

    fn control(&mut self, opcode: OpCode, payload: &[u8], out: &mut Vec<u8>) -> Result<(), SendError> {
        let role = self.open()?;
        // §5.5: "All control frames MUST have a payload length of 125 bytes or less".
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(SendError::ControlTooLong);
        }
        framing::frame(role, Beginning::of(opcode), payload, out);
        Ok(())
    }

    fn close_frame(&mut self, frame: Option<CloseFrame<'_>>, out: &mut Vec<u8>) -> Result<(), SendError> {
        framing::close(self.open()?, frame, out);
        self.framing = None;
        Ok(())
    }

    /// Returns the role while frames may be sent: until our Close.
    fn open(&mut self) -> Result<&mut R, SendError> {
        if self.is_close_sent() { Err(SendError::CloseSent) } else { Ok(&mut self.role) }
    }
}
