//! The rules of §5, §7 and §8 in plain words: those that a frame shows, and those that it breaks.
//!
//! This file knows sentences, and their rows in `docs/rfc6455.md`. It does not decide when a rule applies:
//! the codec has decided that before.

use crate::protocol::{CloseCode, FrameHeader, OpCode, ProtocolError, SendError, Sender};

/// A rule of which a whole frame is an example.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) section: &'static str,
    pub(super) says: String,
    pub(super) row: Option<&'static str>,
}

/// A broken rule, and its consequences.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) section: &'static str,
    pub(super) says: String,
    pub(super) why: &'static str,
    pub(super) row: Option<&'static str>,
    pub(super) code: CloseCode,
    /// The server's Close.
    pub(super) answer: Vec<u8>,
}

/// The Close of the side that closes second.
pub(super) const CLOSE_IN_RETURN: &str = "the Close in return: the closing handshake is done";

/// The Close of a side that detects a broken rule.
pub(super) const CLOSE_OF_FAILURE: &str = "the Close that says why the connection has failed (§7.1.7)";

/// Returns the rule of which a frame is an example. `message` is the current message, if any.
pub(super) fn shown_by(header: &FrameHeader, message: Option<OpCode>) -> Shown {
    let kind = match message {
        Some(OpCode::Text) => "text",
        Some(OpCode::Binary) => "binary",
        _ => "unknown",
    };
    let (section, row, says) = match (header.opcode, header.fin) {
        (OpCode::Text, true) => ("§5.6", "s5.6-1", "a whole text message in one frame".to_owned()),
        (OpCode::Binary, true) => ("§5.6", "s5.2-1", "a whole binary message in one frame".to_owned()),
        (OpCode::Text, false) => ("§5.4", "s5.4-7", "the first fragment of a text message".to_owned()),
        (OpCode::Binary, false) => ("§5.4", "s5.4-7", "the first fragment of a binary message".to_owned()),
        (OpCode::Continuation, false) => {
            ("§5.4", "s5.4-3", format!("one more fragment of the {kind} message"))
        }
        (OpCode::Continuation, true) => {
            ("§5.4", "s5.4-3", format!("the last fragment of the {kind} message"))
        }
        (OpCode::Close, _) => ("§5.5.1", "s5.5.1-6", "a Close, which is owed a Close in return".to_owned()),
        (OpCode::Ping, _) if message.is_some() => {
            ("§5.5.2", "s5.4-1", "a ping between two fragments, which is owed a pong all the same".to_owned())
        }
        (OpCode::Ping, _) => {
            ("§5.5.2", "s5.5.2-2", "a ping, which is owed a pong with its payload".to_owned())
        }
        (OpCode::Pong, _) => {
            ("§5.5.3", "s5.5.3-2", "a pong: the answer to a ping, or sent unasked".to_owned())
        }
    };
    Shown { section, says, row: Some(row) }
}

impl Shown {
    /// RFC 7692 §6: returns the rule that a frame of a compressed message shows.
    pub(super) fn of_deflate(says: String) -> Self {
        Self { section: "RFC 7692 §6", says, row: None }
    }
}

impl Rule {
    /// RFC 7692 §6: returns the rule that a later frame breaks. The bit belongs on the first frame, for the
    /// whole message, and never on control frames.
    pub(super) fn compressed_later() -> Self {
        Self {
            section: "RFC 7692 §6",
            says: "only the first frame of a message may have RSV1".to_owned(),
            why: "With permessage-deflate RSV1 says that a whole message is compressed. It stands on the first frame \
                  of the message; continuations and control frames must not have it.",
            row: None,
            ..Self::from(ProtocolError::ReservedBits)
        }
    }

    /// §5.5.1: returns the rule that a server breaks with bytes after its Close.
    pub(super) fn after_close() -> Self {
        Self {
            section: "§5.5.1",
            says: without_section(&SendError::CloseSent.to_string()).to_owned(),
            why: "With its Close this side has announced that it sends nothing more.",
            row: Some("s5.5.1-5"),
            code: CloseCode::PROTOCOL_ERROR,
            answer: Vec::new(),
        }
    }
}

impl From<ProtocolError> for Rule {
    fn from(error: ProtocolError) -> Self {
        let mut answer = Vec::new();
        Sender::default().fail(error, &mut answer);
        Self {
            section: error.section(),
            says: without_section(&error.to_string()).to_owned(),
            why: why(error),
            row: row(error),
            code: error.close_code(),
            answer,
        }
    }
}

/// Removes the section from an error's sentence.
pub(super) fn without_section(error: &str) -> &str {
    error.split_once(": ").map_or(error, |(_, says)| says)
}

