//! §5.5.1 The body of a Close frame.
//!
//! This file knows the layout of code and reason in a frame. It does not know when a Close is due and which
//! side sends it.

use std::str;

use super::{
    close_code::CloseCode,
    error::ProtocolError,
    frame::MAX_CONTROL_PAYLOAD,
    utf8::{self, InvalidUtf8},
};

/// The longest reason that fits into a Close frame, in bytes: a control payload less the two of the code.
///
/// ```
/// use wirehook::protocol::{CloseCode, MAX_CLOSE_REASON, Sender};
///
/// let mut out = Vec::new();
/// Sender::default().close(CloseCode::NORMAL, &"?".repeat(200), &mut out)?;
/// assert_eq!(out.len(), 2 + 2 + MAX_CLOSE_REASON); // header, code, and what fits
/// # Ok::<(), wirehook::protocol::SendError>(())
/// ```
pub const MAX_CLOSE_REASON: usize = MAX_CONTROL_PAYLOAD - 2;

/// The body of a Close frame (§5.5.1): a code, and a reason for logs and programs, not for end users.
///
/// ```
/// use wirehook::protocol::{CloseCode, CloseFrame, ProtocolError};
///
/// let body = CloseFrame { code: CloseCode::NORMAL, reason: "bye" };
/// assert_eq!(CloseFrame::decode(b"\x03\xe8bye"), Ok(Some(body)));
/// assert_eq!(CloseFrame::decode(b""), Ok(None));
/// assert_eq!(CloseFrame::decode(b"\x03"), Err(ProtocolError::CloseBodyOfOneByte));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// Why the connection ends.
    pub code: CloseCode,
    /// The same in words; may be empty.
    pub reason: &'a str,
}

impl<'a> CloseFrame<'a> {
    /// Reads the payload of a Close frame; an empty one has no body, hence `None`.
    ///
    /// # Errors
    ///
    /// A single byte, a code that must not be sent, or a reason that is not UTF-8.
    pub fn decode(payload: &'a [u8]) -> Result<Option<Self>, ProtocolError> {
        check_prefix(payload)?;
        match payload.split_first_chunk() {
            None if payload.is_empty() => Ok(None),
            // §5.5.1: "If there is a body, the first two bytes of the body MUST be a 2-byte
            // unsigned integer (in network byte order) representing a status code".
            None => Err(ProtocolError::CloseBodyOfOneByte),
            Some((code, reason)) => {
                let code = CloseCode(u16::from_be_bytes(*code));
                let reason = str::from_utf8(reason).map_err(|_| ProtocolError::CloseReasonNotUtf8)?;
                Ok(Some(Self { code, reason }))
            }
        }
    }

    /// Appends the payload to `out`, the reason cut at a character so that it fits.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.code.0.to_be_bytes());
        out.extend_from_slice(self.fitting_reason().as_bytes());
    }

    /// Returns as much of the reason as a Close frame has room for.
    pub(crate) fn fitting_reason(&self) -> &'a str {
        &self.reason[..self.reason.floor_char_boundary(MAX_CLOSE_REASON)]
    }
}

/// Checks the beginning of a Close body, so that a forbidden code or an invalid byte is refused before the
/// rest arrives.
///
/// # Errors
///
/// The code must not be sent, or the reason contains an impossible byte.
pub(super) fn check_prefix(payload: &[u8]) -> Result<(), ProtocolError> {
    let Some((code, reason)) = payload.split_first_chunk() else { return Ok(()) };
    let code = CloseCode(u16::from_be_bytes(*code));
    if !code.may_be_sent() {
        return Err(ProtocolError::ForbiddenCloseCode(code.0));
    }
    // §5.5.1: the reason is "UTF-8-encoded data"; §8.1 says what follows when it is not.
    utf8::check_prefix(reason).map_err(|InvalidUtf8| ProtocolError::CloseReasonNotUtf8)
}
