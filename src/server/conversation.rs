//! One connection as it is heard: first a request, then frames, and the hooks that each of them calls.
//!
//! This file knows the order of things: head, verdict, hooks, frames. It refuses to know sockets: bytes are
//! handed in, and everything that goes out is handed to `peers`.

use std::{collections::TryReserveError, mem, rc::Rc};

use log::{debug, error, info};

use super::{figures, guard};

use crate::{
    handler::{Decision, Handler, Upgrade},
    panics,
    peers::{ConnId, Peers, SHARE_LEN, SharedMessage, Stage},
    protocol::{Event, HandshakeError, ProtocolError, Receiver, Request, RequestReader, Response, append},
    trace::{self, Cut},
};

/// The receiving side of one connection. Every open connection has one, so every byte here counts.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    inbound: Inbound,
    /// Input that was read and waits: the peer has stopped taking what it causes, or the batch had its part.
    stash: Option<Box<[u8]>>,
    /// The peer has closed its side, or the socket has an error: it is read until it says so.
    pub(super) hang_up: bool,
    /// It is among those whose turn to be read comes again.
    pub(super) has_more: bool,
    /// Its last batch queued much for others, so its next one waits while the turn has no time for it.
    pub(super) is_costly: bool,
}

/// What the next input is taken for.
#[derive(Debug)]
enum Inbound {
    Request(RequestReader),
    /// A request for a page with figures.
    Figures(RequestReader),
    Frames(Receiver),
    Nothing,
}

impl Default for Inbound {
    fn default() -> Self {
        Self::Request(RequestReader::default())
    }
}

impl Conversation {
    /// A connection that asks for figures instead of a WebSocket.
    pub(super) fn about_figures() -> Self {
        Self { inbound: Inbound::Figures(RequestReader::default()), ..Self::default() }
    }

    /// Works through a batch of input; what goes back to this peer leaves in one write at the end.
    #[inline]
    pub(super) fn receive<H: Handler>(
        &mut self,
        id: ConnId,
        input: &mut [u8],
        handler: &mut H,
        peers: &mut Peers<H::State>,
    ) {
        peers.quota.begin_batch();
        peers.cork(id);
        self.work_through(id, input, handler, peers);
        peers.uncork();
        self.is_costly = peers.quota.is_costly();
        peers.hold(id, self.held());
    }

    /// Whether input that was read waits to be worked through.
    #[inline]
    pub(super) const fn has_stash(&self) -> bool {
        self.stash.is_some()
    }

    /// Bytes that are held of the input.
    #[inline]
    fn held(&self) -> usize {
        let stashed = self.stash.as_deref().map_or(0, <[u8]>::len);
        stashed
            + match &self.inbound {
                Inbound::Request(reader) | Inbound::Figures(reader) => reader.buffered(),
                Inbound::Frames(receiver) => receiver.memory(),
                Inbound::Nothing => 0,
            }
    }

    /// Bytes that have arrived of the message under way.
    pub(super) fn arrived(&self) -> usize {
        match &self.inbound {
            Inbound::Frames(receiver) => receiver.buffered(),
            _ => 0,
        }
    }

    /// Gives back all that is held, and hears nothing more.
    pub(super) fn forget(&mut self) {
        (self.inbound, self.stash) = (Inbound::Nothing, None);
    }

    /// Goes on with the input that was put aside.
    pub(super) fn resume<H: Handler>(&mut self, id: ConnId, handler: &mut H, peers: &mut Peers<H::State>) {
        let mut input = self.stash.take().unwrap_or_default();
        self.receive(id, &mut input, handler, peers);
    }

