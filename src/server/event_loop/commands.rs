//! What other threads and timers asked for: commands and tasks, run in shares so that connections get their
//! turn.

use log::error;

use super::state::EventLoop;
use crate::{
    connections::Connections, handler::Handler, hub::Hub, panics, server::handle::Command,
    transport::Listener,
};

/// How many commands leave the queue under one lock.
const COMMANDS_AT_ONCE: usize = 32;

impl<H: Handler, L: Listener> EventLoop<H, L> {
    /// Runs the commands of other threads while this turn has time; the rest stay in the queue, in order.
    pub(super) fn run_commands(&mut self) {
        self.hub.quota.begin_batch();
        self.has_commands = false;
        while !self.has_commands {
            let mut commands = self.handle.take(COMMANDS_AT_ONCE);
            if commands.is_empty() {
                break;
            }
            while !self.has_commands
                && let Some(command) = commands.pop_front()
            {
                self.run_command(command);
                self.inbounds.shed(&mut self.hub);
                self.has_commands = self.is_share_used_up();
            }
            self.handle.put_back(commands);
        }
        while !self.has_commands
            && let Some(id) = self.handle.take_answered()
        {
            self.inbounds.finish_upgrade(id, &mut self.handler, &mut self.hub);
            self.inbounds.shed(&mut self.hub);
            self.has_commands = self.is_share_used_up();
        }
        self.continue_resolved();
        if let Some(shutdown) = self.handle.take_shutdown()
            && self.shutdown.is_none()
        {
            self.begin_shutdown(shutdown);
        }
    }

    fn run_command(&mut self, command: Command<H::State>) {
        match command {
            Command::Send { id, message } => drop(self.hub.send_prepared(id, message)),
            Command::Broadcast { message } => {
                self.hub.broadcast_to_all(message);
            }
            Command::Close { id, code, reason } => self.hub.close(id, code, &reason),
            Command::Terminate { id } => self.hub.terminate(id),
            Command::BroadcastIf { message, filter } => self.run_closure(|hub| {
                hub.broadcast(message, filter);
            }),
            Command::Call(closure) => self.run_closure(|hub| closure(&mut Connections::new(hub))),
        }
    }

    /// Runs a closure of another thread.
    fn run_closure(&mut self, closure: impl FnOnce(&mut Hub<H::State>)) {
        if panics::catch(|| closure(&mut self.hub)).is_none() {
            error!("a closure of another thread has panicked");
        }
    }

    /// Runs the users' timers that are due.
    pub(super) fn run_timers(&mut self) {
        let now = self.hub.now;
        self.hub.quota.begin_batch();
        while !self.is_share_used_up()
            && let Some((id, mut task)) = self.hub.timers.take_due(now)
        {
            self.hub.running_timer = Some(id);
            if panics::catch(|| task(&mut self.hub)).is_some() {
                // A task that does not run again is dropped with all that it captured, which is code of the
                // user.
                panics::catch(|| self.hub.timers.put_back(id, task, now));
            } else {
                error!("a timer's task has panicked and is cancelled");
                self.hub.timers.cancel(id);
                panics::discard(task);
            }
            self.hub.running_timer = None;
            self.inbounds.shed(&mut self.hub);
        }
    }
}
