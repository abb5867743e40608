//! One connection as it is heard: first a request, then frames, and the hooks that each of them calls.
//!
//! This file knows the order of things: head, verdict, hooks, frames. It refuses to know sockets: bytes are
//! handed in, and everything that goes out is handed to `peers`.

use std::{collections::TryReserveError, mem, rc::Rc};

use log::{debug, error, info};

use super::{dispatch, metrics};

use crate::{
    handler::{Decision, Handler, Upgrade},
    hub::{ConnId, Hub, SHARE_LEN, SharedMessage, Stage},
    panics,
    protocol::{
        Connection, Event, HandshakeError, ProtocolError, Receiver, Request, RequestReader, Response, append,
    },
    trace::{self, Cut},
};

/// The receiving side of one connection. Every open connection has one, so every byte here counts.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    phase: Phase,
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
enum Phase {
    Request(RequestReader),
    /// A request for a page with figures.
    Figures(RequestReader),
    Frames(Receiver),
    Nothing,
}

impl Default for Phase {
    fn default() -> Self {
        Self::Request(RequestReader::default())
    }
}

impl Inbound {
    /// A connection that asks for figures instead of a WebSocket.
    pub(super) fn for_metrics() -> Self {
        Self { phase: Phase::Figures(RequestReader::default()), ..Self::default() }
    }

    /// Works through input that was just read; what goes back to this peer leaves in one write at the end.
    #[inline]
    pub(super) fn receive<H: Handler>(
        &mut self,
        id: ConnId,
        input: &mut [u8],
        handler: &mut H,
        hub: &mut Hub<H::State>,
    ) {
        hub.note_activity(id);
        self.work_through_batch(id, input, handler, hub);
    }

    /// Works through a batch of input.
    #[inline]
    fn work_through_batch<H: Handler>(
        &mut self,
        id: ConnId,
        input: &mut [u8],
        handler: &mut H,
        hub: &mut Hub<H::State>,
    ) {
        hub.quota.begin_batch();
        hub.cork(id);
        self.work_through(id, input, handler, hub);
        hub.uncork();
        self.is_costly = hub.quota.is_costly();
        hub.hold(id, self.held());
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
            + match &self.phase {
                Phase::Request(reader) | Phase::Figures(reader) => reader.buffered(),
                Phase::Frames(receiver) => receiver.memory(),
                Phase::Nothing => 0,
            }
    }

    /// Bytes that have arrived of the message under way.
    pub(super) fn arrived(&self) -> usize {
        match &self.phase {
            Phase::Frames(receiver) => receiver.buffered(),
            _ => 0,
        }
    }

    /// Gives back all that is held, and hears nothing more.
    pub(super) fn forget(&mut self) {
        (self.phase, self.stash) = (Phase::Nothing, None);
    }

    /// Goes on with the input that was put aside.
    pub(super) fn resume<H: Handler>(&mut self, id: ConnId, handler: &mut H, hub: &mut Hub<H::State>) {
        let mut input = self.stash.take().unwrap_or_default();
        self.work_through_batch(id, &mut input, handler, hub);
    }

    #[inline]
    fn work_through<H: Handler>(
        &mut self,
        id: ConnId,
        mut input: &mut [u8],
        handler: &mut H,
        hub: &mut Hub<H::State>,
    ) {
        if !hub.has_fast_path() && !hub.get(id).is_some_and(|outbound| outbound.stage().is_live()) {
            self.phase = Phase::Nothing;
        }
        if !matches!(self.phase, Phase::Frames(_)) {
            self.receive_request(id, &mut input, handler, hub);
        }
        let Phase::Frames(receiver) = &mut self.phase else { return };
        // What has begun before is the first to end: if it is long it is kept while it is heard.
        let mut is_long = receiver.buffered() >= SHARE_LEN;
        let mut kept;
        loop {
            let has_fast_path = hub.has_fast_path();
            let is_used_up = hub.quota.step() && hub.quota.is_used_up();
            if is_used_up || !has_fast_path && hub.is_paused(id) {
                receiver.release();
                match set_aside(input) {
                    Ok(stash) => self.stash = stash,
                    Err(_) => hub.fail_protocol(id, ProtocolError::NoMemory),
                }
                return;
            }
            let mut event = receiver.next_event(&mut input);
            hub.set_last_in_batch(input.is_empty());
            if mem::take(&mut is_long) && matches!(event, Ok(Some(Event::Message(_)))) {
                kept = retain(id, receiver, hub);
                debug_assert!(kept.is_some(), "what has begun before its batch was put together");
                event = Ok(kept.as_ref().map(|message| Event::Message(message.content().as_message())));
            }
            // Looked at where it lies: no event is moved on its way to the hook.
            match &event {
                Ok(Some(event)) => dispatch(id, event, has_fast_path || hub.is_open(id), handler, hub),
                Ok(None) => return,
                Err(error) => hub.fail_protocol(id, *error),
            }
        }
    }

