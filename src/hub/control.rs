//! The frames that the hub sends by itself: pings, the answers to events, Closes.
//!
//! This file knows which call of a sender makes which of them, whatever the sender's role.

use crate::protocol::{CloseCode, Event, ProtocolError, SendError, Sender, SendingRole};

/// A control frame to send.
#[derive(Clone, Copy, Debug)]
pub(super) enum Control<'a> {
    Ping(&'a [u8]),
    /// The pong for a ping, or the Close for a Close.
    Answer(&'a Event<'a>),
    Close(CloseCode, &'a str),
    /// The Close for a broken rule.
    Fail(ProtocolError),
}

impl Control<'_> {
    /// Has the sender append the frame.
    pub(super) fn encode<R: SendingRole>(
        self,
        sender: &mut Sender<R>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        match self {
            Self::Ping(payload) => return sender.ping(payload, out),
            Self::Close(code, reason) => return sender.close(code, reason, out),
            Self::Answer(event) => sender.answer(event, out),
            Self::Fail(error) => sender.fail(error, out),
        }
        Ok(())
    }
}