    #[inline]
    fn work_through<H: Handler>(
        &mut self,
        id: ConnId,
        mut input: &mut [u8],
        handler: &mut H,
        peers: &mut Peers<H::State>,
    ) {
        if !peers.is_unhindered(id) && !peers.get(id).is_some_and(|peer| peer.stage.is_live()) {
            self.inbound = Inbound::Nothing;
        }
        if !matches!(self.inbound, Inbound::Frames(_)) {
            self.hear_request(id, &mut input, handler, peers);
        }
        let Inbound::Frames(receiver) = &mut self.inbound else { return };
        // What has begun before is the first to end: if it is long it is kept while it is heard.
        let mut is_long = receiver.buffered() >= SHARE_LEN;
        let mut kept;
        loop {
            let is_unhindered = peers.is_unhindered(id);
            let is_used_up = peers.quota.step() && peers.quota.is_used_up();
            if is_used_up || !is_unhindered && peers.is_paused(id) {
                receiver.release();
                match set_aside(input) {
                    Ok(stash) => self.stash = stash,
                    Err(_) => peers.fail_protocol(id, ProtocolError::NoMemory),
                }
                return;
            }
            let mut event = receiver.next_event(&mut input);
            peers.note_end_of_batch(input.is_empty());
            if mem::take(&mut is_long) && matches!(event, Ok(Some(Event::Message(_)))) {
                kept = keep(id, receiver, peers);
                debug_assert!(kept.is_some(), "what has begun before its batch was put together");
                event = Ok(kept.as_ref().map(|message| Event::Message(message.content().as_message())));
            }
            // Looked at where it lies: no event is moved on its way to the hook.
            match &event {
                Ok(Some(event)) => hear(id, event, is_unhindered || peers.is_open(id), handler, peers),
                Ok(None) => return,
                Err(error) => peers.fail_protocol(id, *error),
            }
        }
    }

    /// Takes a request from the front of the input, if one is awaited and has come whole, and answers it.
    // Once for each connection: kept aside from what is done for each message.
    #[inline(never)]
    fn hear_request<H: Handler>(
        &mut self,
        id: ConnId,
        input: &mut &mut [u8],
        handler: &mut H,
        peers: &mut Peers<H::State>,
    ) {
        if let Inbound::Request(reader) = &mut self.inbound {
            let is_open = match reader.next_request(input, &peers.config.limits) {
                Ok(None) => return,
                Ok(Some(request)) => upgrade(id, &request, handler, peers),
                Err(error) => {
                    refuse(id, error, peers);
                    false
                }
            };
            self.inbound =
                if is_open { Inbound::Frames(Receiver::new(&peers.config.limits)) } else { Inbound::Nothing };
        }
        if let Inbound::Figures(reader) = &mut self.inbound {
            let response = match reader.next_request(input, &peers.config.limits) {
                Ok(None) => return,
                Ok(Some(request)) => figures::page(&request, &peers.current_stats(), peers.is_draining),
                Err(error) => {
                    info!("connection {id} at the figures refused: {} {error}", error.status());
                    Response::refusal(error)
                }
            };
            peers.respond(id, &response);
            self.inbound = Inbound::Nothing;
        }
    }
}

