//! RFC 7692 §7.2.2 What the compressed messages of a server say.
//!
//! A client's messages are inflated by the receiver that judges its frames. A server's frames are judged by
//! rules, and those of compressed messages are read by a client's receiver too, for their content.

use crate::protocol::{Client, DeflateParams, Event, Limits, ProtocolError, Receiver};

use super::WholeMessage;

/// Inflates a server's messages as long as nothing is missing.
#[derive(Debug)]
pub(super) struct Inflating {
    /// `None` once a message was not inflated that later ones may refer to.
    receiver: Option<Box<Receiver<Client>>>,
    params: DeflateParams,
    limits: Limits,
}

impl Inflating {
    pub(super) fn new(params: &DeflateParams, limits: &Limits) -> Self {
        Self { receiver: Some(Self::fresh(params, limits)), params: *params, limits: *limits }
    }

    fn fresh(params: &DeflateParams, limits: &Limits) -> Box<Receiver<Client>> {
        let mut receiver = Receiver::client(limits);
        receiver.use_deflate(params);
        Box::new(receiver)
    }

    /// Reads a piece of a frame of a compressed message. Returns the message that it completes.
    ///
    /// # Errors
    ///
    /// The message is no DEFLATE data, or its text is not UTF-8. A message over the limit of this side is no
    /// mistake of the server's: later ones that may refer to it are not inflated either.
    pub(super) fn read(&mut self, piece: &[u8]) -> Result<Option<WholeMessage>, ProtocolError> {
        let Some(receiver) = &mut self.receiver else { return Ok(None) };
        let mut piece = piece.to_vec();
        let read = match receiver.next_event(&mut &mut piece[..]) {
            Ok(Some(Event::Message(message))) => Ok(Some(WholeMessage::of(message))),
            Ok(_) => Ok(None),
            Err(error @ (ProtocolError::NotDeflate | ProtocolError::TextNotUtf8)) => Err(error),
            Err(_) => {
                let begins_anew = self.params.server_no_context_takeover;
                self.receiver = begins_anew.then(|| Self::fresh(&self.params, &self.limits));
                return Ok(None);
            }
        };
        receiver.release();
        read
    }

    /// Returns how many bytes are held.
    pub(super) fn memory(&self) -> usize {
        self.receiver.as_ref().map_or(0, |receiver| receiver.memory())
    }
}
