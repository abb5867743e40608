//! How a connection opens or is refused: whether it may come, and the answer to its request (§4.2.2).

use std::io;

use super::{
    client_side::{ClientSender, ClientSide},
    outbound::{Outbound, Stage},
    registry::ConnId,
    table::Hub,
};
use crate::{
    cause::Cause,
    connect::{ConnectError, Target},
    protocol::{ClientRequest, HandshakeError, Response, Sender},
    transport::{PeerAddr, Stream},
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
        if self.config.max_connections.is_some_and(|max| self.clients() > max) {
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
        // Of a connection that this program wants to open: there is no request to answer.
        if self.note_trouble(id, Cause::Local) {
            return;
        }
        self.push_response(id, response);
        self.finish(id);
    }

    /// Opens a connection that this program has made; from here on `sender` says what may be sent.
    pub(crate) fn open_outbound(&mut self, id: ConnId, subprotocol: Option<String>, sender: ClientSender) {
        let Some(outbound) = self.table.get_mut(id) else { return };
        outbound.set_subprotocol(subprotocol);
        if let Some(client) = outbound.client_mut() {
            client.sender = Some(sender);
        }
        self.stats.opened += 1;
        self.stats.outbound_opened += 1;
        self.set_stage(id, Stage::Open);
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

impl<S: Default> Hub<S> {
    /// Adds a connection that this program opens. The loop begins with it in its next turn.
    pub(crate) fn connect(&mut self, target: Target, request: ClientRequest) -> Result<ConnId, ConnectError> {
        if target.is_secure() {
            return Err(ConnectError::Secure);
        }
        if self.is_shutting_down {
            return Err(ConnectError::ShuttingDown);
        }
        let mut outbound = Outbound::new(Stream::Unconnected, PeerAddr::unknown(), self.now);
        outbound.set_client(ClientSide::new(target, request));
        let id = self.insert(outbound).map_err(ConnectError::Full)?;
        self.stats.outbound += 1;
        Ok(id)
    }
}
