//! The opening handshake of one connection: the rules, the hook, the answer (§4.2.2).
//!
//! This file knows what a request leads to. It refuses to know where its bytes come from.

use std::{mem, sync::Arc};

use log::{debug, error, info};

#[cfg(feature = "deflate")]
use super::compressed::{CompressedInput, CountedWindow, negotiate};
use super::{held::Held, phase::Phase};
use crate::{
    handler::Handler,
    hub::{ConnId, Hub},
    panics,
    protocol::{Connection, HandshakeError, Limits, Receiver, Request, Response},
    trace::Cut,
    upgrade::{Decision, Slot, Upgrade},
    websocket::call_hook,
};

/// Answers a complete request. Returns what the next input is.
pub(super) fn answer<H: Handler>(
    id: ConnId,
    request: &Request<'_>,
    handler: &mut H,
    hub: &mut Hub<H::State>,
) -> Phase {
    let Some(address) = hub.get(id).map(|outbound| outbound.address) else { return Phase::Nothing };
    if let Err(error) = request.check(&hub.config.hosts, &hub.config.origins) {
        // A request for something else than a WebSocket may be wanted all the same.
        let page = asks_for_page(request, error, &hub.config.hosts)
            .then(|| call_hook(id, hub, |_| handler.on_http(request, address)));
        match page {
            Some(None) => {}
            // RFC 9110 §9.3.2: HEAD is answered as GET is, without the body.
            Some(Some(Some(page))) if request.method() == "HEAD" => hub.respond(id, &page.without_body()),
            Some(Some(Some(page))) => hub.respond(id, &page),
            Some(Some(None)) | None => refuse_request(id, request, error, hub),
        }
        return Phase::Nothing;
    }
    match call_hook(id, hub, |_| handler.on_upgrade(request, address)) {
        Some(Upgrade { decision: Decision::Pending(slot), limits, .. }) => {
            hold(id, request, &slot, limits, handler, hub)
        }
        Some(upgrade) => carry_out(id, request, upgrade, handler, hub),
        None => Phase::Nothing,
    }
}

/// Holds a request until its answer comes, or answers it if that has come already.
fn hold<H: Handler>(
    id: ConnId,
    request: &Request<'_>,
    slot: &Arc<Slot<H::State>>,
    limits: Option<Limits>,
    handler: &mut H,
    hub: &mut Hub<H::State>,
) -> Phase {
    // The request is kept before the slot names the connection: an answer from then on finds it.
    let Ok(held) = Held::new(request, Arc::clone(slot), limits) else {
        hub.respond(id, &Response::refusal(HandshakeError::TooManyConnections));
        return Phase::Nothing;
    };
    match slot.hold(id) {
        Some(upgrade) => carry_out(id, request, upgrade.or_limits(limits), handler, hub),
        None => {
            debug!("connection {id} is held until the application answers its request");
            hub.pause_reads(id);
            Phase::Held(held)
        }
    }
}

