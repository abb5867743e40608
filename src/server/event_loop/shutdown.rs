//! How the server shuts down: which connection is closed when, and when the loop stops waiting.

use std::time::Duration;

use log::info;

use super::{shutdown_plan::Shutdown, state::EventLoop};
use crate::{
    cause::Cause,
    config::Config,
    handler::Handler,
    hub::{LoopTime, Stage},
    protocol::{CloseCode, Response},
    server::{handle::ShutdownRequest, metrics_server::MetricsServer},
    transport::{Listener, StopPipe},
};

/// How long the final reads at the deadline may take together.
const FINAL_READS: Duration = Duration::from_millis(100);

impl<H: Handler, L: Listener> EventLoop<H, L> {
    /// Asks for the shutdown if the stop pipe has bytes or its other end is closed.
    pub(super) fn check_stop(&self) {
        if self.stop.as_ref().is_some_and(StopPipe::is_asked_for) {
            self.handle.shutdown();
        }
    }

    /// Returns whether the shutdown is complete: no client is left, and no answer of the metrics.
    pub(in crate::server) fn is_over(&self) -> bool {
        self.shutdown.is_some() && self.hub.len() == 0 && !self.is_answering_metrics()
    }

    fn is_answering_metrics(&self) -> bool {
        self.metrics.as_ref().is_some_and(MetricsServer::is_answering)
    }

    /// Stops accepting and plans when each connection is closed.
    pub(super) fn begin_shutdown(&mut self, ShutdownRequest { within }: ShutdownRequest) {
        info!("draining: {} connections to close", self.hub.live());
        self.acceptor = None;
        let Config { shutdown_spread, close_timeout, .. } = self.hub.config;
        let within = within.unwrap_or_else(|| shutdown_spread.saturating_add(close_timeout));
        let now = self.hub.now;
        let spread = shutdown_spread.min(within);
        self.shutdown = Some(Shutdown::new(now, spread, now + within, self.hub.ids()));
        self.hub.is_shutting_down = true;
    }

    /// Closes the connections that are due, and drops all that are left at the deadline.
    pub(super) fn continue_shutdown(&mut self, clock: impl Fn() -> LoopTime) {
        let Some(shutdown) = &mut self.shutdown else { return };
        let now = self.hub.now;
        while let Some(id) = shutdown.next_to_close(now) {
            match self.hub.get(id).map(|outbound| outbound.stage()) {
                Some(Stage::Connecting) => {
                    self.hub.respond(id, &Response::rejection(503, "The server is shutting down."));
                }
                // §7.4.1: 1001 "indicates that an endpoint is "going away", such as a server going down".
                Some(_) => self.hub.close(id, CloseCode::GOING_AWAY, "server is shutting down"),
                None => {}
            }
        }
        if shutdown.is_over(now) {
            let last_read = clock() + FINAL_READS;
            for id in self.hub.ids() {
                // The answer to our Close may lie in the socket.
                let is_closing = self.hub.get(id).is_some_and(|outbound| outbound.stage() == Stage::Closing);
                if is_closing && clock() < last_read {
                    self.inbounds.read_once_more(id, &mut self.handler, &mut self.hub);
                }
                self.hub.abort(id, Cause::Local);
            }
            if let Some(metrics) = &mut self.metrics {
                metrics.abort_all(&mut self.hub);
            }
        }
    }
}
