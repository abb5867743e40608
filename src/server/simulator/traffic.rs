//! The observer of a world, which counts bytes and connections.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use super::figures::ClientOutput;
use crate::{ConnId, Observer, PeerAddr};

/// The observer of every world.
#[derive(Clone, Default)]
pub(crate) struct TrafficObserver(pub(crate) Rc<RefCell<Traffic>>);

#[derive(Default)]
pub(crate) struct Traffic {
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) connected: BTreeSet<ConnId>,
    pub(crate) disconnected: BTreeSet<ConnId>,
    pub(crate) outputs: BTreeMap<ConnId, ClientOutput>,
}

impl Observer for TrafficObserver {
    fn connected(&mut self, id: ConnId, _: PeerAddr) {
        assert!(self.0.borrow_mut().connected.insert(id));
    }

    fn connected_to(&mut self, id: ConnId, server: PeerAddr) {
        self.connected(id, server);
        self.0.borrow_mut().outputs.insert(id, ClientOutput::of_client());
    }

    fn received(&mut self, _: ConnId, bytes: &[u8]) {
        self.0.borrow_mut().received += bytes.len() as u64;
    }

    fn sent(&mut self, id: ConnId, bytes: &[u8]) {
        let mut traffic = self.0.borrow_mut();
        traffic.sent += bytes.len() as u64;
        traffic.outputs.entry(id).or_default().add(bytes);
    }

    fn disconnected(&mut self, id: ConnId) {
        assert!(self.0.borrow_mut().disconnected.insert(id));
    }
}
