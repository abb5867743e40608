//! New connections: how the loop admits clients, and which sockets it closes for them.

use std::io;

use log::{debug, warn};

use super::state::EventLoop;
use crate::{
    handler::Handler,
    hub::{ConnId, LoopTime, Outbound},
    panics,
    server::upgrade,
    transport::{Listener, PeerAddr, Stream},
};

/// How many sockets may be ending, beyond `max_connections`. For one more, the oldest of the address that has
/// most of them is evicted.
const MAX_ENDING: usize = 256;

impl<H: Handler, L: Listener> EventLoop<H, L> {
    /// Accepts the connections that wait at both listeners; at most as many as one turn may.
    #[inline(never)]
    pub(super) fn accept_pending(&mut self, clock: impl Fn() -> LoopTime) {
        // Their deadlines count from now, not from the begin of the turn, which may be long ago.
        self.hub.now = clock();
        let now = self.hub.now;
        if let Some(acceptor) = &mut self.acceptor {
            for (stream, address) in acceptor.accept_pending(now, || self.hub.evict()) {
                #[cfg(feature = "tls")]
                let Some(stream) = self.secure(stream, address) else { continue };
                self.admit(stream, address);
            }
        }
        if let Some(metrics) = &mut self.metrics {
            metrics.accept_pending(&mut self.hub, &mut self.inbounds.buffer);
        }
    }

    /// Puts TLS between the socket of a new client and the loop, if the server speaks TLS.
    #[cfg(feature = "tls")]
    fn secure(&mut self, stream: Stream, address: PeerAddr) -> Option<Stream> {
        let Some(acceptor) = &self.tls else { return Some(stream) };
        let result = stream.secured_by(acceptor);
        if let Err(error) = &result {
            warn!("{address} dropped: {error}");
            self.hub.stats.dropped_clients += 1;
        }
        result.ok()
    }

    /// Admits a new client, or answers it that there is no room.
    fn admit(&mut self, stream: Stream, address: PeerAddr) {
        self.hub.stats.accepted += 1;
        if !self.clients_inherit_nodelay {
            stream.set_nodelay(self.hub.config.nodelay);
        }
        let Some(id) = self.insert(stream, address) else {
            self.hub.stats.dropped_clients += 1;
            return;
        };
        debug!("connection {id} from {address} accepted");
        self.hub.observer.tell(|observer| observer.connected(id, address));
        let verdict = self.hub.admit(id);
        if self.is_crowded(address, verdict.is_err()) {
            self.hub.evict();
        }
        if let Err(error) = verdict {
            upgrade::refuse(id, error, &mut self.hub);
        }
    }

    /// Returns whether too many sockets are ending to keep one more client from `address`.
    ///
    /// `is_refused` says that the client itself only gets an answer and is then ending too.
    fn is_crowded(&self, address: PeerAddr, is_refused: bool) -> bool {
        let (live, leaving, config) = (self.hub.live(), self.hub.leaving(), &self.hub.config);
        let most = config.max_connections.map_or(usize::MAX, |max| max.saturating_add(MAX_ENDING));
        live + leaving > most
            || is_refused && leaving >= MAX_ENDING
            // Without a cap it may be the address of a proxy that all clients share.
            || config.max_connections_per_address.is_some() && self.hub.leaving_of(address) >= MAX_ENDING
    }

    fn insert(&mut self, stream: Stream, address: PeerAddr) -> Option<ConnId> {
        let now = self.hub.now;
        // The connection's state starts as the type's default, which is code of the user.
        let inserted = panics::catch(|| self.hub.insert(Outbound::new(stream, address, now)));
        match inserted.unwrap_or_else(|| Err(io::Error::other("the state of a connection has panicked"))) {
            Ok(id) => {
                self.inbounds.insert(id);
                Some(id)
            }
            Err(error) => {
                warn!("{address} dropped: {error}");
                None
            }
        }
    }
}