    /// Takes a request from the front of the input, if one is awaited and has come whole, and answers it.
    // Once for each connection: kept aside from what is done for each message.
    #[inline(never)]
    fn receive_request<H: Handler>(
        &mut self,
        id: ConnId,
        input: &mut &mut [u8],
        handler: &mut H,
        hub: &mut Hub<H::State>,
    ) {
        if let Phase::Request(reader) = &mut self.phase {
            let receiver = match reader.next_request(input, &hub.config.limits) {
                Ok(None) => return,
                Ok(Some(request)) => upgrade(id, &request, handler, hub),
                Err(error) => {
                    refuse(id, error, hub);
                    None
                }
            };
            self.phase = receiver.map_or(Phase::Nothing, Phase::Frames);
        }
        if let Phase::Figures(reader) = &mut self.phase {
            let response = match reader.next_request(input, &hub.config.limits) {
                Ok(None) => return,
                Ok(Some(request)) => metrics::page(&request, &hub.current_stats(), hub.is_shutting_down),
                Err(error) => {
                    info!("connection {id} at the figures refused: {} {error}", error.status());
                    Response::refusal(error)
                }
            };
            hub.respond(id, &response);
            self.phase = Phase::Nothing;
        }
    }
}

/// Answers a complete request. Returns the receiver if the connection is open now.
fn upgrade<H: Handler>(
    id: ConnId,
    request: &Request<'_>,
    handler: &mut H,
    hub: &mut Hub<H::State>,
) -> Option<Receiver> {
    let address = hub.get(id)?.address;
    if let Err(error) = request.check(&hub.config.hosts, &hub.config.origins) {
        // A request for something else than a WebSocket may be wanted all the same.
        let page = asks_for_page(request, error, &hub.config.hosts)
            .then(|| dispatch::catch_panic(id, hub, |_| handler.on_http(request, address)));
        match page {
            Some(None) => {}
            // RFC 9110 §9.3.2: HEAD is answered as GET is, without the body.
            Some(Some(Some(page))) if request.method() == "HEAD" => hub.respond(id, &page.without_body()),
            Some(Some(Some(page))) => hub.respond(id, &page),
            Some(Some(None)) | None => refuse_request(id, request, error, hub),
        }
        return None;
    }
    let verdict = dispatch::catch_panic(id, hub, |_| handler.on_upgrade(request, address));
    let Upgrade { decision, subprotocol, headers } = verdict?;
    let state = match decision {
        Decision::Accept(state) => state,
        Decision::Reject { status, body } => {
            let target = Cut(request.target());
            info!("connection {id} from {address} refused by the handler: {status} {target}");
            let response = with_headers(Response::rejection(status, &body), &headers);
            hub.respond(id, &response);
            return None;
        }
    };
    let subprotocol = subprotocol
        .or_else(|| request.choose_subprotocol(&hub.config.subprotocols).map(str::to_owned))
        .filter(|chosen| request.subprotocols().any(|offer| offer == chosen));
    let response = with_headers(Response::switching_protocols(request, subprotocol.as_deref()), &headers);
    if response.status() != 101 {
        hub.respond(id, &response);
        panics::discard(state);
        return None;
    }
    let Connection { recv, send } = Connection::new(&hub.config.limits);
    hub.accept_upgrade(id, &response, send);
    if let Some(peer) = hub.get_mut(id) {
        peer.subprotocol = subprotocol.map(String::into_boxed_str);
        // Without a state of its own the connection keeps the default one.
        if let Some(state) = state {
            panics::discard(mem::replace(&mut peer.state, state));
        }
    }
    info!("connection {id} from {address} open: {}", Cut(request.target()));
    dispatch::catch_panic(id, hub, |ws| handler.on_open(ws, request));
    Some(recv)
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
    if let Some(peer) = hub.get(id) {
        info!("connection {id} from {} refused: {} {error}", peer.address, error.status());
    }
    hub.respond(id, &Response::refusal(error));
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
fn retain<S>(id: ConnId, receiver: &mut Receiver, hub: &mut Hub<S>) -> Option<Rc<SharedMessage>> {
    let message = receiver.take_message()?;
    // It counts itself from here on.
    hub.hold(id, 0);
    Some(hub.retain(message))
}

/// Lets the hooks hear what was received. After our own Close only the peer's Close counts.
#[inline]
fn dispatch<H: Handler>(
    id: ConnId,
    event: &Event<'_>,
    is_open: bool,
    handler: &mut H,
    hub: &mut Hub<H::State>,
) {
    if trace::is_on() {
        trace::received(id, event);
    }
    match event {
        Event::Message(message) if is_open => {
            hub.stats.received_messages += 1;
            dispatch::catch_panic(id, hub, |ws| handler.on_message(ws, *message));
        }
        Event::Ping(payload) if is_open => {
            hub.pong(id, payload);
            dispatch::catch_panic(id, hub, |ws| handler.on_ping(ws, payload));
        }
        Event::Pong(payload) if is_open => {
            dispatch::catch_panic(id, hub, |ws| handler.on_pong(ws, payload));
        }
        Event::Close(frame) => hub.close_received(id, *frame),
        Event::Message(_) | Event::Ping(_) | Event::Pong(_) => {
            debug!("connection {id}: something came after our Close and was ignored");
        }
    }
}

/// What the timer has to do about a connection whose time has come.
pub(super) fn expire<S>(id: ConnId, hub: &mut Hub<S>) {
    match hub.get(id).map(|peer| peer.stage()) {
        Some(Stage::Connecting) => refuse(id, HandshakeError::Timeout, hub),
        Some(Stage::Open) => hub.check_alive(id),
        Some(Stage::Closing | Stage::Finishing | Stage::Lingering) => {
            debug!("connection {id}: close timeout");
            hub.terminate(id);
        }
        Some(Stage::Dead) | None => {}
    }
}
