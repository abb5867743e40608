//! The opening handshake of a connection that this program opens itself: the request out, the answer in
//! (§4.1).
//!
//! This file knows what an answer leads to. It refuses to know addresses and sockets: the loop connects.

use std::{net::SocketAddr, vec};

use log::info;

#[cfg(feature = "deflate")]
use super::compressed::{frames_of_server, offer};
use super::phase::Phase;
use crate::{
    connect::ConnectError,
    handler::Handler,
    hub::{ClientSender, ConnId, Hub},
    protocol::{Accepted, Answer, ClientHandshake, ClientRequest, Limits, Receiver, RequestReader, Sender},
    trace::Cut,
    websocket::call_hook,
};

/// A connection that is not open yet.
#[derive(Debug)]
pub(super) struct Opening {
    handshake: ClientHandshake,
    /// The request as it is sent; the hook gets it again.
    pub(super) request: Vec<u8>,
    /// The addresses that were not tried yet.
    pub(super) addresses: vec::IntoIter<SocketAddr>,
}

impl Opening {
    pub(super) fn new(request: ClientRequest, nonce: [u8; 16]) -> Self {
        let mut bytes = Vec::new();
        let handshake = request.start(nonce, &mut bytes);
        Self { handshake, request: bytes, addresses: vec::IntoIter::default() }
    }

    /// Returns how many bytes are held.
    pub(super) fn held(&self) -> usize {
        self.request.len() + self.handshake.buffered()
    }

    /// Returns what the end of the input makes of the answer.
    pub(super) fn end_of_input(&mut self) -> ConnectError {
        self.handshake.end_of_input().map_or_else(ConnectError::Answer, ConnectError::Refused)
    }

    /// Takes the answer from the front of the input, and opens the connection if it says so. Returns what the
    /// next input is, once the answer is complete.
    pub(super) fn receive<H: Handler>(
        &mut self,
        id: ConnId,
        input: &mut &mut [u8],
        handler: &mut H,
        hub: &mut Hub<H::State>,
    ) -> Option<Phase> {
        let limits = hub.config.limits;
        let error = match self.handshake.next_answer(input, &limits) {
            Ok(None) => return None,
            Ok(Some(Answer::Accepted(accepted))) => {
                let subprotocol = accepted.subprotocol.map(str::to_owned);
                let (phase, sender) = frames(&accepted, &limits, hub);
                hub.open_outbound(id, subprotocol, sender);
                call_on_open(id, &mut self.request, handler, hub);
                return Some(phase);
            }
            Ok(Some(Answer::Refused(refusal))) => ConnectError::Refused(refusal),
            Err(error) => ConnectError::Answer(error),
        };
        hub.fail_connecting(id, error);
        Some(Phase::Nothing)
    }
}

/// Calls `on_open` with the request that was sent.
fn call_on_open<H: Handler>(id: ConnId, request: &mut [u8], handler: &mut H, hub: &mut Hub<H::State>) {
    // The request is this program's own, so no limit of a peer's counts.
    let limits = Limits { max_header_size: usize::MAX, max_headers: usize::MAX, ..hub.config.limits };
    let mut reader = RequestReader::default();
    if let Ok(Some(request)) = reader.next_request(&mut &mut request[..], &limits) {
        info!("connection {id} to {} open: {}", request.host().unwrap_or_default(), Cut(request.target()));
        call_hook(id, hub, |ws| handler.on_open(ws, &request));
    }
}

/// Returns the request with the offer to compress that the configuration wants.
#[cfg(feature = "deflate")]
pub(super) fn offering<S>(mut request: ClientRequest, hub: &Hub<S>) -> ClientRequest {
    offer(&mut request, hub);
    request
}

#[cfg(not(feature = "deflate"))]
pub(super) const fn offering<S>(request: ClientRequest, _: &Hub<S>) -> ClientRequest {
    request
}

/// Returns the phase of a connection that opens, and its sender.
#[cfg(feature = "deflate")]
fn frames<S>(accepted: &Accepted<'_>, limits: &Limits, hub: &mut Hub<S>) -> (Phase, ClientSender) {
    let mut sender = Sender::client(hub.keys.clone());
    let phase = frames_of_server(Receiver::client(limits), &mut sender, accepted.deflate.as_ref(), hub);
    (phase, sender)
}

#[cfg(not(feature = "deflate"))]
fn frames<S>(_: &Accepted<'_>, limits: &Limits, hub: &Hub<S>) -> (Phase, ClientSender) {
    (Phase::FromServer(Receiver::client(limits)), Sender::client(hub.keys.clone()))
}
