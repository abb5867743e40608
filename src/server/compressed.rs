//! RFC 7692 What the loop does for a connection whose messages may be compressed: it agrees on how, and it
//! lends the decompressor.
//!
//! This file knows when to decline. It refuses to know what the parameters mean.

use log::{debug, warn};

use super::{event_source::EventSource, phase::Phase};
use crate::{
    hub::{ClientSender, ConnId, Hub, Meter},
    protocol::{
        Client, ClientRequest, Connection, DeflateOffer, DeflateParams, Event, MAX_WINDOW_BITS,
        ProtocolError, Receiver, Request, Response, Role, Server,
    },
};

/// The receiving half of a connection, of a client or of a server, that has negotiated permessage-deflate.
#[derive(Debug)]
pub(super) struct CompressedInput<R = Server> {
    pub(super) receiver: Receiver<R>,
    window: CountedWindow,
}

/// Bytes of a window, which a meter counts as long as this exists.
#[derive(Debug)]
pub(super) struct CountedWindow {
    bytes: usize,
    windows: Meter,
}

impl CountedWindow {
    fn set(&mut self, bytes: usize) {
        if bytes != self.bytes {
            self.windows.add(bytes);
            self.windows.sub(self.bytes);
            self.bytes = bytes;
        }
    }
}

impl Drop for CountedWindow {
    fn drop(&mut self) {
        self.windows.sub(self.bytes);
    }
}

impl<R: Role> CompressedInput<R> {
    pub(super) fn new(receiver: Receiver<R>, window: CountedWindow) -> Box<Self> {
        Box::new(Self { receiver, window })
    }

    /// Returns how many bytes are held, and has the window counted.
    pub(super) fn held(&mut self) -> usize {
        self.window.set(self.receiver.window_memory());
        self.receiver.memory()
    }
}

impl<R: Role> EventSource for CompressedInput<R> {
    type Role = R;

    fn next_event<'s, 'a: 's, S>(
        &'s mut self,
        input: &mut &'a mut [u8],
        hub: &mut Hub<S>,
    ) -> Result<Option<Event<'s>>, ProtocolError> {
        let Some(compression) = hub.compression.as_mut() else { return self.receiver.next_event(input) };
        let event = self.receiver.next_event_with(input, &mut compression.inflater);
        if let Ok(Some(Event::Message(message))) = &event {
            // It may be a thousand times as long as what came in.
            hub.quota.count_work(message.len());
        }
        event
    }

    fn receiver(&mut self) -> &mut Receiver<R> {
        &mut self.receiver
    }
}

/// Agrees on compression if the server wants it and the client offers it. Returns what counts the window
/// of what the client sends.
pub(super) fn negotiate<S>(
    id: ConnId,
    request: &Request<'_>,
    response: &mut Response,
    connection: &mut Connection,
    hub: &mut Hub<S>,
) -> Option<CountedWindow> {
    let config = hub.config.compression.as_ref()?;
    let windows = hub.compression.as_ref()?.windows.clone();
    let mut wanted = config.negotiation;
    if !hub.has_window_room() && !wanted.client_no_context_takeover {
        warn_of_windows(id);
        wanted.client_no_context_takeover = true;
    }
    let negotiated = wanted.accept(request.extensions())?;
    debug!("connection {id} compresses: {}", negotiated.header());
    response.use_deflate(&negotiated);
    connection.send.use_deflate(&negotiated.params());
    connection.recv.use_deflate(&negotiated.params());
    hub.stats.compressed_connections += 1;
    Some(CountedWindow { bytes: 0, windows })
}

#[cold]
fn warn_of_windows(id: ConnId) {
    warn!("connection {id} may not take its context over: the windows of others hold max_window_bytes");
}

/// Offers compression, if the configuration wants it and the request does not offer it yet.
pub(super) fn offer<S>(request: &mut ClientRequest, hub: &Hub<S>) {
    let Some(config) = hub.config.compression.as_ref().filter(|_| !request.offers_deflate()) else { return };
    let wanted = config.negotiation;
    let is_limited = |bits: u8| (bits < MAX_WINDOW_BITS).then_some(bits);
    request.deflate(DeflateOffer {
        server_no_context_takeover: wanted.server_no_context_takeover || !hub.has_window_room(),
        client_no_context_takeover: wanted.client_no_context_takeover,
        server_max_window_bits: is_limited(wanted.server_max_window_bits),
        client_max_window_bits: Some(is_limited(wanted.client_max_window_bits)),
    });
}

/// Returns the phase of a connection that this program has opened, and says to its sender what was agreed on.
pub(super) fn frames_of_server<S>(
    mut receiver: Receiver<Client>,
    sender: &mut ClientSender,
    params: Option<&DeflateParams>,
    hub: &mut Hub<S>,
) -> Phase {
    let Some(params) = params else { return Phase::FromServer(receiver) };
    receiver.use_deflate(params);
    sender.use_deflate(params);
    hub.stats.compressed_connections += 1;
    let windows = hub.compression.as_ref().map(|it| it.windows.clone()).unwrap_or_default();
    let window = CountedWindow { bytes: 0, windows };
    Phase::CompressedFromServer(CompressedInput::new(receiver, window))
}
