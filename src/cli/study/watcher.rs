//! The observer: bytes of the sessions in, steps for the pages out.
//!
//! This file knows which connection is shown where. That is decided once, by the target of its request, and by the
//! same token that opens it. It refuses to know what a frame is: `wirehook::explain` does.

use std::{cell::RefCell, collections::HashMap, net::SocketAddr, rc::Rc};

use wirehook::{
    ConnId, Limits, Observer,
    explain::{Explainer, Side, Step},
};

use super::{super::explain::Follower, token_of, traces::Traces};

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
    client: Follower,
    server: Follower,
}

impl Watcher {
    pub(super) fn new(traces: Rc<RefCell<Traces>>, limits: Limits) -> Self {
        Self { traces, limits, connections: HashMap::new() }
    }

    fn hear(&mut self, id: ConnId, side: Side, bytes: &[u8]) {
        let Some(watched) = self.connections.get_mut(&id) else { return };
        let is_anybodys = bytes.chunks(PIECE_LEN).all(|piece| watched.hear(id, side, piece, &self.traces));
        if is_anybodys {
            watched.tell_missed(side, &mut self.traces.borrow_mut());
        } else {
            self.connections.remove(&id);
        }
    }
}

impl Watched {
    /// Explains a piece to the page that the connection belongs to; whether it belongs to any. What a page has no
    /// room for is not explained: it is followed, to where it can be explained again.
    fn hear(&mut self, id: ConnId, side: Side, piece: &[u8], traces: &RefCell<Traces>) -> bool {
        let Some((skipped, rest)) = self.follower(side).next_to_explain(piece) else { return true };
        let is_in_head = self.follower(side).began_in_head();
        if let Some(token) = self.token.as_deref().filter(|_| !is_in_head)
            && !traces.borrow().has_room(token)
        {
            self.follower(side).skip(skipped + rest.len() as u64);
        } else {
            if skipped > 0 {
                self.explainer.skip(side, skipped);
            }
            let mut rest = rest;
            while let Some(step) = self.explainer.next_step(side, &mut rest) {
                if !self.is_shown(id, &step, traces) {
                    return false;
                }
            }
        }
        true
    }

    fn tell_missed(&mut self, side: Side, traces: &mut Traces) {
        let missed = self.follower(side).take_missed();
        if let Some(token) = &self.token {
            traces.miss(token, missed);
        }
    }

    fn follower(&mut self, side: Side) -> &mut Follower {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

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
        let explainer = Explainer::new(&self.limits);
        let watched =
            Watched { peer, token: None, explainer, client: Follower::new(), server: Follower::new() };
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
