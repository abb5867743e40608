//! Several observers where the server has room for one.
//!
//! This file knows how to tell all of them. It refuses to know what they do with it.

use std::net::SocketAddr;

use wirehook::{ConnId, Handler, Observer, Server};

/// Told one after the other, in the order in which they were added.
#[derive(Default)]
pub(super) struct Observers(Vec<Box<dyn Observer>>);

impl Observers {
    pub(super) fn add(&mut self, observer: impl Observer + 'static) {
        self.0.push(Box::new(observer));
    }

    /// Has all of them watch a server; where there are none, it isn't watched.
    pub(super) fn watch<H: Handler>(self, server: Server<H>) -> Server<H> {
        if self.0.is_empty() { server } else { server.observe(self) }
    }
}

impl Observer for Observers {
    fn connected(&mut self, id: ConnId, peer: SocketAddr) {
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
