//! What all connections use up together: bytes that are held, and sockets that only wait for their end.
//!
//! This file knows both sums and which connections go first. It refuses to know how a connection ends.

use log::debug;

use super::{
    outbound::{Outbound, Stage},
    registry::ConnId,
    table::Hub,
};
use crate::{
    cause::Cause,
    connect::ConnectError,
    protocol::{HandshakeError, Response},
    transport::PeerAddr,
};

impl<S> Hub<S> {
    /// Counts the bytes that are held of a connection's input.
    #[inline]
    pub(crate) fn hold(&mut self, id: ConnId, bytes: usize) {
        if let Some(outbound) = self.table.get_mut(id) {
            outbound.hold_input(bytes, &self.meter);
        }
    }

    /// Returns how many bytes are held for all connections together.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        self.meter.held()
    }

    /// Returns whether all connections together hold more than `max_buffered_bytes`.
    #[inline]
    pub(crate) fn is_over_budget(&self) -> bool {
        self.held() > self.config.max_buffered_bytes
    }

    /// Returns the connections that hold most, as many as must go so that an eighth of the budget is free
    /// again.
    pub(crate) fn heaviest(&self) -> Vec<ConnId> {
        // Where an allocation was refused, what is held now is too much.
        let most = self.config.max_buffered_bytes.min(self.held());
        let mut excess = self.held().saturating_sub(most / 8 * 7);
        let mut holders: Vec<(usize, ConnId)> = self
            .table
            .iter()
            .map(|(id, outbound)| (outbound.held(), id))
            .filter(|(held, _)| *held > 0)
            .collect();
        holders.sort_unstable_by(|a, b| b.cmp(a));
        let is_needed = |(held, _): &(usize, ConnId)| {
            let is_needed = excess > 0;
            excess = excess.saturating_sub(*held);
            is_needed
        };
        holders.into_iter().take_while(is_needed).map(|(_, id)| id).collect()
    }

    /// Ends a connection that holds much, because all together hold too much.
    ///
    /// A peer that doesn't read would not see a Close, so it is dropped.
    pub(crate) fn shed(&mut self, id: ConnId) {
        self.hold(id, 0);
        #[cfg(feature = "tls")]
        if let Some(outbound) = self.table.get_mut(id) {
            outbound.hold_stream(0, &self.meter);
        }
        self.stats.shed += 1;
        let Some((stage, is_blocked)) =
            self.get(id).map(|outbound| (outbound.stage(), outbound.is_blocked()))
        else {
            return;
        };
        match stage {
            Stage::Connecting if self.get(id).is_some_and(Outbound::is_connecting) => {
                self.fail_connecting(id, ConnectError::Cancelled);
            }
            Stage::Connecting => self.respond(id, &Response::refusal(HandshakeError::TooManyConnections)),
            Stage::Open | Stage::Closing if !is_blocked => {
                self.fail(id, Cause::Overload);
            }
            Stage::Open | Stage::Closing => self.fail_without_close(id, Cause::Overload),
            Stage::Finishing | Stage::Lingering => self.set_stage(id, Stage::Dead),
            Stage::Dead => {}
        }
    }

    /// Returns how many sockets only wait for their end.
    pub(crate) const fn leaving(&self) -> usize {
        self.leaving.len()
    }

    /// Returns how many sockets of an address only wait for their end.
    pub(crate) fn leaving_of(&self, address: PeerAddr) -> usize {
        self.leaving.len_of(address)
    }

    /// Closes a socket that only waits for its end, to make room for another. Returns whether there was one.
    /// It is one of the address that has most of them.
    pub(crate) fn evict(&mut self) -> bool {
        let table = &self.table;
        let is_in =
            |id: ConnId, stage| table.get(id).is_some_and(|outbound: &Outbound<S>| outbound.stage() == stage);
        let Some(id) = self.leaving.next_to_evict(is_in) else { return false };
        debug!("connection {id}: closed before its end has come, to make room");
        self.stats.evicted += 1;
        self.abort(id, Cause::Local);
        true
    }
}