/// Returns the reason for the rule.
const fn why(error: ProtocolError) -> &'static str {
    match error {
        ProtocolError::UnmaskedFrame => {
            "The MASK bit is 0, so no key follows, and the payload stands as it is. A client has to mask every \
             frame with a new key that nobody can guess. Otherwise a page could choose the bytes that its browser \
             puts on the wire, and talk to a proxy in the middle as if it were something else (§10.3)."
        }
        ProtocolError::MaskedFrame => {
            "A mask protects against a page that chooses the bytes of its browser. A server needs none, and a \
             client that receives a masked frame has to close the connection."
        }
        ProtocolError::ReservedBits => {
            "RSV1 to RSV3 belong to extensions, such as RSV1 to permessage-deflate (RFC 7692). Unless the handshake \
             has put one to use that has this bit, the bit has no meaning."
        }
        ProtocolError::ReservedOpCode(_) => {
            "The opcodes 0x3 to 0x7 and 0xB to 0xF are kept for frames that are not defined yet. To guess, or to \
             skip one, would be worse than to end."
        }
        ProtocolError::NonMinimalLength => {
            "A length up to 125 stands in the 7 bits, one up to 65535 in 16 bits, and only a longer one in 64. \
             Each length has one spelling, so that no two readers can take the same bytes for different things."
        }
        ProtocolError::LengthOver63Bits => {
            "The top bit of a 64-bit length has to be 0, so that the length also fits where numbers have a sign."
        }
        ProtocolError::NothingToContinue => {
            "A continuation goes on with a message whose frames so far had FIN 0. No such message is under way."
        }
        ProtocolError::MessageNotFinished => {
            "The message under way has not had its last frame, the one with FIN 1. Fragments have no number that \
             says which message they belong to, so one message has to end before the next can begin. Only control \
             frames may stand between."
        }
        ProtocolError::FragmentedControl => {
            "A control frame may come between the fragments of a message, so it has to be whole itself: FIN 1."
        }
        ProtocolError::ControlTooLong => {
            "Control frames are handled at once, whatever else is under way, so they are kept short: up to 125 \
             bytes, which is as much as the 7 bits can say."
        }
        ProtocolError::CloseBodyOfOneByte => {
            "A Close has no body, or one that begins with a code of two bytes. One byte is neither."
        }
        ProtocolError::CloseReasonNotUtf8 => {
            "After its code a Close may have a reason, which is text. It fails at the first byte that UTF-8 can't \
             have there, or if it ends inside a character."
        }
        ProtocolError::ForbiddenCloseCode(_) => {
            "Some codes only describe how a connection has ended (1005, 1006, 1015), some are kept for later, \
             numbers below 1000 are not used, and the RFC assigns none above 4999. None of these may be sent."
        }
        ProtocolError::MisplacedCompression => {
            "RSV1 says that a whole message is compressed. It stands on the first frame of the message; continuations \
             and control frames must not have it."
        }
        ProtocolError::NotDeflate => {
            "RSV1 says that the message is compressed, but its payload is no DEFLATE data, or is cut off, or refers to \
             bytes that the window does not have."
        }
        ProtocolError::TextNotUtf8 => {
            "Text is UTF-8. A message fails at the first byte that UTF-8 can't have there, without waiting for the \
             rest, or if it ends inside a character. Nothing is repaired or replaced."
        }
        ProtocolError::MessageTooBig => {
            "The header alone says that the message, with its fragments so far, is over the limit that this side \
             has set for itself. So it ends here, before a byte of the payload is kept."
        }
        ProtocolError::NoMemory => {
            "The message is within the limit, but no memory was to be had for it. It is not the peer's fault: 1013 \
             asks it to try again later."
        }
    }
}

/// Returns the rule's row in `docs/rfc6455.md`.
const fn row(error: ProtocolError) -> Option<&'static str> {
    Some(match error {
        ProtocolError::UnmaskedFrame => "s5.1-2",
        ProtocolError::MaskedFrame => "s5.1-4",
        ProtocolError::ReservedBits => "s5.2-3",
        ProtocolError::ReservedOpCode(_) => "s5.2-4",
        ProtocolError::NonMinimalLength => "s5.2-6",
        ProtocolError::LengthOver63Bits => "s5.2-5",
        ProtocolError::NothingToContinue | ProtocolError::MessageNotFinished => "s5.4-4",
        ProtocolError::FragmentedControl | ProtocolError::ControlTooLong => "s5.5-1",
        ProtocolError::CloseBodyOfOneByte => "s5.5.1-2",
        ProtocolError::ForbiddenCloseCode(1005) => "s7.4.1-3",
        ProtocolError::ForbiddenCloseCode(1006) => "s7.4.1-4",
        ProtocolError::ForbiddenCloseCode(1015) => "s7.4.1-6",
        ProtocolError::ForbiddenCloseCode(_) => "s7.4.2",
        // Rules of RFC 7692.
        ProtocolError::MisplacedCompression | ProtocolError::NotDeflate => return None,
        ProtocolError::TextNotUtf8 | ProtocolError::CloseReasonNotUtf8 => "s8.1-1",
        ProtocolError::MessageTooBig | ProtocolError::NoMemory => "s10.4-2",
    })
}