/// Answers a request that is complete; whether the connection is open now.
fn upgrade<H: Handler>(
    id: ConnId,
    request: &Request<'_>,
    handler: &mut H,
    peers: &mut Peers<H::State>,
) -> bool {
    let Some(address) = peers.get(id).map(|peer| peer.address) else { return false };
    if let Err(error) = request.check(&peers.config.hosts, &peers.config.origins) {
        // A request for something else than a WebSocket may be wanted all the same.
        let page = asks_for_page(request, error, &peers.config.hosts)
            .then(|| guard::call(id, peers, |_| handler.on_http(request, address)));
        match page {
            Some(None) => {}
            // RFC 9110 §9.3.2: HEAD is answered as GET is, without the body.
            Some(Some(Some(page))) if request.method() == "HEAD" => peers.respond(id, &page.without_body()),
            Some(Some(Some(page))) => peers.respond(id, &page),
            Some(Some(None)) | None => refuse_request(id, request, error, peers),
        }
        return false;
    }
    let verdict = guard::call(id, peers, |_| handler.on_upgrade(request, address));
    let Some(Upgrade { decision, subprotocol, headers }) = verdict else { return false };
    let state = match decision {
        Decision::Accept(state) => state,
        Decision::Reject { status, body } => {
            let target = Cut(request.target());
            info!("connection {id} from {address} refused by the handler: {status} {target}");
            let response = with_headers(Response::rejection(status, &body), &headers);
            peers.respond(id, &response);
            return false;
        }
    };
    let subprotocol = subprotocol
        .or_else(|| request.choose_subprotocol(&peers.config.subprotocols).map(str::to_owned))
        .filter(|chosen| request.subprotocols().any(|offer| offer == chosen));
    let response = with_headers(Response::switching_protocols(request, subprotocol.as_deref()), &headers);
    peers.respond(id, &response);
    if response.status() != 101 {
        panics::discard(state);
        return false;
    }
    if let Some(peer) = peers.get_mut(id) {
        peer.subprotocol = subprotocol.map(String::into_boxed_str);
        // Without a state of its own the connection keeps the default one.
        if let Some(state) = state {
            panics::discard(mem::replace(&mut peer.state, state));
        }
    }
    info!("connection {id} from {address} open: {}", Cut(request.target()));
    guard::call(id, peers, |ws| handler.on_open(ws, request));
    true
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
fn refuse_request<S>(id: ConnId, request: &Request<'_>, error: HandshakeError, peers: &mut Peers<S>) {
    match error {
        HandshakeError::OriginNotAllowed => log_named(id, "Origin", request.origin()),
        HandshakeError::HostNotServed => log_named(id, "host", request.host()),
        _ => {}
    }
    refuse(id, error, peers);
}

fn log_named(id: ConnId, what: &str, value: Option<&str>) {
    info!("connection {id} is refused for its {what}: {}", Cut(value.unwrap_or_default()));
}

/// Answers a rejected or malformed request.
pub(super) fn refuse<S>(id: ConnId, error: HandshakeError, peers: &mut Peers<S>) {
    if let Some(peer) = peers.get(id) {
        info!("connection {id} from {} refused: {} {error}", peer.address, error.status());
    }
    peers.respond(id, &Response::refusal(error));
}

/// Copies input that waits.
fn set_aside(input: &[u8]) -> Result<Option<Box<[u8]>>, TryReserveError> {
    if input.is_empty() {
        return Ok(None);
    }
    let mut stash = Vec::new();
    stash.try_reserve_exact(input.len())?;
    append(&mut stash, input);
    Ok(Some(stash.into_boxed_slice()))
}

/// Takes the message that was put together, so that what waits of it when it is sent on need not be copied.
#[inline(never)]
fn keep<S>(id: ConnId, receiver: &mut Receiver, peers: &mut Peers<S>) -> Option<Rc<SharedMessage>> {
    let message = receiver.take_message()?;
    // It counts itself from here on.
    peers.hold(id, 0);
    Some(peers.keep(message))
}

/// Lets the hooks hear what was received. After our own Close only the peer's Close counts.
#[inline]
fn hear<H: Handler>(
    id: ConnId,
    event: &Event<'_>,
    is_open: bool,
    handler: &mut H,
    peers: &mut Peers<H::State>,
) {
    if trace::is_on() {
        trace::received(id, event);
    }
    match event {
        Event::Message(message) if is_open => {
            peers.stats.received_messages += 1;
            guard::call(id, peers, |ws| handler.on_message(ws, *message));
        }
        Event::Ping(payload) if is_open => {
            peers.pong(id, payload);
            guard::call(id, peers, |ws| handler.on_ping(ws, payload));
        }
        Event::Pong(payload) if is_open => {
            guard::call(id, peers, |ws| handler.on_pong(ws, payload));
        }
        Event::Close(frame) => peers.close_received(id, *frame),
        Event::Message(_) | Event::Ping(_) | Event::Pong(_) => {
            debug!("connection {id}: something came after our Close and was ignored");
        }
    }
}

/// What the timer has to do about a connection whose time has come.
pub(super) fn expire<S>(id: ConnId, peers: &mut Peers<S>) {
    match peers.get(id).map(|peer| peer.stage) {
        Some(Stage::Connecting) => refuse(id, HandshakeError::Timeout, peers),
        Some(Stage::Open) => peers.check_alive(id),
        Some(Stage::Closing | Stage::Finishing | Stage::Lingering) => {
            debug!("connection {id}: close timeout");
            peers.terminate(id);
        }
        Some(Stage::Doomed) | None => {}
    }
}
