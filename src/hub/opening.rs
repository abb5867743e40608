//! How a connection opens or is refused: whether it may come, and the answer to its request (§4.2.2).

use std::io;

use super::{
    outbound::{Outbound, Stage},
    registry::ConnId,
    table::Hub,
};
use crate::{
    cause::Cause,
    protocol::{HandshakeError, Response, Sender},
};

impl<S> Hub<S> {
    /// Adds a new socket.
    pub(crate) fn insert(&mut self, mut outbound: Outbound<S>) -> io::Result<ConnId> {
        if self.table.is_full() {
            return Err(io::Error::other("no id is left for one more connection"));
        }
        outbound.stream.register(&self.poll_registry, self.token(self.table.next_id().index()))?;
        let id = self.table.insert(outbound);
        self.live += 1;
        self.schedule(id);
        Ok(id)
    }

    /// Counts a new connection, or returns which limit it exceeds: of all connections, or of its address.
    pub(crate) fn admit(&mut self, id: ConnId) -> Result<(), HandshakeError> {
        // The new one is live already.
        if self.config.max_connections.is_some_and(|max| self.live > max) {
            return Err(HandshakeError::TooManyConnections);
        }
        let Some(outbound) = self.table.get_mut(id) else { return Ok(()) };
        self.admission.enter(outbound.address, &self.config, self.now)?;
        outbound.set_admitted();
        Ok(())
    }

    /// Sends the answer that opens the connection; from here on `sender` says what may be sent.
    pub(crate) fn accept_upgrade(&mut self, id: ConnId, response: &Response, sender: Sender) {
        self.push_response(id, response);
        if let Some(outbound) = self.table.get_mut(id) {
            outbound.set_sender(sender);
        }
        self.set_stage(id, Stage::Open);
    }

    /// Sends an answer that opens nothing, and ends the connection.
    pub(crate) fn respond(&mut self, id: ConnId, response: &Response) {
        self.push_response(id, response);
        self.finish(id);
    }

    /// Fails a connection whose hook has panicked.
    pub(crate) fn fail_panicked(&mut self, id: ConnId) {
        match self.get(id).map(|outbound| outbound.stage()) {
            Some(Stage::Connecting) => {
                self.respond(id, &Response::rejection(500, "The server's application has failed."));
            }
            Some(Stage::Open | Stage::Closing) => self.fail(id, Cause::Panic),
            Some(Stage::Finishing | Stage::Lingering | Stage::Dead) | None => {}
        }
    }

    fn push_response(&mut self, id: ConnId, response: &Response) {
        self.stats.count_handshake(response.status());
        self.push_with(id, |_, out| response.encode(out));
    }
}
