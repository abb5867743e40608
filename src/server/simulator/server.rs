//! A server that a user has set up, without a listener and in a simulation.

use super::{
    super::{BuildTheServerOnItsThread, Server},
    Simulation,
};
use crate::hooks::HookSet;

impl<H: HookSet> Server<H> {
    /// Returns the server's loop in a simulation. Its listeners, and the pipe that stops it, are dropped.
    pub(crate) fn into_simulation(self) -> Simulation<H::Handler> {
        let BuildTheServerOnItsThread {
            poll, timers, handle, config, observer, hooks, keys, targets, ..
        } = self.into_ready().into_parts();
        let mut simulation = Simulation::with(poll, handle, config, hooks, timers);
        simulation.event_loop =
            simulation.event_loop.observed_by(observer).with_keys(keys).connecting(targets);
        simulation
    }
}
