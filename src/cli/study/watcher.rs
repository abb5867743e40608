//! The observer: bytes of the sessions in, steps for the pages out.
//!
//! This file knows which connection is shown where. That is decided once, by the target of its request, and by the
//! same token that opens it. It refuses to know what a frame is: `wirehook::explain` does.

use std::{cell::RefCell, collections::HashMap, net::SocketAddr, rc::Rc};

use wirehook::{
    ConnId, Limits, Observer,
    explain::{Explainer, Side, Step},
};

use super::{token_of, traces::Traces};

/// So many bytes are explained at once: a small frame is 2 bytes, and much more than that when it is explained.
const PIECE_LEN: usize = 4096;

/// Shows each session to the page that its token belongs to.
pub(super) struct Watcher {
    traces: Rc<RefCell<Traces>>,
    limits: Limits,
    connections: HashMap<ConnId, Watched>,
}

/// A connection that belongs to a page, or may turn out to.
struct Watched {
    peer: SocketAddr,
    /// Whose it is, once a request has told.
    token: Option<String>,
    explainer: Explainer,
}

impl Watcher {
    pub(super) fn new(traces: Rc<RefCell<Traces>>, limits: Limits) -> Self {
        Self { traces, limits, connections: HashMap::new() }
    }

    fn hear(&mut self, id: ConnId, side: Side, bytes: &[u8]) {
        let Some(watched) = self.connections.get_mut(&id) else { return };
        for piece in bytes.chunks(PIECE_LEN) {
            for step in watched.explainer.explain(side, piece) {
                if !watched.is_shown(id, &step, &self.traces) {
                    self.connections.remove(&id);
                    return;
                }
            }
        }
    }
}

impl Watched {
    /// Shows a step to the page that the connection belongs to; whether it belongs to any.
    fn is_shown(&mut self, id: ConnId, step: &Step, traces: &RefCell<Traces>) -> bool {
        let mut traces = traces.borrow_mut();
        if self.token.is_none() {
            let Step::Request(request) = step else { return false };
            self.token = token_of(&request.target).map(str::to_owned);
            if !self.token.as_deref().is_some_and(|token| traces.admit(token, id, self.peer)) {
                return false;
            }
        }
        if let Some(token) = &self.token {
            traces.tell(token, id, || step.json());
        }
        true
    }
}

impl Observer for Watcher {
    fn connected(&mut self, id: ConnId, peer: SocketAddr) {
        let watched = Watched { peer, token: None, explainer: Explainer::new(&self.limits) };
        self.connections.insert(id, watched);
    }

    fn received(&mut self, id: ConnId, bytes: &[u8]) {
        self.hear(id, Side::Client, bytes);
    }

    fn sent(&mut self, id: ConnId, bytes: &[u8]) {
        self.hear(id, Side::Server, bytes);
    }

    fn disconnected(&mut self, id: ConnId) {
        let Some(watched) = self.connections.remove(&id) else { return };
        let Some(token) = watched.token else { return };
        let mut traces = self.traces.borrow_mut();
        for step in watched.explainer.end() {
            traces.tell(&token, id, || step.json());
        }
        traces.leave(&token, id);
    }
}
