//! §5.1 A message to a server: this program is the client, so each of its frames is masked as it is encoded.
//!
//! This file knows the forms that a message can have. It refuses to know where its bytes go.

use super::client_side::ClientSender;
use crate::protocol::{Message, Prepared, SendError};

/// A message to a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Masked<'m> {
    pub(super) content: Content<'m>,
    /// It is sent as it is, whatever was negotiated.
    #[cfg_attr(not(feature = "deflate"), expect(dead_code, reason = "nothing is compressed"))]
    pub(super) is_uncompressed: bool,
}

/// The forms of a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content<'m> {
    Whole(Message<'m>),
    Prepared(&'m Prepared),
    /// Fragments of this length (§5.4).
    Fragments(Message<'m>, usize),
}

impl Masked<'_> {
    /// Returns the length of the message.
    pub(super) fn len(self) -> usize {
        match self.content {
            Content::Whole(message) | Content::Fragments(message, _) => message.len(),
            Content::Prepared(prepared) => prepared.payload().len(),
        }
    }

    /// Appends the message as it is.
    pub(super) fn encode(self, sender: &mut ClientSender, out: &mut Vec<u8>) -> Result<(), SendError> {
        match self.content {
            Content::Whole(message) => sender.message(message, out),
            Content::Prepared(prepared) => sender.prepared(prepared, out),
            Content::Fragments(message, len) => sender.fragments(message, len, out),
        }
    }
}
