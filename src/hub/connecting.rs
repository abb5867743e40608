//! A connection that this program opens itself, from the call to the hook that says what became of it.
//!
//! This file knows what the hub keeps of it. It refuses to know names, addresses and the answer: the loop
//! asks for the next step and does it. A step makes the deadline of the connection come at once, so the loop
//! looks for steps nowhere else.

use std::{io, net::IpAddr};

use log::{debug, error, info};

use super::{
    client_side::{ClientSide, Step},
    outbound::{End, Ending, Outbound, Output, Stage},
    registry::ConnId,
    table::Hub,
};
use crate::{
    cause::Cause,
    connect::{ConnectError, ConnectionRole},
    transport::{PeerAddr, Stream},
};

impl<S> Hub<S> {
    /// Returns which side of a connection this program is.
    pub(crate) fn role(&self, id: ConnId) -> ConnectionRole {
        match self.get(id) {
            Some(outbound) if outbound.is_client() => ConnectionRole::Client,
            _ => ConnectionRole::Server,
        }
    }

    /// Returns whether something is to be done for a connection that is not open yet.
    pub(crate) fn has_step(&self, id: ConnId) -> bool {
        self.get(id).and_then(Outbound::client).is_some_and(ClientSide::has_step)
    }

    /// Returns what is to be done for a connection that is not open yet.
    pub(crate) fn take_step(&mut self, id: ConnId) -> Option<Step> {
        self.table.get_mut(id)?.client_mut()?.take_step()
    }

    /// Notes that a connection which is not open yet is in trouble: the loop tries another address, or gives
    /// up. Returns whether this program is the client of the connection, and it is not open.
    pub(super) fn note_trouble(&mut self, id: ConnId, cause: Cause) -> bool {
        let Some(outbound) = self.table.get_mut(id).filter(|it| it.is_connecting()) else { return false };
        if let Some(client) = outbound.client_mut() {
            client.note_trouble(cause);
        }
        self.schedule(id);
        true
    }

    /// Returns whether a connection may connect to this address now. If another one to it is opening, it gets
    /// a step when its turn has come.
    pub(crate) fn enter_address(&mut self, id: ConnId, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let Some(client) = self.table.get_mut(id).and_then(Outbound::client_mut) else { return false };
        if client.address != Some(address) {
            self.leave_address(id);
        }
        if let Some(client) = self.table.get_mut(id).and_then(Outbound::client_mut) {
            client.address = Some(address);
        }
        // §4.1: "There MUST be no more than one connection in a CONNECTING state."
        self.serializing.enter(id, address)
    }

    /// Has the socket of a connection connect to this address. The request leaves once it is connected.
    pub(crate) fn dial(
        &mut self,
        id: ConnId,
        mut stream: Stream,
        address: PeerAddr,
        request: &[u8],
    ) -> io::Result<()> {
        let token = self.token(id.index());
        stream.register(&self.poll_registry, token)?;
        // The first room to write says that TCP is connected.
        stream.register_writes(&self.poll_registry, token)?;
        stream.set_nodelay(self.config.nodelay);
        let Some(outbound) = self.table.get_mut(id) else { return Ok(()) };
        (outbound.stream, outbound.address) = (stream, address);
        (outbound.write_interest, outbound.read_closed) = (true, false);
        if outbound.outbox.is_none() {
            let outbox = outbound.outbox.get_or_insert_with(|| self.outbox_pool.take());
            outbox.backlog.push(request);
            outbound.set_output(id, Output::Blocked, &mut self.dirty, &mut self.cork);
        }
        debug!("connection {id} connects to {address}");
        Ok(())
    }

    /// Drops a connection if no key could be drawn for its last frame (§5.3): the frame must not leave.
    /// Returns whether all is well.
    pub(super) fn check_keys(&mut self, id: ConnId) -> bool {
        if !self.get(id).is_some_and(Outbound::is_client) {
            return true;
        }
        let Some(error) = self.keys.take_error() else { return true };
        error!("connection {id}: no masking key could be drawn: {error}");
        self.end(id, Ending::abnormal(Cause::Overload));
        self.set_stage(id, Stage::Dead);
        false
    }

    /// Tells the observer of a connection that TCP has made.
    pub(super) fn tell_connected(&mut self, id: ConnId) {
        let Some(outbound) = self.table.get_mut(id) else { return };
        let address = outbound.address;
        if let Some(client) = outbound.client_mut()
            && !client.is_observed
        {
            client.is_observed = true;
            self.observer.tell(|observer| observer.connected_to(id, address));
        }
    }

    /// Ends a connection that will not open; the loop calls the hook when it settles.
    pub(crate) fn fail_connecting(&mut self, id: ConnId, error: ConnectError) {
        if !self.get(id).is_some_and(Outbound::is_connecting) {
            return;
        }
        info!("connection {id} does not open: {error}");
        self.stats.outbound_failed += 1;
        self.endings.push_back((id, End::Unopened(error)));
        self.set_stage(id, Stage::Dead);
    }
}