/// Does what the application has answered. Returns what the next input is.
pub(super) fn carry_out<H: Handler>(
    id: ConnId,
    request: &Request<'_>,
    upgrade: Upgrade<H::State>,
    handler: &mut H,
    hub: &mut Hub<H::State>,
) -> Phase {
    let Some(address) = hub.get(id).map(|outbound| outbound.address) else { return Phase::Nothing };
    let Upgrade { decision, subprotocol, headers, limits, is_uncompressed } = upgrade;
    let state = match decision {
        Decision::Accept(state) => state,
        Decision::Pending(_) => {
            error!("connection {id}: the answer to a held request is to hold it");
            hub.respond(id, &Response::rejection(500, "The server's application has failed."));
            return Phase::Nothing;
        }
        Decision::Reject { status, body } => {
            let target = Cut(request.target());
            info!("connection {id} from {address} refused by the handler: {status} {target}");
            let response = with_headers(Response::rejection(status, &body), &headers);
            hub.respond(id, &response);
            return Phase::Nothing;
        }
    };
    let subprotocol = subprotocol
        .or_else(|| request.choose_subprotocol(&hub.config.subprotocols).map(str::to_owned))
        .filter(|chosen| request.subprotocols().any(|offer| offer == chosen));
    let mut response = with_headers(Response::switching_protocols(request, subprotocol.as_deref()), &headers);
    if response.status() != 101 {
        hub.respond(id, &response);
        panics::discard(state);
        return Phase::Nothing;
    }
    let mut connection = Connection::new(&limits.unwrap_or(hub.config.limits));
    let compressed = (!is_uncompressed).then(|| negotiate(id, request, &mut response, &mut connection, hub));
    let Connection { recv, send } = connection;
    hub.accept_upgrade(id, &response, send);
    if let Some(outbound) = hub.get_mut(id) {
        outbound.set_subprotocol(subprotocol);
        // Without a state of its own the connection keeps the default one.
        if let Some(state) = state {
            panics::discard(mem::replace(&mut outbound.state, state));
        }
    }
    info!("connection {id} from {address} open: {}", Cut(request.target()));
    call_hook(id, hub, |ws| handler.on_open(ws, request));
    frames(recv, compressed.flatten())
}

/// Returns the phase of an open connection.
#[cfg(feature = "deflate")]
fn frames(recv: Receiver, window: Option<CountedWindow>) -> Phase {
    match window {
        Some(window) => Phase::Compressed(CompressedInput::new(recv, window)),
        None => Phase::Frames(recv),
    }
}

#[cfg(not(feature = "deflate"))]
const fn frames(recv: Receiver, _: Option<()>) -> Phase {
    Phase::Frames(recv)
}

/// Declines: compression is not compiled in.
#[cfg(not(feature = "deflate"))]
const fn negotiate<S>(
    _: ConnId,
    _: &Request<'_>,
    _: &mut Response,
    _: &mut Connection,
    _: &mut Hub<S>,
) -> Option<()> {
    None
}

/// The response with a hook's headers, or 500 if one of them can't be sent.
fn with_headers(mut response: Response, headers: &[(String, String)]) -> Response {
    for (name, value) in headers {
        if response.header(name, value).is_err() {
            error!("on_upgrade gave a header that can't be sent: {}: {}", Cut(name), Cut(value));
            return Response::rejection(500, "The server's application gave a header that can't be sent.");
        }
    }
    response
}

/// Whether a request that opens no WebSocket asks for a page: a GET or a HEAD without `Upgrade: websocket`.
fn asks_for_page(request: &Request<'_>, error: HandshakeError, hosts: &[String]) -> bool {
    match error {
        HandshakeError::NotAnUpgrade => true,
        HandshakeError::MethodIsHead => {
            let is_sound = request.check_page().and_then(|()| request.check_served_host(hosts)).is_ok();
            is_sound && request.check_upgrade() == Err(HandshakeError::NotAnUpgrade)
        }
        _ => false,
    }
}

/// Refuses a request that was read. Where a list decides, the log says what the request named.
fn refuse_request<S>(id: ConnId, request: &Request<'_>, error: HandshakeError, hub: &mut Hub<S>) {
    match error {
        HandshakeError::OriginNotAllowed => log_named(id, "Origin", request.origin()),
        HandshakeError::HostNotServed => log_named(id, "host", request.host()),
        _ => {}
    }
    refuse(id, error, hub);
}

fn log_named(id: ConnId, what: &str, value: Option<&str>) {
    info!("connection {id} is refused for its {what}: {}", Cut(value.unwrap_or_default()));
}

/// Answers a rejected or malformed request.
pub(super) fn refuse<S>(id: ConnId, error: HandshakeError, hub: &mut Hub<S>) {
    if let Some(outbound) = hub.get(id) {
        info!("connection {id} from {} refused: {} {error}", outbound.address, error.status());
    }
    hub.respond(id, &Response::refusal(error));
}
