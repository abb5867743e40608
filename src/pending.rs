//! An answer to a request that comes after `on_upgrade` has returned.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{handler::Upgrade, hub::ConnId};

/// A request that is held until the application answers it: [`Upgrade::pending`] makes one, and
/// [`Handle::finish`](crate::Handle::finish) answers it, from any thread that the state may go to.
///
/// One that is dropped instead leaves its request without an answer: the server answers it with 503 at
/// [`handshake_timeout`](crate::Config::handshake_timeout). Example: [`Upgrade::pending`].
#[must_use = "the request waits for its answer until handshake_timeout"]
pub struct PendingUpgrade<S = ()> {
    slot: Arc<Slot<S>>,
}

impl<S> fmt::Debug for PendingUpgrade<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingUpgrade").finish_non_exhaustive()
    }
}

impl<S> PendingUpgrade<S> {
    pub(crate) fn new() -> (Self, Arc<Slot<S>>) {
        let slot = Arc::new(Slot(Mutex::new(Content { holder: None, answer: None })));
        (Self { slot: Arc::clone(&slot) }, slot)
    }

    /// Leaves the answer. Returns the connection that waits for it; `None` if the loop holds the request only
    /// later, and then finds the answer.
    pub(crate) fn answer(self, upgrade: Upgrade<S>) -> Option<ConnId> {
        let mut content = self.slot.lock();
        content.answer = Some(upgrade);
        content.holder
    }
}

/// Where the answer of one request is left.
pub(crate) struct Slot<S>(Mutex<Content<S>>);

struct Content<S> {
    /// The connection whose request is held.
    holder: Option<ConnId>,
    answer: Option<Upgrade<S>>,
}

impl<S> fmt::Debug for Slot<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

impl<S> Slot<S> {
    /// Notes which connection waits for the answer, or takes the answer if it is there already.
    pub(crate) fn hold(&self, id: ConnId) -> Option<Upgrade<S>> {
        let mut content = self.lock();
        content.holder = Some(id);
        content.answer.take()
    }

    /// Takes the answer, if it is there.
    pub(crate) fn take(&self) -> Option<Upgrade<S>> {
        self.lock().answer.take()
    }

    /// A thread that panics while it holds the lock leaves nothing half-done: each hold is an assignment.
    fn lock(&self) -> MutexGuard<'_, Content<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
