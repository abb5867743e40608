//! Connections that this program opens itself: the next step of each, until its answer has come.
//!
//! This file knows addresses, and what a socket in trouble means. What the answer means is known in
//! `server/opening.rs`.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
};

use super::state::EventLoop;
use crate::{
    cause::Cause,
    connect::{Addresses, ConnectError, Target},
    handler::Handler,
    hub::{ConnId, Outbound, Step},
    protocol::ClientRequest,
    server::opening::{Opening, offering},
    transport::Listener,
};

impl<H: Handler, L: Listener> EventLoop<H, L> {
    /// Does the next step for a connection that is not open yet, and whose deadline has come.
    pub(super) fn advance_connecting(&mut self, id: ConnId) {
        match self.hub.take_step(id) {
            Some(Step::Begin(target, request)) => self.begin_connecting(id, target, request),
            Some(Step::Turn) => self.try_next_address(id, ErrorKind::AddrNotAvailable),
            Some(Step::Trouble(cause)) => self.handle_trouble(id, cause),
            None => self.hub.fail_connecting(id, ConnectError::Timeout),
        }
        self.hub.schedule(id);
    }

    fn begin_connecting(&mut self, id: ConnId, target: Target, request: ClientRequest) {
        let nonce = match self.hub.keys.nonce() {
            Ok(nonce) => nonce,
            Err(error) => return self.hub.fail_connecting(id, ConnectError::Entropy(error)),
        };
        let opening = Opening::new(offering(request, &self.hub), nonce);
        self.inbounds.insert_opening(id, opening);
        match target.into_addresses() {
            Addresses::Known(addresses) => self.connect_to(id, addresses),
            Addresses::OfName(name, port) => self.resolver.resolve(id, name, port),
        }
    }

    /// Connects the sockets whose names were looked up meanwhile.
    pub(super) fn continue_resolved(&mut self) {
        while let Some((id, result)) = self.resolver.next_resolved() {
            match result {
                Ok(addresses) => self.connect_to(id, addresses),
                Err(error) => self.hub.fail_connecting(id, ConnectError::Resolve(error)),
            }
        }
    }

    fn connect_to(&mut self, id: ConnId, addresses: Vec<SocketAddr>) {
        if let Some(opening) = self.inbounds.opening_mut(id) {
            opening.addresses = addresses.into_iter();
            self.try_next_address(id, ErrorKind::AddrNotAvailable);
        }
    }

    /// Connects to the next address; `last` is the error of the one before.
    fn try_next_address(&mut self, id: ConnId, mut last: ErrorKind) {
        if !self.hub.get(id).is_some_and(Outbound::is_connecting) {
            return;
        }
        while let Some(opening) = self.inbounds.opening_mut(id)
            && let Some(address) = opening.addresses.as_slice().first().copied()
        {
            if !self.hub.enter_address(id, address.ip()) {
                return;
            }
            opening.addresses.next();
            let stream = (self.dialer)(address);
            match stream.and_then(|stream| self.hub.dial(id, stream, address.into(), &opening.request)) {
                Ok(()) => {
                    // That was the end of the socket before.
                    if let Some(inbound) = self.inbounds.get_mut(id) {
                        inbound.hang_up = false;
                    }
                    return;
                }
                Err(error) => last = error.kind(),
            }
        }
        self.hub.fail_connecting(id, ConnectError::Tcp(last));
    }

    /// Tries the next address if TCP was never connected, and gives up otherwise.
    fn handle_trouble(&mut self, id: ConnId, cause: Cause) {
        let Cause::Transport(kind) = cause else {
            return self.hub.fail_connecting(id, ConnectError::Cancelled);
        };
        let Some(opening) = self.inbounds.opening_mut(id) else { return };
        // The request is the first to leave.
        let is_connected = self.hub.get(id).is_some_and(|it| it.buffered() < opening.request.len());
        if !is_connected {
            return self.try_next_address(id, kind);
        }
        let error = match kind {
            ErrorKind::UnexpectedEof => opening.end_of_input(),
            kind => ConnectError::Transport(kind),
        };
        self.hub.fail_connecting(id, error);
    }
}

/// Connects to an address: by TCP, or to a script.
pub(in crate::server) type Dialer = Box<dyn FnMut(SocketAddr) -> io::Result<crate::transport::Stream>>;
