//! The end of a turn: the hooks for drained and ended connections run.

use log::info;

use super::state::EventLoop;
use crate::{
    handler::{Closed, Handler},
    hub::{ConnId, End, ROOM},
    server::metrics_server::MetricsServer,
    transport::Listener,
    websocket::call_hook,
};

impl<H: Handler, L: Listener> EventLoop<H, L> {
    /// Calls `on_drain` where a queue has emptied, and resumes the connections that were paused.
    #[inline(never)]
    pub(super) fn run_on_drain(&mut self) {
        self.hub.quota.begin_batch();
        for _ in 0..self.hub.drained() {
            let Some(id) = self.hub.next_drained() else { break };
            self.call_on_drain(id);
            self.inbounds.shed(&mut self.hub);
            if self.is_share_used_up() {
                break;
            }
        }
        while let Some(id) = self.hub.next_resumable() {
            self.inbounds.resume(id, &mut self.handler, &mut self.hub);
            if self.hub.quota.is_turn_used_up() {
                break;
            }
        }
        self.hub.flush_dirty();
    }

    /// Calls `on_close` for every connection that ended this turn, then frees its slot.
    #[inline(never)]
    pub(super) fn finish_closed(&mut self) {
        // A hook may end other connections, whose hooks run in turn. Each connection ends once, so the loop
        // ends. No bytes may be sent after it: a connection that ends then would be removed below without its
        // `on_close`.
        self.hub.quota.begin_batch();
        while !self.is_share_used_up()
            && let Some((id, end)) = self.hub.next_ending()
        {
            match end {
                End::Closed(ending) => {
                    let close = Closed::new(ending.code, &ending.reason, ending.cause, ending.clean);
                    info!("connection {id} closed: {close}");
                    call_hook(id, &mut self.hub, |ws| self.handler.on_close(ws, &close));
                }
                End::Unopened(error) => {
                    call_hook(id, &mut self.hub, |ws| self.handler.on_connect_error(ws, &error));
                }
            }
            self.hub.flush_dirty();
            self.inbounds.shed(&mut self.hub);
        }
        if self.hub.has_endings() {
            return;
        }
        for id in self.hub.remove_dead() {
            // Frees the input that it held now, not when its slot is used again.
            self.inbounds.remove(id);
        }
        self.metrics.iter_mut().for_each(MetricsServer::refill);
        self.end_if_idle();
        let places = self.hub.places();
        if self.inbounds.places() > 4 * places.max(ROOM) {
            self.inbounds.shrink(places);
        }
    }

    /// Shuts down a loop that never accepts anything and has nothing left to do.
    pub(super) fn end_if_idle(&self) {
        let can_go_on = !self.is_unbound
            || self.hub.len() > 0
            || self.hub.timers.len() > self.own_timers
            || self.handle.is_shared()
            || self.metrics.is_some()
            || self.stop.is_some();
        if !can_go_on {
            self.handle.shutdown();
        }
    }

    /// Calls `on_drain`: a slow peer has read all that was queued for it.
    fn call_on_drain(&mut self, id: ConnId) {
        if self.hub.is_open(id) {
            self.hub.cork(id);
            call_hook(id, &mut self.hub, |ws| self.handler.on_drain(ws));
            self.hub.uncork();
        }
    }

    /// Returns whether hooks that belong to no batch of input have used up their share of this turn.
    pub(super) fn is_share_used_up(&mut self) -> bool {
        self.hub.quota.step() && self.hub.quota.is_used_up()
    }
}
