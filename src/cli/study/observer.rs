//! The observer of the sessions: turns their bytes into steps for the pages.
//!
//! This file knows which page shows a connection. The token in the request's target decides once, as it does
//! for opening. `wirehook::explain` knows what a frame is.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use wirehook::{
    ConnId, Limits, Observer, PeerAddr,
    explain::{Explainer, Side, Step},
};

use super::{super::explain::Follower, token_of, traces::Traces};

/// Bytes explained at once: a frame can be 2 bytes long, and its explanation is far longer.
const PIECE_LEN: usize = 4096;

/// Shows each session to the page that its token belongs to.
pub(super) struct SessionObserver {
    traces: Rc<RefCell<Traces>>,
    limits: Limits,
    connections: HashMap<ConnId, ObservedConnection>,
}

/// A connection that belongs to a page, or whose request has not arrived.
struct ObservedConnection {
    peer: PeerAddr,
    /// The token of its page, after its request.
    token: Option<String>,
    explainer: Explainer,
    client: Follower,
    server: Follower,
}

impl SessionObserver {
    pub(super) fn new(traces: Rc<RefCell<Traces>>, limits: Limits) -> Self {
        Self { traces, limits, connections: HashMap::new() }
    }

    fn receive(&mut self, id: ConnId, side: Side, bytes: &[u8]) {
        let Some(observed) = self.connections.get_mut(&id) else { return };
        let belongs_to_page =
            bytes.chunks(PIECE_LEN).all(|piece| observed.receive(id, side, piece, &self.traces));
        if belongs_to_page {
            observed.count_missed(side, &mut self.traces.borrow_mut());
        } else {
            self.connections.remove(&id);
        }
    }
}

impl ObservedConnection {
    /// Explains a piece to the connection's page; returns whether it has one. If the page has no room, the
    /// piece is only followed, up to the next place from which bytes can be explained.
    fn receive(&mut self, id: ConnId, side: Side, piece: &[u8], traces: &RefCell<Traces>) -> bool {
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
                if !self.send_step(id, &step, traces) {
                    return false;
                }
            }
        }
        true
    }

    fn count_missed(&mut self, side: Side, traces: &mut Traces) {
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

    /// Sends a step to the connection's page; returns whether it has one.
    fn send_step(&mut self, id: ConnId, step: &Step, traces: &RefCell<Traces>) -> bool {
        let mut traces = traces.borrow_mut();
        if self.token.is_none() {
            let Step::Request(request) = step else { return false };
            self.token = token_of(&request.target).map(str::to_owned);
            if !self.token.as_deref().is_some_and(|token| traces.admit(token, id, self.peer)) {
                return false;
            }
        }
        if let Some(token) = &self.token {
            traces.send_step(token, id, || step.json());
        }
        true
    }
}

impl Observer for SessionObserver {
    fn connected(&mut self, id: ConnId, peer: PeerAddr) {
        let explainer = Explainer::new(&self.limits);
        let observed = ObservedConnection {
            peer,
            token: None,
            explainer,
            client: Follower::new(),
            server: Follower::new(),
        };
        self.connections.insert(id, observed);
    }

    fn received(&mut self, id: ConnId, bytes: &[u8]) {
        self.receive(id, Side::Client, bytes);
    }

    fn sent(&mut self, id: ConnId, bytes: &[u8]) {
        self.receive(id, Side::Server, bytes);
    }

    fn disconnected(&mut self, id: ConnId) {
        let Some(observed) = self.connections.remove(&id) else { return };
        let Some(token) = observed.token else { return };
        let mut traces = self.traces.borrow_mut();
        for step in observed.explainer.end() {
            traces.send_step(&token, id, || step.json());
        }
        traces.remove(&token, id);
    }
}
