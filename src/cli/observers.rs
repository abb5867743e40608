//! Combines several observers into the one that the server accepts.
//!
//! This file forwards each call to all of them, in the order in which they were added.

use wirehook::{ConnId, Handler, Observer, PeerAddr, Server};

/// The observers, in the order in which they were added.
#[derive(Default)]
pub(super) struct Observers(Vec<Box<dyn Observer>>);

impl Observers {
    pub(super) fn add(&mut self, observer: impl Observer + 'static) {
        self.0.push(Box::new(observer));
    }

    /// Sets them as the server's observer; without any, the server has none.
    pub(super) fn observe<H: Handler>(self, server: Server<H>) -> Server<H> {
        if self.0.is_empty() { server } else { server.observe(self) }
    }
}

impl Observer for Observers {
    fn connected(&mut self, id: ConnId, peer: PeerAddr) {
        self.0.iter_mut().for_each(|it| it.connected(id, peer));
    }

    fn received(&mut self, id: ConnId, bytes: &[u8]) {
        self.0.iter_mut().for_each(|it| it.received(id, bytes));
    }

    fn sent(&mut self, id: ConnId, bytes: &[u8]) {
        self.0.iter_mut().for_each(|it| it.sent(id, bytes));
    }

    fn disconnected(&mut self, id: ConnId) {
        self.0.iter_mut().for_each(|it| it.disconnected(id));
    }
}
