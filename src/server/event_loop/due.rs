//! What is due at a time or asked for from outside, and not by a connection: accepts, deadlines, timers,
//! commands.

use log::{debug, warn};

use super::state::{EventLoop, LISTENER, METRICS, WAKER};
use crate::{
    handler::Handler,
    hub::{ConnId, Hub, LoopTime, Outbound, Stage},
    protocol::{HandshakeError, Response},
    server::{acceptor::Acceptor, metrics_server::MetricsServer, upgrade::refuse},
    transport::{Listener, Token},
};

/// How many connections are judged in one turn because their deadline has come. Each may be read from.
const DEADLINES_PER_TURN: usize = 256;

impl<H: Handler, L: Listener> EventLoop<H, L> {
    /// Runs everything not triggered by a connection: accepts, deadlines, timers, commands, shutdown.
    // Most turns don't need it: not inlined, so that the code for messages stays small.
    #[inline(never)]
    pub(super) fn run_due(&mut self, clock: impl Fn() -> LoopTime) {
        let is_metrics_idle = self.metrics.as_ref().is_none_or(MetricsServer::is_idle);
        if !is_metrics_idle || !self.acceptor.as_ref().is_none_or(Acceptor::is_idle) {
            self.accept_pending(&clock);
        }
        for _ in 0..DEADLINES_PER_TURN {
            let Some(id) = self.hub.expire() else { break };
            self.judge(id);
        }
        if let Some(metrics) = &mut self.metrics {
            metrics.expire(&mut self.hub, &mut self.inbounds.buffer);
        }
        self.run_timers();
        if self.has_commands {
            self.run_commands();
        }
        self.continue_shutdown(clock);
    }

    /// Pings or ends a connection whose deadline has come, or gives it a new deadline.
    fn judge(&mut self, id: ConnId) {
        // A connection whose input waits to be read is not silent: it is the loop that has not read it.
        if self.inbounds.get_mut(id).is_some_and(|inbound| inbound.has_more) && self.hub.defer_ping(id) {
            return;
        }
        let has_step = self.hub.has_step(id);
        if self.hub.ends_when_due(id) && !has_step {
            self.inbounds.read_once_more(id, &mut self.handler, &mut self.hub);
        }
        if self.hub.get(id).is_some_and(Outbound::is_connecting) && self.hub.is_due(id) {
            self.advance_connecting(id);
        } else if self.hub.is_due(id) {
            if self.inbounds.is_held(id) {
                warn!("connection {id}: the application has not answered its request in time");
                self.hub.respond(
                    id,
                    &Response::rejection(503, "The server's application did not answer in time."),
                );
            } else {
                expire(id, &mut self.hub);
            }
        } else {
            self.hub.schedule(id);
        }
    }

    /// Handles readiness of the listener, the metrics listener, the waker or the stop pipe.
    #[inline(never)]
    pub(super) fn handle_token(&mut self, token: Token) {
        match token {
            LISTENER => self.acceptor.iter_mut().for_each(Acceptor::on_readable),
            METRICS => self.metrics.iter_mut().for_each(MetricsServer::on_readable),
            WAKER => self.run_commands(),
            _ => self.check_stop(),
        }
    }
}

/// Does what must happen to a connection whose deadline has come.
fn expire<S>(id: ConnId, hub: &mut Hub<S>) {
    match hub.get(id).map(|outbound| outbound.stage()) {
        #[cfg(feature = "tls")]
        Some(Stage::Connecting) if hub.get(id).is_some_and(|it| it.stream.is_handshaking()) => {
            debug!("connection {id}: no complete handshake of TLS in time");
            hub.terminate(id);
        }
        Some(Stage::Connecting) => refuse(id, HandshakeError::Timeout, hub),
        Some(Stage::Open) => hub.check_alive(id),
        Some(Stage::Closing | Stage::Finishing | Stage::Lingering) => {
            debug!("connection {id}: close timeout");
            hub.terminate(id);
        }
        Some(Stage::Dead) | None => {}
    }
}
